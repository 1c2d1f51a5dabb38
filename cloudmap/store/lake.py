"""The default store: immutable Parquet files and a catalog in SQLite, in one folder.

    store/
      catalog.sqlite        loads, files, ledgers, results, remembered tables; its one transaction is a load's commit
      loads/<draft>/        the files of one load: <table>-<part>.parquet
      results/              computed tables
      drafts.lock           held while a load begins and while a sweep runs

A file is believed only if the catalog names it and its digest is right. What no catalog row names is invisible, and swept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock
from sqlalchemy import Connection, insert, or_, select

from cloudmap.errors import StoreError
from cloudmap.schema import Table
from cloudmap.store import catalog, results
from cloudmap.store.admission import pack, unpack
from cloudmap.store.contract import Contents, LoadKey, LoadRecord, StoredResult, Where
from cloudmap.store.draft import LOADS, LakeDraft, sweep_drafts
from cloudmap.store.files import check_file, translated
from cloudmap.store.lake_contents import fill_lake, lake_contents
from cloudmap.store.newest import scan_table
from cloudmap.store.records import spans, state_of, visible_loads
from cloudmap.store.selection import select_rows


class Lake:
    """A lake; see `cloudmap.store.contract.Store` for what it promises, `Lake.open` to get one.

    Parameters
    ----------
    folder : Path
        The lake's folder.
    book : Catalog
        Its catalog.
    tables : mapping of str to Table
        Tables whose columns are known: writes are checked against them, and reads give them even before the first load.
    """

    def __init__(self, folder: Path, book: catalog.Catalog, tables: Mapping[str, Table]) -> None:
        self.folder = folder
        self._book = book
        self._tables = tables

    @classmethod
    def open(
        cls, folder: str | Path, *, tables: Mapping[str, Table] | None = None, create: bool = False, remedy: str = "cloudmap load CITY"
    ) -> Lake:
        """Open the lake in a folder.

        Parameters
        ----------
        folder : str or Path
            The folder.
        tables : mapping of str to Table, optional
            Tables whose columns are known.
        create : bool
            Make the lake where there is none.
        remedy : str
            The command that makes one, for the message that there is none.

        Raises
        ------
        StoreError
            There is no lake and `create` is false; a newer cloudmap made it; it cannot be opened or made.
        """
        folder = Path(folder)
        book = catalog.Catalog(folder / "catalog.sqlite")
        with translated(folder, "opening the store"):
            if create:
                for part in (LOADS, results.RESULTS):
                    (folder / part).mkdir(parents=True, exist_ok=True)
                with FileLock(folder / "drafts.lock"):
                    if not book.path.exists() or not book.path.stat().st_size:
                        book.create()
            elif not book.path.is_file():
                raise StoreError(f"no store at {folder}. Make one with `{remedy}`")
            book.check_version()
        return cls(folder, book, tables or {})

    def loads(self) -> list[LoadRecord]:
        """List every committed load in order of ``load_seq``, undone ones too."""
        with translated(self.folder, "reading the catalog"), self._book.reading() as transaction:
            return catalog.load_records(transaction)

    def find(self, key: LoadKey) -> LoadRecord | None:
        """Return the load with this key that is not undone, if there is one."""
        with translated(self.folder, "reading the catalog"), self._book.reading() as transaction:
            return catalog.find_load(transaction, key)

    def draft(self, key: LoadKey, *, file: str = "", base_map_version: str = "") -> LakeDraft:
        """Begin a load; use it with ``with``."""
        return LakeDraft(self.folder, self._book, key, file=file, base_map_version=base_map_version, tables=self._tables)

    def read(self, table: str, columns: Sequence[str] | None = None, where: Sequence[Where] = (), as_of: int | None = None) -> pl.DataFrame:
        """Read a table as one snapshot: the newest version of each row of the visible loads."""
        with translated(self.folder, f"reading {table}"):
            # Committed files never change, so the snapshot is the list of them, taken in one transaction.
            with self._book.reading() as transaction:
                visible = _visible(transaction, as_of)
                found = catalog.table_files(transaction, table, visible)
                replaced = catalog.table_files(transaction, f"_replaced_{table}", visible)
                known = table in self._tables or found or catalog.table_files(transaction, table)
                if not known:
                    raise StoreError(f"{self.folder}: no table {table!r}; have {', '.join(self._table_names(transaction)) or 'none'}")
                shape = self._shape(transaction, table)
            rows = scan_table(self.folder, table, shape, found, replaced)
            return select_rows(rows, table, columns, where)

    def undo(self, load_seq: int) -> LoadRecord:
        """Hide a load, for good."""
        with translated(self.folder, "undoing a load"), self._book.writing() as transaction:
            known = {one.load_seq: one for one in catalog.load_records(transaction)}
            if load_seq not in known:
                raise StoreError(f"{self.folder}: no load {load_seq}; have {spans(known)}. `cloudmap ledger CITY` lists them")
            catalog.mark_undone(transaction, load_seq)
            return next(one for one in catalog.load_records(transaction) if one.load_seq == load_seq)

    def compact(self) -> int:
        """Sweep files that nothing names, and return how many bytes that freed."""
        with translated(self.folder, "sweeping the store"), FileLock(self.folder / "drafts.lock"):
            return sweep_drafts(self.folder, self._book) + results.sweep(self.folder, self._book)

    def save_result(self, name: str, key: str, frame: pl.DataFrame, provenance: Mapping[str, Any]) -> None:
        """Keep a computed table; the same key is replaced, the last few keys of a name stay."""
        with translated(self.folder, f"keeping result {name}"):
            results.save(self.folder, self._book, name, key, frame, provenance)

    def result(self, name: str, key: str | None = None) -> StoredResult | None:
        """Return a kept result, the newest of its name where no key is given."""
        with translated(self.folder, f"reading result {name}"):
            return results.load(self.folder, self._book, name, key)

    def state(self) -> str:
        """Digest of the visible loads."""
        return state_of(self.loads())

    def remember(self, name: str, frame: pl.DataFrame) -> None:
        """Keep a small table beside the newest visible load."""
        with translated(self.folder, f"remembering {name}"), self._book.writing() as transaction:
            newest = max(_visible(transaction, None), default=None)
            transaction.execute(insert(catalog.remembered), [{"name": name, "load_seq": newest, "content": pack(frame)}])

    def recall(self, name: str) -> pl.DataFrame | None:
        """Return the newest remembered table of a name whose load is not undone."""
        notes, loads = catalog.remembered, catalog.loads
        query = (
            select(notes.c.content)
            .outerjoin(loads, notes.c.load_seq == loads.c.load_seq)
            .where(notes.c.name == name, or_(notes.c.load_seq.is_(None), loads.c.undone.is_(False)))
            .order_by(notes.c.remembered_seq.desc())
            .limit(1)
        )
        with translated(self.folder, f"recalling {name}"), self._book.reading() as transaction:
            content = transaction.scalar(query)
        return None if content is None else unpack(content)

    @contextmanager
    def contents(self) -> Iterator[Contents]:
        """Open all that the lake holds, as one snapshot."""
        with translated(self.folder, "reading the whole store"), lake_contents(self.folder, self._book) as contents:
            yield contents

    def take(self, contents: Contents) -> None:
        """Take over all that another store held, at once or not at all."""
        with translated(self.folder, "filling the store"):
            fill_lake(self.folder, self._book, contents)

    def _shape(self, transaction: Connection, table: str) -> pl.DataFrame:
        """Return no rows of a table with the columns that it has where no visible load holds any."""
        if table in self._tables:
            return self._tables[table].empty()
        for rows in catalog.table_files(transaction, table).values():
            return pl.read_parquet(check_file(self.folder, catalog.stored_file(rows[0])), n_rows=0)
        return pl.DataFrame()

    def _table_names(self, transaction: Connection) -> list[str]:
        stored = set(transaction.scalars(select(catalog.files.c.table_name).distinct()))
        return sorted(name for name in stored | set(self._tables) if not name.startswith("_"))


def _visible(transaction: Connection, as_of: int | None) -> list[int]:
    rows = transaction.execute(select(catalog.loads.c.load_seq, catalog.loads.c.undone))
    return visible_loads(((row.load_seq, row.undone) for row in rows), as_of)
