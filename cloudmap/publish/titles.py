"""Titles, names and notes that every output shares: what is shown, of when, from what, and what it is not."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import polars as pl

from cloudmap.analytics.periods import Month
from cloudmap.publish.legend import legend_words

if TYPE_CHECKING:
    from datetime import date, datetime

    from cloudmap.access.reader import Reader
    from cloudmap.access.views import Category, PlaceLayer
    from cloudmap.analytics.periods import AnyPeriod
    from cloudmap.city import City
    from cloudmap.publish.legend import Drawn, Language

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip

REVIEW_BLANK: Final = "＿＿＿＿＿＿＿＿＿＿"
"""Stands where the map review number goes, until somebody has one."""


def day_text(day: date, language: Language) -> str:
    """Write a local date, e.g. 2018年8月6日 or 6 August 2018."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}" if language == "en" else f"{day.year}年{day.month}月{day.day}日"


def instant_text(at: datetime, city: City, language: Language) -> str:
    """Write an instant in the city's own time, to the minute."""
    local = at.astimezone(city.zone)
    return f"{day_text(local.date(), language)} {local:%H:%M}"


def period_text(period: AnyPeriod, language: Language) -> str:
    """Write the first and last day of a period; a day and a month by themselves."""
    first, last = period.first_on, period.last_on
    if first == last:
        return day_text(first, language)
    if isinstance(period, Month):
        return f"{_MONTHS[first.month - 1]} {first.year}" if language == "en" else f"{first.year}年{first.month}月"
    if language == "en":
        opening = day_text(first, language)
        if first.year == last.year:
            opening = f"{first.day} {_MONTHS[first.month - 1]}" if first.month != last.month else str(first.day)
        return f"{opening} to {day_text(last, language)}"
    closing = day_text(last, language)
    if first.year == last.year:
        closing = f"{last.month}月{last.day}日" if first.month != last.month else f"{last.day}日"
    return f"{day_text(first, language)}至{closing}"


@cache
def _spelling() -> tuple[dict[int, int], dict[str, str]]:
    # The table belongs to the page's words; it is data, and is read as such.
    table = json.loads(files("cloudmap").joinpath("dashboard", "words", "traditional.json").read_text(encoding="utf-8"))
    return str.maketrans(table["from"], table["to"]), table["phrases"]


def spelled(name: str, language: Language) -> str:
    """Spell a name of the city's own data in the script of a language."""
    if language != "zh-Hant":
        return name
    characters, phrases = _spelling()
    return phrases.get(name) or name.translate(characters)


def name_of(thing: City | Category | PlaceLayer, language: Language) -> str:
    """Name a category, layer or source in a language."""
    return str(thing.name_en) if language == "en" else spelled(str(thing.name_zh), language)  # type: ignore[union-attr]


def city_name(city: City, language: Language) -> str:
    """Name the city in a language."""
    return city.city.name_en if language == "en" else spelled(city.city.name_zh, language)


def find_category(reader: Reader, code: str) -> Category | None:
    """Find a category or group by its code."""
    return next((one for one in reader.categories() if one.code == code), None)


def category_name(reader: Reader, code: str, language: Language) -> str:
    """Name a category or group in a language; the code where the taxonomy has none."""
    found = find_category(reader, code)
    return code if found is None else name_of(found, language)


def map_title(reader: Reader, measure: Drawn, category: str, language: Language) -> str:
    """Title a map; without a declared exposure one of reports says where they are, and claims no more.

    Parameters
    ----------
    reader : Reader
        Its exposure decides.
    measure : str
        What is shown.
    category : str
        Category or group code.
    language : {"zh-Hans", "zh-Hant", "en"}
        Language of the title.
    """
    words = legend_words(language)
    name = category_name(reader, category, language)
    values = {"city": city_name(reader.city, language), "category": name.lower() if language == "en" else name}
    if reader.exposure_kind == "none" and measure in ("count", "ratio", "hotspot"):
        return words["title.where"].format(**values)
    return words["title.plain"].format(**values, measure=words[f"measure.{measure}"])


def notes(reader: Reader, language: Language) -> list[str]:
    """List the notes that must stand on every map: what it is not, and whether its base map is drawn."""
    words = legend_words(language)
    return [words["note.not_people"], *([words["note.schematic"]] if reader.city.city.schematic else [])]


def base_map_day(reader: Reader) -> date | None:
    """Return the day of the base map: since when the newest of its units are in force, else the one that the city file gives, else None."""
    known = reader.part("units")
    since = known["valid_from"].cast(pl.Date).drop_nulls() if "valid_from" in known.columns else pl.Series(dtype=pl.Date)
    return since.max() or max((one.drawn_on for one in reader.city.units if one.drawn_on), default=None)  # type: ignore[return-value]


def source_note(reader: Reader, language: Language) -> str:
    """Tell which load and which base map the numbers stand on, and how old they are."""
    words, day = legend_words(language), base_map_day(reader)
    values = {"load": reader.analysed_load, "base_map": reader.base_map_version, "at": instant_text(reader.now, reader.city, language)}
    return words["note.source" if day else "note.source_plain"].format(**values, base_day=day_text(day, language) if day else "")


def review_note(reader: Reader, language: Language) -> str:
    """Write the field of the map review number: the city's, or a blank to fill in."""
    return legend_words(language)["title.review"].format(number=reader.city.briefing.review_number or REVIEW_BLANK)
