"""The map, and beside it the overview or the picked place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, html

from cloudmap.dashboard.badges import badges
from cloudmap.dashboard.browser import in_browser
from cloudmap.dashboard.overview import overview
from cloudmap.dashboard.place import place
from cloudmap.dashboard.text import Words, words
from cloudmap.dashboard.view import View, checked

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader


def layout(view: View, reader: Reader, say: Words) -> Any:
    """Build the map's container and the panel's frame; the map component and a callback fill them."""
    del view
    narrow = html.Div(badges(reader, say), className="cm-badges-narrow")
    back = dmc.Button(
        say("panel.back"), id="close-place", variant="subtle", size="compact-sm", leftSection=html.Span(className="cm-icon earlier")
    )
    return html.Div(
        [
            html.Div(id="map", className="cm-map"),
            html.Aside(
                [narrow, html.Div(back, className="cm-panel-back"), html.Div(id="panel", className="cm-panel-body")], className="cm-panel"
            ),
        ],
        className="cm-cloud",
    )


def register(app: Dash, current: Callable[[], Reader]) -> None:
    """Add the panel's callbacks."""

    def fill(asked: Any) -> Any:
        reader = current()
        view = checked(asked if isinstance(asked, dict) else {}, reader)
        return (place if view.place else overview)(view, reader, words(view.lang))

    def failed(error: Exception) -> Any:
        app.logger.error("panel", exc_info=error)
        return html.P(words("zh-Hans")("error.panel"), className="cm-note")

    app.callback(Output("panel", "children"), Input("panel-view", "data"), prevent_initial_call=True, on_error=failed)(fill)
    in_browser(app, "pickRow", Output("picked", "data"), Input("places-grid", "selectedRows"), State("view", "data"))
