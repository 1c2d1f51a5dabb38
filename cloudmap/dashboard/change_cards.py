"""What changed beyond chance: a short list in plain sentences, the strongest evidence first, and why there is no more to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from dash import html

from cloudmap.dashboard.browser import asking
from cloudmap.dashboard.evidence import caveats, stated
from cloudmap.dashboard.ground import names_of
from cloudmap.dashboard.text import Words

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.view import View

MOST = 12
"""Cards that the list shows."""


def cards(view: View, reader: Reader, say: Words) -> list[Any]:
    """Build the list for the period before, or for the same weeks a year before."""
    name = "changes_year" if view.against == "year" else "changes"
    layer = view.layer if view.layer.startswith("unit_") else None

    def show(result: Result) -> list[Any]:
        chosen = result.table.filter(pl.col("rank").is_not_null()).sort("rank").head(MOST)
        counts = dict(result.table.group_by("class").len().iter_rows())
        told = say(
            "change.counts", same=counts.get("no_change", 0), few=counts.get("not_enough_data", 0), cut=counts.get("not_comparable", 0)
        )
        listed = [html.Li(_card(row, result, reader, say)) for row in chosen.to_dicts()]
        body = (
            html.Ol(listed, className="cm-cards", id="change-cards")
            if listed
            else html.P(say("change.none"), className="cm-verdict", id="change-none")
        )
        return [*_banner(result, say), body, html.P(told, className="cm-note"), *caveats(result, say)]

    def ask() -> Result:
        return reader.statistic(name, layer=layer, period=view.period)

    head = [html.H2(say("stat.cards")), html.P(say("stat.cards.intro"), className="cm-prose")]
    return [*head, *stated(ask, show, True, say)]


def _banner(result: Result, say: Words) -> list[Any]:
    """Say why nothing may be compared, where that is so of every card."""
    reasons = result.table.filter(pl.col("class") == "not_comparable")["reason"].drop_nulls().unique().to_list()
    whole = (result.table["class"] == "not_comparable").all()
    return [
        html.P(say(f"change.why.{one}"), className="cm-warn", id="regime-banner")
        for one in reasons
        if whole and say.has(f"change.why.{one}")
    ]


def _card(row: dict[str, Any], result: Result, reader: Reader, say: Words) -> list[Any]:
    layer = str(result.parameters.get("layer", ""))
    group = next((say.name(one) for one in reader.categories() if one.code == row["category_code"]), row["category_code"])
    city = row["scope"] == "city"
    name = say("map.home") if city else say.spell(str(names_of(reader, layer).get(row["place"]) or row["place"]))
    fields = {"category": row["category_code"], "tab": "places"} | ({} if city else {"layer": layer, "place": row["place"]})
    if row["ratio"] is None:
        text = say("change.new", n=int(row["n"]))
    else:
        span = f"{row['lower']:.2f}–{'…' if row['upper'] is None else format(row['upper'], '.2f')}"
        text = say(f"change.{row['class']}", n=int(row["n"]), expected=f"{row['expected']:.0f}", ratio=f"{row['ratio']:.2f}", span=span)
    return [
        html.Strong(asking(say("change.where", place=name, group=group), **fields)),
        html.Span(text),
        html.Small(say("card.q", q=f"{row['q']:.2g}")),
    ]
