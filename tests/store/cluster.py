"""A PostgreSQL server with PostGIS for the tests: one of this process's own, or the one that CLOUDMAP_TEST_POSTGIS names."""

import os
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

TOOL = Path(__file__).parents[2] / "tools" / "postgis-cluster"


class Cluster:
    """A cluster that a test may stop, restart and crash."""

    def __init__(self) -> None:
        # Not below pytest's own folder, which the server's user cannot enter.
        self.folder = tempfile.mkdtemp(prefix="cloudmap-postgis-")
        self.url = self._tool("start")

    def restart(self, mode: str = "immediate") -> None:
        """Restart it; immediate is what a crash does."""
        self._tool("restart", mode)

    def stop(self) -> None:
        self._tool("stop")

    def start(self) -> None:
        self._tool("start")

    def remove(self) -> None:
        self._tool("remove")

    def _tool(self, verb: str, *more: str) -> str:
        done = subprocess.run(["bash", str(TOOL), verb, self.folder, *more], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{TOOL.name} {verb}: {done.stderr}"
        return done.stdout.strip()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.remove()


@pytest.fixture(scope="session")
def postgis_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a database in which tests make schemas of their own, named test_*."""
    given = os.environ.get("CLOUDMAP_TEST_POSTGIS")
    yield given or request.getfixturevalue("cluster").url
    if given:
        with psycopg.connect(given, autocommit=True) as connection:
            for (name,) in connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'test\\_%'").fetchall():
                connection.execute(f'DROP SCHEMA "{name}" CASCADE')


@pytest.fixture
def postgis_url(postgis_server: str) -> str:
    """URL of an empty store."""
    return new_url(postgis_server)


def new_url(server: str) -> str:
    return f"{server}{'&' if '?' in server else '?'}schema=test_{uuid.uuid4().hex[:12]}"


def execute(url: str, statement: str) -> list[tuple]:
    """Run statements in a store's schema, as its administrator would; return what the last one answers."""
    server, _, schema = url.partition("schema=")
    with psycopg.connect(server.rstrip("?&"), autocommit=True) as connection:
        connection.execute(f"SET search_path = {schema or 'public'}, public")
        cursor = connection.execute(statement)
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []
