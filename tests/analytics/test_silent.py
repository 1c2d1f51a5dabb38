"""Silent cells: planted silence is found, quiet places are left alone, and what cannot be told is said."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from cloudmap.analytics.panel import Panel
from cloudmap.analytics.silent import silent_cells
from cloudmap.errors import AnalysisError
from tests.calibration.simulated import ground, smooth

FIRST = date(2017, 1, 2)
WEEKS = 86


def simulated(seed, mean, *, silent=(), weeks=13, swing=None, wrong=0.0, rings=14):
    """A panel of places that report in proportion to their people, with seasons; some silent in the last weeks."""
    rng, place = np.random.default_rng(seed), ground(rings)
    people = smooth(rng, place, 0.7) * rng.gamma(4, 0.25, place.n)
    rate = mean * people[:, None] * (1 + 0.2 * np.cos(2 * np.pi * np.arange(WEEKS) / 52))
    if swing:
        quarters = rng.gamma(swing, 1 / swing, (place.n, WEEKS // 13 + 2))
        start = rng.integers(0, 13)
        rate = rate * rng.gamma(10, 0.1, (place.n, 1)) * np.repeat(quarters, 13, axis=1)[:, start : start + WEEKS]
    rate[list(silent), WEEKS - weeks :] = 0
    return Panel(
        layer="cell_9",
        category="ALL",
        places=tuple(f"p{at:04d}" for at in range(place.n)),
        first_week_on=FIRST,
        counts=rng.poisson(rate),
        xy_m=np.zeros((place.n, 2)),
        area_m2=np.ones(place.n),
        weights=place.w,
        exposure=people * np.exp(wrong * rng.normal(size=place.n)),
        exposure_kind="population",
        regime_from=0,
        complete=np.ones(WEEKS, dtype=bool),
    )


def found(panel, **given):
    classes = silent_cells(panel, **given).table["class"]
    return np.flatnonzero(classes.is_in(["silent", "never_reported"]).to_numpy())


@pytest.mark.parametrize("mean", [0.3, 1, 4])
@pytest.mark.parametrize("swing", [None, 12])
def test_maps_without_silence_show_a_false_silent_cell_in_at_most_5_percent(mean, swing):
    runs = 60
    assert sum(found(simulated([1, run], mean, swing=swing, wrong=0.3)).size > 0 for run in range(runs)) <= 0.05 * runs


def test_without_an_exposure_false_silent_cells_are_as_rare():
    runs = 60
    panels = (simulated([2, run], 2, swing=12) for run in range(runs))
    assert sum(found(replace(panel, exposure=None, exposure_kind="none")).size > 0 for panel in panels) <= 0.05 * runs


@pytest.mark.parametrize(("mean", "weeks", "least"), [(4, 13, 0.8), (1, 26, 0.6), (1, 52, 0.7)])
def test_power_on_planted_silence(mean, weeks, least):
    hits = planted = 0
    for run in range(10):
        silent = np.random.default_rng([3, run]).choice(ground(14).n, 6, replace=False)
        hits += np.isin(silent, found(simulated([4, run], mean, silent=silent, weeks=weeks))).sum()
        planted += silent.size
    assert hits / planted >= least


def test_a_place_that_was_silent_and_came_back_is_not_silent():
    panel = simulated(5, 4, silent=(100,), weeks=60)
    assert 100 in found(panel)
    counts = panel.counts.copy()
    counts[100, -13:] = 4
    assert 100 not in found(replace(panel, counts=counts))


def test_a_place_that_always_told_little_for_its_people_is_not_silent():
    panel = simulated(6, 4)
    counts = panel.counts.copy()
    counts[50] = np.random.default_rng(7).poisson(counts[50].mean() * 0.15, WEEKS)
    assert 50 not in found(replace(panel, counts=counts))


def test_a_peopled_place_that_never_told_of_anything_is_never_reported_and_only_with_an_exposure():
    panel = simulated(8, 4)
    counts = panel.counts.copy()
    counts[20] = 0
    panel = replace(panel, counts=counts)
    row = silent_cells(panel).table.row(20, named=True)
    assert (row["class"], row["last_report_on"], row["n"]) == ("never_reported", None, 0)
    assert silent_cells(replace(panel, exposure=None, exposure_kind="none")).table["class"][20] == "not_enough_data"
    uninhabited = panel.exposure.copy()
    uninhabited[20] = 0
    assert silent_cells(replace(panel, exposure=uninhabited)).table["class"][20] == "not_enough_data"


def test_table_tells_what_is_missing_and_since_when():
    panel = simulated(9, 4, silent=(200,), weeks=30)
    result = silent_cells(panel)
    row = result.table.row(200, named=True)
    assert row["class"] == "silent"
    assert row["value"] == pytest.approx(row["expected"])
    assert row["expected"] == pytest.approx(13 * panel.counts[200, :56].mean(), rel=0.4)
    assert row["last_report_on"] == FIRST + timedelta(weeks=int(np.flatnonzero(panel.counts[200])[-1]))
    assert result.table["place"].to_list() == list(panel.places)
    blank = result.table.filter(pl.col("class") == "not_enough_data")
    assert blank["value"].null_count() == blank.height > 0
    assert result.denominator.startswith(f"{len(panel.places) - blank.height} of {len(panel.places)}")


def test_masked_weeks_and_weeks_before_the_regime_count_for_nothing():
    panel = simulated(10, 2)
    spoilt = np.concatenate(
        [np.full((panel.counts.shape[0], 40), 999), panel.counts, np.zeros((panel.counts.shape[0], 3), dtype=int)], axis=1
    )
    complete = np.arange(spoilt.shape[1]) < 40 + WEEKS
    wide = replace(panel, first_week_on=FIRST - timedelta(weeks=40), counts=spoilt, regime_from=40, complete=complete)
    columns = ["n", "expected", "p", "class"]
    assert silent_cells(wide).table.select(columns).equals(silent_cells(panel).table.select(columns))


@pytest.mark.parametrize(
    ("change", "given", "words"),
    [
        ({"category": "DS"}, {}, "take a panel of ALL"),
        ({"regime_from": 70}, {}, "16 complete weeks"),
        ({"counts": np.zeros((631, WEEKS), dtype=np.int64)}, {}, "nothing was reported"),
        ({"exposure": np.zeros(631)}, {}, "correct the population"),
        ({}, {"threshold": 2}, "between 0 and 1"),
    ],
)
def test_unusable_input_is_refused_with_words(change, given, words):
    with pytest.raises(AnalysisError, match=words):
        silent_cells(replace(simulated(11, 1), **change), **given)
