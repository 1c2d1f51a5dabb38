"""The sheet of a printed map: places, water and outlines in the middle, words above and below, legend and scale at the right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cloudmap.publish.legend import legend_words

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy as np
    import numpy.typing as npt
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

    from cloudmap.publish.legend import Band, Language

_HATCHES: Final = {"hatch": "////", "back": "\\\\\\", "cross": "xxx", "dots": "...", "sparse": "."}
"""How matplotlib draws the patterns of a legend; the faint stipple of what is not significant is left out on paper."""

_WATER: Final = "#9ecae1"
_SOFT: Final = "#444444"

# All lengths of the sheet are inches; y is counted from the bottom, or from the top where negative.
_WIDTH: Final = 9.6
_MARGIN: Final = 0.2
_ASIDE: Final = 7.3
_HEAD: Final = 0.8
_FOOT: Final = 0.62
_HEIGHT_MIN, _HEIGHT_MAX = 4.6, 8.6


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that is drawn: places and their bands, outlines and water (metric coordinates), and the words.

    The last two notes are the review number's field and the source.
    """

    places: gpd.GeoDataFrame
    bands: list[Band]
    outlines: list[gpd.GeoDataFrame]
    water: list[gpd.GeoDataFrame]
    title: str
    period: str
    notes: list[str]
    language: Language


def size_in(sheet: Sheet) -> tuple[float, float]:
    """Return width and height of the sheet in inches: as high as the city's shape needs at the fixed width."""
    west, south, east, north = _extent(sheet)
    body = (_ASIDE - 2 * _MARGIN) * (north - south) / max(east - west, 1.0)
    legend = 3.5 + 0.27 * sum(not band.ground for band in sheet.bands)
    return _WIDTH, min(max(body + _HEAD + _FOOT, _HEIGHT_MIN, legend), max(_HEIGHT_MAX, legend))


def draw(figure: Figure, sheet: Sheet) -> None:
    """Draw the sheet on a figure of `size_in`."""
    height = float(figure.get_figheight())
    axes = figure.add_axes((_MARGIN / _WIDTH, _FOOT / height, (_ASIDE - 2 * _MARGIN) / _WIDTH, (height - _HEAD - _FOOT) / height))
    axes.set_axis_off()
    axes.set_aspect("equal")
    for water in sheet.water:
        _add_lines(axes, water[water.geom_type.str.contains("Line", na=False)], _WATER, 1.2)
        _add_areas(axes, water[water.geom_type.str.contains("Polygon", na=False)], _WATER, edge="none")
    for band in sheet.bands:
        if not band.ground:
            _add_band(axes, sheet.places[band.members(sheet.places)], band)
    _add_edges(axes, sheet)
    west, south, east, north = _extent(sheet)
    margin = 0.01 * max(east - west, north - south)
    axes.set_xlim(west - margin, east + margin)
    axes.set_ylim(south - margin, north + margin)
    _write(figure, _MARGIN, -0.32, sheet.title, size=17, weight="bold")
    _write(figure, _MARGIN, -0.6, sheet.period, size=11, color=_SOFT)
    join = legend_words(sheet.language)["title.join"]
    _write(figure, _MARGIN, 0.36, join.join(sheet.notes[:-2]), size=8.5, color=_SOFT)
    _write(figure, _MARGIN, 0.17, sheet.notes[-1], size=8.5, color=_SOFT)
    _write(figure, _ASIDE, 0.36, sheet.notes[-2], size=8.5, color=_SOFT)
    _legend(figure, sheet)
    _north_arrow(figure)
    _scale_bar(figure, axes, sheet.language)


def _y(figure: Figure, y: float) -> float:
    height = float(figure.get_figheight())
    return (height + y if y < 0 else y) / height


def _write(figure: Figure, x: float, y: float, text: str, **style: Any) -> None:
    figure.text(x / _WIDTH, _y(figure, y), text, va="center", **style)


def _place(figure: Figure, artist: Artist) -> None:
    """Add an artist that is given in inches."""
    artist.set_transform(figure.dpi_scale_trans)
    figure.add_artist(artist)


def _extent(sheet: Sheet) -> tuple[float, float, float, float]:
    frames = sheet.outlines[:1] or [sheet.places]
    west, south, east, north = frames[0].total_bounds
    return float(west), float(south), float(east), float(north)


def _add_band(axes: Any, places: gpd.GeoDataFrame, band: Band) -> None:
    kinds = places.geom_type
    for step, (kind, width) in enumerate((("Line", 3.2), ("Polygon", 0.0))):
        part = places[kinds.str.contains(kind, na=False)]
        if step == 0:
            _add_lines(axes, part, band.colour, width)
        else:
            _add_areas(axes, part, "none" if band.masked else band.colour, hatch=_HATCHES.get(band.pattern or ""))


