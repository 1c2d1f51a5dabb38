"""Every unit level of a city at once: which unit covers a point on the day that something happened."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import shapely

from cloudmap.errors import BoundaryError
from cloudmap.geo.named import NamedUnits
from cloudmap.geo.overlays import NamedOverlays
from cloudmap.geo.raster import EDGE, FloatArray, Grid, IntArray, LabelRaster
from cloudmap.geo.units import Units, in_force, serving

if TYPE_CHECKING:
    from datetime import date

    from geopandas import GeoDataFrame
    from scipy.spatial import cKDTree
    from shapely.geometry.base import BaseGeometry

LAYOUT: Final = 1
"""Version of the cached rasters' files; raise it when labels come to mean something else."""

CENTROID_DEG: Final = 1e-6
"""A report this near to a unit's centroid (0.1 m) is on it."""


class Locator:
    """Finds the unit of each partition level that covers a point: covers, then lowest code.

    Levels are independent: a point may lie in a community and in a village, or in a community and in no village. Boundaries are dated;
    a day before the first or after the last version of a level takes the nearest one.

    Parameters
    ----------
    units : Units
        Base map.
    cache : Path, optional
        Folder for drawn rasters; they are drawn anew where it holds none, or holds a damaged one.
    size : int, default 2048
        Raster cells along each side of the extent; larger draws slower and answers faster.

    Attributes
    ----------
    levels : tuple of str
        Partition levels, coarse to fine.
    unit_codes : dict of level to object array of str
        Codes of each level, sorted, over all dated versions; units without a shape can be named though no point lies in them.

    Raises
    ------
    BoundaryError
        The base map has no partition, or a partition without any shape.
    """

    def __init__(self, units: Units, *, cache: Path | None = None, size: int = 2048) -> None:
        if not units.levels:
            raise BoundaryError("base map: no level of kind partition, so no report can be placed. Add [[units]] to the city file")
        self.levels = units.levels
        self._units = units
        self._cache = cache
        frames = {level: _drawn(units.frame(level)) for level in self.levels}
        for level, frame in frames.items():
            if frame.empty:
                raise BoundaryError(f'base map: level {level}: no unit has a shape. Draw them, or declare the layer kind = "overlay"')
        bounds = np.array([frame.total_bounds for frame in frames.values()])
        extent = (*bounds[:, :2].min(axis=0), *bounds[:, 2:].max(axis=0))
        self.grid = Grid.over(extent, size)
        self.unit_codes = {level: np.array(sorted(set(units.frame(level)["code"])), dtype=object) for level in self.levels}
        self._versions = {level: _Versions(frame, units.periods(level)) for level, frame in frames.items()}
        self._rasters: dict[tuple[str, int], tuple[LabelRaster, npt.NDArray[np.int32]]] = {}
        self._outlines: dict[str, BaseGeometry] = {}

    @property
    def dated(self) -> bool:
        """Whether any level has more than one version."""
        return any(version.many for version in self._versions.values())

    @cached_property
    def named(self) -> NamedUnits:
        """The same units by code and name."""
        return NamedUnits(self._units, self.unit_codes)

    @cached_property
    def overlays(self) -> NamedOverlays:
        """The overlays by code and name."""
        return NamedOverlays(self._units, self.named)

    def codes(
        self,
        level: str,
        lon_deg: npt.ArrayLike,
        lat_deg: npt.ArrayLike,
        *,
        on: npt.ArrayLike | None = None,
        at: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[np.int32]:
        """Find the unit of one level that covers each point.

        Parameters
        ----------
        level : str
            A partition level.
        lon_deg, lat_deg : array_like of float, shape (n,)
            WGS84, degrees; NaN lies in no unit.
        on : array_like of datetime64[D], shape (n,), optional
            Local day of each report, or one day for all; without it, the newest version of the base map holds for all.
        at : int array, shape (n,), optional
            `grid.place(lon_deg, lat_deg)`, where the caller has it.

        Returns
        -------
        int32 array, shape (n,)
            Position in `unit_codes[level]`, -1 where no unit covers the point.

        Raises
        ------
        BoundaryError
            There is no such level.
        """
        if level not in self._versions:
            raise BoundaryError(f"base map: no partition of level {level!r}; it has {', '.join(self.levels)}")
        lon, lat = (np.atleast_1d(np.asarray(one, dtype=np.float64)) for one in (lon_deg, lat_deg))
        at = self.grid.place(lon, lat) if at is None else at
        versions = self._versions[level]
        if on is None or not versions.many:
            return self._look_up(level, versions.newest, lon, lat, at)
        days = np.asarray(on, dtype="datetime64[D]")
        if days.ndim == 0:
            return self._look_up(level, int(versions.of(days[None])[0]), lon, lat, at)
        found = np.full(lon.size, -1, dtype=np.int32)
        version = versions.of(np.broadcast_to(days, lon.shape))
        for one in np.unique(version):
            rows = np.flatnonzero(version == one)
            found[rows] = self._look_up(level, int(one), lon[rows], lat[rows], at[rows])
        return found

    def places(self, lon_deg: FloatArray, lat_deg: FloatArray, *, on: npt.ArrayLike | None = None) -> dict[str, npt.NDArray[np.int32]]:
        """Find the covering unit of every level; `codes` for all levels at once."""
        at = self.grid.place(lon_deg, lat_deg)
        return {level: self.codes(level, lon_deg, lat_deg, on=on, at=at) for level in self.levels}

    def covers_any(self, lon_deg: npt.ArrayLike, lat_deg: npt.ArrayLike, *, on: npt.ArrayLike | None = None) -> npt.NDArray[np.bool_]:
        """Tell which points lie in at least one unit of any level."""
        lon, lat = (np.atleast_1d(np.asarray(one, dtype=np.float64)) for one in (lon_deg, lat_deg))
        covered = np.zeros(lon.size, dtype=np.bool_)
        for codes in self.places(lon, lat, on=on).values():
            covered |= codes >= 0
        return covered

    def near_outline(self, lon_deg: FloatArray, lat_deg: FloatArray, tolerance_m: float, metric_crs: str) -> npt.NDArray[np.bool_]:
        """Tell which points lie at most a tolerance (metres, in `metric_crs`) from the ground of the city."""
        import geopandas as gpd
        from pyproj import Transformer

        near = np.zeros(lon_deg.size, dtype=np.bool_)
        usable = np.isfinite(lon_deg) & np.isfinite(lat_deg)
        if not usable.any():
            return near
        if metric_crs not in self._outlines:
            self._outlines[metric_crs] = gpd.GeoSeries([self._units.outline], crs="EPSG:4326").to_crs(metric_crs).iloc[0]
            shapely.prepare(self._outlines[metric_crs])
        x, y = Transformer.from_crs("EPSG:4326", metric_crs, always_xy=True).transform(lon_deg[usable], lat_deg[usable])
        near[usable] = shapely.dwithin(self._outlines[metric_crs], shapely.points(x, y), tolerance_m)
        return near

    def on_centroid(self, lon_deg: FloatArray, lat_deg: FloatArray) -> npt.NDArray[np.bool_]:
        """Tell which points lie on the centroid or the middle of the bounding box of a unit of any level, to 1e-6 degrees."""
        on = np.zeros(lon_deg.size, dtype=np.bool_)
        usable = np.isfinite(lon_deg) & np.isfinite(lat_deg)
        distance, _ = self._centres.query(np.column_stack([lon_deg[usable], lat_deg[usable]]), p=np.inf)
        # Rounding of the difference of two numbers near 120 is 1e-14.
        on[usable] = distance <= CENTROID_DEG + 1e-12
        return on

    @cached_property
    def _centres(self) -> cKDTree:
        from scipy.spatial import cKDTree

        shapes = np.concatenate([_shapes(_drawn(self._units.frame(level))) for level in self.levels])
        west, south, east, north = shapely.bounds(shapes).T
        boxes = np.column_stack([(west + east) / 2, (south + north) / 2])
        return cKDTree(np.concatenate([shapely.get_coordinates(shapely.centroid(shapes)), boxes]))

    def _look_up(self, level: str, version: int, lon: FloatArray, lat: FloatArray, at: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        if (level, version) not in self._rasters:
            self._rasters[level, version] = self._raster(level, version)
        raster, position = self._rasters[level, version]
        # The last entry of `position` is -1, which is what label -1 reads.
        return position[raster.codes(lon, lat, at)]

    def _raster(self, level: str, version: int) -> tuple[LabelRaster, npt.NDArray[np.int32]]:
        frame = self._versions[level].frame(version)
        shapes = _shapes(frame)
        position = np.append(np.searchsorted(self.unit_codes[level], frame["code"].to_numpy(dtype=object)), -1).astype(np.int32)
        if self._cache is None:
            return LabelRaster(shapes, self.grid), position
        digest = hashlib.sha256(b"".join(shapely.to_wkb(shapes)) + repr(self.grid).encode()).hexdigest()
        path = self._cache / f"labels-{LAYOUT}-{self._units.version}-{level}-{version}-{self.grid.size}.npz"
        labels = _read_labels(path, digest, self.grid.size, len(shapes))
        raster = LabelRaster(shapes, self.grid, labels)
        if labels is None:
            _write_labels(path, digest, raster.labels)
        return raster, position


class _Versions:
    """The dated versions of one level; spans of days in which no unit is in force borrow the nearest version."""

    def __init__(self, frame: GeoDataFrame, periods: list[tuple[date | None, date | None]]) -> None:
        self._frame = frame
        self._periods = periods
        self._starts = np.array([start for start, _ in periods[1:]], dtype="datetime64[D]")
        self._serves = serving(frame, periods)
        self.newest = int(self._serves[-1])
        self.many = len(set(self._serves.tolist())) > 1

    def of(self, on: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
        """Number of the version that holds on each day."""
        served: npt.NDArray[np.int64] = self._serves[np.searchsorted(self._starts, on, side="right")]
        return served

    def frame(self, version: int) -> GeoDataFrame:
        """Units in force, by code."""
        frame = self._frame[in_force(self._frame, self._periods[version][0])]
        return frame.sort_values("code", kind="stable")


def _drawn(frame: GeoDataFrame) -> GeoDataFrame:
    return frame[frame.geometry.notna() & ~frame.geometry.is_empty]


def _shapes(frame: GeoDataFrame) -> npt.NDArray[np.object_]:
    return np.array(frame.geometry.array, dtype=object)


def _read_labels(path: Path, digest: str, size: int, shapes_n: int) -> IntArray | None:
    """Read a cached raster; None where there is none, it is of other shapes, or it is damaged (it is drawn anew then)."""
    try:
        with np.load(path, allow_pickle=False) as held:
            labels: IntArray = held["labels"]
            same = str(held["digest"]) == digest
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError):
        return None
    sound = labels.shape == (size, size) and labels.dtype in (np.int16, np.int32) and labels.min() >= EDGE and labels.max() < shapes_n
    return labels if same and sound else None


def _write_labels(path: Path, digest: str, labels: IntArray) -> None:
    """Write a raster to a temporary name and rename it; a cache that cannot be written is done without."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                np.savez_compressed(file, labels=labels, digest=np.array(digest))
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
