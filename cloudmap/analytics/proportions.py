"""Proportions of cases with intervals that hold for small numbers, and the difference of two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]


class Proportions(NamedTuple):
    """Shares (0-1) with their 95% (or other) intervals, all of shape (n,); NaN where nothing was counted."""

    value: Floats
    lower: Floats
    upper: Floats


def wilson(numerator: npt.ArrayLike, denominator: npt.ArrayLike, *, level: float = 0.95) -> Proportions:
    """Estimate proportions with Wilson's score interval.

    Parameters
    ----------
    numerator, denominator : int array of shape (n,)
        Cases with the property, and all cases.
    level : float, default 0.95
        Confidence.

    Returns
    -------
    Proportions

    Raises
    ------
    AnalysisError
        A numerator below zero or above its denominator.

    Notes
    -----
    With p = k / n and z the normal quantile: (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n).

    References
    ----------
    Wilson (1927), doi:10.1080/01621459.1927.10502953

    Examples
    --------
    >>> [round(float(one[0]), 4) for one in wilson([911], [972])]
    [0.9372, 0.9202, 0.9508]
    """
    k, n = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    if (k < 0).any() or (k > n).any():
        raise AnalysisError("a numerator is below zero or above its denominator; count both over the same cases")
    z = _quantile(level)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = k / n
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # Rounding must not put the estimate outside its own interval.
    return Proportions(p, np.minimum(np.maximum(middle - half, 0), p), np.maximum(np.minimum(middle + half, 1), p))


def difference(now: Proportions, before: Proportions) -> Proportions:
    """Return differences of independent proportions with Newcombe's interval, from the two intervals of `wilson`.

    References
    ----------
    Newcombe (1998), method 10, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I
    """
    gap = now.value - before.value
    below = np.hypot(now.value - now.lower, before.upper - before.value)
    above = np.hypot(now.upper - now.value, before.value - before.lower)
    return Proportions(gap, gap - below, gap + above)


def _quantile(level: float) -> float:
    from scipy.stats import norm

    if not 0 < level < 1:
        raise AnalysisError(f"level = {level}: give a confidence between 0 and 1, such as 0.95")
    return float(norm.ppf(0.5 + level / 2))
