"""What stands beside every number: how old the data are, which load and base map they rest on, who may see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from dash import html

from cloudmap.dashboard.text import Words

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader


STALE_DAYS: Final = 2
"""Days without a new report after which a page says so."""
HISTORIC_DAYS: Final = 366
"""Days after which nobody waits for new reports: the data are of the past."""


def badges(reader: Reader, say: Words) -> list[Any]:
    """Build the badges: age of the data first, "schematic" last."""
    now = f"{reader.now.astimezone(reader.city.zone):%Y-%m-%d %H:%M}"
    shown = [
        html.Span(say("badge.now", when=now), className="cm-badge strong cm-data-age"),
        html.Span(say("badge.load", n=reader.analysed_load), className="cm-badge"),
        html.Span(say("badge.base", version=reader.base_map_version[:8]), className="cm-badge"),
        html.Span(say(f"badge.{reader.audience.kind}"), className="cm-badge"),
    ]
    age = (datetime.now(UTC) - reader.now).days
    if age >= HISTORIC_DAYS:
        shown.append(html.Span(say("badge.history"), className="cm-badge"))
    elif age > STALE_DAYS:
        shown.append(html.Span(say("badge.stale", n=age), title=say("badge.stale.why"), className="cm-badge warn"))
    if reader.city.city.schematic:
        shown.append(html.Span(say("badge.schematic"), className="cm-badge warn"))
    return shown
