"""Layers and tables for other programs: GeoPackage, GeoJSON, GeoParquet, Parquet, CSV, XLSX."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from cloudmap.errors import AnalysisError, SourceError
from cloudmap.publish import tables, titles, writing
from cloudmap.publish.geopackage import LayerLabel, qml, write_geojson, write_geopackage
from cloudmap.publish.legend import Measure, bands
from cloudmap.publish.quarantine import quarantine_table
from cloudmap.version import VERSION

if TYPE_CHECKING:
    import geopandas as gpd

    from cloudmap.access.reader import Reader

FORMATS: Final[dict[str, tuple[str, ...]]] = {
    "cells": (".gpkg", ".geojson", ".parquet", ".csv", ".xlsx"),
    "hotspots": (".gpkg", ".geojson", ".parquet", ".csv", ".xlsx"),
    "units": (".gpkg", ".geojson", ".parquet", ".csv", ".xlsx"),
    "reports": (".parquet", ".csv"),
    "quarantine": (".csv",),
}
"""What can be exported, and the file suffixes it can have."""


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
    what : {"cells", "hotspots", "units", "reports", "quarantine"}
        Places with their numbers (hotspots: only the significant cells), all reports that are not quarantined, or the quarantine.
    path : str or Path
        File to make or replace; its suffix decides the format: see `FORMATS`.
    category : str, default "ALL"
        Category or group code, for places.
    period : str, optional
        Period id, for places; by default the last four complete weeks.
    measure : {"count", "ratio", "hotspot"}, optional
        What the layer shows and is coloured by. By default hotspot for cells (count for a category that is never scored), count
        for units.
    layer : str, optional
        Id of the cells or units, e.g. "cell_10" or "unit_community".
    crs : str, optional
        Coordinate system of the shapes, e.g. "EPSG:4549"; EPSG:4326 by default.
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
        Unknown `what`, layer, category or period, or a ratio without an exposure.
    SourceError
        The suffix does not fit, or the file cannot be written.
    """
    target = Path(path)
    suffix = _checked_suffix(what, target)
    if raw and what != "quarantine":
        raise AnalysisError(f"export {what}: raw is for the quarantine only; free text of other reports is never exported")
    if what in ("reports", "quarantine"):
        rows = tables.report_table(reader) if what == "reports" else quarantine_table(reader, raw=raw)
        with writing.replacing(target) as draft:
            _write_rows(rows, draft, suffix)
            _record(reader, what, target, rows=rows.height, raw=raw)
        return target
    usual: dict[str, Measure] = {"cells": tables.default_measure(reader, category), "hotspots": "hotspot", "units": "count"}
    chosen = "hotspot" if what == "hotspots" else measure or usual[what]
    place_layer = tables.choose_layer(reader, "unit" if what == "units" else "cell", layer)
    frame = tables.place_table(reader, place_layer.id, category, period, chosen)
    if what == "hotspots":
        frame = frame[frame["class"] == "hot"].reset_index(drop=True)
    frame = frame.to_crs(crs) if crs else frame
    label = _label(reader, what, place_layer.id, category, chosen, period)
    with writing.replacing(target) as draft:
        _write_places(frame, draft, suffix, label, chosen)
        _record(
            reader, what, target, rows=len(frame), layer=place_layer.id, category=category, period=label.facts["period"], measure=chosen
        )
    return target


def _checked_suffix(what: str, path: Path) -> str:
    if what not in FORMATS:
        close = difflib.get_close_matches(what, FORMATS, n=1)
        raise AnalysisError(f"cannot export {what!r}; {f'did you mean {close[0]!r}?' if close else 'there are: ' + ', '.join(FORMATS)}")
    suffix = path.suffix.lower()
    if suffix not in FORMATS[what]:
        raise SourceError(f"{path}: {what} cannot be written as {suffix or 'a file without suffix'!r}; use {', '.join(FORMATS[what])}")
    return suffix


def _write_rows(rows: pl.DataFrame, draft: Path, suffix: str) -> None:
    if suffix == ".parquet":
        rows.write_parquet(draft, compression="zstd")
    else:
        writing.write_csv(rows, draft)


def _write_places(frame: gpd.GeoDataFrame, draft: Path, suffix: str, label: LayerLabel, measure: Measure) -> None:
    if suffix == ".gpkg":
        write_geopackage(frame, draft, label, qml(bands(frame, measure), "zh-Hans"))
    elif suffix == ".geojson":
        write_geojson(frame, draft, label)
    elif suffix == ".parquet":
        frame.to_parquet(draft, index=False, compression="zstd")
    elif suffix == ".csv":
        writing.write_csv(writing.flat(frame), draft)
    else:
        about = {"title": label.title, "description": label.description, **label.facts}
        facts = pl.DataFrame({"item": list(about), "value": list(about.values())})
        writing.write_sheets(draft, {label.table[:31]: writing.flat(frame), "about": facts}, created=label.made_at)


def _label(reader: Reader, what: str, layer_id: str, category: str, measure: Measure, period_id: str | None) -> LayerLabel:

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
    title = f"{titles.map_title(reader, measure, category, 'zh-Hans')} / {titles.map_title(reader, measure, category, 'en')}"
    remarks = [*titles.notes(reader, "zh-Hans"), *titles.notes(reader, "en")]
    description = f"{titles.period_text(period, 'zh-Hans')} / {titles.period_text(period, 'en')}. {'; '.join(remarks)}."
    return LayerLabel(what, title, description, facts, reader.now)


def _record(reader: Reader, what: str, path: Path, **detail: Any) -> None:
    """Write the export to the audit log before the file takes its name: nothing leaves unrecorded."""
    from cloudmap.access.audit import record

    record(reader.city, "export", what=what, file=path.name, audience=reader.audience.kind, restricted=reader.audience.restricted, **detail)
