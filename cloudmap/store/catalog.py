"""The catalog of a lake: one SQLite file whose one transaction is the commit of a load.

Write-ahead logging lets readers read beside the one writer; a transaction that writes begins IMMEDIATE, so that a load's number is
given, and its key looked up, with every other writer shut out.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    func,
    insert,
    select,
    text,
    update,
)

from cloudmap.errors import StoreError
from cloudmap.store import points
from cloudmap.store.contract import LoadKey, LoadRecord
from cloudmap.store.files import StoredFile
from cloudmap.store.transactions import Transactions

SCHEMA_VERSION: Final = 2
"""Raised with every change of the tables below; a store with a higher one is refused, one with a lower one is brought up."""

_UPGRADES: Final[dict[int, tuple[str, ...]]] = {1: ("ALTER TABLE loads ADD COLUMN undone_at VARCHAR",)}
"""What brings a catalog of each version to the next."""

_WAIT_S: Final = 60

metadata = MetaData()

about = Table("about", metadata, Column("name", String, primary_key=True), Column("value", String, nullable=False))

loads = Table(
    "loads",
    metadata,
    Column("load_seq", Integer, primary_key=True),
    Column("draft_id", String, nullable=False, unique=True),
    Column("sha256", String, nullable=False),
    Column("source_id", String, nullable=False),
    Column("mapping_version", String, nullable=False),
    Column("file", String, nullable=False),
    Column("base_map_version", String, nullable=False),
    Column("loaded_at", String, nullable=False),
    Column("undone", Boolean, nullable=False, default=False),
    Column("undone_at", String),
    Column("ledger", JSON, nullable=False),
)
Index(
    "one_visible_load_per_key",
    loads.c.sha256,
    loads.c.source_id,
    loads.c.mapping_version,
    unique=True,
    sqlite_where=loads.c.undone == text("0"),
)

files = Table(
    "files",
    metadata,
    Column("path", String, primary_key=True),
    Column("load_seq", ForeignKey("loads.load_seq"), nullable=False, index=True),
    Column("table_name", String, nullable=False, index=True),
    Column("rows_n", Integer, nullable=False),
    Column("bytes_n", Integer, nullable=False),
    Column("sha256", String, nullable=False),
    Column("first_id", String),
    Column("last_id", String),
)

results = Table(
    "results",
    metadata,
    Column("result_seq", Integer, primary_key=True),
    Column("name", String, nullable=False, index=True),
    Column("key", String, nullable=False),
    Column("path", String, nullable=False, unique=True),
    Column("rows_n", Integer, nullable=False),
    Column("bytes_n", Integer, nullable=False),
    Column("sha256", String, nullable=False),
    Column("provenance", JSON, nullable=False),
)

remembered = Table(
    "remembered",
    metadata,
    Column("remembered_seq", Integer, primary_key=True),
    Column("name", String, nullable=False, index=True),
    Column("load_seq", ForeignKey("loads.load_seq")),
    Column("content", LargeBinary, nullable=False),
)


class Catalog(Transactions):
    """The catalog file of one lake, and the transactions on it.

    Parameters
    ----------
    path : Path
        The SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(self._connect)

    def create(self) -> None:
        """Make the tables where they are missing, all in one transaction."""
        connection = sqlite3.connect(self.path, timeout=_WAIT_S)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        with self.writing() as transaction:
            metadata.create_all(transaction, checkfirst=True)
            if transaction.scalar(select(func.count()).select_from(about)) == 0:
                transaction.execute(insert(about), [{"name": "schema_version", "value": str(SCHEMA_VERSION)}])

    def check_version(self) -> None:
        """Bring an older catalog up to this program's version, in one transaction; refuse one that this program does not know.

        Raises
        ------
        StoreError
            A newer cloudmap made it, or it is no catalog.
        """
        with self.reading() as transaction:
            if "about" not in set(transaction.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'"))):
                raise StoreError(f"{self.path}: not a catalog of cloudmap, it has no table 'about'. Name another folder in [store] url")
            version = _version(transaction)
        if version in _UPGRADES:
            self._upgrade()
        elif version != SCHEMA_VERSION:
            raise StoreError(
                f"{self.path}: schema version {version}, this cloudmap knows {SCHEMA_VERSION}: the store was made by a newer version. "
                "Upgrade cloudmap; the store is unchanged"
            )

    def _upgrade(self) -> None:
        with self.writing() as transaction:
            for version in range(_version(transaction), SCHEMA_VERSION):
                for statement in _UPGRADES[version]:
                    transaction.execute(text(statement))
                points.reach("in-upgrade")
            transaction.execute(update(about).where(about.c.name == "schema_version").values(value=str(SCHEMA_VERSION)))

    def _connect(self) -> sqlite3.Connection:
        if not os.access(self.path.parent, os.W_OK, effective_ids=True):
            return self._open(self._mode_without_log())
        try:
            return self._open("rw")
        except sqlite3.OperationalError as error:
            # A disk without room for the log's index (32 KB) can still be read.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_IOERR:
                raise
            return self._open(self._mode_without_log())

    def _open(self, mode: str) -> sqlite3.Connection:
        location = f"file:{quote(str(self.path))}?mode={mode}"
        connection = sqlite3.connect(location, uri=True, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _mode_without_log(self) -> str:
        """Say how SQLite may open the file where it cannot make its log: as unchanging, but only if no log holds newer pages."""
        log = self.path.with_name(f"{self.path.name}-wal")
        return "ro" if log.exists() and log.stat().st_size else "ro&immutable=1"


def _version(transaction: Connection) -> int:
    return int(transaction.scalar(select(about.c.value).where(about.c.name == "schema_version")) or 0)


def load_records(transaction: Connection) -> list[LoadRecord]:
    """List the committed loads, oldest first."""
    tables: dict[int, dict[str, int]] = {}
    counted = select(files.c.load_seq, files.c.table_name, func.sum(files.c.rows_n)).group_by(files.c.load_seq, files.c.table_name)
    for load_seq, table, rows_n in transaction.execute(counted):
        if not table.startswith("_"):
            tables.setdefault(load_seq, {})[table] = int(rows_n)
    rows = transaction.execute(select(loads).order_by(loads.c.load_seq))
    return [_record(row, tables.get(row.load_seq, {})) for row in rows]


def _record(row: Row[Any], tables: dict[str, int]) -> LoadRecord:
    return LoadRecord(
        load_seq=row.load_seq,
        key=LoadKey(row.sha256, row.source_id, row.mapping_version),
        source_id=row.source_id,
        file=row.file,
        base_map_version=row.base_map_version,
        loaded_at=datetime.fromisoformat(row.loaded_at),
        ledger=row.ledger,
        undone=row.undone,
        tables=tables,
        undone_at=datetime.fromisoformat(row.undone_at) if row.undone_at else None,
    )


def find_load(transaction: Connection, key: LoadKey) -> LoadRecord | None:
    """Return the load with this key that is not undone."""
    return next((one for one in load_records(transaction) if one.key == key and not one.undone), None)


def table_files(transaction: Connection, table: str, visible: Sequence[int] | None = None) -> dict[int, list[Row[Any]]]:
    """List a table's files by load, oldest load first; of the visible loads only where these are given."""
    query = select(files).where(files.c.table_name == table).order_by(files.c.load_seq, files.c.path)
    wanted = None if visible is None else set(visible)
    found: dict[int, list[Row[Any]]] = {}
    for row in transaction.execute(query):
        if wanted is None or row.load_seq in wanted:
            found.setdefault(row.load_seq, []).append(row)
    return found


def stored_file(row: Row[Any]) -> StoredFile:
    """Return the file that a row of ``files`` or ``results`` describes."""
    return StoredFile(row.path, row.rows_n, row.bytes_n, row.sha256)


def add_load(
    transaction: Connection, draft_id: str, key: LoadKey, *, file: str, base_map_version: str, ledger_entry: dict[str, Any]
) -> int:
    """Give a load the next number and write its row; return the number."""
    load_seq = int(transaction.scalar(select(func.coalesce(func.max(loads.c.load_seq), 0))) or 0) + 1
    row = {
        "load_seq": load_seq,
        "draft_id": draft_id,
        "sha256": key.sha256,
        "source_id": key.source_id,
        "mapping_version": key.mapping_version,
        "file": file,
        "base_map_version": base_map_version,
        "loaded_at": datetime.now(UTC).isoformat(),
        "undone": False,
        "ledger": {**ledger_entry, "load_seq": load_seq},
    }
    transaction.execute(insert(loads), [row])
    return load_seq


def mark_undone(transaction: Connection, load_seq: int) -> None:
    """Hide a load, and note when."""
    hidden = update(loads).where(loads.c.load_seq == load_seq, loads.c.undone.is_(False))
    transaction.execute(hidden.values(undone=True, undone_at=datetime.now(UTC).isoformat()))
