"""Effort: who reports, of which kind, how late; what has not come in yet."""

import doctest
import sys
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from cloudmap.analytics.effort import arrived_by_week, completed_counts, completeness, unit_effort, weekly_effort, weekly_places
from cloudmap.errors import AnalysisError

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = date(2018, 1, 1)


def instant(day, hour=12):
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZONE).astimezone(UTC)


def facts(rows):
    """Rows of (source, day of report, hours before that it occurred, reporter, kind, place)."""
    return pl.DataFrame(
        {
            "source_id": [row[0] for row in rows],
            "occurred_at": [instant(row[1]) - timedelta(hours=row[2]) for row in rows],
            "reported_at": [instant(row[1]) for row in rows],
            "reporter": [row[3] for row in rows],
            "reporter_kind": [row[4] for row in rows],
            "place": [row[5] for row in rows],
        },
        schema_overrides={"occurred_at": pl.Datetime("us", "UTC"), "reported_at": pl.Datetime("us", "UTC"), "reporter": pl.String},
    )


SMALL = [
    ("app", MONDAY, 1, "a", "staff", "p1"),
    ("app", MONDAY + timedelta(days=6), 3, "a", "staff", "p2"),
    ("app", MONDAY, 200, "b", "resident", "p1"),
    ("app", MONDAY + timedelta(days=21), 2, None, None, None),
    ("food", MONDAY, 0, "a", "resident", "p1"),
]


def test_effort_by_source_and_for_the_city():
    table = weekly_effort(facts(SMALL), zone=ZONE, last_week_on=MONDAY + timedelta(weeks=3), place="place")
    app = table.filter((pl.col("source_id") == "app") & (pl.col("week_on") == MONDAY)).row(0, named=True)
    assert (app["reports_n"], app["active_reporters_n"], app["staff_n"], app["resident_n"], app["places_n"]) == (3, 2, 2, 1, 2)
    assert app["lag_median_h"] == 3
    assert app["lag_p90_h"] == pytest.approx(3 + 0.8 * 197)
    city = table.filter((pl.col("source_id") == "ALL") & (pl.col("week_on") == MONDAY)).row(0, named=True)
    assert (city["reports_n"], city["resident_n"]) == (4, 2)
    assert city["active_reporters_n"] == 3, "ids of two sources are two name spaces"


def test_weeks_without_reports_are_there_and_unknown_reporters_are_not_none():
    table = weekly_effort(facts(SMALL), zone=ZONE, last_week_on=MONDAY + timedelta(weeks=4)).filter(pl.col("source_id") == "app")
    assert table["reports_n"].to_list() == [3, 0, 0, 1, 0]
    assert table["active_reporters_n"].to_list() == [2, 0, 0, None, 0]
    assert table["lag_median_h"].to_list() == [3, None, None, 2, None]


def test_week_is_that_of_reporting_in_local_days():
    late = facts([("app", MONDAY, 0, "a", "staff", "p")]).with_columns(
        reported_at=pl.lit(datetime(2018, 1, 7, 17, tzinfo=UTC)), occurred_at=pl.lit(datetime(2017, 12, 1, tzinfo=UTC))
    )
    table = weekly_effort(late, zone=ZONE, last_week_on=date(2018, 1, 29))
    assert table["week_on"].min() == date(2018, 1, 8), "Sunday 17:00 in London is Monday in Luqiao"


def test_places_by_week_close_with_the_reports_that_have_one():
    table = weekly_places(facts(SMALL), "place", zone=ZONE, last_week_on=MONDAY + timedelta(weeks=9))
    assert table.filter(pl.col("source_id") == "ALL")["reports_n"].sum() == 4
    assert table.filter((pl.col("source_id") == "ALL") & (pl.col("place") == "p1"))["reports_n"].to_list() == [3]


def test_units_with_few_staff_have_no_rates():
    rows = [("app", MONDAY, 1, f"s{at % 5}", "staff", "big") for at in range(10)]
    rows += [("app", MONDAY, 1, f"s{at % 4}", "staff", "small") for at in range(9)] + [("app", MONDAY, 5, "r", "resident", "small")]
    table = unit_effort(facts(rows), "place", zone=ZONE, first_on=MONDAY, last_on=MONDAY, min_staff=5)
    big, small = table.rows(named=True)
    assert (big["class"], big["staff_reporters_n"], big["reports_per_staff"]) == ("told", 5, 2)
    assert (small["class"], small["reports_n"], small["staff_n"], small["resident_n"]) == ("too_few_staff", 10, 9, 1)
    assert small["staff_reporters_n"] is small["reports_per_staff"] is small["lag_median_h"] is None


