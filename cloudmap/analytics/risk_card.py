"""The risk card: how well each way of forecasting risk did on weeks it had not seen, and which of them is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.analytics.accuracy import hit_rate, pai, pei_star, poisson_deviance, select_area
from cloudmap.analytics.backtest import Difference, baseline, paired_difference
from cloudmap.analytics.panel import HasPanel
from cloudmap.analytics.result import Result
from cloudmap.analytics.risk import SCORE
from cloudmap.analytics.risk_features import Features, suitable_layers
from cloudmap.analytics.risk_layers import LayerVerdict, judge_layers
from cloudmap.analytics.risk_learner import KINDS, learn, training_rows
from cloudmap.analytics.risk_ready import Ready, make_ready, panel_of
from cloudmap.analytics.risk_score import covered, predict, tune
from cloudmap.analytics.suitable import suitable_exposure
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]

BASELINES = {"long_run": baseline("long_run"), "last_52_weeks": baseline("last"), "ewma_26_weeks": baseline("ewma", periods=26)}
"""Forecasts that a learner must beat, beside the score."""

_WARM_UP_WEEKS = 39
_DECILES = 10


class RiskCard(NamedTuple):
    """The card (one row a model), calibration (ten rows a model), and what became of each layer."""

    card: Result
    calibration: Result
    layers: list[LayerVerdict]


@dataclass(frozen=True)
class _Track:
    """What one model forecast at each origin, (origins, n), and the size of its negative binomial where it has one."""

    kind: str
    expected: Floats
    size: Floats | None


def risk_card(
    cube: HasPanel,
    *,
    horizon_weeks: int = 4,
    origins_n: int = 12,
    category: str | None = None,
    layers: Mapping[str, npt.ArrayLike] | None = None,
    seed: int = 1,
) -> Result:
    """Return the card alone: `back_test_risk` tells the settings and what it holds.

    Raises
    ------
    AnalysisError
        As `back_test_risk`.
    """
    return back_test_risk(cube, horizon_weeks=horizon_weeks, origins_n=origins_n, category=category, layers=layers, seed=seed).card


def back_test_risk(  # noqa: PLR0913  # each is a choice of its own, named by the caller
    cube: HasPanel,
    *,
    horizon_weeks: int = 4,
    origins_n: int = 12,
    gap_weeks: int | None = None,
    category: str | None = None,
    layers: Mapping[str, npt.ArrayLike] | None = None,
    area_share: float = 0.05,
    seed: int = 1,
    scored: bool = True,
) -> RiskCard:
    """Forecast from earlier weeks with baselines, score and learners, and tell which may be used.

    Parameters
    ----------
    cube : HasPanel
        A panel, or a cube that makes one.
    horizon_weeks : int, default 4
        Weeks forecast at once; origins lie as far apart, so that none is forecast twice.
    origins_n : int, default 12
        Origins, the newest ones; at least 12.
    gap_weeks : int, optional
        Weeks before each origin that are not looked at (the reporting lag); as many as the panel masks where not given.
    category : str, optional
        For cubes that hold several.
    layers : mapping of name to array_like of shape (n,), optional
        Nearness to things of the base map (`risk_features.suitable_layers`); each must pass `risk_layers.judge_layers` on origins before
        those of the card.
    area_share : float, default 0.05
        Share of the area that hit rate, PAI and PEI* choose.
    seed : int, default 1
    scored : bool, default True
        Whether the taxonomy lets this category be scored; False is refused.

    Returns
    -------
    RiskCard
        card: model, kind (baseline | score | learner), category, origins_n, deviance, pai, pei_star, hit_share (means over origins),
        coverage_share (80% interval) and pit_share (`risk_score.covered`; null for models without an interval), difference, lower, upper
        (deviance minus that of the best baseline or score, 95%; below 0 is better), pai_difference, pai_lower, pai_upper, shipped (the one
        model that is used). calibration: model, decile (of the forecast), expected_n, observed_n (means of a place), ratio.

    Raises
    ------
    AnalysisError
        As `risk.forecast`; also too few weeks for the origins, fewer than 12 origins, a layer that may not be a feature.

    Notes
    -----
    A learner is shipped only where the interval of its deviance lies wholly below the best of the others', the score included, and that of
    its PAI not wholly below theirs; else the score is. Nothing at an origin, the tuning of the score included, has seen the weeks from
    ``origin - gap`` on. The learners' settings are fixed. An exposure that is made of reports would have seen the weeks to be forecast:
    the back-test then takes area. Learners are fitted on at most 24,000 rows an origin.

    References
    ----------
    Tashman (2000), doi:10.1016/S0169-2070(00)00065-0; Künsch (1989), doi:10.1214/aos/1176347265.
    """
    if not scored:
        raise AnalysisError("this category is counted, never scored (taxonomy column score = 0); choose another category for a back-test")
    panel = panel_of(cube, category)
    by_area = panel.exposure_kind == "reports"
    ready = make_ready(panel, horizon_weeks=horizon_weeks, gap_weeks=gap_weeks, by_area=by_area)
    origins, before = _origins(ready, origins_n)
    verdicts = judge_layers(ready, suitable_layers(layers, ready), before, seed=seed)
    kept = {one.name for one in verdicts if one.kept}
    features = Features(ready, {name: values for name, values in suitable_layers(layers, ready).items() if name in kept})
    tracks = {**_baselines(ready, origins), SCORE: _score(ready, origins), **_learners(features, origins, seed)}
    truth = np.array([ready.history.truth(origin) for origin in origins])
    area = suitable_exposure(panel.area_m2[ready.known], truth.shape[1], what="area")
    parameters = _parameters(ready, origins, verdicts, area_share=area_share, seed=seed)
    caveats = ["reported_not_people"]
    caveats += ["where_reports_are"] if by_area or panel.exposure is None else []
    caveats += ["exposure_left_out"] if by_area else []
    denominator = (
        f"{int(truth.sum())} reports in {len(origins)} spans of {horizon_weeks} week(s) after their origins, {truth.shape[1]} places"
    )
    card = _card(tracks, truth, area, share=area_share, seed=seed).with_columns(category=pl.lit(panel.category))
    calibration = _calibration(tracks, truth).with_columns(category=pl.lit(panel.category))
    return RiskCard(
        Result("rolling back-test of risk", parameters, card, denominator, tuple(caveats)),
        Result("calibration of risk by decile", parameters, calibration, denominator, tuple(caveats)),
        verdicts,
    )


def _origins(ready: Ready, origins_n: int) -> tuple[list[int], list[int]]:
    """The newest origins, and up to twelve before them for judging layers."""
    if origins_n < 12:
        raise AnalysisError(f"origins_n = {origins_n}: a risk card needs at least 12 origins, else its intervals say nothing")
    horizon, gap, weeks_n = ready.history.horizon, ready.history.gap, ready.history.counts.shape[1]
    every = list(range(weeks_n - horizon, _WARM_UP_WEEKS + gap - 1, -horizon))[::-1]
    if len(every) < origins_n:
        raise AnalysisError(
            f"{weeks_n} weeks of the present regime hold {len(every)} origins of {horizon} week(s) after {_WARM_UP_WEEKS} weeks of past, "
            f"and {origins_n} are needed: shorten horizon_weeks, or load at least {_WARM_UP_WEEKS + gap + origins_n * horizon} weeks"
        )
    return every[-origins_n:], every[:-origins_n][-12:]


def _baselines(ready: Ready, origins: list[int]) -> dict[str, _Track]:
    counts = ready.history.counts.astype(np.int64)
    made = {}
    for name, ahead in BASELINES.items():
        expected = [np.asarray(ahead(counts[:, : origin - ready.history.gap], ready.history.horizon)) for origin in origins]
        made[name] = _Track("baseline", np.array(expected, dtype=np.float64), None)
    return made


def _score(ready: Ready, origins: list[int]) -> _Track:
    made = [predict(ready.history, origin, tune(ready.history, origin)) for origin in origins]
    return _Track("score", np.array([one.expected for one in made]), np.array([one.size for one in made]))


def _learners(features: Features, origins: list[int], seed: int) -> dict[str, _Track]:
    made: dict[str, list[tuple[Floats, Floats]]] = {kind: [] for kind in KINDS}
    for origin in origins:
        rows = training_rows(features, origin, np.random.default_rng([seed, origin]))
        for kind in KINDS:
            learned = learn(features, origin, kind, seed=seed, training=rows)
            made[kind].append((learned.expected, np.full(learned.expected.size, learned.size)))
    return {
        kind: _Track("learner", np.array([one for one, _ in pairs]), np.array([size for _, size in pairs])) for kind, pairs in made.items()
    }


def _card(tracks: dict[str, _Track], truth: Floats, area: Floats, *, share: float, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng([seed, 2])
    deviance = {
        name: [poisson_deviance(came, ahead) for came, ahead in zip(truth, track.expected, strict=True)] for name, track in tracks.items()
    }
    chosen = {name: _accuracy(track, truth, area, share, np.random.default_rng([seed, 3])) for name, track in tracks.items()}
    others = [name for name, track in tracks.items() if track.kind != "learner"]
    best = min(others, key=lambda name: float(np.mean(deviance[name])))
    best_pai = max(others, key=lambda name: float(np.nanmean(chosen[name][1])))
    rows: list[dict[str, object]] = []
    for name, track in tracks.items():
        by_deviance = _against(deviance[name], deviance[best], rng, same=name == best)
        by_pai = _against(chosen[name][1], chosen[best_pai][1], rng, same=name == best_pai)
        hits, indices, stars = (float(np.nanmean(column)) for column in chosen[name])
        inside = (None, None) if track.size is None else covered(truth.ravel(), track.expected.ravel(), track.size.ravel())
        rows.append(
            {
                "model": name, "kind": track.kind, "origins_n": len(truth), "deviance": float(np.mean(deviance[name])),
                "pai": indices, "pei_star": stars, "hit_share": hits, "coverage_share": inside[0], "pit_share": inside[1],
                "difference": by_deviance.mean, "lower": by_deviance.lower, "upper": by_deviance.upper,
                "pai_difference": by_pai.mean, "pai_lower": by_pai.lower, "pai_upper": by_pai.upper,
                "shipped": track.kind == "learner" and by_deviance.upper < 0 and not by_pai.upper < 0,
            }
        )  # fmt: skip
    return _one_shipped(pl.DataFrame(rows, infer_schema_length=None))


def _one_shipped(table: pl.DataFrame) -> pl.DataFrame:
    """Ship the best learner of those that may be, else the score."""
    able = table.filter("shipped").sort("deviance")
    used = able["model"][0] if able.height else SCORE
    return table.with_columns(shipped=pl.col("model") == used).with_columns(pl.col(pl.Float64).fill_nan(None))


def _against(first: npt.ArrayLike, second: npt.ArrayLike, rng: np.random.Generator, *, same: bool) -> Difference:
    return Difference(np.nan, np.nan, np.nan) if same else paired_difference(first, second, rng=rng)


def _accuracy(track: _Track, truth: Floats, area: Floats, share: float, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Hit rate, PAI and PEI* at each origin; NaN where nothing came."""
    rows = np.full((len(truth), 3), np.nan)
    for at, (came, ahead) in enumerate(zip(truth, track.expected, strict=True)):
        if came.any():
            places = select_area(ahead / area, area, share=share, rng=rng)
            rows[at] = hit_rate(came, places), pai(came, places, area), pei_star(came, places, area)
    return rows[:, 0], rows[:, 1], rows[:, 2]


