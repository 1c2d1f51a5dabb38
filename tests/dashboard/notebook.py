"""What an analyst would compute in a notebook for a filter of the page: the other side of `test_filters_equal_verbs`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import geopandas as gpd
import numpy as np
import polars as pl

import cloudmap as cm
from cloudmap.errors import AccessError, AnalysisError

BY_STATISTIC = ("reach", "overdue", "workload", "staffing")
"""Measures without a verb of their own: `cm.statistic` answers them by name."""
STRONG = {
    "hotspot": ["hot"],
    "silent": ["silent"],
    "risk": ["above_2"],
    "reach": ["high"],
    "staffing": ["no_staff", "no_volunteer", "neither"],
}


@dataclass(frozen=True)
class Filter:
    """One view of the page, as its address names it."""

    page: str
    layer: str
    measure: str
    category: str
    period: str
    within: str

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the address that the filter sets."""
        tab = {} if self.page == "cloud" else {"tab": "places"}
        names = ("page", "layer", "measure", "category", "period", "within")
        return {name: getattr(self, name) for name in names} | tab | {"place": "", "breaks": "", "auto": ""}


class Notebook:
    """The verbs, asked once each: facts of all days, a cube a layer."""

    def __init__(self, folder: str) -> None:
        self.city = cm.open_city(folder)
        self.reader = cm.read(self.city)
        weeks = self.reader.weeks()["week_on"]
        self.first_week, self.last_week = weeks.min(), weeks.max()
        self.facts = cm.load_facts(self.city, "2018-01", "2018-12")
        self.cube = lru_cache(maxsize=None)(self._cube)
        self.shapes = lru_cache(maxsize=None)(self._shapes)

    @cached_property
    def restricted(self) -> list[str]:
        """Codes that only the restricted grant may see."""
        return [one.code for one in self.reader.categories() if one.restricted]

    def table(self, asked: Filter, period: str | None = None) -> pl.DataFrame | None:
        """Return one row a place of the filter's unit, or None where the verb refuses.

        Parameters
        ----------
        asked : Filter
        period : str, optional
            Another period than the filter's.
        """
        try:
            table = self._table(asked, period or asked.period)
        except (AccessError, AnalysisError):
            return None
        if "value" not in table.columns or asked.measure == "reach":
            table = table.with_columns(value=pl.col("ratio" if asked.measure == "reach" else "n").cast(pl.Float64))
        if "n" not in table.columns:
            table = table.with_columns(n=pl.col("value"))
        return table.filter(pl.col("place").is_in(self.inside(asked.layer, asked.within)))

    def _table(self, asked: Filter, period: str) -> pl.DataFrame:
        if asked.measure in BY_STATISTIC:
            name = "near_water" if asked.measure == "reach" else asked.measure
            layer = None if asked.measure == "reach" else asked.layer
            return cm.statistic(self.city, name, layer=layer, category=asked.category, period=period).table
        if asked.category in self.restricted and asked.measure != "silent":
            return cm.statistic(self.city, asked.measure, layer=asked.layer, category=asked.category, period=period).table
        cube = self.cube(asked.layer)
        if asked.measure == "count":
            return cube.counts(period, asked.category)
        if asked.measure == "ratio":
            return self._ratio(cube, period, asked.category)
        if asked.measure == "hotspot":
            return cm.local_g(cube, cm.neighbours(cube), period=period, category=asked.category).table
        if asked.measure == "silent":
            return cm.silent(cube, until=period).table
        if asked.measure == "risk":
            return cm.forecast(cube, until=period, category=asked.category).table
        if asked.measure == "emerging":
            return cm.emerging(cube, until=period, category=asked.category).table
        return self._scanned(cube, period, asked.category)

    def _ratio(self, cube: Any, period: str, category: str) -> pl.DataFrame:
        """Compute n over the reports that the place's share of the exposure would have, as the glossary defines it."""
        cube.panel(category, until=period)  # refuses what is never scored
        counts = cube.counts(period, category, scored=True).join(cube.exposure, on="place", how="left").fill_null(0.0)
        rate = counts["n"].sum() / counts["exposure"].sum()
        told = counts.with_columns(expected=pl.col("exposure") * rate)
        return told.with_columns(value=pl.when(pl.col("expected") >= 1).then(pl.col("n") / pl.col("expected")))

    def _scanned(self, cube: Any, period: str, category: str) -> pl.DataFrame:
        """Give each place the best significant cluster that holds it."""
        clusters = cm.scan(cube, until=period, category=category).table.filter(pl.col("class") == "significant").sort("cluster_n")
        rows = clusters.explode("places").unique("places", keep="first", maintain_order=True)
        held = rows.select(place="places", value=pl.col("cluster_n").cast(pl.Float64), ratio="ratio", p="p")
        return pl.DataFrame({"place": cube.places}).join(held, on="place", how="left")

    def weeks(self, asked: Filter) -> list[int]:
        """Count the matters of every week, in the city's cells or in the unit: the bars of the time bar."""
        layer, _, unit = asked.within.partition("~")
        cube = self.cube(layer or "cell_9")
        every = pl.date_range(self.first_week, self.last_week, "1w", eager=True)
        counted = []
        for week in every:
            counts = cube.counts(f"{week:%G-W%V}", asked.category)
            counted.append(int(counts.filter(pl.col("place") == unit)["n"].sum() if unit else counts["n"].sum()))
        return counted

    def situation(self, asked: Filter) -> dict[str, dict[str, Any]]:
        """Return the components of the situation of the city or of the unit."""
        layer, _, unit = asked.within.partition("~")
        found = cm.statistic(self.city, "situation", layer=layer or None, period=asked.period).table
        return {row["component"]: row for row in found.filter(pl.col("place") == (unit or "ALL")).to_dicts()}

    def inside(self, layer: str, within: str) -> list[str]:
        """List the places of a layer whose inner point lies in the unit; all places where there is none."""
        shapes = self.shapes(layer)
        if not within:
            return list(shapes["place"])
        holder, _, unit = within.partition("~")
        outline = self.shapes(holder).set_index("place").geometry[unit]
        held = gpd.GeoSeries(shapes.geometry.representative_point(), crs=4326).within(outline)
        return list(shapes["place"][np.asarray(held)])

    def _shapes(self, layer: str) -> Any:
        return self.reader.geometry("water_canal" if layer == "water" else layer)

    def _cube(self, layer: str) -> Any:
        kind, _, what = layer.partition("_")
        if kind == "cell":
            return cm.build_cube(self.facts, place="cell", resolution=int(what))
        return cm.build_cube(self.facts, place="unit", level=what)
