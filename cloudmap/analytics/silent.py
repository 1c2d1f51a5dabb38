"""Silent cells: places whose reporters, not problems, are missing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from cloudmap.analytics.inference import fdr_of_tested
from cloudmap.analytics.negative_binomial import fit_size
from cloudmap.analytics.panel import HasPanel, Panel
from cloudmap.analytics.periods import week_id
from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

SPANS = (1, 2, 4)
"""Quiet spans that are looked at, in windows of `weeks`: a place may have fallen silent long before the window."""

_NO_SWING = 1e6

BLOCK_WEEKS = 13
"""Weeks of the blocks that tell how much a place's own rate swings."""

_NEIGHBOURS_N = 20.0
"""Matters that the city's rate counts for beside the neighbours' own."""

_SHAPE_LEAST, _SHAPE_MOST = 0.05, 5.0
"""Least and most matters of its own that exposure and neighbours weigh for a place: for some they are wrong by far more than for most."""


class Look(NamedTuple):
    """One look at every place: a span of weeks against what was expected there.

    Attributes
    ----------
    weeks_n : int, or int array of shape (n,)
        Weeks of the span.
    n : int array of shape (n,)
        Matters in the span.
    expected : float array of shape (n,)
        Expected matters in the span.
    size : float array of shape (n,)
        Negative binomial size of the prediction.
    p, p_of_none : float arrays of shape (n,)
        Chance of so few, and of none.
    usable : bool array of shape (n,)
        Places that this look can say something of.
    """

    weeks_n: int | Counts
    n: Counts
    expected: Floats
    size: Floats
    p: Floats
    p_of_none: Floats
    usable: npt.NDArray[np.bool_]


def silent_cells(cube: HasPanel, *, weeks: int = 13, threshold: float = 0.05) -> Result:
    """Find places from which too little is reported for what lives there, was reported before, and is reported next door.

    Parameters
    ----------
    cube : HasPanel
        All categories; the present reporting regime needs twice `weeks` complete weeks.
    weeks : int, default 13
        The window: the newest complete weeks.
    threshold : float, default 0.05
        False discovery rate over the places that could be tested.

    Returns
    -------
    Result
        One row a place: place; n (matters in the window); value (expected - n: matters missing in the window; null where no verdict);
        class; expected (in the window); tested_weeks_n, tested_n, tested_expected (the span that tells most); p, q; last_report_on (Monday
        of the last week with a matter; null for none). Classes: "silent" (fell silent, or tells far too little), "never_reported" (so
        too, and nothing in all weeks of the panel), "reporting", "not_enough_data" (even none at all would say nothing).

    Raises
    ------
    AnalysisError
        The panel holds one category only, too few complete weeks in the present regime, no report at all, or a threshold outside 0 to 1.

    Notes
    -----
    A place's rate relative to the city is gamma: its mean is the neighbours' rate shrunk towards the city's, its shape is fitted to all
    places, and its own history before the span updates it (empirical Bayes). The count in the span is then negative binomial, wider
    by how places swing about their own rates from quarter to quarter (moments). The city's total in the span sets the level, so that
    seasons and city-wide effort cancel.

    Spans of one, two and four windows that end now are looked at, each against the history before it, and, where a population is
    declared, the whole regime of a place that told of nothing in it, against exposure and neighbours alone; p is the least lower tail
    times the number of looks. A place is called silent only where the window itself is quiet too (lower tail at most `threshold`), so
    that one that came back is not. Without a population only places with a history can be tested, as nobody knows whether anybody
    lives elsewhere. Benjamini-Hochberg goes over the places where none at all would have been significant.
    """
    panel = cube.panel()
    counts, shown = _suitable(panel, weeks, threshold)
    best = _telling(_looks(panel, counts, _exposure(panel), weeks), threshold)
    tested = np.isfinite(best.p)
    q = fdr_of_tested(best.p, tested)
    n = counts[:, -weeks:].sum(axis=1)
    # What is expected of the window goes with the span that tells most: its history ends before the silence.
    since = np.cumsum(counts.sum(axis=0)[::-1]).astype(np.float64)
    expected = best.expected * since[weeks - 1] / np.maximum(since[best.weeks_n - 1], 1.0)
    quiet_now = stats.nbinom.cdf(n, best.size, _probability(best.size, expected)) <= threshold
    silent = (np.nan_to_num(q, nan=1.0) <= threshold) & quiet_now
    ever = panel.counts.sum(axis=1) > 0
    table = pl.DataFrame(
        {
            "place": list(panel.places),
            "n": n,
            "value": _blank(expected - n, tested),
            "class": np.where(silent, np.where(ever, "silent", "never_reported"), np.where(tested, "reporting", "not_enough_data")),
            "expected": _blank(expected, tested),
            "tested_weeks_n": _blank(best.weeks_n, tested).cast(pl.Int64),
            "tested_n": _blank(best.n, tested).cast(pl.Int64),
            "tested_expected": _blank(best.expected, tested),
            "p": _blank(best.p, tested),
            "q": _blank(q, tested),
            "last_report_on": _last_report(panel),
        }
    )
    parameters = {"layer": panel.layer, "category": panel.category, "period": shown, "weeks": weeks, "threshold": threshold}
    parameters |= {"exposure": panel.exposure_kind, "regime_weeks_n": counts.shape[1]}
    denominator = f"{int(tested.sum())} of {tested.size} places could be tested; in the others no report at all would say nothing"
    caveats = ("silent_is_reporters", *(() if panel.exposure_kind == "population" else ("silent_without_exposure",)))
    return Result("silent places, negative binomial lower tail, Benjamini-Hochberg", parameters, table, denominator, caveats)


