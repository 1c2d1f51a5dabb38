"""Places on the ground as an interactive figure: outlines only, so that nothing is asked of the Internet."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from plotly.graph_objects import Figure

    from cloudmap.analytics.result import Result

STRONG: Final = (
    "hot", "significant", "cluster", "above_2", "silent", "never_reported", "high", "alarm", "red", "intensifying_hot", "new_hot",
    "persistent_hot", "consecutive_hot",
)  # fmt: skip
"""Classes that a reader looks for, in the order of their colours."""

QUIET: Final = ("not_significant", "ordinary", "reporting", "no_cluster", "none", "no_pattern", "green", "no_clock", "within")
"""Classes of places about which there is nothing to say."""

_STRONG_COLOURS: Final = ("#b2182b", "#e34a33", "#7a0177", "#f16913")
_OTHER_COLOURS: Final = ("#f4a582", "#92c5de", "#4393c3", "#c2a5cf", "#80cdc1", "#dfc27d", "#bababa")
_SHADES: Final = ("#fee8c8", "#fdbb84", "#fc8d59", "#e34a33", "#b30000")
_QUIET_COLOUR: Final = "#e3e6ea"
_UNKNOWN_COLOUR: Final = "#f7f7f7"
_MANY: Final = 1_500
"""Of so many places outlines would be all that one sees."""
_VERTICES: Final = 400
"""A shape is drawn with vertices no closer than this part of the map's width."""


def draw(result: Result, shapes: GeoDataFrame, *, value: str | None = None) -> Figure:
    """Draw a result on the ground: one colour a class, or five shades of a number.

    Parameters
    ----------
    result : Result
        Its table has a row a place: place, and class or value.
    shapes : GeoDataFrame
        place and geometry: `Cube.shapes`, or `Reader.geometry(layer)`.
    value : str, optional
        The numeric column to shade; the class where there is one, else `value`.

    Returns
    -------
    plotly.graph_objects.Figure
        Outlines without a base map; a click on the legend hides a class. Places whose numbers are masked are named in the legend.

    Raises
    ------
    AnalysisError
        The table has no places, not the column, or none of the places is among the shapes.

    Examples
    --------
    >>> import geopandas as gpd, polars as pl
    >>> from shapely import box
    >>> from cloudmap.analytics.result import Result
    >>> shapes = gpd.GeoDataFrame({"place": ["a", "b"]}, geometry=[box(0, 0, 1, 1), box(1, 0, 2, 1)], crs="EPSG:4326")
    >>> table = pl.DataFrame({"place": ["a", "b"], "n": [9, 1], "class": ["hot", "not_significant"]})
    >>> [trace.name for trace in draw(Result("Gi*", {}, table, "2 places"), shapes).data]
    ['not_significant (1)', 'hot (1)', 'values']
    """
    from plotly import graph_objects as go

    column = value or next((name for name in ("class", "value") if name in result.table.columns), None)
    if column is None or not {"place", column} <= set(result.table.columns):
        raise AnalysisError(f"draw: {result.method!r} has no column place with {column or 'class or value'}; try plot(result)")
    placed = shapes[["place", "geometry"]].assign(place=shapes["place"].astype(str)).drop_duplicates("place")
    table = result.table.filter(pl.col("place").is_in(placed["place"].to_list()))
    if table.is_empty():
        raise AnalysisError("draw: none of the result's places is among the shapes; take those of the same layer")
    outlines = dict(zip(placed["place"], _outlines(placed), strict=True))
    figure = go.Figure()
    groups = _classes(table, column) if table.schema[column] == pl.String else _shades(table, column)
    for name, colour, places in groups:
        x, y = _chain([outlines[place] for place in places])
        line = {"width": 0.4 if len(outlines) < _MANY else 0.1, "color": "#8a8f98"}
        figure.add_scatter(
            x=x, y=y, fill="toself", fillcolor=colour, line=line, mode="lines", name=f"{name} ({len(places)})", hoverinfo="skip"
        )
    figure.add_scatter(**_hover(placed, table))
    _dress(figure, result, placed)
    return figure


