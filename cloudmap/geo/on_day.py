"""Counts of any day on the geography of one: a comparison of two times needs the same units on both sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.errors import BoundaryError
from cloudmap.geo.crosswalk import Step
from cloudmap.geo.locator import Locator
from cloudmap.geo.units import Units, in_force
from cloudmap.schema import unit_column


@dataclass(frozen=True)
class OnDay:
    """Facts on the geography of one day.

    Attributes
    ----------
    frame : polars.DataFrame
        The facts, in their order, with ``unit_<level>_code`` of that day.
    day : date
        The local day.
    counts : mapping of level to mapping
        Rows by what was done: ``by_point``, ``by_crosswalk`` (a whole unit), ``unclear`` (it became several or none, or is unknown:
        the row counts for the coarser units and the city only) and ``no_unit`` (the point lies in none on that day).
    """

    frame: pl.DataFrame
    day: date
    counts: Mapping[str, Mapping[str, int]]


def locate_on(
    facts: pl.DataFrame, units: Units, day: date, *, timezone: str, locator: Locator | None = None, levels: Iterable[str] | None = None
) -> OnDay:
    """Put facts of any day on the geography of one, so that a comparison has the same units on both sides.

    Parameters
    ----------
    facts : polars.DataFrame
        occurred_at, ledger_class, lon_deg, lat_deg and ``unit_<level>_code`` of the levels wanted; other columns stay as they are.
        Located rows with coordinates are placed by their point, others by what became of the unit that they name.
    units : Units
        Base map, dated.
    day : date
        The local day whose units count.
    timezone : str
        The city's zone: a report's own units are those of its local day.
    locator : Locator, optional
        One made of `units`; made here where not given.
    levels : iterable of str, optional
        Levels to place; all that the facts have where not given.

    Returns
    -------
    OnDay

    Raises
    ------
    BoundaryError
        The base map has no partition, or none of these levels.
    """
    wanted = [one for one in (units.levels if levels is None else levels) if unit_column(one).name in facts.columns]
    if not wanted:
        raise BoundaryError(f"facts on {day}: no unit column of {', '.join(units.levels)} among {', '.join(facts.columns)}. Read them too")
    locator = locator or Locator(units)
    pointed = facts.select(
        (pl.col("ledger_class") == "located") & pl.col("lon_deg").is_not_null() & pl.col("lat_deg").is_not_null()
    ).to_series()
    by_point = pointed.fill_null(value=False).to_numpy()
    lon, lat = (facts[name].filter(pl.Series(by_point)).to_numpy() for name in ("lon_deg", "lat_deg"))
    at = locator.grid.place(lon, lat)
    rest = facts.filter(pl.Series(~by_point)).select("occurred_at", *(unit_column(one).name for one in wanted))
    days = rest["occurred_at"].dt.convert_time_zone(timezone).dt.date()
    columns, counts = [], {}
    for level in wanted:
        name = unit_column(level).name
        found = locator.codes(level, lon, lat, on=np.datetime64(day), at=at)
        named, whole_n, unclear_n = _renamed(rest[name].cast(pl.String), days, units, level, day)
        codes = pl.Series(locator.unit_codes[level], dtype=pl.String).gather(
            pl.Series(found.astype(np.int64)).set(pl.Series(found < 0), None)
        )
        columns.append(_interleaved(name, by_point, codes, named))
        no_unit_n = int((found < 0).sum())
        counts[level] = {"by_point": lon.size - no_unit_n, "by_crosswalk": whole_n, "unclear": unclear_n, "no_unit": no_unit_n}
    return OnDay(facts.with_columns(columns), day, counts)


def _interleaved(name: str, first: npt.NDArray[np.bool_], these: pl.Series, those: pl.Series) -> pl.Series:
    """Put two columns together: the next of `these` where `first` holds, else the next of `those`."""
    position = np.where(first, np.cumsum(first) - 1, these.len() + np.cumsum(~first) - 1)
    return pl.concat([these, those]).gather(pl.Series(position)).alias(name)


def _renamed(codes: pl.Series, days: pl.Series, units: Units, level: str, day: date) -> tuple[pl.Series, int, int]:
    """Say what named units became by a day: codes (null where unclear), rows with a whole unit, rows that are unclear."""
    pairs = pl.DataFrame({"code": codes, "day": days})
    known = _Names(units, level, units.geography(level, day))
    distinct = pairs.filter(pl.col("code").is_not_null()).unique()
    told = [known.of(code, one) for code, one in distinct.iter_rows()]
    became = distinct.with_columns(pl.Series("new", told, dtype=pl.String))
    new = pairs.join(became, on=["code", "day"], how="left", maintain_order="left", nulls_equal=True)["new"]
    whole_n = new.len() - new.null_count()
    return new, whole_n, codes.len() - codes.null_count() - whole_n


class _Names:
    """What a unit that a report names is on the geography of one day, if it is one whole unit."""

    def __init__(self, units: Units, level: str, target: int) -> None:
        self._units, self._level, self._target = units, level, target
        self._steps: dict[int, Step] = {}
        self._answers: dict[tuple[str, int], str | None] = {}
        frame = units.frame(level)
        self._had = [set(frame["code"][in_force(frame, start)]) for start, _ in units.periods(level)]
        self._starts = np.array([start for start, _ in units.periods(level)[1:]], dtype="datetime64[D]")

    def of(self, code: str, day: date | None) -> str | None:
        number = 0 if day is None else int(np.searchsorted(self._starts, np.datetime64(day), side="right"))
        if (code, number) not in self._answers:
            self._answers[code, number] = self._whole(code, number)
        return self._answers[code, number]

    def _whole(self, code: str, number: int) -> str | None:
        # A report may name a unit that is no more, or not yet: it means the nearest version of it.
        had = [one for one, codes in enumerate(self._had) if code in codes]
        source = min(had, key=lambda one: (abs(one - number), -one)) if had else self._target
        if source not in self._steps:
            self._steps[source] = Step(self._units, self._level, source, self._target)
        became = self._steps[source].of(code)
        return became[0][0] if len(became) == 1 else None
