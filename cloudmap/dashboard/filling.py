"""Fill the panel beside the map, and the pages without a map, with what the checked view asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dash import Dash, Input, Output, State, html

from cloudmap.dashboard.browser import in_browser
from cloudmap.dashboard.light import lighten
from cloudmap.dashboard.pages import PAGES
from cloudmap.dashboard.standing import standing
from cloudmap.dashboard.text import DEFAULT, words
from cloudmap.dashboard.view import checked

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader

SHEETS: Final[dict[str, tuple[str, ...]]] = {
    "quality": (),
    "exports": ("layer", "measure", "category", "period", "within"),
    "help": (),
}
"""Pages without a map, with the fields of the view that their content follows beside page and language."""


def register_content(app: Dash, current: Callable[[], Reader]) -> None:
    """Add the callbacks that fill panel and sheet, each asked for only when what it shows has changed.

    Parameters
    ----------
    app : Dash
    current : callable
        Returns the reader to use for one request.
    """

    def content(asked: Any) -> Any:
        reader = current()
        view = checked(asked if isinstance(asked, dict) else {}, reader)
        return lighten(PAGES[view.page].content(view, reader, words(view.lang)))

    def stands(asked: Any) -> Any:
        reader = current()
        view = checked(asked if isinstance(asked, dict) else {}, reader)
        return lighten(standing(view, reader, words(view.lang)))

    def sheet(asked: Any) -> tuple[Any, Any]:
        return content(asked), asked

    def failed(error: Exception) -> Any:
        app.logger.error("panel", exc_info=error)
        return html.P(words(DEFAULT)("error.panel"), className="cm-note")

    def sheet_failed(error: Exception) -> tuple[Any, Any]:
        return failed(error), {"failed": True}

    panel_view, sheet_view = Input("panel-view", "data"), Input("sheet-view", "data")
    app.callback(Output("panel", "children"), panel_view, prevent_initial_call=True, on_error=failed)(content)
    stands_view = Input("standing-view", "data")
    app.callback(Output("standing", "children"), stands_view, prevent_initial_call=True, on_error=failed)(stands)
    outputs = Output("sheet", "children"), Output("sheet-done", "data")
    app.callback(*outputs, sheet_view, prevent_initial_call=True, on_error=sheet_failed)(sheet)
    in_browser(app, "sheetDone", Output("sheet", "aria-busy"), Input("sheet-done", "data"))
    in_browser(app, "pickWeek", Output("asked", "data"), Input("weeks-chart", "clickData"), State("view", "data"), State("config", "data"))
    in_browser(app, "pickRow", Output("picked", "data"), Input("places-grid", "selectedRows"), State("view", "data"))
