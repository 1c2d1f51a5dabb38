"""The statistics of one analysis for one audience: each is computed once, on what that audience may sum, and disclosed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.access.back_tests import back_tested
from cloudmap.access.cases import Cases
from cloudmap.access.disclosure import disclose
from cloudmap.access.once import once
from cloudmap.access.standing import Standing
from cloudmap.analytics.cube import mean_severity, total_by_place
from cloudmap.analytics.panel import Ground, Panel, ReportingWeeks, build_panel, dense_counts, reporting_weeks
from cloudmap.analytics.periods import Days, Month, Period
from cloudmap.analytics.result import Result
from cloudmap.errors import AccessError, AnalysisError
from cloudmap.geo.shapes import from_frame

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.analytics.panel import ExposureKind

KEYS: Final = frozenset({
    "place", "week_on", "source_id", "weeks_since", "category_code", "name", "kind", "length_m", "area_m2", "band_from_m", "band_to_m",
    "cluster_n", "centre", "x_m", "y_m", "radius_m", "places", "places_n", "first_week_on", "last_week_on", "distance_from_m",
    "distance_to_m", "days_from", "days_to", "weeks_n", "risk", "steps_n", "last_report_on", "masked", "model", "shipped", "method",
    "decile", "level", "indicator", "period", "stage", "against", "scope", "component", "unit", "source_statistic",
})  # fmt: skip
"""Columns that say what a row is of: neither counts nor computed from counts."""

COUNTS: Final = (
    "n", "before_n", "reports_n", "observed_n", "active_reporters_n", "staff_n", "resident_n", "cases_n", "numerator_n", "denominator_n",
    "denominator_before_n", "stays_n", "going_on_n", "open_n", "overdue_n", "yellow_n", "green_n", "volunteers_n",
)  # fmt: skip
"""Columns that count reports, matters, cases or reporters; every other column was computed from counts."""

THRESHOLD: Final = 0.05
"""False discovery rate at which a place is called hot."""

BANDS_M: Final = (0.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
"""Edges of the bands of distance to water."""

HORIZON_WEEKS: Final = 4
"""Weeks ahead that a forecast is of."""

REPLICATES: Final = 199
"""Tables drawn for a scan that somebody waits for; the Gumbel tail beside tells smaller p."""

LAID_KEPT: Final = 16
LAID_MOST: Final = 8_000_000
"""How many layers' counts are kept laid out by place and week, and of how many numbers each at the most: 32 MB."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """What a statistic needs to be asked for.

    ``map`` tells that its rows are the places of a layer, so that it can be drawn; ``kinds`` are the kinds of layers it is for
    (none: it needs no layer); ``category`` and ``period`` whether those choices change it; ``free`` whether the period may be a day, a
    month or other days, since it counts from instants and not from weeks.
    """

    name: str
    kinds: tuple[str, ...] = ()
    category: bool = True
    period: bool = True
    map: bool = False
    free: bool = False


STATISTICS: Final = {
    one.name: one
    for one in (
        Statistic("emerging", ("unit", "cell"), map=True),
        Statistic("scan", ("unit", "cell")),
        Statistic("silent", ("unit", "cell"), category=False, map=True),
        Statistic("risk", ("unit", "cell"), map=True),
        Statistic("risk_card", period=False),
        Statistic("risk_calibration", period=False),
        Statistic("power", ("unit", "cell")),
        Statistic("alarms", ("unit",), category=False),
        Statistic("changes", ("unit",), category=False),
        Statistic("changes_year", ("unit",), category=False),
        Statistic("situation", ("unit",), category=False),
        Statistic("situation_year", ("unit",), category=False),
        Statistic("rates", ("unit", "cell"), map=True),
        Statistic("moran", ("unit", "cell"), map=True),
        Statistic("density", ("cell",), map=True),
        Statistic("report_clusters", free=True),
        Statistic("near_repeat", free=True),
        Statistic("near_water", free=True),
        Statistic("water_bands", free=True),
        Statistic("handling", ("unit",), free=True),
        Statistic("handling_by_category", free=True),
        Statistic("handling_by_source", free=True),
        Statistic("handling_before", free=True),
        Statistic("funnel", ("unit",), free=True),
        Statistic("dwell", free=True),
        Statistic("overdue", ("unit", "cell"), map=True, free=True),
        Statistic("workload", ("unit",), map=True, free=True),
        Statistic("staffing", ("unit",), category=False, period=False, map=True),
        Statistic("tiers", free=True),
        Statistic("burn_down", category=False, period=False),
        Statistic("effort", category=False, period=False),
        Statistic("completeness", category=False, period=False),
        Statistic("regimes", category=False, period=False),
    )
}
"""Statistics by name; `Reader.statistic` answers each."""


class Statistics:
    """Computes statistics from the parts of an analysis.

    Parameters
    ----------
    reader : Reader
        Whose city, audience, parts and choices are used.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.cases, self._standing = Cases(reader), Standing(reader)
        self._made = once(self._compute, 128)
        self._grounds = once(self._make_ground, 16)
        self._laid = once(self._lay, LAID_KEPT)

    def result(self, name: str, layer_id: str | None, category: str, period_id: str | None) -> Result:
        """Return a statistic, disclosed for the audience.

        Parameters
        ----------
        name : str
            One of `STATISTICS`.
        layer_id, period_id : str or None
            The default layer and period where not given.
        category : str
            ALL, a group or a category.

        Raises
        ------
        AnalysisError
            Unknown name or id; a layer that the statistic is not for; input that the method cannot use, with the remedy.
        AccessError
            The audience may not see it.
        """
        if name not in STATISTICS:
            raise AnalysisError(f"statistic {name!r} is unknown; there are {', '.join(STATISTICS)}")
        asked, reader = STATISTICS[name], self._reader
        layer = reader.layer(layer_id or self._usual_layer(asked)) if asked.kinds else None
        if layer is not None and layer.kind not in asked.kinds:
            raise AnalysisError(f"{name} is for {' and '.join(asked.kinds)} layers; {layer.id} is none", code="wrong_layer")
        period = reader.period(period_id or reader.default_period.id) if asked.period else None
        if period is not None:
            period = period if asked.free else reader.whole_weeks(period.id, name)
            reader.refuse_free(period, category)
        return self._made(name, layer.id if layer else None, category if asked.category else "ALL", period.id if period else None)

    def drawn(self, measure: str, layer_id: str, category: str, period_id: str) -> Result:
        """Return a statistic as a table of places: what a map draws; arguments and errors as for `result`."""
        if measure != "scan":
            return self.result(measure, layer_id, category, period_id)
        from cloudmap.analytics.scan_map import by_place

        clusters = self.result("scan", layer_id, category, period_id)
        if clusters.table["masked"].any():
            raise AccessError("the clusters of a scan that hold counts below k stay inside; export counts instead", code="masked")
        mapped = by_place(clusters, self.panel(layer_id, category, period_id))
        return self._disclosed(mapped, "scan", category)

    def hotspots(self, layer_id: str, category: str, period_id: str, day: date | None, caveats: tuple[str, ...]) -> Result:
        """Test one map for hotspots, of units that stand on a day where one is given."""
        from cloudmap.analytics.hotspots_map import hotspots

        period = self._reader.period(period_id)
        if isinstance(period, Period):
            made = hotspots(self.panel(layer_id, category, period_id, day=day), period, threshold=THRESHOLD)
        else:
            made = self._hotspots_of_days(layer_id, category, period, day)
        parameters = {"layer": layer_id, "category": category, "period": period.id, "measure": "hotspot", **made.parameters}
        parameters |= {} if day is None else {"on": day.isoformat()}
        more = tuple(one for one in caveats if one not in made.caveats)
        return self._disclosed(replace(made, parameters=parameters, caveats=(*made.caveats, *more)), "hotspot", category)

    def _hotspots_of_days(self, layer_id: str, category: str, period: Month | Days, day: date | None) -> Result:
        """Test the counts of a free period; its days that are masked for reporting lag are left out, as weeks are."""
        from cloudmap.analytics.hotspots_map import hotspots_of_counts

        reader, (tested, caveats) = self._reader, self.known.days_in(period)
        monday = period.first_on - timedelta(days=period.first_on.weekday())
        cube = reader.counted(layer_id, tested, day).with_columns(week_on=pl.lit(monday))
        codes = reader.codes(category, "hotspot")
        one = build_panel(cube, self._grounds(layer_id, day), category=category, codes=codes, weeks=(monday, monday))
        made = hotspots_of_counts(one, one.counts[:, 0], period, threshold=THRESHOLD)
        return replace(made, caveats=(*made.caveats, *caveats))

    def panel(self, layer_id: str, category: str, period_id: str, *, every: bool = False, day: date | None = None) -> Panel:
        """Lay counts out by place and week up to the end of a period.

        Parameters
        ----------
        layer_id, category, period_id : str
        every : bool, default False
            Also categories that are counted but never scored.
        day : date, optional
            Of units: those that stand on this day.
        """
        reader = self._reader
        codes = reader.codes(category, "count" if every else "hotspot")
        first, last = self._weeks(period_id)
        counts: pl.DataFrame | npt.NDArray[np.integer[Any]] = reader.cube(layer_id, day)
        weeks_n = ((reader.last_week_on - first).days // 7) + 1
        if last <= reader.last_week_on and len(self._grounds(layer_id, day).places) * weeks_n <= LAID_MOST:
            counts = self._laid(layer_id, day, tuple(codes), first)
        return self.known.panel(counts, self._grounds(layer_id, day), category=category, codes=codes, weeks=(first, last))

    def _lay(self, layer_id: str, day: date | None, codes: tuple[str, ...], first: date) -> npt.NDArray[np.int32]:
        """Lay the counts of a layer out up to the last week there is: panels of all periods are its first columns."""
        reader = self._reader
        counts = dense_counts(reader.cube(layer_id, day), self._grounds(layer_id, day).places, first, reader.last_week_on, codes)
        return counts.astype(np.int32)

    def group_panels(self, layer_id: str, period_id: str, *, day: date | None = None) -> list[Panel]:
        """Lay every group of categories out that may be judged: not those of restricted ones, nor of such as are never scored."""
        panels = []
        for group in self._reader.taxonomy.groups:
            try:
                panels.append(self.panel(layer_id, group, period_id, day=day))
            except (AccessError, AnalysisError):
                continue
        return panels

    def panel_of(
        self, cube: pl.DataFrame, layer_id: str, period_id: str, *, category: str, codes: list[str], day: date | None = None
    ) -> Panel:
        """Lay the counts of a cube over a layer's places out as `panel` does."""
        return self.known.panel(cube, self._grounds(layer_id, day), category=category, codes=codes, weeks=self._weeks(period_id))

    def _weeks(self, period_id: str) -> tuple[date, date]:
        period = self._reader.whole_weeks(period_id, "a statistic of weeks")
        return min(self.known.first_week_on or period.first_on, period.first_on), period.last_week_on

    @cached_property
    def known(self) -> ReportingWeeks:
        """What is known of the weeks: where regimes begin, which have not all come in."""
        reader = self._reader
        parts = {name: reader.part(name) for name in ("cube_class", "regimes", "masked") if name in reader.provenance["parts"]}
        return reporting_weeks(parts, reader.last_week_on)

    def default_layer(self, kinds: tuple[str, ...]) -> str:
        """Return the layer of some kinds that is shown where none is chosen: cells at the default resolution, else the coarsest units.

        Raises
        ------
        AnalysisError
            The base map has none.
        """
        reader = self._reader
        layers = [layer for layer in reader.layers() if layer.kind in kinds]
        if not layers:
            raise AnalysisError(
                f"this needs a {' or '.join(kinds)} layer, and the base map has none; add one to city.toml", code="no_units"
            )
        chosen = next((layer for layer in layers if layer.resolution == reader.city.city.default_resolution), None)
        return (chosen or next((layer for layer in layers if layer.places_n > 1), layers[0])).id

    def _usual_layer(self, asked: Statistic) -> str:
        """Return the layer of a statistic that is shown where none is chosen."""
        levels = [layer for layer in self._reader.layers() if layer.kind == "unit"]
        if asked.name == "staffing" and levels:
            return levels[-1].id
        return self.default_layer(asked.kinds)

    def _make_ground(self, layer_id: str, day: date | None) -> Ground:
        reader = self._reader
        shapes = reader.geometry(layer_id, on=day).sort_values("place").reset_index(drop=True)
        kind, exposure = cast("ExposureKind", reader.exposure_kind), reader.exposure(layer_id, day)
        return Ground(layer_id, shapes, reader.weights(layer_id, day), exposure, kind, reader.city.city.metric_crs)

    # Each statistic

    def _compute(self, name: str, layer_id: str | None, category: str, period_id: str | None) -> Result:
        answer = getattr(self, f"_{name}", None) or getattr(self.cases, name, None) or getattr(self._standing, name)
        made = answer(layer_id, category, period_id)
        return self._disclosed(made, name, category)

    def _disclosed(self, made: Result, name: str, category: str) -> Result:
        reader, table = self._reader, made.table
        counts = [column for column in COUNTS if column in table.columns]
        if not counts:
            # Nothing here counts single places: powers, regimes and scores of models are of the whole city.
            shown = table.with_columns(masked=pl.lit(value=False)) if "masked" not in table.columns else table
        else:
            derived = [column for column in table.columns if column not in KEYS and column not in counts]
            # A count that a row does not have (a ratio's denominator, say) tells of nobody: it must not mask the others.
            absent = {column: f"absent_{column}" for column in counts if table[column].null_count()}
            told = table.with_columns(pl.col(column).is_null().alias(mark) for column, mark in absent.items())
            shown = disclose(
                told.with_columns(pl.col(list(absent)).fill_null(0)) if absent else told,
                audience=reader.audience,
                privacy=reader.city.privacy,
                count_columns=counts,
                derived_columns=derived,
                key_columns=[column for column in table.columns if column in KEYS],
                category=category if category in reader.taxonomy.codes else None,
                restricted=reader.taxonomy.restricted,
            )
            kept = [pl.when(~pl.col(mark)).then(pl.col(column)).alias(column) for column, mark in absent.items()]
            shown = shown.with_columns(kept).drop(list(absent.values()))
        extra = tuple(one for one in self._caveats(name, category) if one not in made.caveats)
        return replace(made, table=shown, caveats=(*made.caveats, *extra), provenance=reader.provenance)

    def _caveats(self, name: str, category: str) -> list[str]:
        reader = self._reader
        caveats = [] if name in ("effort", "completeness", "regimes") else ["reported_not_people"]
        if category == "ALL" or category in reader.taxonomy.groups:
            caveats += [] if reader.audience.restricted else ["ordinary_only"]
        return [*caveats, *(["schematic"] if reader.city.city.schematic else [])]

    def _emerging(self, layer_id: str, category: str, period_id: str) -> Result:
        from cloudmap.analytics.emerging_map import emerging_hotspots

        return emerging_hotspots(self.panel(layer_id, category, period_id))

    def _scan(self, layer_id: str, category: str, period_id: str) -> Result:
        from cloudmap.analytics.scan_map import scan_clusters

        return scan_clusters(self.panel(layer_id, category, period_id), kind="prospective", replicates=REPLICATES)

    def _silent(self, layer_id: str, category: str, period_id: str) -> Result:
        from cloudmap.analytics.silent import silent_cells

        return silent_cells(self.panel(layer_id, category, period_id, every=True))

    def _risk(self, layer_id: str, category: str, period_id: str) -> Result:
        from cloudmap.analytics.risk import forecast

        panel = self.panel(layer_id, category, period_id)
        severity = mean_severity(self._reader.cube(layer_id), panel.places, self._reader.codes(category, "hotspot"))
        card = back_tested(self._reader.store, self._reader.provenance, layer_id, category)
        return forecast(panel, horizon_weeks=HORIZON_WEEKS, severity=severity, card=card[0] if card else None)

    def _risk_card(self, _layer: None, category: str, _period: None) -> Result:
        return self._card(category)[0]

    def _risk_calibration(self, _layer: None, category: str, _period: None) -> Result:
        return self._card(category)[1]

    def _card(self, category: str) -> tuple[Result, Result]:
        """Return the back-test of a category's forecasts, and their calibration by decile, as `cloudmap analyse --back-test` left it."""
        reader = self._reader
        reader.codes(category, "hotspot")
        stored = back_tested(reader.store, reader.provenance, self.default_layer(("cell", "unit")), category)
        if stored is None:
            raise AnalysisError(
                f"forecasts of {category} were not back-tested; run `cloudmap analyse {reader.city.folder} --back-test {category}`",
                code="not_tested",
            )
        return stored

    def _power(self, layer_id: str, category: str, period_id: str) -> Result:
        from cloudmap.analytics.power import power_table

        return power_table(self.panel(layer_id, category, period_id))

    def _alarms(self, layer_id: str, _category: str, period_id: str) -> Result:
        from cloudmap.analytics.alarms_table import alarms

        return alarms(self.group_panels(layer_id, period_id))

    def _rates(self, layer_id: str, category: str, period_id: str) -> Result:
        from cloudmap.analytics.rates_map import rates

        return rates(self.panel(layer_id, category, period_id), self._reader.whole_weeks(period_id, "rates"))

    def _moran(self, layer_id: str, category: str, period_id: str) -> Result:
        from cloudmap.analytics.moran_map import moran

        return moran(self.panel(layer_id, category, period_id), self._reader.whole_weeks(period_id, "moran"))

    def _density(self, layer_id: str, category: str, period_id: str) -> Result:
        from cloudmap.analytics.report_clusters import density

        period = self._reader.whole_weeks(period_id, "density")
        return density(self.panel(layer_id, category, period_id), period, self._reader.located_points(category, period))

    def _report_clusters(self, _layer: None, category: str, period_id: str) -> Result:
        from cloudmap.analytics.report_clusters import report_clusters

        made = report_clusters(self._reader.located_points(category, self._reader.period(period_id)))
        return replace(made, parameters={**made.parameters, "category": category, "period": period_id})

    def _near_repeat(self, _layer: None, category: str, period_id: str) -> Result:
        from cloudmap.analytics.near_repeat import near_repeat_result

        reader = self._reader
        points = reader.located_points(category, reader.period(period_id))
        made = near_repeat_result(points, distances_m=(100.0, 250.0, 500.0), days=(3.0, 7.0, 14.0, 28.0), replicates=99)
        return replace(made, parameters={**made.parameters, "category": category, "period": period_id})

    def _near_water(self, _layer: None, category: str, period_id: str) -> Result:
        from cloudmap.analytics.near_water import by_reach
        from cloudmap.geo.weights import water_network

        reader = self._reader
        water = from_frame(reader.part("water"))
        reaches = reader.reaches()
        lengths = water.set_index("id").geometry.to_crs(reader.city.city.metric_crs)
        length = {str(code): float(shape.length) for code, shape in lengths.items()}
        water_layer = next(layer.id for layer in reader.layers() if layer.kind == "water")
        counted = reader.counted(water_layer, reader.period(period_id))
        totals = total_by_place(counted, period=None, categories=reader.codes(category, "hotspot"))
        counts = reaches.select("place", "name", "kind").join(
            totals.select("place", n="matters_n"), on="place", how="left", maintain_order="left"
        )
        counts = counts.with_columns(pl.col("n").fill_null(0), length_m=pl.col("place").replace_strict(length, return_dtype=pl.Float64))
        made = by_reach(counts, weights=water_network(reaches))
        return replace(made, parameters={**made.parameters, "category": category, "period": period_id})

    def _water_bands(self, _layer: None, category: str, period_id: str) -> Result:
        from cloudmap.analytics.near_water import by_band

        reader = self._reader
        distances = reader.water_distances(category, reader.period(period_id))
        made = by_band(distances, reader.part("water_bands"))
        return replace(made, parameters={**made.parameters, "category": category, "period": period_id})

    def _effort(self, _layer: None, _category: str, _period: None) -> Result:
        denominator = "reports by the week in which they were reported, every category"
        return Result("weekly reporting effort", {}, self._reader.part("effort"), denominator)

    def _completeness(self, _layer: None, _category: str, _period: None) -> Result:
        denominator = "reports of weeks long past, by how many weeks after their own they came in"
        return Result("completeness by reporting lag", {}, self._reader.part("completeness"), denominator)

    def _regimes(self, _layer: None, _category: str, _period: None) -> Result:
        return Result("reporting regimes: declared, and detected by change-point", {}, self._reader.part("regimes"), "weekly reports")
