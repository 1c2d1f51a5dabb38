"""`cloudmap user …` from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from typer.testing import CliRunner, Result

from cloudmap.access import passwords
from cloudmap.access.accounts import Accounts
from cloudmap.access.audit import newest
from cloudmap.accounts_cli import user_app
from cloudmap.city import open_city
from cloudmap.errors import AccessError
from tests.conftest import write_city

PASSWORD = "Kite-over-7-bridges"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_city(tmp_path / "three", [])


def run(*words: Any, typed: str | None = None) -> Result:
    return CliRunner().invoke(user_app, [str(word) for word in words], input=typed)


def told(*words: Any, typed: str | None = None) -> Any:
    answer = run(*words, "--json", typed=typed)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def add(folder: Path, name: str, *options: str, password: str = PASSWORD) -> Result:
    return run("add", folder, name, *options, "--password-stdin", typed=password + "\n")


def test_an_account_from_beginning_to_end(folder: Path) -> None:
    assert told("list", folder) == {"accounts": [], "tokens": []}
    first = add(folder, "Zhang.San", "--role", "official", "--units", "999001001,999001003", "--restricted")
    assert "start `cloudmap serve` anew" in " ".join(first.output.split())
    assert "anew" not in add(folder, "li.si", "--role", "auditor").output
    listed = told("list", folder)["accounts"]
    assert [(one["name"], one["role"], one["units"], one["restricted"]) for one in listed] == [
        ("li.si", "auditor", [], False),
        ("zhang.san", "official", ["999001001", "999001003"], True),
    ]
    assert told("change", folder, "zhang.san", "--units", "999001002", "--no-restricted")["units"] == ["999001002"]
    assert told("change", folder, "zhang.san", "--role", "planner", "--units", "")["role"] == "planner"
    told("passwd", folder, "zhang.san", "--password-stdin", typed="seven slow herons by the weir\n")
    accounts = Accounts(open_city(folder))
    assert accounts.proves("zhang.san", "seven slow herons by the weir")
    assert told("disable", folder, "zhang.san")["disabled_at"]
    assert accounts.proves("zhang.san", "seven slow herons by the weir") is None
    assert told("enable", folder, "zhang.san")["disabled_at"] is None
    actions = [one["action"] for one in reversed(newest(open_city(folder)))]
    assert actions == ["user add", "user add", "user change", "user change", "user passwd", "user disable", "user enable"]
    assert PASSWORD not in (folder / "audit.log").read_text()


def test_a_wall_s_token(folder: Path) -> None:
    add(folder, "li.si", "--role", "planner")
    token = told("token", folder, "hall")["token"]
    accounts = Accounts(open_city(folder))
    assert accounts.token_name(token) == "hall"
    assert token not in run("list", folder, "--json").output
    assert told("token", folder, "hall", "--revoke") == {"name": "hall", "revoked": True}
    assert accounts.token_name(token) is None
    assert token not in (folder / "audit.log").read_text()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("zhang.san", "--role", "offical"), "official"),
        (("zhang.san", "--role", "official"), "--units"),
        (("zhang.san", "--role", "official", "--units", "999001009"), "not in the base map"),
        (("zhang.san", "--role", "auditor", "--restricted"), "restricted grant"),
    ],
)
def test_what_makes_no_sense_is_refused_and_makes_nothing(folder: Path, words: tuple[str, ...], why: str) -> None:
    answer = add(folder, *words)
    assert isinstance(answer.exception, AccessError)
    assert why in str(answer.exception)
    assert told("list", folder)["accounts"] == []


def test_passwords_are_typed_or_piped_and_weak_ones_refused(folder: Path) -> None:
    assert run("add", folder, "li.si", "--role", "planner", "--password", PASSWORD).exit_code == 2
    unsaid = run("add", folder, "li.si", "--role", "planner", typed=PASSWORD + "\n")
    assert "--password-stdin" in str(unsaid.exception)
    weak = add(folder, "li.si", "--role", "planner", password="Password123!")
    assert "commonest" in str(weak.exception)
    assert isinstance(run("passwd", folder, "li.si", "--password-stdin", typed="x\n").exception, AccessError)


def test_the_log_is_checked_and_printed(folder: Path) -> None:
    add(folder, "li.si", "--role", "planner")
    assert told("log", folder)["whole"] is True
    assert "user add" in run("log", folder).output
    log = folder / "audit.log"
    log.write_text(log.read_text().replace("planner", "analyst") + '{"line": 2}\n')
    answer = run("log", folder)
    assert answer.exit_code == AccessError.exit_code
    assert "broken at line 2" in answer.output
