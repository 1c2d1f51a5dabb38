"""Unit layers on one fixed day: the same units on both sides of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from cloudmap.analytics.exposure import spread_population
from cloudmap.analytics.layering import Layering
from cloudmap.errors import AnalysisError
from cloudmap.geo.shapes import units_from_frame
from cloudmap.schema import unit_column

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from cloudmap.city import City
    from cloudmap.geo.units import Units
    from cloudmap.ingest.taxonomy import Taxonomy
    from cloudmap.store.contract import Store


def read_day(day: str | date) -> date:
    """Read a day such as "2018-08-01".

    Raises
    ------
    AnalysisError
        It is none.
    """
    if isinstance(day, date):
        return day
    try:
        return date.fromisoformat(day)
    except ValueError as error:
        raise AnalysisError(f"on = {day!r} is not a day such as 2018-08-01") from error


class FixedDay:
    """Reads or counts what unit layers are on any day.

    Parameters
    ----------
    city, store, taxonomy
        The city, its store and its categories.
    provenance : mapping
        Of the analysis.
    part : callable
        Returns a part of the analysis by its name.
    """

    def __init__(
        self, city: City, store: Store, taxonomy: Taxonomy, provenance: Mapping[str, Any], part: Callable[[str], pl.DataFrame]
    ) -> None:
        self._city, self._store, self._taxonomy, self._provenance, self._part = city, store, taxonomy, provenance, part
        self._counted: dict[tuple[str, int], pl.DataFrame] = {}

    @cached_property
    def base_map(self) -> Units:
        """The base map of the analysis."""
        renumbered = self._part("units_renumbered") if "units_renumbered" in self._provenance["parts"] else None
        return units_from_frame(self._part("units"), str(self._provenance["base_map_version"]), renumbered)

    def units(self, level: str, day: date) -> GeoDataFrame:
        """Return the units of a level that stand on a day."""
        return self.base_map.standing(level, self.base_map.geography(level, day))

    def redrawn(self, level: str) -> bool:
        """Tell whether the units of a level depend on the day: they are dated, or the base map was changed between loads."""
        return level in self.base_map.dated_levels or bool(self._provenance.get("base_map_changed"))

    def cube(self, level: str, day: date) -> pl.DataFrame:
        """Return the weekly cube of a level on a day: stored where the analysis made it, else counted here and kept."""
        if not self.redrawn(level):
            return self._part(f"cube_{unit_column(level).name}")
        geography = self.base_map.geography(level, day)
        stored = self._provenance.get("on")
        if stored and self.base_map.geography(level, date.fromisoformat(stored)) == geography:
            return self._part(f"cube_{unit_column(level).name}_on")
        if (level, geography) not in self._counted:
            self._counted[level, geography] = self._count(level, day)
        return self._counted[level, geography]

    def exposure(self, level: str, day: date, kind: str) -> pl.DataFrame:
        """Return what ratios of a level stand on, by the units of a day: place, exposure."""
        if kind == "reports":
            return self.cube(level, day).group_by("place").agg(pl.col("matters_n").sum().cast(pl.Float64).alias("exposure")).sort("place")
        target = self.units(level, day).rename(columns={"code": "place"})
        if target["population_n"].notna().all():
            people = target["population_n"].astype(float).to_list()
            return pl.DataFrame({"place": target["place"].to_list(), "exposure": people}).sort("place")
        levels = [one for one in reversed(self.base_map.levels) if self.units(one, day)["population_n"].notna().any()]
        if not levels:
            raise AnalysisError(
                f"no unit that stands on {day} has a population; map it in [[units]] fields, or compare counts", code="no_exposure"
            )
        return spread_population(self.units(levels[0], day), target[["place", "geometry"]], metric_crs=self._city.city.metric_crs)

    def _count(self, level: str, day: date) -> pl.DataFrame:
        from cloudmap.geo.locator import Locator

        newest = int(self._provenance["load_seq"])
        load_seqs = [one.load_seq for one in self._store.loads() if not one.undone and one.load_seq <= newest]
        shared = self._part("matters")
        told_again = shared.filter(pl.col("report_id") != pl.col("matter_id"))["report_id"]
        weights = {code: self._taxonomy.severity_weight(code) for code in self._taxonomy.codes}

        def read(load_seq: int, columns: list[str]) -> pl.DataFrame:
            return self._store.read("reports", columns, where=[("load_seq", "==", load_seq)], as_of=newest)

        layering = Layering(self._city, self.base_map, read, load_seqs, told_again, weights)
        return layering.on_day(level, day, [level], Locator(self.base_map, cache=self._city.folder / ".cache"))