def _add_areas(axes: Any, frame: gpd.GeoDataFrame, colour: str, *, edge: str = "white", hatch: str | None = None) -> None:
    from matplotlib.collections import PathCollection

    paths = [_path(shape) for shape in frame.geometry if shape is not None and not shape.is_empty]
    if paths:
        line = "#8a8a8a" if hatch else edge
        axes.add_collection(PathCollection(paths, facecolors=colour, edgecolors=line, linewidths=0.25, hatch=hatch), autolim=False)


def _add_lines(axes: Any, frame: gpd.GeoDataFrame, colour: str, width: float) -> None:
    import shapely
    from matplotlib.collections import LineCollection

    parts = [part for part in shapely.get_parts(frame.geometry.to_numpy()) if not part.is_empty]
    segments: list[npt.NDArray[np.float64]] = [shapely.get_coordinates(part) for part in parts]
    if segments:
        axes.add_collection(LineCollection(segments, colors=colour, linewidths=width), autolim=False)


def _add_edges(axes: Any, sheet: Sheet) -> None:
    import geopandas as gpd

    for depth, outline in enumerate(sheet.outlines):
        edges = gpd.GeoDataFrame(geometry=outline.geometry.boundary, crs=outline.crs)
        _add_lines(axes, edges, "#333333" if depth == 0 else "#777777", 1.1 if depth == 0 else 0.5)


def _path(shape: Any) -> Any:
    """Join the rings of a polygon or multipolygon to one matplotlib path; holes stay holes by their direction."""
    import shapely
    from matplotlib.path import Path

    rings = shapely.get_rings(shapely.get_parts(shapely.orient_polygons(shape)))  # of a multipolygon itself it gives none
    return Path.make_compound_path(*(Path(shapely.get_coordinates(ring), closed=True) for ring in rings))


def _legend(figure: Figure, sheet: Sheet) -> None:
    from matplotlib.patches import Rectangle

    words = legend_words(sheet.language)
    _write(figure, _ASIDE, -1.0, words["title.legend"], size=11, weight="bold")
    y = -1.28
    for band in [one for one in sheet.bands if not one.ground]:
        bottom = _y(figure, y) * figure.get_figheight() - 0.085
        face, hatch = "none" if band.masked else band.colour, _HATCHES.get(band.pattern or "")
        _place(figure, Rectangle((_ASIDE, bottom), 0.27, 0.17, facecolor=face, edgecolor="#777777", linewidth=0.5, hatch=hatch))
        number = int(band.members(sheet.places).sum())
        _write(figure, _ASIDE + 0.36, y, f"{band.label(sheet.language)} ({number:,})", size=9.5)
        y -= 0.27
    _write(figure, _ASIDE, y, words["title.places"], size=8, color="#666666")


def _north_arrow(figure: Figure) -> None:
    from matplotlib.patches import Polygon

    # The tip points up the sheet: grid north of the metric system, within a degree of true north inside one city.
    corners = [(_ASIDE + x, y) for x, y in ((0.2, 1.68), (0.11, 1.38), (0.2, 1.46), (0.29, 1.38))]
    _place(figure, Polygon(corners, closed=True, facecolor="#222222"))
    _write(figure, _ASIDE + 0.2, 1.8, "N", size=11, weight="bold", ha="center")


def _scale_bar(figure: Figure, axes: Any, language: Language) -> None:
    from matplotlib.patches import Rectangle

    figure.draw_without_rendering()
    low, high = axes.get_xlim()
    metres_per_inch = (high - low) / (axes.get_window_extent().width / figure.dpi)
    length_m = _round_down(1.6 * metres_per_inch)
    width = length_m / metres_per_inch
    for half, colour in ((0, "#222222"), (1, "#ffffff")):
        corner = (_ASIDE + half * width / 2, 0.95)
        _place(figure, Rectangle(corner, width / 2, 0.06, facecolor=colour, edgecolor="#222222", linewidth=0.6))
    unit = legend_words(language)["unit.km" if length_m >= 1000 else "unit.m"]
    _write(figure, _ASIDE, 1.1, "0", size=8.5, ha="center")
    _write(figure, _ASIDE + width, 1.1, f"{length_m / 1000 if length_m >= 1000 else length_m:g} {unit}", size=8.5, ha="center")


def _round_down(length_m: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten that is not above a length in metres."""
    power = 10 ** math.floor(math.log10(max(length_m, 1.0)))
    return float(max(digit * power for digit in (1, 2, 5) if digit * power <= max(length_m, 1.0)))
