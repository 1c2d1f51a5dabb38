"""From values to classes: the byte of each place, and the rows of the legend.

Breaks are made from what is shown only: a masked value moves none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from cloudmap.dashboard.text import Words, number

NONE: Final = 0
"""Code of a place without a value."""
MASKED: Final = 1
FIRST: Final = 2
"""Code of the first class."""

_LADDER: Final = [1, 2, 3, 4, 5, 6, 8, *(step * 10**power for power in range(1, 7) for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8))]
_QUANTILES: Final = (0.35, 0.6, 0.8, 0.92, 0.98)
RATIO_BREAKS: Final = (0.5, 0.67, 0.8, 1.25, 1.5, 2.0)


@dataclass(frozen=True, slots=True)
class Classed:
    """Classes of one map.

    Attributes
    ----------
    codes : numpy.ndarray of uint8, shape (n_places,)
        `NONE`, `MASKED`, or `FIRST` and up.
    labels : list of str
        Label of each class, from `FIRST` on.
    """

    codes: np.ndarray
    labels: list[str]


def classify(table: pl.DataFrame, measure: str, words: Words) -> Classed:
    """Put each place into a class.

    Parameters
    ----------
    table : polars.DataFrame
        place, value, masked (and class, n for hotspot), one row a place in drawing order.
    measure : {"count", "ratio", "hotspot"}
    words : Words
    """
    masked = table["masked"].fill_null(value=False).to_numpy()
    values = table["value"].to_numpy().astype(float)
    if measure == "hotspot":
        classes, labels = _hotspot(table, words)
    elif measure == "ratio":
        classes = np.searchsorted(RATIO_BREAKS, values, side="right")
        labels = _ratio_labels(words)
    else:
        classes, labels = _count(np.where(masked, np.nan, values), words)
    codes = np.where(np.isnan(values), NONE, classes + FIRST)
    return Classed(np.where(masked, MASKED, codes).astype(np.uint8), labels)


def _hotspot(table: pl.DataFrame, words: Words) -> tuple[np.ndarray, list[str]]:
    hot = (table["class"] == "hot").fill_null(value=False).to_numpy()
    quiet = (table["n"] == 0).fill_null(value=False).to_numpy()
    return np.where(hot, 2, np.where(quiet, 0, 1)), [words("legend.quiet"), words("legend.not_significant"), words("legend.hot")]


def _count(values: np.ndarray, words: Words) -> tuple[np.ndarray, list[str]]:
    breaks = count_breaks(values)
    labels, positive = ["0"], values[values > 0]
    least = int(positive.min()) if len(positive) else 1
    for low, high in zip([least, *(one + 1 for one in breaks)], [*breaks, None], strict=True):
        if high is None:
            labels.append(words("legend.above", **{"from": low}))
        else:
            labels.append(number(low) if low == high else words("legend.range", **{"from": low, "to": high}))
    above = np.searchsorted(breaks, values, side="left") + 1 if breaks else np.ones(len(values), dtype=int)
    return np.where(values == 0, 0, above), labels


def count_breaks(values: np.ndarray) -> list[int]:
    """Choose the upper ends of all count classes but the last: round numbers near fixed quantiles of the places that have any.

    Parameters
    ----------
    values : numpy.ndarray of float
        Counts; NaN where masked or unknown.

    Returns
    -------
    list of int
        Ascending; every class between them can be met, and the last one is too.
    """
    some = values[~np.isnan(values) & (values > 0)]
    if len(some) == 0:
        return []
    near = [int(next(step for step in _LADDER if step >= quantile)) for quantile in np.quantile(some, _QUANTILES, method="inverted_cdf")]
    return sorted({step for step in near if step < some.max()})


def _ratio_labels(words: Words) -> list[str]:
    middle = [words("legend.range", **{"from": f"{low:g}", "to": f"{high:g}"}) for low, high in pairwise(RATIO_BREAKS)]
    first, last = words("legend.below", to=f"{RATIO_BREAKS[0]:g}"), words("legend.above", **{"from": f"{RATIO_BREAKS[-1]:g}"})
    return [first, *middle, last]
