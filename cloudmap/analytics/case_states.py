"""From what happened to reports to where they stand: one log of events, of whatever flow, and the reports' own columns.

A case is opened when its report comes in. *Suspended* stops its clock until it goes on; *void* ends it without a result; *returned* starts
a new lap with a new clock; *extended* and *expedited* change its limit; *closed* ends the lap. What contradicts the rest is flagged and
counted, and moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from cloudmap.errors import AnalysisError
from cloudmap.schema import EVENT_DOUBT_BIT, HANDLING_EVENTS, STAGES

TIERS: Final = ("microgrid", "hall", "street")
"""The three meetings, lowest first."""

CASE_DOUBTS: Final[Mapping[str, tuple[str, str]]] = {
    "closed_before_opened": ("closed before it was opened", "办结早于上报"),
    "event_before_opened": ("has an event earlier than itself", "流转早于上报"),
    "events_out_of_order": ("its stages contradict their times", "环节倒置"),
    "event_after_closing": ("has events after its end, with no return between", "结案后仍有流转"),
    "event_words_unknown": ("has an event whose stage or state is no known word", "流转用词不明"),
    "closed_differs": ("its events and its own column tell different closing times; the events count", "办结时间不一致"),
    "closed_without_time": ("closed, but nobody says when", "办结时间缺失"),
    "clock_unknown": ("suspended, but nobody says since when", "挂账时间缺失"),
    "no_limit": ("has neither a due time nor a limit", "无时限"),
    "calendar_unknown": ("its time runs into years whose holidays are not known", "节假日未知"),
    "weekends_only": ("its time runs into years of which only weekends are known", "仅按周末计算"),
}
"""Doubts about a case, one bit each in ``case_flags``, in this order."""

CASE_DOUBT_BIT: Final[Mapping[str, int]] = {name: 1 << position for position, name in enumerate(CASE_DOUBTS)}

_MOVES_NOTHING: Final = ("unknown_report", "before_opened", "out_of_order", "after_closing")
_SLACK: Final = timedelta(minutes=1)
"""Files of one system may write seconds and those of another whole minutes."""
_GOES_ON: Final = ("open", "handling", "returned", "closed", "void")
"""States that end a suspension."""
_UNFINISHED: Final = ("open", "handling", "suspended", "extended", "expedited")
NEEDED: Final = ("report_id", "source_id", "occurred_at", "reported_at", "closed_at", "state", "tier")


class Traced(NamedTuple):
    """Where cases stand, and how they came there.

    Attributes
    ----------
    cases : polars.DataFrame
        One row a report, in their order: case (row number), report_id, opened_at, clock_from, closed_at, state, stage, tier, highest_tier,
        events_n, returned_n, extended_n, extended_now_n and expedited_now_n (in the present lap), case_flags.
    pauses : polars.DataFrame
        Suspensions: case, start, end (null while it lasts), sorted, apart from each other.
    stays : polars.DataFrame
        Stages that cases were in: case, stage, start, end, ended (False where it goes on or the case became void).
    events : polars.DataFrame
        The events up to now with all their flags.
    """

    cases: pl.DataFrame
    pauses: pl.DataFrame
    stays: pl.DataFrame
    events: pl.DataFrame


def trace(reports: pl.DataFrame, events: pl.DataFrame | None, *, now: datetime, replay: bool = False) -> Traced:
    """Tell where every case stands.

    Parameters
    ----------
    reports : polars.DataFrame
        `NEEDED` columns, one row a report.
    events : polars.DataFrame or None
        Columns of `schema.HANDLING_EVENTS`; None for a city without event files.
    now : datetime
        Up to when what goes on is counted.
    replay : bool, default False
        Leave out what happened after `now`, though the files tell it: how things stood then.

    Returns
    -------
    Traced

    Raises
    ------
    AnalysisError
        A column is missing, a report occurs twice, or `now` has no zone.
    """
    missing = [name for name in NEEDED if name not in reports.columns]
    if missing:
        raise AnalysisError(f"cases need the reports' column(s) {', '.join(missing)}; read them from the store too")
    if now.tzinfo is None:
        raise AnalysisError("now has no time zone; give a UTC instant")
    if reports["report_id"].n_unique() < reports.height:
        raise AnalysisError("a report occurs twice; read the newest version of each")
    instant = pl.lit(now.astimezone(UTC), dtype=pl.Datetime("us", "UTC"))
    later = (pl.col("closed_at") > instant).fill_null(value=False) & pl.lit(replay)
    rows = reports.with_columns(
        pl.when(~later).then("closed_at").alias("closed_at"),
        # What was closed later was open then.
        pl.when(later & (pl.col("state") == "closed")).then(pl.lit("open")).otherwise("state").alias("state"),
    ).select(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("case"),
        *NEEDED,
        pl.min_horizontal("occurred_at", "reported_at").alias("first_at"),
    )
    log = HANDLING_EVENTS.empty() if events is None else events
    log = _flagged(log.filter(pl.col("at") <= instant) if replay else log, rows)
    moving = log.filter(~_has(*_MOVES_NOTHING))
    cases = _settle(rows, log, moving)
    return Traced(cases, _pauses(moving), _stays(moving, cases, instant), log.drop("case", "rank", "lap", "first_at"))


def flag_sums(cases: pl.DataFrame) -> dict[str, int]:
    """Count cases per doubt of `CASE_DOUBTS`; doubts that never occurred are left out."""
    counts = {name: int(((cases["case_flags"] & bit) != 0).sum()) for name, bit in CASE_DOUBT_BIT.items()}
    return {name: count for name, count in counts.items() if count}


def _has(*doubts: str) -> pl.Expr:
    bits = sum(EVENT_DOUBT_BIT[name] for name in doubts)
    return (pl.col("flags") & bits) != 0


def _flag(name: str, where: pl.Expr) -> pl.Expr:
    return (pl.col("flags") | where.fill_null(value=False).cast(pl.UInt32) * EVENT_DOUBT_BIT[name]).alias("flags")


def _flagged(events: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Sort events by case and time, count laps, and flag what contradicts the rest."""
    ranks = {name: told[0] for name, told in STAGES.items()}
    log = events.join(rows.select("report_id", "case", "first_at"), on="report_id", how="left").with_columns(
        pl.col("stage").replace_strict(ranks, default=None, return_dtype=pl.Int8).alias("rank")
    )
    log = log.sort("case", "at", "rank", "line_no", nulls_last=True, maintain_order=True).with_columns(
        _flag("unknown_report", pl.col("case").is_null())
    )
    log = log.with_columns(_flag("before_opened", pl.col("at") + _SLACK < pl.col("first_at")))
    early = _has("unknown_report", "before_opened")
    is_void = (pl.col("state") == "void").fill_null(value=False) & ~early
    log = log.with_columns(_earlier(is_void, "case").alias("was_void"))
    returns = (pl.col("state") == "returned").fill_null(value=False) & ~early & ~pl.col("was_void")
    log = log.with_columns(returns.cast(pl.Int32).cum_sum().over("case").alias("lap"))
    known = pl.when(~early).then("rank")
    log = log.with_columns(_flag("out_of_order", known < known.cum_max().over("case", "lap")))
    is_closed = (pl.col("state") == "closed").fill_null(value=False) & ~_has("unknown_report", "before_opened", "out_of_order")
    log = log.with_columns(_earlier(is_closed, "case", "lap").alias("was_closed"))
    goes_on = pl.col("was_void") & (pl.col("state") != "void") | pl.col("was_closed") & pl.col("state").is_in(_UNFINISHED)
    return log.with_columns(_flag("after_closing", goes_on & ~early)).drop("was_void", "was_closed")


