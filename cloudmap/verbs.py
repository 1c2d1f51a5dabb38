"""What an analyst calls in a notebook; the same functions, and so the same numbers, as the dashboard."""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from cloudmap.access.audience import Audience
from cloudmap.access.disclosure import disclose_reports, ordinary
from cloudmap.access.fixed_day import read_day
from cloudmap.analytics.cube import build_weekly, total_by_place
from cloudmap.analytics.hotspots import hotspot_table
from cloudmap.analytics.panel import Ground, Panel, ReportingWeeks, reporting_weeks
from cloudmap.analytics.periods import Period, parse_period
from cloudmap.analytics.result import Result
from cloudmap.city import City
from cloudmap.errors import AnalysisError
from cloudmap.ingest.taxonomy import Taxonomy, read_taxonomy
from cloudmap.matters import with_matters
from cloudmap.schema import cell_column, unit_column
from cloudmap.store import open_store

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from scipy.sparse import csr_matrix

    from cloudmap.geo.units import Units


_KEPT_PARTS = ("cover_", "units", "exposure_", "regimes", "masked")
"""Parts of the analysis that facts carry: shapes, exposures, and what is known of the weeks."""


@dataclass(frozen=True)
class Facts:
    """Reports of a span of local days, one row per report, with the ledger of the loads they came by.

    Attributes
    ----------
    frame : polars.DataFrame
        Columns of table `reports` (GLOSSARY.md) without free text.
    ledger : list of dict
        One entry a loaded file, as `cloudmap ledger --json`.
    restricted_n : int
        Reports of restricted categories that were left out (load_facts(..., restricted=True) keeps them).
    """

    city: City
    taxonomy: Taxonomy
    frame: pl.DataFrame
    ledger: list[dict[str, Any]]
    restricted_n: int
    places: dict[str, pl.DataFrame]
    known: ReportingWeeks = field(default_factory=ReportingWeeks)

    def summary(self) -> str:
        """Tell how many reports there are and where every input record went."""
        lines = [
            f"{self.city.city.name_zh} {self.city.city.name_en}: {self.frame.height:,} reports, {self.restricted_n:,} restricted left out"
        ]
        for entry in self.ledger:
            classes = ", ".join(f"{name} {count:,}" for name, count in entry["classes"].items() if count)
            lines.append(f"  load {entry['load_seq']} {entry['file']}: {entry['lines']:,} records = {classes}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.summary()

    def to_geopandas(self) -> GeoDataFrame:
        """Return the facts as points in EPSG:4326; reports without a place have no geometry."""
        import geopandas as gpd

        plain = self.frame.to_pandas()
        points = gpd.points_from_xy(plain["lon_deg"], plain["lat_deg"], crs="EPSG:4326")
        return gpd.GeoDataFrame(plain, geometry=gpd.GeoSeries(points).where(plain["lon_deg"].notna()), crs="EPSG:4326")


@dataclass(frozen=True)
class Cube:
    """Weekly counts of every place of one layer.

    Attributes
    ----------
    table : polars.DataFrame
        Columns of table `cube` (GLOSSARY.md).
    shapes : GeoDataFrame
        place and geometry (EPSG:4326) of every place, also those without a report, sorted by place.
    kind : {"cell", "unit"}
    """

    city: City
    taxonomy: Taxonomy
    table: pl.DataFrame
    shapes: GeoDataFrame
    kind: Literal["cell", "unit"]
    layer: str
    exposure: pl.DataFrame | None = None
    known: ReportingWeeks = field(default_factory=ReportingWeeks)

    @cached_property
    def ground(self) -> Ground:
        """Places with neighbours, areas and exposure, as statistics need them."""
        kind = self.city.exposure.kind if self.exposure is not None else "none"
        return Ground(self.layer, self.shapes, neighbours(self), self.exposure, kind, self.city.city.metric_crs)

    def panel(
        self, category: str = "ALL", *, until: str | Period | None = None, weights: csr_matrix | None = None, scored: bool = True
    ) -> Panel:
        """Lay the counts out by place and week: what the statistics of `cloudmap.analytics` take.

        Parameters
        ----------
        category : str, default "ALL"
            ALL, a group or a category.
        until : str or Period, optional
            The panel ends with the last week of this period; with the cube's last complete week where not given.
        weights : scipy CSR of shape (n, n), optional
            Neighbours; rings of one, or units that touch, where not given.
        scored : bool, default True
            Leave out categories that are counted but never scored.

        Raises
        ------
        AnalysisError
            No report in the cube, or an unknown category.
        """
        codes = [code for code in self._codes(category) if not scored or code in self.taxonomy.scored]
        if not codes:
            raise AnalysisError(f"category {category} is counted, never scored (taxonomy column score = 0)")
        first, last = self.table["week_on"].min(), self.table["week_on"].max()
        if not (isinstance(first, date) and isinstance(last, date)):
            raise AnalysisError("the cube holds no report; load facts of another span")
        last = min(last, self.known.last_week_on or last)
        period = parse_period(until) if isinstance(until, str) else until
        last = last if period is None else period.last_week_on
        ground = self.ground if weights is None else replace(self.ground, weights=weights)
        return self.known.panel(self.table, ground, category=category, codes=codes, weeks=(first, last))

    @cached_property
    def places(self) -> list[str]:
        """Ids of the places, in the order that weights and results use."""
        return [str(place) for place in self.shapes["place"]]

    def counts(self, period: str | Period, category: str = "ALL", *, scored: bool = False) -> pl.DataFrame:
        """Count matters per place: place, n; a place without any counts 0."""
        chosen = parse_period(period) if isinstance(period, str) else period
        codes = self._codes(category)
        if scored:
            codes = [code for code in codes if code in self.taxonomy.scored]
        counted = total_by_place(self.table, period=chosen, categories=codes).select("place", n="matters_n")
        return pl.DataFrame({"place": self.places}).join(counted, on="place", how="left").with_columns(pl.col("n").fill_null(0))

    def _codes(self, category: str) -> list[str]:
        if category == "ALL":
            return list(self.taxonomy.codes)
        if category in self.taxonomy.groups:
            return list(self.taxonomy.groups[category])
        if category in self.taxonomy.codes:
            return [category]
        raise AnalysisError(f"category {category!r} is unknown; use ALL, a group ({', '.join(self.taxonomy.groups)}) or a code")


def load_facts(city: City, start: str | date, end: str | date, *, restricted: bool = False, as_of: int | None = None) -> Facts:
    """Read reports that happened from the first to the last day named, inclusive, in the city's zone.

    Parameters
    ----------
    city : City
        From `open_city`; it must have been loaded and analysed.
    start, end : str or date
        A day ("2018-03-05"), month ("2018-03") or year ("2018"); an end month is meant to its last day.
    restricted : bool, default False
        Keep reports of restricted categories (their points need the grant).
    as_of : int, optional
        The facts as they stood after this load.

    Returns
    -------
    Facts

    Raises
    ------
    AnalysisError
        The span is empty or not a date.
    StoreError
        The city has no store yet.
    """
    taxonomy, store = read_taxonomy(city), open_store(city)
    first, last = _day(start, end=False), _day(end, end=True)
    if last < first:
        raise AnalysisError(f"load_facts: {end} is before {start}")
    where = [("occurred_at", ">=", city.midnight(first)), ("occurred_at", "<", city.midnight(last + timedelta(days=1)))]
    rows = store.read("reports", None, where=where, as_of=as_of)  # type: ignore[arg-type]
    audience = Audience(restricted=restricted)
    kept = rows.filter(pl.col("category_code").is_in(list(ordinary(taxonomy.codes, taxonomy.restricted, audience))))
    analysis = store.result("analysis")
    parts = analysis.provenance["parts"] if analysis else {}
    places = {name: stored.frame for name, key in parts.items() if (stored := store.result(name, key)) and name.startswith(_KEPT_PARTS)}
    ledger = [{"load_seq": one.load_seq, **one.ledger} for one in store.loads() if not one.undone]
    shared = store.result("matters", parts["matters"]) if "matters" in parts else None
    if shared is not None:
        kept = with_matters(kept, shared.frame)
    shown = disclose_reports(kept, audience, taxonomy.restricted)
    known = reporting_weeks(places, analysis.frame["last_week_on"][0] if analysis else None)
    return Facts(city, taxonomy, shown, ledger, rows.height - kept.height, places, known)


def build_cube(
    facts: Facts,
    *,
    place: Literal["cell", "unit"] = "cell",
    resolution: int | None = None,
    level: str | None = None,
    on: str | date | None = None,
) -> Cube:
    """Count facts by place, ISO week and category.

    Parameters
    ----------
    facts : Facts
    place : {"cell", "unit"}, default "cell"
        H3 cells (located reports only), or administrative units (with reports that name a unit but have no point).
    resolution : int, optional
        H3 resolution; the city's default resolution where not given.
    level : str, optional
        Level of the units; the finest of the base map where not given.
    on : str or date, optional
        Count by the units that stand on this day ("2018-08-01"), whatever the day of a report, so that two periods compare; by the
        units of each report's own day where not given. Cells are never redrawn: for them it changes nothing.

    Raises
    ------
    AnalysisError
        No such resolution or level, `on` is no day, or the city is not analysed yet.
    """
    from cloudmap.geo.cells import to_hex
    from cloudmap.geo.on_day import locate_on
    from cloudmap.geo.shapes import from_frame

    city = facts.city
    if place == "cell":
        chosen = resolution or city.city.default_resolution
        column, part = cell_column(chosen).name, f"cover_{chosen}"
        rows = facts.frame.filter(pl.col("ledger_class") == "located")
    else:
        chosen_level = level or city.levels[-1]
        column, part = unit_column(chosen_level).name, "units"
        rows = facts.frame
    if column not in rows.columns or part not in facts.places:
        raise AnalysisError(
            f"build_cube: no {column} in the facts; the city has {city.city.resolutions} and {city.levels} (run analyse first)"
        )
    base_map, day = None, None if on is None else read_day(on)
    if place == "unit" and day is not None:
        base_map = _base_map(facts)
        rows = locate_on(rows, base_map, day, timezone=city.city.timezone, levels=[chosen_level]).frame
    weights = {code: facts.taxonomy.severity_weight(code) for code in facts.taxonomy.codes}
    table = build_weekly(rows, column, zone=city.zone, weights=weights)
    if place == "cell":
        table = table.with_columns(to_hex(table["place"]).alias("place"))
        shapes = from_frame(facts.places[part].sort("place"))
    elif base_map is not None and day is not None:
        shapes = base_map.standing(chosen_level, base_map.geography(chosen_level, day)).rename(columns={"code": "place"})
    else:
        units = facts.places[part].filter((pl.col("level") == chosen_level) & (pl.col("kind") == "partition"))
        shapes = from_frame(units.unique("code", keep="last").rename({"code": "place"}).sort("place"))
    exposure = None if day is not None else facts.places.get(f"exposure_{column}")
    return Cube(city, facts.taxonomy, table, shapes, place, column.removesuffix("_code"), exposure, facts.known)


def neighbours(cube: Cube, *, k: int = 1) -> csr_matrix:
    """Link each place of a cube to its neighbours.

    Parameters
    ----------
    cube : Cube
    k : int, default 1
        Rings of H3 cells; one is about 314 m between centres at resolution 9. Units are linked where they touch, whatever k.

    Returns
    -------
    scipy CSR of shape (n, n)
        Binary, zero diagonal, in the order of `cube.places`.
    """
    from cloudmap.geo.weights import contiguity
    from cloudmap.geo.weights import neighbours as rings

    return rings(cube.places, k=k) if cube.kind == "cell" else contiguity(cube.shapes)


def local_g(cube: Cube, weights: csr_matrix, *, period: str, category: str = "ALL", threshold: float = 0.05) -> Result:
    """Test every place of one map for a hotspot: exact Gi*, one-sided, Benjamini-Hochberg over the places.

    Parameters
    ----------
    cube : Cube
    weights : scipy CSR
        From `neighbours(cube)`.
    period : str
        "2018-W30", or "2018-W27--2018-W30".
    category : str, default "ALL"
        ALL, a group or a category; categories that are counted but never scored are left out.
    threshold : float, default 0.05
        False discovery rate.

    Returns
    -------
    Result
        place, n, neighbourhood_n, z, p, q, class.

    Raises
    ------
    AnalysisError
        No report in the period, or an unknown period or category.
    """
    counts = cube.counts(period, category, scored=True)
    table = hotspot_table(counts["place"].to_list(), counts["n"].to_numpy(), weights, threshold=threshold)
    parameters = {"layer": cube.layer, "category": category, "period": period, "measure": "hotspot", "threshold": threshold}
    caveats = ("reported_not_people", "where_reports_are", "family_one_map")
    return Result(
        "exact Gi*, one-sided, Benjamini-Hochberg", parameters, table, f"{table.height} places tested together (one map)", caveats
    )


def _base_map(facts: Facts) -> Units:
    from cloudmap.geo.shapes import units_from_frame

    return units_from_frame(facts.places["units"], "", facts.places.get("units_renumbered"))


def _day(text: str | date, *, end: bool) -> date:
    if isinstance(text, date):
        return text
    try:
        numbers = [int(part) for part in text.split("-")]
        year, month = numbers[0], numbers[1] if len(numbers) > 1 else (12 if end else 1)
        last = calendar.monthrange(year, month)[1] if end else 1
        return date(year, month, numbers[2] if len(numbers) > 2 else last)
    except (ValueError, IndexError) as error:
        raise AnalysisError(f"{text!r} is not a day, month or year such as 2018-03-05, 2018-03 or 2018") from error
