from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from cloudmap.dashboard.legend import FIRST, MASKED, NONE, classify, count_breaks
from cloudmap.dashboard.text import words

EN = words("en")


def table(values: list[float | None], masked: list[bool] | None = None) -> pl.DataFrame:
    return pl.DataFrame({"value": values, "masked": masked or [False] * len(values)}, schema={"value": pl.Float64, "masked": pl.Boolean})


def test_zero_one_and_nothing_are_told_apart() -> None:
    classed = classify(table([0, 1, None, 7]), "count", EN)
    assert classed.codes[0] == FIRST
    assert classed.codes[2] == NONE
    assert classed.codes[3] > classed.codes[1] > FIRST
    assert classed.labels[0] == "0"


def test_a_masked_place_shows_no_class_and_moves_no_break() -> None:
    shown = [0.0, 10.0, 12.0, 15.0, 40.0]
    alone = classify(table(shown), "count", EN)
    for hidden in (3.0, 9.0, 900.0):
        beside = classify(table([*shown, hidden], [False] * 5 + [True]), "count", EN)
        assert beside.labels == alone.labels
        assert beside.codes[-1] == MASKED


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=200))
def test_every_count_class_is_met_and_holds_its_label(counts: list[int]) -> None:
    classed = classify(table([float(one) for one in counts]), "count", EN)
    met = set(classed.codes.tolist())
    some = [one for one in counts if one]
    if some:
        assert met | {FIRST} == set(range(FIRST, FIRST + len(classed.labels)))
    for one, code in zip(counts, classed.codes, strict=True):
        label = classed.labels[code - FIRST].replace(",", "")
        if label.startswith("≥"):
            assert one >= int(label.split()[1])
        else:
            ends = [int(end) for end in label.split(" – ")]
            assert ends[0] <= one <= ends[-1]


def test_no_reports_no_breaks() -> None:
    assert count_breaks(np.zeros(5)) == []


def test_ratio_is_cut_evenly_about_one() -> None:
    classed = classify(table([0.2, 0.6, 1.0, 1.3, 9.0, None]), "ratio", EN)
    assert classed.codes.tolist() == [FIRST, FIRST + 1, FIRST + 3, FIRST + 4, FIRST + 6, NONE]


def test_hotspots_are_hot_or_not() -> None:
    frame = table([1.0, 0.0, 0.0]).with_columns(
        n=pl.Series([9, 2, 0]), **{"class": pl.Series(["hot", "not_significant", "not_significant"])}
    )
    assert classify(frame, "hotspot", EN).codes.tolist() == [FIRST + 2, FIRST + 1, FIRST]
