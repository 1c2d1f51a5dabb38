from __future__ import annotations

import sqlite3
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import geopandas as gpd
import openpyxl
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudmap.errors import AccessError, AnalysisError, SourceError
from cloudmap.publish import tables, writing
from cloudmap.publish.layers import FORMATS, export
from cloudmap.publish.legend import bands
from cloudmap.publish.sheets import write_sheets
from tests.publish.fake_reader import FakeReader

EVERY_FORMAT = [(what, suffix) for what, suffixes in FORMATS.items() for suffix in suffixes if what not in ("clusters", "reaches")]
"""Clusters and reaches need a store: test_with_store.py."""


def _rows(path):
    if path.suffix == ".csv":
        return pl.read_csv(path, infer_schema_length=None)
    if path.suffix == ".xlsx":
        sheet = openpyxl.load_workbook(path).worksheets[0]
        header, *rows = sheet.iter_rows(values_only=True)
        return pl.DataFrame(rows, schema=list(header), orient="row", infer_schema_length=None)
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    if path.name.endswith(".shp.zip"):
        with zipfile.ZipFile(path) as archive:
            names = dict(pl.read_csv(archive.read("fields.csv")).select("field", "name").drop_nulls().iter_rows())
        return pl.from_pandas(gpd.read_file(path).drop(columns="geometry").rename(columns=names))
    frame = gpd.read_file(path, layer=0) if path.suffix == ".gpkg" else gpd.read_file(path)
    return pl.from_pandas(frame.drop(columns="geometry"))


@pytest.mark.parametrize(("what", "suffix"), EVERY_FORMAT)
def test_every_format_holds_what_the_reader_gave(what, suffix, reader, tmp_path, audited):
    path = export(reader, what, tmp_path / f"layer{suffix}")
    rows = _rows(path)
    if what == "cells":
        assert dict(rows.select("place", "n").iter_rows()) == reader.counts
        assert set(rows.filter(pl.col("class") == "hot")["place"]) == set(reader.hot)
        assert rows["area_m2"].min() > 80_000
    elif what == "hotspots":
        assert sorted(rows["place"]) == sorted(reader.hot)
        assert rows["q"].max() == pytest.approx(0.0004)
    elif what == "units":
        assert rows["n"].to_list() == [3, 250]
    elif what == "reports":
        assert rows.columns == tables.report_columns(reader.city)
        assert rows.height == reader.all_reports().height
    else:
        assert rows.columns == ["file", "line_no", "source_id", "field", "rule", "detail", "value"]
    assert [(one["action"], one["details"]["what"], one["details"]["rows"]) for one in audited()] == [("export", what, rows.height)]
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("what", "suffix"), EVERY_FORMAT)
def test_a_rerun_gives_the_same_bytes(what, suffix, fake, tmp_path):
    first = export(fake(), what, tmp_path / f"one{suffix}").read_bytes()
    second = export(fake(), what, tmp_path / f"two{suffix}").read_bytes()
    assert first == second


@pytest.mark.parametrize("exposure", ["none", "population"])
@pytest.mark.parametrize("measure", ["count", "hotspot"])
def test_every_exported_column_is_in_the_dictionary(measure, exposure, fake):
    known = list(tables.PLACES.dtypes)
    frame = tables.place_table(fake(exposure_kind=exposure), "cell_9", measure=measure)
    assert list(frame.columns[:-1]) == [name for name in known if name in frame.columns]


def test_a_place_without_a_shape_keeps_its_numbers(reader, tmp_path, monkeypatch):
    drawn = reader.geometry
    monkeypatch.setattr(reader, "geometry", lambda layer: drawn(layer).iloc[1:])
    for suffix in (".csv", ".gpkg", ".geojson"):
        assert _rows(export(reader, "units", tmp_path / f"u{suffix}"))["n"].to_list() == [3, 250]


def test_h3_ids_stay_whole_numbers_in_csv(reader, tmp_path):
    rows = pl.read_csv(export(reader, "reports", tmp_path / "r.csv"))
    given_ids = reader.all_reports()["cell_9"].drop_nulls().to_list()
    assert rows["cell_9"].drop_nulls().to_list() == given_ids
    assert str(given_ids[0]) in (tmp_path / "r.csv").read_text(encoding="utf-8-sig")


