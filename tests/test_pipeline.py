"""The whole flow on the small city: every record in one class, a repeat changes nothing, a kill loses nothing."""

import os
import subprocess
import sys

import polars as pl
import pytest

from cloudmap.city import open_city
from cloudmap.errors import AnalysisError, ConfigError, CoordinateError, StoreError
from cloudmap.geo.coordinates import shift
from cloudmap.pipeline import analyse, load, read
from cloudmap.store import open_store
from cloudmap.store.points import POINTS
from tests.conftest import HEADER, SOUTH, WEST, report_lines, write_city

DIRT = [
    "D1,路灯,2018-02-01 08:00:00,,处理中,,,中街,无坐标,U1",  # unmapped, the middle street named
    "D2,路灯,2018-02-01 08:00:00,,处理中,0,0,,零坐标,U1",  # unmapped (fault 49)
    f"D3,路灯,2018-02-01 08:00:00,,处理中,{SOUTH + 0.01},{WEST + 0.01},,经纬颠倒,U1",  # swapped (fault 50)
    "D4,路灯,2018-02-01 08:00:00,,处理中,NaN,28.51,,坏坐标,U1",  # quarantined (fault 51)
    "D5,路灯,2018-02-01 08:00:00,,处理中,120.10,28.51,,区外,U1",  # outside (fault 54)
    "D6,路灯,2999-02-01 08:00:00,,处理中,121.31,28.51,,将来,U1",  # quarantined (fault 55)
    "D7,路灯,2018-02-31 08:00:00,,处理中,121.31,28.51,,二月三十一,U1",  # quarantined (fault 56)
    "D8,路灯,2018-02-03 08:00:00,2018-02-01 08:00:00,已办结,121.31,28.51,,先结后报,U1",  # kept and flagged (fault 58)
    "D9,没有的类别,2018-02-03 08:00:00,,处理中,121.31,28.51,,未知类别,U1",  # kept as OT99 (fault 59)
    "R00001,路灯,2018-02-03 08:00:00,,处理中,121.31,28.51,,同号新内容,U1",  # a newer version of R00001 (fault 60)
]


def _facts(folder):
    rows = open_store(open_city(folder)).read("reports")
    return rows.drop("load_seq").sort("report_id", "line_no")


def test_every_record_ends_in_one_class(tmp_path):
    lines = [*report_lines(), report_lines()[5], *DIRT]
    (outcome,) = load(open_city(write_city(tmp_path / "three", lines)))
    classes, repairs = outcome.ledger["classes"], outcome.ledger["repairs"]
    assert outcome.ledger["lines"] == len(lines) == sum(classes.values())
    assert {name: count for name, count in classes.items() if name != "located"} == {
        "area_only": 0, "unmapped": 2, "outside": 1, "quarantined": 3, "repeated": 1, "superseded": 1,
    }  # fmt: skip
    assert (repairs["axes_swapped"], repairs["closed_before_opened"], repairs["category_unknown"]) == (1, 1, 1)


def test_the_reader_shows_what_the_ledger_counts(tmp_path):
    city = open_city(write_city(tmp_path / "three", [*report_lines(), *DIRT]))
    load(city)
    analyse(city)
    reader = read(city)
    facts = _facts(city.folder)
    period = next(one for one in reader.periods() if one.weeks_n == 13)
    local = pl.col("occurred_at").dt.convert_time_zone("Asia/Shanghai").dt.date()
    within = facts.filter(local.is_between(period.first_on, period.last_on) & ~pl.col("category_code").is_in(reader.taxonomy.restricted))
    shown = reader.values("unit_street", "ALL", period.id, "count").table
    expected = dict(within.drop_nulls("unit_street_code").group_by("unit_street_code").len().iter_rows())
    assert dict(shown.select("place", "value").iter_rows()) == expected
    assert sum(reader.unplaced("ALL", period.id).values()) == within.height


def test_fault_61_whole_file_again_changes_nothing_and_says_so(city_folder):
    city = open_city(city_folder)
    load(city)
    before, state = _facts(city_folder), open_store(city).state()
    (again,) = load(city)
    assert again.status == "already loaded"
    assert open_store(city).state() == state
    assert _facts(city_folder).equals(before)


def test_fault_62_overlapping_file_adds_only_new_rows(city_folder):
    city = open_city(city_folder)
    load(city)
    overlap = city_folder / "later.csv"
    overlap.write_text("\n".join([HEADER, *report_lines()[1000:], *report_lines(50, seed=9, prefix="N")]) + "\n", encoding="utf-8")
    (outcome,) = load(city, [overlap], source="app")
    assert (outcome.ledger["classes"]["repeated"], outcome.ledger["classes"]["located"]) == (200, 50)
    assert _facts(city_folder).height == 1250


