"""Runs migrations on the connection that `cloudmap.store.migrations.migrate` hands over (and on no other)."""

from __future__ import annotations

from typing import Any

from alembic import context
from geoalchemy2 import alembic_helpers

from cloudmap.store import postgis


def include_object(thing: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Leave out PostGIS's own tables, those of others, and what a city's data added to the tables of facts."""
    if reflected and compare_to is None:
        # What else lives in the database is not ours to drop; neither is a column that came with a load.
        return kind != "table" and not str(thing.table.name).startswith("fact_")
    return bool(alembic_helpers.include_object(thing, name, kind, reflected, compare_to))  # type: ignore[no-untyped-call]


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=postgis.FactReport.metadata,
    include_object=include_object,
    process_revision_directives=alembic_helpers.writer,
    render_item=alembic_helpers.render_item,
)
with context.begin_transaction():
    context.run_migrations()
