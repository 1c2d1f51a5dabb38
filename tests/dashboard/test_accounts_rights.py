"""Every route and every callback against every role. A new one that this table does not name fails here, and is answered to nobody."""

from __future__ import annotations

from typing import Any

import pytest
from dash import Input, Output

from cloudmap.access.accounts import Accounts
from cloudmap.access.audit import newest
from cloudmap.dashboard.rights import UPDATE, needed, undeclared
from cloudmap.dashboard.site import make_app
from tests.dashboard.fake_reader import FakeReader
from tests.dashboard.people import EVERYBODY, app_for, made_city, signed_in, with_everybody

EVERY = frozenset(EVERYBODY)
NOBODY: frozenset[str] = frozenset()
ANYONE = EVERY | {"anonymous"}
VALUES = "layer=cell_8&measure=count&category=ALL&period=2018-W31--2018-W34&lang=en"

# Endpoint: method, an address, who may.
ROUTES: dict[str, tuple[str, str, frozenset[str]]] = {
    "/": ("GET", "/", EVERY),
    "/<path:path>": ("GET", "/any/path", EVERY),
    "/_dash-layout": ("GET", "/_dash-layout", EVERY),
    "/_dash-dependencies": ("GET", "/_dash-dependencies", EVERY),
    UPDATE: ("POST", UPDATE, NOBODY),  # without a callback's name; with one, see below
    "/_dash-component-suites/<string:package_name>/<path:fingerprinted_path>": ("GET", "/_dash-component-suites/dash/deps/x.js", EVERY),
    "_dash_assets.static": ("GET", "/assets/page.css", EVERY),
    "map_geometry": ("GET", "/map/geometry/cell_8/abc", EVERY),
    "map_tiles": ("GET", "/map/tiles/cell_8/abc", EVERY),
    "map_shape": ("GET", "/map/shape/cell_8/abc/x", EVERY),
    "map_values": ("GET", f"/map/values?{VALUES}", EVERY),
    "map_numbers": ("GET", f"/map/numbers?{VALUES}", EVERY),
    "map_weeks": ("GET", "/map/weeks?category=ALL", EVERY),
    "map_points": ("GET", f"/map/points?{VALUES}", frozenset({"official", "analyst"})),
    "map_table": ("GET", f"/map/table.csv?{VALUES}", frozenset({"official", "planner", "analyst"})),
    "take_brief": ("GET", f"/take/brief/none.html?{VALUES}", frozenset({"official", "planner", "analyst"})),
    "take_layer": ("GET", f"/take/layer/none.csv?{VALUES}", frozenset({"official", "planner", "analyst"})),
    "map_base": ("GET", "/map/base/000000000000", EVERY),
    "signin.enter": ("GET", "/signin", ANYONE),
    "signin.style": ("GET", "/signin/style.css", ANYONE),
    "signin.icon": ("GET", "/signin/icon.svg", ANYONE),
    "signin.account": ("GET", "/account", EVERY),
    "signin.leave": ("POST", "/signout", EVERY),
    "signin.audit": ("GET", "/audit", frozenset({"auditor"})),
    "/_reload-hash": ("GET", "/_reload-hash", NOBODY),
    "/_favicon.ico": ("GET", "/_favicon.ico", NOBODY),
    "static": ("GET", "/static/x", NOBODY),
}

# Output of a callback: who may ask the server for it. What runs in the browser is asked of no server.
CALLBACKS: dict[str, frozenset[str]] = {
    "..view.data...shell.children..": EVERY,
    "panel.children": EVERY,
    "standing.children": EVERY,
    "..sheet.children...sheet-done.data..": EVERY,
    "url.search": NOBODY,
    "panel-view.data": NOBODY,
    "sheet-view.data": NOBODY,
    "..panel-view.data...sheet-view.data..": NOBODY,
    "mantine.forceColorScheme": NOBODY,
    "appshell.navbar": NOBODY,
    "sheet.aria-busy": NOBODY,
    "picked.data": NOBODY,
    "asked.data": NOBODY,
}


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Accounts:
    return with_everybody(made_city(tmp_path_factory.mktemp("rights")))[0]


@pytest.fixture(scope="module")
def app(accounts: Accounts) -> Any:
    reader = FakeReader()
    reader.city = reader.city.model_copy(update={"folder": accounts.city.folder})
    return app_for(reader, accounts)


@pytest.fixture(scope="module")
def clients(app: Any, accounts: Accounts) -> dict[str, Any]:
    return {role: signed_in(app, accounts, role) for role in EVERYBODY} | {"anonymous": app.server.test_client()}


def test_every_route_and_callback_stands_in_the_tables(app: Any) -> None:
    assert undeclared(app) == []
    assert {rule.endpoint for rule in app.server.url_map.iter_rules()} == set(ROUTES)
    assert {output.partition("@")[0] for output in app.callback_map} <= set(CALLBACKS)


