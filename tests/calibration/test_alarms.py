"""False alarms on quiet series, and bursts that are found. The long form is ``benchmarks/alarms.py``."""

import numpy as np
import pytest

from cloudmap.analytics.alarms_table import alarms
from tests.calibration.series import panel_of, quiet

NOISES = {"Poisson .2": (0.2, 1.0, None), "Poisson 5": (5, 1.0, None), "phi 2, 1": (1, 2.0, None), "phi 3, 20": (20, 3.0, None),
          "NB r 5, 20": (20, None, 5.0), "NB r .1, .2": (0.2, None, 0.1)}  # fmt: skip

PLACES = 150


def _drawn(seed, weeks, noise):
    rng = np.random.default_rng([44, seed])
    mean, phi, size = NOISES[noise]
    means = mean * np.exp(rng.normal(0, 0.8, PLACES) - 0.32)
    return quiet(rng, means, weeks, phi=phi or 1.0, size=size, amplitude=0.15, peak=rng.integers(52))


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("weeks", [30, 86, 161])
def test_about_one_quiet_series_in_a_hundred_raises_an_alarm_at_one_percent(weeks, noise):
    """At most 2% of all series, also where counts are clumpy and the season rises; measured rates are in benchmarks/alarms.md."""
    runs = 5
    found = sum(int((alarms([panel_of(_drawn(run, weeks, noise))]).table["class"] == "alarm").sum()) for run in range(runs))
    assert found <= 0.02 * PLACES * runs


@pytest.mark.parametrize("weeks", [86, 161])
def test_a_fourfold_week_is_found(weeks):
    counts = _drawn(99, weeks, "phi 2, 1")
    counts[:20, -1] = np.random.default_rng(45).poisson(4 * 6, 20)
    counts[:20, :-1] = quiet(np.random.default_rng(46), np.full(20, 6.0), weeks - 1)
    table = alarms([panel_of(counts)]).table
    assert (table["class"][:20] == "alarm").sum() >= 17
    assert (table["q"][:20] <= 0.05).sum() >= 15
