"""Tables of handling: rates by category and by source, and what is advised to go on the street's table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
from dash import html

from cloudmap.dashboard.charts import table
from cloudmap.dashboard.evidence import stated
from cloudmap.dashboard.grids import column, grid
from cloudmap.dashboard.ground import names_of
from cloudmap.dashboard.refusals import own_units, reason
from cloudmap.dashboard.text import Words, number
from cloudmap.errors import AccessError, AnalysisError

if TYPE_CHECKING:
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.drawing import Drawing

COMPARED: Final = ("closing", "on_time")
"""Indicators that the tables by category and by source show."""
TABLED: Final = 100
"""Matters that the meeting's list shows."""
_HALLS: Final = ("community", "village", "street")
"""Levels that name where a matter lies, the finest first."""


def rates_by(drawing: Drawing) -> list[Any]:
    """Build the closed tables of rates by category and by source; units are not among them, they are compared by funnel only."""
    say, reader = drawing.say, drawing.reader
    names = {
        "category_code": {one.code: say.name(one) for one in reader.categories()},
        "source_id": {one.id: say.name(one) for one in reader.city.sources},
    }
    parts: list[Any] = []
    for key, statistic in (("category_code", "handling_by_category"), ("source_id", "handling_by_source")):

        def ask(statistic: str = statistic) -> Result:
            return reader.statistic(statistic, category=drawing.category.code, period=drawing.period.id)

        def show(result: Result, key: str = key) -> list[Any]:
            return [_rates(result.table, key, names[key], say)]

        parts.append(html.Details([html.Summary(say(f"rates.by.{key}")), *stated(ask, show, drawing.category.scored, say)]))
    return parts


def _rates(rows: pl.DataFrame, key: str, names: dict[str, str], say: Words) -> Any:
    head = [say(f"col.{'category' if key == 'category_code' else 'source'}"), *(say(f"indicator.{one}") for one in COMPARED)]
    cells = {(row[key], row["indicator"]): row for row in rows.to_dicts()}
    order = [one for one in names if any((one, name) in cells for name in COMPARED)]
    return table(head, [[names[one], *(_cell(cells.get((one, name)), say) for name in COMPARED)] for one in order])


def _cell(row: dict[str, Any] | None, say: Words) -> Any:
    if row is None or row.get("masked") or row["value"] is None:
        return "—"
    title = say("rate.of", k=int(row["numerator_n"]), n=int(row["denominator_n"]), lower=f"{row['lower']:.1%}", upper=f"{row['upper']:.1%}")
    return html.Span([f"{row['value']:.1%} ", html.Small(f"{number(row['numerator_n'])} / {number(row['denominator_n'])}")], title=title)


def street_table(drawing: Drawing) -> list[Any]:
    """List what is advised to go to the street's joint meeting, with the reasons, for who may see single reports."""
    say, reader = drawing.say, drawing.reader
    head = html.H3(say("meeting.table"))
    try:
        rows = reader.cases.table_of_meeting("street", drawing.category.code, drawing.period.id, limit=TABLED)
    except (AccessError, AnalysisError) as error:
        return [head, html.P(reason(error, say, scored=drawing.category.scored), className="cm-note")]
    above = [head, *own_units(reader, say)]
    if rows.height == 0:
        return [*above, html.P(say("meeting.none"), className="cm-note")]
    codes = {one.code: say.name(one) for one in reader.categories()}
    zone = reader.city.city.timezone
    days = rows["occurred_at"].dt.convert_time_zone(zone).dt.strftime("%Y-%m-%d").to_list()
    listed = [
        {
            "category": codes.get(row["category_code"], row["category_code"]),
            "place": _place(row, drawing),
            "day": day,
            "why": say("list.join").join(say(f"advice.{one}") for one in row["reasons"] or []),
            "id": row["report_id"],
        }
        for row, day in zip(rows.to_dicts(), days, strict=True)
    ]
    columns = [
        column("category", say("col.category"), width=96, tooltipField="category"),
        column("place", say("col.place"), width=112, tooltipField="place"),
        column("why", say("col.why"), flex=1, minWidth=170, tooltipField="why"),
        column("day", say("col.day"), width=96),
        column("id", say("col.report"), width=120, tooltipField="id"),
    ]
    shown = html.Small(say("meeting.first" if rows.height == TABLED else "overdue.all", n=rows.height))
    above[0] = html.H3([say("meeting.table"), shown])
    return [*above, html.Div(grid("meeting-grid", columns, listed, say), className="cm-overdue")]


def _place(row: dict[str, Any], drawing: Drawing) -> str:
    """Name the unit of a matter: its community or village, else its street; nothing where it has none."""
    for level in _HALLS:
        code = row.get(f"unit_{level}_code")
        if code and any(one.id == f"unit_{level}" for one in drawing.reader.layers()):
            return drawing.say.spell(str(names_of(drawing.reader, f"unit_{level}").get(code) or code))
    return ""