@pytest.mark.parametrize("endpoint", ROUTES)
def test_every_route_for_every_role(clients: dict[str, Any], endpoint: str) -> None:
    method, address, may = ROUTES[endpoint]
    answered = set()
    for who, client in clients.items():
        answer = client.open(address, method=method, json={} if address == UPDATE else None)
        if answer.status_code not in (401, 403):
            answered.add(who)
        elif who == "anonymous":
            assert answer.status_code == 401
    assert answered == may


@pytest.mark.parametrize("output", CALLBACKS)
def test_every_callback_for_every_role(app: Any, clients: dict[str, Any], output: str) -> None:
    for key in [one for one in app.callback_map if one.partition("@")[0] == output] or [output]:
        body = {"output": key, "outputs": [], "inputs": [], "changedPropIds": [], "state": []}
        answers = {who: client.post(UPDATE, json=body).status_code for who, client in clients.items()}
        assert {who for who, status in answers.items() if status not in (401, 403)} == CALLBACKS[output], answers


def taking() -> list[str]:
    """Addresses that ask for the right to take files out; documents and layers need a real city: see test_taking."""
    return [address for endpoint, (_, address, _) in ROUTES.items() if needed(endpoint) == "take" and endpoint.startswith("map_")]


@pytest.mark.parametrize("address", taking())
def test_whatever_is_taken_out_is_written_down_with_who_took_it(clients: dict[str, Any], accounts: Accounts, address: str) -> None:
    for who in ("planner", "wall", "auditor"):
        before = len(newest(accounts.city))
        answer = clients[who].get(address)
        assert (len(newest(accounts.city)) > before) is (answer.status_code == 200)
    assert newest(accounts.city, 1)[0]["user"] == "the.planner"


@pytest.mark.parametrize("address", taking())
def test_nothing_is_taken_out_while_it_cannot_be_written_down(clients: dict[str, Any], accounts: Accounts, address: str) -> None:
    log = accounts.city.folder / "audit.log"
    kept = log.rename(log.with_name("kept"))
    log.mkdir()
    try:
        assert clients["planner"].get(address).status_code == 403
    finally:
        log.rmdir()
        kept.rename(log)


def test_a_person_who_opens_a_page_is_led_to_the_sign_in_page_and_a_script_gets_a_number(clients: dict[str, Any]) -> None:
    page = clients["anonymous"].get("/?layer=cell_9&lang=en", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page.headers["Location"]) == (302, "/signin?next=%2F%3Flayer%3Dcell_9%26lang%3Den&lang=en")
    for address in ("/assets/page.css", "/map/values", "/_dash-layout", "/_dash-dependencies"):
        assert clients["anonymous"].get(address, headers={"Accept": "text/html"}).status_code == 401


def test_a_route_or_callback_that_nobody_named_is_answered_to_nobody(accounts: Accounts) -> None:
    app = make_app(FakeReader())
    assert undeclared(app) == []
    app = app_for(FakeReader(), accounts)
    app.server._got_first_request = False
    app.server.add_url_rule("/late", "late", lambda: "secret")
    app.callback(Output("late", "children"), Input("panel-view", "data"))(lambda _: "secret")
    app._setup_server()
    assert undeclared(app) == ["late", "late.children"]
    body = {
        "output": "late.children",
        "outputs": {"id": "late", "property": "children"},
        "inputs": [{"id": "panel-view", "property": "data"}],
    }
    for role in EVERYBODY:
        client = signed_in(app, accounts, role)
        assert client.get("/late").status_code == 403
        assert client.post(UPDATE, json=body).status_code == 403


def test_names_of_other_callbacks_open_nothing(clients: dict[str, Any]) -> None:
    for output in (
        "..view.data...shell.children..@x",
        "panel.children@",
        ["panel.children"],
        {"a": 1},
        7,
        "",
        "late.children",
        "PANEL.children",
    ):
        body = {"output": output, "inputs": [], "state": []}
        assert clients["analyst"].post(UPDATE, json=body).status_code in (400, 403)
        assert clients["anonymous"].post(UPDATE, json=body).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"])
def test_no_method_slips_through(clients: dict[str, Any], method: str) -> None:
    for address in ("/", "/_dash-layout", "/map/values", "/assets/page.css", UPDATE, "/account", "/audit", "/nowhere"):
        assert clients["anonymous"].open(address, method=method).status_code in (401, 302), (method, address)


@pytest.mark.parametrize(
    "address", ["//signin", "/signin/", "/signin/../", "/signin%2f..%2f_dash-layout", "/SIGNIN", "/signin/x", "/./_dash-layout"]
)
def test_addresses_near_the_open_ones_are_shut(clients: dict[str, Any], address: str) -> None:
    assert clients["anonymous"].get(address).status_code in (400, 401, 404, 308)


def test_what_is_shown_to_nobody_tells_nothing(clients: dict[str, Any]) -> None:
    answer = clients["anonymous"].get("/_dash-layout")
    assert answer.data == b"401 Unauthorized"
    assert answer.headers["Cache-Control"] == "no-store"
