"""Faults A and B of containers, met on the way to a table; those of layers are in test_fault_layers.py."""

from __future__ import annotations

import gzip
import http.server
import io
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudmap.errors import SourceError
from cloudmap.ingest import archives
from cloudmap.ingest.opening import open_input
from cloudmap.ingest.tables import open_table

CSV = "id,time,kind\n1,2018-01-01,灯\n2,2018-01-02,路\n".encode()


def make_zip(path: Path, entries: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def refused(path: Path | str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        open_input(path)
    assert "\n" not in str(caught.value)


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    hits: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hits.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", hits
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("entry", ["../reports.csv", "a/../../reports.csv", "..\\reports.csv"])
def test_fault_01_entry_that_leaves_the_folder(tmp_path, entry):
    refused(make_zip(tmp_path / "a.zip", {entry: CSV}), "leaves the archive's folder")
    assert not (tmp_path.parent / "reports.csv").exists()


@pytest.mark.parametrize("entry", ["/etc/reports.csv", "C:/reports.csv", "\\\\server\\reports.csv"])
def test_fault_02_absolute_entry(tmp_path, entry):
    refused(make_zip(tmp_path / "a.zip", {entry: CSV}), "absolute place")


def test_fault_03_link_entry(tmp_path):
    link = zipfile.ZipInfo("reports.csv")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(tmp_path / "a.zip", "is a link or device")


def test_fault_04_ratio_of_a_zip_entry(tmp_path):
    refused(make_zip(tmp_path / "a.zip", {"reports.csv": b"0" * 1_000_000}), "inflates .*-fold")


def test_fault_04_ratio_of_a_gzip_file(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "GZIP_RATIO_FLOOR_BYTES", 1024**2)
    path = tmp_path / "reports.csv.gz"
    path.write_bytes(gzip.compress(b"0" * 8 * 1024**2))
    refused(path, "250-fold")


def test_fault_04_an_ordinary_repetitive_table_passes(tmp_path):
    text = b"id,kind,street\n" + b"".join(b"%d,disputes between neighbours,Lunan street\n" % number for number in range(40_000))
    (tmp_path / "reports.csv.gz").write_bytes(gzip.compress(text))
    make_zip(tmp_path / "reports.zip", {"reports.csv": text})
    for name in ("reports.csv.gz", "reports.zip"):
        with open_table(tmp_path / name) as reader:
            assert sum(block.records_n for block in reader.blocks()) == 40_000


def test_fault_05_too_many_entries(tmp_path):
    refused(make_zip(tmp_path / "a.zip", {f"{number}.csv": b"a" for number in range(1001)}, method=zipfile.ZIP_STORED), "1001 entries")


@pytest.mark.parametrize("inner", ["inner.zip", "reports.csv"])
def test_fault_06_nested_zip_under_any_name(tmp_path, inner):
    nested = make_zip(tmp_path / "inner", {"reports.csv": CSV}).read_bytes()
    refused(make_zip(tmp_path / "a.zip", {inner: nested}), "packed again inside")


def test_fault_06_nested_in_gzip(tmp_path):
    for number, inner in enumerate((gzip.compress(CSV), make_zip(tmp_path / "inner", {"reports.csv": CSV}).read_bytes())):
        path = tmp_path / f"{number}.csv.gz"
        path.write_bytes(gzip.compress(inner))
        refused(path, "packed twice")


@pytest.mark.parametrize("claim", [10, 10_000])
def test_fault_07_lying_sizes(tmp_path, claim):
    path = make_zip(tmp_path / "a.zip", {"reports.csv": CSV})
    raw = bytearray(path.read_bytes())
    at = raw.rfind(b"PK\x01\x02")
    raw[at + 24 : at + 28] = claim.to_bytes(4, "little")  # size in the central directory
    path.write_bytes(raw)
    refused(path, "sizes lie|says")


def test_fault_07_overlapping_entries(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a.csv": CSV, "b.txt": CSV}, method=zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    at = raw.rfind(b"PK\x01\x02")
    raw[at + 42 : at + 46] = (1).to_bytes(4, "little")  # the second entry begins inside the first
    path.write_bytes(raw)
    refused(path, "begins before|broken")


def test_fault_08_encrypted(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"reports.csv": CSV})
    raw = bytearray(path.read_bytes())
    raw[raw.rfind(b"PK\x01\x02") + 8] |= 1
    raw[6] |= 1
    path.write_bytes(raw)
    refused(path, "locked with a password")


@pytest.mark.parametrize("name", ["reports.zip", "reports.csv.gz"])
def test_fault_09_truncated(tmp_path, name):
    whole = make_zip(tmp_path / "whole", {"reports.csv": CSV}).read_bytes() if name.endswith("zip") else gzip.compress(CSV)
    path = tmp_path / name
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "cut")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_fault_10_duplicate_names(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("reports.csv", CSV)
        archive.writestr("Reports.csv", CSV)
    refused(tmp_path / "a.zip", "twice")


def test_fault_11_gbk_entry_names_are_decoded(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"XXXXXXXX.csv": CSV})
    path.write_bytes(path.read_bytes().replace(b"XXXXXXXX", "台州县前".encode("gbk")))
    with open_input(path) as opened:
        assert opened.name == "台州县前.csv"
        assert any("GB18030" in line for line in opened.evidence)


def test_fault_11_a_backslash_inside_a_gbk_character_is_no_folder(tmp_path):
    name = "乗乗.csv".encode("gbk")
    assert b"\\" in name
    path = make_zip(tmp_path / "a.zip", {"XXXX.csv": CSV})
    path.write_bytes(path.read_bytes().replace(b"XXXX.csv", name))
    with open_input(path) as opened:
        assert opened.name == "乗乗.csv"


def test_fault_14_two_tables_in_a_zip_and_none_chosen(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"2017/reports.csv": CSV, "2018/others.csv": CSV, "__MACOSX/._x.csv": b"x", "readme.txt": b"hello"})
    refused(path, r"2 tables or layers.*none is chosen: 2017/reports.csv, 2018/others.csv")
    with open_table(path, layer="others") as reader:
        assert sum(block.records_n for block in reader.blocks()) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("reports.xlsx", CSV),
        ("reports.csv", b'{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": null}]}'),
        ("reports.parquet", CSV),
        ("reports.geojson", CSV),
        ("reports.csv", b"SQLite format 3\x00" + bytes(52) + b"GPKG" + bytes(500)),
    ],
)
def test_fault_15_extension_and_content_differ(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, "the extension says")


