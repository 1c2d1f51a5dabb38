"""The frame around the pages: header, badges, controls, and the config that the map component starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash_mantine_components as dmc
from dash import dcc, html

from cloudmap.dashboard import shapes
from cloudmap.dashboard.badges import badges
from cloudmap.dashboard.basemap import base_config
from cloudmap.dashboard.controls import controls, days_config, measure_choices, tab_choices
from cloudmap.dashboard.drawing import period_words
from cloudmap.dashboard.ground import drawn_from, geometry, grounds, tiled
from cloudmap.dashboard.signin import account_link
from cloudmap.dashboard.text import LANGUAGES, Words, spelling, words
from cloudmap.dashboard.view import PAGES, View, default_view, named_layer

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader


_MAP_WORDS = (
    "failed", "retry", "slow", "lost", "heat", "save", "north", "play", "pause", "time", "weeks", "swipe", "raise", "fade", "home",
    "first", "last", "calendar",
)  # fmt: skip
"""Words that the map component itself says, below ``map.``."""


def frame(children: Any = None) -> Any:
    """Build what never changes: the address, the checked view, the theme around everything."""
    return dmc.MantineProvider(
        id="mantine",
        defaultColorScheme="auto",
        theme={
            "primaryColor": "cloud",
            "primaryShade": {"light": 7, "dark": 4},
            "fontFamily": "var(--cm-font)",
            "headings": {"fontFamily": "var(--cm-font)"},
            "defaultRadius": "md",
            "colors": {
                "cloud": ["#e8f3fd", "#cfe4f8", "#a3cbf0", "#74b0e6", "#4d99dd", "#2f86d3", "#1b74c4", "#0f5fa8", "#0b4c88", "#083a69"],
                "dark": ["#e8eefb", "#b7c3d9", "#8f9db6", "#5c6b87", "#33415c", "#263350", "#18223a", "#111a2e", "#0b1220", "#070c16"],
            },
        },
        children=[
            dcc.Location(id="url", refresh=False),
            dcc.Store(id="view"),
            dcc.Store(id="panel-view"),
            dcc.Store(id="sheet-view"),
            dcc.Store(id="standing-view"),
            html.Div(children, id="shell"),
        ],
    )


def shell(view: View, reader: Reader) -> Any:
    """Build the page for a view: header, controls and every registered page."""
    say = words(view.lang)
    sheet_name: dict[str, Any] = {"aria-label": say("panel.sheet")}
    return dmc.AppShell(
        [
            dcc.Store(id="config", data=map_config(reader, say)),
            dcc.Store(id="picked"),
            dcc.Store(id="asked"),
            html.A(say("skip"), href="#map", className="cm-skip"),
            html.Div(say("map.lost"), className="cm-lost", role="alert"),
            dmc.AppShellHeader(_header(view, reader, say), className="cm-header"),
            dmc.AppShellNavbar(controls(view, reader, say), className="cm-navbar"),
            dmc.AppShellMain(
                [
                    html.Section(_map(view, reader, say), className="cm-page cm-cloud"),
                    html.Section(_sheet(say), className="cm-page cm-sheets", tabIndex="0", **sheet_name),
                ],
                className="cm-main",
            ),
        ],
        id="appshell",
        header={"height": {"base": 52, "sm": 60}},
        navbar={"width": 300, "breakpoint": "md", "collapsed": {"mobile": True}},
        padding=0,
    )


def _map(view: View, reader: Reader, say: Words) -> list[Any]:
    """Build the map's container and the panel's frame; the map component and a callback fill them."""
    narrow = html.Div(badges(reader, say), className="cm-badges-narrow")
    back = dmc.Button(
        say("panel.back"), id="close-place", variant="subtle", size="compact-sm", leftSection=html.Span(className="cm-icon earlier")
    )
    tabs = dmc.SegmentedControl(
        id="tab", value=view.tab, data=tab_choices(view.page, say) or [{"value": "", "label": ""}], size="xs", fullWidth=True,
        **{"aria-label": say("panel.tabs")},
    )  # fmt: skip
    waiting: dict[str, Any] = {"data-waiting": say("panel.waiting")}
    panel = html.Div(id="panel", className="cm-panel-body", **waiting)
    stands = html.Div(id="standing", className="cm-standing", **waiting)
    return [
        html.Div(id="map", className="cm-map"),
        html.Aside(
            [narrow, html.Div(back, className="cm-panel-back"), html.Div(tabs, className="cm-tabs"), stands, panel], className="cm-panel"
        ),
    ]


def _sheet(say: Words) -> Any:
    """Build the frame of the pages without a map; a callback fills it."""
    waiting: dict[str, Any] = {"data-waiting": say("panel.waiting")}
    return [html.Div(id="sheet", className="cm-sheet", **waiting), dcc.Store(id="sheet-done")]


def empty_shell(lang: str) -> Any:
    """Build the page for a city without numbers."""
    say = words(lang)
    again = html.A(say("map.retry"), href="", className="cm-again")
    parts = [html.H1(say("brand")), html.P(say("error.empty")), html.P(say("error.empty.why")), html.P(again)]
    # What the browser asks of every page: there is nothing to configure yet.
    return html.Main([dcc.Store(id="config"), *parts], className="cm-empty", id="no-data")


def _header(view: View, reader: Reader, say: Words) -> Any:
    city = reader.city.city
    page = dmc.SegmentedControl(
        id="page", value=view.page, size="sm", className="cm-pages", data=[{"value": name, "label": say(f"nav.{name}")} for name in PAGES]
    )
    language = dmc.SegmentedControl(
        id="lang",
        value=say.language,
        size="xs",
        className="cm-lang",
        data=[{"value": one, "label": words(one)(f"lang.{one}")} for one in LANGUAGES],
    )
    return [
        dmc.Burger(id="burger", opened=False, size="sm", hiddenFrom="md", **{"aria-label": say("nav.menu")}),
        html.Div(className="cm-mark"),
        html.Div([html.Strong(say.name(city)), html.Span(say("brand"))], className="cm-brand"),
        page,
        html.Div(badges(reader, say), className="cm-badges"),
        language,
        *account_link(say),
        dmc.ActionIcon(
            html.Span(className="cm-icon scheme"), id="scheme", variant="subtle", size="lg", **{"aria-label": say("nav.scheme")}
        ),
    ]


def map_config(reader: Reader, say: Words) -> dict[str, Any]:
    """Tell the map component what there is: layers with the address of their geometry, periods, words, bounds."""
    layers = grounds(reader)
    units = [layer for layer in layers if layer.kind == "unit"]
    base = units[0] if units else None
    drawn = [
        {
            "id": layer.id, "kind": layer.kind, "level": layer.level, "name": say.name(layer), "n": layer.places_n,
            "url": f"/map/geometry/{layer.id}/{shapes.version(reader, layer)}",
            "from": drawn_from(reader, layer),
        }
        | ({"tiles": f"/map/tiles/{layer.id}/{shapes.version(reader, layer)}"} if tiled(reader, layer) else {})
        for layer in layers
    ]  # fmt: skip
    west, south, east, north = (float(edge) for edge in geometry(reader, (base or layers[0]).id).total_bounds)
    periods = [
        {"id": one.id, "last": one.last_on.isoformat(), "weeks": one.weeks_n, "label": period_words(one, say)} for one in reader.periods()
    ]
    own = {"title": say("title", city=say.name(reader.city.city))} | {f"map.{one}": say(f"map.{one}") for one in _MAP_WORDS}
    own |= {name: say.table[name] for name in ("wall.n", "wall.usual", "wall.leave", "points.refused", "period")}
    return {
        "key": f"{say.language}|{reader.base_map_version}|{reader.analysed_load}",
        "lang": say.language,
        "words": own,
        "locale": say.starting("locale."),
        "spelling": dict(zip(("from", "to", "phrases"), spelling(), strict=True)) if say.language == "zh-Hant" else None,
        "layers": drawn,
        "base": base.id if base else None,
        "named": named_layer(reader),
        "bounds": [[west, south], [east, north]],
        "periods": periods,
        "days": days_config(reader),
        "pages": {page: _page_config(page, reader, say) for page in PAGES},
        "worker": "/assets/map-worker.js",
        "basemap": base_config(reader.city, say),
    }


def _page_config(page: str, reader: Reader, say: Words) -> dict[str, Any]:
    """Tell the browser what a page offers, so that a change of page keeps what both have."""
    usual, spec = default_view(reader, page), PAGES[page]
    return {
        "name": say(f"nav.{page}"),
        "map": bool(spec.measures),
        "kinds": list(spec.kinds),
        "measures": measure_choices(page, reader, say),
        "tabs": tab_choices(page, say),
        "usual": {"layer": usual.layer, "measure": usual.measure, "tab": usual.tab},
    }
