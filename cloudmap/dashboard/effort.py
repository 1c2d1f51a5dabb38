"""Who reports: the weekly effort of each source with its regimes, how complete the last weeks are, and the silent cells."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

import plotly.graph_objects as go
import polars as pl
from dash import dcc, html

from cloudmap.access.views import ALL
from cloudmap.dashboard.charts import ACCENT, QUIET, SERIES, chart, table
from cloudmap.dashboard.evidence import caveats, stated
from cloudmap.dashboard.text import Words, number
from cloudmap.errors import AccessError, AnalysisError

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.view import View

ARRIVED: Final = 0.9
"""Share of a week's reports that must have come in for the week to be tested (as `analytics.effort`)."""
_MASKED = "rgba(140,120,160,0.28)"


def effort(reader: Reader, say: Words) -> list[Any]:
    """Build a chart of weekly reports and active reporters a source; regimes are marked, weeks that are not in yet are shaded."""

    def show(result: Result) -> list[Any]:
        regimes, late = _regimes(reader), _late(reader)
        sources = [ALL, *sorted(set(result.table["source_id"].to_list()) - {ALL})]
        charts = [_source(one, result.table, regimes, late, reader, say) for one in sources]
        notes = html.P(say("effort.masked", n=late) if late else say("effort.complete"), className="cm-note", id="effort-masked")
        return [notes, html.Div(charts, className="cm-charts"), *_regime_table(regimes, reader, say), *caveats(result, say)]

    head = [html.H2(say("effort.title"), id="effort"), html.P(say("effort.intro"), className="cm-prose")]
    return [*head, *stated(lambda: reader.statistic("effort"), show, True, say)]


def completeness(reader: Reader, say: Words) -> list[Any]:
    """Build the chart of the share of a week's reports that have come in, by weeks since."""

    def show(result: Result) -> list[Any]:
        traces = []
        for at, source in enumerate(sorted(set(result.table["source_id"].to_list()))):
            rows = result.table.filter(pl.col("source_id") == source).sort("weeks_since")
            traces.append(
                go.Scatter(
                    x=rows["weeks_since"].to_list(),
                    y=rows["arrived_share"].to_list(),
                    mode="lines+markers",
                    name=_name(source, reader, say),
                    line={"color": SERIES[at % len(SERIES)]},
                    hovertemplate=say("completeness.hover") + "<extra></extra>",
                )
            )
        axes = {
            "showlegend": True,
            "legend": {"orientation": "h", "y": 1.16, "x": 0},
            "margin": {"l": 46, "r": 8, "t": 30, "b": 38},
            "yaxis": {"tickformat": ".0%", "range": [0, 1.04]},
            "xaxis": {"title": {"text": say("completeness.weeks")}, "dtick": 1},
        }
        return [chart(traces, alt=say("completeness.alt"), height=260, axes=axes)]

    head = [html.H2(say("completeness.title")), html.P(say("completeness.intro"), className="cm-prose")]
    return [*head, *stated(lambda: reader.statistic("completeness"), show, True, say)]


def silence(view: View, reader: Reader, say: Words) -> list[Any]:
    """Count the silent cells and lead to their map."""

    def show(result: Result) -> list[Any]:
        silent, never = (int((result.table["class"] == one).sum()) for one in ("silent", "never_reported"))
        line = html.Div([html.Strong(number(silent), id="silent-n"), html.Span(say("legend.silent"))], className="cm-headline")
        query = "?" + urlencode({"page": "hotspots", "measure": "silent", "lang": view.lang, "period": view.period})
        link = dcc.Link(say("silence.map"), href=query, className="cm-link")
        return [line, html.P(say("silence.never", n=never), className="cm-prose"), html.P(link)]

    head = [html.H2(say("silence.title")), html.P(say("silence.intro"), className="cm-prose")]
    return [*head, *stated(lambda: reader.statistic("silent", period=view.period), show, True, say)]


