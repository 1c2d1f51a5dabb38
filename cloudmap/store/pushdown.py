"""Conditions that the server can check exactly as polars would; the others are left to polars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import polars as pl
from psycopg import sql

from cloudmap.store.contract import Where

_SYMBOLS: Final = {"==": "=", "!=": "<>", ">=": ">=", "<=": "<=", ">": ">", "<": "<"}


def split_conditions(where: Sequence[Where], types: Mapping[str, pl.DataType]) -> tuple[list[sql.Composable], list[Where]]:
    """Part conditions into those for the server and those for polars.

    Parameters
    ----------
    where : sequence of (column, operator, value)
        Conditions, checked already.
    types : mapping of str to polars type
        Columns that the server has; conditions on others are polars' own.
    """
    ours: list[sql.Composable] = []
    rest: list[Where] = []
    for condition in where:
        name, symbol, value = condition
        made = _as_sql(sql.SQL("r.{}").format(sql.Identifier(name)), symbol, value, types[name]) if name in types else None
        if made is None:
            rest.append(condition)
        else:
            ours.append(made)
    return ours, rest


def _as_sql(column: sql.Composable, symbol: str, value: Any, dtype: pl.DataType) -> sql.Composable | None:
    if value is None:
        wanted = {"==": "IS NULL", "!=": "IS NOT NULL"}.get(symbol)
        return None if wanted is None else sql.SQL(f"{{}} {wanted}").format(column)
    kind = _kind(dtype)
    if kind is None:
        return None
    if symbol == "in":
        values = [one for one in value if one is not None]
        if not all(_fits(one, dtype) for one in values):
            return None
        return sql.SQL("{} = ANY({}::{}[])").format(column, sql.Literal(values), sql.SQL(kind))
    if not _fits(value, dtype):
        return None
    return sql.SQL(f"{{}} {_SYMBOLS[symbol]} {{}}::{kind}").format(column, sql.Literal(value))


def _kind(dtype: pl.DataType) -> str | None:
    """Return the type that a value is compared as; None where polars shall do it."""
    if isinstance(dtype, pl.String):
        return "text"
    if isinstance(dtype, pl.Boolean):
        return "boolean"
    if isinstance(dtype, pl.Date):
        return "date"
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        return "timestamptz"
    return "bigint" if dtype.is_integer() else None


def _fits(value: Any, dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.String):
        return isinstance(value, str) and "\0" not in value
    if isinstance(dtype, pl.Boolean):
        return isinstance(value, bool)
    if isinstance(dtype, pl.Date):
        return isinstance(value, date) and not isinstance(value, datetime)
    if isinstance(dtype, pl.Datetime):
        return isinstance(value, datetime) and value.tzinfo is not None
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63
