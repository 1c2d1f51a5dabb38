"""Many tests at once: control of the false discovery rate."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from cloudmap.errors import AnalysisError


def fdr(p: npt.ArrayLike, *, method: Literal["bh", "by"] = "bh") -> npt.NDArray[np.float64]:
    """Adjust p-values so that a threshold on the result bounds the false discovery rate.

    Parameters
    ----------
    p : array_like of shape (n,)
        p-values of one family, each in 0 to 1.
    method : {"bh", "by"}, default "bh"
        Benjamini-Hochberg (independent or positively dependent tests) or Benjamini-Yekutieli (any dependence).

    Returns
    -------
    ndarray of shape (n,), float64
        Adjusted p-values, q.

    Raises
    ------
    AnalysisError
        A p-value is missing or outside 0 to 1, or the method is unknown.

    References
    ----------
    Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x; Benjamini and Yekutieli (2001), doi:10.1214/aos/1013699998.

    Examples
    --------
    >>> fdr([0.01, 0.04, 0.03, 0.5]).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    values = np.asarray(p, dtype=np.float64)
    if method not in ("bh", "by"):
        raise AnalysisError(f"fdr method {method!r} is unknown; use 'bh' or 'by'")
    if values.ndim != 1 or values.size == 0:
        raise AnalysisError(f"fdr needs a non-empty vector of p-values, got shape {values.shape}")
    if not (np.isfinite(values).all() and (values >= 0).all() and (values <= 1).all()):
        raise AnalysisError("fdr got p-values that are missing or outside 0 to 1; leave out places without a test before adjusting")
    adjusted: npt.NDArray[np.float64] = stats.false_discovery_control(values, method=method)
    return adjusted


def fdr_of_tested(p: npt.ArrayLike, tested: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float64]:
    """Adjust the p-values of those tests that could be made, by Benjamini-Hochberg; the others are no part of the family.

    Parameters
    ----------
    p : array_like of shape (n,)
        p-values, each in 0 to 1 where it was tested.
    tested : bool array of shape (n,), optional
        Which were; those that are finite where not given.

    Returns
    -------
    ndarray of shape (n,), float64
        Adjusted p-values, q; NaN where nothing was tested.

    Raises
    ------
    AnalysisError
        A p-value that was tested is outside 0 to 1.

    Examples
    --------
    >>> fdr_of_tested([0.01, float("nan"), 0.04]).round(4).tolist()
    [0.02, nan, 0.04]
    """
    values = np.asarray(p, dtype=np.float64)
    family = np.isfinite(values) if tested is None else tested
    adjusted = np.full(values.shape, np.nan)
    if family.any():
        adjusted[family] = fdr(values[family])
    return adjusted
