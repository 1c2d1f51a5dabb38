"""Which right each route and each callback asks for. What is not named here is answered to nobody who must sign in.

A new page adds its callbacks and routes here; `tests/dashboard/test_accounts_rights.py` fails until it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from cloudmap.access.roles import Right, Viewer

if TYPE_CHECKING:
    from dash import Dash

Need = Right | Literal["anyone", "self", "nobody", "callback"]
"""A right of a role; or: anyone, signed in or not; self, whoever is signed in; nobody; callback, by the callback that is asked for."""

UPDATE: Final = "/_dash-update-component"

ROUTES: Final[Mapping[str, Need]] = {
    "/": "see",
    "/<path:path>": "see",
    "/_dash-layout": "see",
    "/_dash-dependencies": "see",
    UPDATE: "callback",
    "/_dash-component-suites/<string:package_name>/<path:fingerprinted_path>": "see",
    "_dash_assets.static": "see",
    "map_geometry": "see",
    "map_tiles": "see",
    "map_shape": "see",
    "map_values": "see",
    "map_numbers": "see",
    "map_weeks": "see",
    "map_points": "rows",
    "map_table": "take",
    "map_base": "see",
    "take_brief": "take",
    "take_layer": "take",
    "signin.enter": "anyone",
    "signin.style": "anyone",
    "signin.icon": "anyone",
    "signin.account": "self",
    "signin.leave": "self",
    "signin.audit": "audit",
    "/_reload-hash": "nobody",
    "/_favicon.ico": "nobody",
    "static": "nobody",
}
"""Endpoint to what it asks for."""

CALLBACKS: Final[Mapping[str, Need]] = {
    "..view.data...shell.children..": "see",
    "panel.children": "see",
    "standing.children": "see",
    "..sheet.children...sheet-done.data..": "see",
    "url.search": "nobody",
    "panel-view.data": "nobody",
    "sheet-view.data": "nobody",
    "..panel-view.data...sheet-view.data..": "nobody",
    "mantine.forceColorScheme": "nobody",
    "appshell.navbar": "nobody",
    "sheet.aria-busy": "nobody",
    "picked.data": "nobody",
    "asked.data": "nobody",
}
"""Output (without what Dash adds behind @) to what it asks for; what runs in the browser asks the server for nothing."""


def allowed(need: Need | None, viewer: Viewer | None) -> bool:
    """Tell whether somebody may have what asks for a right; nothing is allowed that nobody named.

    Parameters
    ----------
    need : Need or None
        From `ROUTES` or `CALLBACKS`; None where it is not named.
    viewer : Viewer or None
        Who is signed in.
    """
    if need == "anyone":
        return True
    if need is None or need == "nobody" or need == "callback" or viewer is None:  # noqa: PLR1714  (mypy narrows each)
        return False
    return need == "self" or viewer.may(need)


def undeclared(app: Dash) -> list[str]:
    """List the endpoints and callbacks of an app that no table here names.

    Parameters
    ----------
    app : Dash
    """
    routes = [rule.endpoint for rule in app.server.url_map.iter_rules() if rule.endpoint not in ROUTES]
    return sorted({*routes, *(output for output in app.callback_map if output.partition("@")[0] not in CALLBACKS)})


def needed(endpoint: str | None, output: object = None) -> Need | None:
    """Return what a request asks for.

    Parameters
    ----------
    endpoint : str or None
        Of the route that matched; None where none did.
    output : object
        For callbacks, the output that the request names.
    """
    need = ROUTES.get(endpoint or "")
    if need != "callback":
        return need
    return CALLBACKS.get(output.partition("@")[0]) if isinstance(output, str) else None
