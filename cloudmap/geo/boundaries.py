"""The administrative base map: read every [[units]] layer of a city into one dated set of units, and check it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudmap.city import City, UnitLayer
from cloudmap.errors import BoundaryError
from cloudmap.geo.units import UNIT_COLUMNS, Kind, Problem, Units, in_force
from cloudmap.ingest.layers import read_layer

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["Kind", "Problem", "Units", "in_force", "read_units"]


def read_units(city: City) -> Units:
    """Read the base map of a city.

    Parameters
    ----------
    city : City
        Its [[units]] tables say where the files lie and what their fields mean.

    Returns
    -------
    Units
        Frames in EPSG:4326, codes as text.

    Raises
    ------
    BoundaryError
        Two units of a level have the same code at the same time.
    SourceError, SchemaError, CoordinateError
        A file cannot be read, lacks a mapped field or has no known coordinate system.
    """
    import pandas as pd

    parts: dict[tuple[str, str], list[GeoDataFrame]] = {}
    digest = hashlib.sha256()
    for table in city.units:
        path = city.path(table.path)
        digest.update(path.read_bytes())
        digest.update(json.dumps(table.model_dump(mode="json"), sort_keys=True).encode())
        parts.setdefault((table.level, table.kind), []).append(_read_one(path, table))
    frames = {
        key: pd.concat(frames).sort_values(["code", "valid_from"], na_position="first", kind="stable").reset_index(drop=True)
        for key, frames in parts.items()
    }
    for (level, _), frame in frames.items():
        repeated = frame["code"][frame.duplicated(["code", "valid_from"])].unique().tolist()
        if repeated:
            raise BoundaryError(f"base map: level {level}: code(s) {', '.join(repeated)} used twice with the same dates")
    return Units(frames, digest.hexdigest()[:12])


def _read_one(path: Path, table: UnitLayer) -> GeoDataFrame:
    import geopandas as gpd
    import pandas as pd

    raw = read_layer(path, layer=table.layer, crs=table.crs, encoding=table.encoding).frame.to_crs("EPSG:4326")
    fields = table.fields
    columns: dict[str, Any] = {
        "code": raw[fields.code].astype(str).str.strip(),
        "name": raw[fields.name].astype(str),
        "parent": raw[fields.parent].astype(str) if fields.parent else None,
        "level": table.level,
        "kind": table.kind,
        "geometry": raw.geometry,
    }
    for name in ("valid_from", "valid_to"):
        column = getattr(fields, name)
        columns[name] = pd.to_datetime(raw[column] if column else pd.Series(pd.NaT, index=raw.index)).astype("datetime64[us]")
    for name in ("staff", "volunteers", "population"):
        column = getattr(fields, name)
        columns[f"{name}_n"] = pd.to_numeric(raw[column] if column else pd.Series(pd.NA, index=raw.index)).astype("Int64")
    return gpd.GeoDataFrame(columns, index=raw.index, geometry="geometry", crs="EPSG:4326")[list(UNIT_COLUMNS)]
