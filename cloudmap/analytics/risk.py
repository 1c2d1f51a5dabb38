"""Risk on places: what the next weeks are expected to bring, how sure that is, and how it compares with the city."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from cloudmap.analytics.panel import HasPanel, Panel, spread_out
from cloudmap.analytics.result import Result
from cloudmap.analytics.risk_ready import Ready, make_ready, panel_of
from cloudmap.analytics.risk_score import Prediction, Tuning, predict, tune
from cloudmap.analytics.suitable import suitable_values
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    Severity = float | Mapping[str, float] | npt.ArrayLike

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SURE = 0.8
"""Probability of more than twice the city's rate from which a place is called above_2."""

SCORE = "gamma_poisson"
"""Name of the model that is used unless a learner has earned its place."""

_LEVEL = 0.8
_LEAST = 1.0


def forecast(  # noqa: PLR0913  # each is a choice of its own, named by the caller
    cube: HasPanel,
    *,
    horizon_weeks: int = 4,
    half_life_days: float | None = None,
    min_exposure: float | None = None,
    severity: Severity | None = None,
    category: str | None = None,
    scored: bool = True,
    card: Result | None = None,
    layers: Mapping[str, npt.ArrayLike] | None = None,
) -> Result:
    """Forecast each place's reports in the next weeks, and its ratio to the city's rate.

    Parameters
    ----------
    cube : HasPanel
        A panel, or a cube that makes one.
    horizon_weeks : int, default 4
        Weeks ahead, 1 to 13, counted from the week after the panel's last one.
    half_life_days : float, optional
        Days after which a report weighs half; infinity for no decay. Where not given,
        chosen from `risk_score.HALF_LIVES_DAYS` by rolling back-test; 180 where the past is too short for one.
    min_exposure : float, optional
        Places with less read not_enough_data. Where not given: the exposure at which one report would be due at the city's rate, or a
        tenth of the mean exposure if that is less.
    severity : float, mapping of category to float, or array_like of shape (n,), optional
        Mean severity weight of a report. It makes the column burden and nothing else.
    category : str, optional
        ALL, a group or a category, for cubes that hold several.
    scored : bool, default True
        Whether the taxonomy lets this category be scored; False is refused.
    card : Result, optional
        Risk card of the same layer, category and horizon (`risk_card.risk_card`). Where it ships a learner, expected counts and ratios are
        the learner's; else, and without a card, the score's.
    layers : mapping of name to array_like of shape (n,), optional
        Nearness to things of the base map, of which the learner gets those that the card kept.

    Returns
    -------
    Result
        One row a place: place, n (reports of the last 52 weeks known), value (= ratio, null without a verdict), class (above_2 |
        ordinary | not_enough_data), expected_n, lower_n, upper_n (80% interval), ratio, p_above_2, percentile (of the ratio, for ranking
        only), burden (null without severity).

    Raises
    ------
    AnalysisError
        A category that is never scored, an overlay, too few weeks, nothing but zeros, missing or negative numbers, a horizon or severity
        that does not fit.

    Notes
    -----
    theta_i ~ Gamma(alpha, alpha), the ratio of place i to the city; its posterior is Gamma(k alpha + c D_i, k alpha + c E_i) with D_i the
    decayed count, E_i what the city's rate would have given in the same weeks, and c the scale that makes the variance of decayed Poisson
    counts equal to their mean. alpha is fitted by marginal likelihood; k, the half-lives, the precision of the posterior and the clumping
    of counts by held-out likelihood (`risk_score.tune`). Growth that is the same everywhere changes the level of the city, not the ratios.

    A place has not enough data where its exposure is under the minimum, or where neither what is due nor what was seen in the decayed weeks
    reaches one report.

    References
    ----------
    Clayton and Kaldor (1987), doi:10.2307/2532003 (gamma prior); West and Harrison (1997), Bayesian Forecasting and Dynamic Models,
    Springer, section 10.8 (discounting).
    """
    if not scored:
        raise AnalysisError(
            "this category is counted, never scored (taxonomy column score = 0); choose another category for a forecast", code="unscored"
        )
    ready = make_ready(panel_of(cube, category), horizon_weeks=horizon_weeks)
    if half_life_days is not None and not half_life_days > 0:
        raise AnalysisError(f"half_life_days = {half_life_days!r} must be above 0; leave it out to have it chosen by back-test")
    weight = _severity(severity, ready.panel)
    tuning = tune(ready.history, ready.origin, half_life_days=half_life_days)
    ahead = predict(ready.history, ready.origin, tuning)
    enough, least = _enough(ready, tuning, min_exposure)
    model = SCORE if card is None else _shipped(card, ready)
    if card is not None and model != SCORE:
        ahead = _learned(ready, ahead, model, card, layers)
    return Result(
        "gamma-Poisson risk score" if model == SCORE else f"risk by {model.replace('_', ' ')}",
        {"model": model, **_parameters(ready, tuning, least)},
        _table(ready, ahead, enough, weight),
        _denominator(ready),
        _caveats(ready, tuning),
    )


