"""Write small tables in awkward ways, and read all of one."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cloudmap.ingest.blocks import TableReader
from cloudmap.ingest.delimited import open_delimited
from cloudmap.ingest.opening import Opened


def csv_bytes(rows: Sequence[Sequence[str]], *, delimiter: str = ",", encoding: str = "utf-8", newline: str = "\r\n") -> bytes:
    out = io.StringIO(newline="")
    # With a bare line feed Python's writer leaves carriage returns unquoted, where they read as part of the line end.
    quoting = csv.QUOTE_ALL if newline == "\n" else csv.QUOTE_MINIMAL
    csv.writer(out, delimiter=delimiter, lineterminator=newline, quoting=quoting).writerows(rows)
    return out.getvalue().encode(encoding)


def reader_of(path: Path, **options: object) -> TableReader:
    """Open delimited text past the door, to set the size of blocks."""
    return open_delimited(Opened("csv", path, path, path.name), **options)  # type: ignore[arg-type]  # options are passed on


def read_all(reader: TableReader) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Return all kept rows, all rejected ones, and the number of records."""
    blocks = list(reader.blocks())
    if not blocks:
        return pl.DataFrame(), pl.DataFrame(), 0
    return pl.concat([one.frame for one in blocks]), pl.concat([one.rejected for one in blocks]), sum(one.records_n for one in blocks)
