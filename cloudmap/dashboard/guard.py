"""What every request passes and every answer carries: known hosts, known callbacks, a right for each path, no outside source."""

from __future__ import annotations

import ipaddress
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode, urlsplit

from dash import Dash
from flask import Response, abort, g, has_request_context, redirect, request
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from cloudmap.access.audience import Audience
from cloudmap.access.audit import acting
from cloudmap.access.roles import LOCAL_VIEWER, Viewer
from cloudmap.dashboard import signin
from cloudmap.dashboard.rights import UPDATE, allowed, needed
from cloudmap.errors import AccessError, CloudmapError

if TYPE_CHECKING:
    from cloudmap.access.accounts import Accounts

_GATE: Final = "cloudmap_gate"
LOG: Final = logging.getLogger("cloudmap.dashboard")


@dataclass(frozen=True, slots=True)
class Gate:
    """How an app can be reached, and by whom.

    Attributes
    ----------
    accounts : Accounts or None
        Who may sign in; None lets in whoever sits at this machine.
    secure : bool
        Whether browsers speak TLS with it, or with the proxy before it.
    far : bool
        Whether other machines can reach it: then any name of the host is taken.
    """

    accounts: Accounts | None = None
    secure: bool = False
    far: bool = False


def is_loopback(host: str) -> bool:
    """Tell whether a host name means this machine only."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def viewer() -> Viewer | None:
    """Return who asks: whoever is signed in, the local user of a city without accounts, or None."""
    return g.get("viewer") if has_request_context() else LOCAL_VIEWER


def audience() -> Audience:
    """Return the audience of the request under way; outside a request, that of this machine's own user.

    Raises
    ------
    AccessError
        Nobody is signed in.
    """
    who = viewer()
    if who is None:
        raise AccessError("nobody is signed in, so there is nothing to read numbers for")
    return who.audience


def gate_of(app: Dash) -> Gate:
    """Return the gate that an app was protected with."""
    gate: Gate = app.server.extensions[_GATE]
    return gate


def protect(app: Dash, gate: Gate | None = None, outside: tuple[str, ...] = ()) -> None:
    """Put the checks before and the headers behind every request of an app.

    Call it when all callbacks are defined: their hashes enter the content security policy.

    Parameters
    ----------
    app : Dash
    gate : Gate, optional
        Only this machine, without accounts, where not given.
    outside : tuple of str
        Hosts outside ("https://…") that pages may fetch map tiles from.
    """
    gate = gate or Gate()
    app.server.extensions[_GATE] = gate
    headers = _headers(app, gate, outside)
    if gate.accounts is not None:
        signin.register(app.server, gate.accounts, secure=gate.secure)

    def check() -> Any:
        g.viewer = None
        _check_sender(gate)
        body = request.get_json(silent=True) if request.path == UPDATE else None
        if gate.accounts is None:
            g.viewer = LOCAL_VIEWER
        else:
            g.viewer = signin.signed_in()
            need = needed(request.endpoint, body.get("output") if isinstance(body, dict) else None)
            if not allowed(need, g.viewer):
                return _refuse(g.viewer)
            g.acting = acting(g.viewer.name if g.viewer else "")
            g.acting.__enter__()
        if request.path == UPDATE and not _known_callback(app, body):
            abort(400)
        return None

    def release(_error: BaseException | None) -> None:
        held = g.pop("acting", None)
        if held is not None:
            held.__exit__(None, None, None)

    def label(answer: Response) -> Response:
        for name, value in headers.items():
            answer.headers[name] = value
        if not request.path.startswith(("/assets/", "/_dash-component-suites/")):
            answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    app.server.before_request(check)
    app.server.after_request(label)
    app.server.teardown_request(release)
    app.server.register_error_handler(Exception, _explain)


def _headers(app: Dash, gate: Gate, outside: tuple[str, ...]) -> dict[str, str]:
    policy = "; ".join(
        [
            "default-src 'self'",
            "script-src 'self' " + " ".join(app.csp_hashes()),
            "worker-src 'self' blob:",
            "style-src 'self' 'unsafe-inline'",
            " ".join(("img-src 'self' data: blob:", *outside)),
            "font-src 'self' data:",
            " ".join(("connect-src 'self'", *outside)),
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'" if gate.accounts is not None else "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
    return headers | ({"Strict-Transport-Security": "max-age=31536000"} if gate.secure else {})


def _check_sender(gate: Gate) -> None:
    """Refuse what another site made the browser send."""
    # A page elsewhere may resolve its own name to 127.0.0.1 and ask; the Host header gives it away.
    if not gate.far and not is_loopback(urlsplit(f"//{request.host}").hostname or ""):
        abort(400)
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    if request.headers.get("Origin") not in (None, request.host_url.rstrip("/")):
        abort(403)
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403)


def _refuse(who: Viewer | None) -> Response:
    """Answer who may not have it: with the sign-in page where a person opens a page, with a number where a script asks."""
    opens = request.method == "GET" and "text/html" in request.headers.get("Accept", "")
    if who is None and opens and request.endpoint in ("/", "/<path:path>", "signin.account", "signin.audit"):
        asked = f"?{request.query_string.decode('ascii', 'ignore')}" if request.query_string else ""
        return cast(Response, redirect("/signin?" + urlencode({"next": request.path + asked, "lang": request.args.get("lang", "")})))
    status = 401 if who is None else 403
    return Response(f"{status} {HTTP_STATUS_CODES[status]}", status, mimetype="text/plain")


def _known_callback(app: Dash, body: object) -> bool:
    if not isinstance(body, dict) or not isinstance(body.get("output"), str) or body["output"] not in app.callback_map:
        return False
    parts = [body.get(name, []) for name in ("inputs", "state")]
    return all(isinstance(part, list) and all(isinstance(one, dict) and "id" in one for one in part) for part in parts)


def _explain(error: Exception) -> tuple[str, int, dict[str, str]]:
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    if isinstance(error, HTTPException):
        return f"{error.code} {error.name}", error.code or 500, plain
    if isinstance(error, AccessError):
        LOG.warning("%s: %s", request.path, error)
        return "403 Forbidden", 403, plain
    if isinstance(error, CloudmapError):
        LOG.warning("%s: %s", request.path, error)
        return "409 no such result", 409, plain
    LOG.exception("%s", request.path)
    # What a callback itself raises is met by its own handler; what escapes from Dash's dispatcher is a request that no page sends.
    return ("400 Bad Request", 400, plain) if request.path == UPDATE else ("500 Internal Server Error", 500, plain)
