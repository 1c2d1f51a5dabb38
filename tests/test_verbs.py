"""The notebook's verbs give the dashboard's numbers."""

import subprocess
import sys

import pytest

import cloudmap as cm
from cloudmap.errors import AnalysisError

PERIOD = "2018-W10--2018-W13"


@pytest.fixture(scope="module")
def facts(analysed_city):
    return cm.load_facts(cm.open_city(analysed_city), "2018-01", "2018-06")


@pytest.mark.parametrize(("place", "layer"), [("cell", "cell_9"), ("unit", "unit_street")])
def test_hotspots_equal_what_the_page_shows(analysed_city, facts, place, layer):
    cube = cm.build_cube(facts, place=place)
    mine = cm.local_g(cube, cm.neighbours(cube), period=PERIOD)
    shown = cm.read(cm.open_city(analysed_city)).values(layer, "ALL", PERIOD, "hotspot")
    assert mine.table.equals(shown.table.select(mine.table.columns))
    assert "hot" in mine.summary()


def test_facts_show_the_ledger_and_what_was_left_out(facts):
    assert "1,200 records = located 1,200" in repr(facts)
    assert facts.restricted_n > 0
    assert facts.frame.height + facts.restricted_n == 1200
    assert not {"text", "address"} & set(facts.frame.columns)


def test_facts_become_points_for_geopandas(facts):
    points = facts.to_geopandas()
    assert points.crs.to_epsg() == 4326
    assert points.geometry.x.iloc[0] == facts.frame["lon_deg"][0]


@pytest.mark.parametrize(("start", "end", "days"), [("2018-02", "2018-02", 28), ("2018-02-03", "2018-02-04", 2), ("2018", "2018", 150)])
def test_spans_are_inclusive_local_days(analysed_city, start, end, days):
    frame = cm.load_facts(cm.open_city(analysed_city), start, end).frame
    local = frame["occurred_at"].dt.convert_time_zone("Asia/Shanghai").dt.date()
    assert local.n_unique() == pytest.approx(days, abs=2)
    assert (local.max() - local.min()).days < days


def test_an_empty_span_is_refused(analysed_city):
    with pytest.raises(AnalysisError, match="before"):
        cm.load_facts(cm.open_city(analysed_city), "2018-03", "2018-02")
    with pytest.raises(AnalysisError, match="is not a day"):
        cm.load_facts(cm.open_city(analysed_city), "March", "2018-02")


def test_importing_cloudmap_brings_neither_web_nor_database_nor_shapes():
    code = "import sys, cloudmap; print(*(m for m in ('dash','flask','sqlalchemy','geopandas','polars','numba') if m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_every_public_name_can_be_imported():
    for name in cm.__all__:
        assert getattr(cm, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        cm.nothing  # noqa: B018  (the access is the test)
