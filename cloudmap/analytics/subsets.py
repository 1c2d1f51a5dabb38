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
def subset_sum_tail(values: npt.NDArray[np.int64], multiplicity: npt.NDArray[np.int64], size: int, top: int) -> npt.NDArray[np.float64]:
    """Compute P(sum >= s) for s = 0 ... `top` of a uniform subset of `size` values.

    Parameters
    ----------
    values : ndarray of shape (d,), int64
        Distinct non-negative values, from the largest to the smallest.
    multiplicity : ndarray of shape (d,), int64
        How often each value occurs; the sum must be at least `size`.
    size : int
        Number of values drawn without replacement.
    top : int
        Largest sum asked for; sums above it are pooled, since only tails are wanted.

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
    tail = np.empty(top + 1)
    running = 0.0
    for total in range(top, -1, -1):
        running += left[0, total]
        tail[total] = running
    return tail
