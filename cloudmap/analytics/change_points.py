"""Lasting changes of level in a weekly series, apart from season, dips of a few weeks and noise that clings."""

from __future__ import annotations

from itertools import pairwise
from math import log

import numpy as np
import numpy.typing as npt
from scipy import stats

from cloudmap.analytics.suitable import suitable_values
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]

LEAST_WEEKS = 8
"""Shortest regime: a holiday, a storm or a campaign of some weeks is none."""

LEAST_FOLD = 1.25
"""Smaller changes of level do not break a comparison."""

PENALTY = 2.2
"""Cost of a change in units of log T; calibrated by simulation (tests/analytics/test_regimes.py)."""

_YEAR_WEEKS = 365.25 / 7
_SEASON_SD = (0.25, 0.25, 0.1, 0.1)
"""Prior deviations of the yearly and half-yearly waves, on the log scale: seasons of that size are usual."""

_WINDOW = 9
"""Weeks of the running median; dips shorter than half of it are cut."""

_LIVE_N = 3.0
_QUANTILE = 0.75
_LAG = 8
_MOST_CORRELATION = 0.8


def change_points(
    counts: npt.ArrayLike,
    *,
    least_weeks: int = LEAST_WEEKS,
    least_fold: float = LEAST_FOLD,
    penalty: float = PENALTY,
    fixed: tuple[int, ...] = (),
) -> list[int]:
    """Find the weeks from which on a weekly series stands at another level.

    Parameters
    ----------
    counts : array_like of shape (T,)
        Counts of consecutive weeks.
    least_weeks : int, default 8
        Fewest weeks between two changes, and before the first and after the last.
    least_fold : float, default 1.25
        Changes by less than this factor, up or down, are left out.
    penalty : float, default 2.2
        Cost of a change in units of log T.
    fixed : tuple of int
        Weeks at which a change is known: they stand, and no other is put within `least_weeks` of them.

    Returns
    -------
    list of int
        First weeks of new levels, the fixed ones included, ascending; empty where the level never changes.

    Raises
    ------
    AnalysisError
        Counts are missing or negative, or a fixed week is outside the series.

    Notes
    -----
    Optimal partitioning (Jackson et al. 2005, doi:10.1109/LSP.2001.838216) of log(n + 1/2) under weighted least squares. A week's variance
    is 1 / level (Poisson) plus the long-run variance of the series about its level, told robustly from differences one and eight weeks
    apart, so that clinging noise (autocorrelation) counts for what it is. Yearly and half-yearly waves are fitted beside the levels
    under a prior. Weeks far from the running median of nine are cut to three deviations: a Spring Festival is no regime. Where a series
    that counts three a week or more elsewhere stands at 0 for `least_weeks`, it has ended or not begun: that is a level of its own.
    """
    values = suitable_values(counts, what="weekly count", least=1)
    starts = sorted(fixed)
    if starts and not 0 < starts[0] <= starts[-1] < values.size:
        raise AnalysisError(f"change points: fixed weeks {starts} are not all within the {values.size} weeks of the series")
    edges = [0, *_dead_edges(values, least_weeks), values.size]
    found = set(edges[1:-1]) | set(starts)
    for first, last in pairwise(edges):
        within = [at - first for at in starts if first < at < last]
        if last - first >= 2 * least_weeks and values[first:last].any():
            found |= {first + at for at in _level_changes(values[first:last], least_weeks, log(least_fold), penalty, within)}
    return sorted(found)


def _dead_edges(values: Floats, least: int) -> list[int]:
    """Return where a series that lives elsewhere falls to nothing for long, and where it comes back."""
    dead = _running_median(values) == 0
    if dead.all() or values[~dead].mean() < _LIVE_N:
        return []
    turns = np.flatnonzero(np.diff(np.concatenate([[False], dead, [False]]).astype(np.int8)))
    runs = [(int(first), int(last)) for first, last in zip(turns[::2], turns[1::2], strict=True) if last - first >= least]
    return sorted({at for run in runs for at in run if 0 < at < values.size})


def _level_changes(values: Floats, least_weeks: int, least: float, penalty: float, fixed: list[int]) -> list[int]:
    """Find the changes of level of a series that never ends, the fixed ones among them."""
    level, poisson = _usual(values)
    weights = 1.0 / (_long_run_variance(level, poisson) + poisson)
    waves = _waves(values.size)
    cost = penalty * log(values.size)
    best, best_cost = fixed, np.inf
    # Two starting points: what looks like a step may be season, and what looks like season may be steps.
    for start in (np.zeros(values.size), _season(level, weights, waves, fixed)[0]):
        season = start
        found: list[int] | None = None
        for _ in range(8):
            again = _partition(level - season, weights, cost, least_weeks, fixed)
            season, misfit = _season(level, weights, waves, again)
            total = misfit + cost * len(again)
            if total < best_cost - 1e-9:
                best, best_cost = again, total
            if again == found:
                break
            found = again
    return _large_enough(level, weights, waves, best, fixed, least)


