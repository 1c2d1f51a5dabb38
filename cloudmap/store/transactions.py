"""Transactions on an SQLite file: readers see one snapshot, writers wait for one another."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import NullPool


class Transactions:
    """Transactions on one SQLite file.

    Parameters
    ----------
    connect : callable
        Opens the file, with ``isolation_level=None``: transactions begin here.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        # A connection a transaction: nothing is shared between threads, and a forked process inherits no open file.
        self._engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
        event.listen(self._engine, "begin", _begin)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one snapshot and writes nothing."""
        with self._engine.connect() as connection:
            yield connection
            connection.rollback()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction with every other writer shut out; an exception takes all of it back."""
        with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