def test_fault_15_zip_called_csv(tmp_path):
    refused(make_zip(tmp_path / "reports.csv", {"reports.csv": CSV}), "the extension says csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "xls workbook or one locked"),
        (b"%PDF-1.4 ...", "PDF"),
        (bytes(range(256)) * 20, "binary data"),
        (b"SQLite format 3\x00" + bytes(600), "no GeoPackage"),
    ],
)
def test_fault_15_foreign_formats_are_told_by_name(tmp_path, content, words):
    (tmp_path / "reports.csv").write_bytes(content)
    refused(tmp_path / "reports.csv", words)


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_fault_16_empty(tmp_path, content):
    (tmp_path / "reports.csv").write_bytes(content)
    refused(tmp_path / "reports.csv", "is empty")
    (tmp_path / "reports.csv.gz").write_bytes(gzip.compress(content))
    refused(tmp_path / "reports.csv.gz", "is empty")


def test_fault_16_empty_archive(tmp_path):
    refused(make_zip(tmp_path / "a.zip", {}), "archive is empty")
    refused(make_zip(tmp_path / "b.zip", {"readme.md": b"hello"}), "no table or layer")


def vrt(source: str) -> bytes:
    return f'<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>{source}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'.encode()


@pytest.mark.parametrize("name", ["reports.csv", "reports.txt", "reports", "reports.geojson"])
@pytest.mark.parametrize("wrap", [lambda raw: raw, lambda raw: b"\xef\xbb\xbf \n" + raw, lambda raw: raw.decode().encode("utf-16")])
def test_fault_17_vrt_as_csv(tmp_path, name, wrap: Callable[[bytes], bytes]):
    canary = tmp_path / "canary.csv"
    canary.write_bytes(CSV)
    (tmp_path / name).write_bytes(wrap(vrt(str(canary))))
    refused(tmp_path / name, "points at other files")


def test_fault_17_vrt_in_gzip_and_zip(tmp_path):
    (tmp_path / "reports.csv.gz").write_bytes(gzip.compress(vrt("/etc/passwd")))
    refused(tmp_path / "reports.csv.gz", "points at other files")
    refused(make_zip(tmp_path / "a.zip", {"reports.csv": vrt("/etc/passwd")}), "points at other files")


def test_fault_18_vrt_to_an_address_calls_nobody(tmp_path, listener):
    address, hits = listener
    (tmp_path / "reports.csv").write_bytes(vrt(f"/vsicurl/{address}/x.csv"))
    with pytest.raises(SourceError):
        open_table(tmp_path / "reports.csv")
    assert hits == []


def test_fault_19_gdalg(tmp_path):
    (tmp_path / "reports.json").write_text('{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read /etc/passwd"}')
    refused(tmp_path / "reports.json", "points at other files")


@pytest.mark.parametrize("root", ["OGRWFSDataSource", "WFS_Capabilities"])
def test_fault_20_wfs_xml(tmp_path, listener, root):
    address, hits = listener
    (tmp_path / "reports.csv").write_text(f"<?xml version='1.0'?><{root}><URL>{address}</URL></{root}>")
    refused(tmp_path / "reports.csv", "web service|points at other files")
    assert hits == []


def test_fault_22_entities_are_refused_before_they_are_expanded(tmp_path):
    (tmp_path / "a.kml").write_text('<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]><kml>&x;</kml>')
    refused(tmp_path / "a.kml", "DOCTYPE")


@pytest.mark.parametrize(
    "path", ["/vsicurl/http://127.0.0.1/x.csv", "/VSIZIP/a.zip", "http://127.0.0.1/x.csv", "<OGRVRTDataSource/>", "a\x00.csv"]
)
def test_fault_24_addresses_are_no_files(path):
    refused(path, "is an address")


def test_fault_24_device_folder_and_missing_file(tmp_path):
    refused("/dev/null", "device")
    refused(tmp_path, "is a folder")
    refused(tmp_path / "none.csv", "no such file")


def test_fault_74_unpacking_stops_before_the_disk_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "DISK_RESERVE_BYTES", 10**18)
    refused(make_zip(tmp_path / "a.zip", {"reports.csv": CSV}), "Free some, or point TMPDIR")
    (tmp_path / "reports.csv.gz").write_bytes(gzip.compress(CSV))
    refused(tmp_path / "reports.csv.gz", "Free some, or point TMPDIR")


def test_refusals_leave_no_scratch_behind(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    nested = io.BytesIO()
    with gzip.GzipFile(fileobj=nested, mode="wb") as file:
        file.write(vrt("/etc/passwd"))
    (tmp_path / "reports.csv.gz").write_bytes(nested.getvalue())
    refused(tmp_path / "reports.csv.gz", "points at")
    assert list(scratch.iterdir()) == []
