"""A store in one file: written whole or not at all, checked whole before anything of it is believed.

The file is a ZIP of Parquet files and ``manifest.json``, the same for every kind of store. Its last 64 bytes are the SHA-256 of all bytes
before them, in hexadecimal digits (to ZIP programs: the archive's comment), so that a flipped bit or a missing end anywhere is found
before a restore touches the store. It holds facts, ledgers, remembered tables and results; base maps, the city file, ``.salt`` and the
audit log are files of the city's folder and are copied as such.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from cloudmap.errors import StoreError
from cloudmap.store import points
from cloudmap.store.admission import pack, unpack
from cloudmap.store.contents import Inventory, Summed, move
from cloudmap.store.contract import VERSIONED, KeptTable, LoadKey, LoadRecord, Store
from cloudmap.store.files import sync_folder, translated
from cloudmap.version import VERSION

FORMAT: Final = 1
"""Raised with every change of the file's shape; a backup with a higher one is refused."""

_DIGEST_BYTES: Final = 64
_MANIFEST: Final = "manifest.json"
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)
_BLOCK: Final = 1 << 20


class _Archive:
    """A ZIP being written, whose files have no time of their own: the same store gives the same bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)
        self._zip.comment = b"0" * _DIGEST_BYTES

    def put(self, name: str, content: bytes) -> str:
        # Translated here: further out it would look like an error of the store that is read.
        with translated(self._path.parent, f"writing the backup {self._path.stem}"):
            self._zip.writestr(zipfile.ZipInfo(name, _MOMENT), content)
            points.reach("backup-part-written")
        return name

    def close(self) -> None:
        self._zip.close()


def write_backup(store: Store, path: str | Path, *, city: str = "") -> Inventory:
    """Write all that a store holds into one file.

    Parameters
    ----------
    store : Store
        What to back up; it may be loaded into meanwhile.
    path : str or Path
        The file. One that is there already stays as it is until the new one is whole.
    city : str
        Code of the city: the backup is restored into no other.

    Returns
    -------
    Inventory
        What the file holds.

    Raises
    ------
    StoreError
        The store is damaged, or the file cannot be written.
    """
    target = Path(path)
    draft = target.with_name(f"{target.name}.part")
    with translated(target.parent, f"writing the backup {target.name}"):
        try:
            # Facts lie in it as they are: nobody but the owner may read it.
            os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            with store.contents() as contents:
                summed = Summed(contents)
                _write_archive(draft, summed, city)
            _seal(draft)
            points.reach("backup-written")
            draft.rename(target)
            points.reach("backup-renamed")
            sync_folder(target.parent)
        except (OSError, StoreError):
            draft.unlink(missing_ok=True)
            raise
    return summed.inventory()


def _write_archive(path: Path, contents: Summed, city: str) -> None:
    archive = _Archive(path)
    try:
        told: dict[str, Any] = {"format": FORMAT, "version": VERSION, "city": city, "loads": []}
        for load in contents.loads:
            tables = {}
            for table in load.tables:
                own = f"loads/{load.load_seq:06d}/{table}"
                parts = [archive.put(f"{own}-{i:05d}.parquet", pack(f)) for i, f in enumerate(contents.rows(load.load_seq, table))]
                tables[table] = {"parts": parts}
                if table in VERSIONED:
                    tables[table]["replaced"] = [archive.put(f"{own}-replaced.parquet", pack(contents.replaced(load.load_seq, table)))]
            told["loads"].append(_load_to_json(load) | {"files": tables})
        told["remembered"] = [_kept_to_json(archive, "remembered", i, one) for i, one in enumerate(contents.remembered())]
        told["results"] = [_kept_to_json(archive, "results", i, one) for i, one in enumerate(contents.results())]
        told["inventory"] = contents.inventory().as_dict()
        archive.put(_MANIFEST, json.dumps(told, ensure_ascii=False, indent=1).encode())
    finally:
        archive.close()


def _seal(path: Path) -> None:
    """Put the digest of everything before it at the file's end, and flush the file to the disk."""
    with path.open("r+b") as file:
        digest = _digest(path)
        file.seek(-_DIGEST_BYTES, os.SEEK_END)
        file.write(digest.encode())
        file.flush()
        os.fsync(file.fileno())


def _digest(path: Path) -> str:
    digest, left = hashlib.sha256(), path.stat().st_size - _DIGEST_BYTES
    with path.open("rb") as file:
        while left > 0:
            block = file.read(min(_BLOCK, left))
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


