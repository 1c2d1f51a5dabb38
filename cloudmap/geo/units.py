"""The administrative base map in memory: units of each level, dated, in WGS84."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.errors import BoundaryError
from cloudmap.schema import LEVELS

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from shapely.geometry.base import BaseGeometry

Kind = Literal["partition", "overlay"]

UNIT_COLUMNS: Final = (
    "code",
    "name",
    "parent",
    "valid_from",
    "valid_to",
    "staff_n",
    "volunteers_n",
    "population_n",
    "level",
    "kind",
    "geometry",
)
"""Columns of every frame of units.

``code``, ``name`` and ``parent`` are text; ``valid_from`` is the first local day in force and ``valid_to`` the first day no longer in
force (naive datetimes at midnight, NaT where open); ``staff_n``, ``volunteers_n`` and ``population_n`` are Int64 with <NA> where
unknown; ``geometry`` is a polygon or multipolygon in EPSG:4326, None for an overlay without a shape.
"""


RENUMBERED: Final = pl.Schema({"level": pl.String(), "old": pl.String(), "new": pl.String(), "on": pl.Date(), "share": pl.Float64()})
"""Columns of a table of redrawn units: from local day ``on``, unit ``old`` of ``level`` is ``new``.

A unit that was split has several rows, each with the ``share`` (0-1) of it that the new unit took, null where the table does not say.
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about the base map that its owner should look at.

    Parameters
    ----------
    kind : str
        gap, overlap, sliver, repaired, quarantined, orphan_parent, misplaced, validity_gap, unstaffed, no_shape, ...
    level : str
        Level of the units concerned.
    codes : tuple of str
        Codes of the units concerned, sorted.
    area_m2 : float or None
        Area concerned, in the city's metric CRS.
    message : str
        What, where, and what to do.
    """

    kind: str
    level: str
    codes: tuple[str, ...]
    area_m2: float | None
    message: str


@dataclass(frozen=True)
class Units:
    """All units of a city, every level, partition and overlay, every dated version.

    Parameters
    ----------
    frames : mapping of (level, kind) to GeoDataFrame
        Columns `UNIT_COLUMNS`, EPSG:4326, sorted by code and valid_from, index 0..n-1.
    version : str
        12 hexadecimal digits of the files' and the mapping's hash: a change of either makes another version.
    problems : list of Problem
        What reading met and mended or set aside; `check_units` finds the rest.
    renumbered : polars.DataFrame
        What the city's own tables say of redrawn units, columns `RENUMBERED`; the rest is told from the shapes (`geo.crosswalk`).
    """

    frames: Mapping[tuple[str, str], GeoDataFrame]
    version: str
    problems: list[Problem] = field(default_factory=list)
    renumbered: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=RENUMBERED))

    def frame(self, level: str, kind: Kind = "partition") -> GeoDataFrame:
        """Return the units of one level, all dated versions.

        Raises
        ------
        BoundaryError
            The base map has no such level of this kind.
        """
        try:
            return self.frames[level, kind]
        except KeyError:
            have = ", ".join(f"{one} ({of_kind})" for one, of_kind in self.frames) or "no units at all"
            raise BoundaryError(
                f"base map: no {kind} of level {level!r}; it has {have}. Add a [[units]] table for it to the city file"
            ) from None

    def on(self, level: str, day: date, kind: Kind = "partition") -> GeoDataFrame:
        """Return the units of one level in force on a local day (valid_from <= day < valid_to).

        Raises
        ------
        BoundaryError
            The base map has no such level of this kind.
        """
        frame = self.frame(level, kind)
        return frame[in_force(frame, day)].reset_index(drop=True)

    def periods(self, level: str, kind: Kind = "partition") -> list[tuple[date | None, date | None]]:
        """List the half-open spans of days in which the level's set of units does not change, in order (None: open end).

        Raises
        ------
        BoundaryError
            The base map has no such level of this kind.
        """
        frame = self.frame(level, kind)
        changes = sorted({stamp.date() for name in ("valid_from", "valid_to") for stamp in frame[name].dropna()})
        edges: list[date | None] = [None, *changes, None]
        return list(pairwise(edges))

    def geography(self, level: str, day: date) -> int:
        """Number the span of `periods` whose units stand on a local day; the nearest filled one where none are in force.

        Two days of one number have the same units.

        Raises
        ------
        BoundaryError
            The base map has no such level, or none of its units is ever in force.
        """
        periods = self.periods(level)
        starts = np.array([start for start, _ in periods[1:]], dtype="datetime64[D]")
        return int(serving(self.frame(level), periods)[np.searchsorted(starts, np.datetime64(day), side="right")])

    def standing(self, level: str, geography: int) -> GeoDataFrame:
        """Return the units of a numbered span, by code.

        Raises
        ------
        BoundaryError
            The base map has no such level.
        """
        frame = self.frame(level)
        return frame[in_force(frame, self.periods(level)[geography][0])].reset_index(drop=True)

    @property
    def dated_levels(self) -> tuple[str, ...]:
        """Partition levels of which more than one geography ever stands, coarse to fine."""
        return tuple(level for level in self.levels if len(set(serving(self.frame(level), self.periods(level)).tolist())) > 1)

    @property
    def newest_on(self) -> date | None:
        """The local day of the last change of any partition; None where nothing ever changes."""
        changes = [start for level in self.levels for start, _ in self.periods(level) if start is not None]
        return max(changes, default=None)

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels that have a partition, coarse to fine."""
        return tuple(level for level in LEVELS if (level, "partition") in self.frames)

    @cached_property
    def overlays(self) -> GeoDataFrame:
        """All overlay units in one frame; `level` tells which they belong to."""
        import geopandas as gpd
        import pandas as pd

        frames = [self.frames[level, "overlay"] for level in LEVELS if (level, "overlay") in self.frames]
        if not frames:
            return gpd.GeoDataFrame({name: [] for name in UNIT_COLUMNS}, geometry="geometry", crs="EPSG:4326")
        return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), geometry="geometry", crs="EPSG:4326")

    @cached_property
    def outline(self) -> BaseGeometry:
        """Ground of the city: the union of the coarsest partition, all its versions together (WGS84).

        Raises
        ------
        BoundaryError
            The base map has no partition.
        """
        if not self.levels:
            raise BoundaryError("base map: no level of kind partition, so the city has no outline. Add [[units]] to the city file")
        geometry = self.frame(self.levels[0]).geometry
        outline: BaseGeometry = geometry[geometry.notna()].union_all()
        return outline

    def __iter__(self) -> Iterator[tuple[str, str, GeoDataFrame]]:
        for (level, kind), frame in self.frames.items():
            yield level, kind, frame


