"""Accounts, tokens, sessions and attempts, without a web server."""

from __future__ import annotations

import json
import re
import sqlite3
import stat
import statistics
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from cloudmap.access import passwords
from cloudmap.access.accounts import Accounts, have_accounts
from cloudmap.access.audit import acting, newest, record, verify
from cloudmap.access.entrance import LIMITS, LOCK_S, Entrance
from cloudmap.access.sessions import IDLE_S, TOTAL_S
from cloudmap.city import City, CitySection
from cloudmap.errors import AccessError

GOOD = "Kite-over-7-bridges"
OTHER = "seven slow herons by the weir"


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City(folder=tmp_path, city=CitySection(name_zh="三方", name_en="Squares", code="999001"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost little: what a hash costs is one test's matter."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    monkeypatch.setattr(passwords, "_NOBODYS", hasher.hash("nobody's"))


@pytest.fixture
def accounts(city: City, clock: Clock, quick: None) -> Accounts:
    made = Accounts(city, clock=clock)
    made.add("zhang.san", role="official", password=GOOD, units=["999001001"])
    return made


@pytest.fixture
def entrance(accounts: Accounts) -> Entrance:
    return Entrance(accounts)


def actions(city: City) -> list[str]:
    return [one["action"] for one in reversed(newest(city))]


def test_the_file_is_its_owners_alone_and_holds_no_password(accounts: Accounts, city: City) -> None:
    for path in city.folder.glob("accounts.sqlite*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert GOOD.encode() not in path.read_bytes()
    assert sqlite3.connect(city.folder / "accounts.sqlite").execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_others_can_read_is_refused(accounts: Accounts, city: City) -> None:
    (city.folder / "accounts.sqlite").chmod(0o644)
    with pytest.raises(AccessError, match="chmod 600"):
        Accounts(city)


def test_a_broken_or_newer_file_is_refused_and_nothing_is_served_without_it(accounts: Accounts, city: City) -> None:
    path = city.folder / "accounts.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(AccessError, match="Upgrade"):
        have_accounts(city)
    for one in city.folder.glob("accounts.sqlite*"):
        one.unlink()
    path.touch(0o600)
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 20)
    with pytest.raises(AccessError, match="no file of accounts"):
        have_accounts(city)


def test_a_refused_first_account_does_not_shut_the_city(city: City) -> None:
    assert not have_accounts(city)
    with pytest.raises(AccessError):
        Accounts(city).add("li.si", role="planner", password="short")
    assert not have_accounts(city)


def test_names_are_one_whatever_their_case_and_width(accounts: Accounts) -> None:
    assert accounts.get(" ZHANG.San ").name == accounts.get("ｚｈａｎｇ．ｓａｎ").name == "zhang.san"
    assert accounts.add("王小明", role="planner", password=GOOD).name == "王小明"
    with pytest.raises(AccessError, match="exists already"):
        accounts.add("Zhang.San", role="planner", password=GOOD)


@pytest.mark.parametrize("name", ["", "a", "a b", "<b>x</b>", "new\nline", "x" * 65, "../up", "a/b"])
def test_names_that_could_be_read_as_something_else_are_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccessError, match="2 to 64 letters"):
        accounts.add(name, role="planner", password=GOOD)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("Ab3$", "at least 10"),
        ("x" * 300, "at most 256"),
        ("aaaabbbb1A!aaaa"[:4] * 4, "fewer than five"),
        ("onlylowercase", "three of"),
        ("Password123!", "commonest"),
        ("P@ssw0rd2018", "commonest"),
        ("Admin@12345", "commonest"),
        ("1qaz@WSX3edc", "commonest"),
        ("Woaini1314!!", "commonest"),
        ("Zhang.San-9z", "own name"),
        ("My999001pass!", "own name"),
    ],
)
def test_weak_passwords_are_refused_and_never_told(accounts: Accounts, password: str, why: str) -> None:
    with pytest.raises(AccessError, match=why) as refused:
        accounts.set_password("zhang.san", password)
    assert password not in str(refused.value)


@pytest.mark.parametrize("password", [GOOD, OTHER, "翠鸟Q7飞过石桥和长廊", "Tr7-uvwxk-Qe"])
def test_strong_passwords_are_taken(accounts: Accounts, password: str) -> None:
    accounts.set_password("zhang.san", password)
    assert accounts.proves("zhang.san", password) is not None
    assert accounts.proves("zhang.san", password + "x") is None


