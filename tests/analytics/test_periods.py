from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cloudmap.analytics.periods import (
    Days,
    Month,
    Period,
    WholeWeeksOnly,
    last_complete_day,
    last_complete_week,
    lattice,
    nearest_weeks,
    parse_period,
    parse_weeks,
    week_id,
    whole_weeks_in,
)
from cloudmap.errors import AnalysisError

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_ids_read_back():
    for text in ("2015-W53", "2015-W49--2015-W52", "2015-W53--2016-W03"):
        assert parse_period(text).id == text


def test_week_53_belongs_to_the_iso_year():
    assert week_id(date(2016, 1, 3)) == "2015-W53"
    assert parse_period("2015-W53").last_on == date(2016, 1, 3)


@pytest.mark.parametrize("text", ["2014-W53", "2015-W00", "2015", "2015-W10--2015-W09", "W10", ""])
def test_no_such_period_is_refused(text):
    with pytest.raises(AnalysisError):
        parse_period(text)


def test_a_week_is_complete_only_when_its_sunday_is_over_in_local_time():
    sunday_evening = datetime(2018, 9, 2, 15, 0, tzinfo=UTC)  # 23:00 in Shanghai
    monday = datetime(2018, 9, 2, 16, 30, tzinfo=UTC)  # 00:30 on Monday in Shanghai
    assert last_complete_week(sunday_evening, SHANGHAI) == date(2018, 8, 20)
    assert last_complete_week(monday, SHANGHAI) == date(2018, 8, 27)


def test_lattice_holds_only_whole_spans_within_the_data():
    periods = lattice(date(2018, 1, 1), date(2018, 1, 29))
    assert [p.id for p in periods if p.weeks_n == 1] == ["2018-W05", "2018-W04", "2018-W03", "2018-W02", "2018-W01"]
    assert [p.id for p in periods if p.weeks_n == 4] == ["2018-W02--2018-W05", "2018-W01--2018-W04"]
    assert not [p for p in periods if p.weeks_n > 4]


def test_the_period_before_has_the_same_length_and_touches():
    period = Period(date(2018, 1, 29), 4)
    assert period.before() == Period(date(2018, 1, 1), 4)


@pytest.mark.parametrize("text", ["2018-07-03", "2018-07", "2018-07-03--2018-07-19", "2016-02-29", "2018-W30", "2018-W27--2018-W30"])
def test_ids_of_every_kind_read_back(text):
    assert parse_period(text).id == text


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("2018-07-02--2018-07-08", "2018-W27"),
        ("2018-07-02--2018-07-15", "2018-W27--2018-W28"),
        ("2018-07-01--2018-07-31", "2018-07"),
        ("2018-07-03--2018-07-03", "2018-07-03"),
        ("2021-02-01--2021-02-28", "2021-W05--2021-W08"),
        (" 2018-07-03 ", "2018-07-03"),
    ],
)
def test_days_that_are_whole_weeks_or_a_month_are_read_as_such(typed, read):
    assert parse_period(typed).id == read


@pytest.mark.parametrize(
    "text", ["2018-13", "2018-02-29", "2018-07-19--2018-07-03", "2018-07-03--", "2018-7-3", "9999-W53", "2018-07--2018-08"]
)
def test_no_such_days_are_refused(text):
    with pytest.raises(AnalysisError):
        parse_period(text)


@pytest.mark.parametrize(
    ("period", "before", "year_before"),
    [
        ("2018-07-03", "2018-07-02", "2017-07-04"),
        ("2018-07-03--2018-07-19", "2018-06-16--2018-07-02", "2017-07-04--2017-07-20"),
        ("2018-03", "2018-02", "2017-03"),
        ("2018-01", "2017-12", "2017-01"),
        ("2018-W30", "2018-W29", "2017-W30"),
        ("2016-02", "2016-01", "2015-02"),
    ],
)
def test_the_period_before_and_the_year_before(period, before, year_before):
    one = parse_period(period)
    assert (one.before().id, one.year_before().id) == (before, year_before)
    assert one.year_before().first_on.weekday() == one.first_on.weekday() or isinstance(one, Month)


@pytest.mark.parametrize(
    ("period", "weeks"),
    [
        ("2018-07-04", "2018-W27"),
        ("2018-07-08", "2018-W27"),
        ("2018-07", "2018-W27--2018-W30"),
        ("2018-07-03--2018-07-19", "2018-W28"),
        ("2018-01-01--2018-04-30", "2018-W05--2018-W17"),
    ],
)
def test_the_whole_weeks_nearest_to_a_free_period_end_in_it(period, weeks):
    assert nearest_weeks(parse_period(period)).id == weeks


def test_weeks_are_asked_for_in_words():
    with pytest.raises(WholeWeeksOnly, match="2018-W27--2018-W30"):
        parse_weeks("2018-07")
    assert parse_weeks("2018-07-02--2018-07-08") == Period(date(2018, 7, 2), 1)


@pytest.mark.parametrize("first", range(8))
@pytest.mark.parametrize("length", [1, 2, 6, 7, 8, 13, 14, 15, 30])
def test_weeks_and_edges_make_up_the_days(first, length):
    start = date(2018, 7, 2) + timedelta(days=first)
    period = Days(start, start + timedelta(days=length - 1))
    weeks, edges = whole_weeks_in(period)
    days = sorted(one.first_on + timedelta(days=n) for one in (*edges, *([weeks] if weeks else [])) for n in range(one.days_n))
    assert days == [start + timedelta(days=n) for n in range(length)]
    assert all(one.days_n < 7 or weeks is None for one in edges)


def test_a_day_is_complete_when_it_is_over_in_local_time():
    assert last_complete_day(datetime(2018, 9, 2, 15, 59, tzinfo=UTC), SHANGHAI) == date(2018, 9, 1)
    assert last_complete_day(datetime(2018, 9, 2, 16, 0, tzinfo=UTC), SHANGHAI) == date(2018, 9, 2)
