"""All that a lake holds, for backups and copies, and a lake made of what another store held."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import polars as pl
from filelock import FileLock
from sqlalchemy import Row, func, insert, select

from cloudmap.errors import StoreError
from cloudmap.store import catalog, points, results
from cloudmap.store.admission import unpack
from cloudmap.store.contract import VERSIONED, Contents, KeptTable, LoadRecord
from cloudmap.store.draft import LOADS, REPLACED
from cloudmap.store.files import StoredFile, check_file, sync_folder, write_bytes, write_frame

_TRIES: Final = 3


class LakeContents:
    """All that a lake held when this was opened; see `cloudmap.store.contract.Contents`.

    Parameters
    ----------
    folder : Path
        The lake's folder.
    loads, files, notes
        What one transaction of the catalog told.
    kept : sequence of (row, place in spool)
        Catalog rows of results whose files are in `spool`: a newer result removes the older one's file.
    """

    def __init__(
        self,
        folder: Path,
        loads: Sequence[LoadRecord],
        files: Mapping[tuple[int, str], Sequence[Row[Any]]],
        notes: Sequence[Row[Any]],
        kept: Sequence[tuple[Row[Any], int]],
        spool: IO[bytes],
    ) -> None:
        self.loads = loads
        self._folder = folder
        self._files = files
        self._notes = notes
        self._kept = kept
        self._spool = spool

    def rows(self, load_seq: int, table: str) -> Iterator[pl.DataFrame]:
        """Yield a load's rows of a table, a file at a time."""
        paths = [check_file(self._folder, catalog.stored_file(row)) for row in self._files.get((load_seq, table), ())]
        shape = pl.concat([pl.read_parquet(path, n_rows=0) for path in paths], how="diagonal") if paths else pl.DataFrame()
        for path in paths:
            yield pl.concat([shape, pl.read_parquet(path)], how="diagonal")

    def replaced(self, load_seq: int, table: str) -> pl.DataFrame:
        """Return the ids of a load's rows that earlier loads held too."""
        paths = [check_file(self._folder, catalog.stored_file(row)) for row in self._files.get((load_seq, f"{REPLACED}_{table}"), ())]
        empty = pl.DataFrame(schema={VERSIONED[table]: pl.String()})
        return pl.concat([empty, *(pl.read_parquet(path) for path in paths)]).sort(VERSIONED[table])

    def remembered(self) -> Iterator[KeptTable]:
        """Yield remembered tables, oldest first."""
        for row in self._notes:
            yield KeptTable(row.name, row.content, row.load_seq)

    def results(self) -> Iterator[KeptTable]:
        """Yield kept results, oldest first."""
        for row, at in self._kept:
            self._spool.seek(at)
            yield KeptTable(row.name, self._spool.read(row.bytes_n), None, row.key, row.provenance)


@contextmanager
def lake_contents(folder: Path, book: catalog.Catalog) -> Iterator[Contents]:
    """Open all that a lake holds, as one snapshot: committed files never change, results are set aside first.

    Raises
    ------
    StoreError
        A file is missing or damaged.
    """
    with tempfile.TemporaryFile(prefix="cloudmap-") as spool:
        for attempt in range(_TRIES):
            with book.reading() as transaction:
                loads = catalog.load_records(transaction)
                rows = transaction.execute(select(catalog.files).order_by(catalog.files.c.load_seq, catalog.files.c.path)).all()
                notes = transaction.execute(select(catalog.remembered).order_by(catalog.remembered.c.remembered_seq)).all()
                found = transaction.execute(select(catalog.results).order_by(catalog.results.c.result_seq)).all()
            try:
                kept = [(row, results.set_aside(folder, row, spool)) for row in found]
                break
            except FileNotFoundError as error:
                # A newer result may have replaced it between the look-up and the reading: look again.
                if attempt == _TRIES - 1:
                    raise StoreError(f"{error.filename}: a kept result is missing. Run `cloudmap analyse` again") from error
        files: dict[tuple[int, str], list[Row[Any]]] = {}
        for row in rows:
            files.setdefault((row.load_seq, row.table_name), []).append(row)
        yield LakeContents(folder, loads, files, notes, kept, spool)


