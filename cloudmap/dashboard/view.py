"""The whole view in the address: what is asked, checked against what there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode

from cloudmap.access import views
from cloudmap.access.views import ALL
from cloudmap.dashboard.ground import grounds
from cloudmap.dashboard.text import DEFAULT, LANGUAGES

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader

SCHEMES: Final = ("", "light", "dark")
NAMES: Final = "names"
"""The switch for place names among the shown layers."""
REACH: Final = "reach"
"""The measure of the water page; it comes from a statistic, not from the values of a layer."""


@dataclass(frozen=True, slots=True)
class PageSpec:
    """What a page offers.

    Attributes
    ----------
    measures : tuple of str
        What its map may show, the usual one first; none for a page without a map.
    kinds : tuple of str
        Kinds of layers that its map may colour.
    tabs : tuple of str
        Parts of the panel beside the map, the usual one first.
    """

    measures: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("unit", "cell")
    tabs: tuple[str, ...] = ()


PAGES: Final[dict[str, PageSpec]] = {
    "cloud": PageSpec(("count", "ratio", "hotspot")),
    "hotspots": PageSpec(
        ("hotspot", "emerging", "scan", "risk", "silent"), tabs=("places", "method", "clusters", "alarms", "near_repeat", "risk_card")
    ),
    "water": PageSpec((REACH,), kinds=("water",), tabs=("places", "bands", "method")),
    "quality": PageSpec(),
}
"""The pages in the order of the header; the first one is that of a bare address. `pages.PAGES` names their modules."""


@dataclass(frozen=True, slots=True)
class View:
    """One view of the dashboard; every field is an id that exists.

    Attributes
    ----------
    page, tab, layer, measure, category, period : str
        Ids of a page, a part of its panel ("" where it has one part), a coloured layer, a measure, a category and a period.
    place : str
        Id of the picked place in `layer`, or "".
    shown : tuple of str
        Ids of the layers on top, and ``names``.
    lang, scheme : str
        Language; "light", "dark" or "" (the browser's own).
    """

    page: str
    tab: str
    layer: str
    measure: str
    category: str
    period: str
    place: str
    shown: tuple[str, ...]
    lang: str
    scheme: str

    def query(self) -> str:
        """Write the view as the query of an address."""
        texts = {one.name: getattr(self, one.name) for one in fields(self)}
        return "?" + urlencode(texts | {"shown": ".".join(self.shown)})


def measures(page: str, reader: Reader) -> list[str]:
    """List what the map of a page may show; every measure there is for a page without a map."""
    own = PAGES[page].measures or tuple(dict.fromkeys(measure for spec in PAGES.values() for measure in spec.measures))
    there = {*views.MEASURES, REACH} - ({"ratio"} if reader.exposure_kind == "none" else set())
    return [measure for measure in own if measure in there]


def offered(reader: Reader, page: str | None = None) -> dict[str, list[str]]:
    """List what each field of a view may be.

    Parameters
    ----------
    reader : Reader
    page : str, optional
        Only what this page offers; everything that any page offers where not given.

    Returns
    -------
    dict of str to list of str
        page, tab, layer, measure, category, period, shown, lang, scheme.
    """
    layers = grounds(reader)
    spec = PAGES[page] if page else None
    kinds = spec.kinds if spec and spec.measures else ("unit", "cell", "water")
    named = [page] if page else list(PAGES)
    return {
        "page": list(PAGES),
        "tab": [tab for one in named for tab in PAGES[one].tabs or ("",)],
        "layer": [layer.id for layer in layers if layer.kind in kinds],
        "measure": list(dict.fromkeys(measure for one in named for measure in measures(one, reader))),
        "category": [category.code for category in reader.categories()],
        "period": [period.id for period in reader.periods()],
        "shown": [layer.id for layer in reader.layers() if layer.kind != "cell"] + [NAMES],
        "lang": list(LANGUAGES),
        "scheme": list(SCHEMES),
    }


def default_view(reader: Reader, page: str = next(iter(PAGES))) -> View:
    """Return the view of a bare address: cells at the city's default resolution, the last four complete weeks.

    Raises
    ------
    AnalysisError
        The data hold no complete week.
    """
    city, layers = reader.city.city, grounds(reader)
    kinds = PAGES[page].kinds
    coloured = [layer for layer in layers if layer.kind in kinds] or layers
    layer = next((one for one in coloured if one.resolution == city.default_resolution), coloured[0])
    shown = [one.id for one in reader.layers() if one.kind == "water"] + [one for one in (named_layer(reader),) if one] + [NAMES]
    measure = measures(page, reader)[0]
    tab = next(iter(PAGES[page].tabs), "")
    return View(page, tab, layer.id, measure, ALL, reader.default_period.id, "", tuple(shown), DEFAULT, "")


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
    page = asked.get("page")
    page = page if isinstance(page, str) and page in PAGES else next(iter(PAGES))
    view, choices = default_view(reader, page), offered(reader, page)
    picked = {name: value for name, value in asked.items() if name in choices and name != "shown" and value in choices[name]}
    view = replace(view, **picked)
    if isinstance(asked.get("shown"), str):
        view = replace(view, shown=tuple(one for one in choices["shown"] if one in str(asked["shown"]).split(".")))
    place = asked.get("place")
    if isinstance(place, str) and place and place in places_of(view.layer, reader):
        view = replace(view, place=place)
    return view


def places_of(layer_id: str, reader: Reader) -> set[str]:
    """Return the ids of a layer's places."""
    from cloudmap.dashboard.ground import geometry

    return set(geometry(reader, layer_id)["place"])
