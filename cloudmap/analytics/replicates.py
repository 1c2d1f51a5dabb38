"""Replicates of a scan: tables drawn from the null hypothesis, each searched for its largest llr, sixteen side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import numpy.typing as npt

from cloudmap.analytics.circles import SAFE, Circles, log_likelihood_ratio
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


def replicate_maxima(total: int, means: Floats, circles: Circles, windows: Ints, replicates: int, rng: np.random.Generator) -> Floats:
    """Draw replicates of the null hypothesis and search each for its largest llr.

    Parameters
    ----------
    total : int
        Cases in all.
    means : ndarray of shape (n, t)
        Expected cases, with the same total.
    circles : Circles
        Where to look.
    windows : ndarray of shape (s, 2)
        First and last period of each span.
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
    if total >= _MOST_CASES:
        raise AnalysisError(f"{total} cases are more than the search counts exactly ({_MOST_CASES}); scan a shorter span or one category")
    first = int(windows[:, 0].min())
    seen = means[:, first:]
    spans = windows - first
    cumulated = np.cumsum(seen.ravel()) / means.sum()
    inside = float(min(cumulated[-1], 1.0))
    sums = np.concatenate([np.zeros((seen.shape[0], 1)), np.cumsum(seen, axis=1)], axis=1)
    expected = np.ascontiguousarray(sums[:, spans[:, 1] + 1] - sums[:, spans[:, 0]])
    batches = -(-replicates // _LANES)

    def work(child: np.random.Generator) -> Floats:
        drawn = np.empty((seen.shape[0], spans.shape[0], _LANES), dtype=np.int64)
        for lane in range(_LANES):
            cells_n = int(child.binomial(total, inside)) if first > 0 else total
            cells = np.searchsorted(cumulated, child.random(cells_n) * cumulated[-1], side="right")
            counts = np.bincount(np.minimum(cells, seen.size - 1), minlength=seen.size).reshape(seen.shape)
            running = np.concatenate([np.zeros((seen.shape[0], 1), dtype=np.int64), np.cumsum(counts, axis=1)], axis=1)
            drawn[:, :, lane] = running[:, spans[:, 1] + 1] - running[:, spans[:, 0]]
        flat = drawn.reshape(seen.shape[0], -1)
        table: Drawn = flat.astype(np.uint8) if flat.max() < 256 else flat.astype(np.float32)
        maxima: Floats = largest_llrs(table, expected, float(total), circles.order, circles.start, circles.whole)
        return maxima

    with ThreadPoolExecutor(threads_n()) as pool:
        return np.concatenate(list(pool.map(work, rng.spawn(batches))))[:replicates]


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
def _set_bar(bar: Singles, e: Floats, total: float, roots: Singles) -> None:
    """Cases that a span needs before its llr can exceed the best of its lane."""
    for span in range(e.size):
        mean = e[span]
        width = np.float32(np.sqrt(max(2.0 * mean * (total - mean) / (total + mean) * SAFE, 0.0)))
        level = np.float32(mean)
        for lane in range(_LANES):
            bar[span * _LANES + lane] = level + roots[lane] * width


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _raise_best(c: Singles, bar: Singles, e: Floats, total: float, best: Floats, roots: Singles) -> None:
    """Compute the llr of what lies above its bar."""
    for at in range(c.size):
        if c[at] > bar[at]:
            lane = at % _LANES
            value = log_likelihood_ratio(float(c[at]), e[at // _LANES], total)
            if value > best[lane]:
                best[lane] = value
                roots[lane] = np.sqrt(value)


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def largest_llrs(drawn: Drawn, expected: Floats, total: float, order: npt.NDArray[np.int32], start: Ints,
                 whole: npt.NDArray[np.bool_]) -> Floats:  # fmt: skip
    """Largest llr of each lane.

    With d = c - e the llr is at most d^2 (C + e) / (2 e (C - e)), since ln(1 + x) <= x: c must exceed e + sqrt(best) times the root of
    2 e (C - e) / (C + e). Most cylinders are dismissed by this bar, without a logarithm, and eight members at a time: if the cases after
    the eighth do not exceed the bar after the first, none of the eight does, as both only grow. What exceeds it is walked again.
    """
    width, spans = drawn.shape[1], expected.shape[1]
    best, roots = np.zeros(_LANES), np.zeros(_LANES, dtype=np.float32)
    c, bar = np.empty(width, dtype=np.float32), np.empty(width, dtype=np.float32)
    e, kept = np.empty(spans), np.empty(spans)
    for centre in range(start.size - 1):
        c[:] = np.float32(0.0)
        e[:] = 0.0
        at, end = start[centre], start[centre + 1]
        near = at + _NEAR
        while at < end:
            until = at + 1
            if at >= near and at + _BLOCK <= end:
                kept[:] = e
                e += expected[order[at]]
                _set_bar(bar, e, total, roots)
                members = order[at : at + _BLOCK]
                until = at + _BLOCK
                if _add_block(c, drawn, members, np.float32(1.0), bar) == 0:
                    for member in members[1:]:
                        e += expected[member]
                    at = until
                    continue
                _add_block(c, drawn, members, np.float32(-1.0), bar)  # exact, since counts are whole
                e[:] = kept
            while at < until:
                member = order[at]
                e += expected[member]
                _set_bar(bar, e, total, roots)
                if _add_one(c, drawn[member], bar) > 0 and whole[at]:
                    _raise_best(c, bar, e, total, best, roots)
                at += 1
    return best
