"""The briefing of handling: closing and on-time rates with their denominators and intervals, stays, lights; no unit is ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from cloudmap.errors import AnalysisError
from cloudmap.publish import titles

if TYPE_CHECKING:
    from cloudmap.publish.content import Section, Table
    from cloudmap.publish.kinds.asked import Asked

_RATE: list[Any] = [
    ("indicator", "text"),
    ("numerator_n", "count"),
    ("denominator_n", "count"),
    ("value", "share"),
    ("lower", "share", "upper"),
]

_UNITS_DRAWN_MAX: Final = 600


def sections(asked: Asked) -> list[Section]:
    """Gather the city's indicators, the units', the categories', the stages' and the open cases'."""
    before = asked.statistic("handling_before")
    units = asked.statistic("handling", layer=asked.unit_layer.id)
    overdue = asked.statistic("overdue", layer=asked.unit_layer.id)
    open_rows = [row for row in asked.rows(overdue.table) if not asked.unit or row["place"] == asked.unit]
    unit_rows = [row for row in asked.rows(units.table) if not asked.unit or row["place"] == asked.unit]
    spoken = unit_rows if asked.unit else [row for row in asked.rows(before.table) if row["against"] == "before"]
    values = {
        "rates": {row["indicator"]: row for row in spoken},
        "open_n": _sum(open_rows, "n"),
        "overdue_n": _sum(open_rows, "overdue_n"),
        "hours": units.parameters.get("hours"),
        "min_staff": asked.reader.city.privacy.min_staff,
    }
    return [
        asked.section("summary", paragraphs=asked.sentences("summary", values)),
        asked.section("map", pictures=[asked.picture("overdue_n", _map_layer(asked))]),
        asked.section("city", tables=[_city(asked, before.table, values)]),
        asked.section("units", tables=[_units(asked, unit_rows, values), _lights(asked, open_rows)]),
        asked.section("categories", tables=[_categories(asked, values), *_stays(asked)]),
        asked.section("method", paragraphs=asked.sentences("method", values)),
    ]


def _map_layer(asked: Asked) -> str:
    """Choose the finest units that a map can show apart: of coarse ones nearly every unit has something overdue."""
    units = [one for one in asked.reader.layers() if one.kind == "unit"]
    drawn = [one.id for one in units[units.index(asked.unit_layer) :] if one.places_n <= _UNITS_DRAWN_MAX]
    return drawn[-1] if drawn else asked.unit_layer.id


def _sum(rows: list[dict[str, Any]], name: str) -> int | None:
    """Add a count up; None where a row of it is masked, since the sum would tell."""
    counts = [row[name] for row in rows]
    return None if any(one is None for one in counts) else sum(counts)


def _named(asked: Asked, row: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    return {**row, "indicator": asked.wording.sentence(asked.word("indicators", row["indicator"]), values)}


def _city(asked: Asked, table: pl.DataFrame, values: dict[str, Any]) -> Table:
    rows = [{**_named(asked, row, values), "against": asked.word("against", row["against"])} for row in asked.rows(table)]
    columns = [
        *_RATE,
        ("against", "text"),
        ("value_before", "share"),
        ("difference", "share"),
        ("difference_lower", "share", "difference_upper"),
    ]
    return asked.table("city", columns, rows, asked.sentences("note_rates", values)[0])


def _units(asked: Asked, rows: list[dict[str, Any]], values: dict[str, Any]) -> Table:
    told = [{**_named(asked, row, values), "state": asked.word("states_of_rows", row["class"])} for row in rows]
    return asked.table("units", [("where", "text"), *_RATE, ("state", "text")], told, asked.sentences("note_units", values)[0])


def _lights(asked: Asked, rows: list[dict[str, Any]]) -> Table:
    columns: list[Any] = [("where", "text"), ("n", "count"), ("green_n", "count"), ("yellow_n", "count"), ("overdue_n", "count")]
    return asked.table("lights", columns, rows, asked.sentences("note_lights", {})[0])


def _categories(asked: Asked, values: dict[str, Any]) -> Table:
    table = asked.statistic("handling_by_category").table.filter(pl.col("indicator").is_in(["on_time"]))
    rows = [
        {**_named(asked, row, values), "category": titles.category_name(asked.reader, row["category_code"], asked.language)}
        for row in asked.rows(table)
        if row["denominator_n"]
    ]
    return asked.table("categories", [("category", "text"), *_RATE], rows, asked.sentences("note_rates", values)[0])


def _stays(asked: Asked) -> list[Table]:
    """List the median stay in each stage, where event files tell of stages."""
    try:
        table = asked.statistic("dwell").table
    except AnalysisError:
        return []
    rows = [{**row, "stage": asked.word("stages", row["stage"])} for row in asked.rows(table)]
    columns: list[Any] = [
        ("stage", "text"),
        ("stays_n", "count"),
        ("going_on_n", "count"),
        ("value_wh", "number"),
        ("lower", "number", "upper"),
    ]
    return [asked.table("stays", columns, [{**row, "value_wh": row["value"]} for row in rows], asked.sentences("note_stays", {})[0])]
