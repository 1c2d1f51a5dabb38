"""Proposals for the shared real files: roles right, and loadable with no edit but the category table."""

import tomllib
from pathlib import Path

import polars as pl
import pytest

from cloudmap.city import City
from cloudmap.ingest.reports import read_reports
from cloudmap.ingest.taxonomy import read_taxonomy
from cloudmap.propose import propose_city

SHARED = Path(__file__).parents[2].parent / "shared" / "data"

pytestmark = pytest.mark.accept

REQUESTS = {
    "id": "CASE_ENQUIRY_ID", "category": "TYPE", "reported_at": "OPEN_DT", "closed_at": "CLOSED_DT", "due_at": "TARGET_DT",
    "state": "CASE_STATUS", "lon": "LONGITUDE", "lat": "LATITUDE", "unit_code": "neighborhood", "text": "CASE_TITLE", "address": "Location",
}  # fmt: skip
BURGLARY = {"category": "call_group_type", "occurred_at": "occ_date", "lon": "x_coordina", "lat": "y_coordina"}


@pytest.fixture(scope="module")
def boston(tmp_path_factory):
    files = [
        "boston_neighborhoods.geojson", "charles_river_water_bodies.geojson", "boston_311_2015.csv.gz", "boston_311_2025_sample.csv.gz",
        "boston_crime_sample.csv.gz", "boston_crash_sample.csv.gz",
    ]  # fmt: skip
    return proposed(tmp_path_factory.mktemp("boston"), *(SHARED / "boston" / name for name in files))


@pytest.fixture(scope="module")
def portland(tmp_path_factory):
    files = ["portland_neighborhoods.geojson", "crimes_bur.csv.gz", "crimes_veh.csv.gz"]
    return proposed(tmp_path_factory.mktemp("portland"), *(SHARED / "portland" / name for name in files))


def proposed(folder, *files):
    text = propose_city(folder, files)
    return City(folder=folder, **tomllib.loads(text)), text


def read(city, source_id):
    source = city.source(source_id)
    (path,) = city.source_files(source)
    with read_reports(city, source, path, read_taxonomy(city)) as reader:
        batches = list(reader.batches())
    return pl.concat([one.rows for one in batches]), pl.concat([one.rejected for one in batches])


def test_boston_base_map(boston):
    city, _ = boston
    assert city.city.timezone == "America/New_York"
    (unit,) = city.units
    assert (unit.level, unit.fields.code, unit.fields.name) == ("street", "cartodb_id", "name")
    assert [layer.kind for layer in city.water] == ["river"]


@pytest.mark.parametrize(
    ("source_id", "fields", "time_format", "records_n"),
    [
        ("boston_311_2015", REQUESTS, "%m/%d/%Y %I:%M:%S %p", 121_145),
        (
            "boston_311_2025_sample",
            {role: {"TARGET_DT": "sla_target_dt"}.get(name, name.lower()) for role, name in REQUESTS.items()},
            "%Y-%m-%d %H:%M:%S",
            2_424,
        ),
        (
            "boston_crime_sample",
            {
                "id": "INCIDENT_NUMBER",
                "category": "OFFENSE_DESCRIPTION",
                "occurred_at": "OCCURRED_ON_DATE",
                "lon": "Long",
                "lat": "Lat",
                "address": "STREET",
            },
            "%Y-%m-%d %H:%M:%S+00",
            16_050,
        ),
        (
            "boston_crash_sample",
            {"category": "mode_type", "reported_at": "dispatch_ts", "lon": "long", "lat": "lat", "address": "street"},
            "%Y-%m-%d %H:%M:%S+00",
            6_083,
        ),
    ],
)
def test_boston_sources(boston, source_id, fields, time_format, records_n):
    city, _ = boston
    source = city.source(source_id)
    assert source.fields == fields
    assert source.time_format == time_format
    assert source.crs == "EPSG:4326"
    rows, rejected = read(city, source_id)
    assert (rows.height, rejected.height) == (records_n, 0)


def test_boston_states_and_categories(boston):
    city, _ = boston
    assert city.source("boston_311_2015").states == {"Open": "open", "Closed": "closed"}
    table = pl.read_csv(city.folder / "categories_boston_311_2015.csv", infer_schema=False)
    assert table.height == 158
    crime = pl.read_csv(city.folder / "categories_boston_crime_sample.csv", infer_schema=False)
    codes = dict(zip(crime["raw"], crime["code"], strict=True))
    assert {codes["AUTO THEFT"], codes["ROBBERY"], codes["ASSAULT - SIMPLE"]} == {"PS01", "PS02", "PS04"}


def test_hours_of_the_crime_file_are_read_as_written(boston):
    city, _ = boston
    rows, _ = read(city, "boston_crime_sample")
    source = city.source("boston_crime_sample")
    hours = pl.read_csv(city.source_files(source)[0], infer_schema=False)["HOUR"].cast(pl.Int8)
    assert (rows["occurred_at"].dt.convert_time_zone("America/New_York").dt.hour() == hours).mean() > 0.999


@pytest.mark.parametrize(("source_id", "records_n"), [("crimes_bur", 5_364), ("crimes_veh", 9_842)])
def test_portland_sources(portland, source_id, records_n):
    city, text = portland
    source = city.source(source_id)
    assert source.fields == BURGLARY
    assert source.time_format == "%Y-%m-%d"
    # The same feet: each realisation of the datum lies within metres of the other here, and the evidence names them all.
    assert source.crs in {"EPSG:2913", "EPSG:2269"}
    assert "EPSG:2913" in text
    assert city.city.timezone == "America/Los_Angeles"
    rows, rejected = read(city, source_id)
    assert (rows.height, rejected.height) == (records_n, 0)


LONG, SHORT = ("区划代码", "县区名", "人口2010"), ("代码", "县区名", None)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("taizhou_gbk_nocpg.zip", LONG), ("taizhou_gbk_cpg.zip", LONG), ("taizhou_gbk_epsg4528.zip", LONG), ("taizhou.gpkg", LONG),
        ("taizhou_epsg4490.parquet", LONG), ("taizhou_utf8_cpg_epsg4549.zip", SHORT), ("taizhou_gbk_member_names.zip", SHORT),
    ],
)  # fmt: skip
def test_taizhou_layers(tmp_path, name, fields):
    city, _ = proposed(tmp_path, SHARED / "formats" / name)
    (unit,) = city.units
    assert (unit.level, unit.fields.code, unit.fields.name, unit.fields.population) == ("district", *fields)
    assert (unit.encoding == "gb18030") == ("gbk" in name)
    assert (city.city.code, city.city.timezone) == ("3310", "Asia/Shanghai")


def test_taizhou_field_names_cut_in_a_character(tmp_path):
    city, _ = proposed(tmp_path, SHARED / "formats" / "taizhou_utf8_truncated_fieldname_epsg4549.zip")
    assert city.units[0].fields.name == "县区名"
    assert city.units[0].fields.code.startswith("区划代")


def test_a_list_of_villages_is_no_report(tmp_path):
    city, text = proposed(tmp_path, SHARED / "formats" / "luqiao_villages_gbk.csv", SHARED / "luqiao" / "luqiao_331004_mapchina.geojson")
    assert not city.sources
    assert "NOT USED luqiao_villages_gbk.csv: 228 records" in text
    assert (city.units[0].fields.code, city.units[0].fields.name) == ("Code_County", "Name_County")
    assert city.city.name_zh == "路桥区"
