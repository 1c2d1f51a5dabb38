"""Handling: what is overdue and where, how fast cases close, units beside the city, how long stages take, what campaigns have left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dash import html

from cloudmap.dashboard.browser import asking
from cloudmap.dashboard.casework import burn_down, dwell, funnel, meetings, overdue_list, rates
from cloudmap.dashboard.drawing import Drawing
from cloudmap.dashboard.evidence import evidence, tab
from cloudmap.dashboard.ground import ground
from cloudmap.dashboard.handling_numbers import numbers
from cloudmap.dashboard.handling_tables import rates_by, street_table
from cloudmap.dashboard.overview import overview
from cloudmap.dashboard.place import place

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.text import Words
    from cloudmap.dashboard.view import View

_SHOWN: dict[str, tuple[str, Callable[[Result, Drawing], list[Any]]]] = {
    "rates": ("handling_before", rates),
    "funnel": ("funnel", funnel),
    "dwell": ("dwell", dwell),
    "burn_down": ("burn_down", burn_down),
    "meetings": ("tiers", meetings),
}
"""Tab to statistic and what shows it."""


_BELOW: dict[str, Callable[[Drawing], list[Any]]] = {"rates": rates_by, "meetings": street_table}
"""Tab to what stands below, from statistics of its own."""


def content(view: View, reader: Reader, say: Words) -> Any:
    """Build the panel: the chosen tab, or the picked place where the tab is that of places."""
    drawing = Drawing.of(view, reader, ground(reader, view.layer), say)
    if view.tab == "method":
        return evidence(drawing)
    if view.tab == "places":
        return _places(view, drawing)
    name, show = _SHOWN[view.tab]

    below = _BELOW.get(view.tab)

    def build(result: Result, drawing: Drawing) -> list[Any]:
        return [*show(result, drawing), *(below(drawing) if below else [])]

    return tab(name, _layer(name, view, reader), view, drawing, build)


def _places(view: View, drawing: Drawing) -> list[Any]:
    """Build the five numbers above the places, or under the name of the picked one, with its overdue cases."""
    reader, say = drawing.reader, drawing.say
    five = numbers(view, drawing)
    if not view.place:
        return [*five, *_staffed(view, drawing), *overview(view, reader, say)]
    parts = place(view, reader, say)
    named, more = (parts[:1], parts[1:]) if isinstance(parts, list) else ([], [parts])
    return [*named, *five, *overdue_list(view, drawing), *more]


def _staffed(view: View, drawing: Drawing) -> list[Any]:
    """Lead to the finest units where staffing is asked of others: the base map tells of staff only there."""
    units = [one for one in drawing.reader.layers() if one.kind == "unit"]
    if view.measure != "staffing" or not units or view.layer == units[-1].id:
        return []
    finest = units[-1]
    return [html.P(asking(drawing.say("staffing.finest", layer=drawing.say.name(finest)), layer=finest.id), className="cm-note")]


def _layer(name: str, view: View, reader: Reader) -> str | None:
    """Give the map's layer to a statistic of units; the statistic chooses its own where the map shows cells."""
    return view.layer if name == "funnel" and ground(reader, view.layer).kind == "unit" else None
