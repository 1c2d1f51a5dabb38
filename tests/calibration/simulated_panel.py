"""Simulated panels: hexagons on a metric plane, places of unequal weight, a city whose weeks go up and down, and planted clusters."""

from datetime import date

import numpy as np
from scipy.sparse import csr_matrix

from cloudmap.analytics.panel import Panel
from tests.calibration.simulated import draw, ground, smooth

SIDE_M = 300.0
"""Between the centres of neighbouring hexagons."""


def centres(rings):
    """Centres of all hexagons within so many rings, metres, from the middle outwards: the first seven are the disk in the middle."""
    at = np.array([(q, r) for q in range(-rings, rings + 1) for r in range(-rings, rings + 1) if abs(q + r) <= rings], dtype=float)
    xy = SIDE_M * np.column_stack([at[:, 0] + at[:, 1] / 2, at[:, 1] * np.sqrt(3) / 2])
    return xy[np.argsort(np.hypot(*xy.T).round(3), kind="stable")]


def panel(counts, xy, exposure=None, first_on=date(2017, 1, 2)):
    """A panel of one regime, all weeks of which are complete."""
    n, weeks = np.shape(counts)
    kind = "none" if exposure is None else "population"
    names = tuple(f"p{place:04d}" for place in range(n))
    return Panel("cell_9", "AP01", names, first_on, counts, xy, np.ones(n), csr_matrix((n, n)), exposure, kind, 0, np.ones(weeks, bool))


def simulate(rng, rings, weeks, mean, size, *, exposed, planted=None, lasting=0.0, slow=0.0, silent=0.0):
    """A panel in which nothing but chance, and what is planted, makes clusters.

    `mean` is of a place and week; `size` None is Poisson. `planted` is (risk, weeks): the seven hexagons in the middle, in the last weeks.
    Noise that no model of the scan knows: `lasting`, the deviation of a log factor that a place keeps over all weeks; `slow`, that of one
    that wanders (correlation 0.9 from week to week); `silent`, the share of counts that are lost (zero inflation).
    """
    xy, place = centres(rings), ground(rings)
    exposure = smooth(rng, place, 1.0)
    means = mean * np.outer(exposure, rng.lognormal(0, 0.2, weeks))
    means *= rng.lognormal(-(lasting**2) / 2, lasting, (place.n, 1))
    if slow:
        wave = rng.normal(size=(place.n, weeks))
        for week in range(1, weeks):
            wave[:, week] = 0.9 * wave[:, week - 1] + np.sqrt(1 - 0.9**2) * wave[:, week]
        means *= np.exp(slow * wave - slow**2 / 2)
    if planted:
        risk, last = planted
        means[:7, -last:] *= risk
    counts = draw(rng, means, size) * (rng.random(means.shape) >= silent)
    return panel(counts, xy, exposure if exposed else None)
