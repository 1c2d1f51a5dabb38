"""The same numbers by every route: a loaded and analysed city, its real reader, and what leaves it."""

from __future__ import annotations

import geopandas as gpd
import polars as pl
import pytest

from cloudmap.access.audience import Audience
from cloudmap.access.audit import verify
from cloudmap.city import open_city
from cloudmap.errors import AccessError
from cloudmap.pipeline import read
from cloudmap.publish import tables
from cloudmap.publish.briefing import brief
from cloudmap.publish.layers import export


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
