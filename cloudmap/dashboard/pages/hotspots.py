"""Hotspots: significance, emerging classes, scan, risk and silence on the map; beside it places, method and the tables behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import html

from cloudmap.dashboard.alerts import alarms, clusters, near_repeat
from cloudmap.dashboard.drawing import Drawing
from cloudmap.dashboard.evidence import caveats, evidence, stated
from cloudmap.dashboard.ground import ground
from cloudmap.dashboard.overview import overview
from cloudmap.dashboard.place import place
from cloudmap.dashboard.risk_card import risk_card

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.text import Words
    from cloudmap.dashboard.view import View

_SHOWN = {
    "clusters": ("scan", clusters),
    "alarms": ("alarms", alarms),
    "near_repeat": ("near_repeat", near_repeat),
    "risk_card": ("risk_card", risk_card),
}


def content(view: View, reader: Reader, say: Words) -> Any:
    """Build the panel: the chosen tab, or the picked place where the tab is that of places."""
    asked = {"measure": view.measure, "category": view.category, "period": view.period, "within": view.within}
    drawing = Drawing(reader, ground(reader, view.layer), asked, say)
    if view.tab == "method":
        return evidence(drawing)
    if view.tab == "places":
        return place(view, reader, say) if view.place else overview(view, reader, say)
    name, show = _SHOWN[view.tab]

    def ask() -> Result:
        return reader.statistic(name, layer=_layer(name, view, reader), category=view.category, period=view.period)

    def build(result: Result) -> list[Any]:
        return [*show(result, drawing), *caveats(result, say)]

    head = [html.H2(say(f"stat.{view.tab}")), html.P(say(f"stat.{view.tab}.intro"), className="cm-prose")]
    return [*head, *stated(ask, build, drawing.category.scored, say)]


def _layer(name: str, view: View, reader: Reader) -> str | None:
    """Choose the layer of a statistic: that of the map where it can be, else the statistic's own."""
    if name == "alarms":
        layer = ground(reader, view.layer)
        return layer.id if layer.kind == "unit" else None
    return view.layer
