"""How long cases stay in a stage, with those that are still in it: Kaplan-Meier, not the mean of the finished ones.

Leaving out what is not finished yet makes the slowest cases invisible just when they pile up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]


class Survival(NamedTuple):
    """Kaplan-Meier estimate, one entry per distinct time at which something ended.

    ``times`` ascend; ``at_risk_n`` and ``ended_n`` count cases; ``share`` is still there after the time; ``variance`` is Greenwood's sum of
    d / (n (n - d)), to be multiplied by share squared.
    """

    times: Floats
    at_risk_n: npt.NDArray[np.int64]
    ended_n: npt.NDArray[np.int64]
    share: Floats
    variance: Floats


class Median(NamedTuple):
    """Median time with its interval; infinite where the share never falls so far, NaN where there is no case."""

    value: float
    lower: float
    upper: float


def kaplan_meier(duration: npt.ArrayLike, ended: npt.ArrayLike) -> Survival:
    """Estimate the share of cases that are still there after each time.

    Parameters
    ----------
    duration : float array of shape (n,)
        Time until the end, or until now for those that go on; at least 0.
    ended : bool array of shape (n,)
        Whether it ended.

    Returns
    -------
    Survival

    Raises
    ------
    AnalysisError
        Durations are missing or below zero, or the shapes differ.

    References
    ----------
    Kaplan and Meier (1958), doi:10.1080/01621459.1958.10501452

    Examples
    --------
    >>> kaplan_meier([1, 2, 3, 4], [True, True, False, True]).share.round(3).tolist()
    [0.75, 0.5, 0.0]
    """
    time, done = np.asarray(duration, dtype=np.float64), np.asarray(ended, dtype=bool)
    if time.shape != done.shape or time.ndim != 1:
        raise AnalysisError(f"durations of shape {time.shape} and ends of shape {done.shape}; give one of each a case")
    if not (time >= 0).all():
        raise AnalysisError(f"{int((~(time >= 0)).sum())} duration(s) are missing or below zero; leave these cases out and count them")
    times, at = np.unique(time, return_inverse=True)
    left_n = np.bincount(at, minlength=len(times))
    ended_n = np.bincount(at, weights=done, minlength=len(times)).astype(np.int64)
    at_risk_n = len(time) - np.r_[0, np.cumsum(left_n)[:-1]] if len(times) else left_n
    own = ended_n > 0
    times, at_risk_n, ended_n = times[own], at_risk_n[own].astype(np.int64), ended_n[own]
    share = np.cumprod(1 - ended_n / at_risk_n)
    with np.errstate(divide="ignore"):
        variance = np.cumsum(ended_n / (at_risk_n * (at_risk_n - ended_n)))
    return Survival(times, at_risk_n, ended_n, share, variance)


def median(survival: Survival, *, level: float = 0.95) -> Median:
    """Return the median time with the interval of Brookmeyer and Crowley on the log-log scale.

    Parameters
    ----------
    survival : Survival
        From `kaplan_meier`.
    level : float, default 0.95
        Confidence.

    Returns
    -------
    Median
        An end that the data do not reach is infinite.

    Raises
    ------
    AnalysisError
        `level` is not between 0 and 1.

    References
    ----------
    Brookmeyer and Crowley (1982), doi:10.2307/2530286
    """
    from scipy.stats import norm

    if not 0 < level < 1:
        raise AnalysisError(f"level = {level}: give a confidence between 0 and 1, such as 0.95")
    if not len(survival.times):
        return Median(np.inf, np.inf, np.inf)
    z = float(norm.ppf(0.5 + level / 2))
    share = survival.share
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = z * np.sqrt(survival.variance) / np.abs(np.log(share))
        low, high = share ** np.exp(spread), share ** np.exp(-spread)
    # Where everything has ended the log-log scale has no value: both limits are zero, as the share is.
    low, high = np.where(share > 0, low, 0.0), np.where(share > 0, high, 0.0)
    return Median(_falls_to_half(survival.times, share), _falls_to_half(survival.times, low), _falls_to_half(survival.times, high))


def _falls_to_half(times: Floats, share: Floats) -> float:
    """Return the first time at which a curve is at one half or below; the middle of the step where it rests at one half exactly."""
    below = np.flatnonzero(share <= 0.5 + 1e-12)
    if not len(below):
        return np.inf
    first = int(below[0])
    if abs(share[first] - 0.5) < 1e-12 and first + 1 < len(times):
        return float(times[first] + times[first + 1]) / 2
    return float(times[first])
