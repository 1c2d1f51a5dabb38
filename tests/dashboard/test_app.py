"""The server itself: where it binds, and how it ends."""

import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress

import pytest

from cloudmap.city import open_city
from cloudmap.dashboard.app import serve
from cloudmap.errors import AccessError


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_an_address_that_others_can_reach_is_refused(analysed_city, host):
    with pytest.raises(AccessError, match=r"127\.0\.0\.1"):
        serve(open_city(analysed_city), host=host, port=_free_port())


def test_fault_90_a_stop_signal_lets_the_request_under_way_end_and_the_process_too(analysed_city):
    port = _free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "cloudmap.cli", "serve", str(analysed_city), "--port", str(port)], stdout=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as page:
                assert page.status == 200
                break
            time.sleep(0.2)
        answers = []

        def ask():
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_dash-layout", timeout=30) as layout:
                answers.append((layout.status, len(layout.read())))

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.05)
        server.terminate()
        assert server.wait(timeout=12) == 0
        asking.join(timeout=5)
        assert answers
        assert answers[0][0] == 200
    finally:
        server.kill()