def test_csv_begins_with_a_byte_order_mark(reader, tmp_path):
    assert export(reader, "units", tmp_path / "u.csv").read_bytes().startswith(b"\xef\xbb\xbfplace")


def test_geopackage_carries_style_metadata_and_no_wall_clock(reader, tmp_path):
    with sqlite3.connect(export(reader, "cells", tmp_path / "c.gpkg")) as base:
        table, default, style = base.execute("SELECT f_table_name, useAsDefault, styleQML FROM layer_styles").fetchone()
        title, at = base.execute("SELECT identifier, last_change FROM gpkg_contents WHERE table_name = 'cells'").fetchone()
        facts = " ".join(row[0] for row in base.execute("SELECT metadata FROM gpkg_metadata"))
    assert (table, default) == ("cells", 1)
    labels = [rule.get("label") for rule in ElementTree.fromstring(style).iter("rule")]
    assert labels == ["不显著，本处无事项", "不显著", "显著聚集", "数据不足"]
    assert title.startswith("报告在哪里——路桥区")
    assert at == "2018-09-03T01:30:00.000Z"
    assert "2018-W32--2018-W35" in facts


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("measure", ["count", "hotspot"])
def test_the_style_colours_each_place_once_as_the_map_does(measure, outside, fake, tmp_path):
    frame = tables.place_table(fake(outside=outside), "cell_9", measure=measure)
    export(fake(outside=outside), "cells", tmp_path / "c.gpkg", measure=measure)
    with sqlite3.connect(tmp_path / "c.gpkg") as base:
        style = base.execute("SELECT styleQML FROM layer_styles").fetchone()[0]
        rules = {rule.get("key"): rule.get("filter") for rule in ElementTree.fromstring(style).iter("rule")}
        drawn = {key: {row[0] for row in base.execute(f"SELECT place FROM cells WHERE {sql}")} for key, sql in rules.items()}
    assert drawn == {band.key: set(frame["place"][band.members(frame)]) for band in bands(frame, measure)}
    assert sum(map(len, drawn.values())) == len(frame)


def test_fields_have_chinese_names_in_geopackage_style_and_schema(reader, tmp_path):
    with sqlite3.connect(export(reader, "cells", tmp_path / "c.gpkg")) as base:
        named = dict(base.execute("SELECT column_name, title FROM gpkg_data_columns"))
        style = base.execute("SELECT styleQML FROM layer_styles").fetchone()[0]
        columns = {row[1] for row in base.execute("PRAGMA table_info('cells')")} - {"fid", "geom"}
    aliases = {one.get("field"): one.get("name") for one in ElementTree.fromstring(style).iter("alias")}
    assert named == aliases
    assert set(named) == columns
    assert named["n"] == "件数"
    import pyogrio

    pyogrio.read_info(tmp_path / "c.gpkg")  # GDAL takes the extension


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4490", "EPSG:4549"])
@pytest.mark.parametrize("suffix", [".gpkg", ".parquet", ".shp.zip", ".geojson"])
def test_shapes_come_back_within_two_centimetres(suffix, crs, reader, tmp_path):
    if suffix == ".geojson" and crs != "EPSG:4326":
        pytest.skip("GeoJSON is WGS84 by its standard")
    path = export(reader, "units", tmp_path / f"u{suffix}", crs=crs)
    back = gpd.read_parquet(path) if suffix == ".parquet" else gpd.read_file(path)
    assert back.crs == crs or back.crs.to_authority() == tuple(crs.split(":"))
    was = reader.geometry("unit_street").sort_values("place").to_crs("EPSG:4549").geometry
    moved_m = [one.hausdorff_distance(other) for one, other in zip(back.geometry.to_crs("EPSG:4549"), was, strict=True)]
    assert max(moved_m) < 0.02


def test_geoparquet_says_so_in_its_metadata(reader, tmp_path):
    import json

    import pyarrow.parquet as pq

    schema = pq.read_schema(export(reader, "cells", tmp_path / "c.parquet", crs="EPSG:4490"))
    told = json.loads(schema.metadata[b"geo"])
    column = told["columns"][told["primary_column"]]
    assert (told["version"], column["encoding"], column["geometry_types"]) == ("1.1.0", "WKB", ["Polygon"])
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 4490}
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    assert column["bbox"][0] == pytest.approx(121.3, abs=0.1)


