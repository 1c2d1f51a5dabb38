"""Knox test and near-repeat table: whether reports follow one another in the same place more than chance has it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from scipy import stats

from cloudmap.analytics.suitable import suitable_limit, suitable_points, suitable_values
from cloudmap.analytics.threads import threads_n
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_INSTANT = 1e-9
"""Days added to limits, so that a pair exactly at one is counted alike by differences and by sums of rounded times."""

MOST_PAIRS = 60_000_000
"""Pairs of reports that are kept, at five bytes each."""

_MOST_BANDS = 255
"""Bands are numbered by a byte."""

_MOST_SQUARES = 2000
"""Squares of the search grid along each side."""


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


class ClosePairs(NamedTuple):
    """Pairs of reports close in space: `other[start[i] : start[i + 1]]` are the later ones near report i, `band` how far they are."""

    start: Ints
    other: npt.NDArray[np.int32]
    band: npt.NDArray[np.uint8]
    bands_n: int

    def table(self, times: Floats, late: Floats) -> Ints:
        """Count the pairs by band of distance and of time, shape (bands, limits + 1)."""
        counts: Ints = _tabulate(self.start, self.other, self.band, self.bands_n, times, late + _INSTANT)
        return counts


def close_pairs(points: Floats, far: Floats) -> ClosePairs:
    """Find the pairs at most as far apart as the last of some limits, at five bytes a pair.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Projected coordinates, metres.
    far : ndarray
        Upper ends of the bands of distance, included; increasing.

    Returns
    -------
    ClosePairs

    Raises
    ------
    AnalysisError
        More pairs than memory holds, or more bands than a byte numbers.
    """
    if far.size > _MOST_BANDS:
        raise AnalysisError(f"{far.size} bands of distance are more than {_MOST_BANDS}; give fewer")
    order, first = _by_square(points, far[-1])
    start: Ints = np.concatenate([[0], np.cumsum(_count_near(points, order, first, far[-1]))])
    if start[-1] > MOST_PAIRS:
        raise AnalysisError(
            f"{start[-1]} pairs of reports lie within {far[-1]:g} m of one another, more than {MOST_PAIRS}; "
            "take one category, one year or a smaller distance"
        )
    other, band = np.empty(start[-1], dtype=np.int32), np.empty(start[-1], dtype=np.uint8)
    _fill_near(points, order, first, far, start, other, band)
    return ClosePairs(start, other, band, far.size)


def count_close(points: Floats, distance_m: float) -> int:
    """Count the pairs at most so far apart, without keeping them."""
    order, first = _by_square(points, distance_m)
    return int(_count_near(points, order, first, distance_m).sum())


def _by_square(points: Floats, side_m: float) -> tuple[Ints, Ints]:
    """Order points by square of a grid, and tell for each square (rows, columns, with an empty margin) where it begins in that order."""
    side = max(side_m, float(np.ptp(points, axis=0).max()) / _MOST_SQUARES) * (1 + 1e-9)
    square = ((points - points.min(axis=0)) // side).astype(np.int64) + 1
    columns, rows = square.max(axis=0) + 2
    number = square[:, 1] * columns + square[:, 0]
    first = np.searchsorted(np.sort(number), np.arange(rows * columns + 1)).astype(np.int64)
    grid = np.concatenate([[columns], first])
    return np.argsort(number, kind="stable"), grid


def _pairs_within(times: Floats, days: Floats) -> Ints:
    """Count the pairs at most so many days apart, for each of some limits."""
    ordered = np.sort(times)
    place = np.arange(ordered.size)
    return np.array(
        [int((np.searchsorted(ordered, ordered + limit + _INSTANT, side="right") - place - 1).sum()) for limit in days], dtype=np.int64
    )


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _count_near(points: Floats, order: Ints, grid: Ints, distance_m: float) -> Ints:
    """Count, for each report, the reports of a larger number within a distance."""
    columns, first = grid[0], grid[1:]
    counts = np.zeros(points.shape[0], dtype=np.int64)
    for square in range(columns, first.size - 1 - columns):
        for at in range(first[square], first[square + 1]):
            one = order[at]
            for row in range(-1, 2):
                low = square + row * columns - 1
                for near in range(first[low], first[low + 3]):
                    other = order[near]
                    if other > one and np.hypot(points[one, 0] - points[other, 0], points[one, 1] - points[other, 1]) <= distance_m:
                        counts[one] += 1
    return counts


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _fill_near(points: Floats, order: Ints, grid: Ints, far: Floats, start: Ints, others: npt.NDArray[np.int32],
               bands: npt.NDArray[np.uint8]) -> None:  # fmt: skip
    """List what `_count_near` counts, with the band of each distance."""
    columns, first = grid[0], grid[1:]
    for square in range(columns, first.size - 1 - columns):
        for at in range(first[square], first[square + 1]):
            one = order[at]
            to = start[one]
            for row in range(-1, 2):
                low = square + row * columns - 1
                for near in range(first[low], first[low + 3]):
                    other = order[near]
                    if other <= one:
                        continue
                    distance = np.hypot(points[one, 0] - points[other, 0], points[one, 1] - points[other, 1])
                    if distance <= far[-1]:
                        others[to] = other
                        bands[to] = np.searchsorted(far, distance)
                        to += 1


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _tabulate(start: Ints, others: npt.NDArray[np.int32], bands: npt.NDArray[np.uint8], bands_n: int, times: Floats,
              late: Floats) -> Ints:  # fmt: skip
    counts = np.zeros((bands_n, late.size + 1), dtype=np.int64)
    for one in range(start.size - 1):
        time = times[one]
        for at in range(start[one], start[one + 1]):
            gap = abs(time - times[others[at]])
            column = 0
            for limit in late:
                column += gap > limit
            counts[bands[at], column] += 1
    return counts
