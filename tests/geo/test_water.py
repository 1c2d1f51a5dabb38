"""The water base map and landmarks."""

import geopandas as gpd
import pytest
import shapely

from cloudmap.city import City, CitySection, LandmarkFields, LandmarkLayer, WaterFields, WaterLayer
from cloudmap.errors import BoundaryError
from cloudmap.geo.water import check_water, read_landmarks, read_water
from tests.geo.squares import SOUTH, WEST, square

CANAL = shapely.LineString([(WEST, SOUTH), (WEST + 0.03, SOUTH + 0.01)])


def city_of(folder, *, water=(), landmarks=()):
    def saved(tables, kind):
        made = []
        for number, (frame, settings) in enumerate(tables):
            path = folder / f"{kind.__name__}{number}.gpkg"
            path.unlink(missing_ok=True)
            frame.to_file(path, layer="w", driver="GPKG")
            made.append(kind(path=path.name, **settings))
        return tuple(made)

    head = CitySection(name_zh="路桥", name_en="Luqiao", code="331004")
    return City(folder=folder, city=head, water=saved(water, WaterLayer), landmarks=saved(landmarks, LandmarkLayer))


def drawn(shapes, **columns):
    return gpd.GeoDataFrame(columns or {"x": range(len(shapes))}, geometry=list(shapes), crs="EPSG:4326")


def test_lines_and_polygons_of_several_layers_become_one_water_map(tmp_path):
    rivers = drawn([CANAL], 编号=["r1"], 名称=["南官河"], 流入=["l1"]).to_crs("EPSG:4550")
    lakes = drawn([square(1, 1)], 编号=["l1"], 名称=[None])
    city = city_of(
        tmp_path,
        water=[
            (rivers, {"kind": "canal", "fields": WaterFields(id="编号", name="名称", downstream="流入")}),
            (lakes, {"kind": "lake", "fields": WaterFields(id="编号", name="名称")}),
        ],
    )
    water = read_water(city)
    assert water.columns.tolist() == ["id", "kind", "name", "downstream", "geometry"]
    assert water[["id", "kind", "name", "downstream"]].to_numpy(dtype=object).tolist() == [
        ["r1", "canal", "南官河", "l1"],
        ["l1", "lake", None, None],
    ]
    assert water.crs.to_epsg() == 4326
    assert water.geometry.iloc[0].hausdorff_distance(CANAL) < 1e-8
    assert check_water(city) == []


def test_ids_made_up_are_the_same_in_any_order_and_distinct(tmp_path):
    shapes = [square(0, 0), square(1, 0), CANAL]
    first = read_water(city_of(tmp_path, water=[(drawn(shapes), {"kind": "river"})]))
    again = read_water(city_of(tmp_path, water=[(drawn(shapes[::-1]), {"kind": "river"})]))
    assert first["id"].is_unique
    assert first["id"].tolist() == again["id"].tolist()[::-1]
    twice = read_water(city_of(tmp_path, water=[(drawn([CANAL, CANAL]), {"kind": "river"})]))
    assert twice["id"].is_unique


def test_one_id_for_two_waters_is_refused(tmp_path):
    frame = drawn([CANAL, square(0, 0)], id=["w", "w"])
    with pytest.raises(BoundaryError, match=r"id\(s\) w used twice"):
        read_water(city_of(tmp_path, water=[(frame, {"kind": "river", "fields": WaterFields(id="id")})]))


def test_points_are_no_water(tmp_path):
    point = shapely.Point(WEST, SOUTH)
    with pytest.raises(BoundaryError, match="no line or polygon"):
        read_water(city_of(tmp_path, water=[(drawn([point]), {"kind": "lake"})]))
    city = city_of(tmp_path, water=[(drawn([point, square(0, 0)]), {"kind": "lake"})])
    assert len(read_water(city)) == 1
    assert [one.kind for one in check_water(city)] == ["no_shape"]


def test_water_that_flows_nowhere_known_is_told(tmp_path):
    frame = drawn([CANAL], id=["r1"], to=["sea"])
    city = city_of(tmp_path, water=[(frame, {"kind": "river", "fields": WaterFields(id="id", downstream="to")})])
    (found,) = check_water(city)
    assert (found.kind, found.codes) == ("unknown_downstream", ("r1",))


def test_a_city_without_water_has_an_empty_frame(tmp_path):
    water = read_water(city_of(tmp_path))
    assert len(water) == 0
    assert water.columns.tolist() == ["id", "kind", "name", "downstream", "geometry"]


def test_landmarks_are_points_on_what_was_drawn(tmp_path):
    frame = drawn([square(0, 0), shapely.Point(WEST, SOUTH)], name=["市场", "学校"])
    marks = read_landmarks(city_of(tmp_path, landmarks=[(frame, {"kind": "market", "fields": LandmarkFields(name="name")})]))
    assert marks.columns.tolist() == ["id", "kind", "name", "geometry"]
    assert marks["name"].tolist() == ["市场", "学校"]
    assert (marks.geom_type == "Point").all()
    assert square(0, 0).contains(marks.geometry.iloc[0])
