"""The distribution of the sum of a random subset: the engine of the exact tests."""

from __future__ import annotations

from math import exp, lgamma

import numba
import numpy as np
import numpy.typing as npt

_PRODUCT_LIMIT = 60
"""Up to this many draws binomials are products (exact to some ulp); above, logarithms, since products would overflow."""


@numba.njit(cache=True)  # type: ignore[misc, unused-ignore]
def _binomial(n: int, k: int) -> float:
    value = 1.0
    for step in range(1, k + 1):
        value *= (n - k + step) / step
    return value


@numba.njit(cache=True)  # type: ignore[misc, unused-ignore]
def _hypergeometric(j: int, total: int, marked: int, drawn: int) -> float:
    """P(j marked among `drawn` of `total`, `marked` of them marked)."""
    if j > marked or drawn - j > total - marked:
        return 0.0
    if drawn <= _PRODUCT_LIMIT:
        return _binomial(marked, j) * _binomial(total - marked, drawn - j) / _binomial(total, drawn)
    return exp(
        lgamma(marked + 1.0) - lgamma(j + 1.0) - lgamma(marked - j + 1.0)
        + lgamma(total - marked + 1.0) - lgamma(drawn - j + 1.0) - lgamma(total - marked - drawn + j + 1.0)
        - lgamma(total + 1.0) + lgamma(drawn + 1.0) + lgamma(total - drawn + 1.0)
    )  # fmt: skip


@numba.njit(cache=True)  # type: ignore[misc, unused-ignore]
def subset_sum_mass(values: npt.NDArray[np.int64], multiplicity: npt.NDArray[np.int64], size: int, top: int) -> npt.NDArray[np.float64]:
    """Compute P(sum = s) for s = 0 ... `top` - 1 of a uniform subset of `size` values; the last entry is P(sum >= top).

    Parameters
    ----------
    values : ndarray of shape (d,), int64
        Distinct non-negative values, from the largest to the smallest.
    multiplicity : ndarray of shape (d,), int64
        How often each value occurs; the sum must be at least `size`.
    size : int
        Number of values drawn without replacement.
    top : int
        From here on sums are pooled, since only tails are wanted.

    Returns
    -------
    ndarray of shape (top + 1,), float64
    """
    left = np.zeros((size + 1, top + 1))
    left[size, 0] = 1.0
    remaining = multiplicity.sum()
    for index in range(values.size):
        value, count = values[index], multiplicity[index]
        if count == 0:
            continue
        after = np.zeros((size + 1, top + 1))
        for draws in range(size + 1):
            for j in range(max(0, draws - (remaining - count)), min(count, draws) + 1):
                chance = _hypergeometric(j, remaining, count, draws)
                if chance == 0.0:
                    continue
                gain = j * value
                for so_far in range(top + 1):
                    mass = left[draws, so_far]
                    if mass != 0.0:
                        after[draws - j, min(so_far + gain, top)] += mass * chance
        left = after
        remaining -= count
    mass_by_sum: npt.NDArray[np.float64] = left[0]
    return mass_by_sum


@numba.njit(cache=True)  # type: ignore[misc, unused-ignore]
def _tail(values: npt.NDArray[np.int64], multiplicity: npt.NDArray[np.int64], size: int, top: int, upper: bool) -> npt.NDArray[np.float64]:
    """P(sum >= s), or P(sum <= s), for s = 0 ... `top`; added up from the small end, so that small tails keep their precision."""
    mass = subset_sum_mass(values, multiplicity, size, top + 1)
    tail = np.empty(top + 1)
    if upper:
        running = mass[top + 1]
        for total in range(top, -1, -1):
            running += mass[total]
            tail[total] = min(running, 1.0)
    else:
        running = 0.0
        for total in range(top + 1):
            running += mass[total]
            tail[total] = min(running, 1.0)
    return tail


@numba.njit(cache=True)  # type: ignore[misc, unused-ignore]
def _slice_tails(counts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], sums: npt.NDArray[np.int64], drop_focal: bool,
                 upper: bool, result: npt.NDArray[np.float64]) -> None:  # fmt: skip
    """Look every sum of one slice up in the tail of its own comparison: one per neighbourhood size (and focal value)."""
    frequency = np.bincount(counts)
    distinct = np.flatnonzero(frequency)[::-1].copy()
    rank = np.zeros(frequency.size, dtype=np.int64)
    rank[distinct] = np.arange(distinct.size)
    groups_n = distinct.size if drop_focal else 1
    top = np.full((sizes.max() + 1, groups_n), -1, dtype=np.int64)
    for place in range(counts.size):
        group = rank[counts[place]] if drop_focal else 0
        top[sizes[place], group] = max(top[sizes[place], group], sums[place])
    start = np.full(top.shape, -1, dtype=np.int64)
    start_at = 0
    for size in range(top.shape[0]):
        for group in range(groups_n):
            if top[size, group] >= 0:
                start[size, group] = start_at
                start_at += top[size, group] + 1
    tails = np.empty(start_at)
    for size in range(top.shape[0]):
        for group in range(groups_n):
            if top[size, group] >= 0:
                multiplicity = frequency[distinct]
                if drop_focal:
                    multiplicity[group] -= 1
                at = start[size, group]
                tails[at : at + top[size, group] + 1] = _tail(distinct, multiplicity, size, top[size, group], upper)
    for place in range(counts.size):
        result[place] = tails[start[sizes[place], rank[counts[place]] if drop_focal else 0] + sums[place]]


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def subset_sum_tails(counts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], sums: npt.NDArray[np.int64], drop_focal: bool,
                     upper: bool) -> npt.NDArray[np.float64]:  # fmt: skip
    """Compute the tail of each neighbourhood's sum, slice by slice.

    Parameters
    ----------
    counts : ndarray of shape (t, n), int64
        Values of n places in t slices; each slice is compared with itself.
    sizes : ndarray of shape (n,), int64
        Number of places in each sum.
    sums : ndarray of shape (t, n), int64
        The sums.
    drop_focal : bool
        Whether a place's own value is left out of what its sum is drawn from.
    upper : bool
        P(sum >= observed), else P(sum <= observed).

    Returns
    -------
    ndarray of shape (t, n), float64
    """
    result = np.empty(counts.shape)
    for number in range(counts.shape[0]):
        _slice_tails(counts[number], sizes, sums[number], drop_focal, upper, result[number])
    return result
