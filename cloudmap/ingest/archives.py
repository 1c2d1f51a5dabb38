"""Zip and gzip files, unpacked only after every entry was judged."""

from __future__ import annotations

import gzip
import shutil
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO, Final

from cloudmap.errors import SourceError

ENTRIES_MAX: Final = 1000
RATIO_MAX: Final = 100
"""Inflated bytes a packed byte, for entries of a zip."""
RATIO_FLOOR_BYTES: Final = 256 * 1024
"""Entries that inflate to less are harmless at any ratio (blank-padded DBF files reach several hundred)."""
INFLATED_MAX_BYTES: Final = 64 * 1024**3
"""A month of a large city is below 2 GB; this only stops what cannot be meant."""
GZIP_RATIO_MAX: Final = 250
"""CSV with long repeated labels reaches 60; deflate itself ends at 1,032."""
GZIP_RATIO_FLOOR_BYTES: Final = 64 * 1024**2
DISK_RESERVE_BYTES: Final = 512 * 1024**2

_CHUNK: Final = 1024 * 1024
_PACKED: Final = {".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".tar", ".zst", ".xlsx", ".xlsm", ".kmz", ".docx", ".jar"}
_PACKED_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in a zip: its name as the sender wrote it, and zipfile's record."""

    name: str
    info: zipfile.ZipInfo

    @property
    def suffix(self) -> str:
        """Extension in lower case, with its dot."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def stem(self) -> str:
        """Folder and name without the last extension."""
        return str(PurePosixPath(self.name).with_suffix(""))


def list_entries(archive: zipfile.ZipFile, name: str, *, nested: bool = False) -> tuple[list[Entry], list[str]]:
    """Judge every entry of an open zip and decode the names.

    Parameters
    ----------
    archive : ZipFile
    name : str
        How the user knows the file.
    nested : bool, default False
        Allow packed entries (a workbook may embed others, which are never opened).

    Returns
    -------
    entries : list of Entry
        Files only, in the archive's order.
    evidence : list of str

    Raises
    ------
    SourceError
        Too many entries, a name that leaves the folder, a link, an encrypted or nested entry, a name twice, sizes that
        contradict each other, or an entry that inflates too far.
    """
    infos = archive.infolist()
    if not infos:
        raise SourceError(f"{name}: the archive is empty. Pack it again")
    if len(infos) > ENTRIES_MAX:
        raise SourceError(f"{name}: {len(infos)} entries; at most {ENTRIES_MAX} are unpacked. Give the layer or table alone")
    names, evidence = _decode_names(infos)
    for entry_name, info in zip(names, infos, strict=True):
        _judge(entry_name, info, name)
        if not nested and PurePosixPath(entry_name).suffix.lower() in _PACKED:
            raise SourceError(f"{name}: {entry_name!r} is packed again inside. Unpack the outer archive first")
    twice = [one for one, count in Counter(each.casefold() for each in names).items() if count > 1]
    if twice:
        raise SourceError(f"{name}: {twice[0]!r} is in the archive twice, so which one counts is open. Pack it again")
    _refuse_overlap(infos, name)
    total = sum(info.file_size for info in infos)
    if total > INFLATED_MAX_BYTES:
        raise SourceError(f"{name}: inflates to {total / 1e9:.0f} GB; at most {INFLATED_MAX_BYTES / 1e9:.0f} GB are unpacked. Split it")
    return [Entry(one, info) for one, info in zip(names, infos, strict=True) if not info.is_dir()], evidence


def _decode_names(infos: list[zipfile.ZipInfo]) -> tuple[list[str], list[str]]:
    """Undo zipfile's guess of code page 437 for names without the UTF-8 flag."""
    raw = [None if info.flag_bits & 0x800 or info.orig_filename.isascii() else info.orig_filename.encode("cp437") for info in infos]
    for encoding in ("utf-8", "gb18030"):
        try:
            decoded = [info.orig_filename if one is None else one.decode(encoding) for one, info in zip(raw, infos, strict=True)]
        except UnicodeDecodeError:
            continue
        if any(one is not None for one in raw):
            return decoded, [f"names in the archive carry no encoding; read as {encoding.upper()}, such as {decoded[0]!r}"]
        return decoded, []
    return [info.orig_filename for info in infos], ["names in the archive are neither UTF-8 nor GB18030; shown as code page 437"]


def _judge(entry: str, info: zipfile.ZipInfo, name: str) -> None:
    parts = entry.replace("\\", "/").split("/")
    if ".." in parts:
        raise SourceError(f"{name}: entry {entry!r} leaves the archive's folder. Such an archive is not trusted; pack it again")
    if entry.startswith(("/", "\\")) or entry[1:2] == ":" or "\x00" in entry:
        raise SourceError(f"{name}: entry {entry!r} names an absolute place. Such an archive is not trusted; pack it again")
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise SourceError(f"{name}: entry {entry!r} is a link or device, not a file. Pack the file itself")
    if info.flag_bits & 0x1:
        raise SourceError(f"{name}: entry {entry!r} is locked with a password. Unpack it first")
    if info.file_size > RATIO_FLOOR_BYTES and info.file_size > RATIO_MAX * max(info.compress_size, 1):
        raise SourceError(
            f"{name}: entry {entry!r} inflates {info.file_size / max(info.compress_size, 1):.0f}-fold to {info.file_size:,} bytes; "
            f"at most {RATIO_MAX}-fold is unpacked. Unpack it yourself if you trust it"
        )


def _refuse_overlap(infos: list[zipfile.ZipInfo], name: str) -> None:
    """Entries that share packed bytes multiply them without a ratio that shows."""
    placed = sorted((info.header_offset, info.compress_size, info.orig_filename) for info in infos)
    for (start, packed, entry), (following, _, _) in pairwise(placed):
        if start + packed > following:
            raise SourceError(
                f"{name}: entry {entry!r} says {packed:,} packed bytes but the next entry begins before. Not trusted; pack it again"
            )


@contextmanager
def open_zip(path: Path, name: str) -> Iterator[zipfile.ZipFile]:
    """Open a zip, with its breakages told as one line.

    Raises
    ------
    SourceError
        The archive is cut or broken.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _BROKEN as error:
        raise SourceError(f"{name}: a broken or cut zip archive ({error}). Copy or download it again") from error
    with archive:
        yield archive


def unpack(archive: zipfile.ZipFile, entry: Entry, target: Path, name: str) -> None:
    """Write one judged entry to `target`, byte counts and checksum compared with what the archive says.

    Raises
    ------
    SourceError
        Sizes or checksum differ, the entry is cut or itself packed, or the disk is too full.
    """
    _require_space(target, entry.info.file_size, name)
    written = 0
    try:
        with archive.open(entry.info) as packed, target.open("xb") as out:
            while chunk := packed.read(_CHUNK):
                if not written and chunk.startswith(_PACKED_MAGIC):
                    raise SourceError(f"{name}: {entry.name!r} is packed again inside. Unpack the outer archive first")
                written += len(chunk)
                out.write(chunk)
    except _BROKEN as error:
        raise SourceError(f"{name}: entry {entry.name!r} is cut or its sizes lie ({error}). Copy or pack it again") from error
    if written != entry.info.file_size:
        raise SourceError(
            f"{name}: entry {entry.name!r} says {entry.info.file_size:,} bytes but holds {written:,}. Not trusted; pack it again"
        )


def gunzip(path: Path, target: Path, name: str) -> None:
    """Write the content of a gzip file to `target`, streaming.

    Raises
    ------
    SourceError
        The file is cut, broken, inflates too far, is packed again inside, or the disk is too full.
    """
    packed_bytes = path.stat().st_size
    written = 0
    try:
        with gzip.open(path, "rb") as packed, target.open("xb") as out:
            while chunk := packed.read(_CHUNK):
                if not written and chunk.startswith(_PACKED_MAGIC):
                    raise SourceError(f"{name} is packed twice. Unpack it once")
                written += len(chunk)
                _judge_growth(written, packed_bytes, name)
                if written % (64 * _CHUNK) < _CHUNK:
                    _require_space(target, 0, name)
                out.write(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{name}: a cut or broken gzip file ({error}). Copy or download it again") from error


def _judge_growth(written: int, packed: int, name: str) -> None:
    if written > INFLATED_MAX_BYTES or (written > GZIP_RATIO_FLOOR_BYTES and written > GZIP_RATIO_MAX * packed):
        raise SourceError(
            f"{name}: inflates to more than {written:,} bytes out of {packed:,}; at most {GZIP_RATIO_MAX}-fold is unpacked. "
            "Unpack it yourself if you trust it"
        )


def _require_space(target: Path, needed: int, name: str) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < needed + DISK_RESERVE_BYTES:
        raise SourceError(
            f"{name}: unpacking needs {(needed + DISK_RESERVE_BYTES) / 1e9:.1f} GB in {target.parent.parent}, "
            f"{free / 1e9:.1f} GB are free. Free some, or point TMPDIR at a larger disk"
        )


def read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> _Checked:
    """Open an entry for streaming; use as a context manager and read in chunks.

    Raises
    ------
    SourceError
        On opening or reading: the entry is cut, or longer or shorter than the archive says.
    """
    return _Checked(archive, info, name)


class _Checked:
    """A stream of an entry whose breakages are told as one line."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> None:
        self._archive, self._info, self._name = archive, info, name
        self._left = info.file_size
        self._stream: IO[bytes]

    def __enter__(self) -> _Checked:
        try:
            self._stream = self._archive.open(self._info)
        except _BROKEN as error:
            raise SourceError(f"{self._name}: part {self._info.filename!r} cannot be read ({error}). Copy the file again") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, size: int = _CHUNK) -> bytes:
        """Return up to `size` inflated bytes; empty at the end."""
        try:
            chunk = self._stream.read(size)
        except _BROKEN as error:
            raise SourceError(
                f"{self._name}: part {self._info.filename!r} is cut or its sizes lie ({error}). Copy the file again"
            ) from error
        self._left -= len(chunk)
        if not chunk and self._left:
            raise SourceError(
                f"{self._name}: part {self._info.filename!r} is {self._left:,} bytes shorter than it says. Copy the file again"
            )
        return chunk
