"""The same numbers by every route: a loaded and analysed city, its real reader, and what leaves it."""

from __future__ import annotations

import sqlite3
from datetime import date
from xml.etree import ElementTree

import geopandas as gpd
import polars as pl
import pytest

from cloudmap.access.audience import Audience
from cloudmap.access.audit import verify
from cloudmap.analytics.result import Result
from cloudmap.city import open_city
from cloudmap.errors import AccessError, AnalysisError
from cloudmap.pipeline import read
from cloudmap.publish import tables
from cloudmap.publish.briefing import brief
from cloudmap.publish.layers import export
from cloudmap.publish.legend import bands


@pytest.fixture
def city(analysed_city, tmp_path):
    """The analysed city, its audit log in a folder of this test alone."""
    folder = tmp_path / "city"
    folder.mkdir()
    opened = open_city(analysed_city)
    return opened.model_copy(update={"folder": folder, "store": opened.store.model_copy(update={"url": str(analysed_city / "store")})})


def test_layer_table_and_reports_agree(city, tmp_path):
    reader = read(city)
    everything = pl.read_parquet(export(reader, "reports", tmp_path / "r.parquet"))
    assert everything.columns == tables.report_columns(city)
    assert everything.schema["cell_9"] == pl.Int64
    assert everything["report_id"].n_unique() == everything.height == 1200
    period = reader.default_period
    day = pl.col("occurred_at").dt.convert_time_zone(city.city.timezone).dt.date()
    ordinary = [one.code for one in reader.categories() if one.parent and not one.restricted]
    chosen = everything.filter(day.is_between(period.first_on, period.last_on) & pl.col("category_code").is_in(ordinary))
    units = pl.read_csv(export(reader, "units", tmp_path / "u.csv"), schema_overrides={"place": pl.String})
    counted = chosen.group_by("unit_street_code").agg(pl.len())
    assert dict(units.filter(pl.col("n") > 0).select("place", "n").iter_rows()) == dict(counted.iter_rows())
    cells = gpd.read_file(export(reader, "cells", tmp_path / "c.gpkg", measure="count"), layer="cells")
    assert cells["n"].sum() == chosen["cell_9"].drop_nulls().len()


def test_restricted_reports_leave_without_their_point(city, tmp_path):
    inside = pl.read_parquet(export(read(city), "reports", tmp_path / "r.parquet")).filter(pl.col("category_code") == "PS01")
    assert inside.height > 0
    assert set(inside["position"]) == {"coarsened"}
    assert inside["lon_deg"].null_count() == inside.height
    granted = read(city, audience=Audience(restricted=True))
    exact = pl.read_parquet(export(granted, "reports", tmp_path / "x.parquet")).filter(pl.col("category_code") == "PS01")
    assert exact["lon_deg"].null_count() == 0


def test_the_briefing_finds_the_planted_crowd_in_the_middle_street(city, tmp_path):
    page = brief(read(city), path=tmp_path / "b.html").read_text(encoding="utf-8")
    assert "热点主要分布在中街" in page
    assert page.encode() == brief(read(city), path=tmp_path / "again.html").read_bytes()


def test_what_goes_outside_is_masked_refused_and_recorded(city, tmp_path):
    outside = read(city, audience=Audience("outside"))
    rows = pl.read_csv(export(outside, "cells", tmp_path / "c.csv"))
    assert rows.filter(pl.col("n").is_between(1, 4)).height == 0
    assert rows["masked"].any()
    with pytest.raises(AccessError):
        export(outside, "reports", tmp_path / "r.csv")
    with pytest.raises(AccessError):
        export(outside, "quarantine", tmp_path / "q.csv")
    with pytest.raises(AccessError):
        export(outside, "cells", tmp_path / "p.csv", category="PS01")
    assert verify(city).lines_n == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ["c.csv", "city"]


STREETS = ["999001001", "999001002", "999001003"]
MADE_UP = {
    "emerging": {
        "n": [5, 9, 2],
        "value": [0.0, 3.0, 0.0],
        "class": ["no_pattern", "sporadic_hot", "not_enough_data"],
        "hot_steps_n": [0, 3, 0],
        "trend": [0, 1, 0],
        "trend_z": [0.1, 2.5, None],
        "p": [0.5, 0.01, None],
        "q": [0.9, 0.03, None],
    },
    "scan": {
        "n": [5, 9, 2],
        "value": [None, 1.0, 5.0],
        "class": ["no_cluster", "cluster", "cluster"],
        "ratio": [None, 3.0, 2.0],
        "p": [None, 0.01, 0.04],
    },
    "silent": {
        "n": [5, 0, 0],
        "value": [0.1, 9.0, 3.0],
        "class": ["reporting", "silent", "never_reported"],
        "expected": [5.1, 9.0, 3.0],
        "p": [0.5, 0.001, 0.2],
        "q": [0.5, 0.003, 0.3],
        "last_report_on": [date(2018, 5, 7), date(2018, 1, 1), None],
    },
}
"""What needs more places or weeks than the small city has."""
CLUSTERS = {
    "cluster_n": [1, 2],
    "centre": STREETS[:2],
    "x_m": [1.0, 2.0],
    "y_m": [3.0, 4.0],
    "radius_m": [0.0, 2000.0],
    "places": [STREETS[:1], STREETS[1:]],
    "places_n": [1, 2],
    "first_week_on": [date(2018, 4, 2)] * 2,
    "last_week_on": [date(2018, 5, 21)] * 2,
    "n": [40, 9],
    "expected": [10.0, 7.0],
    "ratio": [4.0, 1.3],
    "llr": [12.0, 0.4],
    "p": [0.005, 0.6],
    "p_gumbel": [0.0001, 0.5],
    "class": ["significant", "not_significant"],
    "masked": [False, False],
}


