from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import zipfile

import pytest

from cloudmap.errors import SourceError
from cloudmap.ingest.opening import SKIPPED_DRIVERS, file_sha256, open_input

CSV = "id,kind\n1,灯\n".encode()
POINT = b'{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"a":1},"geometry":{"type":"Point","coordinates":[1,2]}}]}'


def test_a_plain_file_is_read_where_it_lies(tmp_path):
    path = tmp_path / "reports.csv"
    path.write_bytes(CSV)
    with open_input(path) as opened:
        assert (opened.kind, opened.path, opened.original, opened.name) == ("csv", path, path, "reports.csv")
    assert path.read_bytes() == CSV


@pytest.mark.parametrize("name", ["reports", "reports.dat", "reports.csv.GZ", "reports.csv.gz", "reports.gz"])
def test_names_that_promise_nothing_are_decided_by_content(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(CSV) if "gz" in name.lower() else CSV)
    with open_input(path, expect="table") as opened:
        assert opened.kind == "csv"
        assert opened.path.read_bytes() == CSV


def test_scratch_files_have_our_names_and_go_at_the_end(tmp_path):
    path = tmp_path / "a'; rm -rf x.csv.gz"
    path.write_bytes(gzip.compress(CSV))
    with open_input(path) as opened:
        plain = opened.path
        assert plain.name == "input.csv"
        assert plain.parent != tmp_path
    assert not plain.parent.exists()
    assert path.exists()


def test_a_kind_without_its_extension_is_linked_under_it(tmp_path):
    (tmp_path / "points").write_bytes(POINT)
    with open_input(tmp_path / "points") as opened:
        assert opened.kind == "geojson"
        assert opened.path.suffix == ".geojson"
        assert opened.path.read_bytes() == POINT
        assert opened.features is not None
        assert list(opened.features.properties) == ["a"]


def test_shapefile_parts_are_found_in_any_case_and_strangers_stay_outside(tmp_path):
    for suffix in (".SHP", ".dbf", ".Shx", ".prj", ".shp.xml", ".qix"):
        (tmp_path / f"streets{suffix}").write_bytes(b"\x00\x00\x27\x0a" + bytes(96))
    with open_input(tmp_path / "streets.SHP", expect="layer") as opened:
        assert opened.kind == "shapefile"
        assert opened.stem == "streets"
        assert sorted(one.name for one in opened.path.parent.iterdir()) == ["layer.dbf", "layer.prj", "layer.shp", "layer.shx"]


def test_zipped_shapefile_parts_share_one_stem(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for suffix in (".shp", ".SHX", ".dbf", ".cpg", ".sbn"):
            archive.writestr(f"folder/streets{suffix}", b"\x00\x00\x27\x0a" + bytes(96))
    with open_input(tmp_path / "a.zip") as opened:
        assert sorted(one.name for one in opened.path.parent.iterdir()) == ["layer.cpg", "layer.dbf", "layer.shp", "layer.shx"]
        assert opened.name == "streets.shp"


def test_kmz_is_a_zip_with_a_kml(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.kmz", "w") as archive:
        archive.writestr("doc.kml", "<kml xmlns='http://www.opengis.net/kml/2.2'><Document/></kml>")
    with open_input(tmp_path / "a.kmz") as opened:
        assert opened.kind == "kml"


def test_the_other_sort_is_refused_with_where_to_put_it(tmp_path):
    (tmp_path / "a.csv").write_bytes(CSV)
    with pytest.raises(SourceError, match=r"\[\[sources\]\]"):
        open_input(tmp_path / "a.csv", expect="layer")
    (tmp_path / "a.kml").write_text("<kml><Document/></kml>")
    with pytest.raises(SourceError, match=r"\[\[units\]\]"):
        open_input(tmp_path / "a.kml", expect="table")


def test_sha256_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(CSV * 1000)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(CSV * 1000).hexdigest()


def test_drivers_that_follow_files_are_off_before_gdal_loads():
    code = "import cloudmap.ingest.opening, pyogrio; print(sorted(pyogrio.list_drivers()))"
    environment = {**os.environ, "OGR_SKIP": "DXF"}
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout
    assert "'GPKG'" in listed
    for driver in ("DXF", *SKIPPED_DRIVERS.split(",")):
        assert f"'{driver}'" not in listed
