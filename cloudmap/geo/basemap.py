"""The base map beneath the data: a PMTiles file, looked at before any browser is led to it.

Source: PMTiles Specification 3 (a header of 127 bytes, then directories, metadata and tiles).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import zlib
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from cloudmap.errors import SourceError
from cloudmap.geo.units import Problem

if TYPE_CHECKING:
    from cloudmap.city import City
    from cloudmap.geo.units import Units

_HEADER: Final = struct.Struct("<7sB11Q6B4iB2i")
_TYPES: Final = {1: "mvt", 2: "png", 3: "jpeg", 4: "webp"}
_NONE, _GZIP = 1, 2
_MOST_METADATA: Final = 4_000_000
_MAKE: Final = "Make one with `cloudmap basemap CITY LAYERS… -o base.pmtiles`, or cut one out of a larger file with `pmtiles extract`"


class Basemap(NamedTuple):
    """A PMTiles file that a browser can draw.

    Attributes
    ----------
    path : Path
    version : str
        12 hex digits that change when the file does.
    tiles : str
        "mvt" (vector), "png", "jpeg" or "webp".
    min_zoom, max_zoom : int
        Zooms of Web Mercator that the file has tiles of.
    bounds : tuple of float
        West, south, east, north, degrees (WGS84).
    layers : tuple of str
        Layers of vector tiles; empty for pictures.
    attribution : str
        Whom the file itself names as its makers, as plain text.
    """

    path: Path
    version: str
    tiles: Literal["mvt", "png", "jpeg", "webp"]
    min_zoom: int
    max_zoom: int
    bounds: tuple[float, float, float, float]
    layers: tuple[str, ...]
    attribution: str


def read_basemap(city: City) -> Basemap | None:
    """Look at the base map file of a city.

    Parameters
    ----------
    city : City

    Returns
    -------
    Basemap or None
        None where the city names no file.

    Raises
    ------
    SourceError
        No such file, not PMTiles version 3, cut short, or with tiles or a compression that browsers cannot read.
    """
    if city.basemap.file is None:
        return None
    return look(city.path(city.basemap.file))


def look(path: Path) -> Basemap:
    """Look at a PMTiles file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    SourceError
        As `read_basemap`.
    """
    if not path.is_file():
        raise SourceError(f"basemap.file: no file at {path}. {_MAKE}, or take the line out")
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            header = _header(file.read(_HEADER.size), state.st_size, path.name)
            file.seek(header["metadata_at"])
            metadata = _metadata(file.read(min(header["metadata_n"], _MOST_METADATA)), header, path.name)
    except OSError as error:
        raise SourceError(f"basemap.file: {path} cannot be read ({error.strerror or error}). Change its permissions") from error
    layers = tuple(str(one["id"]) for one in metadata.get("vector_layers") or () if isinstance(one, dict) and one.get("id"))
    if header["tiles"] == "mvt" and not layers:
        raise SourceError(f"{path.name}: its metadata name no vector_layers, so nothing in it can be drawn. {_MAKE}")
    stamp = f"{path}|{state.st_size}|{state.st_mtime_ns}"
    version = hashlib.sha256(stamp.encode()).hexdigest()[:12]
    told = _plain(metadata.get("attribution"))
    return Basemap(path, version, header["tiles"], header["min_zoom"], header["max_zoom"], header["bounds"], layers, told)


def describe_basemap(city: City) -> str | None:
    """Tell in one line what is drawn beneath a city's map; None where nothing is.

    Raises
    ------
    SourceError
        As `read_basemap`.
    """
    if city.basemap.tianditu_key:
        return "天地图 (tianditu.gov.cn), fetched by each browser from the Internet where somebody switches it on"
    base = read_basemap(city)
    if base is None:
        return None
    drawn = f"layers {', '.join(base.layers)}" if base.layers else "pictures"
    makers = city.basemap.attribution or base.attribution or "nobody named"
    return f"{base.path.name}: {base.tiles}, zoom {base.min_zoom} to {base.max_zoom}, {drawn}, by {makers}"


def check_basemap(city: City, units: Units) -> list[Problem]:
    """List what a base map file lacks for its city.

    Parameters
    ----------
    city : City
    units : Units

    Returns
    -------
    list of Problem
        Kinds not_covered, coarse, no_attribution; level "basemap".

    Raises
    ------
    SourceError
        As `read_basemap`.
    """
    from shapely.geometry import box

    base = read_basemap(city)
    if base is None:
        return []
    name, problems = base.path.name, []
    outline = units.outline
    if not outline.is_empty and not box(*base.bounds).covers(box(*outline.bounds)):
        west, south, east, north = base.bounds
        told = f"{name} covers {west:.4f} to {east:.4f} E, {south:.4f} to {north:.4f} N, not all of the city. Cut it with a wider box"
        problems.append(Problem("not_covered", "basemap", (), None, told))
    if base.max_zoom < 12:
        told = f"{name} ends at zoom {base.max_zoom}: streets will look coarse. Take one up to zoom 14 or 15"
        problems.append(Problem("coarse", "basemap", (), None, told))
    if not (city.basemap.attribution or base.attribution):
        told = f"{name} names no makers, and neither does basemap.attribution. Most licences ask for it: set basemap.attribution"
        problems.append(Problem("no_attribution", "basemap", (), None, told))
    return problems


def _header(raw: bytes, size: int, name: str) -> dict[str, Any]:
    if len(raw) < 8 or raw[:7] != b"PMTiles":
        raise SourceError(f"{name}: not a PMTiles file (it does not begin with 'PMTiles'). {_MAKE}")
    if raw[7] != 3:
        raise SourceError(f"{name}: PMTiles version {raw[7]}; only version 3 is read. Convert it with `pmtiles convert`")
    if len(raw) < _HEADER.size:
        raise SourceError(f"{name}: cut short after {len(raw)} bytes. Copy it again")
    (_, _, root_at, root_n, meta_at, meta_n, leaf_at, leaf_n, data_at, data_n, _, _, _, _, inner, packed, kind, low, high,
     west, south, east, north, *_) = _HEADER.unpack(raw)  # fmt: skip
    end = max(root_at + root_n, meta_at + meta_n, leaf_at + leaf_n, data_at + data_n)
    if end > size:
        raise SourceError(f"{name}: cut short: it has {size:,} bytes of {end:,}. Copy it again")
    if kind not in _TYPES:
        raise SourceError(f"{name}: tiles of type {kind}; browsers are given mvt, png, jpeg or webp. {_MAKE}")
    if inner not in (_NONE, _GZIP) or (packed not in (_NONE, _GZIP) and kind == 1):
        raise SourceError(f"{name}: packed with brotli or zstd, which browsers cannot unpack. Write it with gzip")
    bounds = tuple(edge / 1e7 for edge in (west, south, east, north))
    return {
        "metadata_at": meta_at, "metadata_n": meta_n, "gzip": inner == _GZIP, "tiles": _TYPES[kind],
        "min_zoom": low, "max_zoom": high, "bounds": bounds,
    }  # fmt: skip


def _metadata(raw: bytes, header: dict[str, Any], name: str) -> dict[str, Any]:
    try:
        text = zlib.decompressobj(wbits=31).decompress(raw, _MOST_METADATA) if header["gzip"] else raw
        read = json.loads(text) if text.strip() else {}
    except (zlib.error, ValueError) as error:
        raise SourceError(f"{name}: its metadata cannot be read ({error}). Copy it again") from error
    return read if isinstance(read, dict) else {}


def _plain(told: object) -> str:
    """Return an attribution, which is HTML in most files, as one line of text."""
    if not isinstance(told, str):
        return ""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", told)).split())[:200]
