"""GeoPackages that QGIS shows in the map's own colours, and the other files of shapes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from xml.sax.saxutils import quoteattr

from cloudmap.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import geopandas as gpd

    from cloudmap.publish.legend import Band, Language

_STYLES_TABLE = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256),
  f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30),
  ui TEXT(30), update_time DATETIME)"""

_SCHEMA_TABLES = """
CREATE TABLE IF NOT EXISTS gpkg_data_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT, mime_type TEXT, constraint_name TEXT,
  CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name), CONSTRAINT gdc_tn UNIQUE (table_name, name));
CREATE TABLE IF NOT EXISTS gpkg_data_column_constraints (
  constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC, min_is_inclusive BOOLEAN, max NUMERIC,
  max_is_inclusive BOOLEAN, description TEXT, CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value));"""
_SCHEMA_EXTENSION = "gpkg_schema", "http://www.geopackage.org/spec121/#extension_schema", "read-write"

Shape = Literal["polygon", "line", "point"]
_SHAPES = {"polygon": ("fill", 2), "line": ("line", 1), "point": ("marker", 0)}
_INK = {
    "hatch": ("b_diagonal", "111,106,120,230"), "back": ("f_diagonal", "111,106,120,230"), "cross": ("diagonal_x", "111,106,120,230"),
    "dots": ("dense6", "111,106,120,230"), "stipple": ("dense7", "189,185,174,230"), "sparse": ("dense7", "189,185,174,160"),
}  # fmt: skip
"""Brush of QGIS and ink of each pattern of a legend."""


@dataclass(frozen=True, slots=True)
class LayerLabel:
    """What a layer of shapes says about itself, its time of making (UTC), and of each field its Chinese name and its meaning."""

    table: str
    title: str
    description: str
    facts: Mapping[str, str]
    made_at: datetime
    fields: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def qml(bands: Sequence[Band], language: Language, *, aliases: Mapping[str, str] | None = None, shape: Shape = "polygon") -> str:
    """Write bands as a QGIS style: a rule each, with a symbol of its colour and its pattern.

    Parameters
    ----------
    bands : sequence of Band
        Legend entries, as `publish.legend.bands` chooses them; none make one grey symbol.
    language : {"zh-Hans", "zh-Hant", "en"}
        Language of the legend.
    aliases : mapping of str to str, optional
        What QGIS calls each field.
    shape : {"polygon", "line", "point"}
        What is drawn.

    Returns
    -------
    str
        QML, as QGIS reads it from a file or from the table ``layer_styles``.
    """
    rules, symbols = [], []
    for number, band in enumerate(bands):
        rules.append(
            f'<rule key="{band.key}" symbol="{number}" label={quoteattr(band.label(language))} filter={quoteattr(band.condition)}/>'
        )
        symbols.append(_symbol(number, band.colour, band.pattern, shape))
    if not bands:
        rules, symbols = ['<rule key="all" symbol="0"/>'], [_symbol(0, "#5b6573", None, shape)]
    named = "".join(
        f'<alias field={quoteattr(name)} index="{at}" name={quoteattr(alias)}/>' for at, (name, alias) in enumerate((aliases or {}).items())
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.28" styleCategories="Symbology|Fields"><renderer-v2 type="RuleRenderer" symbollevels="0" enableorderby="0">'
        f'<rules key="bands">{"".join(rules)}</rules><symbols>{"".join(symbols)}</symbols></renderer-v2>'
        f"<aliases>{named}</aliases><layerGeometryType>{_SHAPES[shape][1]}</layerGeometryType></qgis>"
    )


def _symbol(number: int, colour: str, pattern: str | None, shape: Shape) -> str:
    """Draw a class: its colour, and its pattern over it."""
    rgb = ",".join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    outline = {"outline_color": "120,120,120,160", "outline_width": "0.1"}
    if shape == "line":
        layers = [("SimpleLine", {"line_color": f"{rgb},255", "line_width": "1"})]
    elif shape == "point":
        layers = [("SimpleMarker", {"color": f"{rgb},217", "size": "1.6", "name": "circle", **outline})]
    else:
        layers = [("SimpleFill", {"color": f"{rgb},217", "style": "solid", **outline})]
        if pattern:
            layers.append(("SimpleFill", {"color": _INK[pattern][1], "style": _INK[pattern][0], "outline_style": "no"}))
    parts = []
    for kind, options in layers:
        listed = "".join(f'<Option name="{name}" value="{value}" type="QString"/>' for name, value in options.items())
        parts.append(f'<layer class="{kind}" enabled="1" locked="0" pass="0"><Option type="Map">{listed}</Option></layer>')
    symbol = f'<symbol name="{number}" type="{_SHAPES[shape][0]}" alpha="1" clip_to_extent="1" force_rhr="0">'
    return f"{symbol}{''.join(parts)}</symbol>"


