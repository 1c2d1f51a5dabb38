"""How the city stands: every number of the sentences has its row, what forbids a comparison stands on top, a refusal has words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cloudmap.analytics
from cloudmap.analytics.result import Result
from cloudmap.dashboard.standing import FIVE, standing
from cloudmap.dashboard.text import LANGUAGES, words
from cloudmap.dashboard.view import checked
from cloudmap.errors import AnalysisError
from cloudmap.publish.situation_text import situation_text
from tests.dashboard.conftest import Visitor
from tests.dashboard.fake_reader import FakeReader
from tests.dashboard.fake_statistics import changes, situation
from tests.dashboard.test_handling_page import text_of

EN = words("en")


def parts(part: Any) -> Iterator[Any]:
    """Every component, in order."""
    if isinstance(part, list | tuple):
        for one in part:
            yield from parts(one)
    elif hasattr(part, "to_plotly_json"):
        yield part
        yield from parts(getattr(part, "children", None))


def attribute(part: Any, name: str) -> str | None:
    found = part.to_plotly_json()["props"].get(name)
    return None if found is None else str(found)


def panel(reader: FakeReader, **asked: str) -> list[Any]:
    view = checked(asked, reader)
    return standing(view, reader, words(view.lang))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_number_of_the_sentences_shows_a_row_that_holds_it(fake: FakeReader, lang: str) -> None:
    built = panel(fake, lang=lang)
    rows = {attribute(one, "data-row"): text_of(one) for one in parts(built) if attribute(one, "data-row")}
    buttons = [one for one in parts(built) if attribute(one, "data-rows")]
    numbers = [number for one in situation_text(situation(fake), language=lang) for number in one.numbers]
    assert len(buttons) == len(numbers) > 10
    for button, number in zip(buttons, numbers, strict=True):
        keys = str(attribute(button, "data-rows")).split("|")
        assert set(keys) <= set(rows)
        if number.column not in ("rows", "parameters.weeks", "parameters.confidence"):
            assert text_of(button) in rows[keys[0]]


def test_a_count_of_units_shows_all_the_rows_it_counts(fake: FakeReader) -> None:
    keys = {attribute(one, "data-rows") for one in parts(panel(fake, lang="en")) if attribute(one, "data-rows")}
    assert "st000 volume|st001 volume" in keys


def test_what_forbids_a_comparison_stands_above_the_numbers(fake: FakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    made = situation(fake)
    told = {"banner": "banner_no_data", "banner_numbers": {}, "weeks_masked_n": 2}
    monkeypatch.setattr("tests.dashboard.fake_reader.FAKE_WHOLE", {"situation": lambda _: replace(made, parameters=made.parameters | told)})
    ids = [str(attribute(one, "id")) for one in parts(panel(fake, lang="en")) if attribute(one, "id")]
    assert ids.index("situation-banner") < ids.index("situation-masked") < ids.index("five") < ids.index("situation-text")


def test_the_first_changes_stand_beside_the_map_the_city_first(fake: FakeReader) -> None:
    cards = [text_of(one) for one in parts(panel(fake, lang="en")) if attribute(one, "className") == "cm-card"]
    assert len(cards) == 3
    assert EN("map.home") in cards[0]
    assert EN("change.more_of", n=4) in text_of(panel(fake, lang="en"))


def test_the_age_of_the_data_and_the_caveats_are_told(fake: FakeReader) -> None:
    said = text_of(panel(fake, lang="en"))
    assert EN("badge.now", when="2018-08-30 17:30") in said
    assert all(EN(f"component.{name}") in said for name in FIVE)


def test_a_unit_shows_its_own_rows_and_the_city(fake: FakeReader) -> None:
    built = panel(fake, lang="en", within="unit_street~st000")
    rows = {str(attribute(one, "data-row")).split()[0] for one in parts(built) if attribute(one, "data-row")}
    assert rows == {"st000", "ALL", "given"}
    assert "街道1" in text_of(built)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_refusal_is_said(monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    reader = FakeReader()

    def refuse(name: str, **_: Any) -> Result:
        raise AnalysisError(f"{name} needs a year")

    monkeypatch.setattr(reader, "statistic", refuse)
    said = text_of(panel(reader, lang=lang))
    head = words(lang)("badge.now", when="2018-08-30 17:30")
    assert head in said
    assert ("situation needs a year" in said) == (lang == "en")
    assert len(said.partition(head)[2]) > 5


def test_hidden_numbers_stay_hidden(fake: FakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    import polars as pl

    made = situation(fake)
    hidden = ["n", "denominator_n", "value", "lower", "upper", "expected", "total", "before_n", "before"]
    hidden += ["change", "change_lower", "change_upper", "p", "q"]
    outside = pl.col("place") == "st001"
    table = made.table.with_columns(pl.when(~outside).then(pl.col(hidden)), masked=outside)
    monkeypatch.setattr("tests.dashboard.fake_reader.FAKE_WHOLE", {"situation": lambda _: replace(made, table=table)})
    rows = {attribute(one, "data-row"): text_of(one) for one in parts(panel(fake, lang="en")) if attribute(one, "data-row")}
    assert "90" not in rows["st001 volume"]
    assert "90" in rows["st000 volume"]


def test_small_expected_counts_keep_a_decimal(fake: FakeReader) -> None:
    from cloudmap.dashboard.change_cards import _expected

    assert [_expected(one) for one in (0.42, 3.0, 31.6, 8308.3)] == ["0.4", "3", "32", "8,308"]
    assert changes(fake, None, "ALL").table.height == 9


def _caveat_keys() -> set[str]:
    """Short keys that stand in tuples or lists named caveats anywhere in the analytics."""
    found: set[str] = set()
    for path in Path(cloudmap.analytics.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named: list[ast.AST] = []
            if isinstance(node, ast.keyword) and node.arg == "caveats":
                named = [node.value]
            elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value is not None:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                named = [node.value] if isinstance(target, ast.Name) and "caveat" in target.id.lower() else []
            for value in named:
                strings = (one.value for one in ast.walk(value) if isinstance(one, ast.Constant) and isinstance(one.value, str))
                found |= {one for one in strings if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", one)}
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_caveat_of_the_analytics_has_words(language: str) -> None:
    keys = _caveat_keys()
    assert {"dwell_censored", "advice_not_decision", "not_a_ranking", "staff_unknown"} <= keys
    said = words(language)
    columns = {"open_n", "overdue_n"}
    assert sorted(one for one in keys - columns if not said.has(f"caveat.{one}")) == []


def test_a_pressed_number_lights_its_row(fake_visitor: Visitor) -> None:
    fake_visitor.open("?lang=en")
    button = fake_visitor.page.locator("#situation-text [data-rows]").filter(has_text="200").first
    button.click()
    row = fake_visitor.page.locator("#situation-rows .cm-lit")
    row.wait_for(state="visible")
    assert row.count() == 1
    assert "200" in row.inner_text()
    assert fake_visitor.page.evaluate("document.activeElement.dataset.row") == row.get_attribute("data-row")
