"""Times as files write them become UTC instants: one plan per column (`time_plans`), applied to every block.

A naive time is local time of the source or city. What cannot be read has a named fault; nothing is guessed row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from cloudmap.errors import SourceError
from cloudmap.ingest.scrub import scrub_one
from cloudmap.ingest.time_shapes import MINGUO_OFFSET, Order, Reading, fold, read_shape, trim

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
LATEST_DUE: Final = datetime(2100, 1, 1, tzinfo=UTC)
_INSTANT: Final = pl.Datetime("us", "UTC")
_NAIVE: Final = pl.Datetime("us")
_LONGEST_US: Final = 2.5e17
"""About 7,900 years."""
_EXCEL_EPOCH: Final = datetime(1899, 12, 30)
_BLANK_ELSEWHERE: Final = r"^(?:0+(?:\.0+)?|1(?:\.0+)?|0000[-/]00[-/]00.*|1899[-/].*|1900[-/]0?1[-/]0?[01](?:[^0-9].*)?|9999.*)$"
"""What other systems write for "no date": zero, the first day of a spreadsheet's calendar, the end of all days."""
_FIRST_CLOCKS: Final = datetime(1970, 1, 1)
MIXED_LEAST: Final = 10
MIXED_SHARE: Final = 0.01

RULES: Final = {
    "unknown_time_format": "no known time format; set sources.{source}.time_format (strptime text, minguo, excel, epoch_s or epoch_ms)",
    "no_such_date": "no such date or time of day; correct it in the file",
    "day_month_order": "day and month stand the other way round than in the column's other values, or cannot be told apart; "
    "correct it in the file, or set sources.{source}.time_format",
    "implausible_time": "before 1990; correct it in the file",
    "future_time": "later than now; correct it in the file, or check sources.{source}.timezone and time_format",
}


class ParsedTimes(NamedTuple):
    """Instants, repairs and faults of one column, all of shape (n,)."""

    at: pl.Series
    """UTC instants (Datetime us); null where blank or at fault."""
    repaired: pl.Series
    """True where an instant needed a decision: an Excel serial, an hour that the clock skipped or repeated, a stand-in for blank."""
    fault: pl.Series
    """Name of the broken rule of `RULES`, null where none."""


@dataclass(frozen=True, slots=True)
class TimePlan:
    """How one column of times is read."""

    column: str
    zone: ZoneInfo
    declared: tuple[Reading, ...] = ()
    order: Order | None = None
    minguo: bool = False
    latest: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(days=1))
    evidence: tuple[str, ...] = ()

    def reading(self, shape: str) -> Reading | None:
        """Return the way of reading a shape, day and month in the column's order."""
        found = read_shape(shape, minguo=self.minguo)
        return swap_order(found) if found and found.ordered and self.order == "month_first" else found


def parse_times(values: pl.Series, plan: TimePlan, *, due: bool = False) -> ParsedTimes:
    """Read a text column as UTC instants.

    Parameters
    ----------
    values : pl.Series of String, shape (n,)
        Cells as the file has them.
    plan : TimePlan
        From `plan_times`.
    due : bool, default False
        Deadlines may lie ahead of now.

    Returns
    -------
    ParsedTimes

    Raises
    ------
    SourceError
        Too many values contradict the column's order of day and month: the column is mixed, and no reading of it can be trusted.
    """
    parse = _Parse(trim(values), plan)
    parse.read_whole()
    parse.read_rest()
    parse.read_shapes()
    return parse.result(values.name, LATEST_DUE if due else plan.latest)


