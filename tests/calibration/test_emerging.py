"""False trends on maps without any, and what a growth of reporting that is the same everywhere does to them."""

import numpy as np
import pytest

from cloudmap.analytics.emerging import mann_kendall
from cloudmap.analytics.emerging_map import emerging_hotspots
from cloudmap.analytics.hotspots import gi_z
from cloudmap.analytics.inference import fdr
from tests.calibration.simulated import NOISES, draw, exposed_weeks, ground, may_be, panel_of, smooth

PLACE = ground(15)


def _trend(table):
    """Trend of each cell's Gi*, standardised period by period, periods not overlapping."""
    z = [gi_z(table[:, period], PLACE.w) if table[:, period].any() else np.zeros(PLACE.n) for period in range(table.shape[1])]
    return mann_kendall(np.column_stack(z))


@pytest.mark.parametrize("periods", [12, 24, 52])
@pytest.mark.parametrize("mean", [0.02, 0.2, 2.0])
def test_at_most_one_map_in_twenty_has_any_trend(mean, periods):
    runs = 24
    trends = [_trend(np.random.default_rng([5, run]).poisson(mean, (PLACE.n, periods))) for run in range(runs)]
    assert may_be(0.05, sum(bool((fdr(trend.p) <= 0.05).any()) for trend in trends), runs)
    assert np.mean([(trend.p <= 0.05).mean() for trend in trends]) <= 0.06


@pytest.mark.parametrize("growth", ["ramp", "step"])
@pytest.mark.parametrize("mean", [0.02, 0.2, 2.0])
def test_doubling_of_effort_leaves_at_most_one_cell_in_twenty_rising(mean, growth):
    """Even before the adjustment for many cells; after it hardly one rises. Whole-cube moments would make 49% to 80% rise."""
    factor = np.linspace(1, 2, 52) if growth == "ramp" else np.where(np.arange(52) < 26, 1.0, 2.0)
    rising, adjusted = [], []
    for run in range(10):
        trend = _trend(np.random.default_rng([6, run]).poisson(mean * factor, (PLACE.n, 52)))
        rising.append(((trend.p <= 0.05) & (trend.s > 0)).mean())
        adjusted.append(((fdr(trend.p) <= 0.05) & (trend.s > 0)).mean())
    assert np.mean(rising) <= 0.05
    assert np.mean(adjusted) <= 0.001


def test_a_planted_trend_is_found():
    found = 0
    for run in range(20):
        mean = np.full((PLACE.n, 52), 0.5)
        mean[:7] *= np.linspace(1, 8, 52)
        trend = _trend(np.random.default_rng([7, run]).poisson(mean))
        found += fdr(trend.p)[0] <= 0.05 and trend.s[0] > 0
    assert found >= 18


# End to end: what `emerging_hotspots` names

GROWTHS = {"ramp": lambda steps: np.linspace(1, 2, steps), "step": lambda steps: np.where(np.arange(steps) < steps // 2, 1.0, 2.0)}


def _named(counts, exposure=None):
    kind = "none" if exposure is None else "population"
    return emerging_hotspots(panel_of(PLACE, counts, exposure, kind), step_weeks=1, steps=counts.shape[1]).table


@pytest.mark.parametrize("steps", [12, 24, 52])
@pytest.mark.parametrize("noise", ["Poisson .02", "Poisson .2", "Poisson 2", "NB 2 r .5"])
def test_at_most_one_null_map_in_twenty_has_a_trend_class_or_a_hot_class(noise, steps):
    mean, size = NOISES[noise]
    runs, trends, hot = 24, 0, 0
    for run in range(runs):
        named = _named(draw(np.random.default_rng([10, run]), np.full((PLACE.n, steps), mean), size))["class"]
        trends += named.str.contains("intensifying|diminishing").any()
        hot += named.str.ends_with("_hot").any()
    assert trends == 0
    assert may_be(0.05, hot, runs)


@pytest.mark.parametrize("kind", ["own", "zero inflation", "wrong exposure"])
def test_at_most_one_null_map_in_twenty_has_a_hot_class_with_exposure(kind):
    """Exposure-adjusted steps are named in the map's legend because this holds."""
    runs, hot, cold = 24, 0, 0
    for run in range(runs):
        rng = np.random.default_rng([11, run])
        counts, given = exposed_weeks(rng, PLACE, 0.5, 0.5, kind, 13)
        named = _named(counts, given)["class"]
        hot += named.str.ends_with("_hot").any()
        cold += named.str.ends_with("_cold").any()
    assert may_be(0.05, hot, runs)
    assert may_be(0.05, cold, runs)


@pytest.mark.parametrize("growth", GROWTHS)
@pytest.mark.parametrize("mean", [0.02, 0.2, 2.0])
@pytest.mark.parametrize("steps", [13, 52])
def test_doubling_of_effort_moves_at_most_one_place_in_twenty_where_places_differ(mean, growth, steps):
    """Places differ e-fold here, as real ones do: the z of Gi* then makes up to half of them fall."""
    rising, falling, classes = [], [], 0
    for run in range(8):
        rng = np.random.default_rng([12, run])
        table = _named(rng.poisson(mean * smooth(rng, PLACE, 1.0)[:, None] * GROWTHS[growth](steps)))
        moved = table.filter(table["p"] <= 0.05)["trend_z"].to_numpy()
        rising.append((moved > 0).sum() / PLACE.n)
        falling.append((moved < 0).sum() / PLACE.n)
        classes += (table["trend"] != 0).sum()
    assert np.mean(rising) <= 0.05
    assert np.mean(falling) <= 0.05
    assert classes / (8 * PLACE.n) <= 0.002


def test_the_z_of_gi_would_not_hold_that():
    """Why the trend is one of shares: if this ever fails the choice can be looked at again."""
    falling = []
    for run in range(4):
        rng = np.random.default_rng([12, run])
        trend = _trend(rng.poisson(0.2 * smooth(rng, PLACE, 1.0)[:, None] * GROWTHS["ramp"](52)))
        falling.append(((trend.p <= 0.05) & (trend.s < 0)).mean())
    assert np.mean(falling) > 0.1


def test_a_planted_history_is_named():
    found = 0
    for run in range(20):
        mean = np.full((PLACE.n, 52), 0.5)
        mean[:7] *= np.linspace(5, 15, 52)
        found += emerging_hotspots(panel_of(PLACE, np.random.default_rng([13, run]).poisson(mean))).table["class"][0] == "intensifying_hot"
    assert found >= 16
