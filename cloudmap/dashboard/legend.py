"""From values to classes: the byte of each place, the style of each class, and its words in the legend.

Breaks are made from what is shown only: a masked value moves none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from cloudmap.analytics.emerging import CLASSES, NO_PATTERN
from cloudmap.dashboard.text import Words, number

NONE: Final = 0
"""Code of a place without a value."""
MASKED: Final = 1
FIRST: Final = 2
"""Code of the first class."""

_LADDER: Final = [1, 2, 3, 4, 5, 6, 8, *(step * 10**power for power in range(1, 7) for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8))]
_QUANTILES: Final = (0.35, 0.6, 0.8, 0.92, 0.98)
RATIO_BREAKS: Final = (0.5, 0.67, 0.8, 1.25, 1.5, 2.0)
RISK_BREAKS: Final = (0.5, 0.8, 1.25, 2.0)
SCAN_RANKS: Final = 3
"""Clusters with a colour of their own; the others share one."""

NO_DATA: Final = "not_enough_data"
_HALF: Final = len(CLASSES) // 2
KINDS: Final[dict[str, tuple[str, ...]]] = {
    "hotspot": ("quiet", "not_significant", "hot", NO_DATA),
    "emerging": (*reversed(CLASSES[_HALF : 2 * _HALF]), NO_PATTERN, *reversed(CLASSES[:_HALF]), NO_DATA),
    "scan": ("no_cluster", "cluster_more", *(f"cluster_{rank}" for rank in range(SCAN_RANKS, 0, -1))),
    "staffing": ("complete", "unknown", "no_volunteer", "no_staff", "neither"),
    "silent": ("reporting", "never_reported", "silent", NO_DATA),
}
"""Classes of the measures that are a verdict, the strongest last but for want of data."""
BREAKABLE: Final = ("count", "ratio")
"""Measures whose breaks may be chosen."""
CLASSES_N: Final = 6
"""Classes above zero that chosen breaks make."""
JENKS_N: Final = 2_000
"""Values that natural breaks are found from: evenly spread over the sorted ones where there are more."""
ONLY_MET: Final = ("emerging", "scan")
"""Measures whose legend leaves out classes that no place has."""


@dataclass(frozen=True, slots=True)
class Classed:
    """Classes of one map.

    Attributes
    ----------
    codes : numpy.ndarray of uint8, shape (n_places,)
        `NONE`, `MASKED`, or `FIRST` and up.
    labels : list of str
        Label of each class, from `FIRST` on.
    styles : list of str
        How each class is painted: a name of ``web/src/palette.js``.
    """

    codes: np.ndarray
    labels: list[str]
    styles: list[str]


def classify(table: pl.DataFrame, measure: str, words: Words, breaks: str = "", base: pl.DataFrame | None = None) -> Classed:
    """Put each place into a class.

    Parameters
    ----------
    table : polars.DataFrame
        place, value, masked (and class, n where the measure is a verdict), one row a place in drawing order.
    measure : str
        A measure of `view.PAGES`.
    words : Words
    breaks : str
        One of `view.BREAKS`, or breaks of one's own; for the measures of `BREAKABLE`.
    base : polars.DataFrame, optional
        The table whose values the breaks are made from, where two maps are to share them; this one where not given.
    """
    masked = table["masked"].fill_null(value=False).to_numpy()
    values = table["value"].cast(pl.Float64).to_numpy().astype(float)
    known = ~np.isnan(values)
    shown = np.where(masked, np.nan, values)
    told = shown if base is None else _unmasked(base)
    if measure in KINDS:
        classes, labels, styles = _verdicts(table, measure, words)
        known = classes >= 0
    elif measure in ("risk", "reach"):
        classes, labels, styles = _binned(table, values, measure, words)
        known |= classes == len(labels) - 1
    elif measure == "ratio":
        ends = tuple(chosen_breaks(told, breaks, whole=False)) if breaks else RATIO_BREAKS
        classes, labels = np.searchsorted(ends, values, side="right"), _range_labels(ends, words)
        styles = [f"{'ramp' if breaks else 'ratio'}_{step}" for step in range(len(labels))]
    else:
        classes, labels = _count(shown, told, words, breaks)
        styles = [f"count_{step}" for step in range(len(labels))]
    codes = np.where(known, classes + FIRST, NONE)
    return Classed(np.where(masked, MASKED, codes).astype(np.uint8), labels, styles)


def _verdicts(table: pl.DataFrame, measure: str, words: Words) -> tuple[np.ndarray, list[str], list[str]]:
    kinds = KINDS[measure]
    if measure == "scan":
        rank = table["value"].cast(pl.Int64)
        named = pl.Series([_cluster(one) for one in rank.to_list()], dtype=pl.String)
        named = pl.select(pl.when(table["class"].is_null()).then(None).otherwise(named)).to_series()
    elif measure == "hotspot":
        quiet = (table["n"] == 0) & (table["class"] == "not_significant")
        named = pl.select(pl.when(quiet).then(pl.lit("quiet")).otherwise(table["class"])).to_series()
    else:
        named = table["class"]
    at = {kind: step for step, kind in enumerate(kinds)}
    classes = np.array([at.get(one, -1) if one is not None else -1 for one in named.to_list()])
    return classes, [words(f"legend.{kind}") for kind in kinds], list(kinds)


def _cluster(rank: int | None) -> str:
    if rank is None:
        return "no_cluster"
    return f"cluster_{rank}" if rank <= SCAN_RANKS else "cluster_more"


def _binned(table: pl.DataFrame, values: np.ndarray, measure: str, words: Words) -> tuple[np.ndarray, list[str], list[str]]:
    """Bin ratios; places with a verdict that holds, and those without enough data, have classes of their own."""
    verdict = "above_2" if measure == "risk" else "high"
    classes = np.searchsorted(RISK_BREAKS, values, side="right")
    bins = len(RISK_BREAKS) + 1
    classes = np.where((table["class"] == verdict).fill_null(value=False).to_numpy(), bins, classes)
    classes = np.where((table["class"] == NO_DATA).fill_null(value=False).to_numpy(), bins + 1, classes)
    labels = [*_range_labels(RISK_BREAKS, words), words(f"legend.{verdict}"), words(f"legend.{NO_DATA}")]
    return classes, labels, [*(f"risk_{step}" for step in range(bins)), verdict, NO_DATA]


def _unmasked(table: pl.DataFrame) -> np.ndarray:
    values = table["value"].cast(pl.Float64).to_numpy().astype(float)
    return np.where(table["masked"].fill_null(value=False).to_numpy(), np.nan, values)


def _count(values: np.ndarray, told: np.ndarray, words: Words, chosen: str) -> tuple[np.ndarray, list[str]]:
    breaks = [int(one) for one in chosen_breaks(told, chosen, whole=True)] if chosen else count_breaks(told)
    labels, positive = ["0"], np.concatenate([values[values > 0], told[told > 0]])
    least = int(positive.min()) if len(positive) else 1
    breaks = [one for one in breaks if one >= least]
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


def chosen_breaks(values: np.ndarray, how: str, *, whole: bool) -> list[float]:
    """Choose the ends of classes in a way that the reader of the map asks for.

    Parameters
    ----------
    values : numpy.ndarray of float
        Values; NaN where masked or unknown. Zeros are left out: they are a class of their own.
    how : str
        "quantile", "jenks", "equal", or "m~5~10~20".
    whole : bool
        Whether the values are counts.

    Returns
    -------
    list of float
        Ascending ends of all classes but the last, at most `CLASSES_N` - 1 where they are found from the values.
    """
    if how.startswith("m~"):
        own = sorted({float(one) for one in how.split("~")[1:]})
        return [one for one in own if one > 0] or [1.0]
    some = np.sort(values[~np.isnan(values) & (values > 0)])
    distinct = len(np.unique(some))
    if distinct < 2:
        return []
    import mapclassify

    if how == "jenks":
        spread = some[np.unique(np.linspace(0, len(some) - 1, JENKS_N).astype(int))]
        found = mapclassify.FisherJenks(spread, k=min(CLASSES_N, len(np.unique(spread)))).bins
    elif how == "equal":
        found = mapclassify.EqualInterval(some, k=min(CLASSES_N, distinct)).bins
    else:
        found = mapclassify.Quantiles(some, k=min(CLASSES_N, distinct)).bins
    rounded = {float(np.floor(one)) if whole else round(float(one), 2) for one in found}
    return sorted(one for one in rounded if one > 0 and one < some[-1])


def _range_labels(breaks: Sequence[float], words: Words) -> list[str]:
    middle = [words("legend.range", **{"from": f"{low:g}", "to": f"{high:g}"}) for low, high in pairwise(breaks)]
    first, last = words("legend.below", to=f"{breaks[0]:g}"), words("legend.above", **{"from": f"{breaks[-1]:g}"})
    return [first, *middle, last]
