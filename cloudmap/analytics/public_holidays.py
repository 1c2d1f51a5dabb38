"""Which days a country works: weekends, public holidays, and in China the weekend days that make up for long holidays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from holidays import HolidayBase

LAST_YEAR: Final = 2200
WEEKENDS_ONLY: Final = "none"
"""Country of a calendar that knows weekends and the city's own dates, nothing else."""


@lru_cache(maxsize=64)
def known_years(country: str) -> tuple[int, int]:
    """Return the first and last year whose holidays are known.

    Parameters
    ----------
    country : str
        As in `Calendar`.

    Raises
    ------
    AnalysisError
        No such country or subdivision.
    """
    if country == WEEKENDS_ONLY:
        return 1970, LAST_YEAR
    if country == "CN":
        from chinese_calendar import constants

        days = [*constants.holidays, *constants.workdays]
        return min(days).year, max(days).year
    kind = type(_country(country, 2020))
    return int(kind.start_year), int(kind.end_year)


def _country(country: str, year: int) -> HolidayBase:
    import holidays

    code, _, part = country.partition("-")
    try:
        return holidays.country_holidays(code, subdiv=part or None, years=year)
    except NotImplementedError as error:
        raise AnalysisError(
            f'calendar.country = {country!r}: {error}. Use an ISO code such as CN or US-MA, or "none" for weekends and extra_holidays only'
        ) from error


@lru_cache(maxsize=512)
def country_workdays(country: str, year: int) -> tuple[bool, ...]:
    """Tell which days of a year are worked, by the country's calendar alone: True or False a day.

    Raises
    ------
    AnalysisError
        No such country.
    """
    days = list(days_of(year))
    if country == WEEKENDS_ONLY:
        return tuple(day.weekday() < 5 for day in days)
    if country == "CN":
        from chinese_calendar import is_workday

        return tuple(bool(is_workday(day)) for day in days)
    calendar = _country(country, year)
    return tuple(bool(calendar.is_working_day(day)) for day in days)


def days_of(year: int) -> Iterator[date]:
    """Yield the days of a year."""
    first = date(year, 1, 1)
    return (first + timedelta(days=at) for at in range((date(year + 1, 1, 1) - first).days))