def test_fault_60_a_changed_report_is_a_new_version_and_the_old_one_stays_readable(city_folder):
    city = open_city(city_folder)
    load(city)
    changed = city_folder / "changed.csv"
    changed.write_text("\n".join([HEADER, report_lines()[7].replace("处理中", "已办结").replace("U07", "U08")]) + "\n", encoding="utf-8")
    (outcome,) = load(city, [changed], source="app")
    store = open_store(city)
    where = [("report_id", "==", "app:R00007")]
    assert outcome.ledger["classes"]["located"] == 1
    assert store.read("reports", where=where)["load_seq"].to_list() == [2]
    assert store.read("reports", where=where, as_of=1)["load_seq"].to_list() == [1]


def test_fault_52_gcj02_declared_as_wgs84_stops_with_the_evidence(tmp_path):
    lines = []
    for line in report_lines(3000):
        fields = line.split(",")
        lon, lat = shift([float(fields[5])], [float(fields[6])], source="wgs84", target="gcj02")
        lines.append(",".join([*fields[:5], f"{lon[0]:.6f}", f"{lat[0]:.6f}", *fields[7:]]))
    folder = write_city(tmp_path / "three", lines)
    with pytest.raises(CoordinateError, match="gcj02") as caught:
        load(open_city(folder))
    assert "inside" in str(caught.value)
    assert not open_store(open_city(folder)).loads()
    text = (folder / "city.toml").read_text(encoding="utf-8")
    (folder / "city.toml").write_text(text.replace('crs = "EPSG:4326"', 'crs = "gcj02"'), encoding="utf-8")
    (outcome,) = load(open_city(folder))
    assert outcome.ledger["repairs"]["datum_shifted"] == 3000
    assert outcome.ledger["classes"]["located"] == 3000


def test_a_dry_run_writes_nothing(city_folder):
    (outcome,) = load(open_city(city_folder), dry=True)
    assert outcome.status == "checked"
    assert outcome.ledger["classes"]["located"] == 1200
    assert not (city_folder / "store").exists()


@pytest.fixture(scope="module")
def clean_city(tmp_path_factory):
    """A city loaded and analysed without any fault, with a salt that others can copy."""
    folder = write_city(tmp_path_factory.mktemp("clean") / "three", report_lines(200))
    (folder / ".salt").write_text("salt")
    load(open_city(folder))
    analyse(open_city(folder))
    return folder


@pytest.mark.parametrize("point", POINTS)
def test_fault_72_killed_at_a_named_point_the_next_run_equals_a_clean_one(tmp_path, point, clean_city):
    folder = write_city(tmp_path / "killed", report_lines(200))
    (folder / ".salt").write_text("salt")
    code = "import sys, cloudmap as cm; city = cm.open_city(sys.argv[1]); cm.load(city); cm.analyse(city)"
    environment = {**os.environ, "CLOUDMAP_KILL_AT": point}
    killed = subprocess.run([sys.executable, "-c", code, str(folder)], env=environment, capture_output=True, timeout=300, check=False)
    assert killed.returncode == -9, "the point was not reached"
    cities = [open_city(one) for one in (folder, clean_city)]
    load(cities[0])
    analyse(cities[0])
    assert _facts(folder).equals(_facts(clean_city))
    assert read(cities[0]).ledger() == read(cities[1]).ledger()
    for layer, measure in (("cell_9", "hotspot"), ("unit_street", "ratio")):
        tables = [read(city).values(layer, "ALL", "2018-W10--2018-W13", measure).table for city in cities]
        assert tables[0].equals(tables[1])


def test_analyse_redoes_only_what_changed(city_folder):
    city = open_city(city_folder)
    load(city)
    first = analyse(city)
    assert set(first.redone) == set(first.parts)
    assert analyse(city).redone == ()
    later = city_folder / "later.csv"
    later.write_text("\n".join([HEADER, *report_lines(50, seed=9, prefix="N")]) + "\n", encoding="utf-8")
    load(city, [later], source="app")
    again = analyse(city)
    assert "cube_cell_9" in again.redone
    assert not {"units", "water"} & set(again.redone)


def test_as_of_load_reproduces_the_earlier_numbers(city_folder):
    city = open_city(city_folder)
    load(city)
    analyse(city)
    before = read(city).values("unit_street", "ALL", "2018-W10--2018-W13", "count").table
    later = city_folder / "later.csv"
    later.write_text("\n".join([HEADER, *report_lines(300, seed=9, prefix="N")]) + "\n", encoding="utf-8")
    load(city, [later], source="app")
    analyse(city)
    assert not read(city).values("unit_street", "ALL", "2018-W10--2018-W13", "count").table.equals(before)
    analyse(city, as_of=1)
    assert read(city).values("unit_street", "ALL", "2018-W10--2018-W13", "count").table.equals(before)


def test_what_is_missing_is_named_with_the_next_command(city_folder, tmp_path):
    city = open_city(city_folder)
    with pytest.raises(StoreError, match="cloudmap load"):
        analyse(city)
    open_store(city, create=True)
    with pytest.raises(AnalysisError, match="cloudmap load"):
        analyse(city)
    with pytest.raises(AnalysisError, match="cloudmap analyse"):
        read(city)
    with pytest.raises(ConfigError, match="did you mean 'app'"):
        load(city, source="ap")
    (city_folder / "app.csv").unlink()
    with pytest.raises(ConfigError, match="matches no file"):
        load(city)
