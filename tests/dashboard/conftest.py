"""Served pages and a browser that forgives nothing: no outside request, no console message, no dialog."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from cloudmap.dashboard.app import running
from cloudmap.dashboard.site import make_app
from tests.dashboard.fake_reader import FakeReader

WALL = {"width": 1920, "height": 1080}
DESK = {"width": 1280, "height": 800}  # pixels cost time where a processor draws them
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def fake() -> FakeReader:
    return FakeReader(exposure="population")


@pytest.fixture(scope="session")
def real_reader(request: pytest.FixtureRequest) -> Any:
    """The reader of a real store: the small city of the suite, or the loaded and analysed folder that CLOUDMAP_TEST_CITY names."""
    from cloudmap.city import open_city
    from cloudmap.pipeline import read

    return read(open_city(os.environ.get("CLOUDMAP_TEST_CITY") or request.getfixturevalue("analysed_city")))


@pytest.fixture(scope="session")
def client(fake: FakeReader) -> FlaskClient:
    return make_app(fake).server.test_client()


@pytest.fixture(scope="session")
def fake_port(fake: FakeReader) -> Iterator[int]:
    with running(make_app(fake)) as port:
        yield port


@pytest.fixture(scope="session", params=["fake", "real_reader"])
def reader(request: pytest.FixtureRequest) -> Any:
    """Either reader: what the page shows is compared with it through the reader's own methods only."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def port(reader: Any) -> Iterator[int]:
    with running(make_app(reader)) as listening:
        yield listening


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    # The map is drawn by the processor, and that is enough: the page around it is put together without a GPU that is not there.
    flags = [
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--ignore-gpu-blocklist",
        "--disable-gpu-compositing",
        "--no-sandbox",
    ]
    return {"executable_path": "/usr/bin/chromium", "args": flags}


class Visitor:
    """A page in the browser, and what it did."""

    def __init__(self, page: Any, port: int) -> None:
        self.page, self.port = page, port
        self.requests: list[str] = []
        self.troubles: list[str] = []
        page.set_default_timeout(60_000)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", self._told)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error} {error.stack}"))
        page.on("requestfailed", self._failed)
        page.on("dialog", lambda dialog: (self.troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def _told(self, message: Any) -> None:
        # With the flags of these tests every picture of the map is read back; that it takes time is no trouble of the page.
        if "GPU stall due to ReadPixels" in message.text:
            return
        self.troubles.append(f"{message.type}: {message.text} ({message.location['url']}:{message.location['columnNumber']})")

    def _failed(self, request: Any) -> None:
        # What a page had asked for when it was left is aborted by the browser, not by the server.
        if "ERR_ABORTED" not in str(request.failure):
            self.troubles.append(f"failed: {request.url} {request.failure}")

    def open(self, query: str = "") -> None:
        self.page.goto(f"http://127.0.0.1:{self.port}/{query}")
        self.ready()

    def ready(self, before: str | None = None) -> str:
        """Wait until the map has drawn a view other than the one before, and return its key."""
        drawn = "before => { const key = document.documentElement?.dataset.ready; return key && key !== before && key; }"
        return str(self.page.wait_for_function(drawn, arg=before).json_value())

    def beside(self) -> None:
        """Wait until what stands beside the map is of the same view."""
        under_way = (
            "body[data-behind~=panel], body[data-behind~=standing], #panel[data-dash-is-loading=true], #standing[data-dash-is-loading=true]"
        )
        self.page.wait_for_function("under_way => !document.querySelector(under_way)", arg=under_way)

    def key(self) -> str:
        return str(self.page.evaluate("() => document.documentElement.dataset.ready"))

    def state(self) -> dict[str, Any]:
        return dict(self.page.evaluate("() => window.cloudmap.state()"))

    def legend(self) -> dict[int, str]:
        rows = self.page.evaluate(
            "() => [...document.querySelectorAll('.cm-map-legend tr')].map(r => [r.dataset.code, r.querySelector('.n').textContent])"
        )
        return {int(code): n for code, n in rows}

    def pick(self, control: str, label: str) -> str:
        """Choose an option of a select by its words; return the key of the view then drawn."""
        before = self.key()
        self.page.locator(f"#{control}").click()
        self.page.get_by_role("option", name=label, exact=True).click()
        return self.ready(before)

    def press(self, selector: str) -> str:
        before = self.key()
        self.page.locator(selector).click()
        return self.ready(before)

    def strangers(self) -> list[str]:
        """Requests that left this machine; data and blob addresses do not leave the page."""
        return [url for url in self.requests if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).hostname != "127.0.0.1"]


@pytest.fixture
def visitor(browser: Any, port: int) -> Iterator[Visitor]:
    """A desk screen on either reader."""
    yield from visit_with(browser, port, DESK)


@pytest.fixture
def fake_visitor(browser: Any, fake_port: int) -> Iterator[Visitor]:
    """A desk screen on the fake reader."""
    yield from visit_with(browser, fake_port, DESK)


@pytest.fixture
def phone(browser: Any, fake_port: int) -> Iterator[Visitor]:
    """A phone on the fake reader."""
    yield from visit_with(browser, fake_port, PHONE)


def visit_with(browser: Any, port: int, size: dict[str, int]) -> Iterator[Visitor]:
    context = browser.new_context(viewport=size, has_touch=size is PHONE, locale="zh-CN")
    visitor = Visitor(context.new_page(), port)
    yield visitor
    context.close()
    assert visitor.strangers() == []
    assert visitor.troubles == []
