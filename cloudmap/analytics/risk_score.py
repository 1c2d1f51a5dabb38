"""The risk score: each place's rate relative to the city, by a gamma prior, discounted counts and what held-out weeks say of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from cloudmap.analytics.negative_binomial import fit_size

Floats = npt.NDArray[np.float64]

HALF_LIVES_DAYS = (60.0, 90.0, 180.0, 365.0, float("inf"))
"""Half-lives of a count's weight that the back-test chooses from."""

START_DAYS = 180.0
"""Half-life where the past is too short to choose one."""

_TUNING_ORIGINS = 12
_FEWEST_ORIGINS = 4
_WARM_UP_WEEKS = 13
_LARGE = 1e7

_PRECISION_SPREAD = 0.7
"""Deviation of the log precision before held-out counts speak: sparse ones say little of it. It is at most 1, a steady Poisson rate's."""


class Discounted(NamedTuple):
    """Counts of the past with recent ones weighing more, as they stood at a week.

    seen, due: decayed counts and what the city's rate would have given, (n,); alpha: shape of the prior; scale: what makes the variance of
    a decayed Poisson count equal to its mean.
    """

    seen: Floats
    due: Floats
    alpha: float
    scale: float


class Tuning(NamedTuple):
    """What held-out weeks chose; without enough of them, the start values and origins_n = 0."""

    half_life_days: float
    level_half_life_days: float
    prior_scale: float
    precision: float
    clumping: float
    origins_n: int


class Prediction(NamedTuple):
    """Posterior of the ratios: mean and shape of a gamma, (n,); expected counts, (n,), and the size of their negative binomial, (n,)."""

    ratio: Floats
    shape: Floats
    expected: Floats
    size: Floats

    def p_above(self, times: float) -> Floats:
        """Return the probability that a place's ratio is above so many times the city's."""
        return np.asarray(special.gammaincc(self.shape, times * self.shape / self.ratio), dtype=np.float64)

    def interval(self, level: float = 0.8) -> tuple[Floats, Floats]:
        """Return the lower and upper count of the predictive interval, (n,) each."""
        return count_interval(self.expected, self.size, level)


@dataclass(frozen=True)
class History:
    """Counts that may be learned from, and how they are asked to look ahead.

    Attributes
    ----------
    counts : float array of shape (n, t)
        Weekly counts of one reporting regime, oldest first.
    share : float array of shape (n,)
        Each place's share of the exposure; above 0, sums to 1.
    horizon : int
        Weeks that are forecast at once.
    gap : int
        Weeks between the last one known and the first one forecast (the reporting lag).
    """

    counts: Floats
    share: Floats
    horizon: int
    gap: int
    _known: dict[tuple[int, float], Discounted] = field(default_factory=dict, repr=False)

    @cached_property
    def city(self) -> Floats:
        """Counts of all places by week, (t,)."""
        return np.asarray(self.counts.sum(axis=0), dtype=np.float64)

    def truth(self, origin: int) -> Floats:
        """Return what came in the weeks forecast from an origin, (n,)."""
        return np.asarray(self.counts[:, origin : origin + self.horizon].sum(axis=1), dtype=np.float64)

    def discounted(self, stop: int, half_life_days: float) -> Discounted:
        """Return the counts before a week with their weights, and the prior that fits them best."""
        key = (stop, half_life_days)
        if key not in self._known:
            weight = weights_by_age(stop, half_life_days)
            seen = self.counts[:, :stop] @ weight
            due = self.share * seen.sum()
            scale = float(weight.sum() / (weight**2).sum())
            alpha = min(fit_size(scale * seen, scale * due), _LARGE) if seen.any() else _LARGE
            self._known[key] = Discounted(seen, due, alpha, scale)
        return self._known[key]

    def level(self, stop: int, half_life_days: float) -> float:
        """Return the city's weekly count as its discounted mean before a week; half a report at least."""
        weight = weights_by_age(stop, half_life_days)
        return float(max(self.city[:stop] @ weight, 0.5) / weight.sum())


def weights_by_age(weeks_n: int, half_life_days: float) -> Floats:
    """Return weights that halve with every half-life, oldest week first, the newest 1."""
    return np.asarray(0.5 ** (np.arange(weeks_n)[::-1] * 7.0 / half_life_days), dtype=np.float64)


def tune(history: History, origin: int, *, half_life_days: float | None = None) -> Tuning:
    """Choose half-lives, the weight of the prior and the precision by forecasting weeks that are known by an origin.

    Parameters
    ----------
    history : History
    origin : int
        Week from which a forecast is wanted; only weeks before ``origin - gap`` are looked at.
    half_life_days : float, optional
        Take this half-life of a place's counts instead of choosing.

    Returns
    -------
    Tuning

    Notes
    -----
    Up to twelve earlier origins, a horizon apart, each forecast with the same gap. Half-lives and the scale of the prior minimise their
    Poisson deviance. Then, since discounted counts are not Poisson and rates move, the precision of the posterior and the clumping of
    counts maximise the negative binomial likelihood: 1 / size_i = 1 / (precision x shape_i) + 1 / clumping.
    """
    known = origin - history.gap
    origins = [known - history.horizon * back for back in range(1, _TUNING_ORIGINS + 1)]
    origins = [at for at in origins if at - history.gap >= _WARM_UP_WEEKS]
    start = START_DAYS if half_life_days is None else half_life_days
    if len(origins) < _FEWEST_ORIGINS or not history.city[:known].any():
        return Tuning(start, start, 1.0, 1.0, _LARGE, 0)
    truths = [history.truth(at) for at in origins]
    level_days = min(HALF_LIVES_DAYS, key=lambda days: _level_loss(history, origins, days))
    levels = [history.level(at - history.gap, level_days) * history.horizon for at in origins]
    choices = HALF_LIVES_DAYS if half_life_days is None else (half_life_days,)
    fitted = [(*_prior_scale(history, origins, truths, levels, days), days) for days in choices]
    _, prior_scale, days = min(fitted)
    precision, clumping = _spread(history, origins, truths, levels, days, prior_scale)
    return Tuning(days, level_days, prior_scale, precision, clumping, len(origins))


