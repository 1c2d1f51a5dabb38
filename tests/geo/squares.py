"""A hand-drawn base map and hand-written rows for the tests of locating."""

from datetime import UTC, datetime

import geopandas as gpd
import pandas as pd
import polars as pl
import shapely

from cloudmap.city import City, CitySection, UnitFields, UnitLayer
from cloudmap.geo.units import UNIT_COLUMNS, Units
from cloudmap.schema import CLEAN

WEST, SOUTH, SIDE = 121.30, 28.50, 0.02


def square(column: float, row: float, width: float = 1, height: float = 1) -> shapely.Polygon:
    """Draw a box in units of the squares' side, counted from the south-west."""
    return shapely.box(WEST + column * SIDE, SOUTH + row * SIDE, WEST + (column + width) * SIDE, SOUTH + (row + height) * SIDE)


def frame(level, units, kind="partition") -> gpd.GeoDataFrame:
    """Units as (code, name, parent, geometry[, valid_from, valid_to])."""
    rows = [(*unit, None, None)[:6] for unit in units]
    table = gpd.GeoDataFrame(
        {
            "code": [row[0] for row in rows],
            "name": [row[1] for row in rows],
            "parent": [row[2] for row in rows],
            "valid_from": pd.to_datetime([row[4] for row in rows]).astype("datetime64[us]"),
            "valid_to": pd.to_datetime([row[5] for row in rows]).astype("datetime64[us]"),
            **{name: pd.array([pd.NA] * len(rows), dtype="Int64") for name in ("staff_n", "volunteers_n", "population_n")},
            "level": level,
            "kind": kind,
        },
        geometry=[row[3] for row in rows],
        crs="EPSG:4326",
    )
    return table[list(UNIT_COLUMNS)].sort_values(["code", "valid_from"], na_position="first").reset_index(drop=True)


def base_map(**levels) -> Units:
    """Make a base map of partitions; each level is a list of units."""
    return Units({(level, "partition"): frame(level, units) for level, units in levels.items()}, "0123456789ab")


STREETS = [
    ("331004001", "路桥街道", None, square(0, 0, 1, 2)),
    ("331004002", "路南街道", None, square(1, 0, 1, 2)),
]
COMMUNITIES = [("331004001001", "石浜社区", "331004001", square(0, 0)), ("331004002001", "松塘社区", None, square(1, 0))]
VILLAGES = [("331004001201", "石浜村", "331004001", square(0, 0)), ("331004001202", "河西村", "331004001", square(0, 1))]
GRIDS = [
    ("331004001001001", "第一微格", "331004001001", square(0, 0, 0.5, 1)),
    ("331004001001002", "第二微格", "331004001001", square(0.5, 0, 0.5, 1)),
]


def squares() -> Units:
    """Two streets; a community and a village on the same ground; micro-grids in that community only."""
    return base_map(street=STREETS, community=COMMUNITIES, village=VILLAGES, microgrid=GRIDS)


def city(tmp_path, levels=("street", "community", "village", "microgrid"), **settings) -> City:
    """Make a city with layers of these levels; nothing is read from its folder."""
    layers = tuple(UnitLayer(level=level, path=tmp_path / "x.gpkg", fields=UnitFields(code="code", name="name")) for level in levels)
    return City(folder=tmp_path, city=CitySection(name_zh="方城", name_en="Squares", code="331004", **settings), units=layers)


def clean(points, *, unit_named=None, occurred_at=None, flags=0) -> pl.DataFrame:
    """Make clean rows at points (x, y), one name and one instant each or for all."""
    n = len(points)
    named = unit_named if isinstance(unit_named, list) else [unit_named] * n
    when = occurred_at if isinstance(occurred_at, list) else [occurred_at or datetime(2017, 5, 1, tzinfo=UTC)] * n
    table = CLEAN.empty()
    return pl.DataFrame(
        {
            "line_no": list(range(2, n + 2)),
            "report_id": [f"app:{number}" for number in range(n)],
            "state": ["closed"] * n,
            "occurred_at": when,
            "x": [None if point is None else point[0] for point in points],
            "y": [None if point is None else point[1] for point in points],
            "unit_named": named,
            "flags": [flags] * n,
        },
        schema={name: table.schema[name] for name in ("line_no", "report_id", "state", "occurred_at", "x", "y", "unit_named", "flags")},
    ).pipe(lambda given: pl.concat([table, given], how="diagonal"))
