"""What the components of the situation stand on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from cloudmap.analytics.case_states import CASE_DOUBT_BIT
from cloudmap.analytics.cube import week_of
from cloudmap.analytics.panel import Panel
from cloudmap.analytics.situation_shift import weekly_sums
from cloudmap.analytics.staff import staff_by
from cloudmap.errors import AnalysisError

RECURRENCE_DAYS: Final = 90


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


@dataclass(frozen=True)
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

    @cached_property
    def due(self) -> pl.DataFrame:
        """Cases due by unit and week, and how many were closed by their due time: place, week_on, n, total."""
        self._require("due_at", "closed_at", "state", "case_flags")
        doubt = (pl.col("case_flags") & CASE_DOUBT_BIT["clock_unknown"]) != 0
        now = pl.lit(self.now.astimezone(UTC), dtype=pl.Datetime("us", "UTC"))
        due = (pl.col("state") != "void").fill_null(value=True) & (pl.col("due_at") <= now) & ~doubt
        rows = self.cases.filter(due).select(
            pl.col(self.unit_column).alias("place"),
            week_of(pl.col("due_at"), self.zone).alias("week_on"),
            (pl.col("closed_at") <= pl.col("due_at")).fill_null(value=False).alias("value"),
        )
        return weekly_sums(rows)

    @cached_property
    def recurring(self) -> pl.DataFrame:
        """Matters by unit and week, and how many had another of their category near them in the 90 days before, or came back."""
        return self._recurring(self.cases)

    @cached_property
    def recurring_before(self) -> pl.DataFrame | None:
        """The same of the cases as they stood at the end of the weeks compared with."""
        return None if self.cases_before is None else self._recurring(self.cases_before)

    @cached_property
    def staffed(self) -> pl.DataFrame | None:
        """Distinct staff of each unit."""
        return staff_by(self.cases.with_columns(pl.col(self.unit_column).cast(pl.String)), (self.unit_column,), self.staff)

    def _recurring(self, cases: pl.DataFrame) -> pl.DataFrame:
        near = str(self.near_column)
        self._require(near, "category_code", "occurred_at", "state", "returned_n")
        own = ["near", "category_code"]
        gap = pl.col("occurred_at") - pl.col("occurred_at").shift(1).over(own)
        back = pl.col("returned_n") > 0 if self.cases_before is not None else pl.lit(value=False)
        alive = (pl.col("state") != "void").fill_null(value=True) & pl.col(near).is_not_null() & pl.col("occurred_at").is_not_null()
        rows = (
            cases.filter(alive)
            .select(pl.col(self.unit_column).alias("place"), pl.col(near).alias("near"), "category_code", "occurred_at", "returned_n")
            .sort(*own, "occurred_at")
            .select(
                "place",
                week_of(pl.col("occurred_at"), self.zone).alias("week_on"),
                ((gap <= timedelta(days=RECURRENCE_DAYS)).fill_null(value=False) | back).alias("value"),
            )
        )
        return weekly_sums(rows)

    def _require(self, *names: str) -> None:
        missing = [name for name in (self.unit_column, *names) if name not in self.cases.columns]
        if missing:
            raise AnalysisError(f"cases have no column(s) {', '.join(missing)}; make them with handling.cases and read the units too")


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
