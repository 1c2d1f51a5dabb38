"""A reader of made-up numbers over real H3 cells: fast, the same on each run, and with every case that the page must show."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import h3
import numpy as np
import polars as pl
import shapely

from cloudmap.access.audience import Audience
from cloudmap.access.statistics import STATISTICS
from cloudmap.access.views import ALL, Category, MatterView, PlaceLayer, PlaceView
from cloudmap.analytics.emerging import CLASSES
from cloudmap.analytics.periods import AnyPeriod, Days, Period, WholeWeeksOnly, lattice, nearest_weeks, parse_period
from cloudmap.analytics.result import Result
from cloudmap.city import City, CitySection, Source
from cloudmap.errors import AccessError, AnalysisError
from cloudmap.geo.tiles import write_tiles, zoom_of_cells
from tests.dashboard.fake_statistics import FAKE_STATISTICS, FAKE_WHOLE

CENTRE = (28.58, 121.37)
RINGS = {8: 12, 9: 33, 10: 87}
LAST_WEEK = date(2018, 8, 20)
FIRST_WEEK = date(2017, 6, 5)
EVIL = "<img src=x onerror=alert(1)>"


@cache
def cells(resolution: int) -> tuple[str, ...]:
    return tuple(sorted(h3.grid_disk(h3.latlng_to_cell(*CENTRE, resolution), RINGS[resolution])))


@cache
def cell_shapes(resolution: int) -> gpd.GeoDataFrame:
    names = cells(resolution)
    polygons = [shapely.Polygon([(lon, lat) for lat, lon in h3.cell_to_boundary(name)]) for name in names]
    return _frame(list(names), list(names), polygons)


@cache
def _tiles(layer_id: str) -> bytes:
    shapes = cell_shapes(int(layer_id.removeprefix("cell_")))
    return write_tiles(shapes, int(zoom_of_cells(shapes)))


def _frame(places: list[str], names: list[str | None], shapes: list[object]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"place": places, "name": names, "area_m2": 85_000.0, "parent": None}, geometry=shapes, crs=4326)


def squares(side: int, prefix: str, names: str) -> gpd.GeoDataFrame:
    west, south, east, north = 121.26, 28.48, 121.48, 28.68
    dx, dy = (east - west) / side, (north - south) / side
    shapes = [
        shapely.box(west + i * dx, south + j * dy, west + (i + 1) * dx, south + (j + 1) * dy) for j in range(side) for i in range(side)
    ]
    places = [f"{prefix}{number:03d}" for number in range(side * side)]
    labels: list[str | None] = [f"{names}{number + 1}" for number in range(side * side)]
    return _frame(places, labels, list(shapes))


def rivers() -> gpd.GeoDataFrame:
    x = np.linspace(121.26, 121.48, 40)
    lines = [shapely.LineString(np.column_stack([x, 28.5 + 0.035 * k + 0.01 * np.sin(40 * x + k)])) for k in range(5)]
    return _frame([f"R{k}" for k in range(5)], [f"{k}号河" for k in range(5)], list(lines))


class FakeReader:
    """Answers as ARCHITECTURE.md says the reader does, from numbers made with one seed a question."""

    def __init__(
        self,
        *,
        exposure: str = "none",
        kind: str = "internal",
        schematic: bool = True,
        resolutions: tuple[int, ...] = (8, 9),
        name: str = "路桥区",
        tiled: tuple[str, ...] = (),
    ) -> None:
        section = CitySection(
            name_zh=name,
            name_en="Luqiao",
            code="331004",
            resolutions=resolutions,
            default_resolution=9 if 9 in resolutions else resolutions[0],
            schematic=schematic,
        )
        source = Source(id="app", name_zh="党建民情通", name_en="Community app", path="app.csv", fields={"occurred_at": "t"})
        self.city = City(folder="/nowhere", city=section, sources=(source,))
        self.audience = Audience(kind)
        self.exposure_kind = exposure
        self.now = datetime(2018, 8, 30, 9, 30, tzinfo=UTC)
        self.base_map_version = "a1b2c3d4e5f6"
        self.analysed_load = 4
        self.provenance: dict[str, dict[str, str]] = {}
        self.asked: list[tuple[str, ...]] = []
        self.kept: dict[tuple[str, ...], Any] = {}
        self.tiled = tiled

    @cached_property
    def _periods(self) -> dict[str, Period]:
        return {one.id: one for one in lattice(FIRST_WEEK, LAST_WEEK)}

    def periods(self) -> list[Period]:
        return list(self._periods.values())

    @property
    def default_period(self) -> Period:
        return next(one for one in self.periods() if one.weeks_n == 4)

    def period(self, period_id: str) -> AnyPeriod:
        period = parse_period(period_id)
        if period.first_on < self.days.first_on or period.last_on > self.days.last_on:
            raise AnalysisError(f"period {period_id!r} must lie within the data", code="outside")
        if period.id not in self._periods and not self.free_periods:
            raise AccessError("free periods are not for outside")
        return period

    days = Days(FIRST_WEEK, date(2018, 8, 29))

    @property
    def free_periods(self) -> bool:
        return self.audience.kind == "internal"

    def by_day(self, days: Days, category: str = ALL, *, layer_id: str | None = None, place: str | None = None) -> pl.DataFrame:
        if not self.free_periods:
            raise AccessError("counts by day are not for outside")
        every = [days.first_on + timedelta(days=k) for k in range(days.days_n)]
        rows = [{"day_on": day, "n": 1 + hash_text(f"{place}{category}{day}") % 6, "masked": False} for day in every]
        return pl.DataFrame(rows)

    @cached_property
    def _categories(self) -> dict[str, Category]:
        found = {ALL: Category(ALL, None, "全部类别", "All categories", restricted=False, scored=True)}
        with files("cloudmap").joinpath("taxonomy.csv").open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                group = Category(row["l1_code"], None, row["l1_zh"], row["l1_en"], restricted=False, scored=True)
                found.setdefault(group.code, group)
                restricted, scored = row["restricted"] == "1", row["score"] == "1"
                found[row["code"]] = Category(row["code"], row["l1_code"], row["l2_zh"], row["l2_en"], restricted, scored)
        return found

    def categories(self) -> list[Category]:
        return list(self._categories.values())

    def layers(self) -> list[PlaceLayer]:
        return [
            PlaceLayer("unit_district", "unit", "district", None, "区", "Districts", 1),
            PlaceLayer("unit_street", "unit", "street", None, "街道(镇)", "Streets and towns", 9),
            PlaceLayer("unit_grid", "unit", "grid", None, "网格", "Grids", 324),
            PlaceLayer("overlay_microgrid", "overlay", "microgrid", None, "功能微格", "Functional micro-grids", 3),
            *(
                PlaceLayer(f"cell_{one}", "cell", None, one, f"H3 {one} 级格", f"H3 cells, resolution {one}", len(cells(one)))
                for one in self.city.city.resolutions
            ),
            PlaceLayer("water_river", "water", None, None, "河流", "Rivers", 5),
        ]

    def geometry(self, layer_id: str) -> gpd.GeoDataFrame:
        if layer_id.startswith("cell_"):
            return cell_shapes(int(layer_id.removeprefix("cell_")))
        if layer_id == "water_river":
            return rivers()
        if layer_id == "overlay_microgrid":
            return _frame(
                ["F1", "F2", "F3"],
                ["市场微格", "新居民微格", None],
                [shapely.box(121.3, 28.55, 121.33, 28.57), shapely.box(121.36, 28.6, 121.4, 28.62), None],
            )
        side, name = {"unit_district": (1, "路桥区"), "unit_street": (3, "街道"), "unit_grid": (18, "网格")}[layer_id]
        shapes = squares(side, layer_id[5:7], name)
        if layer_id == "unit_street":
            shapes.loc[8, "name"] = EVIL
        return shapes

    def tiles(self, layer_id: str) -> bytes | None:
        return _tiles(layer_id) if layer_id in self.tiled else None

    def counts(self, layer_id: str, category: str, period_id: str) -> pl.DataFrame:
        """The truth behind `values`: place and n, before anything is masked."""
        shapes = self.geometry(layer_id)
        seed = abs(hash_text(f"{layer_id}|{category}|{period_id}"))
        rng = np.random.default_rng(seed)
        weeks = self.period(period_id).days_n / 7
        share = 1.0 if category == ALL else 0.2 if self._categories[category].parent is None else 0.04
        points = shapes.geometry.representative_point()
        near = np.exp(-((points.x - 121.34) ** 2 + (points.y - 28.6) ** 2) / 0.0012) + 0.5 * np.exp(
            -((points.x - 121.42) ** 2 + (points.y - 28.54) ** 2) / 0.0005
        )
        scale = 40_000 / max(len(shapes), 40)
        mean = scale * share * weeks / 4 * (0.03 + near.to_numpy()) * rng.gamma(2.0, 0.5, len(shapes)) / 4
        if category == "EM06":
            mean = mean * 0
        return pl.DataFrame({"place": shapes["place"].to_list(), "n": rng.poisson(mean)})

    def values(self, layer_id: str, category: str, period_id: str, measure: str) -> Result:
        self.asked.append((layer_id, category, period_id, measure))
        self._refuse_free(measure, period_id)
        chosen = self._categories[category]
        if measure not in ("count", "ratio") and chosen.restricted:
            raise AccessError(f"category {category} is restricted")
        if measure != "count" and not chosen.scored:
            raise AnalysisError(f"category {category} is counted, never scored")
        table = self.counts(layer_id, category, period_id)
        if measure == "count":
            table = table.with_columns(value=pl.col("n").cast(pl.Float64))
        elif measure == "ratio":
            if self.exposure_kind == "none":
                raise AnalysisError("no exposure")
            expected = np.full(table.height, float(table["n"].mean()))
            expected[::17] = 0.4
            table = table.with_columns(expected=pl.Series(expected)).with_columns(
                value=pl.when(pl.col("expected") >= 1).then(pl.col("n") / pl.col("expected"))
            )
        elif measure in ("emerging", "scan", "silent", "risk", "overdue", "workload", "staffing"):
            table = getattr(self, f"_{measure}")(table)
        else:
            hot = table["n"] >= (table["n"].quantile(0.97) or 0)
            hot = hot & (table["n"] > 0)
            table = table.with_columns(
                value=hot.cast(pl.Float64),
                neighbourhood_n=pl.col("n") * 4,
                z=pl.lit(2.0),
                p=pl.lit(0.01),
                q=pl.when(hot).then(0.004).otherwise(0.6),
                **{"class": pl.when(hot).then(pl.lit("hot")).otherwise(pl.lit("not_significant"))},
            )
        masked = (
            chosen.restricted & (table["n"] > 0) & (table["n"] < 10) if chosen.restricted else pl.repeat(False, table.height, eager=True)
        )
        hidden = [name for name in table.columns if name != "place"]
        table = table.with_columns(pl.when(~masked).then(pl.col(name)).alias(name) for name in hidden).with_columns(masked=masked)
        caveats = ["reported_not_people"]
        caveats += ["where_reports_are"] if self.exposure_kind == "none" or measure == "hotspot" else []
        caveats += ["ordinary_only"] if chosen.parent is None else []
        caveats += ["family_one_map"] if measure == "hotspot" else []
        caveats += ["points_only"] if layer_id.startswith("cell") else []
        caveats += ["schematic"] if self.city.city.schematic else []
        return Result(measure, {}, table, "made up", tuple(caveats), {})

    def _emerging(self, table: pl.DataFrame) -> pl.DataFrame:
        order = table["n"].rank("ordinal", descending=True).to_numpy()
        names = [CLASSES[int(at) - 1] if at <= len(CLASSES) else "not_enough_data" if at % 11 == 0 else "no_pattern" for at in order]
        hot = [12 if one.endswith("_hot") else 0 for one in names]
        cold = [9 if one.endswith("_cold") else 0 for one in names]
        return table.with_columns(
            value=pl.Series([float(one) for one in hot]), hot_steps_n=pl.Series(hot), cold_steps_n=pl.Series(cold), steps_n=pl.lit(13),
            trend=pl.lit(0), trend_z=pl.lit(0.3), p=pl.lit(0.2), q=pl.lit(0.5), **{"class": pl.Series(names)},
        )  # fmt: skip

    def _scan(self, table: pl.DataFrame) -> pl.DataFrame:
        order = table["n"].rank("ordinal", descending=True).to_numpy()
        rank = [min(int(at) // 8 + 1, 5) if at <= 40 else None for at in order]
        value = pl.Series([None if one is None else float(one) for one in rank], dtype=pl.Float64)
        return table.with_columns(
            value=value, ratio=pl.when(value.is_not_null()).then(2.4), p=pl.when(value.is_not_null()).then(0.004),
            **{"class": pl.when(value.is_not_null()).then(pl.lit("cluster")).otherwise(pl.lit("no_cluster"))},
        )  # fmt: skip

    def _silent(self, table: pl.DataFrame) -> pl.DataFrame:
        low = table["n"] == 0
        at = pl.int_range(table.height, eager=True)
        named = pl.when(low & (at % 5 == 0)).then(pl.lit("silent")).when(low & (at % 5 == 1)).then(pl.lit("never_reported"))
        named = named.when(low).then(pl.lit("not_enough_data")).otherwise(pl.lit("reporting"))
        return table.with_columns(
            value=4.2 - pl.col("n"), expected=pl.lit(4.2), p=pl.lit(0.01), q=pl.lit(0.03), last_report_on=pl.lit(date(2018, 3, 5)),
            **{"class": named},
        )  # fmt: skip

    def _risk(self, table: pl.DataFrame) -> pl.DataFrame:
        mean = float(table["n"].mean() or 1) or 1.0
        ratio = table["n"] / mean
        at = pl.int_range(table.height, eager=True)
        named = (
            pl.when(at % 23 == 0).then(pl.lit("not_enough_data")).when(ratio > 2.5).then(pl.lit("above_2")).otherwise(pl.lit("ordinary"))
        )
        return table.with_columns(
            value=pl.when(at % 23 != 0).then(ratio), ratio=ratio, expected_n=pl.col("n") / 13, lower_n=pl.lit(0), upper_n=pl.col("n") // 6,
            p_above_2=(ratio / 4).clip(0, 1), burden=pl.col("n") * 1.7, **{"class": named},
        )  # fmt: skip

    def _overdue(self, table: pl.DataFrame) -> pl.DataFrame:
        late = pl.col("n") // 5
        return table.with_columns(value=late.cast(pl.Float64), overdue_n=late, yellow_n=pl.col("n") // 9, green_n=pl.col("n") // 3)

    def _workload(self, table: pl.DataFrame) -> pl.DataFrame:
        return table.with_columns(value=(pl.col("n") // 3).cast(pl.Float64), open_n=pl.col("n") // 3, overdue_n=pl.col("n") // 5)

    def _staffing(self, table: pl.DataFrame) -> pl.DataFrame:
        at = pl.int_range(table.height, eager=True)
        named = pl.when(at % 50 == 7).then(pl.lit("no_staff")).otherwise(pl.lit("complete"))
        return table.with_columns(n=pl.lit(2), value=pl.lit(0.0), staff_n=pl.lit(1), volunteers_n=pl.lit(1), **{"class": named})

    @property
    def cases(self) -> SimpleNamespace:
        return SimpleNamespace(overdue_list=self._overdue_list, table_of_meeting=self._table_of_meeting)

    def _overdue_list(self, layer_id: str, place: str, category: str = ALL, *, limit: int = 500) -> pl.DataFrame:
        if self.audience.kind == "outside":
            raise AccessError("rows of single cases never leave the administration", code="inside")
        due = [datetime(2018, 8, 1, 1, 5, tzinfo=UTC) + timedelta(hours=7 * k) for k in range(9)]
        return pl.DataFrame(
            {
                "report_id": [f"app:{k}" for k in range(9)],
                "category_code": ["DS02"] * 9,
                "due_at": due,
                "stage": ["dispatch", None, "handle"] * 3,
            }
        )

    def _table_of_meeting(self, tier: str, category: str, period_id: str, *, limit: int = 200) -> pl.DataFrame:
        if self.audience.kind == "outside":
            raise AccessError("rows of single cases never leave the administration", code="inside")
        return pl.DataFrame(
            {
                "report_id": [f"app:{tier}{k}" for k in range(3)],
                "category_code": ["DS02"] * 3,
                "occurred_at": [datetime(2018, 8, 1, 1, 5, tzinfo=UTC)] * 3,
                "unit_street_code": ["st000", None, "st002"],
                "reasons": [["major", "sudden"], ["sudden"], ["category_street"]],
            }
        )

    def _refuse_free(self, name: str, period_id: str | None) -> None:
        period = self.period(period_id or self.default_period.id)
        if name in STATISTICS and not STATISTICS[name].free and not isinstance(period, Period):
            raise WholeWeeksOnly(f"{name} stands on whole weeks", nearest_weeks(period).id)

    def statistic(self, name: str, *, layer: str | None = None, category: str = ALL, period: str | None = None) -> Result:
        self.asked.append(("statistic", name, category))
        self._refuse_free(name, period)
        chosen = self._categories[category]
        if name in FAKE_WHOLE:
            return FAKE_WHOLE[name](self)
        if chosen.restricted:
            raise AccessError(f"category {category} is restricted")
        if not chosen.scored:
            raise AnalysisError(f"category {category} is counted, never scored")
        if name in ("emerging", "silent", "risk", "overdue", "workload", "staffing"):
            return self.values(layer or "cell_9", category, period or self.default_period.id, name)
        return FAKE_STATISTICS[name](self, layer, category)

    def place(self, layer_id: str, place: str, period_id: str, category: str = ALL) -> PlaceView:
        shapes = self.geometry(layer_id).set_index("place")
        if place not in shapes.index:
            raise AnalysisError(f"place {place!r} is not in layer {layer_id!r}")
        total = int(self.counts(layer_id, ALL, period_id).row(by_predicate=pl.col("place") == place, named=True)["n"])
        rows = []
        for code, one in self._categories.items():
            if one.parent is None:
                continue
            n = int(self.counts_of(place, code, period_id))
            masked = one.restricted and 0 < n < 10
            rows.append({"category_code": code, "n": None if masked else n, "masked": masked})
        weeks = [FIRST_WEEK + timedelta(weeks=k) for k in range((LAST_WEEK - FIRST_WEEK).days // 7 + 1)]
        by_week = [{"week_on": week, "n": 5 + hash_text(f"{place}{category}{week}") % 20, "masked": False} for week in weeks]
        try:
            hotspot = self.values(layer_id, category, period_id, "hotspot").table.row(by_predicate=pl.col("place") == place, named=True)
        except (AccessError, AnalysisError):
            hotspot = None
        return PlaceView(
            place,
            str(shapes.loc[place, "name"]),
            total,
            pl.DataFrame(rows),
            pl.DataFrame(by_week),
            0 if layer_id.startswith("cell") else 3,
            hotspot,
        )

    def weeks(self, category: str = ALL, *, layer_id: str | None = None, place: str | None = None) -> pl.DataFrame:
        weeks = [FIRST_WEEK + timedelta(weeks=k) for k in range((LAST_WEEK - FIRST_WEEK).days // 7 + 1)]
        rows = [{"week_on": week, "n": 5 + hash_text(f"{place}{category}{week}") % 20, "masked": False} for week in weeks]
        return pl.DataFrame(rows)

    def counts_of(self, place: str, code: str, period_id: str) -> int:
        return hash_text(f"{place}{code}{period_id}") % 23

    def matters(self, layer_id: str, place: str, period_id: str, category: str = ALL, *, limit: int = 50) -> list[MatterView]:
        return []

    def reports(self, layer_id: str, place: str, period_id: str, category: str = ALL, *, limit: int | None = 500) -> pl.DataFrame:
        if self.audience.kind == "outside":
            raise AccessError("rows of single reports never leave the administration", code="inside")
        n = min(40, limit or 40)
        at = [datetime(2018, 8, 1, 1, 5, tzinfo=UTC) + timedelta(hours=7 * k) for k in range(n)]
        return pl.DataFrame(
            {
                "report_id": [f"app:{EVIL if k == 0 else k}" for k in range(n)],
                "category_code": ["AP01" if k % 3 else "DS02" for k in range(n)],
                "occurred_at": at,
                "reported_at": at,
                "closed_at": [None if k % 4 == 0 else one + timedelta(hours=20) for k, one in enumerate(at)],
                "state": ["open" if k % 4 == 0 else "closed" for k in range(n)],
                "position": ["point"] * n,
                "lon_deg": [121.37] * n,
                "lat_deg": [28.58] * n,
            },
            schema_overrides={"closed_at": pl.Datetime("us", "UTC")},
        )

    def ledger(self) -> list[dict[str, object]]:
        classes = {
            "located": 170_114,
            "area_only": 2_301,
            "unmapped": 1_822,
            "outside": 94,
            "quarantined": 57,
            "repeated": 1_120,
            "superseded": 311,
        }
        small = {"located": 40_211, "area_only": 0, "unmapped": 12, "outside": 3, "quarantined": 25, "repeated": 0, "superseded": 0}
        return [
            {
                "load_seq": 1,
                "source": "app",
                "file": "民情通_2016_2018.csv",
                "lines": sum(classes.values()),
                "classes": classes,
                "repairs": {"axes_swapped": 120, "time_repaired": 3_044, "text_scrubbed": 881},
            },
            {"load_seq": 2, "source": "app", "file": "ping_an.xlsx", "lines": sum(small.values()), "classes": small, "repairs": {}},
        ]

    def quarantine(self) -> pl.DataFrame:
        if self.audience.kind == "outside":
            raise AccessError("rows of single records never leave the administration", code="inside")
        n = 57
        return pl.DataFrame(
            {
                "file": ["ping_an.xlsx"] * n,
                "line_no": list(range(2, n + 2)),
                "field": ["时间"] * n,
                "rule": ["time_format"] * n,
                "detail": ["没有已知的时间格式"] * n,
                "value": [EVIL] * n,
                "source_id": ["app"] * n,
            }
        )

    def unplaced(self, category: str, period_id: str) -> dict[str, int]:
        total = int(self.counts("cell_8" if 8 in self.city.city.resolutions else "unit_grid", category, period_id)["n"].sum())
        return {"located": total, "area_only": 311, "unmapped": 120, "outside": 9}


def hash_text(text: str) -> int:
    """The same number for the same text on every run (Python's own hash is salted)."""
    import zlib

    return zlib.crc32(text.encode())
