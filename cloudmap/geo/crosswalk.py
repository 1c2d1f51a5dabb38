"""Redrawn units: what became of each from one day to another.

A city's own table (`cloudmap.geo.renumbering`) is believed; the rest is told from the shapes by shared area.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from cloudmap.geo.units import Units

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

SLIVER_SHARE: Final = 0.01
"""A smaller share of a unit's ground is how its border was drawn again, not a change of it."""

CROSSWALK: Final = pl.Schema({"old": pl.String(), "new": pl.String(), "share": pl.Float64(), "how": pl.String()})
"""``share`` (0-1) of unit ``old`` that unit ``new`` is; shares of a unit add up to 1, ``new`` is null for ground that no unit took.

``how`` it is known: same (code and shape), table (the city's own), area (shared ground), code (a unit without a shape keeps its code).
"""

Shares = dict[str | None, float]


def crosswalk(units: Units, level: str, from_day: date, to_day: date) -> pl.DataFrame:
    """Tell what each unit of one day is on another.

    Parameters
    ----------
    units : Units
        Base map, dated.
    level : str
        A partition level.
    from_day, to_day : date
        Local days, in any order; where no unit is in force, the nearest geography stands.

    Returns
    -------
    polars.DataFrame
        Columns `CROSSWALK`, sorted by old and new. Shares below `SLIVER_SHARE` of the old unit are left out.

    Raises
    ------
    BoundaryError
        The base map has no such level, or none of its units is ever in force.

    Notes
    -----
    Shares of area are shares of counts only where reports lie evenly: `cloudmap.geo.on_day.locate_on` uses nothing but whole units.
    """
    step = Step(units, level, units.geography(level, from_day), units.geography(level, to_day))
    rows = [(old, new, share, how) for old in step.source_codes for new, share, how in step.of(old)]
    return pl.DataFrame(rows, schema=CROSSWALK, orient="row").sort("old", "new", nulls_last=True)


