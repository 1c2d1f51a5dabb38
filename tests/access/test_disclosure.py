"""No masked count appears in any column, and what may be seen is exact."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cloudmap.access.audience import Audience
from cloudmap.access.disclosure import disclose, disclose_reports, ordinary
from cloudmap.city import PrivacySection
from cloudmap.errors import AccessError

INTERNAL, GRANTED, OUTSIDE = Audience(), Audience(restricted=True), Audience("outside")
PRIVACY = PrivacySection()
RESTRICTED = frozenset({"DS01", "DS04"})


def _counts(rows: list[tuple[str, int, int]]) -> pl.DataFrame:
    """Place and category, count, closed ones, and what is computed from them."""
    places = [f"p{number:03d}" for number in range(len(rows))]
    return pl.DataFrame(
        {"place": places, "category_code": [row[0] for row in rows], "n": [row[1] for row in rows], "closed_n": [row[2] for row in rows]},
        schema={"place": pl.String, "category_code": pl.String, "n": pl.Int64, "closed_n": pl.Int64},
    ).with_columns(
        ratio=pl.col("n") / 2.5,
        rank=pl.col("n").rank("ordinal"),
        verdict=pl.when(pl.col("n") > 3).then(pl.lit("hot")).otherwise(pl.lit("not_significant")),
    )


DERIVED = ("ratio", "rank", "verdict")


def _disclose(frame: pl.DataFrame, audience: Audience, **more: Any) -> pl.DataFrame:
    settings: dict[str, Any] = {
        "audience": audience,
        "privacy": PRIVACY,
        "count_columns": [name for name in ("n", "closed_n") if name in frame.columns],
        "derived_columns": [name for name in DERIVED if name in frame.columns],
        "category_column": "category_code" if "category_code" in frame.columns else None,
        "restricted": RESTRICTED,
    }
    return disclose(frame, **(settings | more))


CATEGORIES = st.sampled_from(["DS01", "DS02", "DS04", "SA01"])
ROWS = st.lists(st.tuples(CATEGORIES, st.integers(0, 14), st.integers(0, 14)), max_size=30)
ORDINARY_ROWS = st.lists(st.tuples(st.sampled_from(["DS02", "SA01"]), st.integers(0, 14), st.integers(0, 14)), max_size=30)


def _told(frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["place"]: row for row in frame.to_dicts()}


def _check(before: pl.DataFrame, after: pl.DataFrame, thresholds: dict[str, int]) -> None:
    """Every row is either wholly hidden, because one of its counts is 1 to k-1, or exact."""
    given_rows, told_rows = _told(before), _told(after)
    assert given_rows.keys() == told_rows.keys()
    for place, row in given_rows.items():
        k = thresholds[row["category_code"]]
        hidden = any(1 <= row[name] < k for name in ("n", "closed_n"))
        values = {name: told_rows[place][name] for name in ("n", "closed_n", *DERIVED)}
        assert told_rows[place]["masked"] == hidden
        assert values == (dict.fromkeys(values) if hidden else {name: row[name] for name in values})


@settings(deadline=None)
@given(ROWS)
def test_internal_sees_ordinary_counts_exactly_and_no_restricted_count_of_1_to_9(rows: list[tuple[str, int, int]]) -> None:
    before = _counts(rows)
    _check(before, _disclose(before, INTERNAL), {"DS01": 10, "DS04": 10, "DS02": 0, "SA01": 0})


@settings(deadline=None)
@given(ORDINARY_ROWS)
def test_outside_sees_no_count_of_1_to_4(rows: list[tuple[str, int, int]]) -> None:
    before = _counts(rows)
    _check(before, _disclose(before, OUTSIDE), {"DS02": 5, "SA01": 5})


@settings(deadline=None)
@given(ROWS)
def test_the_grant_shows_everything_as_it_is(rows: list[tuple[str, int, int]]) -> None:
    before = _counts(rows)
    assert_frame_equal(_disclose(before, GRANTED).drop("masked"), before)


@settings(deadline=None)
@given(ROWS, st.sampled_from([INTERNAL, OUTSIDE]))
def test_what_is_told_does_not_change_with_a_masked_count(rows: list[tuple[str, int, int]], audience: Audience) -> None:
    """The strongest form: replace each masked count by another masked one, sort by it, and nothing seen changes."""
    if audience.outside:
        rows = [("DS02", n, closed_n) for _, n, closed_n in rows]
    k = 5 if audience.outside else 10
    other = [
        (code, k - n, closed_n) if 1 <= n < k and (audience.outside or code in RESTRICTED) else (code, n, closed_n)
        for code, n, closed_n in rows
    ]
    # Ranks of the rows that are shown depend on all; they are not part of what this compares.
    one, two = (_disclose(_counts(each).drop("rank").sort("n", maintain_order=True), audience) for each in (rows, other))
    if one["masked"].any() or two["masked"].any():
        assert_frame_equal(one, two)


@settings(deadline=None)
@given(ROWS)
def test_disclosing_twice_is_disclosing_once(rows: list[tuple[str, int, int]]) -> None:
    once = _disclose(_counts(rows), INTERNAL)
    assert_frame_equal(_disclose(once, INTERNAL), once)


def test_the_edges_of_the_mask() -> None:
    restricted = _disclose(_counts([("DS01", n, 0) for n in (0, 1, 9, 10)]), INTERNAL)
    assert _told(restricted)["p000"]["n"] == 0
    assert [row["masked"] for row in _told(restricted).values()] == [False, True, True, False]
    outside = _disclose(_counts([("SA01", n, 0) for n in (0, 1, 4, 5)]), OUTSIDE)
    assert [_told(outside)[f"p{place:03d}"]["n"] for place in range(4)] == [0, None, None, 5]


def test_thresholds_are_the_citys() -> None:
    frame = _counts([("DS01", 3, 0), ("SA01", 3, 0)])
    assert _disclose(frame, INTERNAL, privacy=PrivacySection(k_restricted=3))["masked"].to_list() == [False, False]
    assert _disclose(frame.filter(pl.col("category_code") == "SA01"), OUTSIDE, privacy=PrivacySection(k=3))["masked"].to_list() == [False]


def test_a_category_may_be_told_for_all_rows() -> None:
    frame = _counts([("", 3, 0), ("", 12, 11)]).drop("category_code")
    assert _disclose(frame, INTERNAL, category="DS01")["masked"].to_list() == [True, False]
    assert _disclose(frame, INTERNAL, category="SA01")["masked"].to_list() == [False, False]
    assert _disclose(frame, INTERNAL)["masked"].to_list() == [False, False]
    assert _disclose(frame, OUTSIDE)["masked"].to_list() == [True, False]


def test_restricted_categories_do_not_go_outside() -> None:
    with pytest.raises(AccessError, match="category DS01, DS04 is restricted and cannot go outside"):
        _disclose(_counts([("DS04", 50, 50), ("DS01", 50, 50), ("SA01", 50, 50)]), OUTSIDE)
    with pytest.raises(AccessError, match="category DS01 is restricted"):
        _disclose(_counts([("", 50, 50)]).drop("category_code"), OUTSIDE, category="DS01")


def test_a_row_of_unknown_category_counts_as_restricted() -> None:
    frame = _counts([("SA01", 3, 3)]).with_columns(category_code=pl.lit(None, dtype=pl.String))
    assert _disclose(frame, INTERNAL)["masked"].to_list() == [True]
    with pytest.raises(AccessError, match=r"\(none\)"):
        _disclose(frame, OUTSIDE)


@pytest.mark.parametrize("odd", [None, float("nan"), -3.0, 0.4, 4.6])
def test_what_is_not_plainly_zero_or_enough_is_masked(odd: float | None) -> None:
    frame = pl.DataFrame({"place": ["a"], "n": [odd]}, schema={"place": pl.String, "n": pl.Float64})
    assert _disclose(frame, OUTSIDE)["masked"].to_list() == [True]


def test_a_number_of_which_nobody_said_what_it_is_stops_everything() -> None:
    frame = _counts([("SA01", 3, 1)]).with_columns(area_m2=pl.lit(85_630.0))
    with pytest.raises(AccessError, match=r"column\(s\) area_m2: neither count, derived nor key"):
        _disclose(frame, INTERNAL)
    assert _disclose(frame, INTERNAL, key_columns=["area_m2"])["area_m2"].to_list() == [85_630.0]
    with pytest.raises(AccessError, match="ratio, rank"):
        _disclose(frame, INTERNAL, key_columns=["area_m2"], derived_columns=())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"count_columns": ["m"]}, r"column\(s\) m to disclose are missing; have place"),
        ({"count_columns": []}, "no count column named"),
        ({"category": "SA01"}, "not both"),
    ],
)
def test_a_wrong_call_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(AccessError, match=message):
        _disclose(_counts([("SA01", 3, 1)]), INTERNAL, **more)


def test_no_rows_are_disclosed_as_no_rows() -> None:
    assert _disclose(_counts([]), OUTSIDE).schema["masked"] == pl.Boolean


def test_totals_hold_restricted_categories_only_for_the_grant() -> None:
    codes = ["DS02", "DS01", "SA01"]
    assert ordinary(codes, RESTRICTED, INTERNAL) == ordinary(codes, RESTRICTED, OUTSIDE) == ["DS02", "SA01"]
    assert ordinary(codes, RESTRICTED, GRANTED) == codes


def test_an_audience_is_one_of_the_known_and_never_outside_with_the_grant() -> None:
    with pytest.raises(AccessError, match="want one of internal, outside"):
        Audience("public")  # type: ignore[arg-type]
    with pytest.raises(AccessError, match="drop either --outside or --restricted"):
        Audience("outside", restricted=True)


REPORTS = pl.DataFrame(
    {
        "report_id": ["a:1", "a:2", "a:3"],
        "category_code": ["SA01", "DS01", None],
        "lon_deg": [121.3, 121.4, 121.5],
        "lat_deg": [28.5, 28.6, 28.7],
        "position": ["point", "point", "none"],
        "unit_street_code": ["s1", "s2", "s3"],
        "cell_8": [8, 8, 8],
        "cell_10": [10, 10, 10],
        "text": ["x", "y", "z"],
        "address": ["x", "y", "z"],
        "reporter_hash": ["x", "y", "z"],
    }
)


def test_restricted_reports_lose_their_point_and_cells_and_say_so() -> None:
    got = disclose_reports(REPORTS, INTERNAL, RESTRICTED)
    assert got["report_id"].to_list() == ["a:1", "a:2", "a:3"]
    for name, value in (("lon_deg", 121.3), ("lat_deg", 28.5), ("cell_8", 8), ("cell_10", 10)):
        assert got[name].to_list() == [value, None, None]
        assert got.schema[name] == REPORTS.schema[name]
    assert got["position"].to_list() == ["point", "coarsened", "coarsened"]
    assert got["unit_street_code"].to_list() == ["s1", "s2", "s3"]


def test_the_grant_sees_points_and_nobody_sees_text_or_reporter() -> None:
    got = disclose_reports(REPORTS, GRANTED, RESTRICTED)
    assert_frame_equal(got, REPORTS.drop("text", "address", "reporter_hash"))
    assert not {"text", "address", "reporter_hash"} & set(disclose_reports(REPORTS, INTERNAL, RESTRICTED).columns)


def test_a_list_by_place_leaves_restricted_reports_out() -> None:
    assert disclose_reports(REPORTS, INTERNAL, RESTRICTED, by_place=True)["report_id"].to_list() == ["a:1"]
    assert disclose_reports(REPORTS, GRANTED, RESTRICTED, by_place=True).height == 3


def test_single_reports_do_not_go_outside() -> None:
    with pytest.raises(AccessError, match="rows of single reports cannot go outside"):
        disclose_reports(REPORTS, OUTSIDE, RESTRICTED)
    with pytest.raises(AccessError, match="category_code"):
        disclose_reports(REPORTS.drop("category_code"), INTERNAL, RESTRICTED)