class Backup:
    """What a backup holds; see `cloudmap.store.contract.Contents`, and `opened_backup` to get one."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, manifest: dict[str, Any]) -> None:
        self._zip = archive
        self._files = {int(one["load_seq"]): one["files"] for one in manifest["loads"]}
        self._manifest = manifest
        self.path = path
        self.city: str = manifest["city"]
        self.inventory = Inventory(**manifest["inventory"])
        self.loads: Sequence[LoadRecord] = [_load_from_json(one) for one in manifest["loads"]]

    def rows(self, load_seq: int, table: str) -> Iterator[pl.DataFrame]:
        """Yield a load's rows of a table."""
        for name in self._files[load_seq][table]["parts"]:
            yield unpack(self._zip.read(name))

    def replaced(self, load_seq: int, table: str) -> pl.DataFrame:
        """Return the ids of a load's rows that earlier loads held too."""
        return unpack(self._zip.read(self._files[load_seq][table]["replaced"][0]))

    def remembered(self) -> Iterator[KeptTable]:
        """Yield remembered tables, oldest first."""
        for one in self._manifest["remembered"]:
            yield KeptTable(one["name"], self._zip.read(one["file"]), one["load_seq"])

    def results(self) -> Iterator[KeptTable]:
        """Yield kept results, oldest first."""
        for one in self._manifest["results"]:
            yield KeptTable(one["name"], self._zip.read(one["file"]), None, one["key"], one["provenance"])


@contextmanager
def opened_backup(path: str | Path, *, city: str = "") -> Iterator[Backup]:
    """Check a backup from its first byte to its last, and open it.

    Parameters
    ----------
    path : str or Path
        The file.
    city : str
        Code of the city that it must be of.

    Raises
    ------
    StoreError
        It is missing, damaged, cut short, another city's, or made by a newer cloudmap. No store was touched.
    """
    path = Path(path)
    with translated(path.parent, f"reading the backup {path.name}"):
        _check(path)
        try:
            archive = zipfile.ZipFile(path)
            backup = Backup(path, archive, _read_manifest(path, archive, city))
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
            raise StoreError(f"{path}: not a backup of cloudmap ({error}); {_UNTOUCHED}") from error
    with archive:
        yield backup


def _read_manifest(path: Path, archive: zipfile.ZipFile, city: str) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(archive.read(_MANIFEST))
    if manifest["format"] > FORMAT:
        raise StoreError(f"{path}: a backup of format {manifest['format']}, this cloudmap knows {FORMAT}. Upgrade cloudmap; {_UNTOUCHED}")
    if city and manifest["city"] and manifest["city"] != city:
        raise StoreError(f"{path}: a backup of city {manifest['city']}, not of {city}; {_UNTOUCHED}")
    return manifest


_UNTOUCHED: Final = "no store was touched"


def _check(path: Path) -> None:
    if not path.is_file():
        raise StoreError(f"{path}: no such backup; {_UNTOUCHED}")
    with path.open("rb") as file:
        file.seek(-min(_DIGEST_BYTES, path.stat().st_size), os.SEEK_END)
        said = file.read()
    found = _digest(path)
    if said != found.encode():
        raise StoreError(
            f"{path}: damaged, cut short, or not a backup of cloudmap: SHA-256 {found[:12]}… where its end says "
            f"{said[:12].decode('ascii', 'replace')}…; {_UNTOUCHED}. Take another backup"
        )


def restore(backup: Backup, store: Store) -> Inventory:
    """Put all that a backup holds into an empty store, and check that it arrived.

    Raises
    ------
    StoreError
        The store holds something already or cannot be written, or does not hold afterwards what the backup says.
    """
    arrived = move(backup, store)
    if arrived != backup.inventory:
        raise StoreError(f"{backup.path}: restored {arrived.as_dict()}, written {backup.inventory.as_dict()}. Do not use the store")
    return arrived


def _load_to_json(load: LoadRecord) -> dict[str, Any]:
    return {
        "load_seq": load.load_seq,
        "key": [load.key.sha256, load.key.source_id, load.key.mapping_version],
        "source_id": load.source_id,
        "file": load.file,
        "base_map_version": load.base_map_version,
        "loaded_at": load.loaded_at.isoformat(),
        "ledger": load.ledger,
        "undone": load.undone,
        "undone_at": load.undone_at.isoformat() if load.undone_at else None,
        "tables": load.tables,
    }


def _load_from_json(told: dict[str, Any]) -> LoadRecord:
    return LoadRecord(
        load_seq=told["load_seq"],
        key=LoadKey(*told["key"]),
        source_id=told["source_id"],
        file=told["file"],
        base_map_version=told["base_map_version"],
        loaded_at=datetime.fromisoformat(told["loaded_at"]),
        ledger=told["ledger"],
        undone=told["undone"],
        tables=told["tables"],
        undone_at=datetime.fromisoformat(told["undone_at"]) if told["undone_at"] else None,
    )


def _kept_to_json(archive: _Archive, kind: str, number: int, one: KeptTable) -> dict[str, Any]:
    file = archive.put(f"{kind}/{number:05d}.parquet", one.content)
    return {"name": one.name, "load_seq": one.load_seq, "key": one.key, "provenance": one.provenance, "file": file}
