"""Indicators: published rates, denominators, periods, staff."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.analytics import handling
from cloudmap.analytics.indicators import INDICATORS
from cloudmap.analytics.periods import Period
from cloudmap.analytics.workdays import Calendar
from cloudmap.errors import AnalysisError
from tests.analytics.handled import at, make_events, make_reports

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = Calendar("none")
NOW = at("2018-04-30T00:00")
DAY = timedelta(days=1)
OPENED = at("2018-03-05T01:00")


def make_cases(opened, closed, due, events=None, **columns):
    return handling.cases(make_reports(opened, closed=closed, due_at=due, **columns), events, CALENDAR, handling.Limits(), NOW)


def row(result, name, **where):
    table = result.table.filter(pl.col("indicator") == name, *(pl.col(key) == value for key, value in where.items()))
    assert table.height == 1
    return table.row(0, named=True)


def test_the_published_city_has_its_published_rates():
    """972 due, 911 closed, 737 of these by their due time: 93.72% and 75.82%."""
    closed = [OPENED + 2 * DAY] * 737 + [OPENED + 9 * DAY] * (911 - 737) + [None] * (972 - 911)
    cases = make_cases([OPENED] * 972, closed, [OPENED + 5 * DAY] * 972)
    found = handling.indicators(cases, now=NOW, zone=ZONE)
    closing, on_time = row(found, "closing"), row(found, "on_time")
    assert (closing["numerator_n"], closing["denominator_n"]) == (911, 972)
    assert (on_time["numerator_n"], on_time["denominator_n"]) == (737, 972)
    assert f"{closing['value']:.2%}" == "93.72%"
    assert f"{on_time['value']:.2%}" == "75.82%"
    assert closing["lower"] < closing["value"] < closing["upper"]


def test_void_cases_are_in_no_denominator():
    n = 10
    columns = {"state": ["closed"] * n, "tier": ["hall"] * n}
    plain = make_cases([OPENED] * n, [OPENED + DAY] * n, [OPENED + 2 * DAY] * n, **columns)
    columns["state"] = ["closed"] * 7 + ["void"] * 3
    some = make_cases([OPENED] * n, [OPENED + DAY] * n, [OPENED + 2 * DAY] * n, **columns)
    before, after = (handling.indicators(one, now=NOW, zone=ZONE) for one in (plain, some))
    for name in ("closing", "on_time", "by_target", "resolved_within", "hall_or_below"):
        assert (row(before, name)["denominator_n"], row(after, name)["denominator_n"]) == (10, 7), name
    assert row(after, "rework")["cases_n"] == 7


def test_each_period_is_judged_by_its_own_end():
    week = Period(date(2018, 3, 5), 1)
    due = OPENED + 3 * DAY
    cases = make_cases([OPENED] * 4, [OPENED + DAY, OPENED + 4 * DAY, OPENED + 20 * DAY, None], [due] * 4)
    found = handling.indicators(cases, now=NOW, zone=ZONE, period=[week, Period(date(2018, 3, 12), 1)])
    assert row(found, "closing", period=week.id)["numerator_n"] == 2
    assert row(found, "on_time", period=week.id)["numerator_n"] == 1
    assert row(found, "closing", period="2018-W11")["denominator_n"] == 0
    assert row(found, "closing", period="2018-W11")["class"] == "no_cases"
    assert row(handling.indicators(cases, now=NOW, zone=ZONE), "closing")["numerator_n"] == 3


def test_what_is_not_due_yet_is_not_due_to_close():
    cases = make_cases([OPENED] * 2, [None, None], [NOW - DAY, NOW + DAY])
    found = handling.indicators(cases, now=NOW, zone=ZONE)
    assert row(found, "closing")["denominator_n"] == 1
    assert row(found, "by_target")["denominator_n"] == 2


def test_resolved_within_counts_only_cases_that_could_be_seen_so_long():
    """The seed: 52 disputes in 120 hours."""
    opened = [OPENED] * 60 + [NOW - 2 * DAY] * 5
    closed = [OPENED + timedelta(hours=120)] * 52 + [OPENED + timedelta(hours=121)] * 4 + [None] * 4 + [NOW - DAY] * 5
    found = row(handling.indicators(make_cases(opened, closed, [None] * 65), now=NOW, zone=ZONE, hours=120), "resolved_within")
    assert (found["numerator_n"], found["denominator_n"]) == (52, 60)


def test_rework_and_extension_are_of_cases_whose_source_tells():
    events = make_events([("app:0", "dispatch", "returned", OPENED + DAY), ("app:1", "dispatch", "extended", OPENED + DAY)])
    columns = {"source_id": ["app", "app", "app", "mute", "mute"]}
    found = handling.indicators(make_cases([OPENED] * 5, [None] * 5, [None] * 5, events, **columns), now=NOW, zone=ZONE)
    # The third report of the source has no event: nobody says whether it was returned.
    assert (row(found, "rework")["numerator_n"], row(found, "rework")["denominator_n"]) == (1, 2)
    assert row(found, "extension")["numerator_n"] == 1


def test_states_of_a_column_are_the_present_ones_and_the_result_says_so():
    found = handling.indicators(make_cases([OPENED] * 3, [None] * 3, [None] * 3, state=["returned", "open", None]), now=NOW, zone=ZONE)
    assert (row(found, "rework")["numerator_n"], row(found, "rework")["denominator_n"]) == (1, 3)
    assert "present_states_only" in found.caveats


def test_a_case_closed_before_it_was_opened_is_kept_without_hours_or_light():
    """It still counts as closed by its due time: what is odd is its time, not its end."""
    cases = make_cases([OPENED] * 2, [OPENED - DAY, OPENED + DAY], [OPENED + 2 * DAY] * 2)
    assert cases.select("used_wh", "light").null_count().row(0) == (1, 1)
    found = handling.indicators(cases, now=NOW, zone=ZONE)
    assert row(found, "on_time")["numerator_n"] == 2
    assert row(found, "resolved_within")["denominator_n"] == 1


def test_share_settled_below_the_street_needs_a_known_meeting():
    columns = {"tier": ["microgrid"] * 17 + ["hall"] * 2 + ["street"] + [None] * 3}
    found = row(
        handling.indicators(make_cases([OPENED] * 23, [OPENED + DAY] * 23, [None] * 23, **columns), now=NOW, zone=ZONE), "hall_or_below"
    )
    assert (found["numerator_n"], found["denominator_n"]) == (19, 20)


def staffed(n_staff, n=40):
    return {
        "unit_street_code": ["A"] * n,
        "reporter_hash": [f"r{i % n_staff}" for i in range(n)],
        "reporter_kind": ["staff"] * n,
    }


@pytest.mark.parametrize(("n_staff", "shown"), [(4, False), (5, True)])
def test_units_with_too_few_staff_show_cases_never_rates(n_staff, shown):
    cases = make_cases([OPENED] * 40, [OPENED + DAY] * 40, [OPENED + 2 * DAY] * 40, **staffed(n_staff))
    found = handling.indicators(cases, now=NOW, zone=ZONE, by=["unit_street_code"])
    for one in found.table.iter_rows(named=True):
        assert one["cases_n"] == 40
        hidden = [one[name] for name in ("numerator_n", "denominator_n", "value", "lower", "upper")]
        if not shown:
            assert (hidden, one["class"]) == ([None] * 5, "too_few_staff")
    assert (row(found, "closing")["value"] is not None) is shown
    assert ("too_few_staff" in found.caveats) is not shown


def test_without_any_reporter_only_coarse_units_show_rates():
    columns = {"unit_street_code": ["A"] * 9, "unit_microgrid_code": ["M"] * 9}
    cases = make_cases([OPENED] * 9, [OPENED + DAY] * 9, [OPENED + 2 * DAY] * 9, **columns)
    street = handling.indicators(cases, now=NOW, zone=ZONE, by=["unit_street_code"])
    fine = handling.indicators(cases, now=NOW, zone=ZONE, by=["unit_microgrid_code"])
    assert row(street, "closing")["class"] == "shown"
    assert set(fine.table["class"]) == {"too_few_staff"}
    assert "staff_unknown" in street.caveats


def test_staff_of_the_base_map_count_where_given():
    cases = make_cases([OPENED] * 9, [OPENED + DAY] * 9, [OPENED + 2 * DAY] * 9, unit_street_code=["A"] * 5 + ["B"] * 4)
    staff = pl.DataFrame({"place": ["A", "B"], "staff_n": [9, 2]})
    found = handling.indicators(cases, now=NOW, zone=ZONE, by=["unit_street_code"], staff=staff)
    mapped = handling.by_place(found, "closing", ["B", "A", "C"])
    assert mapped.table.select("place", "n", "class").rows() == [("B", 4, "too_few_staff"), ("A", 5, "shown"), ("C", 0, "no_cases")]
    assert mapped.table["value"].to_list() == [None, 1.0, None]


def test_comparison_has_an_interval_and_stops_at_a_change_of_regime():
    later, before = Period(date(2018, 3, 12), 1), Period(date(2018, 3, 5), 1)
    opened = [OPENED] * 80 + [OPENED + 7 * DAY] * 70
    closed = [OPENED + DAY] * 48 + [None] * 32 + [OPENED + 8 * DAY] * 56 + [None] * 14
    cases = make_cases(opened, closed, [one + 2 * DAY for one in opened])
    both = handling.indicators(cases, now=NOW, zone=ZONE, period=[later, before])
    found = row(handling.compared(both), "closing")
    assert found["difference"] == pytest.approx(0.2)
    # 56/70 - 48/80 in Newcombe (1998), table II, method 10.
    assert (found["difference_lower"], found["difference_upper"]) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    broken = handling.compared(both, regime_from=date(2018, 3, 7))
    assert row(broken, "closing")["class"] == "regime_break"
    assert row(broken, "closing")["difference"] is None
    assert "regime_break" in broken.caveats


def test_what_cannot_be_compared_is_refused():
    cases = make_cases([OPENED], [None], [None])
    with pytest.raises(AnalysisError, match="two periods"):
        handling.compared(handling.indicators(cases, now=NOW, zone=ZONE))
    overlapping = [Period(date(2018, 3, 12), 1), Period(date(2018, 3, 5), 4)]
    with pytest.raises(AnalysisError, match="overlap"):
        handling.compared(handling.indicators(cases, now=NOW, zone=ZONE, period=overlapping))
    with pytest.raises(AnalysisError, match="no column"):
        handling.indicators(cases, now=NOW, zone=ZONE, by=["unit_street_code"])
    with pytest.raises(AnalysisError, match="one unit column"):
        handling.by_place(handling.indicators(cases, now=NOW, zone=ZONE), "closing", ["A"])


hours = st.integers(0, 400)
one_case = st.tuples(
    hours, st.none() | hours, st.none() | hours, st.sampled_from(["closed", "void", "returned", None]), st.sampled_from("ABC")
)


@settings(max_examples=40, deadline=None)
@given(st.lists(one_case, min_size=1, max_size=30))
def test_a_split_unit_leaves_sums_unchanged_and_numerators_within(rows):
    opened = [OPENED + timedelta(hours=one[0]) for one in rows]
    ends = [[None if one[at_] is None else OPENED + timedelta(hours=one[at_]) for one in rows] for at_ in (1, 2)]
    cases = make_cases(opened, *ends, state=[one[3] for one in rows], part=[one[4] for one in rows])
    whole = handling.indicators(cases, now=NOW, zone=ZONE).table
    split = handling.indicators(cases, now=NOW, zone=ZONE, by=["part"]).table
    for name in ("cases_n", "numerator_n", "denominator_n"):
        sums = dict(split.group_by("indicator").agg(pl.col(name).sum()).iter_rows())
        assert sums == dict(whole.select("indicator", name).iter_rows())
    assert (whole["numerator_n"] <= whole["denominator_n"]).all()
    assert whole["indicator"].to_list() == list(INDICATORS)


def test_all_times_a_week_later_leave_the_indicators_as_they_are():
    opened = [OPENED + i * timedelta(hours=7) for i in range(30)]
    closed = [one + timedelta(hours=11 * (i % 9)) if i % 4 else None for i, one in enumerate(opened)]
    tables = []
    for shift in (timedelta(), 7 * DAY):
        reports = make_reports([one + shift for one in opened], closed=[one and one + shift for one in closed])
        cases = handling.cases(reports, None, CALENDAR, handling.Limits({"EV01": 16.0}), NOW + shift)
        tables.append(handling.indicators(cases, now=NOW + shift, zone=ZONE).table)
        tables.append(cases.select("used_wh", "limit_wh", "remaining_share", "light", "state", "overdue"))
    assert tables[0].equals(tables[2])
    assert tables[1].equals(tables[3])
