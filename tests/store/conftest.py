"""The store under test; every kind of store goes through the same suite, each kind a parameter here."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from cloudmap.store import Store, points
from cloudmap.store.lake import Lake
from tests.store.cluster import cluster, new_url, postgis_server, postgis_url  # noqa: F401  (fixtures)
from tests.store.writer import open_at

KINDS = ("lake", "postgis")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def new_address(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Addresses of stores of this kind that do not exist yet."""
    numbers = count(1)
    if kind == "lake":
        return lambda: str(tmp_path / f"store{next(numbers)}")
    server = request.getfixturevalue("postgis_server")
    return lambda: new_url(server)


@pytest.fixture
def address(new_address: Callable[[], str]) -> str:
    """Address of the empty store that `store` and `reopen` give."""
    made = new_address()
    open_at(made, create=True)
    return made


@pytest.fixture
def reopen(address: str) -> Callable[[], Store]:
    """Open the same empty store, as often as wanted: each call is another reader or writer of it."""
    return lambda: open_at(address)


@pytest.fixture
def store(reopen: Callable[[], Store]) -> Store:
    return reopen()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "store", create=True)


@pytest.fixture(autouse=True)
def _count_points_anew() -> None:
    points.restart()
