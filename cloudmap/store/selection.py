"""Which rows and columns of a table are wanted: checked and applied in polars, whatever store the rows come from."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import polars as pl

from cloudmap.errors import StoreError
from cloudmap.store.contract import Where

_COMPARISONS: Final[Mapping[str, Callable[[pl.Expr, Any], pl.Expr]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def select_rows(rows: pl.LazyFrame, table: str, columns: Sequence[str] | None, where: Sequence[Where]) -> pl.DataFrame:
    """Collect the rows that satisfy every condition, with the columns wanted and ``load_seq``.

    Raises
    ------
    StoreError
        A column or operator is not known, or a value does not fit its column.
    """
    have = rows.collect_schema().names()
    wanted = [name for name in (columns if columns is not None else have) if name != "load_seq"]
    missing = [name for name in (*wanted, *(column for column, _, _ in where)) if name not in have]
    if missing:
        raise StoreError(f"table {table}: no column(s) {', '.join(missing)}; have {', '.join(have)}")
    for condition in where:
        rows = rows.filter(_condition(table, condition))
    try:
        return rows.select(*wanted, "load_seq").collect()
    except (pl.exceptions.InvalidOperationError, pl.exceptions.SchemaError) as error:
        raise StoreError(f"table {table}, where {list(where)!r}: {str(error).splitlines()[0]}") from error


def _condition(table: str, condition: Where) -> pl.Expr:
    name, symbol, value = condition
    column = pl.col(name)
    if value is None and symbol in ("==", "!="):
        return column.is_null() if symbol == "==" else column.is_not_null()
    if symbol == "in":
        if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset | pl.Series):
            raise StoreError(f"table {table}: {name} in {value!r}: give a list of values")
        return column.is_in(value if isinstance(value, pl.Series) else list(cast("Sequence[Any]", value)))
    if symbol not in _COMPARISONS:
        raise StoreError(f"table {table}: unknown operator {symbol!r} on {name}; known: {', '.join((*_COMPARISONS, 'in'))}")
    return _COMPARISONS[symbol](column, value)
