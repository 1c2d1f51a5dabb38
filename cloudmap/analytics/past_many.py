"""What the pasts of many series predict for one period: `past.predict_flexible`, all series at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from cloudmap.analytics.past import season_groups

Floats = npt.NDArray[np.float64]

_GROUPS = 10
_OUTBREAK = 2.58
_SERIES_AT_ONCE = 500


class Predictions(NamedTuple):
    """Mean of each next count, its standard error and the dispersion (at least 1), shape (m,); NaN where no regression converges."""

    mean: Floats
    mean_error: Floats
    dispersion: Floats


class _Fits(NamedTuple):
    ok: npt.NDArray[np.bool_]
    coefficients: Floats
    fitted: Floats
    leverage: Floats
    covariance: Floats
    dispersion: Floats


def predict_flexible_many(table: Floats, at: int, *, period: int = 52, b: int = 3, w: int = 3) -> Predictions:
    """Predict one period of each series by trend and season, past outbreaks weighted down.

    Parameters
    ----------
    table : ndarray of shape (m, t)
        Counts, a series a row, oldest first.
    at : int
        The period to predict; `period` * `b` + `w` periods before it are there.
    period, b, w : int
        Periods in a year, years back, half width of the window.

    Returns
    -------
    Predictions

    Notes
    -----
    The regressions of `past.predict_flexible`, by normal equations on columns scaled to one length; the design is the same for all series,
    so a step of all of them is one product of matrices.

    References
    ----------
    Noufaily et al. (2013), doi:10.1002/sim.5595.
    """
    parts = [_predict_some(table[first : first + _SERIES_AT_ONCE], at, period, b, w) for first in range(0, len(table), _SERIES_AT_ONCE)]
    return Predictions(*(np.concatenate([part[number] for part in parts]) if parts else np.empty(0) for number in range(3)))


def _predict_some(table: Floats, at: int, period: int, b: int, w: int) -> Predictions:
    group = season_groups(at, period=period, b=b, w=w)
    group[at - period // 2 :] = -1  # an outbreak under way must not raise its own bound
    past = np.flatnonzero(group >= 0)
    y = table[:, past]
    seasons = (group[past][:, None] == np.arange(_GROUPS)).astype(np.float64)
    trend = ((past - at) / period)[:, None]
    mean, error, dispersion = (np.full(len(table), np.nan) for _ in range(3))
    silent = ~y.any(axis=1)
    mean[silent], error[silent], dispersion[silent] = 0.0, 0.0, 1.0
    waiting = np.array(~silent)
    for design in (np.hstack([seasons, trend]), seasons) if b >= 3 else (seasons,):
        rows = np.flatnonzero(waiting)
        if not rows.size:
            break
        fits = _reweighted(design, y[rows])
        new = np.zeros(design.shape[1])
        new[_GROUPS - 1] = 1.0
        with np.errstate(over="ignore"):
            predicted = np.exp(fits.coefficients @ new)
        spread = np.maximum(fits.dispersion, 1.0)
        taken = np.asarray(fits.ok & ((predicted <= y[rows].max(axis=1)) | (design.shape[1] == _GROUPS)), dtype=np.bool_)
        mean[rows[taken]], dispersion[rows[taken]] = predicted[taken], spread[taken]
        variance = np.einsum("i,sij,j->s", new, fits.covariance, new) * spread
        error[rows[taken]] = (predicted * np.sqrt(np.maximum(variance, 0.0)))[taken]
        waiting[rows[taken]] = False
    return Predictions(mean, error, dispersion)


def _reweighted(design: Floats, y: Floats) -> _Fits:
    first = _fit(design, y, np.ones_like(y))
    spread = np.sqrt(np.maximum(np.maximum(first.dispersion, 1.0)[:, None] * (1 - first.leverage), 1e-12))
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = 1.5 * (y ** (2 / 3) * first.fitted ** (-1 / 6) - np.sqrt(first.fitted)) / spread
        weights = np.where(residual > _OUTBREAK, np.maximum(residual, _OUTBREAK) ** -2.0, 1.0)
    weights = np.where(first.ok[:, None], weights, 1.0)
    second = _fit(design, y, weights * (y.shape[1] / weights.sum(axis=1))[:, None])
    return second._replace(ok=second.ok & first.ok)


def _fit(design: Floats, y: Floats, prior: Floats) -> _Fits:
    """Fit quasi-Poisson regressions with log link, a series a row: iteratively reweighted least squares, as `past.fit_quasi_poisson`."""
    series_n, n = y.shape
    k = design.shape[1]
    fits = _Fits(np.zeros(series_n, dtype=bool), np.zeros((series_n, k)), y + 0.1, np.zeros((series_n, n)), np.zeros((series_n, k, k)),
                 np.ones(series_n))  # fmt: skip
    products = (design[:, :, None] * design[:, None, :]).reshape(n, k * k)
    rows, mean = np.arange(series_n), y + 0.1
    linear, deviance = np.log(mean), _deviance(y, mean, prior)
    for _ in range(25):
        y_now, prior_now = y[rows], prior[rows]
        working = prior_now * mean
        gram = (working @ products).reshape(-1, k, k)
        length = np.sqrt(np.diagonal(gram, axis1=1, axis2=2))
        usable = np.isfinite(length).all(axis=1) & (length > 0).all(axis=1)
        rows, y_now, prior_now, mean, linear = rows[usable], y_now[usable], prior_now[usable], mean[usable], linear[usable]
        working, gram, length, deviance = working[usable], gram[usable], length[usable], deviance[usable]
        if not rows.size:
            break
        scale = length[:, :, None] * length[:, None, :]
        inverse = _inverse(gram / scale) / scale
        coefficients = (inverse @ ((working * (linear + (y_now - mean) / mean)) @ design)[:, :, None])[:, :, 0]
        linear = coefficients @ design.T
        mean = np.exp(np.clip(linear, -700, 700))
        before, deviance = deviance, _deviance(y_now, mean, prior_now)
        done = np.abs(deviance - before) / (np.abs(deviance) + 0.1) < 1e-8
        if done.any():
            to = rows[done]
            freedom = np.maximum((prior_now[done] > 0).sum(axis=1) - k, 1)
            fits.ok[to], fits.coefficients[to], fits.fitted[to] = True, coefficients[done], mean[done]
            fits.leverage[to] = working[done] * np.einsum("ni,sij,nj->sn", design, inverse[done], design, optimize=True)
            fits.covariance[to] = inverse[done]
            fits.dispersion[to] = (working[done] * ((y_now[done] - mean[done]) / mean[done]) ** 2).sum(axis=1) / freedom
            kept = ~done
            rows, mean, linear, deviance = rows[kept], mean[kept], linear[kept], deviance[kept]
    return fits


def _inverse(gram: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.inv(gram), dtype=np.float64)
    except np.linalg.LinAlgError:  # one series among many whose columns coincide must not stop the others
        return np.asarray(np.linalg.pinv(gram, hermitian=True), dtype=np.float64)


def _deviance(y: Floats, mean: Floats, prior: Floats) -> Floats:
    total: Floats = 2 * (prior * (special.xlogy(y, y / mean) - (y - mean))).sum(axis=1)
    return total
