"""Callbacks that run in the browser, from the bundle's ``dash_clientside.cloudmap``."""

from __future__ import annotations

import json
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, html


def in_browser(app: Dash, function: str, output: Output, *given: Input | State, initial: bool = False) -> None:
    """Tie an output to a function of the map bundle.

    Parameters
    ----------
    app : Dash
    function : str
        Its name in ``web/src/main.js``.
    output : Output
    *given : Input or State
        What the function is given, in its order.
    initial : bool, default False
        Whether it also runs when its inputs first appear.
    """
    register: Any = app.clientside_callback
    register(ClientsideFunction("cloudmap", function), output, *given, prevent_initial_call=not initial)


def asking(label: Any, **fields: str) -> Any:
    """Build a button that changes the view when it is pressed, wherever it stands.

    Parameters
    ----------
    label : component or str
    **fields : str
        Fields of `view.View` and their new values; the server checks them as it checks an address.
    """
    ask: dict[str, Any] = {"data-ask": json.dumps(fields, ensure_ascii=False)}
    return html.Button(label, className="cm-ask", type="button", **ask)
