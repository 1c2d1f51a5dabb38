"""The reconciliation ledger: where each record of each file ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import dash_mantine_components as dmc
from dash import html

from cloudmap.dashboard.grids import column, grid
from cloudmap.dashboard.refusals import reason
from cloudmap.dashboard.text import Words, number
from cloudmap.errors import AccessError
from cloudmap.schema import LEDGER_CLASSES

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader

QUARANTINE_ROWS: Final = 1000
"""Quarantined records that the page lists; the export writes all."""


def ledger(reader: Reader, say: Words) -> list[Any]:
    """Build the ledger's tables."""
    entries = reader.ledger()
    parts = [html.H1(say("ledger.title")), html.P(say("ledger.intro"), className="cm-note")]
    if not entries:
        return [*parts, html.P(say("ledger.empty"))]
    return [*parts, _classes(entries, reader, say), html.H2(say("ledger.quarantine")), *_quarantine(reader, say)]


def _classes(entries: list[dict[str, Any]], reader: Reader, say: Words) -> Any:
    names = {source.id: say.name(source) for source in reader.city.sources}
    head = [
        say("ledger.load"),
        say("ledger.source"),
        say("ledger.file"),
        say("ledger.lines"),
        *(say(f"class.{name}") for name in LEDGER_CLASSES),
        say("ledger.sum"),
        say("ledger.repairs"),
    ]
    rows = [_entry(entry, names, say) for entry in entries]
    total = {name: sum(int(entry["classes"].get(name, 0)) for entry in entries) for name in LEDGER_CLASSES}
    lines = sum(int(entry["lines"]) for entry in entries)
    foot = html.Tr([html.Th(say("ledger.total"), colSpan=3, scope="row"), *_numbers(lines, total, say), html.Td()])
    table = [html.Thead(html.Tr([html.Th(one, scope="col") for one in head])), html.Tbody(rows), html.Tfoot(foot)]
    return dmc.TableScrollContainer(html.Table(table, className="cm-table cm-ledger-table"), minWidth=1100, type="native")


def _entry(entry: dict[str, Any], names: dict[str, str], say: Words) -> Any:
    repairs = [
        say("ledger.repair", name=say(f"repair.{kind}") if say.has(f"repair.{kind}") else kind, n=int(n))
        for kind, n in entry["repairs"].items()
        if n
    ]
    marks = [html.Span(one, className="cm-chip") for one in repairs] or html.Span(say("ledger.norepairs"), className="cm-dim")
    first = [
        _cell(str(entry["load_seq"]), say("ledger.load")),
        _cell(names.get(entry["source"], entry["source"]), say("ledger.source")),
        _cell(entry["file"], say("ledger.file"), className="cm-file"),
    ]
    return html.Tr([*first, *_numbers(int(entry["lines"]), entry["classes"], say), html.Td(marks, className="cm-chips")])


def _cell(content: Any, label: str, **attributes: Any) -> Any:
    """Make a cell that knows its column's name: on a phone every row is a card of names and values."""
    named: dict[str, Any] = {"data-label": label}
    return html.Td(content, **attributes, **named)


def _numbers(lines: int, classes: dict[str, Any], say: Words) -> list[Any]:
    counts = [int(classes.get(name, 0)) for name in LEDGER_CLASSES]
    off = lines - sum(counts)
    verdict = html.Span(say("ledger.equal") if off == 0 else say("ledger.unequal", n=off), className="cm-ok" if off == 0 else "cm-bad")
    cells = [
        _cell(number(count), say(f"class.{name}"), className="n zero" if count == 0 else "n")
        for name, count in zip(LEDGER_CLASSES, counts, strict=True)
    ]
    read = _cell(number(lines), say("ledger.lines"), className="n strong")
    return [read, *cells, _cell(html.Span([number(sum(counts)), " ", verdict]), say("ledger.sum"), className="n")]


def _quarantine(reader: Reader, say: Words) -> list[Any]:
    try:
        frame = reader.quarantine()
    except AccessError as error:
        return [html.P(reason(error, say), className="cm-note")]
    if frame.height == 0:
        return [html.P(say("ledger.quarantine.none"), className="cm-note")]
    cut = frame.height > QUARANTINE_ROWS
    note = say("ledger.quarantine.cut", n=frame.height, shown=QUARANTINE_ROWS) if cut else say("ledger.quarantine.n", n=frame.height)
    columns = [
        column("file", say("ledger.file"), width=150, tooltipField="file"),
        column("line_no", say("ledger.line"), width=72),
        column("rule", say("ledger.rule"), width=260, tooltipField="rule"),
        column("field", say("ledger.field"), width=120),
        column("value", say("ledger.value"), minWidth=300, flex=1, tooltipField="value"),
    ]
    if say.language == "en":  # the details are written in English, by the parts that refuse records
        columns.insert(4, column("detail", say("ledger.detail"), width=420, tooltipField="detail"))
    rows = frame.head(QUARANTINE_ROWS).select(one["field"] for one in columns).to_dicts()
    for row in rows:
        row["rule"] = say(f"rule.{row['rule']}") if say.has(f"rule.{row['rule']}") else row["rule"]
    return [html.P(note, className="cm-note"), grid("quarantine-grid", columns, rows, say, height="420px")]
