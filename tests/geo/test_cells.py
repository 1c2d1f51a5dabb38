"""Cells equal those of the C library, keep their ids, and have real areas."""

import h3
import numpy as np
import polars as pl
import pytest
import shapely

from cloudmap.errors import AnalysisError, CoordinateError
from cloudmap.geo import cells

LUQIAO = (121.37, 28.55)


@pytest.mark.parametrize("resolution", [8, 9, 10])
def test_equals_the_reference_library_directly_at_each_resolution(resolution):
    rng = np.random.default_rng(resolution)
    lon, lat = rng.uniform(121.2, 121.7, 3000), rng.uniform(28.4, 28.7, 3000)
    expected = [h3.latlng_to_cell(b, a, resolution) for a, b in zip(lon, lat, strict=True)]
    found = cells.assign(lon, lat, resolution)
    assert found.dtype == pl.Int64
    assert cells.to_hex(found).to_list() == expected


def test_a_parent_would_be_another_cell_for_some_points():
    rng = np.random.default_rng(3)
    lon, lat = rng.uniform(121.2, 121.7, 3000), rng.uniform(28.4, 28.7, 3000)
    direct = cells.to_hex(cells.assign(lon, lat, 9)).to_list()
    parents = [h3.cell_to_parent(one, 9) for one in cells.to_hex(cells.assign(lon, lat, 10)).to_list()]
    different = np.mean([a != b for a, b in zip(direct, parents, strict=True)])
    assert 0.05 < different < 0.09


def test_no_position_has_no_cell():
    lon = [121.37, None, float("nan"), float("inf"), 28.55, 181.0, 121.37]
    lat = [28.55, 28.55, 28.55, 28.55, 121.37, 28.55, None]
    assert cells.assign(lon, lat, 9).is_null().to_list() == [False, True, True, True, True, True, True]
    assert cells.assign([], [], 9).to_list() == []


def test_a_resolution_or_a_pair_that_is_none_is_refused():
    with pytest.raises(CoordinateError, match="0 to 15"):
        cells.assign([121.37], [28.55], 16)
    with pytest.raises(CoordinateError, match="pairs"):
        cells.assign([121.37, 121.38], [28.55], 9)


def test_ids_survive_writing_and_reading_with_nulls():
    ids = cells.assign([121.37, None, -71.06], [28.55, 1.0, 42.36], 10)
    assert cells.from_hex(cells.to_hex(ids)).to_list() == ids.to_list()


@pytest.mark.parametrize(("wrong", "why"), [(["zz"], "is no H3 cell"), ([17], "is no H3 cell"), ([6.2e17], "a float changes them")])
def test_what_is_no_cell_is_refused(wrong, why):
    with pytest.raises(AnalysisError, match=why):
        cells.as_int64(wrong)


def test_areas_are_real():
    area = cells.areas_m2(cells.assign(*[[one] for one in LUQIAO], 9))
    assert area[0] == pytest.approx(85_630, rel=0.01)
    assert cells.areas_m2(cells.assign(*[[one] for one in LUQIAO], 10))[0] == pytest.approx(12_233, rel=0.01)


def test_polygons_are_those_of_the_reference_library():
    pentagon = h3.get_pentagons(9)[0]
    ids = [h3.latlng_to_cell(28.55, 121.37, 9), pentagon]
    for polygon, cell in zip(cells.cell_polygons(ids), ids, strict=True):
        expected = [(lon, lat) for lat, lon in h3.cell_to_boundary(cell)]
        np.testing.assert_allclose(shapely.get_coordinates(polygon)[:-1], expected, atol=1e-9)
    assert len(cells.cell_polygons([])) == 0


def test_a_point_lies_in_the_polygon_of_its_cell():
    rng = np.random.default_rng(5)
    lon, lat = rng.uniform(121.2, 121.7, 500), rng.uniform(28.4, 28.7, 500)
    polygons = cells.cell_polygons(cells.assign(lon, lat, 9))
    # Hexagon sides are arcs, polygons are straight in degrees: 1e-7 degrees apart at most.
    assert shapely.dwithin(polygons, shapely.points(lon, lat), 1e-7).all()


def test_cover_has_cells_by_centre_and_those_with_reports():
    outline = shapely.box(121.30, 28.50, 121.34, 28.54)
    far = cells.assign([121.9], [28.9], 9)
    near = cells.assign([121.32], [28.52], 9)
    frame = cells.cover(outline, 9, extra=pl.concat([far, near, near, pl.Series([None], dtype=pl.Int64)]))
    centres = [h3.cell_to_latlng(one) for one in frame["place"]]
    inside = [outline.covers(shapely.Point(lon, lat)) for lat, lon in centres]
    assert frame["place"][~np.array(inside)].tolist() == cells.to_hex(far).to_list()
    assert frame["cell"].is_monotonic_increasing
    assert frame["cell"].is_unique
    assert frame["cell"].dtype == np.int64
    assert sum(inside) == pytest.approx(outline.area / shapely.area(frame.geometry.to_numpy()).mean(), rel=0.05)
    assert list(frame.columns) == ["cell", "place", "area_m2", "geometry"]
    assert frame.crs == "EPSG:4326"


def test_cover_of_two_parts_with_a_hole():
    ring = shapely.box(121.30, 28.50, 121.36, 28.56).difference(shapely.box(121.32, 28.52, 121.34, 28.54))
    both = shapely.union(ring, shapely.box(121.5, 28.5, 121.52, 28.52))
    frame = cells.cover(both, 9)
    assert both.covers(shapely.points([h3.cell_to_latlng(one)[::-1] for one in frame["place"]])).all()


def test_cover_refuses_another_resolution():
    with pytest.raises(AnalysisError, match="resolution 10"):
        cells.cover(shapely.box(121.30, 28.50, 121.34, 28.54), 9, extra=cells.assign([121.3], [28.5], 10))
