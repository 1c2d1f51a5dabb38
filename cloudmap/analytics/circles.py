"""Compiled search of a scan: all circles around all places, all spans of periods, many replicates at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import log
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from cloudmap.analytics.threads import over_rows, threads_n
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Drawn = npt.NDArray[np.uint8] | npt.NDArray[np.float32]

_MOST_MEMBERS = 400_000_000
"""Members of all circles together, at four bytes each."""

_LANES = 16
"""Replicates searched side by side: one processor instruction then serves all of them."""

_NEAR = 16
"""Members of a circle that are looked at one by one, before four at a time are worth it."""

_SAFE = 0.999
"""The bar is lowered by this, more than single precision can err."""


class Circles(NamedTuple):
    """For each place the others by distance, as far as the largest circle reaches.

    `order[start[i] : start[i + 1]]` are the members around place i, nearest first; `whole` marks those after which the next one is farther.
    """

    order: npt.NDArray[np.int32]
    start: Ints
    whole: npt.NDArray[np.bool_]


class Found(NamedTuple):
    """The best cylinder: its llr, the centre, how many members, which span."""

    llr: float
    centre: int
    places_n: int
    window: int


def circles_within(points: Floats, expected: Floats, max_share: float) -> Circles:
    """List the members of every place's circles up to a share of all expected cases.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Centres, metres.
    expected : ndarray of shape (n,)
        Expected cases of the places.
    max_share : float
        Largest share of their sum in a circle.

    Returns
    -------
    Circles

    Raises
    ------
    AnalysisError
        More members than memory holds, or not one circle small enough.
    """
    limit = max_share * expected.sum() * (1 + 1e-12)
    orders: list[npt.NDArray[np.int32]] = [np.empty(0, dtype=np.int32)] * points.shape[0]
    wholes: list[npt.NDArray[np.bool_]] = [np.empty(0, dtype=np.bool_)] * points.shape[0]

    def work(rows: slice) -> None:
        for centre in range(rows.start, rows.stop):
            squared = ((points - points[centre]) ** 2).sum(axis=1)
            order = np.argsort(squared)
            size = int(np.searchsorted(np.cumsum(expected[order]), limit, side="right"))
            near = squared[order[: size + 1]]
            whole = np.ones(size, dtype=np.bool_)
            whole[: near.size - 1] = near[1:] > near[:-1] * (1 + 1e-9)
            orders[centre], wholes[centre] = order[:size].astype(np.int32), whole
            if size * points.shape[0] > 8 * _MOST_MEMBERS:
                raise AnalysisError(
                    f"circles of up to {max_share:.0%} around {points.shape[0]} places need too much memory; lower max_share"
                )

    over_rows(work, points.shape[0])
    start = np.cumsum([0, *(order.size for order in orders)]).astype(np.int64)
    if start[-1] > _MOST_MEMBERS:
        raise AnalysisError(f"circles of up to {max_share:.0%} around {points.shape[0]} places need too much memory; lower max_share")
    if start[-1] == 0:
        raise AnalysisError(f"no place has less than {max_share:.2%} of the expected cases; raise max_share or use smaller places")
    return Circles(np.concatenate(orders), start, np.concatenate(wholes))


def best_cylinder(
    cases: Floats, expected: Floats, total: float, circles: Circles, blocked: npt.NDArray[np.bool_]
) -> tuple[float, int, int, int]:
    """Search all cylinders that contain no blocked place.

    Parameters
    ----------
    cases, expected : ndarray of shape (n, s)
        Sums over each of s spans of periods.
    total : float
        All cases.
    circles : Circles
        Where to look.
    blocked : ndarray of shape (n,), bool
        Places that belong to a cluster already.

    Returns
    -------
    tuple
        llr (0 where none has more cases than expected), centre, number of members, span.
    """
    found: tuple[float, int, int, int] = _best(cases, expected, float(total), circles.order, circles.start, circles.whole, blocked)
    return found


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
    """
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


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _llr(cases: float, expected: float, total: float) -> float:
    """Log likelihood ratio of a cylinder; 0 where it has no more cases than expected."""
    if cases <= expected or expected <= 0.0:
        return 0.0
    value = cases * log(cases / expected)
    if total > cases:
        value += (total - cases) * log((total - cases) / (total - expected))
    return value


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _best(cases: Floats, expected: Floats, total: float, order: npt.NDArray[np.int32], start: Ints, whole: npt.NDArray[np.bool_],
          blocked: npt.NDArray[np.bool_]) -> tuple[float, int, int, int]:  # fmt: skip
    spans = cases.shape[1]
    best, best_centre, best_size, best_span = 0.0, -1, 0, -1
    c, e = np.empty(spans), np.empty(spans)
    for centre in range(start.size - 1):
        c[:] = 0.0
        e[:] = 0.0
        for at in range(start[centre], start[centre + 1]):
            member = order[at]
            if blocked[member]:
                break
            for span in range(spans):
                c[span] += cases[member, span]
                e[span] += expected[member, span]
            if whole[at]:
                for span in range(spans):
                    excess = c[span] - e[span]
                    if excess <= 0.0 or excess * excess * (total + e[span]) < best * 2.0 * e[span] * (total - e[span]) * _SAFE:
                        continue
                    value = _llr(c[span], e[span], total)
                    if value > best * (1 + 1e-12):
                        best, best_centre, best_size, best_span = value, centre, at - start[centre] + 1, span
    return best, best_centre, best_size, best_span


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
def _add_four(c: Singles, first: Drawn, second: Drawn, third: Drawn, fourth: Drawn, bar: Singles) -> np.int32:
    """Add four members' cases at once; count the spans and lanes above their bar."""
    above = np.int32(0)
    for at in range(c.size):
        value = c[at] + np.float32(np.int32(first[at]) + np.int32(second[at]) + np.int32(third[at]) + np.int32(fourth[at]))
        c[at] = value
        above += np.int32(value > bar[at])
    return above


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")  # type: ignore[misc, unused-ignore]
def _set_bar(bar: Singles, e: Floats, total: float, roots: Singles) -> None:
    """Cases that a span needs before its llr can exceed the best of its lane."""
    for span in range(e.size):
        mean = e[span]
        width = np.float32(np.sqrt(max(2.0 * mean * (total - mean) / (total + mean) * _SAFE, 0.0)))
        level = np.float32(mean)
        for lane in range(_LANES):
            bar[span * _LANES + lane] = level + roots[lane] * width


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _raise_best(c: Singles, bar: Singles, e: Floats, total: float, best: Floats, roots: Singles) -> None:
    """Compute the llr of what lies above its bar."""
    for at in range(c.size):
        if c[at] > bar[at]:
            lane = at % _LANES
            value = _llr(float(c[at]), e[at // _LANES], total)
            if value > best[lane]:
                best[lane] = value
                roots[lane] = np.sqrt(value)


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def largest_llrs(drawn: Drawn, expected: Floats, total: float, order: npt.NDArray[np.int32], start: Ints,
                 whole: npt.NDArray[np.bool_]) -> Floats:  # fmt: skip
    """Largest llr of each lane.

    With d = c - e the llr is at most d^2 (C + e) / (2 e (C - e)), since ln(1 + x) <= x: c must exceed e + sqrt(best) times the root of
    2 e (C - e) / (C + e). Most cylinders are dismissed by this bar, without a logarithm, and four members at a time: if the cases after the
    fourth do not exceed the bar after the first, none of the four does, as both only grow. What exceeds it is walked again, one by one.
    """
    width, spans = drawn.shape[1], expected.shape[1]
    best, roots = np.zeros(_LANES), np.zeros(_LANES, dtype=np.float32)
    c, kept, bar = np.empty(width, dtype=np.float32), np.empty(width, dtype=np.float32), np.empty(width, dtype=np.float32)
    e, kept_e = np.empty(spans), np.empty(spans)
    for centre in range(start.size - 1):
        c[:] = np.float32(0.0)
        e[:] = 0.0
        at, end = start[centre], start[centre + 1]
        near = at + _NEAR
        while at < end:
            until = at + 1
            if at >= near and at + 4 <= end:
                kept[:] = c
                kept_e[:] = e
                e += expected[order[at]]
                _set_bar(bar, e, total, roots)
                above = _add_four(c, drawn[order[at]], drawn[order[at + 1]], drawn[order[at + 2]], drawn[order[at + 3]], bar)
                if above == 0:
                    e += expected[order[at + 1]] + expected[order[at + 2]] + expected[order[at + 3]]
                    at += 4
                    continue
                c[:] = kept
                e[:] = kept_e
                until = at + 4
            while at < until:
                member = order[at]
                e += expected[member]
                _set_bar(bar, e, total, roots)
                if _add_one(c, drawn[member], bar) > 0 and whole[at]:
                    _raise_best(c, bar, e, total, best, roots)
                at += 1
    return best
