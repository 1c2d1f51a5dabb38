"""One file becomes one load: read, staged, judged as a whole, located, written, and accounted for line by line.

Some answers need the whole file (the datum, pile-ups, repeated ids), so clean rows are staged first (`cloudmap.staging`) and settled after;
memory stays bounded by one batch whatever the file's size.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.city import City, Source
from cloudmap.geo.boundaries import read_units
from cloudmap.geo.crs import NamedUnits, check_declared
from cloudmap.geo.locate import Locator, locate
from cloudmap.geo.units import Units
from cloudmap.ingest.ledger import Ledger
from cloudmap.ingest.opening import file_sha256
from cloudmap.ingest.taxonomy import Taxonomy
from cloudmap.schema import QUARANTINE, flag_counts
from cloudmap.staging import Job, Progress, Staged, staged_files
from cloudmap.store.contract import LoadKey

if TYPE_CHECKING:
    from cloudmap.store.contract import Draft, LoadRecord, Store

_READING_KEYS: Final = {"name_zh", "name_en", "path"}
"""Settings of a source that do not change what a file's records become."""


@dataclass(frozen=True, slots=True)
class BaseMap:
    """What places are found with, opened once for all files."""

    units: Units
    locator: Locator


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the whole file told: its datum and its crowded points."""

    crs: str
    evidence: tuple[str, ...]
    pile_ups: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file.

    ``ledger`` is one entry of ``ledger --json``; ``evidence`` tells how encoding, times and datum were decided; ``seconds`` is wall
    time per step.
    """

    source_id: str
    file: Path
    status: Literal["loaded", "already loaded", "checked"]
    ledger: dict[str, object]
    load_seq: int | None
    crs: str | None
    evidence: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)


def open_base_map(city: City) -> BaseMap:
    """Read the city's units and prepare to find them by position.

    Raises
    ------
    BoundaryError
        The base map breaks a rule that locating needs.
    """
    units = read_units(city)
    return BaseMap(units, Locator(units, cache=city.folder / ".cache"))


def load_files(
    city: City,
    store: Store | None,
    jobs: Sequence[Job],
    base_map: BaseMap,
    taxonomy: Taxonomy,
    *,
    dry: bool = False,
    progress: Progress = lambda _step, _done: None,
) -> list[Outcome]:
    """Load files in order, each as one load.

    Parameters
    ----------
    city, store, base_map, taxonomy
        Into what, and what files are read with.
    jobs : sequence of (Source, Path)
        The files.
    dry : bool, default False
        Judge everything, write nothing; implied where there is no store.
    progress : callable
        Told the step and the records done so far.

    Returns
    -------
    list of Outcome
        One a file, in order.

    Raises
    ------
    SourceError, SchemaError, CoordinateError
        A file cannot be used; nothing of it is stored, files before it are.
    LedgerError
        Records of a file do not add up; likewise.
    StoreError
        The store cannot be written.
    """
    keys = [LoadKey(file_sha256(path), source.id, mapping_version(city, source, base_map.units)) for source, path in jobs]
    known = [store.find(key) if store and not dry else None for key in keys]
    new = [job for job, record in zip(jobs, known, strict=True) if record is None]
    outcomes = []
    with staged_files(city, new, taxonomy, base_map.units.outline.bounds, progress) as staging:
        ready = iter(staging)
        for job, key, record in zip(jobs, keys, known, strict=True):
            if record is None:
                staged = next(ready)
                outcomes.append(_load_staged(city, None if dry else store, job, key, staged, base_map, progress, known=store))
                staged.discard()
            else:
                outcomes.append(_already(job, record))
    return outcomes


def _already(job: Job, record: LoadRecord) -> Outcome:
    return Outcome(job[0].id, job[1], "already loaded", record.ledger, record.load_seq, None, ())


def _load_staged(
    city: City, store: Store | None, job: Job, key: LoadKey, staged: Staged, base_map: BaseMap, progress: Progress, *, known: Store | None
) -> Outcome:
    """Judge, place and commit one staged file; without a store to write to, only tell what would be."""
    source, path = job
    clock = _Clock()
    clock.seconds["read"] = staged.seconds
    with clock("judge"):
        judged = _judge(source, staged, base_map, known)
    evidence = (*staged.evidence, *judged.evidence)
    ledger = Ledger(source.id, path.name)
    if store is None:
        with clock("place"):
            _settle(city, known, staged, base_map, judged, ledger, None, progress)
        return Outcome(source.id, path, "checked", ledger.as_dict(), None, judged.crs, evidence, clock.seconds)
    with store.draft(key, file=path.name, base_map_version=base_map.units.version) as draft:
        with clock("place"):
            _settle(city, store, staged, base_map, judged, ledger, draft, progress)
        with clock("commit"):
            draft.remember(f"pile_ups_{source.id}", judged.pile_ups)
            record = draft.commit(ledger.as_dict())
        if draft.already:
            return _already(job, record)
    return Outcome(source.id, path, "loaded", record.ledger, record.load_seq, judged.crs, evidence, clock.seconds)


