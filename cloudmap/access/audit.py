"""The audit log: one line for everything that is taken out, each holding the digest of the line before it.

``audit.log`` lies in the city's folder, one JSON object a line. A line that is changed, removed or put in breaks the chain from there
on; lines cut off at the end are found by anybody who kept the digest that `record` gave.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from cloudmap.city import City
from cloudmap.errors import AccessError

NAME: Final = "audit.log"
_TAIL: Final = 64 * 1024
START: Final = "0" * 64
"""What the first line holds in place of a digest."""

# json escapes the controls below U+0020; the others end lines or turn their direction in viewers.
_CONTROLS: Final = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]")

_acting: ContextVar[str | None] = ContextVar("acting", default=None)


@contextmanager
def acting(name: str) -> Iterator[None]:
    """Let an account stand as the user of every line that is recorded while the block runs."""
    before = _acting.set(name)
    try:
        yield
    finally:
        _acting.reset(before)


@dataclass(frozen=True, slots=True)
class Chain:
    """What `verify` found; true where the log is whole.

    ``lines_n`` counts the lines, ``broken_at`` is the number of the first line that does not follow from the one before (the first
    line is 1), ``reason`` says why.
    """

    lines_n: int
    broken_at: int | None = None
    reason: str = ""

    def __bool__(self) -> bool:
        return self.broken_at is None


def record(city: City, action: str, *, by: str | None = None, **details: Any) -> str:
    """Append a line to the city's audit log and flush it to the disk.

    Call it before what is recorded goes out: where the line cannot be written, nothing may.

    Parameters
    ----------
    city : City
        The city.
    action : str
        What was done ("export", "brief", "sign-in").
    by : str, optional
        Name of the account that did it, "" where nobody knows; whoever `acting` names, or else the user of this machine.
    **details
        About it: audience, file, rows. Values that JSON does not know are written as text.

    Returns
    -------
    str
        Digest of the line, for `verify`.

    Raises
    ------
    AccessError
        The line cannot be written.
    """
    path = city.folder / NAME
    try:
        with FileLock(city.folder / ".audit.lock"):
            return _append(path, action, details, _user() if by is None else by)
    except OSError as error:
        raise AccessError(
            f"{path}: the audit log cannot be written ({error.strerror or error}), so {action} is refused. Make the folder writable"
        ) from error


def verify(city: City, *, holds: str | None = None) -> Chain:
    """Check that every line of the audit log follows from the one before it.

    Parameters
    ----------
    city : City
        The city. Without a log the chain is whole and has no lines.
    holds : str, optional
        A digest that `record` gave earlier; a log that no longer holds that line was cut.

    Raises
    ------
    AccessError
        The log cannot be read.
    """
    content = _content(city)
    previous, seen, number = START, holds is None, 0
    for number, line in enumerate(content.splitlines(keepends=True), start=1):
        reason = _fault(line, number, previous)
        if reason:
            return Chain(number - 1, number, reason)
        previous = hashlib.sha256(line).hexdigest()
        seen = seen or previous == holds
    return Chain(number) if seen else Chain(number, number + 1, "lines are missing at the end")


def newest(city: City, limit: int = 200) -> list[dict[str, Any]]:
    """Return the newest lines of the audit log that can be read, newest first.

    Parameters
    ----------
    city : City
        The city.
    limit : int, default 200
        Lines at most.

    Raises
    ------
    AccessError
        The log cannot be read.
    """
    entries = []
    for line in reversed(_content(city).splitlines()[-limit:]):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {"action": "unreadable"}
        entries.append(entry if isinstance(entry, dict) else {"action": "unreadable"})
    return entries


def _content(city: City) -> bytes:
    """Read the whole log; nothing where there is none."""
    path = city.folder / NAME
    try:
        return path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise AccessError(f"{path}: cannot be read ({error.strerror or error})") from error


def _append(path: Path, action: str, details: dict[str, Any], user: str) -> str:
    number, previous, torn = _end(path)
    entry: dict[str, Any] = {
        "line": number + 1,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "user": user,
        "action": action,
        "details": details,
        "previous": previous,
    }
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if torn:
            # A line whose writer was killed was never answered for; its remains are kept in the next one.
            entry["torn"] = torn.decode("utf-8", "replace")
            size -= len(torn)
        line = _encode(entry)
        os.pwrite(descriptor, line, size)
        os.ftruncate(descriptor, size + len(line))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return hashlib.sha256(line).hexdigest()


def _end(path: Path) -> tuple[int, str, bytes]:
    """Return the number of whole lines, the last one's digest, and what follows it without a line end.

    Only the end of the file is read, since sign-ins make it long; the last line tells its own number.
    """
    if not path.exists():
        return 0, START, b""
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - _TAIL)
        file.seek(start)
        tail = file.read()
    whole, end, torn = tail.rpartition(b"\n")
    if start and b"\n" not in whole:
        whole, end, torn = path.read_bytes().rpartition(b"\n")
    if not end:
        return 0, START, torn
    last = whole.rpartition(b"\n")[2]
    try:
        number = int(json.loads(last)["line"])
    except (ValueError, TypeError, KeyError):
        number = path.read_bytes().count(b"\n")
    return number, hashlib.sha256(last + b"\n").hexdigest(), torn


def _encode(entry: dict[str, Any]) -> bytes:
    text = json.dumps(entry, ensure_ascii=False, default=str)
    return (_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n").encode()


def _fault(line: bytes, number: int, previous: str) -> str:
    """Say why a line does not follow from the one before; empty where it does."""
    if not line.endswith(b"\n"):
        return "the line is cut short"
    try:
        entry = json.loads(line)
    except ValueError:
        return "the line is not JSON"
    if not isinstance(entry, dict) or entry.get("previous") != previous:
        return "the line does not hold the digest of the one before it: one of the two was changed, removed or put in"
    return "" if entry.get("line") == number else f"the line says that it is number {entry.get('line')}"


def _user() -> str:
    account = _acting.get()
    if account is not None:
        return account
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
