"""What a document says, in plain values: the same for a page, a workbook, an office document and a PDF."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from cloudmap.publish import maps
from cloudmap.publish.columns import column_widths
from cloudmap.publish.wording import number_text, probability_text

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.publish.legend import Language
    from cloudmap.publish.maps import MapChoice

ColumnKind = Literal["text", "code", "count", "number", "ratio", "share", "p"]
Row = Mapping[str, Any]

NUMERIC: Final = ("count", "number", "ratio", "share", "p")
MISSING: Final = "—"
ROWS_MAX: Final = 40
"""Rows that a document lists of a table; the workbook lists all."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: where its values stand in a row, its heading, and how they are written.

    ``upper`` makes it an interval: from the value of `key` to that of `upper`.
    """

    key: str
    heading: str
    kind: ColumnKind = "text"
    upper: str | None = None

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers, which are set to the right."""
        return self.kind in NUMERIC

    def text(self, row: Row) -> str:
        """Write the value of a row for reading."""
        if self.upper is None:
            return value_text(row.get(self.key), self.kind, masked=row.get("masked_text"))
        if row.get(self.key) is None and row.get(self.upper) is None:
            return MISSING
        return f"[{value_text(row.get(self.key), self.kind)}, {value_text(row.get(self.upper), self.kind)}]"


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its title, and a note that says what its numbers are of."""

    key: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    note: str = ""
    more: str = ""
    total: Row | None = None

    @property
    def shown(self) -> list[list[tuple[str, Column]]]:
        """The rows that a document lists, as text, each cell with its column."""
        return [self.cells(row) for row in self.rows[:ROWS_MAX]]

    def cells(self, row: Row) -> list[tuple[str, Column]]:
        """Write the cells of a row."""
        return [(column.text(row), column) for column in self.columns]

    @property
    def layout(self) -> tuple[int, list[float]]:
        """Size of its letters in print, in half points, and the share of the width that each column has, in percent."""
        texts = [[text for text, _ in cells] for cells in (*self.shown, *([self.cells(self.total)] if self.total else []))]
        size, widths = column_widths([[one.heading for one in self.columns], *texts])
        return size, [round(100 * one / sum(widths), 1) for one in widths]

    @property
    def digest(self) -> str:
        """SHA-256 of the rows."""
        return digest(self.rows)


@dataclass(frozen=True, slots=True)
class Picture:
    """A map of a document, drawn when the document is made."""

    reader: Reader
    choice: MapChoice
    language: Language
    title: str
    caption: str
    values: Sequence[Row]
    """Its numbers, for the manifest."""
    drawn: dict[str, bytes] = field(default_factory=dict, compare=False)

    def svg(self) -> bytes:
        """Draw it as SVG."""
        return self._once("svg", lambda: maps.map_svg(self.reader, **self._asked()))

    def png(self, dpi: int = 200) -> bytes:
        """Draw it as PNG, `dpi` dots an inch."""
        return self._once(f"png{dpi}", lambda: maps.map_png(self.reader, **self._asked(), dpi=dpi))

    def is_large(self) -> bool:
        """Tell whether the map has more shapes than an SVG opens quickly."""
        return len(self.values) > maps.SVG_SHAPES_MAX

    def _asked(self) -> dict[str, Any]:
        one = self.choice
        asked = {"layer": one.layer, "category": one.category, "period": one.period, "measure": one.measure, "unit": one.unit}
        return {**asked, "language": self.language}

    def _once(self, key: str, draw: Any) -> bytes:
        if key not in self.drawn:
            self.drawn[key] = draw()
        return self.drawn[key]


@dataclass(frozen=True, slots=True)
class Section:
    """A section: a heading, and under it paragraphs, points, maps and tables."""

    key: str
    heading: str
    paragraphs: Sequence[str] = ()
    points: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A briefing, whole."""

    kind: str
    language: Language
    masthead: str
    title: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    manifest: Sequence[tuple[str, str]]
    footer: str
    made_at: datetime

    @property
    def tables(self) -> list[Table]:
        """Every table, in order."""
        return [table for section in self.sections for table in section.tables]

    @property
    def pictures(self) -> list[Picture]:
        """Every map, in order."""
        return [picture for section in self.sections for picture in section.pictures]


def value_text(value: Any, kind: ColumnKind, masked: str | None = None) -> str:
    """Write a value for reading.

    Parameters
    ----------
    value : object
        None and NaN are missing.
    kind : str
        How it is written.
    masked : str, optional
        What stands for a missing count in a row whose numbers are not shown.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return masked if masked and kind == "count" else MISSING
    if kind == "count":
        return number_text(value)
    if kind == "p":
        return probability_text(value)
    if kind in ("number", "ratio"):
        return f"{value:,.{1 if kind == 'number' else 2}f}"
    return f"{value * 100:.1f}%" if kind == "share" else str(value)


def digest(rows: Sequence[Row]) -> str:
    """Hash rows of plain values, SHA-256."""
    return hashlib.sha256(json.dumps([dict(row) for row in rows], ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()


def plain(value: Any) -> Any:
    """Turn a scalar of numpy, pandas or polars into a plain one, a missing one into None."""
    import pandas as pd

    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if value is None or pd.isna(value):
        return None
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value
