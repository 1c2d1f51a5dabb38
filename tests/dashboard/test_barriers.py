"""No page shuts out who sees, hears or points badly: axe-core finds nothing serious, on the wall and on the phone, light and dark."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudmap.dashboard.view import PAGES
from tests.dashboard.conftest import PHONE, WALL, Visitor, visit_with

pytestmark = pytest.mark.browser
WEB = Path(__file__).parents[2] / "web"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
WITHOUT = "CLOUDMAP_TEST_WITHOUT_AXE"
MORE = (
    "page=hotspots&measure=scan&tab=clusters&layer=unit_grid",
    "page=hotspots&tab=method",
    "page=water&tab=bands",
    "page=handling&tab=rates",
    "page=handling&tab=funnel",
    "page=handling&tab=meetings",
    "page=compare&tab=places",
    "page=cloud&layer=cell_8&auto=1&period=2018-08-03",
    "page=cloud&layer=unit_grid&place=gr150",
    "page=cloud&layer=unit_grid&within=unit_street~st004&breaks=jenks&shown=heat.names",
)
"""Tabs and states beside the first look of a page."""
FIND = """async () => (await axe.run(document, { resultTypes: ['violations'] })).violations
    .filter(found => ['serious', 'critical'].includes(found.impact))
    .map(found => `${found.id}: ${found.nodes[0].html.slice(0, 300)} (${found.nodes.length})`)"""


@pytest.fixture(scope="module")
def axe() -> str:
    """The checker, at the version that web/package.json pins: `make test` brings it."""
    if not AXE.exists():
        if os.environ.get(WITHOUT):
            pytest.skip(f"{WITHOUT} is set")
        pytest.fail(f"{AXE} is not there; run `make {AXE.relative_to(WEB.parent)}`, or set {WITHOUT}=1 to go without")
    pinned = json.loads((WEB / "package.json").read_text(encoding="utf-8"))["devDependencies"]["axe-core"]
    text = AXE.read_text(encoding="utf-8")
    assert f"axe v{pinned}" in text[:200]
    return text


def barriers(visitor: Visitor, axe: str, asked: str) -> list[str]:
    """Open a view and judge it; the layer of streets is drawn fast."""
    visitor.open(f"?{asked}" + ("" if "layer=" in asked else "&layer=unit_street"))
    visitor.page.wait_for_selector("#sheet h1, #panel h2, #panel .cm-five")
    # A table without columns is one that is not laid out yet.
    visitor.page.wait_for_function(
        "() => [...document.querySelectorAll('.ag-root-wrapper')].every(e => e.querySelector('.ag-header-cell'))"
    )
    visitor.page.evaluate(axe)
    return [f"{asked} {one}" for one in visitor.page.evaluate(FIND)]


@pytest.fixture
def looker(browser: Any, fake_port: int) -> Iterator[Visitor]:
    yield from visit_with(browser, fake_port, WALL)


@pytest.mark.parametrize("page", PAGES)
def test_no_page_has_a_serious_barrier_on_wall_or_phone_by_day_or_night(looker: Visitor, axe: str, page: str) -> None:
    found = barriers(looker, axe, f"page={page}")
    for scheme, size in (("dark", WALL), ("dark", PHONE), ("light", PHONE)):
        looker.page.set_viewport_size(size)
        looker.page.emulate_media(color_scheme=scheme)
        looker.page.wait_for_selector(f"html[data-mantine-color-scheme={scheme}]")
        looker.page.wait_for_timeout(600)  # colours pass over to the new ones
        found += [f"{page} {scheme} {size['width']} {one}" for one in looker.page.evaluate(FIND)]
    assert found == []


@pytest.mark.parametrize("asked", MORE)
def test_no_tab_has_a_serious_barrier(fake_visitor: Visitor, axe: str, asked: str) -> None:
    assert barriers(fake_visitor, axe, asked) == []
