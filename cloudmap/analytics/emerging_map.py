"""Emerging hotspots of a map: which places are hot or cold again and again, since when, and whether their share grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.analytics.emerging import CLASSES_DATED, classify, mann_kendall
from cloudmap.analytics.hotspots import gi_exact_p_slices
from cloudmap.analytics.hotspots_map import check_threshold, described, family_of, map_caveats
from cloudmap.analytics.inference import fdr
from cloudmap.analytics.periods import Period, week_id
from cloudmap.analytics.result import Result
from cloudmap.analytics.suitable import suitable_values
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from cloudmap.analytics.hotspots_map import Family
    from cloudmap.analytics.panel import HasPanel, Panel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

YEAR_WEEKS = 52
"""How far steps reach back where nothing else is asked: one year, so that every season is in it once."""

MINIMUM_STEPS = 8
"""Fewer steps than this tell no "nine times in ten" and no trend."""

MINIMUM_PER_STEP = 2.0
"""Reports a step that a neighbourhood holds on average, below which no trend is named.

Where most steps hold none, a rise of reporting that is the same everywhere makes zeros rarer and so moves ranks: at a weekly mean of .02
a doubling halfway through 52 steps makes 9% of all cells rise at p = .05. From two reports a step on it is 5% at most.
"""

_FITTED_STEPS = 8
"""Steps, evenly spread, on which the dispersion is fitted; more change it little and cost seconds on large maps."""


class _Steps(NamedTuple):
    """Counts of the family by step, the first and last week of the steps, and why they reach no further back."""

    counts: Ints
    first: int
    last: int
    cut: str | None


class _Trends(NamedTuple):
    """Trend of each tested place: which were tested (bool), direction, and the test's numbers."""

    tested: Bools
    direction: Ints
    z: Floats
    p: Floats
    q: Floats


def emerging_hotspots(
    cube: HasPanel, *, end: Period | None = None, step_weeks: int = 4, steps: int | None = None, threshold: float = 0.05
) -> Result:
    """Name the pattern of every place's hot and cold steps over the last year.

    Parameters
    ----------
    cube : Panel or what makes one
    end : Period, optional
        The steps end with its last week whose reports are in; the newest such week where not given.
    step_weeks : int, default 4
        Weeks of one step. Steps do not overlap: overlapping ones give false trends.
    steps : int, optional
        How many steps. Where not given as many as fit into a year (13 of four weeks), and fewer where the present reporting regime is
        younger: steps never reach back over its first week, nor over a week that is masked for reporting lag.
    threshold : float, default 0.05
        False discovery rate of each step's map, and of the trends.

    Returns
    -------
    Result
        Table, one row a place: place, n (matters of all steps), value (1 for the hot classes, -1 for the cold ones, 0 for none, null
        without a verdict), class (one of `emerging.CLASSES`, or "not_enough_data" where exposure is too small), hot_steps_n, cold_steps_n,
        steps_n, trend (-1, 0, 1), trend_z, p and q (of the trend, two-sided; null where none was tested).

    Raises
    ------
    AnalysisError
        Fewer than eight steps, or fewer with any report; a period outside the data; counts or exposure that no test is defined for.

    Notes
    -----
    Hot and cold: each step is a map of its own, tested by both tails and adjusted (Benjamini-Hochberg) within the step: by exact Gi* where
    places count as alike, by the negative binomial with one dispersion where there is an exposure. Growth that is the same everywhere
    changes no such map, and no cold step is found where an empty neighbourhood is nothing unusual.

    Trend: Mann-Kendall on the neighbourhood's **share** of its step's reports, its sum by what equal shares would give, adjusted across
    places. Not on the z of Gi*: z grows with the root of the count, so that where places differ a doubling of all reporting makes lasting
    hotspots "rise" and lasting cold spots "fall": some do on half to all of the maps of 52 steps, on one in twenty by their share
    (``benchmarks/statistics.md``). Neighbourhoods with fewer than `MINIMUM_PER_STEP` reports a step on average get no trend; so a place
    without reports never "falls".

    The seventeen classes and their precedence: `emerging.classify`. A trend is named there only for places that are hot (cold) in at
    least nine steps of ten.

    References
    ----------
    Getis and Ord (1992), doi:10.1111/j.1538-4632.1992.tb00261.x; Mann (1945), doi:10.2307/1907187.
    """
    panel = cube.panel()
    check_threshold(threshold)
    family = family_of(panel)
    taken = _steps(panel, family, end, step_weeks, steps)
    hot, cold = _hot_and_cold(taken.counts, family, threshold)
    trends = _trends(taken.counts, family, threshold)
    n = np.asarray(panel.counts[:, taken.first : taken.last + 1].sum(axis=1), dtype=np.int64)
    steps_n = taken.counts.shape[1]
    weeks = panel.weeks
    parameters = {
        "layer": panel.layer,
        "category": panel.category,
        "period": Period(weeks[taken.last - step_weeks + 1], step_weeks).id,
        "first_week": week_id(weeks[taken.first]),
        "last_week": week_id(weeks[taken.last]),
        "step_weeks": step_weeks,
        "steps": steps_n,
        "method": family.method,
        "exposure": panel.exposure_kind if family.exposure is not None else "none",
        "threshold": threshold,
        "minimum_per_step": MINIMUM_PER_STEP,
        "classes_dated": CLASSES_DATED,
    }
    denominator = (
        f"{described(panel, family, n)}, in each of {steps_n} steps of {step_weeks} week(s); {int(trends.tested.sum())} trends together"
    )
    caveats = (*map_caveats(panel, family), "trend_of_share", *_trend_caveats(trends, steps_n, threshold, family, taken.cut))
    if end is not None and panel.at(end.last_week_on) != taken.last:
        caveats = (*caveats, "masked_weeks_left_out")
    name = (
        "emerging hotspots: " + ("exact Gi*" if family.exposure is None else "negative binomial Gi*") + " by step, Mann-Kendall of shares"
    )
    return Result(name, parameters, _table(panel, n, family, hot, cold, trends), denominator, caveats)


