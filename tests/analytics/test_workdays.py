"""Working time: the hand-worked table, refusals, and what must hold of any calendar."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.analytics import handling
from cloudmap.analytics.workdays import Calendar, Pauses
from cloudmap.errors import AnalysisError
from tests.analytics.handled import make_events, make_reports

TABLE = Path(__file__).parents[1] / "published" / "working_time.csv"


def worked_cases():
    with TABLE.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def local(text, zone):
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def days(text):
    return tuple(date.fromisoformat(one) for one in text.split())


def instants(*texts):
    return np.array(texts, dtype="datetime64[us]")


def test_the_table_has_what_it_promises():
    rows = worked_cases()
    assert len(rows) >= 40
    assert all(len(row["worked_out"]) > 10 for row in rows)


@pytest.mark.parametrize("row", worked_cases(), ids=lambda row: f"case-{row['case']}")
def test_hand_worked_cases(row):
    zone = row["timezone"]
    calendar = Calendar(row["country"], tuple(row["working_hours"].split()), days(row["extra_holidays"]), days(row["extra_workdays"]), zone)
    opened, ended = local(row["opened"], zone), local(row["ended"], zone)
    told = [one.strip().split(" ", 1) for one in row["events"].split(";") if one.strip()]
    steps = [("open", opened), *((state, local(at, zone)) for state, at in told)] if told else []
    if row["ended_as"] == "closed" and told:
        steps.append(("closed", ended))
    reports = make_reports([opened], closed=[ended if row["ended_as"] == "closed" and not told else None])
    events = make_events([("app:0", None, state, at) for state, at in steps])
    now = ended if row["ended_as"] == "open" else ended + timedelta(days=30)
    case = handling.cases(reports, events, calendar, handling.Limits({"EV01": float(row["limit_wh"])}), now).row(0, named=True)
    if row["ended_as"] == "void":
        assert (case["state"], case["due_at"], case["used_wh"], case["light"]) == ("void", None, None, None)
        return
    assert case["due_at"] == local(row["due"], zone)
    assert case["used_wh"] == pytest.approx(float(row["used_wh"]), abs=1e-6)
    assert case["light"] == row["light"]


def test_due_time_and_hours_agree():
    rng = np.random.default_rng(5)
    calendar = Calendar()
    start = np.datetime64("2017-01-01T00:00:00", "us") + rng.integers(0, 600 * 86400, 5000).astype("timedelta64[s]")
    limit = rng.choice([0.5, 8, 24, 40, 80], 5000)
    due = calendar.due(start, limit)
    assert np.allclose(calendar.worked_h(start, due), limit)
    # The due time is the first such instant: a second before, some of the limit is left.
    assert (calendar.worked_h(start, due - np.timedelta64(1, "s")) < limit).all()


def test_missing_ends_are_not_numbers():
    calendar = Calendar()
    start, nothing = instants("2018-03-05T02:00"), instants("NaT")
    assert np.isnan(calendar.worked_h(start, nothing)).all()
    assert np.isnat(calendar.due(nothing, np.array([8.0]))).all()
    assert np.isnat(calendar.due(start, np.array([np.nan]))).all()


def test_an_unknown_year_is_refused_or_guessed_as_declared():
    start, end = instants("2031-03-05T02:00"), instants("2031-03-05T04:00")
    with pytest.raises(AnalysisError, match=r"2031 in CN.*unknown_years"):
        Calendar().worked_h(start, end)
    guessing = Calendar(unknown_years="weekends")
    assert guessing.worked_h(start, end) == pytest.approx([2])
    assert guessing.guessed(start, end).tolist() == [True]
    assert guessing.guessed(instants("2018-03-05T02:00"), instants("NaT")).tolist() == [False]


def test_a_limit_that_runs_into_an_unknown_year_is_refused():
    with pytest.raises(AnalysisError, match="2027"):
        Calendar().due(instants("2026-12-30T02:00"), np.array([80.0]))


def test_cases_flag_what_the_calendar_does_not_know():
    opened = datetime(2031, 3, 5, 2, tzinfo=UTC)
    reports = make_reports([opened, datetime(2018, 3, 5, 2, tzinfo=UTC)])
    limits = handling.Limits({"EV01": 8.0})
    now = opened + timedelta(hours=1)
    from cloudmap.analytics.case_states import flag_sums

    refused = handling.cases(reports, None, Calendar(), limits, now)
    assert refused["due_at"].is_null().to_list() == [True, True]  # the second is open until 2031
    assert flag_sums(refused) == {"calendar_unknown": 2}
    guessed = handling.cases(reports, None, Calendar(unknown_years="weekends"), limits, now)
    assert guessed["due_at"].null_count() == 0
    assert flag_sums(guessed) == {"weekends_only": 2}
    for cases, caveat in ((refused, "calendar_unknown"), (guessed, "weekends_only")):
        assert caveat in handling.indicators(cases, now=now, zone=ZoneInfo("Asia/Shanghai")).caveats


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"working_hours": ("08:30",)}, "opening and closing times in turn"),
        ({"working_hours": ("8h30", "17:30")}, "no time of day"),
        ({"working_hours": ("22:00", "06:00")}, "cut a shift that passes midnight in two"),
        ({"country": "XX"}, "ISO code"),
        ({"extra_holidays": (date(2018, 1, 2),), "extra_workdays": (date(2018, 1, 2),)}, "drop it from one"),
    ],
)
def test_calendars_that_make_no_sense_are_refused(settings_, message):
    with pytest.raises(AnalysisError, match=message):
        Calendar(**settings_)


def test_pauses_must_be_sorted_and_apart():
    start = instants("2018-03-05T01:00")
    two = Pauses(np.array([0, 0]), instants("2018-03-05T02:00", "2018-03-05T03:00"), instants("2018-03-05T04:00", "2018-03-05T05:00"))
    with pytest.raises(AnalysisError, match="must not overlap"):
        Calendar().due(start, np.array([8.0]), two)
    lasting = Pauses(np.array([0]), instants("2018-03-05T02:00"), instants("NaT"))
    with pytest.raises(AnalysisError, match="what counts as now"):
        Calendar().due(start, np.array([8.0]), lasting)


def test_no_working_day_at_all_is_refused():
    everything = tuple(date(2018, 1, 1) + timedelta(days=at) for at in range(365))
    with pytest.raises(AnalysisError, match="no working day"):
        Calendar(extra_holidays=everything).worked_h(instants("2018-03-05T02:00"), instants("2018-03-05T04:00"))


PLAIN = Calendar("none", timezone="Asia/Shanghai")
moments = st.datetimes(datetime(2017, 1, 1), datetime(2018, 12, 1)).map(lambda at: np.datetime64(at.replace(microsecond=0), "us"))
spans_h = st.integers(0, 24 * 60)


@st.composite
def histories(draw):
    """Start, limit, and up to three pauses that lie apart."""
    start = draw(moments)
    edges = sorted(draw(st.lists(st.integers(0, 60 * 24 * 40), min_size=0, max_size=6, unique=True)))
    edges = edges[: len(edges) // 2 * 2]
    at = [start + np.timedelta64(edge, "m") for edge in edges]
    pauses = Pauses(np.zeros(len(at) // 2, dtype=np.int64), np.array(at[::2], "datetime64[us]"), np.array(at[1::2], "datetime64[us]"))
    return np.array([start]), np.array([draw(st.integers(0, 120)) * 1.0]), pauses


@settings(max_examples=60, deadline=None)
@given(histories(), spans_h)
def test_a_week_later_all_is_the_same_but_the_dates(history, span):
    start, limit, pauses = history
    week = np.timedelta64(7, "D")
    moved = Pauses(pauses.case, pauses.start + week, pauses.end + week)
    assert PLAIN.due(start + week, limit, moved) == PLAIN.due(start, limit, pauses) + week
    end = start + np.timedelta64(span, "h")
    assert PLAIN.worked_h(start + week, end + week, moved) == PLAIN.worked_h(start, end, pauses)


@settings(max_examples=60, deadline=None)
@given(histories(), spans_h, st.sets(st.integers(0, 60), min_size=1, max_size=10))
def test_a_holiday_more_never_makes_a_case_later_than_due(history, span, offs):
    start, limit, pauses = history
    first = start[0].astype("datetime64[D]").astype(date)
    more = Calendar("none", extra_holidays=tuple(first + timedelta(days=at) for at in offs))
    end = start + np.timedelta64(span, "h")
    before, after = PLAIN.due(start, limit, pauses), more.due(start, limit, pauses)
    assert after >= before
    assert more.worked_h(start, end, pauses) <= PLAIN.worked_h(start, end, pauses)
    assert not (end[0] > after[0] and end[0] <= before[0])


@settings(max_examples=60, deadline=None)
@given(histories())
def test_time_up_to_the_due_time_is_the_limit(history):
    start, limit, pauses = history
    due = PLAIN.due(start, limit, pauses)
    assert PLAIN.worked_h(start, due, pauses) == pytest.approx(limit)


def test_the_city_file_makes_the_calendar(city_folder):
    from cloudmap.city import open_city

    path = city_folder / "city.toml"
    path.write_text(
        path.read_text(encoding="utf-8")
        + '\n[calendar]\nworking_hours = ["09:00", "12:00", "13:00", "18:00"]\nextra_holidays = [2018-03-06]\n',
        encoding="utf-8",
    )
    calendar = Calendar.of(open_city(path))
    assert not calendar.is_workday(date(2018, 3, 6))
    assert calendar.worked_h(instants("2018-03-05T00:00"), instants("2018-03-06T12:00")) == pytest.approx([8])
    assert isinstance(pl.DataFrame({"a": calendar.worked_h(instants("NaT"), instants("NaT"))}), pl.DataFrame)
