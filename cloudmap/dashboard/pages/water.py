"""Water: reaches by their rate per kilometre on the map; beside it the reaches, the bands of distance, and the method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import polars as pl
from dash import html

from cloudmap.dashboard.charts import SERIES, chart, table
from cloudmap.dashboard.drawing import Drawing
from cloudmap.dashboard.evidence import caveats, evidence, stated
from cloudmap.dashboard.ground import geometry, ground
from cloudmap.dashboard.overview import overview
from cloudmap.dashboard.text import Words, number

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.view import View


def content(view: View, reader: Reader, say: Words) -> Any:
    """Build the panel: reaches (or the picked one), bands, or the method."""
    layer = ground(reader, view.layer)
    if layer.kind != "water":
        return [html.H2(say("nav.water")), html.P(say("water.none"), className="cm-warn")]
    drawing = Drawing.of(view, reader, layer, say)
    if view.tab == "method":
        return evidence(drawing)
    if view.tab == "bands":
        return _bands(view, reader, say, scored=drawing.category.scored)
    return _reach(view, drawing) if view.place else overview(view, reader, say)


def _reach(view: View, drawing: Drawing) -> list[Any]:
    say = drawing.say
    shapes = geometry(drawing.reader, view.layer).set_index("place")
    name = shapes.loc[view.place, "name"]
    head = [
        html.H2(say.spell(str(name or view.place)), className="cm-place-name"),
        html.P(say("panel.code", code=view.place), className="cm-dim"),
    ]
    result, _ = drawing.result()
    row = None if result is None else next(iter(result.table.filter(pl.col("place") == view.place).to_dicts()), None)
    if row is None:
        return [*head, *(drawing.refused(view) or [html.P(say("stat.none"), className="cm-warn")])]
    if row.get("masked"):
        return [*head, html.P(say("legend.masked"), id="place-total", className="cm-note")]
    total = html.Div([html.Strong(number(row["n"]), id="place-total"), html.Span(say("water.within"))], className="cm-headline")
    facts = [
        ("col.length_m", number(round(row["length_m"])) if row["length_m"] is not None else "—"),
        ("col.per_km", _span(row, "per_km")),
        ("col.ratio", "—" if row["ratio"] is None else f"{row['ratio']:.2f}"),
        ("col.q", "—" if row["q"] is None else f"{row['q']:.2g}"),
    ]
    listed = html.Dl([html.Div([html.Dt(say(key)), html.Dd(text)]) for key, text in facts], className="cm-facts")
    verdict = say(f"water.{row['class']}") if row["class"] else say("panel.noverdict")
    return [*head, total, html.P(verdict, className="cm-hot" if row["class"] == "high" else "cm-note", id="place-verdict"), listed]


def _bands(view: View, reader: Reader, say: Words, *, scored: bool) -> list[Any]:
    def show(result: Result) -> list[Any]:
        parts: list[Any] = []
        for kind in result.table["kind"].unique(maintain_order=True).to_list():
            rows = result.table.filter(pl.col("kind") == kind).sort("band_from_m").to_dicts()
            parts += [html.H3(_kind(kind, reader, say)), _band_chart(rows, say), _band_table(rows, say)]
        return [*parts, *caveats(result, say)]

    head = [html.H2(say("stat.bands")), html.P(say("stat.bands.intro"), className="cm-prose")]
    return [*head, *stated(lambda: reader.statistic("water_bands", category=view.category, period=view.period), show, scored, say, view)]


def _band_chart(rows: list[dict[str, Any]], say: Words) -> Any:
    x = [_band(row, say) for row in rows]
    y = [row["ratio"] for row in rows]
    above = [_less(row["upper"], row["ratio"]) for row in rows]
    below = [_less(row["ratio"], row["lower"]) for row in rows]
    bars = go.Bar(
        x=x, y=y, marker={"color": SERIES[0]}, error_y={"type": "data", "array": above, "arrayminus": below, "thickness": 1.4},
        hovertemplate="%{x}<br>%{y:.2f}<extra></extra>",
    )  # fmt: skip
    return chart([bars], alt=say("stat.bands.alt"), height=180, axes={"yaxis": {"tickformat": "~g"}})


def _band_table(rows: list[dict[str, Any]], say: Words) -> Any:
    head = [say("water.band"), say("col.n"), say("water.per_km2"), say("col.ratio")]
    cells = [
        [_band(row, say), say("legend.masked") if row.get("masked") else number(row["n"]), _plain(row["per_km2"]), _span(row, "ratio")]
        for row in rows
    ]
    return table(head, cells)


def _band(row: dict[str, Any], say: Words) -> str:
    if row["band_to_m"] is None:
        return say("water.beyond", first=f"{row['band_from_m']:g}")
    return say("water.m", first=f"{row['band_from_m']:g}", last=f"{row['band_to_m']:g}")


def _plain(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


def _span(row: dict[str, Any], name: str) -> str:
    if row[name] is None:
        return "—"
    if row["lower"] is None or row["upper"] is None:
        return f"{row[name]:.2f}"
    return f"{row[name]:.2f} ({row['lower']:.2f}–{row['upper']:.2f})"


def _less(high: float | None, low: float | None) -> float:
    return 0.0 if high is None or low is None else max(high - low, 0.0)


def _kind(kind: str, reader: Reader, say: Words) -> str:
    layer = next((one for one in reader.layers() if one.id == f"water_{kind}"), None)
    return say.name(layer) if layer else say("water.kind.all")
