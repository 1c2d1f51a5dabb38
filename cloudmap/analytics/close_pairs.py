"""Pairs of reports that are close in space, found on a grid and kept at five bytes each, and their table by distance and time."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

INSTANT_DAYS = 1e-9
"""Days added to limits, so that a pair exactly at one is counted alike by differences and by sums of rounded times."""

MOST_PAIRS = 60_000_000
"""Pairs of reports that are kept, at five bytes each."""

_MOST_BANDS = 255
"""Bands are numbered by a byte."""

_MOST_SQUARES = 2000
"""Squares of the search grid along each side."""


class ClosePairs(NamedTuple):
    """Pairs of reports close in space: `other[start[i] : start[i + 1]]` are the later ones near report i, `band` how far they are."""

    start: Ints
    other: npt.NDArray[np.int32]
    band: npt.NDArray[np.uint8]
    bands_n: int

    def table(self, times: Floats, late: Floats) -> Ints:
        """Count the pairs by band of distance and of time, shape (bands, limits + 1)."""
        counts: Ints = _tabulate(self.start, self.other, self.band, self.bands_n, times, late + INSTANT_DAYS)
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
