"""The only door through which outputs read numbers: everything that leaves it has been disclosed for its audience."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from cloudmap.access.audience import Audience
from cloudmap.access.disclosure import disclose, disclose_reports, ordinary
from cloudmap.access.fixed_day import FixedDay, read_day
from cloudmap.access.views import ALL, LANDMARK_NAMES, LEVEL_NAMES, WATER_NAMES, Category, MatterView, Measure, PlaceLayer, PlaceView
from cloudmap.analytics.cube import total_by_category, total_by_place, total_by_week
from cloudmap.analytics.exposure import ratio_to_expected
from cloudmap.analytics.hotspots import hotspot_table
from cloudmap.analytics.periods import Period, lattice, parse_period
from cloudmap.analytics.result import Result
from cloudmap.errors import AccessError, AnalysisError
from cloudmap.geo.shapes import from_frame
from cloudmap.matters import with_matters
from cloudmap.schema import LEVELS, cell_column, unit_column

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from scipy.sparse import csr_matrix

    from cloudmap.city import City
    from cloudmap.ingest.taxonomy import Taxonomy
    from cloudmap.store.contract import Store

THRESHOLD = 0.05
"""False discovery rate at which a place is called hot."""

REPORTING_SHARE = 0.1
"""Share of the busiest week's matters below which a week is not taken for the newest one of reporting."""

REPORT_COLUMNS = (
    "report_id", "source_id", "category_code", "occurred_at", "reported_at", "closed_at", "state", "position", "lon_deg", "lat_deg",
)  # fmt: skip


