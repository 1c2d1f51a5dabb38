"""Reporting regimes: a launch is found and reads as effort, noise and seasons are not taken for one."""

import doctest
import sys
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from cloudmap.analytics.change_points import change_points
from cloudmap.analytics.regimes import regime_from, regime_starts, reporting_regimes, spread_over_places
from cloudmap.errors import AnalysisError

FIRST = date(2016, 1, 4)


def series(rng, weeks_n, mean, clinging, spread, *, seasonal=0.2, dips=True):
    """Weekly counts that stand at one level: overdispersed, autocorrelated, seasonal, two weeks a year at 40%."""
    noise = np.zeros(weeks_n)
    noise[0] = rng.normal() * spread
    for week in range(1, weeks_n):
        noise[week] = clinging * noise[week - 1] + rng.normal() * spread * np.sqrt(1 - clinging**2)
    week = np.arange(weeks_n)
    rate = mean * np.exp(noise + seasonal * np.cos(2 * np.pi * (week - rng.uniform(0, 52)) / 52.18))
    if dips:
        first = rng.integers(0, 52)
        rate[(week - first) % 52 < 2] *= 0.4
    return rng.poisson(rate * rng.gamma(50, 1 / 50, weeks_n))


def weekly(counts, reporters=None, source_id="ALL", **more):
    reporters = counts if reporters is None else reporters
    return pl.DataFrame(
        {
            "source_id": [source_id] * len(counts),
            "week_on": [FIRST + timedelta(weeks=week) for week in range(len(counts))],
            "reports_n": np.asarray(counts, dtype=np.int64),
            "active_reporters_n": np.asarray(reporters, dtype=np.int64),
            **more,
        }
    )


@pytest.mark.parametrize(("mean", "clinging", "spread"), [(20, 0.3, 0.15), (300, 0.5, 0.15), (2000, 0.7, 0.15)])
def test_stationary_series_have_a_false_change_in_at_most_5_percent(mean, clinging, spread):
    runs = 100
    false = sum(bool(change_points(series(np.random.default_rng([1, run]), 140, mean, clinging, spread))) for run in range(runs))
    assert false <= 5


def test_a_doubling_is_found_where_it_is():
    found = 0
    for run in range(40):
        rng = np.random.default_rng([2, run])
        level = np.where(np.arange(140) >= 70, 2.0, 1.0)
        counts = rng.poisson(series(rng, 140, 300, 0.5, 0.15) * level)
        found += any(abs(at - 70) <= 2 for at in change_points(counts))
    assert found >= 32


def test_two_changes_that_cancel_are_both_found():
    counts = np.random.default_rng(3).poisson(np.where((np.arange(140) >= 60) & (np.arange(140) < 80), 900, 300))
    assert change_points(counts) == [60, 80]


def test_a_season_as_large_as_a_step_is_no_change():
    week = np.arange(156)
    assert change_points(np.random.default_rng(4).poisson(500 * np.exp(0.3 * np.cos(2 * np.pi * week / 52.18)))) == []


def test_dips_of_three_weeks_and_a_part_week_are_no_regime():
    counts = np.random.default_rng(5).poisson(400, 120)
    counts[0], counts[50:53], counts[-1] = 100, 60, 40
    assert change_points(counts) == []


def test_a_source_that_ends_or_begins_is_cut_in_the_very_week():
    counts = np.concatenate([np.zeros(30), np.random.default_rng(13).poisson(2000, 52), np.zeros(200)]).astype(int)
    counts[150] = 1
    assert change_points(counts) == [30, 82]
    assert change_points(np.random.default_rng(14).poisson(0.2, 300)) == []


def test_a_small_change_is_left_out_however_sure():
    counts = np.random.default_rng(6).poisson(np.where(np.arange(100) < 50, 100_000, 115_000))
    assert change_points(counts) == []
    assert change_points(counts, least_fold=1.05) == [50]


def test_launch_is_detected_without_being_declared_and_reads_as_effort():
    rng = np.random.default_rng(7)
    app = rng.poisson(np.where(np.arange(139) < 53, 24, 24 * 54))
    other = rng.poisson(730, 139)
    table = pl.concat([weekly(app, source_id="app"), weekly(other, np.full(139, 300), "other"), weekly(app + other)])
    regimes = reporting_regimes(table)
    launch = regimes.filter((pl.col("source_id") == "app") & (pl.col("kind") == "detected")).row(0, named=True)
    assert launch["first_week_on"] == FIRST + timedelta(weeks=53)
    assert 50 < launch["fold"] < 58
    assert launch["looks_like_effort"] is True
    assert regimes.filter(pl.col("source_id") == "other")["kind"].to_list() == ["first"]
    assert regime_from(regimes) == FIRST + timedelta(weeks=53)


