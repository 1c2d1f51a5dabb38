"""The only door through which outputs read numbers: everything that leaves it has been disclosed for its audience."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from cloudmap.access.audience import Audience
from cloudmap.access.choices import OUTSIDE, place_column
from cloudmap.access.disclosure import disclose
from cloudmap.access.once import once
from cloudmap.access.rows import Rows
from cloudmap.access.statistics import STATISTICS, THRESHOLD, Statistics
from cloudmap.access.views import (
    ALL,
    MEASURES,
    Measure,
    PlaceLayer,
    PlaceView,
)
from cloudmap.analytics.cube import total_by_category, total_by_place, total_by_week
from cloudmap.analytics.exposure import ratio_to_expected
from cloudmap.analytics.result import Result
from cloudmap.errors import AccessError, AnalysisError

if TYPE_CHECKING:
    from cloudmap.access.cases import Cases
    from cloudmap.analytics.panel import Panel, ReportingWeeks
    from cloudmap.analytics.periods import AnyPeriod, Days
    from cloudmap.city import City
    from cloudmap.ingest.taxonomy import Taxonomy
    from cloudmap.store.contract import Store


class Reader(Rows):
    """Reads the newest analysis of a city for one audience.

    Parameters
    ----------
    city : City
    store : Store
        Open store of the city; `cloudmap analyse` must have run on it.
    taxonomy : Taxonomy
    audience : Audience
        Who looks: internal without the restricted grant unless said otherwise.

    Raises
    ------
    AnalysisError
        No analysis is in the store yet.
    """

    def __init__(self, city: City, store: Store, taxonomy: Taxonomy, audience: Audience | None = None) -> None:
        super().__init__(city, store, taxonomy, audience)
        self._values = once(self._compute, 256)

    def values(self, layer_id: str, category: str, period_id: str, measure: Measure, *, on: str | date | None = None) -> Result:
        """Measure every place of a layer.

        Parameters
        ----------
        layer_id, category, period_id : str
            Ids of a layer, a category and a period.
        measure : {"count", "ratio", "hotspot", "emerging", "scan", "silent", "risk"}
            Matters; matters over those expected at the city's own rate; Gi* with Benjamini-Hochberg over the layer's places, and the
            further statistics of `cloudmap.access.statistics` that can be drawn, as of the period's end.
            Overlays (which lie over other units) and reaches (within 100 m) have counts only, which enter no total.
        on : str or date, optional
            For units: count by those that stand on this day ("2018-08-01"), whatever the day of a report, so that two periods compare;
            by the units of each report's own day where not given.

        Returns
        -------
        Result
            Table with place, value, masked; count adds n and reports_n (one matter may be told by several reports); ratio adds n,
            expected, lower, upper; hotspot adds n, neighbourhood_n, expected, z, p, q, class; the others n, class and what their method
            tells.

        Raises
        ------
        AnalysisError
            Unknown id, a measure without its exposure, or a category that is counted but not scored.
        AccessError
            The audience may not see this measure of this category.
        """
        if measure in STATISTICS:
            if self._day(layer_id, on) is not None:
                raise AnalysisError(f"{measure} counts by the units of each report's own day; leave `on` out")
            return self._statistics.drawn(measure, layer_id, category, period_id)
        return self._values(layer_id, category, period_id, measure, self._day(layer_id, on))

    def statistic(self, name: str, *, layer: str | None = None, category: str = ALL, period: str | None = None) -> Result:
        """Compute a statistic of the city as of the end of a period.

        Parameters
        ----------
        name : str
            One of `cloudmap.access.statistics.STATISTICS`.
        layer, period : str, optional
            Ids; the default layer and period where not given. Some statistics need neither.
        category : str, default ALL

        Raises
        ------
        AnalysisError
            Unknown name or id, or input that the method cannot use, with the remedy.
        AccessError
            The audience may not see it.
        """
        return self._statistics.result(name, layer, category, period)

    @property
    def default_layer(self) -> str:
        """Id of the layer that is shown where none is chosen: cells at the default resolution, else the coarsest units."""
        return self._statistics.default_layer(("cell", "unit"))

    @property
    def known(self) -> ReportingWeeks:
        """What is known of the weeks: where regimes of reporting begin, and which weeks have not all come in."""
        return self._statistics.known

    @property
    def cases(self) -> Cases:
        """How reports are handled: lists of cases, as far as the audience may see them."""
        return self._statistics.cases

    def panel(self, layer: str, category: str, period: str, *, day: date | None = None) -> Panel:
        """Lay the counts of a layer out by place and week up to a period's end: for statistics, undisclosed.

        Parameters
        ----------
        layer, category, period : str
        day : date, optional
            Of units: those that stand on this day.

        Raises
        ------
        AnalysisError
            Unknown id, or a category that is never scored.
        AccessError
            A restricted category.
        """
        return self._statistics.panel(layer, category, period, day=day)

    def group_panels(self, layer: str, period: str, *, day: date | None = None) -> list[Panel]:
        """Lay every group of categories out that may be judged, as `panel` does: for statistics, undisclosed."""
        return self._statistics.group_panels(layer, period, day=day)

    def panel_of(self, cube: pl.DataFrame, layer: str, period: str, *, day: date | None = None) -> Panel:
        """Lay all scored counts of a cube over a layer's places out as `panel` does: for statistics, undisclosed."""
        return self._statistics.panel_of(cube, layer, period, category=ALL, codes=self.codes(ALL, "hotspot"), day=day)

    def result(self, name: str, *, layer: str | None = None, category: str = ALL, period: str | None = None) -> Result:
        """Return a measure of a layer or a statistic of the city by its name; arguments and errors as for `values` and `statistic`."""
        if name in STATISTICS:
            return self.statistic(name, layer=layer, category=category, period=period)
        if name not in MEASURES:
            raise AnalysisError(f"{name!r} is unknown; there are {', '.join(dict.fromkeys([*MEASURES, *STATISTICS]))}")
        chosen = layer or self.default_layer
        return self.values(chosen, category, period or self.default_period.id, name)

    @cached_property
    def _statistics(self) -> Statistics:
        return Statistics(self)

    def _compute(self, layer_id: str, category: str, period_id: str, measure: Measure, day: date | None) -> Result:
        layer, period = self.layer(layer_id), self.period(period_id)
        if layer.kind == "landmark" or (layer.kind not in ("unit", "cell") and measure != "count"):
            have = "shapes only" if layer.kind == "landmark" else "counts only"
            raise AnalysisError(f"layer {layer_id!r} has {have}; {measure} is for units and cells", code="wrong_layer")
        codes, caveats = self.codes(category, measure), self._caveats(layer, category, measure, day)
        self.refuse_free(period, category)
        if measure == "hotspot":
            return self._statistics.hotspots(layer_id, category, period_id, day, caveats)
        totals = total_by_place(self.counted(layer_id, period, day), period=None, categories=codes)
        counts = self._complete(layer, totals.select("place", n="matters_n"), day)
        if measure == "count":
            told = self._complete(layer, totals.select("place", n="reports_n"), day)["n"]
            table = counts.with_columns(value=pl.col("n").cast(pl.Float64), reports_n=told)
            method, denominator = "count of matters", "none: plain counts"
            derived: tuple[str, ...] = ("value",)
        else:
            table, method, derived = (
                self._ratio(layer, counts, day),
                "ratio to expected",
                ("value", "lower", "upper", "expected", "exposure"),
            )
            denominator = f"{self.exposure_kind} x city rate"
        shown = disclose(
            table,
            audience=self.audience,
            privacy=self.city.privacy,
            count_columns=("n", "reports_n") if measure == "count" else ("n",),
            derived_columns=derived,
            category=category if category in self.taxonomy.codes else None,
            restricted=self.taxonomy.restricted,
        )
        parameters = {"layer": layer_id, "category": category, "period": period.id, "measure": measure, "threshold": THRESHOLD}
        parameters |= {} if day is None else {"on": day.isoformat()}
        return Result(method, parameters, shown, denominator, caveats, self.provenance)

    def _ratio(self, layer: PlaceLayer, counts: pl.DataFrame, day: date | None) -> pl.DataFrame:
        exposure = self.exposure(layer.id, day)
        if exposure is None:
            raise AnalysisError(
                "no [exposure] is declared in the city file, so there is nothing to compare counts with", code="no_exposure"
            )
        return ratio_to_expected(counts, counts.select("place").join(exposure, on="place", how="left").fill_null(0.0))

    def place(self, layer_id: str, place: str, period_id: str, category: str = ALL) -> PlaceView:
        """Show one place: by category, by week, and its hotspot verdict.

        Raises
        ------
        AnalysisError
            Unknown layer, place or period.
        """
        layer, period = self.layer(layer_id), self.period(period_id)
        if layer.kind not in ("unit", "cell") or place not in set(self._places(layer_id)):
            raise AnalysisError(f"place {place!r} is not in layer {layer_id!r}")
        cube = self.cube(layer_id).filter(pl.col("place") == place)
        here = self.counted(layer_id, period).filter(pl.col("place") == place)
        by_category = total_by_category(here, period=None).select("category_code", n="matters_n")
        # Of two periods that differ by a day the masked counts of restricted categories could be had.
        if self.audience.outside or period.id not in self._periods:
            by_category = by_category.filter(pl.col("category_code").is_in(self._listable()))
        shown = self._disclosed(by_category, category_column="category_code")
        summed = self.codes(category, "count")
        weeks = total_by_week(cube, categories=summed).select("week_on", n="matters_n")
        by_week = self._disclosed(self._every_week(weeks), category=category)
        summable = by_category.filter(pl.col("category_code").is_in(self._listable()))
        total = self._disclosed(pl.DataFrame({"n": [int(summable["n"].sum())]}, schema={"n": pl.Int64}))
        return PlaceView(
            place=place,
            name=self._name(layer, place),
            total_n=total["n"][0],
            by_category=shown,
            by_week=by_week,
            area_only_n=self._area_only(layer, place, period),
            hotspot=self._verdict(layer, place, period_id, category),
        )

    def weeks(self, category: str = ALL, *, layer_id: str | None = None, place: str | None = None) -> pl.DataFrame:
        """Count the matters of each week that have a point, in the city or in one place: week_on, n, masked.

        Parameters
        ----------
        category : str
            ALL, a group or a category.
        layer_id, place : str, optional
            Both for one unit or cell; the whole city where not given.

        Raises
        ------
        AnalysisError
            Unknown category, layer or place.
        """
        cube = self.part("cube_class") if layer_id is None else self.cube(self._counts_alone(layer_id, place))
        cube = cube.filter(pl.col("place") == ("located" if layer_id is None else place))
        weeks = total_by_week(cube, categories=self.codes(category, "count")).select("week_on", n="matters_n")
        return self._disclosed(self._every_week(weeks), category=category).select("week_on", "n", "masked")

    def by_day(self, days: Days, category: str = ALL, *, layer_id: str | None = None, place: str | None = None) -> pl.DataFrame:
        """Count the matters of each day as `weeks` counts those of each week: day_on, n, masked; every day has a row.

        Parameters
        ----------
        days : Days
        category, layer_id, place : str, optional
            As for `weeks`.

        Raises
        ------
        AnalysisError
            Unknown category, layer or place, days without data, or a restricted category without the grant.
        AccessError
            The audience is outside: only fixed periods are for it.
        """
        period = self.period(days.id)
        if not self.free_periods:
            raise AccessError(f"counts by day are not for outside: {OUTSIDE}")
        self.refuse_free(days, category)
        column = "ledger_class" if layer_id is None else place_column(self.layer(self._counts_alone(layer_id, place)))
        only = "located" if layer_id is None or place is None else self.place_key(layer_id, place)
        cube = self.day_counts.cube(column, days, only=only)
        counted = total_by_week(cube, categories=self.codes(category, "count")).select(day_on="week_on", n="matters_n")
        every = pl.DataFrame({"day_on": pl.date_range(period.first_on, period.last_on, "1d", eager=True)})
        found = every.join(counted, on="day_on", how="left", maintain_order="left").with_columns(pl.col("n").fill_null(0))
        return self._disclosed(found, category=category).select("day_on", "n", "masked")

    def _counts_alone(self, layer_id: str, place: str | None) -> str:
        """Return the layer of a place that is a unit or a cell, and so has counts of its own."""
        layer = self.layer(layer_id)
        if layer.kind not in ("unit", "cell") or place not in set(self._places(layer_id)):
            raise AnalysisError(f"place {place!r} is not in layer {layer_id!r}")
        return layer_id

    def unplaced(self, category: str, period_id: str) -> dict[str, int | None]:
        """Count matters by ledger class (None: masked), so that totals of the map close with those that have no usable point."""
        period = self.period(period_id)
        self.refuse_free(period, category)
        totals = total_by_place(self.counted(None, period), period=None, categories=self.codes(category, "count"))
        shown = self._disclosed(totals.select("place", n="matters_n"), category=category)
        counts: dict[str, int | None] = dict(shown.select("place", "n").iter_rows())
        return {name: counts.get(name, 0) for name in ("located", "area_only", "unmapped", "outside")}

    def _caveats(self, layer: PlaceLayer, category: str, measure: str, day: date | None) -> tuple[str, ...]:
        caveats = ["reported_not_people"]
        if self.exposure_kind == "none" or measure == "hotspot":
            caveats.append("where_reports_are")
        if self._categories[category].parent is None and not self.audience.restricted:
            caveats.append("ordinary_only")
        if measure == "hotspot":
            caveats.append("family_one_map")
        if layer.kind == "cell":
            caveats.append("points_only")
        if layer.kind in ("overlay", "water"):
            caveats.append(f"{layer.kind}_beside")
        if day is not None:
            caveats.append("fixed_day")
        elif layer.kind == "unit" and self.provenance.get("base_map_changed"):
            caveats.append("base_map_changed")
        if self.city.city.schematic:
            caveats.append("schematic")
        return tuple(caveats)

    def _complete(self, layer: PlaceLayer, counts: pl.DataFrame, day: date | None) -> pl.DataFrame:
        """Give every place of the layer a row; a place without reports counts 0."""
        return (
            pl.DataFrame({"place": self._places(layer.id, day)}).join(counts, on="place", how="left").with_columns(pl.col("n").fill_null(0))
        )

    def _every_week(self, weeks: pl.DataFrame) -> pl.DataFrame:
        first = cast("date | None", self.part("cube_class")["week_on"].min())
        if first is None or first > self.last_week_on:
            return weeks
        every = pl.date_range(first, self.last_week_on, "1w", eager=True).alias("week_on")
        return pl.DataFrame({"week_on": every}).join(weeks, on="week_on", how="left").with_columns(pl.col("n").fill_null(0))

    def _area_only(self, layer: PlaceLayer, place: str, period: AnyPeriod) -> int | None:
        if layer.kind == "cell":
            return 0
        start, end = self.span(period)
        within = [("occurred_at", ">=", start), ("occurred_at", "<", end), ("category_code", "in", self._listable())]
        where = [(place_column(layer), "==", place), ("ledger_class", "!=", "located"), *within]
        n = self.store.read("reports", ["report_id"], where=where, as_of=self.analysed_load).height  # type: ignore[arg-type]
        shown = self._disclosed(pl.DataFrame({"n": [n]}, schema={"n": pl.Int64}))
        return cast("int | None", shown["n"][0])

    def _verdict(self, layer: PlaceLayer, place: str, period_id: str, category: str) -> Mapping[str, Any] | None:
        try:
            table = self.values(layer.id, category, period_id, "hotspot").table
        except (AccessError, AnalysisError):
            return None
        row = table.filter(pl.col("place") == place)
        return row.row(0, named=True) if row.height else None
