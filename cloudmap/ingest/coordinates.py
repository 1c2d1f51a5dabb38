"""Coordinates as delivered: blank or 0,0 is no place, swapped axes are put right, what is no number is refused.

Datums are not touched here: x and y stay in the source's own coordinate system.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import polars as pl

from cloudmap.errors import CoordinateError
from cloudmap.ingest.numbers import parse_numbers

Extent = tuple[float, float, float, float]
"""min_lon, min_lat, max_lon, max_lat of the city, degrees."""

_GEOGRAPHIC: Final = frozenset(
    {"epsg:4326", "4326", "wgs84", "epsg:4490", "4490", "cgcs2000", "gcj02", "gcj-02", "bd09", "bd-09", "ogc:crs84"}
)
_LEAST_MARGIN_DEG: Final = 0.5
_DEGREES_SHARE: Final = 0.95


class Points(NamedTuple):
    """Cleaned coordinates, all of shape (n,)."""

    x: pl.Series
    """Easting or longitude, Float64; null where there is no place."""
    y: pl.Series
    """Northing or latitude, likewise."""
    swapped: pl.Series
    """True where the axes were exchanged."""
    not_number: pl.Series
    """True where a cell holds text, NaN or an infinity."""
    impossible: pl.Series
    """True where degrees were due and the numbers are none."""


@dataclass(frozen=True, slots=True)
class PointPlan:
    """How a source's coordinates are read."""

    geographic: bool
    extent: Extent | None = None
    evidence: str = ""


def plan_points(lon: pl.Series, lat: pl.Series, *, crs: str | None, extent: Extent | None, source_id: str) -> PointPlan:
    """Decide from the first block whether a source's coordinates are degrees.

    Parameters
    ----------
    lon, lat : pl.Series of String, shape (n,)
        Cells as the file has them.
    crs : str or None
        What the city file declares.
    extent : tuple of float or None
        The city's box in degrees; it tells swapped axes where latitude alone cannot.
    source_id : str
        For the message.

    Raises
    ------
    CoordinateError
        Degrees are declared, and most of the numbers cannot be degrees.
    """
    x, y = parse_numbers(lon)[0], parse_numbers(lat)[0]
    both = x.is_not_null() & y.is_not_null()
    degrees = both & (x.abs() <= 180) & (y.abs() <= 180)
    n, degrees_n = int(both.sum()), int(degrees.sum())
    if crs is not None:
        geographic = crs.strip().casefold() in _GEOGRAPHIC
        if geographic and n and 2 * degrees_n < n:
            odd = (both & ~degrees).arg_max() or 0
            raise CoordinateError(
                f"sources.{source_id}.crs = {crs!r}, but {n - degrees_n:,} of {n:,} points, such as {x[odd]:.0f}, {y[odd]:.0f}, are "
                "no degrees: projected metres or feet? Declare their system, such as EPSG:4549, or leave crs out to have it diagnosed"
            )
        return PointPlan(geographic, extent if geographic else None, f"coordinates: {crs} declared")
    geographic = n == 0 or degrees_n >= _DEGREES_SHARE * n
    kind = "degrees" if geographic else "projected units"
    return PointPlan(geographic, extent if geographic else None, f"coordinates: {kind}; {degrees_n:,} of {n:,} pairs lie within 180")


def read_points(lon: pl.Series, lat: pl.Series, plan: PointPlan) -> Points:
    """Read two text columns as coordinates.

    Parameters
    ----------
    lon, lat : pl.Series of String, shape (n,)
        Cells as the file has them.
    plan : PointPlan

    Returns
    -------
    Points

    Raises
    ------
    polars.exceptions.ShapeError
        Lengths differ.
    """
    (x, x_bad), (y, y_bad) = parse_numbers(lon), parse_numbers(lat)
    not_number = x_bad | y_bad
    frame = pl.DataFrame({"x": x, "y": y})
    nowhere = pl.col("x").is_null() | pl.col("y").is_null() | ((pl.col("x") == 0) & (pl.col("y") == 0))
    frame = frame.select(pl.when(~nowhere).then(pl.col("x")).alias("x"), pl.when(~nowhere).then(pl.col("y")).alias("y"))
    swap = frame.select(_is_swapped(plan).fill_null(value=False).alias("swap")).to_series()
    if swap.any():
        frame = frame.select(
            pl.when(swap).then(pl.col("y")).otherwise(pl.col("x")).alias("x"),
            pl.when(swap).then(pl.col("x")).otherwise(pl.col("y")).alias("y"),
        )
    impossible = pl.repeat(value=False, n=x.len(), dtype=pl.Boolean, eager=True)
    if plan.geographic:
        impossible = ((frame["x"].abs() > 180) | (frame["y"].abs() > 90)).fill_null(value=False)
    return Points(frame["x"], frame["y"], swap, not_number, impossible)


def _is_swapped(plan: PointPlan) -> pl.Expr:
    """Latitude over 90 cannot be one; far outside the city while the exchanged pair lies inside is the same mistake."""
    x, y = pl.col("x"), pl.col("y")
    if not plan.geographic:
        return x.is_null() & x.is_not_null()
    over = (y.abs() > 90) & (y.abs() <= 180) & (x.abs() <= 90)
    if plan.extent is None:
        return over
    west, south, east, north = plan.extent
    margin_x, margin_y = max(_LEAST_MARGIN_DEG, east - west), max(_LEAST_MARGIN_DEG, north - south)
    near = x.is_between(west - margin_x, east + margin_x) & y.is_between(south - margin_y, north + margin_y)
    reversed_near = y.is_between(west - margin_x, east + margin_x) & x.is_between(south - margin_y, north + margin_y)
    return over | (~near & reversed_near)
