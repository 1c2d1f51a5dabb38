"""What a learner may know of a place before the weeks that it forecasts: its past, its neighbours', the season, what is near."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from cloudmap.analytics.risk_ready import Ready
from cloudmap.analytics.risk_score import START_DAYS, Tuning, predict
from cloudmap.analytics.suitable import suitable_values
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]

LAGS_WEEKS: Final = (1, 2, 4, 13, 52)
"""Spans of weeks whose sums are features."""

NEIGHBOUR_LAGS_WEEKS: Final = (4, 13, 52)

LAYER_KINDS: Final = frozenset(
    {
        *("water", "river", "canal", "lake", "wetland", "reach", "bridge", "road", "junction", "station", "bus_stop", "parking"),
        *("market", "shop", "restaurant", "office", "factory", "warehouse", "workshop", "construction_site"),
        *("school", "kindergarten", "hospital", "clinic", "park", "square", "landmark"),
    }
)
"""Things of the base map whose nearness may be a feature. Nothing that tells who lives there, who reports, or of overlays."""

LAYER_MEASURES: Final = ("distance_m", "length_m", "n")
"""How nearness is told: metres to the nearest, metres or number within the place."""

_YEAR_WEEKS = 365.2425 / 7


@dataclass(frozen=True)
class Features:
    """Features of all places, for the weeks from any origin.

    Attributes
    ----------
    ready : Ready
    layers : mapping of name to float array of shape (n,)
        Checked layers (`suitable_layers`), rows of the places with exposure.
    """

    ready: Ready
    layers: Mapping[str, Floats] = field(default_factory=dict)
    _made: dict[int, Floats] = field(default_factory=dict, repr=False)

    @property
    def names(self) -> list[str]:
        """Names of the columns of `at`."""
        own = [f"last_{weeks}_weeks" for weeks in LAGS_WEEKS]
        near = [f"neighbours_last_{weeks}_weeks" for weeks in NEIGHBOUR_LAGS_WEEKS]
        return [*own, *near, "long_run", "score", "exposure", "season_sin", "season_cos", *self.layers]

    def at(self, origin: int) -> Floats:
        """Return the features known when the weeks from `origin` are forecast, shape (n, columns)."""
        if origin not in self._made:
            self._made[origin] = np.column_stack([*self._past(origin), *self._season(origin), *self.layers.values()])
        return self._made[origin]

    def due(self, origin: int) -> Floats:
        """Return what the city's rate would bring in the weeks from `origin`, shape (n,): the offset of a learner."""
        history = self.ready.history
        return history.share * history.level(origin - history.gap, START_DAYS) * history.horizon

    def _past(self, origin: int) -> list[Floats]:
        """Logarithms of ratios to the city, each drawn towards 1 by one report due."""
        history = self.ready.history
        stop = origin - history.gap
        near = self.ready.near

        def ratio(weeks: int, *, neighbours: bool = False) -> Floats:
            seen = history.counts[:, max(0, stop - weeks) : stop].sum(axis=1)
            due = history.share * seen.sum()
            if neighbours:
                seen, due = near @ seen, near @ due
            return np.asarray(np.log((seen + 1.0) / (due + 1.0)), dtype=np.float64)

        score = predict(history, origin, Tuning(START_DAYS, START_DAYS, 1.0, 1.0, np.inf, 0)).ratio
        return [
            *(ratio(weeks) for weeks in LAGS_WEEKS),
            *(ratio(weeks, neighbours=True) for weeks in NEIGHBOUR_LAGS_WEEKS),
            ratio(stop),
            np.log(score),
            np.log(history.share * history.share.size),
        ]

    def _season(self, origin: int) -> list[Floats]:
        """Sine and cosine of the time of year in the middle of the weeks that are forecast."""
        history = self.ready.history
        day = self.ready.panel.first_week_on.timetuple().tm_yday / 7 + self.ready.first + origin + history.horizon / 2
        turn = 2 * np.pi * day / _YEAR_WEEKS
        return [np.full(history.share.size, np.sin(turn)), np.full(history.share.size, np.cos(turn))]


def suitable_layers(layers: Mapping[str, npt.ArrayLike] | None, ready: Ready) -> dict[str, Floats]:
    """Check layers of the base map that a learner is offered.

    Parameters
    ----------
    layers : mapping of name to array_like of shape (n,)
        Named ``<kind>_<measure>``, e.g. ``river_distance_m``, ``market_n``: kinds of `LAYER_KINDS`, measures of `LAYER_MEASURES`. One
        value for every place of the panel.
    ready : Ready

    Returns
    -------
    dict of name to float array
        Logarithms of 1 + value, rows of the places with exposure.

    Raises
    ------
    AnalysisError
        A name that is not on the list, another number of places, missing, infinite or negative values.
    """
    suitable = {}
    for name, values in (layers or {}).items():
        measure = next((one for one in LAYER_MEASURES if name.endswith(f"_{one}")), None)
        if measure is None or name.removesuffix(f"_{measure}") not in LAYER_KINDS:
            raise AnalysisError(
                f"layer {name!r} may not be a feature: only nearness to things of the base map is, named <kind>_<measure> with kind one of "
                f"{', '.join(sorted(LAYER_KINDS))} and measure one of {', '.join(LAYER_MEASURES)}; "
                "attributes of groups, overlays and feeds never are"
            )
        checked = suitable_values(values, what=f"{name} value", least=2)
        if checked.size != ready.known.size:
            raise AnalysisError(
                f"layer {name!r} has {checked.size} values for {ready.known.size} places; rebuild both from the same places"
            )
        suitable[name] = np.log1p(checked[ready.known])
    return suitable
