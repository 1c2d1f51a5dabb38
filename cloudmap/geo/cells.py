"""H3 cells: points become cells, cells become hexagons with their real areas.

Ids are signed 64-bit integers in tables (a nullable id that passes pandas would become a float and change) and hexadecimal strings
where people or maps read them. Every resolution is assigned from the point itself: for 7% of points the parent of the finer cell is
another cell than the one whose hexagon they lie in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.errors import AnalysisError, CoordinateError

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from shapely.geometry.base import BaseGeometry

Cells = pl.Series | npt.NDArray[Any] | Sequence[int] | Sequence[str]
"""Cells as int64 or hexadecimal strings, in a polars series, a list or an array."""


Degrees = pl.Series | npt.NDArray[np.float64] | Sequence[float | None]


def assign(lon_deg: Degrees, lat_deg: Degrees, resolution: int) -> pl.Series:
    """Find the H3 cell of each point.

    Parameters
    ----------
    lon_deg, lat_deg : series, array or list of float, shape (n,)
        WGS84, degrees; NaN or null where there is no position.
    resolution : int
        0 to 15.

    Returns
    -------
    polars.Series of Int64, shape (n,)
        Null where a coordinate is missing, not finite or out of range (h3 itself accepts a latitude of 121).

    Raises
    ------
    CoordinateError
        The resolution is not 0 to 15, or the two arrays differ in length.
    """
    import polars_h3

    if not 0 <= resolution <= 15:
        raise CoordinateError(f"H3 resolution {resolution}: it has to be 0 to 15. Set city.resolutions")
    lon, lat = (pl.Series(name, one, dtype=pl.Float64) for name, one in (("lon", lon_deg), ("lat", lat_deg)))
    if lon.len() != lat.len():
        raise CoordinateError(f"{lon.len()} longitudes and {lat.len()} latitudes: they have to come in pairs")
    usable = pl.col("lon").is_between(-180, 180) & pl.col("lat").is_between(-90, 90)
    checked = pl.DataFrame([lon, lat]).select(pl.when(usable).then(pl.col("lon")).alias("lon"), pl.col("lat"))
    return checked.select(polars_h3.latlng_to_cell("lat", "lon", resolution, return_dtype=pl.Int64).alias("cell")).to_series()


def to_hex(cells: Cells) -> pl.Series:
    """Write cells as hexadecimal strings (null stays null)."""
    import polars_h3

    return as_int64(cells).to_frame("cell").select(polars_h3.int_to_str("cell").alias("place")).to_series()


def from_hex(places: Cells) -> pl.Series:
    """Read cells from hexadecimal strings (null stays null).

    Raises
    ------
    AnalysisError
        Something is no H3 cell.
    """
    return as_int64(pl.Series("place", places, dtype=pl.String))


def as_int64(cells: Cells) -> pl.Series:
    """Take cells in either form as a series of Int64 named ``cell``.

    Raises
    ------
    AnalysisError
        Something is no H3 cell; the first such value is named.
    """
    import polars_h3

    given = cells if isinstance(cells, pl.Series) else pl.Series("cell", np.asarray(cells).tolist())
    if given.dtype == pl.Null:
        return pl.Series("cell", given, dtype=pl.Int64)
    frame = given.to_frame("cell")
    if given.dtype == pl.String:
        read = frame.select(polars_h3.str_to_int("cell").cast(pl.Int64)).to_series()
    elif given.dtype.is_integer():
        read = given.cast(pl.Int64).alias("cell")
    else:
        raise AnalysisError(f"cells come as {given.dtype}: H3 ids have to be int64 or hexadecimal strings, a float changes them")
    valid = read.to_frame("cell").select(polars_h3.is_valid_cell("cell").fill_null(value=False)).to_series()
    wrong = (~valid & given.is_not_null()).arg_true()
    if wrong.len():
        raise AnalysisError(f"{given[int(wrong[0])]!r} is no H3 cell. Cells come from `cells.assign` or `cells.cover`")
    return read


def resolution_of(cells: Cells) -> int | None:
    """Return the one resolution that all cells have, None where there are no cells.

    Raises
    ------
    AnalysisError
        The cells mix resolutions.
    """
    import polars_h3

    found = as_int64(cells).drop_nulls().to_frame("cell").select(polars_h3.get_resolution("cell")).to_series().unique().sort()
    if found.len() > 1:
        raise AnalysisError(f"cells mix resolutions {found.to_list()}; rebuild the cube with one resolution")
    return int(found[0]) if found.len() else None


def areas_m2(cells: Cells) -> npt.NDArray[np.float64]:
    """Measure each cell on the sphere.

    Parameters
    ----------
    cells : series, list or array, shape (n,)
        H3 cells.

    Returns
    -------
    float array, shape (n,)
        Square metres: 85,630 at resolution 9 in Luqiao, where the global mean would say 105,333.

    Raises
    ------
    AnalysisError
        Something is no H3 cell.
    """
    import polars_h3

    areas = as_int64(cells).to_frame("cell").select(polars_h3.cell_area("cell", "m^2")).to_series()
    return areas.cast(pl.Float64).to_numpy()


def cell_polygons(cells: Cells) -> npt.NDArray[np.object_]:
    """Draw each cell.

    Parameters
    ----------
    cells : series, list or array, shape (n,)
        H3 cells.

    Returns
    -------
    array of shapely.Polygon, shape (n,)
        Longitude and latitude, WGS84; six corners mostly, five for a pentagon, up to ten where an icosahedron edge passes.

    Raises
    ------
    AnalysisError
        Something is no H3 cell.
    """
    import polars_h3
    import shapely

    ids = as_int64(cells)
    if ids.is_empty():
        return np.empty(0, dtype=object)
    corners = ids.to_frame("cell").select(polars_h3.cell_to_boundary("cell").alias("corner")).with_row_index("ring").explode("corner")
    corners = corners.select("ring", lat=pl.col("corner").list.get(0), lon=pl.col("corner").list.get(1))
    rings = shapely.linearrings(corners.select("lon", "lat").to_numpy(), indices=corners["ring"].cast(pl.Int64).to_numpy())
    return np.asarray(shapely.polygons(rings), dtype=object)


def cover(outline: BaseGeometry, resolution: int, extra: Cells = ()) -> GeoDataFrame:
    """List the cells of a city: those whose centre lies in the outline, and every cell that holds a report.

    Parameters
    ----------
    outline : shapely polygon or multipolygon
        Ground of the city, WGS84.
    resolution : int
        0 to 15.
    extra : series, list or array
        Cells that hold reports, at the same resolution; nulls and repetitions are left out.

    Returns
    -------
    GeoDataFrame
        ``cell`` (int64), ``place`` (hexadecimal string), ``area_m2`` and ``geometry`` in EPSG:4326, sorted by cell.

    Raises
    ------
    AnalysisError
        An extra cell has another resolution.
    """
    import geopandas as gpd

    more = as_int64(extra).drop_nulls().unique()
    other = resolution_of(more)
    if other not in (None, resolution):
        raise AnalysisError(f"extra cells have resolution {other}, the cover {resolution}; pass cells of one resolution")
    ids = pl.concat([_centred_in(outline, resolution), more]).unique().sort()
    return gpd.GeoDataFrame(
        {"cell": ids.to_numpy(), "place": to_hex(ids).to_list(), "area_m2": areas_m2(ids)}, geometry=cell_polygons(ids), crs="EPSG:4326"
    )


def _centred_in(outline: BaseGeometry, resolution: int) -> pl.Series:
    import h3

    found: Iterable[Any] = [] if outline.is_empty else h3.geo_to_cells(outline, resolution)
    return as_int64(pl.Series("cell", list(found), dtype=pl.String))
