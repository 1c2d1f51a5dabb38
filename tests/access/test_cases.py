"""Handling through the reader: counts by pandas from the same store, lists within the audience's scope, refusals in words."""

from dataclasses import replace

import polars as pl
import pytest

import cloudmap as cm
from cloudmap.access.audience import Audience
from cloudmap.access.cases import OVERDUE_COLUMNS
from cloudmap.errors import AccessError, AnalysisError
from tests.conftest import report_lines, write_city

PERIOD = "2018-W10--2018-W13"


@pytest.fixture(scope="module")
def city(analysed_city):
    return cm.open_city(analysed_city)


@pytest.fixture(scope="module")
def reader(city):
    return cm.read(city)


def test_cases_are_matters_and_none_is_lost(reader):
    cases = reader.part("cases")
    told_again = reader.part("matters").filter(pl.col("report_id") != pl.col("matter_id"))["report_id"]
    assert cases["report_id"].n_unique() == cases.height
    assert cases.height == 1200 - told_again.len()


def test_a_case_beside_the_city_is_in_no_cell(tmp_path):
    beside = "X00001,路灯,2018-03-05 10:00:00,,处理中,121.330000,28.499950,,路边,U01"
    city = cm.open_city(write_city(tmp_path / "beside", [*report_lines(40), beside]))
    cm.load(city)
    cm.analyse(city)
    reader = cm.read(city)
    case = reader.part("cases").filter(pl.col("report_id") == "app:X00001")
    assert case["ledger_class"].to_list() == ["outside"]
    assert case["cell_9"].to_list() == [None]
    stored = reader.store.read("reports", ["report_id", "cell_9"]).filter(pl.col("report_id") == "app:X00001")
    assert stored["cell_9"][0] is not None


def test_closing_by_unit_adds_up_to_plain_counting(reader):
    table = reader.statistic("handling", layer="unit_street", period=PERIOD).table
    cases = reader.part("cases").filter(pl.col("category_code").is_in(reader.codes("ALL", "handling")))
    start, end = reader.city.midnight(reader.period(PERIOD).first_on), reader.city.midnight(reader.period(PERIOD).last_on)
    assert table.filter(pl.col("indicator") == "closing")["cases_n"].sum() > 0
    opened = cases.filter(
        pl.col("opened_at").is_between(start, end) & (pl.col("state") != "void") & pl.col("unit_street_code").is_not_null()
    )
    assert table.filter(pl.col("indicator") == "closing")["cases_n"].sum() >= opened.height


def test_the_overdue_map_counts_each_open_case_once(reader):
    by_street = reader.values("unit_street", "ALL", PERIOD, "overdue").table
    by_cell = reader.values("cell_9", "ALL", PERIOD, "overdue").table
    assert by_street["n"].sum() == by_cell["n"].sum() > 0
    assert (by_street["overdue_n"] + by_street["yellow_n"] + by_street["green_n"] <= by_street["n"]).all()
    assert set(by_street["class"]) <= {"red", "yellow", "green", "no_clock"}


def test_a_street_official_lists_only_what_is_overdue_in_the_own_street(city, reader):
    streets = reader.values("unit_street", "ALL", PERIOD, "overdue").table.filter(pl.col("overdue_n") > 0)["place"].to_list()
    if len(streets) < 2:
        pytest.skip("the small city has limits for few categories")
    own, other = streets[:2]
    official = cm.read(city, audience=replace(Audience(), units=(own,)))
    listed = official.cases.overdue_list("unit_street", own)
    assert listed.columns == list(OVERDUE_COLUMNS)
    assert listed["due_at"].is_sorted()
    assert official.cases.overdue_list("unit_street", other).is_empty()
    assert reader.cases.overdue_list("unit_street", other).height > 0


def test_nobody_outside_gets_a_list_of_cases(city):
    outside = cm.read(city, audience=Audience(kind="outside"))
    with pytest.raises(AccessError, match="never leave"):
        outside.cases.overdue_list("unit_street", outside.geometry("unit_street")["place"].iloc[0])


@pytest.mark.parametrize(("name", "words"), [("dwell", "handling"), ("burn_down", "campaign"), ("tiers", "microgrid")])
def test_what_a_city_does_not_have_is_asked_for(reader, name, words):
    with pytest.raises(AnalysisError, match=words):
        reader.statistic(name, period=PERIOD)


def test_an_unknown_meeting_is_refused(reader):
    with pytest.raises(AnalysisError, match="hall"):
        reader.cases.table_of_meeting("board", "ALL", PERIOD)
