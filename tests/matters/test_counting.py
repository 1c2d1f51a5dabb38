"""Matters in the flow: found at analyse time as of a load, counted once, told by readers."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from cloudmap.access.audience import Audience
from cloudmap.city import open_city
from cloudmap.pipeline import analyse, load, read
from cloudmap.store import open_store
from cloudmap.verbs import build_cube, load_facts
from tests.conftest import CITY_TOML, HEADER, report_lines, write_city

TOLD_AGAIN = 60


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """The small city with a hotline, by which every twentieth report comes in once more: 3 m beside, 50 minutes later."""
    folder = write_city(tmp_path_factory.mktemp("matters") / "three")
    hotline = (
        CITY_TOML[CITY_TOML.index("[[sources]]") :].replace('"app', '"hotline').replace("民情通", "热线").replace("Civic app", "Hotline")
    )
    (folder / "city.toml").write_text(CITY_TOML + hotline, encoding="utf-8")
    lines = []
    for line in report_lines()[::20]:
        _, category, at, _, _, lon, lat, *_ = line.split(",")
        later = datetime.fromisoformat(at) + timedelta(minutes=50)
        lines.append(f"H{len(lines):04d},{category},{later},,处理中,{float(lon) + 3e-5:.6f},{lat},,热线来电,")
    (folder / "hotline.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    city = open_city(folder)
    load(city)
    analyse(city)
    return city


def test_a_matter_counts_once_and_reports_all(city):
    store = open_store(city)
    shared = store.result("matters").frame
    assert shared["matter_id"].n_unique() == pytest.approx(TOLD_AGAIN, abs=3)
    surplus = shared.height - shared["matter_id"].n_unique()
    for name in ("cube_class", "cube_cell_9", "cube_unit_street_code"):
        cube = store.result(name).frame
        assert cube["reports_n"].sum() == 1200 + TOLD_AGAIN
        assert cube["matters_n"].sum() == 1200 + TOLD_AGAIN - surplus


def test_a_matter_counts_in_the_week_and_place_of_its_first_report(city):
    store = open_store(city)
    facts = store.read("reports", ["report_id", "category_code", "occurred_at", "unit_street_code"])
    followers = store.result("matters").frame.filter(pl.col("report_id") != pl.col("matter_id"))
    first = facts.join(followers, on="report_id", how="anti")
    monday = pl.col("occurred_at").dt.convert_time_zone("Asia/Shanghai").dt.date().dt.truncate("1w")
    by_hand = first.group_by(place="unit_street_code", week_on=monday, category_code="category_code").agg(n=pl.len().cast(pl.Int64))
    cube = store.result("cube_unit_street_code").frame.filter(pl.col("matters_n") > 0)
    counted = cube.select("place", "week_on", "category_code", n="matters_n")
    assert counted.sort("place", "week_on", "category_code").equals(by_hand.sort("place", "week_on", "category_code"))


def test_readers_and_notebooks_tell_the_same_matters(city):
    shared = open_store(city).result("matters").frame
    exported = read(city, audience=Audience(restricted=True)).all_reports().select("report_id", "matter_id")
    assert exported.join(shared, on=["report_id", "matter_id"], how="semi").height == shared.height
    alone = exported.join(shared, on="report_id", how="anti")
    assert (alone["report_id"] == alone["matter_id"]).all()
    facts = load_facts(city, "2018-01", "2018-12", restricted=True)
    assert facts.frame.select("report_id", "matter_id").sort("report_id").equals(exported.sort("report_id"))
    cube = build_cube(facts, place="unit", level="street").table
    assert cube["matters_n"].sum() == open_store(city).result("cube_unit_street_code").frame["matters_n"].sum()


def test_an_earlier_load_knows_no_later_telling(city):
    store = open_store(city)
    state = {name: store.result(name).key for name in ("matters", "matter_links", "cube_class")}
    analyse(city, as_of=1)
    assert store.result("matters").frame.is_empty()
    assert store.result("cube_class").frame["matters_n"].sum() == 1200
    analyse(city)
    assert {name: read(city).provenance["parts"][name] for name in state} == state
