"""Draw the schematic base map of Luqiao: real codes and names, invented shapes.

No open boundary of the district's streets, communities or micro-grids exists, so one planar subdivision is drawn here: a Voronoi diagram
of micro-grid seeds inside a hand-drawn outline. Every coarser level is a union of its micro-grids, so shared edges are equal to the digit.
``python -m cloudmap.samples.luqiao_map`` draws it again; what it writes is committed under ``data/boundaries/luqiao``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cloudmap.samples.origin import boundaries_folder

if TYPE_CHECKING:
    from pyproj import Transformer

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SEED: Final = 331004
METRIC: Final = "EPSG:4549"
MICROGRIDS_N: Final = 2919
OVERLAYS_N: Final = 318
SHAPELESS_N: Final = 96
PAIRS_N: Final = 15
ELDERS_N: Final = 242
POPULATION_N: Final = 640_000
UNSTAFFED_N: Final = 7
WITHOUT_VOLUNTEER_N: Final = 5

# Longitude, latitude of a hand-drawn outline, clockwise from the north-west; hills in the west, the sea in the east.
_OUTLINE: Final = (
    (121.257, 28.605), (121.283, 28.622), (121.316, 28.617), (121.348, 28.612), (121.377, 28.620), (121.409, 28.616), (121.442, 28.627),
    (121.475, 28.630), (121.511, 28.634), (121.542, 28.625), (121.564, 28.608), (121.574, 28.584), (121.584, 28.558), (121.576, 28.534),
    (121.554, 28.517), (121.523, 28.509), (121.489, 28.512), (121.460, 28.517), (121.434, 28.511), (121.405, 28.507), (121.375, 28.512),
    (121.351, 28.523), (121.323, 28.528), (121.304, 28.542), (121.283, 28.555), (121.263, 28.575), (121.253, 28.590),
)  # fmt: skip

# Street code: anchor (longitude, latitude), and the people who live on a square kilometre of it, for weighing.
_STREETS: Final[dict[str, tuple[float, float, float]]] = {
    "331004001": (121.372, 28.560, 4200),
    "331004002": (121.378, 28.579, 6800),
    "331004003": (121.383, 28.598, 5600),
    "331004004": (121.334, 28.552, 2300),
    "331004005": (121.309, 28.588, 1700),
    "331004006": (121.377, 28.533, 2400),
    "331004103": (121.423, 28.528, 1900),
    "331004104": (121.437, 28.561, 1600),
    "331004106": (121.511, 28.536, 1300),
    "331004107": (121.456, 28.600, 1700),
    "331004400": (121.522, 28.611, 900),
    "331004401": (121.554, 28.575, 700),
}


@dataclass(frozen=True)
class BaseMap:
    """The drawn map, in metres (EPSG:4549), as GeoDataFrames: one per administrative level, overlays, water and landmarks."""

    outline: Any
    streets: Any
    communities: Any
    villages: Any
    grids: Any
    microgrids: Any
    overlays: Any


def draw_base_map(seed: int = SEED) -> BaseMap:
    """Draw all administrative levels.

    Parameters
    ----------
    seed : int
        The committed map is drawn with `SEED`.

    Returns
    -------
    BaseMap
        Each frame has code, name, parent and geometry; streets and micro-grids also population; micro-grids and overlays staff and
        volunteers.

    Raises
    ------
    SourceError
        The lists of codes are not where a checkout has them.
    """
    import geopandas as gpd
    import shapely

    rng = np.random.default_rng(seed)
    outline = shapely.set_precision(_smooth(shapely.Polygon(_project(np.array(_OUTLINE)))), 0.01)
    areas = _base_areas(pl.read_csv(boundaries_folder("luqiao") / "villages_331004.csv", infer_schema_length=0))
    seeds, area_of = _plant_seeds(outline, areas, rng)
    cells = _voronoi(seeds, outline)
    micro = gpd.GeoDataFrame({"area": area_of}, geometry=cells, crs=METRIC)
    for column in ("code", "street", "community", "village"):
        micro[f"area_{column}"] = [areas[column][int(area)] for area in area_of]
    micro = _number_microgrids(micro, areas)
    _populate(micro, rng)
    _staff(micro, rng)
    return BaseMap(
        outline=outline,
        streets=_streets(micro),
        communities=_union(micro, "area_community"),
        villages=_union(micro, "area_village"),
        grids=_grids(micro),
        microgrids=micro,
        overlays=_overlays(micro, outline, rng),
    )


def _project(lonlat: Floats, *, back: bool = False) -> Floats:
    x, y = _transformer(back=back).transform(lonlat[:, 0], lonlat[:, 1])
    return np.column_stack([x, y])


def _transformer(*, back: bool) -> Transformer:
    from pyproj import Transformer

    return Transformer.from_crs(METRIC, "EPSG:4490", always_xy=True) if back else Transformer.from_crs("EPSG:4490", METRIC, always_xy=True)


def _smooth(polygon: Any) -> Any:
    """Cut corners twice (Chaikin), so that the outline does not look like a crystal."""
    import shapely

    ring = np.asarray(polygon.exterior.coords)[:-1]
    for _ in range(2):
        following = np.roll(ring, -1, axis=0)
        ring = np.stack([0.75 * ring + 0.25 * following, 0.25 * ring + 0.75 * following], axis=1).reshape(-1, 2)
    return shapely.Polygon(ring)


def _base_areas(villages: pl.DataFrame) -> pl.DataFrame:
    """List the grounds of the district: a community, a village, or a pair of both on the same ground.

    Pairs are those whose names share their stem (方林社区, 方林村), then the first of each street in turn.
    """
    stem = pl.col("name").str.replace(r"(社区居委会|社区|居委会|村委会|街居委会)$", "")
    table = villages.with_columns(
        stem.alias("stem"), pl.when(pl.col("kind") == "village").then(pl.lit("v")).otherwise(pl.lit("c")).alias("k")
    )
    towns = table.filter(pl.col("k") == "c", pl.col("code").str.slice(9, 1) == "0")
    rural = table.filter(pl.col("k") == "v")
    same = towns.join(rural, on=["stem", "streetCode"], suffix="_v").select("code", "code_v", "streetCode")
    left = towns.join(same, on="code", how="anti").with_columns(pl.col("code").rank("ordinal").over("streetCode").alias("turn"))
    free = rural.join(same, left_on="code", right_on="code_v", how="anti")
    free = free.with_columns(pl.col("code").rank("ordinal").over("streetCode").alias("turn"))
    more = left.join(free, on=["streetCode", "turn"], suffix="_v").sort("turn", "code").select("code", "code_v", "streetCode")
    pairs = pl.concat([same, more]).head(PAIRS_N)
    single = table.filter(~pl.col("code").is_in(pairs["code_v"].to_list())).join(pairs.select("code", "code_v"), on="code", how="left")
    return single.select(
        "code",
        pl.col("streetCode").alias("street"),
        pl.when(pl.col("k") == "c").then("code").alias("community"),
        pl.when(pl.col("k") == "v").then("code").otherwise("code_v").alias("village"),
        "name",
    ).sort("code")


def _plant_seeds(outline: Any, areas: pl.DataFrame, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Spread micro-grid seeds: points by density, clustered into streets, base areas and micro-grids in turn."""
    import shapely

    anchors = _project(np.array([value[:2] for value in _STREETS.values()]))
    density = np.array([value[2] for value in _STREETS.values()])
    west, south, east, north = outline.bounds
    points = rng.uniform((west, south), (east, north), size=(420_000, 2))
    points = points[shapely.contains_xy(outline.buffer(-150), points[:, 0], points[:, 1])]
    street_of = _nearest(points, anchors)
    kept = rng.random(len(points)) < np.sqrt(density / density.max())[street_of]
    points, street_of = points[kept], street_of[kept]
    micro_n = _share_out(MICROGRIDS_N - OVERLAYS_N, areas, rng)
    seeds, owners = [], []
    for number, street in enumerate(_STREETS):
        own = points[street_of == number]
        members = areas.with_row_index("row").filter(pl.col("street") == street)["row"].to_numpy()
        area_of = _nearest(own, _lloyd(own, len(members), rng))
        for position, area in enumerate(members):
            seeds.append(_lloyd(own[area_of == position], int(micro_n[area]), rng))
            owners.append(np.full(int(micro_n[area]), area))
    return np.concatenate(seeds), np.concatenate(owners).astype(np.int64)


