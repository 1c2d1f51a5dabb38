"""Times as files write them, and the plan for a column."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.errors import ConfigError, SourceError
from cloudmap.ingest.time_plans import declared_readings, plan_times
from cloudmap.ingest.times import ParsedTimes, TimePlan, localise, parse_times

SHANGHAI = ZoneInfo("Asia/Shanghai")
BOSTON = ZoneInfo("America/New_York")


def plan_of(*blocks: list[str | None], zone: ZoneInfo = SHANGHAI, time_format: str | None = None, name: str = "时间") -> TimePlan:
    frames = [pl.DataFrame({"t": block}, schema={"t": pl.String}) for block in blocks]
    return plan_times(lambda: iter(frames), names={"t": name}, source_id="app", zone=zone, time_format=time_format)["t"]


def parse(values: list[str | None], **more: object) -> ParsedTimes:
    return parse_times(pl.Series("t", values, dtype=pl.String), plan_of(values, **more))  # type: ignore[arg-type]


def local(at: pl.Series, zone: ZoneInfo = SHANGHAI) -> list[str | None]:
    return at.dt.convert_time_zone(zone.key).dt.strftime("%Y-%m-%d %H:%M:%S").to_list()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2016-03-05 14:20:05", "2016-03-05 14:20:05"),
        ("2016-03-05", "2016-03-05 00:00:00"),
        ("2016-3-5 4:02", "2016-03-05 04:02:00"),
        ("2016/03/05 14:20", "2016-03-05 14:20:00"),
        ("2016.03.05 14:20", "2016-03-05 14:20:00"),
        ("  2016-03-05T14:20:05 ", "2016-03-05 14:20:05"),
        ("2016-03-05T14:20:05.250", "2016-03-05 14:20:05"),
        ("2016-03-05T06:20:05Z", "2016-03-05 14:20:05"),
        ("2016-03-05 06:20:05+00", "2016-03-05 14:20:05"),
        ("2016-03-05T14:20:05+08:00", "2016-03-05 14:20:05"),
        ("2016-03-05 06:20:05 UTC", "2016-03-05 14:20:05"),
        ("2016年3月5日", "2016-03-05 00:00:00"),
        ("2016年03月05日 14时20分", "2016-03-05 14:20:00"),
        ("2016年3月5日14时20分05秒", "2016-03-05 14:20:05"),
        ("2016 年 3 月 5 日 14:20", "2016-03-05 14:20:00"),
        ("２０１６年３月５日　１４：２０", "2016-03-05 14:20:00"),
        ("2016年3月5日 下午2点20分", "2016-03-05 14:20:00"),
        ("2016年3月5日 上午 2:20", "2016-03-05 02:20:00"),
        ("民國105年3月5日", "2016-03-05 00:00:00"),
        ("民國105年2月29日 14:20", "2016-02-29 14:20:00"),
        ("中華民國 105 年 3 月 5 日", "2016-03-05 00:00:00"),
        ("105/3/5 14:20", "2016-03-05 14:20:00"),
        ("13/03/2016 14:20", "2016-03-13 14:20:00"),
        ("03/13/2016 02:20:05 PM", "2016-03-13 14:20:05"),
        ("03/13/2016 12:20:05 AM", "2016-03-13 00:20:05"),
        ("13.03.2016", "2016-03-13 00:00:00"),
        ("5-Mar-2016 14:20", "2016-03-05 14:20:00"),
        ("March 5, 2016 14:20", "2016-03-05 14:20:00"),
        ("20160305", "2016-03-05 00:00:00"),
        ("20160305142005", "2016-03-05 14:20:05"),
        ("1457158805", "2016-03-05 14:20:05"),
        ("1457158805000", "2016-03-05 14:20:05"),
        ("42434.597280092594", "2016-03-05 14:20:05"),
    ],
)
def test_one_form(text: str, expected: str) -> None:
    parsed = parse([text])
    assert parsed.fault.to_list() == [None]
    assert local(parsed.at) == [expected]


def test_forms_may_be_mixed_in_one_column() -> None:
    values = ["2016-03-05 14:20:05", "2016/3/5 14:20", "2016年3月5日 14时20分", "1457158805", "42434.597280092594", None, " "] * 30
    parsed = parse(values)
    assert parsed.fault.null_count() == len(values)
    assert parsed.at.null_count() == 60
    assert set(local(parsed.at.drop_nulls())) == {"2016-03-05 14:20:05", "2016-03-05 14:20:00"}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("2016-02-31", "no_such_date"),
        ("2016-03-05 25:00", "no_such_date"),
        ("2016年13月1日", "no_such_date"),
        ("45x13", "unknown_time_format"),
        ("yesterday", "unknown_time_format"),
        ("105/3/5", "unknown_time_format"),
        ("05/01/15", "unknown_time_format"),
        ("1985-01-01", "implausible_time"),
        ("2999-01-01", "future_time"),
    ],
)
def test_faults_are_named(text: str, rule: str) -> None:
    parsed = parse(["2016-03-05"] * 30 + [text])
    assert parsed.fault.to_list() == [None] * 30 + [rule]
    assert parsed.at[-1] is None


@pytest.mark.parametrize("text", ["0", "1900-01-00", "1900-01-01 00:00:00", "0000-00-00", "9999-12-31 00:00:00"])
def test_stand_ins_for_blank_are_blank_and_flagged(text: str) -> None:
    parsed = parse(["2016-03-05", text])
    assert parsed.at[1] is None
    assert parsed.fault.to_list() == [None, None]
    assert parsed.repaired.to_list() == [False, True]


def test_a_deadline_may_lie_ahead() -> None:
    ahead = (datetime.now(UTC) + timedelta(days=90)).strftime("%Y-%m-%d")
    values = pl.Series("t", [ahead])
    assert parse_times(values, plan_of([ahead])).fault[0] == "future_time"
    assert parse_times(values, plan_of([ahead]), due=True).fault[0] is None


def test_order_of_day_and_month_is_decided_by_evidence() -> None:
    plan = plan_of(["05/01/2015 10:00", "01/13/2015 10:00"])
    assert plan.order == "month_first"
    assert "01/13/2015" in plan.evidence[0]
    assert local(parse_times(pl.Series(["05/01/2015 10:00"]), plan).at) == ["2015-05-01 10:00:00"]
    assert plan_of(["05/01/2015", "13/01/2015"]).order == "day_first"


def test_evidence_is_looked_for_in_the_whole_file() -> None:
    asked = []

    def blocks() -> Iterator[pl.DataFrame]:
        for values in (["05/01/2015"], ["06/02/2015"], ["31/01/2015"], ["07/01/2015"]):
            asked.append(values)
            yield pl.DataFrame({"t": values})

    plan = plan_times(blocks, names={"t": "开始"}, source_id="app", zone=SHANGHAI)["t"]
    assert plan.order == "day_first"
    assert len(asked) == 3


def test_undecided_order_is_refused_with_the_remedy() -> None:
    with pytest.raises(SourceError, match=r"时间: 2 values such as '05/01/2015'.*sources\.app\.time_format to day_first or month_first"):
        plan_of(["05/01/2015", "06/02/2015"])
    assert plan_of(["05/01/2015", "06/02/2015"], time_format="day_first").order == "day_first"


def test_order_does_not_matter_where_day_equals_month() -> None:
    assert local(parse(["05/05/2015"]).at) == ["2015-05-05 00:00:00"]


def test_another_column_of_the_file_may_decide() -> None:
    frame = pl.DataFrame({"a": ["05/13/2015", "05/01/2015"], "b": ["05/01/2015", None]})
    plans = plan_times(lambda: iter([frame]), names={"a": "OPEN", "b": "CLOSED"}, source_id="app", zone=BOSTON)
    assert plans["b"].order == "month_first"
    assert "other columns" in plans["b"].evidence[0]


def test_a_mixed_column_is_refused_and_a_stray_value_is_not() -> None:
    with pytest.raises(SourceError, match="mixes both"):
        plan_of(["05/13/2015"] * 50 + ["13/05/2015"] * 40)
    parsed = parse(["05/13/2015"] * 50 + ["13/05/2015"])
    assert parsed.fault.to_list() == [None] * 50 + ["day_month_order"]


def test_a_column_that_turns_later_is_refused() -> None:
    plan = plan_of(["05/13/2015"] * 50)
    with pytest.raises(SourceError, match="other way round"):
        parse_times(pl.Series(["13/05/2015"] * 50), plan)


def test_minguo_needs_evidence_or_declaration() -> None:
    assert local(parse(["105/03/05", "104/12/31"]).at) == ["2016-03-05 00:00:00", "2015-12-31 00:00:00"]
    assert local(parse(["99/03/05", "105/03/05"], name="民國日期").at)[0] == "2010-03-05 00:00:00"
    assert local(parse(["1050305", "990305"], time_format="minguo").at)[0] == "2016-03-05 00:00:00"


def test_nothing_readable_is_refused_at_once() -> None:
    with pytest.raises(SourceError, match=r"none of 30 values, such as '05/01/15'.*sources\.app\.time_format"):
        plan_of(["05/01/15"] * 30)


def test_declared_format_wins() -> None:
    assert local(parse(["05/01/15 10:00"], time_format="%m/%d/%y %H:%M").at) == ["2015-05-01 10:00:00"]
    # An offset that is no offset: written +00, meant local.
    parsed = parse(["2023-01-26 09:00:00+00"], zone=BOSTON, time_format="%Y-%m-%d %H:%M:%S+00")
    assert parsed.at[0] == datetime(2023, 1, 26, 14, tzinfo=UTC)
    parsed = parse(["2023-01-26 09:00:00 UTC"], zone=BOSTON, time_format="%Y-%m-%d %H:%M:%S UTC")
    assert parsed.at[0] == datetime(2023, 1, 26, 9, tzinfo=UTC)
    assert parse(["42434.5"], time_format="excel").at[0] == datetime(2016, 3, 5, 4, tzinfo=UTC)
    assert parse(["2016-03-05", "42434.5"], time_format="%Y-%m-%d|excel").fault.null_count() == 2


def test_numbers_that_no_calendar_reaches_are_at_fault() -> None:
    for keyword in ("excel", "epoch_s", "epoch_ms", "epoch_us"):
        parsed = parse(["1e300", "-1e300", "20160305142005000000", "nan"], time_format=keyword)
        assert parsed.at.null_count() == 4
        assert parsed.fault.null_count() == 0


@pytest.mark.parametrize("text", ["%H:%M", "%Q", "epoch", "%Y-%m"])
def test_unusable_time_format_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"sources\.app\.time_format"):
        declared_readings(text, where="sources.app.time_format")


def test_hours_that_occur_twice_or_never() -> None:
    naive = pl.Series([datetime(2015, 11, 1, 1, 30), datetime(2015, 3, 8, 2, 30), datetime(2015, 7, 1, 2, 30), None])
    at, repaired = localise(naive, BOSTON)
    assert at.to_list()[:3] == [
        datetime(2015, 11, 1, 5, 30, tzinfo=UTC),
        datetime(2015, 3, 8, 7, 30, tzinfo=UTC),
        datetime(2015, 7, 1, 6, 30, tzinfo=UTC),
    ]
    assert repaired.to_list() == [True, True, False, False]


@pytest.mark.parametrize("key", ["Asia/Shanghai", "America/New_York", "Africa/Casablanca", "Australia/Lord_Howe", "UTC", "Asia/Pyongyang"])
def test_clocks_changed_long_ago_and_still(key: str) -> None:
    zone = ZoneInfo(key)
    naive = [datetime(1985, 1, 1, 0, 30) + timedelta(hours=31 * step) for step in range(14_000)]
    there = [moment.replace(tzinfo=zone) for moment in naive]
    plain = [one.replace(fold=0).utcoffset() == one.replace(fold=1).utcoffset() for one in there]  # neither twice nor never
    at, repaired = localise(pl.Series([*naive, None], dtype=pl.Datetime("us")), zone)
    assert at.to_list() == [
        *(one.astimezone(UTC) if known else at[row] for row, (one, known) in enumerate(zip(there, plain, strict=True))),
        None,
    ]
    assert repaired.to_list() == [*(not known for known in plain), False]


@settings(max_examples=40, deadline=None)
@given(st.datetimes(datetime(1991, 1, 1), datetime(2025, 1, 1)), st.sampled_from([SHANGHAI, BOSTON, ZoneInfo("UTC")]))
def test_what_is_written_is_read_back(moment: datetime, zone: ZoneInfo) -> None:
    at = moment.replace(microsecond=0, tzinfo=UTC)
    there = at.astimezone(zone)
    texts = [there.strftime("%Y-%m-%d %H:%M:%S%z"), str(int(at.timestamp())), at.strftime("%Y-%m-%dT%H:%M:%SZ")]
    if there.replace(fold=0).utcoffset() == there.replace(fold=1).utcoffset():
        texts += [
            there.strftime("%Y/%m/%d %H:%M:%S"),
            f"{there.year}年{there.month}月{there.day}日{there.hour}时{there.minute}分{there.second}秒",
        ]
    parsed = parse([*texts], zone=zone)
    assert parsed.at.to_list() == [at] * len(texts)
