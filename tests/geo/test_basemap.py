"""Base map files: what is no PMTiles file, is cut short or cannot be drawn is refused in words; own layers become one."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from cloudmap.city import City, open_city
from cloudmap.errors import ConfigError, SourceError
from cloudmap.geo.basemap import check_basemap, describe_basemap, read_basemap
from cloudmap.geo.basemap_tiles import LAYER, kind_of, write_basemap
from cloudmap.geo.boundaries import read_units
from tests.conftest import write_city

HERE = shapely.box(121.30, 28.50, 121.50, 28.65)


def archive(
    *, tiles: int = 1, inner: int = 2, packed: int = 2, version: int = 3, metadata: Any = None, zooms: tuple[int, int] = (8, 14)
) -> bytes:
    """Write the smallest archive: header, an empty directory, metadata, one byte of tiles."""
    told = json.dumps({"vector_layers": [{"id": "water"}, {"id": "roads"}]} if metadata is None else metadata).encode()
    told = gzip.compress(told) if inner == 2 else told
    at = 127
    parts = struct.pack("<11Q", at, 1, at + 1, len(told), 0, 0, at + 1 + len(told), 1, 0, 0, 0)
    kinds = struct.pack("<6B", 1, inner, packed, tiles, *zooms)
    edges = struct.pack("<4i", *(round(edge * 1e7) for edge in HERE.bounds))
    return b"PMTiles" + bytes([version]) + parts + kinds + edges + bytes(9) + b"\0" + told + b"\0"


def city_with(folder: Path, content: bytes | None = None, **settings: str) -> City:
    toml = write_city(folder / "city") / "city.toml"
    lines = "\n".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in ({"file": "base.pmtiles"} | settings).items())
    toml.write_text(toml.read_text(encoding="utf-8") + f"\n[basemap]\n{lines}\n", encoding="utf-8")
    if content is not None:
        (toml.parent / "base.pmtiles").write_bytes(content)
    return open_city(toml)


def test_a_file_is_told_by_its_header_and_metadata(tmp_path: Path) -> None:
    metadata = {"vector_layers": [{"id": "water"}], "attribution": '<a href="https://example.org">&copy; OpenStreetMap</a>  contributors'}
    city = city_with(tmp_path, archive(metadata=metadata))
    base = read_basemap(city)
    assert base is not None
    assert (base.tiles, base.min_zoom, base.max_zoom, base.layers) == ("mvt", 8, 14, ("water",))
    assert base.bounds == pytest.approx(HERE.bounds)
    assert base.attribution == "© OpenStreetMap contributors"
    assert describe_basemap(city) == "base.pmtiles: mvt, zoom 8 to 14, layers water, by © OpenStreetMap contributors"


def test_a_changed_file_has_another_version(tmp_path: Path) -> None:
    city = city_with(tmp_path, archive())
    before = read_basemap(city)
    (city.folder / "base.pmtiles").write_bytes(archive(zooms=(8, 13)) + b"\0")
    assert before is not None
    assert before.version != read_basemap(city).version  # type: ignore[union-attr]


@pytest.mark.parametrize(("kind", "name"), [(2, "png"), (3, "jpeg"), (4, "webp")])
def test_pictures_need_no_layers(tmp_path: Path, kind: int, name: str) -> None:
    base = read_basemap(city_with(tmp_path, archive(tiles=kind, metadata={}, packed=1)))
    assert base is not None
    assert (base.tiles, base.layers) == (name, ())


REFUSED = {
    "missing": (None, "no file at"),
    "empty": (b"", "does not begin with 'PMTiles'"),
    "another kind": (b"SQLite format 3\0" + bytes(200), "does not begin with 'PMTiles'"),
    "version 2": (archive(version=2), "PMTiles version 2; only version 3"),
    "half a header": (archive()[:90], "cut short after 90 bytes"),
    "half a copy": (archive()[:-1], "cut short: it has"),
    "avif": (archive(tiles=5), "tiles of type 5"),
    "zstd tiles": (archive(packed=4), "brotli or zstd"),
    "brotli inside": (archive(inner=3), "brotli or zstd"),
    "no layers": (archive(metadata={}), "vector_layers"),
    "broken metadata": (archive(inner=1)[:128] + b"\xff" * (len(archive(inner=1)) - 128), "metadata cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_drawn_is_refused_with_a_remedy(tmp_path: Path, case: str) -> None:
    content, told = REFUSED[case]
    with pytest.raises(SourceError, match=told):
        read_basemap(city_with(tmp_path, content))


def test_metadata_that_would_unpack_to_gigabytes_are_not_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    at = 127
    parts = struct.pack("<11Q", at, 1, at + 1, len(bomb), 0, 0, at, 1, 0, 0, 0)
    content = archive()[:8] + parts + archive()[96:127] + b"\0" + bomb
    with pytest.raises(SourceError, match="vector_layers"):
        read_basemap(city_with(tmp_path, content))


def test_a_file_and_a_key_exclude_each_other_and_other_tiles_have_no_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        city_with(tmp_path / "both", archive(), tianditu_key="0123456789abcdef0123456789abcdef")
    with pytest.raises(ConfigError, match="tianditu_key"):
        city_with(tmp_path / "key", archive(), tianditu_key="x&y=https://elsewhere")
    for name in ("url", "tiles", "amap_key", "baidu_key"):
        with pytest.raises(ConfigError, match=f"unknown key basemap.{name}"):
            city_with(tmp_path / name, archive(), **{name: "https://elsewhere/{z}/{x}/{y}.png"})


def test_check_tells_what_a_file_lacks_for_its_city(tmp_path: Path) -> None:
    city = city_with(tmp_path, archive(zooms=(5, 10)))
    problems = check_basemap(city, read_units(city))
    assert {problem.kind for problem in problems} >= {"coarse", "no_attribution"}
    assert all(problem.level == "basemap" for problem in problems)


@pytest.fixture
def layers(tmp_path: Path) -> list[str]:
    """Layers as an office has them: a shapefile in projected coordinates, a GeoPackage with two layers."""
    roads = gpd.GeoDataFrame(
        {"名称": ["路桥大道", "腾达路"], "道路等级": ["国道", None]},
        geometry=[shapely.LineString([(121.31, 28.51), (121.49, 28.64)]), shapely.LineString([(121.31, 28.6), (121.49, 28.52)])],
        crs=4326,
    )
    roads.to_crs(4549).to_file(tmp_path / "道路.shp", encoding="GBK")
    lake = gpd.GeoDataFrame({"NAME": ["飞龙湖"]}, geometry=[shapely.box(121.35, 28.55, 121.37, 28.57)], crs=4326)
    lake.to_file(tmp_path / "ground.gpkg", layer="lakes")
    lake.to_file(tmp_path / "ground.gpkg", layer="misc")
    return [str(tmp_path / "道路.shp"), str(tmp_path / "ground.gpkg")]


def test_own_layers_become_one_file_without_the_internet(tmp_path: Path, layers: list[str]) -> None:
    target = tmp_path / "made.pmtiles"
    parts = write_basemap(layers, target)
    assert [(part.layer, part.kind, part.features_n) for part in parts] == [("道路", "roads", 2), ("lakes", "land", 1), ("misc", "land", 1)]
    assert target.read_bytes()[:8] == b"PMTiles\x03"
    read = gpd.read_file(target, layer=LAYER).to_crs(4326)
    road = read[read["name"] == "路桥大道"].iloc[0]
    assert (road["kind"], road["class"]) == ("roads", "国道")
    assert HERE.buffer(0.001).covers(shapely.box(*read.total_bounds))
    assert list(tmp_path.glob(".*part")) == []


def test_a_kind_may_be_said_and_only_a_known_one(tmp_path: Path, layers: list[str]) -> None:
    parts = write_basemap([f"water={layers[1]}"], tmp_path / "made.pmtiles")
    assert {part.kind for part in parts} == {"water"}
    with pytest.raises(SourceError, match="unknown kind 'waters'"):
        write_basemap([f"waters={layers[1]}"], tmp_path / "other.pmtiles")
    with pytest.raises(SourceError, match="no layer given"):
        write_basemap([], tmp_path / "other.pmtiles")
    with pytest.raises(SourceError, match="make it first"):
        write_basemap(layers, tmp_path / "nowhere" / "other.pmtiles")


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("hydro", "x"), "water"),
        (("建筑物", "x"), "buildings"),
        (("x", "railways"), "roads"),
        (("城市绿地", ""), "green"),
        (("abc", "def"), None),
    ],
)
def test_kinds_are_guessed_from_names(names: tuple[str, str], kind: str | None) -> None:
    assert kind_of(*names) == kind
