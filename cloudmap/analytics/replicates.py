"""Replicates of a scan: tables drawn from the null hypothesis, each searched for its largest ratio, sixteen side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numba
import numpy as np
import numpy.typing as npt

from cloudmap.analytics.circles import SAFE, Circles, inflated_ratio
from cloudmap.analytics.threads import threads_n
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Drawn = npt.NDArray[np.uint8] | npt.NDArray[np.float32]

_MOST_CASES = 2**24
"""Whole numbers below this are exact in single precision."""

_LANES = 16
"""Replicates searched side by side: one processor instruction then serves all of them."""

_NEAR = 16
"""Members of a circle that are looked at one by one, before blocks are worth it."""

_BLOCK = 8
"""Members that are added at once."""


class Null(Protocol):
    """A null hypothesis of which tables can be drawn."""

    @property
    def course(self) -> Floats | None:
        """Cases of each period; where given, what a replicate expects of a period follows the replicate's own cases in it."""
        ...

    def draw(self, rng: np.random.Generator) -> Ints:
        """Draw cases of n places in the periods that are searched, shape (n, t)."""
        ...


class Search(NamedTuple):
    """Where to look: expected cases and extra variance (above Poisson) of each place and span, all cases, circles, spans of periods.

    expected, extra: shape (n, s); windows: shape (s, 2), the first and last period of each span.
    """

    expected: Floats
    extra: Floats
    total: float
    circles: Circles
    windows: Ints


class Anywhere(NamedTuple):
    """Cases fall anywhere in space and time, as expected; only their total is given (multinomial).

    means: shape (n, t), all periods; of these the ones from `first` on are searched.
    """

    means: Floats
    first: int
    total: int

    @property
    def course(self) -> None:
        """Periods are expected to have what `means` says."""
        return None

    def draw(self, rng: np.random.Generator) -> Ints:
        """Draw the cases of the periods that are searched."""
        seen = self.means[:, self.first :]
        cumulated = np.cumsum(seen.ravel()) / self.means.sum()
        cases_n = int(rng.binomial(self.total, min(cumulated[-1], 1.0))) if self.first > 0 else self.total
        cells = np.searchsorted(cumulated, rng.random(cases_n) * cumulated[-1], side="right")
        counts: Ints = np.bincount(np.minimum(cells, seen.size - 1), minlength=seen.size).reshape(seen.shape)
        return counts


def window_sums(table: npt.NDArray[np.number], windows: Ints) -> Floats:
    """Sum a table of shape (n, t) over each span of periods: shape (n, s)."""
    running = np.concatenate([np.zeros((table.shape[0], 1)), np.cumsum(table, axis=1)], axis=1)
    return np.ascontiguousarray(running[:, windows[:, 1] + 1] - running[:, windows[:, 0]])


