"""Time the dashboard as a person meets it: server and browser on this machine, pictures drawn by the processor.

python benchmarks/dashboard.py [--folder demo/benchmark] [--part first period filters users plotly wide] [--chromium /usr/bin/chromium]

The city is the schematic Luqiao with 2.16 million reports (`--scale 10`), made and analysed in the folder where it is not there yet. Parts:

first    words and numbers of the first view, and its map (resolution 9), right after the server's start and again in a new browser
period   another period, from the choice to the drawn map: resolution 10 (27,667 cells) whole in sight, and nearer from tiles
filters  100 random filters (category, period, measure, layer): the server's answer and the drawn map
users    20 people who click for two minutes: errors, answers, memory of the server
plotly   plotly's choroplethmap recolouring the same cells
wide     a city of 200,000 cells at resolution 10: opened, gone into, moved about
"""

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import psutil
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--no-sandbox"]
WALL = {"width": 1920, "height": 1080}
PORT = 8077
PARTS = ("first", "period", "filters", "users", "plotly", "wide")
CLOUDMAP = [sys.executable, "-m", "cloudmap.cli"]
EMPTY_STYLE: dict[str, Any] = {"version": 8, "sources": {}, "layers": []}
DRAWN = "key => document.documentElement.dataset.ready && document.documentElement.dataset.ready !== key"
NUMBERS = "() => /\\d/.test(document.querySelector('#standing')?.textContent ?? '') && document.querySelector('#map-total')"

PLACE = "() => document.querySelector('#place-total')"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("demo") / "benchmark")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} before")
    luqiao = made(asked.folder / "luqiao-10", lambda folder: run("init", str(folder), "--sample", "luqiao", "--scale", "10"))
    parts: dict[str, Callable[[Path, Browser], None]] = {
        "first": first, "period": period, "filters": filters, "users": users, "plotly": plotly_beside,
    }  # fmt: skip
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=asked.chromium, args=FLAGS)
        for name in asked.part:
            if name == "wide":
                wide(made(asked.folder / "wide", write_wide), browser)
            else:
                parts[name](luqiao, browser)
        browser.close()


def run(*command: str) -> None:
    subprocess.run([*CLOUDMAP, *command], check=True, stdout=subprocess.DEVNULL)


def made(folder: Path, make: Callable[[Path], None]) -> Path:
    """Make, load and analyse a city where it is not there yet."""
    if not (folder / "city.toml").exists():
        make(folder)
        run("load", str(folder))
    begun = time.perf_counter()
    run("analyse", str(folder))
    print(f"{folder.name}: analysed in {time.perf_counter() - begun:.1f} s (0 to 2 s where it already was)")
    return folder


