"""False trends on maps without any, and what a growth of reporting that is the same everywhere does to them."""

import numpy as np
import pytest

from cloudmap.analytics.emerging import mann_kendall
from cloudmap.analytics.hotspots import gi_z
from cloudmap.analytics.inference import fdr
from tests.calibration.simulated import ground, may_be

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
