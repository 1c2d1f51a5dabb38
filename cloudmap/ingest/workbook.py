"""XLSX workbooks: which sheet holds the table, and its records."""

from __future__ import annotations

import posixpath
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Final
from xml.parsers import expat

import polars as pl

from cloudmap.errors import SchemaError, SourceError
from cloudmap.ingest.archives import list_entries, open_zip, read_entry
from cloudmap.ingest.blocks import (
    CELL_MAX_BYTES,
    COLUMNS_MAX,
    ROWS_PER_BLOCK,
    Block,
    Rejections,
    TableReader,
    as_block,
    check_header,
    show_preview,
)
from cloudmap.ingest.opening import Opened
from cloudmap.ingest.plainrows import Stretch, read_stretches
from cloudmap.ingest.sheet import ROWS_MAX, TEXT_MAX_CHARS, DateKind, Row, Texts, date_kind, read_rows, unescape
from cloudmap.ingest.signatures import local_name, xml_parser

PART_MAX_BYTES: Final = 32 * 1024**2
"""Of the parts that describe a workbook."""
SHARED_MAX_CHARS: Final = 256 * 1024**2
SHEET_MAX_BYTES: Final = 8 * 1024**3

_LOOK_AHEAD: Final = 20
_NUMBER: Final = "line_no"
_BUILT_IN: Final[dict[int, DateKind]] = {
    **dict.fromkeys((14, 15, 16, 17, 27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58), "date"),
    **dict.fromkeys((18, 19, 20, 21, 32, 33, 34, 35, 45, 47, 55, 56), "time"),
    22: "datetime",
}
"""Number formats known by number only (ECMA-376 part 1, 18.8.30, with those of Chinese Excel)."""


@dataclass
class _Described:
    """What workbook.xml, its relations and styles say."""

    sheets: list[tuple[str, str, bool]] = field(default_factory=list)  # name, relation, hidden
    targets: dict[str, str] = field(default_factory=dict)
    formats: dict[int, str] = field(default_factory=dict)
    texts: Texts = field(default_factory=Texts)


@dataclass(frozen=True)
class _Sheet:
    path: Path
    name: str
    part: str
    texts: Texts

    def rows(self) -> Iterator[Row]:
        with open_zip(self.path, self.name) as archive:
            yield from read_rows(archive, self.part, self.name, self.texts)

    def judge(self, merged: list[tuple[int, int]]) -> Iterator[Row]:
        """Go through the whole sheet; yield the rows that may break its limits."""
        with open_zip(self.path, self.name) as archive:
            for some in read_stretches(archive, self.part, self.name, self.texts, columns_n=COLUMNS_MAX, keep=False, merged=merged):
                yield from some.odd

    def stretches(self, columns_n: int, rows_max: int) -> Iterator[Stretch]:
        with open_zip(self.path, self.name) as archive:
            yield from read_stretches(archive, self.part, self.name, self.texts, columns_n=columns_n, rows_max=rows_max)


def open_workbook(opened: Opened, *, sheet: str | None = None, rows_per_block: int = ROWS_PER_BLOCK) -> TableReader:
    """Recognise the table in a workbook.

    Parameters
    ----------
    opened : Opened
        Of kind xlsx; the reader closes it.
    sheet : str, optional
        Name of the sheet; needed where several visible sheets hold something.
    rows_per_block : int
        Records a block.

    Raises
    ------
    SourceError
        A broken part, a sheet that is full or has a cell far out, or several sheets and none chosen.
    SchemaError
        The first row is not a header of one line, or merged cells reach into it.
    """
    name = opened.name
    with open_zip(opened.path, name) as archive:
        list_entries(archive, name, nested=True)
        described = _describe(archive, name)
        _read_shared(archive, name, described)
    found, evidence = _choose(opened, described, sheet)
    header, header_row, more = _survey(found)
    return TableReader(
        header=header,
        format="xlsx",
        encoding=None,
        delimiter=None,
        evidence=[*opened.evidence, *evidence, *more],
        _opened=opened,
        _iterate=lambda: _blocks(found, header, header_row, rows_per_block),
    )


