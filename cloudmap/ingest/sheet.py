"""The rows of a worksheet, streamed: what a cell shows, as text.

A reader of our own, because none tells a formula without a value from an empty cell, keeps a number's digits as they are stored,
and survives a cell in the far corner; and because rows stream, memory does not grow with the sheet.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isfinite
from typing import Final, Literal
from xml.parsers import expat

from cloudmap.errors import SourceError
from cloudmap.ingest.archives import read_entry
from cloudmap.ingest.blocks import CELL_MAX_BYTES
from cloudmap.ingest.signatures import local_name, xml_parser

ROWS_MAX: Final = 1_048_576
"""What a sheet can hold; one that is full was most likely cut by its exporter."""
COLUMNS_LIMIT: Final = 16_384
TEXT_MAX_CHARS: Final = 32 * 1024**2
"""A single text beyond this is an attack, not a cell."""

DateKind = Literal["", "date", "time", "datetime"]

_REFERENCE: Final = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_MS_PER_DAY: Final = 86_400_000
_SERIAL_END: Final = 2_958_466
"""1 January 10000."""
_DAYS_TO_1904: Final = 1462
_LEAP_BUG: Final = 60
_CHUNK: Final = 64 * 1024
"""Small, as often only the first rows are wanted."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row with at least one cell that is not empty: column (from 0) to text; `uncached` are formulas without a value."""

    number: int
    cells: dict[int, str]
    uncached: tuple[int, ...] = ()


@dataclass
class Texts:
    """What cells refer to: shared strings, and how each cell style shows dates."""

    shared: list[str] = field(default_factory=list)
    dates: list[DateKind] = field(default_factory=list)
    since_1904: bool = False


class SheetParser:
    """Push parser of one worksheet; `rows` fills as pieces are fed, `row` is the number of the last one met."""

    def __init__(self, name: str, texts: Texts) -> None:
        self.rows: list[Row] = []
        self.row = 0
        self.merged: list[tuple[int, int]] = []
        self._name, self._texts = name, texts
        self._row_digits, self._column = "0", -1
        self._columns: dict[str, int] = {}
        self._cells: dict[int, str] = {}
        self._uncached: list[int] = []
        self._type, self._style, self._formula, self._valued = "n", 0, False, False
        self._text: list[str] | None = None
        self._chars, self._phonetic = 0, False
        self._parts: list[str] = []
        self._parser = xml_parser(name)
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._start, self._end
        self._parser.CharacterDataHandler = self._data

    def feed(self, chunk: bytes) -> None:
        """Parse one more piece; an empty one ends the sheet."""
        try:
            self._parser.Parse(chunk, not chunk)
        except (expat.ExpatError, ValueError) as error:
            raise SourceError(f"{self._name}: the sheet's XML is broken: {error}. Save the workbook again") from error

    def take(self) -> list[Row]:
        """Hand over the rows parsed so far."""
        rows, self.rows = self.rows, []
        return rows

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        local = local_name(tag)
        if local == "c":
            reference = attributes.get("r")
            self._column = self._column + 1 if reference is None else self._locate(reference)
            self._type, self._style = attributes.get("t", "n"), int(attributes.get("s", "0"))
            self._formula, self._valued, self._parts = False, False, []
        elif local in {"v", "t"}:
            self._valued = self._valued or local == "v"
            self._text, self._chars = (None if self._phonetic else []), 0
        elif local == "row":
            self._begin_row(attributes.get("r"))
        elif local == "f":
            self._formula = True
        elif local == "rPh":
            self._phonetic = True
        elif local == "mergeCell":
            first, _, last = attributes.get("ref", "A1").partition(":")
            self.merged.append((split_reference(first, self._name)[0], split_reference(last or first, self._name)[0]))

    def _locate(self, reference: str) -> int:
        letters = reference.rstrip("0123456789")
        if reference[len(letters) :] != self._row_digits:
            raise SourceError(f"{self._name}: cell {reference[:20]!r} stands in row {self.row}. Save the workbook again")
        column = self._columns.get(letters)
        if column is None:
            column = self._columns[letters] = split_reference(reference, self._name)[1]
        return column

    def _begin_row(self, number: str | None) -> None:
        row = self.row + 1 if number is None else int(number) if number.isdecimal() else 0
        if row <= self.row:
            raise SourceError(f"{self._name}: row {number!r} follows row {self.row}. Save the workbook again")
        self.row, self._row_digits, self._column = row, str(row), -1
        self._cells, self._uncached = {}, []

    def _data(self, data: str) -> None:
        if self._text is None:
            return
        self._chars += len(data)
        if self._chars > TEXT_MAX_CHARS:
            raise SourceError(f"{self._name} row {self.row}: a cell holds more than {TEXT_MAX_CHARS:,} characters. Not trusted; shorten it")
        if self._chars - len(data) < CELL_MAX_BYTES:  # enough for its record to be set apart
            self._text.append(data)

    def _end(self, tag: str) -> None:
        local = local_name(tag)
        if local in {"v", "t"}:
            self._parts += self._text or ()
            self._text = None
        elif local == "c":
            self._finish_cell("".join(self._parts))
        elif local == "row":
            if self._cells or self._uncached:
                self.rows.append(Row(self.row, self._cells, tuple(self._uncached)))
        elif local == "rPh":
            self._phonetic = False

    def _finish_cell(self, stored: str) -> None:
        if self._formula and (not self._valued or (not stored and self._type == "n")):
            self._uncached.append(self._column)
            return
        text = self._shown(stored) if stored else ""
        if text:
            self._cells[self._column] = text

    def _shown(self, stored: str) -> str:
        kind = self._type
        if kind == "s":
            return self._shared(stored)
        if kind == "n":
            dates = self._texts.dates
            return number_text(stored, dates[self._style] if self._style < len(dates) else "", since_1904=self._texts.since_1904)
        if kind == "b":
            return "TRUE" if stored.strip() == "1" else "FALSE"
        return stored.replace("T", " ", 1) if kind == "d" else unescape(stored)

    def _shared(self, stored: str) -> str:
        index = int(stored) if stored.isdecimal() else -1
        if not 0 <= index < len(self._texts.shared):
            raise SourceError(f"{self._name} row {self.row}: text {stored[:20]!r} is not in the workbook. Save the workbook again")
        return self._texts.shared[index]


