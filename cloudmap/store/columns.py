"""Columns of facts in PostgreSQL: types there and back, tables that grow with what is loaded, and rows by COPY.

Levels and resolutions are the city's, so the tables of facts (``fact_<table>``) have the columns that were ever loaded; migrations make
only what every city has. Text compares by its bytes (collation C), as polars does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any, Final

import polars as pl
from psycopg import sql
from sqlalchemy import Connection, text

from cloudmap.errors import SchemaError, StoreError
from cloudmap.schema import Table

Columns = Sequence[Sequence[str]]
"""Name and type of columns, as `LoadTable.columns` keeps them."""

_PLAIN: Final[Mapping[str, tuple[pl.DataType, str]]] = {
    "Boolean": (pl.Boolean(), "boolean"),
    "Int8": (pl.Int8(), "smallint"),
    "Int16": (pl.Int16(), "smallint"),
    "Int32": (pl.Int32(), "integer"),
    "Int64": (pl.Int64(), "bigint"),
    "UInt8": (pl.UInt8(), "smallint"),
    "UInt16": (pl.UInt16(), "integer"),
    "UInt32": (pl.UInt32(), "bigint"),
    "Float32": (pl.Float32(), "real"),
    "Float64": (pl.Float64(), "double precision"),
    "String": (pl.String(), 'text COLLATE "C"'),
    "Binary": (pl.Binary(), "bytea"),
    "Date": (pl.Date(), "date"),
    "Null": (pl.Null(), 'text COLLATE "C"'),
}
_OWN: Final = ("load_seq", "load_row", "geom")
_COPY_ROWS: Final = 50_000


def encode(table: str, schema: Mapping[str, pl.DataType | type[pl.DataType]]) -> list[list[str]]:
    """Write down a frame's columns.

    Raises
    ------
    StoreError
        A type that PostgreSQL has no column for.
    SchemaError
        A name that the store uses itself, or that is too long.
    """
    for name in schema:
        if name in _OWN or len(name.encode()) > 63:
            raise SchemaError(f"table {table}: column {name!r} is the store's own or longer than 63 bytes; rename it")
    return [[name, _code(table, name, dtype() if isinstance(dtype, type) else dtype)] for name, dtype in schema.items()]


def _code(table: str, name: str, dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return "String"
    if isinstance(dtype, pl.Datetime) and dtype.time_unit != "ns":
        return f"Datetime {dtype.time_unit} {dtype.time_zone or ''}".strip()
    if str(dtype) in _PLAIN:
        return str(dtype)
    raise StoreError(f"table {table}: column {name} of type {dtype} cannot be stored in PostgreSQL; cast it to a plain type")


def decode(columns: Columns) -> dict[str, pl.DataType]:
    """Return the polars types of columns that `encode` wrote down."""
    return {name: _dtype(code) for name, code in columns}


def _dtype(code: str) -> pl.DataType:
    if not code.startswith("Datetime"):
        return _PLAIN[code][0]
    _, unit, *zone = code.split(" ")
    return pl.Datetime(unit, zone[0] if zone else None)  # type: ignore[arg-type]  # encode wrote us or ms


def together(several: Iterable[Columns]) -> list[list[str]]:
    """List every column once, in order of first appearance."""
    found: dict[str, str] = {}
    for columns in several:
        for name, code in columns:
            if found.get(name) in (None, "Null"):
                found[name] = code
    return [[name, code] for name, code in found.items()]


def pg_type(code: str) -> str:
    """Return the PostgreSQL type of a column."""
    if code.startswith("Datetime"):
        return "timestamp with time zone" if code.count(" ") == 2 else "timestamp without time zone"
    return _PLAIN[code][1]


def missing_columns(connection: Connection, table: str, columns: Columns) -> list[list[str]]:
    """List the columns that a table of facts has not got yet.

    Raises
    ------
    StoreError
        One is there with another type.
    """
    query = text(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
        "WHERE attrelid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(:name)) AND attnum > 0 AND NOT attisdropped"
    )
    have = {str(name): str(kind) for name, kind in connection.execute(query, {"name": f"fact_{table}"})}
    for name, code in columns:
        wanted = pg_type(code).partition(" COLLATE")[0]
        if name in have and have[name] != wanted:
            raise StoreError(f"table {table}: column {name} holds {have[name]} in the store and {wanted} in these rows; cast them alike")
    return [[name, code] for name, code in columns if name not in have]


def add_columns(connection: Connection, table: str, columns: Columns, known: Table | None) -> None:
    """Make a table of facts where it is missing, and add columns to it, with what they mean.

    Readers of the table wait for the moment that this takes; the caller leaves it out where there is nothing to add.
    """
    fact = sql.Identifier(f"fact_{table}")
    statements = [
        sql.SQL(
            "CREATE TABLE IF NOT EXISTS {} (load_seq integer NOT NULL, load_row integer NOT NULL, PRIMARY KEY (load_seq, load_row))"
        ).format(fact)
    ]
    meanings = {column.name: f"{column.meaning} {column.meaning_zh}".strip() for column in known.columns} if known else {}
    if known:
        statements.append(sql.SQL("COMMENT ON TABLE {} IS {}").format(fact, f"{known.meaning} {known.meaning_zh}"))
    for name, code in columns:
        named = sql.Identifier(name)
        statements.append(sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(fact, named, sql.SQL(pg_type(code))))
        if name in meanings:
            statements.append(sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(fact, named, meanings[name]))
    for statement in statements:
        driver(connection).execute(statement)


def copy_rows(connection: Connection, table: str, frame: pl.DataFrame) -> None:
    """Add rows to a table of the database, in the running transaction.

    Parameters
    ----------
    connection : Connection
        In a transaction that writes.
    table : str
        Name of the table in the database.
    frame : polars.DataFrame
        Rows; its columns are the table's.

    Raises
    ------
    StoreError
        A text holds a NUL character, which PostgreSQL has no room for.
    """
    texts = frame.select(pl.col(pl.String).str.contains("\0", literal=True).any())
    for name in texts.columns:
        if texts[name][0]:
            raise StoreError(f"{table}: column {name} holds a NUL character, which PostgreSQL cannot store; remove it")
    names = sql.SQL(", ").join(sql.Identifier(name) for name in frame.columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(sql.Identifier(table), names)
    with driver(connection).cursor() as cursor, cursor.copy(statement) as copy:
        for part in frame.iter_slices(_COPY_ROWS):
            buffer = BytesIO()
            part.select(_as_text(name, dtype) for name, dtype in part.schema.items()).write_csv(buffer, include_header=False)
            copy.write(buffer.getbuffer())


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Binary):
        return (pl.lit("\\x") + column.bin.encode("hex")).alias(name)
    if isinstance(dtype, pl.Datetime):
        utc = column.dt.convert_time_zone("UTC") if dtype.time_zone else column
        return utc.dt.to_string("%Y-%m-%d %H:%M:%S%.6f" + ("+00" if dtype.time_zone else "")).alias(name)
    return column


def driver(connection: Connection) -> Any:
    """Return the psycopg connection below, in the same transaction."""
    return connection.connection.driver_connection
