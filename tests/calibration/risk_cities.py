"""Drawn cities for forecasts of risk: true ratios are known, and the world departs from the model in named ways."""

from datetime import date
from typing import NamedTuple

import numpy as np

from cloudmap.analytics.panel import Panel
from cloudmap.analytics.risk_ready import make_ready
from cloudmap.analytics.risk_score import covered, predict, tune
from tests.calibration.simulated import smooth

KINDS = ("own", "clumped", "growth", "season", "drift")
"""The model; negative binomial weeks (size .5); growth to three times; a year's swing by 40%; ratios that wander by 5% a week."""

HORIZON = 4
WEEKS = 104


class City(NamedTuple):
    """What the forecast is given, what comes in the next four weeks, and the true ratio then (exposure-weighted mean 1)."""

    panel: Panel
    ahead: np.ndarray
    ratio: np.ndarray


class Told(NamedTuple):
    """Coverage of the 80% interval, share of the probability transform in the middle 80%, and P(ratio > 2) of each place."""

    coverage: float
    pit: float
    p_above_2: np.ndarray


def told(city):
    """Forecast a drawn city and compare with what comes."""
    ready = make_ready(city.panel, horizon_weeks=HORIZON)
    ahead = predict(ready.history, ready.origin, tune(ready.history, ready.origin))
    return Told(*covered(city.ahead, ahead.expected, ahead.size), ahead.p_above(2.0))


def panel_of(counts, place, exposure=None, *, complete=None, regime_from=0, layer="cell_9", category="DS"):
    """Weekly counts as a panel on drawn cells of equal area."""
    n, weeks = counts.shape
    kind = "none" if exposure is None else "population"
    whole = np.ones(weeks, dtype=bool) if complete is None else complete
    places = tuple(f"c{number:05d}" for number in range(n))
    return Panel(
        layer, category, places, date(2023, 1, 2), counts, np.zeros((n, 2)), np.ones(n), place.w, exposure, kind, regime_from, whole
    )


def drawn_city(rng, place, kind, mean, *, weeks=WEEKS):
    """Ratios from a gamma of shape 1, exposure that varies smoothly, and four weeks that the forecast does not see."""
    exposure = smooth(rng, place, 0.8)
    ratio = rng.gamma(1.0, 1.0, place.n)
    time = np.arange(weeks + HORIZON)
    level = {"growth": np.linspace(0.5, 1.5, time.size), "season": 1 + 0.4 * np.sin(2 * np.pi * time / 52)}.get(kind, np.ones(time.size))
    expected = mean * (exposure * ratio)[:, None] * level
    if kind == "drift":
        walk = np.cumsum(rng.normal(0, 0.05, expected.shape), axis=1)
        expected = expected * np.exp(walk - walk[:, [-1]])
    counts = rng.negative_binomial(0.5, 0.5 / (0.5 + expected)) if kind == "clumped" else rng.poisson(expected)
    ratio = ratio / ((ratio * exposure).sum() / exposure.sum())
    return City(panel_of(counts[:, :weeks], place, exposure), counts[:, weeks:].sum(axis=1), ratio)


def layered_city(rng, place, *, effect, weeks=110):
    """A sparse city with persistent risk, which where the layer has an effect differs mostly by it; and the layer, rough in space."""
    layer = 200 * smooth(rng, place, 1.0, steps=0)
    risk = smooth(rng, place, 0.3, steps=3)
    if effect:
        risk = risk * layer.mean() / layer
    return panel_of(rng.poisson(0.01 * (risk / risk.mean())[:, None] * np.ones(weeks)), place), layer


def noise_layer(rng, place, kind):
    """A layer that has nothing to do with anything."""
    if kind == "rough noise":
        return rng.gamma(2.0, 100.0, place.n)
    return 200 * smooth(rng, place, 1.0, steps={"smooth noise": 4, "very smooth noise": 30}[kind])
