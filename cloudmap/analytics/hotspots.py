"""Local Getis-Ord statistics: the z that others map, and the exact p that our maps stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.analytics.inference import fdr
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.sparse import csr_array, csr_matrix

    Weights = csr_array | csr_matrix

Floats = npt.NDArray[np.float64]


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
    values, weights = _checked(y, w)
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


def gi_exact_p(y: npt.ArrayLike, w: Weights, *, star: bool = True) -> Floats:
    """Compute the exact upper-tail p of local Getis-Ord sums, given all values.

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

    Returns
    -------
    ndarray of shape (n,), float64
        P(sum >= observed), one-sided: small where counts are high.

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
    from cloudmap.analytics.subsets import subset_sum_tail

    values, weights = _checked(y, w)
    counts = values.astype(np.int64)
    if not np.array_equal(counts, values):
        raise AnalysisError("exact p needs whole counts; severity weights and rates have no exact test (use counts of matters)")
    if not counts.any():
        raise AnalysisError("exact p: every count is zero, so nothing can be tested; choose a longer period or a wider category")
    if weights.nnz and not (weights.data == 1).all():
        raise AnalysisError("exact p needs binary weights (0 or 1); distance decay has no exact test here")
    degree = np.diff(weights.indptr).astype(np.int64)
    if not star and (degree == 0).any():
        raise AnalysisError(f"exact p of Gi: {int((degree == 0).sum())} place(s) without neighbours; leave them out or use star=True")
    sums = np.rint(weights @ values).astype(np.int64)
    if star:
        return _tails(counts, counts, degree + 1, sums + counts, subset_sum_tail, drop_focal=False)
    return _tails(counts, counts, degree, sums, subset_sum_tail, drop_focal=True)


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


def _tails(population: npt.NDArray[np.int64], focal: npt.NDArray[np.int64], size: npt.NDArray[np.int64], sums: npt.NDArray[np.int64],
           tail: object, *, drop_focal: bool) -> Floats:  # fmt: skip
    """Look each place's sum up in the tail of its own comparison: one per neighbourhood size (and focal value)."""
    assert callable(tail)  # noqa: S101  (narrows the type)
    distinct, frequency = np.unique(population, return_counts=True)
    result = np.empty(population.size)
    key = np.stack([size, focal if drop_focal else np.zeros_like(focal)])
    groups, member = np.unique(key, axis=1, return_inverse=True)
    member = np.asarray(member).ravel()
    for number in range(groups.shape[1]):
        rows = np.flatnonzero(member == number)
        multiplicity = frequency.copy()
        if drop_focal:
            multiplicity[np.searchsorted(distinct, groups[1, number])] -= 1
        top = int(sums[rows].max())
        result[rows] = tail(distinct[::-1].copy(), multiplicity[::-1].copy(), int(groups[0, number]), top)[sums[rows]]
    return np.minimum(result, 1.0)


def _checked(y: npt.ArrayLike, w: Weights) -> tuple[Floats, csr_array]:
    from scipy.sparse import csr_array, issparse

    values = np.asarray(y, dtype=np.float64)
    if values.ndim != 1 or values.size < 3:
        raise AnalysisError(f"a local statistic needs at least three places in a vector, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise AnalysisError(f"{int((~np.isfinite(values)).sum())} value(s) are missing or infinite; a place without reports counts 0")
    if (values < 0).any():
        raise AnalysisError(f"{int((values < 0).sum())} value(s) are negative; counts start at 0")
    if not issparse(w):
        raise AnalysisError("weights must be a scipy sparse matrix; make one with cloudmap.neighbours(...)")
    weights = csr_array(w)
    weights.eliminate_zeros()
    if weights.shape != (values.size, values.size):
        raise AnalysisError(f"weights of shape {weights.shape} do not fit {values.size} values; rebuild them from the same places")
    if weights.diagonal().any():
        raise AnalysisError("weights have a non-zero diagonal; the focal place is added by star=True")
    return values, weights
