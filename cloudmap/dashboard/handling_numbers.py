"""Five numbers of handling: what is open, overdue and due soon, and the two rates that answer for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
from dash import html

from cloudmap.dashboard.evidence import stated
from cloudmap.dashboard.text import Words, number
from cloudmap.dashboard.view import named_layer

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.drawing import Drawing
    from cloudmap.dashboard.view import View

LIGHTS: Final = {"overdue_n": "#c62828", "yellow_n": "#e0a100", "green_n": "#1c7c54"}
RATES: Final = ("closing", "on_time")


def numbers(view: View, drawing: Drawing) -> list[Any]:
    """Build the five numbers of the picked place, else of the unit that the map is drilled into, else of the city.

    Parameters
    ----------
    view : View
    drawing : Drawing
        Of that view.
    """
    reader, say = drawing.reader, drawing.say
    layer, place = _where(view)

    def cases() -> Result:
        return reader.statistic("overdue", layer=layer or named_layer(reader), category=view.category, period=view.period)

    def rates() -> Result:
        if place:
            return reader.statistic("handling", layer=layer, category=view.category, period=view.period)
        return reader.statistic("handling_before", category=view.category, period=view.period)

    scored = drawing.category.scored
    counted = stated(cases, lambda result: _counts(_of(result, place), say), scored, say)
    if place and not layer.startswith("unit_"):
        rated = []  # Rates are of units: a cell or a micro-grid can be one person.
    else:
        rated = stated(rates, lambda result: _rates(_of(result, place), reader, say), scored, say)
    cards = [one for one in [*counted, *rated] if _is_card(one)]
    said = {str(one.children): one for one in [*counted, *rated] if not _is_card(one)}
    return [html.Div(cards, className="cm-five", id="handling-five"), _legend(say), *said.values()]


def _legend(say: Words) -> Any:
    """Say what the lights mean."""
    lights = [
        html.Span([html.I(className="cm-light", style={"background": colour}), say(f"light.{name}.means")])
        for name, colour in LIGHTS.items()
    ]
    return html.P([*lights, html.Span(say("light.hours"))], className="cm-note cm-legend-lights", id="lights")


def _where(view: View) -> tuple[str, str]:
    if view.place:
        return view.layer, view.place
    layer, _, unit = view.within.partition("~")
    return layer, unit


def _of(result: Result, place: str) -> pl.DataFrame:
    return result.table.filter(pl.col("place") == place) if place else result.table


def _is_card(one: Any) -> bool:
    return getattr(one, "className", "").startswith("cm-number")


def _counts(rows: pl.DataFrame, say: Words) -> list[Any]:
    hidden = "masked" in rows.columns and rows["masked"].any()
    named = {"n": "handling.open", "overdue_n": "light.overdue_n", "yellow_n": "light.yellow_n"}
    cards = []
    for column, label in named.items():
        shown = say("legend.masked") if hidden else number(int(rows[column].sum() or 0))
        light = [html.I(className="cm-light", style={"background": LIGHTS[column]})] if column in LIGHTS else []
        more = [] if hidden or column != "n" else [html.Small(say("light.in_time", n=int(rows["green_n"].sum() or 0)))]
        late = " late" if column == "overdue_n" else ""
        cards.append(
            html.Div([html.Strong(shown, id=f"handling-{column}"), html.Span([*light, say(label)]), *more], className="cm-number" + late)
        )
    return cards


def _rates(rows: pl.DataFrame, reader: Reader, say: Words) -> list[Any]:
    cards = []
    for name in RATES:
        found = rows.filter(pl.col("indicator") == name)
        if found.height == 0:
            continue
        row = found.row(0, named=True)
        if row["value"] is None:
            told = f"rate.{row['class']}"
            shown, facts, title = "—", say(told, k=reader.city.privacy.min_staff) if say.has(told) else "", ""
        else:
            part = {"k": int(row["numerator_n"]), "n": int(row["denominator_n"])}
            shown, facts = f"{row['value']:.1%}", say("rate.part", **part)
            title = say("rate.of", **part, lower=f"{row['lower']:.1%}", upper=f"{row['upper']:.1%}")
        parts = [html.Strong(shown, id=f"handling-{name}"), html.Span(say(f"indicator.{name}")), html.Small(facts)]
        cards.append(html.Div(parts, className="cm-number", title=title))
    return cards
