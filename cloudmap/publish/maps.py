"""Maps for paper, drawn by matplotlib without a browser; the same numbers give the same bytes."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cloudmap.publish import tables, titles
from cloudmap.publish.legend import bands

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy as np
    import numpy.typing as npt
    from matplotlib.figure import Figure

    from cloudmap.access.reader import Reader
    from cloudmap.publish.legend import Band, Language, Measure

CHINESE_FONTS: Final = (
    "Noto Sans CJK SC", "Source Han Sans SC", "Source Han Sans CN", "Noto Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "SimHei", "PingFang SC",
)  # fmt: skip
"""Fonts with Chinese characters, best first; Debian has the first in fonts-noto-cjk."""

SVG_SHAPES_MAX: Final = 4_000
"""Above this many coloured places a briefing embeds a picture: an SVG of more is slow to open."""

_WATER: Final = "#9ecae1"
_SIZE_IN: Final = (9.6, 7.2)
_PLAIN_FONT: Final = "DejaVu Sans"
_ASIDE: Final = 0.755  # left edge of legend, north arrow and scale bar, as a share of the width


@dataclass(frozen=True, slots=True)
class _Sheet:
    """All that is drawn: places and their bands, lines around, and the words."""

    places: gpd.GeoDataFrame
    bands: list[Band]
    outlines: list[gpd.GeoDataFrame]
    water: list[gpd.GeoDataFrame]
    title: str
    period: str
    notes: list[str]
    language: Language


@cache
def chinese_font() -> str | None:
    """Name an installed font that has Chinese characters, or None.

    Returns
    -------
    str or None
        The first of `CHINESE_FONTS` that matplotlib finds; fonts installed after matplotlib listed its fonts are looked for again.
    """
    from matplotlib import font_manager

    known = {entry.name for entry in font_manager.fontManager.ttflist}
    found = next((name for name in CHINESE_FONTS if name in known), None)
    if found:
        return found
    for path in font_manager.findSystemFonts():
        if any(part in path for part in ("CJK", "SourceHan", "wqy", "msyh", "simhei", "PingFang")):
            font_manager.fontManager.addfont(path)
    known = {entry.name for entry in font_manager.fontManager.ttflist}
    return next((name for name in CHINESE_FONTS if name in known), None)


def map_svg(
    reader: Reader,
    layer: str | None = None,
    category: str = "ALL",
    period: str | None = None,
    measure: Measure = "hotspot",
    *,
    language: Language = "zh-Hans",
) -> bytes:
    """Draw a map as SVG, letters as outlines, so that it looks alike everywhere.

    Parameters
    ----------
    reader : Reader
        Door to the numbers.
    layer : str, optional
        Cells or units; by default the cells of the city's default resolution.
    category, period : str
        Category code and period id; by default all and the last four complete weeks.
    measure : {"hotspot", "count", "ratio"}
        What is coloured.
    language : {"zh-Hans", "en"}
        Language of the words; English where no font with Chinese characters is installed, with a note that says so.

    Raises
    ------
    AnalysisError
        No such layer, period or category, or a ratio without an exposure.
    """
    return _render(_sheet(reader, layer, category, period, measure, language), "svg")


def map_png(
    reader: Reader,
    layer: str | None = None,
    category: str = "ALL",
    period: str | None = None,
    measure: Measure = "hotspot",
    *,
    language: Language = "zh-Hans",
    dpi: int = 200,
) -> bytes:
    """Draw a map as PNG; parameters as `map_svg`, and `dpi` dots an inch on 9.6 by 7.2 inches.

    Raises
    ------
    AnalysisError
        No such layer, period or category, or a ratio without an exposure.
    """
    return _render(_sheet(reader, layer, category, period, measure, language), "png", dpi=dpi)


def _sheet(reader: Reader, layer: str | None, category: str, period_id: str | None, measure: Measure, language: Language) -> _Sheet:
    known = {one.id: one.kind for one in reader.layers()}
    chosen = tables.choose_layer(reader, known.get(layer, "cell") if layer else "cell", layer)
    period = reader.period(period_id) if period_id else reader.default_period
    metric = reader.city.city.metric_crs
    places = tables.place_table(reader, chosen.id, category, period.id, measure).to_crs(metric)
    legend = bands(places, measure)
    units = [one for one in reader.layers() if one.kind == "unit"]
    coarse = [one for one in units if one.id != chosen.id][:2]
    spoken: Language = language if language == "en" or chinese_font() else "en"
    notes = titles.notes(reader, spoken)
    if spoken != language:
        notes.append("no font with Chinese characters here: install fonts-noto-cjk")
    return _Sheet(
        places=places,
        bands=legend,
        outlines=[reader.geometry(one.id).to_crs(metric) for one in coarse],
        water=[reader.geometry(one.id).to_crs(metric) for one in reader.layers() if one.kind == "water"],
        title=titles.map_title(reader, measure, category, spoken),
        period=titles.period_text(period, spoken),
        notes=[*notes, _source(reader, spoken)],
        language=spoken,
    )


def _source(reader: Reader, language: Language) -> str:
    at = titles.instant_text(reader.now, reader.city, language)
    if language == "en":
        return f"Source: load {reader.analysed_load}, base map {reader.base_map_version}; data as of {at}"
    return f"数据来源：第 {reader.analysed_load} 批数据，底图版本 {reader.base_map_version}；数据截至{at}"


def _render(sheet: _Sheet, format_name: str, dpi: int = 200) -> bytes:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    families = [*([chinese_font()] if chinese_font() else []), _PLAIN_FONT]
    settings: Any = {"font.family": families, "svg.hashsalt": "cloudmap", "svg.fonttype": "path", "text.parse_math": False}
    with mpl.rc_context(settings):
        figure = Figure(figsize=_SIZE_IN, dpi=dpi)
        _draw(figure, sheet)
        out = io.BytesIO()
        if format_name == "svg":
            FigureCanvasSVG(figure)
            figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        else:
            FigureCanvasAgg(figure)
            figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _draw(figure: Figure, sheet: _Sheet) -> None:
    axes = figure.add_axes((0.02, 0.09, 0.72, 0.81))
    axes.set_axis_off()
    axes.set_aspect("equal")
    for water in sheet.water:
        lines = water[water.geom_type.str.contains("Line")]
        areas = water[water.geom_type.str.contains("Polygon")]
        _add_lines(axes, lines, _WATER, 1.2)
        _add_areas(axes, areas, _WATER, edge="none")
    for band in sheet.bands:
        _add_areas(
            axes, sheet.places[band.members(sheet.places)], "none" if band.masked else band.colour, hatch="////" if band.masked else None
        )
    _add_edges(axes, sheet)
    west, south, east, north = _extent(sheet)
    margin = 0.02 * max(east - west, north - south)
    axes.set_xlim(west - margin, east + margin)
    axes.set_ylim(south - margin, north + margin)
    figure.text(0.02, 0.955, sheet.title, size=17, weight="bold", va="center")
    figure.text(0.02, 0.918, sheet.period, size=11, color="#444444", va="center")
    figure.text(0.02, 0.045, ("；" if sheet.language == "zh-Hans" else "; ").join(sheet.notes[:-1]), size=8.5, color="#444444")
    figure.text(0.02, 0.020, sheet.notes[-1], size=8.5, color="#444444")
    _legend(figure, sheet)
    _north_arrow(figure)
    _scale_bar(figure, axes, sheet.language)


def _extent(sheet: _Sheet) -> tuple[float, float, float, float]:
    frames = sheet.outlines[:1] or [sheet.places]
    west, south, east, north = frames[0].total_bounds
    return float(west), float(south), float(east), float(north)


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


def _add_edges(axes: Any, sheet: _Sheet) -> None:
    import geopandas as gpd

    for depth, outline in enumerate(sheet.outlines):
        edges = gpd.GeoDataFrame(geometry=outline.geometry.boundary, crs=outline.crs)
        _add_lines(axes, edges, "#333333" if depth == 0 else "#777777", 1.1 if depth == 0 else 0.5)


def _path(shape: Any) -> Any:
    """Join the rings of a polygon or multipolygon to one matplotlib path; holes stay holes by their direction."""
    import shapely
    from matplotlib.path import Path

    rings = shapely.get_rings(shapely.orient_polygons(shape))
    return Path.make_compound_path(*(Path(shapely.get_coordinates(ring), closed=True) for ring in rings))


def _legend(figure: Figure, sheet: _Sheet) -> None:
    from matplotlib.patches import Rectangle

    heading = "Legend" if sheet.language == "en" else "图例"
    figure.text(_ASIDE, 0.86, heading, size=11, weight="bold", va="center")
    bottom = 0.82
    for band in sheet.bands:
        face = "none" if band.masked else band.colour
        hatch = "////" if band.masked else None
        box = Rectangle((_ASIDE, bottom - 0.012), 0.028, 0.024, facecolor=face, edgecolor="#777777", linewidth=0.5, hatch=hatch)
        box.set_transform(figure.transFigure)
        figure.add_artist(box)
        number = int(band.members(sheet.places).sum())
        figure.text(_ASIDE + 0.037, bottom, f"{band.label(sheet.language)} ({number:,})", size=9.5, va="center")
        bottom -= 0.038
    remark = "in brackets: number of places" if sheet.language == "en" else "括号内为地点个数"
    figure.text(_ASIDE, bottom, remark, size=8, color="#666666", va="center")


def _north_arrow(figure: Figure) -> None:
    from matplotlib.patches import Polygon

    # The tip points up the sheet: grid north of the metric system, within a degree of true north inside one city.
    arrow = Polygon(
        [(_ASIDE + dx, y) for dx, y in ((0.022, 0.235), (0.013, 0.195), (0.022, 0.205), (0.031, 0.195))], closed=True, facecolor="#222222"
    )
    arrow.set_transform(figure.transFigure)
    figure.add_artist(arrow)
    figure.text(_ASIDE + 0.022, 0.25, "N", size=11, weight="bold", ha="center", va="center")


def _scale_bar(figure: Figure, axes: Any, language: Language) -> None:
    from matplotlib.patches import Rectangle

    figure.draw_without_rendering()
    box = axes.get_window_extent()
    low, high = axes.get_xlim()
    metres_per_sheet = (high - low) / box.width * figure.bbox.width
    length_m = _round_down(0.17 * metres_per_sheet)
    width = length_m / metres_per_sheet
    for half, colour in ((0, "#222222"), (1, "#ffffff")):
        bar = Rectangle((_ASIDE + half * width / 2, 0.135), width / 2, 0.009, facecolor=colour, edgecolor="#222222", linewidth=0.6)
        bar.set_transform(figure.transFigure)
        figure.add_artist(bar)
    far = f"{length_m / 1000:g}" if length_m >= 1000 else f"{length_m:g}"
    unit = {"en": ("km", "m"), "zh-Hans": ("千米", "米")}[language][0 if length_m >= 1000 else 1]
    figure.text(_ASIDE, 0.158, "0", size=8.5, ha="center", va="center")
    figure.text(_ASIDE + width, 0.158, f"{far} {unit}", size=8.5, ha="center", va="center")


def _round_down(length_m: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten that is not above a length in metres."""
    power = 10 ** math.floor(math.log10(max(length_m, 1.0)))
    return float(max(digit * power for digit in (1, 2, 5) if digit * power <= max(length_m, 1.0)))
