"""Overlays: functional units that lie over the partitions, with or without a shape, each counted for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from cloudmap.geo.named import ANSWERS_HELD, NamedUnits, plain_name
from cloudmap.geo.raster import Grid, LabelRaster
from cloudmap.geo.units import Units

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


class NamedOverlays:
    """The overlays of a city by code and by name.

    Parameters
    ----------
    units : Units
        Base map.
    named : NamedUnits
        The partitions by name: what names one of their units names no overlay.
    """

    def __init__(self, units: Units, named: NamedUnits) -> None:
        self._named = named
        self._by_code: dict[str, str] = {}
        self._by_name: dict[str, set[str]] = {}
        self._parent: dict[str, str] = {}
        self._answers: dict[str, str | None] = {}
        overlays = units.overlays
        for code, name, parent in zip(overlays["code"], overlays["name"], overlays["parent"], strict=True):
            self._by_code[code] = code
            if isinstance(name, str):
                self._by_name.setdefault(plain_name(name), set()).add(code)
            if isinstance(parent, str):
                self._parent[code] = parent

    def codes(self, names: pl.Series) -> pl.Series:
        """Find the overlay that each report names.

        Parameters
        ----------
        names : polars.Series of String, shape (n,)
            Codes or names, as reports give them.

        Returns
        -------
        polars.Series of String, shape (n,)
            ``overlay_code``; null where a report names none, or a name that several have.
        """
        if not self._by_code or names.null_count() == names.len():
            return pl.repeat(None, names.len(), dtype=pl.String, eager=True).alias("overlay_code")
        distinct = names.drop_nulls().unique().to_list()
        found = names.replace_strict(distinct, [self._answer(one) for one in distinct], default=None, return_dtype=pl.String)
        return found.alias("overlay_code")

    def grounds(self, codes: pl.Series) -> pl.Series:
        """Return the code of the partition unit that each overlay (`codes`) belongs to, null where it has none."""
        return codes.replace_strict(self._parent, default=None, return_dtype=pl.String)

    def _answer(self, name: str) -> str | None:
        if name not in self._answers:
            if len(self._answers) >= ANSWERS_HELD:
                self._answers.clear()
            self._answers[name] = self._find(name)
        return self._answers[name]

    def _find(self, name: str) -> str | None:
        found = self._by_code.get(name.strip())
        if found is None:
            of_name = self._by_name.get(plain_name(name), set())
            found = next(iter(of_name)) if len(of_name) == 1 else None
        return None if found is None or self._named.chain(name) else found


def over_points(
    overlays: GeoDataFrame, lon_deg: npt.ArrayLike, lat_deg: npt.ArrayLike, on: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_]]:
    """Find every overlay that covers each point on its day; overlays may overlap, so a point may lie in several.

    Parameters
    ----------
    overlays : GeoDataFrame
        Overlay units of one level, all versions (`Units.frame(level, "overlay")`).
    lon_deg, lat_deg : array_like of float, shape (n,)
        WGS84, degrees; NaN lies in none.
    on : array_like of datetime64[D], shape (n,)
        Local day of each report; an overlay has no ground before it begins or after it ends.

    Returns
    -------
    rows : int64 array, shape (m,)
        Positions of points, ascending.
    codes : object array of str, shape (m,)
        Code of an overlay that covers each.
    """
    drawn = overlays[overlays.geometry.notna() & ~overlays.geometry.is_empty]
    lon, lat = (np.asarray(one, dtype=np.float64) for one in (lon_deg, lat_deg))
    if drawn.empty or not lon.size:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=object)
    shapes = np.array(drawn.geometry.array, dtype=object)
    raster = LabelRaster(shapes, Grid.over(tuple(drawn.total_bounds), 1024))
    inside = np.flatnonzero(raster.codes(lon, lat) >= 0)
    at, shape = shapely.STRtree(shapes).query(np.asarray(shapely.points(lon[inside], lat[inside]), dtype=object))
    rows = inside[at]
    covered = shapely.intersects_xy(raster.shapes[shape], lon[rows], lat[rows])
    day = np.asarray(on, dtype="datetime64[D]")[rows]
    start, end = (drawn[name].to_numpy().astype("datetime64[D]")[shape] for name in ("valid_from", "valid_to"))
    covered &= (np.isnat(start) | (start <= day)) & (np.isnat(end) | (day < end))
    rows, found = rows[covered], _codes(drawn)[shape[covered]]
    order = np.lexsort((found.astype(str), rows))
    return rows[order].astype(np.int64), found[order]


def shaped(overlays: GeoDataFrame) -> set[str]:
    """Return the codes of the overlays that have a shape in any version."""
    return set(_codes(overlays[overlays.geometry.notna() & ~overlays.geometry.is_empty]))


def _codes(frame: GeoDataFrame) -> npt.NDArray[Any]:
    return np.asarray(frame["code"].to_numpy(), dtype=object)
