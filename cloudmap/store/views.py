"""Views that QGIS and plain SQL read: reports_current, units_current, cells_weekly, each with its shape and a comment on every column.

They show what a signed-in role without the restricted grant may see (``faults``, Disclosure): no text, address or reporter; restricted
reports without their place; no weekly cell counts of restricted categories. Rights on the views can be granted, those on the tables
are the store's own.
"""

from __future__ import annotations

from typing import Final

from psycopg import sql
from sqlalchemy import Connection, text

from cloudmap.store.columns import driver

_HIDDEN: Final = ("load_row", "text", "address", "reporter_hash")
_PLACES: Final = ("lon_deg", "lat_deg", "geom")

_CURRENT: Final = """
SELECT {columns} FROM fact_reports r JOIN loads l USING (load_seq) LEFT JOIN report_matters s USING (report_id)
WHERE NOT l.undone AND {whether} AND NOT EXISTS (
  SELECT FROM replaced n JOIN loads m USING (load_seq)
  WHERE n.table_name = 'reports' AND n.id = r.report_id AND n.load_seq > r.load_seq AND NOT m.undone)"""

_UNITS: Final = """
CREATE OR REPLACE VIEW units_current AS
SELECT unit_seq, level, kind, code, name, parent, valid_from, valid_to, staff_n, volunteers_n, population_n, geom
FROM units, (SELECT (SELECT value FROM about WHERE name = 'now_on')::date AS now_on) AS data
WHERE (valid_from IS NULL OR valid_from <= now_on) AND (valid_to IS NULL OR valid_to > now_on)"""

_CELLS: Final = """
CREATE OR REPLACE VIEW cells_weekly AS
SELECT w.row_n, w.resolution, w.place, w.week_on, w.category_code, w.reports_n, w.matters_n, w.burden, c.area_m2, c.geom
FROM cell_weeks w JOIN cells c USING (resolution, place)
WHERE w.category_code NOT IN (SELECT code FROM restricted_categories)"""

_TABLE_OF: Final = {"reports_current": ("fact_reports",), "units_current": ("units",), "cells_weekly": ("cell_weeks", "cells")}
_MEANINGS: Final = {
    "reports_current": "newest version of every report that is not taken back; restricted categories without their place",
    "units_current": "units in force on the last day of the data",
    "cells_weekly": "reports and matters per H3 cell, ISO week and category (restricted ones left out); filter by resolution first",
}


def build_views(connection: Connection) -> None:
    """Make the views, or make them anew after a migration or after a new column; rights that were granted on them stay."""
    _build_reports(connection)
    connection.execute(text(_UNITS))
    connection.execute(text(_CELLS))
    for view, tables in _TABLE_OF.items():
        _comment(connection, view, tables)


def _build_reports(connection: Connection) -> None:
    have = [name for name, _ in _columns(connection, "reports_current")]
    types = {name: kind for name, kind in _columns(connection, "fact_reports") if name not in _HIDDEN}
    # A view can only be replaced by one with more columns at its end.
    names = [*have, *(name for name in types if name not in have)]
    if not set(have) <= set(types):
        connection.execute(text("DROP VIEW reports_current"))
        names = list(types)
    plain = sql.SQL(", ").join(_as_is(name) for name in names)
    coarse = sql.SQL(", ").join(_coarse(name, types[name]) for name in names)
    # Two halves, so that a search by rectangle still uses the index on geom.
    ordinary = sql.SQL(_CURRENT).format(columns=plain, whether=sql.SQL("r.category_code NOT IN (SELECT code FROM restricted_categories)"))
    sensitive = sql.SQL("(r.category_code IS NULL OR r.category_code IN (SELECT code FROM restricted_categories))")
    restricted = sql.SQL(_CURRENT).format(columns=coarse, whether=sensitive)
    statement = sql.SQL("CREATE OR REPLACE VIEW reports_current AS {} UNION ALL {}").format(ordinary, restricted)
    driver(connection).execute(statement)


def _as_is(name: str) -> sql.Composable:
    if name == "matter_id":
        # What the newest analysis joined; a store of facts alone knows every report as a matter of its own.
        return sql.SQL("coalesce(s.matter_id, r.report_id) AS matter_id")
    return sql.SQL("r.{}").format(sql.Identifier(name))


def _coarse(name: str, kind: str) -> sql.Composable:
    if name in _PLACES or name.startswith("cell_"):
        return sql.SQL("NULL::{} AS {}").format(sql.SQL(kind), sql.Identifier(name))
    if name == "position":
        return sql.SQL("'coarsened' COLLATE \"C\" AS position")
    return _as_is(name)


def _columns(connection: Connection, relation: str) -> list[tuple[str, str]]:
    query = text(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = to_regclass(quote_ident(current_schema()) || '.' || :name) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )
    return [(str(name), str(kind)) for name, kind in connection.execute(query, {"name": relation})]


def _comment(connection: Connection, view: str, tables: tuple[str, ...]) -> None:
    query = text(
        "SELECT a.attname, d.description FROM pg_attribute a JOIN pg_description d ON d.objoid = a.attrelid AND d.objsubid = a.attnum "
        "WHERE a.attrelid = to_regclass(quote_ident(current_schema()) || '.' || :name) AND d.classoid = 'pg_class'::regclass"
    )
    told: dict[str, str] = {}
    for table in tables:
        told.update({str(name): str(meaning) for name, meaning in connection.execute(query, {"name": table})})
    execute = driver(connection).execute
    execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(sql.Identifier(view), _MEANINGS[view]))
    for name, _ in _columns(connection, view):
        meaning = told.get(name, "as it was loaded")
        execute(sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(sql.Identifier(view), sql.Identifier(name), meaning))
