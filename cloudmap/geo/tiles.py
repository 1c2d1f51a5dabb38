"""Map tiles of many places: one PMTiles archive of vector tiles, from which a browser fetches only what it shows.

Sources: Mapbox Vector Tile Specification 2.1; PMTiles Specification 3. GDAL writes both.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from cloudmap.errors import CoordinateError

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

TILED_ABOVE: Final = 22_000
"""Places of a layer above which a browser gets tiles in place of all shapes at once."""
LAYER: Final = "places"
"""Name of the layer within the tiles."""
SMALLEST_PX: Final = 8
"""Width on the screen below which single cells cannot be told apart nor hit with a finger."""

_EQUATOR_M: Final = 40_075_016.686
_TILE_PX: Final = 512
_EXTENT: Final = 16_384
_BUFFER: Final = 512
_MOST_BYTES: Final = 20_000_000
_MOST_FEATURES: Final = 1_000_000


def zoom_of_width(width_m: float, lat_deg: float) -> float:
    """Tell from which zoom something is `SMALLEST_PX` wide on the screen.

    Parameters
    ----------
    width_m : float
        Metres, above 0.
    lat_deg : float
        Latitude at which it lies, degrees.

    Returns
    -------
    float
        Zoom of Web Mercator with tiles of 512 pixels, as MapLibre counts it.

    Raises
    ------
    CoordinateError
        The width is not above 0.
    """
    if not width_m > 0:
        raise CoordinateError(f"width {width_m} m: it has to be above 0")
    return math.log2(SMALLEST_PX * _EQUATOR_M * math.cos(math.radians(lat_deg)) / (_TILE_PX * width_m))


def zoom_of_cells(shapes: GeoDataFrame) -> float:
    """Tell from which zoom the cells of a cover are wide enough to be drawn.

    Parameters
    ----------
    shapes : GeoDataFrame
        area_m2, geometry (EPSG:4326), at least one row: regular hexagons nearly, whose flats are sqrt(2 area / sqrt 3) apart.
    """
    _, south, _, north = shapes.total_bounds
    width_m = math.sqrt(2 * float(np.median(shapes["area_m2"])) / math.sqrt(3))
    return zoom_of_width(width_m, (south + north) / 2)


def write_tiles(shapes: GeoDataFrame, zoom: int) -> bytes:
    """Cut places into vector tiles of one zoom; a browser enlarges them for the zooms above.

    Parameters
    ----------
    shapes : GeoDataFrame
        place (text), geometry (EPSG:4326, polygons).
    zoom : int
        0 to 22.

    Returns
    -------
    bytes
        A PMTiles archive; in its layer `LAYER` each place is a feature with ``i`` (its row) and ``place``.
    """
    import pyogrio

    tiled = shapes[["place", "geometry"]].reset_index(drop=True)
    tiled.insert(0, "i", np.arange(len(tiled), dtype=np.int64))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "places.pmtiles"
        pyogrio.write_dataframe(
            tiled, file, driver="PMTiles", layer=LAYER, MINZOOM=zoom, MAXZOOM=zoom, EXTENT=_EXTENT, BUFFER=_BUFFER,
            MAX_SIZE=_MOST_BYTES, MAX_FEATURES=_MOST_FEATURES, SIMPLIFICATION=0, SIMPLIFICATION_MAX_ZOOM=0,
        )  # fmt: skip
        return file.read_bytes()
