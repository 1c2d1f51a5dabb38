"""The whole view in the address: what is asked, checked against what there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode

from cloudmap.access.views import ALL, MEASURES, Measure
from cloudmap.dashboard.text import DEFAULT, LANGUAGES

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader

PAGES: Final = ("cloud", "ledger")
SCHEMES: Final = ("", "light", "dark")
NAMES: Final = "names"
"""The switch for place names among the shown layers."""


@dataclass(frozen=True, slots=True)
class View:
    """One view of the dashboard; every field is an id that exists.

    Attributes
    ----------
    page, layer, measure, category, period : str
        Ids of a page, a coloured layer, a measure, a category and a period.
    place : str
        Id of the picked place in `layer`, or "".
    shown : tuple of str
        Ids of the layers on top, and ``names``.
    lang, scheme : str
        Language; "light", "dark" or "" (the browser's own).
    """

    page: str
    layer: str
    measure: Measure
    category: str
    period: str
    place: str
    shown: tuple[str, ...]
    lang: str
    scheme: str

    def query(self) -> str:
        """Write the view as the query of an address."""
        fields = {"page": self.page, "layer": self.layer, "measure": self.measure, "category": self.category, "period": self.period}
        return "?" + urlencode(fields | {"place": self.place, "shown": ".".join(self.shown), "lang": self.lang, "scheme": self.scheme})


def offered(reader: Reader) -> dict[str, list[str]]:
    """List what each field of a view may be.

    Parameters
    ----------
    reader : Reader

    Returns
    -------
    dict of str to list of str
        page, layer, measure, category, period, shown, lang, scheme.
    """
    layers = reader.layers()
    return {
        "page": list(PAGES),
        "layer": [layer.id for layer in layers if layer.kind in ("unit", "cell")],
        "measure": [measure for measure in MEASURES if measure != "ratio" or reader.exposure_kind != "none"],
        "category": [category.code for category in reader.categories()],
        "period": [period.id for period in reader.periods()],
        "shown": [layer.id for layer in layers if layer.kind != "cell"] + [NAMES],
        "lang": list(LANGUAGES),
        "scheme": list(SCHEMES),
    }


def default_view(reader: Reader) -> View:
    """Return the view of a bare address: cells at the city's default resolution, the last four complete weeks.

    Raises
    ------
    AnalysisError
        The data hold no complete week.
    """
    city = reader.city.city
    layers = reader.layers()
    coloured = [layer for layer in layers if layer.kind in ("unit", "cell")]
    layer = next((one for one in coloured if one.resolution == city.default_resolution), coloured[0])
    shown = [one.id for one in layers if one.kind == "water"] + [one for one in (named_layer(reader),) if one] + [NAMES]
    return View("cloud", layer.id, "count", ALL, reader.default_period.id, "", tuple(shown), DEFAULT, "")


def named_layer(reader: Reader) -> str | None:
    """Return the coarsest unit layer with more than one unit: its outlines and names orient the reader of the map."""
    units = [layer for layer in reader.layers() if layer.kind == "unit"]
    return next((layer.id for layer in units if layer.places_n > 1), units[0].id if units else None)


def read_view(search: str | None, reader: Reader) -> View:
    """Read a view from the query of an address; what is not offered falls back to the default.

    Parameters
    ----------
    search : str or None
        ``?layer=…``, as the browser gives it.
    reader : Reader

    Raises
    ------
    AnalysisError
        The data hold no complete week.
    """
    asked = {name: values[-1] for name, values in parse_qs((search or "")[:4000].lstrip("?"), keep_blank_values=True).items()}
    return checked(asked, reader)


def checked(asked: Mapping[str, Any], reader: Reader) -> View:
    """Return the view that a mapping of texts asks for; what is not offered falls back to the default.

    Raises
    ------
    AnalysisError
        The data hold no complete week.
    """
    view, choices = default_view(reader), offered(reader)
    picked = {name: value for name, value in asked.items() if name in choices and name != "shown" and value in choices[name]}
    view = replace(view, **picked)
    if isinstance(asked.get("shown"), str):
        view = replace(view, shown=tuple(one for one in choices["shown"] if one in str(asked["shown"]).split(".")))
    place = asked.get("place")
    if isinstance(place, str) and place and place in set(reader.values(view.layer, ALL, view.period, "count").table["place"]):
        view = replace(view, place=place)
    return view
