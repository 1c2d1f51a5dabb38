"""One small Luqiao for all tests of this folder."""

import json
from pathlib import Path

import pytest

from cloudmap.samples import write_sample

SCALE = 0.02


@pytest.fixture(scope="session")
def luqiao(tmp_path_factory) -> Path:
    """Folder of the sample at a fiftieth of its size: 4,300 reports in twelve files."""
    return write_sample("luqiao", tmp_path_factory.mktemp("luqiao"), scale=SCALE)


@pytest.fixture(scope="session")
def truth(luqiao) -> dict:
    """Planted truths of that sample."""
    return json.loads((luqiao / "truth.json").read_text(encoding="utf-8"))
