from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudmap.errors import SchemaError, SourceError
from cloudmap.ingest import features
from cloudmap.ingest.columnar import as_text, open_geojson, open_parquet
from cloudmap.ingest.opening import open_input
from cloudmap.ingest.tables import open_table
from tests.ingest.table_files import read_all

VALUES = st.one_of(
    st.none(), st.text('a"\\{}[]路', max_size=5), st.integers(-99, 99), st.booleans(), st.lists(st.text('{"[', max_size=3), max_size=2)
)


def feature(properties: dict[str, Any] | None, geometry: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [lon, lat]}


def geojson(path: Path, members: list[dict[str, Any]], **more: Any) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", **more, "features": members}, ensure_ascii=False), encoding="utf-8")
    return path


def as_cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    return json.dumps(value, ensure_ascii=False)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.sampled_from(["features", "type", "a", "路"]), VALUES, max_size=4), min_size=1, max_size=5),
    st.integers(1, 50),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
)
def test_any_features_read_back_equal_wherever_the_file_is_cut(tmp_path, monkeypatch, rows, chunk, indent, last):
    monkeypatch.setattr(features, "_CHUNK", chunk)
    head = {"type": "FeatureCollection", "name": '"features": [', "other": {"features": [1]}}
    members = {"features": [feature(row, point(121.5, 28.25)) for row in rows]}
    path = tmp_path / "a.geojson"
    path.write_text(
        json.dumps({**head, **members} if last else {**members, **head}, indent=indent, ensure_ascii=False), encoding="utf-8-sig"
    )
    with open_geojson(open_input(path), rows_per_block=2) as reader:
        frame, rejected, records_n = read_all(reader)
    assert (records_n, rejected.height, frame["line_no"].to_list()) == (len(rows), 0, list(range(1, len(rows) + 1)))
    for name in {name for row in rows for name in row}:
        assert frame[name].to_list() == [as_cell(row.get(name)) for row in rows]
    assert set(frame["geometry_lon"]) == {"121.5"}


def test_numbers_stay_as_written_and_points_become_columns(tmp_path):
    (tmp_path / "a.json").write_text(
        '{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::4490"}},"features":['
        '{"type":"Feature","properties":{"id":900000000000000001,"x":1.50,"n":NaN},"geometry":{"type":"Point","coordinates":[121.30000,28.5,3]}},'
        '{"type":"Feature","properties":{"id":"007"},"geometry":{"type":"Point","coordinates":[]}}]}'
    )
    with open_table(tmp_path / "a.json") as reader:
        assert reader.format == "geojson"
        assert any("EPSG::4490" in line for line in reader.evidence)
        assert read_all(reader)[0].drop("line_no").rows() == [
            ("900000000000000001", "1.50", "NaN", "121.30000", "28.5"),
            ("007", None, None, None, None),
        ]


def test_shapes_that_are_no_points_are_set_apart(tmp_path):
    line = {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}
    members = [feature({"id": 1}, point(1, 2)), feature({"id": 2}, line), feature(None), feature({"id": "\ud800"})]
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": members}))
    with open_table(path) as reader:
        frame, rejected, records_n = read_all(reader)
    assert records_n == 4
    assert frame["line_no"].to_list() == [1, 3]
    assert rejected.select("line_no", "rule").rows() == [(2, "geometry_kind"), (4, "undecodable")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"a":1,"a":2},"geometry":null}]}',
            "feature 1: key 'a' stands twice",
        ),
        (
            '{"type":"FeatureCollection","type":"Feature","features":[{"type":"Feature","properties":{},"geometry":null}]}',
            "key 'type' stands twice",
        ),
        (
            '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"a":' + "[" * 200_000 + "]" * 200_000 + "}}]}",
            "nest deeper",
        ),
        ('{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":null}', "is cut"),
        ('{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":null},]}', "something else than features"),
        ('{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":null} 7]}', "something else than features"),
        (
            '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":null},"x"]}',
            "something else than features",
        ),
        ('{"type":"FeatureCollection","features":[]}', "holds no feature"),
        ('{"type":"FeatureCollection"}', "exactly once"),
        ('{"type":"Topology","objects":{}}', "'Topology', not GeoJSON"),
        ('[{"a":1}]', "no GeoJSON object"),
        ('{"type":"FeatureCollection","features":[{"type":"Point"}]}', "not a GeoJSON Feature"),
        ('{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"a":1,},"geometry":null}]}', "not valid JSON"),
    ],
)
def test_faults_25_to_27_json_that_readers_forgive(tmp_path, text, words):
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(SourceError, match=words):
        open_table(tmp_path / "a.geojson")