def _earlier(condition: pl.Expr, *group: str) -> pl.Expr:
    """Tell whether a condition held in an earlier row of the group."""
    return (condition.cast(pl.Int32).cum_sum() - condition.cast(pl.Int32)).over(*group) > 0


def _settle(rows: pl.DataFrame, log: pl.DataFrame, moving: pl.DataFrame) -> pl.DataFrame:
    """Say how each case stands, from its events first and its own columns where these are silent."""
    state, present = pl.col("state"), pl.col("lap") == pl.col("lap").max()
    height = pl.col("tier").replace_strict({name: at for at, name in enumerate(TIERS)}, default=None, return_dtype=pl.Int8)
    told = moving.group_by("case").agg(
        pl.col("at").filter(state == "returned").max().alias("clock_from"),
        pl.col("at").filter(present & (state == "closed")).min().alias("told_closed_at"),
        state.filter(present & state.is_not_null()).last().alias("told_state"),
        (state == "void").any().alias("told_void"),
        pl.col("stage").drop_nulls().last().alias("stage"),
        pl.col("tier").drop_nulls().last().alias("told_tier"),
        height.max().alias("told_height"),
        pl.len().cast(pl.Int64).alias("events_n"),
        *(
            ((state == name) & where).sum().cast(pl.Int64).alias(column)
            for name, where, column in (
                ("returned", pl.lit(value=True), "returned_n"),
                ("extended", pl.lit(value=True), "extended_n"),
                ("extended", present, "extended_now_n"),
                ("expedited", present, "expedited_now_n"),
            )
        ),
    )
    doubts = (
        log.drop_nulls("case")
        .group_by("case")
        .agg(
            _has("before_opened").any().alias("event_before_opened"),
            _has("out_of_order").any().alias("events_out_of_order"),
            _has("after_closing").any().alias("event_after_closing"),
            _has("unknown_stage", "unknown_state").any().alias("event_words_unknown"),
        )
    )
    cases = rows.join(told, on="case", how="left", maintain_order="left").join(doubts, on="case", how="left", maintain_order="left")
    return _merge(cases, height)


