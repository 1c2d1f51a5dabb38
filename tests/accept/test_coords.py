"""Datum shifts against 80 reference pairs of four public implementations, and diagnosis of real projected files."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from cloudmap.geo.crs import diagnose_crs, shift
from cloudmap.ingest.layers import read_layer

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.accept

LIBRARIES = {"gcj02": ("eviltransform", "gcoord", "coordtransform", "prcoords"), "bd09": ("gcoord", "coordtransform", "prcoords")}


@pytest.fixture(scope="module")
def pairs():
    return pd.read_csv(DATA / "coords" / "gcj02_bd09_pairs_luqiao.csv")


def metres(lon, lat, true_lon, true_lat):
    return np.hypot((lon - true_lon) * np.cos(np.radians(true_lat)), lat - true_lat) * 111_195


@pytest.mark.parametrize(("datum", "library"), [(datum, one) for datum, libraries in LIBRARIES.items() for one in libraries])
def test_forward_within_two_centimetres_of_every_implementation(pairs, datum, library):
    lon, lat = shift(pairs["wgs84_lon"], pairs["wgs84_lat"], source="wgs84", target=datum)
    assert len(pairs) == 80
    assert metres(lon, lat, pairs[f"{datum}_lon_{library}"], pairs[f"{datum}_lat_{library}"]).max() < 0.02


@pytest.mark.parametrize(("datum", "library"), [(datum, one) for datum, libraries in LIBRARIES.items() for one in libraries])
def test_inverse_within_twenty_centimetres(pairs, datum, library):
    lon, lat = shift(pairs[f"{datum}_lon_{library}"], pairs[f"{datum}_lat_{library}"], source=datum, target="wgs84")
    assert metres(lon, lat, pairs["wgs84_lon"], pairs["wgs84_lat"]).max() < 0.2


def test_shift_sizes_are_those_of_the_reference(pairs):
    for datum, low, high in (("gcj02", 533, 550), ("bd09", 1060, 1125)):
        lon, lat = shift(pairs["wgs84_lon"], pairs["wgs84_lat"], source="wgs84", target=datum)
        moved = metres(lon, lat, pairs["wgs84_lon"], pairs["wgs84_lat"])
        assert low < moved.min() < moved.max() < high


@pytest.mark.parametrize(
    ("outline", "points", "columns", "code"),
    [
        ("portland/portland_neighborhoods.geojson", "portland/crimes_bur.csv.gz", ("x_coordina", "y_coordina"), "EPSG:2913"),
        ("portland/portland_neighborhoods.geojson", "portland/crimes_veh.csv.gz", ("x_coordina", "y_coordina"), "EPSG:2913"),
        ("boston/boston_neighborhoods.geojson", "boston/boston_crash_sample.csv.gz", ("x_cord", "y_cord"), "EPSG:2249"),
        ("boston/boston_neighborhoods.geojson", "boston/boston_311_2015.csv.gz", ("LONGITUDE", "LATITUDE"), "EPSG:4326"),
        ("boston/boston_neighborhoods.geojson", "boston/boston_crime_sample.csv.gz", ("Long", "Lat"), "EPSG:4326"),
    ],
)
def test_real_files_tell_their_system(outline, points, columns, code):
    ground = read_layer(DATA / outline).frame.geometry.union_all()
    table = pd.read_csv(DATA / points, usecols=list(columns))
    verdict = diagnose_crs(table[columns[0]], table[columns[1]], outline=ground)
    assert code in (verdict.crs, *verdict.same_here), verdict.evidence
    assert any(code in line for line in verdict.evidence)


@pytest.mark.parametrize("datum", ["wgs84", "gcj02", "bd09"])
def test_feeds_of_luqiao_are_told_apart_on_its_real_outline(datum):
    ground = read_layer(DATA / "luqiao" / "luqiao_331004_mapchina.geojson").frame.geometry.union_all()
    points = gpd.GeoSeries([ground]).sample_points(4_000, rng=7).explode()
    verdict = diagnose_crs(*shift(points.x, points.y, source="wgs84", target=datum), outline=ground)
    assert verdict.crs == {"wgs84": "EPSG:4326"}.get(datum, datum), verdict.evidence