def test_geojson_must_be_utf8(tmp_path):
    path = geojson(tmp_path / "a.geojson", [feature({"名": "路桥"}, point(1, 2))])
    path.write_bytes(path.read_text(encoding="utf-8").encode("gbk"))
    with pytest.raises(SourceError, match="not UTF-8"):
        open_table(path)


def test_a_property_named_like_our_columns_is_refused(tmp_path):
    with pytest.raises(SchemaError, match="'geometry_lon' stands 2 times"):
        open_table(geojson(tmp_path / "a.geojson", [feature({"geometry_lon": 1}, point(1, 2))]))


def test_fault_40_and_46_in_features(tmp_path):
    path = geojson(tmp_path / "a.geojson", [feature({"a": "x\x00y"}), feature({"a": "x" * 1_000_000}), feature({"a": "good"})])
    with open_table(path) as reader:
        frame, rejected, _ = read_all(reader)
    assert frame["a"].to_list() == ["good"]
    assert rejected.select("line_no", "rule").rows() == [(1, "nul_byte"), (2, "cell_too_long")]


@pytest.mark.parametrize("encoding", ["WKB", "geoarrow"])
def test_points_of_geoparquet_become_columns(tmp_path, encoding):
    frame = gpd.GeoDataFrame({"id": ["1", "2", "3"]}, geometry=[shapely.Point(121.5, 28), None, shapely.Point()], crs=4490)
    frame.to_parquet(tmp_path / "a.parquet", geometry_encoding=encoding)
    with open_table(tmp_path / "a.parquet", format="parquet") as reader:
        assert reader.header == ["id", "geometry_lon", "geometry_lat"]
        assert "4490" in reader.evidence[-1]
        rows = read_all(reader)[0].rows()
    assert rows == [(1, "1", "121.5", "28"), (2, "2", None, None), (3, "3", None, None)]


def test_other_shapes_of_geoparquet_are_set_apart(tmp_path):
    gpd.GeoDataFrame({"id": ["1", "2"]}, geometry=[shapely.Point(1, 2), shapely.box(0, 0, 1, 1)], crs=4326).to_parquet(
        tmp_path / "a.parquet"
    )
    with open_table(tmp_path / "a.parquet") as reader:
        frame, rejected, _ = read_all(reader)
    assert frame["id"].to_list() == ["1"]
    assert rejected.select("line_no", "field", "rule").rows() == [(2, "geometry", "geometry_kind")]


def test_parquet_is_read_in_blocks_with_rows_counted_on(tmp_path):
    pq.write_table(pa.table({"id": list(range(10))}), tmp_path / "a.parquet", row_group_size=4)
    with open_parquet(open_input(tmp_path / "a.parquet"), rows_per_block=3) as reader:
        frame, _, records_n = read_all(reader)
    assert records_n == 10
    assert frame.rows() == [(number + 1, str(number)) for number in range(10)]


def test_fault_30_parquet_corrupt_behind_a_sound_footer(tmp_path):
    pq.write_table(pa.table({"id": [f"text {number}" for number in range(10_000)]}), tmp_path / "a.parquet", compression="zstd")
    raw = bytearray((tmp_path / "a.parquet").read_bytes())
    raw[200:2000] = bytes(1800)
    (tmp_path / "a.parquet").write_bytes(raw)
    with open_table(tmp_path / "a.parquet") as reader, pytest.raises(SourceError, match="corrupt"):
        read_all(reader)


UTC = dt.UTC


@pytest.mark.parametrize(
    ("array", "shown"),
    [
        (pa.array([1.0, 2.5, 1e17, None, float("nan"), -0.0]), ["1", "2.5", "1e+17", None, "NaN", "0"]),
        (pa.array([2**62, None]), [str(2**62), None]),
        (pa.array([True, None]), ["true", None]),
        (pa.array(["a", None]).dictionary_encode(), ["a", None]),
        (pa.array([dt.date(2018, 3, 1)]), ["2018-03-01"]),
        (
            pa.array([dt.datetime(2018, 3, 1, 8, 30), dt.datetime(2018, 3, 1, 8, 30, 0, 500000)]),
            ["2018-03-01 08:30:00", "2018-03-01 08:30:00.500"],
        ),
        (pa.array([dt.datetime(2018, 3, 1, 0, 30, tzinfo=UTC)], pa.timestamp("ns", "Asia/Shanghai")), ["2018-03-01 00:30:00+00:00"]),
        (pa.array([Decimal("1.50")]), ["1.50"]),
        (pa.array([b"\x01\xff"]), ["01ff"]),
        (pa.array([[1, 2], None]), ["[1, 2]", None]),
        (pa.array([{"a": "路"}]), ['{"a": "路"}']),
    ],
)
def test_typed_columns_become_plain_text(array, shown):
    assert as_text(array).to_list() == shown
