"""Overlays lie over the partitions: named or by shape, any number on one point, each in its time."""

from datetime import UTC, datetime

import numpy as np
import polars as pl

from cloudmap.geo.locate import Locator, locate
from cloudmap.geo.overlays import over_points, shaped
from cloudmap.geo.units import Units
from cloudmap.schema import flag_counts
from tests.geo.squares import SIDE, SOUTH, WEST, city, clean, frame, square, squares

OVERLAYS = [
    ("N1", "石浜新居民微格", "331004001001", square(0.25, 0.25, 0.5, 0.5)),
    ("N2", "市场微格", "331004001", square(0.5, 0.5, 1, 1), "2016-01-01", "2018-01-01"),
    ("N3", "五老微格", "331004001001", None),
    ("N4", "石浜村", "331004001001", None),
]


def mapped() -> Units:
    return Units({**squares().frames, ("microgrid", "overlay"): frame("microgrid", OVERLAYS, "overlay")}, "0123456789ab")


def test_a_point_lies_in_every_overlay_that_stands_on_its_day():
    lon, lat = WEST + np.array([0.6, 0.6, 0.6, 0.3, 1.2, np.nan]) * SIDE, SOUTH + np.array([0.6, 0.6, 0.6, 0.3, 0.9, 0.6]) * SIDE
    days = np.array(["2017-12-31", "2018-01-01", "2015-12-31", "2017-01-01", "2017-01-01", "2017-01-01"], dtype="datetime64[D]")
    overlays = mapped().frame("microgrid", "overlay")
    rows, codes = over_points(overlays, lon, lat, days)
    assert list(zip(rows.tolist(), codes, strict=True)) == [(0, "N1"), (0, "N2"), (1, "N1"), (2, "N1"), (3, "N1"), (4, "N2")]
    assert shaped(overlays) == {"N1", "N2"}
    assert over_points(overlays[overlays["code"] == "N3"], lon, lat, days)[0].size == 0


def test_reports_name_overlays_and_without_a_point_count_for_the_unit_that_it_belongs_to(tmp_path):
    names = ["N3", "五老 微格", "石浜村", "nobody", None]
    rows = clean(
        [None] * 4 + [(WEST + 0.3 * SIDE, SOUTH + 0.3 * SIDE)], unit_named=[*names[:4], "N1"], occurred_at=datetime(2017, 5, 1, tzinfo=UTC)
    )
    units = mapped()
    out = locate(rows, city=city(tmp_path), units=units, locator=Locator(units, size=64), crs="EPSG:4326")
    assert out["overlay_code"].to_list() == ["N3", "N3", None, None, "N1"]
    assert out["unit_community_code"].to_list() == ["331004001001", "331004001001", None, None, "331004001001"]
    assert out["unit_village_code"].to_list()[2] == "331004001201"
    assert out["unit_microgrid_code"].to_list() == [None, None, None, None, "331004001001001"]
    assert out["ledger_class"].to_list() == ["unmapped"] * 4 + ["located"]
    assert flag_counts(out["flags"]) == {"unit_unknown": 1}


def test_without_overlays_no_report_names_one(tmp_path):
    rows = clean([None], unit_named=["N3"])
    out = locate(rows, city=city(tmp_path), units=squares(), locator=Locator(squares(), size=64), crs="EPSG:4326")
    assert out["overlay_code"].to_list() == [None]
    assert out.schema["overlay_code"] == pl.String
