"""Pairs of reports of one category that are near each other, either at the same time or some weeks apart.

The first may tell of one matter; the second cannot, and show how often nearness is chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LAGS_H: Final = (168.0, 336.0, 504.0, 672.0)
"""Hours apart of the pairs that show chance: whole weeks, so that hour and weekday are alike."""

CONTROL_SHARE: Final = 2.0 * len(LAGS_H)
"""Controls per chance candidate: a lag has two sides, and there are several lags."""

_SPAN_H: Final = 90 * 24.0
"""Reports are paired span by span, so that memory does not grow with the square of the years."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The diameter of a matter in space and time: how far apart any two of its reports can be.

    Parameters
    ----------
    distance_m : float, default 50
        Metres.
    hours_h : float, default 72
        Hours; less than half a week, so that pairs a week apart are surely of two matters.

    Raises
    ------
    AnalysisError
        A limit is out of range.
    """

    distance_m: float = 50.0
    hours_h: float = 72.0

    def __post_init__(self) -> None:
        if not (self.distance_m > 0 and 0 < self.hours_h < LAGS_H[0] / 2):
            raise AnalysisError(
                f"limits of a matter: {self.distance_m} m, {self.hours_h} h; use metres above 0, hours below {LAGS_H[0] / 2}"
            )


@dataclass(frozen=True, slots=True)
class Rows:
    """Located reports in canonical order (occurred_at, report_id), as arrays of one length.

    ``x_m``, ``y_m`` (metres), ``time_h`` (hours since 1970), ``category``, ``source``, ``label`` (the source's own category;
    positions in sorted lists of names).
    """

    x_m: Floats
    y_m: Floats
    time_h: Floats
    category: Ints
    source: Ints
    label: Ints

    @property
    def n(self) -> int:
        """Number of reports."""
        return len(self.x_m)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of rows: the earlier in ``first``, metres between them, hours between them (beyond the lag)."""

    first: Ints
    second: Ints
    distance_m: Floats
    gap_h: Floats

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self.first)

    def take(self, chosen: npt.NDArray[np.bool_] | Ints) -> Pairs:
        """Keep some of the pairs."""
        return Pairs(self.first[chosen], self.second[chosen], self.distance_m[chosen], self.gap_h[chosen])


NO_PAIRS: Final = Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0))


def find_pairs(rows: Rows, limits: Limits) -> tuple[Pairs, Pairs]:
    """Find all pairs of one category within the limits, and those that would be but for whole weeks between them.

    Parameters
    ----------
    rows : Rows
        In canonical order.
    limits : Limits

    Returns
    -------
    candidates, controls : Pairs
        Sorted by first and second row. Chance alone gives `CONTROL_SHARE` times as many controls as candidates.
    """
    candidates: list[Pairs] = []
    controls: list[Pairs] = []
    for members in _groups(rows.category):
        for near in _near(rows, members, limits):
            candidates.append(_within(near, 0.0, limits))
            controls.extend(_within(near, lag, limits) for lag in LAGS_H)
    return _joined(candidates), _joined(controls)


def _groups(category: Ints) -> Iterator[Ints]:
    order = np.argsort(category, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(category[order])) + 1):
        if len(members) > 1:
            yield members


def _near(rows: Rows, members: Ints, limits: Limits) -> Iterator[Pairs]:
    """Yield all pairs within the distance, of which the earlier lies in one span of time; members are in order of time."""
    from scipy.spatial import cKDTree

    time_h = rows.time_h[members]
    start = 0
    while start < len(members):
        begin = time_h[start]
        stop, end = np.searchsorted(time_h, [begin + _SPAN_H, begin + _SPAN_H + LAGS_H[-1] + limits.hours_h])
        own = members[start:end]
        tree = cKDTree(np.column_stack([rows.x_m[own], rows.y_m[own]]), balanced_tree=False, compact_nodes=False)
        found = tree.query_pairs(limits.distance_m, output_type="ndarray")
        found = found[found[:, 0] < stop - start]
        first, second = own[found[:, 0]], own[found[:, 1]]
        away = np.hypot(rows.x_m[first] - rows.x_m[second], rows.y_m[first] - rows.y_m[second])
        yield Pairs(first, second, away, rows.time_h[second] - rows.time_h[first])
        start = int(stop)


def _within(near: Pairs, lag_h: float, limits: Limits) -> Pairs:
    gap = np.abs(near.gap_h - lag_h)
    kept = gap <= limits.hours_h
    return Pairs(near.first[kept], near.second[kept], near.distance_m[kept], gap[kept])


def _joined(parts: list[Pairs]) -> Pairs:
    if not parts:
        return NO_PAIRS
    whole = Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("first", "second", "distance_m", "gap_h")))
    return whole.take(np.lexsort((whole.second, whole.first)))