def _share_out(total: int, areas: pl.DataFrame, rng: np.random.Generator) -> Ints:
    """Give each base area its number of micro-grids: more where more people live, at least five."""
    urban = areas["community"].is_not_null().to_numpy()
    weight = rng.gamma(6.0, 1.0, size=areas.height) * np.where(urban, 1.5, 1.0)
    spare = total - 5 * areas.height
    exact = weight / weight.sum() * spare
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact)[: spare - int(counts.sum())]] += 1
    return np.asarray(counts + 5)


def _nearest(points: Floats, centres: Floats) -> Ints:
    import shapely

    tree = shapely.STRtree(np.asarray(shapely.points(centres)))
    return np.asarray(tree.nearest(shapely.points(points)), dtype=np.int64)


def _lloyd(points: Floats, centres_n: int, rng: np.random.Generator, *, steps: int = 8) -> Floats:
    """Spread centres over points by Lloyd's algorithm."""
    centres = points[rng.choice(len(points), centres_n, replace=False)]
    for _ in range(steps):
        nearest = np.argmin(((points[:, None, :] - centres[None]) ** 2).sum(axis=2), axis=1)
        counts = np.maximum(np.bincount(nearest, minlength=centres_n), 1)
        centres = np.column_stack([np.bincount(nearest, weights=points[:, axis], minlength=centres_n) / counts for axis in (0, 1)])
    return np.asarray(centres)


def _voronoi(seeds: Floats, outline: Any) -> Any:
    import shapely

    diagram = shapely.voronoi_polygons(shapely.multipoints(seeds), extend_to=outline, ordered=True)
    clipped = shapely.intersection(shapely.get_parts(diagram), outline)
    return shapely.transform(clipped, lambda xy: np.round(xy, 2))


