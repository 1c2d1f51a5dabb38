"""Space-time scan: the circle, and the span of periods, in which cases most exceed what was expected; and the Knox test."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cloudmap.analytics.circles import circles_within
from cloudmap.analytics.cylinders import Cluster, clusters_found, searched, spans, suitable_share
from cloudmap.analytics.knox import Knox, NearRepeat, knox, near_repeat
from cloudmap.analytics.replicates import Anywhere, Search, replicate_maxima
from cloudmap.analytics.suitable import suitable_counts, suitable_points, suitable_values
from cloudmap.errors import AnalysisError

__all__ = ["Cluster", "Knox", "NearRepeat", "knox", "near_repeat", "scan"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def scan(  # noqa: PLR0913  (the settings of a published method)
    cases: npt.ArrayLike,
    expected: npt.ArrayLike,
    xy_m: npt.ArrayLike,
    *,
    max_share: float,
    max_periods: int = 1,
    prospective: bool = False,
    replicates: int = 0,
    rng: np.random.Generator | None = None,
    clusters_n: int = 10,
) -> list[Cluster]:
    """Find the cylinders with most cases above expectation (Kulldorff's Poisson scan, high rates only).

    Parameters
    ----------
    cases : array_like of shape (n, t) or (n,)
        Cases of n places in t periods, oldest first; whole where replicates are asked for. One period gives the purely spatial scan.
    expected : array_like of shape (n, t) or (n,)
        Expected cases up to a factor (population, exposure); at least 0, each place above 0 in some period.
    xy_m : array_like of shape (n, 2)
        Centres of the places in a projected system, metres. Degrees would give other circles.
    max_share : float
        Largest share (0 to 1) of the expected cases of all periods that lie in a circle.
    max_periods : int, default 1
        Longest cylinder, periods.
    prospective : bool, default False
        Only cylinders that reach the last period: what is going on now.
    replicates : int, default 0
        Monte Carlo replicates for p; 0 gives p = NaN.
    rng : numpy Generator, optional
        Source of the replicates; needed where there are any, so that results can be repeated.
    clusters_n : int, default 10
        Most clusters returned.

    Returns
    -------
    list of Cluster
        Strongest first; none shares a place with a stronger one. llr, places, first_period, last_period, cases, expected (scaled to the
        total of cases), p (Monte Carlo) and p_gumbel (tail of a Gumbel distribution fitted to the replicates: resolves p below
        1 / replicates, but is an extrapolation). Empty if no cylinder has more cases than expected.

    Raises
    ------
    AnalysisError
        Negative or missing numbers, no case, a place without any expected case, shapes that differ, one place, limits out of range,
        replicates without `rng` or with fractional cases, or more circles than memory holds.

    Notes
    -----
    llr = c ln(c / e) + (C - c) ln((C - c) / (C - e)) for c cases, e expected and C in all. Circles grow around each place one distance at a
    time, so that equally distant places enter together. p = (1 + number of replicates whose largest llr is at least this one) / (1 +
    replicates), replicates being multinomial given C; for clusters after the first it is conservative.

    References
    ----------
    Kulldorff (1997), doi:10.1080/03610929708831995; prospective: Kulldorff (2001), doi:10.1111/1467-985X.00186; Gumbel: Abrams, Kulldorff
    and Kleinman (2010), doi:10.1186/1476-072X-9-61.

    Examples
    --------
    >>> xy_m = [[0, 0], [500, 0], [1000, 0], [5000, 0], [5500, 0], [6000, 0]]
    >>> first = scan([9, 8, 1, 2, 1, 3], [4, 4, 4, 4, 4, 4], xy_m, max_share=0.5)[0]
    >>> first.places.tolist(), first.cases, first.expected, round(first.llr, 3)
    ([0, 1], 17.0, 8.0, 7.027)
    """
    counts, means, points = _scaled(cases, expected, xy_m)
    windows = spans(counts.shape[1], max_periods, prospective=prospective)
    circles = circles_within(points, means.sum(axis=1), suitable_share(max_share))
    first = int(windows[:, 0].min())
    seen, table = means[:, first:], counts[:, first:]
    search = searched(seen, np.zeros_like(seen), float(counts.sum()), circles, windows - first)
    maxima = _maxima(counts, means, first, search, replicates, rng)
    found = clusters_found(table, search, maxima, clusters_n)
    return [cluster._replace(first_period=cluster.first_period + first, last_period=cluster.last_period + first) for cluster in found]


def _scaled(cases: npt.ArrayLike, expected: npt.ArrayLike, xy_m: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Cases, expected cases scaled to the same total, and centres; one period becomes a column."""
    tables = []
    for table, what in ((cases, "case"), (expected, "expected case")):
        raw = np.asarray(table, dtype=np.float64)
        tables.append(suitable_values(raw[:, None] if raw.ndim == 1 else raw, what=what, least=2, dimensions=2))
    counts, means = tables
    points = suitable_points(xy_m, least=2, what="place")
    if counts.shape != means.shape or counts.shape[0] != points.shape[0]:
        raise AnalysisError(
            f"cases {counts.shape}, expected {means.shape} and {points.shape[0]} centres do not fit; rebuild from the same places"
        )
    if counts.sum() <= 0:
        raise AnalysisError("every case is zero, so nothing can be found; choose a longer period or a wider category")
    if (means.sum(axis=1) <= 0).any():
        raise AnalysisError(
            f"{int((means.sum(axis=1) <= 0).sum())} place(s) have no expected case (exposure 0); leave them out and list them"
        )
    return counts, means * (counts.sum() / means.sum()), points


def _maxima(counts: Floats, means: Floats, first: int, search: Search, replicates: int, rng: np.random.Generator | None) -> Floats:
    if replicates == 0:
        return np.empty(0)
    if replicates < 0 or rng is None:
        raise AnalysisError("replicates need a number above 0 and rng=numpy.random.default_rng(seed), so that p can be repeated")
    total = int(suitable_counts(counts, what="case", dimensions=2, least=2).sum())
    return replicate_maxima(Anywhere(means, first, total), search, replicates, rng)