def mapping_version(city: City, source: Source, units: Units) -> str:
    """Digest everything beside the file itself that decides what its records become.

    Returns
    -------
    str
        16 hexadecimal digits over the source's settings, its category table, the city's zone and grids, and the base map's version.
    """
    table = file_sha256(city.path(source.categories)) if isinstance(source.categories, Path) else None
    taxonomy = file_sha256(city.path(city.taxonomy.path)) if city.taxonomy.path else None
    settings = source.model_dump(mode="json", exclude=_READING_KEYS)
    grids = [city.city.timezone, city.city.metric_crs, city.city.tolerance_m, city.city.resolutions]
    told = json.dumps([settings, table, taxonomy, grids, units.version], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _judge(source: Source, staged: Staged, base_map: BaseMap, store: Store | None) -> _Judged:
    """Decide what the file's coordinates are, or stop with the evidence; and which of its points are pile-ups."""
    sample = staged.sample()
    verdict = check_declared(
        sample["x"].to_numpy(),
        sample["y"].to_numpy(),
        declared=source.crs,
        outline=base_map.units.outline,
        confirmed=source.crs_confirmed,
        where=f"sources.{source.id}",
        named=_named_units(sample["unit_named"], base_map.locator),
    )
    known = store.recall(f"pile_ups_{source.id}") if store else None
    pile_ups = staged.pile_ups.decide(min_n=source.pile_up_min, share=source.pile_up_share, known=known)
    return _Judged(str(verdict.crs), tuple(verdict.evidence), pile_ups)


def _named_units(names: pl.Series, locator: Locator) -> NamedUnits | None:
    """Offer the units that reports name as evidence, at the finest level that any of them names."""
    if names.is_null().all():
        return None
    at, _ = locator.named.positions(names)
    level = next((one for one in reversed(locator.levels) if (at[one] >= 0).any()), locator.levels[0])
    codes = np.append(locator.unit_codes[level], "")

    def found(lon_deg: npt.NDArray[np.float64], lat_deg: npt.NDArray[np.float64]) -> npt.NDArray[np.object_]:
        return np.asarray(codes[locator.codes(level, lon_deg, lat_deg)], dtype=object)

    return NamedUnits(codes[at[level]], found)


def _settle(
    city: City,
    store: Store | None,
    staged: Staged,
    base_map: BaseMap,
    judged: _Judged,
    ledger: Ledger,
    draft: Draft | None,
    progress: Progress,
) -> None:
    """Place staged rows, write them (unless nothing shall be written), and account for every record."""
    ledger.add_records(staged.records_n)
    stored = _Stored(store, ledger.source_id)
    done = 0
    for part, fate in zip(staged.rows, staged.versions.classes(), strict=True):
        rows = pl.read_ipc(part)
        done += rows.height
        kept = rows.filter(fate == "keep")
        located = locate(kept, city=city, units=base_map.units, locator=base_map.locator, crs=judged.crs, pile_ups=judged.pile_ups)
        new = stored.drop_known(located)
        ledger.add_class("superseded", int((fate == "superseded").sum()))
        ledger.add_class("repeated", int((fate == "repeated").sum()) + located.height - new.height)
        for name, count in new["ledger_class"].value_counts().iter_rows():
            ledger.add_class(name, count)
        ledger.add_repairs(flag_counts(new["flags"]))
        if draft is not None:
            draft.write("reports", new)
        part.unlink()
        progress("place", done)
    for part in staged.rejected:
        rejected = pl.read_ipc(part)
        ledger.add_class("quarantined", rejected.height)
        if draft is not None:
            named = rejected.with_columns(pl.lit(ledger.source_id).alias("source_id"), pl.lit(ledger.file).alias("file"))
            draft.write("quarantine", QUARANTINE.conform(named))
    ledger.check()


class _Stored:
    """What the store already holds of one source, to tell a repeated report from a new version."""

    def __init__(self, store: Store | None, source_id: str) -> None:
        self._store = store
        self._ids: pl.Series | None = None
        if store and any(one.source_id == source_id and not one.undone for one in store.loads()):
            self._ids = store.read("reports", ["report_id"], [("source_id", "==", source_id)])["report_id"].hash()

    def drop_known(self, located: pl.DataFrame) -> pl.DataFrame:
        """Leave out reports whose newest version in the store says the same."""
        if self._store is None or self._ids is None:
            return located
        seen = located.filter(located["report_id"].hash().is_in(self._ids.implode()))
        if seen.is_empty():
            return located
        content = [name for name in located.columns if name not in ("line_no", "flags")]
        known = self._store.read("reports", content, [("report_id", "in", seen["report_id"].to_list())]).select(content)
        same = seen.select(content).join(known, on=content, how="semi", nulls_equal=True)
        return located.join(same, on="report_id", how="anti", maintain_order="left")


class _Clock:
    """Wall time per step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - begun
