from __future__ import annotations

import gzip
import json

import geopandas as gpd
import numpy as np
import shapely

from cloudmap.dashboard.shapes import pack, version
from tests.dashboard.fake_reader import FakeReader, cell_shapes, rivers


def unpack(shape: list) -> list[np.ndarray]:
    kind, parts = shape
    rings = [ring for part in parts for ring in part] if kind == "P" else parts
    return [np.cumsum(np.array(ring).reshape(-1, 2), axis=0) / 1e6 for ring in rings]


def test_cells_come_back_to_a_tenth_of_a_metre() -> None:
    shapes = cell_shapes(8)
    places, body = pack(shapes)
    packed = json.loads(gzip.decompress(body))
    assert packed["places"] == places == shapes["place"].to_list()
    for geometry, shape in zip(shapes.geometry, packed["shapes"], strict=True):
        assert np.abs(unpack(shape)[0] - np.array(geometry.exterior.coords)).max() <= 0.5e-6 + 1e-12


def test_packed_is_a_fraction_of_geojson() -> None:
    shapes = cell_shapes(9)
    assert len(pack(shapes)[1]) < len(shapes.to_json()) / 15


def test_lines_holes_and_parts_are_kept_and_missing_shapes_left_out() -> None:
    holed = shapely.Polygon([(0, 0), (4, 0), (4, 4), (0, 4)], [[(1, 1), (2, 1), (2, 2)]])
    shapes = [
        shapely.MultiPolygon([holed, shapely.box(5, 5, 6, 6)]),
        None,
        shapely.Polygon(),
        shapely.MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3)]]),
    ]
    frame = gpd.GeoDataFrame({"place": list("abcd"), "name": ["一", "二", "三", None]}, geometry=shapes, crs=4326)
    places, body = pack(frame)
    packed = json.loads(gzip.decompress(body))
    assert places == ["a", "d"]
    assert packed["names"] == ["一", "d"]
    assert [shape[0] for shape in packed["shapes"]] == ["P", "L"]
    assert [len(part) for part in packed["shapes"][0][1]] == [2, 1]


def test_packing_twice_gives_the_same_bytes() -> None:
    assert pack(rivers()) == pack(rivers())


def test_a_load_renews_cells_and_leaves_units() -> None:
    before, after = FakeReader(), FakeReader()
    after.analysed_load += 1
    for old, new in zip(before.layers(), after.layers(), strict=True):
        assert (version(before, old) != version(after, new)) == (old.kind == "cell")


def test_landmarks_are_points() -> None:
    points = [shapely.Point(121.3, 28.5), shapely.MultiPoint([(121.4, 28.6), (121.5, 28.7)])]
    packed = json.loads(
        gzip.decompress(pack(gpd.GeoDataFrame({"place": ["a", "b"], "name": ["x", "y"]}, geometry=points, crs="EPSG:4326"))[1])
    )
    assert [kind for kind, _ in packed["shapes"]] == ["D", "D"]
    steps = [np.cumsum(np.array(steps).reshape(-1, 2), axis=0) / 1e6 for _, steps in packed["shapes"]]
    assert steps[1].tolist() == [[121.4, 28.6], [121.5, 28.7]]
