"""The points of single reports, for who may see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from cloudmap.dashboard.ground import places_of
from cloudmap.dashboard.refusals import own_note, reason
from cloudmap.dashboard.text import Words
from cloudmap.errors import AccessError, AnalysisError

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader

MOST: Final = 20_000
"""Points that a map gets, the newest ones."""


def points(reader: Reader, asked: Mapping[str, str], say: Words) -> dict[str, Any]:
    """List the points of the reports that a map counts.

    Parameters
    ----------
    reader : Reader
    asked : mapping
        category, period, within.
    say : Words

    Returns
    -------
    dict
        xy (longitude and latitude in turn, 1e-6 degree), names (category), at (local time), message (why there are none, or fewer).
    """
    layer, _, unit = asked["within"].partition("~")
    units = [one.id for one in reader.layers() if one.kind == "unit"]
    layer = layer or (units[0] if units else "")
    places = [unit] if unit else sorted(places_of(reader, layer)) if layer else []
    try:
        parts = [reader.reports(layer, place, asked["period"], asked["category"], limit=MOST) for place in places]
    except AccessError as error:
        return {"xy": [], "names": [], "at": [], "message": reason(error, say)}
    except AnalysisError:
        parts = []
    found = [part.filter(pl.col("position") == "point").select("category_code", "occurred_at", "lon_deg", "lat_deg") for part in parts]
    rows = pl.concat(found).drop_nulls(["lon_deg", "lat_deg"]).sort("occurred_at", descending=True) if found else None
    if rows is None or rows.height == 0:
        return {"xy": [], "names": [], "at": [], "message": say("points.none")}
    cut = rows.height > MOST
    rows = rows.head(MOST)
    names = {category.code: say.name(category) for category in reader.categories()}
    when = rows["occurred_at"].dt.convert_time_zone(reader.city.city.timezone).dt.strftime("%Y-%m-%d %H:%M")
    xy = rows.select((pl.concat_list("lon_deg", "lat_deg") * 1e6).alias("xy"))["xy"].explode().round().cast(pl.Int64).to_list()
    return {
        "xy": xy,
        "names": [names.get(code, code) for code in rows["category_code"].to_list()],
        "at": when.to_list(),
        "message": say("points.cut", n=MOST) if cut else own_note(reader, say),
    }