def main_readings(text: pl.Series, plan: TimePlan) -> list[Reading]:
    """Guess a column's main readings from a few values.

    Parameters
    ----------
    text : pl.Series of String
        Folded values.
    plan : TimePlan

    Raises
    ------
    Nothing.
    """
    some = text.drop_nulls()
    some = some.gather_every(max(1, some.len() // 50))
    shapes = some.str.replace_all("[0-9]", "0").value_counts(sort=True).to_series().head(3) if some.len() else some
    readings = (plan.reading(shape) for shape in shapes)
    return list(dict.fromkeys(one for one in readings if one is not None))


def _is_safe(reading: Reading, plan: TimePlan) -> bool:
    """Tell whether a reading, tried on values of any shape, reads only values that it is meant for."""
    compact = reading.pattern.startswith("%Y%m")
    return reading.kind in ("strptime", "offset") and not compact and not (reading.ordered and plan.order is None)


class _Parse:
    """One column on its way: what is read, what is at fault, and which rows are still open.

    Most values are read as they stand. Only what is left is folded to one form and looked at more closely.
    """

    def __init__(self, text: pl.Series, plan: TimePlan) -> None:
        n = text.len()
        self.text = text.alias("v")
        self.plan = plan
        self.at = pl.repeat(None, n, dtype=_INSTANT, eager=True)
        self.repaired = pl.repeat(value=False, n=n, dtype=pl.Boolean, eager=True)
        self.fault = pl.repeat(None, n, dtype=pl.String, eager=True)
        self.pending = text.is_not_null().arg_true()

    def read_whole(self) -> None:
        """Read the column as it stands."""
        for reading in self._main_readings(self.text):
            if self.at.null_count() < self.at.len():
                self.apply(reading, self.pending)
                continue
            at, repaired = read_as(self.text, reading, self.plan.zone)
            good = _is_dated(at)
            self.at = at if good.sum() + at.null_count() == at.len() else pl.select(pl.when(good).then(at)).to_series()
            self.repaired = repaired & good
            self.pending = (self.text.is_not_null() & ~good).arg_true()
        self._drop_blank_elsewhere(((self.at < EARLIEST) | (self.at >= LATEST_DUE)).fill_null(value=False).arg_true())

    def read_rest(self) -> None:
        """Fold what is left to one form, and read it again."""
        self._drop_blank_elsewhere(self.pending)
        if not self.pending.len():
            return
        before = self.text.gather(self.pending)
        after = fold(before)
        self.text = self.text.scatter(self.pending, after)
        self._drop_blank_elsewhere(self.pending.filter(before.ne_missing(after)))
        for reading in self._main_readings(after):
            self.apply(reading, self.pending)

    def _main_readings(self, text: pl.Series) -> Sequence[Reading]:
        """Return what is tried on all values, so that most never need their shape computed."""
        return self.plan.declared or [one for one in main_readings(text, self.plan) if _is_safe(one, self.plan)]

    def _drop_blank_elsewhere(self, rows: pl.Series) -> None:
        blank = rows.filter(self.text.gather(rows).str.contains(_BLANK_ELSEWHERE)) if rows.len() else rows
        if blank.len():
            self.at = self.at.scatter(blank, pl.repeat(None, blank.len(), dtype=_INSTANT, eager=True))
            self.repaired = self.repaired.scatter(blank, pl.repeat(value=True, n=blank.len(), dtype=pl.Boolean, eager=True))
            self.pending = self.pending.filter(~self.pending.is_in(blank.implode()))

    def apply(self, reading: Reading, rows: pl.Series) -> pl.Series:
        """Read rows one way; those that cannot be read so are returned and stay pending."""
        if not rows.len():
            return rows
        at, repaired = read_as(self.text.gather(rows), reading, self.plan.zone)
        good = _is_dated(at)
        done = rows.filter(good)
        self.at = self.at.scatter(done, at.filter(good))
        self.repaired = self.repaired.scatter(done, repaired.filter(good))
        left = rows.filter(~good)
        self.pending = left if rows is self.pending else self.pending.filter(~self.pending.is_in(rows.implode()))
        return left

    def read_shapes(self) -> None:
        """Read what is pending by its own shape; name the fault of what cannot be read."""
        rows = self.pending
        if not rows.len():
            return
        shapes = self.text.gather(rows).str.slice(0, 40).str.replace_all("[0-9]", "0")
        readings = {shape: self._shape_reading(shape) for shape in shapes.unique()}
        for reading in dict.fromkeys(readings.values()):
            mine = rows.filter(shapes.is_in([shape for shape, one in readings.items() if one == reading]))
            if reading is None:
                self._blame(mine, "unknown_time_format")
            elif reading.ordered and self.plan.order is None:
                self._blame(mine, "day_month_order")
            else:
                self._blame_unread(self.apply(reading, mine), reading, read_n=mine.len())

    def _shape_reading(self, shape: str) -> Reading | None:
        reading = self.plan.reading(shape)
        literal_zone = any("+" in one.pattern and one.kind == "strptime" for one in self.plan.declared)
        return None if reading is not None and reading.kind == "offset" and literal_zone else reading

    def _blame_unread(self, rows: pl.Series, reading: Reading, *, read_n: int) -> None:
        if reading.ordered and rows.len():
            other, _ = read_as(self.text.gather(rows), swap_order(reading), self.plan.zone)
            contrary = rows.filter(other.is_not_null())
            if contrary.len() > max(MIXED_LEAST, MIXED_SHARE * max(read_n, self.at.len() - self.at.null_count())):
                example = scrub_one(self.text.gather(contrary)[0])
                raise SourceError(
                    f"{self.plan.column}: {contrary.len():,} values such as {example!r} put day and month the other way round than the "
                    "column's other values; a column that mixes both cannot be trusted. Correct the file at its source"
                )
            self._blame(contrary, "day_month_order")
            rows = rows.filter(other.is_null())
        self._blame(rows, "no_such_date")

    def _blame(self, rows: pl.Series, rule: str) -> None:
        if rows.len():
            self.fault = self.fault.scatter(rows, pl.repeat(rule, rows.len(), eager=True))

    def result(self, name: str, latest: datetime) -> ParsedTimes:
        early, late = (self.at < EARLIEST).fill_null(value=False), (self.at > latest).fill_null(value=False)
        self._blame(early.arg_true(), "implausible_time")
        self._blame(late.arg_true(), "future_time")
        at = pl.select(pl.when(~(early | late)).then(self.at)).to_series() if (early | late).any() else self.at
        return ParsedTimes(at.alias(name), self.repaired & self.fault.is_null(), self.fault)


def _is_dated(at: pl.Series) -> pl.Series:
    return at.dt.year().is_between(1800, 9999).fill_null(value=False)


def swap_order(reading: Reading) -> Reading:
    """Exchange day and month in a reading.

    Parameters
    ----------
    reading : Reading

    Raises
    ------
    Nothing.
    """
    return replace(reading, pattern=reading.pattern.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m"))


def read_as(text: pl.Series, reading: Reading, zone: ZoneInfo) -> tuple[pl.Series, pl.Series]:
    """Read texts one way.

    Parameters
    ----------
    text : pl.Series of String, shape (n,)
        Folded values.
    reading : Reading
    zone : ZoneInfo
        Zone of naive times.

    Returns
    -------
    at : pl.Series of Datetime UTC, shape (n,)
        Null where the text does not fit.
    repaired : pl.Series of Boolean, shape (n,)

    Raises
    ------
    Nothing.
    """
    no_repair = pl.repeat(value=False, n=text.len(), dtype=pl.Boolean, eager=True)
    if reading.kind == "offset":
        return _strptime(text, reading.pattern), no_repair
    if reading.kind == "strptime":
        return localise(_naive(text, reading.pattern), zone)
    if reading.kind == "minguo":
        return localise(_naive(_to_common_era(text), reading.pattern), zone)
    number = text.cast(pl.Float64, strict=False)
    if reading.kind == "excel":
        days = _whole(number * 86_400_000, _LONGEST_US / 1000).cast(pl.Duration("ms"))
        at, _ = localise(pl.select(days + pl.lit(_EXCEL_EPOCH)).to_series().cast(_NAIVE), zone)
        return at, at.is_not_null()
    microseconds = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}[reading.kind]
    return _whole(number * microseconds, _LONGEST_US).cast(_INSTANT), no_repair


def _whole(values: pl.Series, limit: float) -> pl.Series:
    """Round; null from a limit on, beyond which the engine stops instead of giving null."""
    return pl.select(pl.when(values.abs() < limit).then(values.round())).to_series().cast(pl.Int64)


def _naive(text: pl.Series, pattern: str) -> pl.Series:
    if "%I" in pattern and pattern.endswith("%p"):
        return _half_day(text, pattern)
    return _strptime(text, pattern)


def _half_day(text: pl.Series, pattern: str) -> pl.Series:
    """Read 02:20:05 PM as 02:20:05 and twelve hours more: several times faster than a pattern with %p."""
    clock = pattern.removesuffix("%p").rstrip().replace("%I", "%H")
    column = pl.col("v")
    frame = (
        text.alias("v")
        .to_frame()
        .select(
            "v",
            at=column.str.strip_chars_end(" AaPpMm").str.to_datetime(clock, strict=False, time_unit="us", cache=False),
            early=column.str.ends_with("AM") | column.str.ends_with("am"),
            late=column.str.ends_with("PM") | column.str.ends_with("pm"),
        )
    )
    hour, at = pl.col("at").dt.hour(), pl.col("at")
    twelve = pl.when(hour == 12).then(at - timedelta(hours=12)).when(hour.is_between(1, 11)).then(at)
    read = frame.select(pl.when("late").then(twelve + timedelta(hours=12)).when("early").then(twelve)).to_series()
    rest = (read.is_null() & text.is_not_null()).arg_true()
    return read.scatter(rest, _strptime(text.gather(rest), pattern)) if rest.len() else read


def _strptime(text: pl.Series, pattern: str) -> pl.Series:
    return text.str.to_datetime(pattern, strict=False, time_unit="us", cache=False)


def _to_common_era(text: pl.Series) -> pl.Series:
    """Turn 民104年3月5日, 104/3/5 and 1040305 into the same text with the year 2015."""
    column = pl.col("v").str.strip_prefix("民")
    compact = column.str.contains("^[0-9]{7}$")
    year = pl.when(compact).then(column.str.slice(0, 3)).otherwise(column.str.extract("^([0-9]{2,3})[^0-9]"))
    common = (year.cast(pl.Int32, strict=False) + MINGUO_OFFSET).cast(pl.String) + column.str.slice(year.str.len_chars())
    return text.alias("v").to_frame().select(common).to_series()


def localise(naive: pl.Series, zone: ZoneInfo) -> tuple[pl.Series, pl.Series]:
    """Place naive local times on the UTC line.

    Parameters
    ----------
    naive : pl.Series of Datetime without zone, shape (n,)
    zone : ZoneInfo

    Returns
    -------
    at : pl.Series of Datetime UTC, shape (n,)
        An hour that occurs twice is the earlier one; an hour that the clock skips is moved on by the skip.
    repaired : pl.Series of Boolean, shape (n,)
        True for hours that occur twice or never.

    Raises
    ------
    Nothing.
    """
    since, offset = _steady(zone)
    unsteady = ~naive.is_between(since, LATEST_DUE.replace(tzinfo=None)).fill_null(value=True)
    at = (naive - offset).dt.replace_time_zone("UTC")
    repaired = pl.repeat(value=False, n=naive.len(), dtype=pl.Boolean, eager=True)
    if unsteady.any():
        rows = unsteady.arg_true()
        at_rows, repaired_rows = _localise_by_clock(naive.gather(rows), zone)
        at, repaired = at.scatter(rows, at_rows), repaired.scatter(rows, repaired_rows)
    return at.alias(naive.name), repaired


@lru_cache(maxsize=64)
def _steady(zone: ZoneInfo) -> tuple[datetime, timedelta]:
    """Return the local time since when a zone's clock was not changed, and its offset from then on."""
    day = LATEST_DUE.replace(tzinfo=None)
    offset = day.replace(tzinfo=zone).utcoffset() or timedelta()
    while day > _FIRST_CLOCKS and day.replace(tzinfo=zone).utcoffset() == offset:
        day -= timedelta(days=1)
    return day + timedelta(days=3), offset


def _localise_by_clock(naive: pl.Series, zone: ZoneInfo) -> tuple[pl.Series, pl.Series]:
    at = naive.dt.replace_time_zone(zone.key, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    later = naive.dt.replace_time_zone(zone.key, ambiguous="latest", non_existent="null").dt.convert_time_zone("UTC")
    skipped = naive.is_not_null() & at.is_null()
    if skipped.any():
        # Read with the offset in force before the skip: 02:30 becomes 03:30 of the new time.
        before = (naive - timedelta(hours=3)).dt.replace_time_zone(zone.key, ambiguous="earliest", non_existent="null")
        at = at.fill_null(before.dt.convert_time_zone("UTC") + timedelta(hours=3))
    return at, skipped | (at != later).fill_null(value=False)
