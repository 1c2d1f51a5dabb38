"""From events and columns to where a case stands."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.analytics.case_states import flag_sums, trace
from cloudmap.errors import AnalysisError
from cloudmap.ingest.handling_events import doubt_counts
from cloudmap.schema import STAGES, STATES
from tests.analytics.handled import at, make_events, make_reports

NOW = at("2018-04-01T00:00")
OPENED = at("2018-03-05T01:00")
HOUR = timedelta(hours=1)


def stand(*steps, **columns):
    """The one case of a report with these steps: (stage, state, hours after opening)."""
    traced = trace(make_reports([OPENED], **columns), make_events([("app:0", a, b, OPENED + h * HOUR) for a, b, h in steps]), now=NOW)
    return traced.cases.row(0, named=True), traced


HALL = [("collect", "open", 0), ("dispatch", "handling", 1), ("finish_supervise", "closed", 5), ("feed_back", "closed", 7)]
DISTRICT = [("collect", "open", 0), ("sort", "handling", 1), ("dispatch", "handling", 2), ("handle", "handling", 3),
            ("feed_back", "handling", 6), ("inspect", "closed", 8)]  # fmt: skip
NATIONAL = [("collect", "open", 0), ("file", "handling", 1), ("dispatch", "handling", 2), ("handle", "handling", 3),
            ("feed_back", "handling", 6), ("verify", "closed", 8), ("evaluate", "closed", 30)]  # fmt: skip


@pytest.mark.parametrize(("steps", "closed_h", "stage"), [(HALL, 5, "feed_back"), (DISTRICT, 8, "inspect"), (NATIONAL, 8, "evaluate")])
def test_each_flow_comes_to_its_end(steps, closed_h, stage):
    case, traced = stand(*steps)
    assert (case["state"], case["closed_at"], case["stage"]) == ("closed", OPENED + closed_h * HOUR, stage)
    assert case["case_flags"] == 0
    assert doubt_counts(traced.events) == {}


def test_stays_follow_each_other_and_end_where_the_case_ends():
    _, traced = stand(*DISTRICT)
    stays = traced.stays.select("stage", ((pl.col("end") - pl.col("start")).dt.total_hours()).alias("h"), "ended")
    assert stays.rows() == [("collect", 1, True), ("sort", 1, True), ("dispatch", 1, True), ("handle", 3, True), ("feed_back", 2, True)]


def test_a_stay_that_goes_on_lasts_until_now():
    _, traced = stand(("collect", "open", 0), ("dispatch", "handling", 1))
    last = traced.stays.row(-1, named=True)
    assert (last["stage"], last["end"], last["ended"]) == ("dispatch", NOW, False)


def test_void_ends_a_case_without_result():
    case, traced = stand(("collect", "open", 0), ("dispatch", "void", 2))
    assert (case["state"], case["closed_at"]) == ("void", None)
    assert traced.stays.row(-1, named=True)["ended"] is False or traced.stays.height == 1


def test_returned_begins_a_new_lap():
    case, _ = stand(*HALL[:3], ("dispatch", "returned", 10), ("finish_supervise", "closed", 12))
    assert case["clock_from"] == OPENED + 10 * HOUR
    assert case["closed_at"] == OPENED + 12 * HOUR
    assert (case["returned_n"], case["case_flags"]) == (1, 0)


def test_a_closing_before_the_return_does_not_count():
    case, _ = stand(*HALL[:3], ("dispatch", "returned", 10), closed=[OPENED + 5 * HOUR], state=["closed"])
    assert (case["state"], case["closed_at"]) == ("returned", None)


def test_suspensions_pair_up_and_extension_does_not_end_one():
    steps = [("collect", "open", 0), ("dispatch", "suspended", 2), ("dispatch", "extended", 3), ("dispatch", "suspended", 4),
             ("dispatch", "handling", 6), ("dispatch", "suspended", 8)]  # fmt: skip
    case, traced = stand(*steps)
    assert traced.pauses.select("start", "end").rows() == [
        (OPENED + 2 * HOUR, OPENED + 6 * HOUR),
        (OPENED + 8 * HOUR, None),
    ]
    assert (case["state"], case["extended_n"], case["extended_now_n"]) == ("suspended", 1, 1)


def test_extensions_of_an_earlier_lap_do_not_lengthen_the_present_one():
    case, _ = stand(("collect", "open", 0), ("dispatch", "extended", 1), ("dispatch", "returned", 3), ("dispatch", "expedited", 4))
    assert (case["extended_n"], case["extended_now_n"], case["expedited_now_n"]) == (1, 0, 1)


@pytest.mark.parametrize(
    ("steps", "doubt", "flag"),
    [
        ([("collect", "open", -2), *HALL[1:]], "before_opened", "event_before_opened"),
        ([*DISTRICT[:4], ("sort", "handling", 4), *DISTRICT[4:]], "out_of_order", "events_out_of_order"),
        ([*HALL[:3], ("finish_supervise", "handling", 6)], "after_closing", "event_after_closing"),
        ([("collect", "void", 0), ("dispatch", "handling", 1)], "after_closing", "event_after_closing"),
    ],
)
def test_what_contradicts_the_rest_is_flagged_and_moves_nothing(steps, doubt, flag):
    case, traced = stand(*steps)
    assert doubt_counts(traced.events) == {doubt: 1}
    assert flag_sums(traced.cases) == {flag: 1}
    assert case["state"] in ("closed", "void")


def test_a_whole_minute_is_no_contradiction():
    report = make_reports([OPENED + timedelta(seconds=40)])
    traced = trace(report, make_events([("app:0", "collect", "open", OPENED)]), now=NOW)
    assert doubt_counts(traced.events) == {}


def test_events_of_unknown_reports_are_kept_and_counted():
    traced = trace(make_reports([OPENED]), make_events([("app:9", "collect", "open", OPENED)]), now=NOW)
    assert doubt_counts(traced.events) == {"unknown_report": 1}
    assert traced.cases["state"].to_list() == ["open"]


def test_columns_alone_make_states():
    opened = [OPENED] * 6
    closed = [OPENED + HOUR, None, None, OPENED - HOUR, None, OPENED + HOUR]
    states = ["closed", "closed", "suspended", "closed", None, "void"]
    cases = trace(make_reports(opened, closed=closed, state=states), None, now=NOW).cases
    assert cases["state"].to_list() == ["closed", "closed", "suspended", "closed", "open", "void"]
    assert flag_sums(cases) == {"closed_before_opened": 1, "closed_without_time": 1, "clock_unknown": 1}


def test_events_win_over_the_column_and_say_so():
    case, traced = stand(*HALL, closed=[OPENED + 20 * HOUR], state=["closed"])
    assert case["closed_at"] == OPENED + 5 * HOUR
    assert flag_sums(traced.cases) == {"closed_differs": 1}


def test_replay_shows_how_things_stood():
    reports = make_reports([OPENED], closed=[OPENED + 20 * HOUR], state=["closed"])
    then = OPENED + 10 * HOUR
    assert trace(reports, None, now=then).cases["state"][0] == "closed"
    assert trace(reports, None, now=then, replay=True).cases["state"][0] == "open"
    events = make_events([("app:0", stage, state, OPENED + h * HOUR) for stage, state, h in HALL])
    early = trace(make_reports([OPENED]), events, now=OPENED + 2 * HOUR, replay=True).cases
    assert early.select("state", "stage").row(0) == ("handling", "dispatch")


def test_the_highest_meeting_is_the_highest_of_all():
    reports = make_reports([OPENED], tier=["hall"])
    events = make_events([("app:0", "dispatch", "handling", OPENED, "street"), ("app:0", "handle", "handling", OPENED + HOUR, "microgrid")])
    assert trace(reports, events, now=NOW).cases.select("tier", "highest_tier").row(0) == ("microgrid", "street")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop("tier"), "tier"),
        (lambda frame: pl.concat([frame, frame]), "twice"),
    ],
)
def test_unusable_reports_are_refused(change, message):
    with pytest.raises(AnalysisError, match=message):
        trace(change(make_reports([OPENED])), None, now=NOW)
    with pytest.raises(AnalysisError, match="time zone"):
        trace(make_reports([OPENED]), None, now=NOW.replace(tzinfo=None))


step = st.tuples(st.sampled_from([*STAGES, None]), st.sampled_from([*STATES, None]), st.integers(-5, 200))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(step, max_size=8), min_size=1, max_size=4), st.randoms())
def test_any_log_makes_one_case_a_report_whatever_the_order_of_lines(logs, random):
    rows = [(f"app:{i}", stage, state, OPENED + h * HOUR) for i, log in enumerate(logs) for stage, state, h in dict.fromkeys(log)]
    reports = make_reports([OPENED] * len(logs))
    traced = trace(reports, make_events(rows), now=NOW)
    assert traced.cases["report_id"].to_list() == reports["report_id"].to_list()
    assert traced.events.height == len(rows)
    assert traced.cases["state"].is_in(STATES).all()
    pauses = traced.pauses
    again = pauses.with_columns(pl.col("start").shift(-1).over("case").alias("next"))
    assert (pauses["end"] >= pauses["start"]).all()
    assert (again["next"] >= again["end"]).all()
    # Times that occur once put lines in the same order, wherever they stand in the file.
    if len({(one[0], one[3]) for one in rows}) == len(rows):
        random.shuffle(rows)
        assert trace(reports, make_events(rows), now=NOW).cases.equals(traced.cases)
