"""What a forecast may learn from: the weeks of one reporting regime that are in, and the places that have an exposure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from cloudmap.analytics.panel import HasPanel, Panel
from cloudmap.analytics.risk_score import History
from cloudmap.analytics.suitable import suitable_counts, suitable_values, suitable_weights
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_FEWEST_WEEKS = 8
_LONGEST_HORIZON = 13


@dataclass(frozen=True)
class Ready:
    """A panel made ready for forecasts: the weeks that may be learned from, and the places that have an exposure.

    Attributes
    ----------
    panel : Panel
    known : bool array of shape (n,)
        Places with exposure; the rows of `history`.
    exposure : float array of shape (n,)
        Declared exposure, or area where none is declared.
    first, stop : int
        Columns of the panel that `history` holds.
    history : History
    """

    panel: Panel
    known: Bools
    exposure: Floats
    first: int
    stop: int
    history: History

    @cached_property
    def near(self) -> csr_array:
        """Neighbours among the places with exposure."""
        return csr_array(suitable_weights(self.panel.weights, self.known.size))[self.known][:, self.known]

    @property
    def origin(self) -> int:
        """First week after the panel, as an index into `history`."""
        return self.panel.weeks_n - self.first


def panel_of(cube: HasPanel, category: str | None = None) -> Panel:
    """Return the panel of a category, from a cube or from a panel that is already of it.

    Parameters
    ----------
    cube : HasPanel
    category : str, optional

    Raises
    ------
    AnalysisError
        A panel of another category.
    """
    if category is None:
        return cube.panel()
    if isinstance(cube, Panel):
        if cube.category != category:
            raise AnalysisError(
                f"this panel counts category {cube.category}, not {category}; build one with cube.panel(category={category!r})"
            )
        return cube
    return cast("Panel", cast("Any", cube).panel(category=category))


def make_ready(panel: Panel, *, horizon_weeks: int, gap_weeks: int | None = None, by_area: bool = False) -> Ready:
    """Choose the weeks and places that a forecast may learn from.

    Parameters
    ----------
    panel : Panel
    horizon_weeks : int
        Weeks forecast at once, 1 to 13.
    gap_weeks : int, optional
        Weeks at the end that are not in yet; those that the panel masks where not given.
    by_area : bool, default False
        Take area for exposure even where another one is declared.

    Raises
    ------
    AnalysisError
        As `forecast`.
    """
    if not 1 <= horizon_weeks <= _LONGEST_HORIZON:
        raise AnalysisError(
            f"horizon_weeks = {horizon_weeks!r} must lie between 1 and {_LONGEST_HORIZON}; 1 to 4 weeks is what a plan needs"
        )
    if panel.layer.startswith(("overlay", "water")):
        raise AnalysisError(f"layer {panel.layer} is no partition, and overlays are never scored; choose cells or units")
    exposure = panel.area_m2 if by_area or panel.exposure is None else panel.exposure
    exposure = suitable_values(exposure, what="exposure", least=2)
    if exposure.size != panel.counts.shape[0]:
        raise AnalysisError(f"{exposure.size} exposures for {panel.counts.shape[0]} places; rebuild both from the same places")
    known = exposure > 0
    if known.sum() < 2:
        raise AnalysisError("fewer than two places have an exposure; mend the column of exposure, or set [exposure] kind = none")
    first, stop = _learnable(panel)
    gap = panel.weeks_n - stop if gap_weeks is None else gap_weeks
    if gap < 0:
        raise AnalysisError(f"gap_weeks = {gap} must be 0 or more: weeks at the end whose reports are not all in")
    counts = suitable_counts(panel.counts[known, first:stop], least=2, dimensions=2).astype(np.float64)
    history = History(counts, exposure[known] / exposure[known].sum(), horizon_weeks, gap)
    return Ready(panel, known, exposure, first, stop, history)


def _learnable(panel: Panel) -> tuple[int, int]:
    """Columns of the present reporting regime up to the first that is masked for lag."""
    first = panel.regime_from
    masked = np.flatnonzero(~panel.complete[first:])
    stop = first + int(masked[0]) if masked.size else panel.weeks_n
    if stop - first < _FEWEST_WEEKS:
        raise AnalysisError(
            f"{stop - first} complete week(s) in the present reporting regime; a forecast needs {_FEWEST_WEEKS}: load more weeks, or wait"
        )
    return first, stop
