"""Where every case stands on its clock: due time, working hours used, what is left of its limit, and the light that follows.

One rule for late: a case is late once its due time has passed, whether that is inside working hours or not. Lights follow it: green up to
80% of the limit, yellow up to the due time, red after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from cloudmap.analytics.case_states import CASE_DOUBT_BIT, Traced, trace
from cloudmap.analytics.indicators import by_place, compared, indicators
from cloudmap.analytics.stays import dwell
from cloudmap.analytics.workdays import Calendar, Floats, Instants, Pauses, instants
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from cloudmap.city import City

__all__ = ["GREEN_SHARE", "LIGHTS", "Limits", "by_place", "cases", "compared", "dwell", "indicators"]

GREEN_SHARE: Final = 0.8
LIGHTS: Final = ("green", "yellow", "red")
_VAGUE: Final = sum(CASE_DOUBT_BIT[name] for name in ("clock_unknown", "closed_without_time", "closed_before_opened"))
"""Doubts that leave no hours to be told."""
_OWN: Final = (
    "opened_at", "clock_from", "closed_at", "due_at", "state", "stage", "tier", "highest_tier", "limit_wh", "used_wh", "remaining_share",
    "light", "overdue", "events_n", "returned_n", "extended_n", "tells", "case_flags",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits in working hours.

    Parameters
    ----------
    by_category : mapping of str to float
        Taxonomy code to working hours; a category without one has no due time, unless its source gives it.
    extension_share : float, default 1
        What each extension adds, as a share of the limit.
    expedited_share : float, default 0.5
        What is left of the limit once a case is expedited.
    """

    by_category: Mapping[str, float] = field(default_factory=dict)
    extension_share: float = 1.0
    expedited_share: float = 0.5

    @classmethod
    def of(cls, city: City) -> Limits:
        """Take the limits of a city file."""
        return cls(city.taxonomy.limits, city.calendar.extension_share, city.calendar.expedited_share)


class _Clocks(NamedTuple):
    """Clocks of all cases, shape (n,)."""

    due: Instants
    limit_wh: Floats
    used_wh: Floats


def cases(
    reports: pl.DataFrame, events: pl.DataFrame | None, calendar: Calendar, limits: Limits, now: datetime, *, replay: bool = False
) -> pl.DataFrame:
    """Tell of every report where its case stands.

    Parameters
    ----------
    reports : polars.DataFrame
        report_id, source_id, category_code, occurred_at, reported_at, closed_at, due_at, state, tier; all other columns are passed on.
        Give one report a matter where matters are to be counted.
    events : polars.DataFrame or None
        Columns of `schema.HANDLING_EVENTS`.
    calendar : Calendar
    limits : Limits
    now : datetime
        The instant at which open cases are judged.
    replay : bool, default False
        Leave out what happened after `now`, though the files tell it; for an analysis of an earlier day (leave out later reports
        yourself). Otherwise a closing that is told is believed, even where it is later than the newest report.

    Returns
    -------
    polars.DataFrame
        One row a report, in their order: the reports' columns, of which closed_at, due_at, state and tier are the case's, and

        - opened_at, clock_from (UTC): when it came in, and when its present lap began (after a return);
        - stage, highest_tier: the last stage told, and the highest meeting reached;
        - limit_wh, used_wh, remaining_share (1 to 0, below 0 when overdrawn): working hours; null without a limit or where void;
        - light: green, yellow, red; null without a due time, void, or where its clock cannot be known;
        - overdue: open and late; events_n, returned_n, extended_n;
        - tells: whether returns and extensions would be known (it has events, or its source has states for them and no event files);
        - case_flags: doubts of `case_states.CASE_DOUBTS`, one bit each.

    Raises
    ------
    AnalysisError
        A column is missing, or a limit is not above zero.

    Notes
    -----
    A due time that the source gives is taken as set when the report came in. Events that change the clock change it by the same rules as
    a limit: suspended time is added, each extension adds `extension_share` of the limit, expediting leaves `expedited_share` of it, and a
    return starts the whole limit anew.
    """
    wrong = [name for name, hours in limits.by_category.items() if not hours > 0]
    if wrong:
        raise AnalysisError(f"taxonomy.limits: {', '.join(wrong)}: a limit must be above zero working hours; drop it for no limit")
    missing = [name for name in ("category_code", "due_at") if name not in reports.columns]
    if missing:
        raise AnalysisError(f"cases need the reports' column(s) {', '.join(missing)}; read them from the store too")
    traced = trace(reports, events, now=now, replay=replay)
    frame = _join(reports, traced)
    clocks, flags = _run_clocks(frame, traced, calendar, limits, np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "us"))
    frame = frame.with_columns(
        pl.Series("due_at", clocks.due).dt.replace_time_zone("UTC"),
        pl.Series("limit_wh", clocks.limit_wh).fill_nan(None),
        pl.Series("used_wh", clocks.used_wh).fill_nan(None),
        pl.col("case_flags") | pl.Series(flags),
    )
    return _light(frame, now).select(*(name for name in reports.columns if name not in _OWN), *_OWN)


