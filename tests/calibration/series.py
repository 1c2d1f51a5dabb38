"""Simulated panels: quiet counts of places and category groups over weeks, with season, noise of some size and unequal places."""

from datetime import date

import numpy as np
from scipy.sparse import csr_matrix

from cloudmap.analytics.panel import Panel

MONDAY = date(2018, 1, 1)


def panel_of(counts, *, category="DS", regime_from=0, complete=None, layer="unit_street", first_week_on=MONDAY):
    """Make a panel of an array of counts (places, weeks)."""
    counts = np.asarray(counts, dtype=np.int64)
    n, weeks = counts.shape
    return Panel(
        layer, category, tuple(f"P{at:04d}" for at in range(n)), first_week_on, counts, np.zeros((n, 2)), np.ones(n), csr_matrix((n, n)),
        None, "none", regime_from, np.ones(weeks, dtype=bool) if complete is None else np.asarray(complete, dtype=bool),
    )  # fmt: skip


def quiet(rng, mean, weeks, *, phi=1.0, size=None, amplitude=0.15, peak=0.0, city_noise=0.0):
    """Counts about means (n,) with a yearly season and week-to-week noise of the whole city; nothing changes.

    `phi`: variance over mean, or `size` of a negative binomial; `peak`: week of the year with most; `city_noise`: deviation of the log.
    """
    season = 1 + amplitude * np.cos(2 * np.pi * (np.arange(weeks) - peak) / 52.18)
    course = season * np.exp(city_noise * rng.normal(size=weeks) - city_noise**2 / 2)
    expected = np.asarray(mean, dtype=float)[:, None] * course
    if size is not None:
        return rng.negative_binomial(size, size / (size + expected))
    return rng.poisson(expected) if phi == 1 else rng.negative_binomial(expected / (phi - 1), 1 / phi)
