"""How much more counts vary than Poisson counts would, learnt from their own past once the common course is taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]

_PRIOR_FREEDOM = 20.0
"""Weight, in degrees of freedom, of the places together when one place's own noise is judged."""

_DOUBT = 0.82
"""Drop of the log likelihood at the upper end of a one-sided 90% interval."""

_LEAST = 1e-4
"""Floor above 1, and growth, that stand for none."""


class Noise(NamedTuple):
    """Variance over mean of each place's counts (at least 1), and the two numbers of the curve that places share: floor + growth x mean."""

    phi: Floats
    floor: float
    growth: float

    def looseness(self, total: npt.ArrayLike, spans: float) -> Floats:
        """Return 1 / concentration of the share that a place's total has in some of its spans (`conditional.tails` takes its inverse).

        Parameters
        ----------
        total : array_like of shape (n,)
            Counts of the places over all spans compared.
        spans : float
            How many spans of the fit's length these are.

        Returns
        -------
        ndarray of shape (n,)
            What the fitted curve says of a total like this, or the place's own noise, whichever is more: a total that is large because of
            one clump must not pass for a place with many reports.
        """
        whole = np.maximum(np.asarray(total, dtype=np.float64), 1.0)
        return np.asarray(np.maximum((self.phi - 1) / whole, (self.floor - 1) / whole + self.growth / spans), dtype=np.float64)


def fit_noise(spans: npt.ArrayLike) -> Noise:
    """Estimate the dispersion of counts of many places over many equal spans of time.

    Parameters
    ----------
    spans : array_like of shape (n, k)
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
    Given a place's total N, its counts are Dirichlet-multinomial about the course that all places share (one place alone: about its mean),
    so that what happens everywhere is no noise. The concentration 1 / ((floor - 1) / N + growth / k) stands for variance (floor + growth x
    mean) x mean; both numbers are fitted by maximum likelihood over all places, and raised to the upper end of what the likelihood
    believes (90%, one-sided), since too little noise makes false claims. Being conditional, the likelihood knows that a place with
    a single report tells nothing; regressions of squared residuals take it for a sign of calm, and find too little noise where counts are
    sparse and come in clumps. A place that varies more than the curve says has its own factor, drawn towards 1 by `_PRIOR_FREEDOM`; one
    that varies less keeps the curve. For the factor a residual counts up to six deviations and three, so that a change long past does not
    blind the place for ever.

    References
    ----------
    Mosimann (1962), doi:10.1093/biomet/49.1-2.65.

    Examples
    --------
    >>> fit_noise([[4, 5, 6, 4, 5, 6], [50, 48, 51, 52, 49, 50]]).phi.round(2).tolist()
    [1.19, 1.19]
    """
    y = np.asarray(spans, dtype=np.float64)
    if y.ndim != 2 or y.shape[1] < 4:
        raise AnalysisError(f"noise needs counts of at least four spans of time, got shape {y.shape}; take shorter spans or wait")
    total = y.sum()
    if total == 0:
        return Noise(np.ones(len(y)), 1.0, 0.0)
    by_place = y.sum(axis=1)
    course = y.sum(axis=0) / total if len(y) > 1 else np.full(y.shape[1], 1 / y.shape[1])
    floor, growth = _fit(y, by_place, course)
    phi = floor + growth * by_place / y.shape[1]
    return Noise(np.maximum(phi * _own_factor(y, by_place, course, phi), 1.0), floor, growth)


def _fit(y: Floats, by_place: Floats, course: Floats) -> tuple[float, float]:
    """Maximise the Dirichlet-multinomial likelihood over floor and growth."""
    place, span = np.nonzero(y)
    counts, share = y[place, span], course[span]
    used = by_place > 1
    k = y.shape[1]
    if not used.any():
        return 1.0, 0.0

    def loss(at: Floats) -> float:
        extra, growth = np.exp(at)
        firm = 1 / (extra / np.maximum(by_place, 1.0) + growth / k)
        part = firm[place] * share
        value = (special.gammaln(firm) - special.gammaln(by_place + firm))[used].sum()
        return -float(value + (special.gammaln(counts + part) - special.gammaln(part)).sum())

    def likelihood(extra: float, growth: float) -> float:
        return -loss(np.log(np.maximum([extra, growth], _LEAST)))

    low, high = float(np.log(_LEAST)), float(np.log(1e5))
    found = min((_climb(loss, one, low, high) for one in (0, 1)), key=lambda one: one[1])[0]
    extra, growth = (0.0 if value <= low + 0.1 else float(np.exp(value)) for value in found)
    raised = _raised(lambda factor: likelihood((1 + extra) * factor - 1, growth * factor))
    return (1 + extra) * raised, growth * raised


def _climb(loss: Callable[[Floats], float], one: int, low: float, high: float) -> tuple[Floats, float]:
    """Minimise over the logs of both numbers, from the best point at which only one of them is there: there may be two hollows."""
    at = np.full(2, low)

    def alone(value: float) -> float:
        at[one] = value
        return loss(at)

    at[one] = optimize.minimize_scalar(alone, bounds=(low, high), method="bounded", options={"xatol": 0.1}).x
    simplex = np.vstack([at, at, at])
    simplex[1, one] += 0.5
    simplex[2, 1 - one] = max(at[one] - 2.0, low + 1.0)  # a number at its least must leave it to be felt at all
    found = optimize.minimize(loss, at, method="Nelder-Mead", bounds=[(low, high)] * 2,
                              options={"xatol": 0.02, "fatol": 0.01, "initial_simplex": simplex})  # fmt: skip
    return np.asarray(found.x, dtype=np.float64), float(found.fun)


def _raised(likelihood: Callable[[float], float]) -> float:
    """Give the factor by which the noise may be larger than the best fit without being hard to believe: nearly 1 where data are many."""
    least = likelihood(1.0) - _DOUBT
    low, high = 0.0, np.log(20.0)
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (middle, high) if likelihood(float(np.exp(middle))) > least else (low, middle)
    return float(np.exp(low))


def _own_factor(y: Floats, by_place: Floats, course: Floats, phi: Floats) -> Floats:
    """Tell how much more each place varies than the curve says, at least 1."""
    expected = by_place[:, None] * course
    lone = len(y) == 1
    left = np.outer(1 - (0.0 if lone else by_place / by_place.sum()), 1 - course)
    used = (expected > 0) & (left > 1e-6)
    variance = np.where(used, expected * phi[:, None], 1.0)
    squared = np.minimum((y - expected) ** 2 / np.where(used, left, 1.0), (3 + 6 * np.sqrt(variance)) ** 2)
    own = np.where(used, squared / variance, 0.0).sum(axis=1)
    spared = 1 - 1 / y.shape[1]
    factor: Floats = (own * spared + _PRIOR_FREEDOM) / (used.sum(axis=1) * spared + _PRIOR_FREEDOM)
    return np.maximum(factor, 1.0)
