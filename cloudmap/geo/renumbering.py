"""Tables of split, merged and renumbered units: old code, new code, and the day from which the new one holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from cloudmap.errors import BoundaryError, SchemaError
from cloudmap.geo.fields import as_code, as_day, as_text
from cloudmap.geo.units import RENUMBERED, Problem
from cloudmap.ingest.opening import file_sha256
from cloudmap.schema import LEVELS

if TYPE_CHECKING:
    from pandas import DataFrame

SUFFIX: Final = ".crosswalk.csv"
"""Ending of a table beside a layer: communities.crosswalk.csv beside communities.gpkg."""

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "old": ("old", "old_code", "旧代码", "舊代碼", "原代码", "原代碼"),
    "new": ("new", "new_code", "新代码", "新代碼", "现代码", "現代碼"),
    "on": ("on", "date", "日期", "变更日期", "變更日期", "启用日期", "啟用日期"),
    "level": ("level", "层级", "層級"),
    "share": ("share", "占比", "佔比"),
}
"""What a table may call its columns; old and new are needed."""


class Renumbering:
    """Collects the tables of a city.

    Attributes
    ----------
    files_sha256 : list of str
        Digests of the files read.
    """

    def __init__(self) -> None:
        self.files_sha256: list[str] = []
        self._tables: list[pl.DataFrame] = []
        self._beside: set[Path] = set()

    def read_beside(self, layer: Path) -> None:
        """Read the table beside a layer of units, if there is one; several layers of one file share it.

        Raises
        ------
        BoundaryError, SchemaError, SourceError
            As `read`.
        """
        path = layer.with_name(layer.name.split(".")[0] + SUFFIX)
        if path.is_file() and path not in self._beside:
            self._beside.add(path)
            self.read(path)

    def read(self, path: Path, *, on: date | None = None) -> None:
        """Read one table.

        Parameters
        ----------
        path : Path
            CSV or XLSX with a row per pair of units: columns old and new, and where known on (date), level and share. A row without
            a level is of every level that has either code.
        on : date, optional
            Day of all rows that do not tell their own.

        Raises
        ------
        SchemaError
            There is no column for the old or the new codes.
        BoundaryError
            A row without a code or a day, an unknown level, or a share that is not between 0 and 1.
        SourceError
            The file cannot be read.
        """
        self.files_sha256.append(file_sha256(path))
        raw = _raw(path)
        found = {role: next((name for name in names if name in raw.columns), None) for role, names in _NAMES.items()}
        for role in ("old", "new"):
            if found[role] is None:
                known = ", ".join(_NAMES[role])
                raise SchemaError(f"{path.name}: no column of {role} codes ({known}); it has {', '.join(raw.columns)}. Name it so")
        columns = {role: None if name is None else raw[name] for role, name in found.items()}
        days = as_day(columns["on"], len(raw), where=f"{path.name}: {found['on']}").astype("datetime64[D]").tolist()
        rows = {
            "level": list(as_text(columns["level"], len(raw))),
            **{role: list(as_code(raw[found[role]], where=f"{path.name}: {found[role]}")) for role in ("old", "new")},
            "on": [one or on for one in days],
            "share": [_share(one, path.name) for one in as_text(columns["share"], len(raw))],
        }
        table = pl.DataFrame(rows, schema=RENUMBERED)
        _check(table, path.name)
        self._tables.append(table)

    def settle(self, codes: Mapping[str, Collection[str]]) -> tuple[pl.DataFrame, list[Problem]]:
        """Give every row its level.

        Parameters
        ----------
        codes : mapping of level to codes
            Codes of each partition, all versions.

        Returns
        -------
        table : polars.DataFrame
            Columns `RENUMBERED`, sorted by level, day and codes.
        problems : list of Problem
            Kind crosswalk: pairs of which no level has either code; they are left out.
        """
        rows, problems = [], []
        for level, old, new, on, share in (row for table in self._tables for row in table.iter_rows()):
            levels = [level] if level else [one for one, have in codes.items() if old in have or new in have]
            known = [one for one in levels if {old, new} & set(codes.get(one, ()))]
            rows += [(one, old, new, on, share) for one in known]
            if not known:
                told = f"{old} became {new} on {on}: no partition has either code. Correct the codes or the level"
                problems.append(Problem("crosswalk", level or "", tuple(sorted({old, new})), None, told))
        return pl.DataFrame(rows, schema=RENUMBERED, orient="row").unique().sort("level", "on", "old", "new"), problems


def _raw(path: Path) -> DataFrame:
    from cloudmap.ingest.tables import open_table

    with open_table(path) as reader:
        blocks = list(reader.blocks())
    refused = pl.concat([block.rejected for block in blocks])
    if refused.height:
        line_no, detail = refused.select("line_no", "detail").row(0)
        raise BoundaryError(f"{path.name} row {line_no}: {detail}. A table of renumbered units is read whole or not at all; mend it")
    return pl.concat([block.frame for block in blocks]).drop("line_no").to_pandas()


def _share(text: Any, name: str) -> float | None:
    if text is None:
        return None
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise BoundaryError(f"{name}: share = {text!r}: want a number from 0 to 1, or a percentage")
    return share


def _check(table: pl.DataFrame, name: str) -> None:
    rules = (
        (pl.col("old").is_null() | pl.col("new").is_null(), "has no old or no new code. Give both, or leave the row out"),
        (pl.col("on").is_null(), "has no day. Give one in column on, or as the date of its [[milestones]] table"),
        (pl.col("level").is_not_null() & ~pl.col("level").is_in(LEVELS), f"names an unknown level. Levels are {', '.join(LEVELS)}"),
    )
    for wrong, told in rules:
        rows = table.with_row_index("row").filter(wrong)["row"].to_list()
        if rows:
            raise BoundaryError(f"{name}: row {rows[0] + 2} {told}")
