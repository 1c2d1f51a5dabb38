"""The newest analysis as plain tables with shapes, for the views that QGIS and plain SQL read.

An analysis is a result whose provenance names its parts (``parts``: name to key) and its instant (``now``). Of the parts, ``units``,
``matters``, ``cover_<resolution>`` and ``cube_cell_<resolution>`` are published, each only where it changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert as insert_or

from cloudmap.store.admission import unpack
from cloudmap.store.columns import copy_rows
from cloudmap.store.tables import About, Result

_UNIT_TYPES: Final[Mapping[str, pl.DataType]] = {
    "level": pl.String(),
    "kind": pl.String(),
    "code": pl.String(),
    "name": pl.String(),
    "parent": pl.String(),
    "valid_from": pl.Date(),
    "valid_to": pl.Date(),
    "staff_n": pl.Int64(),
    "volunteers_n": pl.Int64(),
    "population_n": pl.Int64(),
    "geometry": pl.Binary(),
}
_CELL_TYPES: Final[Mapping[str, pl.DataType]] = {"place": pl.String(), "area_m2": pl.Float64(), "geometry": pl.Binary()}
_WEEK_TYPES: Final[Mapping[str, pl.DataType]] = {
    "place": pl.String(),
    "week_on": pl.Date(),
    "category_code": pl.String(),
    "reports_n": pl.Int64(),
    "matters_n": pl.Int64(),
    "burden": pl.Float64(),
}
_ROWS_PER_RESOLUTION: Final = 1 << 40


def publish(connection: Connection, provenance: Mapping[str, Any]) -> None:
    """Bring the published tables up to an analysis, in the running transaction; other results are passed over."""
    parts, now = provenance.get("parts"), provenance.get("now")
    if not isinstance(parts, Mapping) or not isinstance(now, str):
        return
    _tell(connection, "now_on", now[:10])
    resolutions: list[int] = []
    for name, key in parts.items():
        found = re.fullmatch(r"(units|matters|cover_(\d+)|cube_cell_(\d+))", str(name))
        if not found:
            continue
        resolution = int(found[2] or found[3] or 0)
        resolutions += [resolution] if resolution else []
        if connection.scalar(select(About.value).where(About.name == f"published_{name}")) == key:
            continue
        frame = _part(connection, str(name), str(key))
        if frame is None:
            continue
        if name == "units":
            _put_units(connection, frame)
        elif name == "matters":
            connection.execute(text("DELETE FROM report_matters"))
            copy_rows(connection, "report_matters", frame.select("report_id", "matter_id"))
        elif found[2]:
            _put_cells(connection, frame, resolution)
        else:
            _put_weeks(connection, frame, resolution)
        _tell(connection, f"published_{name}", str(key))
    for statement in ("DELETE FROM cells WHERE resolution <> ALL(:known)", "DELETE FROM cell_weeks WHERE resolution <> ALL(:known)"):
        connection.execute(text(statement), {"known": resolutions})


def _put_units(connection: Connection, frame: pl.DataFrame) -> None:
    rows = _conform(frame, _UNIT_TYPES).with_row_index("unit_seq").cast({"unit_seq": pl.Int64})
    names = ["unit_seq", *(name for name in _UNIT_TYPES if name != "geometry")]
    connection.execute(text("DELETE FROM units"))
    _put_shapes(connection, "units", rows, names, "ST_Multi(ST_SetSRID(ST_GeomFromWKB(geometry), 4326))")


def _put_cells(connection: Connection, frame: pl.DataFrame, resolution: int) -> None:
    rows = _conform(frame, _CELL_TYPES).with_columns(resolution=pl.lit(resolution, dtype=pl.Int64))
    connection.execute(text("DELETE FROM cells WHERE resolution = :resolution"), {"resolution": resolution})
    _put_shapes(connection, "cells", rows, ["resolution", "place", "area_m2"], "ST_SetSRID(ST_GeomFromWKB(geometry), 4326)")


def _put_weeks(connection: Connection, frame: pl.DataFrame, resolution: int) -> None:
    rows = _conform(frame, _WEEK_TYPES).with_row_index("row_n", offset=0)
    numbered = rows.with_columns(pl.col("row_n").cast(pl.Int64) + resolution * _ROWS_PER_RESOLUTION, resolution=pl.lit(resolution))
    connection.execute(text("DELETE FROM cell_weeks WHERE resolution = :resolution"), {"resolution": resolution})
    copy_rows(connection, "cell_weeks", numbered)


def _put_shapes(connection: Connection, table: str, rows: pl.DataFrame, names: list[str], shape: str) -> None:
    """Add rows whose column ``geometry`` is WKB; the server makes shapes of them."""
    listed = ", ".join(names)
    incoming = f"incoming_{table}"
    shaped = f"SELECT {listed}, NULL::bytea AS geometry FROM {table}"  # noqa: S608  (names from this module)
    connection.execute(text(f"CREATE TEMP TABLE {incoming} AS {shaped} WITH NO DATA"))
    copy_rows(connection, incoming, rows.select(*names, "geometry"))
    connection.execute(text(f"INSERT INTO {table} ({listed}, geom) SELECT {listed}, {shape} FROM {incoming}"))  # noqa: S608  (as above)
    connection.execute(text(f"DROP TABLE {incoming}"))


def _conform(frame: pl.DataFrame, types: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name) for name, dtype in types.items()
    )  # fmt: skip


def _part(connection: Connection, name: str, key: str) -> pl.DataFrame | None:
    query = select(Result.content).where(Result.name == name, Result.key == key).order_by(Result.result_seq.desc()).limit(1)
    content = connection.scalar(query)
    return None if content is None else unpack(content)


def _tell(connection: Connection, name: str, value: str) -> None:
    given = insert_or(About).values(name=name, value=value)
    connection.execute(given.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
