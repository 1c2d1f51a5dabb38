"""Periods: ISO weeks and spans of whole weeks, and free ones: a day, a calendar month, any days between two ends."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from cloudmap.errors import AnalysisError

SPANS = (1, 4, 13, 52)
"""Weeks that a period of the lattice may have: a week, four weeks, a quarter, a year."""

YEAR_DAYS = 364
"""A year before, for days and spans of them: 52 weeks, so that the weekdays are the same."""

_WEEKS_ID = re.compile(r"(\d{4})-W(\d{2})(?:--(\d{4})-W(\d{2}))?")
_MONTH_ID = re.compile(r"(\d{4})-(\d{2})")
_DAYS_ID = re.compile(r"(\d{4}-\d{2}-\d{2})(?:--(\d{4}-\d{2}-\d{2}))?")


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
    def days_n(self) -> int:
        """Number of days."""
        return 7 * self.weeks_n

    @property
    def id(self) -> str:
        """Text of the lattice: 2015-W52, or 2015-W49--2015-W52 for more than one week."""
        last = week_id(self.last_week_on)
        return last if self.weeks_n == 1 else f"{week_id(self.first_on)}--{last}"

    def before(self) -> Period:
        """Return the period of the same length just before."""
        return Period(self.first_on - timedelta(weeks=self.weeks_n), self.weeks_n)

    def year_before(self) -> Period:
        """Return the same weeks 52 weeks earlier."""
        return Period(self.first_on - timedelta(days=YEAR_DAYS), self.weeks_n)


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month, named by its first day."""

    first_on: date

    @property
    def last_on(self) -> date:
        """The last day of the month."""
        return self.first_on.replace(day=monthrange(self.first_on.year, self.first_on.month)[1])

    @property
    def days_n(self) -> int:
        """Number of days."""
        return self.last_on.day

    @property
    def id(self) -> str:
        """Year and month, e.g. "2018-07"."""
        return f"{self.first_on:%Y-%m}"

    def before(self) -> Month:
        """Return the month before."""
        return Month((self.first_on - timedelta(days=1)).replace(day=1))

    def year_before(self) -> Month:
        """Return the same month of the year before."""
        return Month(self.first_on.replace(year=self.first_on.year - 1))


@dataclass(frozen=True, slots=True)
class Days:
    """One day, or all days between two ends, both included (local dates)."""

    first_on: date
    last_on: date

    @property
    def days_n(self) -> int:
        """Number of days."""
        return (self.last_on - self.first_on).days + 1

    @property
    def id(self) -> str:
        """The day, e.g. "2018-07-03", or both ends, "2018-07-03--2018-07-19"."""
        return self.first_on.isoformat() if self.days_n == 1 else f"{self.first_on}--{self.last_on}"

    def before(self) -> AnyPeriod:
        """Return as many days, just before; where they are just a month, that month."""
        return self._moved(self.days_n)

    def year_before(self) -> AnyPeriod:
        """Return the days 52 weeks earlier: as many, of the same weekdays."""
        return self._moved(YEAR_DAYS)

    def _moved(self, days: int) -> AnyPeriod:
        return between(self.first_on - timedelta(days=days), self.last_on - timedelta(days=days))


AnyPeriod = Period | Month | Days
"""Whole weeks, or a free period: what counts, cases and lists of rows take."""


class WholeWeeksOnly(AnalysisError):  # noqa: N818  (what it asks for says more than "Error")
    """A free period was asked for what stands on whole weeks.

    Attributes
    ----------
    weeks : str
        Id of the whole weeks to ask for instead.
    """

    def __init__(self, message: str, weeks: str) -> None:
        super().__init__(f"{message}; choose whole weeks, e.g. {weeks}", code="whole_weeks")
        self.weeks = weeks


