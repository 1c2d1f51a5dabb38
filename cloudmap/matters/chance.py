"""How many other reports of a category chance alone would put near a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cloudmap.matters.pairs import CONTROL_SHARE, Floats, Ints, Limits, Pairs, Rows

POINT_M: Final = 1.0
"""Closer reports are at the same point: an address that many reports name, or the very same coordinates."""

_WEEK_H: Final = 84.0
_SEASON_H: Final = 684.0
"""Half widths of the spans that a category's rate is taken over: a burst of days, and its usual level."""
_DOUBT_N: Final = 2.0
"""Control pairs that the city's rate counts for, beside those that a place has itself."""
_ELSEWHERE_N: Final = 1000
"""Reports that a city is taken to have elsewhere, so that the first few of a store do not make their street look crowded."""
_RARE: Final = 0.5
"""Reports per season that a category which never happened is taken to have."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Times of all reports by category and source: how often each happens, when.

    ``keys`` are sorted hours, those of each category and source moved to a stretch of their own (``stretch_h`` long) that starts at
    ``start_h``; ``categories`` and ``sources`` are the names behind the numbers in `Rows`.
    """

    keys: Floats
    start_h: float
    stretch_h: float
    categories: tuple[str, ...]
    sources: tuple[str, ...]

    @classmethod
    def of(cls, rows: Rows, categories: tuple[str, ...], sources: tuple[str, ...]) -> Rates:
        """Take the rates of some reports."""
        start, end = (float(rows.time_h.min()), float(rows.time_h.max())) if rows.n else (0.0, 0.0)
        stretch = end - start + 4 * _SEASON_H
        lane = rows.category * len(sources) + rows.source
        return cls(np.sort(lane * stretch + (rows.time_h - start)), start, stretch, categories, sources)

    def expected(self, category: Ints, source: Ints, time_h: Floats, width_h: float) -> Floats:
        """Expect the reports of a category and source in the whole city within `width_h` of a time, on either side."""
        since = np.clip(time_h - self.start_h, -1.5 * _SEASON_H, self.stretch_h - 2.5 * _SEASON_H)
        at = (category * len(self.sources) + source) * self.stretch_h + since

        def seen(half_h: float) -> Floats:
            within = np.searchsorted(self.keys, at + half_h, side="right") - np.searchsorted(self.keys, at - half_h)
            return np.asarray(within * (width_h / half_h))

        return 0.5 * (seen(_WEEK_H) + seen(_SEASON_H)) + _RARE * width_h / _SEASON_H

    def expected_of_all(self, category: Ints, time_h: Floats, width_h: float) -> Floats:
        """Expect the reports of a category from all sources together."""
        each = (self.expected(category, np.full(len(category), source), time_h, width_h) for source in range(len(self.sources)))
        return sum(each, start=np.zeros(len(category)))


@dataclass(frozen=True, slots=True)
class Grounds:
    """What is known of the ground around each report: two columns, same point and near.

    ``reports_n``: reports of any category and time there; ``controls_n``: control pairs that the report is in.
    """

    reports_n: Floats
    controls_n: Floats


def survey(rows: Rows, controls: Pairs, limits: Limits) -> Grounds:
    """Count reports of any category, and control pairs, around each report.

    Parameters
    ----------
    rows : Rows
    controls : Pairs
        From `find_pairs`.
    limits : Limits

    Returns
    -------
    Grounds
        Arrays of shape (n, 2).
    """
    disc = np.pi / 9  # of the nine squares that the near ones are counted in
    near = disc * _around(rows.x_m, rows.y_m, limits.distance_m)
    point = _around(rows.x_m, rows.y_m, POINT_M, rings=0)
    at_point = controls.distance_m < POINT_M
    told = np.empty((rows.n, 2))
    for column, chosen in enumerate((at_point, ~at_point)):
        told[:, column] = np.bincount(controls.first[chosen], minlength=rows.n) + np.bincount(controls.second[chosen], minlength=rows.n)
    return Grounds(np.column_stack([point, near]), told)


def expect(rows: Rows, pairs: Pairs, grounds: Grounds, rates: Rates, limits: Limits) -> Floats:
    """Expect the number of reports that chance puts as near to one report of a pair as the limits allow.

    Parameters
    ----------
    rows, pairs, grounds, rates, limits

    Returns
    -------
    float array of shape (pairs.n,)
        Reports of the category and of the other one's source; the geometric mean of both directions.

    Notes
    -----
    Share of all reports that lie there, times the city's reports of that category, source and time, times what the category has there
    beyond that share, judged by control pairs and drawn towards 1 where they are few.
    """
    ground = (pairs.distance_m >= POINT_M).astype(np.int64)
    there = _one_way(rows, pairs.first, pairs.second, ground, grounds, rates, limits)
    back = _one_way(rows, pairs.second, pairs.first, ground, grounds, rates, limits)
    return np.asarray(np.sqrt(there * back))


def _one_way(rows: Rows, one: Ints, other: Ints, ground: Ints, grounds: Grounds, rates: Rates, limits: Limits) -> Floats:
    share = grounds.reports_n[one, ground] / (len(rates.keys) + _ELSEWHERE_N)
    category, time_h = rows.category[one], rows.time_h[one]
    usual = CONTROL_SHARE * share * rates.expected_of_all(category, time_h, limits.hours_h)
    own = (grounds.controls_n[one, ground] + _DOUBT_N) / (usual + _DOUBT_N)
    return np.asarray(share * rates.expected(category, rows.source[other], time_h, limits.hours_h) * own)


def _around(x_m: Floats, y_m: Floats, side_m: float, rings: int = 1) -> npt.NDArray[np.float64]:
    """Count the points in each point's own square and the `rings` of squares around it."""
    column, row = (np.floor(values / side_m).astype(np.int64) for values in (x_m, y_m))
    if not len(column):
        return np.empty(0)
    column, row = column - column.min() + rings, row - row.min() + rings
    width = int(row.max()) + rings + 1
    squares, inverse, counts = np.unique(column * width + row, return_inverse=True, return_counts=True)
    total = np.zeros(len(squares), dtype=np.int64)
    for across in range(-rings, rings + 1):
        for along in range(-rings, rings + 1):
            wanted = squares + across * width + along
            at = np.minimum(np.searchsorted(squares, wanted), len(squares) - 1)
            total += np.where(squares[at] == wanted, counts[at], 0)
    return total[inverse].astype(np.float64)
