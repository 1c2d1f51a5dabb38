"""Numbers as files write them: full-width digits, thousands separators, decimal commas, and identifiers that a spreadsheet ruined."""

from __future__ import annotations

from typing import Final

import polars as pl

_WIDE: Final = {
    **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
    **{"\uff0e": ".", "\uff0d": "-", "\u2212": "-", "\uff0b": "+", "\uff0c": ",", "\u00b0": ""},
}
_THOUSANDS: Final = r"^[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?$"
_DECIMAL_COMMA: Final = r"^[+-]?[0-9]{1,3},[0-9]{4,}$"
_SCIENTIFIC_ID: Final = r"^[+-]?[0-9](?:\.[0-9]+)?[eE]\+[0-9]{1,3}$"


def parse_numbers(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Read a text column as finite numbers.

    Parameters
    ----------
    values : pl.Series of String, shape (n,)
        Cells as the file has them; null is blank.

    Returns
    -------
    numbers : pl.Series of Float64, shape (n,)
        Null where blank or refused.
    refused : pl.Series of Boolean, shape (n,)
        True where a cell holds something that is no finite number: text, NaN, an infinity.

    Raises
    ------
    polars.exceptions.InvalidOperationError
        The column is not text.
    """
    text = values.str.strip_chars()
    numbers = text.cast(pl.Float64, strict=False)
    odd = (numbers.is_null() & text.is_not_null()).arg_true()
    if odd.len():
        numbers = numbers.scatter(odd, _parse_odd(text.gather(odd)))
    finite = numbers.is_finite().fill_null(value=False)
    refused = text.is_not_null() & (text != "") & ~finite
    return pl.select(pl.when(finite).then(numbers)).to_series().alias(values.name), refused.alias(values.name)


def is_scientific_id(values: pl.Series) -> pl.Series:
    """Tell which identifiers a spreadsheet turned into 1.2E+17: their digits are lost.

    Parameters
    ----------
    values : pl.Series of String, shape (n,)

    Returns
    -------
    pl.Series of Boolean, shape (n,), without null

    Raises
    ------
    polars.exceptions.InvalidOperationError
        The column is not text.
    """
    return values.str.contains(_SCIENTIFIC_ID).fill_null(value=False)


def _parse_odd(text: pl.Series) -> pl.Series:
    """Read what a plain cast refuses; a comma counts only where it cannot be misread (12,345 is refused as neither)."""
    column = pl.col("v")
    folded = text.alias("v").to_frame().select(column.str.replace_many(_WIDE).str.strip_chars())
    read = (
        pl.when(column.str.contains(_THOUSANDS) & (column.str.count_matches(",") + column.str.contains(r"\.").cast(pl.UInt32) > 1))
        .then(column.str.replace_all(",", ""))
        .when(column.str.contains(_DECIMAL_COMMA))
        .then(column.str.replace(",", "."))
        .when(~column.str.contains(","))
        .then(column)
    )
    return folded.select(read.cast(pl.Float64, strict=False)).to_series()
