"""Bad geometries: faults E 63 to 71. The number of a fault stands in its test's name."""

import sqlite3
import struct
import time

import geopandas as gpd
import numpy as np
import pytest
import shapely

from cloudmap.city import UnitFields
from cloudmap.errors import BoundaryError, SourceError
from cloudmap.geo.boundaries import check_units, read_units
from cloudmap.ingest import shapes
from cloudmap.ingest.layers import read_layer
from tests.geo.squares import SIDE, SOUTH, WEST, square
from tests.geo.test_boundaries import SQUARES, city_of, drawn, problems_of
from tests.ingest.three_squares import SQUARE, geojson, ring

BOW_TIE = ring((121.35, 28.55), (121.36, 28.56), (121.36, 28.55), (121.35, 28.56), (121.35, 28.55))


def test_fault_63_bow_tie_is_mended_and_the_change_of_area_shown(tmp_path):
    layer = read_layer(geojson(tmp_path / "a.geojson", [SQUARE, BOW_TIE]))
    assert layer.frame.geometry.is_valid.all()
    assert layer.repairs == {"shape_mended": 1}
    before, after = layer.mended[1]
    half = shapely.box(121.35, 28.55, 121.36, 28.56)
    assert before == pytest.approx(0, abs=1)
    assert after == pytest.approx(gpd.GeoSeries([half], crs=4326).to_crs(4549).area.iloc[0] / 2, rel=0.01)
    assert any(line.startswith("feature 2: Self-intersection: mended, area 0 -> 54") for line in layer.evidence), layer.evidence


def test_fault_63_base_map_names_the_mended_unit(tmp_path):
    tie = shapely.Polygon([(WEST, SOUTH), (WEST + SIDE, SOUTH + SIDE), (WEST + SIDE, SOUTH), (WEST, SOUTH + SIDE)])
    city = city_of(tmp_path, a=("street", drawn([tie, SQUARES[1]])))
    (found,) = problems_of(city, "repaired")
    assert found.codes == ("c1",)
    assert found.area_m2 > 1_000_000


def test_fault_64_unclosed_ring_is_closed_and_flagged(tmp_path):
    layer = read_layer(geojson(tmp_path / "a.geojson", [ring((121.35, 28.55), (121.36, 28.55), (121.36, 28.56), (121.35, 28.56))]))
    assert layer.frame.geometry.iloc[0].equals(shapely.box(121.35, 28.55, 121.36, 28.56))
    assert layer.repairs == {"ring_closed": 1}


@pytest.mark.parametrize("points", [((121.35, 28.55), (121.36, 28.55)), ((121.35, 28.55), (121.36, 28.55), (121.35, 28.55))])
def test_fault_65_two_point_ring_is_set_aside_and_the_rest_read(tmp_path, points):
    layer = read_layer(geojson(tmp_path / "a.geojson", [SQUARE, ring(*points)]))
    assert layer.frame.geometry.isna().tolist() == [False, True]
    assert layer.rejected.select("line_no", "field", "rule").rows() == [(2, "geometry", "two_point_ring")]
    assert "ring_closed" not in layer.repairs
    with pytest.raises(SourceError, match=r"not one of 1 shapes"):
        read_layer(geojson(tmp_path / "b.geojson", [ring(*points)]))


def test_fault_65_base_map_names_the_unit(tmp_path):
    city = city_of(tmp_path, a=("street", drawn()))
    geojson(tmp_path / "a.geojson", [SQUARE, ring((121.35, 28.55), (121.36, 28.55))], name=["甲", "乙"])
    table = city.units[0].model_copy(update={"path": tmp_path / "a.geojson"})
    units = read_units(city.model_copy(update={"units": (table,)}))
    assert units.frame("street").geometry.notna().tolist() == [True, False]
    assert [(one.kind, one.codes) for one in units.problems] == [("quarantined", ("u1",)), ("no_shape", ("u1",))]


