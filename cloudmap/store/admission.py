"""What every store asks of rows before it takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import BytesIO

import polars as pl

from cloudmap.errors import SchemaError, StoreError
from cloudmap.schema import Table
from cloudmap.store.contract import VERSIONED


def admit(table: str, frame: pl.DataFrame, known: Mapping[str, Table]) -> pl.DataFrame:
    """Return rows as a table of the store takes them.

    Parameters
    ----------
    table : str
        Name of the table.
    frame : polars.DataFrame
        The rows.
    known : mapping of str to Table
        Tables whose columns are known: their rows are cast and put into the table's order.

    Raises
    ------
    SchemaError
        A column is missing, unknown to a known table, or the store's own.
    StoreError
        The table's name is not plain, or a row of a versioned table has no id.
    """
    check_name(table)
    if table in known:
        extra = [name for name in frame.columns if name not in known[table].dtypes]
        if extra:
            raise SchemaError(f"table {table}: unknown column(s) {', '.join(extra)}; declare them in cloudmap/schema.py or drop them")
        frame = known[table].conform(frame)
    if "load_seq" in frame.columns:
        raise SchemaError(f"table {table}: column load_seq is the store's own; drop it")
    if frame.height and table in VERSIONED:
        _check_ids(table, frame, VERSIONED[table])
    return frame


def check_name(table: str) -> None:
    """Refuse a table's name that is not plain.

    Raises
    ------
    StoreError
        It has other characters than small letters, digits and _, or does not begin with a letter.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", table):
        raise StoreError(f"table name {table!r}: want small letters, digits and _, beginning with a letter")


def _check_ids(table: str, frame: pl.DataFrame, id_column: str) -> None:
    if id_column not in frame.columns:
        raise SchemaError(f"table {table}: column {id_column} missing; it says which rows are versions of each other")
    missing = frame.get_column(id_column).null_count()
    if missing:
        raise StoreError(f"table {table}: {missing} row(s) without {id_column}; every row needs one")


def pack(frame: pl.DataFrame) -> bytes:
    """Return a frame as the bytes of a Parquet file."""
    buffer = BytesIO()
    frame.write_parquet(buffer, compression="zstd", statistics=True)
    return buffer.getvalue()


def unpack(content: bytes) -> pl.DataFrame:
    """Return the frame that `pack` packed."""
    return pl.read_parquet(BytesIO(content))
