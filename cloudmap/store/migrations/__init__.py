"""Migrations of a store in PostgreSQL, each up and down, each a transaction: after a power cut the store has the old tables or the new."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEAD: Final = "0002"
"""The newest revision; a store with one that is not known here was made by a newer cloudmap."""


def known_revisions() -> list[str]:
    """List the revisions that this program knows, oldest first."""
    from alembic.script import ScriptDirectory

    return [one.revision for one in ScriptDirectory(str(Path(__file__).parent)).walk_revisions()][::-1]


def migrate(connection: Connection, revision: str = HEAD) -> None:
    """Bring the tables up or down to a revision ("base": none), in the running transaction.

    Parameters
    ----------
    connection : Connection
        In a transaction that writes, with every other migration shut out.
    revision : str
        One of `known_revisions`, or "base".
    """
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    have, order = MigrationContext.configure(connection).get_current_revision(), ["base", *known_revisions()]
    upwards = order.index(revision) >= order.index(have or "base")
    (command.upgrade if upwards else command.downgrade)(config, revision)
