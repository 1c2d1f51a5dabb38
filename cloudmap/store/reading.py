"""A table of facts read from PostgreSQL, in one snapshot and as Arrow: newest versions, wanted rows, wanted columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from psycopg import sql

from cloudmap.errors import StoreError
from cloudmap.schema import Table
from cloudmap.store.columns import decode, encode, together
from cloudmap.store.contract import VERSIONED, Where
from cloudmap.store.pushdown import split_conditions
from cloudmap.store.records import visible_loads
from cloudmap.store.selection import select_rows


def read_table(
    cursor: Any, table: str, tables: Mapping[str, Table], columns: Sequence[str] | None, where: Sequence[Where], as_of: int | None
) -> pl.DataFrame:
    """Read a table of facts; see `cloudmap.store.contract.Store.read`.

    Parameters
    ----------
    cursor : ADBC cursor
        In a transaction that sees one snapshot (`Server.arrow`).
    table, columns, where, as_of
        As in `Store.read`.
    tables : mapping of str to Table
        Tables whose columns the city declares.

    Raises
    ------
    StoreError
        No such table, column or load, or a condition that does not fit its column.
    """
    query = sql.SQL(
        "SELECT l.load_seq, l.undone, t.columns::text AS columns FROM loads l "
        "LEFT JOIN load_tables t ON t.load_seq = l.load_seq AND t.table_name = {} ORDER BY l.load_seq"
    ).format(sql.Literal(table))
    loads = fetch(cursor, query)
    visible = visible_loads(zip(loads["load_seq"].to_list(), loads["undone"].to_list(), strict=True), as_of)
    held = loads.drop_nulls("columns")
    if table not in tables and held.is_empty():
        raise StoreError(f"no table {table!r}; have {', '.join(_names(cursor, tables)) or 'none'}")
    found = [json.loads(one) for one in held.filter(pl.col("load_seq").is_in(visible))["columns"]]
    known = encode(table, tables[table].dtypes) if table in tables else json.loads(held["columns"][0]) if not found else []
    types, stored = decode(together([known, *found])), decode(together(found))
    # Asked of no rows, the same question shows every mistake in it.
    empty = select_rows(pl.LazyFrame(schema={**types, "load_seq": pl.Int64()}), table, columns, where)
    if not stored:
        return empty
    conditions, rest = split_conditions(where, {**stored, "load_seq": pl.Int64()})
    wanted = list(dict.fromkeys([*empty.columns, *(name for name, _, _ in rest)]))
    rows = fetch(cursor, _statement(table, [name for name in wanted if name in stored], visible, conditions))
    return select_rows(_ordered(rows, {name: types[name] for name in wanted if name != "load_seq"}), table, empty.columns, rest)


def fetch(cursor: Any, statement: sql.Composable) -> pl.DataFrame:
    """Run a query and return what it answers."""
    cursor.execute(statement.as_string(None))
    frame = pl.from_arrow(cursor.fetch_arrow_table())
    assert isinstance(frame, pl.DataFrame)  # noqa: S101  (an Arrow table never becomes a series)
    return frame


def _statement(table: str, names: Sequence[str], visible: Sequence[int], conditions: Sequence[sql.Composable]) -> sql.Composable:
    seen = sql.SQL("ANY({}::integer[])").format(sql.Literal(list(visible)))
    parts: list[sql.Composable] = [sql.SQL("r.load_seq = {}").format(seen), *conditions]
    if table in VERSIONED:
        parts.append(
            sql.SQL(
                "NOT EXISTS (SELECT FROM replaced n WHERE n.table_name = {} AND n.id = r.{} "
                "AND n.load_seq > r.load_seq AND n.load_seq = {})"
            ).format(sql.Literal(table), sql.Identifier(VERSIONED[table]), seen)
        )
    picked = sql.SQL(", ").join(sql.SQL("r.{}").format(sql.Identifier(name)) for name in ("load_seq", "load_row", *names))
    fact = sql.Identifier(f"fact_{table}")
    return sql.SQL("SELECT {} FROM {} r WHERE {}").format(picked, fact, sql.SQL(" AND ").join(parts))


def _ordered(rows: pl.DataFrame, types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """Put rows into the order in which they were loaded, and columns that no visible load has beside them."""
    place = rows.select(pl.col("load_seq").cast(pl.Int64) * (1 << 31) + pl.col("load_row")).to_series()
    if not place.is_sorted():
        rows = rows.sort("load_seq", "load_row")
    return rows.lazy().select(
        *((pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype).alias(name) for name, dtype in types.items()),
        pl.col("load_seq").cast(pl.Int64),
    )


def _names(cursor: Any, tables: Mapping[str, Table]) -> list[str]:
    stored = fetch(cursor, sql.SQL("SELECT DISTINCT table_name FROM load_tables"))["table_name"]
    return sorted({*stored, *tables})
