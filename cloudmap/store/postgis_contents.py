"""All that a store in PostgreSQL holds, for backups and copies, and a store made of what another one held."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl
from psycopg import sql
from sqlalchemy import Connection, func, insert, select, text

from cloudmap.errors import StoreError
from cloudmap.schema import Table
from cloudmap.store import points
from cloudmap.store.admission import unpack
from cloudmap.store.columns import copy_rows, decode, encode
from cloudmap.store.contract import VERSIONED, Contents, KeptTable, LoadRecord
from cloudmap.store.postgis_draft import make_room
from cloudmap.store.postgis_loads import load_records
from cloudmap.store.published import publish
from cloudmap.store.reading import fetch
from cloudmap.store.server import Server
from cloudmap.store.tables import Load, LoadTable, Remembered, Result

_PART_ROWS = 250_000


class PostgisContents:
    """All that a store held when this was opened; see `cloudmap.store.contract.Contents`.

    Parameters
    ----------
    connection : Connection
        In a transaction that sees one snapshot.
    cursor : ADBC cursor
        In the same snapshot.
    """

    def __init__(self, connection: Connection, cursor: Any) -> None:
        self._connection = connection
        self._cursor = cursor
        self.loads: Sequence[LoadRecord] = load_records(connection)
        held = connection.execute(select(LoadTable.load_seq, LoadTable.table_name, LoadTable.rows_n, LoadTable.columns))
        self._held = {(row.load_seq, row.table_name): (int(row.rows_n), decode(row.columns)) for row in held}

    def rows(self, load_seq: int, table: str) -> Iterator[pl.DataFrame]:
        """Yield a load's rows of a table, some hundred thousand at a time."""
        rows_n, types = self._held[load_seq, table]
        names = sql.SQL(", ").join(sql.Identifier(name) for name in types)
        query = sql.SQL("SELECT {} FROM {} WHERE load_seq = {} AND load_row >= {} AND load_row < {} ORDER BY load_row")
        for first in range(0, rows_n, _PART_ROWS):
            span = (sql.Literal(load_seq), sql.Literal(first), sql.Literal(first + _PART_ROWS))
            frame = fetch(self._cursor, query.format(names, sql.Identifier(f"fact_{table}"), *span))
            expected_n = min(_PART_ROWS, rows_n - first)
            if frame.height != expected_n:
                raise StoreError(
                    f"load {load_seq}, table {table}: {frame.height:,} rows where {expected_n:,} were loaded; restore a backup"
                )
            yield frame.select(pl.col(name).cast(dtype) for name, dtype in types.items())

    def replaced(self, load_seq: int, table: str) -> pl.DataFrame:
        """Return the ids of a load's rows that earlier loads held too."""
        query = sql.SQL("SELECT id AS {} FROM replaced WHERE table_name = {} AND load_seq = {} ORDER BY id")
        return fetch(self._cursor, query.format(sql.Identifier(VERSIONED[table]), sql.Literal(table), sql.Literal(load_seq)))

    def remembered(self) -> Iterator[KeptTable]:
        """Yield remembered tables, oldest first."""
        for number in self._connection.scalars(select(Remembered.remembered_seq).order_by(Remembered.remembered_seq)).all():
            row = self._connection.execute(select(Remembered.__table__).where(Remembered.remembered_seq == number)).one()
            yield KeptTable(row.name, row.content, row.load_seq)

    def results(self) -> Iterator[KeptTable]:
        """Yield kept results, oldest first."""
        for number in self._connection.scalars(select(Result.result_seq).order_by(Result.result_seq)).all():
            row = self._connection.execute(select(Result.__table__).where(Result.result_seq == number)).one()
            if hashlib.sha256(row.content).hexdigest() != row.sha256:
                raise StoreError(f"the kept result {row.name} was damaged or changed. Run `cloudmap analyse` again")
            yield KeptTable(row.name, row.content, None, row.key, row.provenance)


@contextmanager
def postgis_contents(server: Server) -> Iterator[Contents]:
    """Open all that a store holds; both connections see the same snapshot."""
    with server.reading() as connection:
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        with server.arrow(str(snapshot)) as cursor:
            yield PostgisContents(connection, cursor)


def fill_postgis(server: Server, contents: Contents, tables: Mapping[str, Table]) -> None:
    """Write all that another store held into an empty one, in one transaction, which may be done again.

    Raises
    ------
    StoreError
        The store holds something already.
    """
    with server.writing("loads", "results") as connection:
        _must_be_empty(server, connection)
        for load in contents.loads:
            connection.execute(insert(Load).values(_load_row(load)))
            for table, rows_n in load.tables.items():
                columns = _copy_table(connection, contents, load.load_seq, table, tables)
                told = {"load_seq": load.load_seq, "table_name": table, "rows_n": rows_n, "columns": columns}
                connection.execute(insert(LoadTable).values(told))
        for note in contents.remembered():
            connection.execute(insert(Remembered).values(name=note.name, load_seq=note.load_seq, content=note.content))
        provenance: Mapping[str, Any] = {}
        for one in contents.results():
            told = {"name": one.name, "key": one.key, "provenance": one.provenance, "content": one.content}
            digest = hashlib.sha256(one.content).hexdigest()
            connection.execute(insert(Result).values(**told, rows_n=unpack(one.content).height, sha256=digest))
            provenance = one.provenance if one.name == "analysis" else provenance
        publish(connection, provenance)
        if any("reports" in load.tables for load in contents.loads):
            connection.execute(text("ANALYZE fact_reports, replaced"))
        points.reach("in-restore")


def _copy_table(connection: Connection, contents: Contents, load_seq: int, table: str, tables: Mapping[str, Table]) -> list[list[str]]:
    columns: list[list[str]] = []
    done_n = 0
    for frame in contents.rows(load_seq, table):
        if not columns:
            columns = encode(table, frame.schema)
            make_room(connection, {table: columns}, tables)
        numbers = pl.int_range(done_n, done_n + frame.height, dtype=pl.Int32, eager=True)
        numbered = frame.select(pl.lit(load_seq, dtype=pl.Int32).alias("load_seq"), numbers.alias("load_row"), pl.all())
        copy_rows(connection, f"fact_{table}", numbered)
        done_n += frame.height
    if table in VERSIONED:
        ids = contents.replaced(load_seq, table).rename({VERSIONED[table]: "id"})
        copy_rows(connection, "replaced", ids.with_columns(table_name=pl.lit(table), load_seq=pl.lit(load_seq, dtype=pl.Int32)))
    return columns


def _load_row(load: LoadRecord) -> dict[str, Any]:
    return {
        "load_seq": load.load_seq,
        "draft_id": uuid.uuid4().hex,
        "sha256": load.key.sha256,
        "source_id": load.key.source_id,
        "mapping_version": load.key.mapping_version,
        "file": load.file,
        "base_map_version": load.base_map_version,
        "loaded_at": load.loaded_at,
        "undone": load.undone,
        "undone_at": load.undone_at,
        "ledger": load.ledger,
    }


def _must_be_empty(server: Server, connection: Connection) -> None:
    for table in (Load, Result, Remembered):
        if connection.scalar(select(func.count()).select_from(table)):
            raise StoreError(
                f"{server.name}: the store holds something already. Name another database, or a schema of its own with ?schema=name "
                "at the URL's end"
            )