def _running_median(values: Floats) -> Floats:
    half = _WINDOW // 2
    padded = np.pad(values, half, constant_values=np.nan)
    return np.asarray(np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, _WINDOW), axis=1), dtype=np.float64)


def _usual(values: Floats) -> tuple[Floats, Floats]:
    """Return log counts without outlying weeks, and the Poisson variance of each."""
    middle = _running_median(values)
    poisson = 1.0 / (middle + 0.5)
    level, centre = np.log(values + 0.5), np.log(middle + 0.5)
    spread = np.sqrt(poisson + _excess((level - centre) ** 2, poisson))
    return np.clip(level, centre - 3 * spread, centre + 3 * spread), poisson


def _excess(squares: Floats, poisson: Floats) -> float:
    """Return the variance beside Poisson's that puts the upper quartile of squared deviations where it belongs."""
    target = float(stats.chi2.ppf(_QUANTILE, 1))
    low, high = 0.0, float(squares.max()) + 1e-12
    if np.quantile(squares / poisson, _QUANTILE) <= target:
        return 0.0
    for _ in range(40):
        middle = (low + high) / 2
        if np.quantile(squares / (poisson + middle), _QUANTILE) > target:
            low = middle
        else:
            high = middle
    return high


def _long_run_variance(level: Floats, poisson: Floats) -> float:
    """Return the variance, beside Poisson's, that a mean of many weeks has per week."""

    def apart(lag: int) -> float:
        both = (poisson[lag:] + poisson[:-lag]) / 2
        return _excess((level[lag:] - level[:-lag]) ** 2 / 2, both)

    near, far = apart(1), apart(_LAG)
    if far == 0.0:
        return near
    correlation = float(np.clip(1.0 - near / far, 0.0, _MOST_CORRELATION))
    return max(near, far * (1.0 + correlation) / (1.0 - correlation))


def _waves(weeks_n: int) -> Floats:
    """Return yearly and half-yearly waves, shape (T, 4)."""
    angle = 2 * np.pi * np.arange(weeks_n) / _YEAR_WEEKS
    return np.column_stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)])


def _season(level: Floats, weights: Floats, waves: Floats, changes: list[int]) -> tuple[Floats, float]:
    """Fit levels and waves together: the season of each week, and the misfit with what the prior charges for the waves."""
    steps = np.zeros((level.size, len(changes) + 1))
    steps[np.arange(level.size), np.searchsorted(changes, np.arange(level.size), side="right")] = 1.0
    design = np.column_stack([steps, waves])
    prior = np.diag(np.concatenate([np.zeros(steps.shape[1]), 1.0 / np.square(_SEASON_SD)]))
    fitted = np.linalg.solve(design.T @ (weights[:, None] * design) + prior, design.T @ (weights * level))
    misfit = float((weights * (level - design @ fitted) ** 2).sum() + fitted @ prior @ fitted)
    return waves @ fitted[steps.shape[1] :], misfit


def _partition(values: Floats, weights: Floats, cost: float, least: int, fixed: list[int]) -> list[int]:
    """Cut a series where that saves more squares than it costs; every stretch between fixed weeks by itself."""
    edges = [0, *fixed, values.size]
    found: list[int] = []
    for first, last in pairwise(edges):
        found += [first + at for at in _cut(values[first:last], weights[first:last], cost, least)]
        found += [last] if last < values.size else []
    return found


def _cut(values: Floats, weights: Floats, cost: float, least: int) -> list[int]:
    n = values.size
    if n < 2 * least:
        return []
    w, wy, wyy = (np.concatenate([[0.0], np.cumsum(part)]) for part in (weights, weights * values, weights * values**2))
    total = np.full(n + 1, np.inf)
    total[0] = -cost
    before = np.zeros(n + 1, dtype=np.int64)
    for end in range(least, n + 1):
        starts = slice(0, end - least + 1)
        squares = wyy[end] - wyy[starts] - (wy[end] - wy[starts]) ** 2 / (w[end] - w[starts])
        candidates = total[starts] + squares + cost
        before[end] = int(np.argmin(candidates))
        total[end] = candidates[before[end]]
    cuts = []
    at = int(before[n])
    while at > 0:
        cuts.append(at)
        at = int(before[at])
    return cuts[::-1]


def _large_enough(level: Floats, weights: Floats, waves: Floats, changes: list[int], fixed: list[int], least: float) -> list[int]:
    """Leave out the smallest change below the least size, again and again."""
    while True:
        rest = level - _season(level, weights, waves, changes)[0]
        means = [np.average(part, weights=weight) for part, weight in zip(np.split(rest, changes), np.split(weights, changes), strict=True)]
        sizes = {at: abs(after - before) for at, before, after in zip(changes, means[:-1], means[1:], strict=True) if at not in fixed}
        if not sizes or min(sizes.values()) >= least:
            return changes
        smallest = min(sizes, key=lambda at: sizes[at])
        changes = [at for at in changes if at != smallest]
