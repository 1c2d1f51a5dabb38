"""Printed maps and QGIS styles show the page's classes, words and colours."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from cloudmap.dashboard import legend as page
from cloudmap.dashboard.text import words
from cloudmap.publish import legend

PALETTE = (Path(__file__).parents[2] / "web" / "src" / "palette.js").read_text(encoding="utf-8")
LIGHT = {
    name: re.search(rf"const {name} = {{\s*light: \[([^\]]*)\]", PALETTE)[1].replace('"', "").split(", ") for name in ("COUNT", "RATIO")
}
STYLES = {
    name: (colour, pattern or None)
    for name, colour, pattern in re.findall(r'^  (\w+): \["(#\w{6})", "#\w{6}"(?:, "(\w+)")?\],$', PALETTE, re.MULTILINE)
}


def _page_colour(style: str, classes: int) -> tuple[str, str | None]:
    """Colour of a class as web/src/palette.js paints it in the light scheme."""
    family, _, step = style.rpartition("_")
    if family == "count":
        ramp = LIGHT["COUNT"]
        if step == "0":
            return re.search(r'light: {[^}]*zero: "(#\w{6})"', PALETTE)[1], None
        size = classes - 1
        at = len(ramp) // 2 if size <= 1 else int(np.floor((int(step) - 1) * (len(ramp) - 1) / (size - 1) + 0.5))
        return ramp[at], None
    if family == "ratio":
        return LIGHT["RATIO"][int(step)], None
    if family == "risk":
        return [LIGHT["RATIO"][at] for at in (0, 2, 3, 4, 5)][int(step)], None
    return STYLES[style]


def _table(measure: str) -> pl.DataFrame:
    rng = np.random.default_rng(5)
    size = 600
    n = rng.negative_binomial(0.5, 0.03, size)
    value = rng.gamma(2, 0.6, size)
    table = {"place": [f"{one:04d}" for one in range(size)], "n": n, "masked": rng.random(size) < 0.1}
    if measure == "count":
        table["value"] = n.astype(float)
    elif measure == "ratio":
        table["value"] = [None if one < 0.1 else float(one) for one in value]
    elif measure == "hotspot":
        table |= {"value": value, "class": rng.choice(["hot", "not_significant", "not_enough_data"], size)}
    elif measure == "emerging":
        table |= {"value": value, "class": rng.choice([*page.KINDS["emerging"]], size)}
    elif measure == "scan":
        rank = [None if one > 7 else float(one) for one in rng.integers(1, 12, size)]
        table |= {"value": rank, "class": ["no_cluster" if one is None else "cluster" for one in rank]}
    elif measure == "silent":
        table |= {"value": value, "class": rng.choice(page.KINDS["silent"], size)}
    else:
        verdict = "above_2" if measure == "risk" else "high"
        table |= {"value": value, "class": rng.choice([verdict, "ordinary", "not_enough_data"], size, p=[0.2, 0.7, 0.1])}
    return pl.DataFrame(table, strict=False)


@pytest.mark.parametrize("measure", ["count", "ratio", "hotspot", "emerging", "scan", "silent", "risk", "reach"])
def test_every_place_has_the_class_colour_and_word_of_the_page(measure):
    table = _table(measure)
    told = page.classify(table, measure, words("zh-Hans"))
    frame = table.to_pandas()
    if measure == "scan":
        frame = frame.assign(cluster_n=frame["value"])
    frame = frame.assign(ratio=frame["value"])
    chosen = legend.bands(frame, measure)
    bands_of = [
        [band for band, inside in zip(chosen, row, strict=True) if inside] for row in np.array([b.members(frame) for b in chosen]).T
    ]
    for code, mine in zip(told.codes, bands_of, strict=True):
        if code == page.NONE:
            assert mine == []
        elif code == page.MASKED:
            assert [band.key for band in mine] == ["masked"]
        else:
            style = told.styles[code - page.FIRST]
            assert [(band.colour, band.pattern) for band in mine] == [_page_colour(style, len(told.styles))]
            for language in ("zh-Hans", "zh-Hant", "en"):
                assert mine[0].label(language) == page.classify(table, measure, words(language)).labels[code - page.FIRST]
    assert any(code >= page.FIRST for code in told.codes)


def test_every_style_of_the_palette_that_both_know_is_the_same():
    shared = set(STYLES) & set(legend.STYLES)
    assert {name: STYLES[name] for name in shared} == {name: legend.STYLES[name] for name in shared}
    assert len(shared) > 25
    assert re.search(r'light: {[^}]*masked: "(#\w{6})"', PALETTE)[1] == legend.MASKED_COLOUR


def test_lights_and_staff_have_classes_too():
    frame = pd.DataFrame({"n": [1, 2, 0], "class": ["red", "green", "no_clock"], "masked": [False, False, True]})
    assert [band.key for band in legend.bands(frame, "overdue")] == ["no_clock", "green", "red", "masked"]
    assert [band.key for band in legend.bands(frame.assign(**{"class": "no_staff"}), "staffing")] == ["complete", "no_staff", "masked"]
