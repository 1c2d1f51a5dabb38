"""Ground by distance to water: against areas worked out by hand."""

import geopandas as gpd
import numpy as np
import polars as pl
import pytest
import shapely
from pyproj import Transformer

from cloudmap.errors import BoundaryError
from cloudmap.geo.bands import band_areas
from tests.geo.test_reaches import METRIC, X, Y

EDGES = (0, 50, 100, 200, 500)


def _water(reaches):
    shapes = [shapely.transform(shape, lambda xy: xy + np.array([X, Y])) for _, shape in reaches]
    frame = {"id": [f"w{at}" for at in range(len(reaches))], "kind": [kind for kind, _ in reaches], "name": None, "downstream": None}
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=METRIC).to_crs("EPSG:4326")


def _ground(west, south, east, north):
    to_degrees = Transformer.from_crs(METRIC, "EPSG:4326", always_xy=True)
    ring = np.array(shapely.box(west, south, east, north).segmentize(50).exterior.coords) + np.array([X, Y])
    return shapely.Polygon(np.column_stack(to_degrees.transform(ring[:, 0], ring[:, 1])))


def _area(table, kind, low):
    return table.filter((pl.col("kind") == kind) & (pl.col("band_from_m") == low))["area_m2"].sum()


def test_a_straight_canal_gives_strips_and_the_rest_lies_beyond():
    table = band_areas(_water([("canal", shapely.LineString([(-900, 0), (2900, 0)]))]), _ground(0, -1000, 2000, 1000), EDGES, METRIC)
    for low, high in ((0, 50), (50, 100), (100, 200), (200, 500)):
        assert _area(table, "ALL", low) == pytest.approx(2 * 2000 * (high - low), rel=0.01)
        assert _area(table, "canal", low) == _area(table, "ALL", low)
    assert _area(table, "ALL", 500) == pytest.approx(2 * 2000 * 500, rel=0.01)
    assert table.filter((pl.col("kind") == "canal") & pl.col("band_to_m").is_null()).is_empty()
    assert table.filter(pl.col("kind") == "ALL")["area_m2"].sum() == pytest.approx(4e6, rel=1e-6)


def test_ground_between_two_waters_counts_once_for_the_nearer():
    """Two parallel lines 60 m apart: 30 m each between them, and 50 m outside each within the first band."""
    lines = [("canal", shapely.LineString([(-900, 0), (2900, 0)])), ("river", shapely.LineString([(-900, 60), (2900, 60)]))]
    table = band_areas(_water(lines), _ground(0, -1000, 2000, 1000), EDGES, METRIC)
    assert _area(table, "canal", 0) == pytest.approx(2000 * 80, rel=0.01)
    assert _area(table, "river", 0) == pytest.approx(2000 * 80, rel=0.01)
    for low in EDGES[:-1]:
        assert _area(table, "canal", low) + _area(table, "river", low) == pytest.approx(_area(table, "ALL", low))


def test_a_lake_itself_lies_in_the_first_band():
    table = band_areas(_water([("lake", shapely.box(800, -200, 1200, 200))]), _ground(0, -1000, 2000, 1000), EDGES, METRIC)
    assert _area(table, "lake", 0) == pytest.approx(400 * 400 + 4 * 400 * 50 + np.pi * 50**2, rel=0.01)


@pytest.mark.parametrize("edges", [(), (0,), (0, 100, 50), (0, 50, 50), (-50, 0, 50), (0, float("nan"))])
def test_edges_that_do_not_ascend_are_refused(edges):
    with pytest.raises(BoundaryError, match="must ascend"):
        band_areas(_water([("lake", shapely.box(0, 0, 1, 1))]), _ground(0, 0, 100, 100), edges, METRIC)


def test_an_outline_without_ground_is_refused():
    with pytest.raises(BoundaryError, match="no ground"):
        band_areas(_water([("lake", shapely.box(0, 0, 1, 1))]), shapely.LineString([(121, 28), (122, 28)]), EDGES, METRIC)
