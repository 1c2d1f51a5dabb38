"""Tiles of many places: every place is in the tiles that it touches, whole, and none is lost or simplified."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import h3
import numpy as np
import pytest
import shapely

from cloudmap.errors import CoordinateError
from cloudmap.geo.cells import areas_m2, cell_polygons
from cloudmap.geo.tiles import LAYER, SMALLEST_PX, write_tiles, zoom_of_cells, zoom_of_width

EQUATOR_M = 40_075_016.686


@pytest.fixture(scope="module")
def cells() -> gpd.GeoDataFrame:
    places = sorted(h3.grid_disk(h3.latlng_to_cell(28.58, 121.37, 10), 30))
    return gpd.GeoDataFrame({"place": places, "area_m2": areas_m2(places)}, geometry=cell_polygons(places), crs=4326)


def test_every_place_is_in_the_archive_with_its_row_and_its_shape(cells: gpd.GeoDataFrame, tmp_path: Path) -> None:
    file = tmp_path / "cells.pmtiles"
    file.write_bytes(write_tiles(cells, 12))
    read = gpd.read_file(file, layer=LAYER).to_crs(4326).drop_duplicates("place").set_index("i").sort_index()
    assert list(read.index) == list(range(len(cells)))
    assert list(read["place"]) == list(cells["place"])
    # Corners stand on a lattice of 16,384 steps a tile: 0.6 m at this zoom.
    apart = [shapely.hausdorff_distance(a, b) for a, b in zip(read.to_crs(4549).geometry, cells.to_crs(4549).geometry, strict=True)]
    # Reading joins no pieces, so that a few cells on the edge of a tile come cut.
    assert np.quantile(apart, 0.95) < 1.0


def test_the_archive_is_a_pmtiles_file_of_one_zoom(cells: gpd.GeoDataFrame) -> None:
    archive = write_tiles(cells, 12)
    assert archive[:8] == b"PMTiles\x03"
    assert (archive[100], archive[101]) == (12, 12)  # min_zoom, max_zoom


def test_a_cell_is_eight_pixels_wide_from_its_zoom_on(cells: gpd.GeoDataFrame) -> None:
    zoom = zoom_of_cells(cells)
    metre_px = EQUATOR_M * np.cos(np.radians(28.58)) / (512 * 2**zoom)
    west, _, east, _ = cells.to_crs(4549).geometry.iloc[0].bounds
    assert pytest.approx((east - west) / metre_px, rel=0.15) == SMALLEST_PX
    assert zoom_of_width(200, 0) == pytest.approx(zoom_of_width(100, 0) - 1)


def test_a_width_of_nothing_is_refused() -> None:
    with pytest.raises(CoordinateError, match="above 0"):
        zoom_of_width(0, 30)