def _shipped(card: Result, ready: Ready) -> str:
    """Name the model that a card ships, if the card is of what is to be forecast."""
    wanted = {"layer": ready.panel.layer, "category": ready.panel.category, "horizon_weeks": ready.history.horizon}
    other = {name: card.parameters.get(name) for name, value in wanted.items() if card.parameters.get(name) != value}
    if other:
        raise AnalysisError(f"this risk card is of {other}, the forecast of {wanted}; make a card of the same panel and horizon")
    return str(card.table.filter("shipped")["model"][0])


def _learned(ready: Ready, ahead: Prediction, model: str, card: Result, layers: Mapping[str, npt.ArrayLike] | None) -> Prediction:
    """What a learner expects, its ratios to the city, and the score's certainty of them."""
    from cloudmap.analytics.risk_features import Features, suitable_layers
    from cloudmap.analytics.risk_learner import learn

    kept = cast("list[str]", card.parameters["layers_kept"])
    checked = suitable_layers({name: values for name, values in (layers or {}).items() if name in kept}, ready)
    if missing := sorted(set(kept) - set(checked)):
        raise AnalysisError(f"the risk card ships a learner that knows layers {', '.join(missing)}; give them as layers")
    seed = cast("int", card.parameters["seed"])
    learned = learn(Features(ready, checked), ready.origin, cast("Any", model), seed=seed)
    ratio = learned.expected / (ready.history.share * learned.expected.sum())
    return Prediction(ratio, ahead.shape, learned.expected, np.full_like(learned.expected, learned.size))


def _severity(severity: Severity | None, panel: Panel) -> Floats | None:
    """Mean severity weight of each place's reports."""
    if severity is None:
        return None
    if isinstance(severity, Mapping):
        if panel.category not in severity:
            raise AnalysisError(f"no severity weight for category {panel.category}; give one, or an array with each place's mean weight")
        severity = severity[panel.category]
    n = len(panel.places)
    weights = suitable_values(np.atleast_1d(np.asarray(severity, dtype=np.float64)), what="severity weight", least=1)
    if weights.size not in (1, n):
        raise AnalysisError(f"{weights.size} severity weights for {n} places; give one number, or one a place")
    return np.broadcast_to(weights, n).astype(np.float64)


def _enough(ready: Ready, tuning: Tuning, min_exposure: float | None) -> tuple[Bools, float]:
    """Which of the known places have data enough for a verdict, and the least exposure."""
    stop = ready.origin - ready.history.gap
    past = ready.history.discounted(stop, tuning.half_life_days)
    exposure = ready.exposure[ready.known]
    if min_exposure is None:
        one_due = exposure.sum() * _LEAST / max(float(past.seen.sum()), 1e-9)
        min_exposure = float(min(one_due, 0.1 * exposure.mean()))
    elif not (np.isfinite(min_exposure) and min_exposure >= 0):
        raise AnalysisError(f"min_exposure = {min_exposure!r} must be a number of at least 0, in units of the exposure")
    return (exposure >= min_exposure) & (np.maximum(past.seen, past.due) >= _LEAST), min_exposure


