"""Help: how to read the map, what the words mean, how the results are made, and the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import html

from cloudmap.dashboard.view import PAGES

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.dashboard.text import Words
    from cloudmap.dashboard.view import View

_READ = ("where", "masked", "silent", "effort", "regime", "age")
_TERMS = (
    "report",
    "matter",
    "unit",
    "microgrid",
    "overlay",
    "cell",
    "exposure",
    "ratio",
    "family",
    "q",
    "regime",
    "quarantine",
    "area_only",
)
_KEYS = ("arrows", "zoom", "enter", "escape", "tab", "space")


def content(view: View, reader: Reader, say: Words) -> Any:
    """Build the page."""
    del view, reader
    measures = dict.fromkeys(measure for spec in PAGES.values() for measure in spec.measures)
    parts = [
        html.H1(say("help.title")),
        html.H2(say("help.read")),
        html.Ul([html.Li(say(f"help.read.{one}")) for one in _READ], className="cm-list"),
        html.H2(say("help.pages")),
        _list([(say(f"nav.{page}"), say(f"help.page.{page}")) for page in PAGES]),
        html.H2(say("help.methods")),
        _list([(say(f"measure.{one}"), say(f"method.{one}")) for one in measures]),
        html.H2(say("help.words")),
        _list([(say(f"term.{one}"), say(f"term.{one}.means")) for one in _TERMS]),
        html.H2(say("help.keys")),
        _list([(say(f"key.{one}"), say(f"key.{one}.does")) for one in _KEYS]),
    ]
    return html.Div(parts, className="cm-ledger")


def _list(rows: list[tuple[str, str]]) -> Any:
    return html.Dl([html.Div([html.Dt(name), html.Dd(meaning)]) for name, meaning in rows], className="cm-terms")