def test_a_shapefile_brings_its_encoding_and_the_names_it_shortened(reader, tmp_path):
    path = export(reader, "cells", tmp_path / "c.shp.zip")
    with zipfile.ZipFile(path) as archive:
        inside = {Path(name).suffix for name in archive.namelist()}
        assert inside == {".shp", ".shx", ".dbf", ".prj", ".cpg", ".csv"}
        assert archive.read("cells.cpg") == b"UTF-8"
        told = pl.read_csv(archive.read("fields.csv"))
    names = dict(told.select("name", "field").iter_rows())
    assert all(len(short) <= 10 for short in names.values())
    frame = gpd.read_file(path)
    assert set(frame.columns) - {"geometry"} == set(names.values())
    given = tables.place_table(reader, "cell_9", measure="hotspot")
    for name in ("n", "neighbourhood_n", "q"):
        assert frame[names[name]].tolist() == pytest.approx(given[name].tolist())


def test_short_names_stay_apart():
    from cloudmap.publish.shapefile import short_names

    names = short_names(["category_code", "category_codes", "category_raw", "n", "tested_weeks_n", "unit_street_code", "unit_streetly"])
    assert len(set(names.values())) == len(names)
    assert max(map(len, names.values())) <= 10
    assert names["n"] == "n"


def test_a_text_that_a_shapefile_would_cut_is_refused(reader, tmp_path, monkeypatch):
    drawn = reader.geometry
    monkeypatch.setattr(reader, "geometry", lambda layer: drawn(layer).assign(name="路" * 90))
    with pytest.raises(SourceError, match="270 bytes"):
        export(reader, "units", tmp_path / "u.shp.zip")


HOSTILE = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "<b>&'\"", "路" * 40, "{{ 7 * 7 }}", "'; DROP TABLE units; --"]


@pytest.mark.parametrize("suffix", FORMATS["units"])
def test_hostile_and_long_names_survive(suffix, fake, tmp_path, monkeypatch):
    for pair in zip(HOSTILE[::2], HOSTILE[1::2], strict=True):
        reader = fake()
        drawn = reader.geometry("unit_street").sort_values("place").assign(name=list(pair))
        monkeypatch.setattr(reader, "geometry", lambda layer, drawn=drawn: drawn)
        rows = _rows(export(reader, "units", tmp_path / f"u{suffix}"))
        back = rows["name"].to_list()
        guarded = writing.guarded(pl.DataFrame({"name": list(pair)}))["name"].to_list()
        if suffix == ".csv":
            assert back == guarded
        elif suffix == ".xlsx":
            assert [one.replace("_x000D_", "\r") for one in back] == list(pair)
        else:
            assert back == list(pair)
        assert rows["n"].to_list() == [3, 250]


def test_another_coordinate_system_moves_the_shapes(reader, tmp_path):
    shapes = gpd.read_file(export(reader, "units", tmp_path / "u.gpkg", crs="EPSG:4549"), layer="units")
    assert shapes.crs.to_epsg() == 4549
    assert shapes.total_bounds[0] == pytest.approx(630_000, abs=5_000)
    with pytest.raises(SourceError, match="RFC 7946"):
        export(reader, "units", tmp_path / "u.geojson", crs="EPSG:4549")


def test_outside_files_hold_no_number_of_a_masked_place(fake, tmp_path):
    rows = pl.read_csv(export(fake(outside=True), "cells", tmp_path / "c.csv"))
    hidden = rows.filter(pl.col("masked"))
    assert hidden.height > 0
    assert hidden.select("n", "neighbourhood_n", "z", "p", "q", "class").null_count().row(0) == (hidden.height,) * 6
    assert rows.filter(~pl.col("masked"))["n"].to_list() == [n for _, n in sorted(fake().counts.items()) if n == 0 or n >= 5]


@pytest.mark.parametrize("what", ["reports", "quarantine"])
def test_rows_of_single_reports_do_not_leave(what, fake, tmp_path, audited):
    with pytest.raises(AccessError):
        export(fake(outside=True), what, tmp_path / "r.csv")
    assert list(tmp_path.iterdir()) == []
    assert audited() == []


