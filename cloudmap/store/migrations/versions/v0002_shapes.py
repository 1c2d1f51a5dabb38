"""What the newest analysis shows, as tables with shapes, for QGIS and plain SQL; the views over them are made anew with every upgrade."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry

revision = "0002"
down_revision = "0001"

spatial: Any = op  # geoalchemy2 adds its operations when they are first wanted


def upgrade() -> None:
    """Make the tables of units, cells and their weeks, of shared matters, and of categories that are kept back."""
    spatial.create_geospatial_table(
        "units",
        sa.Column("unit_seq", sa.Integer(), autoincrement=False, nullable=False, comment="place in the base map"),
        sa.Column("level", sa.Text(), nullable=False, comment="district, street, community, village, grid or microgrid"),
        sa.Column("kind", sa.Text(), nullable=False, comment="partition or overlay"),
        sa.Column("code", sa.Text(collation="C"), nullable=False, comment="code of the unit"),
        sa.Column("name", sa.Text(), nullable=True, comment="name of the unit"),
        sa.Column("parent", sa.Text(collation="C"), nullable=True, comment="code of the unit above"),
        sa.Column("valid_from", sa.Date(), nullable=True, comment="first local day in force; null where open"),
        sa.Column("valid_to", sa.Date(), nullable=True, comment="first local day no longer in force; null where open"),
        sa.Column("staff_n", sa.BigInteger(), nullable=True, comment="staff reporters, a count"),
        sa.Column("volunteers_n", sa.BigInteger(), nullable=True, comment="volunteers, a count"),
        sa.Column("population_n", sa.BigInteger(), nullable=True, comment="people, a count"),
        sa.Column(
            "geom",
            Geometry(geometry_type="MULTIPOLYGON", srid=4326, spatial_index=False),
            nullable=True,
            comment="shape, WGS84; null for an overlay without one",
        ),
        sa.PrimaryKeyConstraint("unit_seq"),
    )
    op.create_table_comment("units", "units of the newest analysis, every dated version")
    spatial.create_geospatial_index("idx_units_geom", "units", ["geom"], unique=False, postgresql_using="gist", postgresql_ops={})
    spatial.create_geospatial_table(
        "cells",
        sa.Column("resolution", sa.Integer(), autoincrement=False, nullable=False, comment="H3 resolution"),
        sa.Column("place", sa.Text(collation="C"), nullable=False, comment="H3 cell as a hexadecimal string"),
        sa.Column("area_m2", sa.Double(), nullable=True, comment="area, square metres"),
        sa.Column(
            "geom", Geometry(geometry_type="POLYGON", srid=4326, spatial_index=False), nullable=False, comment="hexagon, WGS84"
        ),
        sa.PrimaryKeyConstraint("resolution", "place"),
    )  # fmt: skip
    op.create_table_comment("cells", "H3 cells of the newest analysis")
    spatial.create_geospatial_index("idx_cells_geom", "cells", ["geom"], unique=False, postgresql_using="gist", postgresql_ops={})
    op.create_table(
        "cell_weeks",
        sa.Column("row_n", sa.BigInteger(), autoincrement=False, nullable=False, comment="number of the row, for programs that want a key"),
        sa.Column("resolution", sa.Integer(), nullable=False, comment="H3 resolution"),
        sa.Column("place", sa.Text(collation="C"), nullable=False, comment="H3 cell as a hexadecimal string"),
        sa.Column("week_on", sa.Date(), nullable=False, comment="Monday that the ISO week starts on, local"),
        sa.Column("category_code", sa.Text(collation="C"), nullable=False, comment="second-level code of the taxonomy"),
        sa.Column("reports_n", sa.BigInteger(), nullable=False, comment="reports"),
        sa.Column("matters_n", sa.BigInteger(), nullable=False, comment="matters"),
        sa.Column("burden", sa.Double(), nullable=True, comment="sum of severity weights over matters"),
        sa.PrimaryKeyConstraint("row_n"),
        comment="weekly counts per cell and category, of the newest analysis",
    )
    op.create_index("ix_cell_weeks_resolution_week_on", "cell_weeks", ["resolution", "week_on"])
    op.create_table(
        "report_matters",
        sa.Column("report_id", sa.Text(collation="C"), nullable=False, comment="source_id:source_report_id, unique in the city"),
        sa.Column("matter_id", sa.Text(collation="C"), nullable=False, comment="report_id of the matter's first report"),
        sa.PrimaryKeyConstraint("report_id"),
        comment="reports that share a matter with others, in the newest analysis; any other is a matter of its own",
    )
    op.create_table(
        "restricted_categories",
        sa.Column("code", sa.Text(collation="C"), nullable=False, comment="second-level code of the taxonomy"),
        sa.PrimaryKeyConstraint("code"),
        comment="categories whose places the views keep back",
    )


def downgrade() -> None:
    """Drop the views and the tables below them; an analysis fills them again."""
    for view in ("cells_weekly", "units_current", "reports_current"):
        op.execute(f"DROP VIEW IF EXISTS {view}")
    for table in ("restricted_categories", "report_matters", "cell_weeks"):
        op.drop_table(table)
    for table in ("cells", "units"):
        spatial.drop_geospatial_table(table)
