"""One map: what is drawn of a layer, measure, category and period, with its title, legend, denominator and hover card."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import polars as pl

from cloudmap.access.views import ALL, Measure
from cloudmap.analytics.periods import Month
from cloudmap.dashboard.ground import WATER, crumbs, inside, name_of
from cloudmap.dashboard.legend import BREAKABLE, FIRST, MASKED, NONE, ONLY_MET, Classed, classify
from cloudmap.dashboard.refusals import reason, refused, way_on
from cloudmap.dashboard.text import Words, number
from cloudmap.dashboard.view import REACH
from cloudmap.errors import AccessError, AnalysisError, CloudmapError

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.access.views import PlaceLayer
    from cloudmap.analytics.periods import AnyPeriod
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.view import View

TAGS: Final = ("schematic", "reported_not_people")
"""Caveats that stand beside the title; the others stand in the legend."""

DIGITS: Final = {
    "n": 0,
    "neighbourhood_n": 0,
    "value": 2,
    "expected": 1,
    "q": 4,
    "p": 4,
    "ratio": 2,
    **dict.fromkeys(("hot_steps_n", "cold_steps_n", "steps_n"), 0),
    **dict.fromkeys(("overdue_n", "yellow_n", "green_n", "open_n", "staff_n", "volunteers_n"), 0),
    "expected_n": 1,
    "lower_n": 0,
    "upper_n": 0,
    "p_above_2": 2,
    "burden": 1,
    **dict.fromkeys(("per_km", "lower", "upper"), 2),
    "length_m": 0,
}
"""Decimals of the columns of a result that a card or a table shows."""
CARD: Final[dict[str, tuple[str, ...]]] = {
    "count": ("count",),
    "ratio": ("count", "ratio", "expected"),
    "hotspot": ("verdict", "count", "neighbourhood", "q"),
    "emerging": ("verdict", "count", "steps", "q"),
    "scan": ("verdict", "count", "cluster_ratio", "p"),
    "silent": ("verdict", "count", "expected", "last_report"),
    "risk": ("verdict", "ratio", "forecast", "p_above_2", "burden"),
    REACH: ("verdict", "count", "per_km", "ratio", "q"),
    "overdue": ("overdue", "yellow", "green", "open"),
    "workload": ("cases", "open_n", "overdue"),
    "staffing": ("verdict", "staff", "volunteers"),
}
"""Lines of the hover card; a line whose numbers a place does not have is left out."""


class Drawing:
    """One map: a layer, measure, category and period in the words of a language."""

    def __init__(self, reader: Reader, layer: PlaceLayer, asked: Mapping[str, str], say: Words) -> None:
        self.reader, self.layer, self.say = reader, layer, say
        self.measure = asked["measure"]
        self.period: AnyPeriod = reader.period(asked["period"])
        self.category = next(one for one in reader.categories() if one.code == asked["category"])
        self.within, self.breaks, self.base = (asked.get(name, "") for name in ("within", "breaks", "base"))
        self._asked = dict(asked)
        self._refused: CloudmapError | None = None

    @classmethod
    def of(cls, view: View, reader: Reader, layer: PlaceLayer, say: Words) -> Drawing:
        """Return the map of a view, on the layer that it is drawn on."""
        asked = {"measure": view.measure, "category": view.category, "period": view.period, "within": view.within}
        return cls(reader, layer, asked, say)

    def within_unit(self, table: pl.DataFrame) -> pl.DataFrame:
        """Keep the places of the unit that the map is drilled into; all of them where it is not."""
        held = inside(self.reader, self.layer.id, self.within)
        return table if held is None else table.filter(pl.col("place").is_in(list(held)))

    def result(self) -> tuple[Result | None, str]:
        """Return the result, or None and the reason in words."""
        try:
            if self.measure == REACH:
                return near_water(self.reader, self.layer, self.category.code, self.period.id), ""
            return self.reader.values(self.layer.id, self.category.code, self.period.id, cast(Measure, self.measure)), ""
        except (AccessError, AnalysisError) as error:
            self._refused = error
            return None, reason(error, self.say, scored=self.category.scored)

    def refused(self, view: View | None = None) -> list[Any]:
        """Say why there is no result, with the way on; after `result` has said so."""
        return [] if self._refused is None else refused(self._refused, self.say, scored=self.category.scored, view=view)

    def values(self, places: list[str]) -> dict[str, Any]:
        """Build the answer of ``/map/values``."""
        result, message = self.result()
        caveats: tuple[str, ...] = ("reported_not_people",)
        if result is None:
            classed = Classed(np.zeros(len(places), dtype=np.uint8), [], [])
        else:
            table = ordered(self.within_unit(result.table), places)
            classed, caveats = classify(table, self.measure, self.say, self.breaks, self._base(places)), result.caveats
            message = self._reason(table, classed)
        where = self.say.spell(name_of(self.reader, self.within)) if self.within else self.say.name(self.layer)
        return {
            "codes": base64.b64encode(classed.codes.tobytes()).decode(),
            "styles": classed.styles,
            "title": self.title(),
            "subtitle": self.say("subtitle", layer=where, period=period_words(self.period, self.say)),
            "tags": [self.say(f"caveat.{name}") for name in TAGS if name in caveats],
            "legend": self.legend(classed, result, caveats, places),
            "crumbs": [one | {"name": self.say.spell(one["name"])} for one in crumbs(self.reader, self.within)],
            "message": message,
            "way": way_on(self._refused, self.say, scored=self.category.scored) if self._refused and result is None else None,
        }

    def _base(self, places: list[str]) -> pl.DataFrame | None:
        """Return the map of the period whose breaks this one shares, where two are compared."""
        if not self.base or self.base == self.period.id:
            return None
        other = Drawing(self.reader, self.layer, self._asked | {"period": self.base, "base": ""}, self.say)
        result, _ = other.result()
        return None if result is None else ordered(other.within_unit(result.table), places)

    def _reason(self, table: pl.DataFrame, classed: Classed) -> str:
        counted = table["n"] if "n" in table.columns else table["value"]
        if not table["masked"].any() and not counted.sum() and self.measure not in ("silent", "staffing"):
            return self.say("map.empty")
        if not classed.codes.any():
            return self.say("map.low")
        if "class" in table.columns and table["class"].drop_nulls().unique().to_list() == ["not_enough_data"]:
            return self.say("map.not_enough_data")
        return ""

    def title(self) -> str:
        """Say what the map shows; without an exposure it says only where reports are."""
        bare = self.measure == "count" and self.reader.exposure_kind == "none"
        return self.say(f"maptitle.{self.measure}{'.none' if bare else ''}", category=self.about)

    @property
    def about(self) -> str:
        """Name of the category; silence is told of all categories together, whichever is chosen."""
        chosen = self.category if self.measure != "silent" else next(one for one in self.reader.categories() if one.code == ALL)
        return self.say.name(chosen)

    def legend(self, classed: Classed, result: Result | None, caveats: tuple[str, ...], places: list[str]) -> dict[str, Any]:
        """Build title, rows (code, label, number of places), denominator and notes; places outside the chosen unit are not counted."""
        held = inside(self.reader, self.layer.id, self.within)
        counted = classed.codes if held is None else classed.codes[[place in held for place in places]]
        codes = np.bincount(counted, minlength=FIRST + len(classed.labels))
        labels = {NONE: self.say("legend.none"), MASKED: self.say("legend.masked")}
        labels |= {FIRST + step: label for step, label in enumerate(classed.labels)}
        always = range(FIRST, FIRST + len(classed.labels))
        order = [*always] if self.measure in ("count", "overdue", "workload") else [*reversed(always)]
        order = [*sorted(order, key=lambda code: classed.styles[code - FIRST] == "not_enough_data"), MASKED, NONE]
        kept = [code for code in order if codes[code] or (code in always and self.measure not in ONLY_MET and not _lacking(classed, code))]
        return {
            "title": self.say(f"legendtitle.{self.measure}"),
            "period": period_words(self.period, self.say),
            "unit": self.say("legend.unit"),
            "rows": [{"code": code, "label": labels[code], "places": number(int(codes[code]))} for code in kept],
            "denominator": self.denominator(result, len(classed.codes)),
            "notes": self._breaks_note()
            + [self.say(f"caveat.{name}") for name in caveats if name not in TAGS and self.say.has(f"caveat.{name}")],
        }

    def _breaks_note(self) -> list[str]:
        if not self.breaks or self.measure not in BREAKABLE:
            return []
        return [self.say(f"breaks.{self.breaks.partition('~')[0]}.note")]

    def denominator(self, result: Result | None, places_n: int) -> str:
        """Say what the numbers are of: the exposure behind a ratio, the family behind a verdict."""
        kind = self.reader.exposure_kind
        if self.measure in ("overdue", "workload", "staffing"):
            return self.say(f"denominator.{self.measure}", k=self.reader.city.privacy.min_staff)
        if self.measure == "count":
            return self.say("denominator.count.none" if kind == "none" else "denominator.count")
        if self.measure in ("ratio", "risk", "silent"):
            return self.say(f"denominator.{self.measure}.{kind}")
        threshold = result.parameters.get("threshold", 0.05) if result else 0.05
        percent = f"{100 * float(cast(float, threshold)):g}"
        if self.measure == "hotspot":
            by = result.parameters.get("method") if result else None
            variant = "hotspot.negative_binomial" if by == "negative_binomial" else "hotspot"
            return self.say(f"denominator.{variant}", n=places_n, q=percent)
        replicates = cast(int, result.parameters.get("replicates", 999)) if result else 999
        return self.say(f"denominator.{self.measure}", n=places_n, q=percent, replicates=int(replicates))

    def numbers(self, places: list[str]) -> dict[str, Any]:
        """Build the answer of ``/map/numbers``: sentences with gaps, and a column for each gap."""
        result, _ = self.result()
        masked = self.say("card.masked", k=_threshold(self.reader, self.category.restricted))
        if result is None:
            return {"lines": [], "columns": {}, "masked": masked}
        table = ordered(self.within_unit(result.table), places)
        if "n" not in table.columns:
            table = table.with_columns(n=pl.col("value"))
        columns = {name: _column(table[name], digits) for name, digits in DIGITS.items() if name in table.columns}
        columns["verdict"] = verdict_words(table, self.measure, self.say)
        if "last_report_on" in table.columns:
            columns["last_report_on"] = [day.isoformat() if day else None for day in table["last_report_on"].cast(pl.Date).to_list()]
        return {"lines": [self.say.table[f"card.{line}"] for line in CARD[self.measure]], "columns": columns, "masked": masked}


def near_water(reader: Reader, layer: PlaceLayer, category: str, period: str) -> Result:
    """Return the statistic of reaches as a map's result: the value is the ratio to the city.

    Raises
    ------
    AnalysisError, AccessError
        As `Reader.statistic`; the city has no water map.
    """
    from dataclasses import replace

    found = reader.statistic("near_water", category=category, period=period)
    table = found.table.with_columns(value=pl.col("ratio"))
    if layer.id != WATER:
        table = table.filter(pl.col("kind") == layer.id.removeprefix("water_"))
    return replace(found, table=table)


def verdict_words(table: pl.DataFrame, measure: str, say: Words) -> list[str | None]:
    """Say each place's class in words; None where it has none."""
    if measure == "scan":
        ranks = table["value"].cast(pl.Int64).to_list()
        return [say("legend.no_cluster") if rank is None else say("card.cluster", n=rank) for rank in ranks]
    if "class" not in table.columns:
        return [None] * table.height
    return [say(f"legend.{one}") if one and say.has(f"legend.{one}") else None for one in table["class"].to_list()]


