"""The pages that stand before the dashboard: sign in, one's own account, the audit log."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from dash import html
from flask import Blueprint, Flask, Response, abort, current_app, g, redirect, render_template, request, send_file, session
from flask_login import LoginManager, UserMixin, current_user, login_user
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from cloudmap.access.accounts import Accounts
from cloudmap.access.audit import newest, verify
from cloudmap.access.entrance import Entrance, Entry
from cloudmap.access.passwords import LONGEST, SHORTEST
from cloudmap.access.roles import WALL, Viewer
from cloudmap.access.sessions import WALL_S
from cloudmap.dashboard.text import DEFAULT, LANGUAGES, Words, words
from cloudmap.errors import AccessError

HERE: Final = Path(__file__).parent
LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a request at most."""
_ENTRANCE: Final = "cloudmap_entrance"
_PAGES: Final = ("/account", "/audit")
_QUERY: Final = re.compile(r"[A-Za-z0-9=&%._~+:,-]*")


class Holder(UserMixin):  # type: ignore[misc]  # flask_login is untyped
    """Whoever holds a session; flask-login keeps its secret in the signed cookie."""

    def __init__(self, secret: str, viewer: Viewer) -> None:
        self.id, self.viewer = secret, viewer


class EnterForm(FlaskForm):  # type: ignore[misc]  # flask_wtf is untyped
    """A name and a password."""

    name = StringField(validators=[InputRequired(), Length(max=200)])
    password = PasswordField(validators=[InputRequired(), Length(max=LONGEST)])
    next = HiddenField()


class WallForm(FlaskForm):  # type: ignore[misc]  # as above
    """A wall's token."""

    token = PasswordField(validators=[InputRequired(), Length(max=200)])
    next = HiddenField()


class PasswordForm(FlaskForm):  # type: ignore[misc]  # as above
    """The current password and a new one, twice."""

    current = PasswordField(validators=[InputRequired(), Length(max=LONGEST)])
    new = PasswordField(validators=[InputRequired(), Length(max=LONGEST)])
    again = PasswordField(validators=[InputRequired(), Length(max=LONGEST)])


class BareForm(FlaskForm):  # type: ignore[misc]  # as above
    """A button that only its own page may press."""


def register(server: Flask, accounts: Accounts, *, secure: bool) -> None:
    """Add accounts to a server: cookies, sessions and the pages of this module.

    Parameters
    ----------
    server : Flask
    accounts : Accounts
        Who may sign in.
    secure : bool
        Whether cookies travel over TLS only.
    """
    entrance = Entrance(accounts)
    # Cookies know no ports: two cities on one machine must not overwrite each other's.
    own = hashlib.sha256(str(accounts.city.folder).encode()).hexdigest()[:8]
    server.config.update(
        SECRET_KEY=accounts.secret,
        SESSION_COOKIE_NAME=f"{'__Host-' if secure else ''}cloudmap-{own}",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        SESSION_REFRESH_EACH_REQUEST=False,
        SESSION_PROTECTION=None,  # a phone changes its address; sessions end on the server
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=WALL_S),
        WTF_CSRF_TIME_LIMIT=3600,
        MAX_CONTENT_LENGTH=LARGEST,
    )
    server.extensions[_ENTRANCE] = entrance
    manager = LoginManager(server)

    def load(secret: str) -> Holder | None:
        found = entrance.sessions.viewer(secret)
        return Holder(secret, found) if found else None

    manager.user_loader(load)
    pages = Blueprint("signin", __name__, template_folder="templates")
    pages.add_url_rule("/signin", "enter", enter, methods=["GET", "POST"])
    pages.add_url_rule("/signin/style.css", "style", lambda: send_file(HERE / "templates/signin/style.css", max_age=3600))
    pages.add_url_rule("/signin/icon.svg", "icon", lambda: send_file(HERE / "assets/icon.svg", max_age=3600))
    pages.add_url_rule("/account", "account", account, methods=["GET", "POST"])
    pages.add_url_rule("/signout", "leave", leave, methods=["POST"])
    pages.add_url_rule("/audit", "audit", audit)
    server.register_blueprint(pages)


def signed_in() -> Viewer | None:
    """Return who is signed in, or None."""
    return current_user.viewer if current_user.is_authenticated else None


def account_link(say: Words) -> list[Any]:
    """Build the way to one's own account for the header; empty where a city has no accounts."""
    who: Viewer | None = g.get("viewer")
    if who is None or not who.name:
        return []
    spoken: dict[str, Any] = {"aria-label": say("signin.account")}
    return [html.A(who.name, href=f"/account?lang={say.language}", className="cm-badge cm-account", **spoken)]