def write_geopackage(frame: gpd.GeoDataFrame, path: Path, label: LayerLabel, style: str) -> None:
    """Write one layer with its description and its default style.

    Parameters
    ----------
    frame : geopandas.GeoDataFrame
        Places with polygons.
    path : Path
        File to make; it must not exist.
    label : LayerLabel
        Title and facts, kept as layer metadata.
    style : str
        QML of `qml`.

    Raises
    ------
    SourceError
        GDAL or SQLite cannot write the file.
    """
    import pyogrio

    options = {"IDENTIFIER": label.title, "DESCRIPTION": label.description, "GEOMETRY_NAME": "geom", "SPATIAL_INDEX": "YES"}
    metadata, multi = dict(label.facts), not _are_points(frame)
    kind = None if len(frame) else "MultiPolygon"  # an empty frame does not say what it would hold
    try:
        pyogrio.write_dataframe(
            frame, path, layer=label.table, driver="GPKG", promote_to_multi=multi, geometry_type=kind, layer_metadata=metadata,
            layer_options=options,
        )  # fmt: skip
        _settle(path, label, style)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError, sqlite3.Error) as error:
        raise SourceError(f"{path}: GeoPackage cannot be written: {error}") from error


def _are_points(frame: gpd.GeoDataFrame) -> bool:
    return bool(len(frame)) and bool(frame.geom_type.dropna().eq("Point").all())


def _settle(path: Path, label: LayerLabel, style: str) -> None:
    """Add the style, and replace the wall clock's times by the data's, so that the same numbers give the same content."""
    at = label.made_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(_STYLES_TABLE)
        base.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML, useAsDefault,"
            " description, update_time) VALUES ('', '', ?, 'geom', ?, ?, 1, ?, ?)",
            (label.table, label.table[:30], style, label.title, at),
        )
        base.execute("INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('layer_styles', 'attributes', 'layer_styles')")
        present = {row[1] for row in base.execute(f"PRAGMA table_info('{label.table}')")}  # a name of ours, not of a file's
        base.executescript(_SCHEMA_TABLES)
        base.executemany(
            "INSERT INTO gpkg_data_columns (table_name, column_name, name, title, description) VALUES (?, ?, ?, ?, ?)",
            [(label.table, name, name, title, meaning) for name, (title, meaning) in label.fields.items() if name in present],
        )
        base.executemany(
            "INSERT INTO gpkg_extensions (table_name, column_name, extension_name, definition, scope) VALUES (?, NULL, ?, ?, ?)",
            [(table, *_SCHEMA_EXTENSION) for table in ("gpkg_data_columns", "gpkg_data_column_constraints")],
        )
        base.execute("UPDATE gpkg_contents SET last_change = ?", (at,))
        if base.execute("SELECT 1 FROM sqlite_master WHERE name = 'gpkg_metadata_reference'").fetchone():
            base.execute("UPDATE gpkg_metadata_reference SET timestamp = ?", (at,))


def write_geojson(frame: gpd.GeoDataFrame, path: Path, label: LayerLabel) -> None:
    """Write RFC 7946 GeoJSON, seven decimals (a centimetre).

    Raises
    ------
    SourceError
        The frame is not in EPSG:4326, which the format prescribes, or GDAL cannot write the file.
    """
    import pyogrio

    if frame.crs is None or frame.crs.to_epsg() != 4326:
        raise SourceError(f"{path}: GeoJSON is WGS84 by its standard (RFC 7946); leave out crs, or export .gpkg or .parquet")
    options = {"RFC7946": "YES", "WRITE_NAME": "YES", "DESCRIPTION": f"{label.title}. {label.description}"}
    try:
        pyogrio.write_dataframe(frame, path, layer=label.table, driver="GeoJSON", layer_options=options)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError) as error:
        raise SourceError(f"{path}: GeoJSON cannot be written: {error}") from error
