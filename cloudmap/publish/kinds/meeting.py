"""The table of a meeting: the matters that are advised to go to it, with the reasons; advice, never a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from cloudmap.analytics.tiers import REASONS
from cloudmap.publish import titles

if TYPE_CHECKING:
    from cloudmap.publish.content import Section
    from cloudmap.publish.kinds.asked import Asked

_ALL: Final = 1_000_000


def sections(asked: Asked) -> list[Section]:
    """Gather the matters of one meeting, and how many each meeting is advised."""
    reader, zone = asked.reader, asked.reader.city.zone
    listed = reader.cases.table_of_meeting(asked.tier, asked.category, asked.period.id, limit=_ALL)
    units = [name for name in listed.columns if name.startswith("unit_") and name.endswith("_code")]
    if asked.unit:
        listed = listed.filter(pl.any_horizontal(pl.col(name) == asked.unit for name in units))
    areas = [name for name in ("unit_community_code", "unit_village_code", "unit_street_code") if name in units]
    rows = [
        {
            **row,
            "rank": at,
            "category": titles.category_name(reader, row["category_code"], asked.language),
            "occurred_on": row["occurred"].astimezone(zone).date().isoformat(),
            "where": next((asked.names.get(row[name], row[name]) for name in areas if row[name]), None),
            "reasons": asked.wording.texts["labels"]["and"].join(_why(asked, one) for one in row["reasons"] or ()),
            "opinion": " ",
        }
        for at, row in enumerate(({**row, "occurred": row["occurred_at"]} for row in listed.iter_rows(named=True)), start=1)
    ]
    rows = [{name: value for name, value in row.items() if name not in ("occurred", "occurred_at")} for row in rows]
    tiers = asked.statistic("tiers")
    counts = {str(tier): int(n or 0) for tier, n in tiers.table.group_by("class").agg(pl.col("n").sum()).iter_rows()}
    values = {
        "listed_n": len(rows),
        "tier": asked.word("tiers", asked.tier),
        "by_tier": [(asked.word("tiers", one), counts.get(one, 0)) for one in ("microgrid", "hall", "street")],
    }
    columns: list[Any] = [
        ("rank", "count"),
        ("category", "text"),
        ("where", "text"),
        ("occurred_on", "text"),
        ("severity", "count"),
        ("spread_n", "count"),
        ("recurrence_n", "count"),
        ("reasons", "text"),
        ("report_id", "code"),
        ("opinion", "text"),
    ]
    table = asked.table("matters", columns, rows, asked.sentences("note_matters", values)[0])
    return [
        asked.section("summary", paragraphs=asked.sentences("summary", values)),
        asked.section("table", tables=[table] if rows else [], paragraphs=[] if rows else asked.sentences("none", values)),
        asked.section("map", pictures=[asked.picture("count", asked.layer)]),
        asked.section("method", paragraphs=asked.sentences("method", values)),
    ]


def _why(asked: Asked, reason: str) -> str:
    _, english, chinese = REASONS[reason]
    return english if asked.language == "en" else titles.spelled(chinese, asked.language)
