"""Facts of any day on the geography of one."""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from cloudmap.errors import BoundaryError
from cloudmap.geo.locator import Locator
from cloudmap.geo.on_day import locate_on
from cloudmap.geo.units import Units
from tests.geo.squares import SIDE, SOUTH, WEST, base_map, square
from tests.geo.test_crosswalk import told

ON = "2017-01-01"
BEFORE, AFTER = datetime(2016, 12, 31, 15, 59, tzinfo=UTC), datetime(2016, 12, 31, 16, 0, tzinfo=UTC)
STREET = [("S", "s", None, square(0, 0, 4, 1))]
GRID = [
    ("whole", "w", "S", square(0, 0, 2, 1), None, ON),
    ("left", "l", "S", square(0, 0), ON, None),
    ("right", "r", "S", square(1, 0), ON, None),
    ("7", "seven", "S", square(2, 0), None, ON),
    ("8", "eight", "S", square(2, 0), ON, None),
    ("gone", "g", "S", square(3, 0), None, ON),
]


def facts(rows) -> pl.DataFrame:
    """Rows of (occurred_at, ledger_class, column, street, grid); the column is where the point lies, in squares."""
    return pl.DataFrame(
        {
            "occurred_at": [row[0] for row in rows],
            "ledger_class": [row[1] for row in rows],
            "lon_deg": [None if row[2] is None else WEST + row[2] * SIDE for row in rows],
            "lat_deg": [None if row[2] is None else SOUTH + 0.5 * SIDE for row in rows],
            "unit_street_code": [row[3] for row in rows],
            "unit_grid_code": [row[4] for row in rows],
        },
        schema_overrides={"occurred_at": pl.Datetime("us", "UTC")},
    )


def on(rows, day, units=None, **settings):
    units = units or base_map(street=STREET, grid=GRID)
    settings = {"timezone": "Asia/Shanghai", "locator": Locator(units, size=64), **settings}
    return locate_on(facts(rows), units, date.fromisoformat(day), **settings)


def test_points_go_where_they_lie_and_names_where_their_unit_went():
    rows = [
        (BEFORE, "located", 1.5, "S", "whole"),
        (AFTER, "area_only", None, "S", "8"),
        (BEFORE, "area_only", 0.5, "S", "whole"),
        (BEFORE, "area_only", None, "S", "7"),
        (BEFORE, "located", 3.5, "S", "gone"),
        (BEFORE, "unmapped", None, None, None),
        (BEFORE, "outside", 9.5, None, None),
    ]
    now = on(rows, "2018-01-01")
    assert now.frame["unit_grid_code"].to_list() == ["right", "8", None, "8", None, None, None]
    assert now.frame["unit_street_code"].to_list() == ["S", "S", "S", "S", "S", None, None]
    assert now.counts["grid"] == {"by_point": 1, "by_crosswalk": 2, "unclear": 1, "no_unit": 1}
    assert now.frame.drop("unit_grid_code").equals(facts(rows).drop("unit_grid_code"))
    then = on(rows, "2016-01-01")
    assert then.frame["unit_grid_code"].to_list() == ["whole", "7", "whole", "7", "gone", None, None]
    assert then.counts["grid"]["unclear"] == 0


def test_a_name_means_its_nearest_version_whatever_the_day_of_the_report():
    rows = [(AFTER, "area_only", None, "S", "7"), (BEFORE, "area_only", None, "S", "8"), (AFTER, "area_only", None, "S", "whole")]
    assert on(rows, "2018-01-01").frame["unit_grid_code"].to_list() == ["8", "8", None]
    assert on(rows, "2016-01-01").frame["unit_grid_code"].to_list() == ["7", "7", "whole"]


def test_a_point_that_may_not_be_known_counts_by_its_unit():
    """Restricted reports reach an analyst without coordinates."""
    rows = [(BEFORE, "located", None, "S", "7"), (BEFORE, "located", None, "S", "whole")]
    assert on(rows, "2018-01-01").frame["unit_grid_code"].to_list() == ["8", None]


def test_codes_that_the_base_map_no_longer_has_are_found_by_the_city_s_table():
    today = base_map(street=STREET, grid=[("n1", "a", "S", square(0, 0)), ("n2", "b", "S", square(1, 0))])
    table = told([("o1", "n1", ON, None), ("o2", "n1", ON, None), ("o2", "n2", ON, None)], level="grid")
    units = Units(today.frames, "x", renumbered=table)
    rows = [(BEFORE, "area_only", None, "S", code) for code in ("o1", "o2", "never", "n2")]
    found = on(rows, "2016-01-01", units)
    assert found.frame["unit_grid_code"].to_list() == ["n1", None, None, "n2"]
    assert found.counts["grid"] == {"by_point": 0, "by_crosswalk": 2, "unclear": 2, "no_unit": 0}


def test_only_the_levels_asked_for_are_placed_and_others_stay():
    rows = [(BEFORE, "located", 1.5, "kept", "whole")]
    found = on(rows, "2018-01-01", levels=["grid"])
    assert found.frame["unit_street_code"].to_list() == ["kept"]
    assert list(found.counts) == ["grid"]
    with pytest.raises(BoundaryError, match="no unit column"):
        on(rows, "2018-01-01", levels=["village"])


def test_geographies_are_numbered_by_their_units():
    units = base_map(street=STREET, grid=GRID)
    days = [date(1990, 1, 1), date(2016, 12, 31), date(2017, 1, 1), date(2030, 1, 1)]
    assert [units.geography("grid", day) for day in days] == [0, 0, 1, 1]
    assert sorted(units.standing("grid", 1)["code"]) == ["8", "left", "right"]
    assert units.newest_on == date(2017, 1, 1)
    assert units.dated_levels == ("grid",)
    assert base_map(street=STREET).newest_on is None
    started = base_map(street=[("S", "s", None, square(0, 0), "2016-01-01", "2018-01-01")])
    assert {started.geography("street", day) for day in (date(1990, 1, 1), date(2017, 1, 1), date(2020, 1, 1))} == {1}


def test_one_day_for_all_points_is_that_day_for_each():
    locator = Locator(base_map(street=STREET, grid=GRID), size=64)
    lon, lat = WEST + np.array([0.5, 1.5, 2.5, 3.5, 8]) * SIDE, np.full(5, SOUTH + 0.5 * SIDE)
    for day in (np.datetime64("2016-01-01"), np.datetime64("2017-01-01")):
        assert locator.codes("grid", lon, lat, on=day).tolist() == locator.codes("grid", lon, lat, on=np.full(5, day)).tolist()
