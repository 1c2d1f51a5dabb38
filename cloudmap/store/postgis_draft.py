"""A load of a store in PostgreSQL while it is written: rows wait in a file without a name until one transaction takes them all."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from types import TracebackType
from typing import IO, Any, Final

import polars as pl
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as insert_or

from cloudmap.errors import StoreError
from cloudmap.schema import Table
from cloudmap.store import points
from cloudmap.store.admission import admit, pack
from cloudmap.store.columns import add_columns, copy_rows, encode, missing_columns, together
from cloudmap.store.contract import VERSIONED, LoadKey, LoadRecord
from cloudmap.store.postgis_loads import find_load, load_records
from cloudmap.store.server import WRITE_PATIENCE_S, Server
from cloudmap.store.tables import Load, LoadTable, Remembered
from cloudmap.store.views import build_views

_GROWTH: Final = 10
"""A load that adds more than one in this many has the planner's statistics taken anew at once: without them seconds become minutes."""


@dataclass(frozen=True, slots=True)
class _Part:
    table: str
    columns: list[list[str]]
    rows_n: int
    at: int
    bytes_n: int


class PostgisDraft:
    """A load being written into PostgreSQL; see `cloudmap.store.contract.Draft`.

    Parameters
    ----------
    server : Server
        Where the store lives.
    key : LoadKey
        What is loaded.
    file, base_map_version : str
        As in `Store.draft`.
    tables : mapping of str to Table
        Tables whose columns are known and checked.
    """

    def __init__(self, server: Server, key: LoadKey, *, file: str, base_map_version: str, tables: Mapping[str, Table]) -> None:
        self._server = server
        self._key = key
        self._file = file
        self._base_map_version = base_map_version
        self._tables = tables
        self._id = uuid.uuid4().hex
        self._spool: IO[bytes] | None = None
        self._parts: list[_Part] = []
        self._notes: list[tuple[str, bytes]] = []
        self._already = False

    @property
    def already(self) -> bool:
        """Whether the same key was committed by another process meanwhile."""
        return self._already

    def __enter__(self) -> PostgisDraft:
        with self._server.translated("beginning a load"):
            points.reach("draft-opened")
            # A file without a name: the system takes its room back however this process ends.
            self._spool = tempfile.TemporaryFile(prefix="cloudmap-")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._leave()

    def write(self, table: str, frame: pl.DataFrame) -> None:
        """Add rows to a table of this load."""
        spool = self._must_be_open()
        frame = admit(table, frame, self._tables)
        columns = encode(table, frame.schema)
        if frame.is_empty():
            return
        with self._server.translated(f"setting rows of {table} aside ({tempfile.gettempdir()})"):
            buffer = BytesIO()
            frame.write_ipc(buffer, compression="lz4")
            at = spool.seek(0, 2)
            spool.write(buffer.getbuffer())
            points.reach("part-written")
        self._parts.append(_Part(table, columns, frame.height, at, len(buffer.getbuffer())))

    def remember(self, name: str, frame: pl.DataFrame) -> None:
        """Keep a small table that becomes visible with this load."""
        self._must_be_open()
        self._notes.append((name, pack(frame)))

    def commit(self, ledger_entry: Mapping[str, Any]) -> LoadRecord:
        """Make the load visible, or report the one that was faster."""
        self._must_be_open()
        with self._server.translated("committing a load"):
            points.reach("before-commit")
            self._server.persist(self._make_room, WRITE_PATIENCE_S)
            record = self._server.persist(lambda: self._take(dict(ledger_entry)), WRITE_PATIENCE_S)
        # The load is in the store: what fails from here on may not say otherwise.
        with suppress(OSError):
            points.reach("after-commit")
        self._leave()
        return record

    def _make_room(self) -> None:
        """Add columns that are new; apart from the load, since readers wait while a table changes."""
        with self._server.engine.connect() as connection:
            wanted = {table: missing_columns(connection, table, columns) for table, columns in self._columns().items()}
            connection.rollback()
        if not any(wanted.values()):
            return
        with self._server.writing("loads") as connection:
            make_room(connection, self._columns(), self._tables)

    def _take(self, ledger_entry: dict[str, Any]) -> LoadRecord:
        with self._server.writing("loads") as connection:
            # An earlier attempt may have been committed just before the connection was cut.
            load_seq = connection.scalar(select(Load.load_seq).where(Load.draft_id == self._id))
            if load_seq is None:
                load_seq = self._insert(connection, ledger_entry)
            self._already = load_seq is None
            if load_seq is None:
                record = find_load(connection, self._key)
                if record is None:
                    raise StoreError(f"load {self._file}: its key was taken and given back while it was committed. Load it again")
                return record
            record = next(one for one in load_records(connection) if one.load_seq == load_seq)
            points.reach("in-commit")
        return record

    def _insert(self, connection: Connection, ledger_entry: dict[str, Any]) -> int | None:
        """Write the load and all that it holds; None where its key is in the store already."""
        load_seq = int(connection.scalar(select(func.coalesce(func.max(Load.load_seq), 0))) or 0) + 1
        row = {
            "load_seq": load_seq,
            "draft_id": self._id,
            "sha256": self._key.sha256,
            "source_id": self._key.source_id,
            "mapping_version": self._key.mapping_version,
            "file": self._file or str(ledger_entry.get("file", "")),
            "base_map_version": self._base_map_version,
            "loaded_at": datetime.now(UTC),
            "undone": False,
            "ledger": {**ledger_entry, "load_seq": load_seq},
        }
        given = insert_or(Load).values(row).on_conflict_do_nothing(
            index_elements=["sha256", "source_id", "mapping_version"], index_where=~Load.undone
        ).returning(Load.load_seq)  # fmt: skip
        if connection.scalar(given) is None:
            return None
        counts: dict[str, int] = {}
        for part in self._parts:
            copy_rows(connection, f"fact_{part.table}", self._rows(part, load_seq, counts.get(part.table, 0)))
            counts[part.table] = counts.get(part.table, 0) + part.rows_n
            points.reach("rows-copied")
        for table, columns in self._columns().items():
            told = {"load_seq": load_seq, "table_name": table, "rows_n": counts[table], "columns": columns}
            connection.execute(insert(LoadTable).values(told))
            if table in VERSIONED:
                note_replaced(connection, table, load_seq, counts[table])
        for name, content in self._notes:
            connection.execute(insert(Remembered).values(name=name, load_seq=load_seq, content=content))
        return load_seq

    def _rows(self, part: _Part, load_seq: int, before_n: int) -> pl.DataFrame:
        spool = self._must_be_open()
        spool.seek(part.at)
        frame = pl.read_ipc(BytesIO(spool.read(part.bytes_n)))
        numbers = pl.int_range(before_n, before_n + frame.height, dtype=pl.Int32, eager=True)
        return frame.select(pl.lit(load_seq, dtype=pl.Int32).alias("load_seq"), numbers.alias("load_row"), pl.all())

    def _columns(self) -> dict[str, list[list[str]]]:
        tables = dict.fromkeys(part.table for part in self._parts)
        return {table: together(part.columns for part in self._parts if part.table == table) for table in tables}

    def _must_be_open(self) -> IO[bytes]:
        if self._spool is None:
            raise StoreError("this draft is not open: it was committed or left, or not entered. Use `with store.draft(key) as draft:`")
        return self._spool

    def _leave(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None


def make_room(connection: Connection, columns: Mapping[str, list[list[str]]], tables: Mapping[str, Table]) -> None:
    """Give tables of facts the columns that they have not got yet, in the running transaction.

    Raises
    ------
    StoreError
        A column is there with another type.
    """
    for table, wanted in columns.items():
        missing = missing_columns(connection, table, wanted)
        if missing:
            add_columns(connection, table, missing, tables.get(table))
            if table == "reports":
                build_views(connection)


def note_replaced(connection: Connection, table: str, load_seq: int, rows_n: int) -> None:
    """Write down which ids of a load earlier visible loads hold, so that readers need not compare all loads with all."""
    id_column, fact = VERSIONED[table], f"fact_{table}"
    known_n = connection.scalar(text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:fact)"), {"fact": fact})
    if _GROWTH * rows_n > int(known_n or 0):
        connection.execute(text(f"ANALYZE {fact}"))
    statement = f"""
        INSERT INTO replaced (table_name, id, load_seq)
        SELECT :table, mine.{id_column}, :load_seq FROM (SELECT DISTINCT {id_column} FROM {fact} WHERE load_seq = :load_seq) mine
        WHERE EXISTS (
            SELECT FROM {fact} older JOIN loads USING (load_seq)
            WHERE older.{id_column} = mine.{id_column} AND older.load_seq < :load_seq AND NOT loads.undone
        )"""  # noqa: S608  (names from VERSIONED, values bound)
    if connection.execute(text(statement), {"table": table, "load_seq": load_seq}).rowcount:
        connection.execute(text("ANALYZE replaced"))
