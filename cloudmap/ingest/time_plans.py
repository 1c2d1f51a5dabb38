"""How each column of times is read: decided once per file, with evidence.

Whether 05/01/2015 is May or January is decided per column by a value that can be only one of them; a column without such a value is
refused, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from cloudmap.errors import ConfigError, SourceError
from cloudmap.ingest.scrub import scrub_one
from cloudmap.ingest.time_shapes import KEYWORDS, Order, Reading, fold, fold_foreign, trim
from cloudmap.ingest.times import MIXED_LEAST, MIXED_SHARE, TimePlan, main_readings, parse_times

_ORDERED: Final = r"^\s*([0-9]{1,2})[-/.]([0-9]{1,2})[-/.][0-9]{4}"
_MINGUO_LIKE: Final = r"^(?:民|1[0-9]{2}[-/.年][0-9]{1,2}[-/.月][0-9]{1,2}(?:[^0-9]|$))"
_LITERAL_UTC: Final = re.compile("(?:UTC|GMT)$")
"""At the end of a declared text: values are folded to Z, so what is written so is no local time."""
_ENOUGH: Final = 20
_SAMPLE_N: Final = 1000


def declared_readings(time_format: str | None, *, where: str) -> tuple[tuple[Reading, ...], Order | None, bool]:
    """Understand a city file's time_format.

    Parameters
    ----------
    time_format : str or None
        strptime texts and keywords ("minguo", "excel", "epoch_s", "epoch_ms", "epoch_us", "day_first", "month_first"), several
        joined by "|" and tried in order.
    where : str
        Key of the city file, for the message.

    Returns
    -------
    readings : tuple of Reading
    order : "day_first", "month_first" or None
    minguo : bool

    Raises
    ------
    ConfigError
        A part is neither a keyword nor a strptime text with a year, a month and a day.
    """
    readings: list[Reading] = []
    order: Order | None = None
    minguo = False
    for part in (time_format or "").split("|"):
        text = part.strip()
        if text in ("day_first", "month_first"):
            order = "day_first" if text == "day_first" else "month_first"
        elif text == "minguo":
            minguo = True
        elif text in KEYWORDS:
            readings.append(KEYWORDS[text])
        elif text:
            readings.append(_declared_pattern(text, where))
    return tuple(readings), order, minguo


def _declared_pattern(text: str, where: str) -> Reading:
    moment = datetime(2015, 11, 23, 14, 35, 46)
    zoned = _LITERAL_UTC.sub("%z", text)
    offset = "%z" in zoned or "%#z" in zoned
    pattern = zoned.replace("%#z", "%z").replace("%z", "%#z")
    try:
        written = moment.replace(tzinfo=UTC).strftime(zoned.replace("%#z", "%z").replace("%.f", "").replace("%.3f", ""))
        back = pl.Series([written]).str.to_datetime(pattern, strict=False, time_unit="us")[0]
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise ConfigError(f"{where} = {text!r}: not a time format ({error}); use strptime text such as %Y/%m/%d %H:%M") from error
    if back is None or (back.year, back.month, back.day) != (2015, 11, 23):
        raise ConfigError(f"{where} = {text!r}: cannot read back {written!r}; use strptime text with year, month and day, or a keyword")
    return Reading("offset" if offset else "strptime", pattern)


def plan_times(
    blocks: Callable[[], Iterable[pl.DataFrame]],
    *,
    names: Mapping[str, str],
    source_id: str,
    zone: ZoneInfo,
    time_format: str | None = None,
    setting: str = "",
) -> dict[str, TimePlan]:
    """Decide how each column of times is read.

    Parameters
    ----------
    blocks : callable
        Gives the file's blocks from the start, each a frame with a String column per key of `names`. Only the first is read,
        unless day and month cannot be told apart in it: then as many as it takes.
    names : mapping of str to str
        Column of the frames to the name that the file gives it.
    source_id : str
        For messages.
    zone : ZoneInfo
        Zone of naive times.
    time_format : str, optional
        What the city file declares; see `declared_readings`.
    setting : str, optional
        Key of the city file that declares it, for messages; that of the source where not given.

    Returns
    -------
    dict of str to TimePlan

    Raises
    ------
    ConfigError
        `time_format` is not understood.
    SourceError
        No value tells whether day or month comes first, both orders occur, or nothing in a column can be read.
    """
    key = setting or f"sources.{source_id}.time_format"
    readings, order, minguo = declared_readings(time_format, where=key)
    tallies = {column: _Tally(name) for column, name in names.items()}
    first: pl.DataFrame | None = None
    for frame in blocks():
        first = frame if first is None else first
        for column, tally in tallies.items():
            tally.add(fold_foreign(frame[column]))
        if order or readings or all(tally.decided for tally in tallies.values()):
            break
    orders = {column: order or tally.order for column, tally in tallies.items()}
    sibling = next((found for found in orders.values() if found), None)
    plans = {}
    for column, tally in tallies.items():
        found, why = orders[column], tally.why
        if not found and tally.ordered_n and not readings:
            found, why = sibling, "as in the file's other columns"
            if not found:
                tally.refuse_unless_symmetric(key)
                found = "day_first"
        plan = TimePlan(tally.name, zone, readings, found, minguo or tally.minguo)
        plans[column] = plan if first is None else replace(plan, evidence=_explain(plan, trim(first[column]), why, key))
    return plans


@dataclass(slots=True)
class _Tally:
    """What a column's values say about the order of day and month, and about Minguo years."""

    name: str
    values_n: int = 0
    minguo_n: int = 0
    ordered_n: int = 0
    day_first_n: int = 0
    month_first_n: int = 0
    asymmetric_n: int = 0
    example: str = ""

    def add(self, text: pl.Series) -> None:
        values = text.drop_nulls().alias("v")
        self.values_n += values.len()
        self.minguo_n += int(values.str.contains(_MINGUO_LIKE).sum())
        ordered = values.filter(values.str.contains(_ORDERED))
        if not ordered.len():
            return
        parts = ordered.to_frame().select(
            a=pl.col("v").str.extract(_ORDERED, 1).cast(pl.Int8, strict=False),
            b=pl.col("v").str.extract(_ORDERED, 2).cast(pl.Int8, strict=False),
        )
        a, b = parts["a"], parts["b"]
        day_first, month_first = (a > 12) & (b <= 12), (b > 12) & (a <= 12)
        self.ordered_n += ordered.len()
        self.day_first_n += int(day_first.sum())
        self.month_first_n += int(month_first.sum())
        self.asymmetric_n += int((a != b).sum())
        telling = ordered.filter(day_first | month_first)
        self.example = self.example or str(telling[0] if telling.len() else ordered[0])

    @property
    def minguo(self) -> bool:
        """Whether the column counts years from 1912: half of its values do plainly, or its name says so."""
        named = any(word in self.name for word in ("民國", "民国"))
        return named or (self.minguo_n > 0 and 2 * self.minguo_n >= self.values_n)

    @property
    def decided(self) -> bool:
        return not self.ordered_n or self.order is not None

    @property
    def order(self) -> Order | None:
        fewer, more = sorted((self.day_first_n, self.month_first_n))
        if not more:
            return None
        if fewer > max(MIXED_LEAST, MIXED_SHARE * more):
            raise SourceError(
                f"{self.name}: {self.day_first_n} values put the day first and {self.month_first_n} the month, such as {self.example!r}; "
                "a column that mixes both cannot be trusted. Correct the file at its source"
            )
        return "day_first" if self.day_first_n > self.month_first_n else "month_first"

    @property
    def why(self) -> str:
        if not self.day_first_n + self.month_first_n:
            return ""
        return f"{max(self.day_first_n, self.month_first_n):,} values such as {scrub_one(self.example)!r} can be read one way only"

    def refuse_unless_symmetric(self, key: str) -> None:
        if self.asymmetric_n:
            raise SourceError(
                f"{self.name}: {self.ordered_n:,} values such as {scrub_one(self.example)!r} could be day/month or "
                f"month/day, and none has a part over 12 that would tell. Set {key} to day_first or month_first"
            )


