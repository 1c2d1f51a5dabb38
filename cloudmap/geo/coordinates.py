"""WGS84, GCJ-02, BD-09 and projected coordinates: arrays in, WGS84 longitude and latitude out."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cloudmap.errors import CoordinateError
from cloudmap.ingest.crs_names import CGCS2000, OBFUSCATED, WGS84, normalise_crs

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pyproj import Transformer

Floats = NDArray[np.float64]
Datum = Literal["wgs84", "gcj02", "bd09"]

CHINA_BOX: Final = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east, north (degrees) of the box in which the published formulas shift points."""

_AXIS_M: Final = 6378245.0
_ECCENTRICITY2: Final = 0.00669342162296594323
_BAIDU_PI: Final = np.pi * 3000 / 180
_INVERSE_STEPS: Final = 4


def shift(lon_deg: ArrayLike, lat_deg: ArrayLike, *, source: Datum, target: Datum) -> tuple[Floats, Floats]:
    """Move points from one of WGS84, GCJ-02 and BD-09 to another.

    Parameters
    ----------
    lon_deg, lat_deg : array-like of float, shape (n,)
        Degrees in `source`. NaN stays NaN.
    source, target : {"wgs84", "gcj02", "bd09"}

    Returns
    -------
    lon_deg, lat_deg : ndarray of float64, shape (n,)
        Degrees in `target`.

    Raises
    ------
    CoordinateError
        `source` or `target` is none of the three.

    Notes
    -----
    Forward, the published formulas (0.01 m between implementations); back, four fixed-point steps of them (under 0.0001 m of the forward
    formula). Points outside `CHINA_BOX` are left alone, as every implementation does. The box is coarse: points in Taiwan, Hong
    Kong, Macao and neighbouring countries inside it are shifted too, although maps there are not; declare such feeds as WGS84.

    Examples
    --------
    >>> lon, lat = shift([121.37], [28.58], source="wgs84", target="gcj02")
    >>> round(float(lon[0]), 5), round(float(lat[0]), 5)
    (121.37441, 28.577)
    """
    for name in (source, target):
        if name not in ("wgs84", *OBFUSCATED):
            raise CoordinateError(f"shift knows wgs84, gcj02 and bd09, not {name!r}; use to_wgs84 for EPSG codes")
    lon = np.array(lon_deg, dtype=np.float64, ndmin=1)
    lat = np.array(lat_deg, dtype=np.float64, ndmin=1)
    moved = in_china_box(lon, lat)
    if source == target or not moved.any():
        return lon, lat
    x, y = lon[moved], lat[moved]
    if source == "bd09":
        x, y = _invert(_baidu, x, y)
    if source == "wgs84":
        x, y = _mars(x, y)
    if target == "wgs84":
        x, y = _invert(_mars, x, y)
    elif target == "bd09":
        x, y = _baidu(x, y)
    lon[moved], lat[moved] = x, y
    return lon, lat


def to_wgs84(x: ArrayLike, y: ArrayLike, crs: str) -> tuple[Floats, Floats]:
    """Bring coordinates of any known system to WGS84 degrees.

    Parameters
    ----------
    x, y : array-like of float, shape (n,)
        Easting or longitude, northing or latitude: always in this order, whatever the EPSG registry says.
    crs : str
        ``gcj02``, ``bd09``, an EPSG code, or what else `normalise_crs` takes.

    Returns
    -------
    lon_deg, lat_deg : ndarray of float64, shape (n,)
        NaN where the input is not finite or lies outside what the projection is defined for.

    Raises
    ------
    CoordinateError
        `crs` is unknown, or has no way to WGS84.

    Examples
    --------
    >>> lon, lat = to_wgs84([634034.0], [3162500.0], "EPSG:4549")
    >>> round(float(lon[0]), 3), round(float(lat[0]), 3)
    (121.37, 28.571)
    """
    name = normalise_crs(crs)
    if name == "gcj02":
        return shift(x, y, source="gcj02", target="wgs84")
    if name == "bd09":
        return shift(x, y, source="bd09", target="wgs84")
    easting = np.array(x, dtype=np.float64, ndmin=1)
    northing = np.array(y, dtype=np.float64, ndmin=1)
    if name in (WGS84, CGCS2000):
        return easting, northing
    lon, lat = _transformer(name).transform(easting, northing)
    lost = ~(np.isfinite(lon) & np.isfinite(lat))
    lon[lost], lat[lost] = np.nan, np.nan
    return lon, lat


