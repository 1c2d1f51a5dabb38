"""A layer file of any supported format becomes a GeoDataFrame with its evidence.

GeoPackage, Shapefile (plain or zipped), GeoJSON, KML and GeoParquet. Every file comes through `open_input`; text encodings are settled
in `dbf`, geometries made sound in `shapes`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from cloudmap.errors import CoordinateError, SourceError
from cloudmap.ingest.crs_names import OBFUSCATED, is_geographic, normalise_crs
from cloudmap.ingest.dbf import RAW, decode_dbf
from cloudmap.ingest.opening import Opened, open_input
from cloudmap.ingest.shapes import Sound, sound_shapes
from cloudmap.schema import REJECTED

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

_DRIVERS: Final = {"gpkg": "GPKG", "shapefile": "ESRI Shapefile", "geojson": "GeoJSON", "kml": "KML", "geoparquet": "GeoParquet"}
_KML_EXTRAS: Final = {
    "id", "description", "timestamp", "begin", "end", "altitudeMode", "tessellate", "extrude", "visibility", "drawOrder", "icon",
}  # fmt: skip
"""Fields that GDAL adds to every KML layer, filled or not."""


@dataclass(frozen=True)
class Layer:
    """What a layer file held, and how it was read.

    Attributes
    ----------
    frame : GeoDataFrame
        Fields as delivered and `geometry` (sound, flat; None where a feature has none). Its `crs` is unset for gcj02 and bd09.
    crs : str
        ``EPSG:<code>``, ``gcj02``, ``bd09`` or WKT; empty for a table without shapes.
    encoding : str
        What text was decoded with.
    driver, layer : str
        Format, and name of the layer in the file.
    evidence : list of str
        Every choice made while reading.
    repairs : dict of str to int
        Kind of repair or rejection to number of features.
    rejected : polars.DataFrame
        Shapes set aside (`schema.REJECTED`; ``line_no`` counts features from 1). Their features stay in `frame`, without geometry.
    mended : dict of int to (float, float)
        Row of `frame` to the area in square metres before and after its shape was mended.
    """

    frame: GeoDataFrame
    crs: str
    encoding: str
    driver: str
    layer: str
    evidence: list[str] = field(default_factory=list)
    repairs: dict[str, int] = field(default_factory=dict)
    rejected: pl.DataFrame = field(default_factory=REJECTED.empty)
    mended: dict[int, tuple[float, float]] = field(default_factory=dict)


@dataclass
class _Raw:
    """A layer before its geometries are made sound."""

    table: DataFrame
    wkb: Any
    crs: str | None
    encoding: str
    layer: str
    evidence: list[str]
    repairs: dict[str, int] = field(default_factory=dict)


def read_layer(path: str | Path, *, layer: str | None = None, crs: str | None = None, encoding: str | None = None) -> Layer:
    """Read one layer of a file.

    Parameters
    ----------
    path : str or Path
        GeoPackage, Shapefile (.shp beside its other parts, or zipped), GeoJSON, KML or GeoParquet.
    layer : str, optional
        Which layer, where the file holds several.
    crs : str, optional
        Coordinate system; overrides what the file says. Needed where it says nothing.
    encoding : str, optional
        Encoding of a shapefile's table; overrides .cpg and detection.

    Returns
    -------
    Layer

    Raises
    ------
    SourceError
        The file cannot be trusted, read or decoded; holds no feature, or several layers and none is chosen; a shape is too large or crosses
        itself too often.
    CoordinateError
        No coordinate system is stored or declared, or the coordinates contradict it.
    """
    with _open(path, layer) as opened:
        name = opened.name
        try:
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                raw = _read_parquet(opened, layer) if opened.kind == "geoparquet" else _read_gdal(opened, layer, encoding)
        except (OSError, ValueError, RuntimeError) as error:
            raise SourceError(f"{name}: cannot be read as {_DRIVERS[opened.kind]}: {str(error)[:200]}. Export it again") from error
    evidence = [*opened.evidence, *raw.evidence, *_notes(heard)]
    if len(raw.table) == 0:
        raise SourceError(f"{name}: layer {raw.layer!r} has no feature. Export it again")
    if raw.wkb is None:
        return Layer(_frame(raw.table, None, None), "", raw.encoding, _DRIVERS[opened.kind], raw.layer, evidence, raw.repairs)
    system = _settle_crs(raw, crs, name, evidence)
    sound = sound_shapes(raw.wkb, degrees=is_geographic(system), name=name)
    _refuse_wrong_numbers(sound, system, name)
    if not sound.shapes.any() and sound.rejected:
        raise SourceError(f"{name}: not one of {len(raw.table):,} shapes can be used: {next(iter(sound.rejected.values()))[1]}")
    return Layer(
        _frame(raw.table, sound.shapes, None if system in OBFUSCATED else system),
        system,
        raw.encoding,
        _DRIVERS[opened.kind],
        raw.layer,
        evidence + sound.evidence,
        {**raw.repairs, **sound.repairs},
        _rejected(sound),
        sound.mended,
    )


def layer_names(path: str | Path) -> list[str]:
    """List the layers of a file that have shapes, for choosing among them.

    Parameters
    ----------
    path : str or Path
        GeoPackage, Shapefile, GeoJSON, KML or GeoParquet.

    Raises
    ------
    SourceError
        The file is no layer, is broken or is not trusted.
    """
    with open_input(path, expect="layer") as opened:
        if opened.kind in ("shapefile", "geoparquet", "geojson"):
            return [opened.stem]
        from pyogrio import list_layers

        return [str(name) for name, kind in list_layers(opened.path) if kind is not None]


def _open(path: str | Path, layer: str | None) -> Opened:
    """Open a file; in a zip of several shapefiles the layer's name chooses one."""
    if layer is not None and str(path).lower().endswith(".zip"):
        try:
            return open_input(path, expect="layer", member=layer)
        except SourceError:
            return open_input(path, expect="layer")
    return open_input(path, expect="layer")


