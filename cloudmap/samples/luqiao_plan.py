"""What is planted in the synthetic reports of Luqiao: sources, days, categories, hotspots, a campaign. Only numbers, no drawing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cloudmap.samples.origin import samples_folder

Floats = NDArray[np.float64]

REPORTS_N: Final = 216_000
"""Reports at scale 1, before repeated and superseded lines are added."""

FIRST_ON: Final = date(2016, 1, 1)
LAST_ON: Final = date(2018, 8, 31)
DAYS_N: Final = (LAST_ON - FIRST_ON).days + 1

SOURCES: Final = ("party", "safety", "tenancy", "food")
SHARES: Final = (0.53, 0.22, 0.12, 0.13)

LAUNCH_ON: Final = date(2017, 1, 2)
"""The app of the first source is launched: from this day on `LAUNCH_FOLD` times as many reports come in."""
LAUNCH_FOLD: Final = 54

SILENT_FROM: Final = date(2017, 7, 1)
SILENT_N: Final = 12

OVERDUE_STREET: Final = "331004006"
OVERDUE_FROM: Final = date(2018, 5, 1)
OVERDUE_SHARE: Final = 0.45

RENAMED_ON: Final = date(2017, 9, 1)
RENAMED: Final = ("SH03", "电瓶车违规充电", "电动自行车充电安全")
"""Category whose label the source `safety` changes, with the label before and from `RENAMED_ON`."""

CAMPAIGN_CODE: Final = "ST05"
CAMPAIGN_FROM: Final = date(2017, 10, 2)
CAMPAIGN_ON: Final = date(2018, 3, 1)
CAMPAIGN_ZERO_ON: Final = date(2018, 7, 16)
CAMPAIGN_WEEKLY_N: Final = 30
CAMPAIGN_TARGETS_N: Final = 240

CLUSTER_SHARE: Final = 0.004
"""Cross-feed duplicate clusters per report."""
CLUSTER_SIZES: Final = (2, 3)
CLUSTER_SIZE_SHARES: Final = (0.85, 0.15)
CLUSTER_RADIUS_M: Final = 25.0
CLUSTER_HOURS: Final = 36


@dataclass(frozen=True, slots=True)
class Hotspot:
    """A planted excess of one category in a few neighbouring micro-grids.

    Parameters
    ----------
    id : str
    kind : {"hotspot", "emerging"}
        An emerging one starts at the city's own rate and rises in a straight line to `relative_risk` at its end.
    category : str
        Taxonomy code.
    street : str
        Street that it lies in.
    microgrids_n : int
    first_on, last_on : date
        Local days, both included.
    relative_risk : float
        Intended rate there, over the city's rate.
    """

    id: str
    kind: Literal["hotspot", "emerging"]
    category: str
    street: str
    microgrids_n: int
    first_on: date
    last_on: date
    relative_risk: float


HOTSPOTS: Final = (
    Hotspot("H1", "hotspot", "SH03", "331004002", 12, date(2018, 1, 1), date(2018, 8, 26), 12),
    Hotspot("H2", "hotspot", "AP01", "331004106", 10, date(2018, 7, 30), date(2018, 8, 26), 25),
    Hotspot("H3", "hotspot", "EV01", "331004104", 14, date(2017, 5, 1), date(2017, 7, 30), 12),
    Hotspot("H4", "hotspot", "DS03", "331004001", 8, date(2018, 7, 30), date(2018, 8, 26), 30),
    Hotspot("E1", "emerging", "ST02", "331004003", 8, date(2018, 7, 2), date(2018, 8, 26), 20),
    Hotspot("E2", "emerging", "FD02", "331004107", 10, date(2018, 5, 7), date(2018, 8, 26), 20),
)

_WEIGHTS: Final = {
    "DS02": 4, "DS03": 3, "DS05": 3, "SH01": 4, "SH02": 3, "SH03": 5, "SH04": 0.6, "SH07": 4, "PS02": 0.2, "PS04": 0.6, "PS05": 3,
    "EM01": 0.3, "EM03": 0.3, "EM06": 0.2, "EV01": 2, "EV03": 2, "EV04": 1.5, "AP01": 8, "AP03": 4, "AP05": 5, "AP06": 4, "ST01": 3,
    "ST02": 5, "ST03": 6, "ST04": 3, "BD01": 2, "FD01": 2, "FD02": 5, "FD04": 0.2, "FC02": 4, "FC03": 3, "LV01": 2, "LV03": 2, "LV04": 3,
}  # fmt: skip


@lru_cache(maxsize=1)
def taxonomy_codes() -> tuple[str, ...]:
    """List the codes that reports are drawn from, in the order of the national table (without OT99)."""
    return tuple(code for code in shipped_rows()["code"] if code != "OT99")


@lru_cache(maxsize=1)
def shipped_rows() -> pl.DataFrame:
    """Return code, name and severity of every category: the table that ships with cloudmap."""
    from cloudmap.ingest.taxonomy import shipped_taxonomy

    return shipped_taxonomy().frame.select("code", "l2_zh", "severity")


@lru_cache(maxsize=8)
def labels(source: str) -> dict[str, str]:
    """Return the raw label that a source uses for each code it knows (the newest, where one was renamed)."""
    table = pl.read_csv(samples_folder("luqiao") / f"categories_{source}.csv", infer_schema_length=0)
    return dict(zip(table["code"], table["raw"], strict=True))


@lru_cache(maxsize=8)
def category_shares(source: str) -> Floats:
    """Return the share (0-1) of each code of `taxonomy_codes` in a source's ordinary reports; the campaign's category has none."""
    known = labels(source)
    weights = [_WEIGHTS.get(code, 1.0) if code in known and code != CAMPAIGN_CODE else 0.0 for code in taxonomy_codes()]
    return np.array(weights) / sum(weights)


@lru_cache(maxsize=8)
def day_weights(source: str) -> Floats:
    """Return how likely an ordinary report of a source falls on each day; sums to 1.

    Weekends are quieter, summers livelier, and the app's source jumps at its launch.
    """
    day = np.arange(DAYS_N)
    weekday = (day + FIRST_ON.weekday()) % 7
    weight = np.where(weekday >= 5, 0.6, 1.0) * (1 + 0.15 * np.cos(2 * np.pi * (day - 200) / 365.25))
    if source == "party":
        weight = weight * np.where(day >= day_of(LAUNCH_ON), LAUNCH_FOLD, 1)
    return np.asarray(weight / weight.sum())


def day_of(day: date) -> int:
    """Count days from `FIRST_ON`."""
    return (day - FIRST_ON).days
