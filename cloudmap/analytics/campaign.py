"""A campaign's list of targets going to zero."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError


def burn_down(targets: pl.DataFrame, *, begun_on: date, now: datetime, zone: ZoneInfo) -> Result:
    """Count week by week how many targets are left.

    Parameters
    ----------
    targets : polars.DataFrame
        target_id, done_on (local date; null while it is not done).
    begun_on : date
        Day on which the campaign began, with the whole list.
    now : datetime
        Targets done later count as left.
    zone : ZoneInfo
        Whose weeks.

    Returns
    -------
    Result
        Table, one row a week from the one of `begun_on` to the one of `now`: week_on (Monday), done_n (in the week), left_n (at its end or
        now), left_share. ``parameters``: targets_n, zero_on (day on which the last one was done, null before that).

    Raises
    ------
    AnalysisError
        A column is missing, a target stands twice, the list is empty, or the campaign begins after `now`.
    """
    if not {"target_id", "done_on"} <= set(targets.columns):
        raise AnalysisError(f"a campaign's list needs target_id and done_on; it has {', '.join(targets.columns)}")
    if targets.is_empty() or targets["target_id"].n_unique() < targets.height:
        raise AnalysisError("a campaign's list is empty or names a target twice; give each target one line")
    today = now.astimezone(zone).date()
    if begun_on > today:
        raise AnalysisError(f"the campaign begins on {begun_on}, after now ({today})", code="empty")
    done = targets.filter(pl.col("done_on") <= today)["done_on"]
    monday = begun_on - timedelta(days=begun_on.weekday())
    weeks = pl.DataFrame({"week_on": pl.date_range(monday, today, "1w", eager=True)})
    # What was done before the campaign began is done in its first week.
    at = done.clip(monday, today).dt.truncate("1w").alias("week_on")
    counts = at.to_frame().group_by("week_on").agg(pl.len().cast(pl.Int64).alias("done_n"))
    table = weeks.join(counts, on="week_on", how="left", maintain_order="left").with_columns(pl.col("done_n").fill_null(0))
    table = table.with_columns((targets.height - pl.col("done_n").cum_sum()).alias("left_n"))
    zero_on = done.max() if done.len() == targets.height else None
    return Result(
        method="burn-down of a campaign's list",
        parameters={"targets_n": targets.height, "begun_on": begun_on.isoformat(), "zero_on": None if zero_on is None else str(zero_on)},
        table=table.with_columns((pl.col("left_n") / targets.height).alias("left_share")),
        denominator=f"{targets.height} targets",
    )
