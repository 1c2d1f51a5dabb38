"""A store in PostgreSQL made, brought up to date, or refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert as insert_or

from cloudmap.errors import StoreError
from cloudmap.schema import Table
from cloudmap.store import points
from cloudmap.store.columns import encode, missing_columns
from cloudmap.store.migrations import HEAD, known_revisions, migrate
from cloudmap.store.postgis_draft import make_room
from cloudmap.store.server import Server
from cloudmap.store.tables import About
from cloudmap.store.views import build_views

_ONE_AT_A_TIME: Final = 0x636C6F7564  # "cloud"


def open_or_make(server: Server, *, create: bool, remedy: str) -> None:
    """Bring the store's tables to this program's version, in one transaction.

    Raises
    ------
    StoreError
        There is no store and `create` is false, or a newer cloudmap made it.
    """
    with server.reading() as connection:
        version = _version(connection, server)
    if version is None and not create:
        raise StoreError(f"no store at {server.name}. Make one with `{remedy}`")
    if version == HEAD:
        return
    with server.writing() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
        version = _version(connection, server)
        if version is None:
            _prepare(connection, server)
        elif version not in known_revisions():
            raise StoreError(
                f"{server.name}: schema version {version}, this cloudmap knows {HEAD}: the store was made by a newer version. "
                "Upgrade cloudmap; the store is unchanged"
            )
        if version != HEAD:
            migrate(connection)
            points.reach("in-upgrade")
            build_views(connection)


def check_city(server: Server, city: str) -> None:
    """Refuse the store of another city.

    Raises
    ------
    StoreError
        The store says that it is another city's.
    """
    with server.reading() as connection:
        holds = connection.scalar(select(About.value).where(About.name == "city"))
    if city and holds and holds != city:
        raise StoreError(
            f"{server.name}: holds city {holds}, not {city}. A store has one city: name another database, or a schema of its own with "
            "?schema=name at the URL's end"
        )


def make_ready(server: Server, tables: Mapping[str, Table], city: str, restricted: Collection[str]) -> None:
    """Give known tables their columns, and tell the store its city and which categories' places the views keep back.

    Nothing is written where all of it is there already.
    """
    codes = sorted(restricted)
    with server.reading() as connection:
        wanted = {name: missing_columns(connection, name, encode(name, table.dtypes)) for name, table in tables.items()}
        told = connection.scalar(select(About.value).where(About.name == "city"))
        kept_back = sorted(connection.scalars(text("SELECT code FROM restricted_categories")))
    if not any(wanted.values()) and (not city or (told == city and kept_back == codes)):
        return
    with server.writing("loads") as connection:
        make_room(connection, {name: encode(name, table.dtypes) for name, table in tables.items()}, tables)
        if city:
            connection.execute(insert_or(About).values(name="city", value=city).on_conflict_do_nothing())
            connection.execute(text("DELETE FROM restricted_categories"))
            if codes:
                connection.execute(text("INSERT INTO restricted_categories VALUES (:code)"), [{"code": code} for code in codes])


def _version(connection: Connection, server: Server) -> str | None:
    """Return the revision of the store's tables, None where there are none."""
    if server.schema and connection.scalar(text("SELECT current_schema()")) != server.schema:
        return None
    if connection.scalar(text("SELECT to_regclass(quote_ident(current_schema()) || '.alembic_version')")) is None:
        return None
    version = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if version is None else str(version)


def _prepare(connection: Connection, server: Server) -> None:
    if server.schema:
        connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{server.schema}"'))
    if connection.scalar(text("SELECT to_regtype('geometry')")) is None:
        available = connection.scalar(text("SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'"))
        if not available:
            raise StoreError(f"{server.name}: PostGIS is not installed on the server. On Debian: apt-get install postgresql-15-postgis-3")
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS postgis SCHEMA public"))
