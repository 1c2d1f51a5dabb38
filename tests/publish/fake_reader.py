"""A Reader over made-up numbers: two streets, 217 cells, one hot place, so that outputs are tested without a store."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import h3
import numpy as np
import polars as pl
from shapely.geometry import LineString, Polygon, box

from cloudmap.access.audience import Audience
from cloudmap.access.views import Category, PlaceLayer
from cloudmap.analytics.periods import Period, parse_period
from cloudmap.analytics.result import Result
from cloudmap.city import City, CitySection, UnitFields, UnitLayer
from cloudmap.errors import AccessError
from cloudmap.schema import QUARANTINE

CENTRE = (28.58, 121.37)


@dataclass
class FakeReader:
    """The contract of access.reader.Reader, as far as publish uses it."""

    folder: Path
    outside: bool = False
    exposure_kind: str = "none"
    schematic: bool = True
    hot_n: int = 7
    unit_names: tuple[str, ...] = ("路南街道", "=路北街道")
    audience: Any = None
    city: Any = None
    now: datetime = datetime(2018, 9, 3, 1, 30, tzinfo=UTC)
    base_map_version: str = "0123456789ab"
    analysed_load: int = 4
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.audience = Audience("outside" if self.outside else "internal")
        self.city = City(
            folder=self.folder,
            city=CitySection(name_zh="路桥区", name_en="Luqiao District", code="331004", schematic=self.schematic),
            units=(UnitLayer(level="street", path=Path("street.gpkg"), fields=UnitFields(code="code", name="name")),),
        )
        ring = [h3.grid_disk(h3.latlng_to_cell(*CENTRE, 9), k) for k in (8, 1)]
        self.cells = sorted(ring[0])
        self.hot = sorted(ring[1])[: self.hot_n]
        rng = np.random.default_rng(7)
        counts = rng.poisson(1.5, len(self.cells))
        counts[[self.cells.index(cell) for cell in self.hot]] = 30 + np.arange(len(self.hot))
        self.counts = dict(zip(self.cells, counts.tolist(), strict=True))

    @property
    def units(self) -> dict[str, int]:
        """Codes of the streets and their counts."""
        return {f"{331004001 + at}": 3 if at == 0 else 249 + at for at in range(len(self.unit_names))}

    def periods(self) -> list[Period]:
        return [self.default_period, parse_period("2018-W35")]

    @property
    def default_period(self) -> Period:
        return parse_period("2018-W32--2018-W35")

    def period(self, period_id: str) -> Period:
        return next(period for period in self.periods() if period.id == period_id)

    def categories(self) -> list[Category]:
        return [
            Category("ALL", None, "全部类别", "All categories", restricted=False, scored=True),
            Category("DS", None, "矛盾纠纷", "Disputes", restricted=False, scored=True),
            Category("DS01", "DS", "婚姻家庭", "family", restricted=True, scored=False),
            Category("DS02", "DS", "邻里纠纷", "neighbour", restricted=False, scored=True),
        ]

    def layers(self) -> list[PlaceLayer]:
        return [
            PlaceLayer("unit_street", "unit", "street", None, "街道", "Streets", len(self.unit_names)),
            PlaceLayer("cell_9", "cell", None, 9, "H3 9 级格", "H3 cells, resolution 9", len(self.cells)),
            PlaceLayer("water_canal", "water", None, None, "河渠", "Canals", 1),
        ]

    def geometry(self, layer_id: str) -> gpd.GeoDataFrame:
        lat, lon = CENTRE
        if layer_id == "cell_9":
            shapes = [Polygon([(x, y) for y, x in h3.cell_to_boundary(cell)]) for cell in self.cells]
            names, parents, places = list(self.cells), [None] * len(shapes), list(self.cells)
            areas = [h3.cell_area(cell, unit="m^2") for cell in self.cells]
        elif layer_id == "unit_street":
            names, places = list(self.unit_names), list(self.units)
            edges = np.linspace(lon - 0.04, lon + 0.04, len(names) + 1)
            shapes = [box(west, lat - 0.03, east, lat + 0.03) for west, east in itertools.pairwise(edges)]
            parents, areas = ["331004"] * len(names), [5.2e7 / len(names)] * len(names)
        else:
            shapes = [LineString([(lon - 0.03, lat - 0.02), (lon + 0.03, lat + 0.02)])]
            places, names, parents, areas = ["w1"], ["南官河"], [None], [0.0]
        return gpd.GeoDataFrame({"place": places, "name": names, "area_m2": areas, "parent": parents}, geometry=shapes, crs="EPSG:4326")

    def values(self, layer_id: str, category: str, period_id: str, measure: str) -> Result:
        self.asked.append((layer_id, category, period_id, measure))
        if measure == "ratio" and self.exposure_kind == "none":
            raise AccessError("no exposure")
        counts = self.units if layer_id == "unit_street" else self.counts
        places = sorted(counts)
        n: list[int | None] = [counts[place] for place in places]
        masked = [self.outside and 0 < one < 5 for one in n if one is not None]
        n = [None if hidden else one for one, hidden in zip(n, masked, strict=True)]
        table = pl.DataFrame({"place": places, "value": [None if one is None else float(one) for one in n], "masked": masked})
        if measure == "ratio":
            table = table.with_columns(
                n=pl.Series(n, dtype=pl.Int64), expected=pl.lit(2.0), lower=pl.col("value") / 4, upper=pl.col("value")
            )
            table = table.with_columns(value=pl.col("value") / 2.0)
        if measure == "hotspot":
            hot = [place in self.hot for place in places]
            table = table.with_columns(
                n=pl.Series(n, dtype=pl.Int64),
                neighbourhood_n=pl.Series([None if one is None else one * 5 for one in n], dtype=pl.Int64),
                z=pl.Series([6.1 if one else 0.2 for one in hot]),
                p=pl.Series([0.00001 if one else 0.4 for one in hot]),
                q=pl.Series([0.0004 if one else 0.9 for one in hot]),
            ).with_columns(pl.Series("class", ["hot" if one else "not_significant" for one in hot]))
        return Result(
            method="exact Gi*, one-sided, Benjamini-Hochberg" if measure == "hotspot" else "count of matters",
            parameters={"layer": layer_id, "category": category, "period": period_id, "measure": measure, "threshold": 0.05},
            table=table,
            denominator=f"{len(places)} places tested together (one map)",
            caveats=("reported_not_people", "where_reports_are", "family_one_map", "points_only", "schematic"),
            provenance={"load_seq": self.analysed_load, "base_map_version": self.base_map_version, "key": "ab12cd34"},
        )

    def part(self, name: str) -> pl.DataFrame:
        assert name == "units"
        return pl.DataFrame({"code": ["331004001"], "valid_from": [datetime(2015, 1, 1).date()]})

    def ledger(self) -> list[dict[str, Any]]:
        entry = {"load_seq": 4, "source": "app", "file": "<b>app</b>.csv", "lines": 1000, "repairs": {"axes_swapped": 3}}
        classes = {"located": 900, "area_only": 40, "unmapped": 30, "outside": 10, "quarantined": 12, "repeated": 5, "superseded": 3}
        return [{**entry, "classes": classes}]

    def unplaced(self, category: str, period_id: str) -> dict[str, int]:
        return {"located": 400, "area_only": 4, "unmapped": 3, "outside": 1}

    def quarantine(self) -> pl.DataFrame:
        row = {
            "line_no": 41, "field": "时间", "rule": "time_unknown", "detail": "no known time format",
            "value": "=cmd|' /C calc'!A0", "source_id": "app", "file": "app.csv",
        }  # fmt: skip
        return pl.DataFrame([row]).select(list(QUARANTINE.dtypes)).cast(dict(QUARANTINE.dtypes))  # type: ignore[arg-type]

    def all_reports(self) -> pl.DataFrame:
        if self.outside:
            raise AccessError("rows of single reports may not leave the administration")
        at = datetime(2018, 8, 7, 3, tzinfo=UTC)
        cell = h3.str_to_int(self.hot[0])
        return pl.DataFrame(
            {
                "report_id": ["app:1", "app:2"], "source_id": ["app", "app"], "source_report_id": ["1", "2"],
                "category_code": ["DS02", "DS01"], "category_raw": ["+邻里", "家庭"], "occurred_at": [at, at], "reported_at": [at, at],
                "closed_at": [None, at], "due_at": [at, None], "state": ["open", "closed"], "lon_deg": [121.37, None],
                "lat_deg": [28.58, None], "position": ["point", "coarsened"], "unit_street_code": ["331004001", "331004001"],
                "cell_8": [h3.str_to_int(h3.cell_to_parent(self.hot[0], 8)), None], "cell_9": [cell, None], "cell_10": [None, None],
                "matter_id": ["app:1", "app:2"],
            },
            schema_overrides={"cell_8": pl.Int64, "cell_9": pl.Int64, "cell_10": pl.Int64},
        )  # fmt: skip
