"""The base map: ranges of one file of this server, seen by whoever sees a map; nothing from outside unless the city's file has a key."""

from __future__ import annotations

import http.client
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import geopandas as gpd
import numpy as np
import pytest
import shapely
from flask.testing import FlaskClient

from cloudmap.city import BasemapSection, City
from cloudmap.dashboard.app import running
from cloudmap.dashboard.basemap import TIANDITU, base_file
from cloudmap.dashboard.shell import map_config
from cloudmap.dashboard.site import make_app
from cloudmap.dashboard.text import LANGUAGES, words
from cloudmap.dashboard.view import read_view
from cloudmap.dashboard.visit import visit
from cloudmap.geo.basemap_tiles import write_basemap
from tests.dashboard.conftest import DESK, Visitor, visit_with
from tests.dashboard.fake_reader import FakeReader
from tests.dashboard.people import EVERYBODY, app_for, made_city, signed_in, with_everybody

KEY = "0123456789abcdef0123456789abcdef"
MAKERS = "路桥区测绘院"


def with_base(folder: Path, **settings: Any) -> FakeReader:
    reader = FakeReader()
    reader.city = reader.city.model_copy(update={"folder": folder, "basemap": BasemapSection(**settings)})
    return reader


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base map of roads, a lake and named places, made of drawn layers over the fake city."""
    where = tmp_path_factory.mktemp("based")
    west, south, east, north = FakeReader().geometry("unit_street").total_bounds
    xs, ys = np.linspace(west, east, 12), np.linspace(south, north, 12)
    lines = [shapely.LineString([(x, south), (x, north)]) for x in xs] + [shapely.LineString([(west, y), (east, y)]) for y in ys]
    gpd.GeoDataFrame({"name": ["大道"] * 24, "class": ["primary"] * 24}, geometry=lines, crs=4326).to_file(where / "roads.gpkg")
    points = [shapely.Point(x, y) for x in xs[1::3] for y in ys[1::3]]
    names = {"name": [f"村{n}" for n in range(len(points))], "name_en": [f"Village {n}" for n in range(len(points))]}
    gpd.GeoDataFrame(names, geometry=points, crs=4326).to_file(where / "places.gpkg")
    lake = shapely.box(xs[4], ys[4], xs[7], ys[7])
    gpd.GeoDataFrame({"name": ["湖"]}, geometry=[lake], crs=4326).to_file(where / "lake.gpkg")
    write_basemap([str(where / f"{name}.gpkg") for name in ("roads", "places", "lake")], where / "base.pmtiles")
    return where


@pytest.fixture(scope="session")
def based(folder: Path) -> FakeReader:
    return with_base(folder, file="base.pmtiles", attribution=MAKERS)


@pytest.fixture(scope="session")
def answers(based: FakeReader) -> FlaskClient:
    return make_app(based).server.test_client()


def address(city: City) -> str:
    found = base_file(city)
    assert found is not None
    return f"/map/base/{found.version}"


# Ranges


def test_the_file_is_handed_out_whole_and_in_ranges(based: FakeReader, answers: FlaskClient, folder: Path) -> None:
    whole, url = (folder / "base.pmtiles").read_bytes(), address(based.city)
    answer = answers.get(url)
    assert (answer.status_code, answer.data, answer.headers["Accept-Ranges"]) == (200, whole, "bytes")
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    part = answers.get(url, headers={"Range": "bytes=7-99"})
    assert (part.status_code, part.data, part.headers["Content-Range"]) == (206, whole[7:100], f"bytes 7-99/{len(whole)}")
    assert answers.get(url, headers={"Range": "bytes=-5"}).data == whole[-5:]
    assert answers.get(url, headers={"Range": f"bytes={len(whole) - 3}-"}).data == whole[-3:]


@pytest.mark.parametrize("asked", ["bytes=99999999999-", "bytes=9-2", "lines=0-1", "bytes=0-1,4-5"])
def test_a_range_that_is_not_there_is_refused(based: FakeReader, answers: FlaskClient, asked: str) -> None:
    answer = answers.get(address(based.city), headers={"Range": asked})
    assert answer.status_code == 416


def test_head_and_conditions(based: FakeReader, answers: FlaskClient, folder: Path) -> None:
    size, url = (folder / "base.pmtiles").stat().st_size, address(based.city)
    head = answers.head(url)
    assert (head.status_code, head.data, head.content_length) == (200, b"", size)
    part = answers.head(url, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.data, part.content_length) == (206, b"", 10)
    tag = head.headers["ETag"]
    assert answers.get(url, headers={"If-None-Match": tag}).status_code == 304
    assert answers.get(url, headers={"Range": "bytes=0-9", "If-Range": tag}).status_code == 206
    # The file is another one than the browser has a part of: it gets the whole new one.
    assert answers.get(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200


def test_only_the_one_file_is_handed_out(answers: FlaskClient, folder: Path) -> None:
    (folder / "secret.txt").write_text("secret")
    for asked in ("000000000000", "base.pmtiles", "secret.txt", "..%2Fsecret.txt", "%2Fetc%2Fpasswd", "."):
        answer = answers.get(f"/map/base/{asked}")
        assert not re.match(b"PMTiles|secret|root:", answer.data)


def test_whoever_may_see_a_map_gets_it_and_nobody_else(tmp_path: Path, folder: Path) -> None:
    accounts = with_everybody(made_city(tmp_path))[0]
    reader = with_base(folder, file="base.pmtiles")
    app, url = app_for(reader, accounts), address(reader.city)
    for role in EVERYBODY:
        answer = signed_in(app, accounts, role).get(url, headers={"Range": "bytes=0-6"})
        assert (answer.status_code, answer.data) == (206, b"PMTiles")
    assert app.server.test_client().get(url, headers={"Range": "bytes=0-6"}).status_code == 401


def test_a_served_file_comes_in_ranges(based: FakeReader) -> None:
    with running(make_app(based)) as port:
        for asked, status, size in (("bytes=0-6", 206, 7), ("bytes=99999999999-", 416, None)):
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            link.request("GET", address(based.city), headers={"Range": asked})
            answer = link.getresponse()
            body = answer.read()
            assert answer.status == status
            assert size is None or body == b"PMTiles"
            link.close()


# What the page is told


def test_a_city_with_a_file_shows_it_lowest_and_one_without_does_not(based: FakeReader) -> None:
    assert read_view("", based).shown[0] == "base"  # type: ignore[arg-type]
    assert read_view("?shown=names.base~40.water_river", based).shown == ("base~40", "names", "water_river")  # type: ignore[arg-type]
    assert "base" not in read_view("?shown=names", based).shown  # type: ignore[arg-type]
    plain = FakeReader()
    assert read_view("?shown=names.base", plain).shown == ("names",)  # type: ignore[arg-type]
    assert map_config(plain, words("en"))["basemap"] is None  # type: ignore[arg-type]


def test_a_file_that_is_gone_takes_nothing_else_with_it(tmp_path: Path) -> None:
    reader = with_base(tmp_path, file="gone.pmtiles")
    assert map_config(reader, words("en"))["basemap"] is None  # type: ignore[arg-type]
    assert "base" not in read_view("", reader).shown  # type: ignore[arg-type]
    assert make_app(reader).server.test_client().get("/map/base/000000000000").status_code == 404


# 天地图


def hosts(policy: str) -> set[str]:
    return set(re.findall(r"(?:https?|wss?)://[^\s;]+|\*", policy))


def policies(reader: FakeReader) -> dict[str, str]:
    policy = make_app(reader).server.test_client().get("/").headers["Content-Security-Policy"]
    return dict(part.split(" ", 1) for part in policy.split("; "))


def told(reader: FakeReader, language: Any) -> str:
    return str(map_config(reader, words(language)))  # type: ignore[arg-type]


def test_without_a_key_no_host_outside_is_named(based: FakeReader) -> None:
    for reader in (FakeReader(), based):
        assert set().union(*(hosts(policy) for policy in policies(reader).values())) == set()
        for language in LANGUAGES:
            assert "://" not in told(reader, language)
            assert "tianditu" not in told(reader, language)


def test_with_a_key_exactly_its_hosts_are_named_and_the_page_says_so(tmp_path: Path) -> None:
    reader = with_base(tmp_path, tianditu_key=KEY)
    policy = policies(reader)
    assert {name for name, one in policy.items() if hosts(one)} == {"img-src", "connect-src"}
    assert hosts(policy["img-src"]) == hosts(policy["connect-src"]) == set(TIANDITU)
    for language in LANGUAGES:
        config = map_config(reader, words(language))["basemap"]  # type: ignore[arg-type]
        urls = [url for layer in config["tiles"] for url in layer]
        assert {f"https://{urlsplit(url).hostname}" for url in urls} == set(TIANDITU)
        assert all(url.endswith(f"&tk={KEY}") and "TILEMATRIXSET=w" in url for url in urls)
        assert words(language)("basemap.outside") in config["credit"]
    answer = make_app(reader).server.test_client().get("/")
    assert answer.headers["Referrer-Policy"] == "same-origin"  # nothing is told to other hosts


def test_tiles_from_outside_wait_until_somebody_asks_for_them(tmp_path: Path) -> None:
    reader = with_base(tmp_path, tianditu_key=KEY)
    assert "base" not in read_view("", reader).shown  # type: ignore[arg-type]
    assert read_view("?shown=base", reader).shown == ("base",)  # type: ignore[arg-type]


# In the browser


def one_picture() -> bytes:
    """Write an archive whose one tile, of zoom 0, is a grey picture of 256 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress((b"\0" + b"\x80" * 256) * 256)
    picture = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", 256, 256, 8, 0, 0, 0, 0)) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    size = bytes([len(picture) & 127 | 128, len(picture) >> 7])
    directory = bytes([1, 0, 1]) + size + bytes([1])  # one entry: id 0, run of 1, its length, offset 0
    at = 127 + len(directory)
    sections = struct.pack("<11Q", 127, len(directory), at, 2, 0, 0, at + 2, len(picture), 1, 1, 1)
    kinds = struct.pack("<6B", 1, 1, 1, 2, 0, 0)
    edges = struct.pack("<4iB2i", -1_800_000_000, -850_000_000, 1_800_000_000, 850_000_000, 0, 0, 0)
    return b"PMTiles\x03" + sections + kinds + edges + directory + b"{}" + picture


