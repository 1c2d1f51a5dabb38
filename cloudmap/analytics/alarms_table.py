"""Alarms of many places and category groups: whose newest week is more than its own past leads one to expect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from cloudmap.analytics.conditional import tails
from cloudmap.analytics.inference import fdr_of_tested
from cloudmap.analytics.noise import fit_noise
from cloudmap.analytics.panel import Panel
from cloudmap.analytics.past_many import predict_flexible_many
from cloudmap.analytics.periods import week_id
from cloudmap.analytics.result import Result
from cloudmap.analytics.together import suitable_panels
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_N: Final = 5
"""No alarm where the four weeks up to the newest hold fewer matters: one more or less would decide."""

_YEARS, _WINDOW, _YEAR = 3, 3, 52
_NOISE_WEEKS = 104
"""Weeks from which noise and the usual week are learnt: two seasons."""

_BASELINE, _GAP = 7, 2
"""EARS C2: seven weeks, two weeks before the one judged."""


class _Judged(NamedTuple):
    """What one group's series of all places give, shape (n,); NaN where a series is not judged."""

    expected: Floats
    upper: Floats
    p: Floats
    seasonal: npt.NDArray[np.bool_]


def alarms(panels: Sequence[Panel], *, alpha: float = 0.01) -> Result:
    """Judge the newest complete week of each place and category group against its own past.

    Parameters
    ----------
    panels : sequence of Panel
        One for each category group of one layer; categories that are counted but not scored left out by the caller.
    alpha : float, default 0.01
        One-sided level of each series.

    Returns
    -------
    Result
        One row a place and group, in the order of the places, then of the panels: place, category_code, week_on, n, upper, expected,
        method (farrington_flexible | ears_c2; null where none applies), class (alarm: n above upper | none | not_enough_data), p, q
        (Benjamini-Hochberg over all series judged), history_weeks_n. The denominator states how many series were judged and how many
        false alarms alpha lets one expect among them.

    Raises
    ------
    AnalysisError
        No panel, panels that do not belong together, alpha outside 0 to 0.5, or no complete week in the present reporting regime.

    Notes
    -----
    With three years and three weeks within the present regime, the mean is that of `alarms.farrington_flexible`. Its dispersion is the
    method's own or that of the noise which the series and its like have shown over the whole regime (`noise.fit_noise`), whichever is
    larger, and the error of the mean is added: weighting past outbreaks down makes the method's own bound too low for clumpy counts (1% to
    2.5% of quiet series at a nominal 1%), so the bound here is never below that of `alarms.farrington_flexible`.

    A shorter past leaves the seven weeks that EARS C2 looks at. Its usual bound, mean + z sd, errs on 3% to 20% of quiet series at a
    nominal 1%: seven weeks do not tell their own deviation, and small counts are not normal. Here an alarm needs more than each of three
    bounds: C2's with the quantile of Student's t for a mean and deviation of seven values; the exact share of the week in the eight weeks'
    sum, widened by the noise; and what that noise makes of the series' usual week. ``benchmarks/alarms.md`` has the rates measured.

    A series is judged by EARS only where its eight weeks hold at least `LEAST_N` matters; the exact test is given that sum, so that the
    choice does not change its level. A growing season counts as a rise for EARS.

    References
    ----------
    Noufaily et al. (2013), doi:10.1002/sim.5595; Hutwagner et al. (2003), doi:10.1007/PL00022319.
    """
    first = suitable_panels(panels)
    if not 0 < alpha < 0.5:
        raise AnalysisError(f"alpha = {alpha!r} must lie between 0 and 0.5")
    at = _newest(first)
    usable = int(at - first.regime_from)
    trained = first.complete[first.regime_from : at]
    long_enough = usable >= _YEARS * _YEAR + _WINDOW and bool(first.complete[at - _YEARS * _YEAR - _WINDOW : at].all())
    short_enough = usable >= _BASELINE + _GAP and bool(first.complete[at - _BASELINE - _GAP : at].all())
    judged = [_judge(one.counts, at, first.regime_from, trained, alpha, long_enough, short_enough) for one in panels]
    table = _table(first, panels, judged, at, usable)
    p = table["p"].drop_nulls()
    adjusted = fdr_of_tested(table["p"].to_numpy())
    caveats = [] if long_enough else ["alarms_short_history"]
    if p.is_empty():
        caveats.append("alarms_too_little")
    return Result(
        method="alarms",
        parameters={
            "layer": first.layer,
            "categories": [one.category for one in panels],
            "week": week_id(first.weeks[at]),
            "alpha": alpha,
            "least_n": LEAST_N,
            "series_n": table.height,
            "judged_n": p.len(),
            "false_alarms_expected": round(alpha * p.len(), 2),
        },
        table=table.with_columns(pl.Series("q", adjusted).fill_nan(None)),
        denominator=f"{p.len()} of {table.height} series judged; at alpha {alpha:g} about {alpha * p.len():.1f} false alarms are expected",
        caveats=tuple(caveats),
    )


