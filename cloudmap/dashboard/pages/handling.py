"""Handling: what is overdue and where, how fast cases close, units beside the city, how long stages take, what campaigns have left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dash import html

from cloudmap.dashboard.casework import burn_down, dwell, funnel, lights, meetings, overdue_list, rates
from cloudmap.dashboard.drawing import Drawing
from cloudmap.dashboard.evidence import caveats, evidence, stated
from cloudmap.dashboard.ground import ground
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


def content(view: View, reader: Reader, say: Words) -> Any:
    """Build the panel: the chosen tab, or the picked place where the tab is that of places."""
    asked = {"measure": view.measure, "category": view.category, "period": view.period, "within": view.within}
    drawing = Drawing(reader, ground(reader, view.layer), asked, say)
    if view.tab == "method":
        return evidence(drawing)
    if view.tab == "places":
        if view.place:
            return [*overdue_list(view, drawing), *place(view, reader, say)]
        return [*lights(drawing), *overview(view, reader, say)]
    name, show = _SHOWN[view.tab]

    def ask() -> Result:
        return reader.statistic(name, layer=_layer(name, view, reader), category=view.category, period=view.period)

    def build(result: Result) -> list[Any]:
        return [*show(result, drawing), *caveats(result, say)]

    head = [html.H3(say(f"stat.{view.tab}")), html.P(say(f"stat.{view.tab}.intro"), className="cm-prose")]
    return [*head, *stated(ask, build, drawing.category.scored, say)]


def _layer(name: str, view: View, reader: Reader) -> str | None:
    """Give the map's layer to a statistic of units; the statistic chooses its own where the map shows cells."""
    return view.layer if name == "funnel" and ground(reader, view.layer).kind == "unit" else None
