"""Kaplan-Meier against published values, and stays with their suspensions."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from cloudmap.analytics import handling
from cloudmap.analytics.dwell import kaplan_meier, median
from cloudmap.analytics.workdays import Calendar
from cloudmap.errors import AnalysisError
from tests.analytics.handled import at, make_events, make_reports

TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
CONTROL = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def test_the_remission_times_of_freireich():
    """Freireich et al. (1963); curve and log-log limits as R's survival prints them (Venables and Ripley, MASS, 4th ed., section 13.1)."""
    found = kaplan_meier(TREATED, np.array(ENDED, dtype=bool))
    assert found.times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert found.share.round(3).tolist() == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert median(found) == (23, 13, np.inf)
    assert median(kaplan_meier(CONTROL, np.ones(21, dtype=bool))) == (8, 4, 11)


def test_without_censoring_it_is_the_ordinary_median():
    assert median(kaplan_meier([1, 2, 3, 4], np.ones(4, dtype=bool))).value == 2.5
    assert median(kaplan_meier([5, 1, 3], np.ones(3, dtype=bool))).value == 3


def test_what_goes_on_pushes_the_median_up_where_leaving_it_out_would_not():
    time, ended = np.array([1.0, 2, 3, 50, 60, 70]), np.array([True, True, True, False, False, False])
    assert median(kaplan_meier(time, ended)).value > median(kaplan_meier(time[ended], ended[ended])).value


def test_nothing_ended_reaches_no_median():
    assert median(kaplan_meier([3, 4], [False, False])).value == np.inf


def test_durations_that_cannot_be_are_refused():
    with pytest.raises(AnalysisError, match="below zero"):
        kaplan_meier([-1, 2], [True, True])
    with pytest.raises(AnalysisError, match="one of each"):
        kaplan_meier([1, 2], [True])


def test_stays_are_working_hours_without_suspensions():
    opened = at("2018-03-05T01:00")  # Monday 9:00
    hour = timedelta(hours=1)
    rows = []
    for i in range(5):
        rows += [(f"app:{i}", "collect", "open", opened), (f"app:{i}", "handle", "handling", opened + hour),
                 (f"app:{i}", "handle", "suspended", opened + 2 * hour), (f"app:{i}", "handle", "handling", opened + 4 * hour),
                 (f"app:{i}", "inspect", "closed", opened + 24 * hour)]  # fmt: skip
    rows += [("app:5", "collect", "open", opened)]
    reports = make_reports([opened] * 6)
    now = at("2018-03-09T09:30")
    found = handling.dwell(reports, make_events(rows), Calendar("none"), now)
    table = {one["stage"]: one for one in found.table.iter_rows(named=True)}
    # 10:00 to 11:00, 13:00 to 17:30, 8:30 to 9:00 next day.
    assert table["handle"]["value"] == pytest.approx(1 + 4.5 + 0.5)
    assert table["collect"]["value"] == pytest.approx(1)
    assert (table["collect"]["stays_n"], table["collect"]["going_on_n"]) == (6, 1)
    assert "dwell_censored" in found.caveats
    few = handling.dwell(reports.head(3), make_events(rows[:15]), Calendar("none"), now)
    assert set(few.table["class"]) == {"not_enough_data"}
    assert few.table["value"].null_count() == few.table.height


def test_stays_of_units_with_few_staff_are_not_timed():
    opened = at("2018-03-05T01:00")
    rows = [(f"app:{i}", stage, "handling", opened + timedelta(hours=h)) for i in range(6) for stage, h in (("collect", 0), ("handle", 2))]
    reports = make_reports([opened] * 6, unit_street_code=["A"] * 6, reporter_hash=["r"] * 6, reporter_kind=["staff"] * 6)
    found = handling.dwell(reports, make_events(rows), Calendar("none"), at("2018-03-09T09:30"), by=["unit_street_code"])
    assert set(found.table["class"]) == {"too_few_staff"}
    assert found.table["value"].null_count() == found.table.height
    assert isinstance(found.table, pl.DataFrame)
