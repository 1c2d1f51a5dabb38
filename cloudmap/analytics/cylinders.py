"""The cylinders of a scan: which spans of periods, the strongest ones of a table, and how likely chance makes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from cloudmap.analytics.circles import Circles, Found, best_cylinder
from cloudmap.analytics.replicates import Search, window_sums
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Cluster(NamedTuple):
    """One cylinder of a scan: places (indices, nearest to the centre first) and periods (indices, both included)."""

    llr: float
    places: Ints
    first_period: int
    last_period: int
    cases: float
    expected: float
    p: float
    p_gumbel: float


def suitable_share(max_share: float) -> float:
    """Return the largest share of a circle, or say which may be asked for."""
    if not 0 < max_share <= 1:
        raise AnalysisError(f"max_share = {max_share!r} must lie above 0 and not above 1; 0.5 is customary, smaller is faster")
    return max_share


def spans(periods_n: int, max_periods: int, *, prospective: bool) -> Ints:
    """List the first and last period of every span to look at, shape (s, 2)."""
    if not 1 <= max_periods <= periods_n:
        raise AnalysisError(f"max_periods = {max_periods} must lie between 1 and the {periods_n} period(s) given")
    lasts = [periods_n - 1] if prospective else range(periods_n)
    pairs = [(last - length + 1, last) for last in lasts for length in range(1, max_periods + 1) if last - length + 1 >= 0]
    return np.array(pairs, dtype=np.int64)


def searched(means: Floats, extra: Floats, total: float, circles: Circles, windows: Ints) -> Search:
    """Sum expected cases and extra variance, both of shape (n, t), over each span of periods that is searched."""
    return Search(window_sums(means, windows), window_sums(extra, windows), total, circles, windows)


def clusters_found(counts: Floats, search: Search, maxima: Floats, clusters_n: int) -> list[Cluster]:
    """List the strongest cylinders of a table of shape (n, t), none of which shares a place with a stronger one.

    Parameters
    ----------
    counts : ndarray of shape (n, t)
        Cases in the periods that are searched.
    search : Search
        Where to look.
    maxima : ndarray
        Largest ratios of the replicates; empty gives p = NaN.
    clusters_n : int
        Most clusters.

    Returns
    -------
    list of Cluster
    """
    circles = search.circles
    case_sums = window_sums(counts, search.windows)
    blocked = np.zeros(counts.shape[0], dtype=np.bool_)
    clusters: list[Cluster] = []
    while len(clusters) < clusters_n:
        found = Found(*best_cylinder(case_sums, search.expected, search.total, circles, blocked, search.extra))
        if found.llr <= 0:
            break
        places = circles.order[circles.start[found.centre] : circles.start[found.centre] + found.places_n]
        blocked[places] = True
        first, last = (int(period) for period in search.windows[found.window])
        cases, expected = (float(table[places, found.window].sum()) for table in (case_sums, search.expected))
        p, p_gumbel = _chances(found.llr, maxima)
        clusters.append(Cluster(found.llr, places.astype(np.int64), first, last, cases, expected, p, p_gumbel))
    return clusters


def _chances(llr: float, maxima: Floats) -> tuple[float, float]:
    """Monte Carlo p, and p of a Gumbel distribution with the mean and variance of the replicates' maxima."""
    if maxima.size == 0:
        return float("nan"), float("nan")
    p = (1 + int((maxima >= llr * (1 - 1e-9)).sum())) / (1 + maxima.size)
    if maxima.size < 2 or maxima.std() == 0:
        return p, float("nan")
    scale = float(maxima.std(ddof=1)) * np.sqrt(6) / np.pi
    return p, float(stats.gumbel_r.sf(llr, loc=maxima.mean() - np.euler_gamma * scale, scale=scale))
