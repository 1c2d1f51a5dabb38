"""Temporal alarms: whether a period's count is more than its own past leads one to expect."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from cloudmap.analytics.past import Prediction, predict_flexible, predict_windows
from cloudmap.analytics.suitable import suitable_values
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BASELINE = 7
"""Periods that EARS looks back over."""


class Alarms(NamedTuple):
    """Upper bound of each period (NaN where there is none) and whether its count exceeds it."""

    upper: Floats
    alarm: npt.NDArray[np.bool_]


def ears(counts: npt.ArrayLike, *, method: Literal["C1", "C2", "C3"] = "C2", alpha: float = 0.001, least_sigma: float = 0.0) -> Alarms:
    """Compare each period with the seven before it: for series too short for `farrington_flexible`.

    Parameters
    ----------
    counts : array_like of shape (t,)
        Counts, oldest first.
    method : {"C1", "C2", "C3"}, default "C2"
        C1: the seven periods before; C2: the same two periods earlier, so that a growing outbreak does not hide itself; C3: C2's excesses
        over three periods.
    alpha : float, default 0.001
        One-sided level.
    least_sigma : float, default 0
        Smallest standard deviation; 0.5 keeps a lone report after seven empty periods from raising an alarm.

    Returns
    -------
    Alarms
        upper, alarm: shape (t,). The first 7 (C1), 9 (C2), 11 (C3) periods have no bound.

    Raises
    ------
    AnalysisError
        Missing or negative counts, too few periods, an unknown method, alpha outside 0 to 0.5.

    Notes
    -----
    The bound is mean + z sd of the baseline. Where C3's baseline does not vary (sd 0, unless `least_sigma`) its bound is not defined.

    References
    ----------
    Hutwagner et al. (2003), doi:10.1007/PL00022319; Fricker, Hegler and Dunfee (2008), doi:10.1002/sim.3197.

    Examples
    --------
    >>> found = ears([2, 3, 1, 2, 4, 2, 3, 2, 3, 2, 12], method="C2")
    >>> found.alarm.tolist()[-1], round(float(found.upper[-1]), 2)
    (True, 5.44)
    """
    if method not in ("C1", "C2", "C3"):
        raise AnalysisError(f"EARS method {method!r} is unknown; use 'C1', 'C2' or 'C3'")
    lag = {"C1": 0, "C2": 2, "C3": 2}[method]
    first = _BASELINE + {"C1": 0, "C2": 2, "C3": 4}[method]
    series = _series(counts, least=first + 1, alpha=alpha)
    if not least_sigma >= 0:
        raise AnalysisError(f"least_sigma = {least_sigma!r} must be 0 or more")
    z = stats.norm.isf(alpha)
    mean, sigma = np.full(series.size, np.nan), np.full(series.size, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(series[: series.size - lag - 1], _BASELINE)
    mean[_BASELINE + lag :] = windows.mean(axis=1)
    sigma[_BASELINE + lag :] = np.maximum(windows.std(axis=1, ddof=1), least_sigma)
    upper = mean + z * sigma
    if method == "C3":
        with np.errstate(divide="ignore", invalid="ignore"):
            excess = np.maximum(0.0, (series - mean) / sigma - 1)
            bound = series[2:] + sigma[2:] * (z - excess[:-2] - excess[1:-1])
        upper[2:] = np.maximum(bound, 0.0)
        upper[:first] = np.nan
    return Alarms(upper, np.greater(series, upper))


def farrington_flexible(
    counts: npt.ArrayLike, *, start: int, period: int = 52, b: int = 3, w: int = 3, alpha: float = 0.01, least_n: int = 0
) -> Alarms:
    """Compare each period with the same season of earlier years, trend and past outbreaks allowed for (Noufaily's method).

    Parameters
    ----------
    counts : array_like of shape (t,)
        Whole counts, oldest first.
    start : int
        First period to judge, counted from 0; needs `b` years and `w` periods before it.
    period : int, default 52
        Periods in a year.
    b : int, default 3
        Years to look back over.
    w : int, default 3
        Half width of the window about the same period of each year.
    alpha : float, default 0.01
        One-sided level.
    least_n : int, default 0
        No alarm where the four periods up to this one hold fewer counts (5 is customary for single places).

    Returns
    -------
    Alarms
        upper, alarm: shape (t - start,). upper is NaN where the model cannot be fitted or counts are fewer than `least_n`.

    Raises
    ------
    AnalysisError
        Missing, negative or fractional counts, too short a past, settings out of range.

    Notes
    -----
    A quasi-Poisson regression on a linear trend and ten seasonal groups (the window about the season, and nine between windows) is fitted
    to the past `b` years without the last half year, then again with past outbreaks (standardised Anscombe residuals above 2.58)
    weighted down. The trend is dropped with fewer than three years or where it would predict more than was ever seen. The bound is the
    1 - alpha quantile of a negative binomial with the predicted mean and the fitted dispersion.

    References
    ----------
    Noufaily et al. (2013), doi:10.1002/sim.5595; Salmon, Schumacher and Höhle (2016), doi:10.18637/jss.v070.i10.

    Examples
    --------
    >>> import numpy as np
    >>> past = np.random.default_rng(1).poisson(4, 160)
    >>> farrington_flexible([*past, 30], start=160).alarm.tolist()
    [True]
    """
    series = _series(counts, least=1, alpha=alpha)
    if not np.array_equal(series, np.rint(series)):
        raise AnalysisError("farrington_flexible needs whole counts; severity weights and rates have no such bound (use counts of matters)")
    _check_past(series.size, start=start, period=period, b=b, w=w)
    if period < 2 * w + 10:
        raise AnalysisError(f"period = {period} leaves no room for nine seasonal groups beside windows of {2 * w + 1}; lower w")
    upper = np.full(series.size - start, np.nan)
    for at in range(start, series.size):
        if series[max(0, at - 3) : at + 1].sum() < least_n:
            continue
        predicted = predict_flexible(series, at, period=period, b=b, w=w)
        if predicted is not None:
            upper[at - start] = _negative_binomial_bound(predicted, alpha)
    observed = series[start:]
    return Alarms(upper, np.greater(observed, upper) & (observed > 0))


def farrington(counts: npt.ArrayLike, *, start: int, period: int = 52, b: int = 3, w: int = 3, alpha: float = 0.01) -> Alarms:
    """Compare each period with the same weeks of earlier years (the original method, for parity with other software).

    Parameters
    ----------
    counts, start, period, b, w
        As `farrington_flexible`.
    alpha : float, default 0.01
        **Two-sided** level, as in R's surveillance: the bound is the 1 - alpha / 2 quantile.

    Returns
    -------
    Alarms
        upper, alarm: shape (t - start,).

    Raises
    ------
    AnalysisError
        As `farrington_flexible`.

    References
    ----------
    Farrington et al. (1996), doi:10.2307/2983331.
    """
    series = _series(counts, least=1, alpha=alpha)
    _check_past(series.size, start=start, period=period, b=b, w=w)
    upper = np.full(series.size - start, np.nan)
    for at in range(start, series.size):
        predicted = predict_windows(series, at, period=period, b=b, w=w)
        if predicted is not None:
            upper[at - start] = farrington_bounds(predicted.mean, predicted.mean_error, predicted.dispersion, alpha=alpha)[1]
    return Alarms(upper, np.greater(series[start:], upper))


def farrington_bounds(
    mean: float, mean_error: float, dispersion: float, *, alpha: float, power: Literal["none", "two_thirds"] = "two_thirds"
) -> tuple[float, float]:
    """Bound the next count, given what a regression predicts for it.

    Parameters
    ----------
    mean : float
        Predicted count, above 0.
    mean_error : float
        Its standard error.
    dispersion : float
        Variance over mean, at least 1.
    alpha : float
        Two-sided level.
    power : {"none", "two_thirds"}, default "two_thirds"
        Transformation that makes small counts symmetric.

    Returns
    -------
    tuple of float
        Lower bound (0 where there is none) and upper bound.

    References
    ----------
    Farrington et al. (1996), doi:10.2307/2983331.
    """
    spread = dispersion + mean_error**2 / mean
    exponent, error = (2 / 3, np.sqrt(4 / 9 * mean ** (1 / 3) * spread)) if power == "two_thirds" else (1.0, np.sqrt(mean * spread))
    reach = stats.norm.isf(alpha / 2) * error
    lower = max(mean**exponent - reach, 0.0) ** (1 / exponent)
    return float(lower), float((mean**exponent + reach) ** (1 / exponent))


def _negative_binomial_bound(predicted: Prediction, alpha: float) -> float:
    if predicted.dispersion > 1:
        size = predicted.mean / (predicted.dispersion - 1)
        return float(stats.nbinom.ppf(1 - alpha, size, 1 / predicted.dispersion))
    return float(stats.poisson.ppf(1 - alpha, predicted.mean))


def _series(counts: npt.ArrayLike, *, least: int, alpha: float) -> Floats:
    series = np.asarray(counts, dtype=np.float64)
    if series.ndim != 1 or series.size < least:
        raise AnalysisError(f"this alarm needs a series of at least {least} periods, got shape {series.shape}; take shorter steps or wait")
    series = suitable_values(series, what="count", least=1)
    if not 0 < alpha < 0.5:
        raise AnalysisError(f"alpha = {alpha!r} must lie between 0 and 0.5")
    return series


def _check_past(periods_n: int, *, start: int, period: int, b: int, w: int) -> None:
    if period < 1 or b < 1 or w < 0:
        raise AnalysisError(f"period = {period}, b = {b}, w = {w}: a year has periods, the past has years, and no window is negative")
    needed = period * b + w
    if not needed <= start < periods_n:
        raise AnalysisError(
            f"start = {start} of {periods_n} periods: {b} years back and {w} periods about them need a start between {needed} and "
            f"{periods_n - 1}; with a shorter past use ears"
        )
