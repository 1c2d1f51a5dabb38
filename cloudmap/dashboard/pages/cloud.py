"""The situation: the map, and beside it the overview or the picked place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudmap.dashboard.overview import overview
from cloudmap.dashboard.place import place

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.dashboard.text import Words
    from cloudmap.dashboard.view import View


def content(view: View, reader: Reader, say: Words) -> Any:
    """Build the panel."""
    return (place if view.place else overview)(view, reader, say)
