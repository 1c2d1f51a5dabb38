from __future__ import annotations

import pytest

from cloudmap.dashboard.app import running
from cloudmap.dashboard.site import make_app
from cloudmap.dashboard.visit import visit
from cloudmap.errors import AnalysisError, StoreError
from tests.dashboard.fake_reader import FakeReader


def test_everything_the_page_asks_for_is_visited(fake: FakeReader, fake_port: int) -> None:
    visited = visit(fake_port)
    assert {"/", "/assets/map-worker.js", "/_dash-layout", "/_dash-dependencies"} <= set(visited)
    assert any(path.startswith("/assets/map.js") for path in visited)
    for layer in fake.layers():
        assert any(path.startswith(f"/map/geometry/{layer.id}/") for path in visited)
        drawn = [path for path in visited if path.startswith("/map/values") and f"layer={layer.id}&" in path]
        assert len(drawn) == {"cell_9": 7, "unit_street": 6}.get(layer.id, 3 if layer.kind in ("unit", "cell") else 0)


def test_a_missing_resource_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = FakeReader()
    monkeypatch.setattr(broken, "values", lambda *_: 1 / 0)
    with running(make_app(broken)) as port, pytest.raises(StoreError, match="answer 500 where 200 is due"):
        visit(port)


def test_nothing_to_show_is_an_error() -> None:
    def nothing() -> FakeReader:
        raise AnalysisError("nothing is analysed yet")

    with running(make_app(nothing)) as port, pytest.raises(StoreError, match="nothing to show"):
        visit(port)
