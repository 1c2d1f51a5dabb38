"""The page of handling: five numbers, lights, who may see cases, units that are compared and not ranked."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from cloudmap.analytics.result import Result
from cloudmap.dashboard.casework import burn_down, dwell, funnel
from cloudmap.dashboard.drawing import Drawing
from cloudmap.dashboard.ground import ground
from cloudmap.dashboard.text import LANGUAGES, words
from cloudmap.dashboard.view import PAGES, checked
from cloudmap.errors import AnalysisError
from cloudmap.schema import STAGES
from tests.dashboard.fake_reader import EVIL, FakeReader
from tests.dashboard.fake_statistics import FAKE_STATISTICS
from tests.dashboard.test_pages import page

EN = words("en")


def drawing(reader: FakeReader, language: str = "en") -> Drawing:
    view = checked({"page": "handling"}, reader)
    asked = {"measure": view.measure, "category": view.category, "period": view.period, "within": ""}
    return Drawing(reader, ground(reader, view.layer), asked, words(language))


def text_of(part: Any) -> str:
    """The words of components, in order."""
    if part is None:
        return ""
    if isinstance(part, list | tuple):
        return " ".join(text_of(one) for one in part)
    return text_of(getattr(part, "children", None)) if not isinstance(part, str | int | float) else str(part)


def test_five_numbers_of_the_city_are_those_of_the_reader(fake: FakeReader) -> None:
    built = page(fake, page="handling", lang="en")
    table = fake.statistic("overdue", layer="unit_street").table
    for column in ("n", "overdue_n", "yellow_n"):
        assert f'"children": "{table[column].sum():,}", "id": "handling-{column}"' in built
    assert EN("rate.part", k=810, n=900) in built
    assert EN("light.green_n.means") in built


def test_five_numbers_follow_the_picked_unit_and_few_staff_hide_its_rates(fake: FakeReader) -> None:
    row = fake.statistic("overdue", layer="unit_street").table.row(by_predicate=pl.col("place") == "st003", named=True)
    built = page(fake, page="handling", layer="unit_street", place="st003", lang="en")
    assert f'"children": "{row["overdue_n"]:,}", "id": "handling-overdue_n"' in built
    assert EN("rate.too_few_staff") in built
    assert "90.0%" not in built
    assert built.index("街道4") < built.index("handling-overdue_n") < built.index("overdue-grid")


def test_a_cell_has_cases_and_no_rate(fake: FakeReader) -> None:
    from tests.dashboard.fake_reader import cells

    built = page(fake, page="handling", layer="cell_8", place=cells(8)[0], lang="en")
    assert "handling-n" in built
    assert "handling-on_time" not in built


def test_cases_are_listed_by_how_late_they_are_and_not_for_outside(fake: FakeReader) -> None:
    inside = page(fake, page="handling", layer="unit_street", place="st001", lang="en")
    assert '"late": 29' in inside
    outside = page(FakeReader(kind="outside"), page="handling", layer="unit_street", place="st001", lang="en")
    assert "overdue-grid" not in outside
    assert EN("refusal.inside") in outside
    assert "meeting-grid" not in page(FakeReader(kind="outside"), page="handling", tab="meetings", lang="en")


@pytest.mark.parametrize("tab", PAGES["handling"].tabs)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_statistic_that_cannot_be_had_never_leaves_an_empty_panel(monkeypatch: pytest.MonkeyPatch, tab: str, lang: str) -> None:
    reader = FakeReader()

    def refuse(name: str, **_: Any) -> Result:
        raise AnalysisError(f"no {name} here; map [[handling]]")

    monkeypatch.setattr(reader, "statistic", refuse)
    built = page(reader, page="handling", tab=tab, lang=lang)
    if tab != "method":
        assert "cm-warn" in built
    assert ("map [[handling]]" in built) == (lang == "en" and tab != "method")


def test_the_funnel_names_who_stands_out_in_the_order_of_the_map_and_counts_who_is_not_shown(fake: FakeReader) -> None:
    made = FAKE_STATISTICS["funnel"](fake, None, "ALL")
    few = pl.col("place").is_in(["st000", "st001"])
    table = made.table.with_columns(
        pl.when(~few).then("value").alias("value"),
        pl.when(few)
        .then(pl.lit("too_few_staff"))
        .when(pl.col("place") > "st006")
        .then(pl.lit("below_998"))
        .otherwise("class")
        .alias("class"),
    ).sort("place", descending=True)
    built = funnel(Result(made.method, made.parameters, table, made.denominator, made.caveats, {}), drawing(fake))
    said = text_of(built)
    assert said.index("街道5") < said.index("街道8") < said.index(EVIL)
    assert EN("funnel.too_few_staff", n=2, k=5) in said
    dots = built[0].children.figure.data[-1]
    assert len(dots.x) == 7
    assert "街道1" not in dots.text


def test_a_funnel_of_nobody_says_so(fake: FakeReader) -> None:
    made = FAKE_STATISTICS["funnel"](fake, None, "ALL")
    table = made.table.with_columns(value=pl.lit(None, dtype=pl.Float64), **{"class": pl.lit("too_few_staff")})
    built = funnel(Result(made.method, made.parameters, table, made.denominator, made.caveats, {}), drawing(fake))
    assert text_of(built) == EN("funnel.too_few_staff", n=9, k=5)


def test_stays_are_drawn_with_intervals_that_may_have_no_end(fake: FakeReader) -> None:
    built = dwell(FAKE_STATISTICS["dwell"](fake, None, "ALL"), drawing(fake))
    bars = built[0].children.figure.data[0]
    assert list(bars.y) == [EN("stage.collect"), EN("stage.dispatch")]
    assert bars.error_x.array == pytest.approx((0.7, 0.0))
    assert "…" in text_of(built[1:])


def test_a_campaign_counts_its_whole_list_and_tells_when_it_was_done(fake: FakeReader) -> None:
    table = pl.DataFrame({"week_on": ["2018-03-05", "2018-03-12"], "done_n": [6, 234], "left_n": [234, 0], "name": ["甲", "甲"]})
    result = Result("burn-down", {"甲": {"zero_on": "2018-03-15"}}, table.with_columns(pl.col("week_on").str.to_date()), "", (), {})
    said = text_of(burn_down(result, drawing(fake)))
    assert EN("burn.left", left=0, total=240) in said
    assert EN("burn.zero", day="2018-03-15") in said


def test_rates_stand_by_category_and_source_never_by_unit(fake: FakeReader) -> None:
    built = page(fake, page="handling", tab="rates", lang="en")
    assert EN("rates.by.category_code") in built
    assert "Community app" in built
    assert "街道1" not in built


def test_the_meeting_list_gives_reasons_in_words(fake: FakeReader) -> None:
    built = page(fake, page="handling", tab="meetings", lang="en")
    assert f"{EN('advice.major')}, {EN('advice.sudden')}" in built
    assert EN("caveat.advice_not_decision") in built


def test_staffing_of_coarse_units_leads_to_the_finest(fake: FakeReader) -> None:
    told = EN("staffing.finest", layer="Grids")
    assert told in page(fake, page="handling", measure="staffing", layer="unit_street", lang="en")
    assert told not in page(fake, page="handling", measure="staffing", layer="unit_grid", lang="en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_of_handling_has_words(language: str) -> None:
    from cloudmap.analytics.indicators import INDICATORS
    from cloudmap.analytics.tiers import REASONS, TIERS

    say = words(language)
    named = [f"indicator.{one}" for one in INDICATORS] + [f"advice.{one}" for one in REASONS] + [f"tier.{one}" for one in TIERS]
    named += [f"stage.{one}" for one in STAGES] + [f"rate.{one}" for one in ("no_cases", "too_few_staff")]
    assert [one for one in named if not say.has(one)] == []