def test_a_restricted_report_with_a_point_is_never_written(reader, tmp_path, monkeypatch):
    leaking = reader.all_reports().with_columns(lon_deg=pl.lit(121.37))
    monkeypatch.setattr(reader, "all_reports", lambda: leaking)
    with pytest.raises(AccessError, match="1 of restricted categories"):
        export(reader, "reports", tmp_path / "r.csv")
    assert list(tmp_path.iterdir()) == []


def test_ratio_stands_only_beside_a_declared_exposure(fake, tmp_path):
    with pytest.raises(AnalysisError, match="no exposure"):
        export(fake(), "cells", tmp_path / "c.csv", measure="ratio")
    assert "ratio" not in pl.read_csv(export(fake(), "cells", tmp_path / "c.csv")).columns
    rows = pl.read_csv(export(fake(exposure_kind="population"), "cells", tmp_path / "c.csv"))
    assert rows["ratio"].to_list() == (rows["n"] / rows["expected"]).to_list()


def test_a_category_that_is_never_scored_is_exported_as_counts(reader, tmp_path):
    export(reader, "cells", tmp_path / "c.csv", category="DS01")
    assert reader.asked == [("cell_9", "DS01", "2018-W32--2018-W35", "count")]


@pytest.mark.parametrize(
    ("what", "name", "error", "said"),
    [
        ("cell", "c.csv", AnalysisError, "did you mean 'cells'"),
        ("cells", "c.shp", SourceError, "use .gpkg"),
        ("quarantine", "r.xlsx", SourceError, "use .csv"),
        ("cells", "missing/c.csv", SourceError, "does not exist"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_remedy(what, name, error, said, reader, tmp_path):
    with pytest.raises(error, match=said):
        export(reader, what, tmp_path / name)


def test_an_unknown_layer_is_refused_with_the_nearest(reader, tmp_path):
    with pytest.raises(AnalysisError, match="did you mean 'cell_9'"):
        export(reader, "cells", tmp_path / "c.csv", layer="cel_9")


@pytest.mark.parametrize("suffix", [".csv", ".gpkg"])
def test_fault_88_half_written_export(suffix, reader, tmp_path, monkeypatch):
    path = export(reader, "cells", tmp_path / f"c{suffix}")
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cloudmap.publish.layers._record", full)
    with pytest.raises(SourceError, match="No space left"):
        export(reader, "cells", path, measure="count")
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_fault_88_an_unrecorded_export_does_not_leave(reader, tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("audit log is not writable")

    monkeypatch.setattr("cloudmap.publish.layers._record", refuse)
    with pytest.raises(RuntimeError):
        export(reader, "units", tmp_path / "u.csv")
    assert list(tmp_path.iterdir()) == []


def test_no_hotspot_is_an_empty_layer_not_an_error(fake, tmp_path):
    for suffix in FORMATS["hotspots"]:
        assert _rows(export(fake(hot_n=0), "hotspots", tmp_path / f"h{suffix}")).height == 0


BLANKS = st.text(alphabet=" \t\r\n\u00a0\u3000\x00\x0b\ufeff\u200b", max_size=4)


@given(
    st.lists(st.builds("".join, st.tuples(BLANKS, st.sampled_from(["", "=", "+", "-", "@", "\t", "\r", "\n", "＝"]), st.text(max_size=6))))
)
def test_no_text_cell_begins_like_a_formula(texts):
    after = writing.guarded(pl.DataFrame({"text": texts}, schema={"text": pl.String}))["text"].to_list()
    for before, now in zip(texts, after, strict=True):
        assert now in (before, f"'{before}")
        bare = now.lstrip(" \u00a0\u3000")
        assert not bare.startswith(("\t", "\r", "\n"))
        assert not now.lstrip().lstrip("\ufeff\u200b\x00\t\r\n ").startswith(("=", "+", "-", "@", "＝"))


def test_formulas_are_text_in_a_workbook(tmp_path):
    risky = ["=1+1", " =1+1", "@SUM(A1)", "+1", "-1", "\t=1", "http://example.org", "12"]
    write_sheets(tmp_path / "f.xlsx", {"s": pl.DataFrame({"text": risky})}, created=FakeReader.now)
    cells = [row[0] for row in openpyxl.load_workbook(tmp_path / "f.xlsx")["s"].iter_rows(min_row=2)]
    assert [cell.value for cell in cells] == risky
    assert {cell.data_type for cell in cells} == {"s"}
    assert not any(cell.hyperlink for cell in cells)
