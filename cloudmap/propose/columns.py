"""What a column of a table looks like: its name in words, and what its cells hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

from cloudmap.ingest.clean import TIME_FIELDS
from cloudmap.ingest.numbers import parse_numbers
from cloudmap.ingest.scrub import scrub
from cloudmap.ingest.time_shapes import fold, read_shape
from cloudmap.propose.words import role_strength

_PAIR: Final = r"^\(?\s*-?[0-9]{1,3}\.[0-9]+\s*,\s*-?[0-9]{1,3}\.[0-9]+\s*\)?$"
_TIME_WORDS: Final = re.compile(r"\b(?:time|date|dt|datetime|ts|timestamp|day|at|on)\b|时间|時間|日期|时刻")


@dataclass(frozen=True)
class Column:
    """One column of a sample.

    Parameters
    ----------
    name : str
        As the header has it.
    cells : pl.Series of String
        Trimmed cells; blank is null.
    """

    name: str
    cells: pl.Series

    @cached_property
    def words(self) -> str:
        """The name in lower-case words: CaseStatus, CASE_STATUS and case-status are "case status"."""
        spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", self.name)
        return re.sub(r"[^0-9a-z㐀-鿿]+", " ", spaced.lower()).strip()

    @cached_property
    def filled(self) -> pl.Series:
        """Cells that are not blank."""
        return self.cells.drop_nulls()

    @property
    def filled_n(self) -> int:
        """How many cells are not blank."""
        return self.filled.len()

    @cached_property
    def distinct_n(self) -> int:
        """How many different values there are."""
        return self.filled.n_unique()

    @property
    def is_unique(self) -> bool:
        """Whether every record has a value of its own."""
        return self.filled_n == self.cells.len() > 0 and self.distinct_n == self.filled_n

    @cached_property
    def numbers(self) -> pl.Series:
        """Cells that are finite numbers, as Float64."""
        return parse_numbers(self.filled)[0].drop_nulls()

    @property
    def number_share(self) -> float:
        """Share of filled cells that are numbers."""
        return self.numbers.len() / self.filled_n if self.filled_n else 0.0

    @property
    def is_pair(self) -> bool:
        """Whether the cells are coordinate pairs in one text."""
        return self.filled_n > 0 and 2 * int(self.filled.head(500).str.contains(_PAIR).sum()) > min(500, self.filled_n)

    @cached_property
    def time_share(self) -> float:
        """Share of filled cells that look like times; bare numbers count only where the name speaks of time."""
        some = fold(self.filled.gather_every(max(1, self.filled_n // 2000))).drop_nulls()
        if not some.len():
            return 0.0
        named = bool(_TIME_WORDS.search(self.words)) or any(role_strength(role, self.words) for role in TIME_FIELDS)
        shapes = some.str.slice(0, 40).str.replace_all("[0-9]", "0").value_counts()
        read_n = 0
        for shape, n in shapes.iter_rows():
            reading = read_shape(shape, minguo=True)
            if reading is not None and (named or not re.fullmatch(r"[0.]+", shape) or "." in reading.pattern):
                read_n += n
        return read_n / some.len()

    @property
    def mean_chars(self) -> float:
        """Mean length of filled cells."""
        return float(self.filled.str.len_chars().mean() or 0)  # type: ignore[arg-type]

    def examples(self, n: int = 3, *, codes: bool = False) -> str:
        """Return the most frequent values for a comment; scrubbed, unless they are known for codes of units."""
        if not self.filled_n:
            return "blank"
        top = self.filled.value_counts(sort=True).head(n).to_series()
        return ", ".join(repr(one[:40]) for one in (top if codes else scrub(top)))


def read_columns(frame: pl.DataFrame) -> list[Column]:
    """Describe the columns of a sample.

    Parameters
    ----------
    frame : pl.DataFrame
        String columns; `line_no` is left out.

    Raises
    ------
    Nothing.
    """
    names = [name for name in frame.columns if name != "line_no"]
    trimmed = frame.select(pl.col(name).str.strip_chars().replace("", None) for name in names)
    return [Column(name, trimmed[name]) for name in names]