def _read_gdal(opened: Opened, layer: str | None, encoding: str | None) -> _Raw:
    import pandas as pd
    from pyogrio import list_layers
    from pyogrio.raw import read

    from cloudmap.ingest.containers import check_geopackage, check_shapefile, look_at_kml

    kml = look_at_kml(opened.path, opened.name) if opened.kind == "kml" else None
    evidence = list(kml.evidence) if kml else []
    if opened.kind == "shapefile":
        check_shapefile(opened.path, opened.name)
    found = {str(name): kind for name, kind in list_layers(opened.path)}
    chosen = next(iter(found)) if opened.kind == "shapefile" and len(found) == 1 else _choose(found, layer, opened.name)
    curves_n = check_geopackage(opened.path, chosen, opened.name) if opened.kind == "gpkg" else 0
    shapefile = opened.kind == "shapefile"
    meta, _, wkb, data = read(opened.path, layer=chosen, encoding=RAW if shapefile else None)
    names, values, used = [str(one) for one in meta["fields"]], list(data), "utf-8"
    repairs = {"curve_straightened": curves_n} if curves_n else {}
    if shapefile:
        text = {at: column for at, column in enumerate(values) if column.dtype == object}
        decoded = decode_dbf(opened.path, names, text, encoding=encoding, shown=opened.name)
        names, used = decoded.names, decoded.encoding
        values = [np.array(decoded.columns[at], dtype=object) if at in decoded.columns else column for at, column in enumerate(values)]
        evidence += decoded.evidence
        repairs |= decoded.repairs
        chosen = opened.stem
    table = pd.DataFrame(dict(zip(names, values, strict=True)), columns=names, index=range(len(wkb if wkb is not None else values[0])))
    if kml:
        table = kml.repair(table, chosen, opened.name)
        table = table.drop(columns=[name for name in table.columns if name in _KML_EXTRAS and _says_nothing(table[name])])
    return _Raw(table, wkb, meta["crs"], used, chosen, evidence, repairs)


