from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from cloudmap.analytics.periods import Period, last_complete_week, lattice, parse_period, week_id
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
