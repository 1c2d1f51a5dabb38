"""Each page offers what it should, and a result that is refused is said in words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from flask.testing import FlaskClient
from plotly.utils import PlotlyJSONEncoder

from cloudmap.access.audience import Audience
from cloudmap.dashboard.drawing import Drawing
from cloudmap.dashboard.ground import ground
from cloudmap.dashboard.legend import FIRST, KINDS, classify
from cloudmap.dashboard.pages import PAGES as MODULES
from cloudmap.dashboard.refusals import WAYS, own_note, reason, refused
from cloudmap.dashboard.site import make_app
from cloudmap.dashboard.text import LANGUAGES, words
from cloudmap.dashboard.view import PAGES, View, checked, offered
from cloudmap.errors import AccessError, AnalysisError, Refusal
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


@pytest.mark.parametrize(("category", "told"), [("PS01", "refusal.restricted"), ("LV05", "refusal.unscored")])
@pytest.mark.parametrize("tab", PAGES["hotspots"].tabs)
def test_a_refused_statistic_says_why(fake: FakeReader, category: str, told: str, tab: str) -> None:
    assert EN(told) in page(fake, page="hotspots", tab=tab, category=category, lang="en")


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("code", [code for code in get_args(Refusal) if code])
def test_every_refusal_has_words_and_the_way_on_is_offered_from_elsewhere_only(code: Refusal, lang: str) -> None:
    say = words(lang)
    error = AccessError("x", code=code) if code in ("inside", "records", "restricted", "rows") else AnalysisError("x", code=code)
    assert reason(error, say) == say(f"refusal.{code}")
    assert ("data-ask" in str(refused(error, say))) == (code in WAYS)
    if code in WAYS:
        name, fields = WAYS[code]
        view = replace(checked({"lang": lang}, FakeReader()), **fields)
        assert len(refused(error, say, view=view)) == 1
        assert say.has(f"way.{name}")


def test_a_refused_map_leads_on(fake: FakeReader) -> None:
    built = page(fake, page="hotspots", measure="hotspot", category="LV05", lang="zh-Hans")
    assert words("zh-Hans")("refusal.unscored") in built
    assert json.dumps(WAYS["unscored"][1]).replace('"', '\\"') in built


def test_an_officials_lists_say_whose_reports_they_are(fake: FakeReader) -> None:
    own = FakeReader()
    street = fake.geometry("unit_street").iloc[0]
    own.audience = Audience(units=(street["place"],))
    assert own_note(own, EN) == EN("rows.own", units=EN.spell(street["name"]))
    assert own_note(fake, EN) == ""
    own.audience = Audience(units=())
    assert "points" not in offered(own)["shown"]
    assert "points" in offered(fake)["shown"]


def test_an_unusable_input_shows_its_own_words_in_english(fake: FakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AnalysisError("only 2 weeks; take a longer span")

    monkeypatch.setattr(fake, "statistic", refuse)
    assert "only 2 weeks; take a longer span" in page(fake, page="hotspots", tab="alarms", lang="en")
    assert "longer span" not in page(fake, page="hotspots", tab="alarms")
    assert "only 2 weeks" in page(fake, page="quality", lang="en")


def test_smoothed_ratios_stand_by_rank_under_how_far_likes_lie_together(fake: FakeReader) -> None:
    built = page(fake, page="hotspots", tab="smoothed", layer="unit_street", lang="en")
    assert EN("moran.together", value="0.310", p="0.001") in built
    counts = fake.counts("unit_street", "ALL", fake.default_period.id).sort("n", descending=True)["place"].to_list()
    assert built.index(f'"place": "{counts[0]}"') < built.index(f'"place": "{counts[-1]}"')


def test_crowds_are_no_test_and_say_what_makes_one(fake: FakeReader) -> None:
    built = page(fake, page="hotspots", tab="clusters", layer="unit_grid", lang="en")
    assert EN("crowds.given", eps_m=150, eps_days=3, min_n=5) in built
    assert EN("caveat.clusters_are_no_test") in built


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


def test_the_situation_tells_five_numbers_twelve_sentences_at_most_and_where_each_number_leads(fake: FakeReader) -> None:
    from cloudmap.dashboard.standing import FIVE, standing

    for lang in ("zh-Hans", "zh-Hant", "en"):
        built = json.dumps(standing(checked({"lang": lang}, fake), fake, words(lang)), cls=PlotlyJSONEncoder, ensure_ascii=False)
        assert all(words(lang)(f"component.{name}") in built for name in FIVE)
        assert 1 <= built.count('"Li"') <= 12
        assert built.count("data-ask") > len(FIVE)
        assert words(lang)("direction.worse") in built


def test_changes_beyond_chance_are_listed_by_rank_and_a_new_one_has_no_ratio(fake: FakeReader) -> None:
    built = page(fake, page="compare", tab="cards", lang="en")
    assert built.index("41 against 20 expected") < built.index("42 against 20 expected")
    assert "43 new against none" in built
    assert EN("change.counts", same=5, few=0, cut=0) in built


def test_units_outside_the_funnel_are_named_and_not_ranked(fake: FakeReader) -> None:
    built = page(fake, page="handling", tab="funnel", lang="en")
    assert "Units are not ranked." in built
    assert built.count('\\"place\\": \\"st') == 1


def test_few_staff_hide_a_rate_and_a_regime_forbids_its_comparison(fake: FakeReader) -> None:
    built = page(fake, page="handling", tab="rates", lang="en")
    assert EN("rate.too_few_staff") in built
    assert EN("rate.regime", against=EN("against.year")) in built


def test_drilling_keeps_what_lies_inside(client: FlaskClient, fake: FakeReader) -> None:
    values = get(client, layer="unit_grid", within="unit_street~st000")
    drawn = codes(values)
    assert (drawn > 0).sum() == 36
    assert sum(int(row["places"]) for row in values["legend"]["rows"]) == 36
    assert [crumb["within"] for crumb in values["crumbs"]] == ["unit_street~st000"]
    assert client.get("/map/values", query_string={"within": "unit_street~x"}).status_code == 400


@pytest.mark.parametrize("how", ["quantile", "jenks", "equal", "m~3~9"])
def test_breaks_of_choice_class_every_place_and_say_how(client: FlaskClient, how: str) -> None:
    values = get(client, breaks=how)
    assert sum(int(row["places"].replace(",", "")) for row in values["legend"]["rows"]) == len(codes(values))
    assert EN(f"breaks.{how.partition('~')[0]}.note") in values["legend"]["notes"]
    if how.startswith("m"):
        assert [row["label"] for row in values["legend"]["rows"]][1:] == ["1 – 3", "4 – 9", "≥ 10"]


def test_two_periods_share_their_breaks(client: FlaskClient) -> None:
    now = get(client, base="2018-W31--2018-W34")
    before = get(client, period="2018-W27--2018-W30", base="2018-W31--2018-W34")
    assert [row["label"] for row in now["legend"]["rows"]] == [row["label"] for row in before["legend"]["rows"]]


def test_the_table_to_take_along_holds_the_map_and_is_recorded_first(fake: FakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudmap.dashboard import tables

    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(tables, "record", lambda city, action, **details: lines.append({"action": action} | details))
    asked = {"layer": "unit_street", "measure": "count", "category": "ALL", "period": fake.default_period.id, "within": "", "lang": "en"}
    body = tables.table_file(fake, asked, EN)
    rows = body.lstrip("\ufeff").split("\r\n")
    assert len(rows) == 2 + 9 + 1
    truth = dict(fake.counts("unit_street", "ALL", fake.default_period.id).iter_rows())
    assert all(row.split(",")[0] in truth and str(truth[row.split(",")[0]]) in row for row in rows[2:-1])
    assert lines == [{"action": "export", "what": "table", "rows": 9, "audience": "internal", "restricted": False, **asked}]


def test_a_place_that_looks_like_a_formula_is_text() -> None:
    from cloudmap.dashboard.tables import _text

    assert _text("=1+1") == "'=1+1"
    assert _text(" @x") == "' @x"
    assert _text("路桥") == "路桥"


def test_the_time_bar_and_single_reports_follow_the_audience(client: FlaskClient, fake: FakeReader) -> None:
    weeks = client.get("/map/weeks", query_string={"category": "ALL", "within": ""}).get_json()
    assert len(weeks["starts"]) == len(weeks["n"]) == 64
    shown = get(client, "/map/points", within="unit_street~st000")
    assert len(shown["xy"]) == 2 * len(shown["names"]) == 80
    outside = make_app(FakeReader(kind="outside")).server.test_client()
    hidden = get(outside, "/map/points")
    assert (hidden["xy"], hidden["message"]) == ([], EN("refusal.inside"))
