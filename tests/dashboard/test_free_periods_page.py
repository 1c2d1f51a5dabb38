"""Days, months and typed ends on the page: address, pickers, time bar, play, comparison and what stands on weeks."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from cloudmap.analytics.periods import Days, Period, between
from cloudmap.dashboard.comparing import earlier_period
from cloudmap.dashboard.site import make_app
from cloudmap.dashboard.text import words
from cloudmap.dashboard.timeline import bars_for, time_bars
from cloudmap.dashboard.view import checked, read_view
from tests.dashboard.conftest import Visitor
from tests.dashboard.fake_reader import FakeReader
from tests.dashboard.test_maps import ASKED, get

ZH = words("zh-Hans")


def period_of(visitor: Visitor) -> str:
    return parse_qs(urlsplit(visitor.page.url).query)["period"][0]


def type_date(visitor: Visitor, end: str, day: str) -> None:
    field = visitor.page.locator(f"#end-{end}")
    field.fill(day)
    field.press("Enter")


# Without a browser


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ("2018-07-03", "2018-07-03"),
        ("2018-07", "2018-07"),
        ("2018-07-03--2018-07-19", "2018-07-03--2018-07-19"),
        ("2018-07-02--2018-07-08", "2018-W27"),
        ("2018-W27--2018-W28", "2018-W27--2018-W28"),
        ("2031-07-03", "2018-W31--2018-W34"),
        ("2018-08-30", "2018-W31--2018-W34"),
        ("2018-02-30", "2018-W31--2018-W34"),
    ],
)
def test_the_address_reads_any_period_within_the_data(fake: FakeReader, asked: str, read: str) -> None:
    assert read_view(f"?period={asked}", fake).period == read


def test_an_address_for_outside_falls_back_to_a_listed_period() -> None:
    outside = FakeReader(kind="outside")
    assert checked({"period": "2018-07-03"}, outside).period == outside.default_period.id
    assert bars_for(outside, outside.default_period.id, "ALL") == {"bars": "week"}


def test_routes_answer_for_free_periods_and_refuse_what_is_none(client: FlaskClient) -> None:
    assert get(client, period="2018-07-03")["subtitle"].endswith("2018-07-03")
    assert get(client, period="2018-07")["legend"]["period"] == "2018-07"
    assert get(client, period="2018-07", base="2018-06-05--2018-06-07")["codes"]
    for period in ("2018-02-30", "2031-07", "x", ""):
        assert client.get("/map/values", query_string=ASKED | {"period": period}).status_code == 400


def test_what_stands_on_weeks_has_words_and_a_way_on_the_map(client: FlaskClient) -> None:
    for lang in ("zh-Hans", "zh-Hant", "en"):
        say = words(lang)
        refused = get(client, measure="emerging", period="2018-07", lang=lang)
        assert refused["message"] == say("refusal.whole_weeks")
        assert refused["way"] == {"label": say("way.weeks"), "ask": {"period": "2018-W27--2018-W30"}}
    assert get(client, measure="emerging")["way"] is None


def test_bars_are_those_of_the_period(client: FlaskClient, fake: FakeReader) -> None:
    assert bars_for(fake, "2018-W31--2018-W34", "ALL") == {"bars": "week"}
    assert bars_for(fake, "2018-07", "ALL") == {"bars": "month"}
    assert bars_for(fake, "2018-07-03", "ALL") == {"bars": "day", "first": "2018-06-01", "last": "2018-08-29"}
    assert bars_for(fake, "2018-07-03", "ALL") == bars_for(fake, "2018-07-29", "ALL")
    assert bars_for(fake, "2017-08-03--2018-07-01", "ALL") == {"bars": "week"}
    assert bars_for(fake, "2018-07-03", "DS01")["bars"] == ("week" if fake._categories["DS01"].restricted else "day")
    days = client.get("/map/weeks", query_string={"category": "ALL", "bars": "day", "first": "2018-07-01", "last": "2018-07-31"}).get_json()
    assert (days["starts"][0], days["last"], len(days["n"])) == ("2018-07-01", "2018-07-31", 31)
    months = client.get("/map/weeks", query_string={"category": "ALL", "bars": "month"}).get_json()
    assert (months["starts"][0], months["starts"][-1], months["last"]) == ("2017-07-01", "2018-07-01", "2018-07-31")
    assert months["n"][-1] == sum(days["n"])
    for wrong in (
        {"bars": "year"},
        {"bars": "day"},
        {"bars": "day", "first": "2018-07-02", "last": "2018-07-01"},
        {"bars": "day", "first": "2018-07-02", "last": "2018-09-01"},
        {"bars": "day", "first": "2017-06-05", "last": "2018-08-01"},
    ):
        assert client.get("/map/weeks", query_string={"category": "ALL", **wrong}).status_code == 400
    outside = make_app(FakeReader(kind="outside")).server.test_client()
    assert outside.get("/map/weeks", query_string={"category": "ALL", "bars": "month"}).status_code in (400, 403, 409)


def test_bars_of_the_real_reader_are_its_counts(real_reader: Any) -> None:
    july = time_bars(real_reader, "ALL", "", "day", Days(date(2018, 3, 1), date(2018, 3, 31)))
    months = time_bars(real_reader, "ALL", "", "month")
    at = months["starts"].index("2018-03-01")
    assert months["n"][at] == sum(july["n"]) == real_reader.unplaced("ALL", "2018-03")["located"] > 0
    street = "unit_street~999001002"
    assert time_bars(real_reader, "ALL", street, "month")["n"][at] == real_reader.place("unit_street", "999001002", "2018-03").total_n


@pytest.mark.parametrize(
    ("period", "against", "earlier"),
    [
        ("2018-07", "before", "2018-06"),
        ("2018-07", "year", "2017-07"),
        ("2018-07-03", "year", "2017-07-04"),
        ("2018-07-03--2018-07-19", "before", "2018-06-16--2018-07-02"),
        ("2017-06-05", "before", None),
        ("2018-W31--2018-W34", "year", "2017-W31--2017-W34"),
    ],
)
def test_a_period_has_one_before_and_one_a_year_before(fake: FakeReader, period: str, against: str, earlier: str | None) -> None:
    assert earlier_period(fake, period, against) == earlier


# In a browser


@pytest.mark.browser
def test_the_browser_reckons_with_periods_as_the_server_does(fake_visitor: Visitor, fake: FakeReader) -> None:
    fake_visitor.open()
    first, last = fake.days.first_on, fake.days.last_on
    starts = [first + timedelta(days=n) for n in (0, 1, 26, 27, 180, 209, 210, 211, 240, 268, 330, 391, 421)]
    ranges = [(one, one + timedelta(days=n)) for one in starts for n in (0, 5, 6, 13, 27, 29, 30, 60) if one + timedelta(days=n) <= last]
    there = "pairs => { const p = window.cloudmap.periods(); return pairs.map(([a, b]) => {\
        const id = p.between(a, b), r = p.read(id); return [id, r.first, r.last, p.moved(id, -1)]; }); }"
    found = fake_visitor.page.evaluate(there, [[one.isoformat(), other.isoformat()] for one, other in ranges])
    for (one, other), (identity, begun, ended, before) in zip(ranges, found, strict=True):
        period = between(one, other)
        assert (identity, begun, ended) == (period.id, one.isoformat(), other.isoformat())
        listed = isinstance(period, Period) and period.id in fake._periods
        earlier = Period(period.first_on - timedelta(weeks=1), period.weeks_n) if listed and isinstance(period, Period) else period.before()
        within = earlier.first_on >= first
        assert before == (earlier.id if within else None)
    outside = (
        "p => { p = window.cloudmap.periods(); return [p.between('2017-06-04', '2017-06-06'), p.between('2018-08-29', '2018-08-30')]; }"
    )
    assert fake_visitor.page.evaluate(outside) == [None, None]


@pytest.mark.browser
def test_lengths_lead_from_one_to_another_and_arrows_step(fake_visitor: Visitor) -> None:
    page = fake_visitor.page
    fake_visitor.open("?layer=unit_street&period=2018-W10--2018-W13")
    fake_visitor.press("#span label:has-text('日')")
    assert period_of(fake_visitor) == "2018-04-01"
    fake_visitor.press("#earlier")
    assert period_of(fake_visitor) == "2018-03-31"
    assert page.locator("#period").input_value() == "2018-03-31"
    assert (page.locator("#end-first").input_value(), page.locator("#end-last").input_value()) == ("2018-03-31", "2018-03-31")
    assert page.locator(".cm-map-line").inner_text().endswith("2018-03-31")
    page.wait_for_selector(".cm-time-track[data-bars='day'] rect.on")
    assert page.locator(".cm-time-track rect.on").count() == 1
    fake_visitor.press("#span label:has-text('月')")
    assert period_of(fake_visitor) == "2018-03"
    page.wait_for_selector(".cm-time-track[data-bars='month'] rect.on")
    fake_visitor.press("#later")
    assert period_of(fake_visitor) == "2018-04"
    fake_visitor.press("#span label:has-text('1周')")
    assert period_of(fake_visitor) == "2018-W17"
    fake_visitor.press("#span label:has-text('日')")
    assert period_of(fake_visitor) == "2018-04-29"
    assert fake_visitor.pick("period", "2018-04-27")
    assert period_of(fake_visitor) == "2018-04-27"
    fake_visitor.press("#span label:has-text('1周')")
    assert period_of(fake_visitor) == "2018-W17"


@pytest.mark.browser
def test_ends_are_typed_by_keyboard(fake_visitor: Visitor, fake: FakeReader) -> None:
    page = fake_visitor.page
    fake_visitor.open("?layer=unit_street&period=2018-07")
    assert page.locator("#ends").get_attribute("aria-label") == ZH("control.ends")
    assert [one.inner_text() for one in page.locator("#ends label").all()] == [ZH("map.first"), ZH("map.last")]
    before = fake_visitor.key()
    type_date(fake_visitor, "first", "2018-07-03")
    before = fake_visitor.ready(before)
    assert period_of(fake_visitor) == "2018-07-03--2018-07-31"
    page.locator("#end-last").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("2018年7月19日")
    page.keyboard.press("Enter")
    fake_visitor.ready(before)
    assert period_of(fake_visitor) == "2018-07-03--2018-07-19"
    assert page.locator("#period").input_value() == ZH("period", first="2018-07-03", last="2018-07-19")
    assert page.locator("#span input:checked").count() == 0
    fake_visitor.press("#later")
    assert period_of(fake_visitor) == "2018-07-20--2018-08-05"
    # An end beyond the other takes it along; one that the data do not have changes nothing.
    before = fake_visitor.key()
    type_date(fake_visitor, "first", "2018-08-10")
    fake_visitor.ready(before)
    assert period_of(fake_visitor) == "2018-08-10"
    for wrong in ("2018-08-30", "2018-02-30", "yesterday"):
        type_date(fake_visitor, "last", wrong)
        assert page.locator("#end-last").get_attribute("aria-invalid") == "true"
    assert period_of(fake_visitor) == "2018-08-10"
    fake_visitor.beside()
    total = int(fake.counts("unit_street", "ALL", "2018-08-10")["n"].sum())
    assert page.locator(".cm-headline strong").inner_text().replace(",", "") == str(total)


@pytest.mark.browser
def test_dragging_over_bars_chooses_both_ends_and_a_press_one_bar(fake_visitor: Visitor) -> None:
    page = fake_visitor.page
    fake_visitor.open("?layer=unit_street&period=2018-07-03")
    page.wait_for_selector(".cm-time-track[data-bars='day'] rect.on")
    box = page.locator(".cm-time-track svg").bounding_box()
    assert box
    days = page.locator(".cm-time-track rect").count()
    assert days == 90  # June to 29 August

    def x(day: date) -> float:
        return box["x"] + ((day - date(2018, 6, 1)).days + 0.5) * box["width"] / days

    y, before = box["y"] + box["height"] / 2, fake_visitor.key()
    page.mouse.move(x(date(2018, 7, 19)), y)
    page.mouse.down()
    page.mouse.move(x(date(2018, 7, 10)), y)
    page.mouse.move(x(date(2018, 7, 3)), y)
    assert page.locator(".cm-time-track rect.over").count() == 17
    assert page.locator(".cm-time-now").inner_text() == ZH("period", first="2018-07-03", last="2018-07-19")
    page.mouse.up()
    fake_visitor.ready(before)
    assert period_of(fake_visitor) == "2018-07-03--2018-07-19"
    assert page.locator(".cm-time-track rect.on").count() == 17
    before = fake_visitor.key()
    page.mouse.click(x(date(2018, 8, 7)), y)
    fake_visitor.ready(before)
    assert period_of(fake_visitor) == "2018-08-07"


@pytest.mark.browser
def test_dragging_over_weeks_makes_whole_weeks(fake_visitor: Visitor) -> None:
    page = fake_visitor.page
    fake_visitor.open("?layer=unit_street&period=2018-W31--2018-W34")
    page.wait_for_selector(".cm-time-track[data-bars='week'] rect.on")
    box = page.locator(".cm-time-track svg").bounding_box()
    assert box
    week, y, before = box["width"] / 64, box["y"] + 10, fake_visitor.key()
    page.mouse.move(box["x"] + 10.5 * week, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 12.5 * week, y)
    page.mouse.up()
    fake_visitor.ready(before)
    assert period_of(fake_visitor) == Period(date(2017, 6, 5) + timedelta(weeks=10), 3).id
    assert page.locator(".cm-time-track rect.on").count() == 3


@pytest.mark.browser
@pytest.mark.parametrize(("period", "later"), [("2018-07-03", "2018-07-05"), ("2018-03", "2018-05")])
def test_play_goes_through_days_and_months(fake_visitor: Visitor, period: str, later: str) -> None:
    page = fake_visitor.page
    fake_visitor.open(f"?layer=unit_street&period={period}")
    page.locator(".cm-time-track").press("Space")
    page.wait_for_url(f"**period={later}**")
    page.locator(".cm-time-play").click()
    assert page.locator(".cm-time-play").get_attribute("aria-pressed") == "false"


@pytest.mark.browser
def test_the_slider_tells_where_it_is_and_its_ends_are_a_key_away(fake_visitor: Visitor, fake: FakeReader) -> None:
    page = fake_visitor.page
    fake_visitor.open("?layer=unit_street&period=2018-07-03")
    track = page.locator(".cm-time-track")
    page.wait_for_selector(".cm-time-track rect.on")
    assert track.get_attribute("aria-valuetext") == "2018-07-03"
    assert track.get_attribute("aria-valuenow") == str((date(2018, 7, 3) - fake.days.first_on).days)
    assert track.get_attribute("aria-valuemax") == str(fake.days.days_n - 1)
    for key, day in (("End", fake.days.last_on), ("Home", fake.days.first_on)):
        before = fake_visitor.key()
        track.press(key)
        fake_visitor.ready(before)
        assert period_of(fake_visitor) == day.isoformat()


@pytest.mark.browser
def test_a_month_stands_beside_the_same_month_of_the_year_before(fake_visitor: Visitor, fake: FakeReader) -> None:
    page = fake_visitor.page
    fake_visitor.open("?page=compare&layer=unit_street&against=year&tab=places&period=2018-07")
    assert page.locator(".cm-swipe-name.before").inner_text() == "2017-07"
    assert page.locator(".cm-swipe-name.now").inner_text() == "2018-07"
    page.wait_for_selector("#compare-before")
    for name, month in (("value", "2018-07"), ("before", "2017-07")):
        total = int(fake.counts("unit_street", "ALL", month)["n"].sum())
        assert page.locator(f"#compare-{name}").inner_text().replace(",", "") == str(total)


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["zh-Hans", "zh-Hant", "en"])
def test_the_way_on_leads_to_whole_weeks_in_every_language(fake_visitor: Visitor, lang: str) -> None:
    say = words(lang)
    fake_visitor.open(f"?page=hotspots&measure=emerging&layer=unit_street&period=2018-07&lang={lang}")
    message = fake_visitor.page.locator(".cm-map-message")
    assert message.locator("div").inner_text() == say("refusal.whole_weeks")
    assert message.locator("button").inner_text() == say("way.weeks")
    fake_visitor.press(".cm-map-message button")
    assert period_of(fake_visitor) == "2018-W27--2018-W30"
    assert message.is_hidden()
    assert [one.inner_text() for one in fake_visitor.page.locator("#ends label").all()] == [say("map.first"), say("map.last")]


@pytest.mark.browser
def test_a_phone_types_ends_with_its_own_fields(phone: Visitor) -> None:
    page = phone.page
    phone.open("?layer=unit_street&period=2018-07")
    page.locator("#burger").click()
    field = page.locator("#end-first")
    page.wait_for_timeout(500)  # the drawer slides in
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + 2 * box["width"] < 390
    assert box["height"] >= 32
    before = phone.key()
    type_date(phone, "first", "2018-07-03")
    phone.ready(before)
    assert period_of(phone) == "2018-07-03--2018-07-31"
