"""Facts of a span of days: what questions are asked of."""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from cloudmap.access.audience import Audience
from cloudmap.access.disclosure import disclose_reports, ordinary
from cloudmap.analytics.panel import ReportingWeeks, reporting_weeks
from cloudmap.city import City
from cloudmap.errors import AnalysisError
from cloudmap.ingest.taxonomy import Taxonomy, read_taxonomy
from cloudmap.matters import with_matters
from cloudmap.store import open_store

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

_KEPT_PARTS = ("cover_", "units", "exposure_", "cube_class", "regimes", "masked")
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
    days: tuple[date, date] = (date.min, date.max)

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

    Examples
    --------
    >>> facts = cm.load_facts(city, "2018-02", "2018-03")
    >>> facts.frame.height, facts.restricted_n
    (277, 85)
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
    return Facts(city, taxonomy, shown, ledger, rows.height - kept.height, places, known, (first, last))


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
