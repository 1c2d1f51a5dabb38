"""Local Getis-Ord statistics: the z that others map, and the exact p that our maps stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.analytics.inference import fdr
from cloudmap.analytics.moran import general_g, global_moran, local_moran
from cloudmap.analytics.suitable import suitable_counts, suitable_exposure, suitable_limit, suitable_values, suitable_weights
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.sparse import csr_array

    from cloudmap.analytics.suitable import Weights

__all__ = [
    "general_g",
    "gi_exact_p",
    "gi_exact_p_slices",
    "gi_nb_p",
    "gi_z",
    "global_moran",
    "hotspot_table",
    "local_moran",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def gi_z(y: npt.ArrayLike, w: Weights, *, star: bool = True) -> Floats:
    """Standardise local Getis-Ord statistics; for parity with other software, never for significance.

    Parameters
    ----------
    y : array_like of shape (n,)
        Non-negative values of the places.
    w : scipy CSR of shape (n, n)
        Spatial weights with a zero diagonal.
    star : bool, default True
        Gi*, which counts the place itself with weight 1; False gives Gi.

    Returns
    -------
    ndarray of shape (n,), float64
        z-values; 0 where all values of a comparison are equal.

    Raises
    ------
    AnalysisError
        Negative or missing values, fewer than three places, or weights that do not fit.

    Notes
    -----
    Gi*: z = (sum_j w_ij y_j - W_i m) / (s sqrt((n S_i - W_i^2) / (n - 1))) with m, s the mean and population standard deviation of all
    values, W_i and S_i the sums of weights and of squared weights. Gi leaves the focal place out of m, s and n.

    References
    ----------
    Ord and Getis (1995), doi:10.1111/j.1538-4632.1995.tb00912.x.
    """
    values = suitable_values(y)
    weights = suitable_weights(w, values.size)
    n = float(values.size)
    local = np.asarray(weights @ values, dtype=np.float64)
    total = np.asarray(weights.sum(axis=1), dtype=np.float64).ravel()
    squared = np.asarray(weights.multiply(weights).sum(axis=1), dtype=np.float64).ravel()
    if star:
        local, total, squared = local + values, total + 1.0, squared + 1.0
        mean = np.full_like(values, values.mean())
        variance = np.full_like(values, values.var())
    else:
        n -= 1.0
        mean = (values.sum() - values) / n
        variance = ((values**2).sum() - values**2) / n - mean**2
    spread = np.sqrt(np.maximum(variance, 0.0) * np.maximum(n * squared - total**2, 0.0) / (n - 1.0))
    difference = local - total * mean
    flat = spread <= 1e-12 * np.maximum(1.0, np.abs(mean))
    return np.where(flat, 0.0, difference / np.where(flat, 1.0, spread))


def gi_exact_p(y: npt.ArrayLike, w: Weights, *, star: bool = True, tail: Literal["upper", "lower"] = "upper") -> Floats:
    """Compute the exact tail p of local Getis-Ord sums, given all values.

    Under the null hypothesis every assignment of the observed counts to the places is equally likely, so the sum over a neighbourhood of m
    places is the sum of a uniform m-subset. Its distribution is worked out, not simulated: a p of 1e-12 is as exact as one of 0.1.

    Parameters
    ----------
    y : array_like of shape (n,)
        Counts: non-negative whole numbers.
    w : scipy CSR of shape (n, n)
        Binary neighbours, zero diagonal.
    star : bool, default True
        Gi*: the neighbourhood includes the place, drawn from all n values. False gives Gi: the place's own value is fixed and its
        neighbours are drawn from the other n - 1.
    tail : {"upper", "lower"}, default "upper"
        P(sum >= observed), small where counts are high; or P(sum <= observed), small where they are low.

    Returns
    -------
    ndarray of shape (n,), float64
        One-sided p.

    Raises
    ------
    AnalysisError
        Counts that are negative, missing, not whole or all zero; fewer than three places; weights that are not binary or, for Gi, a place
        without neighbours.

    Notes
    -----
    Draws without replacement, value by value from the largest: the number of places of value v among r that remain to be drawn is
    hypergeometric. f[r, s] holds the probability of r draws left and a sum so far of s; every term is positive, so tails keep their
    relative precision.

    References
    ----------
    Getis and Ord (1992), doi:10.1111/j.1538-4632.1992.tb00261.x (the statistic); the distribution is the permutation distribution.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> line = csr_array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    >>> gi_exact_p([3, 2, 0, 0], line).round(3).tolist()
    [0.167, 0.5, 1.0, 1.0]
    """
    return _exact(suitable_counts(y)[:, None], w, star=star, tail=tail)[:, 0]


def gi_exact_p_slices(y: npt.ArrayLike, w: Weights, *, star: bool = True, tail: Literal["upper", "lower"] = "upper") -> Floats:
    """Compute `gi_exact_p` for many periods at once, each compared with itself alone.

    A rise of reporting that is the same everywhere therefore changes no p.

    Parameters
    ----------
    y : array_like of shape (n, t)
        Counts of n places in t periods. A period without any count gets p = 1 everywhere.
    w, star, tail
        As `gi_exact_p`.

    Returns
    -------
    ndarray of shape (n, t), float64

    Raises
    ------
    AnalysisError
        As `gi_exact_p`.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> line = csr_array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    >>> gi_exact_p_slices([[3, 0], [2, 0], [0, 0], [0, 0]], line).round(3).tolist()
    [[0.167, 1.0], [0.5, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    return _exact(suitable_counts(y, dimensions=2), w, star=star, tail=tail)


def gi_nb_p(y: npt.ArrayLike, exposure: npt.ArrayLike, w: Weights, *, star: bool = True, size: float | None = None) -> Floats:
    """Compute the upper-tail p of local sums of counts whose expectation follows an exposure.

    Each place's count is taken as negative binomial with mean exposure x city rate and one dispersion, which maximum likelihood fits; the
    places are independent under the null hypothesis. The sum over a neighbourhood has no closed form, since the means differ: its
    distribution is worked out exactly.

    Parameters
    ----------
    y : array_like of shape (n,)
        Counts: non-negative whole numbers.
    exposure : array_like of shape (n,)
        Persons, or all-category long-run reports; above 0.
    w : scipy CSR of shape (n, n)
        Binary neighbours, zero diagonal.
    star : bool, default True
        Whether the sum includes the place itself.
    size : float, optional
        Size r of the negative binomial (variance = mean + mean^2 / r); fitted where not given. Infinity means Poisson.

    Returns
    -------
    ndarray of shape (n,), float64
        P(sum >= observed), small where counts are high for their exposure.

    Raises
    ------
    AnalysisError
        Counts that are negative, missing, not whole or all zero; exposure that is missing, negative or 0; fewer than three places; weights
        that are not binary or, without `star`, a place without neighbours.

    Notes
    -----
    A negative binomial is a compound Poisson of logarithmic jumps, so the sum S of independent ones with common r and
    q_j = mu_j / (mu_j + r) obeys k P(S = k) = r sum_j A_j(k), where A_j(k) = q_j (A_j(k - 1) + P(S = k - 1)): all terms are positive, so
    that tails keep their relative precision. A hotspot raises the fitted dispersion, which makes the test milder, never bolder.

    Zero inflation, and exposure wrong by up to 30% from cell to cell, keep false maps below 5%. Effort that varies smoothly and is not in
    the exposure is marked like risk: three dense maps in four (``benchmarks/statistics.md``). Without an exposure that carries effort a
    map reads "where reports are".

    References
    ----------
    Furman (2007), doi:10.1016/j.spl.2006.06.007 (the sum); Lawless (1987), doi:10.2307/3314912 (the fit).

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> line = csr_array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    >>> gi_nb_p([9, 8, 1, 0], [40, 60, 50, 50], line).round(3).tolist()
    [0.152, 0.274, 0.662, 0.943]
    """
    from cloudmap.analytics.negative_binomial import fit_size, sum_tails

    counts = suitable_counts(y)
    people = suitable_exposure(exposure, counts.size)
    weights = _binary(w, counts.size, star=star)
    mean = people * (counts.sum() / people.sum())
    size = fit_size(counts, mean) if size is None else suitable_limit(size, "size", infinite=True)
    sums = np.rint(weights @ counts).astype(np.int64) + (counts if star else 0)
    return sum_tails(mean, size, weights, sums, star=star)


def hotspot_table(places: Sequence[str], counts: npt.ArrayLike, w: Weights, *, threshold: float = 0.05) -> pl.DataFrame:
    """Test every place of one map for a high local sum and adjust for the number of places.

    Parameters
    ----------
    places : sequence of str, length n
        Ids, in the order of `counts` and `w`.
    counts : array_like of shape (n,)
        Matters per place.
    w : scipy CSR of shape (n, n)
        Binary neighbours.
    threshold : float, default 0.05
        A place is hot when its q is at most this.

    Returns
    -------
    polars.DataFrame
        place, n, neighbourhood_n (the sum that is tested, the place included), z, p, q, class ("hot" or "not_significant").

    Raises
    ------
    AnalysisError
        As `gi_exact_p`.

    Notes
    -----
    Exact upper-tail p of Gi* and Benjamini-Hochberg over all n places: the family is the one map. In simulated maps without any hotspot
    at most 3.5% show one (400 runs); that is a low rate, not zero.
    """
    n = np.asarray(counts, dtype=np.int64)
    p = gi_exact_p(n, w)
    q = fdr(p)
    return pl.DataFrame(
        {
            "place": list(places),
            "n": n,
            "neighbourhood_n": np.rint(w @ n).astype(np.int64) + n,
            "z": gi_z(n, w),
            "p": p,
            "q": q,
            "class": np.where(q <= threshold, "hot", "not_significant"),
        }
    )


def _exact(counts: Ints, w: Weights, *, star: bool, tail: str) -> Floats:
    """Exact tails of local sums; counts and result are places by periods."""
    from cloudmap.analytics.subsets import subset_sum_tails

    if tail not in ("upper", "lower"):
        raise AnalysisError(f"tail {tail!r} is unknown; use 'upper' (high counts) or 'lower' (low counts)")
    weights = _binary(w, counts.shape[0], star=star)
    sums = np.rint(weights @ counts.astype(np.float64)).astype(np.int64) + (counts if star else 0)
    sizes = np.diff(weights.indptr).astype(np.int64) + int(star)
    by_slice, slice_sums = np.ascontiguousarray(counts.T), np.ascontiguousarray(sums.T)
    p: Floats = subset_sum_tails(by_slice, sizes, slice_sums, not star, tail == "upper").T
    return p


def _binary(w: Weights, n: int, *, star: bool) -> csr_array:
    weights = suitable_weights(w, n, islands=star)
    if weights.nnz and not (weights.data == 1).all():
        raise AnalysisError("exact p needs binary weights (0 or 1); distance decay has no exact test here")
    return weights
