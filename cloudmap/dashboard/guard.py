"""What every request passes and every answer carries: this machine only, known callbacks only, no outside source."""

from __future__ import annotations

import ipaddress
import logging
from typing import Final
from urllib.parse import urlsplit

from dash import Dash
from flask import Response, abort, request
from werkzeug.exceptions import HTTPException

from cloudmap.errors import AccessError, CloudmapError

UPDATE: Final = "/_dash-update-component"
LOG: Final = logging.getLogger("cloudmap.dashboard")


def is_loopback(host: str) -> bool:
    """Tell whether a host name means this machine only."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def refuse_outside(host: str) -> None:
    """Refuse to listen where other machines could ask.

    Raises
    ------
    AccessError
        `host` is not a loopback address.
    """
    if not is_loopback(host):
        raise AccessError(
            f"serve --host {host}: the dashboard has no accounts yet, so whoever reaches it sees every internal number. "
            "It listens on 127.0.0.1 only; to look from another machine, forward the port over ssh (ssh -L 8050:127.0.0.1:8050 …)."
        )


def protect(app: Dash) -> None:
    """Put the checks before and the headers behind every request of an app.

    Call it when all callbacks are defined: their hashes enter the content security policy.
    """
    policy = "; ".join(
        [
            "default-src 'self'",
            "script-src 'self' " + " ".join(app.csp_hashes()),
            "worker-src 'self' blob:",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )

    def check() -> None:
        # A page elsewhere may resolve its own name to 127.0.0.1 and ask; the Host header gives it away.
        if not is_loopback(urlsplit(f"//{request.host}").hostname or ""):
            abort(400)
        origin = request.headers.get("Origin")
        if origin not in (None, request.host_url.rstrip("/")) and request.method != "GET":
            abort(403)
        if request.path == UPDATE and not _known_callback(app):
            abort(400)

    def label(answer: Response) -> Response:
        answer.headers["Content-Security-Policy"] = policy
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "same-origin"
        if not request.path.startswith(("/assets/", "/_dash-component-suites/")):
            answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    app.server.before_request(check)
    app.server.after_request(label)
    app.server.register_error_handler(Exception, _explain)


def _known_callback(app: Dash) -> bool:
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or body.get("output") not in app.callback_map:
        return False
    parts = [body.get(name, []) for name in ("inputs", "state")]
    return all(isinstance(part, list) and all(isinstance(one, dict) and "id" in one for one in part) for part in parts)


def _explain(error: Exception) -> tuple[str, int, dict[str, str]]:
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    if isinstance(error, HTTPException):
        return f"{error.code} {error.name}", error.code or 500, plain
    if isinstance(error, CloudmapError):
        LOG.warning("%s: %s", request.path, error)
        return "409 no such result", 409, plain
    LOG.exception("%s", request.path)
    # What a callback itself raises is met by its own handler; what escapes from Dash's dispatcher is a request that no page sends.
    return ("400 Bad Request", 400, plain) if request.path == UPDATE else ("500 Internal Server Error", 500, plain)
