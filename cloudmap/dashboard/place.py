"""The panel of one place: its numbers, its verdict in words, and its reports."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl
from dash import html

from cloudmap.access.views import ALL
from cloudmap.dashboard.browser import asking
from cloudmap.dashboard.charts import ACCENT, QUIET, chart
from cloudmap.dashboard.drawing import Drawing, period_words, verdict_words
from cloudmap.dashboard.grids import column, grid
from cloudmap.dashboard.ground import finer, ground
from cloudmap.dashboard.matters import matters
from cloudmap.dashboard.refusals import own_units, reason
from cloudmap.dashboard.text import Words, number
from cloudmap.dashboard.view import View
from cloudmap.errors import AccessError, AnalysisError

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.access.views import Category, PlaceView
    from cloudmap.analytics.periods import AnyPeriod

CATEGORIES: Final = 12
"""Categories that the table shows."""
WEEKS: Final = 105
"""Weeks that the chart shows."""
REPORTS: Final = 500
"""Reports that the table lists, newest first."""


def place(view: View, reader: Reader, say: Words) -> Any:
    """Build the panel of the view's place."""
    try:
        seen = reader.place(view.layer, view.place, view.period, view.category)
    except AnalysisError:
        return html.P(say("panel.unknown"), className="cm-note")
    period = reader.period(view.period)
    category = next(one for one in reader.categories() if one.code == view.category)
    parts = [
        *_head(seen, category, view, reader, say),
        html.Div(_verdicts(seen, view, reader, say), className="cm-verdicts"),
        html.H3([say("panel.by_week"), html.Small(say.name(category))]),
        _weeks(seen.by_week, period, say),
        html.H3([say("panel.by_category"), html.Small(period_words(period, say))]),
        _categories(seen.by_category, reader, say),
    ]
    return [*parts, *matters(view, reader, say), *_reports(view, reader, say)]


def _head(seen: PlaceView, category: Category, view: View, reader: Reader, say: Words) -> list[Any]:
    cell = view.layer.startswith("cell_")
    code = f"{say('panel.cell')} {seen.place}" if cell else say("panel.code", code=seen.place)
    head = [html.H2(say.spell(seen.name), className="cm-place-name"), html.P(code, className="cm-dim")]
    row = reader.values(view.layer, view.category, view.period, "count").table.row(by_predicate=pl.col("place") == view.place, named=True)
    n = say("legend.masked") if row["masked"] else number(row["value"])
    headline = html.Div(
        [html.Strong(n, id="place-total"), html.Span(say("panel.chosen", category=say.name(category)))], className="cm-headline"
    )
    reports_n = row.get("reports_n")
    told = [html.P(say("panel.told", n=reports_n), className="cm-dim", id="place-reports-n")] if reports_n is not None else []
    every = [html.P(say("panel.all", n=seen.total_n), className="cm-dim")] if view.category != ALL else []
    note = [html.P(say("panel.area_note", n=seen.area_only_n), className="cm-note")] if seen.area_only_n else []
    return [*head, headline, *told, *every, *note, *_way_in(seen.name, view, reader, say)]


def _way_in(name: str, view: View, reader: Reader, say: Words) -> list[Any]:
    """Offer to drill the map into a unit, where something finer lies in it."""
    if not view.layer.startswith("unit_"):
        return []
    within = f"{view.layer}~{view.place}"
    below = finer(reader, view.layer, within)
    if below is None:
        return []
    label = say("panel.enter", name=say.spell(name), layer=say.name(ground(reader, below)))
    return [asking(label, within=within, layer=below, place="")]


def _verdicts(seen: PlaceView, view: View, reader: Reader, say: Words) -> list[Any]:
    verdicts = []
    if reader.exposure_kind != "none":
        verdicts.append(html.P(_ratio(view, reader, say), id="place-ratio"))
    spot = seen.hotspot
    if spot is None or spot.get("class") is None:
        verdicts.append(html.P(say("panel.noverdict"), id="place-verdict"))
    elif spot["q"] is None:
        verdicts.append(html.P(say("panel.untested"), id="place-verdict"))
    elif not say.has(f"panel.{spot['class']}"):
        verdicts.append(html.P(say(f"legend.{spot['class']}"), id="place-verdict"))
    else:
        words = say(f"panel.{spot['class']}", n=int(spot["neighbourhood_n"]), q=f"{spot['q']:.2g}")
        verdicts.append(html.P(words, id="place-verdict", className=f"cm-{spot['class']}"))
    return [*verdicts, *_drawn(view, reader, say)]


def _drawn(view: View, reader: Reader, say: Words) -> list[Any]:
    """Say what the map's own measure tells of the place, where it is more than a count, a ratio or a significance."""
    if view.measure in ("count", "ratio", "hotspot"):
        return []
    asked = {"measure": view.measure, "category": view.category, "period": view.period}
    result, why = Drawing(reader, ground(reader, view.layer), asked, say).result()
    if result is None:
        return [html.P(why)]
    row = result.table.filter(pl.col("place") == view.place)
    verdict = verdict_words(row, view.measure, say)
    return (
        [html.P(say("panel.drawn", measure=say(f"measure.{view.measure}"), verdict=verdict[0]), id="place-drawn")]
        if verdict and verdict[0]
        else []
    )


