"""The panel when no place is picked: totals that close, and the places by value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
from dash import html

from cloudmap.dashboard.grids import column, grid
from cloudmap.dashboard.maps import Drawing
from cloudmap.dashboard.text import Words, number
from cloudmap.dashboard.view import View

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader

TOP: Final = 200
"""Places that the table lists."""


def overview(view: View, reader: Reader, say: Words) -> Any:
    """Build the overview of a view."""
    layer = next(one for one in reader.layers() if one.id == view.layer)
    drawing = Drawing(reader, layer, {"measure": view.measure, "category": view.category, "period": view.period}, say)
    result, reason = drawing.result()
    parts = [html.H2(say("panel.overview")), html.P(say("panel.hint"), className="cm-note")]
    if result is None:
        return [*parts, html.P(reason, className="cm-warn"), _closing(view, reader, say)]
    return [*parts, _headline(result.table, view, say), _closing(view, reader, say), *_places(result.table, layer, view, reader, say)]


def _headline(table: pl.DataFrame, view: View, say: Words) -> Any:
    if view.measure == "hotspot":
        shown, label = int((table["class"] == "hot").sum()), say("legend.hot")
    else:
        counts = table["n"] if "n" in table.columns else table["value"]
        name = "panel.partial" if table["masked"].any() else "panel.scored" if view.measure == "ratio" else "panel.onmap"
        shown, label = int(counts.sum() or 0), say(name)
    return html.Div([html.Strong(number(shown), id="map-total"), html.Span(label)], className="cm-headline")


def _closing(view: View, reader: Reader, say: Words) -> Any:
    counts = reader.unplaced(view.category, view.period)
    rows = [html.Div([html.Dt(say(f"panel.{name}")), html.Dd(number(n), id=f"closing-{name}")]) for name, n in counts.items()]
    return html.Div([html.P(say("panel.closing"), className="cm-dim"), html.Dl(rows, className="cm-closing")])


def _places(table: pl.DataFrame, layer: Any, view: View, reader: Reader, say: Words) -> list[Any]:
    if view.measure == "hotspot":
        ranked = table.sort("q", "n", "place", descending=[False, True, False], nulls_last=True)
    else:
        ranked = table.sort("value", "place", descending=[True, False], nulls_last=True)
    names = dict(zip(*(reader.geometry(layer.id)[name] for name in ("place", "name")), strict=True))
    rows = [_row(row, str(names.get(row["place"]) or row["place"]), say) for row in ranked.head(TOP).to_dicts()]
    right = {"type": "rightAligned", "width": 92 if view.measure == "count" else 78}
    columns = [column("name", say("col.place"), flex=2, minWidth=120, tooltipField="name")]
    if layer.kind == "unit" and view.measure == "count":
        columns.append(column("place", say("col.code"), flex=2, minWidth=110, tooltipField="place"))
    columns.append(column("value", say(f"col.value.{view.measure}"), **right))
    if view.measure != "count":
        columns.append(column("n", say("col.n"), **right))
    columns += [column("expected", say("col.expected"), **right)] if view.measure == "ratio" else []
    columns += [column("q", say("col.q"), **right)] if view.measure == "hotspot" else []
    selection = {"mode": "singleRow", "enableClickSelection": True, "checkboxes": False}
    cut = say("panel.top", n=len(rows), total=table.height)
    table_of_places = grid("places-grid", columns, rows, say, rowSelection=selection, height="100%")
    return [html.H3([say("panel.places"), html.Small(cut)]), html.Div(table_of_places, className="cm-places")]


def _row(row: dict[str, Any], name: str, say: Words) -> dict[str, Any]:
    shown = {"place": row["place"], "name": name, "value": row["value"]}
    if row["masked"]:
        return shown | {"value": say("legend.masked")}
    for field, digits in (("value", 2), ("n", 0), ("expected", 1), ("q", 4)):
        if field in row and row[field] is not None:
            shown[field] = round(row[field], digits) if digits else int(row[field])
    if shown.get("q") == 0:
        shown["q"] = "< 0.0001"
    if "class" in row:
        shown["value"] = say(f"legend.{row['class']}") if row["class"] else None
    elif isinstance(shown["value"], float) and shown["value"].is_integer():
        shown["value"] = int(shown["value"])
    return shown
