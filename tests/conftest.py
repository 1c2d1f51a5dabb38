"""A small city for tests: three hand-drawn squares, a canal, one CSV of reports with each ledger class in it."""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"
"""Data that only `make accept` reads."""

WEST, SOUTH, SIDE = 121.30, 28.50, 0.02

CITY_TOML = """
[city]
name_zh = "三方城"
name_en = "Three Squares"
code = "999001"
timezone = "Asia/Shanghai"
metric_crs = "EPSG:4549"

[exposure]
kind = "population"

[[units]]
level = "street"
path = "streets.geojson"
fields = { code = "code", name = "name", population = "people" }

[[water]]
kind = "canal"
path = "canal.geojson"
fields = { id = "id", name = "name" }

[[sources]]
id = "app"
name_zh = "民情通"
name_en = "Civic app"
path = "app*.csv"
crs = "EPSG:4326"
reporter = "staff"
fields = { id = "编号", category = "类别", occurred_at = "时间", closed_at = "办结", state = "状态", lon = "经度", lat = "纬度", unit_code = "街道", text = "描述", reporter_id = "上报人" }
states = { "已办结" = "closed", "处理中" = "handling" }
"""  # noqa: E501  (one line of TOML)

HEADER = "编号,类别,时间,办结,状态,经度,纬度,街道,描述,上报人"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer --accept, which runs the checks that need ../shared."""
    parser.addoption("--accept", action="store_true", help="run the checks that need ../shared")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the acceptance checks out unless they are asked for: `make accept` runs them, `make test` must not need ../shared."""
    asked = config.getoption("--accept")
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("accept") and not asked])
    items[:] = [item for item in items if asked or not item.get_closest_marker("accept")]


def square(number: int) -> list[list[list[float]]]:
    """Ring of the numbered square, from west to east."""
    west = WEST + number * SIDE
    corners = [(west, SOUTH), (west + SIDE, SOUTH), (west + SIDE, SOUTH + SIDE), (west, SOUTH + SIDE), (west, SOUTH)]
    return [[list(corner) for corner in corners]]


def write_base_map(folder: Path) -> None:
    """Write the three squares and the canal."""
    names = (("999001001", "东街", 4000), ("999001002", "中街", 8000), ("999001003", "西街", 2000))
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, "name": name, "people": people},
            "geometry": {"type": "Polygon", "coordinates": square(i)},
        }
        for i, (code, name, people) in enumerate(names)
    ]
    (folder / "streets.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    line = {"type": "LineString", "coordinates": [[WEST, SOUTH + 0.01], [WEST + 3 * SIDE, SOUTH + 0.012]]}
    canal = {"type": "Feature", "properties": {"id": "c1", "name": "中河"}, "geometry": line}
    (folder / "canal.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [canal]}), encoding="utf-8")


def report_lines(n: int = 1200, *, seed: int = 5, prefix: str = "R") -> list[str]:
    """Write n clean records of 2018-01 to 2018-05: two in three anywhere, the rest crowded about the middle."""
    rng = random.Random(seed)
    start = datetime(2018, 1, 1)
    lines = []
    for i in range(n):
        crowd = i % 3 == 0
        lon = WEST + (1.5 * SIDE + rng.gauss(0, 0.0008) if crowd else rng.uniform(0.0005, 3 * SIDE - 0.0005))
        lat = SOUTH + (0.5 * SIDE + rng.gauss(0, 0.0008) if crowd else rng.uniform(0.0005, SIDE - 0.0005))
        at = start + timedelta(minutes=rng.randrange(150 * 24 * 60))
        category = rng.choice(["路灯", "暴露垃圾", "盗窃", "邻里纠纷", "河道污染"])
        closed = (at + timedelta(hours=rng.randrange(1, 90))).strftime("%Y-%m-%d %H:%M:%S") if i % 4 else ""
        state = "已办结" if closed else "处理中"
        lines.append(f"{prefix}{i:05d},{category},{at:%Y-%m-%d %H:%M:%S},{closed},{state},{lon:.6f},{lat:.6f},,路边第{i}号,U{i % 17:02d}")
    return lines


@pytest.fixture
def city_folder(tmp_path: Path) -> Path:
    """A city folder with base map, city file and 1,200 clean reports in app.csv; nothing loaded."""
    return write_city(tmp_path / "three")


def write_city(folder: Path, lines: list[str] | None = None) -> Path:
    """Write the small city into a folder."""
    folder.mkdir(parents=True)
    write_base_map(folder)
    (folder / "city.toml").write_text(CITY_TOML, encoding="utf-8")
    (folder / "app.csv").write_text("\n".join([HEADER, *(lines or report_lines())]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def analysed_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small city, loaded and analysed; read only."""
    from cloudmap.city import open_city
    from cloudmap.pipeline import analyse, load

    folder = write_city(tmp_path_factory.mktemp("cities") / "three")
    city = open_city(folder)
    load(city)
    analyse(city)
    return folder