def _telling(looks: list[Look], threshold: float) -> Look:
    """Return for each place the look that tells most, its p counted for all looks; NaN where none at all would say nothing."""
    usable = np.array([look.usable for look in looks])
    tries = np.maximum(usable.sum(axis=0), 1)
    lowest = np.where(usable, [look.p for look in looks], np.inf)
    p_of_none = np.where(usable, [look.p_of_none for look in looks], np.inf).min(axis=0) * tries
    best, at = lowest.argmin(axis=0), np.arange(tries.size)
    testable = p_of_none <= threshold
    return Look(
        weeks_n=np.array([look.weeks_n for look in looks])[best],
        n=np.array([look.n for look in looks])[best, at],
        expected=np.array([look.expected for look in looks])[best, at],
        size=np.array([look.size for look in looks])[best, at],
        p=np.where(testable, np.minimum(lowest[best, at] * tries, 1.0), np.nan),
        p_of_none=p_of_none,
        usable=testable,
    )


def _suitable(panel: Panel, weeks: int, threshold: float) -> tuple[Counts, str]:
    """Return the counts of the complete weeks of the present regime, and the window as text."""
    if panel.category != "ALL":
        raise AnalysisError(f"silent cells: category {panel.category} alone says nothing of reporters; take a panel of ALL")
    if weeks < 4 or not 0 < threshold < 1:
        raise AnalysisError(f"silent cells: weeks = {weeks}, threshold = {threshold}; use 4 weeks or more and a threshold between 0 and 1")
    kept = np.flatnonzero(panel.complete[panel.regime_from :]) + panel.regime_from
    if kept.size < 2 * weeks:
        raise AnalysisError(
            f"silent cells: {kept.size} complete weeks in the present reporting regime; {2 * weeks} are needed. Take fewer weeks or wait",
            code="short_history",
        )
    counts = panel.counts[:, kept]
    if not counts.any():
        raise AnalysisError("silent cells: nothing was reported in the present reporting regime; take a longer panel", code="empty")
    return counts, f"{week_id(panel.weeks[kept[-weeks]])}--{week_id(panel.weeks[kept[-1]])}"


def _exposure(panel: Panel) -> Floats | None:
    """Return the declared population; an exposure made of the reports themselves cannot tell that some are missing."""
    if panel.exposure is None or panel.exposure_kind != "population":
        return None
    if not (np.isfinite(panel.exposure).all() and (panel.exposure >= 0).all()) or not panel.exposure.any():
        raise AnalysisError(
            "silent cells: exposures are missing, negative or all 0; correct the population of the base map", code="no_exposure"
        )
    return panel.exposure


def _looks(panel: Panel, counts: Counts, exposure: Floats | None, weeks: int) -> list[Look]:
    people = np.ones(counts.shape[0]) if exposure is None else exposure
    share = people / people.sum()
    mean = _local_rate(counts.sum(axis=1), share, panel)
    shape = _shape(counts.sum(axis=1), mean, share)
    swing = _swing(counts, mean, shape, share)
    spans = [weeks * turn for turn in SPANS if weeks * (turn + 1) <= counts.shape[1]]
    looks = [_look(panel, counts, share, shape, swing, span, needs_history=exposure is None) for span in spans]
    if exposure is not None:
        looks.append(_look(panel, counts, share, shape, swing, counts.shape[1], needs_history=False))
    return looks


