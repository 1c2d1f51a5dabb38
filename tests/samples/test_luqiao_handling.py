"""The planted event files: what the truth counts is what reading and judging find."""

from datetime import UTC, datetime

import polars as pl
import pytest

from cloudmap.analytics import handling
from cloudmap.analytics.campaign import burn_down
from cloudmap.analytics.case_states import trace
from cloudmap.analytics.workdays import Calendar
from cloudmap.city import open_city
from cloudmap.ingest.handling_events import doubt_counts, read_events
from cloudmap.ingest.handling_targets import read_targets
from cloudmap.samples import luqiao_plan as plan
from cloudmap.samples.luqiao_handling import HISTORIES
from cloudmap.samples.luqiao_records import END_S


@pytest.fixture(scope="module")
def city(luqiao):
    return open_city(luqiao)


@pytest.fixture(scope="module")
def log(city):
    return read_events(city)


@pytest.fixture(scope="module")
def reports(luqiao):
    """Reports as their truth tells them, of the sources that have event files."""
    parts = []
    for source in ("party", "safety"):
        frame = pl.read_parquet(luqiao / "truth" / f"{source}.parquet").filter(pl.col("ledger_class") != "quarantined")
        parts.append(frame.with_columns(pl.lit(source).alias("source_id")))
    return pl.concat(parts).with_columns(
        pl.concat_str("source_id", pl.lit(":"), "source_report_id").alias("report_id"),
        pl.lit(None, dtype=pl.String).alias("tier"),
        pl.col("microgrid_code").str.slice(0, 9).alias("unit_street_code"),
        pl.col("due_at").alias("told_due_at"),
    )


@pytest.fixture(scope="module")
def now(truth):
    return datetime.fromisoformat(truth["now"])


def test_files_hold_what_the_truth_says(log, truth):
    assert [one["flow"] for one in truth["handling"]] == ["hall", "district"]
    for entry, told in zip(log.ledger, truth["handling"], strict=True):
        assert (entry["file"], entry["lines"], entry["classes"]) == (told["file"], told["lines"], told["classes"])
        assert sum(told["classes"].values()) == told["lines"]
        assert set(told["histories"]) == set(HISTORIES)


def test_every_planted_contradiction_is_found(log, truth, reports, now):
    events = trace(reports, log.events, now=now).events
    for told in truth["handling"]:
        assert len(told["doubts"]) == 5
        assert doubt_counts(events.filter(pl.col("source_id") == told["source"])) == told["doubts"]


def test_histories_and_meetings_are_found(log, truth, reports, city, now):
    cases = handling.cases(reports, log.events, Calendar.of(city), handling.Limits.of(city), now).filter(pl.col("events_n") > 0)
    for told in truth["handling"]:
        own = cases.filter(pl.col("source_id") == told["source"])
        assert own.height == told["cases_n"]
        states = dict(own["state"].value_counts().iter_rows())
        assert states["closed"] == told["states"]["closed"]
        assert states.get("void", 0) == told["states"].get("void", 0)
        for state in ("returned", "extended"):
            assert (own[f"{state}_n"] > 0).sum() == told["histories"][state] + told["states"].get(state, 0)
        settled = dict(own.filter(pl.col("state") == "closed")["highest_tier"].value_counts().iter_rows())
        assert settled == {tier: n for tier, n in told["closed_by_highest_tier"].items() if n}


def test_the_overdue_street_is_found(reports, truth, city):
    """As the truth counts it: located, reported since the planted day, due by the end, neither closed nor void."""
    end = city.midnight(plan.FIRST_ON).timestamp() + END_S
    now = datetime.fromtimestamp(end, tz=UTC)
    cases = handling.cases(reports, None, Calendar.of(city), handling.Limits.of(city), now)
    span = cases.filter(
        pl.col("ledger_class") == "located", pl.col("opened_at") >= city.midnight(plan.OVERDUE_FROM), pl.col("told_due_at") <= now
    )
    found = span.group_by("unit_street_code").agg(
        pl.len().alias("due_n"), (~pl.col("state").is_in(["closed", "void"])).sum().alias("late_n")
    )
    expected = {street: (one["due_n"], one["open_past_due_n"]) for street, one in truth["overdue"]["by_street"].items()}
    assert {street: (due, late) for street, due, late in found.iter_rows()} == expected
    late = dict(span.filter("overdue").group_by("unit_street_code").len().iter_rows())
    assert max(late, key=late.get) == truth["overdue"]["street"]


def test_the_campaign_burns_down_to_zero(city, truth):
    milestone = next(one for one in city.milestones if one.kind == "campaign")
    targets = read_targets(city, milestone)
    result = burn_down(targets, begun_on=milestone.date, now=datetime.fromisoformat(truth["now"]), zone=city.zone)
    assert result.parameters["targets_n"] == truth["campaign"]["targets_n"]
    assert result.table["left_n"][-1] == 0
    assert str(result.parameters["zero_on"]) <= truth["campaign"]["zero_on"]
