"""Computed tables kept in a lake: a Parquet file and a catalog row each, the last few keys of every name."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

import polars as pl
from sqlalchemy import Row, delete, insert, select

from cloudmap.errors import StoreError
from cloudmap.store import catalog
from cloudmap.store.contract import StoredResult
from cloudmap.store.files import write_frame

RESULTS: Final = "results"
KEPT: Final = 3
"""How many keys of one name stay: a reader may still show the one before the last."""

_READS: Final = 3


def save(folder: Path, book: catalog.Catalog, name: str, key: str, frame: pl.DataFrame, provenance: Mapping[str, Any]) -> None:
    """Write a result and its catalog row; drop the row of the same key and of keys beyond the last few."""
    table = catalog.results
    # Written inside the transaction, so that a sweep, which also needs it, cannot meet a file before its row.
    with book.writing() as transaction:
        stored = write_frame(folder, f"{RESULTS}/{uuid.uuid4().hex}.parquet", frame, renamed="result-written")
        older = transaction.execute(select(table).where(table.c.name == name).order_by(table.c.result_seq.desc())).all()
        others = [row for row in older if row.key != key]
        gone = [row for row in older if row.key == key] + others[KEPT - 1 :]
        transaction.execute(delete(table).where(table.c.result_seq.in_([row.result_seq for row in gone])))
        row = {"name": name, "key": key, "provenance": dict(provenance)}
        told = {"path": stored.path, "rows_n": stored.rows_n, "bytes_n": stored.bytes_n, "sha256": stored.sha256}
        transaction.execute(insert(table), [row | told])
    for old in gone:
        (folder / old.path).unlink(missing_ok=True)


def load(folder: Path, book: catalog.Catalog, name: str, key: str | None) -> StoredResult | None:
    """Read a result, the newest of its name where `key` is None.

    Raises
    ------
    StoreError
        Its file is missing or was changed.
    """
    for _ in range(_READS):
        row = _find(book, name, key)
        if row is None:
            return None
        path = folder / row.path
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            # A newer result may have replaced it between the look-up and the reading: look again.
            continue
        if hashlib.sha256(content).hexdigest() != row.sha256:
            raise StoreError(f"{path}: the kept result {name} was damaged or changed. Run `cloudmap analyse` again")
        return StoredResult(pl.read_parquet(BytesIO(content)), row.provenance, row.key)
    raise StoreError(f"{path}: the kept result {name} is missing. Run `cloudmap analyse` again")


def set_aside(folder: Path, row: Row[Any], spool: IO[bytes]) -> int:
    """Copy a result's file to the end of another one, and return where it begins there.

    Raises
    ------
    StoreError
        The file was changed.
    FileNotFoundError
        It is gone; a newer result may have replaced it.
    """
    content = (folder / row.path).read_bytes()
    if hashlib.sha256(content).hexdigest() != row.sha256:
        raise StoreError(f"{folder / row.path}: the kept result {row.name} was damaged or changed. Run `cloudmap analyse` again")
    at = spool.seek(0, 2)
    spool.write(content)
    return at


def sweep(folder: Path, book: catalog.Catalog) -> int:
    """Remove result files that no catalog row names, and return how many bytes that freed."""
    freed_n = 0
    with book.writing() as transaction:
        named = set(transaction.scalars(select(catalog.results.c.path)))
        for file in sorted((folder / RESULTS).iterdir()):
            if f"{RESULTS}/{file.name}" not in named:
                freed_n += file.stat().st_size
                file.unlink()
    return freed_n


def _find(book: catalog.Catalog, name: str, key: str | None) -> Row[Any] | None:
    table = catalog.results
    query = select(table).where(table.c.name == name).order_by(table.c.result_seq.desc()).limit(1)
    if key is not None:
        query = query.where(table.c.key == key)
    with book.reading() as transaction:
        return transaction.execute(query).first()