def lagged(rng, weeks_n, each, lag_days, *, source="slow", now=None):
    """Reports spread over weeks, each told of after a lag; only those told of by now are there."""
    days = np.repeat(np.arange(weeks_n * 7), each)
    lags = lag_days(rng, days.size)
    first = MONDAY - timedelta(weeks=weeks_n)
    rows = pl.DataFrame({"source_id": [source] * days.size, "day": days, "lag": lags}).with_columns(
        occurred_at=(pl.lit(instant(first)) + pl.duration(hours=pl.col("day") * 24)).cast(pl.Datetime("us", "UTC"))
    )
    rows = rows.with_columns(reported_at=pl.col("occurred_at") + pl.duration(hours=(pl.col("lag") * 24).cast(pl.Int64)))
    return rows.filter(pl.col("reported_at") <= (now or instant(MONDAY, 1))).select("source_id", "occurred_at", "reported_at")


def test_weeks_of_a_slow_source_are_masked_until_their_reports_are_in():
    rng = np.random.default_rng(1)
    result = completeness(lagged(rng, 80, 4, lambda r, n: r.exponential(14, n)), zone=ZONE, now=instant(MONDAY, 1))
    shares = result.table.filter(pl.col("source_id") == "slow")["arrived_share"].to_numpy()
    since = np.arange(13)
    expected = 1 - np.exp(-(since * 7) / 14) * (1 - np.exp(-0.5)) / 0.5
    assert np.allclose(shares, expected, atol=0.06)
    assert result.masked_weeks("slow") == [MONDAY - timedelta(weeks=week) for week in (5, 4, 3, 2, 1)]
    assert result.masked_weeks() == result.masked_weeks("slow")


def test_a_prompt_source_masks_nothing():
    result = completeness(lagged(np.random.default_rng(2), 60, 3, lambda r, n: r.exponential(0.1, n)), zone=ZONE, now=instant(MONDAY, 1))
    assert result.masked.is_empty()


def test_batch_back_fill_does_not_mask_what_comes_promptly():
    rng = np.random.default_rng(3)
    prompt = lagged(rng, 80, 3, lambda r, n: r.exponential(0.2, n))
    forgotten = lagged(rng, 40, 3, lambda r, n: np.zeros(n)).with_columns(reported_at=pl.lit(instant(MONDAY - timedelta(days=10))))
    old = forgotten.filter(pl.col("occurred_at") < instant(MONDAY - timedelta(days=60)))
    result = completeness(pl.concat([prompt, old]), zone=ZONE, now=instant(MONDAY, 1))
    row = result.table.filter((pl.col("source_id") == "slow") & (pl.col("weeks_since") == 0)).row(0, named=True)
    assert row["arrived_share"] > 0.9
    assert row["batch_n"] > 300
    assert result.masked.is_empty()


def test_a_source_that_came_in_one_file_has_no_shares_and_masks_nothing():
    all_at_once = lagged(np.random.default_rng(4), 60, 3, lambda r, n: np.zeros(n)).with_columns(reported_at=pl.lit(instant(MONDAY, 1)))
    result = completeness(all_at_once, zone=ZONE, now=instant(MONDAY, 1))
    assert result.table["arrived_share"].null_count() == 26
    assert result.masked.is_empty()
    assert (arrived_by_week(result, "slow", weeks=[MONDAY], last_week_on=MONDAY) == 1).all()


def test_recent_counts_are_completed_on_average():
    rng = np.random.default_rng(5)
    rows = lagged(rng, 80, 20, lambda r, n: r.exponential(7, n))
    result = completeness(rows, zone=ZONE, now=instant(MONDAY, 1))
    last = MONDAY - timedelta(weeks=1)
    weeks = [last - timedelta(weeks=back) for back in range(12, -1, -1)]
    counts = [
        rows.filter(pl.col("occurred_at").is_between(instant(week, 0), instant(week + timedelta(weeks=1), 0), closed="left")).height
        for week in weeks
    ]
    completed = completed_counts(counts, arrived_by_week(result, "slow", weeks=weeks, last_week_on=last))
    assert counts[-2] < 120
    assert completed.counts[:-1] == pytest.approx(np.full(12, 140), rel=0.12)
    assert completed.complete.tolist() == [True] * 11 + [False] * 2
    assert np.isnan(completed_counts([3], [0.2]).counts[0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: weekly_effort(facts(SMALL).drop("reporter"), zone=ZONE, last_week_on=MONDAY), "lack column.*reporter"),
        (lambda: weekly_effort(facts(SMALL), zone=ZONE, last_week_on=date(2000, 1, 3)), "choose a later week"),
        (lambda: unit_effort(facts(SMALL), "place", zone=ZONE, first_on=MONDAY, last_on=MONDAY, min_staff=1), "one person"),
        (lambda: completed_counts([1, 2], [1]), "one arrived share a week"),
        (lambda: completed_counts([1, 2], [1, 2]), "outside 0 to 1"),
    ],
)
def test_unusable_input_is_refused_with_words(call, words):
    with pytest.raises(AnalysisError, match=words):
        call()


def test_the_example_of_the_docstring_holds():
    assert doctest.testmod(sys.modules[completed_counts.__module__]) == (0, 1)
