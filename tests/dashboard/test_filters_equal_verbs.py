"""Fifty filters drawn by lot: what the page shows is what the notebook verbs compute."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import polars as pl
import pytest

from cloudmap.city import open_city
from cloudmap.dashboard.app import running
from cloudmap.dashboard.site import make_app
from cloudmap.dashboard.text import words
from cloudmap.dashboard.view import PAGES, REACH
from cloudmap.pipeline import analyse, load, read
from tests.conftest import SIDE, SOUTH, WEST, write_city
from tests.dashboard.conftest import Visitor, visit_with
from tests.dashboard.notebook import STRONG, Filter, Notebook

pytestmark = pytest.mark.browser
EN = words("en")
SEED, FILTERS = 20260101, 50
CATEGORIES = ("ALL", "ALL", "FC02", "EV01", "EV03", "PS01", "FC", "LV05")
DIGITS = {"n": 0, "value": 2, "expected": 1, "q": 4, "p": 4, "ratio": 2, "expected_n": 1, "overdue_n": 0, "open_n": 0, "staff_n": 0}
SMALL = {"width": 1000, "height": 700}  # pixels cost time where a processor draws them
FIVE = ("volume", "timeliness", "recurrence", "silence", "water")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small city with a second level of units, four grids a street, so that a map can be drilled into a street."""
    folder = write_city(tmp_path_factory.mktemp("cities") / "two")
    half, features = SIDE / 2, []
    for at in range(12):
        west, south = WEST + (at // 2) * half, SOUTH + (at % 2) * half
        ring = [[west, south], [west + half, south], [west + half, south + half], [west, south + half], [west, south]]
        street = 1 + at // 4
        named = {"code": f"99900100{street}{at:03d}", "name": f"第{at + 1}网格", "street": f"99900100{street}", "people": 400 + 150 * at}
        features.append({"type": "Feature", "properties": named, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    (folder / "grids.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    units = '[[units]]\nlevel = "grid"\npath = "grids.geojson"\n'
    fields = 'fields = { code = "code", name = "name", parent = "street", population = "people" }\n\n[[water]]'
    told = (folder / "city.toml").read_text(encoding="utf-8")
    (folder / "city.toml").write_text(told.replace("[[water]]", units + fields), encoding="utf-8")
    city = open_city(folder)
    load(city)
    analyse(city)
    return folder


@pytest.fixture(scope="module")
def notebook(folder: Path) -> Notebook:
    return Notebook(str(folder))


@pytest.fixture(scope="module")
def filters(notebook: Notebook) -> list[Filter]:
    rng, reader = random.Random(SEED), notebook.reader
    mapped = [name for name, spec in PAGES.items() if spec.measures]
    layers = {kind: [one.id for one in reader.layers() if one.kind == kind and one.resolution != 10] for kind in ("unit", "cell")}
    layers["water"] = ["water"]
    streets = [f"unit_street~{place}" for place in reader.geometry("unit_street")["place"]]
    found: dict[Filter, None] = {}
    while len(found) < FILTERS:
        page = rng.choice(mapped)
        measure = rng.choice(PAGES[page].measures)
        kinds = ("unit",) if measure in ("workload", "staffing") else PAGES[page].kinds
        layer = rng.choice([one for kind in kinds for one in layers[kind]])
        within = rng.choice(["", "", *streets]) if layer not in ("unit_street", "water") else ""
        period = rng.choice([one.id for one in reader.periods() if one.weeks_n == rng.choice((1, 4, 13))] or [reader.default_period.id])
        found[Filter(page, layer, measure, rng.choice(CATEGORIES), period, within)] = None
    return sorted(found, key=lambda one: (one.page, one.layer, one.period))


class Page:
    """What a visitor of the page reads."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.heard: dict[str, Any] = {}

    def turn(self, asked: Filter) -> None:
        """Ask for a filter as the page's own buttons do, and wait until it is drawn."""
        before = self.visitor.key()
        self.visitor.page.evaluate(
            "fields => window.dash_clientside.set_props('asked', { data: { ...fields, at: Date.now() } })", asked.fields
        )
        self.visitor.ready(before)
        self.visitor.page.wait_for_function(
            "fields => Object.entries(fields).every(([name, one]) => (new URLSearchParams(location.search).get(name) ?? one) === one)",
            arg={name: value for name, value in asked.fields.items() if value},
        )
        self.visitor.beside()

    def text(self, selector: str) -> str | None:
        found = self.visitor.page.locator(selector)
        return str(found.inner_text()) if found.count() else None

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the table of places, as the grid holds them."""
        return list(
            self.visitor.page.evaluate(
                """async () => {
                    if (!document.getElementById('places-grid')) return [];
                    const grid = await dash_ag_grid.getApiAsync('places-grid');
                    const rows = [];
                    grid.forEachNode(node => rows.push(node.data));
                    return rows;
                }"""
            )
        )

    def numbers(self, period: str) -> dict[str, Any]:
        """The numbers that a hover card is made of, asked for from the page as the card asks."""
        asked = next(url for url in reversed(self.visitor.requests) if "/map/values?" in url and f"period={period}&" in url)
        return dict(self.visitor.page.evaluate("async url => (await fetch(url)).json()", asked.replace("/map/values?", "/map/numbers?")))

    def legend(self) -> dict[str, int]:
        found = self.visitor.page.evaluate(
            "() => [...document.querySelectorAll('.cm-map-legend tr')].map(r => ['th', '.n'].map(one => r.querySelector(one).textContent))"
        )
        return {label: integer(n) for label, n in found}

    def bars(self) -> list[float]:
        heights = "() => [...document.querySelectorAll('.cm-time-track rect')].map(r => Number(r.getAttribute('height')))"
        return list(self.visitor.page.evaluate(heights))


def integer(text: str) -> int:
    return int(text.replace(",", ""))


def near(shown: Any, truth: Any, digits: int) -> bool:
    """Tell whether a shown number is the true one at its decimals; both may be missing."""
    if truth is None or (isinstance(truth, float) and np.isnan(truth)):
        return shown is None
    if isinstance(shown, str):
        return shown == "< 0.0001" and round(truth, 4) == 0
    return shown is not None and abs(shown - truth) <= 0.5 * 10**-digits + 1e-9


def check(page: Page, asked: Filter, notebook: Notebook) -> None:
    """Hold everything that the page shows of a filter against the verbs."""
    query = parse_qs(urlsplit(page.visitor.page.url).query)
    assert (query["layer"], query["measure"], query["category"], query["period"]) == (
        [asked.layer], [asked.measure], [asked.category], [asked.period],
    )  # fmt: skip
    period = notebook.reader.period(asked.period)
    title = page.text(".cm-map-title") or ""
    assert f"{period.first_on}" in title
    assert f"{period.last_on}" in title
    check_weeks(page, asked, notebook)
    truth = notebook.table(asked)
    if truth is None:
        assert page.text(".cm-map-message"), "the page shows a map that the verb refuses"
        assert page.rows() == [] or asked.page == "compare"
        return
    check_card(page, asked, truth, notebook)
    check_legend(page, asked, truth)
    if asked.page == "compare":
        check_compared(page, asked, truth, notebook)
        return
    check_rows(page, asked, truth)
    if asked.page == "cloud":
        check_five(page, notebook.situation(asked))
    if asked.page == "handling":
        check_lights(page, asked, notebook)


def check_card(page: Page, asked: Filter, truth: pl.DataFrame, notebook: Notebook) -> None:
    shown = page.numbers(asked.period)["columns"]
    places = list(notebook.shapes(asked.layer)["place"])
    by_place = {row["place"]: row for row in truth.to_dicts()}
    compared = 0
    for name in (name for name in DIGITS if name in truth.columns and name in shown):
        for place, number in zip(places, shown[name], strict=True):
            row = by_place.get(place, {})
            wanted = None if row.get("masked") else row.get(name)
            assert near(number, wanted, DIGITS[name]), f"card {place} {name}: {number} is shown, {wanted} is true"
            compared += 1
    assert compared or asked.measure == "staffing"


def check_rows(page: Page, asked: Filter, truth: pl.DataFrame) -> None:
    rows = page.rows()
    assert len(rows) == min(truth.height, 200)
    by_place = {row["place"]: row for row in truth.to_dicts()}
    for row in rows:
        wanted = by_place[row["place"]]
        for name in (name for name in DIGITS if name in truth.columns):
            if wanted.get("masked"):
                assert row.get("n") is None
            else:
                assert near(row.get(name), wanted[name], DIGITS[name]), (
                    f"row {row['place']} {name}: {row.get(name)}, {wanted[name]} is true"
                )
    total = page.text("#map-total")
    if asked.measure in STRONG:
        assert integer(total or "") == truth["class"].is_in(STRONG[asked.measure]).sum()
    elif asked.measure == "emerging":
        assert integer(total or "") == truth["class"].str.ends_with("_hot").sum()
    elif asked.measure == "scan":
        assert integer(total or "") == truth["value"].drop_nulls().n_unique()
    elif asked.measure != "overdue":
        assert integer(total or "") == truth["n"].sum()


def check_legend(page: Page, asked: Filter, truth: pl.DataFrame) -> None:
    """Count the places of each class anew: by the range that the legend names, or by the verdict's own words."""
    shown = page.legend()
    masked = truth["masked"].sum() if "masked" in truth.columns else 0
    assert shown.pop(EN("legend.masked"), 0) == masked
    assert sum(shown.values()) + masked == truth.height
    if asked.measure in ("count", "overdue", "workload"):
        told = truth.filter(~pl.col("masked")) if masked else truth
        assert shown.pop(EN("legend.none"), 0) == told["value"].is_null().sum()
        for label, n in shown.items():
            assert n == told["value"].is_between(*ends(label)).sum(), label
    elif asked.measure in ("hotspot", "emerging", "silent"):
        named = Counter(EN(f"legend.{one}") for one in truth["class"].drop_nulls())
        quiet = (truth["n"] == 0) & (truth["class"] == "not_significant")
        if asked.measure == "hotspot" and quiet.sum():
            named.update({EN("legend.quiet"): int(quiet.sum()), EN("legend.not_significant"): -int(quiet.sum())})
        assert {label: n for label, n in shown.items() if n} == {label: n for label, n in named.items() if n}


def ends(label: str) -> tuple[float, float]:
    """Read "4 – 9", "≥ 10", "3" as the least and the greatest value."""
    found = [float(one.replace(",", "")) for one in re.findall(r"[\d,.]+", label)]
    assert found, label
    return found[0], np.inf if "≥" in label else found[-1]


def check_weeks(page: Page, asked: Filter, notebook: Notebook) -> None:
    if asked.category in notebook.restricted:
        return  # masked below k, and the verbs are not told
    truth = np.array(notebook.weeks(asked), dtype=float)
    most = max(1.0, truth.max())
    heights = np.where(truth > 0, np.maximum(4, 100 * truth / most), 1)
    assert page.bars() == pytest.approx(heights.tolist(), abs=1e-6)


def check_five(page: Page, truth: dict[str, dict[str, Any]]) -> None:
    shown = page.visitor.page.locator("#five .cm-number strong").all_inner_texts()
    wanted = []
    for row in (truth[name] for name in FIVE if name in truth):
        whole = row["component"] in ("volume", "silence")
        value = row["n"] if whole else row["value"]
        if row.get("masked") or value is None:
            wanted.append("—")
        else:
            wanted.append(f"{value:,}" if whole else f"{value:.1%}" if row["unit"] == "share" else f"{value:.2f}")
    assert shown == wanted


def check_lights(page: Page, asked: Filter, notebook: Notebook) -> None:
    layer, _, unit = asked.within.partition("~")
    cases = notebook.table(replace(asked, measure="overdue", layer=layer or "unit_street", within=""))
    if cases is None:
        return
    rows = cases.filter(pl.col("place") == unit) if unit else cases
    for name in ("n", "overdue_n", "yellow_n"):
        assert integer(page.text(f"#handling-{name}") or "") == rows[name].sum(), name


def check_compared(page: Page, asked: Filter, truth: pl.DataFrame, notebook: Notebook) -> None:
    earlier = notebook.reader.period(asked.period).before()
    before = notebook.table(asked, earlier.id) if earlier.id in {one.id for one in notebook.reader.periods()} else None
    rows = page.rows()
    if before is None:
        assert rows == []
        return
    now, then = ({row["place"]: row for row in table.to_dicts()} for table in (truth, before))
    assert len(rows) == min(truth.height, 200)
    for row in rows:
        if now[row["place"]].get("masked") or then[row["place"]].get("masked"):
            assert row["change"] is None
            continue
        for name, table in (("value", now), ("before", then)):
            assert near(row[name], table[row["place"]]["value"], 2), f"{row['place']} {name}: {row[name]}"


@pytest.fixture
def page(browser: Any, folder: Path) -> Iterator[Page]:
    with running(make_app(read(open_city(folder)))) as port:
        for visitor in visit_with(browser, port, SMALL):
            visitor.open("?lang=en")
            yield Page(visitor)


def test_fifty_filters_show_what_the_verbs_compute(page: Page, filters: list[Filter], notebook: Notebook) -> None:
    answered = 0
    for asked in filters:
        page.turn(asked)
        try:
            check(page, asked, notebook)
        except AssertionError as error:
            raise AssertionError(f"{asked}: {error}") from error
        answered += notebook.table(asked) is not None
    assert len({(one.page, one.measure) for one in filters}) >= 12, "the lot should reach most maps"
    assert answered >= 0.6 * FILTERS


@pytest.mark.parametrize("period", ["2018-02", "2018-03-07", "2018-03-03--2018-04-19"])
def test_a_month_a_day_and_days_of_one_s_own_show_what_the_verbs_compute(page: Page, notebook: Notebook, period: str) -> None:
    told = 0
    for name, measure, layer in (("cloud", "count", "unit_grid"), ("hotspots", "hotspot", "cell_9")):
        asked = Filter(name, layer, measure, "ALL", period, "")
        page.turn(asked)
        truth = notebook.table(asked)
        assert truth is not None
        check_card(page, asked, truth, notebook)
        check_legend(page, asked, truth)
        check_rows(page, asked, truth)
        told += int(truth["n"].sum())
    assert told > 0


@pytest.mark.parametrize(
    ("page_id", "measure", "layer"), [("cloud", "count", "unit_grid"), ("hotspots", "hotspot", "cell_9"), ("water", REACH, "water")]
)
def test_one_wrong_number_is_found(
    browser: Any, folder: Path, notebook: Notebook, monkeypatch: pytest.MonkeyPatch, page_id: str, measure: str, layer: str
) -> None:
    from cloudmap.dashboard import drawing

    wrong = drawing.ordered

    def one_more(table: pl.DataFrame, places: list[str]) -> pl.DataFrame:
        shown = wrong(table, places)
        first = pl.int_range(pl.len()) == pl.col("n").arg_max() if "n" in shown.columns else pl.lit(value=False)
        return shown.with_columns(n=pl.col("n") + first.cast(pl.Int64)) if "n" in shown.columns else shown

    monkeypatch.setattr(drawing, "ordered", one_more)
    asked = Filter(page_id, layer, measure, "ALL", notebook.reader.default_period.id, "")
    with running(make_app(read(open_city(folder)))) as port:
        for visitor in visit_with(browser, port, SMALL):
            visitor.open("?lang=en")
            page = Page(visitor)
            page.turn(asked)
            with pytest.raises(AssertionError, match="is true"):
                check(page, asked, notebook)


def test_the_lot_is_the_same_every_time(filters: list[Filter]) -> None:
    assert len(filters) == FILTERS == len(set(filters))
