"""The base map beneath the data: a file of this server in ranges, or, where the city asks for it, the tiles of 天地图 from the Internet.

There is no setting for the address of any other tiles. Amap (GCJ-02) and Baidu (BD-09) draw everything some hundred metres beside where it
is, their terms give their tiles to their own tools only, and each look at a place would be told to them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Response, abort, send_file

from cloudmap.errors import SourceError
from cloudmap.geo.basemap import Basemap, look

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.city import City
    from cloudmap.dashboard.text import Words

BASE: Final = "base"
"""The switch for the base map among the shown layers; it always lies lowest."""
TIANDITU: Final = tuple(f"https://t{number}.tianditu.gov.cn" for number in range(8))
"""The hosts of 天地图's tiles: the only ones outside that a page may ever ask."""

_FOR_EVER: Final = "private, max-age=31536000, immutable"
_LOG: Final = logging.getLogger("cloudmap.dashboard")
_WMTS: Final = "SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&STYLE=default&TILEMATRIXSET=w&FORMAT=tiles"


def base_file(city: City) -> Basemap | None:
    """Return the city's base map file; None where it names none, or one that cannot be drawn (the log tells why)."""
    if city.basemap.file is None:
        return None
    path = city.path(city.basemap.file)
    try:
        state = path.stat()
    except OSError:
        return _looked_at(path, None)
    return _looked_at(path, (state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=16)
def _looked_at(path: Path, _state: tuple[int, int] | None) -> Basemap | None:
    """Look at a file once for each of its states, and tell once what is wrong with it."""
    try:
        return look(path)
    except SourceError as error:
        _LOG.warning("no base map: %s", error)
        return None


def has_base(city: City) -> bool:
    """Tell whether a city has anything to draw beneath its map."""
    return bool(city.basemap.tianditu_key) or base_file(city) is not None


def outside_hosts(city: City) -> tuple[str, ...]:
    """List the hosts outside that the pages of a city may ask for tiles: none, unless its file has a key of 天地图."""
    return TIANDITU if city.basemap.tianditu_key else ()


def base_config(city: City, say: Words) -> dict[str, Any] | None:
    """Tell the map component what to draw beneath the data.

    Returns
    -------
    dict or None
        kind (vector, raster or online), credit, label; url, layers and zooms of a file; tiles of 天地图.
    """
    if city.basemap.tianditu_key:
        credit = city.basemap.attribution or say("basemap.tianditu")
        return {
            "kind": "online",
            "label": say("control.base"),
            "credit": f"{credit} · {say('basemap.outside')}",
            "tiles": _tianditu(city, say),
        }
    base = base_file(city)
    if base is None:
        return None
    return {
        "kind": "vector" if base.tiles == "mvt" else "raster",
        "label": say("control.base"),
        "credit": city.basemap.attribution or base.attribution,
        "failed": say("basemap.failed"),
        "url": f"/map/base/{base.version}",
        "layers": list(base.layers),
        "zooms": [base.min_zoom, base.max_zoom],
    }


def register(server: Flask, current: Callable[[], Reader]) -> None:
    """Add the route of the base map file to a Flask server; nothing of a request becomes a path.

    Parameters
    ----------
    server : Flask
    current : callable
        Returns the reader of the moment.
    """

    def base(version: str) -> Response:
        found = base_file(current().city)
        if found is None or version != found.version:
            abort(404)
        answer = send_file(found.path, mimetype="application/vnd.pmtiles", etag=found.version, conditional=True)
        answer.headers["Cache-Control"] = _FOR_EVER
        return answer

    server.add_url_rule("/map/base/<version>", "map_base", base)


def _tianditu(city: City, say: Words) -> list[list[str]]:
    """Write the addresses of 天地图's ground and of its names, in Web Mercator."""
    names = "eva" if say.language == "en" else "cva"
    tile = f"{_WMTS}&TILEMATRIX={{z}}&TILEROW={{y}}&TILECOL={{x}}&tk={city.basemap.tianditu_key}"
    return [[f"{host}/{layer}_w/wmts?LAYER={layer}&{tile}" for host in TIANDITU] for layer in ("vec", names)]
