"""How much more counts vary than Poisson counts would, learnt from their own past once the common course is taken out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PRIOR_FREEDOM = 20.0
"""Weight, in degrees of freedom, of the places together when one place's own noise is judged."""

_ROUNDS = 12


class Noise(NamedTuple):
    """Variance over mean of each place's counts (at least 1), and the two numbers of the curve that places share: floor + growth x mean."""

    phi: Floats
    floor: float
    growth: float


def fit_noise(blocks: npt.ArrayLike) -> Noise:
    """Estimate the dispersion of counts of many places over many equal spans of time.

    Parameters
    ----------
    blocks : array_like of shape (n, k)
        Counts of n places in k spans of one length; spans need not touch.

    Returns
    -------
    Noise
        phi: shape (n,), holds for counts over any number of such spans.

    Raises
    ------
    AnalysisError
        Fewer than four spans.

    Notes
    -----
    A place's expected count is its own total x the span's total over all (one place alone: its mean), so that what happens to all places
    alike is no noise. Squared residuals, less the freedom that fitting takes, are regressed on floor x mean + growth x mean^2 (weights:
    the inverse of their own variance): floor above 1 is clumping of a size of its own, growth that of a negative binomial. A place that
    varies more than the curve says has its own factor, drawn towards 1 by `_PRIOR_FREEDOM`; one that varies less keeps the curve. Single
    residuals count up to six deviations and three, so that a change long past does not blind the place for ever.
    """
    y = np.asarray(blocks, dtype=np.float64)
    if y.ndim != 2 or y.shape[1] < 4:
        raise AnalysisError(f"noise needs counts of at least four spans of time, got shape {y.shape}; take shorter spans or wait")
    total = y.sum()
    if total == 0:
        return Noise(np.ones(len(y)), 1.0, 0.0)
    by_place, by_span = y.sum(axis=1), y.sum(axis=0)
    if len(y) == 1:
        expected, left = np.full_like(y, y.mean()), np.full_like(y, 1 - 1 / y.shape[1])
    else:
        expected = np.outer(by_place, by_span) / total
        left = np.outer(1 - by_place / total, 1 - by_span / total)
    used = (expected > 0) & (left > 1e-6)
    mean, squared, whole = expected[used], (y[used] - expected[used]) ** 2, left[used]
    floor, growth = 1.0, 0.0
    for _ in range(_ROUNDS):
        variance = floor * mean + growth * mean**2
        capped = np.minimum(squared / whole, (3 + 6 * np.sqrt(variance)) ** 2)
        floor, growth = _curve(mean, capped, variance)
    curve = floor * expected + growth * expected**2
    capped = np.minimum((y - expected) ** 2 / np.where(used, left, 1.0), (3 + 6 * np.sqrt(curve)) ** 2)
    standard = np.where(used, capped / np.where(used, curve, 1.0), 0.0)
    freedom = used.sum(axis=1) * (1 - 1 / y.shape[1])
    own = standard.sum(axis=1) * (1 - 1 / y.shape[1])
    factor = np.maximum((own + _PRIOR_FREEDOM) / (freedom + _PRIOR_FREEDOM), 1.0)
    return Noise(np.maximum(factor * (floor + growth * by_place / y.shape[1]), 1.0), floor, growth)


def _curve(mean: Floats, squared: Floats, variance: Floats) -> tuple[float, float]:
    """Regress squared residuals on floor x mean + growth x mean^2, floor at least 1, growth at least 0."""
    weight = 1 / (variance**2 * (2 + 1 / variance))
    aa, ab, bb = (float((weight * mean**power).sum()) for power in (2, 3, 4))
    ay, by = float((weight * mean * squared).sum()), float((weight * mean**2 * squared).sum())
    determinant = aa * bb - ab**2
    if determinant > 1e-9 * aa * bb:
        floor, growth = (ay * bb - by * ab) / determinant, (by * aa - ay * ab) / determinant
        if floor >= 1 and growth >= 0:
            return floor, growth
    only_growth = max((by - ab) / bb, 0.0)
    only_floor = max(ay / aa, 1.0)
    options = [(1.0, only_growth), (only_floor, 0.0)]
    misfit = [float((weight * (squared - floor * mean - growth * mean**2) ** 2).sum()) for floor, growth in options]
    return options[int(np.argmin(misfit))]