def fill_lake(folder: Path, book: catalog.Catalog, contents: Contents) -> None:
    """Write all that another store held into an empty lake; one transaction of the catalog makes it visible.

    Raises
    ------
    StoreError
        The lake holds something already.
    """
    # With this lock held no sweep removes what the catalog does not name yet.
    with FileLock(folder / "drafts.lock"):
        with book.reading() as transaction:
            _must_be_empty(folder, transaction)
        rows: dict[Any, list[dict[str, Any]]] = {catalog.loads: [], catalog.files: []}
        for load in contents.loads:
            draft_id = uuid.uuid4().hex
            rows[catalog.loads].append(_load_row(load, draft_id))
            rows[catalog.files] += _write_load(folder, draft_id, load, contents)
        rows[catalog.remembered] = [{"name": one.name, "load_seq": one.load_seq, "content": one.content} for one in contents.remembered()]
        rows[catalog.results] = [_write_result(folder, one) for one in contents.results()]
        sync_folder(folder / LOADS)
        sync_folder(folder / results.RESULTS)
        with book.writing() as transaction:
            _must_be_empty(folder, transaction)
            for table, listed in rows.items():
                if listed:
                    transaction.execute(insert(table), listed)
            points.reach("in-restore")


def _write_load(folder: Path, draft_id: str, load: LoadRecord, contents: Contents) -> list[dict[str, Any]]:
    own = f"{LOADS}/{draft_id}"
    (folder / own).mkdir()
    rows: list[dict[str, Any]] = []

    def note(table: str, frame: pl.DataFrame, ids: pl.Series | None = None) -> None:
        stored = write_frame(folder, f"{own}/{table}-{len(rows):05d}.parquet", frame)
        first_id, last_id = (None, None) if ids is None else (ids.min(), ids.max())
        rows.append(_file_row(stored) | {"load_seq": load.load_seq, "table_name": table, "first_id": first_id, "last_id": last_id})

    for table in load.tables:
        for frame in contents.rows(load.load_seq, table):
            note(table, frame, frame[VERSIONED[table]] if table in VERSIONED else None)
        if table in VERSIONED:
            both = contents.replaced(load.load_seq, table)
            if both.height:
                note(f"{REPLACED}_{table}", both)
    sync_folder(folder / own)
    return rows


def _load_row(load: LoadRecord, draft_id: str) -> dict[str, Any]:
    return {
        "load_seq": load.load_seq,
        "draft_id": draft_id,
        "sha256": load.key.sha256,
        "source_id": load.key.source_id,
        "mapping_version": load.key.mapping_version,
        "file": load.file,
        "base_map_version": load.base_map_version,
        "loaded_at": load.loaded_at.isoformat(),
        "undone": load.undone,
        "undone_at": load.undone_at.isoformat() if load.undone_at else None,
        "ledger": load.ledger,
    }


def _write_result(folder: Path, one: KeptTable) -> dict[str, Any]:
    stored = write_bytes(folder, f"{results.RESULTS}/{uuid.uuid4().hex}.parquet", one.content, unpack(one.content).height)
    return _file_row(stored) | {"name": one.name, "key": one.key, "provenance": one.provenance}


def _file_row(stored: StoredFile) -> dict[str, Any]:
    return {"path": stored.path, "rows_n": stored.rows_n, "bytes_n": stored.bytes_n, "sha256": stored.sha256}


def _must_be_empty(folder: Path, transaction: Any) -> None:
    for table in (catalog.loads, catalog.results, catalog.remembered):
        if transaction.scalar(select(func.count()).select_from(table)):
            raise StoreError(f"{folder}: the store holds something already. Move it away first, or name another folder")
