"""What the components of the situation stand on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from cloudmap.analytics.panel import Panel


@dataclass(frozen=True, slots=True)
class Burden:
    """Counts by category, and how severe each category is.

    Attributes
    ----------
    cube : polars.DataFrame
        Columns of `schema.CUBE`, of the panel's layer.
    weights : mapping of str to float
        Category code to severity weight; 1 where it has none.
    codes : collection of str or None
        Second-level codes that the panel counts; all in the cube where None.
    """

    cube: pl.DataFrame
    weights: Mapping[str, float]
    codes: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Handled:
    """Cases, and how they are told apart.

    Attributes
    ----------
    cases : polars.DataFrame
        From `handling.cases`, one row a matter, with `unit_column` and `near_column`.
    unit_column : str
        Column with the codes of the panel's places.
    zone : ZoneInfo
    now : datetime
        The instant that the cases were judged at.
    near_column : str or None
        Column with a fine place (a cell, a micro-grid); None leaves recurrence out.
    min_staff : int
        Units with fewer distinct staff have no timeliness.
    staff : polars.DataFrame or None
        place, staff_n, as `indicators.indicators` takes it.
    cases_before : polars.DataFrame or None
        Cases as they stood at the end of the weeks compared with (`handling.cases(..., replay=True)`), so that reopenings have had as
        much time then as now; without them reopenings are left out of recurrence.
    """

    cases: pl.DataFrame
    unit_column: str
    zone: ZoneInfo
    now: datetime
    near_column: str | None = None
    min_staff: int = 5
    staff: pl.DataFrame | None = None
    cases_before: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Water:
    """Matters beside water, by unit.

    Attributes
    ----------
    panel : Panel
        Matters within 100 m of water of the categories counted, with the places and weeks of the situation's panel.
    length_km : mapping of str to float
        Kilometres of water in each unit; units without water are left out.
    """

    panel: Panel
    length_km: Mapping[str, float]