def _describe(archive: zipfile.ZipFile, name: str) -> _Described:
    described = _Described()
    styled: list[int] = []
    inside = ""

    def workbook(tag: str, attributes: dict[str, str]) -> None:
        if tag == "sheet":
            relation = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            described.sheets.append((attributes.get("name", ""), relation, attributes.get("state", "visible") != "visible"))
        elif tag == "workbookPr":
            described.texts.since_1904 = attributes.get("date1904") in {"1", "true"}

    def relations(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship" and attributes.get("Type", "").endswith("/worksheet") and attributes.get("TargetMode") != "External":
            described.targets[attributes.get("Id", "")] = posixpath.normpath(posixpath.join("/xl", attributes.get("Target", "")))[1:]

    def styles(tag: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        inside = tag if tag in {"cellXfs", "cellStyleXfs", "dxfs"} else inside
        if tag == "numFmt":
            described.formats[int(attributes.get("numFmtId", "0"))] = attributes.get("formatCode", "")
        elif tag == "xf" and inside == "cellXfs":
            styled.append(int(attributes.get("numFmtId", "0")))

    _read_part(archive, name, "xl/workbook.xml", workbook)
    _read_part(archive, name, "xl/_rels/workbook.xml.rels", relations)
    if "xl/styles.xml" in archive.namelist():
        _read_part(archive, name, "xl/styles.xml", styles)
    formats = {number: date_kind(code) for number, code in described.formats.items()}
    described.texts.dates = [formats.get(number, _BUILT_IN.get(number, "")) for number in styled]
    return described


def _read_part(archive: zipfile.ZipFile, name: str, part: str, start: Callable[[str, dict[str, str]], None]) -> None:
    if part not in archive.namelist():
        raise SourceError(f"{name}: part {part} is missing. Save the workbook again")
    if archive.getinfo(part).file_size > PART_MAX_BYTES:
        raise SourceError(f"{name}: part {part} has more than {PART_MAX_BYTES:,} bytes. Save the table alone in a new workbook")
    parser = xml_parser(name)
    parser.StartElementHandler = lambda tag, attributes: start(local_name(tag), attributes)
    _feed(archive, name, part, parser)


def _feed(archive: zipfile.ZipFile, name: str, part: str, parser: expat.XMLParserType) -> None:
    try:
        with read_entry(archive, archive.getinfo(part), name) as stream:
            while chunk := stream.read():
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
    except (expat.ExpatError, ValueError) as error:
        raise SourceError(f"{name}: part {part} is broken: {error}. Save the workbook again") from error


def _read_shared(archive: zipfile.ZipFile, name: str, described: _Described) -> None:
    """Read the shared strings; phonetic hints are left out and overlong texts cut where their record is set apart anyway."""
    part = next((one for one in archive.namelist() if one.lower() == "xl/sharedstrings.xml"), None)
    if part is None:
        return
    pieces: list[str] = []
    taken = phonetic = False
    chars = total = 0

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal taken, phonetic, chars
        local = local_name(tag)
        if local == "si":
            pieces.clear()
            chars = 0
        phonetic = phonetic or local == "rPh"
        taken = local == "t" and not phonetic

    def end(tag: str) -> None:
        nonlocal taken, phonetic
        local = local_name(tag)
        taken = False
        if local == "rPh":
            phonetic = False
        elif local == "si":
            described.texts.shared.append(unescape("".join(pieces)))

    def data(text: str) -> None:
        nonlocal chars, total
        if taken:
            chars, total = chars + len(text), total + len(text)
            if chars > TEXT_MAX_CHARS or total > SHARED_MAX_CHARS:
                raise SourceError(f"{name}: its texts are larger than is read ({SHARED_MAX_CHARS:,} characters). Save the table as CSV")
            if chars - len(text) < CELL_MAX_BYTES:
                pieces.append(text)

    parser = xml_parser(name)
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
    _feed(archive, name, part, parser)


def _choose(opened: Opened, described: _Described, wanted: str | None) -> tuple[_Sheet, list[str]]:
    name = opened.name
    sheets = {
        title: (_Sheet(opened.path, f"{name} sheet {title!r}", described.targets[relation], described.texts), hidden)
        for title, relation, hidden in described.sheets
        if relation in described.targets
    }
    with open_zip(opened.path, name) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    for one, _ in sheets.values():
        if one.part not in sizes or sizes[one.part] > SHEET_MAX_BYTES:
            raise SourceError(f"{one.name}: its part {one.part} is missing or larger than {SHEET_MAX_BYTES:,} bytes. Save the table as CSV")
    if wanted is not None:
        if wanted not in sheets:
            raise SourceError(f"{name} has no sheet {wanted!r}. It has: {', '.join(sheets)}. Set `layer` to one of them")
        return sheets[wanted][0], [f"sheet {wanted!r}: declared"]
    filled = [title for title, (one, hidden) in sheets.items() if not hidden and next(one.rows(), None) is not None]
    if not filled:
        raise SourceError(f"{name}: no visible sheet holds anything. Export it again")
    if len(filled) > 1:
        raise SourceError(f"{name}: {len(filled)} sheets hold something, none is chosen: {', '.join(filled)}. Name one with `layer`")
    others = f"; {len(sheets) - 1} other(s) empty or hidden" if len(sheets) > 1 else ""
    return sheets[filled[0]][0], [f"sheet {filled[0]!r}{others}"]


def _survey(sheet: _Sheet) -> tuple[list[str], int, list[str]]:
    """Read the whole sheet once: nothing is loaded from a workbook that is refused at its last row."""
    merged: list[tuple[int, int]] = []
    head = list(islice(sheet.rows(), 1 + _LOOK_AHEAD))
    for row in chain(head, sheet.judge(merged)):
        _require_near(row, sheet)
    if not head:
        raise SourceError(f"{sheet.name} is empty. Export it again")
    first = head[0]
    width = max(max(row.cells, default=0) for row in head) + 1
    preview = [[row.cells.get(column) for column in range(width)] for row in head[:4]]
    if any(top <= first.number for top, _ in merged):
        raise SchemaError(
            f"{sheet.name}: merged cells reach into the header (row {first.number}). Leave one row with one name per column. "
            f"It begins:\n{show_preview(preview)}"
        )
    names = max(first.cells, default=-1) + 1
    usual, count = Counter(max(row.cells, default=-1) + 1 for row in head[1:]).most_common(1)[0] if len(head) > 1 else (0, 0)
    if usual > names and count >= 3:
        raise SchemaError(
            f"{sheet.name}: the first row has {names} cell(s), {count} of the next {len(head) - 1} rows have {usual}. "
            f"Is it a title, or is a name missing? Leave one row with one name per column. It begins:\n{show_preview(preview)}"
        )
    header, evidence = check_header([first.cells.get(column) for column in range(names)], sheet.name, preview)
    below = sum(bottom > first.number for _, bottom in merged)
    if below:
        evidence.append(f"{below} merged range(s) below the header: only the first cell of each holds its value")
    return header, first.number, evidence


def _require_near(row: Row, sheet: _Sheet) -> None:
    column = max(row.cells, default=-1)
    if column >= COLUMNS_MAX:
        raise SourceError(f"{sheet.name}: row {row.number} has a cell in column {column + 1}; at most {COLUMNS_MAX} are read. Delete it")
    if row.number >= ROWS_MAX:
        raise SourceError(
            f"{sheet.name} has a cell in its last row ({ROWS_MAX:,}): rows beyond were cut, or it strayed there. Export it as CSV"
        )


def _blocks(sheet: _Sheet, header: list[str], header_row: int, rows_per_block: int) -> Iterator[Block]:
    for some in sheet.stretches(len(header), rows_per_block):
        block = _as_block(header, header_row, some)
        if block.records_n:
            yield block


def _as_block(header: list[str], header_row: int, some: Stretch) -> Block:
    plain = _plain_frame(header, some).filter(pl.col(_NUMBER) > header_row)
    rows = [row for row in some.odd if row.number > header_row]
    rejections, good = Rejections(), []
    for row in rows:
        beyond = max(row.cells, default=-1)
        shown = " | ".join(row.cells[column][:CELL_MAX_BYTES] for column in sorted(row.cells))
        if row.uncached:
            named = [header[column] if column < len(header) else f"column {column + 1}" for column in row.uncached]
            detail = "a formula whose value the file does not hold. Open and save it in a spreadsheet, or paste the values"
            rejections.add(row.number, "formula_without_value", detail, shown, column=named[0])
        elif beyond >= len(header):
            detail = f"a cell in column {beyond + 1}, the header has {len(header)}. Move or delete it"
            rejections.add(row.number, "ragged", detail, shown)
        else:
            good.append(row)
    frame = plain
    if good:
        numbers = pl.Series(_NUMBER, [row.number for row in good], dtype=pl.Int64)
        cells = [pl.Series(name, [row.cells.get(at) for row in good], dtype=pl.String) for at, name in enumerate(header)]
        frame = pl.concat([plain, pl.DataFrame([numbers, *cells])]).sort(_NUMBER)
    return as_block(header, frame[_NUMBER], frame, rejections, plain.height + len(rows))


def _plain_frame(header: list[str], some: Stretch) -> pl.DataFrame:
    """Return the plain rows that hold anything: a shared text may be empty."""
    columns = some.columns or [pl.Series(dtype=pl.String)] * len(header)
    cells = [column.alias(name) for column, name in zip(columns, header, strict=True)]
    frame = pl.DataFrame([pl.Series(_NUMBER, some.numbers, dtype=pl.Int64), *cells])
    return frame.filter(~pl.all_horizontal(pl.col(pl.String).fill_null("") == ""))
