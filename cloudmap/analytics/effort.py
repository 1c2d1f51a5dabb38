"""Who reports, and how late: the effort behind the counts, apart from what the counts are of."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.analytics.cube import week_of
from cloudmap.analytics.periods import last_complete_week
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]

CITY = "ALL"
"""Id under which the city stands in a column source_id."""

WEEKS_SINCE = 12
"""Weeks after which a week counts as fully reported."""

ENOUGH_SHARE = 0.9
"""Weeks of which less has been reported so far are masked."""

LEAST_SHARE = 0.5
"""Below this share a count is not completed: one report more would move it by more than it tells."""

_MATURE_WEEKS = 52
_LEAST_WEEK_N = 5
_LEAST_WEEKS = 8
_OLD_DAYS = 28
_BATCH_N = 20
_BATCH_FOLD = 5.0

_NEEDED = ("source_id", "occurred_at", "reported_at", "reporter", "reporter_kind")


class Completeness(NamedTuple):
    """How much of a week's reports has come in after how many weeks, and which weeks are masked for that.

    Attributes
    ----------
    table : polars.DataFrame
        source_id ("ALL" for the city), weeks_since (0 to 12: whole weeks after the end of the week in which things happened),
        arrived_share (0-1; null where no distribution can be had), reports_n (reports that it stands on), batch_n (reports
        that came in batches and are left out).
    masked : polars.DataFrame
        source_id, week_on, weeks_since, arrived_share: the last weeks whose arrived share is below 0.9.
    """

    table: pl.DataFrame
    masked: pl.DataFrame

    def masked_weeks(self, source_id: str = CITY) -> list[date]:
        """Return the Mondays of the masked weeks of a source, oldest first."""
        return self.masked.filter(pl.col("source_id") == source_id)["week_on"].sort().to_list()


class Completed(NamedTuple):
    """Counts completed for what has not come in yet.

    Attributes
    ----------
    counts : ndarray of float64, as the given counts
        count / arrived share; NaN where less than half has arrived.
    complete : ndarray of bool, shape (T,)
        Weeks of which at least 0.9 has arrived; the others are masked.
    """

    counts: Floats
    complete: npt.NDArray[np.bool_]


def weekly_effort(facts: pl.DataFrame, *, zone: ZoneInfo, last_week_on: date, place: str | None = None) -> pl.DataFrame:
    """Tell per source and week of reporting how much was reported, by how many, of which kind, and how late.

    Parameters
    ----------
    facts : polars.DataFrame
        source_id; occurred_at, reported_at (UTC datetimes); reporter (any hashable dtype, null where unknown); reporter_kind
        ("staff", "resident" or null). Rows without reported_at are left out.
    zone : ZoneInfo
        The city's zone: weeks begin on Monday, local midnight.
    last_week_on : date
        Monday of the last week that is told.
    place : str, optional
        Column of a place; adds places_n.

    Returns
    -------
    polars.DataFrame
        source_id ("ALL" for the city), week_on, reports_n, active_reporters_n (distinct reporters; null where no report of the week names
        one), staff_n, resident_n (reports that staff found and that residents made), lag_median_h, lag_p90_h (hours from occurred_at to
        reported_at; null where unknown), and places_n (distinct places told of). Sorted by source and week; weeks without a report
        between a source's first one and `last_week_on` are there with zeros.

    Raises
    ------
    AnalysisError
        A column is missing, or nothing was reported up to `last_week_on`.

    Notes
    -----
    Reporter ids of two sources are two name spaces: the city's active reporters are the sum over sources.
    """
    _require(facts, (*_NEEDED, *((place,) if place else ())))
    rows = facts.lazy().filter(pl.col("reported_at").is_not_null()).select(
        "source_id",
        week_of(pl.col("reported_at"), zone).alias("week_on"),
        _lag_h().alias("lag"),
        "reporter",
        (pl.col("reporter_kind") == "staff").alias("staff"),
        (pl.col("reporter_kind") == "resident").alias("resident"),
        *((pl.col(place).alias("place"),) if place else ()),
    ).filter(pl.col("week_on") <= last_week_on).collect()  # fmt: skip
    if rows.is_empty():
        raise AnalysisError(f"effort: nothing was reported up to the week of {last_week_on}; choose a later week", code="empty")
    told = [
        pl.len().cast(pl.Int64).alias("reports_n"),
        pl.col("staff").sum().cast(pl.Int64).alias("staff_n"),
        pl.col("resident").sum().cast(pl.Int64).alias("resident_n"),
        pl.col("lag").median().alias("lag_median_h"),
        pl.col("lag").quantile(0.9, "linear").alias("lag_p90_h"),
    ]
    if place:
        told.append(pl.col("place").drop_nulls().n_unique().cast(pl.Int64).alias("places_n"))
    who = pl.col("reporter").drop_nulls().n_unique().cast(pl.Int64).alias("active_reporters_n")
    by_source = rows.group_by("source_id", "week_on").agg(*told, who)
    whole = rows.group_by("week_on").agg(*told).with_columns(source_id=pl.lit(CITY))
    whole = whole.join(by_source.group_by("week_on").agg(pl.col("active_reporters_n").sum()), on="week_on")
    counts = ["reports_n", "active_reporters_n", "staff_n", "resident_n", *(["places_n"] if place else [])]
    order = ["source_id", "week_on", *counts[:4], "lag_median_h", "lag_p90_h", *counts[4:]]
    table = pl.concat([by_source.select(order), whole.select(order)])
    # A source that names nobody in a week has an unknown number of reporters, not none.
    table = table.with_columns(pl.when(pl.col("active_reporters_n") > 0).then("active_reporters_n").alias("active_reporters_n"))
    full = table.group_by("source_id").agg(pl.col("week_on").min()).with_columns(
        pl.date_ranges("week_on", pl.lit(last_week_on), "1w").alias("week_on")
    ).explode("week_on")  # fmt: skip
    filled = full.join(table, on=["source_id", "week_on"], how="left")
    zero = [name for name in counts if name != "active_reporters_n"]
    empty = pl.col("reports_n").is_null()
    return filled.with_columns(
        *(pl.col(name).fill_null(0) for name in zero),
        pl.when(empty).then(0).otherwise("active_reporters_n").cast(pl.Int64).alias("active_reporters_n"),
    ).select(order).sort("source_id", "week_on")  # fmt: skip


def weekly_places(facts: pl.DataFrame, place: str, *, zone: ZoneInfo, last_week_on: date) -> pl.DataFrame:
    """Count reports by source, place and week of reporting: what tells a change of effort from a local one.

    Parameters
    ----------
    facts : polars.DataFrame
        source_id, reported_at and the column `place`; rows without either are left out.
    place : str
        Column of a place; a coarse one (a resolution-8 cell, a community) serves better than a fine one.
    zone, last_week_on
        As `weekly_effort`.

    Returns
    -------
    polars.DataFrame
        source_id ("ALL" for the city), place (String), week_on, reports_n.

    Raises
    ------
    AnalysisError
        A column is missing.
    """
    _require(facts, ("source_id", "reported_at", place))
    rows = facts.filter(pl.col(place).is_not_null() & pl.col("reported_at").is_not_null()).select(
        "source_id", pl.col(place).alias("place"), week_of(pl.col("reported_at"), zone).alias("week_on")
    )
    counted = (
        rows.filter(pl.col("week_on") <= last_week_on).group_by("source_id", "place", "week_on").agg(reports_n=pl.len().cast(pl.Int64))
    )
    whole = counted.group_by("place", "week_on").agg(pl.col("reports_n").sum()).with_columns(source_id=pl.lit(CITY))
    return pl.concat([counted, whole.select(counted.columns)]).with_columns(pl.col("place").cast(pl.String)).sort(
        "source_id", "place", "week_on"
    )  # fmt: skip


def unit_effort(facts: pl.DataFrame, place: str, *, zone: ZoneInfo, first_on: date, last_on: date, min_staff: int) -> pl.DataFrame:
    """Tell the effort of units over a span of days; rates only where enough staff stand behind them.

    Parameters
    ----------
    facts : polars.DataFrame
        As `weekly_effort`, with the column `place`.
    place : str
        Column with a unit's code; rows without one are left out.
    zone : ZoneInfo
    first_on, last_on : date
        First and last local day of reporting, both included.
    min_staff : int
        Distinct staff from which a unit's rates are told (the city's privacy.min_staff).

    Returns
    -------
    polars.DataFrame
        place, reports_n, staff_n, resident_n (reports of each kind), and, null below `min_staff`: staff_reporters_n (distinct staff),
        reports_per_staff, lag_median_h; class ("told" or "too_few_staff"). Sorted by place, never by a rate.

    Raises
    ------
    AnalysisError
        A column is missing, the span ends before it begins, or `min_staff` is below 2.
    """
    _require(facts, (*_NEEDED, place))
    if last_on < first_on:
        raise AnalysisError(f"unit effort: the span ends ({last_on}) before it begins ({first_on}); give the first day first")
    if min_staff < 2:
        raise AnalysisError(f"unit effort: min_staff = {min_staff} would tell of one person; use 2 or more (privacy.min_staff)")
    day = pl.col("reported_at").dt.convert_time_zone(str(zone)).dt.date()
    staff = pl.col("reporter_kind") == "staff"
    table = (
        facts.filter(pl.col(place).is_not_null() & day.is_between(first_on, last_on))
        .group_by(pl.col(place).alias("place"))
        .agg(
            pl.len().cast(pl.Int64).alias("reports_n"),
            staff.sum().cast(pl.Int64).alias("staff_n"),
            (pl.col("reporter_kind") == "resident").sum().cast(pl.Int64).alias("resident_n"),
            pl.struct("source_id", "reporter").filter(staff & pl.col("reporter").is_not_null()).n_unique().cast(pl.Int64).alias(
                "staff_reporters_n"
            ),
            _lag_h().median().alias("lag_median_h"),
        )
    )  # fmt: skip
    enough = pl.col("staff_reporters_n") >= min_staff
    return table.with_columns(
        pl.when(enough).then(pl.lit("told")).otherwise(pl.lit("too_few_staff")).alias("class"),
        pl.when(enough).then(pl.col("staff_n") / pl.col("staff_reporters_n")).alias("reports_per_staff"),
        pl.when(enough).then("lag_median_h").alias("lag_median_h"),
        pl.when(enough).then("staff_reporters_n").alias("staff_reporters_n"),
    ).sort("place").select(
        "place", "reports_n", "staff_n", "resident_n", "staff_reporters_n", "reports_per_staff", "lag_median_h", "class"
    )  # fmt: skip


def completeness(facts: pl.DataFrame, *, zone: ZoneInfo, now: datetime) -> Completeness:
    """Tell how much of a week's reports has come in after 0 to 12 weeks, and which of the last weeks that masks.

    Parameters
    ----------
    facts : polars.DataFrame
        source_id, occurred_at, reported_at (UTC datetimes); rows without either time are left out.
    zone : ZoneInfo
        The city's zone.
    now : datetime
        The newest `reported_at`, with a time zone.

    Returns
    -------
    Completeness

    Raises
    ------
    AnalysisError
        A column is missing.

    Notes
    -----
    From the 52 newest mature weeks (12 or more weeks old): each week's share that had arrived k whole weeks after its end; the median over
    weeks with at least five reports, so that a back-fill in some of them does not move it, or the pooled share where there are
    fewer than eight such weeks. Reports that came in a batch (a day with at least 20 reports and five times the source's usual number, half
    of them more than 28 days old) tell nothing of how long a report takes and are left out. A source of which batches are more than half,
    or that has no mature week, has null shares and masks nothing.
    """
    _require(facts, ("source_id", "occurred_at", "reported_at"))
    last = last_complete_week(now, zone)
    rows = facts.lazy().filter(pl.col("occurred_at").is_not_null() & pl.col("reported_at").is_not_null()).select(
        "source_id",
        week_of(pl.col("occurred_at"), zone).alias("week_on"),
        week_of(pl.col("reported_at"), zone).alias("reported_week_on"),
        pl.col("reported_at").dt.convert_time_zone(str(zone)).dt.date().alias("day"),
        ((pl.col("reported_at") - pl.col("occurred_at")) > timedelta(days=_OLD_DAYS)).alias("old"),
    ).collect()  # fmt: skip
    mature = last - timedelta(weeks=WEEKS_SINCE)
    counted = (
        rows.lazy()
        .join(_batch_days(rows).lazy(), on=["source_id", "day"], how="left")
        .filter(pl.col("week_on").is_between(mature - timedelta(weeks=_MATURE_WEEKS - 1), mature))
        .with_columns(since=((pl.col("reported_week_on") - pl.col("week_on")).dt.total_days() // 7).clip(0, WEEKS_SINCE + 1))
        .group_by("source_id", "week_on", "since", pl.col("batch").fill_null(value=False))
        .agg(n=pl.len().cast(pl.Int64))
        .collect()
    )
    tables, masks = [], []
    sources = facts["source_id"].unique().sort().to_list()
    for source in [*sources, CITY]:
        part = counted if source == CITY else counted.filter(pl.col("source_id") == source)
        shares, n, batch_n = _arrived_shares(part)
        since = np.arange(WEEKS_SINCE + 1)
        schema = {"weeks_since": pl.Int64, "arrived_share": pl.Float64}
        arrived = pl.DataFrame({"weeks_since": since, "arrived_share": shares}, schema=schema).with_columns(
            pl.lit(source).alias("source_id")
        )
        tables.append(
            arrived.select("source_id", "weeks_since", "arrived_share", reports_n=pl.lit(n, pl.Int64), batch_n=pl.lit(batch_n, pl.Int64))
        )
        low = arrived.filter(pl.col("arrived_share") < ENOUGH_SHARE)
        week = (pl.lit(last) - pl.duration(weeks=pl.col("weeks_since"))).cast(pl.Date).alias("week_on")
        masks.append(low.select("source_id", week, "weeks_since", "arrived_share"))
    return Completeness(pl.concat(tables), pl.concat(masks).sort("source_id", "week_on"))


def arrived_by_week(result: Completeness, source_id: str, *, weeks: list[date], last_week_on: date) -> Floats:
    """Return the expected arrived share of each week of a list, as `completed_counts` takes it.

    Parameters
    ----------
    result : Completeness
    source_id : str
        A source, or "ALL".
    weeks : list of date
        Mondays.
    last_week_on : date
        Monday of the last complete week.

    Returns
    -------
    ndarray of shape (len(weeks),)
        1 for weeks older than the table and where no share is known.
    """
    known = result.table.filter((pl.col("source_id") == source_id) & pl.col("arrived_share").is_not_null())
    shares = dict(zip(known["weeks_since"], known["arrived_share"], strict=True))
    return np.array([shares.get((last_week_on - week).days // 7, 1.0) for week in weeks], dtype=np.float64)


def completed_counts(counts: npt.ArrayLike, arrived_share: npt.ArrayLike) -> Completed:
    """Complete recent counts for reports that have not come in yet, and say which weeks are to be masked instead.

    Parameters
    ----------
    counts : array_like of shape (..., T)
        Counts by week.
    arrived_share : array_like of shape (T,)
        Share (0-1) of each week's reports that has arrived.

    Returns
    -------
    Completed

    Raises
    ------
    AnalysisError
        Shapes do not fit, or a share is outside 0 to 1.

    Examples
    --------
    >>> completed_counts([10, 10, 9, 2], [1, 1, 0.9, 0.4])
    Completed(counts=array([10., 10., 10., nan]), complete=array([ True,  True,  True, False]))
    """
    given, share = np.asarray(counts, dtype=np.float64), np.asarray(arrived_share, dtype=np.float64)
    if share.ndim != 1 or given.shape[-1:] != share.shape:
        raise AnalysisError(f"completed counts: {given.shape} counts need one arrived share a week, got shape {share.shape}")
    if not ((share >= 0) & (share <= 1)).all():
        raise AnalysisError("completed counts: an arrived share is missing or outside 0 to 1; take it from `completeness`")
    usable = share >= LEAST_SHARE
    return Completed(np.where(usable, given / np.where(usable, share, 1.0), np.nan), share >= ENOUGH_SHARE)


def _batch_days(rows: pl.DataFrame) -> pl.DataFrame:
    """List the days of each source on which a batch of old reports came in: source_id, day, batch (true)."""
    days = rows.group_by("source_id", "day").agg(n=pl.len(), old_share=pl.col("old").mean())
    usual = pl.col("n").median().over("source_id")
    return days.filter(
        (pl.col("n") >= _BATCH_N) & (pl.col("old_share") >= 0.5) & ((pl.col("n") >= _BATCH_FOLD * usual) | (pl.len().over("source_id") < 5))
    ).select("source_id", "day", batch=pl.lit(value=True))  # fmt: skip


def _arrived_shares(counted: pl.DataFrame) -> tuple[list[float | None], int, int]:
    """Return the arrived share after 0 to 12 weeks, the reports it stands on, and those left out as batches."""
    batch_n = int(counted.filter("batch")["n"].sum())
    single = counted.filter(~pl.col("batch"))
    n = int(single["n"].sum())
    if n == 0 or batch_n > n:
        return [None] * (WEEKS_SINCE + 1), n, batch_n
    weeks = single["week_on"].unique().sort()
    at = weeks.search_sorted(single["week_on"]).to_numpy()
    arrived = np.zeros((len(weeks), WEEKS_SINCE + 2))
    np.add.at(arrived, (at, single["since"].to_numpy()), single["n"].to_numpy())
    total = arrived.sum(axis=1)
    share = arrived.cumsum(axis=1)[:, :-1]
    enough = total >= _LEAST_WEEK_N
    weekly = enough.sum() >= _LEAST_WEEKS
    found = np.median(share[enough] / total[enough, None], axis=0) if weekly else share.sum(axis=0) / n
    return [float(one) for one in found], n, batch_n


def _lag_h() -> pl.Expr:
    """Return the hours from occurrence to report, none below 0."""
    return ((pl.col("reported_at") - pl.col("occurred_at")).dt.total_seconds() / 3600).clip(lower_bound=0)


def _require(facts: pl.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [name for name in columns if name not in facts.columns]
    if missing:
        raise AnalysisError(f"effort: facts lack column(s) {', '.join(missing)}; read them with reporter and both times")
