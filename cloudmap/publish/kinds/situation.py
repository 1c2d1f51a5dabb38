"""The briefing of the situation: seven components with intervals and directions, and what changed beyond chance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from cloudmap.publish.situation_text import situation_text, situation_words

if TYPE_CHECKING:
    from cloudmap.publish.content import Section
    from cloudmap.publish.kinds.asked import Asked
    from cloudmap.publish.legend import Drawn


def sections(asked: Asked) -> list[Section]:
    """Gather the sentences of the situation, a map, the components and the changes."""
    layer = asked.unit_layer
    situation = asked.statistic("situation", layer=layer.id)
    if asked.unit:
        situation = replace(situation, table=situation.table.filter(pl.col("place").is_in(["ALL", asked.unit])))
    told = situation_text(
        situation, language=asked.language, names={**asked.names, "ALL": asked.city}, words=asked.wording.texts.get("situation_words")
    )
    changes = asked.statistic("changes", layer=layer.id)
    measure: Drawn = "count" if asked.reader.exposure_kind == "none" else "ratio"
    values = {
        "tests_n": situation.parameters["tests_n"],
        "changes_n": changes.parameters["tests_n"],
        "threshold": situation.parameters["threshold"],
    }
    return [
        asked.section("summary", paragraphs=[one.text for one in told]),
        asked.section("map", pictures=[asked.picture(measure, layer.id)]),
        asked.section("table", tables=_components(asked, situation.table)),
        asked.section("changes", **_changes(asked, changes.table, values)),
        asked.section("method", paragraphs=asked.sentences("method", values)),
    ]


def _components(asked: Asked, table: pl.DataFrame) -> list[Any]:
    why = situation_words(asked.language)
    rows = [
        {
            **row,
            "component": asked.word("components", row["component"]),
            "direction": asked.word("directions", row["direction"]),
            "reason": why.get(f"reason.{row['reason']}", row["reason"] or ""),
            **{name: _number(row[name], row["unit"]) for name in ("value", "lower", "upper", "before", "change")},
        }
        for row in asked.rows(table)
    ]
    columns: list[Any] = [
        ("component", "text"),
        ("n", "count"),
        ("denominator_n", "count"),
        ("value", "text"),
        ("lower", "text", "upper"),
        ("before", "text"),
        ("change", "text"),
        ("q", "p"),
        ("direction", "text"),
        ("reason", "text"),
    ]
    note = asked.sentences("note_components", {})[0]
    city = asked.table("city", columns, [row for row in rows if row["place"] == "ALL"], note)
    units = asked.table("units", [("where", "text"), *columns], [row for row in rows if row["place"] != "ALL"], note)
    return [city, units]


def _number(value: Any, unit: str) -> str | None:
    """Write a value of a component in its own unit."""
    if value is None:
        return None
    return f"{value * 100:.1f}%" if unit == "share" else f"{value:,.2f}"


def _changes(asked: Asked, table: pl.DataFrame, values: dict[str, Any]) -> dict[str, Any]:
    """List the changes beyond chance, the best founded first."""
    from cloudmap.publish import titles

    found = table.filter(~pl.col("class").is_in(["no_change", "not_enough_data"])).sort("q", "place", "category_code", nulls_last=True)
    if asked.unit:
        found = found.filter(pl.col("place").is_in(["ALL", asked.unit]))
    if found.is_empty():
        return {"paragraphs": asked.sentences("no_change", values)}
    rows = [
        {
            **row,
            "category": titles.category_name(asked.reader, row["category_code"], asked.language),
            "direction": asked.word("directions", row["class"]),
        }
        for row in asked.rows(found)
    ]
    columns: list[Any] = [
        ("where", "text"),
        ("category", "text"),
        ("n", "count"),
        ("before_n", "count"),
        ("expected", "number"),
        ("ratio", "ratio"),
        ("lower", "ratio", "upper"),
        ("q", "p"),
        ("direction", "text"),
    ]
    return {"tables": [asked.table("changes", columns, rows, asked.sentences("note_changes", values)[0])]}
