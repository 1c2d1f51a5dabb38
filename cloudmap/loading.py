"""One file becomes one load: read, staged, judged as a whole, located, written, and accounted for line by line.

Some answers need the whole file (the datum, pile-ups, repeated ids), so clean rows are staged in a scratch folder first and settled after;
memory stays bounded by one batch whatever the file's size.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.city import City, Source
from cloudmap.errors import SourceError
from cloudmap.geo.boundaries import read_units
from cloudmap.geo.crs import NamedUnits, check_declared
from cloudmap.geo.locate import Locator, PileUps, locate
from cloudmap.geo.units import Units
from cloudmap.ingest.ledger import Ledger
from cloudmap.ingest.opening import file_sha256
from cloudmap.ingest.reports import read_reports
from cloudmap.ingest.taxonomy import Taxonomy
from cloudmap.ingest.versions import Versions
from cloudmap.schema import QUARANTINE, flag_counts
from cloudmap.store.contract import LoadKey

if TYPE_CHECKING:
    from cloudmap.store.contract import Draft, Store

Progress = Callable[[str, int], None]
"""Told a step ("read", "place") and the records done so far."""

SAMPLE_N: Final = 60_000
"""Points that the datum is judged on, spread evenly over the batches."""

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


def load_file(
    city: City,
    store: Store | None,
    source: Source,
    path: Path,
    base_map: BaseMap,
    taxonomy: Taxonomy,
    *,
    dry: bool = False,
    progress: Progress = lambda _step, _done: None,
) -> Outcome:
    """Load one file of one source.

    Parameters
    ----------
    city, store, source, path, base_map, taxonomy
        What to load, into what, and what it is read with.
    dry : bool, default False
        Judge everything, write nothing; implied where there is no store.
    progress : callable
        Told the step and the records done so far.

    Returns
    -------
    Outcome

    Raises
    ------
    SourceError, SchemaError, CoordinateError
        The file cannot be used; the store is unchanged.
    LedgerError
        Records do not add up; the store is unchanged.
    StoreError
        The store cannot be written.
    """
    clock = _Clock()
    with clock("hash"):
        key = LoadKey(file_sha256(path), source.id, mapping_version(city, source, base_map.units))
    known = store.find(key) if store and not dry else None
    if known is not None:
        return Outcome(source.id, path, "already loaded", known.ledger, known.load_seq, None, ())
    with tempfile.TemporaryDirectory(prefix="cloudmap-") as scratch:
        staged = _Staged(Path(scratch))
        with clock("read"):
            reader = read_reports(city, source, path, taxonomy, extent=base_map.units.outline.bounds)
            staged.take(reader.batches(), progress)
        with clock("judge"):
            judged = _judge(source, staged, base_map, store)
        evidence = (*reader.evidence, *judged.evidence)
        ledger = Ledger(source.id, path.name)
        if store is None or dry:
            with clock("place"):
                _settle(city, store, staged, base_map, judged, ledger, None, progress)
            return Outcome(source.id, path, "checked", ledger.as_dict(), None, judged.crs, evidence, clock.seconds)
        with store.draft(key, file=path.name, base_map_version=base_map.units.version) as draft:
            with clock("place"):
                _settle(city, store, staged, base_map, judged, ledger, draft, progress)
            with clock("commit"):
                draft.remember(f"pile_ups_{source.id}", judged.pile_ups)
                record = draft.commit(ledger.as_dict())
            status: Literal["loaded", "already loaded"] = "already loaded" if draft.already else "loaded"
    return Outcome(source.id, path, status, record.ledger, record.load_seq, judged.crs, evidence, clock.seconds)


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


class _Staged:
    """Clean rows of one file in scratch files, and what had to be learnt from all of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[Path] = []
        self.rejected: list[Path] = []
        self.records_n = 0
        self.pile_ups = PileUps()
        self.versions = Versions()
        self._sample: list[pl.DataFrame] = []

    def take(self, batches: Iterator[object], progress: Progress) -> None:
        """Stage every batch of a file."""
        for number, batch in enumerate(batches):
            rows, rejected = batch.rows, batch.rejected  # type: ignore[attr-defined]
            self.records_n += batch.records_n  # type: ignore[attr-defined]
            self.pile_ups.add(rows["x"], rows["y"])
            self.versions.add(rows)
            self._sample.append(_thin(rows.select("x", "y", "unit_named").filter(pl.col("x").is_not_null())))
            if sum(part.height for part in self._sample) > 2 * SAMPLE_N:
                self._sample = [_thin(pl.concat(self._sample))]
            self.rows.append(self._keep(rows, f"rows-{number}"))
            if rejected.height:
                self.rejected.append(self._keep(rejected, f"rejected-{number}"))
            progress("read", self.records_n)

    def sample(self) -> pl.DataFrame:
        """Points to judge the datum on: x, y, unit_named."""
        return (
            _thin(pl.concat(self._sample))
            if self._sample
            else pl.DataFrame(schema={"x": pl.Float64, "y": pl.Float64, "unit_named": pl.String})
        )

    def _keep(self, frame: pl.DataFrame, name: str) -> Path:
        path = self.folder / f"{name}.arrow"
        try:
            frame.write_ipc(path, compression="lz4")
        except OSError as error:
            raise SourceError(f"{path.parent}: no room to stage the file ({error}); free space there or set TMPDIR") from error
        return path


def _thin(points: pl.DataFrame) -> pl.DataFrame:
    """Keep at most SAMPLE_N points, evenly spread."""
    return points if points.height <= SAMPLE_N else points.gather_every(-(-points.height // SAMPLE_N))


def _judge(source: Source, staged: _Staged, base_map: BaseMap, store: Store | None) -> _Judged:
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
    staged: _Staged,
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
