"""Moran, Geary and general G: whether there is any pattern, and where a place resembles its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from cloudmap.analytics.suitable import suitable_values, suitable_weights
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from cloudmap.analytics.suitable import Weights

Floats = npt.NDArray[np.float64]


class LocalMoran(NamedTuple):
    """Local Moran of every place and its moments under the null hypothesis; arrays of shape (n,)."""

    i: Floats
    expected: Floats
    variance: Floats
    z: Floats


class GlobalStatistic(NamedTuple):
    """One statistic of a whole map, its moments under the null hypothesis, and the two-sided normal p."""

    value: float
    expected: float
    variance: float
    z: float
    p: float


def local_moran(
    y: npt.ArrayLike, w: Weights, *, moments: Literal["total", "conditional"] = "total", standardise: bool = True
) -> LocalMoran:
    """Compute local Moran: the place's deviation times the mean deviation of its neighbours.

    Parameters
    ----------
    y : array_like of shape (n,)
        Values of the places.
    w : scipy CSR of shape (n, n)
        Weights with a zero diagonal.
    moments : {"total", "conditional"}, default "total"
        Randomise all values, or hold the place's own value and randomise the rest.
    standardise : bool, default True
        Divide each row of weights by its sum, as is customary (rows that sum to 1 stay as they are); False takes the weights as they are.

    Returns
    -------
    LocalMoran
        i, expected, variance, z. High z: alike neighbours (high among high, low among low); low z: an outlier.

    Raises
    ------
    AnalysisError
        Missing values, all values equal, fewer than four places, weights that do not fit, a place without neighbours.

    Notes
    -----
    I_i = (y_i - m) / s2 * sum_j w_ij (y_j - m), s2 = sum (y - m)^2 / n. Its distribution on sparse counts is far from normal: use
    `gi_exact_p` for decisions.

    References
    ----------
    Anselin (1995), doi:10.1111/j.1538-4632.1995.tb00338.x; conditional moments: Sokal, Oden and Thomson (1998),
    doi:10.1111/j.1538-4632.1998.tb00406.x.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> line = csr_array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    >>> local_moran([3, 2, 0, 0], line).i.round(3).tolist()
    [0.778, 0.111, 0.185, 0.926]
    """
    deviation, weights = _deviations(y, w, standardise=standardise)
    n = deviation.size
    spread = float((deviation**2).mean())
    value = deviation / spread * np.asarray(weights @ deviation)
    total = np.asarray(weights.sum(axis=1)).ravel()
    squared = np.asarray(weights.multiply(weights).sum(axis=1)).ravel()
    if moments == "conditional":
        expected = -(deviation**2) * total / ((n - 1) * spread)
        variance = (deviation / spread) ** 2 * n / (n - 2) * (squared - total**2 / (n - 1)) * (spread - deviation**2 / (n - 1))
    elif moments == "total":
        peaked = float((deviation**4).mean()) / spread**2
        expected = -total / (n - 1)
        variance = squared * (n - peaked) / (n - 1) + (total**2 - squared) * (2 * peaked - n) / ((n - 1) * (n - 2)) - (total / (n - 1)) ** 2
    else:
        raise AnalysisError(f"moments {moments!r} are unknown; use 'total' or 'conditional'")
    spread_of_value = np.sqrt(np.maximum(variance, 0.0))
    z = np.divide(value - expected, spread_of_value, out=np.zeros(n), where=spread_of_value > 0)
    return LocalMoran(value, expected, variance, z)


def global_moran(
    y: npt.ArrayLike, w: Weights, *, moments: Literal["randomised", "normal"] = "randomised", standardise: bool = True
) -> GlobalStatistic:
    """Compute Moran's I of a map.

    Parameters
    ----------
    y : array_like of shape (n,)
        Values of the places.
    w : scipy CSR of shape (n, n)
        Weights with a zero diagonal.
    moments : {"randomised", "normal"}, default "randomised"
        Null hypothesis: the values are shuffled over the places, or drawn from one normal distribution.
    standardise : bool, default True
        As `local_moran`.

    Returns
    -------
    GlobalStatistic
        value, expected, variance, z, p (two-sided, normal).

    Raises
    ------
    AnalysisError
        Missing values, all values equal, fewer than four places, weights that do not fit, a place without neighbours.

    References
    ----------
    Moran (1950), doi:10.2307/2332142; Cliff and Ord (1981), Spatial Processes: Models and Applications, Pion, pages 42-46.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> line = csr_array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    >>> round(global_moran([3, 2, 0, 0], line).value, 3)
    0.5
    """
    deviation, weights = _deviations(y, w, standardise=standardise)
    n = float(deviation.size)
    s0, s1, s2 = _weight_sums(weights)
    value = n / s0 * float(deviation @ (weights @ deviation)) / float(deviation @ deviation)
    expected = -1.0 / (n - 1)
    if moments == "normal":
        square = (n**2 * s1 - n * s2 + 3 * s0**2) / (s0**2 * (n**2 - 1))
    elif moments == "randomised":
        peaked = _peakedness(deviation)
        square = n * (s1 * (n**2 - 3 * n + 3) - n * s2 + 3 * s0**2) - peaked * (s1 * (n**2 - n) - 2 * n * s2 + 6 * s0**2)
        square /= (n - 1) * (n - 2) * (n - 3) * s0**2
    else:
        raise AnalysisError(f"moments {moments!r} are unknown; use 'randomised' or 'normal'")
    return _tested(value, expected, square - expected**2)


def geary_c(y: npt.ArrayLike, w: Weights) -> GlobalStatistic:
    """Compute Geary's C of a map, standardised so that alike neighbours give a positive z.

    Parameters
    ----------
    y, w
        As `global_moran`.

    Returns
    -------
    GlobalStatistic
        value (below 1 where neighbours are alike), expected = 1, variance (randomised), z, p (two-sided).

    Raises
    ------
    AnalysisError
        As `global_moran`.

    References
    ----------
    Geary (1954), doi:10.2307/2986645; Cliff and Ord (1981), Spatial Processes: Models and Applications, Pion, pages 42-46.
    """
    deviation, weights = _deviations(y, w, standardise=True)
    n = float(deviation.size)
    s0, s1, s2 = _weight_sums(weights)
    pairs = weights.tocoo()
    squares = float(pairs.data @ (deviation[pairs.row] - deviation[pairs.col]) ** 2)
    value = (n - 1) / (2 * s0) * squares / float(deviation @ deviation)
    peaked = _peakedness(deviation)
    variance = (n - 1) * s1 * (n**2 - 3 * n + 3 - (n - 1) * peaked) - (n - 1) * s2 / 4 * (n**2 + 3 * n - 6 - (n**2 - n + 2) * peaked)
    variance = (variance + s0**2 * (n**2 - 3 - (n - 1) ** 2 * peaked)) / (n * (n - 2) * (n - 3) * s0**2)
    tested = _tested(value, 1.0, variance)
    return tested._replace(z=-tested.z)


def general_g(y: npt.ArrayLike, w: Weights) -> GlobalStatistic:
    """Compute the general G of a map: whether high values, rather than low ones, gather.

    Parameters
    ----------
    y : array_like of shape (n,)
        Non-negative values of the places.
    w : scipy CSR of shape (n, n)
        Weights with a zero diagonal, usually binary; used as they are.

    Returns
    -------
    GlobalStatistic
        value, expected, variance, z, p (two-sided, normal).

    Raises
    ------
    AnalysisError
        Negative or missing values, all values equal, fewer than four places, weights that do not fit or are all zero.

    References
    ----------
    Getis and Ord (1992), doi:10.1111/j.1538-4632.1992.tb00261.x.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> line = csr_array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]])
    >>> general_g([3, 2, 0, 0], line).value
    1.0
    """
    values = suitable_values(y, least=4)
    weights = suitable_weights(w, values.size)
    if values.min() == values.max():
        raise AnalysisError("all values are equal, so there is no pattern to test; choose a longer period or a wider category")
    if not weights.nnz:
        raise AnalysisError("no place has a neighbour; use contiguity or a larger distance band")
    n = float(values.size)
    s0, s1, s2 = _weight_sums(weights)
    m1, m2, m3, m4 = (float((values**power).sum()) for power in range(1, 5))
    pairs = m1**2 - m2
    if pairs <= 0:
        raise AnalysisError("only one place has a value, so no pair can be tested; choose a longer period or a wider category")
    value = float(values @ (weights @ values)) / pairs
    expected = s0 / (n * (n - 1))
    b0 = (n**2 - 3 * n + 3) * s1 - n * s2 + 3 * s0**2
    b1 = -((n**2 - n) * s1 - 2 * n * s2 + 6 * s0**2)
    b2 = -(2 * n * s1 - (n + 3) * s2 + 6 * s0**2)
    b3 = 4 * (n - 1) * s1 - 2 * (n + 1) * s2 + 8 * s0**2
    b4 = s1 - s2 + s0**2
    square = b0 * m2**2 + b1 * m4 + b2 * m1**2 * m2 + b3 * m1 * m3 + b4 * m1**4
    return _tested(value, expected, square / (pairs**2 * n * (n - 1) * (n - 2) * (n - 3)) - expected**2)


def _deviations(y: npt.ArrayLike, w: Weights, *, standardise: bool) -> tuple[Floats, csr_array]:
    """Centre the values, and standardise the rows of the weights where asked."""
    values = suitable_values(y, least=4, negative=True)
    weights = suitable_weights(w, values.size, islands=False).astype(np.float64)  # a copy
    if values.min() == values.max():
        raise AnalysisError("all values are equal, so there is no pattern to test; choose a longer period or a wider category")
    if standardise:
        weights.data /= np.repeat(np.asarray(weights.sum(axis=1)).ravel(), np.diff(weights.indptr))
    return values - values.mean(), weights


def _weight_sums(weights: csr_array) -> tuple[float, float, float]:
    """S0, S1 and S2 of Cliff and Ord."""
    both = weights + weights.T
    rows, columns = np.asarray(weights.sum(axis=1)).ravel(), np.asarray(weights.sum(axis=0)).ravel()
    return float(weights.sum()), float(both.multiply(both).sum()) / 2, float(((rows + columns) ** 2).sum())


def _peakedness(deviation: Floats) -> float:
    return float((deviation**4).mean() / (deviation**2).mean() ** 2)


def _tested(value: float, expected: float, variance: float) -> GlobalStatistic:
    z = (value - expected) / float(np.sqrt(variance)) if variance > 0 else 0.0
    return GlobalStatistic(value, expected, variance, z, float(2 * stats.norm.sf(abs(z))))