def test_nan_coordinates_are_set_aside():
    wkb = np.array(
        [shapely.to_wkb(shapely.Polygon([(0, 0), (1, 0), (1, np.nan), (0, 0)])), shapely.to_wkb(shapely.box(0, 0, 1, 1))], dtype=object
    )
    sound = shapes.sound_shapes(wkb, degrees=True, name="a")
    assert sound.rejected[0][0] == "not_finite"
    assert sound.shapes[1].equals(shapely.box(0, 0, 1, 1))


def test_fault_66_a_million_vertices_are_refused_quickly():
    angle = np.linspace(0, 2 * np.pi, 1_000_000, endpoint=False)
    wkb = np.array([shapely.to_wkb(shapely.Polygon(np.column_stack([np.cos(angle), np.sin(angle)])))], dtype=object)
    start = time.process_time()
    with pytest.raises(SourceError, match=r"feature 1 has 1,000,001 vertices, over the limit"):
        shapes.sound_shapes(wkb, degrees=False, name="a")
    assert time.process_time() - start < 5


def test_fault_67_crossing_800_gon_is_refused_within_ten_seconds(tmp_path):
    corners = np.random.default_rng(0).uniform((121.3, 28.5), (121.4, 28.6), (800, 2)).tolist()
    path = geojson(tmp_path / "a.geojson", [SQUARE, ring(*corners, corners[0])])
    start = time.process_time()
    with pytest.raises(SourceError, match=r"feature 2 crosses itself more than 1,000 times \(801 vertices\)"):
        read_layer(path)
    assert time.process_time() - start < 10


def test_fault_67_a_few_crossings_of_a_long_boundary_are_mended():
    angle = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    points = np.column_stack([np.cos(angle), np.sin(angle)])
    points[100:200] = points[100:200][::-1]
    tangled = shapely.Polygon(points)
    assert not tangled.is_valid
    assert not shapes.crosses_too_often(tangled)


def test_fault_68_overlap_gap_and_sliver_are_listed_with_codes_area_and_tie_rule(tmp_path):
    metre = 1 / 98_000
    around = [
        shapely.box(WEST, SOUTH, WEST + SIDE + 50 * metre, SOUTH + SIDE),  # overlaps its right neighbour by 50 m
        shapely.box(WEST + SIDE, SOUTH, WEST + 2 * SIDE, SOUTH + SIDE),
        shapely.box(WEST + 2 * SIDE - 0.5 * metre, SOUTH, WEST + 3 * SIDE, SOUTH + SIDE),  # sliver of half a metre
        square(0, 1),
        square(2, 1),
        square(0, 2, 3, 1),  # leaves a hole of one square in the middle
    ]
    city = city_of(tmp_path, a=("grid", drawn(around)))
    found = {(one.kind, one.codes): one for one in problems_of(city, "overlap", "gap", "sliver")}
    assert found.keys() == {
        ("overlap", ("c1", "c2")),
        ("sliver", ("c2", "c3")),
        ("gap", ("c1", "c2", "c3", "c4", "c5", "c6")),
    }
    assert found["overlap", ("c1", "c2")].area_m2 == pytest.approx(50 * SIDE * 110_900, rel=0.02)
    assert "points there go to c1, the lower code" in found["overlap", ("c1", "c2")].message
    assert found["gap", ("c1", "c2", "c3", "c4", "c5", "c6")].area_m2 == pytest.approx(SIDE * SIDE * 98_000 * 110_900, rel=0.02)


def test_fault_68_rounding_is_no_overlap(tmp_path):
    wobbly = [shapely.affinity.translate(one, 1e-8 * k, -1e-8 * k) for k, one in enumerate(SQUARES)]
    city = city_of(tmp_path, a=("grid", drawn(wobbly)))
    assert check_units(city, read_units(city)) == []


def test_fault_69_duplicate_code_with_the_same_dates_is_refused(tmp_path):
    with pytest.raises(BoundaryError, match=r"level street: code a \(第2\) is used twice with the same dates"):
        read_units(city_of(tmp_path, a=("street", drawn(code=["a", "a", "b"]))))


