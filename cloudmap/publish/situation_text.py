"""The situation in at most twelve sentences, every number of which names the table row that it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Final

from cloudmap.analytics.periods import parse_weeks
from cloudmap.analytics.result import Result
from cloudmap.analytics.situation import ALL, COMPONENTS, NOT_COMPARABLE
from cloudmap.errors import ConfigError
from cloudmap.publish.linked_text import Cell, Rows, Sentence, Tokens, filled, joined, sentence

LANGUAGES: Final = ("zh-Hans", "zh-Hant", "en")
SENTENCES_MOST: Final = 12
UNITS_NAMED: Final = 3
"""Units that one list names; the rest are counted."""

_RATIO: Final = ("volume", "water")
_Row = Mapping[str, object]


def situation_text(
    result: Result, *, language: str = "zh-Hans", names: Mapping[str, str] | None = None, words: Mapping[str, str] | None = None
) -> list[Sentence]:
    """Tell the situation in a few sentences: what stands out, what is better, what cannot be said and why.

    Parameters
    ----------
    result : Result
        Of `analytics.situation.situation`.
    language : {"zh-Hans", "zh-Hant", "en"}
    names : mapping of str to str, optional
        Place to its name in this language; "ALL" is the city. A unit without a name is called by its code.
    words : mapping of str to str, optional
        A city's own sentences, by the keys of ``words/situation.<language>.json``; the shipped ones stand for those left out.

    Returns
    -------
    list of Sentence
        At most `SENTENCES_MOST`: the city's matters, a banner where nothing may be compared, weeks left out, units, then the components in
        which something is worse, better, and the others, then what cannot be said, and what the numbers are not.

    Raises
    ------
    ConfigError
        No such language, or a sentence of `words` asks for a value that there is not.
    """
    return _Writer(result, language, names or {}, words or {}).write()


@cache
def situation_words(language: str) -> Mapping[str, str]:
    """Load the sentences of a language.

    Raises
    ------
    ConfigError
        No such language.
    """
    if language not in LANGUAGES:
        raise ConfigError(f"language {language!r}: the situation is told in {', '.join(LANGUAGES)}")
    text = files("cloudmap.publish").joinpath("words", f"situation.{language}.json").read_text(encoding="utf-8")
    table: dict[str, str] = json.loads(text)
    return table


def number_in_text(value: float, column: str, unit: str) -> str:
    """Write a number of the situation's table as the sentences do.

    Parameters
    ----------
    value : float
    column : str
        Of `situation.COLUMNS`.
    unit : str
        The row's unit: count, share, ratio, per_km, per_matter.
    """
    if column in ("n", "denominator_n", "before_n", "rows"):
        return f"{value:,.0f}"
    if column in ("total", "expected"):
        return f"{value:,.0f}" if abs(value) >= 10 or float(value).is_integer() else f"{value:.1f}"
    if unit == "share":
        return f"{abs(value) * 100:.1f}" if column == "change" else f"{value * 100:.1f}%"
    return f"{abs(value) if column == 'change' else value:,.2f}"


class _Writer:
    """Writes the sentences of one result in one language."""

    def __init__(self, result: Result, language: str, names: Mapping[str, str], words: Mapping[str, str]) -> None:
        self.words = {**situation_words(language), **words}
        self.names = names
        self.parameters = result.parameters
        self.rows: dict[tuple[str, str], _Row] = {
            (str(row["place"]), str(row["component"])): row for row in result.table.iter_rows(named=True)
        }
        self.units = [place for place in result.table["place"].unique(maintain_order=True) if place != ALL]

    def write(self) -> list[Sentence]:
        told = [("opening", self._opening()), ("banner", self._banner()), ("masked", self._masked()), ("units", self._units())]
        parts = [one for one in COMPONENTS if one != "volume"]
        told += [(one, self._component(one)) for one in sorted(parts, key=lambda one: (self._weight(one), parts.index(one)))]
        told += [("cannot", self._cannot()), ("caveat", self._fill("caveat", confidence=self._parameter("confidence", "95%")))]
        return [sentence(key, tokens, end=self.words["end"]) for key, tokens in told if tokens][:SENTENCES_MOST]

    def _opening(self) -> Tokens:
        row = self.rows[ALL, "volume"]
        values: dict[str, str | Tokens] = {"period": self._period(), "place": self.names.get(ALL, self.words["city"])}
        if row["n"] is None:
            return [*self._fill("opening_none", **values), Rows(((ALL, "volume"),))]
        if row["value"] is None:
            return self._fill("opening_plain", **values, n=self._cell(row, "n"), why=self._why(row))
        key = "opening" if row["upper"] is not None and row["lower"] is not None else "opening_open"
        verdict = self.words.get(f"verdict.{row['direction']}")
        if verdict is None:
            return self._fill("opening_plain", **values, n=self._cell(row, "n"), why=self._why(row))
        cells = {name: self._cell(row, name) for name in ("n", "expected", "value", "lower", "upper")}
        return self._fill(key, **values, **cells, verdict=verdict)

    def _banner(self) -> Tokens:
        key = self.parameters.get("banner")
        if not isinstance(key, str):
            return []
        told = self.parameters["banner_numbers"]
        numbers: Mapping[str, object] = told if isinstance(told, Mapping) else {}
        if key == "banner_regime_between":
            before, after = numbers.get("before_per_week"), numbers.get("after_per_week")
            on = self._day(date.fromisoformat(str(numbers["regime_on"])))
            if not isinstance(before, float) or not isinstance(after, float):
                return self._fill("banner_regime_short", on=on)
            counts = {
                "before": self._parameter("before_per_week", _whole(before)),
                "after": self._parameter("after_per_week", _whole(after)),
            }
            return self._fill(key, on=on, **counts)
        return self._fill(key, weeks=self._parameter("masked_n", str(numbers.get("masked_n", ""))))

    def _masked(self) -> Tokens:
        weeks = self.parameters.get("weeks_masked_n")
        if not weeks or self.rows[ALL, "volume"]["n"] is None:
            return []
        return self._fill("masked", weeks=self._parameter("weeks_masked_n", str(weeks)))

    def _units(self) -> Tokens:
        found = {which: self._list("volume", which) for which in ("worse", "better")}
        if found["worse"]:
            clauses = [self._fill("units_worse", items=found["worse"])]
            if found["better"]:
                clauses.append(self._fill("units_better", items=found["better"]))
            return self._joined(clauses, "clause_join")
        if found["better"]:
            return self._fill("units_better_alone", items=found["better"])
        same = self._chosen("volume", "same")
        return self._fill("units_same", k=self._count(same, "volume")) if same else []

    def _component(self, component: str) -> Tokens:
        row = self.rows[ALL, component]
        if row["reason"] == "not_given":
            return []
        if row["value"] is None:
            return [*self._fill(f"{component}.none", why=self._why(row)), Rows(((ALL, component),))]
        cells = {name: self._cell(row, name) for name in ("n", "denominator_n", "value", "total") if row[name] is not None}
        fixed = {"days": self._parameter("recurrence_days"), "metres": self._parameter("water_m")}
        clauses = [self._fill(f"{component}.city", **cells, **fixed), self._trend(row, component)]
        suffix = ".ratio" if component in _RATIO else ""
        for which in ("worse", "better"):
            items = self._list(component, which)
            if items:
                clauses.append(self._fill(f"list.{which}{suffix}", items=items))
        below = self._below(component)
        if below:
            clauses.append(self._fill("list.below", items=below))
        return self._joined(clauses, "clause_join")

    def _trend(self, row: _Row, component: str) -> Tokens:
        direction, kind = str(row["direction"]), "ratio" if component in _RATIO else "difference"
        if direction in ("not_comparable", "not_enough_data"):
            return self._fill("trend.silent", why=self._why(row))
        values: dict[str, str | Tokens] = {"against": self.words[f"against.{self.parameters['against']}"]}
        if row["expected"] is not None:
            values["expected"] = self._cell(row, "expected")
        change = row["change"]
        if isinstance(change, float) and kind == "difference":
            sign = "+" if change > 0 else "−"
            values["change"] = self._fill(f"change.{row['unit']}", sign=sign, change=self._cell(row, "change"))
        return self._fill(f"trend.{direction}.{kind}", **values)

    def _list(self, component: str, direction: str) -> Tokens:
        """Name the units whose verdict is best founded, in the order of the table, and count them where there are more."""
        chosen = self._chosen(component, direction)
        surest = sorted(chosen, key=lambda place: (_float(self.rows[place, component]["q"]), self.units.index(place)))[:UNITS_NAMED]
        items = [self._item(place, component) for place in sorted(surest, key=self.units.index)]
        listed = self._joined(items, "item_join")
        return self._fill("items_more", items=listed, k=self._count(chosen, component)) if len(chosen) > UNITS_NAMED else listed

    def _below(self, component: str) -> Tokens:
        """Name the units that stand below the others, unless the sentence has called them worse already."""
        chosen = [place for place in self.units if self.rows[place, component]["apart"] == "below"]
        fresh = [place for place in chosen if self.rows[place, component]["direction"] != "worse"]
        lowest = sorted(fresh, key=lambda place: (_float(self.rows[place, component]["value"]), self.units.index(place)))[:UNITS_NAMED]
        items = [self._item(place, component, "apart") for place in sorted(lowest, key=self.units.index)]
        listed = self._joined(items, "item_join")
        return self._fill("items_more", items=listed, k=self._count(fresh, component)) if len(fresh) > UNITS_NAMED else listed

    def _item(self, place: str, component: str, kind: str = "item") -> Tokens:
        row = self.rows[place, component]
        names = [name for name in ("n", "denominator_n", "value", "before", "expected") if row[name] is not None]
        return self._fill(f"{component}.{kind}", name=self.names.get(place, place), **{name: self._cell(row, name) for name in names})

    def _cannot(self) -> Tokens:
        staffless = [place for place in self.units if self.rows[place, "timeliness"]["reason"] == "too_few_staff"]
        few = [
            (place, one)
            for place in self.units
            for one in COMPONENTS
            if self.rows[place, one]["reason"] in ("few", *NOT_COMPARABLE)
            and self.rows[ALL, one]["reason"] != self.rows[place, one]["reason"]
        ]
        clauses = []
        if staffless:
            known = self._parameter("min_staff")
            clauses.append(self._fill("cannot_staff", k=self._count(staffless, "timeliness"), min_staff=known))
        if few:
            key = "cannot_few" if clauses else "cannot_few_alone"
            clauses.append(self._fill(key, k=[Cell(f"{len(few):,}", None, None, "rows"), Rows(tuple(few))]))
        return self._joined(clauses, "clause_join")

    def _weight(self, component: str) -> int:
        """Put what is worse somewhere first, then what is better."""
        rows = [self.rows[place, component] for place in (*self.units, ALL)]
        found = {str(row["direction"]) for row in rows}
        return 0 if "worse" in found or any(row["apart"] == "below" for row in rows) else 1 if "better" in found else 2

    def _chosen(self, component: str, direction: str) -> list[str]:
        return [place for place in self.units if self.rows[place, component]["direction"] == direction]

    def _count(self, places: Sequence[str], component: str) -> Tokens:
        return [Cell(f"{len(places):,}", None, component, "rows"), Rows(tuple((place, component) for place in places))]

    def _why(self, row: _Row) -> str:
        return self.words[f"reason.{row['reason'] or 'no_data'}"]

    def _cell(self, row: _Row, column: str) -> Tokens:
        value = row[column]
        if not isinstance(value, int | float):
            return []
        return [Cell(number_in_text(value, column, str(row["unit"])), str(row["place"]), str(row["component"]), column)]

    def _parameter(self, name: str, text: str | None = None) -> Tokens:
        return [Cell(str(self.parameters.get(name)) if text is None else text, None, None, f"parameters.{name}")]

    def _period(self) -> Tokens:
        period = parse_weeks(str(self.parameters["weeks"]))
        first, last = period.first_on, period.first_on + timedelta(weeks=period.weeks_n, days=-1)
        values = {f"{end}_{name}": text for end, day in (("from", first), ("to", last)) for name, text in _day_parts(day).items()}
        return [Cell(self.words["period"].format(**values), None, None, "parameters.weeks")]

    def _day(self, day: date) -> Tokens:
        return [Cell(self.words["day"].format(**_day_parts(day)), None, None, "parameters.regime_on")]

    def _fill(self, key: str, **values: str | Tokens) -> Tokens:
        return filled(self.words[key], values, where=f"words of the situation, {key}")

    def _joined(self, parts: Sequence[Tokens], key: str) -> Tokens:
        return joined(parts, self.words[key])


def _day_parts(day: date) -> dict[str, str]:
    return {"year": str(day.year), "month": str(day.month), "day": str(day.day), "month2": f"{day.month:02d}", "day2": f"{day.day:02d}"}


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _float(value: object) -> float:
    return value if isinstance(value, float) else 2.0
