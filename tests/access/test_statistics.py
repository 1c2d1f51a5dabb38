"""Statistics by name: each answers or says why not, and notebook, command line and page give the same numbers."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner

import cloudmap as cm
from cloudmap.access.audience import Audience
from cloudmap.access.statistics import STATISTICS
from cloudmap.analytics.panel import Ground, ReportingWeeks, build_panel, dense_counts
from cloudmap.cli import app
from cloudmap.errors import AccessError, AnalysisError

PERIOD = "2018-W10--2018-W13"
MAPS = ["emerging", "silent", "risk", "scan"]


@pytest.fixture(scope="module")
def city(analysed_city):
    return cm.open_city(analysed_city)


@pytest.fixture(scope="module")
def reader(city):
    return cm.read(city)


@pytest.mark.parametrize("name", sorted(STATISTICS))
def test_every_statistic_answers_or_says_what_to_do(reader, name):
    try:
        result = reader.statistic(name, period=PERIOD)
    except AnalysisError as error:
        refused = str(error)  # the small city is too young for some: the words must say so
    else:
        refused = ""
    if refused:
        assert len(refused) > 30
        return
    assert result.method
    assert result.denominator
    assert result.table.height
    assert "masked" in result.table.columns
    assert result.provenance["load_seq"] == 1


@pytest.mark.parametrize("measure", MAPS)
def test_what_a_map_draws_has_a_row_for_every_place(reader, measure):
    try:
        table = reader.values("cell_9", "ALL", PERIOD, measure).table
    except AnalysisError as error:
        pytest.skip(f"the small city is too young: {error}")
    assert set(table["place"]) == set(reader.geometry("cell_9")["place"])
    assert {"place", "n", "value", "class", "masked"} <= set(table.columns)
    assert table["class"].null_count() == 0


@pytest.mark.parametrize(
    ("verb", "name"), [("silent", "silent"), ("forecast", "risk"), ("alarms", "alarms"), ("scan", "scan"), ("emerging", "emerging")]
)
@pytest.mark.parametrize("kind", ["cell", "unit"])
def test_a_notebook_gets_the_same_numbers(city, reader, verb, name, kind):
    layer = "cell_9" if kind == "cell" else "unit_street"
    cube = cm.build_cube(cm.load_facts(city, "2018-01", "2018-06"), place=kind)
    if name == "alarms" and kind == "cell":
        pytest.skip("alarms are of units")
    try:
        mine = getattr(cm, verb)(cube, until=PERIOD)
    except AnalysisError as error:
        with pytest.raises(AnalysisError, match=str(error)[:20].replace("(", ".")):
            reader.statistic(name, layer=layer, period=PERIOD)
        return
    shown = reader.statistic(name, layer=layer, period=PERIOD).table.drop("masked")
    assert mine.table.equals(shown.select(mine.table.columns))


def test_a_measure_on_the_command_line_is_the_reader_s(analysed_city, reader):
    told = CliRunner().invoke(app, ["show", str(analysed_city), "hotspot", "--layer", "unit_street", "--period", PERIOD, "--json"])
    assert told.exit_code == 0, told.output
    answer = json.loads(told.output)
    table = reader.values("unit_street", "ALL", PERIOD, "hotspot").table
    assert [row["n"] for row in answer["table"]] == table["n"].to_list()
    assert [row["q"] for row in answer["table"]] == pytest.approx(table["q"].to_list())
    assert answer["denominator"]
    assert answer["caveats"]


def test_unknown_names_are_answered_with_those_there_are(reader):
    with pytest.raises(AnalysisError, match="emerging"):
        reader.statistic("hotspotz")
    with pytest.raises(AnalysisError, match="hotspot"):
        reader.result("nothing")
    with pytest.raises(AnalysisError, match="unit"):
        reader.statistic("alarms", layer="cell_9")


def test_a_verdict_on_a_restricted_category_needs_the_grant(city, reader):
    with pytest.raises(AccessError, match="restricted"):
        reader.statistic("risk", category="PS01", period=PERIOD)
    granted = cm.read(city, audience=Audience(restricted=True))
    assert granted.values("unit_street", "PS01", PERIOD, "hotspot").table.height == len(granted.geometry("unit_street"))


def test_what_goes_outside_has_no_small_counts_and_nothing_computed_from_them(city):
    outside = cm.read(city, audience=Audience(kind="outside"))
    for name in ("silent", "near_water", "water_bands", "effort"):
        try:
            table = outside.statistic(name, period=PERIOD).table
        except AnalysisError:
            continue
        count = next(column for column in ("n", "reports_n") if column in table.columns)
        assert table.filter(pl.col(count).is_between(1, 4)).is_empty()
        hidden = table.filter("masked")
        assert hidden[count].null_count() == hidden.height


def test_a_count_that_a_row_does_not_have_masks_nothing_outside(city, reader):
    outside = cm.read(city, audience=Audience(kind="outside")).statistic("situation", layer="unit_street", period=PERIOD).table
    inside = reader.statistic("situation", layer="unit_street", period=PERIOD).table
    volume = inside.filter((pl.col("component") == "volume") & (pl.col("n") >= 5) & (pl.col("before_n") >= 5))
    assert volume.height > 0
    assert volume["denominator_n"].null_count() == volume.height
    told = outside.join(volume.select("place", "component"), on=["place", "component"], how="semi")
    assert not told["masked"].any()
    assert told.sort("place")["n"].to_list() == volume.sort("place")["n"].to_list()
    assert told["denominator_n"].null_count() == told.height


def test_effort_leaves_restricted_categories_out(city, reader):
    effort = reader.statistic("effort").table
    counted = effort.filter(pl.col("source_id") == "ALL")["reports_n"].sum()
    facts = cm.load_facts(city, "2018-01", "2018-12")
    assert 0 < counted <= facts.frame.height


def test_a_panel_has_a_column_for_every_week_and_a_row_for_every_place(reader):
    panel = reader.panel("unit_street", "ALL", PERIOD)
    assert panel.counts.shape == (len(panel.places), len(panel.weeks))
    n = reader.values("unit_street", "ALL", PERIOD, "hotspot").table["n"].to_list()
    assert panel.total(reader.period(PERIOD)).tolist() == n
    with pytest.raises(AnalysisError, match="outside the data"):
        panel.at(panel.first_week_on.replace(year=2010))


def test_weeks_that_end_before_they_begin_are_refused(reader):
    cube = reader.part("cube_unit_street_code")
    first = reader.period(PERIOD).first_on
    with pytest.raises(AnalysisError, match="before they begin"):
        dense_counts(cube, ["a"], first, first.replace(year=2017), None)


def test_a_panel_knows_its_regime_and_the_weeks_that_are_not_all_in(reader):
    panel = reader.panel("unit_street", "ALL", PERIOD)
    ground = Ground(
        "unit_street", reader.geometry("unit_street").sort_values("place"), reader.weights("unit_street"), None, "none", "EPSG:4549"
    )
    weeks = panel.weeks
    known = ReportingWeeks(weeks[0], weeks[-1], (weeks[3],), weeks[-2])
    cut = known.panel(reader.part("cube_unit_street_code"), ground, category="ALL", codes=["FC01"], weeks=(weeks[0], weeks[-1]))
    assert cut.regime_from == 3
    assert cut.complete.tolist() == [True] * (len(weeks) - 2) + [False] * 2
    whole = build_panel(reader.part("cube_unit_street_code"), ground, category="ALL", codes=["FC01"], weeks=(weeks[0], weeks[-1]))
    assert whole.regime_from == 0
    assert whole.complete.all()
