"""Signing in with a browser, and names that would run as scripts if any page let them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import pytest

from cloudmap.access.accounts import Accounts
from cloudmap.access.audit import record
from cloudmap.city import Source
from cloudmap.dashboard.app import running
from cloudmap.dashboard.text import words
from cloudmap.dashboard.view import PAGES
from tests.dashboard.conftest import DESK, Visitor
from tests.dashboard.fake_reader import FakeReader
from tests.dashboard.people import PASSWORD, app_for, made_city, with_everybody

pytestmark = pytest.mark.browser
EN = words("en")

PAYLOAD = (
    "<img src=x onerror=window.hit=1>\"><script>window.hit=1</script><svg onload=window.hit=1></svg><a href='javascript:window.hit=1'>x</a>"
    "{{7*7}}${window.hit=1}"
)
PLANTED = "img[src=x], svg[onload], [onerror], a[href^='javascript:'], script:not([src]):not(footer script), iframe, object, embed"


class EvilReader(FakeReader):
    """Every text that comes from a file is a script."""

    def __init__(self) -> None:
        super().__init__(exposure="population", name=f"区{PAYLOAD}", resolutions=(8,))
        source = Source(id="app", name_zh=PAYLOAD, name_en=PAYLOAD, path="app.csv", fields={"occurred_at": "t"})
        section = self.city.city.model_copy(update={"name_en": PAYLOAD})
        self.city = self.city.model_copy(update={"sources": (source,), "city": section})
        self.audience = SimpleNamespace(kind="internal", restricted=False, units=None, records=True, sees_rows=True)

    def geometry(self, layer_id: str, **more: Any) -> Any:
        return super().geometry(layer_id, **more).assign(name=PAYLOAD)

    def layers(self) -> Any:
        return [replace(one, name_zh=PAYLOAD, name_en=PAYLOAD) for one in super().layers()]

    def categories(self) -> Any:
        return [replace(one, name_zh=PAYLOAD, name_en=PAYLOAD) for one in super().categories()]

    def place(self, *asked: Any, **more: Any) -> Any:
        return replace(super().place(*asked, **more), name=PAYLOAD)

    def reports(self, *asked: Any, **more: Any) -> pl.DataFrame:
        frame = super().reports(*asked, **more)
        return frame.with_columns(
            pl.lit(PAYLOAD).alias(name) for name in ("report_id", "state", "position", "source_id") if name in frame.columns
        )

    def ledger(self) -> Any:
        return [one | {"source": PAYLOAD, "file": PAYLOAD, "repairs": {PAYLOAD: 3}} for one in super().ledger()]

    def quarantine(self) -> pl.DataFrame:
        return (
            super()
            .quarantine()
            .with_columns(pl.lit(PAYLOAD).alias(name) for name in ("file", "field", "rule", "detail", "value", "source_id"))
        )


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Accounts:
    return with_everybody(made_city(tmp_path_factory.mktemp("browser")))[0]


@pytest.fixture(scope="module")
def evil_port(accounts: Accounts) -> Iterator[int]:
    with running(app_for(EvilReader(), accounts)) as port:
        yield port


@pytest.fixture(scope="module")
def plain_port(accounts: Accounts) -> Iterator[int]:
    with running(app_for(FakeReader(exposure="population", resolutions=(8,)), accounts)) as port:
        yield port


@pytest.fixture
def guest(browser: Any, evil_port: int) -> Iterator[Visitor]:
    """Somebody before the pages whose every text is a script."""
    yield from welcome(browser, evil_port)


@pytest.fixture
def usual_guest(browser: Any, plain_port: int) -> Iterator[Visitor]:
    """Somebody before ordinary pages."""
    yield from welcome(browser, plain_port)


def welcome(browser: Any, port: int) -> Iterator[Visitor]:
    context = browser.new_context(viewport=DESK, locale="zh-CN")
    visitor = Visitor(context.new_page(), port)
    yield visitor
    context.close()
    assert visitor.strangers() == []


def enter(visitor: Visitor, role: str, address: str = "/") -> None:
    page = visitor.page
    page.goto(f"http://127.0.0.1:{visitor.port}{address}")
    page.fill("#name", f"the.{role}")
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")


def loud(visitor: Visitor) -> list[str]:
    """What a page had to complain of; that a test typed before the cursor was set is no complaint."""
    return [one for one in visitor.troubles if not one.startswith("info: Autofocus")]


def harmless(visitor: Visitor) -> None:
    page = visitor.page
    assert page.evaluate("() => window.hit") is None
    assert page.locator(PLANTED).count() == 0
    assert [one for one in visitor.troubles if "dialog" in one or "Content Security Policy" in one] == []


def test_scripts_in_every_field_do_nothing_on_any_page(guest: Visitor, accounts: Accounts) -> None:
    enter(guest, "analyst", "/?lang=en&layer=unit_street")
    guest.ready()
    page = guest.page
    assert page.locator(".cm-account").inner_text() == "the.analyst"
    assert "window.hit" in page.locator(".cm-header").inner_text()  # the words are shown as they are
    harmless(guest)
    shown = EvilReader().geometry("unit_street")["place"].iloc[4]
    page.goto(f"http://127.0.0.1:{guest.port}/?lang=en&layer=unit_street&place={shown}")
    guest.ready()
    page.wait_for_selector("#place-total")
    page.wait_for_selector("#reports-grid .ag-row")
    page.locator("#reports-grid .ag-row .ag-cell").first.hover()
    page.mouse.move(500, 450)
    page.mouse.move(520, 460)
    page.wait_for_timeout(900)  # hover card and tooltips
    harmless(guest)
    for name in PAGES:
        page.goto(f"http://127.0.0.1:{guest.port}/?lang=en&layer=unit_street&page={name}")
        guest.ready()
        harmless(guest)
    assert loud(guest) == []


def test_scripts_in_the_audit_log_do_nothing(guest: Visitor, accounts: Accounts) -> None:
    record(accounts.city, PAYLOAD, by=PAYLOAD, file=PAYLOAD)
    enter(guest, "auditor", "/audit?lang=en")
    guest.page.wait_for_selector("table")
    assert "window.hit" in guest.page.locator("table").inner_text()
    harmless(guest)
    assert loud(guest) == []


def test_a_session_that_ends_leads_to_the_sign_in_page_and_back_to_the_view(usual_guest: Visitor, accounts: Accounts) -> None:
    enter(usual_guest, "planner", "/?lang=en&layer=unit_street&measure=count")
    before = usual_guest.ready()
    accounts.disable("the.planner")
    try:
        usual_guest.page.locator("#earlier").click()
        usual_guest.page.wait_for_selector("#password")
        assert urlsplit(usual_guest.page.url).path == "/signin"
    finally:
        accounts.enable("the.planner")
    usual_guest.page.fill("#name", "the.planner")
    usual_guest.page.fill("#password", PASSWORD)
    usual_guest.page.press("#password", "Enter")
    after = usual_guest.ready()
    assert after.split("|")[0] == before.split("|")[0]
    usual_guest.page.locator(".cm-account").click()
    usual_guest.page.set_viewport_size({"width": 390, "height": 844})
    usual_guest.page.get_by_role("button", name=EN("signin.leave")).click()
    usual_guest.page.wait_for_selector("#password")
    usual_guest.page.go_back()
    usual_guest.page.wait_for_selector("#password")


def test_the_sign_in_page_in_both_languages_with_the_keyboard(usual_guest: Visitor) -> None:
    page = usual_guest.page
    page.goto(f"http://127.0.0.1:{usual_guest.port}/")
    page.wait_for_function("() => document.activeElement.id === 'name'")
    assert page.evaluate("() => document.documentElement.lang") == "zh-Hans"
    page.get_by_role("link", name="English").click()
    assert page.get_by_role("heading", level=1).inner_text() == EN("signin.title")
    assert page.get_by_label(EN("signin.password"), exact=True).is_visible()
    page.get_by_text(EN("signin.wall")).click()
    assert page.get_by_label(EN("signin.token")).is_visible()
    assert loud(usual_guest) == []
