"""``accounts.sqlite``: who may look, who is looking, and who tried.

The file lies in the city's folder, readable by its owner only, and not in the store: an account belongs to the machine that serves, not
to the facts, so that a copied store or a backup gives nobody's password away and a restored one signs nobody in.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import JSON, Boolean, Column, Float, Integer, MetaData, String, Table
from sqlalchemy.exc import DatabaseError

from cloudmap.errors import AccessError
from cloudmap.store.transactions import Transactions

NAME: Final = "accounts.sqlite"
VERSION: Final = 1
"""``user_version`` of the file; raised with every change of the tables below."""

metadata = MetaData()

secrets_table = Table("secrets", metadata, Column("name", String, primary_key=True), Column("value", String, nullable=False))

users = Table(
    "users",
    metadata,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("units", JSON, nullable=False),
    Column("restricted", Boolean, nullable=False),
    Column("password_hash", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("password_at", Float, nullable=False),
    Column("disabled_at", Float),
)

tokens = Table(
    "tokens",
    metadata,
    Column("name", String, primary_key=True),
    Column("digest", String, nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("holder", String, nullable=False, index=True),
    Column("started_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("kind", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("tried_n", Integer, nullable=False),
    Column("first_at", Float, nullable=False),
    Column("locked_until", Float, nullable=False),
)


class AccountFile(Transactions):
    """The file and the transactions on it.

    Parameters
    ----------
    path : Path
        The SQLite file; made, for its owner only, where there is none.

    Raises
    ------
    AccessError
        It cannot be made or opened, others can read it, or a newer cloudmap made it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            mode = path.stat().st_mode & 0o777
        except OSError as error:
            raise AccessError(f"{path}: accounts cannot be kept here ({error.strerror or error}). Make the folder writable") from error
        if mode & 0o077:
            raise AccessError(f"{path}: others can read it (mode {mode:03o}), and with it the hashes of passwords. Run `chmod 600 {path}`")
        super().__init__(self._connect)
        try:
            self._prepare()
        except (sqlite3.Error, DatabaseError) as error:
            raise AccessError(
                f"{path}: no file of accounts ({error}). Restore it from a copy, or move it away and add accounts anew"
            ) from error

    def _prepare(self) -> None:
        connection = sqlite3.connect(self.path, timeout=30)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        finally:
            connection.close()
        if version > VERSION:
            raise AccessError(f"{self.path}: version {version}, this cloudmap knows {VERSION}; a newer one made it. Upgrade cloudmap")
        if version == 0:
            with self.writing() as transaction:
                metadata.create_all(transaction, checkfirst=True)
                transaction.exec_driver_sql(f"PRAGMA user_version = {VERSION}")

    def _connect(self) -> sqlite3.Connection:
        location = f"file:{quote(str(self.path))}?mode=rw"
        return sqlite3.connect(location, uri=True, timeout=30, isolation_level=None, check_same_thread=False)
