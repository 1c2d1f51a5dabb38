"""Ways of looking in a browser: drilling down, time, two periods, wall, picture and languages."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from cloudmap.dashboard.text import words
from cloudmap.dashboard.view import PAGES, read_view
from tests.dashboard.conftest import Visitor
from tests.dashboard.fake_reader import FakeReader
from tests.dashboard.test_page import latin_words

pytestmark = pytest.mark.browser
ZH = words("zh-Hans")
SOURCES = {"app", "hotline", "ping_an", "xlsx", "csv", "img", "src", "onerror", "alert", "x", "water", "outside", "cloudmap"}


def query(visitor: Visitor) -> dict[str, list[str]]:
    return parse_qs(urlsplit(visitor.page.url).query)


def test_a_unit_is_entered_its_categories_filter_and_the_breadcrumb_leads_back(fake_visitor: Visitor, fake: FakeReader) -> None:
    page = fake_visitor.page
    fake_visitor.open("?layer=unit_street&place=st004")
    fake_visitor.press("#panel > .cm-ask")
    assert (query(fake_visitor)["layer"], query(fake_visitor)["within"]) == (["unit_grid"], ["unit_street~st004"])
    assert sum(code > 0 for code in fake_visitor.state()["codes"]) == 36
    before = fake_visitor.key()
    page.locator("#places-grid .ag-row[row-index='0']").click()
    fake_visitor.ready(before)
    page.wait_for_selector("#place-categories .cm-ask")
    fake_visitor.press("#place-categories tr:first-child .cm-ask")
    chosen = query(fake_visitor)["category"][0]
    name = next(one.name_zh for one in fake.categories() if one.code == chosen)
    assert page.locator(".cm-map-title h1").inner_text() == ZH("maptitle.count", category=name)
    assert page.locator("#category").input_value() == name
    fake_visitor.press(".cm-crumbs .cm-ask")
    assert "within" not in query(fake_visitor)
    assert sum(code > 0 for code in fake_visitor.state()["codes"]) == 9


def test_the_time_bar_moves_map_and_picker_and_plays(fake_visitor: Visitor, fake: FakeReader) -> None:
    page = fake_visitor.page
    fake_visitor.open("?layer=unit_street&period=2018-W10--2018-W13")
    page.wait_for_selector(".cm-time-track rect.on")
    assert page.locator(".cm-time-track rect.on").count() == 4
    before = fake_visitor.key()
    page.locator(".cm-time-track").press("ArrowLeft")
    fake_visitor.ready(before)
    assert query(fake_visitor)["period"] == ["2018-W09--2018-W12"]
    assert page.locator("#period").input_value().startswith(fake.period("2018-W09--2018-W12").first_on.isoformat())
    page.locator(".cm-time-play").click()
    page.wait_for_url("**period=2018-W11--2018-W14**")
    page.locator(".cm-time-play").click()
    assert page.locator(".cm-time-play").get_attribute("aria-pressed") == "false"


def test_two_periods_stand_side_by_side_with_one_legend(fake_visitor: Visitor) -> None:
    page = fake_visitor.page
    fake_visitor.open("?page=compare&layer=unit_street&against=year&tab=places")
    assert page.locator(".cm-swipe-name.before").inner_text().startswith("2017-07-31")
    assert page.locator(".cm-swipe-name.now").inner_text().startswith("2018-07-30")
    assert page.locator(".cm-map canvas").count() == 2
    page.locator(".cm-swipe").press("ArrowRight")
    assert page.locator(".cm-swipe").get_attribute("aria-valuenow") == "55"
    assert page.locator("#places-grid .ag-row").count() == 9
    fake_visitor.press("#page label:has-text('态势')")
    assert page.locator(".cm-swipe").count() == 0


def test_the_wall_has_no_controls_tells_the_age_of_the_data_and_is_left_by_a_key(fake_visitor: Visitor) -> None:
    page = fake_visitor.page
    fake_visitor.open("?layer=unit_street&wall=1")
    page.wait_for_selector("#five strong")
    assert [page.locator(one).is_visible() for one in (".cm-navbar", "#page", ".cm-time", "#lang")] == [False] * 4
    assert page.locator(".cm-header .cm-data-age").is_visible()
    page.keyboard.press("Escape")
    page.wait_for_selector("#page", state="visible")


@pytest.mark.parametrize("asked", ["?layer=unit_street", "?page=hotspots&measure=silent&layer=unit_grid"])
def test_the_map_can_be_taken_along_as_a_picture_with_its_patterns(fake_visitor: Visitor, asked: str) -> None:
    fake_visitor.open(asked)
    with fake_visitor.page.expect_download() as taken:
        fake_visitor.page.locator(".cm-map-save").click()
    saved = Path(taken.value.path()).read_bytes()
    assert saved[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(saved) > 20_000


@pytest.mark.parametrize("lang", ["zh-Hans", "zh-Hant"])
def test_no_page_mixes_languages(fake_visitor: Visitor, lang: str) -> None:
    # The commands of the export page are what they are.
    for page in [one for one in PAGES if one != "exports"] if lang == "zh-Hans" else ("compare", "handling", "help"):
        tab = {"hotspots": "method", "handling": "rates"}.get(page, "")
        fake_visitor.open(f"?page={page}&layer=unit_grid&lang={lang}&tab={tab}")
        fake_visitor.page.wait_for_selector("#sheet h1, #panel h2")
        # Settings of the city file that a remedy names are what they are.
        assert latin_words(fake_visitor) - SOURCES - {"time_format"} == set(), page


def test_every_control_keeps_the_whole_view_in_the_address(fake_visitor: Visitor, fake: FakeReader) -> None:
    asked = "?page=handling&tab=funnel&layer=unit_street&measure=overdue&lang=en&shown=water_river~60.names&opacity=55&category=AP01"
    fake_visitor.open(asked)
    view = read_view(urlsplit(fake_visitor.page.url).query, fake)
    fake_visitor.press(".cm-row[data-row='unit_grid'] label")
    after = read_view(urlsplit(fake_visitor.page.url).query, fake)
    assert after.shown == ("water_river~60", "names", "unit_grid")
    assert (after.page, after.tab, after.measure, after.opacity, after.category) == (view.page, view.tab, view.measure, "55", "AP01")
