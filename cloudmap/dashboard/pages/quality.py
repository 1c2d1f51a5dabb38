"""Data quality: the ledger, who reports and since when, how late reports come in, and where reporters fall silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import html

from cloudmap.dashboard.effort import completeness, effort, silence
from cloudmap.dashboard.ledger import ledger

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.dashboard.text import Words
    from cloudmap.dashboard.view import View


def content(view: View, reader: Reader, say: Words) -> Any:
    """Build the page."""
    parts = [*ledger(reader, say), *effort(reader, say), *completeness(reader, say), *silence(view, reader, say)]
    return html.Div(parts, className="cm-ledger")