def _read_parquet(opened: Opened, layer: str | None) -> _Raw:
    import geopandas as gpd

    frame = gpd.read_parquet(opened.path)
    if layer is not None and layer != opened.stem:
        raise SourceError(f"{opened.name}: a GeoParquet file holds one layer, {opened.stem!r}, not {layer!r}. Leave layer out")
    table = frame.drop(columns=frame.geometry.name).reset_index(drop=True)
    crs = None if frame.crs is None else frame.crs.to_string()
    return _Raw(table, frame.geometry.to_wkb().to_numpy(dtype=object), crs, "utf-8", opened.stem, [])


def _choose(found: dict[str, str | None], layer: str | None, name: str) -> str:
    """Name the layer to read: the chosen one, or the only one that has shapes (the only one, if none has)."""
    if layer is not None:
        if layer in found:
            return layer
        raise SourceError(f"{name}: no layer {layer!r}; it has {', '.join(map(repr, found)) or 'none'}. Set layer to one of them")
    if not found:
        raise SourceError(f"{name}: no layer in it. Export it again")
    with_shapes = [one for one, kind in found.items() if kind is not None]
    candidates = with_shapes or list(found)
    if len(candidates) > 1:
        raise SourceError(
            f"{name}: {len(candidates)} layers and none is chosen: {', '.join(map(repr, candidates))}. Set layer to one of them"
        )
    return candidates[0]


def _settle_crs(raw: _Raw, declared: str | None, name: str, evidence: list[str]) -> str:
    """Return the declared system, or the stored one."""
    stored = normalise_crs(raw.crs) if raw.crs else None
    if declared is not None:
        system = normalise_crs(declared)
        if stored not in (None, system):
            evidence.append(f"the file says {stored}, the city file says {system}: {system} used")
        return system
    if stored is None:
        raise CoordinateError(
            f"{name}: no coordinate system is stored with it (no .prj?). Set crs in the city file: EPSG:4490, EPSG:4549, gcj02 ..."
        )
    evidence.append(f"coordinate system {stored}, as the file says")
    return stored


def _refuse_wrong_numbers(sound: Sound, system: str, name: str) -> None:
    """Refuse metres declared as degrees, and degrees declared as metres."""
    import shapely

    if not sound.shapes.any():
        return
    west, south, east, north = shapely.total_bounds(sound.shapes)
    in_degrees = max(abs(west), abs(east)) <= 360 and max(abs(south), abs(north)) <= 90
    if in_degrees != is_geographic(system):
        kind = "degrees" if in_degrees else "metres or feet"
        raise CoordinateError(
            f"{name}: its coordinate system is {system[:60]}, but coordinates run from {west:,.1f} {south:,.1f}"
            f" to {east:,.1f} {north:,.1f}: {kind}. Set crs in the city file to the system that they are in"
        )


def _frame(table: DataFrame, shapes: Any, crs: str | None) -> GeoDataFrame:
    import geopandas as gpd

    table = table.rename(columns={"geometry": "geometry_field"})
    return gpd.GeoDataFrame(
        table, geometry=gpd.GeoSeries(shapes if shapes is not None else [None] * len(table), index=table.index, crs=crs)
    )


def _rejected(sound: Sound) -> pl.DataFrame:
    rows = [
        {"line_no": position + 1, "field": "geometry", "rule": rule, "detail": detail, "value": None}
        for position, (rule, detail) in sorted(sound.rejected.items())
    ]
    return pl.DataFrame(rows, schema=REJECTED.dtypes)


def _says_nothing(column: Any) -> bool:
    return bool((column.isna() | column.isin([-1, 0, ""])).all())


def _notes(heard: list[warnings.WarningMessage]) -> list[str]:
    """Turn GDAL's warnings into evidence, each once."""
    return [f"GDAL: {text[:200]}" for text in dict.fromkeys(str(one.message) for one in heard)]
