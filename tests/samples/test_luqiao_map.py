"""The committed base map: real codes, nested shapes, planted gaps in staffing."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import polars as pl
import pytest
import shapely

from cloudmap.city import open_city
from cloudmap.geo.boundaries import check_units, read_units
from cloudmap.samples.luqiao_map import METRIC, draw_base_map
from cloudmap.samples.luqiao_places import EDGE_M, read_places

FOLDER = Path(__file__).parents[2] / "data" / "boundaries" / "luqiao"


def layer(name: str, **options) -> gpd.GeoDataFrame:
    frame = gpd.read_parquet(FOLDER / name) if name.endswith("parquet") else gpd.read_file(FOLDER / name, **options)
    return frame.to_crs(METRIC)


@pytest.fixture(scope="module")
def micro() -> gpd.GeoDataFrame:
    return layer("microgrids.gpkg", layer="微格")


@pytest.fixture(scope="module")
def overlays() -> gpd.GeoDataFrame:
    return layer("microgrids.gpkg", layer="新居民微格")


def test_there_are_2919_microgrids_of_which_318_are_overlays_some_without_a_shape(micro, overlays):
    assert (len(micro), len(overlays), overlays.geometry.isna().sum()) == (2601, 318, 96)
    codes = [*micro["代码"], *overlays["代码"]]
    assert len(set(codes)) == 2919
    assert {len(code) for code in codes} == {15}


def test_microgrids_are_a_partition(micro):
    shapes = micro.geometry.to_numpy()
    assert shapely.coverage_is_valid(shapes)
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_union_all(shapes).geom_type == "Polygon"


@pytest.mark.parametrize(
    ("name", "options", "column"),
    [
        ("streets.zip", {"encoding": "GBK"}, "街道代码"),
        ("communities.gpkg", {}, "社区代码"),
        ("villages.parquet", {}, "村代码"),
        ("grids.geojson", {}, "上级代码"),
    ],
)
def test_each_level_is_the_union_of_its_microgrids(micro, name, options, column):
    frame = layer(name, **options).set_index("代码")
    assert shapely.coverage_is_valid(frame.geometry.to_numpy())
    groups = micro.dropna(subset=[column]).groupby(column)
    assert set(groups.groups) == set(frame.index)
    for code, group in groups:
        apart = shapely.coverage_union_all(group.geometry.to_numpy()).symmetric_difference(frame.geometry[code]).area
        assert apart < 50  # GeoJSON keeps 7 decimals: about a centimetre along the edges
    assert (groups["人口"].sum() == frame["人口"]).all()


def test_fifteen_communities_and_villages_cover_the_same_ground(micro):
    both = micro.dropna(subset=["社区代码", "村代码"])
    assert len(set(zip(both["社区代码"], both["村代码"], strict=True))) == 15
    communities, villages = layer("communities.gpkg").set_index("代码"), layer("villages.parquet").set_index("代码")
    for community, village in set(zip(both["社区代码"], both["村代码"], strict=True)):
        assert communities.geometry[community].symmetric_difference(villages.geometry[village]).area < 1
    assert micro[["社区代码", "村代码"]].notna().any(axis=1).all()


def test_codes_and_names_are_those_of_the_list(micro):
    listed = dict(pl.read_csv(FOLDER / "villages_331004.csv", infer_schema=False).select("code", "name").iter_rows())
    for name in ("communities.gpkg", "villages.parquet"):
        frame = layer(name)
        assert all(listed[code] == title for code, title in zip(frame["代码"], frame["名称"], strict=True))
        assert (frame["代码"].str[:9] == frame["上级代码"]).all()
    assert set(layer("communities.gpkg")["代码"]) | set(layer("villages.parquet")["代码"]) == set(listed)
    assert (micro["代码"].str[:14].str[:12] == micro["上级代码"].str[:12]).all()


def test_numbers_run_from_north_to_south(micro):
    ys = micro.geometry.representative_point().y
    number = micro["代码"].str[-3:].astype(int)
    area = micro["代码"].str[:12]
    first, last = number == 1, number == number.groupby(area).transform("max")
    higher = ys[first].groupby(area).first() > ys[last].groupby(area).first()
    assert higher.mean() > 0.95


def test_242_elders_and_twelve_planted_breaks_of_the_staffing_rule(micro, overlays):
    assert micro["五老数"].sum() == 242
    assert (micro["网格员数"] == 0).sum() == 7
    assert (micro["志愿者数"] == 0).sum() == 5
    assert (overlays[["网格员数", "志愿者数"]] > 0).all(axis=None)


def test_the_base_map_check_finds_what_was_planted_and_nothing_else(truth, luqiao):
    city = open_city(luqiao)
    problems = check_units(city, read_units(city))
    assert {problem.kind for problem in problems} == {"unstaffed"}
    assert {code for problem in problems for code in problem.codes} == {
        *truth["base_map"]["without_staff"],
        *truth["base_map"]["without_volunteer"],
    }


def test_water_flows_into_water_that_exists():
    frames = [layer(f"{name}.geojson") for name in ("rivers", "canals", "lakes")]
    ids = {one for frame in frames for one in frame["id"]}
    into = {one for frame in frames for one in frame["downstream"].dropna()}
    assert into <= ids
    assert len(ids) == sum(map(len, frames))


def test_the_committed_map_is_what_the_generator_draws(micro):
    drawn = draw_base_map().microgrids
    assert list(drawn["code"]) == list(micro["代码"])
    assert (drawn["population"].to_numpy() == micro["人口"].to_numpy()).all()
    assert np.allclose(drawn.geometry.area, micro.geometry.area, atol=1)


def test_points_lie_well_inside_their_microgrid(micro):
    places = read_places()
    rng = np.random.default_rng(5)
    chosen = rng.integers(0, len(places.codes), 5_000)
    points = shapely.points(places.points_in(chosen, rng))
    edges = shapely.boundary(micro.geometry.to_numpy()[chosen])
    assert shapely.covers(micro.geometry.to_numpy()[chosen], points).all()
    assert shapely.distance(edges, points).min() > EDGE_M - 0.05
    away = shapely.distance(shapely.points(places.points_outside(500, rng, near=True)), places.outline)
    assert away.min() > 49
    assert away.max() < 51
