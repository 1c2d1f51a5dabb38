"""What a page says when there is nothing to show: an empty city, a map without its values, a lost server, old data; each with a way on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest

from cloudmap.dashboard.app import running
from cloudmap.dashboard.badges import badges
from cloudmap.dashboard.site import make_app
from cloudmap.dashboard.text import words
from cloudmap.errors import AnalysisError
from tests.dashboard.conftest import DESK, Visitor, visit_with
from tests.dashboard.fake_reader import FakeReader

ZH = words("zh-Hans")


@pytest.mark.browser
def test_an_empty_city_says_what_is_to_be_done(browser: Any) -> None:
    def nothing() -> NoReturn:
        raise AnalysisError("nothing is analysed yet", code="not_analysed")

    with running(make_app(nothing)) as port:
        for visitor in visit_with(browser, port, DESK):
            visitor.page.goto(f"http://127.0.0.1:{port}/")
            visitor.page.wait_for_selector("#no-data a")
            told = visitor.page.locator("#no-data").inner_text()
            assert ZH("error.empty") in told
            assert ZH("error.empty.why") in told


@pytest.mark.browser
def test_a_map_without_its_values_says_so_in_one_language_and_tries_again(fake_visitor: Visitor) -> None:
    page = fake_visitor.page
    page.route("**/map/values**", lambda route: route.fulfill(status=500, body=""))
    page.goto(f"http://127.0.0.1:{fake_visitor.port}/?layer=unit_street")
    page.wait_for_selector(".cm-map-message button")
    assert page.locator(".cm-map-message").inner_text().split() == [ZH("map.failed"), ZH("map.retry")]
    assert not page.locator(".cm-map-legend").is_visible()
    page.unroute("**/map/values**")
    page.locator(".cm-map-message button").click()
    fake_visitor.ready()
    assert page.locator(".cm-map-legend").is_visible()
    assert all("500" in one for one in fake_visitor.troubles)
    fake_visitor.troubles.clear()


@pytest.mark.browser
def test_a_lost_server_is_said_and_the_page_goes_on_when_it_is_back(fake_visitor: Visitor) -> None:
    page = fake_visitor.page
    fake_visitor.open("?layer=unit_street")
    page.route("**/*", lambda route: route.abort("connectionrefused"))
    page.locator("#measure label").last.click()
    page.wait_for_selector(".cm-lost", state="visible")
    assert page.locator(".cm-lost").inner_text() == ZH("map.lost")
    page.unroute("**/*")
    with page.expect_navigation():
        pass  # the page opens itself anew
    fake_visitor.ready()
    assert not page.locator(".cm-lost").is_visible()
    fake_visitor.troubles.clear()


def test_old_data_are_called_old_and_those_of_the_past_historic(fake: FakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    for days, told in ((0, None), (5, ZH("badge.stale", n=5)), (900, ZH("badge.history"))):
        monkeypatch.setattr(fake, "now", datetime.now(UTC) - timedelta(days=days, minutes=1))
        shown = [one.children for one in badges(fake, ZH)]  # type: ignore[arg-type]
        assert (told in shown) if told else not {ZH("badge.history"), ZH("badge.stale", n=0)} & set(shown)
