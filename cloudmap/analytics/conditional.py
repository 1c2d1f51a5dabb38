"""How a sum of counts is shared between two spans of time: exact tails and intervals, with noise beyond Poisson's.

Given the sum N of two Poisson counts, the first is binomial with share pi. Where counts vary `phi` times as much as Poisson counts do
(negative binomial with variance phi x mean) it is beta-binomial, of concentration N / (phi - 1); an estimated pi widens it further.
"""

from __future__ import annotations

from math import exp, lgamma, log, log1p

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_FIRM = 1e9
"""From this concentration on a beta-binomial is a binomial to more digits than any count supports."""


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _log_mass(k: float, total: float, share: float, firm: float) -> float:
    a, b = share * firm, (1.0 - share) * firm
    ways = lgamma(total + 1) - lgamma(k + 1) - lgamma(total - k + 1)
    if firm >= _FIRM:
        return ways + k * log(share) + (total - k) * log1p(-share)
    return ways + lgamma(k + a) - lgamma(a) + lgamma(total - k + b) - lgamma(b) - lgamma(total + firm) + lgamma(firm)


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _upper(k: float, total: float, share: float, firm: float) -> float:
    """P(X >= k)."""
    if k <= 0:
        return 1.0
    if k > total:
        return 0.0
    a, b = share * firm, (1.0 - share) * firm
    falls = firm >= _FIRM or (a >= 1.0 and b >= 1.0)  # else mass may rise again towards the end
    part = exp(_log_mass(k, total, share, firm))
    whole = part
    at = k
    while at < total:
        odds = share / (1.0 - share) if firm >= _FIRM else (at + a) / (total - at - 1.0 + b)
        step = (total - at) / (at + 1.0) * odds
        part *= step
        whole += part
        at += 1.0
        if falls and step < 1.0 and part * step <= 1e-15 * whole * (1.0 - step):
            break
    return min(whole, 1.0)


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _upper_tail(k: float, total: float, share: float, firm: float) -> float:
    """P(X >= k), summed from the shorter side."""
    if k > total * share:
        return _upper(k, total, share, firm)
    return 1.0 - _upper(total - k + 1.0, total, 1.0 - share, firm)


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _share_at(k: float, total: float, firm: float, tail: float, lower: bool) -> float:
    """Share at which the tail beyond k is `tail`: the end of an interval."""
    low, high = -40.0, 40.0
    for _ in range(52):
        middle = (low + high) / 2.0
        share = 1.0 / (1.0 + exp(-middle))
        beyond = _upper_tail(k, total, share, firm) if lower else 1.0 - _upper_tail(k + 1.0, total, share, firm)
        if (beyond < tail) == lower:
            low = middle
        else:
            high = middle
    return 1.0 / (1.0 + exp(-(low + high) / 2.0))


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _tails(n: Floats, total: Floats, share: Floats, firm: Floats, up: Floats, down: Floats) -> None:
    for at in range(n.size):
        up[at] = _upper_tail(n[at], total[at], share[at], firm[at])
        down[at] = 1.0 - _upper_tail(n[at] + 1.0, total[at], share[at], firm[at])
        if n[at] + 1.0 > total[at] * share[at]:
            continue
        down[at] = _upper(total[at] - n[at], total[at], 1.0 - share[at], firm[at])


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _intervals(n: Floats, total: Floats, firm: Floats, tail: float, low: Floats, high: Floats) -> None:
    for at in range(n.size):
        low[at] = _share_at(n[at], total[at], firm[at], tail, True) if n[at] > 0 else 0.0
        high[at] = _share_at(n[at], total[at], firm[at], tail, False) if n[at] < total[at] else 1.0


def tails(n: npt.ArrayLike, total: npt.ArrayLike, share: npt.ArrayLike, firm: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Compute both tails of beta-binomial counts.

    Parameters
    ----------
    n, total : array_like of shape (m,)
        Counts, and what they are out of.
    share : array_like of shape (m,)
        Expected share, strictly between 0 and 1.
    firm : array_like of shape (m,)
        Concentration of the share, above 0; infinity for a binomial.

    Returns
    -------
    tuple of ndarray of shape (m,)
        P(X >= n) and P(X <= n).

    References
    ----------
    Przyborowski and Wilenski (1940), doi:10.2307/2332612 (two Poisson counts given their sum).

    Examples
    --------
    >>> up, down = tails([5], [5], [0.5], [float("inf")])
    >>> float(up[0]), float(down[0])
    (0.03125, 1.0)
    """
    shape = np.broadcast_shapes(np.shape(n), np.shape(total), np.shape(share), np.shape(firm))
    k, whole, part, hold = (
        np.ascontiguousarray(np.broadcast_to(np.asarray(one, dtype=np.float64), shape)) for one in (n, total, share, firm)
    )
    up, down = np.empty(shape), np.empty(shape)
    _tails(k, whole, part, hold, up, down)
    return up, np.minimum(down, 1.0)


def share_interval(n: npt.ArrayLike, total: npt.ArrayLike, firm: npt.ArrayLike, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Give the shares that a count out of a total is compatible with.

    Parameters
    ----------
    n, total, firm : array_like of shape (m,)
        As `tails`.
    level : float, default 0.95
        Two-sided.

    Returns
    -------
    tuple of ndarray of shape (m,)
        Lower and upper share; 0 and 1 where there is no bound. With an infinite `firm`, the interval of Clopper and Pearson.

    References
    ----------
    Clopper and Pearson (1934), doi:10.1093/biomet/26.4.404.
    """
    shape = np.broadcast_shapes(np.shape(n), np.shape(total), np.shape(firm))
    k, whole, hold = (np.ascontiguousarray(np.broadcast_to(np.asarray(one, dtype=np.float64), shape)) for one in (n, total, firm))
    low, high = np.empty(shape), np.empty(shape)
    _intervals(k, whole, hold, (1.0 - level) / 2.0, low, high)
    return low, high
