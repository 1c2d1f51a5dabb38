from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.analytics.cube import build_weekly, total_by_category, total_by_place, total_by_week
from cloudmap.analytics.periods import Period

SHANGHAI = ZoneInfo("Asia/Shanghai")
WEIGHTS = {"FC02": 1.0, "SH04": 30.0}


def _facts(rows):
    columns = ["report_id", "matter_id", "category_code", "occurred_at", "unit"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(pl.col("occurred_at").cast(pl.Datetime("us", "UTC")))


def test_weeks_begin_on_monday_in_the_citys_own_zone():
    sunday_utc = datetime(2018, 7, 1, 17, 0, tzinfo=UTC)  # Monday 2 July, 01:00 in Shanghai
    cube = build_weekly(_facts([("a", "a", "FC02", sunday_utc, "A")]), "unit", zone=SHANGHAI, weights=WEIGHTS)
    assert cube["week_on"].to_list() == [date(2018, 7, 2)]


def test_a_matter_told_twice_counts_once_and_both_counts_stay():
    at = datetime(2018, 7, 3, tzinfo=UTC)
    rows = [("m", "m", "SH04", at, "A"), ("p", "m", "SH04", at, "A"), ("n", "n", "SH04", at, "A"), ("q", "q", "FC02", at, None)]
    cube = build_weekly(_facts(rows), "unit", zone=SHANGHAI, weights=WEIGHTS)
    assert cube.row(0, named=True) == {
        "place": "A", "week_on": date(2018, 7, 2), "category_code": "SH04", "reports_n": 3, "matters_n": 2, "burden": 60.0,
    }  # fmt: skip
    assert cube.height == 1


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["FC02", "SH04"]), st.datetimes(datetime(2018, 1, 1), datetime(2018, 3, 1)), st.sampled_from(["B", "A", None]),
        ),
        min_size=1,
        max_size=40,
    )
)  # fmt: skip
def test_every_total_of_the_cube_is_the_number_of_placed_rows(rows):
    facts = _facts([(f"{i}", f"{i}", row[0], row[1].replace(tzinfo=UTC), row[2]) for i, row in enumerate(rows)])
    placed = facts["unit"].is_not_null().sum()
    cube = build_weekly(facts, "unit", zone=SHANGHAI, weights=WEIGHTS)
    assert cube.sort("place", "week_on", "category_code").equals(cube)
    plain = facts.drop_nulls("unit").group_by("unit", "category_code").len("n").sort("unit", "category_code")
    assert (
        cube.group_by(unit="place", category_code="category_code")
        .agg(n=pl.col("reports_n").sum().cast(pl.UInt32))
        .sort("unit", "category_code")
        .equals(plain)
    )
    period = Period(date(2017, 12, 25), 13)
    assert total_by_place(cube, period=period, categories=None)["reports_n"].sum() == placed
    assert total_by_week(cube, categories=None)["reports_n"].sum() == placed
    assert total_by_category(cube, period=None)["matters_n"].sum() == placed
