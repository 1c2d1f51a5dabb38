"""Readers over made-up numbers, and an audit log that is only listened to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.publish.fake_reader import FakeReader


@pytest.fixture
def fake(tmp_path: Path) -> Callable[..., FakeReader]:
    def make(**settings: Any) -> FakeReader:
        return FakeReader(tmp_path, **settings)

    return make


@pytest.fixture
def reader(fake: Callable[..., FakeReader]) -> FakeReader:
    return fake()


@pytest.fixture(autouse=True)
def audited(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Collect what would be written to the audit log: (action, detail)."""
    heard: list[tuple[str, dict[str, Any]]] = []
    listener = ModuleType("cloudmap.access.audit")
    listener.record = lambda city, action, **detail: heard.append((action, detail))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cloudmap.access.audit", listener)
    return heard
