"""What became of redrawn units: told by their shapes, or by the city's own table."""

from datetime import date

import polars as pl
import pytest

from cloudmap.city import Milestone
from cloudmap.errors import BoundaryError, SchemaError
from cloudmap.geo.boundaries import read_units
from cloudmap.geo.crosswalk import crosswalk
from cloudmap.geo.redraws import unit_changes
from cloudmap.geo.units import RENUMBERED, Units
from tests.geo.squares import base_map, frame, square
from tests.geo.test_boundaries import city_of, drawn

OLD, NEW = date(2016, 6, 1), date(2018, 6, 1)
ON = "2017-01-01"

REDRAWN = [
    # whole becomes two; two become one; the same under another number; one gives a quarter to its neighbour; unchanged; given up
    ("whole", "w", None, square(0, 0, 2, 1), None, ON),
    ("left", "l", None, square(0, 0), ON, None),
    ("right", "r", None, square(1, 0), ON, None),
    ("north", "n", None, square(0, 1), None, ON),
    ("south", "s", None, square(0, 2), None, ON),
    ("both", "b", None, square(0, 1, 1, 2), ON, None),
    ("7", "seven", None, square(1, 1), None, ON),
    ("8", "eight", None, square(1, 1), ON, None),
    ("giver", "g", None, square(2, 0), None, ON),
    ("giver", "g", None, square(2, 0, 0.75, 1), ON, None),
    ("taker", "t", None, square(3, 0), None, ON),
    ("taker", "t", None, square(2.75, 0, 1.25, 1), ON, None),
    ("still", "s", None, square(5, 5), None, None),
    ("gone", "g", None, square(7, 7), None, ON),
    ("reclaimed", "r", None, square(9, 9), ON, None),
]


def pairs(frame):
    return {(old, new): (round(share, 3), how) for old, new, share, how in frame.iter_rows()}


def told(rows, level="street") -> pl.DataFrame:
    return pl.DataFrame([(level, old, new, date.fromisoformat(on), share) for old, new, on, share in rows], schema=RENUMBERED, orient="row")


def test_shapes_tell_what_became_of_each_unit():
    assert pairs(crosswalk(base_map(street=REDRAWN), "street", OLD, NEW)) == {
        ("whole", "left"): (0.5, "area"),
        ("whole", "right"): (0.5, "area"),
        ("north", "both"): (1.0, "area"),
        ("south", "both"): (1.0, "area"),
        ("7", "8"): (1.0, "area"),
        ("giver", "giver"): (0.75, "area"),
        ("giver", "taker"): (0.25, "area"),
        ("taker", "taker"): (1.0, "area"),
        ("still", "still"): (1.0, "same"),
        ("gone", None): (1.0, "area"),
    }


def test_the_way_back_is_told_too_and_one_day_is_itself():
    units = base_map(street=REDRAWN)
    back = pairs(crosswalk(units, "street", NEW, OLD))
    assert back["both", "north"] == back["both", "south"] == (0.5, "area")
    assert back["left", "whole"] == (1.0, "area")
    assert back["taker", "giver"] == (0.2, "area")
    assert back["reclaimed", None] == (1.0, "area")
    same = crosswalk(units, "street", NEW, date(2030, 1, 1))
    assert same["old"].to_list() == same["new"].to_list()
    assert set(same["how"]) == {"same"}


def test_changes_are_told_apart():
    changes = unit_changes(base_map(street=REDRAWN), "street")
    assert changes.rows() == [
        (date(2017, 1, 1), "begun", [], ["reclaimed"]),
        (date(2017, 1, 1), "ended", ["gone"], []),
        (date(2017, 1, 1), "merged", ["north", "south"], ["both"]),
        (date(2017, 1, 1), "redrawn", ["giver", "taker"], ["giver", "taker"]),
        (date(2017, 1, 1), "renumbered", ["7"], ["8"]),
        (date(2017, 1, 1), "split", ["whole"], ["left", "right"]),
    ]
    assert unit_changes(base_map(street=[("a", "a", None, square(0, 0))]), "street").is_empty()


def test_slivers_of_a_new_survey_are_no_change():
    units = base_map(
        street=[
            ("a", "a", None, square(0, 0), None, ON),
            ("b", "b", None, square(1, 0), None, ON),
            ("a", "a", None, square(0, 0, 1.005, 1), ON, None),
            ("b", "b", None, square(1.005, 0, 0.995, 1), ON, None),
        ]
    )
    assert pairs(crosswalk(units, "street", OLD, NEW)) == {("a", "a"): (1.0, "area"), ("b", "b"): (1.0, "area")}