def test_the_same_keys_in_another_input_method_are_the_same_password(accounts: Accounts) -> None:
    wide = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in GOOD)
    assert accounts.proves("zhang.san", wide) is not None


def test_nobodys_hash_costs_what_a_real_one_does() -> None:
    assert not passwords.outdated(passwords._NOBODYS)  # made with today's parameters
    kept = passwords.hash_password(GOOD)
    assert passwords.outdated(kept.replace("t=3", "t=2"))
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for _ in range(5):
        for name, stored in (("known", kept), ("unknown", None)):
            start = time.perf_counter()
            assert not passwords.matches(stored, "wrong-Password-1")
            times[name].append(time.perf_counter() - start)
    known, unknown = (statistics.median(times[name]) for name in ("known", "unknown"))
    assert 0.4 < unknown / known < 2.5


def test_a_session_opens_and_a_disabled_account_loses_it_at_once(entrance: Entrance, accounts: Accounts, city: City) -> None:
    entry = entrance.sign_in("Zhang.San", GOOD, address="10.0.0.8")
    assert entry.secret is not None
    viewer = entrance.sessions.viewer(entry.secret)
    assert viewer is not None
    assert (viewer.name, viewer.role, viewer.units) == ("zhang.san", "official", ("999001001",))
    assert entry.secret.encode() not in b"".join(path.read_bytes() for path in city.folder.glob("accounts.sqlite*"))
    accounts.change("zhang.san", role="planner", units=())
    changed = entrance.sessions.viewer(entry.secret)
    assert changed is not None
    assert changed.role == "planner"
    accounts.disable("zhang.san")
    assert entrance.sessions.viewer(entry.secret) is None
    assert entrance.sign_in("zhang.san", GOOD, address="10.0.0.8").reason == "wrong"
    accounts.enable("zhang.san")
    assert entrance.sessions.viewer(entry.secret) is None
    assert entrance.sign_in("zhang.san", GOOD, address="10.0.0.8").secret


