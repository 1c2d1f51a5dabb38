"""What a reader hands out: categories, layers and the view of one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

Measure = Literal["count", "ratio", "hotspot", "emerging", "scan", "silent", "risk", "overdue", "workload", "staffing"]
MEASURES: tuple[Measure, ...] = ("count", "ratio", "hotspot", "emerging", "scan", "silent", "risk", "overdue", "workload", "staffing")
ALL = "ALL"
"""Code of the choice "every category"."""


@dataclass(frozen=True, slots=True)
class Category:
    """A choice of categories: everything, a group (first level) or one category (second level)."""

    code: str
    parent: str | None
    name_zh: str
    name_en: str
    restricted: bool
    scored: bool


@dataclass(frozen=True, slots=True)
class PlaceLayer:
    """A layer of the map: units of one level, cells of one resolution, overlays or water.

    ``parent`` of units and ``places_n`` help an output to list and to label; ``resolution`` is for cells only.
    """

    id: str
    kind: Literal["unit", "cell", "overlay", "water", "landmark"]
    level: str | None
    resolution: int | None
    name_zh: str
    name_en: str
    places_n: int


@dataclass(frozen=True, slots=True)
class PlaceView:
    """Everything about one place in one period.

    Attributes
    ----------
    place, name : str
        Id and name (a cell is named after the units that its centre lies in).
    total_n : int or None
        Matters of the categories that may be summed for this audience; None where masked.
    by_category : polars.DataFrame
        category_code, n, masked; largest first.
    by_week : polars.DataFrame
        week_on, n, masked; every week from the first to the last complete one.
    area_only_n : int or None
        Reports that name the unit but have no point of their own, all summable categories; None where masked.
    hotspot : mapping or None
        n, neighbourhood_n, z, p, q, class for the chosen category, where the layer has cells.
    """

    place: str
    name: str
    total_n: int | None
    by_category: pl.DataFrame
    by_week: pl.DataFrame
    area_only_n: int | None
    hotspot: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class MatterView:
    """One matter that several reports tell of.

    Attributes
    ----------
    matter_id : str
        report_id of its first report, which counts for it.
    reports : polars.DataFrame
        Its reports, oldest first; columns as `Reader.reports`.
    links : polars.DataFrame
        Why they were joined: table `matter_links` (GLOSSARY.md), one link less than reports.
    """

    matter_id: str
    reports: pl.DataFrame
    links: pl.DataFrame


LEVEL_NAMES: Mapping[str, tuple[str, str]] = {
    "district": ("区", "Districts"),
    "street": ("街道(镇)", "Streets and towns"),
    "community": ("社区", "Communities"),
    "village": ("村", "Villages"),
    "grid": ("网格", "Grids"),
    "microgrid": ("微格", "Micro-grids"),
}
WATER_NAMES: Mapping[str, tuple[str, str]] = {
    "river": ("河流", "Rivers"),
    "canal": ("河道", "Canals"),
    "lake": ("湖泊", "Lakes"),
    "wetland": ("湿地", "Wetlands"),
}
LANDMARK_NAMES: Mapping[str, tuple[str, str]] = {
    "market": ("农贸市场", "Markets"),
    "school": ("学校", "Schools"),
    "hospital": ("医院", "Hospitals"),
    "station": ("车站", "Stations"),
    "hall": ("城市会客厅", "City living rooms"),
}
"""Kinds of landmarks that have a name here; others go by their kind."""
