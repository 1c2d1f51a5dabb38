"""Layers of every format, from three hand-drawn squares."""

import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import given, settings
from hypothesis import strategies as st
from pyogrio import write_dataframe

from cloudmap.errors import CoordinateError, SourceError
from cloudmap.ingest.dbf import decode_dbf, known_codec
from cloudmap.ingest.layers import read_layer
from tests.ingest.three_squares import CODES, NAMES, SQUARE, SQUARES, geojson, shapefile, squares, zipped


def assert_squares(layer, code="区划代码", name="名称"):
    assert layer.frame[code].tolist() == CODES
    assert layer.frame[name].tolist() == NAMES
    shapes = layer.frame.geometry.to_crs("EPSG:4326").to_numpy() if layer.crs not in ("gcj02", "bd09") else layer.frame.geometry.to_numpy()
    apart = shapely.hausdorff_distance(shapes, SQUARES)
    assert apart.max() < 1e-7
    assert layer.repairs.keys() <= {"height_dropped"}


def test_geopackage_with_chinese_layer_and_fields(tmp_path):
    squares("EPSG:4490").to_file(tmp_path / "a.gpkg", layer="街道", driver="GPKG")
    layer = read_layer(tmp_path / "a.gpkg")
    assert_squares(layer)
    assert (layer.driver, layer.layer, layer.crs, layer.encoding) == ("GPKG", "街道", "EPSG:4490", "utf-8")


@pytest.mark.parametrize("crs", ["EPSG:4549", "EPSG:4528"])
def test_shapefile_in_a_zone_with_and_without_prefix(tmp_path, crs):
    layer = read_layer(shapefile(tmp_path, crs=crs))
    assert_squares(layer)
    assert layer.crs == crs
    assert layer.frame.total_bounds[0] > (40_000_000 if crs == "EPSG:4528" else 600_000)


@pytest.mark.parametrize(
    ("encoding", "cpg", "found", "why"),
    [
        ("gbk", None, "gb18030", "no .cpg, not UTF-8"),
        ("gbk", "GBK", "gb18030", ".cpg"),
        ("gbk", "936", "gb18030", ".cpg"),
        ("gb18030", "GB2312", "gb18030", ".cpg"),
        ("utf-8", None, "utf-8", "no .cpg; strict UTF-8"),
        ("utf-8", "UTF-8", "utf-8", ".cpg"),
        ("gbk", "UTF-8", "gb18030", ".cpg does not help"),
        ("utf-8", "nonsense", "utf-8", "strict UTF-8"),
    ],
)
def test_encoding_comes_from_cpg_then_utf8_then_gb18030(tmp_path, encoding, cpg, found, why):
    layer = read_layer(shapefile(tmp_path, encoding=encoding, cpg=cpg, names=("代码", "名称")))
    assert_squares(layer, code="代码")
    assert layer.encoding == found
    assert any(f"text decoded as {found}" in line and why in line for line in layer.evidence), layer.evidence


def test_declared_encoding_overrides_the_file(tmp_path):
    path = shapefile(tmp_path, encoding="big5", cpg="GBK", values=[CODES, ["路橋", "路南", "路北"]], names=("code", "name"))
    assert read_layer(path, encoding="Big5").frame["name"].tolist() == ["路橋", "路南", "路北"]
    assert read_layer(path).frame["name"].tolist() != ["路橋", "路南", "路北"]
    with pytest.raises(SourceError, match="declared utf-8 does not fit"):
        read_layer(path, encoding="utf-8")
    with pytest.raises(SourceError, match="klingon"):
        read_layer(path, encoding="klingon")


def test_zipped_shapefile_with_gbk_member_names(tmp_path):
    path = zipped(shapefile(tmp_path / "in", "abcdefgh"), tmp_path / "a.zip", members_as="街道底图")
    layer = read_layer(path)
    assert_squares(layer)
    assert layer.layer == "街道底图"


def test_field_name_cut_in_the_middle_of_a_character_loses_that_character_only(tmp_path):
    layer = read_layer(shapefile(tmp_path, encoding="utf-8", cpg="UTF-8"))
    assert layer.frame["区划代"].tolist() == CODES
    assert layer.frame["名称"].tolist() == NAMES
    assert layer.repairs == {"field_name_cut": 1}
    assert any("1 field name cut" in line for line in layer.evidence)


def test_gbk_field_name_and_value_cut_in_the_middle(tmp_path):
    long = "行政区划代码表"  # 14 bytes in GBK: cut after five characters; with a letter before, inside the fifth
    layer = read_layer(shapefile(tmp_path, names=("码", "A" + long)))
    assert layer.frame.columns.tolist()[:2] == ["码", "A行政区划"]
    assert layer.repairs == {"field_name_cut": 1}


def test_field_names_that_cutting_makes_equal_stay_apart(tmp_path):
    layer = read_layer(shapefile(tmp_path, encoding="utf-8", names=("区划代码甲", "区划代码乙")))
    first, second = layer.frame.columns[:2]
    assert first != second
    assert layer.frame[first].tolist() == CODES
    assert layer.frame[second].tolist() == NAMES


def test_value_cut_by_the_field_width_keeps_whole_characters(tmp_path):
    path = shapefile(tmp_path, names=("code", "name"), values=[CODES, ["甲" * 40, "乙", "丙"]])
    table = path.with_suffix(".dbf").read_bytes()
    path.with_suffix(".dbf").write_bytes(table.replace(("甲" * 40).encode("gbk"), b"A" + ("甲" * 40).encode("gbk")[:79]))
    layer = read_layer(path)
    assert layer.frame["name"].tolist() == ["A" + "甲" * 39, "乙", "丙"]
    assert layer.repairs == {"value_cut": 1}


