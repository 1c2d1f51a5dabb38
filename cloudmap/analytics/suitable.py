"""What the statistics ask of their input, refused in words that say what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from scipy.sparse import csr_array, csr_matrix

    Weights = csr_array | csr_matrix

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def suitable_values(y: npt.ArrayLike, *, what: str = "value", least: int = 3, negative: bool = False, dimensions: int = 1) -> Floats:
    """Return the values as floats, or say why they cannot be analysed.

    Parameters
    ----------
    y : array_like
        Values of places or periods.
    what : str, default "value"
        Their name in a message.
    least : int, default 3
        Fewest entries along the first axis.
    negative : bool, default False
        Whether values below zero are allowed.
    dimensions : int, default 1
        1 for a vector, 2 for a table of places by periods.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    AnalysisError
        Wrong shape, too few entries, values missing, infinite or negative.
    """
    values = np.asarray(y, dtype=np.float64)
    if values.ndim != dimensions or values.shape[0] < least:
        kind = "in a vector" if dimensions == 1 else "as rows of a table of places by periods"
        number = {1: "one", 2: "two", 3: "three"}.get(least, str(least))
        raise AnalysisError(
            f"{what}s: this statistic needs at least {number} places {kind}, got shape {values.shape}; take a larger area or period"
        )
    if not np.isfinite(values).all():
        missing = int((~np.isfinite(values)).sum())
        raise AnalysisError(f"{missing} {what}(s) are missing or infinite; a place without reports counts 0, an unknown one is left out")
    if not negative and (values < 0).any():
        raise AnalysisError(f"{int((values < 0).sum())} {what}(s) are negative; counts, exposures and areas start at 0")
    return values


def suitable_counts(y: npt.ArrayLike, *, what: str = "count", least: int = 3, dimensions: int = 1) -> Ints:
    """Return whole counts of which at least one is not zero.

    Parameters
    ----------
    y : array_like
        Counts; floats with whole values are taken.
    what, least, dimensions
        As `suitable_values`.

    Returns
    -------
    ndarray of int64

    Raises
    ------
    AnalysisError
        As `suitable_values`; also fractions, or nothing but zeros.
    """
    values = suitable_values(y, what=what, least=least, dimensions=dimensions)
    counts = values.astype(np.int64)
    if not np.array_equal(counts, values):
        raise AnalysisError(f"this test needs whole {what}s; severity weights and rates have no such test (use counts of matters)")
    if not counts.any():
        raise AnalysisError(f"every {what} is zero, so nothing can be tested; choose a longer period or a wider category", code="empty")
    return counts


def suitable_exposure(e: npt.ArrayLike, n: int, *, what: str = "exposure") -> Floats:
    """Return exposures that fit n places and are all above zero.

    Parameters
    ----------
    e : array_like of shape (n,)
        Persons, reports or expected counts.
    n : int
        Number of places.
    what : str, default "exposure"
        Its name in a message.

    Returns
    -------
    ndarray of shape (n,), float64

    Raises
    ------
    AnalysisError
        Missing, negative or zero exposure, or another number of places.
    """
    exposure = suitable_values(e, what=what, least=1)
    if exposure.size != n:
        raise AnalysisError(f"{exposure.size} {what}(s) for {n} places; rebuild both from the same places")
    if (exposure == 0).any():
        raise AnalysisError(
            f"{what} is 0 at {int((exposure == 0).sum())} place(s), where no rate exists; leave these places out and list them"
        )
    return exposure


def suitable_weights(w: Weights, n: int, *, islands: bool = True) -> csr_array:
    """Return spatial weights that fit n places.

    Parameters
    ----------
    w : scipy sparse of shape (n, n)
        Weights with a zero diagonal.
    n : int
        Number of places.
    islands : bool, default True
        Whether places without neighbours are allowed.

    Returns
    -------
    csr_array

    Raises
    ------
    AnalysisError
        Not sparse, another shape, a diagonal that is not zero, weights that are negative or missing, or forbidden islands.
    """
    from scipy.sparse import csr_array, issparse

    if not issparse(w):
        raise AnalysisError("weights must be a scipy sparse matrix; make one with cloudmap.neighbours(...)")
    weights = csr_array(w)
    if weights.shape != (n, n):
        raise AnalysisError(f"weights of shape {weights.shape} do not fit {n} values; rebuild them from the same places")
    if weights.nnz and not weights.data.all():
        weights = weights.copy()
        weights.eliminate_zeros()
    if weights.diagonal().any():
        raise AnalysisError("weights have a non-zero diagonal; the focal place is added by star=True")
    if weights.nnz and not (np.isfinite(weights.data).all() and (weights.data > 0).all()):
        raise AnalysisError("weights are negative or missing; use 1 for neighbours, or a positive decay")
    degree = np.diff(weights.indptr)
    if not islands and (degree == 0).any():
        raise AnalysisError(f"{int((degree == 0).sum())} place(s) without neighbours; leave them out or link them (k-nearest, larger band)")
    return weights


def suitable_points(xy_m: npt.ArrayLike, *, least: int = 1, what: str = "point") -> Floats:
    """Return coordinates of shape (n, 2), or say why they cannot be used.

    Parameters
    ----------
    xy_m : array_like of shape (n, 2)
        Projected coordinates, metres.
    least : int, default 1
        Fewest points.
    what : str, default "point"
        Their name in a message.

    Returns
    -------
    ndarray of shape (n, 2), float64

    Raises
    ------
    AnalysisError
        Another shape, too few points, missing coordinates.
    """
    points = np.asarray(xy_m, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or points.shape[0] < least:
        raise AnalysisError(f"{what}s need shape (n, 2) with n at least {least}, in projected metres; got shape {points.shape}")
    if not np.isfinite(points).all():
        raise AnalysisError(f"{int((~np.isfinite(points)).any(axis=1).sum())} {what}(s) have no coordinates; leave them out and count them")
    return points


def suitable_limit(value: float, name: str, *, infinite: bool = False) -> float:
    """Return a limit that is a positive number.

    Parameters
    ----------
    value : float
        The limit.
    name : str
        Its name in a message.
    infinite : bool, default False
        Whether infinity is allowed.

    Returns
    -------
    float

    Raises
    ------
    AnalysisError
        The limit is missing, zero, negative, or infinite where that is not allowed.
    """
    if not (value > 0 and (infinite or np.isfinite(value))):
        raise AnalysisError(f"{name} = {value!r} must be a positive number")
    return float(value)
