"""The water base map and landmarks: rivers, canals, lakes, wetlands; markets, schools."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

from cloudmap.city import City, LandmarkLayer, WaterLayer
from cloudmap.errors import BoundaryError
from cloudmap.geo.coordinates import frame_to_wgs84
from cloudmap.geo.fields import as_text, pick
from cloudmap.geo.units import Problem
from cloudmap.ingest.layers import read_layer

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

WATER_COLUMNS: Final = ("id", "kind", "name", "downstream", "geometry")
LANDMARK_COLUMNS: Final = ("id", "kind", "name", "geometry")


def read_water(city: City) -> GeoDataFrame:
    """Read the water base map of a city.

    Parameters
    ----------
    city : City
        Its [[water]] tables say where the files lie and what their fields mean.

    Returns
    -------
    GeoDataFrame
        ``id`` (text, unique), ``kind`` (river, canal, lake, wetland), ``name`` and ``downstream`` (text or None; the id of the water
        that it flows into, several parted by ``;`` or ``,``) and ``geometry`` (lines or polygons, EPSG:4326), in the order of the
        files. An id that is not given is made from kind and shape: the same in every run and whatever the order.

    Raises
    ------
    BoundaryError
        A layer holds neither lines nor polygons, or two features have the same id.
    SourceError, SchemaError, CoordinateError
        A file cannot be read, lacks a mapped field, or has no known coordinate system.
    """
    return _read(city.water, city, WATER_COLUMNS)[0]


def check_water(city: City) -> list[Problem]:
    """List features of the water base map that were left out or repaired, and waters that flow into unknown ones.

    Parameters
    ----------
    city : City

    Returns
    -------
    list of Problem
        Kinds repaired, no_shape, unknown_downstream, flow_circle; level "water".

    Raises
    ------
    BoundaryError, SourceError, SchemaError, CoordinateError
        As `read_water`.
    """
    from cloudmap.geo.reaches import reach_graph

    frame, problems = _read(city.water, city, WATER_COLUMNS)
    known = set(frame["id"])
    for code, text in zip(frame["id"], frame["downstream"], strict=True):
        lost = [one for one in downstream_ids(text) if one not in known]
        if lost:
            told = f"water {code} flows into {', '.join(lost)}, which no layer has. Correct fields.downstream or add the layer"
            problems.append(Problem("unknown_downstream", "water", (str(code),), None, told))
    for circle in reach_graph(frame).circles():
        told = f"{len(circle)} waters flow into each other in a circle: {', '.join(circle[:10])}. Correct fields.downstream"
        problems.append(Problem("flow_circle", "water", circle, None, told))
    return problems


def downstream_ids(text: object) -> tuple[str, ...]:
    """Read the ids of the waters that a water flows into, as its layer tells them; none where the field is blank."""
    if not isinstance(text, str):
        return ()
    return tuple(dict.fromkeys(one.strip() for one in re.split(r"[;,；，、|]", text) if one.strip()))


def read_landmarks(city: City) -> GeoDataFrame:
    """Read the landmarks of a city: a point each.

    Parameters
    ----------
    city : City
        Its [[landmarks]] tables say where the files lie.

    Returns
    -------
    GeoDataFrame
        ``id``, ``kind``, ``name`` (text) and ``geometry`` (a point, EPSG:4326; of a polygon or line, a point on it).

    Raises
    ------
    BoundaryError
        Two landmarks have the same id, or a layer has no shape at all.
    SourceError, SchemaError, CoordinateError
        A file cannot be read, lacks a mapped field, or has no known coordinate system.
    """
    frame, _ = _read(city.landmarks, city, LANDMARK_COLUMNS)
    other = frame.geom_type != "Point"
    frame.loc[other, "geometry"] = frame.geometry[other].representative_point()
    return frame


def _read(layers: tuple[WaterLayer | LandmarkLayer, ...], city: City, columns: tuple[str, ...]) -> tuple[GeoDataFrame, list[Problem]]:
    import geopandas as gpd
    import pandas as pd

    parts: list[GeoDataFrame] = []
    problems: list[Problem] = []
    for table in layers:
        parts.append(_read_one(table, city, columns, problems))
    if not parts:
        return gpd.GeoDataFrame({name: [] for name in columns}, geometry="geometry", crs="EPSG:4326"), problems
    frame = gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), geometry="geometry", crs="EPSG:4326")
    repeated = sorted(set(frame["id"][frame["id"].duplicated()]))
    if repeated:
        raise BoundaryError(f"base map: id(s) {', '.join(repeated[:10])} used twice. Give each feature its own, or leave fields.id out")
    return frame, problems


def _read_one(table: WaterLayer | LandmarkLayer, city: City, columns: tuple[str, ...], problems: list[Problem]) -> GeoDataFrame:
    import geopandas as gpd

    path = city.path(table.path)
    level = "water" if isinstance(table, WaterLayer) else "landmarks"
    layer = read_layer(path, layer=table.layer, crs=table.crs, encoding=table.encoding)
    if not layer.crs:
        raise BoundaryError(f"{path.name}: a table without shapes; {level} need them. Give a layer")
    frame = frame_to_wgs84(layer.frame, layer.crs)
    dimension = shapely.get_dimensions(frame.geometry.to_numpy())
    usable = (dimension >= 1) if level == "water" else (dimension >= 0)
    if not usable.any():
        raise BoundaryError(
            f"{path.name}: no {'line or polygon' if level == 'water' else 'shape'} in it; {level} need them. Give another layer"
        )
    if not usable.all():
        told = f"{path.name}: {int((~usable).sum())} feature(s) without a usable shape left out"
        problems.append(Problem("no_shape", level, (), None, told))
    for line in layer.evidence:
        if "mended" in line:
            problems.append(Problem("repaired", level, (), None, f"{path.name}: {line}"))
    frame = frame[usable].reset_index(drop=True)
    given = {role: as_text(pick(frame, getattr(table.fields, role, None), role=role, where=path.name), len(frame)) for role in columns[:-1]}
    made = _made_ids(frame, table.kind)
    given["id"] = given["id"].where(given["id"].notna(), made)
    given["kind"] = table.kind
    return gpd.GeoDataFrame({**given, "geometry": frame.geometry}, geometry="geometry", crs="EPSG:4326")[list(columns)]


def _made_ids(frame: DataFrame, kind: str) -> Any:
    """Make an id of each feature's kind and shape (to 0.1 m); equal shapes are numbered."""
    import pandas as pd

    shapes = shapely.normalize(shapely.set_precision(frame["geometry"].to_numpy(), 1e-6, mode="pointwise"))
    digests = [hashlib.sha256(wkb).hexdigest()[:8] for wkb in np.atleast_1d(shapely.to_wkb(shapes, byte_order=1))]
    ids = pd.Series([f"{kind}-{digest}" for digest in digests], dtype=object)
    again = ids.groupby(ids).cumcount()
    return ids.where(again == 0, ids + "-" + (again + 1).astype(str))