def _explain(plan: TimePlan, text: pl.Series, why: str, key: str) -> tuple[str, ...]:
    """Say how the first block's values are read; refuse a column of which nothing can be read."""
    values = text.drop_nulls()
    if not values.len():
        return (f"{plan.column}: blank in the first block",)
    parsed = parse_times(values, plan, due=True)
    read_n = values.len() - parsed.fault.count()
    if read_n == 0 and values.len() >= _ENOUGH:
        example = scrub_one(values[0])
        raise SourceError(
            f"{plan.column}: none of {values.len():,} values, such as {example!r}, could be read ({parsed.fault[0]}). Set {key} to their "
            "strptime text, such as %d.%m.%y %H:%M, or minguo, excel, epoch_s, epoch_ms"
        )
    readings = plan.declared or tuple(main_readings(fold(values.gather_every(max(1, values.len() // _SAMPLE_N))), plan))
    shown = ", ".join(one.pattern or one.kind for one in readings) or "several forms"
    zone = "its own offset" if all(one.kind == "offset" for one in readings) and readings else f"naive times are {plan.zone.key}"
    parts = [
        f"{plan.column}: {shown}{' (declared)' if plan.declared else ''}",
        f"{read_n / values.len():.1%} of the first block read",
        zone,
    ]
    if plan.order and any("%d" in one.pattern and not one.pattern.startswith("%Y") for one in readings) and why:
        parts.append(f"{plan.order.replace('_', ' ')}: {why}")
    if plan.minguo:
        parts.append("Minguo years")
    return ("; ".join(parts),)