def read_rows(archive: zipfile.ZipFile, part: str, name: str, texts: Texts) -> Iterator[Row]:
    """Stream the rows of a worksheet that are not empty, each through the parser: slow, for the first few.

    Parameters
    ----------
    archive : ZipFile
        The workbook, its entries judged.
    part : str
        The worksheet's entry.
    name : str
        How the user knows the file and sheet.
    texts : Texts

    Raises
    ------
    SourceError
        Broken XML, references out of order or beyond a sheet's corner, a sheet that is full, a cell of absurd size.
    """
    parser = SheetParser(name, texts)
    with read_entry(archive, archive.getinfo(part), name) as stream:
        while chunk := stream.read(_CHUNK):
            parser.feed(chunk)
            yield from parser.take()
        parser.feed(b"")


def split_reference(reference: str, name: str) -> tuple[int, int]:
    """Return row (from 1) and column (from 0) of a reference such as B12.

    Raises
    ------
    SourceError
        It names no cell, or one beyond the corner of a sheet.
    """
    match = _REFERENCE.fullmatch(reference.replace("$", ""))
    if match is None:
        raise SourceError(f"{name}: {reference[:20]!r} names no cell. Save the workbook again")
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    row = int(match[2])
    if row > ROWS_MAX or column > COLUMNS_LIMIT:
        raise SourceError(f"{name}: cell {reference[:20]} lies beyond the corner of a sheet. Save the workbook again")
    return row, column - 1


def unescape(text: str) -> str:
    """Undo the escapes of control characters (``_x000D_``) in a workbook's texts."""

    def one(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        return match[0] if 0xD800 <= code <= 0xDFFF else chr(code)

    return _ESCAPED.sub(one, text) if "_x" in text else text


def number_text(stored: str, dates: DateKind, *, since_1904: bool = False) -> str:
    """Return what a stored number shows: an ISO date or time by its style, else its digits without a tail.

    Parameters
    ----------
    stored : str
        As in the file, such as 42.359400000000001 or 1.2E+17.
    dates : {"", "date", "time", "datetime"}
        What the cell's style shows.
    since_1904 : bool
        Whether the workbook counts days from 1904.

    Raises
    ------
    Nothing: what is no number stays as it is, and numbers of 16 digits and more keep their exponent.
    """
    digits = stored.strip()
    if not dates and digits.removeprefix("-").isdecimal():
        return digits
    try:
        value = float(digits)
    except ValueError:
        return stored
    shown = _moment(value, dates, since_1904=since_1904) if dates else None
    if shown is not None:
        return shown
    if not abs(value) < 1e15:
        return digits.upper() if isfinite(value) else stored
    return str(int(value)) if value.is_integer() else repr(value)


def _moment(serial: float, dates: DateKind, *, since_1904: bool) -> str | None:
    """Return a day serial as text, or None where it is none (below 1, or the 29 February 1900 that never was)."""
    end = _SERIAL_END - (_DAYS_TO_1904 if since_1904 else 0)
    if not (0 <= serial < end and round(serial * _MS_PER_DAY) < end * _MS_PER_DAY):
        return None
    if dates == "time" and serial < 1:
        return _clock(datetime(1900, 1, 1) + timedelta(milliseconds=round(serial * _MS_PER_DAY)))
    whole = int(serial)
    if not since_1904 and (whole < 1 or whole == _LEAP_BUG):
        return None
    start = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 31 if whole < _LEAP_BUG else 30)
    moment = start + timedelta(milliseconds=round(serial * _MS_PER_DAY))
    if dates == "date" and moment.time() == datetime.min.time():
        return f"{moment:%Y-%m-%d}"
    return f"{moment:%Y-%m-%d} {_clock(moment)}"


def _clock(moment: datetime) -> str:
    return moment.time().isoformat("milliseconds" if moment.microsecond else "seconds")


def date_kind(code: str) -> DateKind:
    """Tell what a number format code shows.

    Parameters
    ----------
    code : str
        Such as ``yyyy/m/d h:mm`` or ``0.00``.

    Raises
    ------
    Nothing.
    """
    plain = re.sub(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', "", code, flags=re.IGNORECASE).split(";", maxsplit=1)[0].lower()
    if plain == "general" or "[" in plain:  # elapsed time is a number of hours
        return ""
    time = "h" in plain or "s" in plain
    date = "y" in plain or "d" in plain or ("m" in plain and not time)
    return "datetime" if date and time else "date" if date else "time" if time else ""
