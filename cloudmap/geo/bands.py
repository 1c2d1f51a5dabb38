"""How much ground lies within which distance of water: what counts in such bands are divided by."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import shapely

from cloudmap.errors import BoundaryError
from cloudmap.geo.raster import Grid, LabelRaster
from cloudmap.geo.reaches import Reaches

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from shapely.geometry.base import BaseGeometry

ALL_KINDS: Final = "ALL"
"""Kind of the rows that do not tell kinds of water apart."""

_POINTS_N: Final = 500_000
_TURNS: Final = (0.7548776662466927, 0.5698402909980532)
"""1 / g and 1 / g^2, g the root of g^3 = g + 1."""


def band_areas(
    water: GeoDataFrame, outline: BaseGeometry, edges_m: Sequence[float], metric_crs: str, *, points_n: int = _POINTS_N
) -> pl.DataFrame:
    """Measure the ground of a city by its distance to the nearest water, and by that water's kind.

    Parameters
    ----------
    water : GeoDataFrame
        As `cloudmap.geo.water.read_water` gives it (EPSG:4326).
    outline : shapely geometry
        The city's ground, EPSG:4326.
    edges_m : sequence of float
        Ends of the bands, metres, ascending, e.g. (0, 50, 100, 200, 500, 1000, 2000). A band holds its upper end, the first also 0.
    metric_crs : str
        Projected system in which distances and areas are measured, in metres.
    points_n : int, default 500,000
        Points at which the ground is asked.

    Returns
    -------
    polars.DataFrame
        kind (of the nearest water; ``"ALL"`` for any), band_from_m, band_to_m (null: beyond the last edge, kind "ALL" only), area_m2.
        The rows of ALL add up to the outline, those of the kinds to ALL's in each band.

    Raises
    ------
    BoundaryError
        Edges that do not ascend, an outline without ground, or no water.

    Notes
    -----
    Ground is asked at evenly spread points by the very function that finds a report's nearest reach (`Reaches.nearest`), so that counts
    and areas mean the same; buffers would count ground between two reaches twice, or give it to no one kind. The points are Roberts'
    sequence, which has no rows that a straight canal could run along.

    References
    ----------
    Niederreiter (1992), Random Number Generation and Quasi-Monte Carlo Methods, SIAM, chapter 3 (additive sequences).
    """
    import geopandas as gpd
    from pyproj import Transformer

    edges = [float(edge) for edge in edges_m]
    edges = edges if edges and edges[0] == 0 else [0.0, *edges]
    if len(edges) < 2 or not np.isfinite(edges).all() or any(low >= high for low, high in pairwise(edges)):
        raise BoundaryError(f"bands of distance {list(edges_m)} must ascend from 0, e.g. (0, 50, 100, 200)")
    ground = gpd.GeoSeries([outline], crs="EPSG:4326").to_crs(metric_crs).iloc[0]
    if not ground.area > 0:
        raise BoundaryError("the city's outline has no ground; give a base map with polygons")
    west, south, east, north = ground.bounds
    number = np.arange(round(points_n * (east - west) * (north - south) / ground.area))
    x, y = (low + (high - low) * ((0.5 + number * turn) % 1) for low, high, turn in zip((west, south), (east, north), _TURNS, strict=True))
    parts = shapely.get_parts(ground)
    inside = LabelRaster(parts[shapely.get_dimensions(parts) == 2], Grid.over((west, south, east, north), 1024)).codes(x, y) >= 0
    lon, lat = Transformer.from_crs(metric_crs, "EPSG:4326", always_xy=True).transform(x[inside], y[inside])
    reaches = Reaches(water, metric_crs=metric_crs)
    reach, distance = reaches.nearest(lon, lat, max_m=edges[-1])
    kind_of = dict(zip(water["id"], water["kind"], strict=True))
    kinds = sorted(set(kind_of.values()))
    kind = np.array([kinds.index(kind_of[one]) for one in reaches.ids])[reach]
    band = np.where(reach >= 0, np.maximum(np.searchsorted(edges, distance, side="left") - 1, 0), len(edges) - 1)
    points = np.zeros((len(kinds), len(edges)), dtype=np.int64)
    np.add.at(points, (kind, band), 1)
    whole, each = points.sum(axis=0), ground.area / max(int(points.sum()), 1)
    rows: list[tuple[str, float, float | None, float]] = []
    rows += [(ALL_KINDS, low, high, whole[at] * each) for at, (low, high) in enumerate(pairwise(edges))]
    rows.append((ALL_KINDS, edges[-1], None, whole[-1] * each))
    rows += [(one, low, high, points[row, at] * each) for row, one in enumerate(kinds) for at, (low, high) in enumerate(pairwise(edges))]
    schema = {"kind": pl.String, "band_from_m": pl.Float64, "band_to_m": pl.Float64, "area_m2": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")
