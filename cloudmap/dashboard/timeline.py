"""The weeks behind the time bar: matters of each week in the city or in one unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader


def weekly(reader: Reader, category: str, within: str) -> dict[str, Any]:
    """List the matters of each week.

    Parameters
    ----------
    reader : Reader
    category : str
    within : str
        "unit_street~331004001", or "" for the city.

    Returns
    -------
    dict
        weeks (first days) and n; a masked week has no number.
    """
    layer, _, unit = within.partition("~")
    table = reader.weeks(category, layer_id=layer or None, place=unit or None).sort("week_on")
    shown = table.with_columns(pl.when(~pl.col("masked")).then(pl.col("n")).alias("n"))
    return {"weeks": [str(day) for day in shown["week_on"].to_list()], "n": shown["n"].to_list()}
