"""Computed tables kept in PostgreSQL, the last few keys of every name; an analysis also fills the tables that views show."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import polars as pl
from sqlalchemy import delete, insert, select

from cloudmap.errors import StoreError
from cloudmap.store import points
from cloudmap.store.admission import pack, unpack
from cloudmap.store.contract import StoredResult
from cloudmap.store.published import publish
from cloudmap.store.results import KEPT
from cloudmap.store.server import Server
from cloudmap.store.tables import Result


def save(server: Server, name: str, key: str, frame: pl.DataFrame, provenance: Mapping[str, Any]) -> None:
    """Write a result; drop the same key and keys beyond the last few. One transaction, which may be done again."""
    content = pack(frame)
    row = {"name": name, "key": key, "rows_n": frame.height, "sha256": hashlib.sha256(content).hexdigest()}
    with server.writing("results") as connection:
        older = connection.execute(
            select(Result.result_seq, Result.key).where(Result.name == name).order_by(Result.result_seq.desc())
        ).all()
        others = [one for one in older if one.key != key]
        gone = [one for one in older if one.key == key] + others[KEPT - 1 :]
        connection.execute(delete(Result).where(Result.result_seq.in_([one.result_seq for one in gone])))
        connection.execute(insert(Result).values(**row, provenance=dict(provenance), content=content))
        publish(connection, provenance)
        points.reach("result-written")


def load(server: Server, name: str, key: str | None) -> StoredResult | None:
    """Read a result, the newest of its name where `key` is None.

    Raises
    ------
    StoreError
        It is not what was written.
    """
    query = select(Result.content, Result.sha256, Result.provenance, Result.key).where(Result.name == name)
    query = query.order_by(Result.result_seq.desc()).limit(1)
    if key is not None:
        query = query.where(Result.key == key)
    with server.reading() as connection:
        row = connection.execute(query).first()
    if row is None:
        return None
    if hashlib.sha256(row.content).hexdigest() != row.sha256:
        raise StoreError(f"{server.name}: the kept result {name} was damaged or changed. Run `cloudmap analyse` again")
    return StoredResult(unpack(row.content), row.provenance, row.key)
