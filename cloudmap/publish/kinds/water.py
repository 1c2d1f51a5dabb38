"""The briefing of water: matters along each reach per kilometre, and by distance to water."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from cloudmap.publish import tables, titles

if TYPE_CHECKING:
    from cloudmap.publish.content import Section
    from cloudmap.publish.kinds.asked import Asked


def sections(asked: Asked) -> list[Section]:
    """Gather reaches, bands of distance, a map and the method."""
    reaches, bands = asked.statistic("near_water"), asked.statistic("water_bands")
    table = reaches.table
    if asked.unit:
        shape = tables.unit_shape(asked.reader, asked.unit).geometry.iloc[0]
        shapes = tables.reach_table(asked.reader, asked.category, asked.period.id)
        table = table.filter(pl.col("place").is_in(list(shapes["place"][shapes.intersects(shape)])))
    rows = sorted(asked.rows(table), key=lambda row: (row["class"] != "high", -(row["ratio"] or 0), row["place"]))
    rows = [
        {
            **row,
            "where": titles.spelled(str(row["name"] or row["place"]), asked.language),
            "kind": asked.word("waters", row["kind"]),
            "length_km": None if row["length_m"] is None else row["length_m"] / 1000,
            "verdict": asked.word("verdicts", row["class"]),
        }
        for row in rows
    ]
    counts = [row["n"] for row in rows]
    high = [row for row in rows if row["class"] == "high"]
    values = {
        "reaches_n": len(rows),
        "near_n": None if any(one is None for one in counts) else sum(counts),
        "length_km": sum(row["length_km"] or 0 for row in rows),
        "high": [row["where"] for row in high],
        "masked_n": sum(bool(row["masked"]) for row in rows),
        "denominator": reaches.denominator,
    }
    columns: list[Any] = [
        ("where", "text"),
        ("kind", "text"),
        ("length_km", "ratio"),
        ("n", "count"),
        ("per_km", "ratio"),
        ("lower", "ratio", "upper"),
        ("expected", "number"),
        ("ratio", "ratio"),
        ("q", "p"),
        ("verdict", "text"),
    ]
    return [
        asked.section("summary", paragraphs=asked.sentences("summary", values)),
        asked.section("map", pictures=[asked.picture("reach", None)]),
        asked.section("table", tables=[asked.table("reaches", columns, rows, asked.sentences("note_reaches", values)[0])]),
        asked.section("bands", tables=[_bands(asked, bands.table)]),
        asked.section("method", paragraphs=asked.sentences("method", values)),
    ]


def _bands(asked: Asked, table: pl.DataFrame) -> Any:
    rows = []
    for row in asked.rows(table):
        end = row["band_to_m"]
        band = f"{row['band_from_m']:,.0f}–{end:,.0f}" if end is not None and end != float("inf") else f"≥ {row['band_from_m']:,.0f}"
        rows.append({**row, "kind": asked.word("waters", row["kind"]), "band": band, "area_km2": (row["area_m2"] or 0) / 1e6})
    columns: list[Any] = [
        ("kind", "text"),
        ("band", "text"),
        ("area_km2", "ratio"),
        ("n", "count"),
        ("per_km2", "number"),
        ("ratio", "ratio"),
        ("lower", "ratio", "upper"),
    ]
    return asked.table("bands", columns, rows, asked.sentences("note_bands", {})[0])
