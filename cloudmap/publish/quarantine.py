"""Records that could not be used, to be mended and loaded again: as the store keeps them, or as the owner's files have them."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import polars as pl

from cloudmap.errors import AccessError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cloudmap.access.reader import Reader
    from cloudmap.city import Source
    from cloudmap.ingest.tables import TableReader

COLUMNS: Final = ("file", "line_no", "source_id", "field", "rule", "detail", "value")

_LINES_OF_A_RECORD_MAX: Final = 50


def quarantine_table(reader: Reader, *, raw: bool = False) -> pl.DataFrame:
    """Gather the quarantined records of all loads.

    Parameters
    ----------
    reader : Reader
        Door to the store.
    raw : bool, default False
        Put the whole record, as it stands in the owner's file now, in the place of the scrubbed value. The store has never held it.

    Returns
    -------
    polars.DataFrame
        file, line_no, source_id, field, rule, detail, value; sorted by file and line.

    Raises
    ------
    AccessError
        The audience is outside: the values are scrubbed, but they are rows of single reports.
    SourceError
        With `raw`: a file that the quarantine names is not where the city file says, or no longer has those records.
    """
    if reader.audience.outside:
        raise AccessError("quarantine: rows of single reports may not leave the administration; export it without --outside")
    frame = reader.quarantine().select(COLUMNS).sort("file", "line_no")
    if not raw:
        return frame
    wanted: dict[tuple[str, str], set[int]] = defaultdict(set)
    for source_id, file, line_no in frame.select("source_id", "file", "line_no").iter_rows():
        wanted[source_id, file].add(line_no)
    found = {key: _records(reader.city.source(key[0]), _path(reader, *key), lines) for key, lines in wanted.items()}
    keys = frame.select("source_id", "file", "line_no").iter_rows()
    return frame.with_columns(value=pl.Series([found[source, file][line] for source, file, line in keys], dtype=pl.String))


def _path(reader: Reader, source_id: str, file: str) -> Path:
    source = reader.city.source(source_id)
    for path in reader.city.source_files(source):
        if path.name == file:
            return path
    raise SourceError(f"quarantine --raw: {file} of source {source_id} is not among {source.path!r}; put the file back, or leave --raw out")


def _records(source: Source, path: Path, lines: set[int]) -> dict[int, str]:
    """Read records by the line (or sheet row) that they begin at."""
    from cloudmap.ingest.tables import open_table

    with open_table(path, format=source.format, delimiter=source.delimiter, encoding=source.encoding, layer=source.layer) as table:
        if table.format in ("csv", "tsv"):
            found = dict(_text_records(path, source.layer, table, lines))
        else:
            found = dict(_cell_records(table, lines))
    gone = sorted(lines - set(found))
    if gone:
        raise SourceError(
            f"quarantine --raw: {path} no longer has a record at line {gone[0]} ({len(gone)} missing); it changed after it was loaded"
        )
    return found


def _text_records(path: Path, layer: str | None, table: TableReader, lines: set[int]) -> Iterator[tuple[int, str]]:
    """Yield records of delimited text as they are written; quotes keep a record's lines together."""
    from cloudmap.ingest.opening import open_input

    with (
        open_input(path, expect="table", member=layer) as opened,
        opened.path.open(encoding=table.encoding, errors="replace", newline="\n") as text,
    ):
        start, parts = 0, list[str]()
        for line_no, line in enumerate(text, start=1):
            if not parts and line_no not in lines:
                continue
            start = line_no if not parts else start
            parts.append(line)
            whole = "".join(parts)
            if whole.count('"') % 2 == 0 or len(parts) >= _LINES_OF_A_RECORD_MAX:
                yield start, whole.rstrip("\r\n")
                parts = []
        if parts:
            yield start, "".join(parts).rstrip("\r\n")


def _cell_records(table: TableReader, lines: set[int]) -> Iterator[tuple[int, str]]:
    """Yield records of sheets and features as a line of CSV; what the reader itself refused has only its scrubbed value."""
    for block in table.blocks():
        for row in block.frame.filter(pl.col("line_no").is_in(lines)).iter_rows():
            out = io.StringIO()
            csv.writer(out, lineterminator="").writerow(row[1:])
            yield row[0], out.getvalue()
        yield from block.rejected.filter(pl.col("line_no").is_in(lines)).select("line_no", "value").iter_rows()
