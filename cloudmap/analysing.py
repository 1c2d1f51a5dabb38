"""Facts become stored cubes, covers and exposures: what every output reads.

Each piece is kept under a key made of its inputs, so a rerun redoes only what changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl

from cloudmap.access.statistics import BANDS_M
from cloudmap.analytics.cube import build_weekly, week_of
from cloudmap.analytics.effort import completeness, weekly_effort, weekly_places
from cloudmap.analytics.exposure import spread_population
from cloudmap.analytics.handling import Limits, cases
from cloudmap.analytics.layering import Layering
from cloudmap.analytics.periods import last_complete_week
from cloudmap.analytics.regimes import reporting_regimes
from cloudmap.analytics.workdays import Calendar
from cloudmap.city import City, LandmarkLayer, Milestone, WaterLayer
from cloudmap.errors import AnalysisError
from cloudmap.geo.locator import Locator
from cloudmap.geo.reaches import flow_table
from cloudmap.geo.shapes import from_frame, to_frame
from cloudmap.geo.tiles import TILED_ABOVE, write_tiles, zoom_of_cells
from cloudmap.geo.water import read_landmarks
from cloudmap.ingest.handling_events import events_key, read_events
from cloudmap.ingest.handling_targets import read_targets
from cloudmap.ingest.opening import file_sha256
from cloudmap.matters import COLUMNS, Matters, join_reports
from cloudmap.schema import MATTERS, UTC, cell_column, unit_column
from cloudmap.version import VERSION

if TYPE_CHECKING:
    import geopandas as gpd

    from cloudmap.geo.units import Units
    from cloudmap.ingest.taxonomy import Taxonomy
    from cloudmap.store.contract import Store

Progress = Callable[[str], None]

LAYOUT = 8
"""Raised whenever a part gets other columns or other numbers from the same inputs, so that an upgrade makes it anew."""

NAMING_LEVELS = ("street", "community", "village")
"""Levels whose units lend a cell its name; finer ones are smaller than a cell."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What an analysis stands on, and the keys under which its parts rest in the store.

    ``on`` is the local day whose units the cubes ``cube_unit_<level>_code_on`` count by, None where the base map never changed;
    ``base_map_changed`` lists the loads whose places were found with another version of the base map than this one.
    """

    key: str
    load_seq: int
    now: datetime
    base_map_version: str
    exposure_kind: str
    parts: dict[str, str]
    redone: tuple[str, ...]
    on: date | None = None
    base_map_changed: tuple[int, ...] = ()

    def provenance(self) -> dict[str, Any]:
        """Return what the store keeps beside the results, as plain JSON types."""
        return {
            "key": self.key,
            "load_seq": self.load_seq,
            "now": self.now.isoformat(),
            "base_map_version": self.base_map_version,
            "exposure_kind": self.exposure_kind,
            "on": None if self.on is None else self.on.isoformat(),
            "base_map_changed": list(self.base_map_changed),
            "version": VERSION,
            "parts": self.parts,
        }


def analyse_facts(
    city: City,
    store: Store,
    units: Units,
    taxonomy: Taxonomy,
    *,
    as_of: int | None = None,
    now: datetime | None = None,
    progress: Progress = lambda _: None,
) -> Analysis:
    """Build or reuse cubes, covers, exposures and base-map frames, and record them as the newest analysis.

    Parameters
    ----------
    city, store, units, taxonomy
        The city, its open store, its base map and its categories.
    as_of : int, optional
        Use the facts as they stood after this load; the newest by default.
    now : datetime, optional
        The instant that counts as now; the newest `reported_at` by default, never the wall clock.
    progress : callable
        Told the name of each piece as it begins.

    Raises
    ------
    AnalysisError
        The store holds no report yet, or `as_of` names no load.
    """
    loads = [one for one in store.loads() if not one.undone and (as_of is None or one.load_seq <= as_of)]
    if not loads:
        raise AnalysisError(f"{city.folder}: nothing to analyse, no load up to {as_of or 'now'}; run `cloudmap load` first")
    maker = _Maker(store, progress)
    state = _digest(
        [one.load_seq for one in loads], store.state(), as_of, [(code, taxonomy.severity_weight(code)) for code in taxonomy.codes]
    )
    places = _place_columns(city)
    facts = _Facts(store, [one.load_seq for one in loads], tuple(places), city.zone, as_of)
    joined = cache(lambda: _join(facts, city.city.metric_crs))
    matters_key = _digest(state, city.city.metric_crs)
    maker.make("matters", matters_key, lambda: joined().shared)
    maker.make("matter_links", matters_key, lambda: joined().links)
    facts.shared = maker.frame("matters")

    maker.make("units", _digest(units.version), lambda: to_frame(_all_units(units)))
    maker.make("water", _digest(_layers_stamp(city, city.water)), lambda: to_frame(_water(city)))
    cube_key = _digest(matters_key, units.version, city.city.timezone, city.city.resolutions)
    for column in places:
        maker.make(f"cube_{column}", cube_key, lambda column=column: facts.weekly(column, taxonomy))  # type: ignore[misc]
    maker.make("cube_class", cube_key, lambda: facts.weekly("ledger_class", taxonomy))
    for resolution in city.city.resolutions:
        cube = maker.frame(f"cube_cell_{resolution}")
        maker.make(f"cover_{resolution}", cube_key, lambda r=resolution, c=cube: _cover(units, r, c))  # type: ignore[misc]
        if maker.frame(f"cover_{resolution}").height > TILED_ABOVE:
            maker.make(f"tiles_{resolution}", cube_key, lambda r=resolution: _tiles(maker.frame(f"cover_{r}")))  # type: ignore[misc]
    if city.exposure.kind != "none":
        exposure_key = _digest(cube_key, city.exposure.model_dump(mode="json"))
        for layer in places:
            maker.make(f"exposure_{layer}", exposure_key, lambda layer=layer: _exposure(city, units, maker, layer))  # type: ignore[misc]

    newest = now or facts.newest()
    _make_reporting(city, facts, taxonomy, maker, state, newest)
    _make_cases(city, facts, maker, state, newest)
    changed = tuple(one.load_seq for one in loads if one.base_map_version not in ("", units.version))
    on = _make_beside(city, units, facts, taxonomy, maker, cube_key, units.levels if changed else units.dated_levels, newest)
    analysis = Analysis(
        key=_digest(maker.parts, newest.isoformat(), VERSION),
        load_seq=max(one.load_seq for one in loads),
        now=newest,
        base_map_version=units.version,
        exposure_kind=city.exposure.kind,
        parts=maker.parts,
        redone=tuple(maker.redone),
        on=on,
        base_map_changed=changed,
    )
    calendar = pl.DataFrame({"now": [newest], "last_week_on": [last_complete_week(newest, city.zone)]}, schema_overrides={"now": UTC})
    store.save_result("analysis", analysis.key, calendar, analysis.provenance())
    return analysis


def _make_beside(
    city: City, units: Units, facts: _Facts, taxonomy: Taxonomy, maker: _Maker, key: str, redrawn: tuple[str, ...], newest: datetime
) -> date | None:
    """Make the counts beside the partitions: overlays, water, landmarks; and the redrawn levels on one day, which is returned."""
    weights = {code: taxonomy.severity_weight(code) for code in taxonomy.codes}
    layering = Layering(city, units, facts.read, facts.load_seqs, facts.told_again, weights)
    maker.make("units_renumbered", _digest(units.version), lambda: units.renumbered)
    maker.make("landmarks", _digest(_layers_stamp(city, city.landmarks)), lambda: to_frame(read_landmarks(city)))
    for level in dict.fromkeys(units.overlays["level"]):
        maker.make(f"cube_overlay_{level}_code", key, lambda level=level: layering.overlays(level))  # type: ignore[misc]
    if city.water:
        water, water_key = from_frame(maker.frame("water")), _digest(key, maker.parts["water"])
        maker.make("reaches", _digest(maker.parts["water"]), lambda: flow_table(water))
        maker.make("near_water", water_key, lambda: layering.near_water(water))
        bands_key = _digest(maker.parts["water"], units.version, BANDS_M)
        maker.make("water_bands", bands_key, lambda: _bands(water, units, city.city.metric_crs))
        maker.make("cube_reach", water_key, lambda: layering.reaches(maker.frame("near_water")))
    if not redrawn:
        return None
    on = units.newest_on or newest.astimezone(city.zone).date()
    locator = cache(lambda: Locator(units, cache=city.folder / ".cache"))
    on_key = _digest(key, [units.geography(level, on) for level in redrawn])
    for level in redrawn:
        part = f"cube_{unit_column(level).name}_on"
        maker.make(part, on_key, lambda level=level: layering.on_day(level, on, redrawn, locator()))  # type: ignore[misc]
    return on


def _make_reporting(city: City, facts: _Facts, taxonomy: Taxonomy, maker: _Maker, state: str, newest: datetime) -> None:
    """Tell who reports and how late, and where regimes of reporting begin: what every comparison must ask first."""
    key = _digest(state, city.city.timezone, newest.isoformat(), sorted(taxonomy.restricted))
    who = cache(lambda: facts.who(sorted(taxonomy.restricted)))
    lag = cache(lambda: completeness(who(), zone=city.zone, now=newest))
    last_week_on = last_complete_week(newest, city.zone)
    place = cell_column(city.city.default_resolution).name
    maker.make("effort", key, lambda: weekly_effort(who(), zone=city.zone, last_week_on=last_week_on, place=place))
    maker.make("completeness", key, lambda: lag().table)
    maker.make("masked", key, lambda: lag().masked)
    declared = [(one.date, one.name) for one in city.milestones if one.kind == "reporting_regime"]

    def regimes() -> pl.DataFrame:
        by_place = weekly_places(who(), place, zone=city.zone, last_week_on=last_week_on)
        return reporting_regimes(maker.frame("effort"), milestones=declared, by_place=by_place)

    maker.make("regimes", _digest(key, declared), regimes)


def _make_cases(city: City, facts: _Facts, maker: _Maker, state: str, newest: datetime) -> None:
    """Tell where every case stands, from event files and from the reports' own columns; and read the campaigns' lists."""
    log = cache(lambda: read_events(city))
    events_at = events_key(city)
    maker.make("handling_events", events_at, lambda: log().events)
    maker.make("handling_quarantine", events_at, lambda: log().quarantine)
    maker.make("handling_ledger", events_at, lambda: _ledger_frame(log().ledger))
    settings = [city.calendar.model_dump(mode="json"), city.taxonomy.limits, city.city.timezone]
    key = _digest(state, maker.parts["matters"], events_at, settings, newest.isoformat())
    maker.make("cases", key, lambda: cases(facts.cases(), maker.frame("handling_events"), Calendar.of(city), Limits.of(city), newest))
    campaigns = [one for one in city.milestones if one.kind == "campaign" and one.path]
    stamp = [[one.model_dump(mode="json"), file_sha256(city.path(one.path))] for one in campaigns if one.path]
    maker.make("targets", _digest(stamp), lambda: _targets(city, campaigns))


def _targets(city: City, campaigns: Sequence[Milestone]) -> pl.DataFrame:
    """Targets of all campaigns: name, begun_on, target_id, done_on."""
    empty = pl.DataFrame(schema={"target_id": pl.String, "done_on": pl.Date, "name": pl.String, "begun_on": pl.Date})
    lists = [read_targets(city, one).with_columns(name=pl.lit(one.name), begun_on=pl.lit(one.date)) for one in campaigns]
    return pl.concat([empty, *lists], how="diagonal_relaxed").select(empty.columns)


def _ledger_frame(entries: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Ledger entries of event files as text, since their classes differ: source, file, entry (JSON)."""
    rows = [(str(one["source"]), str(one["file"]), json.dumps(one, ensure_ascii=False)) for one in entries]
    return pl.DataFrame(rows, schema={"source": pl.String, "file": pl.String, "entry": pl.String}, orient="row")


