"""CSV and its relatives: own blocks cut at line ends, every record kept or accounted for.

A parser's own skipping is never trusted. Each block is decoded strictly, one compiled pass finds the records, and those that
are whole become Arrow string views onto the block's bytes; nothing is copied or guessed.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from cloudmap.errors import SchemaError, SourceError
from cloudmap.ingest.blocks import CELL_MAX_BYTES, Block, Rejections, TableReader, check_header, show_preview
from cloudmap.ingest.decoding import decode
from cloudmap.ingest.encoding import detect_encoding
from cloudmap.ingest.opening import Opened

BLOCK_BYTES: Final = 32 * 1024**2
CELLS_PER_BLOCK: Final = 4_000_000
"""Views take 17 bytes a cell: narrow tables are cut into more blocks."""
RECORD_MAX_BYTES: Final = 64 * 1024**2
"""A quote open for longer is taken for one that is never closed."""
DELIMITERS: Final = (",", "\t", ";", "|")

_SAMPLE_BYTES: Final = 1024**2
_SAMPLE_RECORDS: Final = 200
_SHOWN_CHARS: Final = 2000
_START, _END, _FIRST, _LAST, _CELLS, _FLAGS = range(6)


@dataclass(frozen=True)
class Layout:
    """How the text is written."""

    path: Path
    name: str
    encoding: str
    newline: bytes
    delimiter: str
    block_bytes: int


@dataclass(frozen=True)
class _Records:
    """Records of one block, each a row of `table`; `line_no` is the physical line that the block begins at."""

    data: NDArray[np.uint8]
    table: NDArray[np.int64]
    line_no: int
    bad_lines: NDArray[np.int64]

    def text(self, record: int) -> str:
        start, end = self.table[record, :2]
        return self.data[start : min(end, start + 4 * _SHOWN_CHARS)].tobytes().decode("utf-8", "replace").replace("\x00", "␀")

    def cells(self, record: int, delimiter: str) -> list[str]:
        start, end = self.table[record, :2]
        text = self.data[start:end].tobytes().decode("utf-8", "replace").replace("\x00", "␀")
        csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])


def open_delimited(
    opened: Opened, *, delimiter: str | None = None, encoding: str | None = None, block_bytes: int = BLOCK_BYTES
) -> TableReader:
    """Recognise a delimited text file.

    Parameters
    ----------
    opened : Opened
        Of kind csv; the reader closes it.
    delimiter : str, optional
        One ASCII character; found from the first records where absent.
    encoding : str, optional
        Found by `detect_encoding` where absent.
    block_bytes : int
        Bytes read at a time.

    Raises
    ------
    SourceError
        Encoding undecided or spoilt, or a quote that is never closed.
    SchemaError
        The header is not one line with one name per column.
    """
    name = opened.name
    found, evidence = detect_encoding(opened.path, name, encoding)
    layout = Layout(opened.path, name, found, b"\n", _known_delimiter(delimiter) or ",", _SAMPLE_BYTES)
    layout = replace(layout, newline=_find_newline(layout))
    if layout.newline == b"\r":
        evidence.append("lines end in a carriage return alone, as old Macintosh programs write")
    if delimiter is None:
        layout, why = _find_delimiter(layout)
        evidence.append(why)
    header, more = _read_header(layout)
    layout = replace(layout, block_bytes=block_bytes)
    return TableReader(
        header=header,
        format="tsv" if layout.delimiter == "\t" else "csv",
        encoding=found,
        delimiter=layout.delimiter,
        evidence=[*opened.evidence, *evidence, *more],
        _opened=opened,
        _iterate=lambda: _blocks(layout, header),
    )


def _known_delimiter(delimiter: str | None) -> str | None:
    if delimiter is None:
        return None
    one = {"tab": "\t", "\\t": "\t"}.get(delimiter.lower(), delimiter)
    if len(one) != 1 or not one.isascii() or one in '"\r\n\x00':
        raise SourceError(f"delimiter {delimiter!r} is not read: it must be one ASCII character, such as {' '.join(map(repr, DELIMITERS))}")
    return one


def _find_newline(layout: Layout) -> bytes:
    with layout.path.open("rb") as file:
        head = file.read(_SAMPLE_BYTES)
    return b"\r" if b"\r" in head and b"\n" not in head and not layout.encoding.startswith("utf-16") else b"\n"


def _find_delimiter(layout: Layout) -> tuple[Layout, str]:
    """Take the delimiter that cuts most records into the same number of cells; among equals the one with most cells."""
    best: tuple[bool, int, int] | None = None
    chosen, sampled = ",", 0
    for candidate in DELIMITERS:
        try:
            records = _sample(replace(layout, delimiter=candidate))
        except SourceError:  # quotes make no sense with this one; the one chosen is judged again
            continue
        if records is None:
            continue
        sampled = len(records.table)
        cells, count = Counter(records.table[:, _CELLS].tolist()).most_common(1)[0]
        ranked = (count * 10 >= sampled * 9, cells, count)
        if cells > 1 and (best is None or ranked > best):
            best, chosen = ranked, candidate
    if best is None:
        return layout, "no delimiter found: one column"
    return replace(layout, delimiter=chosen), f"delimiter {chosen!r}: {best[1]} cells in {best[2]} of {sampled} sampled records"


def _sample(layout: Layout) -> _Records | None:
    """Return the first records, or None where there are none."""
    return next(_records(replace(layout, block_bytes=_SAMPLE_BYTES), _SAMPLE_RECORDS), None)


def _read_header(layout: Layout) -> tuple[list[str], list[str]]:
    records = _sample(layout)
    if records is None:
        raise SourceError(f"{layout.name} holds no line of text. Export it again")
    first = records.table[0]
    if len(records.bad_lines) and records.bad_lines[0] <= records.line_no + first[_LAST]:
        raise SourceError(f"{layout.name}: the header is not valid {layout.encoding}. Set the encoding that the file is in")
    preview = [records.cells(number, layout.delimiter) for number in range(min(4, len(records.table)))]
    counts = Counter(records.table[1:, _CELLS].tolist())
    if counts:
        usual, count = counts.most_common(1)[0]
        if usual != first[_CELLS] and count >= 3 and count * 10 >= 9 * counts.total():
            raise SchemaError(
                f"{layout.name}: the first line has {first[_CELLS]} cell(s), {count} of the next {counts.total()} records have {usual}. "
                f"Is it a title, or is a name missing? Leave one line with one name per column. It begins:\n{show_preview(preview)}"
            )
    return check_header(preview[0], layout.name, preview)


def _pieces(layout: Layout) -> Iterator[tuple[bytes, bool]]:
    """Yield the file's bytes in pieces that end at a line end; the flag marks the last."""
    unit = "\n".encode(layout.encoding) if layout.encoding.startswith("utf-16") else layout.newline
    left = b""
    with layout.path.open("rb") as file:
        while piece := file.read(layout.block_bytes):
            left += piece
            del piece
            if not file.peek(1):
                break
            cut = _last(left, unit)
            if not cut and len(left) > RECORD_MAX_BYTES:
                raise SourceError(f"{layout.name}: no line end within {RECORD_MAX_BYTES:,} bytes. It is no table of lines; export it again")
            handed_over = [left[:cut]]
            left = left[cut:]
            yield handed_over.pop(), False  # popped, so that no second block is held while this one is worked on
    yield left, True