def _look(panel: Panel, counts: Counts, share: Floats, shape: float, swing: float, span: int, *, needs_history: bool) -> Look:
    """Compare the last weeks with what place, neighbours and history before them let expect."""
    before, n = counts[:, : counts.shape[1] - span], counts[:, counts.shape[1] - span :].sum(axis=1)
    history = before.sum(axis=1)
    basis = counts.sum(axis=1) if before.shape[1] == 0 else history
    # Neighbours are judged on the same weeks as the place, never on the span that is tested, but for the look at the whole regime.
    mean = _local_rate(basis, share, panel)
    expected_history, expected_span = share * before.sum(), share * n.sum()
    posterior = (shape + history) / (shape / mean + expected_history)
    expected = posterior * expected_span
    size = 1.0 / (1.0 / swing + 1.0 / (shape + history))
    probability = _probability(size, expected)
    usable = (share > 0) & ((history > 0) | (not needs_history))
    p, p_of_none = stats.nbinom.cdf(n, size, probability), stats.nbinom.pmf(0, size, probability)
    if before.shape[1] == 0:
        # Exposure alone cannot tell a place that reports little from one whose exposure is wrong; none at all is another matter.
        p = np.where(n == 0, p, 1.0)
    return Look(span, n, expected, size, np.asarray(p), np.asarray(p_of_none), usable)


def _probability(size: Floats, mean: Floats) -> Floats:
    """Return scipy's second parameter of a negative binomial with this size and mean."""
    return size / (size + np.maximum(mean, 1e-12))


def _local_rate(history: Counts, share: Floats, panel: Panel) -> Floats:
    """Return each place's neighbours' rate relative to the city's, shrunk towards it; the place itself is left out."""
    expected = share * history.sum()
    near, near_expected = panel.weights @ history.astype(np.float64), panel.weights @ expected
    rate: Floats = (near + _NEIGHBOURS_N) / (near_expected + _NEIGHBOURS_N)
    return rate


def _shape(total: Counts, mean: Floats, share: Floats) -> float:
    """Fit how much places differ for good from what exposure and neighbours let expect: the gamma's shape."""
    peopled = share > 0
    expected = (mean * share * total.sum())[peopled]
    return float(np.clip(fit_size(total[peopled], expected), _SHAPE_LEAST, _SHAPE_MOST))


def _swing(counts: Counts, mean: Floats, shape: float, share: Floats) -> float:
    """Estimate how much places swing about their own rates from block to block: a negative binomial size."""
    blocks_n = counts.shape[1] // BLOCK_WEEKS
    if blocks_n < 2:
        return _NO_SWING
    blocks = counts[:, counts.shape[1] - blocks_n * BLOCK_WEEKS :].reshape(counts.shape[0], blocks_n, BLOCK_WEEKS).sum(axis=2)
    city = blocks.sum(axis=0).astype(np.float64)
    prior, total = shape / mean, share * city.sum()
    expected = ((shape + blocks.sum(axis=1)) / (prior + total))[:, None] * share[:, None] * city[None, :]
    # A place's own mean takes up part of its chance: what is left of the variance of a block.
    own = total / (prior + total)
    left = (1.0 - own * (2.0 - own) / blocks_n)[:, None]
    # A place that is quiet to the end is what is looked for: its swing is not the others'.
    quiet = np.flip(np.flip(blocks == 0, axis=1).cumprod(axis=1), axis=1).astype(bool) & (expected >= 3)
    kept = (expected > 0) & ~quiet
    excess = float(((blocks - expected) ** 2 - left * expected)[kept].sum())
    basis = float((left * expected**2)[kept].sum())
    return min(basis / excess, _NO_SWING) if excess > 0 else _NO_SWING


def _last_report(panel: Panel) -> pl.Series:
    """Return the Monday of each place's last week with a matter."""
    weeks = panel.weeks
    some = panel.counts > 0
    last = panel.weeks_n - 1 - np.flip(some, axis=1).argmax(axis=1)
    told: list[bool] = np.asarray(some.any(axis=1)).tolist()
    return pl.Series("last_report_on", [weeks[at] if any_ else None for at, any_ in zip(last, told, strict=True)], dtype=pl.Date)


def _blank(values: npt.ArrayLike, shown: npt.NDArray[np.bool_]) -> pl.Series:
    """Return the values with null where there is no verdict."""
    return pl.Series(np.where(shown, values, np.nan), dtype=pl.Float64).fill_nan(None)
