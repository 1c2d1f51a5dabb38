"""The whole view in the address: what is asked, checked against what there is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode

from cloudmap.access import views
from cloudmap.access.views import ALL
from cloudmap.dashboard.basemap import BASE, base_file, has_base
from cloudmap.dashboard.ground import ground, grounds, places_of, tiled
from cloudmap.dashboard.text import DEFAULT, LANGUAGES
from cloudmap.errors import AccessError, AnalysisError

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader

SCHEMES: Final = ("", "light", "dark")
NAMES: Final = "names"
"""The switch for place names among the shown layers."""
HEAT: Final = "heat"
"""The switch for the heat surface."""
POINTS: Final = "points"
"""The switch for single reports, for those who may see them."""
BREAKS: Final = ("", "quantile", "jenks", "equal")
"""Ways to choose the breaks of counts and ratios: round numbers, equal shares of places, natural breaks, equal steps."""
MANUAL: Final = re.compile(r"m(~\d{1,7}(\.\d{1,3})?){1,8}")
"""Breaks of one's own: m~5~10~20."""
AGAINST: Final = ("before", "year")
"""What a period is compared with: the one before, or the same weeks of the year before."""
ROTATION: Final = re.compile(r"[a-z0-9_]+~[a-z0-9_]+~[a-z0-9_]+(\.[a-z0-9_]+~[a-z0-9_]+~[a-z0-9_]+){0,11}")
"""The views that wall mode shows in turn: page~measure~layer, up to twelve."""
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
    layer : str
        The layer that a bare address shows, where the city has it; the city's usual cells where not named.
    """

    measures: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("unit", "cell")
    tabs: tuple[str, ...] = ()
    layer: str = ""


PAGES: Final[dict[str, PageSpec]] = {
    "cloud": PageSpec(("count", "ratio", "hotspot")),
    "hotspots": PageSpec(
        ("hotspot", "emerging", "scan", "risk", "silent"),
        tabs=("places", "method", "clusters", "smoothed", "alarms", "near_repeat", "risk_card"),
    ),
    "water": PageSpec((REACH,), kinds=("water",), tabs=("places", "bands", "method")),
    "handling": PageSpec(
        ("overdue", "workload", "staffing"),
        tabs=("places", "rates", "funnel", "dwell", "burn_down", "meetings", "method"),
        layer="unit_street",
    ),
    "compare": PageSpec(("count", "ratio"), tabs=("cards", "places"), layer="unit_street"),
    "quality": PageSpec(),
    "exports": PageSpec(),
    "help": PageSpec(),
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
    within : str
        The unit that the map is drilled into ("unit_street~331004001"), or "".
    shown : tuple of str
        Ids of the layers on top from the lowest up, each with its opacity in percent where it is not full ("water_river~60"), ``names``,
        ``heat`` and ``points``.
    opacity : str
        Opacity of the coloured layer in percent.
    breaks : str
        One of `BREAKS`, or breaks of one's own as `MANUAL`.
    against : str
        One of `AGAINST`; what the compare page compares the period with.
    auto : str
        "1" where the resolution of cells follows the zoom (always for layers that are drawn from tiles), else "".
    wall, rotate : str
        "1" in wall mode, else ""; the views that it shows in turn as `ROTATION`, "" for the usual ones.
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
    within: str
    shown: tuple[str, ...]
    opacity: str
    breaks: str
    against: str
    auto: str
    wall: str
    rotate: str
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
        page, tab, layer, measure, category, period (those that are listed; `read_period` reads others too),
        shown, opacity, breaks, against, auto, wall, lang, scheme.
    """
    layers = grounds(reader)
    spec = PAGES[page] if page else None
    kinds = spec.kinds if spec and spec.measures else ("unit", "cell", "water")
    named = [page] if page else list(PAGES)
    under = [BASE] if has_base(reader.city) else []
    rows = [POINTS] if reader.audience.sees_rows else []
    return {
        "page": list(PAGES),
        "tab": [tab for one in named for tab in PAGES[one].tabs or ("",)],
        "layer": [layer.id for layer in layers if layer.kind in kinds],
        "measure": list(dict.fromkeys(measure for one in named for measure in measures(one, reader))),
        "category": [category.code for category in reader.categories()],
        "period": [period.id for period in reader.periods()],
        "shown": [layer.id for layer in reader.layers() if layer.kind != "cell"] + [NAMES, HEAT] + rows + under,
        "opacity": [str(percent) for percent in range(10, 101, 5)],
        "breaks": list(BREAKS),
        "against": list(AGAINST),
        "auto": ["", "1"],
        "wall": ["", "1"],
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
    usual = next((one for one in coloured if one.resolution == city.default_resolution), coloured[0])
    layer = next((one for one in coloured if one.id == PAGES[page].layer), usual)
    shown = [one.id for one in reader.layers() if one.kind == "water"] + [one for one in (named_layer(reader),) if one] + [NAMES]
    # What comes from outside waits until somebody asks for it: each look at a place is told to its provider.
    shown = [*([BASE] if base_file(reader.city) else []), *shown]
    measure = measures(page, reader)[0]
    tab = next(iter(PAGES[page].tabs), "")
    return View(
        page, tab, layer.id, measure, ALL, reader.default_period.id, "", "", tuple(shown), "90", "", AGAINST[0], "", "", "", DEFAULT, ""
    )


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
    period = asked.get("period")
    if isinstance(period, str):
        view = replace(view, period=read_period(period, reader) or view.period)
    if tiled(reader, ground(reader, view.layer)):
        view = replace(view, auto="1")
    texts = {name: value for name, value in asked.items() if isinstance(value, str) and len(value) < 600}
    if "shown" in texts:
        view = replace(view, shown=_shown(texts["shown"], choices["shown"]))
    if is_breaks(texts.get("breaks", "")):
        view = replace(view, breaks=texts.get("breaks", ""))
    if ROTATION.fullmatch(texts.get("rotate", "")):
        view = replace(view, rotate=texts["rotate"])
    if is_within(texts.get("within", ""), reader):
        view = replace(view, within=texts.get("within", ""))
    place = texts.get("place", "")
    if place and place in places_of(reader, view.layer):
        view = replace(view, place=place)
    return view


def read_period(asked: str, reader: Reader) -> str | None:
    """Return the id of the period that a text names: a listed one, or a day, a month or days within the data; None where it names none."""
    try:
        return reader.period(asked).id
    except (AccessError, AnalysisError):
        return None


def is_breaks(asked: str) -> bool:
    """Tell whether a text names a way to choose breaks."""
    return asked in BREAKS or MANUAL.fullmatch(asked) is not None


def is_within(asked: str, reader: Reader) -> bool:
    """Tell whether a text names a unit that a map can be drilled into, or none."""
    layer, _, unit = asked.partition("~")
    there = any(one.id == layer and one.kind == "unit" for one in reader.layers())
    return not asked or (there and unit in places_of(reader, layer))


def _shown(asked: str, there: list[str]) -> tuple[str, ...]:
    """Read the layers on top in their order; each once, its opacity from 5 to 95 percent or full."""
    read: dict[str, str] = {}
    for one in asked.split("."):
        name, _, percent = one.partition("~")
        if name in there and name not in read:
            read[name] = f"~{percent}" if re.fullmatch(r"[1-9]?[05]", percent) and percent != "0" else ""
    lowest_first = sorted(read, key=lambda name: name != BASE)
    return tuple(name + read[name] for name in lowest_first)
