"""Rates that small places can bear: empirical Bayes and the Poisson-gamma model."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from cloudmap.analytics.negative_binomial import fit_rate_and_size
from cloudmap.analytics.suitable import suitable_counts, suitable_exposure, suitable_values, suitable_weights

if TYPE_CHECKING:
    from cloudmap.analytics.suitable import Weights

Floats = npt.NDArray[np.float64]


class PoissonGamma(NamedTuple):
    """Posterior of each place's relative rate; arrays of shape (n,), then the fitted prior."""

    mean: Floats
    lower: Floats
    upper: Floats
    p_above_2: Floats
    alpha: float
    beta: float
    loglik: float


def eb_marshall(y: npt.ArrayLike, n: npt.ArrayLike) -> Floats:
    """Shrink raw rates towards the rate of the whole map, the more so the fewer people a place has.

    Parameters
    ----------
    y : array_like of shape (n,)
        Counts of the places.
    n : array_like of shape (n,)
        Exposure (persons, reports); above 0.

    Returns
    -------
    ndarray of shape (n,), float64
        Rate per unit of exposure.

    Raises
    ------
    AnalysisError
        Counts that are negative, missing, not whole or all zero; exposure that is missing, negative or 0; fewer than two places.

    Notes
    -----
    b = sum y / sum n; a = sum n_i (r_i - b)^2 / sum n - b / mean n, at least 0; rate_i = b + a / (a + b / n_i) (r_i - b).

    References
    ----------
    Marshall (1991), doi:10.2307/2347593.

    Examples
    --------
    >>> eb_marshall([0, 5, 30], [100, 1000, 1000]).round(4).tolist()
    [0.0091, 0.0063, 0.0286]
    """
    rate, people, b, a = _marshall(y, n)
    return _shrunk(rate, people, np.full_like(rate, b), np.full_like(rate, a))


def eb_local(y: npt.ArrayLike, n: npt.ArrayLike, w: Weights) -> Floats:
    """Shrink raw rates towards the rate of each place's own neighbourhood.

    Parameters
    ----------
    y : array_like of shape (n,)
        Counts of the places.
    n : array_like of shape (n,)
        Exposure (persons, reports); above 0.
    w : scipy CSR of shape (n, n)
        Neighbours, zero diagonal; only their presence counts, and the place itself is added.

    Returns
    -------
    ndarray of shape (n,), float64
        Rate per unit of exposure. Where a neighbourhood has no case at all the rate is 0.

    Raises
    ------
    AnalysisError
        As `eb_marshall`; also weights that do not fit, or a place without neighbours.

    Notes
    -----
    As `eb_marshall` within each neighbourhood, except that each neighbour's deviation is taken from its own local mean, as R's
    ``spdep::EBlocal`` does.

    References
    ----------
    Marshall (1991), doi:10.2307/2347593; Bailey and Gatrell (1995), Interactive Spatial Data Analysis, Longman, pages 303-308.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> line = csr_array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    >>> eb_local([0, 5, 30], [100, 1000, 1000], line).round(4).tolist()
    [0.0013, 0.0065, 0.0285]
    """
    from scipy.sparse import eye_array

    counts = suitable_counts(y, least=2)
    people = suitable_exposure(n, counts.size)
    near = (suitable_weights(w, counts.size, islands=False) > 0).astype(np.float64) + eye_array(counts.size, format="csr")
    total = np.asarray(near @ people)
    rate = counts / people
    b = np.asarray(near @ counts) / total
    a = np.asarray(near @ (people * (rate - b) ** 2)) / total - b / (total / np.asarray(near.sum(axis=1)).ravel())
    return _shrunk(rate, people, b, np.maximum(a, 0.0))


def eb_deviates(y: npt.ArrayLike, n: npt.ArrayLike) -> Floats:
    """Standardise raw rates by their own variance, so that Moran's I of them is not driven by small places.

    Parameters
    ----------
    y, n
        As `eb_marshall`.

    Returns
    -------
    ndarray of shape (n,), float64
        (r_i - b) / sqrt(a + b / n_i), with a and b as in `eb_marshall`; give them to `global_moran`.

    Raises
    ------
    AnalysisError
        As `eb_marshall`.

    References
    ----------
    Assunção and Reis (1999), doi:10.1002/(SICI)1097-0258(19990830)18:16<2147::AID-SIM179>3.0.CO;2-I.
    """
    rate, people, b, a = _marshall(y, n)
    deviates: Floats = (rate - b) / np.sqrt(a + b / people)
    return deviates


