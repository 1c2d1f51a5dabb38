"""Titles and notes that every output shares: what is shown, of when, from what, and what it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date, datetime

    from cloudmap.access.reader import Reader
    from cloudmap.access.views import Category
    from cloudmap.analytics.periods import Period
    from cloudmap.city import City
    from cloudmap.publish.legend import Language, Measure

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip

NOT_PEOPLE: Final[dict[Language, str]] = {
    "zh-Hans": "本图反映上报情况，不反映对任何人的评价",
    "en": "reported incidents, not people",
}


def day_text(day: date, language: Language) -> str:
    """Write a local date, e.g. 2018年8月6日 or 6 August 2018."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}" if language == "en" else f"{day.year}年{day.month}月{day.day}日"


def instant_text(at: datetime, city: City, language: Language) -> str:
    """Write an instant in the city's own time, to the minute."""
    local = at.astimezone(city.zone)
    return f"{day_text(local.date(), language)} {local:%H:%M}"


def period_text(period: Period, language: Language) -> str:
    """Write the first and last day of a period."""
    first, last = period.first_on, period.last_on
    if language == "en":
        opening = day_text(first, language)
        if first.year == last.year:
            opening = f"{first.day} {_MONTHS[first.month - 1]}" if first.month != last.month else str(first.day)
        return f"{opening} to {day_text(last, language)}"
    closing = day_text(last, language)
    if first.year == last.year:
        closing = f"{last.month}月{last.day}日" if first.month != last.month else f"{last.day}日"
    return f"{day_text(first, language)}至{closing}"


def city_name(city: City, language: Language) -> str:
    """Name the city in a language."""
    return city.city.name_en if language == "en" else city.city.name_zh


def find_category(reader: Reader, code: str) -> Category | None:
    """Find a category or group by its code."""
    return next((one for one in reader.categories() if one.code == code), None)


def category_name(reader: Reader, code: str, language: Language) -> str:
    """Name a category or group in a language; the code where the taxonomy has none."""
    found = find_category(reader, code)
    if found is None:
        return code
    return found.name_en if language == "en" else found.name_zh


def map_title(reader: Reader, measure: Measure, category: str, language: Language) -> str:
    """Title a map; without a declared exposure it says where reports are, and claims no more.

    Parameters
    ----------
    reader : Reader
        Its exposure decides.
    measure : {"count", "ratio", "hotspot"}
        What is shown.
    category : str
        Category or group code.
    language : {"zh-Hans", "en"}
        Language of the title.
    """
    place, name = city_name(reader.city, language), category_name(reader, category, language)
    if language == "en":
        kind = {"count": "number of reports", "ratio": "reports to expected", "hotspot": "hotspots of reports"}[measure]
        return f"Where reports are: {place}, {name.lower()}" if reader.exposure_kind == "none" else f"{place}, {name.lower()}: {kind}"
    kind = {"count": "报告数量", "ratio": "报告与期望之比", "hotspot": "报告热点"}[measure]
    return f"报告在哪里——{place}{name}" if reader.exposure_kind == "none" else f"{place}{name}{kind}"


def notes(reader: Reader, language: Language) -> list[str]:
    """List the notes that must stand on every map: what it is not, and whether its base map is drawn."""
    lines = [NOT_PEOPLE[language]]
    if reader.city.city.schematic:
        lines.append("schematic base map: drawn shapes, not legal boundaries" if language == "en" else "底图为示意图，界线不作为划界依据")
    return lines