def _result(table):
    made = pl.DataFrame(
        {"masked": [False] * len(next(iter(table.values()))), **({} if "cluster_n" in table else {"place": STREETS}), **table}
    )
    return Result("made up", {}, made, "none")


@pytest.mark.parametrize("measure", ["count", "ratio", "hotspot", "emerging", "scan", "silent", "risk", "overdue", "workload"])
def test_every_measure_is_exported_as_the_reader_tells_it(measure, city, tmp_path, monkeypatch):
    reader = read(city)
    if measure in MADE_UP:
        monkeypatch.setattr(reader, "values", lambda *_, **__: _result(MADE_UP[measure]))
    told = reader.values("unit_street", "ALL", reader.default_period.id, measure).table.sort("place")
    path = export(reader, "units", tmp_path / "u.gpkg", measure=measure, crs="EPSG:4490")
    frame = gpd.read_file(path, layer="units").sort_values("place")
    shared = [name for name in told.columns if name in frame.columns and name not in ("masked", "last_report_on")]
    if measure == "hotspot":
        shared.remove("expected")  # the layer has that of the place itself, the test that of the neighbourhood
    assert {"place", "n"} <= set(shared) if measure != "count" else frame["n"].tolist() == told["value"].to_list()
    for name in shared:
        back = [None if one != one else one for one in frame[name].tolist()]
        assert back == (pytest.approx(told[name].to_list()) if told.schema[name].is_numeric() else told[name].to_list()), name
    with sqlite3.connect(path) as base:
        style = base.execute("SELECT styleQML FROM layer_styles").fetchone()[0]
        rules = {rule.get("key"): rule.get("filter") for rule in ElementTree.fromstring(style).iter("rule")}
        drawn = {key: {row[0] for row in base.execute(f"SELECT place FROM units WHERE {sql}")} for key, sql in rules.items()}
    chosen = bands(tables.place_table(reader, "unit_street", measure=measure), measure)
    places = tables.place_table(reader, "unit_street", measure=measure)
    assert drawn == {band.key: set(places["place"][band.members(places)]) for band in chosen}


def test_clusters_and_reaches_are_the_statistics(city, tmp_path, monkeypatch):
    reader = read(city)
    clusters = pl.DataFrame(CLUSTERS)
    real = reader.statistic
    monkeypatch.setattr(reader, "statistic", lambda name, **asked: _result(CLUSTERS) if name == "scan" else real(name, **asked))
    frame = gpd.read_file(export(reader, "clusters", tmp_path / "c.gpkg", layer="unit_street"), layer="clusters")
    assert frame["n"].tolist() == clusters["n"].to_list()
    assert [one.split(",") for one in frame["places"]] == clusters["places"].to_list()
    reaches = reader.statistic("near_water").table.sort("place")
    lines = gpd.read_file(export(reader, "reaches", tmp_path / "r.shp.zip"))
    assert lines["n"].tolist() == reaches["n"].to_list()
    assert lines["per_km"].tolist() == pytest.approx(reaches["per_km"].to_list())
    assert set(lines.geom_type) <= {"LineString", "MultiLineString"}


def test_reports_without_a_point_stay_in_every_layer(city, tmp_path):
    reader = read(city)
    rows = reader.all_reports()
    frame = gpd.read_file(export(reader, "reports", tmp_path / "r.gpkg", crs="EPSG:4549"), layer="reports")
    assert len(frame) == rows.height
    assert frame.geometry.isna().sum() == rows["lon_deg"].null_count() > 0
    back = frame[frame.geometry.notna()].to_crs("EPSG:4326")
    assert back.geometry.x.to_numpy() == pytest.approx(back["lon_deg"].to_numpy(), abs=1e-7)


def test_a_scan_that_would_tell_small_counts_stays_inside(city, tmp_path, monkeypatch):
    outside = read(city, audience=Audience("outside"))
    monkeypatch.setattr(outside, "statistic", lambda *_, **__: _result({**CLUSTERS, "n": [40, None], "masked": [False, True]}))
    with pytest.raises(AccessError, match="stay inside"):
        export(outside, "clusters", tmp_path / "c.gpkg", layer="unit_street")


def test_an_unknown_coordinate_system_is_refused_with_examples(city, tmp_path):
    with pytest.raises(AnalysisError, match="EPSG:4549"):
        export(read(city), "units", tmp_path / "u.gpkg", crs="EPSG:1")
