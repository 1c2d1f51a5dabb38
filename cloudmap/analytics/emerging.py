"""Emerging hotspots: the trend of a series, and the class of a place's history of hot and cold steps."""

from __future__ import annotations

from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt
from scipy import stats

from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CLASSES_DATED = "2024-11"
"""When the published wording was read that the classes follow; "sporadic" has changed over the years."""

_KINDS = ("new", "intensifying", "diminishing", "persistent", "consecutive", "oscillating", "sporadic", "historical")

NO_PATTERN = "no_pattern"

CLASSES = (*(f"{kind}_hot" for kind in _KINDS), *(f"{kind}_cold" for kind in _KINDS), NO_PATTERN)
"""The seventeen classes; within hot and cold in the order in which they are tested."""


class Trend(NamedTuple):
    """Mann-Kendall test and Sen slope: numbers for one series, arrays of shape (n,) for n series."""

    s: Floats
    var: Floats
    z: Floats
    p: Floats
    slope: Floats


def mann_kendall(x: npt.ArrayLike) -> Trend:
    """Test whether series rise or fall, by the signs of all their differences.

    Parameters
    ----------
    x : array_like of shape (t,) or (n, t)
        One series, or one a row; t is at least 3.

    Returns
    -------
    Trend
        s (rises less falls), var (corrected for ties), z (continuity corrected), p (two-sided), slope (Sen: median of all slopes, per
        step). Numpy scalars for one series. A series without change has z = 0 and p = 1.

    Raises
    ------
    AnalysisError
        Fewer than three periods, missing values, or neither one nor two dimensions.

    Notes
    -----
    The test takes the values of a series as independent: series of overlapping windows are not, and give false trends.

    References
    ----------
    Mann (1945), doi:10.2307/1907187; Kendall (1975), Rank Correlation Methods, Griffin; Sen (1968), doi:10.1080/01621459.1968.10480934.

    Examples
    --------
    >>> trend = mann_kendall([1, 3, 2, 5, 4, 6])
    >>> int(trend.s), round(float(trend.p), 3), float(trend.slope)
    (11, 0.06, 1.0)
    """
    from cloudmap.analytics.threads import over_rows
    from cloudmap.analytics.trends import kendall_sums, sen_slopes

    series = np.asarray(x, dtype=np.float64)
    if series.ndim not in (1, 2):
        raise AnalysisError(f"a trend needs one series (t,) or a table (n, t), got shape {series.shape}")
    table = np.ascontiguousarray(np.atleast_2d(series))
    if table.shape[1] < 3:
        raise AnalysisError(f"a trend needs at least three periods, got {table.shape[1]}; take shorter steps or a longer span")
    if not np.isfinite(table).all():
        raise AnalysisError(
            f"{int((~np.isfinite(table)).sum())} value(s) of the series are missing; leave these places out or shorten the span"
        )
    s, var, slope = np.empty(table.shape[0]), np.empty(table.shape[0]), np.empty(table.shape[0])

    def work(rows: slice) -> None:
        kendall_sums(table[rows], s[rows], var[rows])
        sen_slopes(table[rows], slope[rows])

    over_rows(work, table.shape[0])
    z = np.divide(s - np.sign(s), np.sqrt(var), out=np.zeros_like(s), where=var > 0)
    p = 2 * stats.norm.sf(np.abs(z))
    columns = (s, var, z, p, slope)
    return Trend(*(column[0] for column in columns)) if series.ndim == 1 else Trend(*columns)


