"""Knox test and near-repeat table: whether reports follow one another in the same place more than chance has it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from cloudmap.analytics.close_pairs import INSTANT_DAYS, close_pairs
from cloudmap.analytics.suitable import suitable_limit, suitable_points, suitable_values
from cloudmap.analytics.threads import threads_n
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Knox(NamedTuple):
    """Pairs close in both space and time, those expected were space and time unrelated, and the Poisson p."""

    observed: int
    expected: float
    p_poisson: float


class NearRepeat(NamedTuple):
    """Pairs by band of distance (rows) and of time (columns); the last of each is open. p is NaN without replicates."""

    observed: Ints
    expected: Floats
    ratio: Floats
    p: Floats


def knox(xy_m: npt.ArrayLike, t_days: npt.ArrayLike, *, distance_m: float, days: float) -> Knox:
    """Count the pairs of reports that are close in space and in time.

    Parameters
    ----------
    xy_m : array_like of shape (n, 2)
        Projected coordinates, metres.
    t_days : array_like of shape (n,)
        Times, days.
    distance_m, days : float
        A pair is close when it is at most this far apart.

    Returns
    -------
    Knox
        observed, expected = (pairs close in space) x (pairs close in time) / (all pairs), p_poisson = P(X > observed) of a Poisson count
        with that mean.

    Raises
    ------
    AnalysisError
        Missing coordinates or times, fewer than three reports, limits that are not positive, or more close pairs than memory holds.

    Notes
    -----
    The Poisson p is strict (X > observed), as R's ``surveillance::knox`` has it, and takes pairs as independent, which they are not: use
    the replicates of `near_repeat` for decisions.

    References
    ----------
    Knox (1964), doi:10.2307/2985220.

    Examples
    --------
    >>> knox([[0, 0], [50, 0], [60, 0], [900, 0]], [0, 2, 30, 31], distance_m=100, days=7).observed
    1
    """
    points, times = _reports(xy_m, t_days)
    pairs = points.shape[0] * (points.shape[0] - 1) / 2
    close = close_pairs(points, np.array([suitable_limit(distance_m, "distance_m")]))
    limit = np.array([suitable_limit(days, "days")])
    observed = int(close.table(times, limit)[0, 0])
    expected = close.band.size * float(_pairs_within(times, limit)[0]) / pairs
    return Knox(observed, expected, float(stats.poisson.sf(observed, expected)))


def near_repeat(
    xy_m: npt.ArrayLike,
    t_days: npt.ArrayLike,
    *,
    distances_m: Sequence[float],
    days: Sequence[float],
    replicates: int = 0,
    rng: np.random.Generator | None = None,
) -> NearRepeat:
    """Tabulate pairs of reports by how far they are apart in space and in time.

    Parameters
    ----------
    xy_m : array_like of shape (n, 2)
        Projected coordinates, metres.
    t_days : array_like of shape (n,)
        Times, days.
    distances_m, days : sequence of float
        Upper ends of the bands, included; increasing. A last open band is added to each.
    replicates : int, default 0
        Permutations of the times for p.
    rng : numpy Generator, optional
        Source of the permutations; needed where there are any.

    Returns
    -------
    NearRepeat
        observed, expected, ratio, p: shape (number of distances + 1, number of days + 1). p = (1 + permutations with at least as many
        pairs) / (1 + permutations); NaN in the open distance band, which is not permuted.

    Raises
    ------
    AnalysisError
        Missing coordinates or times, fewer than three reports, bands that do not increase, replicates without `rng`, or more close pairs
        than memory holds.

    References
    ----------
    Johnson et al. (2007), doi:10.1007/s10940-007-9025-3.

    Examples
    --------
    >>> table = near_repeat([[0, 0], [50, 0], [60, 0], [900, 0]], [0, 2, 30, 31], distances_m=[100], days=[7])
    >>> table.observed.tolist(), table.expected.tolist()
    ([[1, 2], [1, 2]], [[1.0, 2.0], [1.0, 2.0]])
    """
    points, times = _reports(xy_m, t_days)
    far, late = _bands(distances_m, "distances_m"), _bands(days, "days")
    if replicates < 0 or (replicates and rng is None):
        raise AnalysisError("replicates need a number above 0 and rng=numpy.random.default_rng(seed), so that p can be repeated")
    pairs = points.shape[0] * (points.shape[0] - 1) // 2
    in_time = np.diff(np.concatenate([[0], _pairs_within(times, late), [pairs]]))
    close = close_pairs(points, far)
    in_space = np.append(np.bincount(close.band, minlength=far.size), pairs - close.band.size)
    near = close.table(times, late)
    observed = np.vstack([near, in_time - near.sum(axis=0)])
    expected = in_space[:, None] * in_time / pairs
    p = np.full(observed.shape, np.nan)
    if replicates and rng is not None:
        with ThreadPoolExecutor(threads_n()) as pool:
            tables = pool.map(lambda child: close.table(child.permutation(times), late) >= near, rng.spawn(replicates))
            p[:-1] = (1 + sum(table.astype(np.int64) for table in tables)) / (1 + replicates)
    ratio = np.divide(observed, expected, out=np.full(observed.shape, np.nan), where=expected > 0)
    return NearRepeat(observed, expected, ratio, p)


def _reports(xy_m: npt.ArrayLike, t_days: npt.ArrayLike) -> tuple[Floats, Floats]:
    points = suitable_points(xy_m, least=3, what="report")
    times = suitable_values(t_days, what="time", negative=True)
    if times.size != points.shape[0]:
        raise AnalysisError(f"{times.size} times for {points.shape[0]} reports; give one time a report")
    return points, times


def _bands(ends: Sequence[float], name: str) -> Floats:
    limits = np.asarray(ends, dtype=np.float64)
    if limits.ndim != 1 or limits.size == 0 or not np.isfinite(limits).all() or limits[0] <= 0 or (np.diff(limits) <= 0).any():
        raise AnalysisError(f"{name} = {list(ends)!r} must be positive and increasing")
    return limits


def _pairs_within(times: Floats, days: Floats) -> Ints:
    """Count the pairs at most so many days apart, for each of some limits."""
    ordered = np.sort(times)
    place = np.arange(ordered.size)
    return np.array(
        [int((np.searchsorted(ordered, ordered + limit + INSTANT_DAYS, side="right") - place - 1).sum()) for limit in days], dtype=np.int64
    )
