"""Bands of a map: which values share a colour. The drawn map, the QGIS style and the briefing take them from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

Measure = Literal["count", "ratio", "hotspot"]
Language = Literal["zh-Hans", "en"]

HOT_COLOUR: Final = "#b2182b"
MASKED_COLOUR: Final = "#9a9a9a"
_SEQUENTIAL: Final = ("#fee8c8", "#fdbb84", "#fc8d59", "#e34a33", "#b30000")
_RATIO: Final = (
    (0.0, 0.5, "#4393c3"), (0.5, 0.8, "#92c5de"), (0.8, 1.25, "#f7f7f7"), (1.25, 2.0, "#f4a582"), (2.0, np.inf, "#b2182b"),
)  # fmt: skip
_STEPS: Final = tuple(digit * 10**power for power in range(8) for digit in (1, 2, 5))


@dataclass(frozen=True, slots=True)
class Band:
    """Places that share a colour.

    Attributes
    ----------
    column : str
        Column of the place table: "n", "ratio" or "class".
    low, high : float
        Values from `low` to below `high` belong to the band, where `column` holds numbers.
    label_zh, label_en : str
        Legend text.
    colour : str
        "#rrggbb".
    value : str or None
        The class that belongs to the band, where `column` is "class".
    masked : bool
        True for the one band of places whose number is not shown.
    """

    column: str
    low: float
    high: float
    label_zh: str
    label_en: str
    colour: str
    value: str | None = None
    masked: bool = False

    def label(self, language: Language) -> str:
        """Return the legend text in a language."""
        return self.label_en if language == "en" else self.label_zh

    def members(self, table: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Tell which rows of a place table belong to the band; shape (n,)."""
        masked = table["masked"].to_numpy(dtype=bool)
        if self.masked:
            return masked
        values = table["n" if self.value else self.column].astype("float64").to_numpy()
        inside = (values >= self.low) & (values < self.high) & ~masked
        if self.value:
            inside &= (table["class"] == self.value).to_numpy(dtype=bool)
        return np.asarray(inside, dtype=np.bool_)

    def condition(self) -> str:
        """Write the band as a filter in the expression language of QGIS."""
        if self.masked:
            return '"masked"'
        column = "n" if self.value else self.column
        parts = [f'"{column}" >= {self.low:g}', *([f'"{column}" < {self.high:g}'] if np.isfinite(self.high) else [])]
        return " AND ".join([*parts, *([f"\"class\" = '{self.value}'"] if self.value else []), 'NOT "masked"'])


def bands(table: pd.DataFrame, measure: Measure) -> list[Band]:
    """Choose the bands of a map, from least to most; places without reports belong to none.

    Parameters
    ----------
    table : pandas.DataFrame
        Place table of `publish.tables.place_table`; masked numbers are missing there, so that no limit gives them away.
    measure : {"count", "ratio", "hotspot"}
        What is coloured.

    Returns
    -------
    list of Band
        At most five, and one for masked places where there are any.
    """
    if measure == "hotspot":
        chosen = [
            Band("class", 1, np.inf, "有报告，未达显著", "reports, not significant", "#c9cdd3", value="not_significant"),
            Band("class", 0, np.inf, "热点（显著聚集）", "hotspot (significant)", HOT_COLOUR, value="hot"),
        ]
    elif measure == "ratio":
        chosen = [Band("ratio", low, high, *_between(low, high), colour) for low, high, colour in _RATIO]
    else:
        counts = np.asarray(table.loc[table["n"] > 0, "n"], dtype=np.float64)
        chosen = _count_bands(counts)
    if bool(table["masked"].any()):
        chosen.append(Band("n", 0, np.inf, "数量过少，不予显示", "too few to show", MASKED_COLOUR, masked=True))
    return chosen


def _count_bands(counts: npt.NDArray[np.float64]) -> list[Band]:
    if counts.size == 0:
        return []
    steps = np.asarray(_STEPS, dtype=np.float64)
    wanted = np.quantile(counts, [0, 0.5, 0.75, 0.9, 0.98])
    lows = sorted({float(steps[max(np.searchsorted(steps, one, side="right") - 1, 0)]) for one in wanted})
    colours = _SEQUENTIAL[-len(lows) :] if len(lows) > 1 else _SEQUENTIAL[2:3]
    highs = [*lows[1:], np.inf]
    return [Band("n", low, high, *_whole(low, high), colour) for low, high, colour in zip(lows, highs, colours, strict=True)]


def _whole(low: float, high: float) -> tuple[str, str]:
    if not np.isfinite(high):
        return f"{low:,.0f} 件及以上", f"{low:,.0f} or more"
    if high - low == 1:
        return f"{low:,.0f} 件", f"{low:,.0f}"
    return f"{low:,.0f}–{high - 1:,.0f} 件", f"{low:,.0f}–{high - 1:,.0f}"


def _between(low: float, high: float) -> tuple[str, str]:
    if not np.isfinite(high):
        return f"{low:g} 倍及以上", f"{low:g} times or more"
    return f"{low:g}–{high:g} 倍", f"{low:g}–{high:g} times"