class _Maker:
    """Makes a piece only when the store does not have it under the same key."""

    def __init__(self, store: Store, progress: Progress) -> None:
        self.store, self.progress = store, progress
        self.parts: dict[str, str] = {}
        self.redone: list[str] = []

    def make(self, name: str, key: str, work: Callable[[], pl.DataFrame]) -> None:
        self.parts[name] = key
        if self.store.result(name, key) is None:
            self.progress(name)
            self.store.save_result(name, key, work(), {"key": key, "version": VERSION})
            self.redone.append(name)

    def frame(self, name: str) -> pl.DataFrame:
        stored = self.store.result(name, self.parts[name])
        if stored is None:
            raise AnalysisError(f"result {name} vanished from the store while it was being analysed; run `cloudmap analyse` again")
        return stored.frame


class _Facts:
    """Compact facts for counting, read load by load so that memory stays bounded."""

    def __init__(self, store: Store, load_seqs: list[int], places: tuple[str, ...], zone: ZoneInfo, as_of: int | None) -> None:
        self.store, self.load_seqs, self.places, self.zone, self.as_of = store, load_seqs, places, zone, as_of
        self.shared = MATTERS.empty()
        self._frame: pl.DataFrame | None = None

    def read(self, load_seq: int, columns: list[str]) -> pl.DataFrame:
        """Read some columns of one load, as far as newer loads have not replaced its reports."""
        return self.store.read("reports", columns, where=[("load_seq", "==", load_seq)], as_of=self.as_of)

    def joinable(self) -> pl.DataFrame:
        """Read what joining reports to matters needs."""
        return pl.concat([self.read(seq, list(COLUMNS)).select(COLUMNS) for seq in self.load_seqs])

    def texts(self, report_ids: pl.Series) -> pl.Series:
        """Read the scrubbed texts of some reports, in their order."""
        wanted = report_ids.alias("report_id").to_frame()
        parts = [
            self.read(seq, ["report_id", "text"]).select("report_id", "text").join(wanted, on="report_id", how="semi")
            for seq in self.load_seqs
        ]
        return wanted.join(pl.concat(parts), on="report_id", how="left", maintain_order="left")["text"]

    def who(self, restricted: Sequence[str]) -> pl.DataFrame:
        """Read who reported when: source, times, reporter (a number in place of its hash), and the cells that it tells of.

        Reports of restricted categories are left out: with them the difference to other totals would tell their number.
        """
        cells = [name for name in self.places if name.startswith("cell_")]
        read = ["category_code", "source_id", "occurred_at", "reported_at", "reporter_hash", "reporter_kind", *cells]
        reporter = pl.when(pl.col("reporter_hash").is_not_null()).then(pl.col("reporter_hash").hash()).alias("reporter")
        told = ("source_id", "occurred_at", "reported_at", "reporter_kind", *cells)
        ordinary = ~pl.col("category_code").is_in(list(restricted))
        return pl.concat([self.read(seq, read).filter(ordinary).select(*told, reporter) for seq in self.load_seqs])

    def cases(self) -> pl.DataFrame:
        """Read what handling is told from, one report a matter: its first. Only a point of its own puts a case into a cell."""
        read = ["report_id", "source_id", "category_code", "occurred_at", "reported_at", "closed_at", "due_at", "state", "tier",
                "ledger_class", "reporter_hash", "reporter_kind", *self.places]  # fmt: skip
        told_again = self.told_again.implode()
        parts = [self.read(seq, read).select(read).filter(~pl.col("report_id").is_in(told_again)) for seq in self.load_seqs]
        cells = [name for name in self.places if name.startswith("cell_")]
        return pl.concat(parts).with_columns(
            *(pl.when(pl.col("ledger_class") == "located").then(pl.col(name)).alias(name) for name in cells),
            pl.when(pl.col("reporter_hash").is_not_null()).then(pl.col("reporter_hash").hash()).alias("reporter_hash"),
        )

    @property
    def told_again(self) -> pl.Series:
        """Reports of matters that an earlier report counts for."""
        return self.shared.filter(pl.col("report_id") != pl.col("matter_id"))["report_id"]

    @property
    def frame(self) -> pl.DataFrame:
        if self._frame is None:
            self._frame = pl.concat([self._compact(seq) for seq in self.load_seqs], how="vertical")
        return self._frame

    def _compact(self, load_seq: int) -> pl.DataFrame:
        part = self.read(load_seq, ["report_id", "category_code", "occurred_at", "reported_at", "ledger_class", *self.places])
        told_again = self.told_again
        text = [name for name in ("category_code", "ledger_class", *self.places) if part.schema[name] == pl.String]
        return part.select(
            (~pl.col("report_id").is_in(told_again.implode())).alias("first"),
            week_of(pl.col("occurred_at"), self.zone).alias("week_on"),
            "reported_at",
            *(pl.col(name).cast(pl.Categorical) for name in text),
            *(name for name in self.places if name not in text),
        )

    def newest(self) -> datetime:
        newest = self.frame["reported_at"].max()
        if not isinstance(newest, datetime):
            raise AnalysisError("the store holds no report with a time; see `cloudmap ledger`")
        return newest

    def weekly(self, column: str, taxonomy: Taxonomy) -> pl.DataFrame:
        weights = {code: taxonomy.severity_weight(code) for code in taxonomy.codes}
        if not column.startswith("cell_"):
            return build_weekly(self.frame, column, zone=self.zone, weights=weights)
        from cloudmap.geo.cells import to_hex

        located = self.frame.filter(pl.col("ledger_class") == "located")
        cube = build_weekly(located, column, zone=self.zone, weights=weights)
        return cube.with_columns(to_hex(cube["place"]).alias("place"))