@contextmanager
def serving(city: Path) -> Iterator[psutil.Process]:
    """Serve a city in a process of its own, until the block ends."""
    with subprocess.Popen(
        [*CLOUDMAP, "serve", str(city), "--port", str(PORT)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_for_port()
            yield psutil.Process(server.pid)
        finally:
            server.terminate()


def wait_for_port() -> None:
    for _ in range(300):
        try:
            connection = HTTPConnection("127.0.0.1", PORT, timeout=2)
            connection.request("GET", "/assets/page.css")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not start")


@contextmanager
def page_of(browser: Browser) -> Iterator[Page]:
    """Open a page in a browser without a past, which ends with the block; anything it complains of is printed."""
    context = browser.new_context(viewport=WALL, locale="zh-CN")
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.on("pageerror", lambda error: print(f"  page error: {error}"))
    page.on("console", lambda message: message.type == "error" and print(f"  console: {message.text}"))
    yield page
    context.close()


def opened(page: Page, query: str = "", numbers: str = NUMBERS) -> tuple[float, float]:
    """Open an address; seconds until its words and numbers stand, and until its map is drawn."""
    begun = time.perf_counter()
    page.goto(f"http://127.0.0.1:{PORT}/{query}", wait_until="commit")
    numbers_s = drawn_s = 0.0
    while not (numbers_s and drawn_s):
        now = time.perf_counter() - begun
        if not numbers_s and page.evaluate(numbers):
            numbers_s = now
        if not drawn_s and page.evaluate("() => Boolean(document.documentElement.dataset.ready)"):
            drawn_s = now
        time.sleep(0.02)
        if now > 120:
            raise SystemExit(f"{query} is not drawn after two minutes")
    return numbers_s, drawn_s


def first(city: Path, browser: Browser) -> None:
    with serving(city):
        for name in ("right after the start", "again", "again"):
            with page_of(browser) as page:
                numbers_s, drawn_s = opened(page)
                print(f"first view, {name}: words and numbers {numbers_s:.1f} s, map {drawn_s:.1f} s")


def changed(page: Page, **fields: str) -> float:
    """Change fields of the view as a control does; seconds until the map is drawn."""
    before = page.evaluate("() => document.documentElement.dataset.ready")
    begun = time.perf_counter()
    page.evaluate("fields => window.dash_clientside.set_props('asked', { data: { ...fields, at: Date.now() } })", fields)
    page.wait_for_function(DRAWN, arg=before)
    return time.perf_counter() - begun


def spread(times: list[float]) -> str:
    """Write the median, the 95th percentile and the highest of some seconds."""
    p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 2 else max(times)
    return f"median {statistics.median(times):.2f} s, p95 {p95:.2f} s, most {max(times):.2f} s (n = {len(times)})"


def periods_of(city: Path, weeks_n: int) -> list[str]:
    from cloudmap.city import open_city
    from cloudmap.pipeline import read

    return [one.id for one in read(open_city(city)).periods() if one.weeks_n == weeks_n]


def period(city: Path, browser: Browser) -> None:
    choice = periods_of(city, 4)[1:13]
    with serving(city) as server, page_of(browser) as page:
        for query, name in (
            ("?layer=cell_9", "resolution 9 (3,979 cells), the whole city"),
            (f"?layer=cell_10&place={busiest(city)}", "resolution 10 (27,667 cells), from tiles"),
        ):
            opened(page, query, PLACE if "place=" in query else NUMBERS)
            spent = server.cpu_times()
            page.evaluate("() => 0")
            times = [changed(page, period=one) for one in choice]
            cpu_s = sum(server.cpu_times()[:2]) - sum(spent[:2])
            print(f"period change, {name}: {spread(times)}; server {cpu_s / len(times):.2f} CPU-s each")


def busiest(city: Path) -> str:
    from cloudmap.city import open_city
    from cloudmap.pipeline import read

    reader = read(open_city(city))
    return str(reader.values("cell_10", "ALL", reader.default_period.id, "count").table.sort("value", descending=True)["place"][0])


def filters(city: Path, browser: Browser) -> None:
    from cloudmap.city import open_city
    from cloudmap.pipeline import read

    reader = read(open_city(city))
    rng = random.Random(6)
    categories = [one.code for one in reader.categories() if not one.restricted and one.scored]
    periods = {weeks_n: periods_of(city, weeks_n)[:40] for weeks_n in (1, 4, 13, 52)}
    answers: list[float] = []

    def filtered(page: Page, pause_s: float) -> list[float]:
        times = []
        for _ in range(100):
            fields = {
                "category": rng.choice(categories), "period": rng.choice(periods[rng.choice(list(periods))]),
                "measure": rng.choice(("count", "ratio", "hotspot")), "layer": rng.choice(("cell_8", "cell_9", "unit_street", "unit_grid")),
            }  # fmt: skip
            times.append(changed(page, **fields))
            time.sleep(pause_s)
        return times

    def note(answer: Any) -> None:
        if "/map/values" in answer.url:
            timing = answer.request.timing
            answers.append((timing["responseStart"] - timing["requestStart"]) / 1000)

    with serving(city), page_of(browser) as page:
        opened(page)
        page.on("response", note)
        for pause_s in (0.0, 2.0):
            answers.clear()
            times = filtered(page, pause_s)
            how = f"{pause_s:.0f} s to look between" if pause_s else "without a pause, panels of the one before under way"
            print(f"filters, {how}: the server's answer {spread(answers)}")
            print(f"  to the drawn map: {spread(times)}")


def users(city: Path, _: Browser) -> None:
    """Twenty people, each a thread of requests (all that a page asks for after a click) with pauses of two seconds in the mean."""
    from cloudmap.city import open_city
    from cloudmap.pipeline import read

    reader = read(open_city(city))
    categories = [one.code for one in reader.categories() if not one.restricted and one.scored]
    choice = [one.id for one in reader.periods()][:60]
    times: dict[str, list[float]] = defaultdict(list)
    errors: list[str] = []

    def clicks(seed: int, until: float) -> None:
        rng = random.Random(seed)
        connection = HTTPConnection("127.0.0.1", PORT, timeout=60)
        while time.monotonic() < until:
            fields = {
                "category": rng.choice(categories), "period": rng.choice(choice), "measure": rng.choice(("count", "ratio", "hotspot")),
                "layer": rng.choice(("cell_8", "cell_9", "unit_street", "unit_grid", "unit_microgrid")),
                "lang": rng.choice(("zh-Hans", "en")),
            }  # fmt: skip
            view: dict[str, Any] = {}
            for what in ("view", "values", "numbers", "weeks", "panel", "standing"):
                method, path, body = request_of(what, fields, view)
                begun = time.perf_counter()
                try:
                    connection.request(method, path, body=body, headers={"Content-Type": "application/json"} if body else {})
                    answer = connection.getresponse()
                    told = answer.read()
                    if answer.status not in (200, 204):
                        errors.append(f"{answer.status} {what} {path}")
                    elif what == "view":
                        view = json.loads(told)["response"]["view"]["data"]
                except OSError as error:
                    errors.append(f"{error} {path}")
                    connection = HTTPConnection("127.0.0.1", PORT, timeout=60)
                times[what].append(time.perf_counter() - begun)
            time.sleep(rng.expovariate(0.5))

    with serving(city) as server:
        memory: list[tuple[float, float]] = []
        begun = time.monotonic()
        people = [threading.Thread(target=clicks, args=(seed, begun + 120)) for seed in range(20)]
        for one in people:
            one.start()
        while any(one.is_alive() for one in people):
            memory.append((time.monotonic() - begun, server.memory_info().rss / 1e6))
            time.sleep(2)
        marks = [next(mb for at, mb in memory if at >= second) for second in (30, 60, 90)] + [memory[-1][1]]
        print(f"20 users, 120 s: {sum(map(len, times.values()))} answers, {len(errors)} errors {errors[:3]}")
        for what, answers in times.items():
            print(f"  {what}: {spread(answers)}")
        print(f"  memory of the server at 30, 60, 90, 120 s: {', '.join(f'{mb:,.0f}' for mb in marks)} MB")


def request_of(what: str, fields: dict[str, str], view: dict[str, Any]) -> tuple[str, str, str | None]:
    """What a page asks for after one click: the view; then the map's values and numbers, the weeks, and the two panels."""
    update = "/_dash-update-component"
    if what == "view":
        search = {"id": "url", "property": "search", "value": f"?{urlencode(fields)}"}
        outputs = [{"id": "view", "property": "data"}, {"id": "shell", "property": "children"}]
        state = [{"id": "view", "property": "data", "value": None}]
        asked = {
            "output": "..view.data...shell.children..",
            "outputs": outputs,
            "inputs": [search],
            "changedPropIds": ["url.search"],
            "state": state,
        }
        return "POST", update, json.dumps(asked)
    if what in ("panel", "standing"):
        given = {"id": f"{what}-view", "property": "data", "value": view[what]}
        outputs_of = {"id": what, "property": "children"}
        asked = {"output": f"{what}.children", "outputs": outputs_of, "inputs": [given], "changedPropIds": [f"{what}-view.data"]}
        return "POST", update, json.dumps(asked)
    return "GET", view["map"][what], None


class QuietHandler(SimpleHTTPRequestHandler):
    """Tells nothing of what it hands out."""

    def log_message(self, *_: Any) -> None:
        pass


def plotly_beside(city: Path, browser: Browser) -> None:
    """The same cells and numbers in plotly's choroplethmap, recoloured by `Plotly.restyle` with another period's counts."""
    import plotly.graph_objects as go
    import plotly.offline

    from cloudmap.city import open_city
    from cloudmap.pipeline import read

    reader = read(open_city(city))
    shapes = reader.geometry("cell_10")[["place", "geometry"]]
    counts = [reader.values("cell_10", "ALL", one, "count").table for one in periods_of(city, 4)[:4]]
    order = list(shapes["place"])
    values = [list(map(dict(zip(one["place"], one["value"], strict=True)).get, order)) for one in counts]
    west, south, east, north = shapes.total_bounds
    figure = go.Figure(
        go.Choroplethmap(
            geojson=json.loads(shapes.to_json()), featureidkey="properties.place", locations=order, z=values[0], marker_line_width=0
        ),
        go.Layout(
            map={
                "style": {"version": 8, "sources": {}, "layers": []},
                "center": {"lon": (west + east) / 2, "lat": (south + north) / 2},
                "zoom": 10.6,
            }
        ),
    )
    folder = city.parent / "plotly"
    folder.mkdir(exist_ok=True)
    (folder / "plotly.js").write_text(plotly.offline.get_plotlyjs(), encoding="utf-8")
    body = "<div id=map style='width:1900px;height:1000px'></div><script src=plotly.js></script>"
    (folder / "map.html").write_text(
        f"<link rel=icon href=data:,><meta charset=utf-8>{body}<script>const figure={figure.to_json()};</script>", encoding="utf-8"
    )
    # From a file its workers never start.
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, page_of(browser) as page:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{server.server_port}/map.html")
        idle = """() => new Promise(done => {
            const { map } = document.querySelector('#map')._fullLayout.map._subplot;
            map.once('idle', () => done(true));
            map.triggerRepaint();
        })"""
        begun = time.perf_counter()
        page.evaluate("() => Plotly.newPlot('map', figure.data, figure.layout)")
        page.evaluate(idle)
        print(f"plotly choroplethmap, {len(order):,} cells: first map {time.perf_counter() - begun:.1f} s")
        times = []
        for one in values[1:]:
            begun = time.perf_counter()
            page.evaluate("z => Plotly.restyle('map', { z: [z] })", one)
            page.evaluate(idle)
            times.append(time.perf_counter() - begun)
        print(f"plotly choroplethmap, recoloured: {spread(times)}")
        server.shutdown()


def write_wide(folder: Path) -> None:
    """A square city of 56 km a side in 64 streets, with 400,000 reports of half a year about 40 centres."""
    import geopandas as gpd
    import shapely

    folder.mkdir(parents=True)
    west, south, side, many = 121.10, 28.30, 0.56, 8
    boxes = [
        shapely.box(west + i * side / many, south + j * side / many, west + (i + 1) * side / many, south + (j + 1) * side / many)
        for j in range(many)
        for i in range(many)
    ]
    streets = gpd.GeoDataFrame(
        {"code": [f"999{at:06d}" for at in range(len(boxes))], "name": [f"第{at + 1}街" for at in range(len(boxes))], "people": 10_000},
        geometry=boxes,
        crs=4326,
    )
    streets.to_file(folder / "streets.geojson", driver="GeoJSON")
    rng = np.random.default_rng(7)
    n = 400_000
    centres = rng.uniform(0.05, 0.95, (40, 2))
    xy = np.clip(centres[rng.integers(0, 40, n)] + rng.normal(0, 0.04, (n, 2)), 0.001, 0.999) * side + (west, south)
    minutes = np.sort(rng.integers(0, 182 * 1440, n))
    at = np.datetime_as_string(np.datetime64("2018-01-01T00:00") + minutes.astype("timedelta64[m]"), unit="m")
    kinds = np.array(["路灯", "暴露垃圾", "盗窃", "邻里纠纷", "河道污染"])[rng.integers(0, 5, n)]
    rows = zip(range(n), kinds, at, xy, strict=True)
    lines = [f"R{i},{kind},{when.replace('T', ' ')}:00,{x:.6f},{y:.6f}" for i, kind, when, (x, y) in rows]
    (folder / "app.csv").write_text("\n".join(["编号,类别,时间,经度,纬度", *lines]) + "\n", encoding="utf-8")
    (folder / "city.toml").write_text(
        """
[city]
name_zh = "大市"
name_en = "Wide city"
code = "999000"
timezone = "Asia/Shanghai"
metric_crs = "EPSG:4549"
resolutions = [8, 9, 10]

[exposure]
kind = "population"

[[units]]
level = "street"
path = "streets.geojson"
fields = { code = "code", name = "name", population = "people" }

[[sources]]
id = "app"
name_zh = "民情通"
name_en = "Civic app"
path = "app.csv"
crs = "EPSG:4326"
fields = { id = "编号", category = "类别", occurred_at = "时间", lon = "经度", lat = "纬度" }
""",
        encoding="utf-8",
    )


def wide(city: Path, browser: Browser) -> None:
    from cloudmap.city import open_city
    from cloudmap.pipeline import read

    reader = read(open_city(city))
    layers = {one.id: one.places_n for one in reader.layers()}
    print(f"wide city: {layers}; tiles of resolution 10: {len(reader.tiles('cell_10') or b'') / 1e6:.1f} MB")
    with serving(city) as server, page_of(browser) as page:
        _, drawn_s = opened(page, "?layer=cell_10&lang=en")
        shown = page.evaluate("() => window.cloudmap.state().layer")
        print(f"200,000 cells, opened at the whole city: {drawn_s:.1f} s, drawn with {shown}")
        seconds = changed(page, layer="cell_10")
        cells_n = len(page.evaluate("() => window.cloudmap.state().codes"))
        print(f"  gone into: {seconds:.1f} s until resolution 10 is drawn ({cells_n:,} cells)")
        box = page.locator("#map").bounding_box() or {"x": 0, "y": 0, "width": 1, "height": 1}
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        times = []
        for at in range(8):
            begun = time.perf_counter()
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x + (300 if at % 2 else -300), y + 120, steps=6)
            page.mouse.up()
            page.evaluate("() => window.cloudmap.settled()")
            times.append(time.perf_counter() - begun)
        print(f"  moved by 320 pixels until all is drawn: {spread(times)}")
        times = [changed(page, period=one) for one in periods_of(city, 4)[1:7]]
        print(f"  another period: {spread(times)}; memory of the server {server.memory_info().rss / 1e6:,.0f} MB")
        _, drawn_s = opened(page, f"?layer=cell_10&place={busiest(city)}&lang=en", PLACE)
        print(f"  opened at a cell of resolution 10: {drawn_s:.1f} s")


if __name__ == "__main__":
    main()
