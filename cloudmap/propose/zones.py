"""The time zone of a place, and whether a written offset is meant."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from cloudmap.ingest.time_shapes import fold

_HOURS_OF_SLEEP: Final = 4
_QUIET_CENTRE_H: Final = 3.5
_ENOUGH: Final = 1000
_UNITED_STATES: Final = (
    (-114.5, "America/Los_Angeles"), (-101.5, "America/Denver"), (-86.0, "America/Chicago"), (-66.0, "America/New_York"),
)  # fmt: skip
"""East edges of the zones in the contiguous United States, roughly: their principal cities are too few for the nearest to be right."""


def nearest_zone(lon_deg: float, lat_deg: float) -> str:
    """Return the time zone whose principal city is nearest, among those that the sun allows.

    Parameters
    ----------
    lon_deg, lat_deg : float
        A place, WGS84.

    Returns
    -------
    str
        A guess: political borders are not known.

    Raises
    ------
    Nothing.
    """
    if 73 < lon_deg < 119.4 and 21 < lat_deg < 50 and not 113.8 < lon_deg < 114.4:
        return "Asia/Shanghai"
    if -125 < lon_deg < -66 and 24.5 < lat_deg < 49:
        return next(name for edge, name in _UNITED_STATES if lon_deg < edge)
    solar = lon_deg / 15
    ranked = sorted(_cities(), key=lambda city: _distance(lon_deg, lat_deg, city[1], city[2]))
    fitting = (name for name, _, _ in ranked if abs(_standard_hours(name) - solar) < 1.1)
    zone = next(fitting, "UTC")
    return "Asia/Shanghai" if zone == "Asia/Taipei" and lat_deg > 25.4 else zone


@cache
def _cities() -> tuple[tuple[str, float, float], ...]:
    table = resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    return tuple((row[2], *_position(row[1])) for row in rows)


def _position(text: str) -> tuple[float, float]:
    """Read +4221-07103 (degrees and minutes, perhaps seconds) as longitude and latitude."""
    lat, lon = (_sexagesimal(part) for part in re.findall(r"[+-][0-9]+", text))
    return lon, lat


def _sexagesimal(part: str) -> float:
    digits = part[1:]
    seconds = digits[-2:] if len(digits) >= 6 else ""
    rest = digits[: len(digits) - len(seconds)]
    value = int(rest[:-2]) + int(rest[-2:]) / 60 + (int(seconds) / 3600 if seconds else 0)
    return -value if part[0] == "-" else value


def _distance(lon_a: float, lat_a: float, lon_b: float, lat_b: float) -> float:
    a, b, across = math.radians(lat_a), math.radians(lat_b), math.radians(lon_b - lon_a)
    return math.acos(max(-1.0, min(1.0, math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(across))))


@cache
def _standard_hours(name: str) -> float:
    january = datetime(2024, 1, 15, tzinfo=UTC).astimezone(ZoneInfo(name)).utcoffset()
    july = datetime(2024, 7, 15, tzinfo=UTC).astimezone(ZoneInfo(name)).utcoffset()
    return min(one.total_seconds() for one in (january, july) if one is not None) / 3600


def judge_offset(text: pl.Series, zone: ZoneInfo, hours: pl.Series | None = None) -> tuple[bool | None, str]:
    """Tell whether the offset that a column writes is meant, or whether its hours are local time in disguise.

    Parameters
    ----------
    text : pl.Series of String
        Times that all end in the same offset, such as +00.
    zone : ZoneInfo
        Zone of the city.
    hours : pl.Series of String, optional
        Another column of the same records that repeats the hour.

    Returns
    -------
    meant : bool or None
        None: undecided.
    evidence : str

    Raises
    ------
    Nothing.
    """
    folded = fold(text)
    written = folded.str.extract(r"[ T]([0-9]{1,2}):").cast(pl.Int64, strict=False)
    if hours is not None:
        share = float((hours.cast(pl.Float64, strict=False) == written.cast(pl.Float64)).mean() or 0)  # type: ignore[arg-type]
        if share > 0.99:
            return False, f"another column repeats the written hour in {share:.1%} of the records, so the hours are local"
    days = folded.str.extract(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})").str.to_datetime("%Y-%m-%d", strict=False, time_unit="us")
    as_utc = (days + (written * 3_600_000_000).cast(pl.Duration("us"))).dt.replace_time_zone("UTC")
    converted = as_utc.dt.convert_time_zone(zone.key).dt.hour()
    if written.count() < _ENOUGH:
        return None, f"{written.count():,} times are too few to see the rhythm of a day"
    quiet_written, quiet_converted = _quiet_centre(written), _quiet_centre(converted)
    off_written, off_converted = (_apart(one, _QUIET_CENTRE_H) for one in (quiet_written, quiet_converted))
    told = (
        f"the quietest {_HOURS_OF_SLEEP} hours are around {quiet_written:.0f} as written, around {quiet_converted:.0f} if the offset "
        "were meant"
    )
    if off_written + 2 <= off_converted:
        return False, f"{told}: people sleep at night, so the hours are local"
    if off_converted + 2 <= off_written:
        return True, f"{told}: the offset is meant"
    return None, told


def _quiet_centre(hours: pl.Series) -> float:
    counts = np.bincount(hours.drop_nulls().cast(pl.Int64).to_numpy(), minlength=24)[:24]
    sums = [counts[(start + np.arange(_HOURS_OF_SLEEP)) % 24].sum() for start in range(24)]
    return (int(np.argmin(sums)) + (_HOURS_OF_SLEEP - 1) / 2) % 24


def _apart(a: float, b: float) -> float:
    return min(abs(a - b), 24 - abs(a - b))
