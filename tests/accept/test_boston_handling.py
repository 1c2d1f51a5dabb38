"""Boston 2015 by the definitions of handling, against plain pandas on the raw file."""

from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest

from cloudmap.analytics import handling
from cloudmap.analytics.case_states import flag_sums
from cloudmap.analytics.workdays import Calendar
from cloudmap.city import open_city
from cloudmap.ingest.reports import read_reports
from cloudmap.ingest.taxonomy import read_taxonomy
from cloudmap.samples import write_sample
from tests.conftest import SHARED

pytestmark = pytest.mark.accept

RAW = SHARED / "data" / "boston" / "boston_311_2015.csv.gz"


@pytest.fixture(scope="module")
def raw():
    frame = pd.read_csv(RAW, dtype=str)
    return frame.assign(
        **{name: pd.to_datetime(frame[name], format="%m/%d/%Y %I:%M:%S %p") for name in ("OPEN_DT", "TARGET_DT", "CLOSED_DT")}
    )


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    city = open_city(write_sample("boston", tmp_path_factory.mktemp("boston")))
    with read_reports(city, city.source("requests"), RAW, read_taxonomy(city)) as reader:
        rows = pl.concat([batch.rows for batch in reader.batches()])
    now = rows["reported_at"].max()
    return handling.cases(rows, None, Calendar.of(city), handling.Limits.of(city), now), now


def counted(judged, name):
    cases, now = judged
    table = handling.indicators(cases, now=now, zone=ZoneInfo("America/New_York")).table
    return table.filter(pl.col("indicator") == name).select("numerator_n", "denominator_n").row(0)


def test_with_target_and_closed_by_target(raw, judged):
    target = raw["TARGET_DT"].notna()
    expected = int((target & (raw["CLOSED_DT"] <= raw["TARGET_DT"])).sum()), int(target.sum())
    assert expected == (60_054, 94_154)
    assert counted(judged, "by_target") == expected


def test_due_to_close_by_the_newest_report(raw, judged):
    now = raw["OPEN_DT"].max()
    due = raw["TARGET_DT"] <= now
    assert counted(judged, "closing") == (int((due & (raw["CLOSED_DT"] <= now)).sum()), int(due.sum()))
    assert counted(judged, "on_time") == (int((due & (raw["CLOSED_DT"] <= raw["TARGET_DT"])).sum()), int(due.sum()))


def test_resolved_within_five_days(raw, judged):
    opened, closed = (
        raw[name].dt.tz_localize("America/New_York", ambiguous=True, nonexistent="shift_forward") for name in ("OPEN_DT", "CLOSED_DT")
    )
    hours = pd.Timedelta(hours=120)
    followed = (opened <= opened.max() - hours) & ~(closed < opened)
    assert counted(judged, "resolved_within") == (int((followed & (closed - opened <= hours)).sum()), int(followed.sum()))


def test_closed_before_opened_is_flagged_and_kept(raw, judged):
    cases, _ = judged
    early = int((raw["CLOSED_DT"] < raw["OPEN_DT"]).sum())
    assert early > 0
    assert flag_sums(cases)["closed_before_opened"] == early
    assert cases.height == len(raw)


def test_lights_follow_the_due_time(raw, judged):
    cases, now = judged
    local = now.astimezone(ZoneInfo("America/New_York")).replace(tzinfo=None)
    target = raw["TARGET_DT"].notna()
    early = raw["CLOSED_DT"] < raw["OPEN_DT"]
    late = target & ~early & (raw["CLOSED_DT"].fillna(pd.Timestamp(local)) > raw["TARGET_DT"])
    lights = dict(cases["light"].value_counts().iter_rows())
    assert lights["red"] == int(late.sum())
    assert lights[None] == int((~target | early).sum())
    assert now.tzinfo in (UTC, ZoneInfo("UTC"))


def test_working_hours_used_by_counting_minutes(raw, judged):
    """Working minutes of some cases, counted one by one on the calendar of the Massachusetts-free federal year."""
    cases, _ = judged
    holidays = pd.to_datetime(
        ["2015-01-01", "2015-01-19", "2015-02-16", "2015-05-25", "2015-07-03", "2015-07-04", "2015-09-07", "2015-10-12", "2015-11-11",
         "2015-11-26", "2015-12-25"]
    )  # fmt: skip
    minutes = pd.date_range("2015-01-01", "2016-01-01", freq="min", inclusive="left", unit="s")
    clock = minutes.hour * 60 + minutes.minute
    works = (
        (minutes.dayofweek.to_numpy() < 5) & ~minutes.normalize().isin(holidays) & np.asarray((clock >= 8 * 60 + 30) & (clock < 17 * 60))
    )
    done = np.r_[0, np.cumsum(works)]
    start = pd.Timestamp("2015-01-01")

    def worked(times):
        at = (times - start) / pd.Timedelta(minutes=1)
        floor = np.floor(at).astype(int)
        return done[floor] + works[np.minimum(floor, len(works) - 1)] * (at - floor)

    some = raw[(raw["CLOSED_DT"] >= raw["OPEN_DT"]) & (raw["CLOSED_DT"] < "2015-12-31")].iloc[::97]
    expected = (worked(some["CLOSED_DT"]) - worked(some["OPEN_DT"])) / 60
    used = dict(cases.select("source_report_id", "used_wh").iter_rows())
    assert np.allclose([used[one] for one in some["CASE_ENQUIRY_ID"]], expected, atol=1e-6)
