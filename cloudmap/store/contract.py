"""What every store promises: loads that land whole or not at all, the newest version of a report, and any earlier state.

A load is one file of one source. It is identified by what it loads (`LoadKey`), ordered by ``load_seq`` and never by the clock, and
becomes visible over all its tables at once. Rows are only ever added: `Store.undo` hides a load, `Store.read` with ``as_of`` shows the
store as load N left it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Literal, Protocol, runtime_checkable

import polars as pl

Operator = Literal["==", "!=", ">=", "<", "<=", ">", "in"]
Where = tuple[str, Operator, object]
"""Column, operator, value. Null satisfies no comparison, except ``== None`` (is null); ``!= None`` means is not null."""

VERSIONED: Final[Mapping[str, str]] = {"reports": "report_id"}
"""Tables of which only the newest version of a row is read, and the column that says which rows are versions of each other."""


@dataclass(frozen=True, slots=True)
class LoadKey:
    """What a load loads: the same key twice is the same load.

    Parameters
    ----------
    sha256 : str
        Digest of the file's bytes, 64 hexadecimal digits.
    source_id : str
        Id of the source in the city file.
    mapping_version : str
        Digest of what decides how the file is read (fields, states, categories, base map).
    """

    sha256: str
    source_id: str
    mapping_version: str


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """A committed load.

    ``loaded_at`` is what the clock said (UTC) and orders nothing. ``ledger`` is the entry that ``ledger --json`` prints, with this
    load's ``load_seq``. ``tables`` counts the rows stored per table. ``undone_at`` is what the clock said when it was taken back.
    """

    load_seq: int
    key: LoadKey
    source_id: str
    file: str
    base_map_version: str
    loaded_at: datetime
    ledger: dict[str, Any]
    undone: bool
    tables: dict[str, int]
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A computed table kept beside the facts, and what it was computed from."""

    frame: pl.DataFrame
    provenance: dict[str, Any] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True, slots=True)
class KeptTable:
    """A remembered table or a result as it rests: the bytes of a Parquet file, and what is known about it.

    Remembered tables have a ``load_seq`` (None: of no load), results a ``key`` and a ``provenance``.
    """

    name: str
    content: bytes
    load_seq: int | None = None
    key: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)


class Contents(Protocol):
    """All that a store holds, history included, as it was at one moment; what backups and copies are made of."""

    @property
    def loads(self) -> Sequence[LoadRecord]:
        """Every committed load in order, undone ones too."""

    def rows(self, load_seq: int, table: str) -> Iterator[pl.DataFrame]:
        """Yield a load's rows of a table in order, in parts that all have the load's columns."""

    def replaced(self, load_seq: int, table: str) -> pl.DataFrame:
        """Return the ids of a load's rows that earlier loads held too: one column, sorted."""

    def remembered(self) -> Iterator[KeptTable]:
        """Yield remembered tables, oldest first."""

    def results(self) -> Iterator[KeptTable]:
        """Yield kept results, oldest first."""


class Draft(Protocol):
    """A load that is being written; nobody sees it before `commit`."""

    @property
    def already(self) -> bool:
        """Whether `commit` found the same key committed by another process, and so stored nothing."""

    def write(self, table: str, frame: pl.DataFrame) -> None:
        """Add rows to a table of this load; may be called many times, an empty frame adds nothing.

        Raises
        ------
        SchemaError
            The frame lacks a column of a known table, or has one that the table does not know.
        StoreError
            The rows cannot be written, or the draft was already committed or left.
        """

    def remember(self, name: str, frame: pl.DataFrame) -> None:
        """Keep a small table that becomes what `Store.recall` gives, once the load is committed."""

    def commit(self, ledger_entry: Mapping[str, Any]) -> LoadRecord:
        """Make the load visible, over all its tables at once.

        Parameters
        ----------
        ledger_entry : mapping
            One entry of ``ledger --json``; ``load_seq`` is filled in here.

        Returns
        -------
        LoadRecord
            This load, or where the same key was committed meanwhile, that one (`already` is then true and nothing was stored).

        Raises
        ------
        StoreError
            The commit failed; the store is as it was before.
        """

    def __enter__(self) -> Draft: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


@runtime_checkable
class Store(Protocol):
    """Facts at rest."""

    def loads(self) -> list[LoadRecord]:
        """List every committed load in order of ``load_seq``, undone ones too."""

    def find(self, key: LoadKey) -> LoadRecord | None:
        """Return the load with this key that is not undone, if there is one."""

    def draft(self, key: LoadKey, *, file: str = "", base_map_version: str = "") -> Draft:
        """Begin a load. Used with ``with``; left without commit, it leaves nothing.

        Parameters
        ----------
        key : LoadKey
            What is loaded.
        file : str
            Name of the file, for people; the ledger entry's ``file`` where not given.
        base_map_version : str
            Version of the base map that places were found with.

        Raises
        ------
        StoreError
            The store cannot be written.
        """

    def read(self, table: str, columns: Sequence[str] | None = None, where: Sequence[Where] = (), as_of: int | None = None) -> pl.DataFrame:
        """Read a table as one snapshot of the store.

        Parameters
        ----------
        table : str
            Name of the table; of `VERSIONED` tables only the newest version of each row is read, before `where` is applied.
        columns : sequence of str, optional
            Columns wanted, in this order; all where not given.
        where : sequence of (column, operator, value)
            Conditions, all of which must hold.
        as_of : int, optional
            Read the store as this load left it. Undone loads stay hidden at any time: what was undone was wrong.

        Returns
        -------
        polars.DataFrame
            The columns and ``load_seq`` (Int64), ordered by it.

        Raises
        ------
        StoreError
            No such table, column or load; a condition that does not fit its column; a file that is missing or was changed.
        """

    def undo(self, load_seq: int) -> LoadRecord:
        """Hide a load, for good; its file can then be loaded again.

        Later loads keep what they stored. Rows that a later file repeated unchanged were not stored again with it, so later files
        of the same source should be undone and loaded again too where they overlap.

        Raises
        ------
        StoreError
            No such load.
        """

    def compact(self) -> int:
        """Sweep what no committed load or result names, and return how many bytes that freed; live writers are left alone."""

    def save_result(self, name: str, key: str, frame: pl.DataFrame, provenance: Mapping[str, Any]) -> None:
        """Keep a computed table; the last few keys of a name stay, and the same key is replaced.

        Parameters
        ----------
        name : str
            What it is ("cube", "hotspots_9").
        key : str
            Digest of all that it was computed from; another key is another result.
        frame : polars.DataFrame
            The table.
        provenance : mapping
            What it was computed from, in words; JSON values only.
        """

    def result(self, name: str, key: str | None = None) -> StoredResult | None:
        """Return a kept result, the newest of its name where no key is given; None where there is none."""

    def state(self) -> str:
        """Digest of the visible loads (16 hexadecimal digits); the same in every store that holds the same loads."""

    def remember(self, name: str, frame: pl.DataFrame) -> None:
        """Keep a small table beside the newest visible load (known pile-ups); earlier ones are kept behind it."""

    def recall(self, name: str) -> pl.DataFrame | None:
        """Return the newest remembered table of a name whose load is not undone."""

    def contents(self) -> AbstractContextManager[Contents]:
        """Open all that the store holds, as one snapshot.

        Raises
        ------
        StoreError
            Something is missing or damaged.
        """

    def take(self, contents: Contents) -> None:
        """Take over all that another store held, numbers and history included, at once or not at all.

        Raises
        ------
        StoreError
            This store holds something already; it cannot be written.
        """