def test_geojson_keeps_leading_zeros(tmp_path):
    layer = read_layer(geojson(tmp_path / "a.geojson", [SQUARE], codes=["0071"]))
    assert layer.frame["code"].tolist() == ["0071"]
    assert layer.crs == "EPSG:4326"


def test_kml_loses_heights_and_gdals_own_fields(tmp_path):
    frame = squares()
    placemarks = "".join(
        f"<Placemark><name>{name}</name><ExtendedData>"
        f"<Data name='区划代码'><value>{code}</value></Data><Data name='区划名称'><value>{name}</value></Data></ExtendedData>"
        f"<Polygon><outerBoundaryIs><LinearRing><coordinates>{' '.join(f'{x},{y},0' for x, y in shape.exterior.coords)}</coordinates>"
        "</LinearRing></outerBoundaryIs></Polygon></Placemark>"
        for code, name, shape in zip(frame["区划代码"], frame["名称"], frame.geometry, strict=True)
    )
    path = tmp_path / "a.kml"
    path.write_text(
        f"<?xml version='1.0' encoding='UTF-8'?><kml xmlns='http://www.opengis.net/kml/2.2'><Document>{placemarks}</Document></kml>"
    )
    layer = read_layer(path)
    assert_squares(layer, name="Name")
    assert layer.frame.columns.tolist() == ["Name", "区划代码", "区划名称", "geometry"]
    assert layer.frame["区划名称"].tolist() == NAMES
    assert not shapely.has_z(layer.frame.geometry.to_numpy()).any()


def test_geoparquet(tmp_path):
    squares("EPSG:4490").to_parquet(tmp_path / "a.parquet")
    layer = read_layer(tmp_path / "a.parquet")
    assert_squares(layer)
    assert (layer.driver, layer.crs, layer.layer) == ("GeoParquet", "EPSG:4490", "a")


def test_geoparquet_without_a_system_needs_one_declared(tmp_path):
    squares().set_crs(None, allow_override=True).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(CoordinateError, match="no coordinate system"):
        read_layer(tmp_path / "a.parquet")
    assert read_layer(tmp_path / "a.parquet", crs="EPSG:4490").crs == "EPSG:4490"


def test_declared_system_wins_over_the_stored_one_and_says_so(tmp_path):
    layer = read_layer(shapefile(tmp_path), crs="gcj02")
    assert layer.crs == "gcj02"
    assert layer.frame.crs is None
    assert any("EPSG:4326, the city file says gcj02" in line for line in layer.evidence)


def test_a_table_without_shapes_is_read_as_one(tmp_path):
    write_dataframe(pd.DataFrame({"code": ["a", "b"], "name": ["甲", "乙"]}), tmp_path / "a.gpkg", layer="表", driver="GPKG")
    layer = read_layer(tmp_path / "a.gpkg")
    assert layer.crs == ""
    assert layer.frame["name"].tolist() == ["甲", "乙"]
    assert layer.frame.geometry.isna().all()


def test_a_field_called_geometry_does_not_hide_the_shape(tmp_path):
    layer = read_layer(geojson(tmp_path / "a.geojson", [SQUARE], geometry=["words"]))
    assert layer.frame["geometry_field"].tolist() == ["words"]
    assert layer.frame.geometry.iloc[0].area > 0


def test_missing_shapes_stay_as_rows(tmp_path):
    layer = read_layer(geojson(tmp_path / "a.geojson", [SQUARE, None]))
    assert layer.frame.geometry.isna().tolist() == [False, True]
    assert layer.rejected.height == 0


@pytest.mark.parametrize(
    ("text", "codec"),
    [("UTF-8", "utf-8"), ("65001", "utf-8"), ("CP936", "gb18030"), ("ANSI 936", "gb18030"), ("big5", "big5"), ("?", None)],
)
def test_code_pages_by_all_their_names(text, codec):
    assert known_codec(text) == codec


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=2, max_size=8),
    encoding=st.sampled_from(["utf-8", "gbk"]),
)
def test_any_name_survives_a_cut_at_ten_bytes(tmp_path_factory, text, encoding):
    folder = tmp_path_factory.mktemp("dbf")
    raw = text.encode(encoding)[:10]
    fields = raw.ljust(11, b"\0") + b"C" + bytes(4) + bytes([20]) + bytes(15)
    (folder / "a.dbf").write_bytes(bytes(8) + (32 + len(fields) + 1).to_bytes(2, "little") + bytes(22) + fields + b"\r")
    (folder / "a.cpg").write_text(encoding)
    read = decode_dbf(folder / "a.shp", [raw.decode("latin-1")], {}, encoding=None, shown="a.shp").names[0]
    assert text.startswith(read)
    assert len(raw) - len(read.encode(encoding)) < 3


def test_encoding_and_system_round_trip(tmp_path):
    for encoding in ("gbk", "utf-8"):
        for crs in ("EPSG:4490", "EPSG:4550", "EPSG:4529"):
            path = shapefile(tmp_path / f"{encoding}{crs[-4:]}", encoding=encoding, crs=crs, names=("码", "名称"))
            frame = read_layer(path).frame
            frame.to_file(tmp_path / "again.gpkg", layer=f"{encoding}{crs[-4:]}", driver="GPKG")
            again = read_layer(tmp_path / "again.gpkg", layer=f"{encoding}{crs[-4:]}")
            assert_squares(again, code="码")
            assert_geodataframe_equal(again.frame, frame, check_like=True)