def _number_microgrids(micro: Any, areas: pl.DataFrame) -> Any:
    """Number micro-grids and grids within their base area, north to south and west to east."""
    centre = micro.geometry.representative_point()
    micro["band"], micro["east"] = -(centre.y // 250), centre.x
    micro = micro.sort_values(["area_code", "band", "east"], kind="stable").reset_index(drop=True)
    micro["number"] = micro.groupby("area_code").cumcount() + 1
    micro["code"] = micro["area_code"] + micro["number"].map("{:03d}".format)
    short = dict(zip(areas["code"], areas["name"].str.replace(r"(社区居委会|居委会|村委会)$", ""), strict=True))
    micro["area_name"] = micro["area_code"].map(short)
    micro["name"] = micro["area_name"] + "第" + micro["number"].map(str) + "微格"
    micro["grid_number"] = (micro["number"] - 1) // 6 + 1
    micro["parent"] = micro["area_code"] + micro["grid_number"].map("{:02d}".format)
    return micro.drop(columns=["band", "east", "area"])


def _populate(micro: Any, rng: np.random.Generator) -> None:
    density = micro["area_street"].map({code: value[2] for code, value in _STREETS.items()}).to_numpy()
    weight = density**0.5 * np.sqrt(micro.geometry.area.to_numpy()) * rng.gamma(5.0, 0.2, size=len(micro))
    micro["population"] = np.maximum(np.round(weight / weight.sum() * POPULATION_N), 20).astype(int)


def _staff(micro: Any, rng: np.random.Generator) -> None:
    """Give every micro-grid its staff reporter and volunteer, but for the planted few that break the rule."""
    micro["staff"] = 1 + (micro["population"] > 380).astype(int)
    micro["volunteers"] = 1 + (rng.random(len(micro)) < 0.25).astype(int)
    broken = rng.choice(len(micro), UNSTAFFED_N + WITHOUT_VOLUNTEER_N, replace=False)
    micro.loc[broken[:UNSTAFFED_N], "staff"] = 0
    micro.loc[broken[UNSTAFFED_N:], "volunteers"] = 0
    micro["elders"] = np.bincount(rng.choice(len(micro), ELDERS_N, replace=False), minlength=len(micro))


def _dissolve(micro: Any, column: str) -> Any:
    """Unite the micro-grids that share a code; rows in order of code."""
    import geopandas as gpd
    import shapely

    groups = micro.dropna(subset=[column]).groupby(column, sort=True)
    shapes = [shapely.coverage_union_all(group.geometry.to_numpy()) for _, group in groups]
    frame = groups.agg(
        street=("area_street", "first"),
        area_code=("area_code", "first"),
        area_name=("area_name", "first"),
        population=("population", "sum"),
    )
    frame.index.name = "code"
    return gpd.GeoDataFrame(frame.reset_index(), geometry=shapes, crs=METRIC)


def _streets(micro: Any) -> Any:
    streets = _dissolve(micro, "area_street")
    names = pl.read_csv(boundaries_folder("luqiao") / "streets_331004.csv", infer_schema_length=0)
    streets["name"] = streets["code"].map(dict(zip(names["code"], names["name"], strict=True)))
    streets["parent"] = "331004"
    return streets[["code", "name", "parent", "population", "geometry"]]


def _union(micro: Any, column: str) -> Any:
    frame = _dissolve(micro, column)
    names = pl.read_csv(boundaries_folder("luqiao") / "villages_331004.csv", infer_schema_length=0)
    frame["name"] = frame["code"].map(dict(zip(names["code"], names["name"], strict=True)))
    frame["parent"] = frame["street"]
    return frame[["code", "name", "parent", "population", "geometry"]]


def _grids(micro: Any) -> Any:
    grids = _dissolve(micro, "parent")
    grids["name"] = grids["area_name"] + "第" + grids["code"].str[-2:].astype(int).map(str) + "网格"
    grids["parent"] = grids["area_code"]
    return grids[["code", "name", "parent", "population", "geometry"]]


def _overlays(micro: Any, outline: Any, rng: np.random.Generator) -> Any:
    """Draw new-resident micro-grids: rounds that cut across ordinary ones, some without a shape."""
    import geopandas as gpd
    import shapely

    chosen = micro.iloc[np.sort(rng.choice(len(micro), OVERLAYS_N, replace=False))].reset_index(drop=True)
    rounds = shapely.buffer(chosen.geometry.representative_point().to_numpy(), rng.uniform(90, 320, OVERLAYS_N), quad_segs=4)
    shapes = shapely.transform(shapely.intersection(rounds, outline), lambda xy: np.round(xy, 2))
    shapes[rng.choice(OVERLAYS_N, SHAPELESS_N, replace=False)] = None
    number = chosen.groupby("area_code").cumcount() + 1
    frame = {
        "code": chosen["area_code"] + (800 + number).map(str),
        "name": chosen["area_name"] + "新居民第" + number.map(str) + "微格",
        "parent": chosen["area_code"],
        "staff": 1,
        "volunteers": 1,
    }
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=METRIC)