def test_sessions_end_when_idle_when_old_and_when_signed_out(entrance: Entrance, clock: Clock) -> None:
    first = entrance.sign_in("zhang.san", GOOD, address="a").secret or ""
    clock.now += IDLE_S + 1
    assert entrance.sessions.viewer(first) is None
    second = entrance.sign_in("zhang.san", GOOD, address="a").secret or ""
    for _ in range(TOTAL_S // (IDLE_S - 60)):
        clock.now += IDLE_S - 60
        assert entrance.sessions.viewer(second) is not None
    clock.now += IDLE_S - 60
    assert entrance.sessions.viewer(second) is None
    third = entrance.sign_in("zhang.san", GOOD, address="a").secret or ""
    entrance.sign_out(third, "zhang.san")
    assert entrance.sessions.viewer(third) is None
    assert len({first, second, third}) == 3


def test_a_new_password_ends_every_other_session(entrance: Entrance) -> None:
    old = [entrance.sign_in("zhang.san", GOOD, address="a").secret or "" for _ in range(2)]
    entry = entrance.change_password("zhang.san", GOOD, OTHER, address="a")
    assert entry.secret is not None
    assert [entrance.sessions.viewer(one) for one in old] == [None, None]
    assert entrance.sessions.viewer(entry.secret) is not None
    assert entrance.sign_in("zhang.san", GOOD, address="a").reason == "wrong"
    assert entrance.change_password("zhang.san", GOOD, GOOD + "!", address="a").reason == "wrong"


def test_failures_lock_a_name_for_a_while_whether_or_not_anybody_has_it(entrance: Entrance, clock: Clock, city: City) -> None:
    for name in ("zhang.san", "nobody.here"):
        answers = [entrance.sign_in(name, "wrong", address=f"{name}-{k}").reason for k in range(LIMITS["account"] + 1)]
        assert answers == ["wrong"] * (LIMITS["account"] - 1) + ["locked", "locked"]
    assert entrance.sign_in("zhang.san", GOOD, address="b").reason == "locked"
    assert actions(city).count("sign-in failed") == 2 * LIMITS["account"]
    assert actions(city).count("locked") == 2
    clock.now += LOCK_S + 1
    assert entrance.sign_in("zhang.san", GOOD, address="b").secret


def test_a_right_password_forgives_the_name_but_not_the_address(entrance: Entrance) -> None:
    for _ in range(LIMITS["account"] - 1):
        entrance.sign_in("zhang.san", "wrong", address="c")
    assert entrance.sign_in("zhang.san", GOOD, address="c").secret
    assert entrance.sign_in("zhang.san", "wrong", address="c").reason == "wrong"
    for k in range(LIMITS["address"] - LIMITS["account"] - 1):
        assert entrance.sign_in(f"guess{k}", "wrong", address="c").reason == "wrong"
    assert entrance.sign_in("guess", "wrong", address="c").reason == "locked"
    assert entrance.sign_in("zhang.san", GOOD, address="c").reason == "locked"
    assert entrance.sign_in("zhang.san", GOOD, address="d").secret


def test_attempts_at_the_same_moment_do_not_slip_under_the_limit(entrance: Entrance, accounts: Accounts, monkeypatch: Any) -> None:
    tried: list[str] = []
    together = threading.Barrier(8)

    def proves(name: str, password: str) -> None:
        tried.append(name)
        time.sleep(0.05)

    monkeypatch.setattr(accounts, "proves", proves)

    def attempt() -> None:
        together.wait()
        entrance.sign_in("zhang.san", "wrong", address="e")

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(tried) == LIMITS["account"]


def test_a_name_that_nobody_has_is_not_written_down_and_a_line_break_breaks_no_line(entrance: Entrance, city: City) -> None:
    entrance.sign_in("my-Password-typed-here", "x", address="f")
    entrance.sign_in('zhang.san\n{"line": 99, "action": "sign-in"}', "x", address="f\nforged")
    text = (city.folder / "audit.log").read_text()
    assert "my-password" not in text.casefold()
    assert len(text.splitlines()) == 2
    assert verify(city)


def test_sign_ins_are_recorded_before_the_session_begins(entrance: Entrance, city: City) -> None:
    secret = entrance.sign_in("zhang.san", GOOD, address="10.0.0.8").secret or ""
    entrance.sign_out(secret, "zhang.san")
    lines = list(reversed(newest(city)))
    assert [(one["action"], one["user"]) for one in lines] == [("sign-in", "zhang.san"), ("sign-out", "zhang.san")]
    assert lines[0]["details"] == {"kind": "user", "address": "10.0.0.8"}


def test_nobody_gets_in_while_the_audit_log_cannot_be_written(entrance: Entrance, city: City) -> None:
    (city.folder / "audit.log").mkdir()
    with pytest.raises(AccessError, match="audit log"):
        entrance.sign_in("zhang.san", GOOD, address="g")
    with sqlite3.connect(city.folder / "accounts.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (0,)


def test_what_is_recorded_during_a_request_names_the_account(city: City) -> None:
    with acting("zhang.san"):
        record(city, "export", file="cells.csv")
    record(city, "export", file="other.csv")
    after, during = newest(city, 2)
    assert during["user"] == "zhang.san"
    assert after["user"] != "zhang.san"


def test_a_long_log_goes_on_where_it_ended(city: City) -> None:
    record(city, "export", note="x" * 200_000)
    for _ in range(3):
        record(city, "export", note="y")
    assert verify(city).lines_n == 4
    assert [one["line"] for one in newest(city, 2)] == [4, 3]


def test_a_wall_token_is_shown_once_views_only_and_can_be_revoked(entrance: Entrance, accounts: Accounts, clock: Clock) -> None:
    token = accounts.add_token("hall")
    assert re.fullmatch(r"cmw_[\w-]{43}", token)
    assert token.encode() not in accounts.file.path.read_bytes()
    entry = entrance.show_token(token, address="h")
    assert entry.secret is not None
    clock.now += 30 * 86400
    viewer = entrance.sessions.viewer(entry.secret)
    assert viewer is not None
    assert viewer.role == "wall"
    assert viewer.audience.units == ()
    assert not viewer.audience.restricted
    accounts.revoke_token("hall")
    assert entrance.sessions.viewer(entry.secret) is None
    assert entrance.show_token(token, address="h").reason == "wrong"
    assert entrance.show_token("cmw_guess", address="h").reason == "wrong"
    assert json.dumps(accounts.tokens()[0].as_dict())