def predict(history: History, origin: int, tuning: Tuning) -> Prediction:
    """Forecast the weeks from an origin with a tuning.

    Parameters
    ----------
    history : History
    origin : int
        First week that is forecast; only weeks before ``origin - gap`` are used.
    tuning : Tuning

    Returns
    -------
    Prediction
    """
    stop = origin - history.gap
    ratio, shape = _posterior(history.discounted(stop, tuning.half_life_days), tuning.prior_scale)
    shape = tuning.precision * shape
    level = history.level(stop, tuning.level_half_life_days) * history.horizon
    return Prediction(ratio, shape, ratio * history.share * level, 1.0 / (1.0 / shape + 1.0 / tuning.clumping))


def count_interval(mean: Floats, size: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the counts between which a negative binomial falls with at least this probability, (n,) each."""
    from scipy import stats

    bounded = np.minimum(size, _LARGE)
    low, high = (stats.nbinom.ppf(tail, bounded, bounded / (bounded + mean)) for tail in ((1 - level) / 2, (1 + level) / 2))
    return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)


def covered(truth: Floats, mean: Floats, size: Floats, level: float = 0.8) -> tuple[float, float]:
    """Return how often counts lie in their interval, and how often their place in the distribution lies in its middle.

    Parameters
    ----------
    truth, mean, size : float arrays of shape (n,)
        What came, and the negative binomial that was predicted.
    level : float, default 0.8

    Returns
    -------
    tuple of float
        Share covered, which whole counts keep above `level` where they are small; and the share of the randomised probability transform
        within the middle `level`, which is `level` for a right forecast however small counts are.

    References
    ----------
    Czado, Gneiting and Held (2009), doi:10.1111/j.1541-0420.2009.01191.x.
    """
    from scipy import stats

    bounded = np.minimum(size, _LARGE)
    chance = bounded / (bounded + mean)
    low, high = count_interval(mean, size, level)
    upto = stats.nbinom.cdf(truth, bounded, chance)
    below = stats.nbinom.cdf(truth - 1, bounded, chance)
    inside = np.minimum(upto, (1 + level) / 2) - np.maximum(below, (1 - level) / 2)
    middle = np.clip(inside, 0.0, None) / np.maximum(upto - below, 1e-300)
    return float(((truth >= low) & (truth <= high)).mean()), float(np.clip(middle, 0.0, 1.0).mean())


def _posterior(past: Discounted, prior_scale: float) -> tuple[Floats, Floats]:
    """Mean and shape of each place's ratio."""
    alpha = past.alpha * prior_scale
    shape = alpha + past.scale * past.seen
    return shape / (alpha + past.scale * past.due), shape


def _level_loss(history: History, origins: list[int], days: float) -> float:
    means = np.array([history.level(at - history.gap, days) * history.horizon for at in origins])
    truths = np.array([history.city[at : at + history.horizon].sum() for at in origins])
    return float((means - special.xlogy(truths, means)).sum())


def _prior_scale(history: History, origins: list[int], truths: list[Floats], levels: list[float], days: float) -> tuple[float, float]:
    """Loss and scale of the prior that held-out counts like best, at one half-life."""
    pasts = [history.discounted(at - history.gap, days) for at in origins]

    def loss(log_scale: float) -> float:
        total = 0.0
        for past, truth, level in zip(pasts, truths, levels, strict=True):
            ratio, _ = _posterior(past, float(np.exp(log_scale)))
            came = truth > 0
            total += level * float(ratio @ history.share) - float(truth[came] @ np.log(ratio[came]))
        return total

    found = optimize.minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded", options={"xatol": 0.02})
    return float(found.fun), float(np.exp(found.x))


def _spread(
    history: History, origins: list[int], truths: list[Floats], levels: list[float], days: float, prior_scale: float
) -> tuple[float, float]:
    """Precision and clumping that make held-out counts likeliest, their means being given."""
    posteriors = [_posterior(history.discounted(at - history.gap, days), prior_scale) for at in origins]
    shape = np.concatenate([shape for _, shape in posteriors])
    mean = np.concatenate([ratio * history.share * level for (ratio, _), level in zip(posteriors, levels, strict=True)])
    truth = np.concatenate(truths)
    came = truth > 0
    y, mean_of_y = truth[came], mean[came]

    def loss(at: Floats) -> float:
        size = 1.0 / (np.exp(-at[0]) / shape + np.exp(-at[1]))
        some = size[came]
        likelihood = special.gammaln(y + some) - special.gammaln(some) + y * np.log(mean_of_y / (mean_of_y + some))
        return float((size * np.log1p(mean / size)).sum() - likelihood.sum() + 0.5 * (at[0] / _PRECISION_SPREAD) ** 2)

    bounds = [(-8.0, 0.0), (-6.0, float(np.log(_LARGE)))]
    starts = (np.array([0.0, 6.0]), np.array([-1.0, 0.0]))
    fits = [optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts]
    best = min(fits, key=lambda fit: float(fit.fun))
    return float(np.exp(best.x[0])), float(np.exp(best.x[1]))
