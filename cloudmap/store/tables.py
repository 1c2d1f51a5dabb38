"""Catalog of a store in PostgreSQL: loads, what they hold, results and remembered tables. Its shapes stand in `postgis`.

A change here needs a migration (`cloudmap/store/migrations`); a test compares the two.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables that migrations make."""


class About(Base):
    """What the store says of itself."""

    __tablename__ = "about"
    __table_args__ = ({"comment": "what the store says of itself"},)

    name: Mapped[str] = mapped_column(Text, primary_key=True, comment="what is told: city, now_on")
    value: Mapped[str] = mapped_column(Text, comment="its value, as text")


class Load(Base):
    """One file of one source, loaded."""

    __tablename__ = "loads"
    __table_args__ = (
        Index(
            "one_visible_load_per_key", "sha256", "source_id", "mapping_version", unique=True, postgresql_where=text("NOT undone")
        ),
        {"comment": "one row per loaded file; the row is what makes the load's rows visible"},
    )  # fmt: skip

    load_seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="number of the load; orders loads, not the clock")
    draft_id: Mapped[str] = mapped_column(Text, unique=True, comment="id of the attempt that committed it")
    sha256: Mapped[str] = mapped_column(Text, comment="SHA-256 of the file")
    source_id: Mapped[str] = mapped_column(Text, comment="id of the source in the city file")
    mapping_version: Mapped[str] = mapped_column(Text, comment="digest of what decides how the file is read")
    file: Mapped[str] = mapped_column(Text, comment="name of the file")
    base_map_version: Mapped[str] = mapped_column(Text, comment="version of the base map that places were found with")
    loaded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), comment="what the clock said; orders nothing")
    undone: Mapped[bool] = mapped_column(server_default=text("false"), comment="true where the load was taken back: its rows are hidden")
    undone_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), comment="when it was taken back")
    ledger: Mapped[dict[str, Any]] = mapped_column(JSON, comment="where every record of the file went, as `cloudmap ledger --json`")


class LoadTable(Base):
    """What a load holds of a table."""

    __tablename__ = "load_tables"
    __table_args__ = ({"comment": "what each load holds of each table"},)

    load_seq: Mapped[int] = mapped_column(ForeignKey("loads.load_seq"), primary_key=True, comment="number of the load")
    table_name: Mapped[str] = mapped_column(Text, primary_key=True, comment="the table; its rows stand in fact_<table_name>")
    rows_n: Mapped[int] = mapped_column(BigInteger, comment="rows of the load")
    columns: Mapped[list[list[str]]] = mapped_column(JSON, comment="columns of the load's rows in order: name and type")


class Replaced(Base):
    """An id of a load that earlier visible loads hold too, so that readers need not compare all loads with all."""

    __tablename__ = "replaced"
    __table_args__ = ({"comment": "ids of which a load brought a newer version"},)

    table_name: Mapped[str] = mapped_column(Text, primary_key=True, comment="the table")
    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True, comment="report_id of a row that is older elsewhere")
    load_seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="the load with the newer version")


class Result(Base):
    """A computed table."""

    __tablename__ = "results"
    __table_args__ = ({"comment": "computed tables, the last few keys of every name"},)

    result_seq: Mapped[int] = mapped_column(Identity(always=True), primary_key=True, comment="order in which results were kept")
    name: Mapped[str] = mapped_column(Text, index=True, comment="what it is")
    key: Mapped[str] = mapped_column(Text, comment="digest of all that it was computed from")
    rows_n: Mapped[int] = mapped_column(BigInteger, comment="rows")
    sha256: Mapped[str] = mapped_column(Text, comment="SHA-256 of the content")
    provenance: Mapped[dict[str, Any]] = mapped_column(JSON, comment="what it was computed from, in words")
    content: Mapped[bytes] = mapped_column(LargeBinary, comment="the table, as a Parquet file")


class ReportMatter(Base):
    """A report that shares its matter with others."""

    __tablename__ = "report_matters"
    __table_args__ = ({"comment": "reports that share a matter with others, in the newest analysis; any other is a matter of its own"},)

    report_id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True, comment="source_id:source_report_id, unique in the city")
    matter_id: Mapped[str] = mapped_column(Text(collation="C"), comment="report_id of the matter's first report")


class Remembered(Base):
    """A small table beside a load."""

    __tablename__ = "remembered"
    __table_args__ = ({"comment": "small tables beside a load, such as known pile-ups"},)

    remembered_seq: Mapped[int] = mapped_column(Identity(always=True), primary_key=True, comment="order in which they were kept")
    name: Mapped[str] = mapped_column(Text, index=True, comment="what it is")
    load_seq: Mapped[int | None] = mapped_column(ForeignKey("loads.load_seq"), comment="the load that it belongs to")
    content: Mapped[bytes] = mapped_column(LargeBinary, comment="the table, as a Parquet file")