def _steps(panel: Panel, family: Family, end: Period | None, step_weeks: int, steps: int | None) -> _Steps:
    if step_weeks < 1 or (steps is not None and steps < MINIMUM_STEPS):
        raise AnalysisError(
            f"emerging hotspots of {steps} steps of {step_weeks} week(s): take at least {MINIMUM_STEPS} steps of at least one"
        )
    asked = panel.weeks_n - 1 if end is None else panel.at(end.last_week_on)
    known = np.flatnonzero(panel.complete[: asked + 1])
    if not known.size:
        raise AnalysisError(
            f"{panel.layer}: reports of every week up to then are still coming in; take a later end, or wait", code="incoming"
        )
    last = int(known[-1])
    masked = np.flatnonzero(~panel.complete[: last + 1])
    from_week = max(panel.regime_from, int(masked[-1]) + 1 if masked.size else 0)
    there = max(last + 1 - from_week, 0) // step_weeks
    wanted = max(YEAR_WEEKS // step_weeks, 1) if steps is None else steps
    number = min(wanted, there) if steps is None else steps
    if there < number or number < MINIMUM_STEPS:
        since = "the present reporting regime began" if from_week == panel.regime_from and from_week else "the data begin"
        raise AnalysisError(
            f"{panel.layer}: emerging hotspots need {max(number, MINIMUM_STEPS)} steps of {step_weeks} week(s) up to "
            f"{week_id(panel.weeks[last])}, and {there} fit since {since}; take shorter steps, a later end, or more data",
            code="short_history",
        )
    first = last + 1 - number * step_weeks
    counts = suitable_values(panel.counts[:, first : last + 1], what="count", dimensions=2).astype(np.int64)[family.rows]
    by_step: Ints = counts.reshape(family.rows.size, number, step_weeks).sum(axis=2)
    filled = int((by_step.sum(axis=0) > 0).sum())
    if filled < MINIMUM_STEPS:
        raise AnalysisError(
            f"{panel.layer}, {panel.category}: {filled} of {number} steps hold any report and at least {MINIMUM_STEPS} must; "
            "take longer steps or a wider category",
            code="sparse",
        )
    return _Steps(by_step, first, last, "regime" if number < wanted and from_week == panel.regime_from and from_week else None)


def _hot_and_cold(counts: Ints, family: Family, threshold: float) -> tuple[Bools, Bools]:
    """Tell which steps of which place are hot and which cold, each step adjusted on its own."""
    if family.exposure is None:
        upper = gi_exact_p_slices(counts, family.weights, tail="upper")
        lower = gi_exact_p_slices(counts, family.weights, tail="lower")
    else:
        upper, lower = _nb_tails(counts, family.exposure, family)
    hot, cold = (np.column_stack([fdr(p[:, step]) <= threshold for step in range(p.shape[1])]) for p in (upper, lower))
    return hot & ~(cold & (lower < upper)), cold & ~(hot & (upper <= lower))


def _nb_tails(counts: Ints, exposure: Floats, family: Family) -> tuple[Floats, Floats]:
    """Both tails of the negative binomial, step by step; a tail that is not small, since the sum lies on the other side, is given as 1."""
    from cloudmap.analytics.negative_binomial import fit_size, sum_tails
    from cloudmap.analytics.threads import over_rows

    steps_n = counts.shape[1]
    rate = counts.sum(axis=0) / exposure.sum()
    some = np.flatnonzero(rate > 0)[:: max(1, int((rate > 0).sum()) // _FITTED_STEPS)]
    size = fit_size(counts[:, some].T.ravel(), np.outer(rate[some], exposure).ravel())
    upper, lower = np.ones(counts.shape), np.ones(counts.shape)
    sums = np.rint(family.weights @ counts.astype(np.float64)).astype(np.int64) + counts

    def work(columns: slice) -> None:
        for step in range(columns.start, columns.stop):
            if rate[step] == 0:
                continue
            mean = exposure * rate[step]
            above = sums[:, step] >= family.weights @ mean + mean
            tail = sum_tails(mean, size, family.weights, sums[:, step] + ~above, star=True)
            upper[above, step] = tail[above]
            lower[~above, step] = np.clip(1.0 - tail[~above], 0.0, 1.0)

    over_rows(work, steps_n, least=2)
    return upper, lower


def _trends(counts: Ints, family: Family, threshold: float) -> _Trends:
    """Test the shares of the neighbourhoods for trends; steps without any report say nothing and are left out."""
    counts = counts[:, counts.sum(axis=0) > 0].astype(np.float64)
    sums = np.asarray(family.weights @ counts) + counts
    members = np.diff(family.weights.indptr) + 1.0
    expected = np.outer(members, counts.mean(axis=0))
    tested = sums.mean(axis=1) >= MINIMUM_PER_STEP
    direction, blank = np.zeros(len(counts), dtype=np.int64), np.full(len(counts), np.nan)
    z, p, q = blank.copy(), blank.copy(), blank.copy()
    if tested.any():
        trend = mann_kendall((sums / expected)[tested])
        z[tested], p[tested], q[tested] = trend.z, trend.p, fdr(trend.p)
        direction[tested] = np.where(q[tested] <= threshold, np.sign(trend.s), 0).astype(np.int64)
    return _Trends(tested, direction, z, p, q)


def _trend_caveats(trends: _Trends, steps_n: int, threshold: float, family: Family, cut: str | None) -> list[str]:
    caveats = [] if trends.tested.all() else ["too_few_reports_for_trend"]
    # Adjusted, a neighbourhood's worth of unbroken rises is the least that must be able to pass.
    smallest, together = float(mann_kendall(np.arange(steps_n)).p), float(np.median(np.diff(family.weights.indptr))) + 1
    if trends.tested.any() and smallest * trends.tested.sum() / together > threshold:
        caveats.append("too_few_steps_for_trend")
    return caveats + (["steps_cut_by_regime"] if cut else [])


def _table(panel: Panel, n: Ints, family: Family, hot: Bools, cold: Bools, trends: _Trends) -> pl.DataFrame:
    places_n = len(panel.places)
    named = classify(hot, cold, trends.direction)
    columns = {
        "hot_steps_n": hot.sum(axis=1).astype(np.int64),
        "cold_steps_n": cold.sum(axis=1).astype(np.int64),
        "steps_n": np.full(family.rows.size, hot.shape[1], dtype=np.int64),
        "trend": trends.direction,
        "trend_z": trends.z,
        "p": trends.p,
        "q": trends.q,
    }
    value = np.char.endswith(named, "_hot").astype(np.float64) - np.char.endswith(named, "_cold")
    table = {"place": pl.Series(list(panel.places), dtype=pl.String), "n": n, "value": family.spread(value, places_n)}
    table["class"] = family.spread(named, places_n).fill_null("not_enough_data")
    spread = {name: family.spread(values, places_n) for name, values in columns.items()}
    return pl.DataFrame(table | {name: one.fill_nan(None) if one.dtype.is_float() else one for name, one in spread.items()})
