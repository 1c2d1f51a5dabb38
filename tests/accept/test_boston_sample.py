"""The committed Boston sample is the shared one, to the byte."""

import hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data" / "boston"

pytestmark = pytest.mark.accept

FILES = {
    "boston_311_2015.csv.gz": "samples",
    "boston_crime_sample.csv.gz": "samples",
    "boston_crash_sample.csv.gz": "samples",
    "boston_neighborhoods.geojson": "boundaries",
    "charles_river_water_bodies.geojson": "boundaries",
}


@pytest.mark.parametrize("name", FILES)
def test_the_sample_is_the_shared_file(name):
    ours, shared = ROOT / "data" / FILES[name] / "boston" / name, SHARED / name
    assert hashlib.sha256(ours.read_bytes()).digest() == hashlib.sha256(shared.read_bytes()).digest()
