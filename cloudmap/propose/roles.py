"""Which column plays which part in a table of reports: the name proposes, the content decides."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from cloudmap.ingest.clean import TIME_FIELDS
from cloudmap.ingest.tables import LAT_COLUMN, LON_COLUMN
from cloudmap.propose.columns import Column
from cloudmap.propose.words import guess_state, role_strength

CATEGORIES_MOST: Final = 3000
_MOSTLY: Final = 0.95
_STRONG_ID: Final = 4
_REPEATS_SHARE: Final = 0.2
_VERSIONS_SHARE: Final = 0.8
_STRONG_STATE: Final = 6
_CODED_STATES: Final = 10
_TELLING_DIGITS: Final = 6
"""Shorter numbers agree with running numbers of units by accident."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A column for a role, and why."""

    column: Column
    why: str


@dataclass
class Roles:
    """What was chosen for a table, and what was left open with its reason."""

    chosen: dict[str, Choice] = field(default_factory=dict)
    undecided: dict[str, str] = field(default_factory=dict)

    def column(self, role: str) -> Column | None:
        """Return the column of a role."""
        return self.chosen[role].column if role in self.chosen else None


def choose_roles(columns: list[Column], *, unit_names: Collection[str] = ()) -> Roles:
    """Choose the columns of a table of reports.

    Parameters
    ----------
    columns : list of Column
        A sample of the table.
    unit_names : collection of str
        Codes and names of the base map's units, where there is one.

    Returns
    -------
    Roles
        No time chosen means that this is no table of reports.

    Raises
    ------
    Nothing.
    """
    roles = Roles()
    free = [column for column in columns if not column.is_pair]
    for step in (_choose_times, _choose_points, _choose_id, _choose_state):
        step(free, roles)
    _choose_unit(free, roles, unit_names)
    _choose_category(free, roles)
    for role, test in _BY_NAME.items():
        _choose_best(free, roles, role, test)
    return roles


def _used(roles: Roles) -> set[str]:
    return {choice.column.name for choice in roles.chosen.values()}


def _ranked(columns: list[Column], roles: Roles, role: str) -> list[tuple[int, Column]]:
    """Free columns whose name speaks for the role, strongest first, then in file order."""
    used = _used(roles)
    found = [(role_strength(role, column.words), column) for column in columns if column.name not in used]
    return sorted((one for one in found if one[0]), key=lambda one: -one[0])


def _counted(column: Column) -> str:
    return f"{column.filled_n:,} of {column.cells.len():,} filled, {column.distinct_n:,} distinct"


def _choose_times(columns: list[Column], roles: Roles) -> None:
    timed = [column for column in columns if column.time_share >= _MOSTLY]
    blank = [column for column in columns if not column.filled_n]
    for role in ("due_at", "closed_at", "occurred_at", "reported_at"):
        ranked = _ranked(timed, roles, role) or (_ranked(blank, roles, role) if role in ("due_at", "closed_at") else [])
        if ranked:
            column = ranked[0][1]
            why = f"{column.time_share:.0%} of its values are times" if column.filled_n else "by its name only: blank in every record read"
            roles.chosen[role] = Choice(column, f"{why}; {_counted(column)}")
    if not {"occurred_at", "reported_at"} & roles.chosen.keys():
        rest = [column for column in timed if column.name not in _used(roles)]
        if len(rest) == 1:
            roles.chosen["reported_at"] = Choice(rest[0], f"the only other column of times; {_counted(rest[0])}")
        elif rest:
            roles.undecided["reported_at"] = f"several columns of times, and no name tells: {', '.join(column.name for column in rest)}"


def _choose_points(columns: list[Column], roles: Roles) -> None:
    by_name = {column.name: column for column in columns}
    if LON_COLUMN in by_name:
        for role, name in (("lon", LON_COLUMN), ("lat", LAT_COLUMN)):
            roles.chosen[role] = Choice(by_name[name], "the points of the file")
        return
    numeric = [column for column in columns if column.numbers.len() and column.number_share >= _MOSTLY]
    lons = [(strength, one) for strength, one in _ranked(numeric, roles, "lon") if one.distinct_n > 1]
    lats = [(strength, one) for strength, one in _ranked(numeric, roles, "lat") if one.distinct_n > 1]
    pairs = [(a + b, lon, lat) for a, lon in lons for b, lat in lats if lon.name != lat.name and a == b]
    pairs.sort(key=lambda pair: (not _degrees(pair[1], pair[2]), -pair[0]))
    if not pairs:
        roles.undecided["lon"] = "no two columns of numbers are named like coordinates: every report would count as unmapped"
        return
    _, lon, lat = pairs[0]
    note = ""
    if _surveyors(lon, lat):
        lon, lat, note = lat, lon, "; exchanged: X holds the northing, as surveyors write it"
    for role, column in (("lon", lon), ("lat", lat)):
        values = column.numbers.filter(column.numbers != 0)
        low, high = values.quantile(0.01), values.quantile(0.99)
        roles.chosen[role] = Choice(column, f"98% of its numbers lie in {low:,.6g} .. {high:,.6g}{note}")
    others = [f"{one.name}, {two.name}" for _, one, two in pairs[1:]]
    if others:
        roles.undecided["other coordinates"] = f"{'; '.join(others)} are coordinates too; degrees were preferred"


def _degrees(lon: Column, lat: Column) -> bool:
    return bool((lon.numbers.abs() <= 180).mean() > _MOSTLY and (lat.numbers.abs() <= 90).mean() > _MOSTLY)  # type: ignore[operator]