def _classes(table: pl.DataFrame, column: str) -> list[tuple[str, str, list[str]]]:
    """Group places by class: quiet ones first, so that the others lie over them."""
    found = table.group_by(column).agg("place").rows()
    order = {name: position for position, name in enumerate(STRONG)}
    strong = [name for name, _ in found if name in order]
    colours = {name: _STRONG_COLOURS[i % len(_STRONG_COLOURS)] for i, name in enumerate(sorted(strong, key=order.__getitem__))}
    others = sorted(str(name) for name, _ in found if name is not None and name not in order and name not in QUIET)
    colours |= {name: _OTHER_COLOURS[i % len(_OTHER_COLOURS)] for i, name in enumerate(others)}
    colours |= dict.fromkeys(QUIET, _QUIET_COLOUR) | {"not_enough_data": _UNKNOWN_COLOUR, "yellow": "#fec44f", "green": "#a1d99b"}

    def rank(name: str | None) -> int:
        return 2 if name in order else 0 if name is None or name in QUIET or name == "not_enough_data" else 1

    return [
        (str(name or "masked"), colours.get(name, _UNKNOWN_COLOUR), places)
        for name, places in sorted(found, key=lambda row: (rank(row[0]), str(row[0])))
    ]


def _shades(table: pl.DataFrame, column: str) -> list[tuple[str, str, list[str]]]:
    """Group places by five shades of a number, as many places in each as can be."""
    known = table.filter(pl.col(column).is_not_null() & pl.col(column).cast(pl.Float64).is_finite())
    missing = table.filter(~pl.col("place").is_in(known["place"].implode()))["place"].to_list()
    groups = [("no value 无数值", _UNKNOWN_COLOUR, missing)] if missing else []
    values = known[column].cast(pl.Float64).to_numpy()
    if values.size:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, len(_SHADES) + 1)))
        bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(edges.size - 2, 0))
        for one in range(max(edges.size - 1, 1)):
            high = edges[min(one + 1, edges.size - 1)]
            groups.append((f"{edges[one]:.3g} – {high:.3g}", _SHADES[one], known["place"].to_numpy()[bins == one].tolist()))
    return groups


def _outlines(placed: GeoDataFrame) -> list[tuple[list[float | None], list[float | None]]]:
    """Return the outer rings of each shape, parted by None, with no more vertices than a screen shows."""
    import shapely

    west, _, east, _ = placed.total_bounds
    drawn = shapely.simplify(placed.geometry.to_numpy(), (east - west) / _VERTICES / 4)
    rings = []
    for shape in drawn:
        parts = shapely.get_parts(shape)
        rings.append(_chain([tuple(shapely.get_coordinates(shapely.get_exterior_ring(part)).T.tolist()) for part in parts]))
    return rings


def _chain(pieces: list[Any]) -> tuple[list[float | None], list[float | None]]:
    x: list[float | None] = []
    y: list[float | None] = []
    for along, up in pieces:
        x += [*along, None]
        y += [*up, None]
    return x, y


def _hover(placed: GeoDataFrame, table: pl.DataFrame) -> dict[str, Any]:
    """Make one unseen point a place that tells its numbers: a filled outline of many places can tell none."""
    points = placed.set_index("place").geometry.representative_point()
    shown = [name for name in table.columns if table.schema[name].is_numeric() or table.schema[name] == pl.String][:8]
    texts = ["<br>".join(f"{name} = {_told(row[name])}" for name in shown) for row in table.iter_rows(named=True)]
    at = points.loc[table["place"].to_list()]
    marker = {"opacity": 0, "size": 10}
    told = {"text": texts, "hovertemplate": "%{text}<extra></extra>", "name": "values", "showlegend": False}
    return {"x": at.x.tolist(), "y": at.y.tolist(), "mode": "markers", "marker": marker, **told}


def _told(value: object) -> str:
    return "–" if value is None else f"{value:.3g}" if isinstance(value, float) else escape(str(value))


def _dress(figure: Figure, result: Result, placed: GeoDataFrame) -> None:
    """Set title and axes; degrees of longitude are shortened as the city's latitude wants."""
    south, north = placed.total_bounds[[1, 3]]
    ratio = 1.0
    if placed.crs is None or placed.crs.is_geographic:
        ratio = float(1 / np.cos(np.radians((south + north) / 2)))
    span = f", {result.parameters['period']}" if result.parameters.get("period") else ""
    figure.update_layout(
        title={"text": f"{escape(result.method)}{escape(span)}<br><sub>{escape(result.denominator)}</sub>"},
        template="plotly_white",
        font={"family": "Noto Sans CJK SC, Microsoft YaHei, PingFang SC, sans-serif"},
        margin={"l": 10, "r": 10, "t": 70, "b": 10},
        height=560,
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x", scaleratio=ratio)
