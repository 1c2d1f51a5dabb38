"""Places on the ground: every place of the result once, masked ones said, nothing asked of the Internet."""

from __future__ import annotations

import json

import geopandas as gpd
import polars as pl
import pytest
from shapely import MultiPolygon, box

from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError
from cloudmap.publish.figures import draw, plot

SHAPES = gpd.GeoDataFrame(
    {"place": ["a", "b", "c", "d"]},
    geometry=[box(0, 0, 1, 1), box(1, 0, 2, 1), box(2, 0, 3, 1), MultiPolygon([box(3, 0, 4, 1), box(5, 0, 6, 1)])],
    crs="EPSG:4326",
)


def _result(**columns: list) -> Result:
    return Result("method", {"period": "2018-W30"}, pl.DataFrame({"place": ["a", "b", "c", "d"], **columns}), "4 places")


def test_each_class_has_its_places_and_what_is_looked_for_lies_on_top():
    figure = draw(_result(n=[9, 8, 0, None], **{"class": ["hot", "hot", "not_significant", None]}), SHAPES)
    assert [trace.name for trace in figure.data] == ["masked (1)", "not_significant (1)", "hot (2)", "values"]
    assert figure.data[2].x.count(None) >= 2
    assert figure.data[2].fillcolor != figure.data[1].fillcolor


def test_a_number_is_shaded_and_every_place_is_in_one_shade():
    figure = draw(_result(value=[1.0, 2.0, 3.0, None]), SHAPES)
    counts = [int(trace.name.rpartition("(")[2].rstrip(")")) for trace in figure.data[:-1]]
    assert sum(counts) == 4
    assert figure.data[0].name == "no value 无数值 (1)"


def test_numbers_of_hostile_places_are_escaped_and_no_address_is_in_the_figure():
    shapes = SHAPES.assign(place=["<script>alert(1)</script>", "b", "c", "d"])
    table = pl.DataFrame({"place": ["<script>alert(1)</script>"], "value": [1.0]})
    told = json.dumps(json.loads(draw(Result("m", {}, table, "d"), shapes).to_json())["data"])
    assert "<script" not in told
    assert "http" not in told


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(AnalysisError, match="none of the result's places"):
        draw(Result("m", {}, pl.DataFrame({"place": ["x"], "value": [1.0]}), "d"), SHAPES)
    with pytest.raises(AnalysisError, match="no column place"):
        draw(Result("m", {}, pl.DataFrame({"week": [1]}), "d"), SHAPES)


def test_results_without_places_are_plotted_by_class_or_by_n():
    bands = pl.DataFrame({"kind": ["canal", "canal", "river"], "n": [1, 2, 5]})
    assert list(plot(Result("bands", {}, bands, "d")).data[0].x) == [3, 5]
    classes = pl.DataFrame({"stage": ["a", "b"], "class": ["too_few", "too_few"]})
    assert list(plot(Result("stays", {}, classes, "d")).data[0].x) == [2]
