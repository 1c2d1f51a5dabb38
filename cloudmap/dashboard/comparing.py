"""Which period another is compared with, and the table of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from cloudmap.access.views import ALL
from cloudmap.errors import AccessError, AnalysisError

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader


def earlier_period(reader: Reader, period_id: str, against: str) -> str | None:
    """Return the period that one is compared with; None where the data do not reach back so far.

    Parameters
    ----------
    reader : Reader
    period_id : str
    against : {"before", "year"}
        The one just before; or a year before: of weeks and days those 52 weeks earlier, of a month the same month.
    """
    period = reader.period(period_id)
    earlier = period.before() if against == "before" else period.year_before()
    try:
        return reader.period(earlier.id).id
    except (AccessError, AnalysisError):
        return None


def regime_between(reader: Reader, earlier_id: str, later_id: str) -> dict[str, Any] | None:
    """Return the change of reporting that lies between two periods, if any: a comparison across it tells of reporting.

    Returns
    -------
    dict or None
        A row of the statistic ``regimes``.
    """
    try:
        table = reader.statistic("regimes").table
    except (AccessError, AnalysisError):
        return None
    first, last = reader.period(earlier_id).first_on, reader.period(later_id).last_on
    between = table.filter(
        (pl.col("source_id") == ALL) & (pl.col("kind") != "first") & pl.col("first_week_on").is_between(first, last, closed="right")
    )
    return None if between.height == 0 else between.sort("first_week_on").row(-1, named=True)


def differences(now: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Set two maps side by side.

    Parameters
    ----------
    now, before : polars.DataFrame
        place, value, masked.

    Returns
    -------
    polars.DataFrame
        place, value, before, change (null where either is masked or has no value), masked; largest change first.
    """
    both = now.select("place", "value", "masked").join(
        before.select("place", before="value", masked_before="masked"), on="place", how="left"
    )
    masked = pl.col("masked") | pl.col("masked_before").fill_null(value=False)
    change = pl.when(~masked).then(pl.col("value") - pl.col("before"))
    both = both.with_columns(masked=masked, change=change)
    return both.sort(pl.col("change").abs(), "place", descending=[True, False], nulls_last=True).drop("masked_before")
