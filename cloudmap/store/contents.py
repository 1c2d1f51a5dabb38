"""Checksums of what a store holds, the same in every kind of store, and moving all of it into another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from cloudmap.errors import StoreError
from cloudmap.store.contract import VERSIONED, Contents, KeptTable, LoadRecord, Store


@dataclass(frozen=True, slots=True)
class Inventory:
    """What was moved: loads, rows per table, results and remembered tables, and one checksum over all of it."""

    loads_n: int
    rows: dict[str, int]
    results_n: int
    remembered_n: int
    checksum: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "loads_n": self.loads_n,
            "rows": self.rows,
            "results_n": self.results_n,
            "remembered_n": self.remembered_n,
            "checksum": self.checksum,
        }


class RowDigest:
    """Digest of rows that depends on their values, order and column types, and not on how they are cut into parts."""

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {}
        self.rows_n = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows; every part must have the same columns."""
        self.rows_n += frame.height
        for series in frame.iter_columns():
            if isinstance(series.dtype, pl.Categorical | pl.Enum):
                series = series.cast(pl.String)  # noqa: PLW2901  (the same values, as every store gives them)
            hashes = self._columns.setdefault(f"{series.name} {series.dtype}", [hashlib.sha256() for _ in range(3)])
            hashes[0].update(series.is_null().to_numpy().tobytes())
            lengths, values = _bytes(series)
            hashes[1].update(lengths)
            hashes[2].update(values)

    def hexdigest(self) -> str:
        """Return the digest, 64 hexadecimal digits."""
        told = [[name, *(one.hexdigest() for one in hashes)] for name, hashes in sorted(self._columns.items())]
        return hashlib.sha256(json.dumps([self.rows_n, told]).encode()).hexdigest()


def _bytes(series: pl.Series) -> tuple[bytes, bytes]:
    """Return the lengths of a column's values (of text and binary) and the values themselves, nulls as nothing."""
    if series.dtype == pl.Null:
        return b"", b""
    if series.dtype == pl.String:
        text = series.fill_null("")
        return text.str.len_bytes().to_numpy().tobytes(), "".join(text.to_list()).encode()
    if series.dtype == pl.Binary:
        parts = series.fill_null(b"")
        return parts.bin.size().to_numpy().tobytes(), b"".join(parts.to_list())
    if series.dtype == pl.Boolean:
        series = series.cast(pl.UInt8)
    if series.dtype.is_float():
        series = series.fill_nan(float("nan"))
    return b"", series.to_physical().fill_null(0).to_numpy().tobytes()


class Summed:
    """Contents that are summed while somebody else goes through them.

    Parameters
    ----------
    contents : Contents
        What is passed on.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._sums: dict[str, str] = {}
        self._rows: dict[tuple[int, str], int] = {}
        self._kept: dict[str, int] = {}

    @property
    def loads(self) -> Sequence[LoadRecord]:
        """Every committed load in order, undone ones too."""
        loads = self._contents.loads
        for one in loads:
            told = [one.key.sha256, one.key.source_id, one.key.mapping_version, one.source_id, one.file, one.base_map_version, one.undone]
            times = [one.loaded_at.isoformat(), one.undone_at.isoformat() if one.undone_at else None]
            listed = [one.load_seq, *told, *times, one.ledger, sorted(one.tables.items())]
            self._sums[f"load {one.load_seq}"] = hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()
        return loads

    def rows(self, load_seq: int, table: str) -> Iterator[pl.DataFrame]:
        """Yield a load's rows of a table."""
        digest = RowDigest()
        for frame in self._contents.rows(load_seq, table):
            digest.add(frame)
            yield frame
        self._sums[f"load {load_seq} {table}"] = digest.hexdigest()
        self._rows[load_seq, table] = digest.rows_n

    def replaced(self, load_seq: int, table: str) -> pl.DataFrame:
        """Return the ids that a load replaced."""
        frame = self._contents.replaced(load_seq, table)
        digest = RowDigest()
        digest.add(frame)
        self._sums[f"load {load_seq} {table} replaced"] = digest.hexdigest()
        return frame

    def remembered(self) -> Iterator[KeptTable]:
        """Yield remembered tables, oldest first."""
        return self._summed("remembered", self._contents.remembered())

    def results(self) -> Iterator[KeptTable]:
        """Yield kept results, oldest first."""
        return self._summed("result", self._contents.results())

    def _summed(self, kind: str, tables: Iterator[KeptTable]) -> Iterator[KeptTable]:
        number = 0
        for number, one in enumerate(tables, start=1):
            told = json.dumps([one.name, one.load_seq, one.key, one.provenance], sort_keys=True).encode()
            self._sums[f"{kind} {number}"] = hashlib.sha256(told + one.content).hexdigest()
            yield one
        self._kept[kind] = number

    def exhaust(self) -> None:
        """Go through everything that was not gone through yet."""
        for load in self.loads:
            for table in load.tables:
                for _ in self.rows(load.load_seq, table):
                    pass
                if table in VERSIONED:
                    self.replaced(load.load_seq, table)
        for tables in (self.remembered(), self.results()):
            for _ in tables:
                pass

    def inventory(self) -> Inventory:
        """Count what has been gone through, and sum it up."""
        rows: dict[str, int] = {}
        for (_, table), rows_n in sorted(self._rows.items()):
            rows[table] = rows.get(table, 0) + rows_n
        checksum = hashlib.sha256(json.dumps(sorted(self._sums.items())).encode()).hexdigest()
        return Inventory(len(self._contents.loads), rows, self._kept.get("result", 0), self._kept.get("remembered", 0), checksum)


def take_stock(store: Store) -> Inventory:
    """Read everything in a store, and return counts and checksum.

    Raises
    ------
    StoreError
        Something is missing or damaged.
    """
    with store.contents() as contents:
        summed = Summed(contents)
        summed.exhaust()
    return summed.inventory()


def move(contents: Contents, target: Store) -> Inventory:
    """Put all that a store held into an empty one, and check that it arrived.

    Returns
    -------
    Inventory
        Counts and checksum, equal on both sides.

    Raises
    ------
    StoreError
        The target holds something already, cannot be written, or does not hold afterwards what was sent.
    """
    summed = Summed(contents)
    target.take(summed)
    sent, arrived = summed.inventory(), take_stock(target)
    if sent != arrived:
        raise StoreError(f"what arrived is not what was sent: {sent.as_dict()} became {arrived.as_dict()}. Do not use the new store")
    return arrived