def _join(facts: _Facts, metric_crs: str) -> Matters:
    return join_reports(facts.joinable(), metric_crs=metric_crs, texts=facts.texts)


def _place_columns(city: City) -> list[str]:
    return [unit_column(level).name for level in city.levels] + [cell_column(r).name for r in city.city.resolutions]


def _all_units(units: Units) -> gpd.GeoDataFrame:
    import geopandas as gpd
    import pandas as pd

    frame = pd.concat([frame.assign(level=level, kind=kind) for level, kind, frame in units], ignore_index=True)
    return gpd.GeoDataFrame(frame, geometry="geometry", crs="EPSG:4326")


def _water(city: City) -> gpd.GeoDataFrame:
    from cloudmap.geo.water import read_water

    return read_water(city)


def _layers_stamp(city: City, layers: Sequence[WaterLayer | LandmarkLayer]) -> list[object]:
    """Tell what decides how layers are read: their files and their settings."""
    return [[file_sha256(city.path(layer.path)), layer.model_dump(mode="json")] for layer in layers]


def _bands(water: gpd.GeoDataFrame, units: Units, metric_crs: str) -> pl.DataFrame:
    """Areas of the bands of distance to water."""
    from cloudmap.geo.bands import band_areas

    return band_areas(water, units.outline, BANDS_M, metric_crs)


