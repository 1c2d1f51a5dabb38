"""How a result was made: its method in words, what it was given, its family, its power and its caveats."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dash import html

from cloudmap.dashboard.charts import table
from cloudmap.dashboard.drawing import Drawing, period_words
from cloudmap.dashboard.refusals import refused
from cloudmap.dashboard.text import Words, number
from cloudmap.errors import AccessError, AnalysisError

if TYPE_CHECKING:
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.view import View


def evidence(drawing: Drawing) -> list[Any]:
    """Build the panel that tells how the map was made.

    Parameters
    ----------
    drawing : Drawing
    """
    say = drawing.say
    result, _ = drawing.result()
    parts = [html.H2(say(f"measure.{drawing.measure}")), html.P(say(f"method.{drawing.measure}"), className="cm-prose")]
    if result is None:
        return [*parts, *drawing.refused()]
    parts += [html.H3(say("method.family")), html.P(drawing.denominator(result, result.table.height), className="cm-prose")]
    return [*parts, *given(result, drawing), *_power(drawing), *caveats(result, say)]


def given(result: Result, drawing: Drawing) -> list[Any]:
    """List what the method was given, by names that have words."""
    say = drawing.say
    rows = [
        html.Div([html.Dt(say(f"param.{name}")), html.Dd(_value(name, value, drawing))])
        for name, value in result.parameters.items()
        if say.has(f"param.{name}")
    ]
    where = result.provenance
    rows += [html.Div([html.Dt(say("param.load")), html.Dd(number(drawing.reader.analysed_load))])]
    rows += [html.Div([html.Dt(say("param.base_map")), html.Dd(str(where.get("base_map_version", drawing.reader.base_map_version))[:8])])]
    return [html.H3(say("method.given")), html.Dl(rows, className="cm-facts")]


def caveats(result: Result, say: Words) -> list[Any]:
    """List the caveats of a result."""
    known = [say(f"caveat.{one}") for one in result.caveats if say.has(f"caveat.{one}")]
    return [html.H3(say("method.caveats")), html.Ul([html.Li(one) for one in known], className="cm-list", id="caveats")] if known else []


def tab(name: str, layer: str | None, view: View, drawing: Drawing, show: Callable[[Result, Drawing], list[Any]]) -> list[Any]:
    """Build the panel of a page's tab: its title, the statistic it shows, and the caveats.

    Parameters
    ----------
    name : str
        The statistic.
    layer : str or None
        What it is asked of; None for its own layer.
    view : View
    drawing : Drawing
        Of the view.
    show : callable
        Builds the panel of a result that has rows.
    """
    say = drawing.say

    def ask() -> Result:
        return drawing.reader.statistic(name, layer=layer, category=view.category, period=view.period)

    def build(result: Result) -> list[Any]:
        return [*show(result, drawing), *caveats(result, say)]

    head = [html.H2(say(f"stat.{view.tab}")), html.P(say(f"stat.{view.tab}.intro"), className="cm-prose")]
    return [*head, *stated(ask, build, drawing.category.scored, say, view)]


def stated(ask: Callable[[], Result], show: Callable[[Result], list[Any]], scored: bool, say: Words, view: View | None = None) -> list[Any]:
    """Show a statistic, or say why there is none.

    Parameters
    ----------
    ask : callable
        Gives the result; may raise AnalysisError or AccessError.
    show : callable
        Builds the panel of a result that has rows.
    scored : bool
        Whether the chosen category is one that may be scored.
    say : Words
    view : View, optional
        What is looked at, so that no way on leads to where one is.
    """
    try:
        result = ask()
    except (AccessError, AnalysisError) as error:
        return refused(error, say, scored=scored, view=view)
    if result.table.height == 0:
        return [html.P(say("stat.none"), className="cm-note"), *caveats(result, say)]
    return show(result)


def _power(drawing: Drawing) -> list[Any]:
    """Tell how often a real rise would be found; for the significance map only, whose power is measured."""
    if drawing.measure != "hotspot":
        return []
    say, reader = drawing.say, drawing.reader

    def show(result: Result) -> list[Any]:
        risks = sorted(result.table["risk"].unique().to_list())
        spans = sorted(result.table["weeks_n"].unique().to_list())
        share = {(row["weeks_n"], row["risk"]): row["found_share"] for row in result.table.iter_rows(named=True)}
        rows = [[say("power.weeks", n=int(weeks)), *(_percent(share.get((weeks, risk))) for risk in risks)] for weeks in spans]
        head = [say("power.pooled"), *(say("power.times", n=f"{risk:g}") for risk in risks)]
        return [html.P(say("power.intro"), className="cm-prose"), table(head, rows, identity="power-table")]

    def ask() -> Result:
        return reader.statistic("power", layer=drawing.layer.id, category=drawing.category.code, period=drawing.period.id)

    return [html.H3(say("method.power")), *stated(ask, show, drawing.category.scored, say)]


def _percent(share: float | None) -> str:
    return "—" if share is None else f"{share:.0%}"


def _value(name: str, value: object, drawing: Drawing) -> str:
    say = drawing.say
    named = {"layer": say.name(drawing.layer), "category": drawing.about, "period": period_words(drawing.period, say)}
    if name in named:
        return named[name]
    if isinstance(value, bool):
        return say("option.yes" if value else "option.no")
    if isinstance(value, int):
        return str(value) if name == "seed" else number(value)
    if isinstance(value, float):
        return f"{value:g}"
    text = "—" if value is None else str(value)
    return say(f"option.{text}") if say.has(f"option.{text}") else text
