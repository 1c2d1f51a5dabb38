"""Every word of the dashboard, by language; the words themselves lie in ``words/<language>.json``.

Names of the city's own data are written once, in simplified Chinese; in traditional Chinese they are spelled by ``words/traditional.json``
(characters with one reading, from OpenCC's tables, Apache-2.0; and the names whose spelling depends on the word).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

LANGUAGES: Final = ("zh-Hans", "zh-Hant", "en")
DEFAULT: Final = LANGUAGES[0]


class Words:
    """The words of one language.

    Parameters
    ----------
    language : str
        One of `LANGUAGES`.
    table : mapping of str to str
        Key to sentence; ``{name}`` stands for a value.
    """

    def __init__(self, language: str, table: Mapping[str, str]) -> None:
        self.language = language
        self.table = table

    def __call__(self, key: str, **values: Any) -> str:
        """Return a sentence with its values filled in; whole numbers are grouped by thousands.

        Raises
        ------
        KeyError
            No such key, or a value that the sentence needs is not given: a fault of the program, caught by tests.
        """
        return self.table[key].format(**{name: number(value) if type(value) is int else value for name, value in values.items()})

    def has(self, key: str) -> bool:
        """Tell whether there is a sentence for this key."""
        return key in self.table

    def name(self, thing: Any) -> str:
        """Choose the name of a layer, category, source or city in this language."""
        return self.spell(str(thing.name_zh)) if self.language.startswith("zh") else str(thing.name_en)

    def spell(self, name: str) -> str:
        """Spell a name of the city's own data in the script of this language."""
        return traditional(name) if self.language == "zh-Hant" else name

    def starting(self, prefix: str) -> dict[str, str]:
        """Return the sentences whose key starts with a prefix, by the rest of the key."""
        return {key.removeprefix(prefix): text for key, text in self.table.items() if key.startswith(prefix)}


def number(value: float | None) -> str:
    """Write a number for reading: thousands grouped, two decimals where it is not whole, a dash for none."""
    if value is None:
        return "—"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


@cache
def words(language: str) -> Words:
    """Load the words of a language; an unknown one gives the default.

    Parameters
    ----------
    language : str
        BCP 47 tag, e.g. "zh-Hans".
    """
    language = language if language in LANGUAGES else DEFAULT
    text = files("cloudmap.dashboard").joinpath("words", f"{language}.json").read_text(encoding="utf-8")
    return Words(language, json.loads(text))


@cache
def spelling() -> tuple[str, str, dict[str, str]]:
    """Load the simplified characters, the traditional ones in the same order, and the names that are spelled as a whole."""
    table = json.loads(files("cloudmap.dashboard").joinpath("words", "traditional.json").read_text(encoding="utf-8"))
    return table["from"], table["to"], table["phrases"]


def traditional(name: str) -> str:
    """Spell a name in traditional Chinese."""
    simplified, spelled, phrases = spelling()
    return phrases.get(name) or name.translate(str.maketrans(simplified, spelled))


@cache
def grid_words(language: str) -> dict[str, str]:
    """Load AG Grid's own words in simplified or traditional Chinese (from AG Grid's locale package, MIT); none for English."""
    if not language.startswith("zh"):
        return {}
    name = "ag_grid_zh_hant.json" if language == "zh-Hant" else "ag_grid_zh.json"
    table: dict[str, str] = json.loads(files("cloudmap.dashboard").joinpath(name).read_text(encoding="utf-8"))
    return table
