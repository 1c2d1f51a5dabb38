"""Every notebook runs from top to bottom on a small sample city, as a reader runs it after `make demo`."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import cloudmap as cm
from cloudmap.samples import write_sample

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the repository is after `make demo`: demo/luqiao, loaded and analysed, and notebooks/."""
    root = tmp_path_factory.mktemp("repository")
    (root / "notebooks").mkdir()
    write_sample("luqiao", root / "demo" / "luqiao", scale=0.05)
    city = cm.open_city(root / "demo" / "luqiao")
    cm.load(city)
    cm.analyse(city)
    return root


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_answers_its_question(path: Path, demo: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(demo / "notebooks")}}).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    answered = "".join(str(output.get("data", "")) + output.get("text", "") for cell in code[:3] for output in cell.outputs)
    assert "hot" in answered
    assert "shape: (0," not in answered
    assert not any(output.get("data", {}).get("text/plain") == "False" for cell in code for output in cell.outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_output_in_two_languages_with_an_exercise(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert "练习 · Exercise" in prose[-1]
    assert all(
        any("一" <= letter <= "鿿" for letter in text) and any(letter.isascii() and letter.isalpha() for letter in text) for text in prose
    )
