"""Rates that few reports cannot throw about, how far likes lie together, and where reports crowd: what stands beside the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
from dash import html

from cloudmap.dashboard.browser import asking
from cloudmap.dashboard.charts import table
from cloudmap.dashboard.evidence import caveats, stated
from cloudmap.dashboard.grids import column, grid
from cloudmap.dashboard.ground import geometry, names_of
from cloudmap.dashboard.text import number

if TYPE_CHECKING:
    from cloudmap.analytics.result import Result
    from cloudmap.dashboard.drawing import Drawing

TOP: Final = 200
"""Places that the table lists."""
CROWDS: Final = 12
"""Crowds of reports that are listed, the largest first."""
_RIGHT: Final = {"type": "rightAligned"}


def smoothed(result: Result, drawing: Drawing) -> list[Any]:
    """Build the table of smoothed ratios with their intervals, the highest first, under how far likes lie together.

    Parameters
    ----------
    result : Result
        Of the statistic ``rates``.
    drawing : Drawing
    """
    say = drawing.say
    names = names_of(drawing.reader, drawing.layer.id)
    ranked = drawing.within_unit(result.table).sort("ratio", "place", descending=[True, False], nulls_last=True)
    rows = [
        {
            "place": row["place"],
            "name": say.spell(str(names.get(row["place"]) or row["place"])),
            "n": say("legend.masked") if row["masked"] else row["n"],
            "ratio": None if row["ratio"] is None else round(row["ratio"], 2),
            "span": "" if row["lower"] is None else f"{row['lower']:.2f} – {row['upper']:.2f}",
        }
        for row in ranked.head(TOP).to_dicts()
    ]
    columns = [
        column("name", say("col.place"), flex=1, minWidth=92, tooltipField="name"),
        column("n", say("col.n"), width=64, **_RIGHT),
        column("ratio", say("col.smoothed"), width=78, **_RIGHT),
        column("span", say("col.span"), width=100, **_RIGHT),
    ]
    selection = {"mode": "singleRow", "enableClickSelection": True, "checkboxes": False}
    listed = html.Div(grid("places-grid", columns, rows, say, rowSelection=selection), className="cm-places")
    cut = html.Small(say("panel.top", n=len(rows), total=ranked.height))
    return [*_together(drawing), html.H3([say("panel.places"), cut]), listed]


def _together(drawing: Drawing) -> list[Any]:
    """Say in a sentence whether places with many matters lie side by side (Moran's I of the whole map)."""
    say = drawing.say

    def show(result: Result) -> list[Any]:
        told = result.parameters
        value, p = (float(str(told.get(f"moran_{name}"))) for name in ("value", "p"))
        words = "moran.none" if p > float(str(told.get("threshold", 0.05))) else "moran.together" if value > 0 else "moran.apart"
        return [html.P(say(words, value=f"{value:.3f}", p=f"{p:.2g}"), className="cm-verdict", id="moran")]

    def ask() -> Result:
        return drawing.reader.statistic("moran", layer=drawing.layer.id, category=drawing.category.code, period=drawing.period.id)

    return stated(ask, show, drawing.category.scored, say)


def crowds(drawing: Drawing) -> list[Any]:
    """List where reports crowd in space and time within the period, whatever was to be expected there."""
    say = drawing.say

    def show(result: Result) -> list[Any]:
        found = _placed(result.table.sort("n", descending=True).head(CROWDS), drawing)
        names = names_of(drawing.reader, drawing.layer.id)
        head = [say("col.place"), say("col.n"), say("col.radius"), say("col.weeks")]
        rows = [
            [
                asking(say.spell(str(names.get(row["place"]) or row["place"])), place=row["place"], tab="places") if row["place"] else "—",
                say("legend.masked") if row["masked"] else number(row["n"]),
                "—" if row["radius_m"] is None else number(round(row["radius_m"])),
                f"{row['first_on']} – {row['last_on']}",
            ]
            for row in found.to_dicts()
        ]
        given = say("crowds.given", **{name: f"{float(str(result.parameters[name])):g}" for name in ("eps_m", "eps_days", "min_n")})
        note = say("crowds.n", n=len(rows), total=result.table.height)
        return [html.P(f"{note} {given}", className="cm-note"), table(head, rows, identity="crowds-table"), *caveats(result, say)[1:]]

    def ask() -> Result:
        return drawing.reader.statistic("report_clusters", category=drawing.category.code, period=drawing.period.id)

    return [html.H3(say("stat.crowds")), *stated(ask, show, drawing.category.scored, say)]


def _placed(found: pl.DataFrame, drawing: Drawing) -> pl.DataFrame:
    """Name the place of the map's layer in which each centre lies; null where it lies in none.

    Parameters
    ----------
    found : polars.DataFrame
        x_m, y_m in the city's metric system.
    drawing : Drawing
    """
    import geopandas as gpd

    xy = found.select("x_m", "y_m").fill_null(float("nan"))
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(xy["x_m"], xy["y_m"], crs=drawing.reader.city.city.metric_crs)).to_crs(4326)
    shapes = geometry(drawing.reader, drawing.layer.id)[["place", "geometry"]]
    joined = gpd.sjoin(points, shapes, how="left", predicate="within")
    place = joined[~joined.index.duplicated()]["place"]
    return found.with_columns(place=pl.Series([one if isinstance(one, str) else None for one in place], dtype=pl.String))
