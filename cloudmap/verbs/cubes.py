"""Weekly cubes over cells or units, and who is whose neighbour in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.access.fixed_day import read_day
from cloudmap.analytics.cube import build_weekly, day_of, mean_severity, total_by_place
from cloudmap.analytics.panel import Ground, Panel, ReportingWeeks
from cloudmap.analytics.periods import AnyPeriod, Period, parse_period, parse_weeks, week_id
from cloudmap.city import City
from cloudmap.errors import AnalysisError
from cloudmap.ingest.taxonomy import Taxonomy
from cloudmap.schema import cell_column, unit_column
from cloudmap.verbs.facts import Facts

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from scipy.sparse import csr_matrix

    from cloudmap.geo.units import Units


@dataclass(frozen=True)
class Cube:
    """Weekly counts of every place of one layer.

    Attributes
    ----------
    table : polars.DataFrame
        Columns of table `cube` (GLOSSARY.md).
    shapes : GeoDataFrame
        place and geometry (EPSG:4326) of every place, also those without a report, sorted by place.
    kind : {"cell", "unit"}
    exposure : polars.DataFrame or None
        place, exposure; None where the city declares none.
    known : ReportingWeeks
        Where regimes of reporting begin, and which weeks have not all come in.
    days : pair of date
        First and last day of the facts.
    rows : polars.DataFrame or None
        The facts that were counted, with their place as `place`: for periods that are not whole weeks.
    """

    city: City
    taxonomy: Taxonomy
    table: pl.DataFrame
    shapes: GeoDataFrame
    kind: Literal["cell", "unit"]
    layer: str
    exposure: pl.DataFrame | None = None
    known: ReportingWeeks = field(default_factory=ReportingWeeks)
    days: tuple[date, date] = (date.min, date.max)
    rows: pl.DataFrame | None = field(default=None, repr=False)

    @cached_property
    def ground(self) -> Ground:
        """Places with neighbours, areas and exposure, as statistics need them."""
        kind = self.city.exposure.kind if self.exposure is not None else "none"
        return Ground(self.layer, self.shapes, neighbours(self), self.exposure, kind, self.city.city.metric_crs)

    def panel(
        self, category: str = "ALL", *, until: str | Period | None = None, weights: csr_matrix | None = None, scored: bool = True
    ) -> Panel:
        """Lay the counts out by place and week: what the statistics of `cloudmap.analytics` take.

        Parameters
        ----------
        category : str, default "ALL"
            ALL, a group or a category.
        until : str or Period, optional
            The panel ends with the last week of this period; with the cube's last complete week where not given.
        weights : scipy CSR of shape (n, n), optional
            Neighbours; rings of one, or units that touch, where not given.
        scored : bool, default True
            Leave out categories that are counted but never scored.

        Raises
        ------
        AnalysisError
            No report in the cube, or an unknown category.
        """
        codes = [code for code in self._codes(category) if not scored or code in self.taxonomy.scored]
        if not codes:
            raise AnalysisError(f"category {category} is counted, never scored (taxonomy column score = 0)", code="unscored")
        if self.table.is_empty():
            raise AnalysisError("the cube holds no report; load facts of another span")
        first, last = self.weeks
        period = parse_weeks(until) if isinstance(until, str) else until
        if period is not None:
            # The week in which reports begin may be a part of one; it enters where it is asked for.
            begun, ended = self.days[0], last
            if not begun <= period.first_on <= period.last_week_on <= ended:
                raise AnalysisError(
                    f"period {period.id} is outside the facts, whose whole weeks run from {week_id(first)} to {week_id(ended)}"
                )
            first, last = min(first, period.first_on), period.last_week_on
        ground = self.ground if weights is None else replace(self.ground, weights=weights)
        return self.known.panel(self.table, ground, category=category, codes=codes, weeks=(first, last))

    @property
    def weeks(self) -> tuple[date, date]:
        """Mondays of the first and the last whole week of the facts."""
        begun, ended = self.days
        first = begun + timedelta(days=-begun.weekday() % 7)
        last = ended - timedelta(days=(ended.weekday() + 1) % 7 + 6)
        return max(first, self.known.first_week_on or first), min(last, self.known.last_week_on or last)

    def severity(self, category: str = "ALL") -> npt.NDArray[np.float64]:
        """Return the mean severity weight of each place's scored matters, shape (n,); the city's mean where a place has none."""
        codes = [code for code in self._codes(category) if code in self.taxonomy.scored]
        return mean_severity(self.table, self.places, codes)

    @cached_property
    def places(self) -> list[str]:
        """Ids of the places, in the order that weights and results use."""
        return [str(place) for place in self.shapes["place"]]

    def counts(self, period: str | AnyPeriod, category: str = "ALL", *, scored: bool = False) -> pl.DataFrame:
        """Count matters per place: place, n; a place without any counts 0.

        Parameters
        ----------
        period : str, Period, Month or Days
            "2018-W30", "2018-W27--2018-W30", "2018-07", "2018-07-03" or "2018-07-03--2018-07-19".
        category : str, default "ALL"
        scored : bool, default False
            Leave out categories that are counted but never scored.

        Raises
        ------
        AnalysisError
            No such period or category, or days without facts.
        """
        chosen = parse_period(period) if isinstance(period, str) else period
        codes = self._codes(category)
        if scored:
            codes = [code for code in codes if code in self.taxonomy.scored]
        weeks = chosen if isinstance(chosen, Period) else None
        cube = self.table if weeks else self._of_days(chosen)
        counted = total_by_place(cube, period=weeks, categories=codes).select("place", n="matters_n")
        return pl.DataFrame({"place": self.places}).join(counted, on="place", how="left").with_columns(pl.col("n").fill_null(0))

    def _of_days(self, period: AnyPeriod) -> pl.DataFrame:
        """Count the facts of some days as the cube counts those of weeks."""
        first, last = self.days
        if self.rows is None or period.first_on < first or period.last_on > last:
            raise AnalysisError(f"period {period.id} is outside the facts, which run from {first} to {last}")
        within = day_of(pl.col("occurred_at"), self.city.zone).is_between(period.first_on, period.last_on)
        weights = {code: self.taxonomy.severity_weight(code) for code in self.taxonomy.codes}
        return _weekly(self.rows.filter(within), self.city, self.kind, weights)

    def _codes(self, category: str) -> list[str]:
        if category == "ALL":
            return list(self.taxonomy.codes)
        if category in self.taxonomy.groups:
            return list(self.taxonomy.groups[category])
        if category in self.taxonomy.codes:
            return [category]
        raise AnalysisError(f"category {category!r} is unknown; use ALL, a group ({', '.join(self.taxonomy.groups)}) or a code")


def build_cube(
    facts: Facts,
    *,
    place: Literal["cell", "unit"] = "cell",
    resolution: int | None = None,
    level: str | None = None,
    on: str | date | None = None,
) -> Cube:
    """Count facts by place, ISO week and category.

    Parameters
    ----------
    facts : Facts
    place : {"cell", "unit"}, default "cell"
        H3 cells (located reports only), or administrative units (with reports that name a unit but have no point).
    resolution : int, optional
        H3 resolution; the city's default resolution where not given.
    level : str, optional
        Level of the units; the finest of the base map where not given.
    on : str or date, optional
        Count by the units that stand on this day ("2018-08-01"), whatever the day of a report, so that two periods compare; by the
        units of each report's own day where not given. Cells are never redrawn: for them it changes nothing.

    Raises
    ------
    AnalysisError
        No such resolution or level, `on` is no day, or the city is not analysed yet.

    Examples
    --------
    >>> cube = cm.build_cube(facts, place="unit", level="street")
    >>> cube.counts("2018-W10--2018-W13").rows()
    [('999001001', 27), ('999001002', 82), ('999001003', 20)]
    """
    from cloudmap.geo.on_day import locate_on
    from cloudmap.geo.shapes import from_frame

    city = facts.city
    if place == "cell":
        chosen = resolution or city.city.default_resolution
        column, part = cell_column(chosen).name, f"cover_{chosen}"
        rows = facts.frame.filter(pl.col("ledger_class") == "located")
    else:
        chosen_level = level or city.levels[-1]
        column, part = unit_column(chosen_level).name, "units"
        rows = facts.frame
    if column not in rows.columns or part not in facts.places:
        raise AnalysisError(
            f"build_cube: no {column} in the facts; the city has {city.city.resolutions} and {city.levels} (run analyse first)"
        )
    base_map, day = None, None if on is None else read_day(on)
    if place == "unit" and day is not None:
        base_map = _base_map(facts)
        rows = locate_on(rows, base_map, day, timezone=city.city.timezone, levels=[chosen_level]).frame
    weights = {code: facts.taxonomy.severity_weight(code) for code in facts.taxonomy.codes}
    rows = rows.with_columns(pl.col(column).alias("place"))
    table = _weekly(rows, city, place, weights)
    if place == "cell":
        shapes = from_frame(facts.places[part].sort("place"))
    elif base_map is not None and day is not None:
        shapes = base_map.standing(chosen_level, base_map.geography(chosen_level, day)).rename(columns={"code": "place"})
    else:
        units = facts.places[part].filter((pl.col("level") == chosen_level) & (pl.col("kind") == "partition"))
        shapes = from_frame(units.unique("code", keep="last").rename({"code": "place"}).sort("place"))
    exposure = None if day is not None else facts.places.get(f"exposure_{column}")
    return Cube(city, facts.taxonomy, table, shapes, place, column.removesuffix("_code"), exposure, facts.known, facts.days, rows)


def neighbours(cube: Cube, *, k: int = 1) -> csr_matrix:
    """Link each place of a cube to its neighbours.

    Parameters
    ----------
    cube : Cube
    k : int, default 1
        Rings of H3 cells; one is about 314 m between centres at resolution 9. Units are linked where they touch, whatever k.

    Returns
    -------
    scipy CSR of shape (n, n)
        Binary, zero diagonal, in the order of `cube.places`.

    Raises
    ------
    AnalysisError
        Cells of several resolutions in one cube.

    Examples
    --------
    >>> cube = cm.build_cube(facts)
    >>> cm.neighbours(cube).shape == (len(cube.places), len(cube.places))
    True
    """
    from cloudmap.geo.weights import TOUCH_M, contiguity
    from cloudmap.geo.weights import neighbours as rings

    return rings(cube.places, k=k) if cube.kind == "cell" else contiguity(cube.shapes.to_crs(cube.city.city.metric_crs), gap_m=TOUCH_M)


def _weekly(rows: pl.DataFrame, city: City, kind: Literal["cell", "unit"], weights: Mapping[str, float]) -> pl.DataFrame:
    from cloudmap.geo.cells import to_hex

    table = build_weekly(rows, "place", zone=city.zone, weights=weights)
    return table.with_columns(to_hex(table["place"]).alias("place")) if kind == "cell" else table


def _base_map(facts: Facts) -> Units:
    from cloudmap.geo.shapes import units_from_frame

    return units_from_frame(facts.places["units"], "", facts.places.get("units_renumbered"))
