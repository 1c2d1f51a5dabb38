from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import cloudmap.dashboard
from cloudmap.dashboard.text import LANGUAGES, grid_words, number, spelling, words
from cloudmap.ingest.times import RULES
from cloudmap.schema import LEDGER_CLASSES, POSITIONS, REPAIRS, STATES

ROOT = Path(cloudmap.dashboard.__file__).parent
PLAIN_IN_CHINESE = {"H3", "q", "p", "water", "outside", "cloudmap", "load", "analyse", "export", "time", "format", "English"}
PLAIN_IN_CHINESE |= {"Word", "PDF", "Excel", "GeoPackage", "GeoJSON", "Shapefile", "CSV", "QGIS", "WGS84"}
"""Names of programs and formats have no Chinese."""


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_all_languages_have_the_same_keys_and_gaps() -> None:
    first, *others = (words(language).table for language in LANGUAGES)
    for other in others:
        assert first.keys() == other.keys()
        assert {key: gaps(text) for key, text in first.items()} == {key: gaps(text) for key, text in other.items()}


def test_every_key_the_program_names_is_there() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py"))
    named = set(re.findall(r"\b(?:say|words\([^()]*\))\(\s*\"([^\"]+)\"", source))
    assert len(named) > 80
    assert named <= words("en").table.keys()


@pytest.mark.parametrize(
    ("prefix", "names"),
    [("class", LEDGER_CLASSES), ("repair", REPAIRS), ("state", STATES), ("position", POSITIONS), ("rule", tuple(RULES))],
)
def test_every_name_of_the_schema_has_words(prefix: str, names: tuple[str, ...]) -> None:
    for language in LANGUAGES:
        assert [name for name in names if not words(language).has(f"{prefix}.{name}")] == []


@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant"])
def test_chinese_sentences_hold_no_english(language: str) -> None:
    for key, text in words(language).table.items():
        bare = re.sub(r"\{.*?\}", "", text)
        assert set(re.findall(r"[A-Za-z][A-Za-z0-9]*", bare)) <= PLAIN_IN_CHINESE, key


def test_traditional_words_hold_no_simplified_character_and_the_other_way_round() -> None:
    simplified, spelled, _ = spelling()
    own = {"lang.zh-Hans", "lang.zh-Hant"}
    only_simplified, only_traditional = set(simplified) - set(spelled), set(spelled) - set(simplified) - {"著", "台", "才", "占", "體"}
    for key, text in words("zh-Hant").table.items():
        assert key in own or not set(text) & only_simplified, key
    for key, text in words("zh-Hans").table.items():
        assert key in own or not set(text) & only_traditional, key


def test_names_are_spelled_in_the_script_of_the_page() -> None:
    assert words("zh-Hant").spell("路桥区") == "路橋區"
    assert words("zh-Hans").spell("路桥区") == "路桥区"
    assert words("zh-Hant").spell("台风灾情") == "颱風災情"


@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant"])
def test_chinese_of_the_tables_is_whole(language: str) -> None:
    table = grid_words(language)
    assert len(table) > 700
    assert re.search("[一-鿿]", table["noRowsToShow"])
    assert grid_words("en") == {}


def test_unknown_language_falls_back_to_chinese() -> None:
    assert words("fr").language == "zh-Hans"


def test_numbers_are_grouped_and_none_is_a_dash() -> None:
    assert [number(1234567), number(2.5), number(3.0), number(None)] == ["1,234,567", "2.50", "3", "—"]
    assert words("en")("panel.more", n=12345) == "12,345 more categories"
