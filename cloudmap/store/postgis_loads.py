"""Loads as a store in PostgreSQL lists them."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from sqlalchemy import Connection, Row, select

from cloudmap.store.contract import LoadKey, LoadRecord
from cloudmap.store.tables import Load, LoadTable


def load_records(connection: Connection) -> list[LoadRecord]:
    """List the committed loads, oldest first."""
    tables: dict[int, dict[str, int]] = {}
    held = select(LoadTable.load_seq, LoadTable.table_name, LoadTable.rows_n).order_by(LoadTable.load_seq, LoadTable.table_name)
    for load_seq, table, rows_n in connection.execute(held):
        tables.setdefault(load_seq, {})[table] = rows_n
    return [_record(row, tables.get(row.load_seq, {})) for row in connection.execute(select(Load.__table__).order_by(Load.load_seq))]


def find_load(connection: Connection, key: LoadKey) -> LoadRecord | None:
    """Return the load with this key that is not undone."""
    return next((one for one in load_records(connection) if one.key == key and not one.undone), None)


def _record(row: Row[Any], tables: dict[str, int]) -> LoadRecord:
    return LoadRecord(
        load_seq=row.load_seq,
        key=LoadKey(row.sha256, row.source_id, row.mapping_version),
        source_id=row.source_id,
        file=row.file,
        base_map_version=row.base_map_version,
        loaded_at=row.loaded_at.astimezone(UTC),
        ledger=row.ledger,
        undone=row.undone,
        tables=tables,
        undone_at=row.undone_at.astimezone(UTC) if row.undone_at else None,
    )
