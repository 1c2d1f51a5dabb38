"""Facts at rest: loads, what they hold, results, remembered tables, and reports with their points."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

spatial: Any = op  # geoalchemy2 adds its operations when they are first wanted


def upgrade() -> None:
    """Make the tables of a store."""
    op.create_table(
        "about",
        sa.Column("name", sa.Text(), nullable=False, comment="what is told: city, now_on"),
        sa.Column("value", sa.Text(), nullable=False, comment="its value, as text"),
        sa.PrimaryKeyConstraint("name"),
        comment="what the store says of itself",
    )
    _loads()
    _results()
    spatial.create_geospatial_table(
        "fact_reports",
        sa.Column("load_seq", sa.Integer(), autoincrement=False, nullable=False, comment="the load that brought it"),
        sa.Column("load_row", sa.Integer(), autoincrement=False, nullable=False, comment="place of the row in its load"),
        sa.Column("report_id", sa.Text(collation="C"), nullable=False, comment="source_id:source_report_id, unique in the city"),
        sa.Column("category_code", sa.Text(collation="C"), nullable=True, comment="second-level code of the taxonomy"),
        sa.Column("lon_deg", sa.Double(), nullable=True, comment="longitude, WGS84, degrees"),
        sa.Column("lat_deg", sa.Double(), nullable=True, comment="latitude, WGS84, degrees"),
        sa.Column(
            "geom",
            Geometry(geometry_type="POINT", srid=4326, spatial_index=False),
            sa.Computed("ST_SetSRID(ST_MakePoint(lon_deg, lat_deg), 4326)", persisted=True),
            nullable=True,
            comment="the point, WGS84; null where the report has none",
        ),
        sa.PrimaryKeyConstraint("load_seq", "load_row"),
    )
    op.create_table_comment("fact_reports", "one row per version of a report; reports_current shows the newest that are not undone")
    spatial.create_geospatial_index(
        "idx_fact_reports_geom", "fact_reports", ["geom"], unique=False, postgresql_using="gist", postgresql_ops={}
    )
    op.create_index("ix_fact_reports_report_id", "fact_reports", ["report_id"])


def _loads() -> None:
    op.create_table(
        "loads",
        sa.Column("load_seq", sa.Integer(), autoincrement=False, nullable=False, comment="number of the load; orders loads, not the clock"),
        sa.Column("draft_id", sa.Text(), nullable=False, comment="id of the attempt that committed it"),
        sa.Column("sha256", sa.Text(), nullable=False, comment="SHA-256 of the file"),
        sa.Column("source_id", sa.Text(), nullable=False, comment="id of the source in the city file"),
        sa.Column("mapping_version", sa.Text(), nullable=False, comment="digest of what decides how the file is read"),
        sa.Column("file", sa.Text(), nullable=False, comment="name of the file"),
        sa.Column("base_map_version", sa.Text(), nullable=False, comment="version of the base map that places were found with"),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False, comment="what the clock said; orders nothing"),
        sa.Column(
            "undone",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="true where the load was taken back: its rows are hidden",
        ),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True, comment="when it was taken back"),
        sa.Column("ledger", postgresql.JSON(), nullable=False, comment="where every record of the file went, as `cloudmap ledger --json`"),
        sa.PrimaryKeyConstraint("load_seq"),
        sa.UniqueConstraint("draft_id"),
        comment="one row per loaded file; the row is what makes the load's rows visible",
    )
    op.create_index(
        "one_visible_load_per_key",
        "loads",
        ["sha256", "source_id", "mapping_version"],
        unique=True,
        postgresql_where=sa.text("NOT undone"),
    )
    op.create_table(
        "load_tables",
        sa.Column("load_seq", sa.Integer(), nullable=False, comment="number of the load"),
        sa.Column("table_name", sa.Text(), nullable=False, comment="the table; its rows stand in fact_<table_name>"),
        sa.Column("rows_n", sa.BigInteger(), nullable=False, comment="rows of the load"),
        sa.Column("columns", postgresql.JSON(), nullable=False, comment="columns of the load's rows in order: name and type"),
        sa.ForeignKeyConstraint(["load_seq"], ["loads.load_seq"]),
        sa.PrimaryKeyConstraint("load_seq", "table_name"),
        comment="what each load holds of each table",
    )
    op.create_table(
        "replaced",
        sa.Column("table_name", sa.Text(), nullable=False, comment="the table"),
        sa.Column("id", sa.Text(collation="C"), nullable=False, comment="report_id of a row that is older elsewhere"),
        sa.Column("load_seq", sa.Integer(), autoincrement=False, nullable=False, comment="the load with the newer version"),
        sa.PrimaryKeyConstraint("table_name", "id", "load_seq"),
        comment="ids of which a load brought a newer version",
    )


def _results() -> None:
    op.create_table(
        "results",
        sa.Column("result_seq", sa.Integer(), sa.Identity(always=True), nullable=False, comment="order in which results were kept"),
        sa.Column("name", sa.Text(), nullable=False, comment="what it is"),
        sa.Column("key", sa.Text(), nullable=False, comment="digest of all that it was computed from"),
        sa.Column("rows_n", sa.BigInteger(), nullable=False, comment="rows"),
        sa.Column("sha256", sa.Text(), nullable=False, comment="SHA-256 of the content"),
        sa.Column("provenance", postgresql.JSON(), nullable=False, comment="what it was computed from, in words"),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="the table, as a Parquet file"),
        sa.PrimaryKeyConstraint("result_seq"),
        comment="computed tables, the last few keys of every name",
    )
    op.create_index("ix_results_name", "results", ["name"])
    op.create_table(
        "remembered",
        sa.Column("remembered_seq", sa.Integer(), sa.Identity(always=True), nullable=False, comment="order in which they were kept"),
        sa.Column("name", sa.Text(), nullable=False, comment="what it is"),
        sa.Column("load_seq", sa.Integer(), nullable=True, comment="the load that it belongs to"),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="the table, as a Parquet file"),
        sa.ForeignKeyConstraint(["load_seq"], ["loads.load_seq"]),
        sa.PrimaryKeyConstraint("remembered_seq"),
        comment="small tables beside a load, such as known pile-ups",
    )
    op.create_index("ix_remembered_name", "remembered", ["name"])
    # Parquet is compressed already.
    for table in ("results", "remembered"):
        op.execute(f"ALTER TABLE {table} ALTER COLUMN content SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Drop the tables of a store, with all that they hold."""
    facts = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'fact\\_%' AND relnamespace = current_schema()::regnamespace"
    for (name,) in op.get_bind().execute(sa.text(facts)).all():
        op.drop_table(name)
    for table in ("remembered", "results", "replaced", "load_tables", "loads", "about"):
        op.drop_table(table)
