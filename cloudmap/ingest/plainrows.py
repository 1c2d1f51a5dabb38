"""The rows of a worksheet by the stretch: plain ones compiled (`rowscan`), all others through the parser of `sheet`.

The parser sees the sheet with its plain rows cut out, in order and whole. As those are well formed by themselves, it judges the
sheet as it would judge all of it, and a sheet of odd rows only is read as before.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from cloudmap.ingest import sheet
from cloudmap.ingest.archives import read_entry
from cloudmap.ingest.blocks import CELL_MAX_BYTES
from cloudmap.ingest.sheet import DateKind, Row, SheetParser, Texts, number_text

STRETCH_BYTES: Final = 32 * 1024**2
CELLS_MAX: Final = 4_000_000
"""Views take 17 bytes a cell: wide sheets are cut into more stretches."""

_HEAD_BYTES: Final = 1024**2
_PARSED_BYTES: Final = 4 * 1024**2
_ROWS_START: Final = b"<sheetData>"
_ROW_END: Final = b"</row>"
_DECLARED: Final = re.compile(rb"^(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)", re.IGNORECASE)
_DATE_KINDS: Final[tuple[DateKind, ...]] = ("", "date", "time", "datetime")
_ENTITIES: Final = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
_MS_PER_DAY: Final = 86_400_000
_FIRST_SAFE_SERIAL: Final = 61
"""1 March 1900: days before it are numbered by two opinions, which `number_text` knows."""
_SAFE_SERIAL_END: Final = 2_900_000


@dataclass
class Stretch:
    """Some rows of a sheet: plain ones as text columns, odd ones as the parser gives them; each in order, among each other by number."""

    numbers: NDArray[np.int64]
    columns: list[pl.Series] = field(default_factory=list)
    odd: list[Row] = field(default_factory=list)


def read_stretches(
    archive: zipfile.ZipFile,
    part: str,
    name: str,
    texts: Texts,
    *,
    columns_n: int,
    keep: bool = True,
    rows_max: int = sheet.ROWS_MAX,
    merged: list[tuple[int, int]] | None = None,
) -> Iterator[Stretch]:
    """Stream the rows of a worksheet that are not empty.

    Parameters
    ----------
    archive : ZipFile
        The workbook, its entries judged.
    part : str
        The worksheet's entry.
    name : str
        How the user knows the file and sheet.
    texts : Texts
    columns_n : int
        Rows with a cell further out are odd.
    keep : bool, default True
        False judges the sheet and gives odd rows only.
    rows_max : int
        Plain rows a stretch.
    merged : list of (first row, last row), optional
        Filled with the merged ranges, once the end is reached.

    Raises
    ------
    SourceError
        As `sheet.read_rows`.
    """
    parser = SheetParser(name, texts)
    with read_entry(archive, archive.getinfo(part), name) as stream:
        left, plain = _read_head(stream.read, parser)
        scan = _Scan(parser, texts, columns_n if keep else 0, columns_n, rows_max)
        more = True
        while plain and more and scan.plain:
            more = _fill(stream.read, left)
            data, left = left, _split_behind_rows(left)
            if not data:
                break
            yield from scan.stretches(data)
        yield from _parse(parser, left)
        while chunk := stream.read():
            yield from _parse(parser, chunk)
        parser.feed(b"")
    if merged is not None:
        merged.extend(parser.merged)


def _read_head(read: Callable[[], bytes], parser: SheetParser) -> tuple[bytearray, bool]:
    """Feed the parser up to the rows; return what was read on, and whether plain rows may be looked for in it."""
    head = bytearray()
    while _ROWS_START not in head and len(head) < _HEAD_BYTES and (chunk := read()):
        head += chunk
    before, start, rows = head.partition(_ROWS_START)
    declared = _DECLARED.match(before)
    foreign = declared is not None and declared[1].lower() != b"utf-8"
    if not start or foreign or b"<!" in before or before.count(b"<?") > 1:
        return head, False
    parser.feed(bytes(before + start))
    return rows, True


def _split_behind_rows(data: bytearray) -> bytearray:
    """Leave whole rows only (none, where there is no end of a row) and return what follows them."""
    cut = data.rfind(_ROW_END) + len(_ROW_END)
    cut = cut if cut >= len(_ROW_END) else 0
    left = data[cut:]
    del data[cut:]
    return left


def _fill(read: Callable[[], bytes], data: bytearray) -> bool:
    """Read on until a stretch is full; False at the end."""
    while len(data) < STRETCH_BYTES:
        chunk = read()
        if not chunk:
            return False
        data += chunk
    return True


def _parse(parser: SheetParser, data: bytes | bytearray) -> Iterator[Stretch]:
    """Give bytes to the parser, some at a time, as the rows it makes of them are large."""
    for start in range(0, len(data), _PARSED_BYTES):
        parser.feed(bytes(data[start : start + _PARSED_BYTES]))
        yield Stretch(np.empty(0, dtype=np.int64), odd=parser.take())


class _Scan:
    """The compiled pass over one piece after the other, with the parser beside it."""

    def __init__(self, parser: SheetParser, texts: Texts, kept_n: int, columns_n: int, rows_max: int) -> None:
        self.plain = True
        self._parser, self._texts = parser, texts
        self._kept_n = kept_n
        self._rows_max = max(1, min(rows_max, CELLS_MAX // max(1, kept_n)))
        self._limits = np.array([columns_n, min(CELL_MAX_BYTES, sheet.TEXT_MAX_CHARS), len(texts.shared), sheet.ROWS_MAX])
        self._styles = np.array([_DATE_KINDS.index(one) for one in texts.dates], dtype=np.uint8)
        self._shared = pl.Series(texts.shared, dtype=pl.String)

    def stretches(self, data: bytearray) -> Iterator[Stretch]:
        """Yield the rows of whole rows' bytes; those behind something strange are all the parser's."""
        from cloudmap.ingest.bytescan import first_invalid
        from cloudmap.ingest.rowscan import END, FULL, ODD, PADDING, STRANGE, scan_rows

        size = len(data)
        rows_n = min(self._rows_max, data.count(_ROW_END))
        data += PADDING
        view = np.frombuffer(data, dtype=np.uint8)
        at, stop = 0, STRANGE if first_invalid(view, 0) >= 0 else FULL
        while stop == FULL:
            numbers = np.empty(rows_n, dtype=np.int64)
            views = np.zeros((self._kept_n, rows_n, 4), dtype=np.uint32)
            kinds = np.zeros((self._kept_n, rows_n), dtype=np.uint8)
            found, stop = 0, ODD
            while stop == ODD:
                found, at, row, stop = scan_rows(view, at, self._parser.row, self._limits, self._styles, found, numbers, views, kinds)
                self._parser.row = row
                if stop == ODD:
                    piece = bytes(data[at : data.find(_ROW_END, at) + len(_ROW_END)])
                    self._parser.feed(piece)
                    at += len(piece)
                    stop = STRANGE if b"<!" in piece or b"<?" in piece else ODD
            columns = [self._column(view, views[one], kinds[one], found) for one in range(self._kept_n)]
            yield Stretch(numbers[:found], columns, self._parser.take())
        if stop != END:
            self.plain = False
            yield from _parse(self._parser, data[at:size])

    def _column(self, data: NDArray[np.uint8], views: NDArray[np.uint32], kinds: NDArray[np.uint8], rows_n: int) -> pl.Series:
        """Turn one column of views into what its cells show."""
        from cloudmap.ingest.rowscan import TEXT

        kinds = kinds[:rows_n]
        filled = pa.py_buffer(np.packbits(kinds > 0, bitorder="little"))
        stored = pl.Series(
            pl.from_arrow(pa.Array.from_buffers(pa.string_view(), rows_n, [filled, pa.py_buffer(views), pa.py_buffer(data)]))
        )
        for kind in np.flatnonzero(np.bincount(kinds))[::-1].tolist():
            if kind <= TEXT:
                break
            where = np.flatnonzero(kinds == kind)
            if len(where) == rows_n:
                return self._shown(stored, kind)
            rows = pl.Series(where, dtype=pl.UInt32)
            stored = stored.scatter(rows, self._shown(stored.gather(rows), kind))
        return stored

    def _shown(self, stored: pl.Series, kind: int) -> pl.Series:
        from cloudmap.ingest.rowscan import BOOLEAN, DATED, ENTITIES, SHARED

        if kind == SHARED:
            return self._shared.gather(stored.cast(pl.UInt32))
        if kind == BOOLEAN:
            return stored.replace_strict({"1": "TRUE", "0": "FALSE"}, return_dtype=pl.String)
        if kind == ENTITIES:
            return stored.str.replace_many(_ENTITIES)
        if kind >= DATED:
            return show_moments(stored, _DATE_KINDS[kind - DATED + 1], since_1904=self._texts.since_1904)
        return _each(stored, lambda one: number_text(one, ""))


def show_moments(stored: pl.Series, dates: DateKind, *, since_1904: bool = False) -> pl.Series:
    """Return what stored day serials show, as `number_text` does for one.

    Parameters
    ----------
    stored : pl.Series of String, shape (n,), without null
    dates : {"date", "time", "datetime"}
    since_1904 : bool
        Whether the workbook counts days from 1904.

    Returns
    -------
    pl.Series of String, shape (n,)

    Raises
    ------
    Nothing.
    """
    serial = stored.cast(pl.Float64, strict=False)
    safe = serial.is_between(_FIRST_SAFE_SERIAL, _SAFE_SERIAL_END, closed="left").fill_null(value=False)
    start = pl.date(1904, 1, 1) if since_1904 else pl.date(1899, 12, 30)
    at = start.cast(pl.Datetime("ms")) + (pl.col("v") * _MS_PER_DAY).round(mode="half_to_even").cast(pl.Int64).cast(pl.Duration("ms"))
    moments = pl.select(pl.when(safe).then(serial).alias("v")).select(at.alias("v")).to_series()
    texts = _moment_texts(moments, dates)
    rest = (~safe).arg_true()
    if not rest.len():
        return texts
    return texts.scatter(rest, _each(stored.gather(rest), lambda one: number_text(one, dates, since_1904=since_1904)))


def _moment_texts(moments: pl.Series, dates: DateKind) -> pl.Series:
    texts = moments.dt.strftime("%Y-%m-%d %H:%M:%S")
    split = (moments.dt.millisecond() != 0).fill_null(value=False).arg_true()
    if split.len():
        texts = texts.scatter(split, moments.gather(split).dt.strftime("%Y-%m-%d %H:%M:%S%.3f"))
    if dates == "date":
        bare = (moments.dt.truncate("1d") == moments).fill_null(value=False).arg_true()
        texts = texts.scatter(bare, texts.gather(bare).str.slice(0, 10))
    return texts


def _each(values: pl.Series, show: Callable[[str], Any]) -> pl.Series:
    """Apply a function to each distinct value."""
    distinct = values.unique()
    return values.replace_strict(distinct, pl.Series([show(one) for one in distinct], dtype=pl.String), return_dtype=pl.String)