def enter() -> Any:
    """Show the sign-in page, or let somebody in."""
    asked = request.values.get("next", "")
    if signed_in() is not None:
        return redirect(safe_next(asked), 303)
    say, problem, status = _words(asked), "", 200
    person, wall = EnterForm(), WallForm()
    if request.method == "POST":
        form = wall if "token" in request.form else person
        if form.validate_on_submit():
            entry = _try(form)
            if entry.secret is not None:
                _begin(entry.secret, permanent=form is wall)
                return redirect(safe_next(asked), 303)
            problem, status = f"signin.{entry.reason}", 429 if entry.reason == "locked" else 401
        else:
            problem, status = ("signin.expired" if form.csrf_token.errors else "signin.wrong"), 400
    return _page("enter", say, status, person=person, wall=wall, problem=problem, next=asked if safe_next(asked) == asked else "")


def account() -> Any:
    """Show one's own account, or change its password."""
    who: Viewer = g.viewer
    say, form, problem, done = _words(""), PasswordForm(), "", False
    if request.method == "POST":
        if who.role == WALL:
            abort(403)
        problem = _change_password(who, form)
        done = not problem
    status = 400 if problem else 200
    return _page("account", say, status, who=who, form=form, leaving=BareForm(), problem=problem, done=done, shortest=SHORTEST)


def leave() -> Any:
    """Sign out."""
    if not BareForm().validate_on_submit():
        abort(400)
    _entrance().sign_out(current_user.id, g.viewer.name)
    session.clear()
    return redirect(f"/signin?lang={_words('').language}", 303)


def audit() -> Any:
    """Show the newest lines of the audit log and whether the chain is whole."""
    city, say = _entrance().city, _words("")
    entries = [one | {"at": _local(one.get("at"), city.zone), "action": _action(str(one.get("action", "")), say)} for one in newest(city)]
    return _page("audit", say, 200, chain=verify(city), entries=entries)


def safe_next(asked: str) -> str:
    """Return where to go after signing in: a view of the dashboard or one of this module's pages, never elsewhere.

    Parameters
    ----------
    asked : str
        As the address or the form says.
    """
    path, mark, query = asked.partition("?")
    if path not in ("/", *_PAGES) or not _QUERY.fullmatch(query):
        return "/"
    return path + mark + query


def _local(at: object, zone: ZoneInfo) -> str:
    try:
        return f"{datetime.fromisoformat(str(at)).astimezone(zone):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return ""


def _action(action: str, say: Words) -> str:
    key = f"signin.action.{action.replace(' ', '_')}"
    return say(key) if say.has(key) else action


def _try(form: FlaskForm) -> Entry:
    address = request.remote_addr or ""
    if isinstance(form, WallForm):
        return _entrance().show_token(form.token.data, address=address)
    return _entrance().sign_in(form.name.data, form.password.data, address=address)


def _begin(secret: str, *, permanent: bool) -> None:
    """Put a new session into the cookie; nothing of what it held before is kept."""
    found = _entrance().sessions.viewer(secret)
    session.clear()
    session.permanent = permanent
    if found is not None:
        login_user(Holder(secret, found))


def _change_password(who: Viewer, form: PasswordForm) -> str:
    if not form.validate_on_submit():
        return "signin.expired" if form.csrf_token.errors else "signin.wrong"
    if form.new.data != form.again.data:
        return "signin.unequal"
    try:
        entry = _entrance().change_password(who.name, form.current.data, form.new.data, address=request.remote_addr or "")
    except AccessError:
        return "signin.weak"
    if entry.secret is None:
        return f"signin.{entry.reason}"
    _begin(entry.secret, permanent=False)
    return ""


def _entrance() -> Entrance:
    entrance: Entrance = current_app.extensions[_ENTRANCE]
    return entrance


def _words(asked: str) -> Words:
    """Choose the language: as asked, else as the view that one was going to, else the default."""
    going = parse_qs(urlsplit(asked).query).get("lang", [""])[0] if asked.startswith("/") else ""
    lang = request.args.get("lang") or going
    return words(lang if lang in LANGUAGES else DEFAULT)


def _page(name: str, say: Words, status: int, **values: Any) -> Response:
    city = _entrance().city.city
    languages = [(one, words(one)(f"lang.{one}")) for one in LANGUAGES]
    shared: dict[str, Callable[..., Any] | Any] = {"say": say, "city": say.name(city), "languages": languages}
    return Response(render_template(f"signin/{name}.html", **shared, **values), status)
