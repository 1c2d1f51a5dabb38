"""Rows of a table over several loads: the newest version of each, and only the rows and columns that were asked for."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import polars as pl
from sqlalchemy import Row

from cloudmap.errors import StoreError
from cloudmap.store.catalog import stored_file
from cloudmap.store.contract import VERSIONED, Where
from cloudmap.store.files import check_file

_COMPARISONS: Final[Mapping[str, Callable[[pl.Expr, Any], pl.Expr]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


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


def select_rows(rows: pl.LazyFrame, table: str, columns: Sequence[str] | None, where: Sequence[Where]) -> pl.DataFrame:
    """Collect the rows that satisfy every condition, with the columns wanted and ``load_seq``.

    Raises
    ------
    StoreError
        A column or operator is not known, or a value does not fit its column.
    """
    have = rows.collect_schema().names()
    wanted = [name for name in (columns if columns is not None else have) if name != "load_seq"]
    missing = [name for name in (*wanted, *(column for column, _, _ in where)) if name not in have]
    if missing:
        raise StoreError(f"table {table}: no column(s) {', '.join(missing)}; have {', '.join(have)}")
    for condition in where:
        rows = rows.filter(_condition(table, condition))
    try:
        return rows.select(*wanted, "load_seq").collect()
    except (pl.exceptions.InvalidOperationError, pl.exceptions.SchemaError) as error:
        raise StoreError(f"table {table}, where {list(where)!r}: {str(error).splitlines()[0]}") from error


def _condition(table: str, condition: Where) -> pl.Expr:
    name, symbol, value = condition
    column = pl.col(name)
    if value is None and symbol in ("==", "!="):
        return column.is_null() if symbol == "==" else column.is_not_null()
    if symbol == "in":
        if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset | pl.Series):
            raise StoreError(f"table {table}: {name} in {value!r}: give a list of values")
        return column.is_in(value if isinstance(value, pl.Series) else list(cast("Sequence[Any]", value)))
    if symbol not in _COMPARISONS:
        raise StoreError(f"table {table}: unknown operator {symbol!r} on {name}; known: {', '.join((*_COMPARISONS, 'in'))}")
    return _COMPARISONS[symbol](column, value)