def _calibration(tracks: dict[str, _Track], truth: Floats) -> pl.DataFrame:
    came = truth.ravel()
    parts = []
    for name, track in tracks.items():
        ahead = track.expected.ravel()
        groups = np.array_split(np.argsort(ahead, kind="stable"), _DECILES)
        expected = np.array([ahead[group].mean() for group in groups])
        observed = np.array([came[group].mean() for group in groups])
        parts.append(
            pl.DataFrame(
                {
                    "model": name,
                    "decile": np.arange(1, _DECILES + 1),
                    "expected_n": expected,
                    "observed_n": observed,
                    "ratio": observed / expected,
                }
            )
        )
    return pl.concat(parts)


def _parameters(ready: Ready, origins: list[int], verdicts: list[LayerVerdict], *, area_share: float, seed: int) -> dict[str, object]:
    panel = ready.panel
    weeks = panel.weeks[ready.first :]
    return {
        "layer": panel.layer,
        "category": panel.category,
        "horizon_weeks": ready.history.horizon,
        "gap_weeks": ready.history.gap,
        "origins_n": len(origins),
        "first_origin_on": weeks[origins[0]].isoformat(),
        "last_origin_on": weeks[origins[-1]].isoformat(),
        "area_share": area_share,
        "layers_kept": [one.name for one in verdicts if one.kept],
        "layers_refused": [one.name for one in verdicts if not one.kept],
        "seed": seed,
    }
