"""Clean rows become located reports: datum, units of every level, cells, and what the position is worth."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.city import City
from cloudmap.geo import cells
from cloudmap.geo.crs import to_wgs84
from cloudmap.geo.locator import Locator
from cloudmap.geo.pileups import PileUps
from cloudmap.geo.units import Units
from cloudmap.schema import CLEAN, REPAIR_BIT, located_table

__all__ = ["Locator", "PileUps", "locate"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_OUTCOMES: Final = (("located", "point"), ("area_only", "pile_up"), ("area_only", "centroid"), ("outside", "outside"), ("unmapped", "none"))
"""Ledger class and position, by the numbers below."""
_POINT, _PILE_UP, _CENTROID, _OUTSIDE, _NONE = range(len(_OUTCOMES))

_SHIFT_DEG: Final = 1e-7
"""One centimetre: a coordinate that moved by more has had another datum."""


def locate(
    rows: pl.DataFrame, *, city: City, units: Units, locator: Locator, crs: str, pile_ups: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Give every report of a batch its place, or say why it has none.

    Parameters
    ----------
    rows : polars.DataFrame
        `schema.CLEAN`; coordinates as delivered.
    city : City
        Levels, resolutions, tolerance and metric CRS.
    units : Units
        Base map, the one that `locator` was made of.
    locator : Locator
        Finds units by position and by name.
    crs : str
        What the coordinates are: "gcj02", "bd09", or anything that pyproj knows, such as "EPSG:4490".
    pile_ups : polars.DataFrame, optional
        What `PileUps.decide` says of the whole file.

    Returns
    -------
    polars.DataFrame
        `schema.located_table(city.levels, city.city.resolutions)`, in the order of `rows`. Ledger classes: ``unmapped`` (no
        coordinates), ``outside`` (in no unit of any level; flag ``near_boundary`` and cells within the city's tolerance),
        ``area_only`` (pile-up or centroid: no cells, the units that the report names) and ``located``.

    Raises
    ------
    CoordinateError
        The coordinate system is unknown.
    SchemaError
        A column of `schema.CLEAN` is missing.
    """
    rows = CLEAN.conform(rows)
    lon, lat, positioned, shifted = _to_degrees(rows, crs)
    on = _local_days(rows, city) if locator.dated else None
    at = locator.places(lon, lat, on=on)
    inside = np.zeros(rows.height, dtype=np.bool_)
    for codes in at.values():
        inside |= codes >= 0

    outcome = np.full(rows.height, _POINT, dtype=np.uint8)
    crowd = _crowds(rows, crs, locator, pile_ups)
    outcome[crowd != _POINT] = crowd[crowd != _POINT]
    outcome[~inside] = _OUTSIDE
    outcome[~positioned] = _NONE
    near = outcome == _OUTSIDE
    near[near] = locator.near_outline(lon[near], lat[near], city.city.tolerance_m, city.city.metric_crs)

    by_name = (outcome != _POINT) & (outcome != _OUTSIDE)
    overlays = locator.overlays.codes(rows["unit_named"])
    unknown = _take_named(rows, locator, at, by_name, overlays)
    flags = rows["flags"].fill_null(0).to_numpy().copy()
    for name, marked in (("datum_shifted", shifted), ("near_boundary", near), ("unit_unknown", unknown)):
        flags[marked] |= REPAIR_BIT[name]

    in_cell = (outcome == _POINT) | (near & (crowd == _POINT))
    hexagons = _in_cells(lon, lat, in_cell, city.city.resolutions)
    return located_table(units.levels, city.city.resolutions).conform(
        rows.with_columns(
            pl.Series("flags", flags, dtype=pl.UInt32),
            pl.Series("lon_deg", lon, nan_to_null=True),
            pl.Series("lat_deg", lat, nan_to_null=True),
            _named("ledger_class", np.array([one for one, _ in _OUTCOMES], dtype=object), outcome),
            _named("position", np.array([one for _, one in _OUTCOMES], dtype=object), outcome),
            *(_named(f"unit_{level}_code", locator.unit_codes[level], at[level]) for level in units.levels),
            *hexagons,
            overlays,
            pl.col("report_id").alias("matter_id"),
        )
    )


