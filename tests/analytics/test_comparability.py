from datetime import date, timedelta

import polars as pl
import pytest

from cloudmap.analytics.comparability import comparable, compared_over, year_before
from cloudmap.analytics.indicators import indicators
from cloudmap.analytics.periods import Period
from cloudmap.analytics.regimes import reporting_regimes
from cloudmap.errors import AnalysisError
from tests.analytics.handled import at, make_reports
from tests.analytics.standing import ZONE

FIRST = date(2016, 1, 4)
APP_ON = FIRST + timedelta(weeks=80)


def _weekly(levels, source="ALL"):
    weeks = [FIRST + timedelta(weeks=one) for one in range(len(levels))]
    return pl.DataFrame(
        {
            "source_id": [source] * len(levels),
            "week_on": weeks,
            "reports_n": levels,
            "active_reporters_n": [max(one // 4, 1) for one in levels],
        }
    )


@pytest.fixture(scope="module")
def regimes():
    return reporting_regimes(_weekly([20] * 80 + [1080] * 60), milestones=[(APP_ON, "app launch")])


def test_an_app_launch_between_forbids_the_comparison_and_says_by_how_much(regimes):
    period = Period(FIRST + timedelta(weeks=100), 4)
    answer = comparable(regimes, [], period, year_before(period))
    assert not answer.comparable
    assert (answer.reason, answer.banner) == ("regime_between", "banner_regime_between")
    assert answer.numbers["regime_on"] == APP_ON
    assert answer.numbers["fold"] == pytest.approx(54.0)
    assert (answer.numbers["before_per_week"], answer.numbers["after_per_week"]) == (20.0, 1080.0)
    assert answer.numbers["regime_name"] == "app launch"


def test_the_same_weeks_on_one_side_of_the_launch_are_comparable(regimes):
    period = Period(FIRST + timedelta(weeks=100), 4)
    assert comparable(regimes, [], period, period.before()).comparable
    assert comparable(regimes, [], Period(APP_ON + timedelta(weeks=4), 4), Period(APP_ON, 4)).comparable
    assert comparable(regimes, [], Period(APP_ON - timedelta(weeks=4), 4), Period(APP_ON - timedelta(weeks=8), 4)).comparable


def test_a_launch_within_a_span_forbids_a_trend_in_it(regimes):
    span = Period(APP_ON - timedelta(weeks=2), 4)
    assert comparable(regimes, [], span, span).reasons == ("regime_between",)


def test_the_order_of_the_two_does_not_matter(regimes):
    one = Period(FIRST + timedelta(weeks=100), 4)
    assert comparable(regimes, [], one, year_before(one)).reasons == comparable(regimes, [], year_before(one), one).reasons


def test_masked_weeks_redrawn_units_and_missing_data_are_told_apart(regimes):
    period = Period(FIRST + timedelta(weeks=120), 4)
    masked = [period.last_week_on, FIRST]
    answer = comparable(regimes, masked, period, period.before())
    assert (answer.reasons, answer.numbers["masked_n"], answer.numbers["masked_from"]) == (("lag_masked",), 1, period.last_week_on)
    redrawn = comparable(None, [], period, period.before(), redrawn_on=[period.first_on])
    assert redrawn.reasons == ("boundary_redrawn",)
    assert comparable(None, [], period, period.before(), redrawn_on=[period.before().first_on]).comparable
    early = Period(FIRST + timedelta(weeks=3), 4)
    assert comparable(regimes, [], early, early.before()).reason == "no_data"


def test_all_reasons_stand_together_the_most_telling_first(regimes):
    period = Period(APP_ON, 4)
    answer = comparable(regimes, [period.first_on], period, Period(FIRST, 4), redrawn_on=[APP_ON])
    assert answer.reasons == ("no_data", "regime_between", "boundary_redrawn", "lag_masked")


def test_a_source_that_regimes_do_not_know_is_refused(regimes):
    period = Period(APP_ON, 4)
    with pytest.raises(AnalysisError, match="no reporting regimes of source 'hotline'"):
        comparable(regimes, [], period, period.before(), source_id="hotline")
    with pytest.raises(AnalysisError, match="lack column"):
        comparable(regimes.drop("fold"), [], period, period.before())


LATER, EARLIER = Period(date(2018, 3, 5), 1), Period(date(2018, 2, 26), 1)


def _two_weeks(late_now, late_before, n=100):
    """Cases of two weeks, of which so many closed after their due time."""
    from cloudmap.analytics.handling import Limits, cases
    from cloudmap.analytics.workdays import Calendar

    opened, due, closed = [], [], []
    for day, late in (("2018-02-27T02:00", late_before), ("2018-03-06T02:00", late_now)):
        for one in range(n):
            opened.append(at(day))
            due.append(at(day) + timedelta(hours=24))
            closed.append(at(day) + timedelta(hours=30 if one < late else 20))
    reports = make_reports(opened, closed, due_at=due, unit_street_code=["331004001"] * len(opened))
    known = cases(reports, None, Calendar(country="none"), Limits(), at("2018-03-20T00:00"))
    return indicators(known, now=at("2018-03-20T00:00"), zone=ZONE, by=["unit_street_code"], period=[LATER, EARLIER])


def test_a_share_that_fell_far_is_worse_and_one_that_did_not_is_the_same():
    answer = comparable(None, [], LATER, EARLIER)
    fallen = compared_over(_two_weeks(60, 10), answer).table.filter(pl.col("indicator") == "on_time")
    assert fallen["direction"].to_list() == ["worse"]
    assert fallen["difference"][0] == pytest.approx(-0.5)
    assert fallen["difference_upper"][0] < 0
    still = compared_over(_two_weeks(12, 10), answer).table.filter(pl.col("indicator") == "on_time")
    assert still["direction"].to_list() == ["same"]


def test_across_a_change_of_reporting_nothing_of_before_is_shown_and_nothing_is_worse(regimes):
    answer = comparable(None, [], LATER, EARLIER)
    broken = comparable(reporting_regimes(_weekly([20] * 112 + [1080] * 30), milestones=[(date(2018, 2, 28), "app")]), [], LATER, EARLIER)
    assert broken.reason == "regime_between"
    told = compared_over(_two_weeks(60, 10), broken)
    assert set(told.table["direction"]) == {"not_comparable"}
    assert told.table.select("value_before", "difference", "difference_lower", "q").null_count().row(0) == (told.table.height,) * 4
    assert told.table.filter(pl.col("indicator") == "on_time")["value"][0] == pytest.approx(0.4)
    assert told.parameters["banner"] == "banner_regime_between"
    assert "regime_between" in told.caveats
    with pytest.raises(AnalysisError, match="indicators are not for"):
        compared_over(_two_weeks(1, 1), comparable(None, [], EARLIER, EARLIER.before()))
    with pytest.raises(AnalysisError, match="later period as `period`"):
        compared_over(_two_weeks(1, 1), comparable(None, [], answer.against, answer.period))
