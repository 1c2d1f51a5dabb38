"""How accurate a choice of places was: hit rate, PAI, PEI*, deviance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from cloudmap.analytics.suitable import suitable_counts, suitable_exposure, suitable_values
from cloudmap.errors import AnalysisError

Bools = npt.NDArray[np.bool_]


def hit_rate(counts: npt.ArrayLike, selected: npt.ArrayLike) -> float:
    """Return the share of events that lie in the selected places.

    Parameters
    ----------
    counts : array_like of shape (n,)
        Events of each place in the period that was forecast.
    selected : array_like of bool, shape (n,), or of int
        Places that the forecast chose: a mask, or their indices.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    AnalysisError
        Counts that are negative, missing, not whole or all zero; a selection that does not fit.

    Examples
    --------
    >>> round(hit_rate([5, 0, 3, 1], [0, 3]), 3)
    0.667
    """
    events = suitable_counts(counts, least=1)
    return float(events[_mask(selected, events.size)].sum() / events.sum())


def pai(counts: npt.ArrayLike, selected: npt.ArrayLike, area: npt.ArrayLike) -> float:
    """Return the prediction accuracy index: the hit rate over the share of area selected.

    Parameters
    ----------
    counts, selected
        As `hit_rate`.
    area : array_like of shape (n,)
        Area of the places, any unit; above 0.

    Returns
    -------
    float
        1 for a choice as good as chance.

    Raises
    ------
    AnalysisError
        As `hit_rate`; also areas that are missing, zero or negative, or nothing selected.

    References
    ----------
    Chainey, Tompson and Uhlig (2008), doi:10.1057/palgrave.sj.8350066.

    Examples
    --------
    >>> round(pai([5, 0, 3, 1], [0, 3], [1, 1, 1, 1]), 3)
    1.333
    """
    events = suitable_counts(counts, least=1)
    ground = suitable_exposure(area, events.size, what="area")
    chosen = _mask(selected, events.size)
    if not chosen.any():
        raise AnalysisError("no place is selected; raise the share of area")
    return float(events[chosen].sum() / events.sum() / (ground[chosen].sum() / ground.sum()))


def pei_star(counts: npt.ArrayLike, selected: npt.ArrayLike, area: npt.ArrayLike) -> float:
    """Return the share of what any choice of the same area could have caught.

    Parameters
    ----------
    counts, selected, area
        As `pai`.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    AnalysisError
        As `pai`.

    Notes
    -----
    n / n*, with n* the events in the densest places up to the same area. The last place is counted by the part of it that fits, so that
    n* is an upper bound where areas differ, and exact where they do not.

    References
    ----------
    Hunt (2016), Do crime hot spots move?, American University, PhD thesis; Joshi et al. (2021), doi:10.1007/s11292-020-09442-5.

    Examples
    --------
    >>> round(pei_star([5, 0, 3, 1], [0, 3], [1, 1, 1, 1]), 3)
    0.75
    """
    events = suitable_counts(counts, least=1)
    ground = suitable_exposure(area, events.size, what="area")
    chosen = _mask(selected, events.size)
    if not chosen.any():
        raise AnalysisError("no place is selected; raise the share of area")
    densest = np.argsort(-events / ground, kind="stable")
    reached = np.cumsum(ground[densest])
    budget = float(ground[chosen].sum())
    whole = reached <= budget * (1 + 1e-12)
    most = float(events[densest][whole].sum())
    if not whole.all():
        following = int(whole.sum())
        left = max(0.0, budget - (reached[following - 1] if following else 0.0))
        most += float(events[densest[following]] * left / ground[densest[following]])
    return float(events[chosen].sum() / most)


def select_area(score: npt.ArrayLike, area: npt.ArrayLike, *, share: float, rng: np.random.Generator | None = None) -> Bools:
    """Choose the places with the highest scores up to a share of the area.

    Parameters
    ----------
    score : array_like of shape (n,)
        Forecast per unit of area, or per place where areas are equal.
    area : array_like of shape (n,)
        Area of the places; above 0.
    share : float
        Share of the area, above 0 up to 1; at least one place is chosen.
    rng : numpy Generator, optional
        Breaks ties at random; without it the earlier place goes first.

    Returns
    -------
    ndarray of shape (n,), bool

    Raises
    ------
    AnalysisError
        Missing scores, areas that are missing, zero or negative, or a share out of range.

    Examples
    --------
    >>> select_area([3, 9, 1, 5], [1, 1, 1, 1], share=0.5).tolist()
    [False, True, False, True]
    """
    scores = suitable_values(score, what="score", least=1, negative=True)
    ground = suitable_exposure(area, scores.size, what="area")
    if not 0 < share <= 1:
        raise AnalysisError(f"share = {share!r} must lie above 0 and not above 1")
    shuffled = np.arange(scores.size) if rng is None else rng.permutation(scores.size)
    order = shuffled[np.argsort(-scores[shuffled], kind="stable")]
    number = max(1, int(np.searchsorted(np.cumsum(ground[order]), share * ground.sum() * (1 + 1e-12), side="right")))
    chosen = np.zeros(scores.size, dtype=np.bool_)
    chosen[order[:number]] = True
    return chosen


def poisson_deviance(counts: npt.ArrayLike, expected: npt.ArrayLike) -> float:
    """Return the mean Poisson deviance of forecasts: 0 for perfect ones.

    Parameters
    ----------
    counts : array_like of shape (n,)
        What came.
    expected : array_like of shape (n,)
        What was expected; above 0 (a forecast of nothing at all cannot be scored: give it a floor).

    Returns
    -------
    float

    Raises
    ------
    AnalysisError
        Missing or negative numbers, or an expectation of 0.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, Chapman and Hall, section 2.3.
    """
    y = suitable_values(counts, what="count", least=1)
    mean = suitable_exposure(expected, y.size, what="expected count")
    return float(2 * (special.xlogy(y, y / mean) - (y - mean)).mean())


def _mask(selected: npt.ArrayLike, n: int) -> Bools:
    chosen = np.asarray(selected)
    if chosen.dtype == np.bool_:
        if chosen.shape != (n,):
            raise AnalysisError(f"a selection of shape {chosen.shape} does not fit {n} places")
        return chosen
    if chosen.ndim != 1 or (chosen.size and not np.issubdtype(chosen.dtype, np.integer)):
        raise AnalysisError("a selection is a mask (bool) or a vector of indices (int)")
    if chosen.size and (chosen.min() < 0 or chosen.max() >= n):
        raise AnalysisError(f"a selection holds indices outside 0 to {n - 1}")
    mask = np.zeros(n, dtype=np.bool_)
    mask[chosen.astype(np.int64)] = True
    return mask