def _to_degrees(rows: pl.DataFrame, crs: str) -> tuple[FloatArray, FloatArray, BoolArray, BoolArray]:
    """Shift all positions to WGS84: longitude, latitude (NaN where unusable), rows with a position, rows that moved."""
    x, y = (rows[name].fill_null(float("nan")).to_numpy() for name in ("x", "y"))
    positioned = np.isfinite(x) & np.isfinite(y) & ((x != 0) | (y != 0))
    lon, lat = (np.full(rows.height, np.nan) for _ in range(2))
    lon[positioned], lat[positioned] = to_wgs84(x[positioned], y[positioned], crs)
    with np.errstate(invalid="ignore"):
        usable = (np.abs(lon) <= 180) & (np.abs(lat) <= 90)
        shifted = usable & ((np.abs(lon - x) > _SHIFT_DEG) | (np.abs(lat - y) > _SHIFT_DEG))
    lon[~usable] = lat[~usable] = np.nan
    return lon, lat, positioned, shifted


def _local_days(rows: pl.DataFrame, city: City) -> npt.NDArray[np.datetime64]:
    days = rows["occurred_at"].dt.convert_time_zone(city.city.timezone).dt.date()
    return days.to_numpy().astype("datetime64[D]")


def _crowds(rows: pl.DataFrame, crs: str, locator: Locator, pile_ups: pl.DataFrame | None) -> npt.NDArray[np.uint8]:
    """Mark the rows that lie on a pile-up or, in a crowd, on the centroid of a unit; the others are points."""
    if pile_ups is None or pile_ups.is_empty():
        return np.full(rows.height, _POINT, dtype=np.uint8)
    lon, lat = to_wgs84(pile_ups["x"].to_numpy(), pile_ups["y"].to_numpy(), crs)
    on_centroid = locator.on_centroid(lon, lat)
    piled = pile_ups["pile_up"].to_numpy() if "pile_up" in pile_ups.columns else np.ones(pile_ups.height, dtype=np.bool_)
    kind = np.where(piled, _PILE_UP, np.where(on_centroid, _CENTROID, _POINT)).astype(np.uint8)
    kinds = pile_ups.select("x", "y", pl.Series("kind", kind)).unique(["x", "y"])
    return rows.select("x", "y").join(kinds, on=["x", "y"], how="left", maintain_order="left")["kind"].fill_null(_POINT).to_numpy()


def _take_named(
    rows: pl.DataFrame, locator: Locator, at: dict[str, npt.NDArray[np.int32]], where: BoolArray, overlays: pl.Series
) -> BoolArray:
    """Put the units that reports name in place of those that they seem to lie in; return the rows that name an unknown one.

    Who names an overlay names the unit that it belongs to.
    """
    unknown = np.zeros(rows.height, dtype=np.bool_)
    if where.any():
        some = pl.Series(where)
        over = overlays.filter(some)
        names = rows["unit_named"].filter(some).zip_with(over.is_null(), locator.overlays.grounds(over))
        named, unknown[where] = locator.named.positions(names)
        for level, codes in at.items():
            codes[where] = named[level]
    return unknown


def _in_cells(lon: FloatArray, lat: FloatArray, where: BoolArray, resolutions: tuple[int, ...]) -> list[pl.Series]:
    lon, lat = np.where(where, lon, np.nan), np.where(where, lat, np.nan)
    return [cells.assign(lon, lat, resolution).alias(f"cell_{resolution}") for resolution in resolutions]


def _named(column: str, names: npt.NDArray[np.object_], at: npt.NDArray[np.integer]) -> pl.Series:
    """Spell positions as names; -1 becomes null."""
    index = pl.Series(at.astype(np.int64))
    return pl.Series(column, names, dtype=pl.String).gather(index.set(index < 0, None))
