"""Where the dashboard listens: this machine only, or for others over TLS or behind a declared proxy, and then only with accounts."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from waitress.server import create_server
from werkzeug.middleware.proxy_fix import ProxyFix

from cloudmap.dashboard.guard import Gate, is_loopback
from cloudmap.errors import AccessError

if TYPE_CHECKING:
    from cloudmap.access.accounts import Accounts

STOP_S: Final = 8
"""Seconds that requests under way are given when the server is told to stop."""
FLUSH_S: Final = 0.3
HANDSHAKE_S: Final = 5
THREADS: Final = 8


@dataclass(frozen=True, slots=True)
class Door:
    """Where to listen, and how.

    Parameters
    ----------
    host : str
        Address to bind.
    port : int
        0 lets the system choose.
    cert, key : Path, optional
        PEM files of certificate (with its chain) and private key: then TLS is spoken.
    proxy : str, optional
        Address of the proxy that speaks TLS before this server. Nobody else is answered, and it alone is believed about who asks.

    Raises
    ------
    AccessError
        Only one of certificate and key, both TLS and a proxy, or a proxy that is no address.
    """

    host: str = "127.0.0.1"
    port: int = 8050
    cert: Path | None = None
    key: Path | None = None
    proxy: str | None = None

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise AccessError("serve: --cert and --key belong together; give both, or neither")
        if self.cert is not None and self.proxy is not None:
            raise AccessError("serve: --cert and --behind-proxy exclude each other; the one that meets browsers speaks TLS")
        if self.proxy is not None:
            try:
                ipaddress.ip_address(self.proxy)
            except ValueError as error:
                raise AccessError(f"serve --behind-proxy {self.proxy!r}: want the proxy's address, e.g. 127.0.0.1") from error

    @property
    def secure(self) -> bool:
        """Whether browsers speak TLS."""
        return self.cert is not None or self.proxy is not None

    @property
    def far(self) -> bool:
        """Whether other machines can ask."""
        return self.proxy is not None or not is_loopback(self.host)

    def gate(self, accounts: Accounts | None) -> Gate:
        """Return what the app must know of this door.

        Raises
        ------
        AccessError
            Other machines could ask, and there are no accounts or what they send can be read on the way.
        """
        if self.far and accounts is None:
            raise AccessError(
                f"serve --host {self.host}: the city has no accounts yet, so whoever reaches it would see every internal number. "
                "Make one (`cloudmap user add CITY NAME --role …`), or listen on 127.0.0.1 only; to look from another machine then, "
                "forward the port over ssh (ssh -L 8050:127.0.0.1:8050 …)"
            )
        if self.far and not self.secure:
            raise AccessError(
                f"serve --host {self.host}: without TLS, passwords can be read on the way. Give --cert and --key, or, where a proxy speaks "
                "TLS before it, --behind-proxy with the proxy's address"
            )
        return Gate(accounts=accounts, secure=self.secure, far=self.far)


@contextmanager
def listening(app: Callable[..., Any], door: Door) -> Iterator[int]:
    """Serve a WSGI application in a thread while the block runs; requests under way at its end are answered first.

    Parameters
    ----------
    app : WSGI application
    door : Door

    Yields
    ------
    int
        The port.

    Raises
    ------
    AccessError
        Certificate or key cannot be used.
    """
    serve = _with_tls if door.cert is not None else _plain
    with serve(_behind(app, door.proxy) if door.proxy is not None else app, door) as port:
        yield port


def _behind(app: Callable[..., Any], proxy: str) -> Callable[..., Any]:
    """Answer one proxy only, and believe it about the browser's address, scheme and host."""
    told = ProxyFix(app, x_for=1, x_proto=1, x_host=1)

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        if environ.get("REMOTE_ADDR") != proxy or environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip() != "https":
            start("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"403 only the declared proxy is answered, for requests that came over TLS (X-Forwarded-Proto: https)"]
        return told(environ, start)

    return answer


@contextmanager
def _plain(app: Callable[..., Any], door: Door) -> Iterator[int]:
    server = create_server(
        app, host=door.host, port=door.port, threads=THREADS, ident=None, clear_untrusted_proxy_headers=door.proxy is None
    )
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield int(server.effective_port)
    finally:
        server.task_dispatcher.shutdown(timeout=STOP_S)
        time.sleep(FLUSH_S)  # the server's loop, which still runs, sends what the last requests wrote
        server.close()
        thread.join(timeout=1)


@contextmanager
def _with_tls(app: Callable[..., Any], door: Door) -> Iterator[int]:
    """Serve over TLS: waitress speaks none, cheroot does."""
    from cheroot.server import HTTPConnection
    from cheroot.ssl.builtin import BuiltinSSLAdapter
    from cheroot.wsgi import Server

    class Adapter(BuiltinSSLAdapter):
        """Leaves the handshake to a worker: in the accepting loop one silent client would stop everybody."""

        def wrap(self, sock: Any) -> tuple[Any, dict[str, str]]:
            wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            return wrapped, {"wsgi.url_scheme": "https", "HTTPS": "on"}

    class Connection(HTTPConnection):
        """Shakes hands first, and waits for the request where waiting takes no worker: browsers connect ahead of need."""

        shaken = False

        def communicate(self) -> bool:
            answer: Callable[[], bool] = super().communicate
            if self.shaken:
                return answer()
            self.shaken = True
            usual = self.socket.gettimeout()
            try:
                self.socket.settimeout(HANDSHAKE_S)
                self.socket.do_handshake()
                self.socket.settimeout(usual)
            except OSError:
                return False
            return answer() if self.socket.pending() else True

    try:
        adapter = Adapter(str(door.cert), str(door.key))
    except (OSError, ssl.SSLError) as error:
        raise AccessError(
            f"serve --cert {door.cert} --key {door.key}: cannot be used ({error}). Want PEM files that belong together"
        ) from error
    adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2
    server = Server((door.host, door.port), app, numthreads=2 * THREADS, server_name="", shutdown_timeout=STOP_S, request_queue_size=64)
    server.ssl_adapter, server.ConnectionClass = adapter, Connection
    server.max_request_body_size = 8 * 1024 * 1024
    server.prepare()
    thread = Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield int(server.bind_addr[1])
    finally:
        server.stop()
        thread.join(timeout=1)
