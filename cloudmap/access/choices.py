"""What may be chosen in an analysis: periods and layers, with the shapes and the neighbours of a layer's places."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from cloudmap.access.analysed import Analysed
from cloudmap.access.day_counts import DayCounts
from cloudmap.access.fixed_day import FixedDay, read_day
from cloudmap.access.views import LANDMARK_NAMES, LEVEL_NAMES, WATER_NAMES, PlaceLayer
from cloudmap.analytics.cube import total_by_week
from cloudmap.analytics.periods import (
    AnyPeriod,
    Days,
    Period,
    WholeWeeksOnly,
    last_complete_day,
    lattice,
    nearest_weeks,
    parse_period,
    whole_weeks_in,
)
from cloudmap.errors import AccessError, AnalysisError
from cloudmap.geo.shapes import from_frame
from cloudmap.schema import LEVELS

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from scipy.sparse import csr_matrix

OUTSIDE = "counts that are masked are told for fixed periods only (1, 4, 13 or 52 whole weeks), since of two free ones they could be had"
"""Why no free period is offered where counts are masked."""

REPORTING_SHARE = 0.1
"""Share of the busiest week's matters below which a week is not taken for the newest one of reporting."""


class Choices(Analysed):
    """Periods and layers of the newest analysis; `Reader` is what outputs use."""

    @cached_property
    def _periods(self) -> dict[str, Period]:
        first = cast("date | None", self.part("cube_class")["week_on"].min())
        return {} if first is None else {period.id: period for period in lattice(first, self.last_week_on)}

    def periods(self) -> list[Period]:
        """List the fixed periods: 1, 4, 13 and 52 whole ISO weeks, newest first within each span."""
        return list(self._periods.values())

    @cached_property
    def default_period(self) -> Period:
        """The last four complete weeks in which reporting went on, or the newest single week where there are fewer.

        Feeds may end in different years (Boston's requests in 2015, its crimes in 2025). A week counts as one of reporting when it has
        at least a tenth of the busiest week's matters of the categories that this audience may sum.

        Raises
        ------
        AnalysisError
            The data hold no complete week.
        """
        periods = self.periods()
        if not periods:
            raise AnalysisError(f"{self.city.folder}: the reports span no complete ISO week yet", code="not_analysed")
        weeks = total_by_week(self.part("cube_class"), categories=self._listable()).filter(pl.col("week_on") <= self.last_week_on)
        busy = weeks.filter(pl.col("matters_n") >= pl.col("matters_n").max() * REPORTING_SHARE)["week_on"]
        last = cast("date | None", busy.max()) or self.last_week_on
        return next((one for one in periods if one.weeks_n == 4 and one.last_week_on <= last), periods[0])

    @cached_property
    def days(self) -> Days | None:
        """All days that a period may have: from the first week of the data up to the last day that had ended; None where there are none."""
        first = cast("date | None", self.part("cube_class")["week_on"].min())
        last = max(last_complete_day(self.now, self.city.zone), self.last_week_on + timedelta(days=6))
        return None if first is None or first > last else Days(first, last)

    @property
    def free_periods(self) -> bool:
        """Whether this audience may ask for days, months and ends of its own: not where counts are masked, which two of them would give."""
        return not self.audience.outside

    def period(self, period_id: str) -> AnyPeriod:
        """Return a period by its id: one of `periods()`, any other whole weeks, a day, a month, or the days between two ends.

        Raises
        ------
        AnalysisError
            No such period, or one that does not lie within the data.
        AccessError
            Not one of `periods()`, for an audience outside: of two periods that differ by a day, masked counts could be had.
        """
        if period_id in self._periods:
            return self._periods[period_id]
        period, days = parse_period(period_id), self.days
        if days is None or period.first_on < days.first_on or period.last_on > days.last_on:
            there = "there are none" if days is None else f"complete days run from {days.first_on} to {days.last_on}"
            raise AnalysisError(f"period {period_id!r} is not offered: it must lie within the data, whose {there}")
        if period.id not in self._periods and not self.free_periods:
            raise AccessError(f"period {period_id!r} is not for outside: {OUTSIDE}; choose one of them, e.g. {self.weeks_near(period).id}")
        return period

    def whole_weeks(self, period_id: str, what: str) -> Period:
        """Return a period of whole weeks by its id, for what stands on weeks.

        Parameters
        ----------
        period_id : str
        what : str
            What stands on weeks, as the message names it.

        Raises
        ------
        AnalysisError, AccessError
            As `period`.
        WholeWeeksOnly
            A day, a month or other days.
        """
        period = self.period(period_id)
        if not isinstance(period, Period):
            raise WholeWeeksOnly(f"{what} stands on whole weeks, which {period.id} is not made of", self.weeks_near(period).id)
        return period

    def weeks_near(self, period: AnyPeriod) -> Period:
        """Return the period of `periods()` that comes closest to another: as `nearest_weeks`, or the newest before that the data have."""
        near = nearest_weeks(period)
        if near.id in self._periods:
            return near
        found = [one for one in self.periods() if one.weeks_n <= near.weeks_n and one.last_on <= max(near.last_on, period.last_on)]
        return max(found, key=lambda one: (one.last_on, one.weeks_n), default=self.default_period)

    def refuse_free(self, period: AnyPeriod, category: str) -> None:
        """Refuse a restricted category over a period that is not one of `periods()`, unless the audience holds the grant.

        Raises
        ------
        WholeWeeksOnly
            Its counts are masked below a threshold, and two periods that differ by a day would give them.
        """
        if category in self.taxonomy.restricted and not self.audience.restricted and period.id not in self._periods:
            raise WholeWeeksOnly(f"category {category} is restricted: {OUTSIDE}", self.weeks_near(period).id)

    def counted(self, layer_id: str | None, period: AnyPeriod, day: date | None = None) -> pl.DataFrame:
        """Return rows of counts whose sums are those of a period; undisclosed.

        Whole weeks come from the cube, the days before and after them from the facts, by the same rules.

        Parameters
        ----------
        layer_id : str or None
            Whose places; ledger classes where None.
        period : Period, Month or Days
        day : date, optional
            Of units: those that stand on this day.

        Returns
        -------
        polars.DataFrame
            `schema.CUBE`; `week_on` is the day itself in rows that come from facts.
        """
        column = "ledger_class" if layer_id is None else place_column(self.layer(layer_id))
        cube = self.part("cube_class") if layer_id is None else self.cube(layer_id, day)
        weeks, edges = whole_weeks_in(period)
        whole = cube.clear() if weeks is None else cube.filter(pl.col("week_on").is_between(weeks.first_on, weeks.last_week_on))
        return pl.concat([whole, *(self.day_counts.cube(column, one, day) for one in edges)], how="vertical_relaxed")

    @cached_property
    def day_counts(self) -> DayCounts:
        """Counts of days, from the facts."""
        return DayCounts(self.city, self.store, self.taxonomy, self.provenance, self.part, self.fixed)

    @cached_property
    def _layers(self) -> dict[str, PlaceLayer]:
        layers: list[PlaceLayer] = []
        units = self.part("units")
        for level in LEVELS:
            for kind, prefix in (("partition", "unit"), ("overlay", "overlay")):
                places_n = units.filter((pl.col("level") == level) & (pl.col("kind") == kind))["code"].n_unique()
                if places_n:
                    zh, en = LEVEL_NAMES[level]
                    names = (zh, en) if kind == "partition" else (f"功能{zh}", f"Functional {en.lower()}")
                    layers.append(PlaceLayer(f"{prefix}_{level}", cast(Any, prefix), level, None, *names, places_n))
        for resolution in self.city.city.resolutions:
            names = _cell_names(resolution)
            layers.append(PlaceLayer(f"cell_{resolution}", "cell", None, resolution, *names, self.part(f"cover_{resolution}").height))
        for kind, places_n in self.part("water").group_by("kind").len().sort("kind").iter_rows():
            layers.append(PlaceLayer(f"water_{kind}", "water", None, None, *WATER_NAMES[kind], places_n))
        if "landmarks" in self.provenance["parts"]:
            for kind, places_n in self.part("landmarks").group_by("kind").len().sort("kind").iter_rows():
                zh, en = LANDMARK_NAMES.get(kind, (kind, kind))
                layers.append(PlaceLayer(f"landmark_{kind}", "landmark", None, None, zh, en, places_n))
        return {layer.id: layer for layer in layers}

    def layers(self) -> list[PlaceLayer]:
        """List the layers: units by level with their overlays, cells by resolution, water and landmarks by kind."""
        return list(self._layers.values())

    def layer(self, layer_id: str) -> PlaceLayer:
        """Return a layer by its id.

        Raises
        ------
        AnalysisError
            No such layer.
        """
        if layer_id not in self._layers:
            raise AnalysisError(f"layer {layer_id!r} is unknown; there are {', '.join(self._layers)}")
        return self._layers[layer_id]

    def geometry(self, layer_id: str, *, on: str | date | None = None) -> GeoDataFrame:
        """Return the shapes of a layer.

        Parameters
        ----------
        layer_id : str
            Id of one of `layers()`.
        on : str or date, optional
            Of units, those that stand on this day ("2018-08-01"); every unit there ever was, in its newest shape, where not given.

        Returns
        -------
        GeoDataFrame
            place, name, area_m2 (NaN where unknown), parent, geometry (EPSG:4326, None for overlays without a shape).

        Raises
        ------
        AnalysisError
            No such layer, or `on` is no day or not for such a layer.
        """
        layer, day = self.layer(layer_id), self._day(layer_id, on)
        if layer.kind == "cell":
            shapes = from_frame(self.part(f"cover_{layer.resolution}")).assign(parent=None)
            return shapes[["place", "name", "area_m2", "parent", "geometry"]]
        if layer.kind in ("water", "landmark"):
            part = self.part("water" if layer.kind == "water" else "landmarks")
            shapes = from_frame(part.filter(pl.col("kind") == layer_id.partition("_")[2]))
            shapes = shapes.rename(columns={"id": "place"}).assign(parent=None, area_m2=float("nan"))
            return shapes[["place", "name", "area_m2", "parent", "geometry"]]
        kind = "partition" if layer.kind == "unit" else "overlay"
        chosen = (pl.col("level") == layer.level) & (pl.col("kind") == kind)
        if day is None:
            shapes = from_frame(self.part("units").filter(chosen).unique("code", keep="last", maintain_order=True))
        else:
            shapes = self.fixed.units(cast(str, layer.level), day)
        shapes = shapes.rename(columns={"code": "place"})
        shapes["area_m2"] = shapes.geometry.to_crs(self.city.city.metric_crs).area
        return shapes[["place", "name", "area_m2", "parent", "geometry"]]

    def tiles(self, layer_id: str) -> bytes | None:
        """Return the map tiles of a layer of cells that has too many for one file of shapes (`geo.tiles.write_tiles`), None for others.

        Feature ``i`` is row i of `geometry`.

        Raises
        ------
        AnalysisError
            No such layer.
        """
        layer = self.layer(layer_id)
        name = f"tiles_{layer.resolution}"
        return cast(bytes, self.part(name)["archive"][0]) if layer.kind == "cell" and name in self.provenance["parts"] else None

    def reaches(self) -> pl.DataFrame:
        """List the reaches of the water map with their flow: place (id), kind, name, downstream (list of ids), flow_order (1: a source)."""
        return self.part("reaches")

    @lru_cache(maxsize=16)  # noqa: B019  (a reader lives as long as its page server)
    def weights(self, layer_id: str, day: date | None = None) -> csr_matrix:
        """Link each place of a layer to its neighbours, in the order of the sorted places: rings of cells, units that touch."""
        from cloudmap.geo.weights import TOUCH_M, contiguity, neighbours

        layer = self.layer(layer_id)
        if layer.kind == "cell":
            return neighbours(self._places(layer_id).to_list())
        shapes = self.geometry(layer_id, on=day).set_index("place")
        ordered = shapes.loc[self._places(layer_id, day).to_list()].reset_index()
        return contiguity(ordered.to_crs(self.city.city.metric_crs), gap_m=TOUCH_M)

    def cube(self, layer_id: str, day: date | None = None) -> pl.DataFrame:
        """Return the weekly cube (`schema.CUBE`) of a layer, of units that stand on a day where one is given; undisclosed."""
        layer = self.layer(layer_id)
        return self.part(f"cube_{place_column(layer)}") if day is None else self.fixed.cube(cast(str, layer.level), day)

    def exposure(self, layer_id: str, day: date | None = None) -> pl.DataFrame | None:
        """Return the exposure of a layer's places (place, exposure), of units that stand on a day where one is given.

        None where the city declares no exposure.
        """
        layer = self.layer(layer_id)
        if self.exposure_kind == "none":
            return None
        if day is None:
            return self.part(f"exposure_{place_column(layer)}")
        return self.fixed.exposure(cast(str, layer.level), day, self.exposure_kind)

    def place_key(self, layer_id: str, place: str) -> str | int:
        """Return what a place's id is in the column of reports: a cell's number, a unit's code."""
        if self.layer(layer_id).kind != "cell":
            return place
        from cloudmap.geo.cells import from_hex

        return int(from_hex(pl.Series([place]))[0])

    @cached_property
    def fixed(self) -> FixedDay:
        """Counts and exposures of units that stand on one day."""
        return FixedDay(self.city, self.store, self.taxonomy, self.provenance, self.part)

    def _day(self, layer_id: str, on: str | date | None) -> date | None:
        """Read `on`; cells are never redrawn, so that any day is the same for them."""
        layer = self.layer(layer_id)
        day = None if on is None else read_day(on)
        if day is not None and layer.kind not in ("unit", "cell"):
            raise AnalysisError(f"layer {layer_id!r}: on = {day} is for units; leave it out")
        return day if layer.kind == "unit" else None

    @lru_cache(maxsize=32)  # noqa: B019  (as above)
    def _places(self, layer_id: str, day: date | None = None) -> pl.Series:
        layer = self.layer(layer_id)
        if layer.kind == "cell":
            return self.part(f"cover_{layer.resolution}")["place"].sort()
        if layer.kind == "water":
            return self.part("water").filter(pl.col("kind") == layer_id.removeprefix("water_"))["id"].sort()
        if day is not None:
            return pl.Series("code", sorted(self.fixed.units(cast(str, layer.level), day)["code"]), dtype=pl.String)
        kind = "partition" if layer.kind == "unit" else "overlay"
        units = self.part("units").filter((pl.col("level") == layer.level) & (pl.col("kind") == kind))
        return units["code"].unique().sort()

    def _name(self, layer: PlaceLayer, place: str) -> str:
        if layer.kind == "cell":
            names = self.part(f"cover_{layer.resolution}").filter(pl.col("place") == place)["name"]
        else:
            names = self.part("units").filter((pl.col("level") == layer.level) & (pl.col("code") == place))["name"]
        return str(names[-1])


def place_column(layer: PlaceLayer) -> str:
    """Name the column, and so the cube, that counts by the places of a layer."""
    if layer.kind == "water":
        return "reach"
    return f"cell_{layer.resolution}" if layer.kind == "cell" else f"{layer.kind}_{layer.level}_code"


def _cell_names(resolution: int) -> tuple[str, str]:
    """Name H3 cells by how wide they are: from side to side, in the mean of the world, to two digits."""
    import h3

    wide = h3.average_hexagon_edge_length(resolution, unit="m") * 3**0.5
    width = f"{wide / 1000:.2g} {{km}}" if wide >= 950 else f"{float(f'{wide:.2g}'):.0f} {{m}}"
    return f"蜂窝格（约 {width.format(km='公里', m='米')}）", f"Cells about {width.format(km='km', m='m')} wide"
