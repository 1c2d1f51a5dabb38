"""The page in a browser, compared with what the reader says."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest

from cloudmap.dashboard.legend import FIRST
from cloudmap.dashboard.text import number, words
from cloudmap.dashboard.view import default_view, read_view
from tests.dashboard.conftest import Visitor
from tests.dashboard.fake_reader import EVIL, FakeReader

pytestmark = pytest.mark.browser
ZH, EN = words("zh-Hans"), words("en")
CODES = re.compile(r"^(H3|[0-9a-f]{15}|[0-9a-f]{8}|[a-z]{2}\d{3}|q|English)$")


def view_of(visitor: Visitor, reader: Any) -> Any:
    return read_view(urlsplit(visitor.page.url).query, reader)


def compare(visitor: Visitor, reader: Any) -> None:
    """Hold the painted classes, the legend and the title against the reader."""
    view = view_of(visitor, reader)
    table = reader.values(view.layer, view.category, view.period, view.measure).table
    painted = visitor.state()["codes"]
    assert len(painted) == table.height
    hot = (table["class"] == "hot").sum() if view.measure == "hotspot" else (table["value"] > 0).sum()
    assert sum(code > FIRST + (view.measure == "hotspot") for code in painted) == hot
    shown = {code: n for code, n in visitor.legend().items() if n != "0"}
    assert shown == {code: number(painted.count(code)) for code in set(painted)}
    period = reader.period(view.period)
    assert period.first_on.isoformat() in visitor.page.locator(".cm-map-title").inner_text()
    assert period.last_on.isoformat() in visitor.page.locator(".cm-map-legend caption").inner_text()


def latin_words(visitor: Visitor) -> set[str]:
    """Words in Latin letters that a reader of the page would see or hear, codes aside."""
    seen = visitor.page.evaluate(
        """() => [document.body.innerText, document.title,
        ...[...document.querySelectorAll('[aria-label],[title],[placeholder]')].filter(e => e.checkVisibility())
            .flatMap(e => ['aria-label', 'title', 'placeholder'].map(name => e.getAttribute(name)))].join('\\n')"""
    )
    return {word for word in re.findall(r"[A-Za-z0-9_]*[A-Za-z][A-Za-z0-9_]*", seen) if not CODES.match(word)}


def test_drive_measure_category_period_layer_click_and_language(visitor: Visitor, reader: Any) -> None:
    page = visitor.page
    visitor.open()
    compare(visitor, reader)
    assert page.locator(".cm-header .cm-data-age").inner_text().startswith("数据截至")

    visitor.press("#measure label:has-text('热点')")
    compare(visitor, reader)
    street_light = next(one for one in reader.categories() if one.code == "FC02")
    visitor.pick("category", street_light.name_zh)
    compare(visitor, reader)
    assert page.locator(".cm-map-title h1").inner_text() == ZH("maptitle.hotspot", category=street_light.name_zh)
    visitor.press("#measure label:has-text('数量')")
    visitor.press("#span label:has-text('1周')")
    compare(visitor, reader)
    assert reader.period(view_of(visitor, reader).period).last_on == reader.default_period.last_on
    visitor.press("#earlier")
    compare(visitor, reader)
    visitor.press("#later")
    visitor.press(".cm-controls input[type=radio][value=unit_street]")
    compare(visitor, reader)

    view = view_of(visitor, reader)
    row = (
        reader.values(view.layer, view.category, view.period, "count")
        .table.sort("value", "place", descending=[True, False])
        .row(0, named=True)
    )
    before = visitor.key()
    point = page.evaluate("place => window.cloudmap.locate(place)", row["place"])
    page.mouse.click(point["x"], point["y"])
    visitor.ready(before)
    seen = reader.place(view.layer, row["place"], view.period, view.category)
    page.wait_for_selector("#place-total")
    assert page.locator("#panel h2").inner_text() == seen.name
    assert page.locator("#place-total").inner_text() == number(row["value"])
    assert number(seen.total_n) in page.locator("#panel").inner_text()
    listed = reader.reports(view.layer, row["place"], view.period, view.category)
    assert page.locator("#report-count").inner_text() == ZH("panel.reports.n", n=listed.height)
    assert latin_words(visitor) == set()

    visitor.press("#lang label:has-text('English')")
    page.wait_for_selector("#place-total")
    assert page.evaluate("() => document.documentElement.lang") == "en"
    assert page.locator("#panel h2").inner_text() == seen.name
    assert page.locator(".cm-map-title h1").inner_text().startswith(street_light.name_en)
    query = parse_qs(urlsplit(page.url).query)
    assert (query["layer"], query["category"], query["place"], query["lang"]) == (["unit_street"], ["FC02"], [row["place"]], ["en"])


def test_the_overview_closes_and_its_rows_lead_to_places(fake_visitor: Visitor, fake: FakeReader) -> None:
    visitor, reader, page = fake_visitor, fake, fake_visitor.page
    visitor.open()
    view = default_view(reader)
    table = reader.values(view.layer, view.category, view.period, "count").table
    page.wait_for_selector("#places-grid .ag-row")
    assert page.locator("#map-total").inner_text() == number(table["value"].sum())
    for name, n in reader.unplaced(view.category, view.period).items():
        assert page.locator(f"#closing-{name}").inner_text() == number(n)
    first = table.sort("value", "place", descending=[True, False]).row(0, named=True)
    before = visitor.key()
    page.locator("#places-grid .ag-row[row-index='0']").click()
    visitor.ready(before)
    page.wait_for_selector("#place-total")
    assert page.locator("#place-total").inner_text() == number(first["value"])
    assert visitor.state()["place"] == first["place"]
    assert "place" not in parse_qs(urlsplit(page.url).query) or visitor.press("#close-place")
    page.wait_for_selector("#map-total")


def test_the_ledger_is_one_click_away_and_adds_up(visitor: Visitor, reader: Any) -> None:
    visitor.open()
    visitor.press("#page label:has-text('数据')")
    text = visitor.page.locator(".cm-ledger-table").inner_text()
    for entry in reader.ledger():
        assert entry["file"] in text
        assert number(entry["lines"]) in text
        assert sum(entry["classes"].values()) == entry["lines"]
    assert ZH("ledger.equal") in text
    visitor.press("#page label:has-text('态势')")
    compare(visitor, reader)


def test_the_chinese_page_holds_no_english_and_the_picture_no_stranger(fake_visitor: Visitor) -> None:
    fake_visitor.open("?layer=unit_grid&measure=ratio&place=gr150")
    fake_visitor.page.wait_for_selector("#reports-grid .ag-row")
    found = latin_words(fake_visitor) - set(re.findall(r"\w+", EVIL)) - {"app"} - {f"app:{n}" for n in range(40)}
    assert found == set()
    point = fake_visitor.page.evaluate("() => window.cloudmap.locate('gr150')")
    fake_visitor.page.mouse.move(point["x"], point["y"])
    fake_visitor.page.mouse.move(point["x"] + 2, point["y"])
    fake_visitor.page.wait_for_selector(".cm-map-card:not([hidden])")
    assert re.search("事项 .+ 件", fake_visitor.page.locator(".cm-map-card").inner_text())


def test_hostile_names_are_text(fake_visitor: Visitor) -> None:
    fake_visitor.open("?layer=unit_street&place=st008")
    fake_visitor.page.wait_for_selector("#panel h2")
    assert fake_visitor.page.locator("#panel h2").inner_text() == EVIL
    assert fake_visitor.page.locator("img[src=x]").count() == 0


def test_masked_counts_are_hatched_and_never_written(fake_visitor: Visitor, fake: FakeReader) -> None:
    fake_visitor.open("?layer=cell_8&category=DS01&period=2017-W35--2018-W34")
    truth = fake.counts("cell_8", "DS01", "2017-W35--2018-W34")
    hidden = truth.filter(pl.col("n").is_between(1, 9))["place"].to_list()
    assert fake_visitor.legend()[1] == number(len(hidden))
    fake_visitor.page.evaluate("place => window.cloudmap.pick(place)", hidden[0])
    fake_visitor.page.wait_for_selector("#place-total")
    assert fake_visitor.page.locator("#place-total").inner_text() == "已隐去"


def test_states_without_numbers_have_words(fake_visitor: Visitor) -> None:
    page = fake_visitor.page
    fake_visitor.open("?category=EM06&lang=en")
    assert page.locator(".cm-map-message").inner_text() == EN("map.empty")
    visited = fake_visitor.key()
    page.goto(page.url.replace("category=EM06", "category=PS01&measure=hotspot"))
    fake_visitor.ready(visited)
    assert page.locator(".cm-map-message").inner_text().startswith(EN("refusal.restricted"))


def test_back_leads_back(fake_visitor: Visitor) -> None:
    page = fake_visitor.page
    fake_visitor.open()
    first = fake_visitor.key()
    fake_visitor.press("#measure label:has-text('热点')")
    page.go_back()
    page.wait_for_function("key => document.documentElement?.dataset.ready === key", arg=first)
    assert page.locator("#measure input:checked").get_attribute("value") == "count"


def test_the_keyboard_reaches_the_map_and_picks(fake_visitor: Visitor) -> None:
    page = fake_visitor.page
    fake_visitor.open("?layer=unit_street")
    before = fake_visitor.key()
    page.locator("#map canvas").focus()
    page.keyboard.press("Enter")
    fake_visitor.ready(before)
    page.wait_for_selector("#place-total")
    assert page.locator("#panel h2").inner_text() == "街道5"


def test_dark_is_dark_and_stays_in_the_address(fake_visitor: Visitor) -> None:
    page = fake_visitor.page
    fake_visitor.open("?layer=cell_8")
    page.locator("#scheme").click()
    page.wait_for_selector("html[data-mantine-color-scheme='dark']")
    page.wait_for_url("**scheme=dark**")
    assert page.evaluate("() => getComputedStyle(document.querySelector('.cm-panel')).backgroundColor") == "rgb(17, 26, 46)"


def test_a_phone_shows_map_numbers_and_pickers_without_sideways_scrolling(phone: Visitor) -> None:
    page = phone.page
    phone.open("?layer=unit_street")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    canvas = page.locator("#map canvas").bounding_box()
    assert (canvas["width"], canvas["height"] > 300) == (390, True)
    assert page.locator(".cm-badges-narrow .cm-data-age").is_visible()
    off_screen = "off => (document.getElementById('category').getBoundingClientRect().right <= 0) === off"
    page.wait_for_function(off_screen, arg=True)
    page.locator("#burger").click()
    page.wait_for_function(off_screen, arg=False)
    visited = phone.key()
    page.locator("#measure label:has-text('热点')").click()
    phone.ready(visited)
    page.locator("#burger").click()
    page.wait_for_function(off_screen, arg=True)
    point = page.evaluate("() => window.cloudmap.locate('st004')")
    before = phone.key()
    page.touchscreen.tap(point["x"], point["y"])
    phone.ready(before)
    page.wait_for_selector("#place-total")
