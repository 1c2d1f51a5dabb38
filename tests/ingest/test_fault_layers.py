"""Bad layer files: faults A (containers), B (drivers, XML, JSON). The number of a fault stands in its test's name."""

import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cloudmap.errors import CoordinateError, SourceError
from cloudmap.ingest.layers import read_layer
from tests.ingest.three_squares import SQUARE, geojson, shapefile, squares, zipped

KML_POLYGON = (
    "<Placemark><name>a</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
    "121.35,28.55 121.36,28.55 121.36,28.56 121.35,28.55</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
)


@pytest.fixture
def listener():
    """A web server that counts who calls."""
    calls = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            calls.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_):
            """Keep the test's output clean."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", calls
    server.shutdown()
    server.server_close()


def test_fault_11_gbk_entry_names_are_decoded_and_said(tmp_path):
    layer = read_layer(zipped(shapefile(tmp_path / "in", "abcd"), tmp_path / "a.zip", members_as="街道"))
    assert layer.layer == "街道"
    assert any("GB18030" in line and "街道" in line for line in layer.evidence)


@pytest.mark.parametrize("part", [".dbf", ".shx"])
@pytest.mark.parametrize("packed", [False, True])
def test_fault_12_shapefile_without_a_part(tmp_path, part, packed):
    path = shapefile(tmp_path / "in")
    path.with_suffix(part).unlink()
    with pytest.raises(SourceError, match=f"without its {part}"):
        read_layer(zipped(path, tmp_path / "a.zip") if packed else path)


def test_fault_13_no_prj_is_refused_unless_declared(tmp_path):
    path = shapefile(tmp_path, prj=False, crs="EPSG:4549")
    with pytest.raises(CoordinateError, match=r"no \.prj.*EPSG:4549"):
        read_layer(path)
    assert read_layer(path, crs="EPSG:4549").frame.to_crs("EPSG:4326").total_bounds[0] == pytest.approx(121.35)


def test_fault_13_a_wrong_declaration_is_noticed(tmp_path):
    with pytest.raises(CoordinateError, match="metres or feet"):
        read_layer(shapefile(tmp_path / "a", prj=False, crs="EPSG:4549"), crs="EPSG:4490")
    with pytest.raises(CoordinateError, match=r"EPSG:4549.*degrees"):
        read_layer(shapefile(tmp_path / "b", prj=False), crs="EPSG:4549")


def test_fault_14_two_layers_and_none_chosen(tmp_path):
    path = tmp_path / "a.gpkg"
    squares().to_file(path, layer="街道", driver="GPKG")
    squares().to_file(path, layer="社区", driver="GPKG", mode="a")
    with pytest.raises(SourceError, match="2 layers and none is chosen: '街道', '社区'"):
        read_layer(path)
    with pytest.raises(SourceError, match="no layer '村'; it has '街道', '社区'"):
        read_layer(path, layer="村")
    assert read_layer(path, layer="社区").layer == "社区"


def test_fault_14_two_shapefiles_in_a_zip(tmp_path):
    shapefile(tmp_path / "in", "streets")
    shapefile(tmp_path / "in", "villages")
    path = zipped(next((tmp_path / "in").glob("streets.shp")), tmp_path / "a.zip")
    import zipfile

    with zipfile.ZipFile(path, "a") as archive:
        for part in (tmp_path / "in").glob("villages.*"):
            archive.write(part, part.name)
    with pytest.raises(SourceError, match=r"streets\.shp.*villages\.shp|villages\.shp.*streets\.shp"):
        read_layer(path)
    assert read_layer(path, layer="villages").layer == "villages"


def test_fault_15_extension_and_content_differ(tmp_path):
    squares().to_file(tmp_path / "a.gpkg", driver="GPKG")
    (tmp_path / "a.gpkg").rename(tmp_path / "a.geojson")
    with pytest.raises(SourceError, match=r"extension says geojson.*gpkg"):
        read_layer(tmp_path / "a.geojson")


def test_fault_16_empty_file_and_empty_layer(tmp_path):
    (tmp_path / "a.gpkg").write_bytes(b"")
    with pytest.raises(SourceError, match="empty"):
        read_layer(tmp_path / "a.gpkg")
    squares().iloc[:0].to_file(tmp_path / "b.gpkg", layer="b", driver="GPKG")
    with pytest.raises(SourceError, match="no feature"):
        read_layer(tmp_path / "b.gpkg")
    with pytest.raises(SourceError, match="no feature"):
        read_layer(geojson(tmp_path / "c.geojson", []))


@pytest.mark.parametrize("name", ["a.csv", "a.gpkg", "a.geojson", "a.kml", "a.vrt"])
def test_fault_17_vrt_under_any_name_reads_no_other_file(tmp_path, name):
    target = geojson(tmp_path / "secret.geojson", [SQUARE], codes=["canary"])
    path = tmp_path / name
    path.write_text(
        f"<OGRVRTDataSource><OGRVRTLayer name='secret'><SrcDataSource>{target}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
    )
    with pytest.raises(SourceError) as stopped:
        read_layer(path)
    assert "canary" not in str(stopped.value)


def test_fault_18_vrt_to_an_address_calls_nobody(tmp_path, listener):
    address, calls = listener
    path = tmp_path / "a.kml"
    source = f"<SrcDataSource>/vsicurl/{address}/a.geojson</SrcDataSource>"
    path.write_text(f"<OGRVRTDataSource><OGRVRTLayer name='a'>{source}</OGRVRTLayer></OGRVRTDataSource>")
    with pytest.raises(SourceError):
        read_layer(path)
    assert calls == []


def test_fault_19_gdalg_runs_no_pipeline(tmp_path):
    target = geojson(tmp_path / "secret.geojson", [SQUARE])
    path = tmp_path / "a.geojson"
    path.write_text(f'{{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read {target} ! write /tmp/x.gpkg"}}')
    with pytest.raises(SourceError):
        read_layer(path)


def test_fault_20_wfs_description_is_not_followed(tmp_path, listener):
    address, calls = listener
    path = tmp_path / "a.kml"
    path.write_text(f"<OGRWFSDataSource><URL>{address}/wfs</URL></OGRWFSDataSource>")
    with pytest.raises(SourceError):
        read_layer(path)
    assert calls == []


def test_fault_21_kml_network_link_is_ignored_and_told(tmp_path, listener):
    address, calls = listener
    path = tmp_path / "a.kml"
    link = f"<NetworkLink><Link><href>{address}/more.kml</href></Link></NetworkLink>"
    path.write_text(f"<kml xmlns='http://www.opengis.net/kml/2.2'><Document><name>a</name>{link}{KML_POLYGON}</Document></kml>")
    layer = read_layer(path)
    assert len(layer.frame) == 1
    assert "1 NetworkLink(s) to other files or addresses not followed" in layer.evidence
    assert calls == []


@pytest.mark.parametrize(
    "doctype",
    [
        pytest.param("<!DOCTYPE kml [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>", id="fault_22_external_entity"),
        pytest.param(
            "<!DOCTYPE kml [<!ENTITY a 'lol'>"
            + "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghx", strict=True))
            + "]>",
            id="fault_23_billion_laughs",
        ),
    ],
)
def test_faults_22_and_23_entities_are_refused(tmp_path, doctype):
    path = tmp_path / "a.kml"
    path.write_text(
        f"<?xml version='1.0'?>{doctype}<kml xmlns='http://www.opengis.net/kml/2.2'><Document><name>&x;</name>{KML_POLYGON}</Document></kml>"
    )
    with pytest.raises(SourceError, match="DOCTYPE"):
        read_layer(path)


def test_fault_24_gdal_path_strings_are_no_files(listener):
    address, calls = listener
    for path in (f"/vsicurl/{address}/a.geojson", f"{address}/a.geojson", "/vsizip//etc/hostname", '{"type": "FeatureCollection"}'):
        with pytest.raises(SourceError):
            read_layer(path)
    assert calls == []


def test_fault_25_deep_nesting(tmp_path):
    path = tmp_path / "a.geojson"
    path.write_text('{"type": "FeatureCollection", "features": ' + "[" * 200_000 + "]" * 200_000 + "}")
    with pytest.raises(SourceError, match="nest deeper"):
        read_layer(path)


def test_fault_26_duplicate_keys(tmp_path):
    path = geojson(tmp_path / "a.geojson", [SQUARE], codes=["first"])
    path.write_text(path.read_text().replace('"code": "first"', '"code": "first", "code": "second"'))
    with pytest.raises(SourceError, match="stands twice"):
        read_layer(path)


@pytest.mark.parametrize("kind", ["geojson", "kml", "shp", "shx", "dbf", "gpkg"])
def test_fault_27_truncated_file(tmp_path, kind):
    given = path = shapefile(tmp_path)
    if kind in ("shp", "shx", "dbf"):
        path = path.with_suffix(f".{kind}")
    elif kind == "kml":
        given = path = tmp_path / "a.kml"
        path.write_text(f"<kml xmlns='http://www.opengis.net/kml/2.2'><Document><name>a</name>{KML_POLYGON * 3}</Document></kml>")
    else:
        given = path = tmp_path / f"a.{kind}"
        squares().to_file(path, driver="GPKG" if kind == "gpkg" else "GeoJSON")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(SourceError):
        read_layer(given)


def test_fault_27_table_of_another_shapefile(tmp_path):
    path = shapefile(tmp_path / "a")
    table = bytearray(path.with_suffix(".dbf").read_bytes())
    table[4:8] = (2).to_bytes(4, "little")
    path.with_suffix(".dbf").write_bytes(table)
    with pytest.raises(SourceError, match="3 shapes but 2 rows"):
        read_layer(path)


def test_fault_28_triggers_views_and_virtual_tables_never_run(tmp_path):
    path = tmp_path / "a.gpkg"
    squares().to_file(path, layer="a", driver="GPKG")
    base = sqlite3.connect(path)
    base.execute("CREATE VIEW v AS SELECT fid, geom, load_extension('/tmp/evil') AS code FROM a")
    base.execute(
        "INSERT INTO gpkg_contents"
        " SELECT 'v', data_type, 'v', description, last_change, min_x, min_y, max_x, max_y, srs_id FROM gpkg_contents"
    )
    base.execute("INSERT INTO gpkg_geometry_columns SELECT 'v', column_name, geometry_type_name, srs_id, z, m FROM gpkg_geometry_columns")
    base.execute("CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM a; END")
    base.commit()
    base.close()
    with pytest.raises(SourceError, match="is a view, which is never run"):
        read_layer(path, layer="v")
    before = path.read_bytes()
    assert len(read_layer(path, layer="a").frame) == 3
    assert path.read_bytes() == before


def test_fault_29_corrupt_page(tmp_path):
    path = tmp_path / "a.gpkg"
    squares().to_file(path, layer="a", driver="GPKG")
    base = sqlite3.connect(path)
    size = base.execute("PRAGMA page_size").fetchone()[0]
    page = base.execute("SELECT rootpage FROM sqlite_master WHERE name = 'a'").fetchone()[0]
    base.close()
    data = bytearray(path.read_bytes())
    data[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(data)
    with pytest.raises(SourceError, match="corrupt"):
        read_layer(path)


def test_fault_30_corrupt_parquet_footer(tmp_path):
    path = tmp_path / "a.parquet"
    squares().to_parquet(path)
    data = bytearray(path.read_bytes())
    data[-40:-8] = b"\xff" * 32
    path.write_bytes(data)
    with pytest.raises(SourceError, match="footer"):
        read_layer(path)
    path.write_bytes(bytes(data[:-20]))
    with pytest.raises(SourceError, match="cut"):
        read_layer(path)


def test_fault_38_table_that_no_encoding_fits(tmp_path):
    path = shapefile(tmp_path, names=("code", "name"))
    table = path.with_suffix(".dbf").read_bytes()
    path.with_suffix(".dbf").write_bytes(table.replace("路桥".encode("gbk"), b"\x80\xff\xff\x80"))
    with pytest.raises(SourceError, match=r"no encoding fits.*UTF-8.*GB18030.*Name it as encoding"):
        read_layer(path)