def _last(data: bytes, unit: bytes) -> int:
    """Return the offset behind the last line end; in UTF-16 one that begins at a whole character."""
    at = data.rfind(unit)
    while at >= 0 and at % len(unit):
        at = data.rfind(unit, 0, at + len(unit) - 1)
    return at + len(unit) if at >= 0 else 0


def _records(layout: Layout, records_max: int) -> Iterator[_Records]:
    """Find the records of a file, at most `records_max` at a time."""
    from cloudmap.ingest.bytescan import find_records

    pending, line_no, lines_n = bytearray(), 1, 0
    bad = np.empty(0, dtype=np.int64)
    for piece, final in _pieces(layout):
        decoded = decode(piece.replace(b"\r", b"\n") if layout.newline == b"\r" else piece, layout.encoding)
        clean = decoded.data
        bad = np.concatenate([bad, np.array(decoded.bad_lines, dtype=np.int64) + lines_n + 1])
        lines_n += clean.count(b"\n")
        pending += clean.removeprefix(b"\xef\xbb\xbf") if line_no == 1 and not pending else clean
        del piece, decoded, clean
        data = np.frombuffer(pending, dtype=np.uint8)
        table = np.empty((min(records_max, pending.count(b"\n") + 1), 6), dtype=np.int64)
        at = 0
        while at < len(data):
            found, used, lines, open_line = find_records(data[at:], ord(layout.delimiter), CELL_MAX_BYTES, table)
            if found:
                yield _Records(data[at:], table[:found].copy(), line_no, bad)
            at, line_no = at + used, line_no + lines
            if open_line >= 0:
                if final or len(data) - at > RECORD_MAX_BYTES:
                    raise _unclosed(layout, line_no, line_no + open_line - lines)
                break
        bad = bad[bad >= line_no]
        pending = bytearray(data[at:])


