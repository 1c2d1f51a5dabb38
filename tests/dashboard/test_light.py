"""Plain content goes as text that the browser builds: nothing is lost, nothing becomes markup, and live parts stay components."""

from __future__ import annotations

import json
from typing import Any

from dash import dcc, html

from cloudmap.dashboard.light import ATTRIBUTE, FEW, lighten
from tests.dashboard.conftest import Visitor
from tests.dashboard.fake_reader import EVIL


def rows(n: int) -> list[Any]:
    return [html.Tr([html.Td(f"r{i}", className="n", **{"data-code": i}), html.Td(i, colSpan=2)]) for i in range(n)]


def test_a_plain_part_becomes_text_with_all_that_it_says() -> None:
    table = lighten(html.Table(rows(5), id="t"))
    assert table.children is None
    assert json.loads(getattr(table, ATTRIBUTE))[4] == [
        "tr", {}, [["td", {"class": "n", "data-code": 4}, ["r4"]], ["td", {"colspan": 2}, ["4"]]],
    ]  # fmt: skip


def test_small_and_live_parts_stay_components() -> None:
    small = lighten(html.P(["a", html.Strong("b")]))
    assert not hasattr(small, ATTRIBUTE)
    mixed = lighten(html.Div([html.Table(rows(FEW)), dcc.Graph(id="g")]))
    assert not hasattr(mixed, ATTRIBUTE)
    assert hasattr(mixed.children[0], ATTRIBUTE)
    assert isinstance(mixed.children[1], dcc.Graph)
    assert lighten(None) is None
    assert [type(one) for one in lighten([html.P("a"), "b"])] == [html.P, str]


def test_no_page_holds_more_components_than_a_browser_can_compare(fake_visitor: Visitor) -> None:
    """Names are text (one of them is an attack), numbers lead on, and what is built can be counted."""
    visitor, seen = fake_visitor, list[int]()

    def counted(answer: Any) -> None:
        if "/_dash-update-component" in answer.url and answer.status == 200:
            seen.append(components_n(answer.json()))

    visitor.page.on("response", counted)
    visitor.open("?lang=en")
    visitor.page.wait_for_selector("#standing table td", state="attached")
    for page in ("handling", "hotspots", "quality", "help"):
        visitor.open(f"?page={page}&lang=en")
    assert max(seen) < 300
    assert visitor.page.locator("img[src='x']").count() == 0
    assert EVIL not in visitor.page.content()


def components_n(content: Any) -> int:
    """Count the components in an answer."""
    if isinstance(content, dict):
        return ("namespace" in content and "type" in content) + sum(components_n(one) for one in content.values())
    return sum(components_n(one) for one in content) if isinstance(content, list) else 0