def poisson_gamma(y: npt.ArrayLike, e: npt.ArrayLike) -> PoissonGamma:
    """Estimate each place's rate relative to its expected count, with an interval.

    Parameters
    ----------
    y : array_like of shape (n,)
        Counts of the places.
    e : array_like of shape (n,)
        Expected counts; above 0.

    Returns
    -------
    PoissonGamma
        mean, lower and upper (95% interval), p_above_2 = P(rate > 2) of each place; alpha, beta (shape and rate of the prior), loglik.

    Raises
    ------
    AnalysisError
        Counts that are negative, missing, not whole or all zero; expected counts that are missing, negative or 0; fewer than two places.

    Notes
    -----
    y_i ~ Poisson(e_i theta_i), theta_i ~ Gamma(alpha, beta); alpha and beta maximise the negative binomial likelihood of y, so that
    theta_i | y_i ~ Gamma(alpha + y_i, beta + e_i). Where counts vary no more than Poisson counts do, alpha and beta go to infinity and
    every place gets the common rate; alpha is then 1e7. The interval takes alpha and beta as known.

    References
    ----------
    Clayton and Kaldor (1987), doi:10.2307/2532003.

    Examples
    --------
    >>> fitted = poisson_gamma([0, 5, 30, 9, 4], [3.0, 10.0, 10.0, 10.0, 9.0])
    >>> fitted.mean.round(2).tolist(), fitted.p_above_2.round(3).tolist()
    ([0.29, 0.55, 2.79, 0.91, 0.51], [0.0, 0.0, 0.955, 0.001, 0.0])
    """
    counts = suitable_counts(y, least=2)
    expected = suitable_exposure(e, counts.size, what="expected count")
    fit = fit_rate_and_size(counts, expected)
    alpha, beta = fit.size, fit.size / fit.rate
    shape, rate = alpha + counts, beta + expected
    lower, upper = (np.asarray(special.gammaincinv(shape, tail) / rate, dtype=np.float64) for tail in (0.025, 0.975))
    p_above_2 = np.asarray(special.gammaincc(shape, 2.0 * rate), dtype=np.float64)
    return PoissonGamma(shape / rate, lower, upper, p_above_2, alpha, beta, fit.loglik)


def poisson_interval(n: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Give the exact 95% interval of the mean that a Poisson count came from.

    Parameters
    ----------
    n : array_like of shape (k,)
        Counts; divide the ends by what is held fixed (length, expected count) for the interval of a rate or a ratio.

    Returns
    -------
    tuple of ndarray of shape (k,), float64
        Lower and upper ends.

    Raises
    ------
    AnalysisError
        Counts that are negative or missing.

    Notes
    -----
    Each end leaves 2.5% beyond it. Counts that vary more than Poisson counts do need a wider interval.

    References
    ----------
    Garwood (1936), doi:10.2307/2333958.

    Examples
    --------
    >>> [one.round(3).tolist() for one in poisson_interval([0, 10])]
    [[0.0, 4.795], [3.689, 18.39]]
    """
    counts = suitable_values(n, what="count", least=0)
    lower = np.where(counts > 0, special.gammaincinv(np.maximum(counts, 1), 0.025), 0.0)
    return lower, np.asarray(special.gammaincinv(counts + 1, 0.975), dtype=np.float64)


def _marshall(y: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Floats, Floats, float, float]:
    """Raw rates, exposure, the rate of the whole (b) and the variance between places (a)."""
    counts = suitable_counts(y, least=2)
    people = suitable_exposure(n, counts.size)
    rate = counts / people
    b = float(counts.sum() / people.sum())
    a = float(people @ (rate - b) ** 2 / people.sum() - b / people.mean())
    return rate, people, b, max(0.0, a)


def _shrunk(rate: Floats, people: Floats, centre: Floats, between: Floats) -> Floats:
    """Move each rate towards its centre by the share of its variance that is chance."""
    whole = between + centre / people
    return centre + np.divide(between, whole, out=np.zeros_like(whole), where=whole > 0) * (rate - centre)
