"""Simulated maps: hexagonal cells, noise of six kinds, exposure and effort that vary smoothly, planted disks, and intervals for shares."""

from datetime import date
from functools import cache
from typing import NamedTuple

import h3
import numpy as np
from scipy import stats

from cloudmap.analytics.panel import Panel
from cloudmap.geo.weights import neighbours

NOISES = {
    "Poisson .02": (0.02, None),
    "Poisson .2": (0.2, None),
    "Poisson 2": (2.0, None),
    "NB .02 r .1": (0.02, 0.1),
    "NB .2 r .1": (0.2, 0.1),
    "NB 2 r .5": (2.0, 0.5),
}
"""Name: mean count of a cell, and size of the negative binomial (None: Poisson)."""


class Ground(NamedTuple):
    """Cells and their neighbours; the first seven cells are the disk in the middle."""

    n: int
    w: object
    degree: np.ndarray


@cache
def ground(k):
    """All cells within k rings of one: 3 k (k + 1) + 1."""
    cells = list(h3.grid_disk(h3.latlng_to_cell(28.58, 121.37, 9), k))
    middle = h3.latlng_to_cell(28.58, 121.37, 9)
    cells.sort(key=lambda cell: (h3.grid_distance(middle, cell), cell))
    w = neighbours(cells)
    return Ground(len(cells), w, np.asarray(w.sum(axis=1)).ravel())


def draw(rng, mean, size):
    """Counts with these means: Poisson, or negative binomial of one size."""
    mean = np.asarray(mean, dtype=float)
    return rng.poisson(mean) if size is None else rng.negative_binomial(size, size / (size + mean))


def smooth(rng, place, spread, steps=12):
    """A lognormal surface of mean 1 in which neighbours resemble each other; `spread` is the deviation of its logarithm."""
    field = rng.normal(size=place.n)
    for _ in range(steps):
        field = (field + place.w @ field) / (1 + place.degree)
    surface = np.exp(spread * (field - field.mean()) / field.std())
    return surface / surface.mean()


def exposed(rng, place, mean, size, kind):
    """Counts and the exposure that the test is given. Risk is the same everywhere; `kind` says how the world departs from the model."""
    exposure = smooth(rng, place, 1.0)
    expected, given = mean * exposure, exposure
    if kind == "zero inflation":
        return draw(rng, expected / 0.7, size) * (rng.random(place.n) < 0.7), given
    if kind == "correlated effort":
        expected = expected * smooth(rng, place, 0.3)
    elif kind == "wrong exposure":
        given = exposure * rng.uniform(0.7, 1.3, place.n)
    elif kind == "smoothly wrong exposure":
        given = exposure * np.clip(1 + 0.15 * np.log(smooth(rng, place, 1.0)), 0.7, 1.3)
    elif kind != "own":
        raise ValueError(kind)
    return draw(rng, expected, size), given


def exposed_weeks(rng, place, mean, size, kind, weeks):
    """Counts of places by weeks and the exposure that the test is given; what departs from the model lasts through all weeks."""
    exposure = smooth(rng, place, 1.0)
    expected, given = mean * exposure[:, None] * np.ones(weeks), exposure
    if kind == "zero inflation":
        return draw(rng, expected / 0.7, size) * (rng.random((place.n, weeks)) < 0.7), given
    if kind == "wrong exposure":
        given = exposure * rng.uniform(0.7, 1.3, place.n)
    elif kind == "counted exposure":
        given = rng.poisson(40 * exposure).astype(float)
    elif kind != "own":
        raise ValueError(kind)
    return draw(rng, expected, size), given


def interval(hits, runs, level=0.95):
    """Clopper-Pearson interval of a share."""
    tail = (1 - level) / 2
    low = stats.beta.ppf(tail, hits, runs - hits + 1) if hits else 0.0
    high = stats.beta.ppf(1 - tail, hits + 1, runs - hits) if hits < runs else 1.0
    return float(low), float(high)


def may_be(share, hits, runs):
    """Whether so many hits in so many runs are what a share of at most this would give (99.9%)."""
    return interval(hits, runs, 0.998)[0] <= share


def panel_of(place, counts, exposure=None, kind="none", regime_from=0):
    """Counts of cells and weeks as the panel that a cube would give."""
    n, weeks = counts.shape
    return Panel(
        layer="cell_9",
        category="ALL",
        places=tuple(f"{at:05d}" for at in range(n)),
        first_week_on=date(2018, 1, 1),
        counts=counts,
        xy_m=np.zeros((n, 2)),
        area_m2=np.full(n, 85_630.0),
        weights=place.w,
        exposure=exposure,
        exposure_kind=kind,
        regime_from=regime_from,
        complete=np.ones(weeks, dtype=bool),
    )