def _join(reports: pl.DataFrame, traced: Traced) -> pl.DataFrame:
    """Put each case's standing in the place of its report's columns."""
    own = [name for name in traced.cases.columns if name not in ("case", "report_id")]
    kept = reports.drop([name for name in own if name in reports.columns])
    frame = pl.concat([kept, traced.cases.select("case", *own)], how="horizontal")
    has_events = pl.col("events_n") > 0
    rich = pl.col("state").is_in(["suspended", "returned", "extended", "expedited"])
    # A column tells the present state only; where a source has event files, cases without events are silent about returns.
    tells = has_events | (rich.any() & ~has_events.any()).over("source_id")
    return frame.with_columns(tells.fill_null(value=False).alias("tells"))


def _run_clocks(
    frame: pl.DataFrame, traced: Traced, calendar: Calendar, limits: Limits, now: np.datetime64
) -> tuple[_Clocks, np.ndarray[tuple[int], np.dtype[np.uint32]]]:
    """Reckon limits, due times and hours used; and flag what the calendar does not know."""
    lenient = replace(calendar, unknown_years="weekends")
    opened, begin = instants(frame["opened_at"]), instants(frame["clock_from"])
    own_due, closed = instants(frame["due_at"]), instants(frame["closed_at"])
    pauses = Pauses(traced.pauses["case"].to_numpy(), instants(traced.pauses["start"]), instants(traced.pauses["end"]))
    table = dict(limits.by_category)
    base = (
        frame["category_code"].replace_strict(table, default=None, return_dtype=pl.Float64).to_numpy()
        if table
        else np.full(len(begin), np.nan)
    )
    given = ~np.isnat(own_due)
    base = np.where(given, np.maximum(lenient.worked_h(opened, own_due), 0), base)
    share = np.where(frame["expedited_now_n"].to_numpy() > 0, limits.expedited_share, 1.0)
    limit = base * (share + frame["extended_now_n"].to_numpy() * limits.extension_share)
    due = lenient.due(begin, limit, pauses, now=np.array(now))
    moved = np.zeros(len(begin), dtype=bool)
    moved[pauses.case] = True
    moved |= (limit != base) | (begin != opened)
    due = np.where(given & ~moved, own_due, due)
    void = (frame["state"] == "void").to_numpy()
    end = np.where(np.isnat(closed), now, closed)
    used = lenient.worked_h(begin, end, pauses)
    guessed = lenient.guessed(begin, end) | lenient.guessed(begin, due)
    nothing = void | (guessed & (calendar.unknown_years == "refuse"))
    vague = ((frame["case_flags"] & _VAGUE) != 0).to_numpy()
    flags = guessed * CASE_DOUBT_BIT["calendar_unknown" if calendar.unknown_years == "refuse" else "weekends_only"]
    flags = flags + (np.isnan(base) & ~void) * CASE_DOUBT_BIT["no_limit"]
    # A source's own due time stands whatever the calendar knows.
    unknown = nothing & ~(given & ~moved & ~void)
    clocks = _Clocks(
        np.where(unknown, np.datetime64("NaT"), due), np.where(nothing, np.nan, limit), np.where(nothing | vague, np.nan, used)
    )
    return clocks, flags.astype(np.uint32)


def _light(frame: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Add remaining share, light, and whether a case is open past its due time."""
    instant = pl.lit(now.astimezone(UTC), dtype=pl.Datetime("us", "UTC"))
    unknown = (pl.col("case_flags") & _VAGUE) != 0
    late = pl.coalesce("closed_at", instant) > pl.col("due_at")
    used = pl.col("used_wh") / pl.col("limit_wh")
    counts = pl.col("due_at").is_not_null() & ~unknown
    return frame.with_columns(
        pl.when(pl.col("limit_wh") > 0).then(1 - used).alias("remaining_share"),
        pl.when(counts & late).then(pl.lit("red"))
        .when(counts & (pl.col("used_wh") <= GREEN_SHARE * pl.col("limit_wh"))).then(pl.lit("green"))
        .when(counts).then(pl.lit("yellow")).alias("light"),
        (counts & late & ~pl.col("state").is_in(["closed", "void", "suspended"])).fill_null(value=False).alias("overdue"),
    )  # fmt: skip
