"""The weeks behind the time bar: matters of each week in the city or in one unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from cloudmap.dashboard.ground import places_of
from cloudmap.errors import AccessError, AnalysisError

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader


def weekly(reader: Reader, category: str, within: str) -> dict[str, Any]:
    """Sum the matters of each week over the coarsest units, or tell those of one unit.

    Parameters
    ----------
    reader : Reader
    category : str
    within : str
        "unit_street~331004001", or "" for the city.

    Returns
    -------
    dict
        weeks (first days) and n; a week in which a unit is masked has no number.
    """
    layer, _, unit = within.partition("~")
    units = [one.id for one in reader.layers() if one.kind == "unit"]
    layer = layer or (units[0] if units else "")
    places = [unit] if unit else sorted(places_of(reader, layer)) if layer else []
    period = reader.default_period.id
    parts = []
    for place in places:
        try:
            parts.append(reader.place(layer, place, period, category).by_week.select("week_on", "n", "masked"))
        except (AccessError, AnalysisError):
            continue
    if not parts:
        return {"weeks": [], "n": []}
    summed = pl.concat(parts).group_by("week_on").agg(pl.col("n").sum(), pl.col("masked").any()).sort("week_on")
    shown = summed.with_columns(pl.when(~pl.col("masked")).then(pl.col("n")).alias("n"))
    return {"weeks": [str(day) for day in shown["week_on"].to_list()], "n": shown["n"].to_list()}