class Step:
    """From the units of one geography to those of another.

    Parameters
    ----------
    units : Units
    level : str
        A partition level.
    source, target : int
        Numbers of the geographies, as `Units.geography` gives them.
    """

    def __init__(self, units: Units, level: str, source: int, target: int) -> None:
        self._units, self._level = units, level
        self._source, self._target = (units.standing(level, one).set_index("code") for one in (source, target))
        self._same = source == target
        spans = [start or date.min for start, _ in units.periods(level)]
        rows = units.renumbered.filter(pl.col("level") == level)
        self._forward = spans[source] <= spans[target]
        low, high = sorted((spans[source], spans[target]))
        self._all = _by_day(rows, forward=True)
        self._between = _by_day(rows.filter((pl.col("on") > low) & (pl.col("on") <= high)), forward=self._forward)

    @property
    def source_codes(self) -> list[str]:
        """Codes of the units that are left, sorted."""
        return sorted(self._source.index)

    def of(self, code: str) -> list[tuple[str | None, float, str]]:
        """Return (new code, share, how) of a unit, largest share first; none where it is unknown."""
        if code not in self._source.index:
            return self._unknown(code)
        if self._same:
            return [(code, 1.0, "same")]
        walked = self._walk(code, self._between)
        if walked is not None:
            return _listed(walked, "table")
        shape = self._source.geometry[code]
        if code in self._target.index:
            again = self._target.geometry[code]
            if shape is None or again is None:
                return [(code, 1.0, "code")]
            if shapely.equals(shape, again):
                return [(code, 1.0, "same")]
        return _listed(self._by_area(shape), "area")

    def _unknown(self, code: str) -> list[tuple[str | None, float, str]]:
        """Follow a code that the base map no longer has by the city's table alone, whatever the days."""
        walked = self._walk(code, self._all)
        return [] if walked is None else _listed(walked, "table")

    def _walk(self, code: str, changes: list[dict[str, list[tuple[str, float | None]]]]) -> Shares | None:
        """Follow the city's table change by change; None where it does not speak of the unit."""
        at: Shares = {code: 1.0}
        spoken = False
        for change in changes:
            following: Shares = {}
            for unit, share in at.items():
                targets = change.get(unit or "")
                spoken |= targets is not None
                for new, part in self._parted(unit, targets) if targets else ((unit, 1.0),):
                    following[new] = following.get(new, 0.0) + share * part
            at = following
        if not spoken:
            return None
        ended: Shares = {}
        for unit, share in at.items():
            onward: Shares = {unit: 1.0} if unit in self._target.index else self._by_area(self._shape(unit))
            for new, part in onward.items():
                ended[new] = ended.get(new, 0.0) + share * part
        return ended

    def _parted(self, unit: str | None, targets: list[tuple[str, float | None]]) -> list[tuple[str, float]]:
        """Share a unit out to the units that the table names: by its shares, else by ground in common, else evenly."""
        told = np.array([np.nan if share is None else share for _, share in targets])
        if np.isnan(told).any() or told.sum() <= 0:
            shape, others = self._shape(unit), [self._shape(new) for new, _ in targets]
            told = np.zeros(len(targets))
            if shape is not None and all(one is not None for one in others):
                told = shapely.area(shapely.intersection(shape, np.array(others, dtype=object)))
            if told.sum() <= 0:
                told = np.ones(len(targets))
        return [(new, float(part)) for (new, _), part in zip(targets, told / told.sum(), strict=True)]

    def _shape(self, code: str | None) -> Any:
        """Find a unit's shape: on the day that is left or come to, else its last one."""
        for frame in (self._source, self._target, self._last):
            if code in frame.index and frame.geometry[code] is not None:
                return frame.geometry[code]
        return None

    @cached_property
    def _last(self) -> GeoDataFrame:
        return self._units.frame(self._level).drop_duplicates("code", keep="last").set_index("code")

    @cached_property
    def _tree(self) -> tuple[shapely.STRtree, npt.NDArray[np.object_], list[str]]:
        drawn = self._target[self._target.geometry.notna() & ~self._target.geometry.is_empty]
        shapes = np.array(drawn.geometry.array, dtype=object)
        return shapely.STRtree(shapes), shapes, list(drawn.index)

    def _by_area(self, shape: Any) -> Shares:
        """Share a unit's ground out to the units that stand on it now; degrees will do, since only shares of one unit are compared."""
        if shape is None or shape.is_empty or shape.area == 0:
            return {None: 1.0}
        tree, shapes, codes = self._tree
        near = np.sort(tree.query(shape, predicate="intersects"))
        parts = shapely.area(shapely.intersection(shape, shapes[near])) / shape.area
        # Units that overlap would share out more than there is.
        parts /= max(float(parts.sum()), 1.0)
        shares: Shares = {codes[one]: float(part) for one, part in zip(near, parts, strict=True) if part >= SLIVER_SHARE}
        lost = 1.0 - float(parts.sum())
        if lost >= SLIVER_SHARE or not shares:
            shares[None] = lost if shares else 1.0
        total = sum(shares.values())
        return {code: share / total for code, share in shares.items()}


def _by_day(rows: pl.DataFrame, *, forward: bool) -> list[dict[str, list[tuple[str, float | None]]]]:
    """Group the city's table: change by change in the direction of the walk, each unit with what it becomes."""
    changes: dict[date, dict[str, list[tuple[str, float | None]]]] = {}
    for old, new, on, share in rows.select("old", "new", "on", "share").iter_rows():
        change = changes.setdefault(on, {})
        # Shares are of the old unit; backwards the ground in common has to tell.
        if forward:
            change.setdefault(old, []).append((new, share))
        else:
            change.setdefault(new, []).append((old, None))
    return [changes[on] for on in sorted(changes, reverse=not forward)]


def _listed(shares: Shares, how: str) -> list[tuple[str | None, float, str]]:
    return sorted(((code, share, how) for code, share in shares.items()), key=lambda one: (-one[1], one[0] or "\uffff"))
