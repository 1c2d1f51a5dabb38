"""The dashboard as a Dash app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dash import Dash, Input, Output, State, no_update
from flask import request

from cloudmap.dashboard import basemap
from cloudmap.dashboard.browser import in_browser
from cloudmap.dashboard.filling import SHEETS, register_content
from cloudmap.dashboard.guard import Gate, protect
from cloudmap.dashboard.maps import Maps, addresses
from cloudmap.dashboard.shell import empty_shell, frame, shell
from cloudmap.dashboard.taking import Taking
from cloudmap.dashboard.text import DEFAULT, LANGUAGES, words
from cloudmap.dashboard.view import View, read_view
from cloudmap.errors import CloudmapError

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.city import City

CONTROLS: Final = (
    ("layer", "value"),
    ("measure", "value"),
    ("category", "value"),
    ("span", "value"),
    ("period", "value"),
    ("shown", "value"),
    ("picked", "data"),
    ("earlier", "n_clicks"),
    ("later", "n_clicks"),
    ("lang", "value"),
    ("scheme", "n_clicks"),
    ("page", "value"),
    ("close-place", "n_clicks"),
    ("tab", "value"),
    ("against", "value"),
    ("opacity", "value"),
    ("breaks", "value"),
    ("breaks-own", "value"),
    ("auto", "checked"),
    ("wall", "n_clicks"),
    ("wall-add", "n_clicks"),
    ("asked", "data"),
)
"""What writes the address, in the order of ``write`` in ``web/src/main.js``."""

_INDEX = """<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" type="image/svg+xml" href="/assets/icon.svg">
{css}
</head>
<body>
<noscript>{noscript}</noscript>
<div id="react-entry-point"><div class="cm-opening">{loading}</div></div>
<footer>{config}{scripts}{renderer}</footer>
</body>
</html>"""


class CloudmapDash(Dash):
    """Dash with an index page in the language that the address asks for."""

    def interpolate_index(self, *_: Any, **parts: Any) -> str:
        """Fill the index page."""
        lang = request.args.get("lang", DEFAULT)
        say = words(lang if lang in LANGUAGES else DEFAULT)
        texts = {"lang": say.language, "title": say("brand"), "noscript": say("noscript"), "loading": say("loading")}
        return _INDEX.format(**(parts | {name: escape(text) for name, text in texts.items()}))


def make_app(source: Reader | Callable[[], Reader], gate: Gate | None = None, city: City | None = None) -> Dash:
    """Build the dashboard.

    Parameters
    ----------
    source : Reader, or a callable that returns one
        Where numbers come from. A callable is asked once a request: it may give a newer reader after a new analysis, and another one to
        whoever else is signed in (`guard.audience`).
    gate : Gate, optional
        Who may reach it; this machine without accounts, where not given.
    city : City, optional
        Whose pages may fetch the tiles that its file asks for; a reader's own, where `source` is one.

    Returns
    -------
    dash.Dash
        Its ``server`` is the Flask application.
    """
    current: Callable[[], Reader] = source if callable(source) else lambda: source
    city = city or (None if callable(source) else source.city)
    app = CloudmapDash(
        "cloudmap.dashboard",
        assets_folder=str(Path(__file__).parent / "assets"),
        assets_ignore=r"map-worker\.js",
        serve_locally=True,
        compress=False,
        update_title="",
        suppress_callback_exceptions=True,
        add_log_handler=False,
    )
    app.layout = frame()
    _register_address(app, current)
    register_content(app, current)
    Maps(current).register(app.server)
    Taking(current).register(app.server)
    basemap.register(app.server, current)
    protect(app, gate, basemap.outside_hosts(city) if city else ())
    return app


def _register_address(app: Dash, current: Callable[[], Reader]) -> None:
    """Tie address, view and controls: controls write the address, the server reads it, the map shows what was read."""

    def read_address(search: Any, shown: Any) -> tuple[Any, Any]:
        before = shown if isinstance(shown, dict) else {}
        search = search if isinstance(search, str) else ""
        try:
            reader = current()
            view = read_view(search, reader)
        except CloudmapError as error:
            app.server.logger.warning("no view: %s", error)
            return no_update, empty_shell("en" if "lang=en" in search else DEFAULT)
        sent = view_data(view, reader, search)
        same_frame = all(before.get(name) == sent[name] for name in ("lang", "load"))
        return sent, no_update if same_frame else shell(view, reader)

    app.callback(Output("view", "data"), Output("shell", "children"), Input("url", "search"), State("view", "data"))(read_address)
    view, config, search = State("view", "data"), State("config", "data"), Output("url", "search")
    in_browser(app, "write", search, *(Input(name, prop) for name, prop in CONTROLS), view, config)
    in_browser(app, "show", Output("panel-view", "data"), Input("view", "data"), Input("config", "data"), initial=True)
    in_browser(app, "scheme", Output("mantine", "forceColorScheme"), Input("view", "data"), initial=True)
    in_browser(app, "toggleMenu", Output("appshell", "navbar"), Input("burger", "opened"), State("appshell", "navbar"))


def view_data(view: View, reader: Reader, search: str) -> dict[str, Any]:
    """Write a checked view for the browser: its fields, what the map fetches, and what panel or sheet shows."""
    sent = {one.name: getattr(view, one.name) for one in fields(view)}
    load = f"{reader.analysed_load}|{reader.base_map_version}"
    content = {name: sent[name] for name in ("page", "tab", "layer", "measure", "category", "period", "place", "within", "against", "lang")}
    sheet = {name: sent[name] for name in ("page", "lang", *SHEETS.get(view.page, ()))} | {"load": load}
    stands = {name: sent[name] for name in ("page", "period", "within", "lang")} | {"load": load}
    return sent | {
        "standing": stands,
        "shown": list(view.shown),
        "asked": search,
        "load": load,
        "map": addresses(view, reader),
        "panel": content,
        "sheet": sheet,
    }
