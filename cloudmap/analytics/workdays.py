"""Working time: which days a city works, and how much of that lies between two instants.

A city's own dates win over its country's public holidays and make-up working days. Instants are UTC; days and hours are the city's own,
so a day on which the clock is changed is as long as it really is. Working time between two instants is the difference of one rising
function, which makes millions of intervals a matter of two look-ups each.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.analytics.opening_hours import Spans, parse_hours
from cloudmap.analytics.public_holidays import LAST_YEAR, country_workdays, days_of, known_years
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from cloudmap.city import City

Instants = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HOUR_US: Final = 3_600_000_000
NEVER: Final = np.iinfo(np.int64).min
"""What NaT is as an integer."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Pauses(NamedTuple):
    """Spans in which clocks stand still, sorted by case and start; those of one case do not overlap.

    ``case`` is the row of each span in the arrays of cases; ``start`` and ``end`` are UTC, ``end`` NaT where the clock still stands.
    """

    case: Ints
    start: Instants
    end: Instants


class _Clock(NamedTuple):
    """Working spans in order (microseconds UTC), and the working time before each."""

    starts: Ints
    ends: Ints
    before: Ints

    def worked(self, at: Ints) -> Ints:
        """Return the working time up to each instant."""
        row = np.searchsorted(self.starts, at, side="right") - 1
        inside = np.minimum(at - self.starts[row], self.ends[row] - self.starts[row])
        return np.where(row < 0, 0, self.before[row] + inside)

    def reached(self, worked: Ints) -> Ints:
        """Return the first instant at which so much working time has gone by; it must be within the clock."""
        row = np.maximum(np.searchsorted(self.before, worked, side="left") - 1, 0)
        return np.asarray(self.starts[row] + worked - self.before[row])

    @property
    def total(self) -> int:
        return int(self.before[-1] + self.ends[-1] - self.starts[-1])


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working days and hours of a city.

    Parameters
    ----------
    country : str, default "CN"
        Whose public holidays count: an ISO code, with a subdivision where it matters ("US", "US-MA"); "none" for weekends only. For
        CN, make-up working days count too.
    working_hours : tuple of str, default ("08:30", "17:30")
        Local opening and closing times in turn, ascending: two, or four with a break at noon. ("00:00", "24:00") is round the clock.
    extra_holidays, extra_workdays : tuple of date
        The city's own dates; they win.
    timezone : str, default "Asia/Shanghai"
    unknown_years : {"refuse", "weekends"}, default "refuse"
        What to do about years whose holidays nobody has published yet: an error, or weekends and the city's own dates only
        (`guessed` then tells which intervals rest on such years).

    Raises
    ------
    AnalysisError
        Hours that are no times or not ascending, a date that is both holiday and workday, a country that is not known.

    Examples
    --------
    >>> calendar = Calendar(extra_holidays=(date(2018, 3, 6),))
    >>> opened = np.array(["2018-03-05T08:00"], dtype="datetime64[us]")  # 16:00 in Shanghai
    >>> calendar.due(opened, np.array([2.0]))
    array(['2018-03-07T01:00:00.000000'], dtype='datetime64[us]')
    """

    country: str = "CN"
    working_hours: tuple[str, ...] = ("08:30", "17:30")
    extra_holidays: tuple[date, ...] = ()
    extra_workdays: tuple[date, ...] = ()
    timezone: str = "Asia/Shanghai"
    unknown_years: Literal["refuse", "weekends"] = "refuse"

    def __post_init__(self) -> None:
        parse_hours(self.working_hours)
        both = sorted(set(self.extra_holidays) & set(self.extra_workdays))
        if both:
            raise AnalysisError(f"calendar: {', '.join(map(str, both))} is in extra_holidays and in extra_workdays; drop it from one")
        known_years(self.country)

    @classmethod
    def of(cls, city: City) -> Calendar:
        """Make the calendar that a city file describes.

        Raises
        ------
        AnalysisError
            As for the class.
        """
        own = city.calendar
        return cls(own.country, own.working_hours, own.extra_holidays, own.extra_workdays, city.city.timezone, own.unknown_years)

    def is_workday(self, day: date) -> bool:
        """Tell whether a local day is worked.

        Raises
        ------
        AnalysisError
            The holidays of its year are not known and `unknown_years` is "refuse".
        """
        if day in self.extra_workdays or day in self.extra_holidays:
            return day in self.extra_workdays
        if not self._known(day.year):
            self._refuse(day.year)
            return day.weekday() < 5
        return bool(country_workdays(self.country, day.year)[day.timetuple().tm_yday - 1])

    def guessed(self, start: Instants, end: Instants) -> Bools:
        """Tell which intervals touch years of which only weekends are known; missing ends are left out."""
        return _dated(start) & ~self._has_years(start) | _dated(end) & ~self._has_years(end)

    def worked_h(self, start: Instants, end: Instants, pauses: Pauses | None = None) -> Floats:
        """Return the working hours between instants.

        Parameters
        ----------
        start, end : datetime64 array of shape (n,)
            UTC. NaT gives NaN; an end before its start gives hours below zero.
        pauses : Pauses, optional
            Spans that do not count; one without an end lasts until its case's `end`.

        Returns
        -------
        float array of shape (n,)
            Hours.

        Raises
        ------
        AnalysisError
            An instant lies in a year whose holidays are not known, and `unknown_years` is "refuse"; pauses overlap.
        """
        begin, finish = _micro(start), _micro(end)
        clock = self._clock(begin, finish)
        worked = clock.worked(finish) - clock.worked(begin)
        if pauses is not None and len(pauses.case):
            first, last = _pause_ends(pauses, len(begin))
            last = np.minimum(np.where(last == NEVER, finish[pauses.case], last), finish[pauses.case])
            first = np.maximum(first, begin[pauses.case])
            idle = np.where(last > first, clock.worked(last) - clock.worked(first), 0)
            np.subtract.at(worked, pauses.case, idle)
        return np.where((begin == NEVER) | (finish == NEVER), np.nan, worked / HOUR_US)

    def due(self, start: Instants, limit_wh: Floats, pauses: Pauses | None = None, *, now: Instants | None = None) -> Instants:
        """Return the instants at which limits in working hours run out.

        Parameters
        ----------
        start : datetime64 array of shape (n,)
            UTC.
        limit_wh : float array of shape (n,)
            Working hours from there, at least 0; NaN gives NaT.
        pauses : Pauses, optional
            Spans that put the end off, as far as they begin before it.
        now : datetime64 scalar array, optional
            Where pauses without end are taken to end; needed where there are any.

        Returns
        -------
        datetime64[us] array of shape (n,)
            The first such instant: closing time, not the next day's opening.

        Raises
        ------
        AnalysisError
            A limit below zero; a year whose holidays are not known, and `unknown_years` is "refuse"; pauses overlap or lack an end.
        """
        begin, limit = _micro(start), np.asarray(limit_wh, dtype=np.float64)
        if (limit < 0).any():
            raise AnalysisError(f"{int((limit < 0).sum())} time limit(s) below zero; give working hours from 0")
        asked = (begin != NEVER) & np.isfinite(limit)
        clock = self._clock(begin[asked])
        target = np.zeros(len(begin), dtype=np.int64)
        target[asked] = clock.worked(begin[asked]) + np.round(limit[asked] * HOUR_US).astype(np.int64)
        if pauses is not None and len(pauses.case):
            first, last = _pause_ends(pauses, len(begin))
            if (last == NEVER).any():
                if now is None:
                    raise AnalysisError("a pause has no end; say what counts as now")
                last = np.where(last == NEVER, np.maximum(_micro(np.atleast_1d(now))[0], first), last)
            first = np.maximum(first, begin[pauses.case])
            clock = self._clock(begin[asked], last)
            _put_off(target, clock, pauses.case, first, np.maximum(last, first))
        clock = self._long_enough(clock, int(target.max(initial=0)))
        # Where no time has to go by, none does: not even that until the next opening.
        at = np.where(target == 0, begin, np.maximum(clock.reached(target), begin))
        return np.where(asked, at, NEVER).astype("datetime64[us]")

    def _known(self, year: int) -> bool:
        first, last = known_years(self.country)
        return first <= year <= last

    def _refuse(self, year: int) -> None:
        first, last = known_years(self.country)
        if self.unknown_years == "refuse":
            raise AnalysisError(
                f"calendar: the holidays of {year} in {self.country} are not known, only those of {first} to {last}. Bring a newer "
                'calendar package, or set calendar.unknown_years = "weekends" and give the holidays as calendar.extra_holidays'
            )

    def _has_years(self, at: Instants) -> Bools:
        first, last = known_years(self.country)
        zone = ZoneInfo(self.timezone)
        low = _instant(datetime(max(first, 1970), 1, 1, tzinfo=zone))
        high = _instant(datetime(min(last, LAST_YEAR) + 1, 1, 1, tzinfo=zone))
        micro = _micro(at)
        return (micro >= low) & (micro < high)

    def _clock(self, *instants: Ints) -> _Clock:
        """Return the clock that spans all instants given."""
        dated = [part[part != NEVER] for part in instants]
        dated = [part for part in dated if len(part)]
        if not dated:
            return _make_clock(self, 2020, 2020)
        zone = ZoneInfo(self.timezone)
        first, last = (
            (_EPOCH + timedelta(microseconds=int(value))).astimezone(zone).year
            for value in (min(part.min() for part in dated), max(part.max() for part in dated))
        )
        return _make_clock(self, first, last)

    def _long_enough(self, clock: _Clock, target: int) -> _Clock:
        """Lengthen a clock by whole years until it reaches so much working time."""
        zone = ZoneInfo(self.timezone)
        first, last = ((_EPOCH + timedelta(microseconds=int(value))).astimezone(zone).year for value in (clock.starts[0], clock.starts[-1]))
        while clock.total < target:
            last += 1 + (target - clock.total) // (8_784 * HOUR_US)
            if last > LAST_YEAR:
                raise AnalysisError(f"a time limit runs beyond the year {LAST_YEAR}; check taxonomy.limits and calendar.working_hours")
            clock = _make_clock(self, first, last)
        return clock


def instants(column: pl.Series) -> Instants:
    """Return a column of UTC instants as this module takes them; null is NaT."""
    return column.dt.replace_time_zone(None).cast(pl.Datetime("us")).to_numpy().astype("datetime64[us]")


@lru_cache(maxsize=64)
def _make_clock(calendar: Calendar, first_year: int, last_year: int) -> _Clock:
    spans: Spans = parse_hours(calendar.working_hours)
    zone = ZoneInfo(calendar.timezone)
    starts: list[int] = []
    ends: list[int] = []
    for year in range(first_year, last_year + 1):
        for day in filter(calendar.is_workday, days_of(year)):
            midnight = datetime(day.year, day.month, day.day)
            for opens, closes in spans:
                # Wall-clock hours: the day on which the clock is changed is an hour shorter or longer between the same times.
                starts.append(_instant((midnight + opens).replace(tzinfo=zone)))
                ends.append(_instant((midnight + closes).replace(tzinfo=zone)))
    if not starts:
        raise AnalysisError(f"calendar: no working day in {first_year} to {last_year}; check calendar.extra_holidays")
    opened, closed = np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64)
    return _Clock(opened, closed, np.r_[0, np.cumsum(closed - opened)[:-1]])


def _put_off(target: Ints, clock: _Clock, case: Ints, first: Ints, last: Ints) -> None:
    """Add to each case's target, in place, the working time of its pauses, one after the other as long as they begin before it."""
    if not len(case):
        return
    worked_first, idle = clock.worked(first), clock.worked(last) - clock.worked(first)
    new = np.r_[True, case[1:] != case[:-1]]
    rank = np.arange(len(case)) - np.maximum.accumulate(np.where(new, np.arange(len(case)), 0))
    for turn in range(int(rank.max()) + 1):
        rows = np.flatnonzero(rank == turn)
        rows = rows[worked_first[rows] < target[case[rows]]]
        target[case[rows]] += idle[rows]


def _pause_ends(pauses: Pauses, n: int) -> tuple[Ints, Ints]:
    first, last = _micro(pauses.start), _micro(pauses.end)
    case = pauses.case
    if case.min() < 0 or case.max() >= n or (first == NEVER).any():
        raise AnalysisError(f"pauses need the row of their case (0 to {n - 1}) and a start")
    same = case[1:] == case[:-1]
    overlap = same & ((first[1:] < last[:-1]) | (last[:-1] == NEVER))
    if (np.diff(case) < 0).any() or overlap.any():
        raise AnalysisError("pauses must be sorted by case and start, and those of one case must not overlap; merge them first")
    return first, last


def _micro(at: Instants) -> Ints:
    return np.asarray(at).astype("datetime64[us]").astype(np.int64)


def _dated(at: Instants) -> Bools:
    return ~np.isnat(np.asarray(at))


def _instant(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