def _cover(units: Units, resolution: int, cube: pl.DataFrame) -> pl.DataFrame:
    """Cells of the city with their real areas, each named after the units that its centre lies in."""
    from cloudmap.geo.cells import cover, from_hex

    extra = from_hex(cube["place"].unique(maintain_order=True)).to_list()
    cells = cover(units.outline, resolution, extra=extra)
    centres = cells.geometry.representative_point()
    names = [""] * len(cells)
    for level in units.levels:
        if level in NAMING_LEVELS:
            frame = units.frame(level)
            at, of = frame.sindex.query(centres, predicate="intersects")
            found = {int(cell): str(frame["name"].iloc[unit]) for cell, unit in zip(at[::-1], of[::-1], strict=True)}
            names = [f"{name} · {found[i]}" if name and i in found else name or found.get(i, "") for i, name in enumerate(names)]
    return to_frame(cells.assign(name=[name or place for name, place in zip(names, cells["place"], strict=True)]))


def _tiles(cover: pl.DataFrame) -> pl.DataFrame:
    """One row with the archive of a cover's tiles, cut for the first zoom at which its cells can be told apart."""
    shapes = from_frame(cover)
    return pl.DataFrame({"archive": [write_tiles(shapes, int(zoom_of_cells(shapes)))]}, schema={"archive": pl.Binary})