class Reader:
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
        self.city, self.store, self.taxonomy = city, store, taxonomy
        self.audience = audience or Audience()
        stored = store.result("analysis")
        if stored is None:
            raise AnalysisError(f"{city.folder}: nothing is analysed yet; run `cloudmap analyse {city.folder}`")
        self.provenance: Mapping[str, Any] = stored.provenance
        self._last_week_on = cast(date, stored.frame["last_week_on"][0])
        self._values = lru_cache(maxsize=256)(self._compute)
        self._frames: dict[str, pl.DataFrame] = {}

    # What there is

    @property
    def now(self) -> datetime:
        """The newest `reported_at` (UTC): the age of the data."""
        return datetime.fromisoformat(self.provenance["now"])

    @property
    def base_map_version(self) -> str:
        """Version of the base map that the analysis used."""
        return str(self.provenance["base_map_version"])

    @property
    def analysed_load(self) -> int:
        """Newest load that the analysis has seen."""
        return int(self.provenance["load_seq"])

    @property
    def exposure_kind(self) -> str:
        """population, reports or none: what ratios stand on."""
        return str(self.provenance["exposure_kind"])

    def is_stale(self) -> bool:
        """Tell whether the store has a newer analysis than this reader shows."""
        stored = self.store.result("analysis")
        return stored is not None and stored.provenance["key"] != self.provenance["key"]

    @cached_property
    def _periods(self) -> dict[str, Period]:
        first = cast("date | None", self._part("cube_class")["week_on"].min())
        return {} if first is None else {period.id: period for period in lattice(first, self._last_week_on)}

    def periods(self) -> list[Period]:
        """List the permitted periods: 1, 4, 13 and 52 whole ISO weeks, newest first within each span."""
        return list(self._periods.values())

    @cached_property
    def default_period(self) -> Period:
        """The last four complete weeks in which reporting went on, or the newest single week where there are fewer.

        Feeds may end in different years (Boston's requests in 2015, its crimes in 2025). A week counts as one of reporting when it has
        at least a tenth of the busiest week's matters of the categories that this audience may sum.

        Raises
        ------
        AnalysisError
            The data hold no complete week.
        """
        periods = self.periods()
        if not periods:
            raise AnalysisError(f"{self.city.folder}: the reports span no complete ISO week yet")
        weeks = total_by_week(self._part("cube_class"), categories=self._listable()).filter(pl.col("week_on") <= self._last_week_on)
        busy = weeks.filter(pl.col("matters_n") >= pl.col("matters_n").max() * REPORTING_SHARE)["week_on"]
        last = cast("date | None", busy.max()) or self._last_week_on
        return next((one for one in periods if one.weeks_n == 4 and one.last_week_on <= last), periods[0])

    def period(self, period_id: str) -> Period:
        """Return a permitted period by its id.

        Raises
        ------
        AnalysisError
            Not one of `periods()`.
        """
        if period_id not in self._periods:
            parse_period(period_id)
            raise AnalysisError(f"period {period_id!r} is not offered: periods have 1, 4, 13 or 52 weeks within the data")
        return self._periods[period_id]

    @cached_property
    def _categories(self) -> dict[str, Category]:
        every = [Category(ALL, None, "全部类别", "All categories", restricted=False, scored=True)]
        for group, codes in self.taxonomy.groups.items():
            restricted = all(code in self.taxonomy.restricted for code in codes)
            scored = any(code in self.taxonomy.scored for code in codes)
            every.append(Category(group, None, self.taxonomy.name(group, "zh"), self.taxonomy.name(group, "en"), restricted, scored))
            for code in codes:
                names = self.taxonomy.name(code, "zh"), self.taxonomy.name(code, "en")
                every.append(Category(code, group, *names, code in self.taxonomy.restricted, code in self.taxonomy.scored))
        return {category.code: category for category in every}

    def categories(self) -> list[Category]:
        """List ALL, then each group followed by its categories."""
        return list(self._categories.values())

    @cached_property
    def _layers(self) -> dict[str, PlaceLayer]:
        layers: list[PlaceLayer] = []
        units = self._part("units")
        for level in LEVELS:
            for kind, prefix in (("partition", "unit"), ("overlay", "overlay")):
                places_n = units.filter((pl.col("level") == level) & (pl.col("kind") == kind))["code"].n_unique()
                if places_n:
                    zh, en = LEVEL_NAMES[level]
                    names = (zh, en) if kind == "partition" else (f"功能{zh}", f"Functional {en.lower()}")
                    layers.append(PlaceLayer(f"{prefix}_{level}", cast(Any, prefix), level, None, *names, places_n))
        for resolution in self.city.city.resolutions:
            names = f"H3 {resolution} 级格", f"H3 cells, resolution {resolution}"
            layers.append(PlaceLayer(f"cell_{resolution}", "cell", None, resolution, *names, self._part(f"cover_{resolution}").height))
        for kind, places_n in self._part("water").group_by("kind").len().sort("kind").iter_rows():
            layers.append(PlaceLayer(f"water_{kind}", "water", None, None, *WATER_NAMES[kind], places_n))
        if "landmarks" in self.provenance["parts"]:
            for kind, places_n in self._part("landmarks").group_by("kind").len().sort("kind").iter_rows():
                zh, en = LANDMARK_NAMES.get(kind, (kind, kind))
                layers.append(PlaceLayer(f"landmark_{kind}", "landmark", None, None, zh, en, places_n))
        return {layer.id: layer for layer in layers}

    def layers(self) -> list[PlaceLayer]:
        """List the layers: units by level with their overlays, cells by resolution, water and landmarks by kind."""
        return list(self._layers.values())

    def layer(self, layer_id: str) -> PlaceLayer:
        """Return a layer by its id.

        Raises
        ------
        AnalysisError
            No such layer.
        """
        if layer_id not in self._layers:
            raise AnalysisError(f"layer {layer_id!r} is unknown; there are {', '.join(self._layers)}")
        return self._layers[layer_id]

    # Shapes

    def geometry(self, layer_id: str, *, on: str | date | None = None) -> GeoDataFrame:
        """Return the shapes of a layer.

        Parameters
        ----------
        layer_id : str
            Id of one of `layers()`.
        on : str or date, optional
            Of units, those that stand on this day ("2018-08-01"); every unit there ever was, in its newest shape, where not given.

        Returns
        -------
        GeoDataFrame
            place, name, area_m2 (NaN where unknown), parent, geometry (EPSG:4326, None for overlays without a shape).

        Raises
        ------
        AnalysisError
            No such layer, or `on` is no day or not for such a layer.
        """
        layer, day = self.layer(layer_id), self._day(layer_id, on)
        if layer.kind == "cell":
            shapes = from_frame(self._part(f"cover_{layer.resolution}")).assign(parent=None)
            return shapes[["place", "name", "area_m2", "parent", "geometry"]]
        if layer.kind in ("water", "landmark"):
            part = self._part("water" if layer.kind == "water" else "landmarks")
            shapes = from_frame(part.filter(pl.col("kind") == layer_id.partition("_")[2]))
            shapes = shapes.rename(columns={"id": "place"}).assign(parent=None, area_m2=float("nan"))
            return shapes[["place", "name", "area_m2", "parent", "geometry"]]
        kind = "partition" if layer.kind == "unit" else "overlay"
        chosen = (pl.col("level") == layer.level) & (pl.col("kind") == kind)
        if day is None:
            shapes = from_frame(self._part("units").filter(chosen).unique("code", keep="last", maintain_order=True))
        else:
            shapes = self._fixed.units(cast(str, layer.level), day)
        shapes = shapes.rename(columns={"code": "place"})
        shapes["area_m2"] = shapes.geometry.to_crs(self.city.city.metric_crs).area
        return shapes[["place", "name", "area_m2", "parent", "geometry"]]

    # Numbers

    def values(self, layer_id: str, category: str, period_id: str, measure: Measure, *, on: str | date | None = None) -> Result:
        """Measure every place of a layer.

        Parameters
        ----------
        layer_id, category, period_id : str
            Ids of a layer, a category and a period.
        measure : {"count", "ratio", "hotspot"}
            Matters; matters over those expected at the city's own rate; exact Gi* with Benjamini-Hochberg over the layer's places.
            Overlays (which lie over other units) and reaches (within 100 m) have counts only, which enter no total.
        on : str or date, optional
            For units: count by those that stand on this day ("2018-08-01"), whatever the day of a report, so that two periods compare;
            by the units of each report's own day where not given.

        Returns
        -------
        Result
            Table with place, value, masked; count adds n and reports_n (one matter may be told by several reports); ratio adds n,
            expected; hotspot adds n, neighbourhood_n, z, p, q, class.

        Raises
        ------
        AnalysisError
            Unknown id, a measure without its exposure, or a category that is counted but not scored.
        AccessError
            The audience may not see this measure of this category.
        """
        return self._values(layer_id, category, period_id, measure, self._day(layer_id, on))

    def _compute(self, layer_id: str, category: str, period_id: str, measure: Measure, day: date | None) -> Result:
        layer, period = self.layer(layer_id), self.period(period_id)
        if layer.kind == "landmark" or (layer.kind not in ("unit", "cell") and measure != "count"):
            have = "shapes only" if layer.kind == "landmark" else "counts only"
            raise AnalysisError(f"layer {layer_id!r} has {have}; {measure} is for units and cells")
        codes = self._codes(category, measure)
        cube = self._part(f"cube_{_place_column(layer)}") if day is None else self._fixed.cube(cast(str, layer.level), day)
        totals = total_by_place(cube, period=period, categories=codes)
        counts = self._complete(layer, totals.select("place", n="matters_n"), day)
        caveats = self._caveats(layer, category, measure, day)
        if measure == "count":
            told = self._complete(layer, totals.select("place", n="reports_n"), day)["n"]
            table = counts.with_columns(value=pl.col("n").cast(pl.Float64), reports_n=told)
            method, denominator = "count of matters", "none: plain counts"
            derived: tuple[str, ...] = ("value",)
        elif measure == "ratio":
            table, method, derived = self._ratio(layer, counts, day), "ratio to expected", ("value", "expected", "exposure")
            denominator = f"{self.exposure_kind} x city rate"
        else:
            table = self._hotspot(layer, counts, day)
            method, derived = "exact Gi*, one-sided, Benjamini-Hochberg", ("value", "neighbourhood_n", "z", "p", "q", "class")
            denominator = f"{counts.height} places tested together (one map)"
        shown = disclose(
            table,
            audience=self.audience,
            privacy=self.city.privacy,
            count_columns=("n", "reports_n") if measure == "count" else ("n",),
            derived_columns=derived,
            category=category if category in self.taxonomy.codes else None,
            restricted=self.taxonomy.restricted,
        )
        parameters = {"layer": layer_id, "category": category, "period": period_id, "measure": measure, "threshold": THRESHOLD}
        parameters |= {} if day is None else {"on": day.isoformat()}
        return Result(method, parameters, shown, denominator, caveats, self.provenance)

    def _ratio(self, layer: PlaceLayer, counts: pl.DataFrame, day: date | None) -> pl.DataFrame:
        if self.exposure_kind == "none":
            raise AnalysisError("no [exposure] is declared in the city file, so there is nothing to compare counts with")
        if day is None:
            exposure = self._part(f"exposure_{_place_column(layer)}")
        else:
            exposure = self._fixed.exposure(cast(str, layer.level), day, self.exposure_kind)
        return ratio_to_expected(counts, counts.select("place").join(exposure, on="place", how="left").fill_null(0.0))

    def _hotspot(self, layer: PlaceLayer, counts: pl.DataFrame, day: date | None) -> pl.DataFrame:
        if counts["n"].sum() == 0:
            blank = [pl.lit(None, dtype=pl.Float64).alias(name) for name in ("z", "p", "q")]
            return counts.with_columns(
                *blank, neighbourhood_n=pl.lit(0, dtype=pl.Int64), value=pl.lit(0.0), **{"class": pl.lit("not_significant")}
            )
        table = hotspot_table(counts["place"].to_list(), counts["n"].to_numpy(), self._weights(layer.id, day), threshold=THRESHOLD)
        return table.with_columns(value=(pl.col("class") == "hot").cast(pl.Float64))

    @lru_cache(maxsize=16)  # noqa: B019  (a reader lives as long as its page server)
    def _weights(self, layer_id: str, day: date | None) -> csr_matrix:
        from cloudmap.geo.weights import contiguity, neighbours

        layer = self.layer(layer_id)
        if layer.kind == "cell":
            return neighbours(self._places(layer_id).to_list())
        shapes = self.geometry(layer_id, on=day).set_index("place")
        return contiguity(shapes.loc[self._places(layer_id, day).to_list()].reset_index())

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
        cube = self._part(f"cube_{_place_column(layer)}").filter(pl.col("place") == place)
        by_category = total_by_category(cube, period=period).select("category_code", n="matters_n")
        if self.audience.outside:
            by_category = by_category.filter(pl.col("category_code").is_in(self._listable()))
        shown = self._disclosed(by_category, category_column="category_code")
        summed = self._codes(category, "count")
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

    def unplaced(self, category: str, period_id: str) -> dict[str, int | None]:
        """Count matters by ledger class (None: masked), so that totals of the map close with those that have no usable point."""
        totals = total_by_place(self._part("cube_class"), period=self.period(period_id), categories=self._codes(category, "count"))
        shown = self._disclosed(totals.select("place", n="matters_n"), category=category)
        counts: dict[str, int | None] = dict(shown.select("place", "n").iter_rows())
        return {name: counts.get(name, 0) for name in ("located", "area_only", "unmapped", "outside")}

    def reaches(self) -> pl.DataFrame:
        """List the reaches of the water map with their flow: place (id), kind, name, downstream (list of ids), flow_order (1: a source)."""
        return self._part("reaches")

    # Rows

    def near_water(self) -> pl.DataFrame:
        """Tell the nearest reach of each located report, up to 2 km: report_id, reach, distance_m.

        Reports of restricted categories are left out unless the audience holds the grant: a distance tells of the point.

        Raises
        ------
        AccessError
            The audience is outside.
        """
        self._refuse_rows_outside()
        rows = self.store.read("reports", ["report_id"], where=[("category_code", "in", self._listable())], as_of=self.analysed_load)
        return rows.select("report_id").join(self._part("near_water"), on="report_id", maintain_order="left")

    def reports(self, layer_id: str, place: str, period_id: str, category: str = ALL, *, limit: int | None = 500) -> pl.DataFrame:
        """List the reports of a place, newest first; never their text.

        Restricted categories are left out unless the audience holds the grant: a list would tell their count.

        Raises
        ------
        AccessError
            The audience is outside: single reports never leave the administration.
        """
        layer, period = self.layer(layer_id), self.period(period_id)
        self._refuse_rows_outside()
        if layer.kind not in ("unit", "cell"):
            raise AnalysisError(f"layer {layer_id!r} lists no reports; ask for a unit or a cell")
        codes = sorted(set(self._codes(category, "count")) & set(self._listable()))
        column = _place_column(layer)
        key: object = place
        if layer.kind == "cell":
            from cloudmap.geo.cells import from_hex

            key = from_hex(pl.Series([place]))[0]
        start, end = (self.city.midnight(day) for day in (period.first_on, period.last_on + timedelta(days=1)))
        where = [(column, "==", key), ("occurred_at", ">=", start), ("occurred_at", "<", end), ("category_code", "in", codes)]
        rows = self.store.read("reports", [*REPORT_COLUMNS, "ledger_class"], where=where, as_of=self.analysed_load)  # type: ignore[arg-type]
        if layer.kind == "cell":
            rows = rows.filter(pl.col("ledger_class") == "located")
        rows = self._with_matters(rows.select(REPORT_COLUMNS)).sort("occurred_at", "report_id", descending=[True, False])
        rows = rows if limit is None else rows.head(limit)
        return disclose_reports(rows, self.audience, self.taxonomy.restricted, by_place=True)

    def matters(self, layer_id: str, place: str, period_id: str, category: str = ALL, *, limit: int = 50) -> list[MatterView]:
        """List the matters of a place that more than one report tells of, newest first, with the reasons that joined them.

        Parameters
        ----------
        layer_id, place, period_id, category : str
            As for `reports`.
        limit : int, default 50
            Matters listed at most.

        Raises
        ------
        AccessError
            The audience is outside.
        """
        here = self.reports(layer_id, place, period_id, category, limit=None)
        ids = here.filter(pl.col("matter_id").is_in(self._part("matters")["matter_id"].implode()))["matter_id"]
        chosen = ids.unique(maintain_order=True).head(limit).to_list()
        shared = self._part("matters").filter(pl.col("matter_id").is_in(chosen))
        where = [("report_id", "in", shared["report_id"].to_list()), ("category_code", "in", self._listable())]
        rows = self.store.read("reports", list(REPORT_COLUMNS), where=where, as_of=self.analysed_load) if chosen else None  # type: ignore[arg-type]
        if rows is None:
            return []
        told = disclose_reports(self._with_matters(rows.select(REPORT_COLUMNS)), self.audience, self.taxonomy.restricted, by_place=True)
        parts = told.sort("occurred_at", "report_id").partition_by("matter_id", as_dict=True)
        links = self._part("matter_links").filter(pl.col("matter_id").is_in(chosen)).partition_by("matter_id", as_dict=True)
        none = self._part("matter_links").clear()
        return [MatterView(one, parts[(one,)], links.get((one,), none)) for one in chosen if (one,) in parts]

    def all_reports(self) -> pl.DataFrame:
        """Return one row per report that is not quarantined, in the fixed shape of `export reports`.

        Raises
        ------
        AccessError
            The audience is outside.
        """
        self._refuse_rows_outside()
        columns = [
            "report_id", "source_id", "source_report_id", "category_code", "category_raw", "occurred_at", "reported_at", "closed_at",
            "due_at", "state", "lon_deg", "lat_deg", "position",
            *(unit_column(level).name for level in self.city.levels),
            *(cell_column(resolution).name for resolution in self.city.city.resolutions), "matter_id",
        ]  # fmt: skip
        rows = self._with_matters(self.store.read("reports", columns, as_of=self.analysed_load).select(columns))
        return disclose_reports(rows, self.audience, self.taxonomy.restricted)

    def ledger(self) -> list[dict[str, Any]]:
        """Return one ledger entry per loaded file, as `cloudmap ledger --json`."""
        return [{"load_seq": one.load_seq, **one.ledger} for one in self.store.loads() if not one.undone]

    def quarantine(self) -> pl.DataFrame:
        """Return quarantined records, scrubbed, of all loads.

        Raises
        ------
        AccessError
            The audience is outside.
        """
        self._refuse_rows_outside()
        return self.store.read("quarantine", as_of=self.analysed_load)

    # Inside

    @cached_property
    def _fixed(self) -> FixedDay:
        return FixedDay(self.city, self.store, self.taxonomy, self.provenance, self._part)

    def _day(self, layer_id: str, on: str | date | None) -> date | None:
        """Read `on`; cells are never redrawn, so that any day is the same for them."""
        layer = self.layer(layer_id)
        day = None if on is None else read_day(on)
        if day is not None and layer.kind not in ("unit", "cell"):
            raise AnalysisError(f"layer {layer_id!r}: on = {day} is for units; leave it out")
        return day if layer.kind == "unit" else None

    def _part(self, name: str) -> pl.DataFrame:
        if name not in self._frames:
            key = self.provenance["parts"].get(name)
            stored = self.store.result(name, key) if key else None
            if stored is None:
                raise AnalysisError(f"result {name!r} is not in the store; run `cloudmap analyse {self.city.folder}` again")
            self._frames[name] = stored.frame
        return self._frames[name]

    def _with_matters(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Give each report its matter, in place of what the store calls it."""
        return with_matters(rows, self._part("matters"))

    def _codes(self, category: str, measure: str) -> list[str]:
        """List the second-level codes that a choice stands for, for this audience and measure."""
        if category not in self._categories:
            raise AnalysisError(f"category {category!r} is unknown")
        chosen = self._categories[category]
        if chosen.parent is not None:
            codes = [category]
            if measure == "hotspot" and category in self.taxonomy.restricted and not self.audience.restricted:
                raise AccessError(f"category {category} is restricted: a hotspot verdict would tell masked counts")
        else:
            members = self.taxonomy.codes if category == ALL else self.taxonomy.groups[category]
            codes = list(ordinary(members, self.taxonomy.restricted, self.audience))
        if measure != "count":
            codes = [code for code in codes if code in self.taxonomy.scored]
            if not codes:
                raise AnalysisError(f"category {category} is counted, never scored (taxonomy column score = 0)")
        return codes

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

    def _disclosed(self, frame: pl.DataFrame, *, category: str | None = None, category_column: str | None = None) -> pl.DataFrame:
        return disclose(
            frame,
            audience=self.audience,
            privacy=self.city.privacy,
            count_columns=("n",),
            category=category if category in self.taxonomy.codes else None,
            category_column=category_column,
            restricted=self.taxonomy.restricted,
        )

    def _listable(self) -> list[str]:
        return list(ordinary(self.taxonomy.codes, self.taxonomy.restricted, self.audience))

    def _refuse_rows_outside(self) -> None:
        if self.audience.outside:
            raise AccessError("rows of single reports never leave the administration; drop --outside, or export counts (cells, units)")

    @lru_cache(maxsize=32)  # noqa: B019  (as above)
    def _places(self, layer_id: str, day: date | None = None) -> pl.Series:
        layer = self.layer(layer_id)
        if layer.kind == "cell":
            return self._part(f"cover_{layer.resolution}")["place"].sort()
        if layer.kind == "water":
            return self._part("water").filter(pl.col("kind") == layer_id.removeprefix("water_"))["id"].sort()
        if day is not None:
            return pl.Series("code", sorted(self._fixed.units(cast(str, layer.level), day)["code"]), dtype=pl.String)
        kind = "partition" if layer.kind == "unit" else "overlay"
        units = self._part("units").filter((pl.col("level") == layer.level) & (pl.col("kind") == kind))
        return units["code"].unique().sort()

    def _complete(self, layer: PlaceLayer, counts: pl.DataFrame, day: date | None) -> pl.DataFrame:
        """Give every place of the layer a row; a place without reports counts 0."""
        return (
            pl.DataFrame({"place": self._places(layer.id, day)}).join(counts, on="place", how="left").with_columns(pl.col("n").fill_null(0))
        )

    def _every_week(self, weeks: pl.DataFrame) -> pl.DataFrame:
        first = cast("date | None", self._part("cube_class")["week_on"].min())
        if first is None or first > self._last_week_on:
            return weeks
        every = pl.date_range(first, self._last_week_on, "1w", eager=True).alias("week_on")
        return pl.DataFrame({"week_on": every}).join(weeks, on="week_on", how="left").with_columns(pl.col("n").fill_null(0))

    def _name(self, layer: PlaceLayer, place: str) -> str:
        if layer.kind == "cell":
            names = self._part(f"cover_{layer.resolution}").filter(pl.col("place") == place)["name"]
        else:
            names = self._part("units").filter((pl.col("level") == layer.level) & (pl.col("code") == place))["name"]
        return str(names[-1])

    def _area_only(self, layer: PlaceLayer, place: str, period: Period) -> int | None:
        if layer.kind == "cell":
            return 0
        start, end = (self.city.midnight(day) for day in (period.first_on, period.last_on + timedelta(days=1)))
        within = [("occurred_at", ">=", start), ("occurred_at", "<", end), ("category_code", "in", self._listable())]
        where = [(_place_column(layer), "==", place), ("ledger_class", "!=", "located"), *within]
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


def _place_column(layer: PlaceLayer) -> str:
    if layer.kind == "water":
        return "reach"
    return f"cell_{layer.resolution}" if layer.kind == "cell" else f"{layer.kind}_{layer.level}_code"
