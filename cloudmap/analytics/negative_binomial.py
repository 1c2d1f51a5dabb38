"""Negative binomial counts: fitting the dispersion, and the distribution of sums of counts with unequal means."""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from scipy import optimize, special

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_POISSON_SIZE = 1e7
"""From this size on a negative binomial equals a Poisson to more digits than any count supports."""

_LARGE = 1e250
"""Running values above this are scaled down, so that means of many thousands do not overflow."""


def log_likelihood(counts: npt.ArrayLike, mean: npt.ArrayLike, size: float) -> float:
    """Compute the log likelihood of independent negative binomial counts.

    Parameters
    ----------
    counts : array_like of shape (n,)
        Whole counts.
    mean : array_like of shape (n,)
        Their means, above 0.
    size : float
        Size r: variance = mean + mean^2 / r; infinity for Poisson.

    Returns
    -------
    float
    """
    y, mu = np.asarray(counts, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    factorial = special.gammaln(y + 1)
    if size >= _POISSON_SIZE:
        return float((special.xlogy(y, mu) - mu - factorial).sum())
    return float(
        (
            special.gammaln(y + size) - special.gammaln(size) - factorial + special.xlogy(y, mu / (mu + size)) - size * np.log1p(mu / size)
        ).sum()
    )


def fit_size(counts: npt.ArrayLike, mean: npt.ArrayLike) -> float:
    """Fit the size of a negative binomial by maximum likelihood, the means being given.

    Parameters
    ----------
    counts : array_like of shape (n,)
        Whole counts.
    mean : array_like of shape (n,)
        Their means, above 0.

    Returns
    -------
    float
        Size r; infinity where the counts vary no more than Poisson counts do.

    References
    ----------
    Lawless (1987), doi:10.2307/3314912.
    """
    y, mu = np.asarray(counts, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    if ((y - mu) ** 2 - y).sum() <= 0:  # the slope of the likelihood in 1 / r at 0: no overdispersion
        return np.inf
    grid = np.linspace(-9.0, log(_POISSON_SIZE), 27)
    best = int(np.argmax([log_likelihood(y, mu, exp(value)) for value in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    fitted = optimize.minimize_scalar(
        lambda value: -log_likelihood(y, mu, exp(value)), bounds=(low, high), method="bounded", options={"xatol": 1e-7}
    )
    return float(exp(fitted.x))


class RateAndSize(NamedTuple):
    """Rate and size that fit best together, and the log likelihood there."""

    rate: float
    size: float
    loglik: float


def fit_rate_and_size(counts: npt.ArrayLike, exposure: npt.ArrayLike) -> RateAndSize:
    """Fit a common rate and the size of negative binomial counts by maximum likelihood.

    Parameters
    ----------
    counts : array_like of shape (n,)
        Whole counts, at least one above 0.
    exposure : array_like of shape (n,)
        Exposure, above 0: mean = exposure x rate.

    Returns
    -------
    RateAndSize
        The size is at most 1e7, which stands for Poisson.
    """
    y, people = np.asarray(counts, dtype=np.float64), np.asarray(exposure, dtype=np.float64)
    crude = y.sum() / people.sum()
    start = min(fit_size(y, people * crude), _POISSON_SIZE)

    def loss(at: Floats) -> tuple[float, Floats]:
        rate, size = exp(at[0]), exp(at[1])
        mean = people * rate
        by_rate = ((y - mean) * size / (mean + size)).sum()
        by_size = size * (special.digamma(y + size) - special.digamma(size) - np.log1p(mean / size) + (mean - y) / (mean + size)).sum()
        return -log_likelihood(y, mean, size), -np.array([by_rate, by_size])

    bounds = [(log(crude) - 20, log(crude) + 20), (-12.0, log(_POISSON_SIZE))]
    fitted = optimize.minimize(loss, np.array([log(crude), log(start)]), jac=True, method="L-BFGS-B", bounds=bounds,
                               options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500})  # fmt: skip
    return RateAndSize(float(exp(fitted.x[0])), float(exp(fitted.x[1])), -float(fitted.fun))


def sum_tails(mean: Floats, size: float, neighbours: csr_array, sums: Ints, *, star: bool) -> Floats:
    """Compute P(sum >= observed) for sums over neighbourhoods of independent counts.

    Parameters
    ----------
    mean : ndarray of shape (n,)
        Means of the counts, above 0.
    size : float
        Common size; infinity for Poisson.
    neighbours : csr_array of shape (n, n)
        Binary neighbours.
    sums : ndarray of shape (n,), int64
        Observed sums.
    star : bool
        Whether the place itself belongs to its sum.

    Returns
    -------
    ndarray of shape (n,), float64
    """
    if size >= _POISSON_SIZE:
        total = np.asarray(neighbours @ mean) + (mean if star else 0.0)
        return np.where(sums > 0, special.gammainc(np.maximum(sums, 1), total), 1.0)
    indices, indptr = neighbours.indices.astype(np.int64), neighbours.indptr.astype(np.int64)
    result: Floats = _sum_tails(mean, size, indices, indptr, sums, star)
    return result


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _sum_tails(mean: Floats, size: float, indices: Ints, indptr: Ints, sums: Ints, star: bool) -> Floats:
    result = np.empty(mean.size)
    for place in range(mean.size):
        first, last = indptr[place], indptr[place + 1]
        near = np.empty(last - first + (1 if star else 0))
        for at in range(first, last):
            near[at - first] = mean[indices[at]]
        if star:
            near[-1] = mean[place]
        result[place] = sum_tail(near, size, sums[place])
    return result


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def sum_tail(means: Floats, size: float, observed: int) -> float:
    """Compute P(sum >= observed) of independent negative binomial counts with these means and one size.

    Parameters
    ----------
    means : ndarray of shape (m,), float64
        Means, above 0.
    size : float
        Common size, finite.
    observed : int
        The sum.

    Returns
    -------
    float

    Notes
    -----
    The recursion of `gi_nb_p`. Below the mean the probabilities under the observed sum are added and taken from 1; above it those from the
    observed sum on are added until the rest is less than 1e-16 of them, so that small tails keep their relative precision.
    """
    if observed <= 0:
        return 1.0
    ratio = means / (means + size)
    steepest, centre = ratio.max(), means.sum()
    log_scale = -size * np.log1p(means / size).sum()
    parts = np.zeros(means.size)
    mass = 1.0
    upper = observed > centre
    running = 0.0 if upper else mass
    tail = 0.0
    k = 0
    while True:
        k += 1
        if not upper and k == observed:
            return max(0.0, 1.0 - running * exp(log_scale))
        before = mass
        mass = 0.0
        for j in range(means.size):
            parts[j] = ratio[j] * (parts[j] + before)
            mass += parts[j]
        mass *= size / k
        if upper:
            if mass == 0.0:
                # So far above the mean that the probabilities are below the smallest number.
                return min(1.0, tail * exp(log_scale))
            if k >= observed:
                tail += mass
                falling = max(mass / before, steepest)
                if falling < 1.0 and mass * falling / (1.0 - falling) < 1e-16 * tail:
                    return min(1.0, tail * exp(log_scale))
        else:
            running += mass
        if mass > _LARGE:
            mass /= _LARGE
            running /= _LARGE
            tail /= _LARGE
            for j in range(means.size):
                parts[j] /= _LARGE
            log_scale += log(_LARGE)
