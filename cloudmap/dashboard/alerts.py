"""Tables of warnings: clusters of the scan, alarms by unit and category group, and near-repeats."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
from dash import html

from cloudmap.dashboard.charts import table
from cloudmap.dashboard.grids import column, grid
from cloudmap.dashboard.ground import names_of
from cloudmap.dashboard.text import number

if TYPE_CHECKING:
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.drawing import Drawing

_RIGHT = {"type": "rightAligned"}


def clusters(result: Result, drawing: Drawing) -> list[Any]:
    """Build the table of scan clusters, the strongest first; a row leads to its centre on the map."""
    say = drawing.say
    rows = []
    for row in result.table.sort("cluster_n").iter_rows(named=True):
        hidden = bool(row.get("masked"))
        rows.append(
            {
                "place": row["centre"],
                "name": number(row["cluster_n"]),
                "value": say(f"legend.{row['class']}") if row["class"] else "",
                "weeks": _weeks(row["first_week_on"], row["last_week_on"]),
                "n": say("legend.masked") if hidden else row["n"],
                "expected": None if hidden or row["expected"] is None else round(row["expected"], 1),
                "ratio": None if hidden or row["ratio"] is None else round(row["ratio"], 2),
                "p": row["p"] if row["p"] is None else round(row["p"], 4),
                "places_n": row["places_n"],
                "radius": None if row["radius_m"] is None else round(row["radius_m"]),
            }
        )
    columns = [
        column("name", say("col.cluster"), width=48, minWidth=48),
        column("value", say("col.value.hotspot"), flex=1, minWidth=84, tooltipField="value"),
        column("weeks", say("col.weeks"), width=146),
        column("n", say("col.n"), width=60, **_RIGHT),
        column("expected", say("col.expected"), width=62, **_RIGHT),
        column("ratio", say("col.ratio"), width=58, **_RIGHT),
        column("p", say("col.p"), width=62, headerTooltip=say("tip.p"), **_RIGHT),
        column("places_n", say("col.places"), width=76, **_RIGHT),
        column("radius", say("col.radius"), width=92, **_RIGHT),
    ]
    selection = {"mode": "singleRow", "enableClickSelection": True, "checkboxes": False}
    return [html.Div(grid("places-grid", columns, rows, say, rowSelection=selection), className="cm-places")]


def _weeks(first: date, last: date) -> str:
    """Write a span of weeks, named by their Mondays, to its last day; the year of its end only where it is another one."""
    end = last + timedelta(days=6)
    return f"{first} – {end:%m-%d}" if first.year == end.year else f"{first} – {end}"


def alarms(result: Result, drawing: Drawing) -> list[Any]:
    """Build the table of alarms, newest first, above how many were looked at."""
    say, reader = drawing.say, drawing.reader
    raised = result.table.filter(pl.col("class") == "alarm")
    untold = int((result.table["class"] == "not_enough_data").sum())
    words = say("stat.alarms.n", n=raised.height, tested=result.table.height - untold, untold=untold)
    head = html.P(words, className="cm-prose", id="alarms-n")
    if raised.height == 0:
        return [head]
    layer = str(result.parameters.get("layer") or drawing.layer.id)
    names = names_of(reader, layer)
    categories = {one.code: say.name(one) for one in reader.categories()}
    rows = [
        {
            "name": say.spell(names.get(row["place"]) or row["place"]),
            "category": categories.get(row["category_code"], row["category_code"]),
            "week": str(row["week_on"]),
            "n": row["n"],
            "upper": None if row["upper"] is None else round(row["upper"], 1),
            "expected": None if row["expected"] is None else round(row["expected"], 1),
            "method": say(f"option.{row['method']}") if say.has(f"option.{row['method']}") else "",
        }
        for row in raised.sort("week_on", "n", descending=True).iter_rows(named=True)
    ]
    columns = [
        column("name", say("col.place"), flex=1, minWidth=110, tooltipField="name"),
        column("category", say("col.category"), width=110, tooltipField="category"),
        column("n", say("col.n"), width=66, **_RIGHT),
        column("upper", say("col.upper"), width=76, **_RIGHT),
        column("expected", say("col.expected"), width=76, **_RIGHT),
        column("week", say("col.week"), width=100),
        column("method", say("col.method"), width=130, tooltipField="method"),
    ]
    return [head, html.Div(grid("alarms-grid", columns, rows, say), className="cm-places")]


def near_repeat(result: Result, drawing: Drawing) -> list[Any]:
    """Build the near-repeat table: rows of distance, columns of days, the ratio to chance in each; strong ones stand out."""
    say = drawing.say
    frame = result.table
    spans = frame.select("days_from", "days_to").unique().sort("days_from").rows()
    bands = frame.select("distance_from_m", "distance_to_m").unique().sort("distance_from_m").rows()
    cells = {(row["distance_from_m"], row["days_from"]): row for row in frame.iter_rows(named=True)}

    def cell(band: float, span: float) -> Any:
        row = cells.get((band, span))
        if row is None or row["ratio"] is None:
            return "—"
        strong = row["p"] is not None and row["p"] <= 0.05 and row["ratio"] > 1
        title = say("stat.near_repeat.cell", observed=number(row["observed_n"]), expected=f"{row['expected_n']:.0f}", p=f"{row['p']:.3g}")
        return html.Span(f"{row['ratio']:.2f}", title=title, className="cm-strong" if strong else "")

    head = [say("stat.near_repeat.head"), *(say("stat.near_repeat.days", first=f"{first:g}", last=f"{last:g}") for first, last in spans)]
    rows = [
        [say("stat.near_repeat.m", first=f"{near:g}", last=f"{far:g}"), *(cell(near, first) for first, _ in spans)] for near, far in bands
    ]
    return [table(head, rows, identity="near-repeat-table"), html.P(say("stat.near_repeat.note"), className="cm-note")]
