"""Signing in and out over HTTP: forms, cookies, and what another site or an old cookie can do."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient

from cloudmap.access import passwords
from cloudmap.access.accounts import Accounts
from cloudmap.access.audit import newest, record
from cloudmap.dashboard.signin import safe_next
from cloudmap.dashboard.text import LANGUAGES, words
from tests.dashboard.fake_reader import EVIL, FakeReader
from tests.dashboard.people import PASSWORD, app_for, made_city, signed_in, with_everybody

OTHER = "seven slow herons by the weir"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Any:
    patch = pytest.MonkeyPatch()
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    patch.setattr(passwords, "_HASHER", hasher)
    patch.setattr(passwords, "_NOBODYS", hasher.hash("nobody's"))
    accounts, token = with_everybody(made_city(tmp_path_factory.mktemp("town")))
    yield accounts, token, app_for(FakeReader(), accounts)
    patch.undo()


@pytest.fixture
def accounts(town: Any) -> Accounts:
    return town[0]  # type: ignore[no-any-return]


@pytest.fixture
def client(town: Any) -> FlaskClient:
    return town[2].server.test_client()  # type: ignore[no-any-return]


def form_of(client: FlaskClient, address: str = "/signin", form: str = "person") -> str:
    page = client.get(address).text
    found = re.search(rf'id="csrf-{form}"[^>]*value="([^"]+)"', page)
    assert found
    return found[1]


def enter(client: FlaskClient, name: str, password: str = PASSWORD, **more: str) -> Any:
    return client.post("/signin", data={"name": name, "password": password, "csrf_token": form_of(client), **more})


def cookie_of(client: FlaskClient) -> Any:
    return next(one for one in client._cookies.values() if one.key.endswith(tuple("0123456789abcdef")))


def test_in_with_a_password_and_out_again(client: FlaskClient, accounts: Accounts) -> None:
    answer = enter(client, "The.Planner", next="/?lang=en&layer=cell_9")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?lang=en&layer=cell_9")
    assert client.get("/_dash-layout").status_code == 200
    assert client.get("/signin").headers["Location"] == "/"
    page = client.get("/account?lang=en").text
    assert "the.planner" in page
    assert "Planner" in page
    gone = client.post("/signout", data={"csrf_token": form_of(client, "/account", "leave")})
    assert gone.headers["Location"].startswith("/signin")
    assert client.get("/_dash-layout").status_code == 401
    assert [one["action"] for one in newest(accounts.city, 2)] == ["sign-out", "sign-in"]


def test_in_with_a_walls_token(client: FlaskClient, town: Any) -> None:
    answer = client.post("/signin", data={"token": town[1], "csrf_token": form_of(client, form="wall")})
    assert answer.status_code == 303
    assert "Expires" in answer.headers["Set-Cookie"]  # a wall that starts anew stays signed in
    assert client.get("/_dash-layout").status_code == 200
    assert client.get("/audit").status_code == 403
    assert client.post("/account", data={"csrf_token": form_of(client, "/account", "leave")}).status_code == 403


@pytest.mark.parametrize("name", ["the.analyst", "nobody.here", "", "the.analyst\n", "<script>alert(1)</script>", "x" * 5000, "\x00"])
def test_wrong_ones_get_one_and_the_same_answer(client: FlaskClient, name: str) -> None:
    answer = enter(client, name, "not-the-Password-1")
    assert answer.status_code in (400, 401)
    assert words("zh-Hans")("signin.wrong") in answer.text
    assert "<script>alert" not in answer.text
    assert client.get("/_dash-layout").status_code == 401


def test_after_five_failures_the_right_password_waits_too(client: FlaskClient) -> None:
    codes = [enter(client, "the.administrator", "not-the-Password-1").status_code for _ in range(5)]
    assert codes == [401] * 4 + [429]
    answer = enter(client, "the.administrator")
    assert answer.status_code == 429
    assert words("zh-Hans")("signin.locked") in answer.text


@pytest.mark.parametrize("token", [None, "", "forged", "IjQwMmU5MTc4ZGRhMTAxYmU2OTAwZjhjNjY2NjkzNjI4Nzg4YmEyOWQi.aa.bb"])
def test_a_form_that_is_not_our_page_s_signs_nobody_in(client: FlaskClient, token: str | None) -> None:
    form_of(client)
    data = {"name": "the.planner", "password": PASSWORD} | ({} if token is None else {"csrf_token": token})
    assert client.post("/signin", data=data).status_code == 400
    assert client.get("/_dash-layout").status_code == 401


def test_another_session_s_form_token_is_refused(town: Any) -> None:
    mine, other = (town[2].server.test_client() for _ in range(2))
    stolen = form_of(other)
    form_of(mine)
    assert mine.post("/signin", data={"name": "the.planner", "password": PASSWORD, "csrf_token": stolen}).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_posts_from_elsewhere_are_refused_with_all_that_they_need_otherwise(town: Any, headers: dict[str, str]) -> None:
    client = signed_in(town[2], town[0], "analyst")
    token = form_of(client, "/account", "leave")
    assert client.post("/signout", data={"csrf_token": token}, headers=headers).status_code == 403
    assert client.post("/_dash-update-component", json={"output": "panel.children"}, headers=headers).status_code == 403
    assert client.get("/_dash-layout").status_code == 200


def test_signing_out_needs_the_form_s_token(town: Any) -> None:
    client = signed_in(town[2], town[0], "analyst")
    assert client.post("/signout").status_code == 400
    client.get("/signout")
    assert client.get("/_dash-layout").status_code == 200


def test_a_cookie_from_before_signing_in_opens_nothing_after_it(client: FlaskClient, town: Any) -> None:
    form_of(client)
    planted = cookie_of(client).value
    assert enter(client, "the.planner").status_code == 303
    assert cookie_of(client).value != planted
    thief = town[2].server.test_client()
    thief.set_cookie(cookie_of(client).key, planted, domain="localhost")
    assert thief.get("/_dash-layout").status_code == 401


def test_a_secret_planted_before_signing_in_is_not_taken_over(town: Any) -> None:
    client = town[2].server.test_client()
    with client.session_transaction() as session:
        session["_user_id"], session["planted"] = "chosen-by-the-attacker", 1
    assert client.get("/_dash-layout").status_code == 401
    assert enter(client, "the.planner").status_code == 303
    with client.session_transaction() as session:
        assert session["_user_id"] != "chosen-by-the-attacker"
        assert "planted" not in session


def test_an_old_cookie_is_worth_nothing_after_signing_out(client: FlaskClient, town: Any) -> None:
    enter(client, "the.planner")
    cookie = cookie_of(client)
    client.post("/signout", data={"csrf_token": form_of(client, "/account", "leave")})
    thief = town[2].server.test_client()
    thief.set_cookie(cookie.key, cookie.value, domain="localhost")
    assert thief.get("/_dash-layout").status_code == 401


def test_a_forged_cookie_is_no_session(town: Any) -> None:
    client = town[2].server.test_client()
    for value in ("", "x", "e30.aaaa.bbbb", "eyJfdXNlcl9pZCI6IngifQ.aaaa.bbbb"):
        client.set_cookie(town[2].server.config["SESSION_COOKIE_NAME"], value, domain="localhost")
        client.set_cookie("remember_token", "the.analyst|0000", domain="localhost")
        assert client.get("/_dash-layout").status_code == 401


def test_cookies_are_for_no_script_no_other_site_and_over_tls_for_no_plain_line(town: Any, accounts: Accounts) -> None:
    plain = town[2].server.test_client().get("/signin").headers["Set-Cookie"]
    assert "HttpOnly" in plain
    assert "SameSite=Lax" in plain
    assert "Secure" not in plain
    answer = app_for(FakeReader(), accounts, secure=True, far=True).server.test_client().get("https://map.example/signin")
    over_tls = answer.headers["Set-Cookie"]
    assert over_tls.startswith("__Host-cloudmap-")
    assert all(flag in over_tls for flag in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    assert "Domain" not in over_tls
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_two_cities_on_one_machine_keep_their_own_cookies(town: Any, tmp_path: Path) -> None:
    other = app_for(FakeReader(), with_everybody(made_city(tmp_path))[0])
    assert other.server.config["SESSION_COOKIE_NAME"] != town[2].server.config["SESSION_COOKIE_NAME"]
    assert other.server.secret_key != town[2].server.secret_key


def test_every_answer_carries_the_headers(client: FlaskClient) -> None:
    for address in ("/signin", "/", "/_dash-layout", "/nowhere", "/signin/style.css"):
        headers = client.get(address).headers
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert "unsafe" not in policy["script-src"]
        assert policy["form-action"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
    assert client.get("/signin").headers["Cache-Control"] == "no-store"


ELSEWHERE = [
    *(
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "http:evil.example",
        " //evil.example",
    ),
    *("/%09/evil.example", "/\t/evil.example", "javascript:alert(1)", "/?x=1\r\nSet-Cookie: a=b", "/?next=<script>", "/@evil.example"),
    *("/.evil.example", "/signin", "/signout", "evil", "?lang=en", "/?x=\\", "/account/../..//evil.example", ""),
]


@pytest.mark.parametrize("asked", ELSEWHERE)
def test_no_way_leads_elsewhere_after_signing_in(client: FlaskClient, asked: str) -> None:
    assert safe_next(asked) == "/"
    answer = enter(client, "the.planner", next=asked)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


@pytest.mark.parametrize(
    "asked", ["/", "/?layer=cell_9&period=2018-W31--2018-W34&shown=water_river.names&lang=en", "/account?lang=en", "/audit"]
)
def test_a_view_is_come_back_to(asked: str) -> None:
    assert safe_next(asked) == asked


def test_the_address_bar_s_way_on_is_escaped(client: FlaskClient) -> None:
    page = client.get('/signin?next="><script>alert(1)</script>&lang="><script>').text
    assert "<script>" not in page
    assert '<html lang="zh-Hans">' in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_speak_the_chosen_language(client: FlaskClient, language: str) -> None:
    say = words(language)
    page = client.get(f"/signin?lang={language}").text
    assert f'<html lang="{language}">' in page
    assert say("signin.title") in page
    assert say("signin.wall") in page
    assert f'<html lang="{language}">' in client.get(f"/signin?next=%2F%3Flang%3D{language}").text


def test_the_password_is_changed_by_who_knows_it_and_ends_other_sessions(town: Any, accounts: Accounts) -> None:
    accounts.add("wang.wu", role="planner", password=PASSWORD)
    here, there = (town[2].server.test_client() for _ in range(2))
    assert [enter(one, "wang.wu").status_code for one in (here, there)] == [303, 303]

    def change(current: str, new: str, again: str) -> Any:
        data = {"current": current, "new": new, "again": again, "csrf_token": form_of(here, "/account", "change")}
        return unescape(here.post("/account?lang=en", data=data).text)

    say = words("en")
    assert say("signin.unequal") in change(PASSWORD, OTHER, OTHER + "x")
    assert say("signin.weak", shortest=10) in change(PASSWORD, "Password123!", "Password123!")
    assert say("signin.wrong") in change("not-the-Password-1", OTHER, OTHER)
    assert there.get("/_dash-layout").status_code == 200
    assert say("signin.changed") in change(PASSWORD, OTHER, OTHER)
    assert (here.get("/_dash-layout").status_code, there.get("/_dash-layout").status_code) == (200, 401)


def test_a_disabled_account_loses_its_open_page_at_once(town: Any, accounts: Accounts) -> None:
    accounts.add("zhao.liu", role="planner", password=PASSWORD)
    client = town[2].server.test_client()
    enter(client, "zhao.liu")
    assert client.get("/_dash-layout").status_code == 200
    accounts.disable("zhao.liu")
    assert client.get("/_dash-layout").status_code == 401
    assert enter(client, "zhao.liu").status_code == 401


def test_the_auditor_reads_the_log_and_sees_when_it_was_changed(town: Any, tmp_path: Path) -> None:
    city = made_city(tmp_path)
    accounts, _ = with_everybody(city)
    client = signed_in(app_for(FakeReader(), accounts), accounts, "auditor")
    record(city, "export", by="the.planner", file=EVIL, source="<b>x</b>")
    record(city, "export", by="the.planner", file="cells.csv")
    page = client.get("/audit?lang=en").text
    assert words("en")("signin.chain.whole", n=2) in page
    assert "the.planner" in page
    assert "<img" not in page.replace('<img src="/signin/icon.svg"', "")
    log = city.folder / "audit.log"
    first, second = log.read_text().splitlines()
    log.write_text(json.dumps(json.loads(first) | {"user": "somebody"}) + "\n" + second + "\n")
    assert words("en")("signin.chain.broken", n=2) in client.get("/audit?lang=en").text


def test_a_large_body_is_refused(town: Any) -> None:
    client = signed_in(town[2], town[0], "analyst")
    answer = client.post("/_dash-update-component", data=b"{" + b" " * 5_000_000, content_type="application/json")
    assert answer.status_code in (400, 403, 413)
