"""Every notebook runs from top to bottom on small sample cities, as a reader runs it after `make demo`."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

import cloudmap as cm
from cloudmap.samples import write_sample

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))

ANSWERS = {
    "01_load": "hot",
    "02_hotspots": "neighbourhood_n",
    "03_emerging_and_scan": "no_pattern",
    "04_effort_and_silence": "党建民情通上线",
    "05_handling": "denominator_n",
    "06_risk": "p_above_2",
    "07_own_question": "per_km2_after",
}
"""What must stand in the outputs of the first three cells: the answer to the notebook's question."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the repository is after `make demo`: demo/luqiao and demo/boston, loaded and analysed, and notebooks/."""
    root = tmp_path_factory.mktemp("repository")
    (root / "notebooks").mkdir()
    write_sample("luqiao", root / "demo" / "luqiao", scale=0.05)
    write_sample("boston", root / "demo" / "boston")
    _thin(root / "demo" / "boston" / "data" / "boston_311_2015.csv.gz", every=4)
    for name in ("luqiao", "boston"):
        city = cm.open_city(root / "demo" / name)
        cm.load(city)
        cm.analyse(city)
    return root


def _thin(path: Path, *, every: int) -> None:
    """Keep one record in a few, so that the suite stays quick; a reader has them all."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    path.unlink()  # it may be a link to the repository's own file
    with gzip.open(path, "wt", encoding="utf-8", newline="", compresslevel=1) as file:
        csv.writer(file).writerows([header, *itertools.islice(rows, 0, None, every)])


@pytest.fixture(scope="module")
def kernel(demo: Path) -> Iterator[KernelManager]:
    """One kernel for all notebooks, emptied between them: half of a notebook's time is imports."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(demo / "notebooks"))
    yield manager
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_answers_its_question(path: Path, demo: Path, kernel: KernelManager) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
    NotebookClient(notebook, km=kernel, timeout=120, resources={"metadata": {"path": str(demo / "notebooks")}}).execute()
    code = [cell for cell in notebook.cells[1:] if cell.cell_type == "code"]
    answered = "".join(str(output.get("data", "")) + output.get("text", "") for cell in code[:3] for output in cell.outputs)
    assert ANSWERS[path.stem] in answered
    assert "shape: (0," not in answered
    assert not any(output.get("data", {}).get("text/plain") == "False" for cell in code for output in cell.outputs)
    assert not any(output.output_type == "stream" and output.name == "stderr" for cell in code for output in cell.outputs)
    for cell in code:
        for output in cell.outputs:
            figure = output.get("data", {}).get("application/vnd.plotly.v1+json")
            assert "https://" not in json.dumps(figure), "a figure that asks for tiles or fonts from outside"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_output_in_two_languages_with_an_exercise(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert "练习 · Exercise" in prose[-1]
    assert all(
        any("一" <= letter <= "鿿" for letter in text) and any(letter.isascii() and letter.isalpha() for letter in text) for text in prose
    )


def test_each_notebook_has_an_answer_to_look_for() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(ANSWERS)
