"""Layers and tables for other programs: GeoPackage, GeoJSON, GeoParquet, Shapefile, Parquet, CSV, XLSX."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from cloudmap.errors import AnalysisError, SourceError
from cloudmap.publish import tables, titles, writing
from cloudmap.publish.geopackage import LayerLabel, qml, write_geojson, write_geopackage
from cloudmap.publish.legend import bands
from cloudmap.publish.quarantine import quarantine_table
from cloudmap.publish.shapefile import SUFFIX as SHAPEFILE
from cloudmap.publish.shapefile import write_shapefile
from cloudmap.publish.sheets import write_sheets
from cloudmap.publish.tables import PLACES
from cloudmap.schema import located_table
from cloudmap.version import VERSION

if TYPE_CHECKING:
    import geopandas as gpd
    from pyproj import CRS

    from cloudmap.access.reader import Reader
    from cloudmap.access.views import Measure
    from cloudmap.publish.geopackage import Shape
    from cloudmap.publish.legend import Drawn, Styled

_SHAPED: Final = (".gpkg", ".geojson", ".parquet", SHAPEFILE, ".csv", ".xlsx")
FORMATS: Final[dict[str, tuple[str, ...]]] = {
    "cells": _SHAPED,
    "hotspots": _SHAPED,
    "units": _SHAPED,
    "clusters": _SHAPED,
    "reaches": _SHAPED,
    "reports": _SHAPED,
    "quarantine": (".csv",),
}
"""What can be exported, and the file suffixes it can have."""

_KINDS: Final = {"cells": "cell", "hotspots": "cell", "units": "unit", "clusters": "cell"}


def export(  # noqa: PLR0913  (keyword-only choices of one command, each named in the call)
    reader: Reader,
    what: str,
    path: str | Path,
    *,
    category: str = "ALL",
    period: str | None = None,
    measure: Measure | None = None,
    layer: str | None = None,
    crs: str | None = None,
    raw: bool = False,
) -> Path:
    """Write a layer or a table to a file, whole or not at all, and to the audit log.

    Parameters
    ----------
    reader : Reader
        Door to the numbers; its audience decides what is masked and what is refused.
    what : {"cells", "hotspots", "units", "clusters", "reaches", "reports", "quarantine"}
        Places with their numbers (hotspots: only the significant cells), the clusters of a scan, reaches with matters per kilometre, all
        reports that are not quarantined, or the quarantine.
    path : str or Path
        File to make or replace; its suffix decides the format: see `FORMATS`. Parquet of places is GeoParquet 1.1, of reports the plain
        table in its fixed shape.
    category : str, default "ALL"
        Category or group code, for places.
    period : str, optional
        Period id, for places; by default the last four complete weeks.
    measure : str, optional
        One of `access.views.MEASURES`: what the layer shows and is coloured by. By default hotspot for cells (count for a category that
        is never scored), count for units.
    layer : str, optional
        Id of the cells or units, e.g. "cell_10" or "unit_community"; clusters are of either.
    crs : str, optional
        Coordinate system of the shapes, e.g. "EPSG:4490" or "EPSG:4549"; EPSG:4326 by default, and always in GeoJSON. Tables have none.
    raw : bool, default False
        With "quarantine": the records as they stand in the owner's files, read again, not scrubbed.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    AccessError
        The audience may not take this out.
    AnalysisError
        Unknown `what`, layer, category, period or coordinate system, or a measure that is not to be had.
    SourceError
        The suffix does not fit, the format cannot hold the coordinate system, or the file cannot be written.
    """
    target = Path(path)
    suffix = _checked_suffix(what, target)
    system = _checked_crs(crs, what, target, suffix)
    if raw and what != "quarantine":
        raise AnalysisError(f"export {what}: raw is for the quarantine only; free text of other reports is never exported")
    if what in ("reports", "quarantine"):
        rows = tables.report_table(reader) if what == "reports" else quarantine_table(reader, raw=raw)
        with writing.replacing(target) as draft:
            _write_reports(reader, rows, draft, suffix, system)
            _record(reader, what, target, rows=rows.height, raw=raw)
        return target
    frame, layer_id, styled = _places(reader, what, layer, category, period, measure)
    frame = frame.to_crs(system) if system is not None else frame
    label = _label(reader, what, layer_id, category, styled, period)
    with writing.replacing(target) as draft:
        _write_places(frame, draft, suffix, label, styled)
        _record(reader, what, target, rows=len(frame), layer=layer_id, category=category, period=label.facts["period"], measure=styled)
    return target


def _checked_suffix(what: str, path: Path) -> str:
    if what not in FORMATS:
        close = difflib.get_close_matches(what, FORMATS, n=1)
        raise AnalysisError(f"cannot export {what!r}; {f'did you mean {close[0]!r}?' if close else 'there are: ' + ', '.join(FORMATS)}")
    suffix = SHAPEFILE if path.name.lower().endswith(SHAPEFILE) else path.suffix.lower()
    if suffix not in FORMATS[what]:
        raise SourceError(f"{path}: {what} cannot be written as {suffix or 'a file without suffix'!r}; use {', '.join(FORMATS[what])}")
    return suffix


def _checked_crs(crs: str | None, what: str, path: Path, suffix: str) -> CRS | None:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        system = CRS.from_user_input(crs) if crs else None
    except CRSError as error:
        raise AnalysisError(f"coordinate system {crs!r} is unknown; use e.g. EPSG:4326, EPSG:4490 or EPSG:4549") from error
    if system is not None and system != CRS("EPSG:4326") and (suffix in (".csv", ".xlsx") or (what, suffix) == ("reports", ".parquet")):
        told = "have longitude and latitude in EPSG:4326" if what == "reports" else "have no shapes"
        raise SourceError(f"{path}: {what} in {suffix} {told}, so there is nothing to write in {crs}; leave crs out, or export .gpkg")
    return system


def _places(
    reader: Reader, what: str, layer: str | None, category: str, period: str | None, measure: Measure | None
) -> tuple[gpd.GeoDataFrame, str, Styled]:
    """Gather the places to export, the layer they are of, and what they are coloured by."""
    if what == "reaches":
        return tables.reach_table(reader, category, period), "water", "reach"
    kind = _KINDS[what]
    if what == "clusters" and layer:
        kind = next((one.kind for one in reader.layers() if one.id == layer), kind)
    place_layer = tables.choose_layer(reader, kind, layer)
    if what == "clusters":
        return tables.cluster_table(reader, place_layer.id, category, period), place_layer.id, "clusters"
    usual: dict[str, Measure] = {"cells": tables.default_measure(reader, category), "hotspots": "hotspot", "units": "count"}
    chosen = "hotspot" if what == "hotspots" else measure or usual[what]
    frame = tables.place_table(reader, place_layer.id, category, period, chosen)
    if what == "hotspots":
        frame = frame[frame["class"] == "hot"].reset_index(drop=True)
    return frame, place_layer.id, chosen


def _write_reports(reader: Reader, rows: pl.DataFrame, draft: Path, suffix: str, crs: CRS | None) -> None:
    if suffix == ".parquet":
        rows.write_parquet(draft, compression="zstd")
    elif suffix == ".csv":
        writing.write_csv(rows, draft)
    elif suffix == ".xlsx":
        write_sheets(draft, {"reports": _spreadsheet(rows)}, created=reader.now)
    else:
        frame = _points(rows)
        label = _label(reader, "reports", "reports", "ALL", "count", None)
        _write_shapes(frame.to_crs(crs) if crs is not None else frame, draft, suffix, label, qml([], "zh-Hans", shape="point"))


def _spreadsheet(rows: pl.DataFrame) -> pl.DataFrame:
    """Write H3 ids as text: a spreadsheet keeps fifteen digits of a number."""
    return rows.with_columns(pl.col("^cell_.*$").cast(pl.String))


def _points(rows: pl.DataFrame) -> gpd.GeoDataFrame:
    """Put reports where they lie; those without a point have no shape."""
    import geopandas as gpd

    plain = rows.with_columns(pl.col("^cell_.*$").cast(pl.String)).to_pandas(use_pyarrow_extension_array=False)
    points = gpd.GeoSeries.from_xy(plain["lon_deg"], plain["lat_deg"], crs="EPSG:4326")
    return gpd.GeoDataFrame(plain, geometry=points.where(plain["lon_deg"].notna(), None))


def _write_places(frame: gpd.GeoDataFrame, draft: Path, suffix: str, label: LayerLabel, styled: Styled) -> None:
    if suffix == ".parquet":
        frame.to_parquet(draft, index=False, compression="zstd", schema_version="1.1.0", write_covering_bbox=True)
    elif suffix == ".csv":
        writing.write_csv(writing.flat(frame), draft)
    elif suffix == ".xlsx":
        about = {"title": label.title, "description": label.description, **label.facts}
        sheets = {
            label.table[:31]: writing.flat(frame),
            "about": pl.DataFrame({"item": list(about), "value": list(about.values())}),
            "fields": pl.DataFrame([(name, *told) for name, told in label.fields.items() if name in frame.columns],
                                   schema=["field", "name_zh", "meaning"], orient="row"),
        }  # fmt: skip
        write_sheets(draft, sheets, created=label.made_at)
    else:
        aliases = {name: label.fields[name][0] for name in frame.columns if name in label.fields}
        shape: Shape = "line" if styled == "reach" and not frame.geom_type.str.contains("Polygon").all() else "polygon"
        _write_shapes(frame, draft, suffix, label, qml(bands(frame, styled), "zh-Hans", aliases=aliases, shape=shape))


def _write_shapes(frame: gpd.GeoDataFrame, draft: Path, suffix: str, label: LayerLabel, style: str) -> None:
    if suffix == ".gpkg":
        write_geopackage(frame, draft, label, style)
    elif suffix == ".geojson":
        write_geojson(frame, draft, label)
    else:
        write_shapefile(frame, draft, label.table, label.fields, label.made_at)


def _label(reader: Reader, what: str, layer_id: str, category: str, measure: Styled, period_id: str | None) -> LayerLabel:
    period = reader.period(period_id) if period_id else reader.default_period
    facts = {
        "city": f"{reader.city.city.name_zh} {reader.city.city.name_en}",
        "layer": layer_id,
        "category": category,
        "measure": measure,
        "period": period.id,
        "first_on": period.first_on.isoformat(),
        "last_on": period.last_on.isoformat(),
        "exposure": reader.exposure_kind,
        "audience": reader.audience.kind,
        "load": str(reader.analysed_load),
        "base_map_version": reader.base_map_version,
        "cloudmap_version": VERSION,
    }
    drawn: Drawn = "scan" if measure == "clusters" else measure
    title = f"{titles.map_title(reader, drawn, category, 'zh-Hans')} / {titles.map_title(reader, drawn, category, 'en')}"
    remarks = [*titles.notes(reader, "zh-Hans"), *titles.notes(reader, "en")]
    description = f"{titles.period_text(period, 'zh-Hans')} / {titles.period_text(period, 'en')}. {'; '.join(remarks)}."
    columns = (*PLACES.columns, *located_table(reader.city.levels, tuple(reader.city.city.resolutions)).columns)
    fields = {column.name: (column.meaning_zh, column.meaning) for column in reversed(columns)}
    return LayerLabel(what, title, description, facts, reader.now, fields)


def _record(reader: Reader, what: str, path: Path, **detail: Any) -> None:
    """Write the export to the audit log before the file takes its name: nothing leaves unrecorded."""
    from cloudmap.access.audit import record

    record(reader.city, "export", what=what, file=path.name, audience=reader.audience.kind, restricted=reader.audience.restricted, **detail)
