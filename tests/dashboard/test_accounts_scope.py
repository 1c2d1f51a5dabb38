"""One server, several people: each gets the numbers and the reports of the own role, whoever asked before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cloudmap.access.accounts import Accounts
from cloudmap.access.audience import Audience
from cloudmap.access.reader import Reader
from cloudmap.city import open_city
from cloudmap.dashboard.app import newest_reader
from cloudmap.dashboard.rights import UPDATE
from cloudmap.pipeline import read
from tests.dashboard.people import PASSWORD, app_for, signed_in

OWN, OTHER = "999001001", "999001002"


@pytest.fixture(scope="module")
def people(analysed_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = shutil.copytree(analysed_city, tmp_path_factory.mktemp("people") / "three")
    city = open_city(folder)
    accounts = Accounts(city)
    accounts.add("the.official", role="official", password=PASSWORD, units=[OWN])
    accounts.add("the.analyst", role="analyst", password=PASSWORD)
    accounts.add("the.granted", role="analyst", password=PASSWORD, restricted=True)
    accounts.add("the.planner", role="planner", password=PASSWORD)
    accounts.add_token("the.wall")
    app = app_for(newest_reader(city), accounts)
    clients = {who: signed_in(app, accounts, who) for who in ("official", "analyst", "granted", "planner", "wall")}
    return clients, read(city), read(city, audience=Audience(restricted=True))


def panel(client: Any, place: str, period: str) -> str:
    """Ask for the panel of a place as the browser does, and return all that comes back."""
    view = {"page": "cloud", "layer": "unit_street", "measure": "count", "category": "ALL", "period": period, "place": place, "lang": "en"}
    body = {
        "output": "panel.children",
        "outputs": {"id": "panel", "property": "children"},
        "inputs": [{"id": "panel-view", "property": "data", "value": view}],
        "changedPropIds": ["panel-view.data"],
        "state": [],
    }
    answer = client.post(UPDATE, json=body)
    assert answer.status_code == 200
    return json.dumps(answer.get_json())


def test_a_street_s_official_gets_no_report_of_another_street_by_any_address(people: Any) -> None:
    clients, every, _ = people
    period = every.default_period.id
    ids = {place: every.reports("unit_street", place, period)["report_id"].to_list() for place in (OWN, OTHER)}
    assert min(len(one) for one in ids.values()) > 5
    for _ in range(2):  # whoever asked before
        for who, place, sees in (
            ("analyst", OTHER, True), ("official", OTHER, False), ("analyst", OWN, True), ("official", OWN, True),
            ("planner", OWN, False), ("wall", OWN, False), ("planner", OTHER, False), ("analyst", OTHER, True),
        ):  # fmt: skip
            text = panel(clients[who], place, period)
            assert all((one in text) is sees for one in ids[place]), (who, place)
    foreign = set(ids[OTHER])
    for address in ("/", f"/?layer=unit_street&place={OTHER}", "/_dash-layout", f"/map/numbers?{values(every, 'FC02')}"):
        assert not any(one in clients["official"].get(address).text for one in foreign)


def values(reader: Reader, category: str) -> str:
    return f"layer=unit_street&measure=count&category={category}&period={reader.default_period.id}&lang=en"


def test_masked_counts_stay_masked_between_two_who_alternate(people: Any) -> None:
    clients, every, granted = people
    period = every.default_period.id
    masked = [
        code for code in sorted(every.taxonomy.restricted) if every.values("unit_street", code, period, "count").table["masked"].any()
    ]
    assert masked, "the small city needs a restricted category with few reports"
    exact = granted.values("unit_street", masked[0], period, "count").table
    assert not exact["masked"].any()
    answers: dict[str, set[str]] = {}
    for who in ("granted", "official", "analyst", "granted", "planner", "wall", "official"):
        for route in ("values", "numbers"):
            answer = clients[who].get(f"/map/{route}?{values(every, masked[0])}")
            assert answer.headers["Cache-Control"] == "no-store"
            answers.setdefault(f"{route} {'exact' if who == 'granted' else 'masked'}", set()).add(answer.text)
    assert {name: len(one) for name, one in answers.items()} == dict.fromkeys(answers, 1)
    for route in ("values", "numbers"):
        assert answers[f"{route} exact"] != answers[f"{route} masked"]


def test_everybody_sees_the_same_counts_of_ordinary_categories(people: Any) -> None:
    clients, every, _ = people
    answers = {client.get(f"/map/numbers?{values(every, 'FC02')}").text for client in clients.values()}
    assert len(answers) == 1


def test_a_role_that_changes_takes_hold_at_the_next_request(people: Any) -> None:
    clients, every, _ = people
    period = every.default_period.id
    accounts = Accounts(every.city)
    one = every.reports("unit_street", OTHER, period)["report_id"][0]
    assert one not in panel(clients["official"], OTHER, period)
    accounts.change("the.official", units=[OWN, OTHER])
    try:
        assert one in panel(clients["official"], OTHER, period)
    finally:
        accounts.change("the.official", units=[OWN])
    assert one not in panel(clients["official"], OTHER, period)
