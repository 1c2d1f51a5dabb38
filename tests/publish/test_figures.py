from __future__ import annotations

from datetime import date
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import polars as pl
import pytest

from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError
from cloudmap.publish import drawing, maps
from cloudmap.publish.figures import map_png, map_svg, plot
from cloudmap.publish.legend import HOT_COLOUR, bands

SVG = "{http://www.w3.org/2000/svg}"


def _fills(svg: bytes) -> list[str]:
    return [path.get("style", "") for path in ElementTree.fromstring(svg).iter(f"{SVG}path")]


def test_the_map_draws_each_hot_cell_once(reader):
    drawn = sum(f"fill: {HOT_COLOUR}" in style for style in _fills(map_svg(reader)))
    assert drawn == len(reader.hot) + 1  # and its box in the legend


def test_the_same_numbers_give_the_same_bytes(fake):
    assert map_svg(fake()) == map_svg(fake())
    assert map_png(fake(), dpi=60) == map_png(fake(), dpi=60)
    assert b"<dc:date" not in map_svg(fake())


def test_png_has_the_size_asked_for(reader, tmp_path):
    (tmp_path / "m.png").write_bytes(map_png(reader, measure="count", dpi=50))
    height, width, _ = matplotlib.image.imread(tmp_path / "m.png").shape
    assert width == 480
    assert 4.6 * 50 <= height <= 8.6 * 50


def test_masked_places_are_hatched_and_named(fake):
    assert "已隐去".encode() in map_svg(fake(outside=True), measure="count")
    assert b"url(#h" in map_svg(fake(outside=True), measure="count")
    assert b"url(#h" not in map_svg(fake(), measure="count")


@pytest.mark.parametrize(("language", "wanted"), [("zh-Hans", "报告在哪里"), ("en", "Where reports are")])
def test_the_words_are_there_in_both_languages(language, wanted, reader):
    if language == "zh-Hans" and maps.chinese_font() is None:
        pytest.skip("no font with Chinese characters on this machine")
    drawn = map_svg(reader, language=language).decode()
    assert wanted in drawn
    assert ("示意" if language == "zh-Hans" else "schematic") in drawn
    assert ("千米" if language == "zh-Hans" else "km") in drawn


def test_without_a_chinese_font_the_map_speaks_english_and_says_why(reader, monkeypatch):
    monkeypatch.setattr(maps, "chinese_font", lambda: None)
    drawn = map_svg(reader).decode()
    assert "Where reports are" in drawn
    assert "install fonts-noto-cjk" in drawn


def test_names_with_signs_of_formulas_are_drawn_as_they_are(reader, monkeypatch):
    named = reader.city.model_copy(update={"city": reader.city.city.model_copy(update={"name_en": "A $_$ --> B"})})
    monkeypatch.setattr(reader, "city", named)
    ElementTree.fromstring(map_svg(reader, language="en"))


def test_the_scale_bar_is_a_round_length():
    assert [drawing._round_down(length) for length in (0.3, 1, 199, 4_999, 5_000, 12_000)] == [1, 1, 100, 2_000, 5_000, 10_000]


def test_bands_of_counts_cover_every_positive_count_and_give_no_masked_one_away():
    import pandas as pd

    rng = np.random.default_rng(3)
    table = pd.DataFrame({"n": rng.negative_binomial(0.4, 0.02, 4_000).astype(float), "masked": False})
    table.loc[:50, "masked"] = True
    table.loc[:50, "n"] = np.nan
    chosen = bands(table, "count")
    members = np.sum([band.members(table) for band in chosen], axis=0)
    assert len(chosen) <= 8
    assert (members == 1).all()
    assert chosen[-1].masked


def test_a_figure_of_hotspots_shows_every_place_by_verdict(reader):
    figure = plot(reader.values("cell_9", "ALL", reader.default_period.id, "hotspot"))
    assert [len(trace.x) for trace in figure.data] == [len(reader.cells) - len(reader.hot), len(reader.hot)]
    assert "places tested together" in figure.layout.title.text


def test_a_figure_leaves_masked_places_out_and_counts_them(fake):
    result = fake(outside=True).values("cell_9", "ALL", "2018-W35", "count")
    figure = plot(result)
    assert f"{int(result.table['masked'].sum())} places masked" in figure.layout.title.text
    assert len(figure.data[0].x) == 25


def test_weeks_are_a_line_and_names_are_no_markup():
    weeks = Result("count", {}, pl.DataFrame({"week_on": [date(2018, 1, 8), date(2018, 1, 1)], "n": [2, 1]}), "reports")
    assert list(plot(weeks).data[0].y) == [1, 2]
    named = Result("count", {}, pl.DataFrame({"place": ["<b>x"], "value": [1.0]}), "reports")
    assert plot(named).data[0].y[0] == "&lt;b&gt;x"
    with pytest.raises(AnalysisError, match="neither place"):
        plot(Result("count", {}, pl.DataFrame({"x": [1]}), "reports"))


def test_every_part_of_a_multipolygon_is_drawn_and_holes_stay_holes():
    from shapely.geometry import MultiPolygon, Polygon, box

    holed = Polygon(box(0, 0, 9, 9).exterior, [box(3, 3, 6, 6).exterior])
    path = drawing._path(MultiPolygon([holed, box(20, 0, 21, 1)]))
    assert [path.contains_point(point) for point in ((1, 1), (20.5, 0.5), (15, 0.5))] == [True, True, False]
    assert (path.codes == path.MOVETO).sum() == 3


def test_columns_of_numbers_are_never_broken():
    from cloudmap.publish.columns import TEXT_WIDTH, column_widths

    rows = [["Unit", "n", "95% interval"], ["Long Meadow and Mill Quarter by the River", "1,204,000", "[0.96, 1.12]"]]
    size, widths = column_widths(rows)
    assert abs(sum(widths) - TEXT_WIDTH) <= 4
    # Twentieths of a point: a figure is about half as wide as its letter is high, which is `size` half points.
    assert all(width >= 5 * size * len(text) for width, text in zip(widths[1:], rows[1][1:], strict=True))
