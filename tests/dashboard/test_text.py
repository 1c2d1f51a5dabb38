from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import cloudmap.dashboard
from cloudmap.dashboard.text import LANGUAGES, grid_words, number, words
from cloudmap.ingest.times import RULES
from cloudmap.schema import LEDGER_CLASSES, POSITIONS, REPAIRS, STATES

ROOT = Path(cloudmap.dashboard.__file__).parent
PLAIN_IN_CHINESE = {"H3", "q", "p", "water", "cloudmap", "load", "analyse", "export", "time", "format", "English"}


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


def test_chinese_sentences_hold_no_english() -> None:
    for key, text in words("zh-Hans").table.items():
        bare = re.sub(r"\{.*?\}", "", text)
        assert set(re.findall(r"[A-Za-z][A-Za-z0-9]*", bare)) <= PLAIN_IN_CHINESE, key


def test_chinese_of_the_tables_is_whole() -> None:
    table = grid_words()
    assert len(table) > 700
    assert table["noRowsToShow"] == "没有可显示的行" or re.search("[一-鿿]", table["noRowsToShow"])


def test_unknown_language_falls_back_to_chinese() -> None:
    assert words("fr").language == "zh-Hans"


def test_numbers_are_grouped_and_none_is_a_dash() -> None:
    assert [number(1234567), number(2.5), number(3.0), number(None)] == ["1,234,567", "2.50", "3", "—"]
    assert words("en")("panel.more", n=12345) == "12,345 more categories"
