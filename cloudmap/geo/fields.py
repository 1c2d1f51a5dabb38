"""Columns of a base map as its owner has them become text, dates and counts."""

from __future__ import annotations

import difflib
import re
import unicodedata
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from cloudmap.errors import BoundaryError, SchemaError

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_DATE: Final = r"^\s*(\d{4})[\s年./-]?(\d{1,2})[\s月./-]?(\d{1,2})日?(?:[\sT].*)?$"
_FOREVER: Final = 9000
"""Years from here on mean "until further notice"."""


def pick(table: DataFrame, name: str | None, *, role: str, where: str) -> Series[Any] | None:
    """Return a mapped column, or None where none is mapped.

    Parameters
    ----------
    table : DataFrame
    name : str or None
        Column as the city file names it.
    role, where : str
        For the message: the field that it is mapped to, and the file.

    Raises
    ------
    SchemaError
        The table has no such column; the nearest are named.
    """
    if name is None:
        return None
    if name in table.columns:
        return table[name]
    have = [str(one) for one in table.columns if one != "geometry"]
    close = difflib.get_close_matches(name, have, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(have)}"
    raise SchemaError(f"{where}: no field {name!r} (fields.{role}); {hint}")


def as_text(column: Series[Any] | None, length: int) -> Any:
    """Return values as trimmed text, None where blank; whole numbers without a decimal point, full-width digits made narrow."""
    import pandas as pd

    if column is None:
        return pd.Series([None] * length, dtype=object)
    return pd.Series([_text(value) for value in column], dtype=object)


def _text(value: Any) -> str | None:
    if value is None or value != value:  # noqa: PLR0124  NaN and NaT are the values that differ from themselves
        return None
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    text = unicodedata.normalize("NFKC", str(value)).strip()
    return text if text and text != "<NA>" else None


def as_code(column: Series[Any], *, where: str) -> Any:
    """Return codes as text.

    Raises
    ------
    BoundaryError
        A spreadsheet turned codes into rounded numbers, so that they are lost.
    """
    codes = as_text(column, len(column))
    for raw, code in zip(column, codes, strict=True):
        rounded = isinstance(raw, float | np.floating) and abs(float(raw)) >= 2**53
        if rounded or (code is not None and re.fullmatch(r"\d(\.\d+)?[eE]\+?\d+", code)):
            raise BoundaryError(f"{where}: code {raw!r} is a rounded number: its digits are lost. Export codes as text")
    return codes


def as_day(column: Series[Any] | None, length: int, *, where: str) -> NDArray[np.datetime64]:
    """Return dates as an array of naive datetimes (microseconds) at midnight, NaT where blank or "for ever".

    Raises
    ------
    BoundaryError
        A value is no date.
    """
    days = [_day(text, where) for text in as_text(column, length)]
    return np.array(days, dtype="datetime64[us]")


def _day(text: str | None, where: str) -> date | None:
    if text is None:
        return None
    found = re.match(_DATE, text)
    year, month, day = (int(one) for one in found.groups()) if found else (0, 0, 0)
    if year >= _FOREVER:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        raise BoundaryError(f"{where} = {text!r}: no date. Write it as 2016-01-31") from None


def as_count(column: Series[Any] | None, length: int, *, where: str) -> Any:
    """Return counts as Int64, <NA> where blank.

    Raises
    ------
    BoundaryError
        A value is no whole number of zero or more.
    """
    import pandas as pd

    text = as_text(column, length)
    numbers = pd.to_numeric(text.str.replace(",", "") if text.notna().any() else text, errors="coerce")
    wrong = text.notna() & (numbers.isna() | (numbers < 0) | (numbers % 1 != 0))
    if wrong.any():
        raise BoundaryError(f"{where} = {text[wrong].iloc[0]!r}: no count. Write a whole number of zero or more")
    return numbers.astype("Int64")
