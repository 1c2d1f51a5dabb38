"""Charts: plotly figures in the page's colours, spoken for those who cannot see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go
from dash import dcc, html

ACCENT: Final = "#d9822b"
QUIET: Final = "#8fa3bd"
SERIES: Final = ("#2f86d3", "#d9822b", "#1c9e77", "#a05195", "#8a6d3b", "#c2185b")
"""Colours of series that stay apart under red-green blindness."""

_CONFIG: Final[Any] = {"displayModeBar": False, "displaylogo": False, "showTips": False, "responsive": True}


def chart(traces: Sequence[Any], *, alt: str, height: int = 160, axes: Mapping[str, Any] | None = None, identity: str = "") -> Any:
    """Build a chart.

    Parameters
    ----------
    traces : sequence of plotly traces
    alt : str
        What the chart shows, in a sentence.
    height : int, pixels
    axes : mapping, optional
        More of plotly's layout; ``xaxis`` and ``yaxis`` are laid over the usual ones.
    identity : str
        Id of the component, where a click on it is answered.
    """
    more = dict(axes or {})
    usual_x = {"fixedrange": True, "showgrid": False, "nticks": 6, "automargin": False} | more.pop("xaxis", {})
    usual_y = {"fixedrange": True, "rangemode": "tozero", "nticks": 4, "tickformat": ",d"} | more.pop("yaxis", {})
    layout = {
        "height": height, "margin": {"l": 40, "r": 8, "t": 8, "b": 24}, "bargap": 0.15, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "font": {"family": "inherit", "size": 11}, "dragmode": False, "showlegend": False,
        "hoverlabel": {"font": {"family": "inherit"}}, "xaxis": usual_x, "yaxis": usual_y,
    } | more  # fmt: skip
    named: dict[str, Any] = {"id": identity} if identity else {}
    graph = dcc.Graph(figure=go.Figure(list(traces), layout=layout), config=_CONFIG, style={"height": height}, **named)
    spoken: dict[str, Any] = {"aria-label": alt}
    return html.Div(graph, className="cm-chart", role="img", **spoken)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "", numbers_from: int = 1, identity: str = "") -> Any:
    """Build a plain table; the columns from `numbers_from` on hold numbers."""
    cells = [
        html.Tr([html.Td(cell, className="n" if at >= numbers_from else "") for at, cell in enumerate(row)], key=str(index))
        for index, row in enumerate(rows)
    ]
    first = html.Tr([html.Th(one, scope="col", className="n" if at >= numbers_from else "") for at, one in enumerate(head)])
    parts = [*([html.Caption(caption)] if caption else []), html.Thead(first), html.Tbody(cells)]
    named: dict[str, Any] = {"id": identity} if identity else {}
    spoken: dict[str, Any] = {"aria-label": caption or ", ".join(str(one) for one in head)}
    return html.Div(html.Table(parts, className="cm-table cm-small", **named), className="cm-scroll", tabIndex="0", role="region", **spoken)