def _source(source: str, table: pl.DataFrame, regimes: list[dict[str, Any]], late: int, reader: Reader, say: Words) -> Any:
    rows = table.filter(pl.col("source_id") == source).sort("week_on")
    weeks: list[date] = rows["week_on"].to_list()
    reports = go.Scatter(
        x=weeks,
        y=rows["reports_n"].to_list(),
        mode="lines",
        line={"color": QUIET, "width": 1.6},
        fill="tozeroy",
        name=say("effort.reports"),
        hovertemplate="%{x|%Y-%m-%d}<br>%{y:,d}<extra>" + say("effort.reports") + "</extra>",
    )
    active = go.Scatter(
        x=weeks,
        y=rows["active_reporters_n"].to_list(),
        mode="lines",
        line={"color": ACCENT, "width": 1.6},
        name=say("effort.reporters"),
        hovertemplate="%{y:,d}<extra>" + say("effort.reporters") + "</extra>",
    )
    shapes = [_mark(one) for one in regimes if one["source_id"] in (source, ALL) and one["kind"] != "first"]
    if late and weeks:
        shapes.append(_shade(weeks[-late:]))
    axes = {
        "shapes": shapes,
        "yaxis": {"type": "log", "tickformat": ",d", "rangemode": "normal", "dtick": 1},
        "xaxis": {"tickformat": "%Y-%m"},
        "hovermode": "x unified",
    }
    lag = rows["lag_median_h"].drop_nulls()
    facts = say("effort.lag", median=number(round(float(cast(float, lag.median() or 0))))) if len(lag) else ""
    split = say("effort.split", resident=int(rows["resident_n"].sum() or 0), staff=int(rows["staff_n"].sum() or 0))
    head = html.H3([_name(source, reader, say), html.Small(f"{split} {facts}")])
    return html.Div([head, chart([reports, active], alt=say("effort.alt", name=_name(source, reader, say)), height=190, axes=axes)])


def _mark(regime: dict[str, Any]) -> dict[str, Any]:
    dash = "solid" if regime["kind"] == "declared" else "dot"
    at = str(regime["first_week_on"])
    return {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": {"color": "#c2185b", "width": 1.5, "dash": dash}}


def _shade(weeks: list[date]) -> dict[str, Any]:
    first, last = str(weeks[0] - timedelta(days=3)), str(weeks[-1] + timedelta(days=4))
    return {"type": "rect", "x0": first, "x1": last, "yref": "paper", "y0": 0, "y1": 1, "fillcolor": _MASKED, "line": {"width": 0}}


def _regime_table(regimes: list[dict[str, Any]], reader: Reader, say: Words) -> list[Any]:
    """Write the regimes out: since when, how many reports a week, and the fold to the regime before."""
    if not regimes:
        return []
    head = [
        say("regime.source"),
        say("regime.kind"),
        say("regime.name"),
        say("regime.first_week"),
        say("regime.last"),
        say("regime.rate"),
        say("regime.fold"),
        say("regime.reporters_fold"),
    ]
    rows = [
        [
            _name(one["source_id"], reader, say),
            say(f"regime.{one['kind']}"),
            say.spell(one["name"]) if one["name"] else "—",
            str(one["first_week_on"]),
            str(one["last_week_on"] or "—"),
            _fold(one["reports_per_week"]),
            _fold(one["fold"]),
            _fold(one["reporters_fold"]),
        ]
        for one in regimes
    ]
    return [
        html.H3(say("regime.title")),
        html.P(say("regime.intro"), className="cm-prose"),
        table(head, rows, numbers_from=5, identity="regimes"),
    ]


def _fold(value: float | None) -> str:
    return "—" if value is None else f"{value:,.1f}"


def _regimes(reader: Reader) -> list[dict[str, Any]]:
    try:
        found = reader.statistic("regimes").table
    except (AccessError, AnalysisError):
        return []
    return found.sort("source_id", "first_week_on").to_dicts()


def _late(reader: Reader) -> int:
    """Tell how many of the last weeks are masked for reporting lag."""
    try:
        arrived = reader.statistic("completeness").table
    except (AccessError, AnalysisError):
        return 0
    return arrived.filter((pl.col("source_id") == ALL) & (pl.col("arrived_share") < ARRIVED)).height


def _name(source: str, reader: Reader, say: Words) -> str:
    if source == ALL:
        return say("effort.all")
    names = {one.id: say.name(one) for one in reader.city.sources}
    return names.get(source, source)