def test_the_city_s_own_table_is_believed_over_shapes():
    rows = [("whole", "left", ON, 0.9), ("whole", "right", ON, 0.1), ("7", "giver", ON, None)]
    units = Units(base_map(street=REDRAWN).frames, "x", renumbered=told(rows))
    found = pairs(crosswalk(units, "street", OLD, NEW))
    assert found["whole", "left"] == (0.9, "table")
    assert found["7", "giver"] == (1.0, "table")
    assert found["north", "both"] == (1.0, "area")


def test_a_table_without_shares_leaves_them_to_the_shapes_and_else_to_even_parts():
    rows = [("whole", "left", ON, None), ("whole", "right", ON, None)]
    assert pairs(crosswalk(Units(base_map(street=REDRAWN).frames, "x", renumbered=told(rows)), "street", OLD, NEW))["whole", "left"] == (
        0.5,
        "table",
    )
    blank = [("p", "p", None, None, None, ON), ("q", "q", None, None, ON, None), ("r", "r", None, None, ON, None)]
    units = base_map(street=[*blank, ("s", "s", None, square(0, 0))])
    shares = Units(units.frames, "x", renumbered=told([("p", "q", ON, None), ("p", "r", ON, None)]))
    assert pairs(crosswalk(shares, "street", OLD, NEW))["p", "r"] == (0.5, "table")
    assert pairs(crosswalk(units, "street", OLD, NEW))["p", None] == (1.0, "area")


def test_numbers_that_changed_twice_are_followed_through_and_back():
    levels = [
        ("1", "a", None, square(0, 0), None, "2016-01-01"),
        ("2", "a", None, square(0, 0), "2016-01-01", "2017-01-01"),
        ("3", "a", None, square(0, 0), "2017-01-01", None),
    ]
    units = Units(base_map(street=levels).frames, "x", renumbered=told([("1", "2", "2016-01-01", None), ("2", "3", "2017-01-01", None)]))
    assert pairs(crosswalk(units, "street", date(2015, 1, 1), NEW)) == {("1", "3"): (1.0, "table")}
    assert pairs(crosswalk(units, "street", NEW, date(2015, 1, 1))) == {("3", "1"): (1.0, "table")}
    assert pairs(crosswalk(units, "street", date(2016, 5, 1), NEW)) == {("2", "3"): (1.0, "table")}


def test_tables_are_read_beside_a_layer_and_from_a_milestone(tmp_path):
    (tmp_path / "streets.crosswalk.csv").write_text(
        "旧代码,新代码,日期,占比\nc1,c2,2017年1月1日,60%\nc1,c3,2017-01-01,0.4\n", encoding="utf-8"
    )
    (tmp_path / "plan.csv").write_text("old,new,level\nx9,c3,street\nx1,x2,\n", encoding="utf-8")
    plain = city_of(tmp_path, streets=("street", drawn()))
    milestone = Milestone(date=date(2018, 2, 1), name="重划", kind="boundary", path="plan.csv")
    units = read_units(plain.model_copy(update={"milestones": (milestone,)}))
    assert units.renumbered.rows() == [
        ("street", "c1", "c2", date(2017, 1, 1), 0.6),
        ("street", "c1", "c3", date(2017, 1, 1), 0.4),
        ("street", "x9", "c3", date(2018, 2, 1), None),
    ]
    assert [(one.kind, one.codes) for one in units.problems] == [("crosswalk", ("x1", "x2"))]
    assert units.version != read_units(plain).version


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("before,new\na,b\n", SchemaError, "no column of old codes"),
        ("old,new\nc1,c2\n", BoundaryError, "row 2 has no day"),
        ("old,new,on\nc1,,2017-01-01\n", BoundaryError, "no old or no new code"),
        ("old,new,on,level\nc1,c2,2017-01-01,town\n", BoundaryError, "unknown level"),
        ("old,new,on,share\nc1,c2,2017-01-01,2\n", BoundaryError, "share = '2'"),
    ],
)
def test_a_table_that_cannot_be_believed_is_refused(tmp_path, text, error, told):
    (tmp_path / "streets.crosswalk.csv").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=told):
        read_units(city_of(tmp_path, streets=("street", drawn())))


def test_an_unknown_level_is_refused():
    with pytest.raises(BoundaryError, match="no partition of level 'village'"):
        crosswalk(Units({("street", "partition"): frame("street", REDRAWN)}, "x"), "village", OLD, NEW)