DATED = UnitFields(code="code", name="name", valid_from="since", valid_to="until")


def dated(spans):
    return drawn([SQUARES[0]] * len(spans), code=["a"] * len(spans), since=[one[0] for one in spans], until=[one[1] for one in spans])


def test_fault_69_versions_that_overlap_in_time_are_refused(tmp_path):
    spans = [("2016-01-01", "2018-01-01"), ("2017-06-01", None)]
    with pytest.raises(BoundaryError, match="two versions in force on 2017-06-01"):
        read_units(city_of(tmp_path, a=("street", dated(spans), {"fields": DATED})))


def test_fault_70_validity_gap_of_a_code_is_refused(tmp_path):
    spans = [("2016-01-01", "2017-01-01"), ("2017-03-01", None)]
    with pytest.raises(BoundaryError, match="code a is not in force from 2017-01-01 to 2017-03-01: give the missing version"):
        read_units(city_of(tmp_path, a=("street", dated(spans), {"fields": DATED})))


def test_fault_70_dates_in_the_wrong_order_are_refused(tmp_path):
    with pytest.raises(BoundaryError, match=r"ends \(2016-01-01\) before it begins"):
        read_units(city_of(tmp_path, a=("street", dated([("2017-01-01", "2016-01-01")]), {"fields": DATED})))


def test_fault_70_versions_that_meet_are_sound(tmp_path):
    city = city_of(tmp_path, a=("street", dated([(None, "2017-01-01"), ("2017-01-01", None)]), {"fields": DATED}))
    assert check_units(city, read_units(city)) == []


def test_fault_70_ground_that_nobody_takes_over_is_listed(tmp_path):
    frame = drawn(code=["a", "b", "c"], since=[None, None, "2017-01-01"], until=["2016-06-01", None, None])
    frame.loc[2, "geometry"] = SQUARES[0]
    (found,) = problems_of(city_of(tmp_path, a=("street", frame, {"fields": DATED})), "validity_gap")
    assert found.codes == ("a", "c")
    assert "from 2016-06-01 to 2017-01-01" in found.message


def test_fault_71_collection_height_and_curve_are_made_plain_and_flagged(tmp_path):
    line = {"type": "LineString", "coordinates": [[121.35, 28.55], [121.37, 28.55]]}
    tall = ring(*[(*point, 7.5) for point in SQUARE["coordinates"][0]])
    layer = read_layer(geojson(tmp_path / "a.geojson", [{"type": "GeometryCollection", "geometries": [SQUARE, line]}, tall]))
    assert layer.frame.geom_type.isin(["Polygon", "MultiPolygon"]).all()
    assert layer.repairs == {"collection_unwrapped": 1, "height_dropped": 1}
    assert any("1 part(s) of lower dimension left out" in one for one in layer.evidence)


def test_fault_71_curved_boundary_is_straightened_and_flagged(tmp_path):
    path = tmp_path / "a.gpkg"
    drawn(SQUARES[:2]).to_crs("EPSG:4549").to_file(path, layer="a", driver="GPKG")
    arc = [(630_000, 3_160_000), (631_000, 3_161_000), (632_000, 3_160_000), (631_000, 3_159_000), (630_000, 3_160_000)]
    curve = struct.pack("<BII", 1, 10, 1) + struct.pack("<BII", 1, 8, len(arc)) + b"".join(struct.pack("<dd", *one) for one in arc)
    base = sqlite3.connect(path)
    for (trigger,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'rtree%'").fetchall():
        base.execute(f'DROP TRIGGER "{trigger}"')
    head = base.execute("SELECT substr(geom, 1, 8) FROM a").fetchone()[0]
    base.execute("UPDATE a SET geom = ? WHERE fid = 1", (head[:3] + bytes([head[3] & ~0x0E]) + head[4:8] + curve,))
    base.commit()
    base.close()
    layer = read_layer(path)
    assert layer.repairs == {"curve_straightened": 1}
    assert layer.frame.geometry.area.iloc[0] == pytest.approx(np.pi * 1e6, rel=0.01)
