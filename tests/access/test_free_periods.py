"""Days, months and ends of one's own: counted from facts, equal to the weekly cubes, and never where counts are masked."""

from datetime import date, timedelta

import polars as pl
import pytest

import cloudmap as cm
from cloudmap.access.audience import Audience
from cloudmap.access.choices import place_column
from cloudmap.analytics.cube import total_by_category, total_by_place
from cloudmap.analytics.periods import Days, Month, Period, WholeWeeksOnly
from cloudmap.city import open_city
from cloudmap.errors import AccessError, AnalysisError
from cloudmap.pipeline import analyse, load, read
from cloudmap.store import open_store
from tests.access import test_beside
from tests.conftest import write_city

WEEKS = Period(date(2018, 2, 12), 5)
"""Holds the Monday on which the grids of the four squares are redrawn, and New York's change to summer time on 11 March."""
FREE = Days(date(2018, 2, 14), date(2018, 3, 20))


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    folder = test_beside.write_city(tmp_path_factory.mktemp("cities") / "four")
    load(open_city(folder))
    analyse(open_city(folder))
    return folder


@pytest.fixture(scope="module")
def new_york(tmp_path_factory):
    folder = write_city(tmp_path_factory.mktemp("cities") / "ny")
    text = (folder / "city.toml").read_text(encoding="utf-8").replace("Asia/Shanghai", "America/New_York")
    (folder / "city.toml").write_text(text, encoding="utf-8")
    load(open_city(folder))
    analyse(open_city(folder))
    return folder


@pytest.fixture(scope="module")
def reader(four):
    return read(open_city(four), audience=Audience(restricted=True))


@pytest.fixture(scope="module")
def three(analysed_city):
    return read(open_city(analysed_city))


def layers_of(reader):
    return [one.id for one in reader.layers() if one.kind != "landmark"]


def sums(cube):
    return total_by_place(cube, period=None, categories=None).rows(), total_by_category(cube, period=None).sort("category_code").rows()


def by_both_ways(reader, layer, day=None):
    """Sums of whole weeks from the cube, and from the facts of the same days."""
    column = "ledger_class" if layer is None else place_column(reader.layer(layer))
    days = Days(WEEKS.first_on, WEEKS.last_on)
    return sums(reader.counted(layer, WEEKS, day)), sums(reader.day_counts.cube(column, days, day))


@pytest.mark.parametrize(
    "layer", ["unit_street", "unit_community", "unit_grid", "cell_8", "cell_9", "overlay_microgrid", "water_canal", None]
)
def test_whole_weeks_count_the_same_from_cubes_and_from_facts(reader, layer):
    from_cube, from_facts = by_both_ways(reader, layer)
    assert from_cube == from_facts
    assert from_cube[0]


def test_every_layer_of_the_city_is_held_to_that(reader):
    named = {"unit_street", "unit_community", "unit_grid", "cell_8", "cell_9", "overlay_microgrid", "water_canal"}
    assert set(layers_of(reader)) - named == {"unit_village"}


@pytest.mark.parametrize("day", ["2018-03-05", "2018-03-04", "2018-01-15"])
def test_units_of_one_day_count_the_same_from_cubes_and_from_facts(reader, day):
    from_cube, from_facts = by_both_ways(reader, "unit_grid", date.fromisoformat(day))
    assert from_cube == from_facts
    assert from_cube[0]


@pytest.mark.parametrize("layer", ["unit_street", "cell_9", None])
def test_days_are_the_city_s_own_where_summer_time_begins(new_york, layer):
    there = read(open_city(new_york), audience=Audience(restricted=True))
    from_cube, from_facts = by_both_ways(there, layer)
    assert from_cube == from_facts
    local = pl.col("occurred_at").dt.convert_time_zone("America/New_York").dt.date()
    facts = open_store(there.city).read("reports")
    for day in (date(2018, 3, 10), date(2018, 3, 11), date(2018, 3, 12)):
        counted = there.counted(layer, Days(day, day))["reports_n"].sum()
        rows = facts.filter(local == day)
        rows = rows.filter(pl.col("ledger_class") == "located") if layer else rows
        assert counted == rows.height > 0


def test_weeks_and_the_days_about_them_make_the_period(reader):
    for layer in layers_of(reader):
        column = place_column(reader.layer(layer))
        assert sums(reader.counted(layer, FREE)) == sums(reader.day_counts.cube(column, FREE))


@pytest.mark.parametrize("period", ["2018-02-14", "2018-02", "2018-02-14--2018-03-20"])
def test_counts_of_a_free_period_are_its_matters(reader, period):
    rows = test_beside.matters(reader, period)
    unplaced = reader.unplaced("ALL", period)
    assert sum(unplaced.values()) == rows.height > 0
    table = reader.values("cell_9", "ALL", period, "count").table
    assert table["value"].sum() == rows.filter(pl.col("ledger_class") == "located").height
    view = reader.place("unit_street", "S1", period)
    assert view.total_n == dict(reader.values("unit_street", "ALL", period, "count").table.select("place", "n").iter_rows())["S1"]
    assert reader.reports("unit_street", "S1", period).height >= view.total_n


def test_a_month_is_the_sum_of_its_days(reader):
    days = [date(2018, 2, 1) + timedelta(days=n) for n in range(28)]
    by_day = sum(reader.values("unit_street", "ALL", day.isoformat(), "count").table["n"].sum() for day in days)
    assert reader.values("unit_street", "ALL", "2018-02", "count").table["n"].sum() == by_day > 0