@pytest.fixture(scope="module")
def based_port(based: FakeReader) -> Iterator[int]:
    with running(make_app(based)) as port:
        yield port


@pytest.fixture
def desk(browser: Any, based_port: int) -> Iterator[Visitor]:
    yield from visit_with(browser, based_port, DESK)


def base_state(visitor: Visitor) -> dict[str, Any]:
    return dict(visitor.page.evaluate("() => window.cloudmap.base()"))


def test_it_is_drawn_from_ranges_of_this_server_and_can_be_switched_off(desk: Visitor) -> None:
    ranges: list[str] = []
    desk.page.on("request", lambda asked: ranges.append(asked.headers.get("range", "")) if "/map/base/" in asked.url else None)
    desk.open("?lang=zh-Hans&scheme=light")
    state = base_state(desk)
    assert state["drawn"] > 20
    assert any(name.startswith("村") for name in state["names"])
    assert len(ranges) >= 2
    assert all(re.fullmatch(r"bytes=\d+-\d+", one) for one in ranges)
    assert desk.page.locator(".cm-map-credit").inner_text() == MAKERS
    light = state["water"]
    desk.page.locator("#scheme").click()
    desk.page.wait_for_function("before => window.cloudmap.base().water !== before", arg=light)
    before = desk.key()
    desk.page.locator(".cm-row[data-row=base] input[type=checkbox]").click()
    desk.ready(before)
    assert base_state(desk)["drawn"] == 0
    assert desk.page.locator(".cm-map-credit").is_hidden()


