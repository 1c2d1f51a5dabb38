"""The circles of a scan, and the search of all cylinders on them."""

from __future__ import annotations

from math import log
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from cloudmap.analytics.threads import over_rows
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MOST_MEMBERS = 400_000_000
"""Members of all circles together, at four bytes each."""

SAFE = 0.999
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
    cases: Floats, expected: Floats, total: float, circles: Circles, blocked: npt.NDArray[np.bool_], extra: Floats | None = None
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
    extra : ndarray of shape (n, s), optional
        Variance above that of Poisson counts; none by default.

    Returns
    -------
    tuple
        Ratio (0 where none has more cases than expected), centre, number of members, span. The ratio is llr / phi with phi = variance /
        expected.
    """
    spread = np.zeros_like(expected) if extra is None else extra
    found: tuple[float, int, int, int] = _best(cases, expected, spread, float(total), circles.order, circles.start, circles.whole, blocked)
    return found


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def log_likelihood_ratio(cases: float, expected: float, total: float) -> float:
    """Log likelihood ratio of a cylinder; 0 where it has no more cases than expected."""
    if cases <= expected or expected <= 0.0:
        return 0.0
    value = cases * log(cases / expected)
    if total > cases:
        value += (total - cases) * log((total - cases) / (total - expected))
    return value


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def inflated_ratio(cases: float, expected: float, phi: float, total: float) -> float:
    """Log likelihood ratio of a cylinder, divided by how many times its variance exceeds that of Poisson counts."""
    ratio: float = log_likelihood_ratio(cases, expected, total) / phi
    return ratio


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _best(cases: Floats, expected: Floats, extra: Floats, total: float, order: npt.NDArray[np.int32], start: Ints,
          whole: npt.NDArray[np.bool_], blocked: npt.NDArray[np.bool_]) -> tuple[float, int, int, int]:  # fmt: skip
    spans = cases.shape[1]
    best, best_centre, best_size, best_span = 0.0, -1, 0, -1
    c, e, v = np.empty(spans), np.empty(spans), np.empty(spans)
    for centre in range(start.size - 1):
        c[:] = 0.0
        e[:] = 0.0
        v[:] = 0.0
        for at in range(start[centre], start[centre + 1]):
            member = order[at]
            if blocked[member]:
                break
            for span in range(spans):
                c[span] += cases[member, span]
                e[span] += expected[member, span]
                v[span] += extra[member, span]
            if whole[at]:
                for span in range(spans):
                    excess, variance = c[span] - e[span], e[span] + v[span]
                    if excess <= 0.0 or excess * excess * (total + e[span]) < best * 2.0 * variance * (total - e[span]) * SAFE:
                        continue
                    value = inflated_ratio(c[span], e[span], variance / max(e[span], 1e-300), total)
                    if value > best * (1 + 1e-12):
                        best, best_centre, best_size, best_span = value, centre, at - start[centre] + 1, span
    return best, best_centre, best_size, best_span
