"""The pages, each with its layout and its callbacks, registered by name."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from cloudmap.dashboard.pages import cloud, ledger

PAGES: Final[dict[str, ModuleType]] = {"cloud": cloud, "ledger": ledger}
"""Name in the address to module with ``layout(view, reader, say)`` and ``register(app, current)``."""
