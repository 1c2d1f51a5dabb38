"""Hotspots: significance, emerging classes, scan, risk and silence on the map; beside it places, method and the tables behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudmap.dashboard.alerts import alarms, clusters, near_repeat
from cloudmap.dashboard.drawing import Drawing
from cloudmap.dashboard.evidence import evidence, tab
from cloudmap.dashboard.ground import ground
from cloudmap.dashboard.overview import overview
from cloudmap.dashboard.place import place
from cloudmap.dashboard.risk_card import risk_card
from cloudmap.dashboard.smoothed import crowds, smoothed

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.dashboard.text import Words
    from cloudmap.dashboard.view import View

_SHOWN = {
    "clusters": ("scan", clusters),
    "alarms": ("alarms", alarms),
    "near_repeat": ("near_repeat", near_repeat),
    "risk_card": ("risk_card", risk_card),
    "smoothed": ("rates", smoothed),
}


def content(view: View, reader: Reader, say: Words) -> Any:
    """Build the panel: the chosen tab, or the picked place where the tab is that of places."""
    drawing = Drawing.of(view, reader, ground(reader, view.layer), say)
    if view.tab == "method":
        return evidence(drawing)
    if view.tab == "places":
        return place(view, reader, say) if view.place else overview(view, reader, say)
    name, show = _SHOWN[view.tab]
    below = crowds(drawing) if view.tab == "clusters" else []
    return [*tab(name, _layer(name, view, reader), view, drawing, show), *below]


def _layer(name: str, view: View, reader: Reader) -> str | None:
    """Choose the layer of a statistic: that of the map where it can be, else the statistic's own."""
    if name == "alarms":
        layer = ground(reader, view.layer)
        return layer.id if layer.kind == "unit" else None
    return view.layer
