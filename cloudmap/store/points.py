"""Named points of a load, where tests kill the process or let a write fail.

``CLOUDMAP_KILL_AT=in-commit`` ends the process there with SIGKILL, as a power cut would. ``CLOUDMAP_FAIL_AT=part-written:3:EIO`` raises
that operating system error the third time the point is reached (ENOSPC where none is named); ``*`` stands for any point, so that a
test can fail the first, second, third ... write of a load in a loop. Without these variables a point costs two look-ups.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from typing import Final

POINTS: Final = (
    "draft-opened",
    "part-written",
    "part-renamed",
    "before-commit",
    "in-commit",
    "after-commit",
    "result-written",
)
"""What a load and an analysis on a lake pass."""

OTHER_POINTS: Final = ("rows-copied", "in-upgrade", "backup-part-written", "backup-written", "backup-renamed", "in-restore")
"""What a load into a server passes beside them, and what upgrades, backups and restoring pass."""

_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Tell that the process is at a named point.

    Parameters
    ----------
    name : str
        One of `POINTS` or `OTHER_POINTS`.

    Raises
    ------
    ValueError
        No such point.
    OSError
        ``CLOUDMAP_FAIL_AT`` asks for a failure here.
    """
    if name not in POINTS and name not in OTHER_POINTS:
        raise ValueError(f"no point {name!r}; known: {', '.join((*POINTS, *OTHER_POINTS))}")
    if os.environ.get("CLOUDMAP_KILL_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
    wanted = os.environ.get("CLOUDMAP_FAIL_AT")
    if wanted:
        _fail(name, wanted)


def restart() -> None:
    """Forget how often points were reached; the count for ``CLOUDMAP_FAIL_AT`` starts again."""
    _reached.clear()


def _fail(name: str, wanted: str) -> None:
    at, _, rest = wanted.partition(":")
    nth, _, code = rest.partition(":")
    if at not in (name, "*"):
        return
    _reached[wanted] += 1
    if _reached[wanted] == int(nth or 1):
        number = getattr(errno, code or "ENOSPC")
        raise OSError(number, os.strerror(number), name)
