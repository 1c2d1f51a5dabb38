"""The store on a PostgreSQL server with PostGIS, for a city whose other programs live there too.

    loads, load_tables, replaced, results, remembered, about     the catalog (`tables`)
    fact_<table>                                                 rows of every load, the city's columns among them (`columns`)
    units, cells, cell_weeks                                     what the newest analysis shows (`published`)
    reports_current, units_current, cells_weekly                 views for QGIS and plain SQL (`views`)

A load is one transaction; its row in ``loads`` makes its rows visible. Spatial types stand here and in the migrations only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import BigInteger, Computed, Date, Double, Index, Text, func, insert, or_, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from cloudmap.errors import StoreError
from cloudmap.schema import Table
from cloudmap.store import postgis_results, upgrading
from cloudmap.store.admission import pack, unpack
from cloudmap.store.contract import Contents, LoadKey, LoadRecord, StoredResult, Where
from cloudmap.store.postgis_contents import fill_postgis, postgis_contents
from cloudmap.store.postgis_draft import PostgisDraft
from cloudmap.store.postgis_loads import load_records
from cloudmap.store.reading import read_table
from cloudmap.store.records import spans, state_of
from cloudmap.store.server import READ_PATIENCE_S, WRITE_PATIENCE_S, Server
from cloudmap.store.tables import Base, Load, Remembered


class FactReport(Base):
    """A version of a report; the columns that a city adds to these stand beside them (`columns.add_columns`)."""

    __tablename__ = "fact_reports"
    __table_args__ = ({"comment": "one row per version of a report; reports_current shows the newest that are not undone"},)

    load_seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="the load that brought it")
    load_row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="place of the row in its load")
    report_id: Mapped[str] = mapped_column(Text(collation="C"), index=True, comment="source_id:source_report_id, unique in the city")
    category_code: Mapped[str | None] = mapped_column(Text(collation="C"), comment="second-level code of the taxonomy")
    lon_deg: Mapped[float | None] = mapped_column(Double, comment="longitude, WGS84, degrees")
    lat_deg: Mapped[float | None] = mapped_column(Double, comment="latitude, WGS84, degrees")
    geom: Mapped[WKBElement | None] = mapped_column(
        Geometry("POINT", srid=4326, spatial_index=True),
        Computed("ST_SetSRID(ST_MakePoint(lon_deg, lat_deg), 4326)", persisted=True),
        nullable=True,
        comment="the point, WGS84; null where the report has none",
    )


class UnitShape(Base):
    """A dated version of a unit of the base map."""

    __tablename__ = "units"
    __table_args__ = ({"comment": "units of the newest analysis, every dated version"},)

    unit_seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="place in the base map")
    level: Mapped[str] = mapped_column(Text, comment="district, street, community, village, grid or microgrid")
    kind: Mapped[str] = mapped_column(Text, comment="partition or overlay")
    code: Mapped[str] = mapped_column(Text(collation="C"), comment="code of the unit")
    name: Mapped[str | None] = mapped_column(Text, comment="name of the unit")
    parent: Mapped[str | None] = mapped_column(Text(collation="C"), comment="code of the unit above")
    valid_from: Mapped[date | None] = mapped_column(Date, comment="first local day in force; null where open")
    valid_to: Mapped[date | None] = mapped_column(Date, comment="first local day no longer in force; null where open")
    staff_n: Mapped[int | None] = mapped_column(BigInteger, comment="staff reporters, a count")
    volunteers_n: Mapped[int | None] = mapped_column(BigInteger, comment="volunteers, a count")
    population_n: Mapped[int | None] = mapped_column(BigInteger, comment="people, a count")
    geom: Mapped[WKBElement | None] = mapped_column(
        Geometry("MULTIPOLYGON", srid=4326, spatial_index=True), nullable=True, comment="shape, WGS84; null for an overlay without one"
    )


class CellShape(Base):
    """An H3 cell that the city covers or that holds a report."""

    __tablename__ = "cells"
    __table_args__ = ({"comment": "H3 cells of the newest analysis"},)

    resolution: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="H3 resolution")
    place: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True, comment="H3 cell as a hexadecimal string")
    area_m2: Mapped[float | None] = mapped_column(Double, comment="area, square metres")
    geom: Mapped[WKBElement] = mapped_column(Geometry("POLYGON", srid=4326, spatial_index=True), comment="hexagon, WGS84")


class CellWeek(Base):
    """Weekly counts of a cell and category."""

    __tablename__ = "cell_weeks"
    __table_args__ = (
        Index("ix_cell_weeks_resolution_week_on", "resolution", "week_on"),
        {"comment": "weekly counts per cell and category, of the newest analysis"},
    )

    row_n: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="number of the row, for programs that want a key"
    )
    resolution: Mapped[int] = mapped_column(comment="H3 resolution")
    place: Mapped[str] = mapped_column(Text(collation="C"), comment="H3 cell as a hexadecimal string")
    week_on: Mapped[date] = mapped_column(Date, comment="Monday that the ISO week starts on, local")
    category_code: Mapped[str] = mapped_column(Text(collation="C"), comment="second-level code of the taxonomy")
    reports_n: Mapped[int] = mapped_column(BigInteger, comment="reports")
    matters_n: Mapped[int] = mapped_column(BigInteger, comment="matters")
    burden: Mapped[float | None] = mapped_column(Double, comment="sum of severity weights over matters")


class RestrictedCategory(Base):
    """A category whose places the views keep back."""

    __tablename__ = "restricted_categories"
    __table_args__ = ({"comment": "categories whose places the views keep back"},)

    code: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True, comment="second-level code of the taxonomy")


class Postgis:
    """A store on a server; see `cloudmap.store.contract.Store` for what it promises, `Postgis.open` to get one.

    Parameters
    ----------
    server : Server
        Where it lives.
    tables : mapping of str to Table
        Tables whose columns are known: writes are checked against them, and reads give them even before the first load.
    """

    def __init__(self, server: Server, tables: Mapping[str, Table]) -> None:
        self.server = server
        self._tables = tables

    @classmethod
    def open(
        cls,
        url: str,
        *,
        tables: Mapping[str, Table] | None = None,
        create: bool = False,
        remedy: str = "cloudmap load CITY",
        city: str = "",
        restricted: Collection[str] = (),
    ) -> Postgis:
        """Open the store on a server.

        Parameters
        ----------
        url : str
            As `Server` takes it.
        tables : mapping of str to Table, optional
            Tables whose columns are known.
        create : bool
            Make the store where there is none, and the columns of known tables.
        remedy : str
            The command that makes one, for the message that there is none.
        city : str, optional
            Code of the city: a store holds one city, and another one is refused.
        restricted : collection of str
            Categories whose places the views keep back; told anew with every `create`.

        Raises
        ------
        StoreError
            There is no store and `create` is false; a newer cloudmap made it; it is another city's; the server does not answer.
        """
        server, tables = Server(url), tables or {}
        with server.translated("opening the store"):
            upgrading.open_or_make(server, create=create, remedy=remedy)
            upgrading.check_city(server, city)
            if create:
                upgrading.make_ready(server, tables, city, restricted)
        return cls(server, tables)

    def loads(self) -> list[LoadRecord]:
        """List every committed load in order of ``load_seq``, undone ones too."""

        def listed() -> list[LoadRecord]:
            with self.server.reading() as connection:
                return load_records(connection)

        with self.server.translated("listing the loads"):
            return self.server.persist(listed, READ_PATIENCE_S)

    def find(self, key: LoadKey) -> LoadRecord | None:
        """Return the load with this key that is not undone, if there is one."""
        return next((one for one in self.loads() if one.key == key and not one.undone), None)

    def draft(self, key: LoadKey, *, file: str = "", base_map_version: str = "") -> PostgisDraft:
        """Begin a load; use it with ``with``."""
        return PostgisDraft(self.server, key, file=file, base_map_version=base_map_version, tables=self._tables)

    def read(self, table: str, columns: Sequence[str] | None = None, where: Sequence[Where] = (), as_of: int | None = None) -> pl.DataFrame:
        """Read a table as one snapshot: the newest version of each row of the visible loads."""

        def rows() -> pl.DataFrame:
            with self.server.arrow() as cursor:
                return read_table(cursor, table, self._tables, columns, where, as_of)

        with self.server.translated(f"reading {table}"):
            return self.server.persist(rows, READ_PATIENCE_S)

    def undo(self, load_seq: int) -> LoadRecord:
        """Hide a load, for good."""

        def hide() -> LoadRecord:
            with self.server.writing("loads") as connection:
                known = {one.load_seq: one for one in load_records(connection)}
                if load_seq not in known:
                    raise StoreError(f"{self.server.name}: no load {load_seq}; have {spans(known)}. `cloudmap ledger CITY` lists them")
                hidden = update(Load).where(Load.load_seq == load_seq, ~Load.undone).values(undone=True, undone_at=datetime.now(UTC))
                connection.execute(hidden)
                return next(one for one in load_records(connection) if one.load_seq == load_seq)

        with self.server.translated("undoing a load"):
            return self.server.persist(hide, WRITE_PATIENCE_S)

    def compact(self) -> int:
        """Give back the room of loads that died in their transaction, and return how many bytes of facts that freed."""
        facts = "relkind = 'r' AND relname LIKE 'fact\\_%' AND relnamespace = current_schema()::regnamespace"
        size = text(f"SELECT coalesce(sum(pg_relation_size(oid)), 0)::bigint FROM pg_class WHERE {facts}")  # noqa: S608  (a constant)
        names = text(f"SELECT quote_ident(relname) FROM pg_class WHERE {facts}")  # noqa: S608  (as above)
        with self.server.translated("sweeping the store"), self.server.engine.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            before = int(alone.scalar(size) or 0)
            for name in {*Base.metadata.tables, *alone.scalars(names)}:
                alone.execute(text(f"VACUUM (ANALYZE) {name}"))
            return max(0, before - int(alone.scalar(size) or 0))

    def save_result(self, name: str, key: str, frame: pl.DataFrame, provenance: Mapping[str, Any]) -> None:
        """Keep a computed table; the same key is replaced, the last few keys of a name stay."""
        with self.server.translated(f"keeping result {name}"):
            self.server.persist(lambda: postgis_results.save(self.server, name, key, frame, provenance), WRITE_PATIENCE_S)

    def result(self, name: str, key: str | None = None) -> StoredResult | None:
        """Return a kept result, the newest of its name where no key is given."""
        with self.server.translated(f"reading result {name}"):
            return self.server.persist(lambda: postgis_results.load(self.server, name, key), READ_PATIENCE_S)

    def state(self) -> str:
        """Digest of the visible loads."""
        return state_of(self.loads())

    def remember(self, name: str, frame: pl.DataFrame) -> None:
        """Keep a small table beside the newest visible load."""
        content = pack(frame)

        def keep() -> None:
            with self.server.writing("loads") as connection:
                newest = connection.scalar(select(func.max(Load.load_seq)).where(~Load.undone))
                connection.execute(insert(Remembered).values(name=name, load_seq=newest, content=content))

        with self.server.translated(f"remembering {name}"):
            self.server.persist(keep, WRITE_PATIENCE_S)

    @contextmanager
    def contents(self) -> Iterator[Contents]:
        """Open all that the store holds, as one snapshot."""
        with self.server.translated("reading the whole store"), postgis_contents(self.server) as contents:
            yield contents

    def take(self, contents: Contents) -> None:
        """Take over all that another store held, at once or not at all."""
        with self.server.translated("filling the store"):
            self.server.persist(lambda: fill_postgis(self.server, contents, self._tables), WRITE_PATIENCE_S)

    def recall(self, name: str) -> pl.DataFrame | None:
        """Return the newest remembered table of a name whose load is not undone."""
        query = (
            select(Remembered.content)
            .outerjoin(Load, Remembered.load_seq == Load.load_seq)
            .where(Remembered.name == name, or_(Remembered.load_seq.is_(None), ~Load.undone))
            .order_by(Remembered.remembered_seq.desc())
            .limit(1)
        )

        def content() -> bytes | None:
            with self.server.reading() as connection:
                return connection.scalar(query)

        with self.server.translated(f"recalling {name}"):
            found = self.server.persist(content, READ_PATIENCE_S)
        return None if found is None else unpack(found)
