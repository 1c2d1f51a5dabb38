"""What can be taken along: the table of the view, the map as a picture, the page on paper, briefings, layers, and their commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from dash import html

from cloudmap.dashboard.drawing import period_words
from cloudmap.dashboard.ground import ground, name_of
from cloudmap.dashboard.guard import viewer
from cloudmap.dashboard.tables import FIELDS
from cloudmap.dashboard.taking import DOCUMENT_FORMATS, KINDS, LAYER_FORMATS, LAYERS, document_address, layer_address

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.dashboard.text import Words
    from cloudmap.dashboard.view import View

_COMMANDS = (
    ("brief", "cloudmap brief {city} --period {period} --category {category} --language {lang} -o brief.html"),
    ("sheet", "cloudmap brief {city} --period {period} --category {category} --format xlsx -o brief.xlsx"),
    ("layers", "cloudmap export {city} cells -o cells.gpkg"),
    ("units", "cloudmap export {city} units -o units.gpkg"),
    ("reports", "cloudmap export {city} reports -o reports.parquet"),
    ("quarantine", "cloudmap export {city} quarantine -o quarantine.csv"),
)
"""Names of words, and the command each stands for."""


def content(view: View, reader: Reader, say: Words) -> Any:
    """Build the page for the view that was looked at last."""
    layer, period = ground(reader, view.layer), reader.period(view.period)
    category = next(one for one in reader.categories() if one.code == view.category)
    what = [
        ("control.measure", say(f"measure.{view.measure}")),
        ("control.category", say.name(category)),
        ("control.period", period_words(period, say)),
        ("control.layer", say.spell(name_of(reader, view.within)) + " · " + say.name(layer) if view.within else say.name(layer)),
    ]
    facts = html.Dl([html.Div([html.Dt(say(key)), html.Dd(text)]) for key, text in what], className="cm-facts cm-facts-wide")
    query = urlencode({name: getattr(view, name) for name in FIELDS})
    who = viewer()
    table = html.A(
        say("export.csv"), href=f"/map/table.csv?{query}", className="cm-button", id="export-csv", download=f"{view.measure}.csv"
    )
    back = view.query().replace("page=exports", "page=cloud")
    taken = table if who is not None and who.may("take") else html.Span(say("export.refused"), className="cm-note")
    buttons = html.Div(
        [
            taken,
            html.A(say("export.map"), href=back, className="cm-button"),
            html.Button(say("export.print"), id="export-print", className="cm-button", type="button"),
        ],
        className="cm-buttons",
    )
    audience = html.P(say(f"export.audience.{reader.audience.kind}"), className="cm-warn")
    head = [
        html.H1(say("export.title")),
        html.P(say("export.intro"), className="cm-prose"),
        audience,
        html.H2(say("export.view")),
        facts,
        buttons,
    ]
    commands = html.Details([
        html.Summary(say("export.commands")), html.P(say("export.commands.intro"), className="cm-prose"), *_lines(view, reader, say),
    ])  # fmt: skip
    files = _files(view, say) if who is not None and who.may("take") else []
    return html.Div([*head, *files, commands], className="cm-ledger")


def _files(view: View, say: Words) -> list[Any]:
    """Offer briefings and layers, each in the formats that there are."""
    briefings = [(say(f"take.brief.{kind}"), [(form, document_address(view, kind, form)) for form in DOCUMENT_FORMATS]) for kind in KINDS]
    layers = [(say(f"take.layer.{what}"), [(form, layer_address(view, what, form)) for form in LAYER_FORMATS]) for what in LAYERS]
    return [
        html.H2(say("take.briefs")),
        html.P(say("take.briefs.intro"), className="cm-prose"),
        _offers(briefings, "take-briefs", say),
        html.H2(say("take.layers")),
        html.P(say("take.layers.intro"), className="cm-prose"),
        _offers(layers, "take-layers", say),
    ]


def _offers(rows: list[tuple[str, list[tuple[str, str]]]], identity: str, say: Words) -> Any:
    def link(name: str, form: str, address: str) -> Any:
        label: dict[str, Any] = {"aria-label": f"{name} {say(f'take.as.{form}')}"}
        return html.Td(html.A(say(f"take.as.{form}"), href=address, className="cm-link", **label))

    body = [html.Tr([html.Th(name, scope="row"), *(link(name, *one) for one in offered)]) for name, offered in rows]
    return html.Table(html.Tbody(body), id=identity, className="cm-offers")


def _lines(view: View, reader: Reader, say: Words) -> list[Any]:
    lang = "en" if view.lang == "en" else "zh-Hans"
    known = {"city": reader.city.folder.name, "period": view.period, "category": view.category, "lang": lang}
    rows = [html.Div([html.Dt(say(f"export.{name}")), html.Dd(html.Code(line.format(**known)))]) for name, line in _COMMANDS]
    return [html.Dl(rows, className="cm-commands")]
