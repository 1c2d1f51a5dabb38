"""What a count's own past predicts: quasi-Poisson regression on trend and season, past outbreaks weighted down."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special, stats

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_GROUPS = 10
"""Parts of the year: the window about the season, and nine between windows."""


class Prediction(NamedTuple):
    """Mean of the next count, its standard error, and the dispersion (at least 1)."""

    mean: float
    mean_error: float
    dispersion: float


class Fit(NamedTuple):
    """A quasi-Poisson regression with log link."""

    coefficients: Floats
    fitted: Floats
    leverage: Floats
    covariance: Floats
    dispersion: float
    freedom: int


def fit_quasi_poisson(design: Floats, y: Floats, weights: Floats | None = None) -> Fit | None:
    """Fit a log-linear regression whose variance is a multiple of the mean.

    Parameters
    ----------
    design : ndarray of shape (n, k)
        Columns of explanatory values, linearly independent.
    y : ndarray of shape (n,)
        Counts.
    weights : ndarray of shape (n,), optional
        Prior weights.

    Returns
    -------
    Fit or None
        None where it does not converge. `covariance` is without the dispersion.

    Notes
    -----
    Iteratively reweighted least squares by QR on columns scaled to one length, so that a seasonal group without a single count, whose
    weights vanish, does not spoil the rest. It stops as R's ``glm`` does: when the deviance changes by less than 1e-8 of itself, within 25
    steps.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, Chapman and Hall, chapter 9.
    """
    prior = np.ones_like(y) if weights is None else weights
    mean = y + 0.1
    linear = np.log(mean)
    deviance = _deviance(y, mean, prior)
    for _ in range(25):
        root = np.sqrt(prior * mean)
        weighted = design * root[:, None]
        length = np.linalg.norm(weighted, axis=0)
        if not np.isfinite(length).all() or (length == 0).any():
            return None
        q, r = np.linalg.qr(weighted / length)
        if np.abs(np.diag(r)).min() < 1e-11:
            return None
        coefficients = np.linalg.solve(r, q.T @ (root * (linear + (y - mean) / mean))) / length
        linear = design @ coefficients
        mean = np.exp(np.clip(linear, -700, 700))
        before, deviance = deviance, _deviance(y, mean, prior)
        if abs(deviance - before) / (abs(deviance) + 0.1) < 1e-8:
            freedom = int((prior > 0).sum()) - design.shape[1]
            inverse = np.linalg.inv(r) / length[:, None]
            chi = float(((root * (y - mean) / mean) ** 2).sum())  # working weights of the last step, as R's summary.glm has it
            return Fit(coefficients, mean, (q**2).sum(axis=1), inverse @ inverse.T, chi / max(freedom, 1), freedom)
    return None


def predict_flexible(series: Floats, at: int, *, period: int, b: int, w: int) -> Prediction | None:
    """Predict one count by trend and season, from all of the past `b` years but the last half year.

    Parameters
    ----------
    series : ndarray of shape (t,)
        Counts.
    at : int
        The period to predict.
    period, b, w : int
        Periods in a year, years back, half width of the window.

    Returns
    -------
    Prediction or None
        None where the regression does not converge.

    References
    ----------
    Noufaily et al. (2013), doi:10.1002/sim.5595.
    """
    group = season_groups(at, period=period, b=b, w=w)
    group[at - period // 2 :] = -1  # an outbreak under way must not raise its own bound
    past = np.flatnonzero(group >= 0)
    y = series[past]
    if not y.any():
        return Prediction(0.0, 0.0, 1.0)
    seasons = (group[past][:, None] == np.arange(_GROUPS)).astype(np.float64)
    trend = ((past - at) / period)[:, None]
    new = np.zeros(_GROUPS)
    new[-1] = 1.0
    if b >= 3:
        fit = _reweighted(np.hstack([seasons, trend]), y, threshold=2.58)
        if fit is not None:
            predicted = _predict(fit, np.append(new, 0.0))
            if predicted.mean <= y.max():
                return predicted
    fit = _reweighted(seasons, y, threshold=2.58)
    return None if fit is None else _predict(fit, new)


def predict_windows(series: Floats, at: int, *, period: int, b: int, w: int) -> Prediction | None:
    """Predict one count from the windows about the same period of the past `b` years, with a trend where it is significant.

    Parameters
    ----------
    series, at, period, b, w
        As `predict_flexible`.

    Returns
    -------
    Prediction or None
        None where the regression does not converge.

    References
    ----------
    Farrington et al. (1996), doi:10.2307/2983331.
    """
    past = np.concatenate([np.arange(at - period * year - w, at - period * year + w + 1) for year in range(b, 0, -1)])
    y = series[past]
    if not y.any():
        return Prediction(1e-12, 0.0, 1.0)
    constant = np.ones((past.size, 1))
    if b >= 3:
        fit = _reweighted(np.hstack([constant, ((past - at) / period)[:, None]]), y, threshold=1.0)
        if fit is not None:
            t = fit.coefficients[1] / np.sqrt(fit.covariance[1, 1] * fit.dispersion)
            predicted = _predict(fit, np.array([1.0, 0.0]))
            if 2 * stats.t.sf(abs(t), fit.freedom) < 0.05 and predicted.mean <= y.max():
                return predicted
    fit = _reweighted(constant, y, threshold=1.0)
    return None if fit is None else _predict(fit, np.array([1.0]))


def _reweighted(design: Floats, y: Floats, *, threshold: float) -> Fit | None:
    """Fit, weight down what lies far above the fit, and fit again."""
    first = fit_quasi_poisson(design, y)
    if first is None:
        return None
    mean = first.fitted
    spread = np.sqrt(np.maximum(max(first.dispersion, 1.0) * (1 - first.leverage), 1e-12))
    residual = 1.5 * (y ** (2 / 3) * mean ** (-1 / 6) - np.sqrt(mean)) / spread
    weights = np.where(residual > threshold, np.maximum(residual, threshold) ** -2.0, 1.0)
    return fit_quasi_poisson(design, y, weights * y.size / weights.sum())


def _predict(fit: Fit, new: Floats) -> Prediction:
    mean = float(np.exp(new @ fit.coefficients))
    dispersion = max(fit.dispersion, 1.0)
    return Prediction(mean, mean * float(np.sqrt(new @ fit.covariance @ new * dispersion)), dispersion)


def season_groups(at: int, *, period: int, b: int, w: int) -> Ints:
    """Number the part of the year of each period up to `at`: the last group is the window about the season, -1 lies before all windows.

    Between two windows the first groups get one period more where they do not divide evenly.
    """
    group = np.full(at + 1, -1, dtype=np.int64)
    group[at - w :] = _GROUPS - 1
    lengths = np.full(_GROUPS - 1, (period - 2 * w - 1) // (_GROUPS - 1))
    lengths[: (period - 2 * w - 1) % (_GROUPS - 1)] += 1
    between = np.repeat(np.arange(_GROUPS - 1), lengths)
    for year in range(1, b + 1):
        centre = at - period * year
        group[centre - w : centre + w + 1] = _GROUPS - 1
        group[centre + w + 1 : centre + w + 1 + between.size] = between
    return group


def _deviance(y: Floats, mean: Floats, prior: Floats) -> float:
    return float(2 * (prior * (special.xlogy(y, y / mean) - (y - mean))).sum())
