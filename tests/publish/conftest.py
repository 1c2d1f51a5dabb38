"""Readers over made-up numbers, and the audit log that their city keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cloudmap.publish import maps
from tests.publish.fake_reader import FakeReader


@pytest.fixture
def fake(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., FakeReader]:
    folder = tmp_path_factory.mktemp("city")

    def make(**settings: Any) -> FakeReader:
        return FakeReader(folder, **settings)

    return make


@pytest.fixture
def reader(fake: Callable[..., FakeReader]) -> FakeReader:
    return fake()


@pytest.fixture
def audited(reader: FakeReader) -> Callable[[], list[dict[str, Any]]]:
    """Read the city's audit log: action and details of every line."""

    def lines() -> list[dict[str, Any]]:
        log = reader.city.folder / "audit.log"
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []

    return lines


@pytest.fixture
def small_maps(monkeypatch):
    """Draw every map coarsely: these tests look at words and numbers."""
    drawn = cache(lambda: maps.map_png(FakeReader(Path("/nowhere")), dpi=10))
    monkeypatch.setattr("cloudmap.publish.content.maps", SimpleNamespace(map_png=lambda *_, **__: drawn(), SVG_SHAPES_MAX=-1))