def _merge(cases: pl.DataFrame, height: pl.Expr) -> pl.DataFrame:
    own_closed = pl.when((pl.col("closed_at") > pl.col("clock_from")).fill_null(value=True)).then("closed_at")
    counts = ("events_n", "returned_n", "extended_n", "extended_now_n", "expedited_now_n")
    cases = cases.with_columns(
        pl.col("told_void").fill_null(value=False) | (pl.col("state") == "void").fill_null(value=False),
        *(pl.col(name).fill_null(0) for name in counts),
        pl.coalesce("told_closed_at", own_closed).alias("ended_at"),
        own_closed.alias("own_closed_at"),
        pl.col("reported_at").alias("opened_at"),
    )
    silent = pl.col("events_n") == 0
    closes = pl.col("ended_at").is_not_null() | (silent & (pl.col("state") == "closed") & pl.col("closed_at").is_null()).fill_null(
        value=False
    )
    stands = (
        pl.when("told_void").then(pl.lit("void"))
        .when(closes).then(pl.lit("closed"))
        .otherwise(pl.coalesce("told_state", pl.when(pl.col("state") != "closed").then("state"), pl.lit("open")))
    )  # fmt: skip
    own = {"returned_n": "returned", "extended_n": "extended", "expedited_now_n": "expedited"}
    cases = cases.with_columns(
        stands.alias("stands"),
        *(pl.max_horizontal(name, (silent & (pl.col("state") == word)).fill_null(value=False).cast(pl.Int64)).alias(name)
          for name, word in own.items()),
    )  # fmt: skip
    early = (pl.col("ended_at") < pl.col("opened_at")) | (pl.col("ended_at") < pl.col("occurred_at"))
    gap = (pl.col("own_closed_at") - pl.col("told_closed_at")).abs()
    differs = pl.col("told_closed_at").is_not_null() & (gap > _SLACK)
    doubts = {
        "closed_before_opened": early,
        **{name: pl.col(name) for name in ("event_before_opened", "events_out_of_order", "event_after_closing", "event_words_unknown")},
        "closed_differs": differs,
        "closed_without_time": (pl.col("stands") == "closed") & pl.col("ended_at").is_null(),
        "clock_unknown": silent & (pl.col("stands") == "suspended"),
    }
    flags = pl.sum_horizontal(where.fill_null(value=False).cast(pl.UInt32) * CASE_DOUBT_BIT[name] for name, where in doubts.items())
    highest = pl.max_horizontal("told_height", height)
    return cases.select(
        "case", "report_id", "opened_at", pl.coalesce("clock_from", "opened_at").alias("clock_from"),
        pl.when(pl.col("stands") == "closed").then("ended_at").alias("closed_at"),
        pl.col("stands").alias("state"), "stage", pl.coalesce("told_tier", "tier").alias("tier"),
        highest.replace_strict(dict(enumerate(TIERS)), default=None, return_dtype=pl.String).alias("highest_tier"),
        *counts, flags.cast(pl.UInt32).alias("case_flags"),
    )  # fmt: skip


def _pauses(moving: pl.DataFrame) -> pl.DataFrame:
    """Pair each suspension with what ended it."""
    rests = moving.filter(pl.col("state").is_in(["suspended", *_GOES_ON])).with_columns((pl.col("state") == "suspended").alias("rests"))
    before = pl.col("rests").shift(1).over("case").fill_null(value=False)
    turns = rests.filter(pl.col("rests") != before)
    return (
        turns.with_columns(pl.col("at").shift(-1).over("case").alias("end"))
        .filter("rests")
        .select("case", pl.col("at").alias("start"), "end")
    )


def _stays(moving: pl.DataFrame, cases: pl.DataFrame, instant: pl.Expr) -> pl.DataFrame:
    """Say from when to when each case was in each stage."""
    steps = moving.drop_nulls("stage")
    before = pl.col("stage").shift(1).over("case")
    steps = steps.filter(pl.col("stage").ne_missing(before) | (pl.col("lap") != pl.col("lap").shift(1).over("case")))
    ends = moving.filter(pl.col("state") == "void").group_by("case").agg(pl.col("at").min().alias("void_at"))
    steps = steps.with_columns(pl.col("at").shift(-1).over("case").alias("next_at"))
    steps = steps.join(cases.select("case", "closed_at"), on="case", how="left").join(ends, on="case", how="left")
    ended = pl.coalesce("next_at", "closed_at")
    stays = steps.select(
        "case",
        "stage",
        pl.col("at").alias("start"),
        pl.coalesce(pl.when(ended.is_not_null()).then(pl.max_horizontal(ended, "at")), "void_at", instant).alias("end"),
        ended.is_not_null().alias("ended"),
    )
    # The stage in which a case is closed lasts no time: what is left of it is no stay.
    return stays.filter(pl.col("end") > pl.col("start")).sort("case", "start")
