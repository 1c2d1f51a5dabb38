"""The bars of the time bar: matters of each week, day or month in the city or in one unit."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from cloudmap.analytics.periods import Days, Month, Period

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader

BARS: Final = ("week", "day", "month")
"""What a bar may stand for."""
MOST_DAYS: Final = 62
"""Days of a typed period up to which its bars are days; longer ones are shown among the weeks."""
DAYS_SHOWN: Final = 400
"""Bars of days that a time bar holds at most."""


def bars_for(reader: Reader, period_id: str, category: str) -> dict[str, str]:
    """Say which bars show a period: weeks, or months, or the days of the months about it.

    Parameters
    ----------
    reader : Reader
    period_id, category : str

    Returns
    -------
    dict
        bars (one of `BARS`), and of days first and last: equal for all days of a month, so that a step among them fetches nothing.
    """
    period, chosen = reader.period(period_id), next(one for one in reader.categories() if one.code == category)
    # Counts of a restricted category are masked, and told for listed periods only.
    masked = chosen.restricted and not reader.audience.restricted
    if isinstance(period, Period) or masked or reader.days is None:
        return {"bars": "week"}
    if isinstance(period, Month):
        return {"bars": "month"}
    if period.days_n > MOST_DAYS:
        return {"bars": "week"}
    first = (period.first_on.replace(day=1) - timedelta(days=1)).replace(day=1)
    last = Month(Month(period.last_on.replace(day=1)).last_on + timedelta(days=1)).last_on
    return {"bars": "day", "first": max(first, reader.days.first_on).isoformat(), "last": min(last, reader.days.last_on).isoformat()}


def time_bars(reader: Reader, category: str, within: str, bars: str, days: Days | None = None) -> dict[str, Any]:
    """Count the matters of each bar.

    Parameters
    ----------
    reader : Reader
    category : str
    within : str
        "unit_street~331004001", or "" for the city.
    bars : {"week", "day", "month"}
    days : Days, optional
        Which days, of bars of days.

    Returns
    -------
    dict
        bars, starts (first days), n, last (the last day of the last bar); a masked bar has no number.

    Raises
    ------
    AnalysisError, AccessError
        As `Reader.weeks` and `Reader.by_day`.
    """
    layer, _, unit = within.partition("~")
    place = {"layer_id": layer or None, "place": unit or None}
    if bars == "week":
        table = reader.weeks(category, **place).sort("week_on").rename({"week_on": "start"})
        return _answer(bars, table, table["start"][-1] + timedelta(days=6) if table.height else None)
    asked = days or reader.days
    if asked is None:
        return _answer(bars, pl.DataFrame(schema={"start": pl.Date, "n": pl.Int64, "masked": pl.Boolean}), None)
    table = reader.by_day(asked, category, **place).rename({"day_on": "start"})
    if bars == "day":
        return _answer(bars, table, asked.last_on)
    return _answer(bars, *_monthly(table))


def _monthly(table: pl.DataFrame) -> tuple[pl.DataFrame, date | None]:
    """Sum days to the calendar months that are whole."""
    months = table.group_by(pl.col("start").dt.truncate("1mo"), maintain_order=True).agg(
        pl.col("n").sum(), pl.col("masked").any(), days_n=pl.len()
    )
    whole = months.filter(pl.col("days_n") == pl.col("start").dt.days_in_month()).drop("days_n")
    return whole, Month(whole["start"][-1]).last_on if whole.height else None


def _answer(bars: str, table: pl.DataFrame, last: date | None) -> dict[str, Any]:
    shown = table.select(pl.when(~pl.col("masked")).then(pl.col("n")).alias("n"))["n"].to_list()
    return {"bars": bars, "starts": [str(day) for day in table["start"].to_list()], "n": shown, "last": str(last) if last else None}