def test_declared_regimes_win_and_touch_only_sources_that_change():
    rng = np.random.default_rng(8)
    app = rng.poisson(np.where(np.arange(100) < 52, 30, 300))
    table = pl.concat([weekly(app, source_id="app"), weekly(rng.poisson(500, 100), source_id="other"), weekly(app + rng.poisson(500, 100))])
    middle_of_week = FIRST + timedelta(weeks=50, days=3)
    regimes = reporting_regimes(table, milestones=[(middle_of_week, "the app")])
    begun = FIRST + timedelta(weeks=51)
    declared = regimes.filter(pl.col("kind") == "declared")
    assert declared.select("source_id", "first_week_on", "name").rows() == [("app", begun, "the app"), ("ALL", begun, "the app")]
    assert regimes.filter(pl.col("kind") == "detected").is_empty()


def test_a_declared_regime_that_shows_nothing_still_holds_for_the_city():
    regimes = reporting_regimes(weekly(np.full(60, 100)), milestones=[(FIRST + timedelta(weeks=40), "new form")])
    assert regimes["kind"].to_list() == ["first", "declared"]
    assert regime_from(regimes) == FIRST + timedelta(weeks=40)


def by_place(counts):
    rows = [("ALL", f"p{place}", FIRST + timedelta(weeks=week), int(n)) for (place, week), n in np.ndenumerate(counts)]
    return pl.DataFrame(rows, schema=["source_id", "place", "week_on", "reports_n"], orient="row")


def test_a_local_outbreak_does_not_look_like_effort_and_breaks_no_comparison():
    counts = np.random.default_rng(9).poisson(10, (40, 100))
    counts[:5, 60:] += np.random.default_rng(10).poisson(60, (5, 40))
    regimes = reporting_regimes(weekly(counts.sum(axis=0), np.full(100, 50)), by_place=by_place(counts))
    assert regimes["kind"].to_list() == ["first", "detected"]
    assert regimes["looks_like_effort"][1] is False
    assert regime_from(regimes) == FIRST
    assert regime_starts(regimes) == [FIRST]


def test_a_change_shared_by_all_places_looks_like_effort_also_without_reporters():
    counts = np.random.default_rng(11).poisson(np.where(np.arange(100) < 60, 5, 15), (40, 100))
    unknown = weekly(counts.sum(axis=0)).with_columns(active_reporters_n=pl.lit(None, pl.Int64))
    regimes = reporting_regimes(unknown, by_place=by_place(counts))
    assert regimes["reporters_fold"].null_count() == 2
    assert regimes["same_way_share"][1] > 0.99
    assert regimes["looks_like_effort"][1] is True
    assert reporting_regimes(unknown)["looks_like_effort"][1] is None


def test_spread_tells_uniform_from_local():
    rng = np.random.default_rng(12)
    old = rng.poisson(50, 200)
    assert spread_over_places(old, rng.poisson(150, 200), weeks_before=10, weeks_after=10).same_way_share > 0.99
    local = rng.poisson(np.where(np.arange(200) < 20, 1000, 50))
    assert spread_over_places(old, local, weeks_before=10, weeks_after=10).same_way_share < 0.9


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: reporting_regimes(pl.DataFrame({"source_id": []})), "effort.weekly_effort"),
        (lambda: reporting_regimes(weekly(np.full(30, 9))[[0, 1, 5]]), "gaps"),
        (lambda: change_points([1, -1, 2]), "negative"),
        (lambda: change_points(np.ones(30), fixed=(40,)), "not all within"),
        (lambda: regime_from(reporting_regimes(weekly(np.full(30, 9))), "nobody"), "there are ALL"),
        (lambda: spread_over_places([0, 0], [1, 1], weeks_before=1, weeks_after=1), "some reports on each side"),
    ],
)
def test_unusable_input_is_refused_with_words(call, words):
    with pytest.raises(AnalysisError, match=words):
        call()


def test_the_example_of_the_docstring_holds():
    assert doctest.testmod(sys.modules[spread_over_places.__module__]) == (0, 1)


def test_few_weeks_have_one_regime():
    assert reporting_regimes(weekly([5, 900, 5, 900]))["kind"].to_list() == ["first"]
    assert change_points(np.zeros(40)) == []
