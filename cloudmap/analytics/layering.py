"""Counts of what lies beside the partitions: overlays, water, and the units of one fixed day.

None of these counts enters a total of the partitions: an overlay lies over other units, a reach beside them, and the units of one day hold
the same reports as the units of each report's own day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

import polars as pl

from cloudmap.analytics.cube import build_weekly, day_of, week_of
from cloudmap.city import City
from cloudmap.geo.units import Units
from cloudmap.schema import CUBE, unit_column

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from cloudmap.geo.locator import Locator

NEAR_WATER_M: Final = 100.0
"""A report this near to a reach is counted for it."""

Read = Callable[[int, list[str]], pl.DataFrame]
"""Reads some columns of the reports of one load, newest versions only."""

_COUNTED: Final = ["report_id", "category_code", "occurred_at", "ledger_class"]
_POINT: Final = ["lon_deg", "lat_deg"]


class Layering:
    """Counts the facts of some loads by other places than those they rest with.

    Parameters
    ----------
    city : City
    units : Units
        Base map.
    read : callable
        Reads columns of one load.
    load_seqs : sequence of int
        The loads.
    told_again : polars.Series of String
        Reports of matters that an earlier report counts for.
    weights : mapping of category code to float
        Severity weights.
    by_day : bool, default False
        Count by local day instead of by ISO week; `week_on` of the answers is then the day itself.
    """

    def __init__(
        self,
        city: City,
        units: Units,
        read: Read,
        load_seqs: Sequence[int],
        told_again: pl.Series,
        weights: Mapping[str, float],
        *,
        by_day: bool = False,
    ) -> None:
        self._city, self._units, self._read, self._load_seqs = city, units, read, load_seqs
        self._told_again, self._weights, self._by_day = told_again, weights, by_day
        self._on: dict[date, pl.DataFrame] = {}

    def on_day(self, level: str, day: date, levels: Sequence[str], locator: Locator) -> pl.DataFrame:
        """Count by the units of a level that stand on one day, whatever the day of a report.

        Parameters
        ----------
        level : str
            A partition level, one of `levels`.
        day : date
            Local day.
        levels : sequence of str
            Levels that will be asked for on this day: all are placed at once.
        locator : Locator
            Made of the base map.

        Returns
        -------
        polars.DataFrame
            `schema.CUBE`.
        """
        if day not in self._on:
            self._on = {day: pl.concat([self._placed_on(seq, day, levels, locator) for seq in self._load_seqs])}
        return self._weekly(self._on[day], unit_column(level).name)

    def resting(self, column: str) -> pl.DataFrame:
        """Count by the places that reports rest with: units, cells (of reports with a point of their own) or ledger classes.

        Parameters
        ----------
        column : str
            "unit_street_code", "cell_9" or "ledger_class".

        Returns
        -------
        polars.DataFrame
            `schema.CUBE`; cells as hex strings.
        """
        rows = pl.concat([self._read(seq, list(dict.fromkeys([*_COUNTED, column]))) for seq in self._load_seqs])
        if not column.startswith("cell_"):
            return self._weekly(self._counted(rows, column), column)
        from cloudmap.geo.cells import to_hex

        located = rows.filter(pl.col("ledger_class") == "located")
        hexes = located.select(*_COUNTED, to_hex(located[column]).alias(column))
        return self._weekly(self._counted(hexes, column), column)

    def overlays(self, level: str) -> pl.DataFrame:
        """Count by overlay: what lies on its shape, or names it and has no point; what names it at all where it has no shape.

        Returns
        -------
        polars.DataFrame
            `schema.CUBE`; a report counts for every overlay that it lies on.
        """
        overlays = self._units.frame(level, "overlay")
        parts = [self._over(seq, overlays) for seq in self._load_seqs]
        return self._weekly(pl.concat(parts), "overlay_code")

    def near_water(self, water: GeoDataFrame) -> pl.DataFrame:
        """Find the nearest reach of every report with a point of its own.

        Parameters
        ----------
        water : GeoDataFrame
            As `cloudmap.geo.water.read_water` gives it.

        Returns
        -------
        polars.DataFrame
            report_id, reach (id) and distance_m (Float32); reports further than `cloudmap.geo.reaches.MAX_M` from all water are absent.
        """
        from cloudmap.geo.reaches import Reaches

        points = pl.concat([self._points(seq) for seq in self._load_seqs])
        reaches = Reaches(water, metric_crs=self._city.city.metric_crs)
        reach, distance = reaches.nearest(points["lon_deg"].to_numpy(), points["lat_deg"].to_numpy())
        ids = pl.Series("reach", list(reaches.ids), dtype=pl.String)
        near = points.select("report_id", pl.Series("at", reach), pl.Series("distance_m", distance, dtype=pl.Float32)).filter(
            pl.col("at") >= 0
        )
        return near.select("report_id", ids.gather(near["at"]), "distance_m")

    def reaches(self, near: pl.DataFrame) -> pl.DataFrame:
        """Count by reach what lies within `NEAR_WATER_M` of it, each report for its nearest reach only.

        Parameters
        ----------
        near : polars.DataFrame
            As `near_water` gives it.

        Returns
        -------
        polars.DataFrame
            `schema.CUBE`.
        """
        beside = near.filter(pl.col("distance_m") <= NEAR_WATER_M).select("report_id", pl.col("reach").cast(pl.Categorical))
        parts = [self._counted(self._read(seq, _COUNTED).join(beside, on="report_id"), "reach") for seq in self._load_seqs]
        return self._weekly(pl.concat(parts), "reach")

    def _points(self, seq: int) -> pl.DataFrame:
        rows = self._read(seq, ["report_id", "ledger_class", *_POINT])
        return rows.filter(pl.col("ledger_class") == "located").select("report_id", *_POINT)

    def _placed_on(self, seq: int, day: date, levels: Sequence[str], locator: Locator) -> pl.DataFrame:
        from cloudmap.geo.on_day import locate_on

        names = [unit_column(level).name for level in levels]
        rows = self._read(seq, [*_COUNTED, *_POINT, *names])
        found = locate_on(rows, self._units, day, timezone=self._city.city.timezone, locator=locator, levels=levels)
        return self._counted(found.frame, *names)

    def _over(self, seq: int, overlays: GeoDataFrame) -> pl.DataFrame:
        from cloudmap.geo.overlays import over_points, shaped

        rows = self._read(seq, [*_COUNTED, *_POINT, "overlay_code"])
        points = rows.filter(pl.col("ledger_class") == "located")
        days = points["occurred_at"].dt.convert_time_zone(self._city.city.timezone).dt.date().to_numpy()
        at, codes = over_points(overlays, points["lon_deg"].to_numpy(), points["lat_deg"].to_numpy(), days)
        on_shape = points[at].with_columns(pl.Series("overlay_code", list(codes), dtype=pl.String))
        drawn = pl.col("overlay_code").is_in(list(shaped(overlays)))
        pointless = pl.col("ledger_class").is_in(["area_only", "unmapped"])
        known = pl.col("overlay_code").is_in(list(overlays["code"]))
        named = rows.filter(known & (pl.col("ledger_class") != "outside") & (pointless | ~drawn))
        return self._counted(pl.concat([on_shape, named]), "overlay_code")

    def _counted(self, rows: pl.DataFrame, *places: str) -> pl.DataFrame:
        """Keep of reports what counting needs."""
        return rows.select(
            (~pl.col("report_id").is_in(self._told_again.implode())).alias("first"),
            (day_of if self._by_day else week_of)(pl.col("occurred_at"), self._city.zone).alias("week_on"),
            pl.col("category_code").cast(pl.Categorical),
            *(pl.col(name).cast(pl.Categorical) for name in places),
        )

    def _weekly(self, rows: pl.DataFrame, place: str) -> pl.DataFrame:
        return CUBE.conform(build_weekly(rows, place, zone=self._city.zone, weights=self._weights))
