from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from cloudmap.dashboard.app import running, serve
from cloudmap.dashboard.guard import is_loopback
from cloudmap.dashboard.site import make_app
from cloudmap.errors import AccessError, AnalysisError
from tests.dashboard.fake_reader import FakeReader

UPDATE = "/_dash-update-component"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20", "::", "example.org", ""])
def test_no_host_but_this_machine_and_says_why(host: str, fake: FakeReader) -> None:
    with pytest.raises(AccessError, match=r"no accounts yet.*127\.0\.0\.1"):
        serve(fake.city, host=host)
    with pytest.raises(AccessError), running(make_app(fake), host=host):
        pass


def test_loopback_has_many_names() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.0.0.9"))


def test_a_page_elsewhere_cannot_ask_through_its_own_name(client: FlaskClient) -> None:
    assert client.get("/", headers={"Host": "evil.example:8050"}).status_code == 400
    assert client.post(UPDATE, json={}, headers={"Origin": "http://evil.example"}).status_code == 403


def test_the_policy_names_no_outside_source_and_no_inline_script(client: FlaskClient) -> None:
    answer = client.get("/")
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in policy["script-src"]
    assert "http" not in answer.headers["Content-Security-Policy"]
    assert b'<html lang="zh-Hans">' in answer.data
    assert b'<html lang="en">' in client.get("/?lang=en").data
    assert b'<html lang="zh-Hans">' in client.get('/?lang="><script>').data


FIRST: dict[str, Any] = {
    "output": "..view.data...shell.children..",
    "outputs": [{"id": "view", "property": "data"}, {"id": "shell", "property": "children"}],
    "inputs": [{"id": "url", "property": "search", "value": ""}],
    "changedPropIds": ["url.search"],
    "state": [{"id": "view", "property": "data", "value": None}],
}


def test_the_first_callback_answers(client: FlaskClient) -> None:
    answer = client.post(UPDATE, json=FIRST)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [
        *("", "null", "[]", "{}", '{"output": "x.y"}', '{"output": ["a"]}', "not json"),
        *(json.dumps(FIRST | {"inputs": bad}) for bad in (None, 3, [3], [{}], {})),
        json.dumps({"output": FIRST["output"]}),
        json.dumps(FIRST | {"outputs": 7}),
    ],
)
def test_malformed_posts_are_refused_without_a_traceback(client: FlaskClient, body: str) -> None:
    answer = client.post(UPDATE, data=body, content_type="application/json")
    assert answer.status_code == 400
    assert b"Traceback" not in answer.data


@pytest.mark.parametrize(
    "junk", [None, 7, [1], {"place": {"a": 1}}, {"layer": ["cell_9"]}, {"shown": 3}, {"period": "x" * 9000}, {"lang": None}]
)
def test_tampered_views_fall_back(client: FlaskClient, junk: Any) -> None:
    body = {
        "output": "panel.children",
        "outputs": {"id": "panel", "property": "children"},
        "inputs": [{"id": "panel-view", "property": "data", "value": junk}],
        "changedPropIds": ["panel-view.data"],
        "state": [],
    }
    answer = client.post(UPDATE, json=body)
    assert answer.status_code == 200
    assert "全域概览" in answer.get_json()["response"]["panel"]["children"][0]["props"]["children"]


def test_a_city_without_numbers_says_what_to_run() -> None:
    def nothing() -> Any:
        raise AnalysisError("nothing is analysed yet")

    answer = make_app(nothing).server.test_client().post(UPDATE, json=FIRST)
    assert answer.status_code == 200
    assert "cloudmap analyse" in json.dumps(answer.get_json(), ensure_ascii=False)


def test_a_fault_inside_shows_no_inside(fake: FakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = FakeReader()
    app = make_app(broken).server.test_client()
    monkeypatch.setattr(broken, "values", lambda *_: 1 / 0)
    asked = {"layer": "cell_8", "measure": "count", "category": "ALL", "period": "2018-W31--2018-W34", "lang": "en"}
    answer = app.get("/map/values", query_string=asked)
    assert (answer.status_code, answer.data) == (500, b"500 Internal Server Error")