def _newest(panel: Panel) -> int:
    complete = np.flatnonzero(panel.complete)
    if not complete.size or complete[-1] < panel.regime_from:
        raise AnalysisError(
            f"layer {panel.layer}: no complete week since {panel.weeks[min(panel.regime_from, panel.weeks_n - 1)]}; wait for one",
            code="incoming",
        )
    return int(complete[-1])


def _judge(
    counts: Ints, at: int, start: int, trained: npt.NDArray[np.bool_], alpha: float, long_enough: bool, short_enough: bool
) -> _Judged:
    nothing = np.full(len(counts), np.nan)
    judged = _Judged(nothing.copy(), nothing.copy(), nothing.copy(), np.zeros(len(counts), dtype=bool))
    if not short_enough:
        return judged
    past = counts[:, start:at][:, trained][:, -_NOISE_WEEKS:]
    phi = fit_noise(past).phi
    if long_enough:
        _by_season(counts, at, alpha, phi, judged)
    rest = ~judged.seasonal
    if rest.any():
        _by_last_weeks(counts, at, past.mean(axis=1), phi, alpha, rest, judged)
    return judged


def _by_season(counts: Ints, at: int, alpha: float, noise: Floats, judged: _Judged) -> None:
    """Fill in `farrington_flexible` for every series whose past is not empty."""
    some = np.flatnonzero(counts[:, at - _YEARS * _YEAR - _WINDOW : at].any(axis=1))
    predicted = predict_flexible_many(counts[some].astype(np.float64), at, period=_YEAR, b=_YEARS, w=_WINDOW)
    fitted = np.isfinite(predicted.mean) & (predicted.mean > 0)
    some, mean = some[fitted], predicted.mean[fitted]
    phi = np.maximum(predicted.dispersion[fitted], noise[some]) + predicted.mean_error[fitted] ** 2 / mean
    judged.expected[some], judged.seasonal[some] = mean, True
    judged.upper[some], judged.p[some] = _guarded(counts[some], at, *_noisy_bound(counts[some, at], mean, phi, alpha))


