"""Bad values, numbered as the list of faults numbers them: each has its outcome."""

from datetime import UTC, datetime, timedelta

import pytest

from cloudmap.ingest.versions import classify_versions
from cloudmap.schema import flag_counts

from .test_reports import LUQIAO, Desk, desk, row

__all__ = ["desk"]


def test_fault_49_zero_coordinates_are_no_place(desk: Desk) -> None:
    rows, rejected = desk.read(
        [row(lon="0", lat="0"), row(id="2", lon="0.0", lat="0.000"), row(id="3", lon="", lat=""), row(id="4", lon="", lat="28.5")]
    )
    assert rows["x"].null_count() == rows["y"].null_count() == 4
    assert rejected.height == 0
    assert rows["flags"].sum() == 0


def test_fault_50_swapped_axes_are_put_right(desk: Desk) -> None:
    rows, _ = desk.read([row(), row(id="2", lon="28.58", lat="121.37")])
    assert rows["x"].to_list() == [121.37, 121.37]
    assert rows["y"].to_list() == [28.58, 28.58]
    assert flag_counts(rows["flags"]) == {"axes_swapped": 1}


def test_fault_50_swapped_axes_where_latitude_cannot_tell(desk: Desk) -> None:
    boston = (-71.19, 42.22, -70.98, 42.40)
    points = [row(lon="-71.06", lat="42.36"), row(id="2", lon="42.36", lat="-71.06"), row(id="3", lon="-74.0", lat="40.7")]
    rows, _ = desk.read(points, extent=boston)
    assert rows["x"].to_list() == [-71.06, -71.06, -74.0]
    assert flag_counts(rows["flags"]) == {"axes_swapped": 1}
    assert flag_counts(desk.read(points)[0]["flags"]) == {}


@pytest.mark.parametrize("value", ["NaN", "inf", "-Infinity", "无", "121°22'E", "1e400"])
def test_fault_51_what_is_no_finite_number_is_quarantined(desk: Desk, value: str) -> None:
    rows, rejected = desk.read([row(), row(id="2", lon=value)], extent=LUQIAO)
    assert rows.height == 1
    assert rejected.select("line_no", "field", "rule").row(0) == (3, "经度 + 纬度", "not_a_number")
    assert rejected["value"][0] == f"{value}, 28.58"


def test_fault_53_single_projected_pairs_are_quarantined(desk: Desk) -> None:
    rows, rejected = desk.read([row(id=str(n)) for n in range(30)] + [row(id="31", lon="634034", lat="3157000")])
    assert rows.height == 30
    assert rejected["rule"].to_list() == ["coordinate_out_of_range"]
    assert "sources.app.crs" in rejected["detail"][0]


def test_fault_55_future_times_are_quarantined(desk: Desk) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%d %H:%M")
    rows, rejected = desk.read([row(), row(id="2", reported_at=tomorrow), row(id="3", closed_at="2999-01-01")])
    assert rows.height == 1
    assert rejected.select("field", "rule").rows() == [("上报时间", "future_time"), ("办结时间", "future_time")]


def test_fault_56_31_february_is_quarantined(desk: Desk) -> None:
    rows, rejected = desk.read([row(), row(id="2", reported_at="2016年2月31日 14时20分"), row(id="3", closed_at="2016/02/31")])
    assert rows["source_report_id"].to_list() == ["0012"]
    assert rejected.select("line_no", "rule", "value").rows() == [
        (3, "no_such_date", "2016年2月31日 14时20分"),
        (4, "no_such_date", "2016/02/31"),
    ]


def test_fault_57_spreadsheet_serials_are_read_and_flagged(desk: Desk) -> None:
    rows, _ = desk.read([row(), row(id="2", reported_at="42434.597222222219", closed_at="42435.375")])
    assert rows["reported_at"].n_unique() == 1
    assert rows["closed_at"].n_unique() == 1
    assert flag_counts(rows["flags"]) == {"time_repaired": 1}


def test_fault_58_closed_before_opened_is_flagged_and_kept(desk: Desk) -> None:
    rows, rejected = desk.read([row(), row(id="2", closed_at="2016-03-01 09:00")])
    assert rejected.height == 0
    assert rows["closed_at"][1] == datetime(2016, 3, 1, 1, tzinfo=UTC)
    assert rows["reported_at"][1] == datetime(2016, 3, 5, 6, 20, tzinfo=UTC)
    assert flag_counts(rows["flags"]) == {"closed_before_opened": 1}


def test_fault_59_unknown_categories_are_kept_as_other(desk: Desk) -> None:
    rows, _ = desk.read([row(category="外星人"), row(id="2", category=""), row(id="3", category=" 路灯 ")])
    assert rows["category_code"].to_list() == ["OT99", "OT99", "FC02"]
    assert rows["category_raw"].to_list() == ["外星人", None, "路灯"]
    assert flag_counts(rows["flags"]) == {"category_unknown": 2}


def test_fault_60_same_id_other_content_is_a_new_version(desk: Desk) -> None:
    rows, _ = desk.read([row(state="处理中", closed_at=""), row(), row()])
    assert classify_versions(rows).to_list() == ["superseded", "repeated", "keep"]
    stored, _ = desk.read([row(state="处理中", closed_at="")])
    assert classify_versions(rows[2:], stored).to_list() == ["keep"]


def test_fault_62_of_an_overlapping_file_only_new_rows_are_kept(desk: Desk) -> None:
    stored, _ = desk.read([row(id=str(n)) for n in range(5)])
    rows, _ = desk.read([row(id=str(n)) for n in range(3, 9)])
    assert classify_versions(rows, stored).to_list() == ["repeated", "repeated", "keep", "keep", "keep", "keep"]