def _surveyors(lon: Column, lat: Column) -> bool:
    """In China's grids the northing is 2 to 6 million; the easting is below 1 million or carries a zone in front."""
    x, y = float(lon.numbers.median() or 0), float(lat.numbers.median() or 0)  # type: ignore[arg-type]
    return 1_900_000 < x < 6_000_000 and (300_000 < y < 800_000 or 25_000_000 < y < 46_000_000)


def _choose_id(columns: list[Column], roles: Roles) -> None:
    ranked = _ranked(columns, roles, "id")
    for _, column in ranked:
        if column.is_unique:
            roles.chosen["id"] = Choice(column, f"unique: {column.distinct_n:,} values in {column.cells.len():,} records")
            return
    times = [choice.column for role, choice in roles.chosen.items() if role in ("occurred_at", "reported_at")]
    for strength, column in ranked:
        versions_n = _versions(column, times[0]) if times and strength >= _STRONG_ID else None
        if versions_n is not None:
            roles.chosen["id"] = Choice(
                column, f"{column.distinct_n:,} distinct; {versions_n:,} records repeat an id and its time: newer versions"
            )
            return
    if ranked and ranked[0][0] > _STRONG_ID:
        _, column = ranked[0]
        roles.undecided["id"] = f"{column.name} is not unique ({_counted(column)}): a digest of the record stands for the id"
        return
    roles.undecided["id"] = (
        "no column is named like an id and unique: a digest of the record stands for it, so equal records are one report"
    )


def _versions(column: Column, time: Column) -> int | None:
    """Count the records that repeat an id, where they are versions of one report: nearly all with the time of the first."""
    pairs = pl.DataFrame({"id": column.cells, "time": time.cells})
    filled = pairs.drop_nulls("id")
    repeats_n = filled.height - column.distinct_n
    if filled.height < _MOSTLY * pairs.height or repeats_n > _REPEATS_SHARE * pairs.height:
        return None
    other_times_n = filled.unique().height - column.distinct_n
    return repeats_n if other_times_n <= (1 - _VERSIONS_SHARE) * repeats_n else None


def _choose_state(columns: list[Column], roles: Roles) -> None:
    for strength, column in _ranked(columns, roles, "state"):
        values = column.filled.unique().to_list() if column.distinct_n <= 40 else []
        known = [one for one in values if guess_state(one)]
        if known or (strength >= _STRONG_STATE and 1 < len(values) <= _CODED_STATES):
            roles.chosen["state"] = Choice(column, f"{len(known)} of {len(values)} values are known states")
            return


def _choose_unit(columns: list[Column], roles: Roles, unit_names: Collection[str]) -> None:
    ranked = _ranked(columns, roles, "unit_code")
    if not unit_names:
        if ranked and ranked[0][0] >= 5:
            roles.chosen["unit_code"] = Choice(ranked[0][1], f"by its name; no base map to compare with: {ranked[0][1].examples()}")
        return
    names = [one for one in unit_names if not (one.isdigit() and len(one) < _TELLING_DIGITS)]
    found = [(float(column.filled.is_in(names).mean() or 0), column) for _, column in ranked if column.filled_n]  # type: ignore[arg-type]
    share, column = max(found, key=lambda one: one[0], default=(0.0, None))
    if column is not None and share >= 0.3:
        roles.chosen["unit_code"] = Choice(column, f"{share:.0%} of its values are units of the base map")
    elif column is not None:
        roles.undecided["unit_code"] = f"values of {', '.join(one.name for _, one in ranked)} are no units of the base map"


def _choose_category(columns: list[Column], roles: Roles) -> None:
    fitting = [
        (strength, column)
        for strength, column in _ranked(columns, roles, "category")
        if column.filled_n >= 0.5 * column.cells.len() and 1 <= column.distinct_n <= min(CATEGORIES_MOST, max(2, column.filled_n // 3))
    ]
    if not fitting:
        roles.undecided["category"] = "no column is named like one and holds few enough labels: set category_code"
        return
    best = fitting[0][0]
    equal = [column for strength, column in fitting if strength == best]
    also = f"; {', '.join(one.name for one in equal[1:4])} would do too" if equal[1:] else ""
    roles.chosen["category"] = Choice(equal[0], f"{equal[0].distinct_n:,} labels, such as {equal[0].examples()}{also}")


def _choose_best(columns: list[Column], roles: Roles, role: str, test: Callable[[Column], bool]) -> None:
    for _, column in _ranked(columns, roles, role):
        if test(column):
            roles.chosen[role] = Choice(column, _counted(column))
            return


_BY_NAME: Final[dict[str, Callable[[Column], bool]]] = {
    "reporter_id": lambda column: not column.is_unique and column.distinct_n > 1,
    "reporter_kind": lambda column: 1 <= column.distinct_n <= 20,
    "tier": lambda column: 1 <= column.distinct_n <= 20,
    "text": lambda column: column.number_share < 0.5 and column.filled_n > 0 and column.mean_chars >= 4,
    "address": lambda column: column.number_share < 0.5 and column.distinct_n > 20,
}
"""Roles that a fitting name and a simple test decide, in order of choice."""

FIELD_ORDER: Final = (
    "id", "category", *TIME_FIELDS, "state", "lon", "lat", "unit_code", "reporter_id", "reporter_kind", "text", "address", "tier",
)  # fmt: skip
