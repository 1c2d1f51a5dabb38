"""The pages, registered by name: what `view.PAGES` offers, built by the modules here."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from cloudmap.dashboard.pages import cloud, compare, exports, handling, help, hotspots, quality, water

PAGES: Final[dict[str, ModuleType]] = {
    "cloud": cloud,
    "hotspots": hotspots,
    "water": water,
    "handling": handling,
    "compare": compare,
    "quality": quality,
    "exports": exports,
    "help": help,
}
"""Name in the address to module with ``content(view, reader, say)``: the panel beside the map, or the whole page where it has no map."""
