"""The store under test; every kind of store goes through the same suite, each kind a parameter here."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cloudmap.store import Store, points
from cloudmap.store.lake import Lake


@pytest.fixture(params=["lake"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Open the same empty store, as often as wanted: each call is another reader or writer of it."""
    kinds: dict[str, Callable[[], Store]] = {"lake": lambda: Lake.open(tmp_path / "store", create=True)}
    return kinds[request.param]


@pytest.fixture
def store(reopen: Callable[[], Store]) -> Store:
    return reopen()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "store", create=True)


@pytest.fixture(autouse=True)
def _count_points_anew() -> None:
    points.restart()
