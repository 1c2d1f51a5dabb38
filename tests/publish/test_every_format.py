"""One table over every format: hostile names, systems of coordinates, and what GeoParquet asks of its files."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import geopandas as gpd
import numpy as np
import openpyxl
import polars as pl
import pyarrow.parquet as pq
import pytest
import shapely
from pyproj import CRS

from cloudmap.city import open_city
from cloudmap.errors import SourceError
from cloudmap.pipeline import read
from cloudmap.publish import tables, writing
from cloudmap.publish.briefing import brief
from cloudmap.publish.layers import FORMATS, export
from tests.publish.reading import Page, layer, office_tables, sheet_rows

FORTY = "路桥区金清镇".ljust(39, "长") + "村"
HOSTILE = {
    "equals": "=cmd|' /C calc'!A0",
    "plus": "+1+1",
    "minus": "-2",
    "at": "@SUM(A1)",
    "tab": "\t=1+1",
    "return": "\r=1+1",
    "full-width equals": "＝1+1",
    "full-width plus": "＋1",
    "full-width minus": "－1",
    "full-width at": "＠SUM(A1)",
    "blank before": "\u00a0=1",
    "quotes": "a'b\"c`d",
    "line end": "上\n下",
    "to the left": "\u202egnp.exe\u202c",
    "mark of direction": "\u200f=1",
    "markup": "<script>alert(1)</script><b>&amp;",
    "template": "{{ 7 * 7 }}{% if %}",
    "query": "'; DROP TABLE units; --",
    "emoji": "🏮新桥👩‍👩‍👧",
    "forty": FORTY,
    "backslash": "C:\\temp\\n%00",
}
CODES = [f"{331004001 + at}" for at in range(len(HOSTILE))]
LAYERS = FORMATS["units"]
DOCUMENTS = ("html", "docx", "pdf", "xlsx")


@pytest.fixture
def hostile(fake):
    return fake(unit_names=tuple(HOSTILE.values()))


@pytest.mark.parametrize("suffix", LAYERS)
def test_names_survive_every_layer(suffix, hostile, tmp_path):
    frame = layer(export(hostile, "units", tmp_path / f"u{suffix}"))
    back = dict(zip(frame["place"].astype(str), frame["name"], strict=True))
    wanted = dict(zip(CODES, HOSTILE.values(), strict=True))
    if suffix == ".csv":
        wanted = dict(zip(CODES, writing.guarded(pl.DataFrame({"name": list(HOSTILE.values())}))["name"], strict=True))
        assert sum(one.startswith("'") for one in wanted.values()) == 13  # one begins with an apostrophe of its own
    if suffix == ".xlsx":
        back = {code: name.replace("_x000D_", "\r") for code, name in back.items()}
        cells = [row[1] for row in openpyxl.load_workbook(tmp_path / "u.xlsx").worksheets[0].iter_rows(min_row=2)]
        assert {cell.data_type for cell in cells} == {"s"}
        assert not any(cell.hyperlink for cell in cells)
    assert back == wanted
    assert frame["n"].tolist() == list(hostile.units.values())


def _shown(name):
    """What is seen of a name on a page: blanks are one, line ends are blanks, what no font draws is not."""
    return " ".join(re.sub(r"[\u200b-\u200f\u202a-\u202e]", "", name).split())


@pytest.mark.parametrize("form", DOCUMENTS)
def test_names_survive_every_document(form, hostile, tmp_path):
    path = brief(hostile, format=form, language="en", path=tmp_path / f"b.{form}")
    wanted = {code: _shown(name) for code, name in zip(CODES, HOSTILE.values(), strict=True)}
    if form == "html":
        text = path.read_text(encoding="utf-8")
        page = Page(text)
        rows = next(rows for rows in page.tables if rows[1][1] == CODES[0])[1:]
        assert not page.tags & {"script", "b", "iframe", "object"}
        assert html.escape(HOSTILE["markup"]) in text
        back = {row[1]: _shown(row[0]) for row in rows}
    elif form == "docx":
        back = {row[1]: _shown(row[0]) for row in office_tables(path)["Matters by unit"][1:]}
    elif form == "xlsx":
        told = sheet_rows(path, "Matters by unit", len(HOSTILE))
        back = {row[1]: _shown(row[0].replace("_x000D_", "\r")) for row in told}
        assert {row[0].data_type for row in openpyxl.load_workbook(path)["Matters by unit"].iter_rows(min_row=2) if row[0].value} == {"s"}
    else:
        if shutil.which("pdftotext") is None:
            pytest.skip("poppler is not installed (apt install poppler-utils, or tools/system-packages test)")
        text = subprocess.run(["pdftotext", "-raw", str(path), "-"], check=True, capture_output=True).stdout.decode()
        told = "".join(text.split())
        unprinted = ("to the left", "emoji")  # turned round, and drawn by whatever font has it
        missing = [key for key, name in HOSTILE.items() if key not in unprinted and "".join(_shown(name).split()) not in told]
        assert missing == []
        assert {code for code in CODES if code in told} == set(CODES)
        return
    assert back == wanted
    assert "49" not in back[CODES[list(HOSTILE).index("template")]]


# Systems of coordinates


@pytest.fixture(scope="module")
def reader(analysed_city, tmp_path_factory):
    opened = open_city(analysed_city)
    folder = tmp_path_factory.mktemp("own")
    return read(
        opened.model_copy(update={"folder": folder, "store": opened.store.model_copy(update={"url": str(analysed_city / "store")})})
    )


SYSTEMS = ("EPSG:4490", "EPSG:4326", "EPSG:4549")
PLACES = ("cells", "units", "reaches")


def _given(reader, what):
    """What a layer is made of, by the tables that the page has too."""
    if what == "reaches":
        return tables.reach_table(reader)
    return tables.place_table(
        reader, {"cells": "cell_9", "units": "unit_street"}[what], measure={"cells": "hotspot", "units": "count"}[what]
    )


@pytest.mark.parametrize("crs", SYSTEMS)
@pytest.mark.parametrize("suffix", LAYERS)
@pytest.mark.parametrize("what", PLACES)
def test_values_and_shapes_come_back_equal_in_every_system(what, suffix, crs, reader, tmp_path):
    path = tmp_path / f"l{suffix}"
    if crs != "EPSG:4326" and suffix in (".csv", ".xlsx", ".geojson"):
        with pytest.raises(SourceError, match=r"EPSG:4549|EPSG:4490|RFC 7946"):
            export(reader, what, path, crs=crs)
        assert not path.exists()
        return
    back, given = layer(export(reader, what, path, crs=crs), what), _given(reader, what)
    assert set(given.columns) - set(back.columns) <= {"geometry", "masked"}
    for name in given.columns.drop(["geometry", "masked"]):
        mine, told = (frame[name].astype(object).where(frame[name].notna(), None).tolist() for frame in (back, given))
        if all(isinstance(one, int | float) for one in told if one is not None) and any(one is not None for one in told):
            mine, told = ([np.nan if one is None else float(one) for one in values] for values in (mine, told))
            assert mine == pytest.approx(told, rel=1e-12, nan_ok=True), name
        else:
            assert [None if one is None else str(one) for one in mine] == told, name
    if suffix in (".csv", ".xlsx"):
        return
    assert CRS(back.crs) == CRS(crs) or CRS(back.crs).to_authority() == tuple(crs.split(":"))
    here, there = back.geometry.to_crs("EPSG:4549"), given.geometry.to_crs("EPSG:4549")
    assert max(shapely.hausdorff_distance(here.to_numpy(), there.to_numpy())) < 0.02


@pytest.mark.parametrize("crs", SYSTEMS)
def test_points_of_reports_come_back_in_every_system(crs, reader, tmp_path):
    given = reader.all_reports().sort("report_id")
    for suffix in (".gpkg", ".shp.zip"):
        back = layer(export(reader, "reports", tmp_path / f"r{suffix}", crs=crs), "reports")
        assert back["report_id"].tolist() == given["report_id"].to_list()
        there = gpd.GeoSeries.from_xy(given["lon_deg"], given["lat_deg"], crs="EPSG:4326").to_crs("EPSG:4549")
        here = back.geometry.to_crs("EPSG:4549")
        known = given["lon_deg"].is_not_null().to_numpy()
        assert here.isna().to_numpy().tolist() == (~known).tolist()
        assert here[known].distance(there[known]).max() < 0.02
    if crs != "EPSG:4326":
        for suffix in (".csv", ".xlsx", ".parquet"):
            with pytest.raises(SourceError, match="longitude and latitude in EPSG:4326"):
                export(reader, "reports", tmp_path / f"r{suffix}", crs=crs)


# GeoParquet 1.1: https://geoparquet.org/releases/v1.1.0/

KINDS = {"Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection"}


@pytest.mark.parametrize("crs", SYSTEMS)
@pytest.mark.parametrize("what", PLACES)
def test_geoparquet_keeps_every_rule_of_its_standard(what, crs, reader, tmp_path):
    file = pq.ParquetFile(export(reader, what, tmp_path / "l.parquet", crs=crs))
    schema, told = file.schema_arrow, json.loads(file.schema_arrow.metadata[b"geo"])
    assert told["version"] == "1.1.0"
    assert set(told["columns"]) == {told["primary_column"]} == {"geometry"}
    column = told["columns"]["geometry"]
    assert set(column) <= {"encoding", "geometry_types", "crs", "edges", "orientation", "bbox", "epoch", "covering"}
    assert column["encoding"] == "WKB"
    assert column.get("edges", "planar") == "planar"
    assert column.get("orientation", "counterclockwise") == "counterclockwise"
    # The column: at the root, not repeated, bytes of WKB; no group beside its covering.
    assert str(schema.field("geometry").type) in ("binary", "large_binary")
    physical = next(one for one in (file.schema.column(at) for at in range(len(file.schema))) if one.path == "geometry")
    assert (physical.physical_type, physical.max_repetition_level) == ("BYTE_ARRAY", 0)
    table = file.read()
    shapes = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))
    found = {shape.geom_type for shape in shapes}
    assert len(set(column["geometry_types"])) == len(column["geometry_types"])
    assert found == set(column["geometry_types"]) <= KINDS
    # The system of coordinates: PROJJSON of what was asked; x before y whatever the system's own order.
    assert column["crs"]["$schema"].startswith("https://proj.org/schemas/")
    assert CRS.from_json_dict(column["crs"]) == CRS(crs)
    west, south, east, north = shapely.total_bounds(shapes)
    assert column["bbox"] == pytest.approx([west, south, east, north])
    assert (west < south) == (crs == "EPSG:4549")
    # The covering: one struct of four numbers, which every shape lies in.
    assert column["covering"] == {"bbox": {side: ["bbox", side] for side in ("xmin", "ymin", "xmax", "ymax")}}
    box = schema.field("bbox").type
    assert {field.name: str(field.type) for field in box} == dict.fromkeys(("xmin", "ymin", "xmax", "ymax"), "double")
    around = np.array([list(row.values()) for row in table["bbox"].to_pylist()])
    bounds = shapely.bounds(shapes)
    assert (around[:, :2] <= bounds[:, :2]).all()
    assert (around[:, 2:] >= bounds[:, 2:]).all()
