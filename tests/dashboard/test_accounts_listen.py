"""Where the dashboard listens: what is refused, TLS, and the declared proxy."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from cloudmap.access.accounts import Accounts
from cloudmap.dashboard.app import running, serve
from cloudmap.dashboard.guard import Gate
from cloudmap.dashboard.listen import Door
from cloudmap.dashboard.site import make_app
from cloudmap.errors import AccessError
from tests.dashboard.fake_reader import FakeReader
from tests.dashboard.people import PASSWORD, made_city


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Accounts:
    made = Accounts(made_city(tmp_path_factory.mktemp("listen")))
    made.add("zhang.san", role="planner", password=PASSWORD)
    return made


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(["openssl", "req", *kind, *name, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key


def get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20", "example.org"])
def test_others_are_let_near_only_with_accounts_and_tls(accounts: Accounts, tmp_path: Path, host: str) -> None:
    with pytest.raises(AccessError, match="no accounts yet"):
        serve(made_city(tmp_path), host=host)
    with pytest.raises(AccessError, match="no accounts yet"):
        serve(made_city(tmp_path), host=host, proxy="127.0.0.1")
    with pytest.raises(AccessError, match="without TLS"):
        serve(accounts.city, host=host)
    assert Door(host, proxy="10.0.0.5").gate(accounts) == Gate(accounts, secure=True, far=True)
    assert Door(host, cert=Path("c"), key=Path("k")).gate(accounts) == Gate(accounts, secure=True, far=True)


def test_this_machine_alone_needs_neither(accounts: Accounts) -> None:
    assert Door().gate(None) == Gate()
    assert Door().gate(accounts) == Gate(accounts)


def test_a_proxy_makes_even_loopback_reachable(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="no accounts yet"):
        serve(made_city(tmp_path), proxy="127.0.0.1")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"cert": Path("c")}, "belong together"),
        ({"key": Path("k")}, "belong together"),
        ({"cert": Path("c"), "key": Path("k"), "proxy": "127.0.0.1"}, "exclude"),
        ({"proxy": "nginx"}, "address"),
        ({"proxy": "*"}, "address"),
    ],
)
def test_doors_that_cannot_be(options: dict[str, Any], why: str) -> None:
    with pytest.raises(AccessError, match=why):
        Door(**options)


def test_an_app_stands_only_behind_the_door_that_it_was_made_for(accounts: Accounts) -> None:
    bare = make_app(FakeReader())
    with pytest.raises(AccessError), running(bare, door=Door("0.0.0.0", 0, proxy="127.0.0.1")):
        pass
    with pytest.raises(AccessError), running(make_app(FakeReader(), Gate(accounts)), door=Door(port=0, proxy="127.0.0.1")):
        pass


def test_unusable_certificates_are_named(accounts: Accounts, tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("no certificate")
    door = Door(port=0, cert=tmp_path / "c.pem", key=tmp_path / "c.pem")
    with pytest.raises(AccessError, match=r"c\.pem"), running(make_app(FakeReader(), door.gate(accounts)), door=door):
        pass


def test_only_the_declared_proxy_is_answered_and_believed(accounts: Accounts) -> None:
    from_proxy = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7", "X-Forwarded-Host": "map.example"}
    door = Door(port=0, proxy="127.0.0.1")
    with running(make_app(FakeReader(), door.gate(accounts)), door=door) as port:
        status, headers = get(port, "/signin", from_proxy)
        assert status == 200
        assert "Secure" in headers["Set-Cookie"]
        assert get(port, "/_dash-layout", from_proxy)[0] == 401
        assert get(port, "/signin")[0] == 403  # somebody who went round the proxy, or a proxy without TLS
        assert get(port, "/signin", from_proxy | {"X-Forwarded-Proto": "http"})[0] == 403
        assert get(port, "/signin", from_proxy | {"X-Forwarded-Proto": "https, http"})[0] == 403
    other = Door(port=0, proxy="192.0.2.9")
    with running(make_app(FakeReader(), other.gate(accounts)), door=other) as port:
        assert get(port, "/signin", from_proxy)[0] == 403


def test_without_a_proxy_nobody_is_believed_about_where_they_come_from(accounts: Accounts) -> None:
    with running(make_app(FakeReader(), Gate(accounts))) as port:
        for k in range(30):  # a new made-up address each time must not help
            body = f"name=x{k}&password=y"
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            headers = {"X-Forwarded-For": f"203.0.113.{k}", "Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/signin", body=body, headers=headers)
            assert connection.getresponse().status == 400
            connection.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1")
def test_tls_is_spoken_and_one_silent_client_stops_nobody(accounts: Accounts, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    door = Door(port=0, cert=cert, key=key)
    trust = ssl.create_default_context(cafile=str(cert))
    with running(make_app(FakeReader(), door.gate(accounts)), door=door) as port:
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
        time.sleep(0.1)
        start = time.perf_counter()
        connection = http.client.HTTPSConnection("localhost", port, context=trust, timeout=20)
        for path, status in (("/signin", 200), ("/_dash-layout", 401), ("/signin/style.css", 200)):  # one connection, kept
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
        assert time.perf_counter() - start < 4
        assert "__Host-cloudmap-" in _cookie(connection)
        connection.close()
        plain = socket.create_connection(("127.0.0.1", port))
        plain.sendall(b"GET /signin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" not in plain.recv(1000)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, OSError)):
            old.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10))
        for one in (*silent, plain):
            one.close()


def _cookie(connection: http.client.HTTPSConnection) -> str:
    connection.request("GET", "/signin")
    answer = connection.getresponse()
    answer.read()
    return answer.headers["Set-Cookie"]


def test_a_posted_body_comes_through_tls_whole(accounts: Accounts, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    door = Door(port=0, cert=cert, key=key)
    with running(make_app(FakeReader(), door.gate(accounts)), door=door) as port:
        connection = http.client.HTTPSConnection("localhost", port, context=ssl.create_default_context(cafile=str(cert)), timeout=20)
        connection.request("POST", "/_dash-update-component", json.dumps({"output": "x" * 300_000}), {"Content-Type": "application/json"})
        assert connection.getresponse().status == 401
        connection.close()
