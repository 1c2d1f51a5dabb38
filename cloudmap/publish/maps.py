"""Maps for paper, drawn by matplotlib without a browser; the same numbers give the same bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cloudmap.publish import drawing, tables, titles
from cloudmap.publish.drawing import Sheet
from cloudmap.publish.fonts import chinese_font
from cloudmap.publish.legend import bands

if TYPE_CHECKING:
    import geopandas as gpd

    from cloudmap.access.reader import Reader
    from cloudmap.publish.legend import Drawn, Language

SVG_SHAPES_MAX: Final = 4_000
"""Above this many coloured places a briefing embeds a picture: an SVG of more is slow to open."""

_EDGES_MAX: Final = 600
"""Above this many units a map draws the edges of the coarser levels only."""

_PLAIN_FONT: Final = "DejaVu Sans"


def map_svg(
    reader: Reader,
    layer: str | None = None,
    category: str = "ALL",
    period: str | None = None,
    measure: Drawn = "hotspot",
    *,
    language: Language = "zh-Hans",
    unit: str | None = None,
) -> bytes:
    """Draw a map as SVG, letters as outlines, so that it looks alike everywhere.

    Parameters
    ----------
    reader : Reader
        Door to the numbers.
    layer : str, optional
        Cells or units; by default the cells of the city's default resolution. Reaches where the measure is "reach".
    category, period : str
        Category code and period id; by default all and the last four complete weeks.
    measure : str
        What is coloured: a measure of `access.views.MEASURES`, or "reach": matters per kilometre of water to the city rate.
    language : {"zh-Hans", "zh-Hant", "en"}
        Language of the words; English where no font with Chinese characters is installed, with a note that says so.
    unit : str, optional
        Code of a unit that the map is drawn up to.

    Raises
    ------
    AnalysisError
        No such layer, period, category or unit, or a ratio without an exposure.
    """
    return _render(_sheet(reader, MapChoice(layer, category, period, measure, unit), language), "svg")


def map_png(
    reader: Reader,
    layer: str | None = None,
    category: str = "ALL",
    period: str | None = None,
    measure: Drawn = "hotspot",
    *,
    language: Language = "zh-Hans",
    unit: str | None = None,
    dpi: int = 200,
) -> bytes:
    """Draw a map as PNG; parameters as `map_svg`, and `dpi` dots an inch; 9.6 inches wide, as high as the city needs.

    Raises
    ------
    AnalysisError
        No such layer, period, category or unit, or a ratio without an exposure.
    """
    return _render(_sheet(reader, MapChoice(layer, category, period, measure, unit), language), "png", dpi=dpi)


@dataclass(frozen=True, slots=True)
class MapChoice:
    """What a map shows; fields as the parameters of `map_svg`."""

    layer: str | None = None
    category: str = "ALL"
    period: str | None = None
    measure: Drawn = "hotspot"
    unit: str | None = None


def _sheet(reader: Reader, choice: MapChoice, language: Language) -> Sheet:
    period = reader.period(choice.period) if choice.period else reader.default_period
    places, layer_id = coloured(reader, choice, period.id)
    metric = reader.city.city.metric_crs
    places = places.to_crs(metric)
    units = [one for one in reader.layers() if one.kind == "unit"]
    edged = [*units[:2], *(one for one in units[2:] if one.id == layer_id and one.places_n <= _EDGES_MAX)]
    outlines = [reader.geometry(one.id).to_crs(metric) for one in edged]
    water = [] if choice.measure == "reach" else [reader.geometry(one.id).to_crs(metric) for one in reader.layers() if one.kind == "water"]
    frame = None
    if choice.unit:
        frame = tables.unit_shape(reader, choice.unit).to_crs(metric)
        around = frame.geometry.iloc[0]
        places = places[places.intersects(around)].reset_index(drop=True)
        outlines = [frame, *(one[one.intersects(around)] for one in outlines)]
    spoken: Language = language if language == "en" or chinese_font() else "en"
    notes = titles.notes(reader, spoken)
    if spoken != language:
        notes.append("no font with Chinese characters here: install fonts-noto-cjk")
    title = titles.map_title(reader, choice.measure, choice.category, spoken)
    return Sheet(
        places=places,
        bands=bands(places, choice.measure),
        outlines=outlines,
        water=water,
        title=f"{title} · {titles.spelled(str(frame['name'].iloc[0]), spoken)}" if frame is not None else title,
        period=titles.period_text(period, spoken),
        notes=[*notes, titles.review_note(reader, spoken), titles.source_note(reader, spoken)],
        language=spoken,
    )


def coloured(reader: Reader, choice: MapChoice, period_id: str) -> tuple[gpd.GeoDataFrame, str | None]:
    """Return the places that a map shows, with their numbers, and the layer they are of; errors as for `map_svg`."""
    if choice.measure == "reach":
        return tables.reach_table(reader, choice.category, period_id), None
    measure = "overdue" if choice.measure == "overdue_n" else choice.measure
    known = {one.id: one.kind for one in reader.layers()}
    layer = tables.choose_layer(reader, known.get(choice.layer, "cell") if choice.layer else "cell", choice.layer)
    return tables.place_table(reader, layer.id, choice.category, period_id, measure), layer.id


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
