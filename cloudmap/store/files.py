"""Immutable Parquet files: written whole or not at all, hashed, and checked before they are believed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from sqlalchemy.exc import SQLAlchemyError

from cloudmap.errors import StoreError
from cloudmap.store import points
from cloudmap.store.admission import pack

_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_LOG_INDEX_BYTES = 1 << 15
"""What SQLite needs beside the catalog to open it for writing."""
_verified: set[tuple[str, int, int]] = set()


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the store: path relative to its folder, rows, bytes and digest."""

    path: str
    rows_n: int
    bytes_n: int
    sha256: str


def write_frame(folder: Path, path: str, frame: pl.DataFrame, *, written: str | None = None, renamed: str | None = None) -> StoredFile:
    """Write a frame as Parquet (zstd) under a temporary name, flush it to the disk and rename it.

    Parameters
    ----------
    folder : Path
        The store's folder.
    path : str
        Path of the file relative to it.
    frame : polars.DataFrame
        The rows.
    written, renamed : str, optional
        Named points (`cloudmap.store.points`) before and after the renaming.

    Raises
    ------
    OSError
        The disk is full, read-only or broken; `translated` says so in words.
    """
    return write_bytes(folder, path, pack(frame), frame.height, written=written, renamed=renamed)


def write_bytes(
    folder: Path, path: str, content: bytes, rows_n: int, *, written: str | None = None, renamed: str | None = None
) -> StoredFile:
    """Write the bytes of a Parquet file as `write_frame` writes a frame."""
    final = folder / path
    temporary = final.with_name(f"{final.name}.part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if written:
        points.reach(written)
    temporary.rename(final)
    if renamed:
        points.reach(renamed)
    return StoredFile(path, rows_n, len(content), hashlib.sha256(content).hexdigest())


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, so that a renamed file survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_file(folder: Path, stored: StoredFile) -> Path:
    """Return the path of a stored file, once it is known to hold what was written.

    The digest is taken once a process and file; after that size and time of change must stay the same.

    Raises
    ------
    StoreError
        The file is missing, or its bytes are not those that were written.
    """
    path = folder / stored.path
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise StoreError(f"{path}: missing, though the catalog names it. Put it back from a backup, or undo its load") from error
    mark = (str(path), status.st_size, status.st_mtime_ns)
    if mark in _verified:
        return path
    if status.st_size != stored.bytes_n:
        raise StoreError(f"{path}: {status.st_size:,} bytes, written with {stored.bytes_n:,}. {_DAMAGED}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != stored.sha256:
        raise StoreError(f"{path}: SHA-256 {digest[:12]}…, written with {stored.sha256[:12]}…. {_DAMAGED}")
    _verified.add(mark)
    return path


_DAMAGED = "The file was damaged or changed: put it back from a backup, or undo its load and load again"


@contextmanager
def translated(folder: Path, doing: str) -> Iterator[None]:
    """Turn errors of the disk, the catalog and polars into a StoreError that names the remedy.

    Parameters
    ----------
    folder : Path
        The store's folder.
    doing : str
        What was being done ("writing reports").
    """
    try:
        yield
    except OSError as error:
        raise StoreError(_explain_os(folder, doing, error)) from error
    except SQLAlchemyError as error:
        raise StoreError(_explain_catalog(folder, doing, error)) from error
    except sqlite3.Error as error:
        raise StoreError(_explain_sqlite(folder, doing, error)) from error
    except pl.exceptions.PolarsError as error:
        raise StoreError(f"{folder}: {doing} failed: {str(error).splitlines()[0]}") from error


def _explain_os(folder: Path, doing: str, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(folder, doing)
    if error.errno in _READ_ONLY:
        return _read_only(folder, doing)
    return f"{folder}: {doing} failed: {error.strerror or error} ({error.filename or 'no file named'}). The store is as it was before"


def _full(folder: Path, doing: str) -> str:
    free = shutil.disk_usage(folder).free if folder.exists() else 0
    return (
        f"{folder}: {doing} failed: the disk is full, {free / 1e6:,.1f} MB free. The store is as it was before; make room "
        "(a load needs less than its file) and do it again"
    )


def _has_no_room(folder: Path) -> bool:
    return folder.exists() and shutil.disk_usage(folder).free < _LOG_INDEX_BYTES


def _read_only(folder: Path, doing: str) -> str:
    return f"{folder}: {doing} failed: the folder is read-only for this user. Give write permission, or name another folder in [store] url"


def _explain_catalog(folder: Path, doing: str, error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.Error):
        return _explain_sqlite(folder, doing, cause)
    return f"{folder}: {doing} failed: {error}"


def _explain_sqlite(folder: Path, doing: str, error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY) and _has_no_room(folder)):
        return _full(folder, doing)
    if code == sqlite3.SQLITE_READONLY:
        return _read_only(folder, doing)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return f"{folder / 'catalog.sqlite'}: {doing} failed: {error}. The catalog is damaged: put the store back from a backup"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"{folder / 'catalog.sqlite'}: {doing} failed: another process has been writing for too long. Wait for it and do it again"
    return f"{folder / 'catalog.sqlite'}: {doing} failed: {error}. The store is as it was before"