def replicate_maxima(null: Null, search: Search, replicates: int, rng: np.random.Generator) -> Floats:
    """Draw replicates of a null hypothesis and search each for its largest ratio.

    Parameters
    ----------
    null : Null
        What is drawn.
    search : Search
        Where to look.
    replicates : int
        How many.
    rng : numpy Generator
        Source of the draws: each batch gets its own child, so that the result does not depend on the number of threads.

    Returns
    -------
    ndarray of shape (replicates,), float64

    Raises
    ------
    AnalysisError
        More cases than can be counted exactly.
    """
    if search.total >= _MOST_CASES:
        raise AnalysisError(
            f"{search.total:.0f} cases are more than the search counts exactly ({_MOST_CASES}); scan a shorter span or one category"
        )
    circles, windows = search.circles, search.windows
    places_n, spans_n = search.expected.shape
    course = None if null.course is None else window_sums(null.course[None, :], windows)[0]

    def work(child: np.random.Generator) -> Floats:
        drawn = np.empty((places_n, spans_n, _LANES))
        factor = np.ones((spans_n, _LANES))
        for lane in range(_LANES):
            drawn[:, :, lane] = window_sums(null.draw(child), windows)
            if course is not None:
                np.divide(drawn[:, :, lane].sum(axis=0), course, out=factor[:, lane], where=course > 0)
        flat = drawn.reshape(places_n, -1)
        table: Drawn = flat.astype(np.uint8) if flat.max() < 256 else flat.astype(np.float32)
        order, start, whole = circles
        maxima: Floats = largest_ratios(table, search.expected, search.extra, factor, search.total, order, start, whole)
        return maxima

    with ThreadPoolExecutor(threads_n()) as pool:
        return np.concatenate(list(pool.map(work, rng.spawn(-(-replicates // _LANES)))))[:replicates]


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")  # type: ignore[misc, unused-ignore]
def _add_one(c: Singles, row: Drawn, bar: Singles) -> np.int32:
    """Add a member's cases; count the spans and lanes above their bar."""
    above = np.int32(0)
    for at in range(c.size):
        value = c[at] + np.float32(row[at])
        c[at] = value
        above += np.int32(value > bar[at])
    return above


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")  # type: ignore[misc, unused-ignore]
def _add_block(c: Singles, drawn: Drawn, members: npt.NDArray[np.int32], sign: np.float32, bar: Singles) -> np.int32:
    """Add (or, with sign -1, take away) eight members' cases at once; count the spans and lanes above their bar."""
    a0, a1, a2, a3 = drawn[members[0]], drawn[members[1]], drawn[members[2]], drawn[members[3]]
    a4, a5, a6, a7 = drawn[members[4]], drawn[members[5]], drawn[members[6]], drawn[members[7]]
    above = np.int32(0)
    for at in range(c.size):
        near = np.int32(a0[at]) + np.int32(a1[at]) + np.int32(a2[at]) + np.int32(a3[at])
        far = np.int32(a4[at]) + np.int32(a5[at]) + np.int32(a6[at]) + np.int32(a7[at])
        value = c[at] + sign * np.float32(near + far)
        c[at] = value
        above += np.int32(value > bar[at])
    return above


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")  # type: ignore[misc, unused-ignore]
def _set_bar(bar: Singles, e: Floats, v: Floats, factor: Singles, total: float, roots: Singles) -> None:
    """Cases that a span needs before its ratio can exceed the best of its lane."""
    every = np.float32(total)
    for span in range(e.size):
        mean, spread = np.float32(e[span]), np.float32((e[span] + v[span]) * 2.0 * SAFE)
        for lane in range(_LANES):
            at = span * _LANES + lane
            level = mean * factor[at]
            rest = max(every - level, np.float32(0.0))
            bar[at] = level + roots[lane] * np.sqrt(spread * factor[at] * rest / (every + level))


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _raise_best(c: Singles, bar: Singles, e: Floats, v: Floats, factor: Floats, total: float, best: Floats, roots: Singles) -> None:
    """Compute the ratio of what lies above its bar."""
    for at in range(c.size):
        if c[at] > bar[at]:
            span, lane = at // _LANES, at % _LANES
            value = inflated_ratio(float(c[at]), e[span] * factor[span, lane], 1.0 + v[span] / max(e[span], 1e-300), total)
            if value > best[lane]:
                best[lane] = value
                roots[lane] = np.sqrt(value)


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def largest_ratios(drawn: Drawn, expected: Floats, extra: Floats, factor: Floats, total: float, order: npt.NDArray[np.int32],
                   start: Ints, whole: npt.NDArray[np.bool_]) -> Floats:  # fmt: skip
    """Largest ratio of each lane, llr / phi; phi = (e + v) / e is 1 for Poisson counts. `factor` (s, lanes) scales what is expected.

    With d = c - e the llr is at most d^2 (C + e) / (2 e (C - e)), since ln(1 + x) <= x: c must exceed e + sqrt(best phi) times the root of
    2 e (C - e) / (C + e). Most cylinders are dismissed by this bar, without a logarithm, and eight members at a time: if the cases after
    the eighth do not exceed the bar after the first, none of the eight does, as both only grow. What exceeds it is walked again.
    """
    width, spans = drawn.shape[1], expected.shape[1]
    best, roots = np.zeros(_LANES), np.zeros(_LANES, dtype=np.float32)
    c, bar = np.empty(width, dtype=np.float32), np.empty(width, dtype=np.float32)
    e, v, kept, kept_v = np.empty(spans), np.empty(spans), np.empty(spans), np.empty(spans)
    single = factor.astype(np.float32).ravel()
    for centre in range(start.size - 1):
        c[:] = np.float32(0.0)
        e[:] = 0.0
        v[:] = 0.0
        at, end = start[centre], start[centre + 1]
        near = at + _NEAR
        while at < end:
            until = at + 1
            if at >= near and at + _BLOCK <= end:
                kept[:] = e
                kept_v[:] = v
                e += expected[order[at]]
                v += extra[order[at]]
                _set_bar(bar, e, v, single, total, roots)
                members = order[at : at + _BLOCK]
                until = at + _BLOCK
                if _add_block(c, drawn, members, np.float32(1.0), bar) == 0:
                    for member in members[1:]:
                        e += expected[member]
                        v += extra[member]
                    at = until
                    continue
                _add_block(c, drawn, members, np.float32(-1.0), bar)  # exact, since counts are whole
                e[:] = kept
                v[:] = kept_v
            while at < until:
                member = order[at]
                e += expected[member]
                v += extra[member]
                _set_bar(bar, e, v, single, total, roots)
                if _add_one(c, drawn[member], bar) > 0 and whole[at]:
                    _raise_best(c, bar, e, v, factor, total, best, roots)
                at += 1
    return best
