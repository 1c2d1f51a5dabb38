"""Serve the dashboard: on this machine, or for others where there are accounts and TLS."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Final

from cloudmap.access.accounts import Accounts, have_accounts
from cloudmap.access.audience import Audience
from cloudmap.access.scope import narrowed
from cloudmap.dashboard.guard import audience, gate_of
from cloudmap.dashboard.listen import Door, listening
from cloudmap.dashboard.pages import PAGES
from cloudmap.dashboard.shell import shell
from cloudmap.dashboard.site import make_app, view_data
from cloudmap.dashboard.standing import standing
from cloudmap.dashboard.text import words
from cloudmap.dashboard.view import read_view
from cloudmap.dashboard.visit import visit
from cloudmap.errors import AccessError, CloudmapError
from cloudmap.pipeline import read

if TYPE_CHECKING:
    from dash import Dash

    from cloudmap.access.reader import Reader
    from cloudmap.city import City

FRESH_S: Final = 2.0
"""Seconds for which a reader is taken to be the newest without asking the store."""


def newest_reader(city: City) -> Callable[[], Reader]:
    """Return a callable that gives a reader of the city's newest analysis for whoever asks.

    Parameters
    ----------
    city : City

    Returns
    -------
    callable
        Raises AnalysisError while nothing is analysed, StoreError where there is no store, AccessError where nobody is signed in.
    """
    lock = Lock()
    kept: dict[Audience, tuple[Reader, float, dict[Audience, Reader]]] = {}

    def current() -> Reader:
        who = audience()
        whole = Audience(who.kind, who.restricted)
        with lock:
            now = time.monotonic()
            if whole not in kept or (now - kept[whole][1] > FRESH_S and kept[whole][0].is_stale()):
                kept[whole] = (read(city, audience=whole), now, {})
            elif now - kept[whole][1] > FRESH_S:
                kept[whole] = (kept[whole][0], now, kept[whole][2])
            reader, _, narrow = kept[whole]
            # Who differs by units only sees the same counts: one reader holds them for all.
            return reader if who == whole else narrow.setdefault(who, narrowed(reader, who))

    return current


@contextmanager
def running(app: Dash, *, host: str = "127.0.0.1", port: int = 0, door: Door | None = None) -> Iterator[int]:
    """Serve an app in a thread while the block runs.

    Parameters
    ----------
    app : Dash
    host : str
        A loopback address, unless the app has accounts.
    port : int
        0 lets the system choose.
    door : Door, optional
        In place of host and port: with a certificate, or behind a proxy.

    Yields
    ------
    int
        The port.

    Raises
    ------
    AccessError
        Other machines could ask, without accounts or without TLS.
    """
    door = door or Door(host, port)
    if door.gate(gate_of(app).accounts) != gate_of(app):
        raise AccessError(f"the app was made for another door than {door}; make it with `gate=door.gate(accounts)`")
    with listening(app.server, door) as chosen:
        yield chosen


def serve(
    city: City,
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    cert: Path | None = None,
    key: Path | None = None,
    proxy: str | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Serve a city's dashboard until the process is told to stop; requests under way are answered first, for `STOP_S` at most.

    Parameters
    ----------
    city : City
        With accounts, everybody signs in, on this machine too.
    host : str, default "127.0.0.1"
        Address to bind; other than loopback only with accounts, and TLS or a proxy.
    port : int, default 8050
    cert, key : Path, optional
        PEM files: then TLS is spoken.
    proxy : str, optional
        Address of the proxy that speaks TLS before this server.
    ready : callable, optional
        Called once the server answers: the first view is worked out before.

    Raises
    ------
    AccessError
        Other machines could ask, without accounts or without TLS.
    """
    door = Door(host, port, cert, key, proxy)
    gate = door.gate(Accounts(city) if have_accounts(city) else None)
    stop = Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda _number, _frame: stop.set())
    current = newest_reader(city)
    app = make_app(current, gate, city)
    with app.server.app_context():
        _prepare(current)
    with running(app, door=door):
        if ready is not None:
            ready()
        stop.wait()


def _prepare(current: Callable[[], Reader]) -> None:
    """Work the first view out before anybody can ask for it: most of it (sums of all cases, say) serves every other view too."""
    try:
        reader = current()
        view = read_view("", reader)
        view_data(view, reader, "")
        shell(view, reader)
        standing(view, reader, words(view.lang))
        PAGES[view.page].content(view, reader, words(view.lang))
    except CloudmapError:
        return  # nothing is loaded or analysed yet; the page says so in words


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
    with running(make_app(newest_reader(city), city=city), host=host, port=port) as listening:
        return visit(listening, host=host)
