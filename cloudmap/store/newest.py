"""Rows of a table over several loads of a lake: the newest version of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Row

from cloudmap.store.catalog import stored_file
from cloudmap.store.contract import VERSIONED
from cloudmap.store.files import check_file


def scan_table(
    folder: Path, table: str, shape: pl.DataFrame, found: Mapping[int, Sequence[Row[Any]]], replaced: Mapping[int, Sequence[Row[Any]]]
) -> pl.LazyFrame:
    """Scan a table's files as one frame, without the rows that a later load replaced.

    Parameters
    ----------
    folder : Path
        The lake's folder.
    table : str
        Name of the table.
    shape : polars.DataFrame
        No rows, with the columns that the table has in any case.
    found, replaced : mapping of int to sequence of rows
        Catalog rows of the table's files, and of the files that list replaced ids, by visible load.

    Returns
    -------
    polars.LazyFrame
        The table's columns and ``load_seq``, ordered by load.
    """
    last_replacing = max(replaced, default=0) if table in VERSIONED else 0
    older: list[pl.LazyFrame] = [pl.LazyFrame(schema={**shape.schema, "load_seq": pl.Int64()})]
    newer: list[pl.LazyFrame] = []
    for load_seq, rows in found.items():
        paths = [check_file(folder, stored_file(row)) for row in rows]
        frame = pl.scan_parquet(paths, glob=False).with_columns(load_seq=pl.lit(load_seq, dtype=pl.Int64))
        (older if load_seq < last_replacing else newer).append(frame)
    if not last_replacing:
        return pl.concat([*older, *newer], how="diagonal")
    kept = _without_replaced(pl.concat(older, how="diagonal"), VERSIONED[table], _newest(folder, replaced))
    return pl.concat([kept, *newer], how="diagonal")


def _without_replaced(rows: pl.LazyFrame, id_column: str, newest: pl.DataFrame) -> pl.LazyFrame:
    # One join over all older loads: an anti-join for each takes twice as long from some dozens of loads on.
    replaced = pl.col("newest_seq") > pl.col("load_seq")
    return (
        rows.join(newest.lazy(), on=id_column, how="left", maintain_order="left")
        .filter(replaced.fill_null(False).not_())
        .drop("newest_seq")
    )


def _newest(folder: Path, replaced: Mapping[int, Sequence[Row[Any]]]) -> pl.DataFrame:
    """Return, for each id that was ever replaced, the last visible load that did so: columns id, ``newest_seq``."""
    frames = [
        pl.read_parquet(check_file(folder, stored_file(row))).with_columns(newest_seq=pl.lit(load_seq, dtype=pl.Int64))
        for load_seq, rows in replaced.items()
        for row in rows
    ]
    together = pl.concat(frames)
    return together.group_by(together.columns[0]).agg(pl.col("newest_seq").max())