@overload
def classify(hot: npt.ArrayLike, cold: npt.ArrayLike, trend: int) -> str: ...
@overload
def classify(hot: npt.ArrayLike, cold: npt.ArrayLike, trend: npt.NDArray[np.int64]) -> npt.NDArray[np.str_]: ...
def classify(hot: npt.ArrayLike, cold: npt.ArrayLike, trend: int | npt.NDArray[np.int64]) -> str | npt.NDArray[np.str_]:
    """Name the pattern of a place's hot and cold steps.

    Parameters
    ----------
    hot, cold : array_like of bool, shape (t,) or (n, t)
        Significant steps, oldest first; none is both.
    trend : int or ndarray of shape (n,)
        Significant trend of the place's statistic (z): -1 falls, 0 none, 1 rises. A falling z intensifies a cold spot.

    Returns
    -------
    str or ndarray of str, shape (n,)
        One of `CLASSES`.

    Raises
    ------
    AnalysisError
        One period only, shapes that differ, a step both hot and cold, or an unknown trend.

    Notes
    -----
    new: hot at the last step only. intensifying, diminishing, persistent: hot in at least 90% of steps, the last included; trend up, down,
    none. consecutive: one unbroken run of hot steps that reaches the last, under 90%. oscillating: hot at the last step, cold at some
    earlier one, under 90%. sporadic: hot at the last step, on and off, never cold, under 90%. historical: hot in at least 90%, not at the
    last. The rules overlap; the first that holds, in this order, names the place. Cold mirrors hot.

    References
    ----------
    ESRI, How Emerging Hot Spot Analysis works (the wording as of `CLASSES_DATED`).

    Examples
    --------
    >>> classify([False, False, True, True], [False] * 4, 0)
    'consecutive_hot'
    >>> classify([False, True, False, True], [True, False, False, False], 0)
    'oscillating_hot'
    """
    hots, colds, trends = _steps(hot, cold, trend)
    named = np.full(hots.shape[0], NO_PATTERN, dtype=f"<U{max(map(len, CLASSES))}")
    for side, steps, others, direction in (("hot", hots, colds, trends), ("cold", colds, hots, -trends)):
        for kind, holds in reversed(_rules(steps, others, direction)):
            named[holds & ((named == NO_PATTERN) | (kind != "historical"))] = f"{kind}_{side}"
    return str(named[0]) if np.ndim(hot) == 1 else named


def _rules(steps: Bools, others: Bools, direction: npt.NDArray[np.int64]) -> list[tuple[str, Bools]]:
    """Which rule holds for which place, in the order of precedence."""
    number = steps.shape[1]
    last, times = steps[:, -1], steps.sum(axis=1)
    mostly = 10 * times >= 9 * number
    run = np.where(steps.all(axis=1), number, np.argmin(steps[:, ::-1], axis=1))
    return [
        ("new", last & (times == 1)),
        ("intensifying", last & mostly & (direction == 1)),
        ("diminishing", last & mostly & (direction == -1)),
        ("persistent", last & mostly),
        ("consecutive", last & (run == times)),
        ("oscillating", last & others.any(axis=1)),
        ("sporadic", last),
        ("historical", mostly & ~last),
    ]


def _steps(hot: npt.ArrayLike, cold: npt.ArrayLike, trend: object) -> tuple[Bools, Bools, npt.NDArray[np.int64]]:
    hots, colds = np.atleast_2d(np.asarray(hot, dtype=bool)), np.atleast_2d(np.asarray(cold, dtype=bool))
    if hots.shape != colds.shape or hots.ndim != 2:
        raise AnalysisError(f"hot {np.shape(hot)} and cold {np.shape(cold)} must have one shape, (t,) or (n, t)")
    if hots.shape[1] < 2:
        raise AnalysisError(f"emerging classes need at least two periods, got {hots.shape[1]}; take shorter steps or a longer span")
    if (hots & colds).any():
        raise AnalysisError("a step is both hot and cold; test the two tails apart and keep the smaller p")
    trends = np.atleast_1d(np.asarray(trend))
    if trends.shape != (hots.shape[0],) or not np.isin(trends, (-1, 0, 1)).all():
        raise AnalysisError("trend must be -1, 0 or 1, one a place")
    return hots, colds, trends.astype(np.int64)
