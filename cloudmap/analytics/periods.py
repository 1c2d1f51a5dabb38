"""The finite lattice of periods: ISO weeks, and spans of whole weeks that end with one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from cloudmap.errors import AnalysisError

SPANS = (1, 4, 13, 52)
"""Weeks that a period may have: a week, four weeks, a quarter, a year."""

_PERIOD_ID = re.compile(r"(\d{4})-W(\d{2})(?:--(\d{4})-W(\d{2}))?")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Whole ISO weeks, from Monday `first_on` to Sunday `last_on` (local dates)."""

    first_on: date
    weeks_n: int

    @property
    def last_on(self) -> date:
        """The Sunday that ends the period."""
        return self.first_on + timedelta(weeks=self.weeks_n, days=-1)

    @property
    def last_week_on(self) -> date:
        """The Monday of its last week."""
        return self.first_on + timedelta(weeks=self.weeks_n - 1)

    @property
    def id(self) -> str:
        """Text of the lattice: 2015-W52, or 2015-W49--2015-W52 for more than one week."""
        last = week_id(self.last_week_on)
        return last if self.weeks_n == 1 else f"{week_id(self.first_on)}--{last}"

    def before(self) -> Period:
        """Return the period of the same length just before."""
        return Period(self.first_on - timedelta(weeks=self.weeks_n), self.weeks_n)


def week_id(day: date) -> str:
    """Name the ISO week of a date, e.g. "2015-W30"."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def parse_period(text: str) -> Period:
    """Read a period id.

    Parameters
    ----------
    text : str
        "2015-W30" or "2015-W27--2015-W30".

    Raises
    ------
    AnalysisError
        Not of that form, no such week, or the end before the start.
    """
    match = _PERIOD_ID.fullmatch(text.strip())
    if not match:
        raise AnalysisError(f"period {text!r} is not of the form 2015-W30 or 2015-W27--2015-W30")
    try:
        first = date.fromisocalendar(int(match[1]), int(match[2]), 1)
        last = date.fromisocalendar(int(match[3]), int(match[4]), 1) if match[3] else first
    except ValueError as error:
        raise AnalysisError(f"period {text!r}: {error}") from error
    weeks = (last - first).days // 7 + 1
    if weeks < 1:
        raise AnalysisError(f"period {text!r} ends before it begins")
    return Period(first, weeks)


def last_complete_week(now: datetime, zone: ZoneInfo) -> date:
    """Return the Monday of the newest ISO week that had ended by `now`, in local days.

    A week whose Sunday is the day of `now` counts as complete only at its end: the newest report of a day says nothing of the hours after.
    """
    today = now.astimezone(zone).date()
    return today - timedelta(days=today.weekday() + 7)


def lattice(first_week_on: date, last_week_on: date) -> list[Period]:
    """List every permitted period whose weeks all lie between two Mondays, newest first, short spans first."""
    periods = []
    for weeks in SPANS:
        end = last_week_on
        while end - timedelta(weeks=weeks - 1) >= first_week_on:
            periods.append(Period(end - timedelta(weeks=weeks - 1), weeks))
            end -= timedelta(weeks=1)
    return periods