def _exposure(city: City, units: Units, maker: _Maker, layer: str) -> pl.DataFrame:
    """Exposure of every place of a layer: its people, or all that was ever reported there."""
    if city.exposure.kind == "reports":
        return (
            maker.frame(f"cube_{layer}").group_by("place").agg(pl.col("matters_n").sum().cast(pl.Float64).alias("exposure")).sort("place")
        )
    people = next((units.frame(level) for level in reversed(units.levels) if units.frame(level)["population_n"].notna().any()), None)
    if people is None:
        raise AnalysisError("[exposure] kind = 'population', but no unit layer has a population field; map it in [[units]] fields")
    if layer.startswith("cell_"):
        target = from_frame(maker.frame(f"cover_{layer.removeprefix('cell_')}"))
    else:
        target = units.frame(layer.removeprefix("unit_").removesuffix("_code")).rename(columns={"code": "place"})
        if target["population_n"].notna().all():
            counted = pl.DataFrame({"place": target["place"].to_list(), "exposure": target["population_n"].astype(float).to_list()})
            return counted.group_by("place").agg(pl.col("exposure").last()).sort("place")
    return spread_population(people, target[["place", "geometry"]], metric_crs=city.city.metric_crs)


def _digest(*inputs: object) -> str:
    return hashlib.sha256(json.dumps([LAYOUT, *inputs], default=str, sort_keys=True).encode()).hexdigest()[:16]
