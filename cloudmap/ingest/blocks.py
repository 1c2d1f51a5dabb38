"""What every table becomes: blocks of text cells, with the records that could not be used beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

import polars as pl

from cloudmap.errors import LedgerError, SchemaError
from cloudmap.ingest.opening import Opened
from cloudmap.ingest.scrub import scrub, scrub_one
from cloudmap.schema import REJECTED

COLUMNS_MAX: Final = 500
CELL_MAX_BYTES: Final = 1_000_000
"""A cell of this size or more is no report's field; its record is quarantined."""
VALUE_MAX_CHARS: Final = 500
ROWS_PER_BLOCK: Final = 50_000
"""Records a block, in formats that are not cut by bytes."""
LON_COLUMN: Final = "geometry_lon"
LAT_COLUMN: Final = "geometry_lat"
"""Columns that the points of GeoJSON and GeoParquet become."""

_SCRUB_AHEAD: Final = 2000
"""Characters scrubbed before the cut, so that no number is cut in two and kept."""
_OWN_COLUMN: Final = "line_no"


@dataclass(frozen=True, slots=True)
class Block:
    """Some records of a table.

    Attributes
    ----------
    frame : pl.DataFrame
        `line_no` (Int64) and one String column per source column; empty cells are null.
    rejected : pl.DataFrame
        Columns of `schema.REJECTED`, values scrubbed.
    records_n : int
        ``frame.height + rejected.height``.
    """

    frame: pl.DataFrame
    rejected: pl.DataFrame
    records_n: int

    def __post_init__(self) -> None:
        if self.records_n != self.frame.height + self.rejected.height:
            raise LedgerError(
                f"{self.records_n} records in, {self.frame.height} kept and {self.rejected.height} rejected: a reader lost some"
            )


@dataclass
class TableReader:
    """A table that was recognised and can be read block by block, again if need be. Use as a context manager.

    Attributes
    ----------
    header : list of str
        Names of the source columns, as in the frames.
    format : str
        csv, tsv, xlsx, geojson or parquet.
    encoding : str or None
        Of delimited text.
    delimiter : str or None
        Of delimited text.
    evidence : list of str
        Why these were chosen.
    """

    header: list[str]
    format: str
    encoding: str | None
    delimiter: str | None
    evidence: list[str]
    _opened: Opened = field(repr=False)
    _iterate: Callable[[], Iterator[Block]] = field(repr=False)

    def blocks(self) -> Iterator[Block]:
        """Yield the table's records in file order, in bounded memory.

        Raises
        ------
        SourceError
            The file turns out cut or untrusted further in: a quote that is never closed, a broken part.
        """
        return self._iterate()

    def close(self) -> None:
        """Remove scratch files."""
        self._opened.close()

    def __enter__(self) -> TableReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


@dataclass
class Rejections:
    """Records that could not be used, collected for one block."""

    _rows: list[tuple[int, str | None, str, str, str]] = field(default_factory=list)

    def add(self, line_no: int, rule: str, detail: str, value: str, *, column: str | None = None) -> None:
        """Note one record; `value` may still hold anything, as it is scrubbed before it leaves."""
        self._rows.append((line_no, column, rule, detail, value[:_SCRUB_AHEAD]))

    def frame(self) -> pl.DataFrame:
        """Return them as `schema.REJECTED`."""
        if not self._rows:
            return REJECTED.empty()
        frame = pl.DataFrame(self._rows, schema=REJECTED.dtypes, orient="row")
        return frame.with_columns(scrub(frame["value"]).str.slice(0, VALUE_MAX_CHARS))


def check_header(cells: Sequence[str | None], name: str, preview: Sequence[Sequence[str | None]]) -> tuple[list[str], list[str]]:
    """Judge a table's first record as its header.

    Parameters
    ----------
    cells : sequence of str or None
        The first record.
    name : str
        How the user knows the file.
    preview : sequence of records
        The first few records, shown (scrubbed) when the header is refused.

    Returns
    -------
    header : list of str
        Names without surrounding blanks.
    evidence : list of str

    Raises
    ------
    SchemaError
        More than COLUMNS_MAX columns, a name twice, or a column without one (a title or a header of two lines).
    """
    names = [(cell or "").strip() for cell in cells]
    if len(names) > COLUMNS_MAX:
        raise SchemaError(f"{name}: {len(names)} columns; at most {COLUMNS_MAX} are read. Check the delimiter, or leave columns out")
    blank = [position for position, one in enumerate(names, start=1) if not one]
    if blank:
        raise SchemaError(
            f"{name}: column {blank[0]} of the first line has no name ({len(blank)} of {len(names)} have none): is it a title, or a header "
            f"of two lines or merged cells? Leave one line with one name per column. It begins:\n{show_preview(preview)}"
        )
    twice = [one for one, count in Counter(names).items() if count > 1]
    if twice:
        raise SchemaError(f"{name}: column {scrub_one(twice[0])!r} stands {names.count(twice[0])} times in the header. Rename all but one")
    if _OWN_COLUMN in names:
        renamed = f"file_{_OWN_COLUMN}"
        while renamed in names:
            renamed = f"file_{renamed}"
        return [renamed if one == _OWN_COLUMN else one for one in names], [f"column {_OWN_COLUMN!r} of the file is called {renamed!r} here"]
    return names, []


def show_preview(records: Sequence[Sequence[str | None]]) -> str:
    """Return the first records as indented lines, scrubbed and shortened."""
    return "\n".join("    " + scrub_one(" | ".join(cell or "" for cell in record[:12])[:_SCRUB_AHEAD])[:160] for record in records[:4])


def as_block(
    header: Sequence[str], line_nos: Sequence[int] | pl.Series, frame: pl.DataFrame, rejections: Rejections, records_n: int
) -> Block:
    """Finish a block of a format that is not delimited text.

    Parameters
    ----------
    header : sequence of str
    line_nos : sequence or Series of int, shape (rows,)
    frame : pl.DataFrame
        One String column per name of the header; rows with NUL bytes or too long cells are set apart here.
    rejections : Rejections
        Records already set apart.
    records_n : int
        Records that the reader met.

    Raises
    ------
    LedgerError
        Kept and rejected do not add up to `records_n`.
    """
    whole = frame.select(pl.Series(_OWN_COLUMN, line_nos, dtype=pl.Int64), *(pl.col(name) for name in header))
    for rule, detail, broken in (
        ("nul_byte", "holds a NUL byte. Export it again", pl.col(pl.String).str.contains("\0", literal=True)),
        ("cell_too_long", f"a cell has {CELL_MAX_BYTES:,} bytes or more. Shorten it", pl.col(pl.String).str.len_bytes() >= CELL_MAX_BYTES),
    ):
        marks = whole.select(pl.any_horizontal(broken.fill_null(value=False))).to_series() if header else pl.Series([], dtype=pl.Boolean)
        if marks.any():
            for row in whole.filter(marks).iter_rows():
                rejections.add(row[0], rule, detail, " | ".join((cell or "")[:_SCRUB_AHEAD] for cell in row[1:]).replace("\0", "␀"))
            whole = whole.filter(~marks)
    text = pl.col(pl.String)
    return Block(whole.with_columns(pl.when(text != "").then(text)), rejections.frame(), records_n)
