"""The panel when no place is picked: totals that close, and the places by value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
from dash import html

from cloudmap.dashboard.drawing import DIGITS, Drawing, verdict_words
from cloudmap.dashboard.grids import column, grid
from cloudmap.dashboard.ground import ground, name_of, names_of
from cloudmap.dashboard.tables import whole_table
from cloudmap.dashboard.text import Words, number
from cloudmap.dashboard.view import REACH, View

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader

FIRST: Final = 8
"""Places that the wall and a printed page list."""
TOP: Final = 200
"""Places that the table lists."""

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "count": ("value",),
    "ratio": ("value", "n", "expected"),
    "hotspot": ("verdict", "n", "q"),
    "emerging": ("verdict", "n", "q"),
    "scan": ("verdict", "n", "ratio"),
    "silent": ("verdict", "n", "expected"),
    "risk": ("verdict", "ratio", "expected_n", "p_above_2"),
    REACH: ("per_km", "n", "ratio", "q"),
    "overdue": ("overdue_n", "yellow_n", "green_n", "n"),
    "workload": ("n", "open_n", "overdue_n"),
    "staffing": ("verdict", "staff_n", "volunteers_n"),
}
"""Columns of the table of places, by measure."""
NAMED: Final = {("overdue", "n"): "col.open_n", ("workload", "n"): "col.cases"}
"""Columns that another measure calls otherwise."""
STRONG: Final = {"hotspot": "hot", "silent": "silent", "risk": "above_2", REACH: "high"}
"""The class whose places the headline counts."""


def overview(view: View, reader: Reader, say: Words) -> Any:
    """Build the overview of a view."""
    layer = ground(reader, view.layer)
    drawing = Drawing.of(view, reader, layer, say)
    result, _ = drawing.result()
    parts = [
        html.H2(say.spell(name_of(reader, view.within)) if view.within else say("panel.overview")),
        html.P(say("panel.hint"), className="cm-note"),
    ]
    closing = [] if view.within or view.measure in (REACH, "overdue", "workload", "staffing") else [_closing(view, reader, say)]
    if result is None:
        return [*parts, *drawing.refused(view), *closing]
    table = drawing.within_unit(result.table)
    # The page of handling has its own numbers above.
    headline = [] if view.measure == "overdue" else [_headline(table, view, say)]
    return [*parts, *headline, *closing, *_places(table, layer, view, reader, say)]


def _headline(table: pl.DataFrame, view: View, say: Words) -> Any:
    if view.measure in STRONG:
        shown, label = int((table["class"] == STRONG[view.measure]).sum()), say(f"legend.{STRONG[view.measure]}")
    elif view.measure == "emerging":
        shown, label = int(table["class"].str.ends_with("_hot").sum()), say("panel.emerging")
    elif view.measure == "staffing":
        shown, label = int(table["class"].is_in(["no_staff", "no_volunteer", "neither"]).sum()), say("panel.staffing")
    elif view.measure == "scan":
        shown, label = table["value"].drop_nulls().n_unique(), say("panel.scan")
    else:
        counts = table["n"] if "n" in table.columns else table["value"]
        name = "panel.partial" if table["masked"].any() else "panel.scored" if view.measure == "ratio" else "panel.onmap"
        shown, label = int(counts.sum() or 0), say(name)
    return html.Div([html.Strong(number(shown), id="map-total"), html.Span(label)], className="cm-headline")


def _closing(view: View, reader: Reader, say: Words) -> Any:
    counts = reader.unplaced(view.category, view.period)
    rows = [html.Div([html.Dt(say(f"panel.{name}")), html.Dd(number(n), id=f"closing-{name}")]) for name, n in counts.items()]
    told = [f"panel.closing.{ground(reader, view.layer).kind}", *(["panel.closing.standing"] if view.page == "cloud" else [])]
    why = " ".join(say(one) for one in told if say.has(one))
    return html.Div(
        [html.P(say("panel.closing"), className="cm-dim"), html.Dl(rows, className="cm-closing"), html.P(why, className="cm-dim cm-why")]
    )


def _places(table: pl.DataFrame, layer: Any, view: View, reader: Reader, say: Words) -> list[Any]:
    ranked = rank(table, view.measure)
    names = names_of(reader, layer.id)
    top = ranked.head(TOP)
    verdicts = verdict_words(top, view.measure, say)
    rows = [
        _row(row, verdict, say.spell(str(names.get(row["place"]) or row["place"])), say)
        for row, verdict in zip(top.to_dicts(), verdicts, strict=True)
    ]
    columns = [column("name", say("col.place"), flex=2, minWidth=110, tooltipField="name")]
    if layer.kind == "unit" and view.measure == "count":
        columns.append(column("place", say("col.code"), flex=2, minWidth=110, tooltipField="place"))
    for name in COLUMNS[view.measure]:
        if name == "verdict":
            columns.append(column("verdict", say("col.value.hotspot"), flex=1, minWidth=104, tooltipField="verdict"))
        else:
            right = {"type": "rightAligned", "width": 92 if view.measure == "count" else 64 if len(COLUMNS[view.measure]) > 3 else 76}
            label = f"col.value.{view.measure}" if name == "value" else NAMED.get((view.measure, name), f"col.{name}")
            tip = {"headerTooltip": say("tip.q")} if name == "q" else {}
            columns.append(column(name, say(label), **right, **tip))
    selection = {"mode": "singleRow", "enableClickSelection": True, "checkboxes": False}
    cut = say("panel.top", n=len(rows), total=table.height)
    table_of_places = grid("places-grid", columns, rows, say, rowSelection=selection, height="100%")
    places = [html.H3([say("panel.places"), html.Small([cut, *whole_table(view, say)])]), html.Div(table_of_places, className="cm-places")]
    return [*places, _first(rows, columns, say)]


def _first(rows: list[dict[str, Any]], columns: list[dict[str, Any]], say: Words) -> Any:
    """Build the first places as a plain table, for the wall and for paper, where nobody can scroll."""
    told = [columns[0], next(one for one in columns[1:] if one["field"] not in ("place", "verdict"))]
    head = html.Tr([html.Th(one["headerName"], scope="col", className="n" if at else "") for at, one in enumerate(told)])
    lines = [html.Tr([html.Th(row["name"], scope="row"), html.Td(_told(row.get(told[1]["field"])), className="n")]) for row in rows[:FIRST]]
    caption = html.Caption(say("panel.first", n=len(lines)))
    return html.Table([caption, html.Thead(head), html.Tbody(lines)], className="cm-first")


def _told(value: Any) -> str:
    return "—" if value is None else number(value) if isinstance(value, int) else str(value)


def rank(table: pl.DataFrame, measure: str) -> pl.DataFrame:
    """Sort places for reading: what is called strong first, then by the measure's own value."""
    verdict = STRONG.get(measure)
    if measure == "emerging":
        strong = table["class"].str.ends_with("_hot").fill_null(value=False).cast(pl.Int8) * 2 + (
            table["class"].str.ends_with("_cold").fill_null(value=False).cast(pl.Int8)
        )
    elif measure == "scan":
        strong = table["value"].is_not_null().cast(pl.Int8)
    else:
        strong = (table["class"] == verdict).fill_null(value=False).cast(pl.Int8) if verdict else pl.repeat(0, table.height, eager=True)
    ordered = table.with_columns(strong=strong)
    small_first = measure in ("hotspot", "emerging", "scan")
    by = {"hotspot": "q", "emerging": "q", "scan": "value"}.get(measure, "value")
    more = ["n"] if "n" in table.columns else []
    return ordered.sort(
        "strong", by, *more, "place", descending=[True, not small_first, *([True] if more else []), False], nulls_last=True
    ).drop("strong")


def _row(row: dict[str, Any], verdict: str | None, name: str, say: Words) -> dict[str, Any]:
    shown: dict[str, Any] = {"place": row["place"], "name": name, "verdict": verdict}
    if row.get("masked"):
        return shown | {"value": say("legend.masked"), "verdict": say("legend.masked")}
    for field, digits in DIGITS.items():
        if row.get(field) is not None:
            shown[field] = round(row[field], digits) if digits else int(row[field])
    if shown.get("q") == 0:
        shown["q"] = "< 0.0001"
    if isinstance(shown.get("value"), float) and shown["value"].is_integer():
        shown["value"] = int(shown["value"])
    return shown
