"""Maps for paper, drawn by matplotlib without a browser; the same numbers give the same bytes."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cloudmap.publish import drawing, tables, titles
from cloudmap.publish.drawing import Sheet
from cloudmap.publish.legend import bands

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.publish.legend import Language, Measure

CHINESE_FONTS: Final = (
    "Noto Sans CJK SC", "Source Han Sans SC", "Source Han Sans CN", "Noto Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "SimHei", "PingFang SC",
)  # fmt: skip
"""Fonts with Chinese characters, best first; Debian has the first in fonts-noto-cjk."""

SVG_SHAPES_MAX: Final = 4_000
"""Above this many coloured places a briefing embeds a picture: an SVG of more is slow to open."""

_PLAIN_FONT: Final = "DejaVu Sans"


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
    """Draw a map as PNG; parameters as `map_svg`, and `dpi` dots an inch; 9.6 inches wide, as high as the city needs.

    Raises
    ------
    AnalysisError
        No such layer, period or category, or a ratio without an exposure.
    """
    return _render(_sheet(reader, layer, category, period, measure, language), "png", dpi=dpi)


def _sheet(reader: Reader, layer: str | None, category: str, period_id: str | None, measure: Measure, language: Language) -> Sheet:
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
    return Sheet(
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


def _render(sheet: Sheet, format_name: str, dpi: int = 200) -> bytes:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    families = [*([chinese_font()] if chinese_font() else []), _PLAIN_FONT]
    settings: Any = {"font.family": families, "svg.hashsalt": "cloudmap", "svg.fonttype": "path", "text.parse_math": False}
    with mpl.rc_context(settings):
        figure = Figure(figsize=drawing.size_in(sheet), dpi=dpi)
        drawing.draw(figure, sheet)
        out = io.BytesIO()
        if format_name == "svg":
            FigureCanvasSVG(figure)
            figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        else:
            FigureCanvasAgg(figure)
            figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()
