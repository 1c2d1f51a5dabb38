"""Whether a layer of the base map tells a learner anything: it must do better on held-out weeks than made-up layers that look like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from cloudmap.analytics.backtest import paired_difference, poisson_deviance
from cloudmap.analytics.risk_features import Features
from cloudmap.analytics.risk_learner import Training, fit, ratios, training_rows
from cloudmap.analytics.risk_ready import Ready

Floats = npt.NDArray[np.float64]

PLACEBOS_N = 39
_FEWEST_ORIGINS = 8
_MOST_SMOOTHING = 80
_NEWTON_STEPS = 25


class LayerVerdict(NamedTuple):
    """Gain in mean deviance by a layer, its interval over origins, the share of placebos that gain as much, and whether it is kept.

    The share is None where the interval alone refuses the layer.
    """

    name: str
    gain: float
    lower: float
    upper: float
    placebo_p: float | None
    kept: bool


class _Step(NamedTuple):
    """One origin with a learner that knows no layer: each place's counts in its training rows, what it makes of them and of what comes."""

    came: Floats
    fitted: Floats
    expected: Floats
    truth: Floats


def judge_layers(
    ready: Ready, layers: Mapping[str, Floats], origins: list[int], *, seed: int, placebos_n: int = PLACEBOS_N
) -> list[LayerVerdict]:
    """Keep the layers that improve forecasts of held-out weeks by more than chance and shape explain.

    Parameters
    ----------
    ready : Ready
    layers : mapping of name to float array of shape (n,)
        Checked layers (`risk_features.suitable_layers`).
    origins : list of int
        Weeks that forecasts are made from; use such as no other judgement rests on. With fewer than eight every layer is refused.
    seed : int
        Of the draw of rows, the placebos and the bootstrap.
    placebos_n : int, default 39
        Made-up layers; with 39 a layer may be beaten by at most one of them.

    Returns
    -------
    list of LayerVerdict

    Notes
    -----
    At each origin a Poisson regression on all features but the layer is fitted; its log is then the offset of a regression on the layer and
    its square, fitted on the same training rows. The gain is the fall of the deviance of the weeks that follow. The places are the same
    at every origin, so that a smooth layer that resembles the true risk by accident gains each time: its interval over origins alone
    would keep it. Placebos are random surfaces, smoothed until neighbours resemble each other as much as in the layer, with its own values.
    """
    if not layers:
        return []
    if len(origins) < _FEWEST_ORIGINS:
        return [LayerVerdict(name, np.nan, np.nan, np.nan, None, kept=False) for name in layers]
    rng = np.random.default_rng([seed, 1])
    steps = _steps(ready, origins, seed)
    plain = [poisson_deviance(step.truth, step.expected) for step in steps]
    verdicts = []
    for name, layer in layers.items():
        scored = _with_layer(steps, layer)
        gain = paired_difference(plain, scored, rng=rng)
        if not gain.lower > 0:
            verdicts.append(LayerVerdict(name, *gain, None, kept=False))
            continue
        placebos = [np.mean(plain) - np.mean(_with_layer(steps, one)) for one in placebo_layers(layer, ready.near, placebos_n, rng)]
        p = (1 + int(sum(one >= gain.mean for one in placebos))) / (1 + placebos_n)
        verdicts.append(LayerVerdict(name, *gain, p, kept=p <= 0.05))
    return verdicts


def placebo_layers(layer: Floats, near: csr_array, number: int, rng: np.random.Generator) -> list[Floats]:
    """Make up layers with a layer's values and likeness of neighbours, but places drawn at random.

    Parameters
    ----------
    layer : float array of shape (n,)
    near : scipy CSR of shape (n, n)
        Neighbours.
    number : int
    rng : numpy Generator
    """
    degree = np.maximum(np.asarray(near.sum(axis=1)).ravel(), 1e-9)
    wanted = _likeness(layer, near, degree)
    surfaces = rng.normal(size=(layer.size, number))
    ordered = np.sort(layer)
    made: dict[int, Floats] = {}
    for _ in range(_MOST_SMOOTHING):
        for at in range(number):
            mapped = ordered[np.argsort(np.argsort(surfaces[:, at]))]
            if at not in made and _likeness(mapped, near, degree) >= wanted:
                made[at] = mapped
        if len(made) == number:
            break
        surfaces = (surfaces + near @ surfaces) / (1 + degree[:, None])
    for at in range(number):
        made.setdefault(at, ordered[np.argsort(np.argsort(surfaces[:, at]))])
    return [made[at] for at in range(number)]


def _likeness(values: Floats, near: csr_array, degree: Floats) -> float:
    """Correlation of places with the mean of their neighbours; 1 for a layer that is the same everywhere."""
    if np.ptp(values) == 0:
        return 1.0
    around = np.asarray(near @ values) / degree
    return 1.0 if np.ptp(around) == 0 else float(np.corrcoef(values, around)[0, 1])


def _steps(ready: Ready, origins: list[int], seed: int) -> list[_Step]:
    features = Features(ready)
    steps = []
    for origin in origins:
        rows = training_rows(features, origin, np.random.default_rng([seed, origin]))
        model = fit("poisson_regression", rows, seed=seed)
        fitted = ratios(model, rows.x) * rows.due
        expected = ratios(model, features.at(origin)) * features.due(origin)
        steps.append(_Step(*_by_place(rows, fitted, expected.size), expected, ready.history.truth(origin)))
    return steps


def _with_layer(steps: list[_Step], layer: Floats) -> list[float]:
    """Deviance at each origin of the learner that also knows a layer."""
    spread = float(layer.std())
    standard = (layer - layer.mean()) / spread if spread > 0 else np.zeros_like(layer)
    basis = np.column_stack([np.ones_like(standard), standard, standard**2])
    scores = []
    for step in steps:
        at = _coefficients(basis, step.came, step.fitted)
        scores.append(poisson_deviance(step.truth, step.expected * np.exp(basis @ at)))
    return scores


def _by_place(rows: Training, fitted: Floats, n: int) -> tuple[Floats, Floats]:
    """Counts and expected counts of each place over the training rows: all that a layer can explain."""
    came = np.bincount(rows.place, weights=rows.weight * rows.y, minlength=n).astype(np.float64)
    return came, np.bincount(rows.place, weights=rows.weight * fitted, minlength=n).astype(np.float64)


def _coefficients(basis: Floats, came: Floats, mean: Floats) -> Floats:
    """Poisson regression of counts on a basis with an offset, by Newton's steps, drawn slightly to 0; no effect where none settles."""
    at = np.zeros(basis.shape[1])
    ridge = np.diag([1e-6, 1.0, 1.0])
    for _ in range(_NEWTON_STEPS):
        now = mean * np.exp(np.clip(basis @ at, -5.0, 5.0))
        slope = basis.T @ (came - now) - ridge @ at
        move = np.linalg.solve((basis * now[:, None]).T @ basis + ridge, slope)
        at += move
        if np.abs(move).max() < 1e-4:
            return at
    return np.zeros(basis.shape[1])
