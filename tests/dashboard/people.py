"""A city with an account of each role, and clients that are signed in as them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from cloudmap.access.accounts import Accounts
from cloudmap.access.entrance import Entrance
from cloudmap.access.roles import ROLES, WALL
from cloudmap.city import City, CitySection
from cloudmap.dashboard.guard import Gate
from cloudmap.dashboard.site import make_app

PASSWORD = "Kite-over-7-bridges"
EVERYBODY = (*ROLES, WALL)


def made_city(folder: Path) -> City:
    return City(folder=folder, city=CitySection(name_zh="三方城", name_en="Three Squares", code="999001"))


def with_everybody(city: City) -> tuple[Accounts, str]:
    """Make an account of each role, named after it, and a wall; return them with the wall's token."""
    accounts = Accounts(city)
    for role in ROLES:
        accounts.add(f"the.{role}", role=role, password=PASSWORD, units=["999001001"] if role == "official" else ())
    return accounts, accounts.add_token("the.wall")


def signed_in(app: Any, accounts: Accounts, role: str) -> FlaskClient:
    """Return a client that holds a session; the password's hash is left out, for it costs."""
    client: FlaskClient = app.server.test_client()
    secret = Entrance(accounts).sessions.start("wall" if role == WALL else "user", f"the.{role}")
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = secret, True
    return client


def app_for(reader: Any, accounts: Accounts, **gate: Any) -> Any:
    return make_app(reader, Gate(accounts, **gate))
