"""The PostgreSQL server that a store lives on: connections, what they say when they fail, and trying again when they are cut."""

from __future__ import annotations

import os
import re
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import polars as pl
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from cloudmap.errors import StoreError

if TYPE_CHECKING:
    from adbc_driver_manager import AdbcDatabase

READ_PATIENCE_S: Final = 15.0
WRITE_PATIENCE_S: Final = 90.0
"""How long a cut connection is tried again; a restart of the server takes seconds, of its machine a minute or two."""

_LOCK_WAIT: Final = "15min"
_T = TypeVar("_T")

_CUT: Final = ("08", "57P01", "57P02", "57P03", "40001", "40P01")
"""States after which the same work may succeed: connection cut, server going down or coming up, two transactions in each other's way."""

_LASTING: Final = re.compile(r"does not exist|authentication|no password|pg_hba|role |too many clients|could not translate", re.IGNORECASE)


class Server:
    """A database, and the schema in it that one store has.

    Parameters
    ----------
    url : str
        ``postgresql://user@host:5432/database``; ``?schema=name`` puts the store into a schema of its own, else it has the first one
        of the connection's search path. The password comes from PGPASSWORD, ~/.pgpass or the URL.

    Raises
    ------
    StoreError
        The URL cannot be read.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError) as error:
            raise StoreError("[store] url: not a URL; want postgresql://user@host:5432/database") from error
        query = dict(parsed.query)
        schema = query.pop("schema", None)
        if schema is not None:
            if not isinstance(schema, str) or not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema):
                raise StoreError(f"[store] url: schema={schema!r}: want small letters, digits and _, beginning with a letter")
            query["options"] = f"{query.get('options', '')} -csearch_path={schema},public".strip()
        self.schema = schema
        # For messages: without the password, and without whatever secret stands behind the question mark.
        self.name = parsed.set(drivername="postgresql", query={"schema": schema} if schema else {}).render_as_string()
        self._url = parsed.set(query=query)
        address = self._url.set(drivername="postgresql+psycopg")
        pool = {"pool_size": 2, "max_overflow": 30, "pool_pre_ping": True, "pool_recycle": 600}
        self.engine = create_engine(address, connect_args={"connect_timeout": 10}, **pool)
        # A forked process must not talk on its parent's connections.
        os.register_at_fork(after_in_child=partial(_forget, weakref.ref(self.engine)))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one snapshot and writes nothing."""
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self.engine.connect().execution_options(**options) as connection:
            yield connection
            connection.rollback()

    @contextmanager
    def writing(self, *tables: str) -> Iterator[Connection]:
        """Open a transaction with every other writer of these tables shut out; readers go on. An exception takes all of it back."""
        with self.engine.connect() as connection, connection.begin():
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'"))
            if tables:
                connection.execute(text(f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE"))
            yield connection

    @contextmanager
    def arrow(self, snapshot: str | None = None) -> Iterator[Any]:
        """Open a cursor that answers in Arrow tables and sees one snapshot: that of another transaction where its name is given."""
        from adbc_driver_manager import AdbcConnection, dbapi

        raw = AdbcConnection(self._arrow_database)
        with dbapi.Connection(cast("AdbcDatabase", _Kept()), raw, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            if snapshot:
                cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            yield cursor
            cursor.execute("COMMIT")

    @cached_property
    def _arrow_database(self) -> Any:
        """What ADBC knows of the server's types: asked once, since that takes longer than most reads. It holds no connection."""
        import adbc_driver_postgresql  # type: ignore[import-untyped]  # ships no types

        address, _, query = self._url.set(drivername="postgresql").render_as_string(hide_password=False).partition("?")
        # libpq takes a + for itself, not for a blank.
        return adbc_driver_postgresql.connect(f"{address}?{query.replace('+', '%20')}")

    @contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """Turn errors of the server, the disk and polars into a StoreError that names the remedy.

        Parameters
        ----------
        doing : str
            What was being done ("writing reports").
        """
        try:
            yield
        except SQLAlchemyError as error:
            cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
            raise StoreError(f"{self.name}: {doing} failed: {_explain(cause)}") from error
        except OSError as error:
            raise StoreError(f"{self.name}: {doing} failed: {error.strerror or error}. {_UNCHANGED}") from error
        except pl.exceptions.PolarsError as error:
            raise StoreError(f"{self.name}: {doing} failed: {_first_line(error)}") from error
        except Exception as error:
            if _state(error) is None:
                raise
            raise StoreError(f"{self.name}: {doing} failed: {_explain(error)}") from error

    def persist(self, work: Callable[[], _T], patience_s: float) -> _T:
        """Do a piece of work that is whole in itself, again where the connection is cut.

        Parameters
        ----------
        work : callable
            One transaction; it must see for itself whether an earlier attempt was committed.
        patience_s : float
            How long to go on trying.
        """
        give_up, pause_s = time.monotonic() + patience_s, 0.1
        while True:
            try:
                return work()
            except Exception as error:
                cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
                if not _may_pass(cause) or time.monotonic() + pause_s > give_up:
                    raise
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 2.0)


def _forget(engine: weakref.ref[Engine]) -> None:
    alive = engine()
    if alive is not None:
        alive.dispose(close=False)


class _Kept:
    """Stands for the database that connections share: closing one of them must not close it."""

    def close(self) -> None:
        """Leave it open."""


_UNCHANGED: Final = "The store is as it was before"


def _state(error: BaseException) -> str | None:
    """Return the SQLSTATE of a driver's error ("" where the server sent none), None for other errors."""
    if not type(error).__module__.startswith(("psycopg", "adbc_driver")):
        return None
    return str(getattr(error, "sqlstate", None) or "")


def _may_pass(error: BaseException) -> bool:
    state = _state(error)
    if state is None:
        return False
    if state:
        return state.startswith(_CUT)
    return type(error).__name__ == "OperationalError" and not _LASTING.search(str(error))


def _explain(error: BaseException) -> str:
    """Say what is wrong and what to do about it."""
    state, said = _state(error) or "", _first_line(error)
    remedies = {
        "53100": f"the server's disk is full. {_UNCHANGED}; make room there and do it again",
        "25006": f"the server takes no writing now ({said}): it is a standby or set to read only. Name the server that is written to",
        "42501": f"this user may not do that ({said}). Log in as the store's owner, or ask the administrator for the right",
        "55P03": "another process has been writing for too long. Wait for it and do it again",
    }
    if state in remedies:
        return remedies[state]
    if _may_pass(error) or not state:
        return f"the server does not answer ({said}). {_UNCHANGED}; see that it runs and that address, database and PGPASSWORD are right"
    return f"{said} (SQLSTATE {state}). {_UNCHANGED}"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
