"""Why a number is not shown, in the words of the page, and the way on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dash import html

from cloudmap.analytics.periods import WholeWeeksOnly
from cloudmap.dashboard.browser import asking
from cloudmap.dashboard.ground import names_of
from cloudmap.errors import AccessError, CloudmapError, Refusal

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.dashboard.text import Words
    from cloudmap.dashboard.view import View

_ALL: Final = {"category": "ALL", "place": ""}
_COUNT: Final = {"page": "cloud", "measure": "count", "place": ""}
_USUAL: Final = {"layer": "", "place": ""}
_WHOLE: Final = {"page": "quality"}

WAYS: Final[dict[Refusal, tuple[str, dict[str, str]]]] = {
    "empty": ("all", _ALL),
    "few_places": ("layer", _USUAL),
    "incoming": ("quality", _WHOLE),
    "masked": ("all", _ALL),
    "no_exposure": ("count", _COUNT),
    "not_tested": ("all", _ALL),
    "outside": ("period", {"period": ""}),
    "restricted": ("all", _ALL),
    "short_history": ("quality", _WHOLE),
    "sparse": ("all", _ALL),
    "unscored": ("count", _COUNT),
    "wrong_layer": ("layer", _USUAL),
}
"""Refusal to the name of its way on, and the fields of the view that lead there; an empty field stands for the usual one.

What only an administrator can mend has no way on: its words say what to ask for.
"""


def reason(error: CloudmapError, say: Words, *, scored: bool = True) -> str:
    """Say why a measure or a statistic is not shown.

    Parameters
    ----------
    error : CloudmapError
        Its code names the words. One that has none is told by its own message on the English page, and in general words elsewhere.
    say : Words
    scored : bool, default True
        Whether the chosen category is one that may be scored; where it is not, nothing else is worth saying.
    """
    code = _code(error, scored)
    if code:
        return say(f"refusal.{code}")
    return say("map.unavailable") + (f" {error}" if say.language == "en" else "")


def refused(error: CloudmapError, say: Words, *, scored: bool = True, view: View | None = None) -> list[Any]:
    """Say why something is not shown, with a button that leads on, unless the view is there already.

    Parameters
    ----------
    error, say, scored
        As for `reason`.
    view : View, optional
    """
    parts: list[Any] = [html.P(reason(error, say, scored=scored), className="cm-warn")]
    name, fields = _way(error, scored)
    there = view is not None and all(getattr(view, field) == value for field, value in fields.items())
    if name and not there:
        parts.append(html.P(asking(say(f"way.{name}"), **fields), className="cm-way"))
    return parts


def way_on(error: CloudmapError, say: Words, *, scored: bool = True) -> dict[str, Any] | None:
    """Return the way on of a refusal for the map to offer: label, and the fields of the view; None where there is none."""
    name, fields = _way(error, scored)
    return {"label": say(f"way.{name}"), "ask": fields} if name else None


def own_note(reader: Reader, say: Words) -> str:
    """Say that only the own units' single reports are listed; nothing for who sees everybody's."""
    units = reader.audience.units
    if not units:
        return ""
    names: dict[str, str | None] = {}
    for layer in reader.layers():
        if layer.kind == "unit":
            names |= names_of(reader, layer.id)
    return say("rows.own", units=say("list.join").join(say.spell(names.get(unit) or unit) for unit in units))


def own_units(reader: Reader, say: Words) -> list[Any]:
    """Build `own_note` as a line above a list."""
    note = own_note(reader, say)
    return [html.P(note, className="cm-note cm-own")] if note else []


def _way(error: CloudmapError, scored: bool) -> tuple[str, dict[str, str]]:
    if isinstance(error, WholeWeeksOnly):
        return "weeks", {"period": error.weeks}
    return WAYS.get(_code(error, scored), ("", {}))


def _code(error: CloudmapError, scored: bool) -> Refusal:
    if isinstance(error, AccessError):
        return error.code or "restricted"
    return error.code if scored else "unscored"