def week_id(day: date) -> str:
    """Name the ISO week of a date, e.g. "2015-W30"."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def between(first_on: date, last_on: date) -> AnyPeriod:
    """Return the period between two days, both included: whole weeks where it is just that, else a month, else the days.

    Raises
    ------
    AnalysisError
        It ends before it begins.
    """
    days = Days(first_on, last_on)
    if days.days_n < 1:
        raise AnalysisError(f"period {first_on}--{last_on} ends before it begins")
    if first_on.weekday() == 0 and days.days_n % 7 == 0:
        return Period(first_on, days.days_n // 7)
    month = Month(first_on.replace(day=1))
    return month if (month.first_on, month.last_on) == (first_on, last_on) else days


def parse_period(text: str) -> AnyPeriod:
    """Read a period id.

    Parameters
    ----------
    text : str
        "2015-W30" or "2015-W27--2015-W30" (whole ISO weeks), "2018-07-03" (a day), "2018-07" (a calendar month), or
        "2018-07-03--2018-07-19" (both ends included). Days that are just whole weeks, or just a month, are read as such.

    Raises
    ------
    AnalysisError
        Not of that form, no such day, week or month, or the end before the start.
    """
    asked = text.strip()
    try:
        if match := _WEEKS_ID.fullmatch(asked):
            first = date.fromisocalendar(int(match[1]), int(match[2]), 1)
            last = date.fromisocalendar(int(match[3]), int(match[4]), 1) if match[3] else first
            return between(first, last + timedelta(days=6))
        if match := _MONTH_ID.fullmatch(asked):
            return Month(date(int(match[1]), int(match[2]), 1))
        if match := _DAYS_ID.fullmatch(asked):
            return between(date.fromisoformat(match[1]), date.fromisoformat(match[2] or match[1]))
    except (ValueError, OverflowError) as error:
        raise AnalysisError(f"period {text!r}: {error}") from error
    raise AnalysisError(
        f"period {text!r} is not of the form 2015-W30, 2015-W27--2015-W30 (weeks), 2018-07-03, 2018-07-03--2018-07-19 (days) "
        "or 2018-07 (a month)"
    )


def parse_weeks(text: str) -> Period:
    """Read the id of a period of whole weeks.

    Raises
    ------
    AnalysisError
        As `parse_period`.
    WholeWeeksOnly
        It is a free period.
    """
    period = parse_period(text)
    if not isinstance(period, Period):
        raise WholeWeeksOnly(f"period {text!r} is not made of whole weeks", nearest_weeks(period).id)
    return period


def nearest_weeks(period: AnyPeriod) -> Period:
    """Return the whole weeks that a free period comes closest to.

    A week, four weeks, a quarter or a year, whichever of them is the longest that is no longer than the period. They end with its last
    Sunday; those of a period without a whole week are the week in which it ends.
    """
    if isinstance(period, Period):
        return period
    weeks = max((one for one in SPANS if 7 * one <= period.days_n), default=0)
    if weeks == 0:
        return Period(period.last_on - timedelta(days=period.last_on.weekday()), 1)
    sunday = period.last_on - timedelta(days=(period.last_on.weekday() + 1) % 7)
    return Period(sunday - timedelta(weeks=weeks, days=-1), weeks)


def whole_weeks_in(period: AnyPeriod) -> tuple[Period | None, list[Days]]:
    """Split a period into the whole weeks in it (None where there are none) and the days before and after them."""
    monday = period.first_on + timedelta(days=-period.first_on.weekday() % 7)
    sunday = period.last_on - timedelta(days=(period.last_on.weekday() + 1) % 7)
    if sunday < monday:
        return None, [Days(period.first_on, period.last_on)]
    weeks = Period(monday, ((sunday - monday).days + 1) // 7)
    edges = [Days(period.first_on, monday - timedelta(days=1)), Days(sunday + timedelta(days=1), period.last_on)]
    return weeks, [one for one in edges if one.days_n > 0]


def last_complete_day(now: datetime, zone: ZoneInfo) -> date:
    """Return the newest day that had ended by `now`, in local days."""
    return now.astimezone(zone).date() - timedelta(days=1)


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