def _unclosed(layout: Layout, record_line: int, quote_line: int) -> SourceError:
    return SourceError(
        f"{layout.name} line {record_line}: a quote opened in line {quote_line} is not closed where a cell can end, so where this record "
        "ends is open. Mend the quotes of this line"
    )


def _blocks(layout: Layout, header: list[str]) -> Iterator[Block]:
    header_n = 1
    for records in _records(layout, max(1, CELLS_PER_BLOCK // len(header))):
        below = replace(records, table=records.table[header_n:])
        header_n = 0
        if len(below.table):
            yield _as_block(layout, header, below)


def _as_block(layout: Layout, header: list[str], records: _Records) -> Block:
    from cloudmap.ingest.bytescan import LONG, NUL, SPANS, STRAY

    table = records.table
    flags = table[:, _FLAGS]
    broken = np.flatnonzero((flags & (STRAY | SPANS)) == (STRAY | SPANS))
    if len(broken):
        line_no = records.line_no + int(table[broken[0], _FIRST])
        raise _unclosed(layout, line_no, line_no)
    undecodable = _hold_lines(table, records.bad_lines - records.line_no)
    good = ((flags & (LONG | NUL | STRAY)) == 0) & (table[:, _CELLS] == len(header)) & ~undecodable
    rejections = Rejections()
    for record in np.flatnonzero(~good).tolist():
        rule, detail = _why(table[record], layout, len(header), undecodable=bool(undecodable[record]))
        rejections.add(records.line_no + int(table[record, _FIRST]), rule, detail, records.text(record))
    frame = _as_frame(layout, header, replace(records, table=table[good]))
    return Block(frame, rejections.frame(), len(table))


def _hold_lines(table: NDArray[np.int64], lines: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the records that one of `lines` lies in."""
    held = np.zeros(len(table), dtype=np.bool_)
    if len(lines):
        at = np.searchsorted(table[:, _FIRST], lines, side="right") - 1
        inside = (at >= 0) & (lines <= table[np.maximum(at, 0), _LAST])
        held[at[inside]] = True
    return held


def _why(record: NDArray[np.int64], layout: Layout, columns_n: int, *, undecodable: bool) -> tuple[str, str]:
    from cloudmap.ingest.bytescan import LONG, NUL, STRAY

    flags, cells, first, last = (int(record[one]) for one in (_FLAGS, _CELLS, _FIRST, _LAST))
    if undecodable:
        return "undecodable", f"not valid {layout.encoding}: part of the file is in another encoding. Save the whole in one"
    if flags & NUL:
        return "nul_byte", "holds a NUL byte. Export it again"
    if flags & STRAY:
        return "stray_quote", 'text follows a closing quote. Double the quotes inside quoted cells ("")'
    if flags & LONG:
        return "cell_too_long", f"a cell has {CELL_MAX_BYTES:,} bytes or more. Shorten it"
    spans = f" (the record spans {last - first + 1} lines)" if last > first else ""
    return "ragged", f"{cells} cells, the header has {columns_n}{spans}. Quote cells that hold the delimiter {layout.delimiter!r}"


def _as_frame(layout: Layout, header: list[str], records: _Records) -> pl.DataFrame:
    """Turn whole records into string columns that are views onto the block."""
    from cloudmap.ingest.bytescan import split_cells

    rows = len(records.table)
    views = np.empty((len(header), rows, 4), dtype=np.uint32)
    filled = np.empty((len(header), rows), dtype=np.uint8)
    split_cells(records.data, ord(layout.delimiter), np.ascontiguousarray(records.table[:, :2]), views, filled)
    text = pa.py_buffer(records.data)
    columns = [
        pa.Array.from_buffers(pa.string_view(), rows, [pa.py_buffer(np.packbits(mask, bitorder="little")), pa.py_buffer(view), text])
        for view, mask in zip(views, filled, strict=True)
    ]
    line_no = pl.Series("line_no", records.table[:, _FIRST] + records.line_no, dtype=pl.Int64)
    return pl.DataFrame([line_no, *(pl.Series(name, pl.from_arrow(column)) for name, column in zip(header, columns, strict=True))])