def in_force(frame: GeoDataFrame, day: date | None) -> Any:
    """Mark the rows of a frame of units that are in force on a local day.

    Parameters
    ----------
    frame : GeoDataFrame
        Units with ``valid_from`` and ``valid_to``.
    day : date or None
        Local day; None means before every dated change.

    Returns
    -------
    pandas.Series of bool
    """
    import pandas as pd

    if day is None:
        return frame["valid_from"].isna()
    stamp = pd.Timestamp(day)
    return (frame["valid_from"].isna() | (frame["valid_from"] <= stamp)) & (frame["valid_to"].isna() | (frame["valid_to"] > stamp))


def serving(frame: GeoDataFrame, periods: list[tuple[date | None, date | None]]) -> npt.NDArray[np.int64]:
    """Tell for each span of days which span's units stand in it: its own, or where it has none those of the nearest span that has.

    Parameters
    ----------
    frame : GeoDataFrame
        Units of one level.
    periods : list of (date or None, date or None)
        As `Units.periods` lists them.

    Returns
    -------
    int64 array, shape (len(periods),)

    Raises
    ------
    BoundaryError
        No unit is ever in force.
    """
    filled = [number for number, (start, _) in enumerate(periods) if in_force(frame, start).any()]
    if not filled:
        raise BoundaryError(f"base map: level {frame['level'].iloc[0]}: no unit is ever in force; look at valid_from and valid_to")
    return np.array([min(filled, key=lambda one: (abs(one - number), -one)) for number in range(len(periods))], dtype=np.int64)
