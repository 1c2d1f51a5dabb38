"""Classes of a map: which places share a colour. The drawn map, the QGIS style and the briefing take them from here.

Classes, breaks and colours are those of the page (``dashboard/legend.py`` and ``web/src/palette.js``, light scheme), held equal by
``tests/publish/test_legend.py``: what is printed or opened in QGIS looks like what was seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from cloudmap.access.views import Measure
from cloudmap.analytics.emerging import CLASSES, NO_PATTERN

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

Language = Literal["zh-Hans", "zh-Hant", "en"]
Drawn = Measure | Literal["reach", "overdue_n"]
"""What a map may be coloured by: a measure of places, matters per kilometre of reaches, or how many cases are overdue."""
Styled = Drawn | Literal["clusters"]
"""What a layer may be coloured by: also the clusters of a scan themselves."""

HOT_COLOUR: Final = "#c2185b"
MASKED_COLOUR: Final = "#b7b3bd"
_ZERO_COLOUR: Final = "#f5f1e6"
_COUNT: Final = ("#fff3c4", "#fed98e", "#fdb35a", "#f58339", "#d94e26", "#a32418", "#641012")
_RATIO: Final = ("#2b5c9e", "#6a9bd1", "#bcd5ec", "#f1ede4", "#f8d2a0", "#e8923d", "#a84a08")
_RISK: Final = tuple(_RATIO[at] for at in (0, 2, 3, 4, 5))
RATIO_BREAKS: Final = (0.5, 0.67, 0.8, 1.25, 1.5, 2.0)
RISK_BREAKS: Final = (0.5, 0.8, 1.25, 2.0)
_LADDER: Final = [1, 2, 3, 4, 5, 6, 8, *(step * 10**power for power in range(1, 7) for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8))]
_QUANTILES: Final = (0.35, 0.6, 0.8, 0.92, 0.98)

NO_DATA: Final = "not_enough_data"
_HALF: Final = len(CLASSES) // 2
_SCAN_RANKS: Final = 3

STYLES: Final[Mapping[str, tuple[str, str | None]]] = {
    "quiet": ("#efede8", None), "not_significant": ("#dedbd3", "stipple"), "hot": (HOT_COLOUR, None), NO_DATA: ("#f3f1ec", "sparse"),
    NO_PATTERN: ("#e4e1da", "stipple"),
    "new_hot": ("#e6007e", None), "consecutive_hot": ("#c51b8a", None), "intensifying_hot": ("#7a0019", None),
    "persistent_hot": ("#c62828", None), "diminishing_hot": ("#f08a6b", None), "sporadic_hot": ("#fdb863", "dots"),
    "oscillating_hot": ("#fdd49e", "cross"), "historical_hot": ("#f1dcc3", "back"),
    "new_cold": ("#00a08a", None), "consecutive_cold": ("#4db6ac", None), "intensifying_cold": ("#08306b", None),
    "persistent_cold": ("#2171b5", None), "diminishing_cold": ("#6baed6", None), "sporadic_cold": ("#a6c8e4", "dots"),
    "oscillating_cold": ("#c6dbef", "cross"), "historical_cold": ("#dbe5ee", "back"),
    "no_cluster": ("#e8e5de", "stipple"), "cluster_1": ("#7a0019", None), "cluster_2": ("#c2185b", None), "cluster_3": ("#e8739f", None),
    "cluster_more": ("#f3b3cb", None),
    "reporting": ("#ece9e2", None), "never_reported": ("#cfd3db", "dots"), "silent": ("#5b3a9e", "back"),
    "above_2": ("#8f1d00", None), "high": ("#8f1d00", None),
    "no_clock": ("#efede8", None), "green": ("#2e8b57", None), "yellow": ("#e0a100", None), "red": ("#b3261e", None),
    "complete": ("#efede8", None), "unknown": ("#f3f1ec", "sparse"), "no_volunteer": ("#fdb863", "dots"), "no_staff": ("#b3261e", "back"),
    "neither": ("#641012", None),
}  # fmt: skip
"""Colour and pattern of each class that has a name."""

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "hotspot": ("quiet", "not_significant", "hot", NO_DATA),
    "emerging": (*reversed(CLASSES[_HALF : 2 * _HALF]), NO_PATTERN, *reversed(CLASSES[:_HALF]), NO_DATA),
    "scan": ("no_cluster", "cluster_more", *(f"cluster_{rank}" for rank in range(_SCAN_RANKS, 0, -1))),
    "clusters": ("no_cluster", "cluster_more", *(f"cluster_{rank}" for rank in range(_SCAN_RANKS, 0, -1))),
    "silent": ("reporting", "never_reported", "silent", NO_DATA),
    "overdue": ("no_clock", "green", "yellow", "red"),
    "staffing": ("complete", "no_volunteer", "no_staff", "neither", "unknown"),
}
"""Classes of the measures that are a verdict, weakest first, but for want of data."""

_GROUND: Final = {"quiet", "no_cluster", "reporting", "no_clock", "complete"}
_SHOWN_ALWAYS: Final = ("hotspot",)


@dataclass(frozen=True, slots=True)
class Band:
    """Places that share a colour.

    Attributes
    ----------
    key : str
        Class of the measure, "masked", or the name of its interval, e.g. "count_2".
    labels : mapping of str to str
        Legend text by language.
    colour : str
        "#rrggbb".
    condition : str
        Which places belong to it: a filter that QGIS and SQLite read alike.
    members : callable
        Tell which rows of a place table belong to it; boolean array, shape (n,).
    pattern : str or None
        Name of the pattern over the colour.
    ground : bool
        Whether it says "nothing here": paper leaves it blank.
    """

    key: str
    labels: Mapping[str, str]
    colour: str
    condition: str
    members: Callable[[pd.DataFrame], npt.NDArray[np.bool_]]
    pattern: str | None = None
    ground: bool = False

    @property
    def masked(self) -> bool:
        """Whether these are the places whose numbers are not shown."""
        return self.key == "masked"

    def label(self, language: Language) -> str:
        """Return the legend text in a language."""
        return self.labels[language]


@cache
def legend_words(language: str) -> Mapping[str, str]:
    """Load the words of legends, titles and field names of maps and layers."""
    table: dict[str, str] = json.loads(files("cloudmap.publish").joinpath("words", f"layers.{language}.json").read_text(encoding="utf-8"))
    return table


def bands(table: pd.DataFrame, measure: Styled) -> list[Band]:
    """Choose the classes of a map, from least to most.

    Parameters
    ----------
    table : pandas.DataFrame
        Place table of `publish.tables.place_table`; masked numbers are missing there, so that no limit gives them away.
    measure : str
        What is coloured.

    Returns
    -------
    list of Band
        Classes that no place has are left out where the measure has many; masked places are one more where there are any.
    """
    if measure in KINDS:
        chosen = [_verdict(kind, measure) for kind in KINDS[measure]]
        chosen = chosen if measure in _SHOWN_ALWAYS else [one for one in chosen if one.members(table).any() or one.ground]
    elif measure in ("risk", "reach"):
        chosen = _binned(measure)
    elif measure == "ratio":
        chosen = _intervals("ratio", "ratio", RATIO_BREAKS, _RATIO)
    else:
        chosen = _counts(table, {"workload": "open_n", "overdue_n": "overdue_n"}.get(measure, "n"))
    if bool(table["masked"].any()):
        chosen.append(Band("masked", _labels("masked"), MASKED_COLOUR, '"masked"', _masked, "hatch"))
    return chosen


def _labels(key: str, **values: str) -> dict[str, str]:
    return {language: legend_words(language)[f"legend.{key}"].format(**values) for language in ("zh-Hans", "zh-Hant", "en")}


def _masked(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    return table["masked"].to_numpy(dtype=bool)


def _verdict(kind: str, measure: str) -> Band:
    colour, pattern = STYLES[kind]
    named, more = _named(kind, measure)

    def members(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
        inside = (table["class"] == named).to_numpy(dtype=bool) & ~_masked(table)
        if not more:
            return np.asarray(inside, dtype=np.bool_)
        column, low, high = more
        values = table[column].astype("float64").to_numpy()
        return np.asarray(inside & (values >= low) & (values < high), dtype=np.bool_)

    conditions = [f"\"class\" = '{named}'"]
    if more:
        column, low, high = more
        conditions += [f'"{column}" >= {low:g}', *([f'"{column}" < {high:g}'] if np.isfinite(high) else [])]
    condition = " AND ".join([*conditions, 'NOT "masked"'])
    return Band(kind, _labels(kind), colour, condition, members, pattern, kind in _GROUND)


def _named(kind: str, measure: str) -> tuple[str, tuple[str, float, float] | None]:
    """Return the class in the table that a class of the map is of, and the column that parts it further."""
    if measure == "hotspot" and kind in ("quiet", "not_significant"):
        return "not_significant", ("n", 0, 1) if kind == "quiet" else ("n", 1, np.inf)
    if kind == "no_cluster" and measure == "clusters":
        return "not_significant", None
    if kind.startswith("cluster_"):
        named = "significant" if measure == "clusters" else "cluster"
        rank = _SCAN_RANKS + 1 if kind == "cluster_more" else int(kind.removeprefix("cluster_"))
        return named, ("cluster_n", rank, np.inf if kind == "cluster_more" else rank + 1)
    return kind, None


def _binned(measure: str) -> list[Band]:
    """Bin ratios; places with a verdict that holds, and those without enough data, have classes of their own."""
    verdict = "above_2" if measure == "risk" else "high"
    plain = _intervals("risk", "ratio", RISK_BREAKS, _RISK, but=(verdict, NO_DATA))
    return [*plain, _verdict(verdict, measure), _verdict(NO_DATA, measure)]


def _intervals(name: str, column: str, breaks: Sequence[float], colours: Sequence[str], but: tuple[str, ...] = ()) -> list[Band]:
    lows, highs = (-np.inf, *breaks), (*breaks, np.inf)
    labels = [_labels("below", to=f"{breaks[0]:g}")]
    labels += [_labels("range", **{"from": f"{low:g}", "to": f"{high:g}"}) for low, high in pairwise(breaks)]
    labels.append(_labels("above", **{"from": f"{breaks[-1]:g}"}))
    told = zip(lows, highs, labels, colours, strict=True)
    return [_interval(f"{name}_{at}", column, low, high, label, colour, but) for at, (low, high, label, colour) in enumerate(told)]


def _interval(key: str, column: str, low: float, high: float, labels: Mapping[str, str], colour: str, but: tuple[str, ...] = ()) -> Band:
    def members(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
        values = table[column].astype("float64").to_numpy()
        inside = (values >= low) & (values < high) & ~_masked(table)
        if but:
            inside &= ~table["class"].isin(but).to_numpy(dtype=bool)
        return np.asarray(inside, dtype=np.bool_)

    parts = [f'"{column}" >= {low:g}'] if np.isfinite(low) else [f'"{column}" IS NOT NULL']
    parts += [f'"{column}" < {high:g}'] if np.isfinite(high) else []
    parts += [f"\"class\" <> '{one}'" for one in but]
    return Band(key, labels, colour, " AND ".join([*parts, 'NOT "masked"']), members, ground=key == "count_0")


def _counts(table: pd.DataFrame, column: str) -> list[Band]:
    counts = np.asarray(table.loc[table[column] > 0, column], dtype=np.float64)
    breaks = _count_breaks(counts)
    least = int(counts.min()) if counts.size else 1
    chosen = [_interval("count_0", column, -np.inf, 1, dict.fromkeys(("zh-Hans", "zh-Hant", "en"), "0"), _ZERO_COLOUR)]
    colours = _spread(_COUNT, len(breaks) + 1)
    told = zip([least, *(one + 1 for one in breaks)], [*breaks, None], colours, strict=True)
    for at, (low, high, colour) in enumerate(told, start=1):
        if high is None:
            labels = _labels("above", **{"from": f"{low:,}"})
        elif low == high:
            labels = dict.fromkeys(("zh-Hans", "zh-Hant", "en"), f"{low:,}")
        else:
            labels = _labels("range", **{"from": f"{low:,}", "to": f"{high:,}"})
        chosen.append(_interval(f"count_{at}", column, low, np.inf if high is None else high + 1, labels, colour))
    return chosen


def _count_breaks(counts: npt.NDArray[np.float64]) -> list[int]:
    """Choose the upper ends of all classes above zero but the last: round numbers near fixed quantiles."""
    if counts.size == 0:
        return []
    near = [int(next(step for step in _LADDER if step >= one)) for one in np.quantile(counts, _QUANTILES, method="inverted_cdf")]
    return [one for one in sorted({step for step in near if step < counts.max()}) if one >= counts.min()]


def _spread(ramp: Sequence[str], size: int) -> list[str]:
    """Spread some steps over a ramp, so that few classes still use its whole range."""
    if size <= 1:
        return [ramp[len(ramp) // 2]]
    return [ramp[int(np.floor(step * (len(ramp) - 1) / (size - 1) + 0.5))] for step in range(size)]
