"""Two periods side by side: the map with a swipe, and beside it what changed place by place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dash import html

from cloudmap.dashboard.change_cards import cards
from cloudmap.dashboard.comparing import differences, earlier_period, regime_between
from cloudmap.dashboard.drawing import Drawing, period_words
from cloudmap.dashboard.grids import column, grid
from cloudmap.dashboard.ground import ground, names_of
from cloudmap.dashboard.place import place
from cloudmap.dashboard.text import Words, number

if TYPE_CHECKING:
    import polars as pl

    from cloudmap.access.reader import Reader
    from cloudmap.dashboard.view import View

TOP = 200
"""Places that the table lists."""


def content(view: View, reader: Reader, say: Words) -> Any:
    """Build the panel: the two totals, what forbids the comparison, and the places by how much they changed."""
    if view.place:
        return place(view, reader, say)
    if view.tab == "cards":
        return cards(view, reader, say)
    earlier = earlier_period(reader, view.period, view.against)
    head: list[Any] = [html.H2(say("nav.compare"))]
    if earlier is None:
        return [*head, html.P(say("compare.none"), className="cm-warn")]
    asked = {"measure": view.measure, "category": view.category, "within": view.within}
    layer = ground(reader, view.layer)
    drawings = [Drawing(reader, layer, asked | {"period": one}, say) for one in (view.period, earlier)]
    (now, _), (before, _) = (one.result() for one in drawings)
    if now is None or before is None:
        return [*head, *drawings[0 if now is None else 1].refused(view)]
    table = differences(drawings[0].within_unit(now.table), drawings[1].within_unit(before.table))
    head += _regime(reader, earlier, view, say)
    if view.measure == "count":
        head.append(_totals(table, [period_words(one.period, say) for one in drawings], say))
    return [*head, html.P(say("compare.note"), className="cm-note"), *_table(table, view, reader, say)]


def _regime(reader: Reader, earlier: str, view: View, say: Words) -> list[Any]:
    change = regime_between(reader, earlier, view.period)
    if change is None:
        return []
    return [
        html.P(
            say("compare.regime", week=str(change["first_week_on"]), name=change["name"] or say(f"regime.{change['kind']}")),
            className="cm-warn",
            id="regime-banner",
        )
    ]


def _totals(table: pl.DataFrame, periods: list[str], say: Words) -> Any:
    cards = []
    for name, period in (("before", periods[1]), ("value", periods[0])):
        label = say("compare.before" if name == "before" else "compare.now")
        cards.append(html.Div([html.Dt(f"{label} · {period}"), html.Dd(number(int(table[name].sum() or 0)), id=f"compare-{name}")]))
    return html.Dl(cards, className="cm-facts")


def _table(table: pl.DataFrame, view: View, reader: Reader, say: Words) -> list[Any]:
    names = names_of(reader, view.layer)
    masked = say("legend.masked")
    rows = [
        {
            "place": row["place"],
            "name": say.spell(names.get(row["place"]) or row["place"]),
            "value": masked if row["masked"] else _shown(row["value"]),
            "before": masked if row["masked"] else _shown(row["before"]),
            "change": None if row["change"] is None else _shown(row["change"]),
        }
        for row in table.head(TOP).to_dicts()
    ]
    right = {"type": "rightAligned", "width": 72}
    columns = [
        column("name", say("col.place"), flex=2, minWidth=120, tooltipField="name"),
        column("before", say("compare.before"), **right),
        column("value", say("compare.now"), **right),
        column("change", say("compare.change"), **right),
    ]
    selection = {"mode": "singleRow", "enableClickSelection": True, "checkboxes": False}
    cut = say("compare.top", n=len(rows), total=table.height)
    head = html.H3([say("panel.places"), html.Small(cut)])
    return [head, html.Div(grid("places-grid", columns, rows, say, rowSelection=selection), className="cm-places")]


def _shown(value: float | None) -> float | int | None:
    if value is None:
        return None
    return int(value) if float(value).is_integer() else round(value, 2)
