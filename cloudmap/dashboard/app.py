"""Serve the dashboard, on this machine only."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Final

from waitress.server import create_server

from cloudmap.dashboard.guard import refuse_outside
from cloudmap.dashboard.site import make_app
from cloudmap.dashboard.visit import visit
from cloudmap.pipeline import read

if TYPE_CHECKING:
    from dash import Dash

    from cloudmap.access.reader import Reader
    from cloudmap.city import City

STOP_S: Final = 8
"""Seconds that requests under way are given when the server is told to stop."""
FLUSH_S: Final = 0.3
FRESH_S: Final = 2.0
"""Seconds for which a reader is taken to be the newest without asking the store."""


def newest_reader(city: City) -> Callable[[], Reader]:
    """Return a callable that gives a reader of the city's newest analysis, for an internal audience.

    Parameters
    ----------
    city : City

    Returns
    -------
    callable
        Raises AnalysisError while nothing is analysed, StoreError where there is no store.
    """
    lock = Lock()
    kept: list[tuple[Reader, float]] = []

    def current() -> Reader:
        with lock:
            now = time.monotonic()
            if not kept or (now - kept[0][1] > FRESH_S and kept[0][0].is_stale()):
                kept[:] = [(read(city), now)]
            elif now - kept[0][1] > FRESH_S:
                kept[0] = (kept[0][0], now)
            return kept[0][0]

    return current


@contextmanager
def running(app: Dash, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Serve an app in a thread while the block runs.

    Parameters
    ----------
    app : Dash
    host : str
        A loopback address.
    port : int
        0 lets the system choose.

    Yields
    ------
    int
        The port.

    Raises
    ------
    AccessError
        `host` can be reached from other machines.
    """
    refuse_outside(host)
    server = create_server(app.server, host=host, port=port, threads=8, ident=None)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield int(server.effective_port)
    finally:
        server.task_dispatcher.shutdown(timeout=STOP_S)
        time.sleep(FLUSH_S)  # the server's loop, which still runs, sends what the last requests wrote
        server.close()
        thread.join(timeout=1)


def serve(city: City, *, host: str = "127.0.0.1", port: int = 8050) -> None:
    """Serve a city's dashboard until the process is told to stop; requests under way are answered first, for `STOP_S` at most.

    Parameters
    ----------
    city : City
    host : str, default "127.0.0.1"
        A loopback address: accounts come with a later release.
    port : int, default 8050

    Raises
    ------
    AccessError
        `host` can be reached from other machines.
    """
    refuse_outside(host)
    stop = Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda _number, _frame: stop.set())
    with running(make_app(newest_reader(city)), host=host, port=port):
        stop.wait()


def serve_once(city: City, *, host: str = "127.0.0.1", port: int = 8050) -> list[str]:
    """Serve a city's dashboard, ask for everything that the page asks for, and end.

    Parameters
    ----------
    city : City
    host : str, default "127.0.0.1"
    port : int, default 8050

    Returns
    -------
    list of str
        The addresses that answered.

    Raises
    ------
    AccessError
        `host` can be reached from other machines.
    StoreError
        An address did not answer, or there is nothing to show.
    """
    with running(make_app(newest_reader(city)), host=host, port=port) as listening:
        return visit(listening, host=host)
