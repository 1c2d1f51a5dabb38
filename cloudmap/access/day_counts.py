"""Counts by local day, from the facts themselves: weekly cubes know no days, and a daily one would hardly shrink the facts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from cloudmap.analytics.layering import Layering
from cloudmap.schema import unit_column

if TYPE_CHECKING:
    from cloudmap.access.fixed_day import FixedDay
    from cloudmap.analytics.periods import Days
    from cloudmap.city import City
    from cloudmap.ingest.taxonomy import Taxonomy
    from cloudmap.store.contract import Store

KEPT: Final = 64
"""Counts of spans of days that are kept; the ones asked for longest ago go first."""


class DayCounts:
    """Counts the facts of some days as the weekly cubes count them.

    Parameters
    ----------
    city, store, taxonomy
        The city, its store and its categories.
    provenance : mapping
        Of the analysis.
    part : callable
        Returns a part of the analysis by its name.
    fixed : FixedDay
        Knows the base map and when it changed.
    """

    def __init__(
        self,
        city: City,
        store: Store,
        taxonomy: Taxonomy,
        provenance: Mapping[str, Any],
        part: Callable[[str], pl.DataFrame],
        fixed: FixedDay,
    ) -> None:
        self._city, self._store, self._provenance, self._part, self._fixed = city, store, provenance, part, fixed
        self._weights = {code: taxonomy.severity_weight(code) for code in taxonomy.codes}
        self._counted: OrderedDict[tuple[str, Days, date | None, str | int | None], pl.DataFrame] = OrderedDict()
        self._lock = Lock()

    def cube(self, column: str, days: Days, on: date | None = None, *, only: str | int | None = None) -> pl.DataFrame:
        """Count by place, local day and category.

        Parameters
        ----------
        column : str
            Column of places, as of the cube of the same name: "unit_street_code", "cell_9", "ledger_class", "overlay_grid_code", "reach".
        days : Days
        on : date, optional
            Of units: those that stand on this day.
        only : str or int, optional
            Of units, cells and ledger classes: count only this one, by its value in the column.

        Returns
        -------
        polars.DataFrame
            `schema.CUBE`, whose `week_on` is the day itself.
        """
        key = (column, days, on, only)
        with self._lock:
            if key in self._counted:
                self._counted.move_to_end(key)
                return self._counted[key]
        made = self._count(column, days, on, only)
        with self._lock:
            self._counted[key] = made
            while len(self._counted) > KEPT:
                self._counted.popitem(last=False)
        return made

    def _count(self, column: str, days: Days, on: date | None, only: str | int | None) -> pl.DataFrame:
        layering = self._layering(days, [] if only is None else [(column, "==", only)])
        if column == "reach":
            return layering.reaches(self._part("near_water"))
        if column.startswith("overlay_"):
            return layering.overlays(column.removeprefix("overlay_").removesuffix("_code"))
        level = column.removeprefix("unit_").removesuffix("_code")
        if on is None or column != unit_column(level).name or not self._fixed.redrawn(level):
            return layering.resting(column)
        from cloudmap.geo.locator import Locator

        return layering.on_day(level, on, [level], Locator(self._fixed.base_map, cache=self._city.folder / ".cache"))

    def _layering(self, days: Days, where: list[Any]) -> Layering:
        newest = int(self._provenance["load_seq"])
        start, end = self._city.midnight(days.first_on), self._city.midnight(days.last_on + timedelta(days=1))
        within: Any = [("occurred_at", ">=", start), ("occurred_at", "<", end), *where]
        shared = self._part("matters")
        told_again = shared.filter(pl.col("report_id") != pl.col("matter_id"))["report_id"]

        def read(_load_seq: int, columns: list[str]) -> pl.DataFrame:
            # All loads at once: a few days of each are few rows.
            return self._store.read("reports", columns, where=within, as_of=newest).select(columns)

        return Layering(self._city, self._fixed.base_map, read, [newest], told_again, self._weights, by_day=True)
