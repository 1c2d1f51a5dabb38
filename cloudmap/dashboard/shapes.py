"""Geometry for the browser: whole numbers of 1e-6 degree, each ring as its first point and then differences."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from cloudmap.access.reader import Reader
    from cloudmap.access.views import PlaceLayer

SCALE = 1e6


def version(reader: Reader, layer: PlaceLayer) -> str:
    """Name the state of a layer's geometry: cells follow the load (cells with reports join), other layers their own files.

    Returns
    -------
    str
        12 hexadecimal digits; an address with it may be kept for ever.
    """
    own = {"water": "water", "landmark": "landmarks"}.get(layer.kind, "")
    stand = str(reader.analysed_load) if layer.kind == "cell" else str(reader.provenance.get("parts", {}).get(own, ""))
    parts = [reader.base_map_version, layer.id, str(layer.places_n), stand]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def pack(shapes: GeoDataFrame) -> tuple[list[str], bytes]:
    """Pack the shapes of a layer.

    Parameters
    ----------
    shapes : GeoDataFrame
        place, name, geometry (EPSG:4326); rows without a shape are left out.

    Returns
    -------
    places : list of str
        Ids in the order of the shapes, in which values must be sent.
    body : bytes
        JSON with places, names, centres (label points) and shapes, gzipped.
    """
    import shapely

    outlines = shapes.geometry.to_numpy()
    drawn = shapes[~(shapely.is_missing(outlines) | shapely.is_empty(outlines))]
    places = [str(place) for place in drawn["place"]]
    names = [str(name) if isinstance(name, str) else place for place, name in zip(places, drawn["name"], strict=True)]
    points = drawn.geometry.representative_point()
    centres = np.column_stack([points.x, points.y]) if places else np.empty((0, 2))
    packed = {
        "places": places,
        "names": names,
        "centres": np.rint(centres * SCALE).astype(int).ravel().tolist(),
        "shapes": [_shape(geometry) for geometry in drawn.geometry],
    }
    body = json.dumps(packed, ensure_ascii=False, separators=(",", ":")).encode()
    return places, gzip.compress(body, compresslevel=6, mtime=0)


def _shape(geometry: Any) -> list[Any]:
    parts = list(getattr(geometry, "geoms", [geometry]))
    polygons = [part for part in parts if part.geom_type == "Polygon"]
    if polygons:
        return ["P", [[_ring(ring) for ring in (part.exterior, *part.interiors)] for part in polygons]]
    if all(part.geom_type == "Point" for part in parts):
        return ["D", _steps(np.array([part.coords[0] for part in parts]))]
    return ["L", [_ring(part) for part in parts if part.geom_type in ("LineString", "LinearRing")]]


def _ring(line: Any) -> list[int]:
    return _steps(np.asarray(line.coords))


def _steps(xy: Any) -> list[int]:
    points = np.rint(xy[:, :2] * SCALE).astype(np.int64)
    steps: list[int] = np.diff(points, axis=0, prepend=np.zeros((1, 2), dtype=np.int64)).ravel().tolist()
    return steps
