"""The table that every number of the situation's sentences comes from: a row for each component of each unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dash import html

from cloudmap.access.views import ALL
from cloudmap.analytics.periods import parse_period
from cloudmap.dashboard.browser import asking
from cloudmap.dashboard.drawing import period_words
from cloudmap.dashboard.text import Words
from cloudmap.publish.situation_text import number_in_text, situation_words

if TYPE_CHECKING:
    from cloudmap.analytics.result import Result

GIVEN: Final = "given"
"""The row that tells what the numbers were made with: weeks, interval, distances."""
_RATIO: Final = ("volume", "water")
"""Components whose change is a ratio to what was expected."""
_SIGNED: Final = {"share": 100.0, "per_matter": 1.0}


def row_key(place: str | None, component: str | None) -> str:
    """Name a row, so that a number of a sentence can point to it."""
    return f"{place} {component}" if place and component else GIVEN


def pointing(text: str, keys: list[str]) -> Any:
    """Build a button that shows rows of the table; ``assets/situation.js`` answers it."""
    more: dict[str, Any] = {"data-rows": "|".join(keys)}
    return html.Button(text, className="cm-ask", type="button", **more)


def situation_table(result: Result, names: Mapping[str, str], leads: Mapping[str, Mapping[str, str]], place: str, say: Words) -> Any:
    """Build the table, closed until a number is pressed.

    Parameters
    ----------
    result : Result
        Of `analytics.situation.situation`.
    names : mapping of str to str
        Unit to its name in the script of the page.
    leads : mapping
        Component to the part of an address that shows it on a map.
    place : str
        Keep the rows of this unit and of the city; "" keeps every unit.
    say : Words
    """
    rows = [row for row in result.table.to_dicts() if not place or row["place"] in (place, ALL)]
    components = list(dict.fromkeys(row["component"] for row in rows))
    layer = str(result.parameters.get("layer", ""))
    heads = [say(f"standing.{name}") for name in ("n", "value", "beside", "change")]
    head = html.Tr([html.Th(say("col.place"), scope="col"), *(html.Th(one, scope="col", className="n") for one in heads)])
    parts: list[Any] = []
    for component in components:
        title = html.Th(asking(say(f"component.{component}"), **leads[component]), colSpan=5, scope="colgroup", className="cm-group")
        own = [row for row in rows if row["component"] == component]
        own.sort(key=lambda row: row["place"] != ALL)
        parts.append(html.Tbody([html.Tr(title), *(_row(row, names, layer, say) for row in own)]))
    table = html.Table([html.Thead(head), *parts], className="cm-table cm-small", id="situation-table")
    spoken: dict[str, Any] = {"aria-label": say("standing.table")}
    scrolled = html.Div(table, className="cm-scroll cm-situation", tabIndex="0", role="region", **spoken)
    return html.Details([html.Summary(say("standing.table")), scrolled, _given(result, say)], id="situation-rows")


def _row(row: dict[str, Any], names: Mapping[str, str], layer: str, say: Words) -> Any:
    code, component = row["place"], row["component"]
    name = say("map.home") if code == ALL else names.get(code, code)
    shown = html.B(name) if code == ALL or not layer else asking(name, layer=layer, place=code)
    cells = ["—"] * 4 if row.get("masked") else [_counted(row, say), _value(row), _beside(row, say), _change(row)]
    more: dict[str, Any] = {"data-row": row_key(code, component), "tabIndex": "-1"}
    first = html.Th([shown, html.Span(_told(row, say), className=f"cm-direction {row['direction']}")], scope="row")
    return html.Tr([first, *(html.Td(cell, className="n") for cell in cells)], **more)


def _told(row: dict[str, Any], say: Words) -> str:
    """Say the direction, or why there is none, and whether the unit stands apart from the others."""
    reason = situation_words(say.language).get(f"reason.{row['reason']}") if row["reason"] else None
    apart = say("standing.below") if row["apart"] == "below" else ""
    return " · ".join(one for one in (reason or say(f"direction.{row['direction']}"), apart) if one)


def _number(row: dict[str, Any], column: str) -> str:
    return "—" if row[column] is None else number_in_text(row[column], column, row["unit"])


def _counted(row: dict[str, Any], say: Words) -> str:
    of = "" if row["denominator_n"] is None else f" / {_number(row, 'denominator_n')}"
    total = "" if row["total"] is None else f" · {say('standing.points', n=_number(row, 'total'))}"
    return f"{_number(row, 'n')}{of}{total}"


def _value(row: dict[str, Any]) -> list[Any]:
    span = "" if row["lower"] is None and row["upper"] is None else f"{_number(row, 'lower')} – {_number(row, 'upper')}"
    return _spanned(_number(row, "value"), span)


def _spanned(value: str, span: str) -> list[Any]:
    return [value, html.Small(span)] if span else [value]


def _beside(row: dict[str, Any], say: Words) -> str:
    if row["component"] in _RATIO:
        return "—" if row["expected"] is None else say("standing.expected", n=_number(row, "expected"))
    return _number(row, "before")


def _change(row: dict[str, Any]) -> list[Any]:
    """Write the difference to the weeks compared with; of a count its ratio to what was expected, which volume has as its value."""
    change, lower, upper = row["change"], row["change_lower"], row["change_upper"]
    if change is None or row["component"] == "volume":
        return ["—"]
    if row["component"] in _RATIO:
        return _spanned(f"×{change:.2f}", "" if lower is None or upper is None else f"{lower:.2f} – {upper:.2f}")
    scale = _SIGNED[row["unit"]]
    digits = 1 if row["unit"] == "share" else 2
    span = "" if lower is None or upper is None else f"{_signed(scale * lower, digits)} – {_signed(scale * upper, digits)}"
    return _spanned(_signed(scale * change, digits), span)


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def _given(result: Result, say: Words) -> Any:
    told = result.parameters
    more: dict[str, Any] = {"data-row": GIVEN, "tabIndex": "-1"}
    words = say(
        "standing.given",
        weeks=_weeks(told.get("weeks"), say),
        against=_weeks(told.get("against_weeks"), say),
        percent=f"{float(str(told.get('confidence', 0.95))):.0%}",
        days=str(told.get("recurrence_days")),
        metres=str(told.get("water_m")),
        staff=str(told.get("min_staff")),
    )
    return html.P(words, className="cm-note", **more)


def _weeks(period: object, say: Words) -> str:
    return period_words(parse_period(period), say) if isinstance(period, str) else "—"