def test_bars_of_days_are_the_counts_of_days(reader):
    bars = reader.by_day(Days(date(2018, 2, 10), date(2018, 2, 20)), layer_id="unit_street", place="S1")
    assert bars["day_on"].to_list() == [date(2018, 2, 10) + timedelta(days=n) for n in range(11)]
    assert bars["n"][4] == reader.place("unit_street", "S1", "2018-02-14").total_n
    city = reader.by_day(Days(date(2018, 2, 5), date(2018, 2, 11)))
    weeks = dict(reader.weeks().select("week_on", "n").iter_rows())
    assert city["n"].sum() == weeks[date(2018, 2, 5)] > 0


def test_a_map_of_whole_weeks_is_tested_alike_by_both_ways(three, monkeypatch):
    weeks = three.values("cell_9", "ALL", "2018-W10--2018-W13", "hotspot")
    days = Days(date(2018, 3, 5), date(2018, 4, 1))
    monkeypatch.setattr(type(three), "period", lambda self, period_id: days)
    free = three._statistics.hotspots("cell_9", "ALL", days.id, None, ())
    assert free.table.equals(weeks.table)
    assert (free.table["class"] == "hot").any()


def test_a_free_period_is_tested_and_its_ratio_closes(three):
    made = three.values("unit_street", "ALL", "2018-03-05--2018-03-30", "ratio").table
    assert made["expected"].sum() == pytest.approx(made["n"].sum())
    hot = three.values("cell_9", "ALL", "2018-03", "hotspot")
    assert hot.parameters["period"] == "2018-03"
    assert (hot.table["class"] == "hot").any()


def test_notebooks_count_and_test_a_free_period_as_the_page_does(analysed_city, three):
    facts = cm.load_facts(open_city(analysed_city), "2018-01", "2018-05")
    cube = cm.build_cube(facts)
    for period in ("2018-03", "2018-03-14", "2018-03-06--2018-03-22"):
        page = three.values("cell_9", "ALL", period, "count").table
        assert cube.counts(period)["n"].sum() == page["n"].sum() > 0
        tested = cm.local_g(cube, cm.neighbours(cube), period=period).table
        assert tested["n"].sum() == three.values("cell_9", "ALL", period, "hotspot").table["n"].sum()
    with pytest.raises(AnalysisError, match="outside the facts"):
        cube.counts("2017-12")


def test_what_is_read_as_weeks_is_the_week(three):
    assert three.period("2018-03-05--2018-04-01").id == "2018-W10--2018-W13"
    assert three.period("2018-03-01--2018-03-31") == Month(date(2018, 3, 1))
    assert three.period("2018-W10--2018-W11").weeks_n == 2


def test_days_end_where_the_last_complete_one_does(three):
    first, last = three.days.first_on, three.days.last_on
    assert three.period(last.isoformat()).days_n == 1
    for outside in (last + timedelta(days=1), first - timedelta(days=1)):
        with pytest.raises(AnalysisError, match="within the data"):
            three.period(outside.isoformat())
    with pytest.raises(AnalysisError, match="within the data"):
        three.period(f"{last.replace(day=1)}--{last + timedelta(days=1)}")


@pytest.mark.parametrize("name", ["emerging", "scan", "silent", "risk", "alarms", "changes", "situation", "rates", "moran", "power"])
def test_what_stands_on_weeks_says_which_to_choose(three, name):
    with pytest.raises(WholeWeeksOnly, match="2018-W10--2018-W13") as refused:
        three.result(name, period="2018-03-03--2018-04-03")
    assert refused.value.weeks == "2018-W10--2018-W13"
    assert refused.value.code == "whole_weeks"
    assert three.period(refused.value.weeks) in three.periods()


@pytest.mark.parametrize(
    ("name", "layer"),
    [("handling", "unit_street"), ("handling_by_category", None), ("handling_before", None), ("overdue", "unit_street"),
     ("workload", "unit_street"), ("near_water", None), ("water_bands", None), ("report_clusters", None)],
)  # fmt: skip
def test_what_counts_from_instants_takes_any_days(three, name, layer):
    made = three.statistic(name, layer=layer, period="2018-03-07--2018-03-25")
    assert made.table.height


def test_nobody_from_whom_counts_are_masked_gets_a_free_period(analysed_city, three):
    outside = read(open_city(analysed_city), audience=Audience(kind="outside"))
    for asked in ("2018-03", "2018-03-07", "2018-03-07--2018-03-20", "2018-W10--2018-W11"):
        with pytest.raises(AccessError, match="fixed periods"):
            outside.values("unit_street", "ALL", asked, "count")
    with pytest.raises(AccessError):
        outside.by_day(Days(date(2018, 3, 5), date(2018, 3, 11)))
    with pytest.raises(WholeWeeksOnly, match="restricted"):
        three.values("unit_street", "PS01", "2018-03", "count")
    with pytest.raises(WholeWeeksOnly):
        three.unplaced("PS01", "2018-03-07")
    with pytest.raises(WholeWeeksOnly):
        three.statistic("handling", layer="unit_street", category="PS01", period="2018-03")
    assert "PS01" not in three.place("unit_street", "999001002", "2018-03").by_category["category_code"].to_list()
    granted = read(open_city(analysed_city), audience=Audience(restricted=True))
    assert granted.values("unit_street", "PS01", "2018-03", "count").table["n"].sum() > 0
