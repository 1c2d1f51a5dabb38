"""A load of a lake while it is written: a folder of its own, locked as long as its writer lives."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import polars as pl
from filelock import FileLock, Timeout
from sqlalchemy import Connection, insert, select

from cloudmap.errors import StoreError
from cloudmap.schema import Table
from cloudmap.store import catalog, points
from cloudmap.store.admission import admit, pack
from cloudmap.store.contract import VERSIONED, LoadKey, LoadRecord
from cloudmap.store.files import StoredFile, sync_folder, translated, write_frame

LOADS: Final = "loads"
LOCK: Final = ".lock"
REPLACED: Final = "_replaced"
"""Hidden table beside each versioned one: the ids of this load that earlier visible loads hold too."""


@dataclass(frozen=True, slots=True)
class _Part:
    table: str
    file: StoredFile
    first_id: str | None = None
    last_id: str | None = None


class LakeDraft:
    """A load being written into a lake; see `cloudmap.store.contract.Draft`.

    Parameters
    ----------
    folder : Path
        The lake's folder.
    book : Catalog
        Its catalog.
    key : LoadKey
        What is loaded.
    file, base_map_version : str
        As in `Store.draft`.
    tables : mapping of str to Table
        Tables whose columns are known and checked.
    """

    def __init__(
        self, folder: Path, book: catalog.Catalog, key: LoadKey, *, file: str, base_map_version: str, tables: Mapping[str, Table]
    ) -> None:
        self._folder = folder
        self._book = book
        self._key = key
        self._file = file
        self._base_map_version = base_map_version
        self._tables = tables
        self._id = uuid.uuid4().hex
        self._own = folder / LOADS / self._id
        self._lock: FileLock | None = None
        self._parts: list[_Part] = []
        self._notes: list[tuple[str, bytes]] = []
        self._already = False

    @property
    def already(self) -> bool:
        """Whether the same key was committed by another process meanwhile."""
        return self._already

    def __enter__(self) -> LakeDraft:
        with translated(self._folder, "beginning a load"):
            # With this lock held no sweep can come between the folder and its lock.
            with FileLock(self._folder / "drafts.lock"):
                sweep_drafts(self._folder, self._book)
                self._own.mkdir()
                self._lock = FileLock(self._own / LOCK, thread_local=False)
                self._lock.acquire(timeout=0)
            try:
                points.reach("draft-opened")
            except OSError:
                self._leave()
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._lock is not None:
            self._leave()

    def write(self, table: str, frame: pl.DataFrame) -> None:
        """Add rows to a table of this load."""
        self._must_be_open()
        frame = admit(table, frame, self._tables)
        if frame.is_empty():
            return
        first_id, last_id = _id_range(table, frame)
        with translated(self._folder, f"writing {table}"):
            self._parts.append(_Part(table, self._write(table, frame), first_id, last_id))

    def remember(self, name: str, frame: pl.DataFrame) -> None:
        """Keep a small table that becomes visible with this load."""
        self._must_be_open()
        self._notes.append((name, pack(frame)))

    def commit(self, ledger_entry: Mapping[str, Any]) -> LoadRecord:
        """Make the load visible, or report the one that was faster."""
        self._must_be_open()
        with translated(self._folder, "committing a load"):
            sync_folder(self._own)
            sync_folder(self._own.parent)
            points.reach("before-commit")
            with self._book.writing() as transaction:
                record = catalog.find_load(transaction, self._key)
                self._already = record is not None
                if record is None:
                    record = self._insert(transaction, dict(ledger_entry))
                    points.reach("in-commit")
        if self._already:
            self._leave()
        else:
            # The load is in the store: what fails from here on may not say otherwise.
            with suppress(OSError):
                points.reach("after-commit")
                (self._own / LOCK).unlink()
            self._release()
        return record

    def _insert(self, transaction: Connection, ledger_entry: dict[str, Any]) -> LoadRecord:
        replaced = [part for table in VERSIONED for part in self._replaced(transaction, table)]
        load_seq = catalog.add_load(
            transaction,
            self._id,
            self._key,
            file=self._file or str(ledger_entry.get("file", "")),
            base_map_version=self._base_map_version,
            ledger_entry=ledger_entry,
        )
        rows = [
            {
                "path": part.file.path,
                "load_seq": load_seq,
                "table_name": part.table,
                "rows_n": part.file.rows_n,
                "bytes_n": part.file.bytes_n,
                "sha256": part.file.sha256,
                "first_id": part.first_id,
                "last_id": part.last_id,
            }
            for part in (*self._parts, *replaced)
        ]
        if rows:
            transaction.execute(insert(catalog.files), rows)
        if self._notes:
            notes = [{"name": name, "load_seq": load_seq, "content": content} for name, content in self._notes]
            transaction.execute(insert(catalog.remembered), notes)
        return next(one for one in catalog.load_records(transaction) if one.load_seq == load_seq)

    def _replaced(self, transaction: Connection, table: str) -> list[_Part]:
        """Write down which ids of this load earlier visible loads hold, so that readers need not compare all loads with all."""
        id_column = VERSIONED[table]
        mine = [part for part in self._parts if part.table == table]
        if not mine:
            return []
        lowest, highest = min(str(part.first_id) for part in mine), max(str(part.last_id) for part in mine)
        visible = [one.load_seq for one in catalog.load_records(transaction) if not one.undone]
        older = [
            self._folder / row.path
            for rows in catalog.table_files(transaction, table, visible).values()
            for row in rows
            if row.first_id <= highest and row.last_id >= lowest
        ]
        if not older:
            return []
        new_ids = pl.scan_parquet([self._folder / part.file.path for part in mine]).select(id_column)
        old_ids = pl.concat([pl.scan_parquet(path).select(id_column) for path in older])
        old_ids = old_ids.filter(pl.col(id_column).is_between(pl.lit(lowest), pl.lit(highest)))
        both = old_ids.join(new_ids, on=id_column, how="semi").unique().sort(id_column).collect()
        name = f"{REPLACED}_{table}"
        return [_Part(name, self._write(name, both))] if both.height else []

    def _write(self, table: str, frame: pl.DataFrame) -> StoredFile:
        path = f"{LOADS}/{self._id}/{table}-{len(self._parts):05d}.parquet"
        return write_frame(self._folder, path, frame, written="part-written", renamed="part-renamed")

    def _must_be_open(self) -> None:
        if self._lock is None:
            raise StoreError("this draft is not open: it was committed or left, or not entered. Use `with store.draft(key) as draft:`")

    def _leave(self) -> None:
        # A folder that cannot be removed now is swept later: no load names it.
        shutil.rmtree(self._own, ignore_errors=True)
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def sweep_drafts(folder: Path, book: catalog.Catalog) -> int:
    """Remove the folders of loads that died before their commit, and return how many bytes that freed.

    A folder whose lock is held has a living writer; a folder whose lock is free is looked up only once the lock is taken, since a
    writer lets go of it after its commit. The caller holds ``drafts.lock``.
    """
    freed_n = 0
    folders = sorted((folder / LOADS).iterdir())
    committed = _committed(book)
    for own in (one for one in folders if one.name not in committed):
        lock = FileLock(own / LOCK, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        try:
            if own.name not in _committed(book):
                freed_n += sum(file.stat().st_size for file in own.iterdir())
                shutil.rmtree(own, ignore_errors=True)
        finally:
            lock.release()
    return freed_n


def _committed(book: catalog.Catalog) -> set[str]:
    with book.reading() as transaction:
        return set(transaction.scalars(select(catalog.loads.c.draft_id)))


def _id_range(table: str, frame: pl.DataFrame) -> tuple[str | None, str | None]:
    """Return the lowest and highest id of a versioned table's rows."""
    if table not in VERSIONED:
        return None, None
    ids = frame.get_column(VERSIONED[table])
    return str(ids.min()), str(ids.max())
