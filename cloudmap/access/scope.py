"""Whose single reports an audience may see: those of its own units, of every unit, or nobody's.

Every reader of rows (reports, matters, overdue lists, distances) passes them through `within`; counts need no scope, since every
audience inside the administration sees the whole map.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

from cloudmap.access.audience import Audience
from cloudmap.errors import AccessError
from cloudmap.schema import unit_column

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader


def scope_columns(audience: Audience, levels: Iterable[str]) -> list[str]:
    """List the columns of reports that `within` judges by: none where the audience sees every unit.

    Parameters
    ----------
    audience : Audience
        Who is looking.
    levels : iterable of str
        Partition levels of the city, as `City.levels`.
    """
    return [] if audience.units is None else [unit_column(level).name for level in levels]


def within(rows: pl.DataFrame, audience: Audience, levels: Iterable[str]) -> pl.DataFrame:
    """Keep the rows of reports that lie in the audience's own units; all of them where it is not bound to units.

    Parameters
    ----------
    rows : polars.DataFrame
        Reports with the columns of `scope_columns`. A report is of the units that it lies in, or names where it has no point; one
        that has neither is of no unit.
    audience : Audience
        Who is looking.
    levels : iterable of str
        Partition levels of the city, as `City.levels`.

    Raises
    ------
    AccessError
        The audience may see no single report, or a column to judge by is missing.
    """
    refuse_rows(audience)
    if audience.units is None:
        return rows
    columns = scope_columns(audience, levels)
    missing = [name for name in columns if name not in rows.columns]
    if missing or not columns:
        raise AccessError(
            f"reports without {', '.join(missing) or 'any unit'} cannot be judged by unit; read the columns of `scope_columns`"
        )
    own = list(audience.units)
    return rows.filter(pl.any_horizontal(pl.col(name).is_in(own).fill_null(value=False) for name in columns))


def refuse_rows(audience: Audience) -> None:
    """Refuse single reports to those who may see none.

    Raises
    ------
    AccessError
        The audience is outside, or its role sees counts only.
    """
    if audience.outside:
        raise AccessError(
            "rows of single reports never leave the administration; drop --outside, or export counts (cells, units)", code="inside"
        )
    if not audience.sees_rows:
        raise AccessError(
            "this role sees counts, no single reports; an administrator changes roles with `cloudmap user change`", code="rows"
        )


def refuse_records(audience: Audience) -> None:
    """Refuse quarantined records to those who do not mend them.

    Raises
    ------
    AccessError
        The audience is outside, or its role does not mend records.
    """
    if audience.outside:
        raise AccessError("quarantined records never leave the administration; drop --outside", code="inside")
    if not audience.records:
        raise AccessError("quarantined records belong to no unit; analysts and administrators see them", code="records")


def narrowed(reader: Reader, audience: Audience) -> Reader:
    """Return a reader for an audience that sees the same counts but fewer rows; it shares what the other has read and computed.

    Parameters
    ----------
    reader : Reader
    audience : Audience
        Of the same kind and grant.

    Raises
    ------
    AccessError
        The audience would see other counts.
    """
    if (audience.kind, audience.restricted) != (reader.audience.kind, reader.audience.restricted):
        raise AccessError("a reader is narrowed by units and records only; open another one with `cloudmap.pipeline.read`")
    narrow = copy.copy(reader)
    narrow.audience = audience
    return narrow
