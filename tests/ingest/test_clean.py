"""Whatever a cell holds, its record is clean or rejected, and nothing else happens."""

from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.ingest.clean import CleanPlan, clean_block, record_digests
from cloudmap.ingest.coordinates import PointPlan
from cloudmap.ingest.taxonomy import shipped_taxonomy
from cloudmap.ingest.times import TimePlan
from cloudmap.schema import CLEAN, REJECTED

ZONE = ZoneInfo("America/New_York")
COLUMNS = (
    "id",
    "category",
    "occurred_at",
    "reported_at",
    "closed_at",
    "due_at",
    "state",
    "lon",
    "lat",
    "reporter_id",
    "text",
    "address",
    "tier",
)
AWKWARD = st.sampled_from(
    [
        None, "", " ", "NaN", "-inf", "1e999", "99999999999999999999", "0", "-0", "0.0", "1.2E+17", "2016-03-13 02:30",
        "2016-11-06 01:30", "10000-01-01", "0000-00-00", "-2016-01-01", "9999999999999", "999999999999999999", "2958466", "民國",
        "民國000年0月0日", "105/2/29", "13/13/2016", "24:00", "2016-02-30T25:61:61Z", "2016-01-01T00:00:00+99:99", "١٢٣",
        "１２１．５", "121,5", "1,234,567.8", "\x00", "\ud7ff", "𠮷田", "〔电话〕", "${1}", "\\1", "13812345678" * 5, "联系人",
        "联系人:", "\u200b", "%Y-%m-%d", "路灯", "OT99",
    ]
)  # fmt: skip
CELL = st.one_of(AWKWARD, st.text(max_size=30), st.floats().map(str), st.datetimes().map(str), st.integers().map(str))


def plan(**more: object) -> CleanPlan:
    settings_ = {
        "source_id": "app",
        "fields": {name: name for name in COLUMNS},
        "times": {name: TimePlan(name, ZONE, order="month_first") for name in ("occurred_at", "reported_at", "closed_at", "due_at")},
        "points": PointPlan(geographic=True, extent=(-71.2, 42.2, -70.9, 42.4)),
        "categories": {name: code for code, name in zip(shipped_taxonomy().codes, shipped_taxonomy().frame["l2_zh"], strict=True)},
        "category_code": None,
        "states": {"完": "closed"},
        "reporter": "mixed",
        "salt": b"salt",
    }
    return CleanPlan(**{**settings_, **more})  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[CELL] * len(COLUMNS)), min_size=1, max_size=6))
def test_every_record_is_clean_or_rejected_once(records: list[tuple[str | None, ...]]) -> None:
    frame = pl.DataFrame(records, schema=dict.fromkeys(COLUMNS, pl.String), orient="row").with_row_index("line_no", offset=2)
    rows, rejected = clean_block(frame.with_columns(pl.col("line_no").cast(pl.Int64)), plan())
    assert rows.schema == pl.Schema(CLEAN.dtypes)
    assert rejected.schema == pl.Schema(REJECTED.dtypes)
    assert sorted([*rows["line_no"], *rejected["line_no"]]) == list(range(2, len(records) + 2))
    for column in ("report_id", "category_code", "occurred_at", "reported_at", "flags"):
        assert rows[column].null_count() == 0
    assert rejected.select("rule", "detail").null_count().sum_horizontal().item() == 0
    placed = rows.filter(pl.col("x").is_not_null())
    assert placed["y"].null_count() == 0
    assert placed["x"].is_between(-180, 180).all()
    assert placed["y"].is_between(-90, 90).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), min_size=2, max_size=8))
def test_equal_records_have_equal_digests_and_others_do_not(records: list[tuple[str, str]]) -> None:
    digests = record_digests(pl.DataFrame(records, schema={"a": pl.String, "b": pl.String}, orient="row")).to_list()
    assert len(set(digests)) == len(set(records))


def test_a_source_of_staff_says_so_for_every_report() -> None:
    frame = pl.DataFrame({"line_no": [2], **{name: ["1"] for name in COLUMNS}, "reported_at": ["2016-03-05"]}).with_columns(
        occurred_at=pl.lit(None, pl.String), closed_at=pl.lit(None, pl.String), due_at=pl.lit(None, pl.String)
    )
    assert clean_block(frame, plan(reporter="staff"))[0]["reporter_kind"].to_list() == ["staff"]
    assert clean_block(frame, plan())[0]["reporter_kind"].to_list() == [None]
