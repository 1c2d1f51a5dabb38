"""The risk card: what was tried against what, on which measures, and whether the learner is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import polars as pl
from dash import html

from cloudmap.dashboard.charts import ACCENT, QUIET, chart, table
from cloudmap.errors import AccessError, AnalysisError

if TYPE_CHECKING:
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.drawing import Drawing
    from cloudmap.dashboard.text import Words

_SCORES = ("deviance", "pai", "pei_star", "hit_share", "coverage_share")


def risk_card(result: Result, drawing: Drawing) -> list[Any]:
    """Build the card: the verdict in a sentence, the scores of each model, and the calibration by tenth."""
    say = drawing.say
    models = result.table
    shipped = models.filter(pl.col("shipped"))["model"].to_list()
    names = say("matters.and").join(_model(one, say) for one in shipped)
    verdict = say("risk.shipped", names=names) if shipped else say("risk.unshipped")
    head = [say("risk.model"), *(say(f"risk.{one}") for one in _SCORES), say("risk.difference")]
    rows = [[_model(row["model"], say), *(_score(row, one) for one in _SCORES), _difference(row)] for row in models.iter_rows(named=True)]
    parts = [html.P(verdict, className="cm-verdict", id="risk-verdict"), table(head, rows, identity="risk-models")]
    return [*parts, html.P(say("risk.note"), className="cm-note"), *_calibration(shipped, drawing)]


def _calibration(shipped: list[str], drawing: Drawing) -> list[Any]:
    """Draw forecast against outcome of the model in use by tenth of the places."""
    say = drawing.say
    try:
        table = drawing.reader.statistic("risk_calibration", category=drawing.category.code).table
    except (AccessError, AnalysisError):
        return []
    tenths = table.filter(pl.col("model") == (shipped[0] if shipped else table["model"][0])).sort("decile")
    if tenths.height == 0:
        return []
    x, most = tenths["decile"].to_list(), max(*tenths["expected_n"].to_list(), *tenths["observed_n"].to_list())
    traces = [
        go.Bar(
            x=x,
            y=tenths["observed_n"].to_list(),
            marker={"color": QUIET},
            name=say("risk.observed"),
            hovertemplate="%{y:.2f}<extra></extra>",
        ),
        go.Scatter(
            x=x,
            y=tenths["expected_n"].to_list(),
            mode="lines+markers",
            line={"color": ACCENT},
            name=say("risk.forecast"),
            hovertemplate="%{y:.2f}<extra></extra>",
        ),
    ]
    axes = {
        "showlegend": True,
        "legend": {"orientation": "h", "y": 1.12, "x": 0},
        "margin": {"l": 40, "r": 8, "t": 26, "b": 38},
        "yaxis": {"range": [0, most * 1.1], "tickformat": "~g"},
        "xaxis": {"title": {"text": say("risk.decile")}, "dtick": 1},
    }
    return [html.H3(say("risk.calibration")), chart(traces, alt=say("risk.calibration.alt"), height=220, axes=axes)]


def _model(name: str, say: Words) -> str:
    return say(f"model.{name}") if say.has(f"model.{name}") else name


def _score(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return "—"
    return f"{value:.0%}" if name.endswith("_share") else f"{value:.3g}"


def _difference(row: dict[str, Any]) -> str:
    if row.get("difference") is None:
        return "—"
    return f"{row['difference']:+.3g} ({row['lower']:+.3g} … {row['upper']:+.3g})"
