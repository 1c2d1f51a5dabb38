"""Pictures of results: an interactive figure for notebooks and pages, and maps for paper."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

import polars as pl

from cloudmap.errors import AnalysisError
from cloudmap.publish.legend import HOT_COLOUR
from cloudmap.publish.maps import map_png, map_svg
from cloudmap.publish.place_figure import draw

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from cloudmap.analytics.result import Result

__all__ = ["draw", "map_png", "map_svg", "plot"]

PLACES_MAX: Final = 25
"""Places that a bar chart of a result names; the rest is in its table."""

_GREY: Final = "#8c96a3"
_BLUE: Final = "#2166ac"


def plot(result: Result) -> Figure:
    """Draw a result as an interactive figure: what was counted, and which places stand out.

    Parameters
    ----------
    result : Result
        Hotspots are drawn as count against count around, by verdict; weeks as a line; other values as bars of the largest places;
        tables without places by their classes, or by n. `draw` shows places on the ground.

    Returns
    -------
    plotly.graph_objects.Figure
        Title: method and period; below it the denominator. Masked places are left out and counted in the title.

    Raises
    ------
    AnalysisError
        The table has neither places, weeks, classes nor n.

    Examples
    --------
    >>> figure = cm.plot(cm.statistic(city, "effort"))
    >>> figure.data[0].name
    'reports_n'
    """
    table = result.table
    masked_n = int(table["masked"].sum()) if "masked" in table.columns else 0
    shown = table.filter(~pl.col("masked")) if masked_n else table
    if "week_on" in table.columns:
        figure = _weeks(shown)
    elif {"class", "n", "neighbourhood_n", "z", "q"} <= set(table.columns):
        figure = _verdicts(shown)
    elif {"place", "value"} <= set(table.columns):
        figure = _largest(shown)
    elif "n" in table.columns or "class" in table.columns:
        figure = _counted(shown)
    else:
        raise AnalysisError(
            f"result {result.method!r}: its table has neither places, weeks, classes nor n; have {', '.join(table.columns)}"
        )
    span = f", {result.parameters['period']}" if result.parameters.get("period") else ""
    hidden = f"; {masked_n} places masked" if masked_n else ""
    figure.update_layout(
        title={"text": f"{result.method}{span}<br><sub>{result.denominator}{hidden}</sub>"},
        template="plotly_white",
        font={"family": "Noto Sans CJK SC, Microsoft YaHei, PingFang SC, sans-serif"},
        margin={"l": 60, "r": 20, "t": 80, "b": 50},
    )
    return figure


def _verdicts(table: pl.DataFrame) -> Figure:
    from plotly import graph_objects as go

    figure = go.Figure()
    for value, name, colour in (("not_significant", "not significant 不显著", _GREY), ("hot", "hotspot 热点", HOT_COLOUR)):
        part = table.filter(pl.col("class") == value)
        figure.add_scatter(
            x=part["n"].to_list(),
            y=part["neighbourhood_n"].to_list(),
            mode="markers",
            name=f"{name} ({part.height})",
            marker={"color": colour, "size": 8 if value == "hot" else 5, "opacity": 0.75},
            customdata=[(escape(place), q) for place, q in part.select("place", "q").iter_rows()],
            hovertemplate="%{customdata[0]}<br>n = %{x}, around = %{y}<br>q = %{customdata[1]:.2g}<extra></extra>",
        )
    figure.update_xaxes(title="n in the place 本格件数")
    figure.update_yaxes(title="n with its neighbours 连同邻格件数")
    return figure


def _weeks(table: pl.DataFrame) -> Figure:
    from plotly import graph_objects as go

    column = next(name for name in ("value", "n", "matters_n", "reports_n") if name in table.columns)
    weekly = table.group_by("week_on").agg(pl.col(column).sum()).sort("week_on")
    figure = go.Figure()
    figure.add_scatter(x=weekly["week_on"].to_list(), y=weekly[column].to_list(), mode="lines", line={"color": _BLUE}, name=column)
    figure.update_xaxes(title="week 周")
    figure.update_yaxes(title=column, rangemode="tozero")
    return figure


def _largest(table: pl.DataFrame) -> Figure:
    from plotly import graph_objects as go

    largest = table.drop_nulls("value").sort(["value", "place"], descending=[True, False]).head(PLACES_MAX).reverse()
    figure = go.Figure()
    figure.add_bar(x=largest["value"].to_list(), y=[escape(place) for place in largest["place"]], orientation="h", marker={"color": _BLUE})
    figure.update_xaxes(title="value 数值")
    figure.update_yaxes(type="category")
    return figure


def _counted(table: pl.DataFrame) -> Figure:
    """Bars of rows by class, or of n by what the rows are of."""
    from plotly import graph_objects as go

    figure = go.Figure()
    if "class" in table.columns:
        key, amount = "class", "rows"
        bars = table.drop_nulls("class").group_by("class").agg(rows=pl.len())
    else:
        key, amount = next((name for name, kind in table.schema.items() if kind == pl.String), table.columns[0]), "n"
        bars = table.group_by(key).agg(pl.col("n").sum())
    bars = bars.sort(amount, key, descending=[True, False]).head(PLACES_MAX).reverse()
    figure.add_bar(x=bars[amount].to_list(), y=[escape(str(one)) for one in bars[key]], orientation="h", marker={"color": _BLUE})
    figure.update_xaxes(title=amount)
    figure.update_yaxes(type="category")
    return figure