def to_metric(lon_deg: ArrayLike, lat_deg: ArrayLike, crs: str) -> tuple[Floats, Floats]:
    """Bring WGS84 degrees to the metres of a projected system.

    Parameters
    ----------
    lon_deg, lat_deg : array-like of float, shape (n,)
    crs : str
        The city's ``metric_crs``.

    Returns
    -------
    x_m, y_m : ndarray of float64, shape (n,)
        Easting and northing.

    Raises
    ------
    CoordinateError
        PROJ knows no way between the two.
    """
    x, y = _transformer(crs).transform(np.asarray(lon_deg, dtype=float), np.asarray(lat_deg, dtype=float), direction="INVERSE")
    return np.asarray(x, dtype=float), np.asarray(y, dtype=float)


def frame_to_wgs84(frame: GeoDataFrame, crs: str) -> GeoDataFrame:
    """Bring the shapes of a frame to WGS84.

    Parameters
    ----------
    frame : GeoDataFrame
        Shapes in `crs`; its own `crs` attribute is not looked at, since gcj02 and bd09 have no code.
    crs : str
        As for `to_wgs84`.

    Returns
    -------
    GeoDataFrame
        A copy in EPSG:4326. Shapes that the conversion made invalid are mended.

    Raises
    ------
    CoordinateError
        `crs` is unknown, or a vertex lies outside what it is defined for.
    """
    import shapely

    def convert(points: Floats) -> Floats:
        return np.column_stack(to_wgs84(points[:, 0], points[:, 1], crs))

    shapes: NDArray[Any] = np.array(shapely.transform(frame.geometry.to_numpy(), convert), dtype=object)
    if not np.isfinite(shapely.get_coordinates(shapes)).all():
        raise CoordinateError(f"crs = {crs[:80]}: some vertices lie outside what it is defined for. Declare the system that they are in")
    broken = ~shapely.is_missing(shapes) & ~shapely.is_valid(shapes)
    shapes[broken] = shapely.make_valid(shapes[broken], method="structure", keep_collapsed=False)
    moved = frame.copy()
    moved[moved.geometry.name] = shapes
    return moved.set_crs(WGS84, allow_override=True)


def in_china_box(lon_deg: ArrayLike, lat_deg: ArrayLike) -> NDArray[np.bool_]:
    """Mark points inside `CHINA_BOX`; NaN is outside."""
    lon, lat = np.asarray(lon_deg, dtype=np.float64), np.asarray(lat_deg, dtype=np.float64)
    west, south, east, north = CHINA_BOX
    inside: NDArray[np.bool_] = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    return inside


def convertible(crs: str) -> bool:
    """Tell whether `to_wgs84` can convert from a (normalised) system."""
    try:
        _transformer(crs)
    except CoordinateError:
        return False
    return True


@lru_cache(maxsize=256)
def _transformer(name: str) -> Transformer:
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    try:
        return Transformer.from_crs(name, WGS84, always_xy=True)
    except ProjError:
        raise CoordinateError(f"crs = {name[:80]}: PROJ knows it but no way from it to WGS84; convert the file first") from None


def _mars(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Return GCJ-02 coordinates of WGS84 points by the published formula."""
    x, y = lon - 105, lat - 35
    root = np.sqrt(np.abs(x))
    ripple = (20 * np.sin(6 * np.pi * x) + 20 * np.sin(2 * np.pi * x)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + ripple
    north += (20 * np.sin(np.pi * y) + 40 * np.sin(np.pi * y / 3) + 160 * np.sin(np.pi * y / 12) + 320 * np.sin(np.pi * y / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + ripple
    east += (20 * np.sin(np.pi * x) + 40 * np.sin(np.pi * x / 3) + 150 * np.sin(np.pi * x / 12) + 300 * np.sin(np.pi * x / 30)) * 2 / 3
    phi = np.radians(lat)
    flatten = 1 - _ECCENTRICITY2 * np.sin(phi) ** 2
    d_lat = np.degrees(north * flatten**1.5 / (_AXIS_M * (1 - _ECCENTRICITY2)))
    d_lon = np.degrees(east * np.sqrt(flatten) / (_AXIS_M * np.cos(phi)))
    return lon + d_lon, lat + d_lat


def _baidu(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Return BD-09 coordinates of GCJ-02 points by the published formula."""
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BAIDU_PI)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BAIDU_PI)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def _invert(forward: Callable[[Floats, Floats], tuple[Floats, Floats]], lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Solve ``forward(guess) = point`` by fixed-point steps; each cuts the error about a hundredfold."""
    x, y = lon.copy(), lat.copy()
    for _ in range(_INVERSE_STEPS):
        fx, fy = forward(x, y)
        x += lon - fx
        y += lat - fy
    return x, y