def _noisy_bound(n: Ints | Floats, mean: Floats, phi: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Give the 1 - alpha quantile of counts with this mean and variance phi x mean, and P(X >= n)."""
    plain = phi <= 1 + 1e-9
    size = mean / np.where(plain, 1.0, phi - 1)
    upper = np.where(plain, stats.poisson.ppf(1 - alpha, mean), stats.nbinom.ppf(1 - alpha, size, 1 / phi))
    p = np.where(plain, stats.poisson.sf(n - 1, mean), stats.nbinom.sf(n - 1, size, 1 / phi))
    return upper, p


def _by_last_weeks(counts: Ints, at: int, usual: Floats, phi: Floats, alpha: float, rest: npt.NDArray[np.bool_], judged: _Judged) -> None:
    """Fill in EARS C2 for the rest, with a bound that seven weeks and small counts can bear."""
    past = counts[:, at - _BASELINE - _GAP : at - _GAP].astype(np.float64)
    total = past.sum(axis=1)
    some = np.flatnonzero(rest & (total + counts[:, at] >= LEAST_N))
    past, total, n, phi = past[some], total[some], counts[some, at].astype(np.float64), phi[some]
    mean = past.mean(axis=1)
    spread = np.maximum(past.std(axis=1, ddof=1), 0.5) * np.sqrt(1 + 1 / _BASELINE)
    student = mean + stats.t.isf(alpha, _BASELINE - 1) * spread
    noisy, noisy_p = _noisy_bound(n, np.maximum(mean, usual[some]), phi, alpha)
    p = np.maximum.reduce([stats.t.sf((n - mean) / spread, _BASELINE - 1), _share_p(n, total, phi), noisy_p])
    upper = np.maximum.reduce([student, _share_bound(total, phi, alpha), noisy])
    judged.expected[some] = mean
    judged.upper[some], judged.p[some] = _guarded(counts[some], at, upper, p)


def _share_p(n: Floats, total: Floats, phi: Floats) -> Floats:
    """P that the week has at least n of the eight weeks' matters."""
    with np.errstate(divide="ignore"):
        firm = np.where(phi > 1, np.maximum(total + n, 1) / (phi - 1), np.inf)
    return tails(n, total + n, 1 / (_BASELINE + 1), firm)[0]


def _share_bound(total: Floats, phi: Floats, alpha: float) -> Floats:
    """Give the largest count whose `_share_p` is above alpha, by bisection: the p falls as the count grows."""
    low, high = np.zeros_like(total), 10.0 + 2 * total + 60 * phi
    while (above := _share_p(high, total, phi) > alpha).any():
        high = np.where(above, 2 * high, high)
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        above = _share_p(middle, total, phi) > alpha
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return low


def _guarded(counts: Ints, at: int, upper: Floats, p: Floats) -> tuple[Floats, Floats]:
    """Raise the bound so that four weeks with an alarm hold at least `LEAST_N` matters."""
    before = counts[:, max(at - 3, 0) : at].sum(axis=1)
    upper = np.maximum(upper, LEAST_N - 1 - before)
    return upper, np.where(before + counts[:, at] >= LEAST_N, np.minimum(p, 1.0), 1.0)


def _table(first: Panel, panels: Sequence[Panel], judged: Sequence[_Judged], at: int, usable: int) -> pl.DataFrame:
    n = np.column_stack([one.counts[:, at] for one in panels])
    expected, upper, p = (np.column_stack([getattr(one, name) for one in judged]).ravel() for name in ("expected", "upper", "p"))
    seasonal = np.column_stack([one.seasonal for one in judged]).ravel()
    frame = pl.DataFrame(
        {
            "place": np.repeat(np.array(first.places, dtype=object), len(panels)).tolist(),
            "category_code": [one.category for one in panels] * len(first.places),
            "week_on": [first.weeks[at]] * n.size,
            "n": n.ravel(),
            "upper": upper,
            "expected": expected,
            "seasonal": seasonal,
            "p": p,
            "history_weeks_n": np.full(n.size, usable),
        },
        schema_overrides={"place": pl.String, "category_code": pl.String, "week_on": pl.Date, "n": pl.Int64},
    )
    known = pl.col("p").is_not_null()
    return (
        frame.with_columns(pl.col("upper", "expected", "p").fill_nan(None))
        .with_columns(
            pl.when(pl.col("seasonal")).then(pl.lit("farrington_flexible")).when(known).then(pl.lit("ears_c2")).alias("method"),
            pl.when(~known)
            .then(pl.lit("not_enough_data"))
            .when(pl.col("n") > pl.col("upper"))
            .then(pl.lit("alarm"))
            .otherwise(pl.lit("none"))
            .alias("class"),
        )
        .drop("seasonal")
    )
