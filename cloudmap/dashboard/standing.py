"""How the city stands: seven components beside their past, each with its direction, and the same in sentences; no score, no rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
from dash import html

from cloudmap.access.views import ALL
from cloudmap.dashboard.browser import asking
from cloudmap.dashboard.charts import table
from cloudmap.dashboard.evidence import stated
from cloudmap.dashboard.ground import names_of
from cloudmap.dashboard.text import Words, number
from cloudmap.publish.situation_text import situation_text

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.view import View
    from cloudmap.publish.linked_text import Number, Sentence

FIVE: Final = ("volume", "timeliness", "recurrence", "silence", "water")
"""Components that the first page shows as numbers; the text and the table have all seven."""
LEADS: Final[dict[str, dict[str, str]]] = {
    "volume": {"page": "compare"},
    "severity": {"page": "handling", "tab": "rates"},
    "timeliness": {"page": "handling", "tab": "rates"},
    "recurrence": {"page": "hotspots", "tab": "near_repeat"},
    "emerging_area": {"page": "hotspots", "measure": "emerging"},
    "silence": {"page": "hotspots", "measure": "silent"},
    "water": {"page": "water"},
}
"""Where a number of a component leads to."""


def standing(view: View, reader: Reader, say: Words) -> list[Any]:
    """Build the five numbers, the sentences and the table of components, of the city or of the unit that the map is drilled into."""
    layer, _, unit = view.within.partition("~")

    def show(result: Result) -> list[Any]:
        rows = {row["component"]: row for row in result.table.filter(pl.col("place") == (unit or ALL)).to_dicts()}
        five = [_card(name, rows[name], say) for name in FIVE if name in rows]
        parts: list[Any] = [html.Div(five, className="cm-five", id="five")]
        if not unit:
            parts += _sentences(result, reader, say)
        return [*parts, _table(result, reader, say)]

    def ask() -> Result:
        return reader.statistic("situation", layer=layer or None, period=view.period)

    return stated(ask, show, True, say)


def _card(name: str, row: dict[str, Any], say: Words) -> Any:
    direction = row["direction"]
    shown = html.Strong(_value(row))
    lead = asking(say(f"component.{name}"), **LEADS[name])
    return html.Div(
        [shown, html.Span(lead), html.Em(say(f"direction.{direction}"), className=f"cm-direction {direction}")], className="cm-number"
    )


def _value(row: dict[str, Any]) -> str:
    if row.get("masked"):
        return "—"
    if row["component"] == "volume":
        return number(row["n"])
    if row["value"] is None:
        return "—"
    return f"{row['value']:.1%}" if row["unit"] == "share" else f"{row['value']:.2f}"


def _sentences(result: Result, reader: Reader, say: Words) -> list[Any]:
    layer = str(result.parameters.get("layer", ""))
    names = {place: say.spell(name) if name else place for place, name in names_of(reader, layer).items()} if layer else {}
    told = situation_text(result, language=say.language, names=names)
    lines = [html.Li(_linked(sentence, layer)) for sentence in told]
    return [html.Details([html.Summary(say("standing.text")), html.Ol(lines, className="cm-sentences", id="situation-text")], open=True)]


def _linked(sentence: Sentence, layer: str) -> list[Any]:
    """Make every number of a sentence a way to the row or the map that it comes from."""
    parts: list[Any] = []
    at = 0
    for one in sorted(sentence.numbers, key=lambda number: number.start):
        lead = _lead(one, layer)
        parts.append(sentence.text[at : one.start])
        text = sentence.text[one.start : one.end]
        parts.append(asking(text, **lead) if lead else html.B(text))
        at = one.end
    return [*parts, sentence.text[at:]]


def _lead(one: Number, layer: str) -> dict[str, str]:
    if one.place and one.place != ALL and layer:
        return {"layer": layer, "place": one.place}
    return LEADS.get(one.component or "", {})


def _table(result: Result, reader: Reader, say: Words) -> Any:
    """Write every component of every unit: value, interval, direction; in the order of the base map."""
    layer = str(result.parameters.get("layer", ""))
    names = names_of(reader, layer) if layer else {}
    components = result.table["component"].unique(maintain_order=True).to_list()
    cells = {(row["place"], row["component"]): row for row in result.table.to_dicts()}
    rows = []
    for place in result.table["place"].unique(maintain_order=True).to_list():
        name = say("map.home") if place == ALL else say.spell(str(names.get(place) or place))
        rows.append([name, *(_cell(cells.get((place, one)), say) for one in components)])
    head = [say("col.place"), *(say(f"component.{one}") for one in components)]
    return html.Details([html.Summary(say("standing.table")), table(head, rows, identity="situation-table")])


def _cell(row: dict[str, Any] | None, say: Words) -> Any:
    if row is None:
        return "—"
    mark = {"better": "▼" if row["component"] != "timeliness" else "▲", "worse": "▲" if row["component"] != "timeliness" else "▼"}
    title = say(f"direction.{row['direction']}")
    return html.Span(
        [_value(row), " ", html.Span(mark.get(row["direction"], ""), className=f"cm-direction {row['direction']}")], title=title
    )