def _table(ready: Ready, ahead: Prediction, enough: Bools, weight: Floats | None) -> pl.DataFrame:
    panel, known = ready.panel, ready.known
    low, high = ahead.interval(_LEVEL)
    above = ahead.p_above(2.0)
    verdict = np.full(known.size, "not_enough_data", dtype=object)
    verdict[known] = np.where(enough, np.where(above >= SURE, "above_2", "ordinary"), "not_enough_data")
    percentile = np.full(known.size, np.nan)
    percentile[np.flatnonzero(known)[enough]] = _percentile(ahead.ratio[enough])
    columns = {
        "expected_n": spread_out(ahead.expected, known),
        "lower_n": spread_out(low, known),
        "upper_n": spread_out(high, known),
        "ratio": spread_out(ahead.ratio, known),
        "p_above_2": spread_out(above, known),
        "percentile": percentile,
        "burden": np.full(known.size, np.nan) if weight is None else spread_out(ahead.expected, known) * weight,
    }
    value = np.where(verdict == "not_enough_data", np.nan, columns["ratio"])
    recent = panel.counts[:, max(ready.first, ready.stop - 52) : ready.stop].sum(axis=1)
    table = pl.DataFrame(
        {
            "place": pl.Series(panel.places, dtype=pl.String),
            "n": pl.Series(recent, dtype=pl.Int64),
            "value": value,
            "class": pl.Series(verdict.tolist(), dtype=pl.String),
            **columns,
        }
    )
    return table.with_columns(pl.col(pl.Float64).fill_nan(None))


def _percentile(ratio: Floats) -> Floats:
    """Share of places with a lower ratio, ties by half, 0 to 100."""
    if not ratio.size:
        return ratio
    return np.asarray(100.0 * (stats.rankdata(ratio) - 0.5) / ratio.size, dtype=np.float64)


def _parameters(ready: Ready, tuning: Tuning, least: float) -> dict[str, object]:
    """What the result stands on; a half-life of None is no decay."""
    panel = ready.panel
    return {
        "layer": panel.layer,
        "category": panel.category,
        "horizon_weeks": ready.history.horizon,
        "first_week_on": panel.weeks[ready.first].isoformat(),
        "last_week_on": panel.weeks[ready.stop - 1].isoformat(),
        "weeks_n": ready.stop - ready.first,
        "gap_weeks": ready.history.gap,
        "half_life_days": _finite(tuning.half_life_days),
        "level_half_life_days": _finite(tuning.level_half_life_days),
        "prior_scale": round(tuning.prior_scale, 4),
        "precision": round(tuning.precision, 4),
        "clumping": round(tuning.clumping, 4),
        "back_test_origins_n": tuning.origins_n,
        "min_exposure": round(least, 4),
        "interval": _LEVEL,
        "sure": SURE,
    }


def _finite(days: float) -> float | None:
    return days if np.isfinite(days) else None


def _denominator(ready: Ready) -> str:
    kind = "area" if ready.panel.exposure is None else ready.panel.exposure_kind
    return f"reports due at the city's rate by {kind}, {int(ready.known.sum())} of {ready.known.size} places"


def _caveats(ready: Ready, tuning: Tuning) -> tuple[str, ...]:
    panel = ready.panel
    keys = ["reported_not_people"]
    keys += ["where_reports_are"] if panel.exposure is None or panel.exposure_kind == "none" else []
    keys += ["lag_masked"] if ready.stop < panel.weeks_n else []
    keys += ["present_regime_only"] if ready.first > 0 else []
    keys += ["not_back_tested"] if tuning.origins_n == 0 else []
    keys += ["places_without_exposure"] if not ready.known.all() else []
    return tuple(keys)