def ordered(table: pl.DataFrame, places: list[str]) -> pl.DataFrame:
    """Return one row a place in drawing order; places without a row get nulls and are not masked."""
    joined = pl.DataFrame({"place": places}, schema={"place": pl.String}).join(table, on="place", how="left", maintain_order="left")
    if "masked" not in joined.columns:
        joined = joined.with_columns(masked=pl.lit(value=False))
    return joined.with_columns(pl.col("masked").fill_null(value=False))


def period_words(period: AnyPeriod, say: Words) -> str:
    """Write a period as its first and last day; a day and a month by themselves."""
    if isinstance(period, Month) or period.days_n == 1:
        return period.id
    return say("period", first=period.first_on.isoformat(), last=period.last_on.isoformat())


def _lacking(classed: Classed, code: int) -> bool:
    """Tell whether a class is that of places without enough data, which the legend names only where it is met."""
    return classed.styles[code - FIRST] in ("not_enough_data", "never_reported")


def _threshold(reader: Reader, restricted: bool) -> int:
    privacy = reader.city.privacy
    return privacy.k_restricted if restricted and reader.audience.kind == "internal" else privacy.k


def _column(series: pl.Series, digits: int) -> list[Any]:
    rounded = series.cast(pl.Float64).fill_nan(None).round(digits)
    return (rounded.cast(pl.Int64) if digits == 0 else rounded).to_list()
