"""The many ways to write the name of a coordinate system, brought to one."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from cloudmap.errors import CoordinateError

WGS84: Final = "EPSG:4326"
CGCS2000: Final = "EPSG:4490"
OBFUSCATED: Final = ("gcj02", "bd09")
"""The two shifted systems of Chinese web maps: no EPSG code, latitudes and longitudes moved by 0.5 and 1.1 km."""

_PLAIN_NAMES: Final = {
    "wgs84": WGS84,
    "wgs1984": WGS84,
    "crs84": WGS84,
    "ogccrs84": WGS84,
    "cgcs2000": CGCS2000,
    "cgcs2000geographic": CGCS2000,
    "国家2000": CGCS2000,
    "2000国家大地坐标系": CGCS2000,
    "gcj02": "gcj02",
    "gcj": "gcj02",
    "火星坐标": "gcj02",
    "火星坐标系": "gcj02",
    "国测局": "gcj02",
    "bd09": "bd09",
    "bd09ll": "bd09",
    "百度": "bd09",
    "百度坐标": "bd09",
    "百度坐标系": "bd09",
}


@lru_cache(maxsize=256)
def normalise_crs(text: str) -> str:
    """Bring a coordinate system's name to the one form used everywhere.

    Parameters
    ----------
    text : str
        ``gcj02``, ``GCJ-02``, ``bd09``, ``WGS 84``, ``CGCS2000``, an EPSG code (``4549``, ``EPSG:4549``), or anything else that PROJ knows
        (WKT, a PROJ string).

    Returns
    -------
    str
        ``gcj02``, ``bd09``, ``EPSG:<code>``, or WKT where no code fits.

    Raises
    ------
    CoordinateError
        Nothing of that name is known.

    Examples
    --------
    >>> normalise_crs("GCJ-02"), normalise_crs("4549"), normalise_crs("WGS 84")
    ('gcj02', 'EPSG:4549', 'EPSG:4326')
    """
    plain = re.sub(r"[\s_\-/:()]", "", text).lower()
    if plain in _PLAIN_NAMES:
        return _PLAIN_NAMES[plain]
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    code = re.fullmatch(r"(?:epsg)?(\d{4,6})", plain)
    try:
        crs = CRS.from_epsg(int(code[1])) if code else CRS.from_user_input(text)
    except CRSError:
        raise CoordinateError(
            f"crs = {text[:80]!r}: no such coordinate system. Write gcj02, bd09, or an EPSG code such as EPSG:4326, EPSG:4490, EPSG:4549"
        ) from None
    if crs.to_authority() == ("OGC", "CRS84"):
        return WGS84
    known = crs.to_epsg(min_confidence=70)
    return f"EPSG:{known}" if known else crs.to_wkt()


@lru_cache(maxsize=256)
def is_geographic(crs: str) -> bool:
    """Tell whether a (normalised) system has degrees.

    Parameters
    ----------
    crs : str
        As `normalise_crs` returns it.
    """
    if crs in (WGS84, CGCS2000, *OBFUSCATED):
        return True
    from pyproj import CRS

    return bool(CRS.from_user_input(crs).is_geographic)
