"""Panels of handling: lights, overdue cases, rates with intervals, funnel, stays, burn-down, meetings. Units are compared, never ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl
from dash import html

from cloudmap.dashboard.browser import asking
from cloudmap.dashboard.charts import ACCENT, QUIET, SERIES, chart, table
from cloudmap.dashboard.grids import column, grid
from cloudmap.dashboard.ground import names_of
from cloudmap.dashboard.text import Words, number
from cloudmap.errors import AccessError, AnalysisError
from cloudmap.schema import STAGES

if TYPE_CHECKING:
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.drawing import Drawing
    from cloudmap.dashboard.view import View

LIGHTS: Final = {"overdue_n": "#c62828", "yellow_n": "#e0a100", "green_n": "#1c7c54"}
_TIERS: Final = ("microgrid", "hall", "street")


def lights(drawing: Drawing) -> list[Any]:
    """Count the open cases of the city by light; nothing where the map has no such counts."""
    result, _ = drawing.result()
    if result is None or "green_n" not in result.table.columns:
        return []
    say, shown = drawing.say, drawing.within_unit(result.table)
    cards = [
        html.Div(
            [html.Dt([html.I(className="cm-light", style={"background": colour}), say(f"light.{name}")]), html.Dd(_total(shown, name))]
        )
        for name, colour in LIGHTS.items()
    ]
    return [html.Dl(cards, className="cm-closing cm-lights", id="lights")]


def _total(shown: pl.DataFrame, name: str) -> str:
    return number(int(shown[name].sum() or 0))


def overdue_list(view: View, drawing: Drawing) -> list[Any]:
    """List the overdue cases of a place, the longest overdue first, for who may see them."""
    say, reader = drawing.say, drawing.reader
    try:
        rows = reader.cases.overdue_list(view.layer, view.place, view.category, limit=200)
    except (AccessError, AnalysisError):
        return [html.P(say("points.refused"), className="cm-note")]
    head = html.H3([say("stat.overdue"), html.Small(say("panel.reports.n", n=rows.height))])
    if rows.height == 0:
        return [head, html.P(say("stat.overdue.none"), className="cm-note")]
    names = {one.code: say.name(one) for one in reader.categories()}
    zone = reader.city.city.timezone
    due = rows["due_at"].dt.convert_time_zone(zone).dt.strftime("%Y-%m-%d %H:%M").to_list()
    listed = [
        {
            "category": names.get(row["category_code"], row["category_code"]),
            "due": at,
            "stage": _stage(row["stage"], say),
            "id": row["report_id"],
        }
        for row, at in zip(rows.to_dicts(), due, strict=True)
    ]
    columns = [
        column("category", say("col.category"), width=130, tooltipField="category"),
        column("due", say("col.due"), width=140),
        column("stage", say("col.stage"), width=100),
        column("id", say("col.report"), flex=1, minWidth=120, tooltipField="id"),
    ]
    return [head, html.Div(grid("overdue-grid", columns, listed, say), className="cm-overdue")]


def rates(result: Result, drawing: Drawing) -> list[Any]:
    """Show each indicator with numerator, denominator and interval, beside the period before and the year before."""
    say = drawing.say
    cards = []
    for name in result.table["indicator"].unique(maintain_order=True).to_list():
        rows = {row["against"]: row for row in result.table.filter(pl.col("indicator") == name).to_dicts()}
        now = rows.get("before") or next(iter(rows.values()))
        if now["value"] is None:
            shown = html.Strong("—")
            facts = say(f"rate.{now['class']}") if say.has(f"rate.{now['class']}") else ""
        else:
            shown = html.Strong(f"{now['value']:.1%}")
            facts = say(
                "rate.of", k=int(now["numerator_n"]), n=int(now["denominator_n"]), lower=f"{now['lower']:.1%}", upper=f"{now['upper']:.1%}"
            )
        beside = [html.P(_against(one, rows[one], say), className="cm-dim") for one in ("before", "year_before") if one in rows]
        cards.append(html.Div([html.Div([shown, html.Span(say(f"indicator.{name}"))], className="cm-headline"), html.P(facts), *beside]))
    return [html.Div(cards, className="cm-rates", id="rates")]


def _against(name: str, row: dict[str, Any], say: Words) -> str:
    label = say(f"against.{'year' if name == 'year_before' else name}")
    if row["class"] == "regime_break":
        return say("rate.regime", against=label)
    if row["value_before"] is None or row["difference"] is None:
        return say("rate.nobefore", against=label)
    sure = row["difference_lower"] > 0 or row["difference_upper"] < 0
    words = "rate.moved" if sure else "rate.same"
    return say(
        words,
        against=label,
        value=f"{row['value_before']:.1%}",
        difference=f"{100 * row['difference']:+.1f}",
        lower=f"{100 * row['difference_lower']:+.1f}",
        upper=f"{100 * row['difference_upper']:+.1f}",
    )


def funnel(result: Result, drawing: Drawing) -> list[Any]:
    """Draw each unit's on-time rate by its number of cases, within the control limits of chance."""
    say = drawing.say
    shown = result.table.drop_nulls("value").sort("n")
    layer = _layer_of(result, drawing)
    names = names_of(drawing.reader, layer) if layer else {}
    label = [say.spell(str(names.get(place) or place)) for place in shown["place"].to_list()]
    apart = [one not in ("within", "below_95", "above_95") for one in shown["class"].to_list()]
    lines = [
        go.Scatter(
            x=shown["n"].to_list(),
            y=shown[name].to_list(),
            mode="lines",
            line={"color": QUIET, "dash": dash, "width": 1.2},
            hoverinfo="skip",
        )
        for name, dash in (("lower_998", "solid"), ("upper_998", "solid"), ("lower_95", "dot"), ("upper_95", "dot"))
    ]
    dots = go.Scatter(
        x=shown["n"].to_list(),
        y=shown["value"].to_list(),
        mode="markers",
        marker={"size": 9, "color": [ACCENT if one else SERIES[0] for one in apart]},
        text=label,
        hovertemplate="%{text}<br>%{y:.1%} · %{x:,d}<extra></extra>",
    )
    axes = {
        "yaxis": {"tickformat": ".0%", "rangemode": "normal", "nticks": 6},
        "xaxis": {"title": {"text": say("funnel.cases")}},
        "margin": {"l": 46, "r": 8, "t": 8, "b": 40},
    }
    outside = [
        html.Li(asking(name, layer=layer, place=place, tab="places") if layer else name)
        for name, place, far in zip(label, shown["place"].to_list(), apart, strict=True)
        if far
    ]
    told = html.Ul(outside, className="cm-list") if outside else html.P(say("funnel.none"), className="cm-note")
    return [chart([*lines, dots], alt=say("funnel.alt"), height=300, axes=axes), html.P(say("funnel.outside"), className="cm-prose"), told]


