"""GeoPackages that QGIS shows in the map's own colours, and the other files of shapes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
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


@dataclass(frozen=True, slots=True)
class LayerLabel:
    """What a layer of shapes says about itself: table name, title, description, further facts, and its time of making (UTC)."""

    table: str
    title: str
    description: str
    facts: Mapping[str, str]
    made_at: datetime


def qml(bands: Sequence[Band], language: Language) -> str:
    """Write bands as a QGIS style (rule-based fills).

    Parameters
    ----------
    bands : sequence of Band
        Legend entries, as `publish.legend.bands` chooses them.
    language : {"zh-Hans", "en"}
        Language of the legend.

    Returns
    -------
    str
        QML, as QGIS reads it from a file or from the table ``layer_styles``.
    """
    rules, symbols = [], []
    for number, band in enumerate(bands):
        rules.append(
            f'<rule key="band{number}" symbol="{number}" label={quoteattr(band.label(language))} filter={quoteattr(band.condition())}/>'
        )
        red, green, blue = (int(band.colour[at : at + 2], 16) for at in (1, 3, 5))
        pattern = "b_diagonal" if band.masked else "solid"
        options = {"color": f"{red},{green},{blue},217", "style": pattern, "outline_color": "120,120,120,160", "outline_width": "0.1"}
        listed = "".join(f'<Option name="{name}" value="{value}" type="QString"/>' for name, value in options.items())
        symbols.append(
            f'<symbol name="{number}" type="fill" alpha="1" clip_to_extent="1" force_rhr="0">'
            f'<layer class="SimpleFill" enabled="1" locked="0" pass="0"><Option type="Map">{listed}</Option></layer></symbol>'
        )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.28" styleCategories="Symbology"><renderer-v2 type="RuleRenderer" symbollevels="0" enableorderby="0">'
        f'<rules key="bands">{"".join(rules)}</rules><symbols>{"".join(symbols)}</symbols></renderer-v2>'
        "<layerGeometryType>2</layerGeometryType></qgis>"
    )


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
    try:
        pyogrio.write_dataframe(
            frame, path, layer=label.table, driver="GPKG", promote_to_multi=True, layer_metadata=dict(label.facts), layer_options=options
        )
        _settle(path, label, style)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError, sqlite3.Error) as error:
        raise SourceError(f"{path}: GeoPackage cannot be written: {error}") from error


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
