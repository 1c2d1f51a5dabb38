"""How the city stands: five numbers, sentences whose numbers show their rows, what changed, and the table behind; no score, no rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
from dash import html

from cloudmap.access.views import ALL
from cloudmap.dashboard.browser import asking
from cloudmap.dashboard.change_cards import leading
from cloudmap.dashboard.evidence import caveats, stated
from cloudmap.dashboard.ground import name_of, names_of
from cloudmap.dashboard.situation_table import GIVEN, pointing, row_key, situation_table
from cloudmap.dashboard.text import Words, number
from cloudmap.publish.situation_text import situation_text

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.view import View
    from cloudmap.publish.linked_text import Number, Sentence

FIVE: Final = ("volume", "timeliness", "recurrence", "silence", "water")
"""Components that the first page shows as numbers; the text and the table have all seven."""
BANNERS: Final = ("banner", "masked")
"""Sentences that stand above the numbers: nothing may be compared, weeks are not in yet."""
OPENING: Final = ("(", "（")
CLOSING: Final = frozenset("),.;%），。；、：")
"""Marks that stay on the line of the number they stand beside."""
LEADS: Final[dict[str, dict[str, str]]] = {
    "volume": {"page": "compare"},
    "severity": {"page": "handling", "tab": "rates"},
    "timeliness": {"page": "handling", "tab": "rates"},
    "recurrence": {"page": "hotspots", "tab": "near_repeat"},
    "emerging_area": {"page": "hotspots", "measure": "emerging"},
    "silence": {"page": "hotspots", "measure": "silent"},
    "water": {"page": "water"},
}
"""Where a number of a component leads to."""


def standing(view: View, reader: Reader, say: Words) -> list[Any]:
    """Build the panel, of the city or of the unit that the map is drilled into.

    Parameters
    ----------
    view : View
    reader : Reader
    say : Words
    """
    layer, _, unit = view.within.partition("~")

    def show(result: Result) -> list[Any]:
        rows = {row["component"]: row for row in result.table.filter(pl.col("place") == (unit or ALL)).to_dicts()}
        five = [_card(name, rows[name], say) for name in FIVE if name in rows]
        names = _names(result, reader, say)
        told = situation_text(result, language=say.language, names=names)
        parts = [*_banners(told), html.Div(five, className="cm-five", id="five")]
        if not unit:
            parts += [_sentences(told, say), *leading(view, reader, say)]
        return [*parts, situation_table(result, names, LEADS, unit, say), *_small(result, say)]

    def ask() -> Result:
        return reader.statistic("situation", layer=layer or None, period=view.period)

    when = f"{reader.now.astimezone(reader.city.zone):%Y-%m-%d %H:%M}"
    title = say.spell(name_of(reader, view.within)) if view.within else say("nav.cloud")
    head = html.H2([title, html.Small(say("badge.now", when=when), className="cm-data-age")])
    return [head, *stated(ask, show, True, say)]


def _names(result: Result, reader: Reader, say: Words) -> dict[str, str]:
    layer = str(result.parameters.get("layer", ""))
    return {place: say.spell(name) if name else place for place, name in names_of(reader, layer).items()} if layer else {}


def _banners(told: list[Sentence]) -> list[Any]:
    """Put what forbids a comparison, and weeks that are not in yet, above everything."""
    return [html.P(_linked(one), className="cm-warn", id=f"situation-{one.key}", role="status") for one in told if one.key in BANNERS]


def _small(result: Result, say: Words) -> list[Any]:
    known = caveats(result, say)
    return [html.Details([html.Summary(say("method.caveats")), *known[1:]])] if known else []


def _card(name: str, row: dict[str, Any], say: Words) -> Any:
    direction = row["direction"]
    shown = html.Strong(_value(row))
    lead = asking(say(f"component.{name}"), **LEADS[name])
    return html.Div(
        [shown, html.Span(lead), html.Em(say(f"direction.{direction}"), className=f"cm-direction {direction}")], className="cm-number"
    )


def _value(row: dict[str, Any]) -> str:
    if row.get("masked"):
        return "—"
    if row["component"] in ("volume", "silence"):
        return number(row["n"])
    if row["value"] is None:
        return "—"
    return f"{row['value']:.1%}" if row["unit"] == "share" else f"{row['value']:.2f}"


def _sentences(told: list[Sentence], say: Words) -> Any:
    lines = [html.Li(_linked(one)) for one in told if one.key not in BANNERS]
    return html.Details([html.Summary(say("standing.text")), html.Ol(lines, className="cm-sentences", id="situation-text")], open=True)


def _linked(sentence: Sentence) -> list[Any]:
    """Make every number of a sentence a way to the rows of the table that it comes from; no line breaks between it and its marks."""
    parts: list[Any] = []
    text, at = sentence.text, 0
    for one in sorted(sentence.numbers, key=lambda number: number.start):
        start = one.start - 1 if text[at : one.start].endswith(OPENING) else one.start
        end = one.end + 1 if text[one.end : one.end + 1] in CLOSING else one.end
        button = pointing(text[one.start : one.end], _rows(one, sentence))
        parts += [text[at:start], html.Span([text[start : one.start], button, text[one.end : end]], className="cm-whole")]
        at = end
    return [*parts, text[at:]]


def _rows(one: Number, sentence: Sentence) -> list[str]:
    """Name the row of a number; a count of rows has the rows of its component that the sentence speaks of."""
    if one.column != "rows":
        return [row_key(one.place, one.component)]
    counted = [row_key(*row) for row in sentence.rows if one.component in (None, row[1])]
    return counted or [GIVEN]