def _layer_of(result: Result, drawing: Drawing) -> str:
    places = set(result.table["place"].to_list())
    units = [one.id for one in drawing.reader.layers() if one.kind == "unit"]
    return next((one for one in units if places <= set(names_of(drawing.reader, one))), "")


def dwell(result: Result, drawing: Drawing) -> list[Any]:
    """Show the median stay in each stage in working hours, with how many are still in it."""
    say = drawing.say
    head = [say("col.stage"), say("dwell.median"), say("dwell.interval"), say("dwell.ended"), say("dwell.going_on")]
    rows = []
    for row in result.table.to_dicts():
        span = "—" if row["lower"] is None else f"{row['lower']:.1f} – {'…' if row['upper'] is None else format(row['upper'], '.1f')}"
        median = "—" if row["value"] is None else f"{row['value']:.1f}"
        rows.append([_stage(row["stage"], say), median, span, number(row["stays_n"]), number(row["going_on_n"])])
    return [table(head, rows, identity="dwell-table")]


def _stage(stage: str | None, say: Words) -> str:
    return say(f"stage.{stage}") if stage in STAGES else "—"


def burn_down(result: Result, drawing: Drawing) -> list[Any]:
    """Draw how many targets of each campaign are left, week by week."""
    say = drawing.say
    parts: list[Any] = []
    for name in result.table["name"].unique(maintain_order=True).to_list():
        rows = result.table.filter(pl.col("name") == name).sort("week_on")
        line = go.Scatter(
            x=rows["week_on"].to_list(),
            y=rows["left_n"].to_list(),
            mode="lines",
            line={"color": ACCENT, "shape": "hv"},
            fill="tozeroy",
            hovertemplate="%{x|%Y-%m-%d}<br>%{y:,d}<extra></extra>",
        )
        last = rows.row(-1, named=True)
        told = say("burn.left", left=int(last["left_n"]), total=int(last["left_n"] + rows["done_n"][-1]))
        parts += [
            html.H3([say.spell(name), html.Small(told)]),
            chart([line], alt=say("burn.alt", name=say.spell(name)), height=200, axes={"xaxis": {"tickformat": "%Y-%m"}}),
        ]
    return parts


def meetings(result: Result, drawing: Drawing) -> list[Any]:
    """Count by unit which meeting each matter is advised to go to; advice, not decision."""
    say = drawing.say
    wide = {tier: dict(result.table.filter(pl.col("class") == tier).select("place", "n").iter_rows()) for tier in _TIERS}
    places = sorted(set(result.table["place"].to_list()))
    layer = _layer_of(result, drawing)
    names = names_of(drawing.reader, layer) if layer else {}
    rows = [
        {"place": place, "name": say.spell(str(names.get(place) or place)), **{tier: wide[tier].get(place, 0) for tier in _TIERS}}
        for place in places
    ]
    right = {"type": "rightAligned", "width": 96}
    columns = [
        column("name", say("col.place"), flex=1, minWidth=120, tooltipField="name"),
        *(column(tier, say(f"tier.{tier}"), **right) for tier in _TIERS),
    ]
    totals = say("meeting.totals", **{tier: sum(wide[tier].values()) for tier in _TIERS})
    return [html.P(totals, className="cm-verdict"), html.Div(grid("meetings-grid", columns, rows, say), className="cm-places")]
