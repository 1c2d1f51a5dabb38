"""Another process at the store, for the fault tests: it loads, waits where it is told to, and may be killed at a named point.

Processes are forked from a server that has imported everything and done nothing: a new interpreter would take a second each.
"""

import multiprocessing
import os
import signal
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cloudmap.store import Store
from cloudmap.store.backup import opened_backup, restore, write_backup
from cloudmap.store.lake import Lake
from cloudmap.store.postgis import Postgis
from tests.store.facts import entry, fill, key, reports

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


def open_at(address: str | Path, **options: Any) -> Store:
    """Open the store at a folder or URL."""
    return Postgis.open(str(address), **options) if "://" in str(address) else Lake.open(address, **options)


class Writer:
    """A process that does one thing: init, load, hold (load, but wait before the commit), result, backup or restore."""

    def __init__(self, address: object, verb: str, *rest: object, **environment: str) -> None:
        self._pipe, theirs = _processes.Pipe()
        arguments = [str(one) for one in (address, verb, *rest)]
        self._process = _processes.Process(target=_run, args=(theirs, environment, arguments))
        self._process.start()
        theirs.close()

    def wait_until_written(self) -> None:
        assert self._pipe.recv() == "written"

    def go_on(self) -> None:
        self._pipe.send("go on")

    def finish(self) -> Any:
        """Wait for its end, and return what it answered."""
        answer = self._pipe.recv()
        self._process.join(60)
        assert self._process.exitcode == 0, answer
        return answer

    def must_be_killed(self) -> None:
        """Wait for its end, which the named point must have brought about."""
        self._process.join(60)
        said = self._pipe.recv() if self._process.exitcode == 0 else ""
        assert self._process.exitcode == -signal.SIGKILL, f"the point was not reached: {said}"


def _run(pipe: Connection, environment: dict[str, str], arguments: list[str]) -> None:
    os.environ.update(environment)
    time.tzset()
    try:
        pipe.send(_do(pipe, *arguments))
    except BaseException:
        pipe.send(traceback.format_exc())
        raise


def _do(pipe: Connection, address: str, verb: str, *rest: str) -> Any:
    if verb in ("init", "upgrade"):
        open_at(address, create=verb == "init")
        return None
    if verb == "restore":
        with opened_backup(rest[0]) as whole:
            return restore(whole, open_at(address, create=True))
    store = open_at(address)
    if verb == "backup":
        return write_backup(store, rest[0])
    if verb == "result":
        return store.save_result("cube", rest[0], reports(range(5)), {"load": 1})
    name, first, last = rest
    frame = reports(range(int(first), int(last)))
    with store.draft(key(name), file=f"{name}.csv") as draft:
        fill(draft, frame)
        if verb == "hold":
            pipe.send("written")
            pipe.recv()
        record = draft.commit(entry(frame, f"{name}.csv"))
        return record.load_seq, draft.already