def _ratio(view: View, reader: Reader, say: Words) -> str:
    category = next(one for one in reader.categories() if one.code == view.category)
    try:
        table = reader.values(view.layer, view.category, view.period, "ratio").table
    except (AccessError, AnalysisError) as error:
        return reason(error, say, scored=category.scored)
    row = table.row(by_predicate=pl.col("place") == view.place, named=True)
    if row["masked"]:
        return say("legend.masked")
    if row["value"] is None:
        return say("panel.ratio.low")
    return say("panel.ratio", value=f"{row['value']:.2f}", n=int(row["n"]), expected=f"{row['expected']:.1f}")


def _weeks(by_week: pl.DataFrame, period: AnyPeriod, say: Words) -> Any:
    """Draw a bar a week around the period, two years at most; masked weeks are left open."""
    first_week, last_week = (day - timedelta(days=day.weekday()) for day in (period.first_on, period.last_on))
    last = min(by_week["week_on"].to_list()[-1], last_week + timedelta(weeks=26)) if by_week.height else last_week
    by_week = by_week.filter(pl.col("week_on").is_between(last - timedelta(weeks=WEEKS - 1), last))
    chosen = by_week["week_on"].is_between(first_week, last_week)
    shown = [say("legend.masked") if masked else number(n) for n, masked in by_week.select("n", "masked").iter_rows()]
    bars = go.Bar(
        x=by_week["week_on"].to_list(),
        y=by_week["n"].to_list(),
        marker={"color": [ACCENT if one else QUIET for one in chosen], "line": {"width": 0}},
        customdata=[[f"{week:%Y-%m-%d}", n] for week, n in zip(by_week["week_on"], shown, strict=True)],
        hovertemplate="%{customdata[0]}<br>%{customdata[1]}<extra></extra>",
    )
    return chart([bars], alt=say("panel.weeks_alt"), height=150, axes={"xaxis": {"tickformat": "%Y-%m"}}, identity="weeks-chart")


def _categories(by_category: pl.DataFrame, reader: Reader, say: Words) -> Any:
    some = by_category.filter(pl.col("masked") | (pl.col("n") > 0)).sort("masked", "n", descending=[False, True], nulls_last=True)
    if some.height == 0:
        return html.P(say("panel.none"), className="cm-note")
    names = {category.code: say.name(category) for category in reader.categories()}
    most = max(some["n"].drop_nulls().to_list(), default=1)
    rows = [_bar(row, names, most, say) for row in some.head(CATEGORIES).to_dicts()]
    more = some.height - CATEGORIES
    rest = [html.P(say("panel.more", n=more), className="cm-dim")] if more > 0 else []
    return html.Div([html.Table(html.Tbody(rows), className="cm-bars", id="place-categories"), *rest])


def _bar(row: dict[str, Any], names: dict[str, str], most: int, say: Words) -> Any:
    width = "100%" if row["masked"] else f"{100 * row['n'] / most:.1f}%"
    bar = html.Td(html.Div(style={"width": width}, className="masked" if row["masked"] else ""), className="bar")
    n = say("legend.masked") if row["masked"] else number(row["n"])
    name = names.get(row["category_code"], row["category_code"])
    return html.Tr([html.Th(asking(name, category=row["category_code"]), scope="row"), bar, html.Td(n, className="n")])


def _reports(view: View, reader: Reader, say: Words) -> list[Any]:
    try:
        frame = reader.reports(view.layer, view.place, view.period, view.category, limit=REPORTS)
    except AccessError as error:
        return [html.H3(say("panel.reports")), html.P(reason(error, say), className="cm-note")]
    note = say("panel.reports.cut", n=REPORTS) if frame.height >= REPORTS else say("panel.reports.n", n=frame.height)
    head = html.H3([say("panel.reports"), html.Small(note, id="report-count")])
    own = own_units(reader, say)
    if frame.height == 0:
        return [head, *own, html.P(say("panel.reports.none"), className="cm-note")]
    names = {category.code: say.name(category) for category in reader.categories()}
    zone = reader.city.city.timezone
    times = [pl.col(name).dt.convert_time_zone(zone).dt.strftime("%Y-%m-%d %H:%M") for name in ("occurred_at", "reported_at", "closed_at")]
    rows = frame.select("report_id", "category_code", *times, "state", "position").to_dicts()
    for row in rows:
        row["category"] = names.get(row["category_code"], row["category_code"])
        row["state"] = say(f"state.{row['state']}") if say.has(f"state.{row['state']}") else row["state"]
        row["position"] = say(f"position.{row['position']}") if say.has(f"position.{row['position']}") else row["position"]
    columns = [
        column("category", say("col.category"), width=120, tooltipField="category"),
        column("occurred_at", say("col.occurred"), width=136),
        column("state", say("col.state"), width=80),
        column("closed_at", say("col.closed"), width=136),
        column("reported_at", say("col.reported"), width=136),
        column("position", say("col.position"), width=80),
        column("report_id", say("col.report"), width=170, tooltipField="report_id"),
    ]
    return [head, *own, html.Div(grid("reports-grid", columns, rows, say), className="cm-reports")]
