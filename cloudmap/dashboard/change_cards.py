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
FIRST = 3
"""Cards that stand beside the map of the first page."""


def cards(view: View, reader: Reader, say: Words) -> list[Any]:
    """Build the list for the period before, or for the same weeks a year before."""
    name = "changes_year" if view.against == "year" else "changes"
    layer = view.layer if view.layer.startswith("unit_") else None

    def show(result: Result) -> list[Any]:
        chosen = _chosen(result).head(MOST)
        told = _counted(result, say)
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


def leading(view: View, reader: Reader, say: Words) -> list[Any]:
    """Build the first lines of the list, the city's own first, for the page that says how the city stands."""

    def show(result: Result) -> list[Any]:
        chosen = _chosen(result)
        lines = [html.P(_card(row, result, reader, say), className="cm-card") for row in chosen.head(FIRST).to_dicts()]
        none = [] if lines else [html.P(say("change.none"), className="cm-card")]
        more = [asking(say("change.more_of", n=chosen.height), page="compare", tab="cards")] if chosen.height > FIRST else []
        return [*_banner(result, say), *lines, *none, *more, html.P(_counted(result, say), className="cm-note")]

    def ask() -> Result:
        return reader.statistic("changes", period=view.period)

    return [html.Div([html.H3(say("stat.cards")), *stated(ask, show, True, say)], id="changes-leading")]


def _chosen(result: Result) -> pl.DataFrame:
    """Keep the short list in its order, the city's own course before its units."""
    return result.table.filter(pl.col("rank").is_not_null()).sort(pl.col("scope") != "city", "rank")


def _counted(result: Result, say: Words) -> str:
    counts = dict(result.table.group_by("class").len().iter_rows())
    return say("change.counts", same=counts.get("no_change", 0), few=counts.get("not_enough_data", 0), cut=counts.get("not_comparable", 0))


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
        text = say(f"change.{row['class']}", n=int(row["n"]), expected=_expected(row["expected"]), ratio=f"{row['ratio']:.2f}", span=span)
    return [
        html.Strong(asking(say("change.where", place=name, group=group), **fields)),
        html.Span(text),
        html.Small(say("card.q", q=f"{row['q']:.2g}")),
    ]


def _expected(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value.is_integer() else f"{value:.1f}"
