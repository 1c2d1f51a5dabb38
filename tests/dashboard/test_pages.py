"""Each page offers what it should, and a result that is refused is said in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from plotly.utils import PlotlyJSONEncoder

from cloudmap.dashboard.drawing import Drawing
from cloudmap.dashboard.ground import ground
from cloudmap.dashboard.legend import FIRST, KINDS, classify
from cloudmap.dashboard.pages import PAGES as MODULES
from cloudmap.dashboard.site import make_app
from cloudmap.dashboard.text import words
from cloudmap.dashboard.view import PAGES, View, checked
from tests.dashboard.fake_reader import FakeReader
from tests.dashboard.test_maps import codes, get

EN = words("en")
VERDICTS = ("hotspot", "emerging", "scan", "risk", "silent")


def page(reader: FakeReader, **asked: str) -> str:
    view = checked(asked, reader)
    built = json.dumps(MODULES[view.page].content(view, reader, words(view.lang)), cls=PlotlyJSONEncoder, ensure_ascii=False)
    return str(json.dumps(json.loads(built), ensure_ascii=False))


def test_every_page_of_the_address_has_a_module() -> None:
    assert list(MODULES) == list(PAGES)


@pytest.mark.parametrize("measure", VERDICTS)
def test_a_verdict_map_counts_every_place_once_and_names_what_it_paints(client: FlaskClient, measure: str) -> None:
    values = get(client, measure=measure)
    drawn = codes(values)
    assert sum(int(row["places"].replace(",", "")) for row in values["legend"]["rows"]) == len(drawn)
    assert set(drawn.tolist()) <= {row["code"] for row in values["legend"]["rows"]}
    assert len(values["styles"]) >= max(drawn) - FIRST + 1
    assert values["legend"]["denominator"]


def test_emerging_classes_keep_their_names(fake: FakeReader) -> None:
    table = fake.values("cell_9", "ALL", fake.default_period.id, "emerging").table
    classed = classify(table, "emerging", EN)
    named = [classed.styles[code - FIRST] for code in classed.codes]
    assert named == table["class"].to_list()
    assert len(KINDS["emerging"]) == 18


def test_reaches_are_drawn_on_water_only(client: FlaskClient) -> None:
    values = get(client, layer="water", measure="reach")
    assert len(codes(values)) == 5
    for wrong in ({"layer": "cell_8", "measure": "reach"}, {"layer": "water", "measure": "count"}):
        asked = {"category": "ALL", "period": "2018-W31--2018-W34", "lang": "en"} | wrong
        assert client.get("/map/values", query_string=asked).status_code == 400


@pytest.mark.parametrize("name", list(PAGES))
@pytest.mark.parametrize("lang", ["zh-Hans", "en"])
def test_every_tab_of_every_page_can_be_built(fake: FakeReader, name: str, lang: str) -> None:
    for tab in PAGES[name].tabs or ("",):
        for measure in PAGES[name].measures or ("",):
            assert len(page(fake, page=name, tab=tab, measure=measure, lang=lang)) > 200


@pytest.mark.parametrize(("category", "told"), [("PS01", "map.refused"), ("LV05", "map.unscored")])
@pytest.mark.parametrize("tab", PAGES["hotspots"].tabs)
def test_a_refused_statistic_says_why(fake: FakeReader, category: str, told: str, tab: str) -> None:
    assert EN(told) in page(fake, page="hotspots", tab=tab, category=category, lang="en")


def test_an_unusable_input_shows_its_own_words_in_english(fake: FakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudmap.errors import AnalysisError

    def refuse(*_: Any, **__: Any) -> None:
        raise AnalysisError("only 2 weeks; take a longer span")

    monkeypatch.setattr(fake, "statistic", refuse)
    assert "only 2 weeks; take a longer span" in page(fake, page="hotspots", tab="alarms", lang="en")
    assert "longer span" not in page(fake, page="hotspots", tab="alarms")
    assert "only 2 weeks" in page(fake, page="quality", lang="en")


def test_a_change_of_page_is_kept_within_what_it_offers(fake: FakeReader) -> None:
    asked = {"page": "water", "layer": "unit_street", "measure": "count", "tab": "alarms"}
    view = checked(asked, fake)
    assert (view.layer, view.measure, view.tab) == ("water", "reach", "places")


def test_a_city_without_water_says_so() -> None:
    dry = FakeReader()
    dry.layers = lambda: [layer for layer in FakeReader().layers() if layer.kind != "water"]  # type: ignore[method-assign]
    assert EN("water.none") in page(dry, page="water", lang="en")
    assert make_app(dry).server.test_client().get("/").status_code == 200


def test_silence_is_told_of_all_categories(fake: FakeReader) -> None:
    view: View = checked({"page": "hotspots", "measure": "silent", "category": "FC02"}, fake)
    drawing = Drawing(fake, ground(fake, view.layer), {"measure": "silent", "category": "FC02", "period": view.period}, EN)
    assert drawing.title() == EN("maptitle.silent", category="All categories")
