"""How files are written: whole or not at all, the same bytes for the same numbers, and no cell that a spreadsheet would run."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from cloudmap.errors import SourceError

if TYPE_CHECKING:
    import pandas as pd

# Spreadsheets skip blanks, controls and marks of direction before they look for a formula, and take full-width signs for the plain ones.
_FORMULA: Final = (
    r"^(?:[\s\x00-\x1f\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2060}-\u{2069}\u{feff}]*[=+\-@＝＋－＠]|[ \u{00a0}\u{3000}]*[\t\r\n])"
)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path` to write to; it takes the place of `path` only when the block ends well.

    Parameters
    ----------
    path : Path
        File to make or replace; its folder must exist.

    Yields
    ------
    Path
        Temporary file with the same suffix in the same folder.

    Raises
    ------
    SourceError
        The folder is missing or cannot be written to, or the disk is full; an older file at `path` is unchanged.
    """
    if not path.parent.is_dir():
        raise SourceError(f"{path}: folder {path.parent} does not exist; make it first")
    draft = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be written ({error.strerror or error}); an older file of that name is unchanged") from error
    finally:
        for left in path.parent.glob(f"{_literal(draft.name)}*"):
            left.unlink(missing_ok=True)


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def guarded(frame: pl.DataFrame) -> pl.DataFrame:
    """Put an apostrophe before text that a spreadsheet would take for a formula.

    Parameters
    ----------
    frame : polars.DataFrame
        Any; only String columns change.

    Returns
    -------
    polars.DataFrame
        Cells that begin with = + - @ (also full-width), tab or line break, blanks before them or not, begin with an apostrophe.
    """
    text = pl.col(pl.String)
    return frame.with_columns(pl.when(text.str.contains(_FORMULA)).then(pl.lit("'") + text).otherwise(text).name.keep())


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write UTF-8 with a byte order mark, so that Excel reads Chinese; times in ISO 8601 with Z, whole numbers whole."""
    guarded(frame).write_csv(path, include_bom=True, datetime_format="%Y-%m-%dT%H:%M:%SZ")


def fill_rows(sheet: Any, first_row: int, rows: list[Any], style: Any = None) -> None:
    """Write rows to a sheet cell by cell, each by its type, so that no text turns into a formula, a link or a number."""
    for row_no, row in enumerate(rows, start=first_row):
        for column, value in enumerate(row):
            if value is None or (isinstance(value, float) and math.isnan(value)):
                continue
            if isinstance(value, bool):
                sheet.write_boolean(row_no, column, value, style)
            elif isinstance(value, int | float):
                sheet.write_number(row_no, column, value, style)
            else:
                text = value.isoformat() if isinstance(value, date | datetime) else str(value)
                sheet.write_string(row_no, column, text[:32_767], style)


def flat(table: pd.DataFrame) -> pl.DataFrame:
    """Turn a place table into rows without shapes."""
    plain = table.drop(columns="geometry", errors="ignore")
    columns = {name: [None if _missing(one) else one for one in plain[name].tolist()] for name in plain.columns}
    return pl.DataFrame(columns, strict=False)


def _missing(value: object) -> bool:
    import pandas as pd

    return bool(pd.isna(value))  # type: ignore[call-overload]  # scalars only: place tables hold no lists
