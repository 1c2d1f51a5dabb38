from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from cloudmap import schema

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("glossary", ROOT / "tools" / "glossary.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_glossary_is_up_to_date(generator):
    message = "GLOSSARY.md is out of date: run `.venv/bin/python tools/glossary.py`"
    assert (ROOT / "GLOSSARY.md").read_text(encoding="utf-8") == generator.glossary(), message


def test_every_column_and_value_is_explained_in_two_languages(generator):
    text = generator.glossary()
    for table in (schema.CLEAN, schema.QUARANTINE, schema.CUBE, schema.located_table(schema.LEVELS, (8, 9, 10))):
        for column in table.columns:
            assert f"| `{column.name}` |" in text
            assert column.meaning
            assert column.meaning_zh
    for value in (*schema.LEDGER_CLASSES, *schema.POSITIONS, *schema.STATES, *schema.REPAIRS):
        assert f"`{value}` " in text


def test_each_term_stands_once_with_its_chinese(generator):
    rows = [line.split(" | ") for line in generator.glossary().split("## Data dictionary")[0].splitlines() if line.startswith("| ")][2:]
    terms = [row[0].removeprefix("| ") for row in rows]
    assert len(terms) == len(set(terms)) > 50
    assert all(any("一" <= letter <= "鿿" for letter in row[1]) or row[1].startswith(("p", "q", "Gi")) for row in rows)


def test_check_says_when_the_file_is_old(generator, tmp_path, monkeypatch):
    monkeypatch.setattr(generator, "TARGET", tmp_path / "GLOSSARY.md")
    assert generator.main(["--check"]) == 1
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0