def test_names_follow_the_language(desk: Visitor) -> None:
    desk.open("?lang=en")
    assert {name.split(" ")[0] for name in base_state(desk)["names"]} >= {"Village"}
    assert not any(name.startswith("村") for name in base_state(desk)["names"])


def test_the_picture_names_the_makers(desk: Visitor, tmp_path: Path) -> None:
    desk.open("?lang=zh-Hans&scheme=light")
    said = desk.page.evaluate("""async () => {
        const texts = [];
        const write = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
            texts.push(text);
            return write.call(this, text, ...rest);
        };
        document.querySelector('.cm-map-save').click();
        while (!texts.includes('N')) await new Promise((resolve) => setTimeout(resolve, 50));
        return texts;
    }""")
    assert MAKERS in "".join(said)


def test_pictures_are_drawn_too(browser: Any, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "base.pmtiles").write_bytes(one_picture())
    with running(make_app(with_base(tmp_path, file="base.pmtiles"))) as port:
        for visitor in visit_with(browser, port, DESK):
            visitor.open("?lang=en&scheme=dark")
            assert base_state(visitor)["kinds"] == ["raster"]


def test_a_visit_asks_for_the_file_s_first_bytes(based: FakeReader, based_port: int) -> None:
    assert address(based.city) in visit(based_port)
