"""Panels of handling: lights, overdue cases, rates with intervals, funnel, stays, burn-down, meetings. Units are compared, never ranked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl
from dash import html

from cloudmap.dashboard.browser import asking
from cloudmap.dashboard.charts import ACCENT, QUIET, SERIES, chart, table
from cloudmap.dashboard.grids import column, grid
from cloudmap.dashboard.ground import names_of
from cloudmap.dashboard.refusals import own_units, reason
from cloudmap.dashboard.text import Words, number
from cloudmap.errors import AccessError, AnalysisError
from cloudmap.schema import STAGES

if TYPE_CHECKING:
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.drawing import Drawing
    from cloudmap.dashboard.view import View

LISTED: Final = 200
"""Overdue cases that the list of a place shows."""
_TIERS: Final = ("microgrid", "hall", "street")


def overdue_list(view: View, drawing: Drawing) -> list[Any]:
    """List the overdue cases of a place, the longest overdue first, for who may see them."""
    say, reader = drawing.say, drawing.reader
    head = html.H3(say("stat.overdue"))
    try:
        rows = reader.cases.overdue_list(view.layer, view.place, view.category, limit=LISTED)
    except (AccessError, AnalysisError) as error:
        return [head, html.P(reason(error, say, scored=drawing.category.scored), className="cm-note")]
    own = own_units(reader, say)
    if rows.height == 0:
        return [head, *own, html.P(say("stat.overdue.none"), className="cm-note")]
    names = {one.code: say.name(one) for one in reader.categories()}
    due = rows["due_at"].dt.convert_time_zone(reader.city.city.timezone).dt.strftime("%Y-%m-%d %H:%M").to_list()
    listed = [
        {
            "category": names.get(row["category_code"], row["category_code"]),
            "due": at,
            "late": (reader.now - row["due_at"]).days,
            "stage": _stage(row["stage"], say),
            "id": row["report_id"],
        }
        for row, at in zip(rows.to_dicts(), due, strict=True)
    ]
    columns = [
        column("category", say("col.category"), flex=1, minWidth=110, tooltipField="category"),
        column("due", say("col.due"), width=136),
        column("late", say("col.late"), width=84, type="rightAligned"),
        *([column("stage", say("col.stage"), width=90)] if rows["stage"].is_in(STAGES).any() else []),
        column("id", say("col.report"), flex=1, minWidth=110, tooltipField="id"),
    ]
    shown = say("overdue.longest" if rows.height == LISTED else "overdue.all", n=rows.height)
    table_of_cases = html.Div(grid("overdue-grid", columns, listed, say), className="cm-overdue")
    return [html.H3([say("stat.overdue"), html.Small(shown)]), *own, table_of_cases]


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
    counts = {name: int((result.table["class"] == name).sum()) for name in ("too_few_staff", "not_enough_data")}
    least = drawing.reader.city.privacy.min_staff
    untold = [html.P(say(f"funnel.{name}", n=n, k=least), className="cm-note") for name, n in counts.items() if n]
    if shown.height == 0:
        return untold
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
        for place, name, far in sorted(zip(shown["place"].to_list(), label, apart, strict=True))
        if far
    ]
    told = html.Ul(outside, className="cm-list") if outside else html.P(say("funnel.none"), className="cm-note")
    return [
        chart([*lines, dots], alt=say("funnel.alt"), height=300, axes=axes),
        html.P(say("funnel.outside"), className="cm-prose"),
        told,
        *untold,
    ]


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
    return [*_stays(result, say), table(head, rows, identity="dwell-table")]


def _stays(result: Result, say: Words) -> list[Any]:
    """Draw the medians with their intervals, the stages in their order from the top."""
    shown = result.table.drop_nulls("value")
    if shown.height == 0:
        return []
    middle = shown["value"].to_list()
    upper = [mid if high is None else high for mid, high in zip(middle, shown["upper"].to_list(), strict=True)]
    lower = [mid if low is None else low for mid, low in zip(middle, shown["lower"].to_list(), strict=True)]
    bars = go.Scatter(
        x=middle,
        y=[_stage(one, say) for one in shown["stage"].to_list()],
        mode="markers",
        marker={"size": 9, "color": ACCENT},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - mid for high, mid in zip(upper, middle, strict=True)],
            "arrayminus": [mid - low for low, mid in zip(lower, middle, strict=True)],
            "color": QUIET,
            "thickness": 1.6,
        },
        hovertemplate="%{y}: %{x:.1f}<extra></extra>",
    )
    axes = {
        "xaxis": {"title": {"text": say("dwell.median")}, "rangemode": "tozero", "tickformat": ",d", "showgrid": True},
        "yaxis": {
            "autorange": "reversed",
            "automargin": True,
            "nticks": 12,
            "tickformat": "",
            "ticks": "outside",
            "ticklen": 9,
            "tickcolor": "rgba(0,0,0,0)",
        },
        "margin": {"l": 72, "r": 8, "t": 8, "b": 40},
    }
    return [chart([bars], alt=say("dwell.alt"), height=64 + 28 * shown.height, axes=axes)]


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
        first, last = rows.row(0, named=True), rows.row(-1, named=True)
        told = say("burn.left", left=int(last["left_n"]), total=int(first["left_n"] + first["done_n"]))
        known = result.parameters.get(name)
        zero_on = known.get("zero_on") if isinstance(known, Mapping) else None
        done = [html.P(say("burn.zero", day=str(zero_on)), className="cm-verdict")] if zero_on else []
        parts += [
            html.H3([say.spell(name), html.Small(told)]),
            *done,
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
