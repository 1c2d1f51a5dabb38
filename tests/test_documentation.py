"""What a user can type, set, read or run into is told somewhere: a new one without its text fails here."""

from __future__ import annotations

import ast
import csv
import doctest
import importlib
import importlib.util
import inspect
import re
import types
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import BaseModel

import cloudmap as cm
from cloudmap import errors, schema
from cloudmap.access.statistics import STATISTICS
from cloudmap.access.views import MEASURES
from cloudmap.city import City
from cloudmap.errors import CloudmapError
from tests.conftest import report_lines, write_city

ROOT = Path(__file__).parents[1]
ROLES = ("official", "planner", "analyst", "administrator")
HEADINGS = {
    "zh-Hans": ("您看到什么", "星期一做什么", "词是什么意思", "这些数不说明什么"),
    "en": ("What you see", "What to do on Monday", "What the words mean", "What the numbers do not say"),
}


def _tool(name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _rows(name: str) -> dict[str, list[str]]:
    with (ROOT / "tools" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return {row[0]: row[1:] for row in list(csv.reader(file, delimiter="|"))[1:]}


def _chinese(text: str) -> bool:
    return any("一" <= letter <= "鿿" for letter in text)


@pytest.fixture(scope="module")
def reference() -> types.ModuleType:
    return _tool("reference")


@pytest.fixture(scope="module")
def pages(reference: types.ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    target = tmp_path_factory.mktemp("docs") / "pages"
    return {path.relative_to(target).as_posix(): path.read_text(encoding="utf-8") for path in reference.write_pages(target)}


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


# Commands


def test_every_command_and_option_says_what_it_does(reference: types.ModuleType) -> None:
    silent = [name for name, command in reference.every_command() if not (command.help or "").strip()]
    for name, command in reference.every_command():
        silent += [f"{name} {written}" for written, _, told in reference.options(command) if not told]
    assert not silent


def test_every_command_is_in_the_readme_or_on_the_page_of_the_administrator(reference: types.ModuleType, readme: str) -> None:
    told = readme + (ROOT / "docs" / "administrator.en.md").read_text(encoding="utf-8")
    grouped = {"cloudmap user"}  # the page names some of them, `cloudmap user --help` all
    missing = [name for name, _ in reference.every_command() if name not in told and name.rpartition(" ")[0] not in grouped]
    assert not missing


def test_commands_in_the_pages_exist(reference: types.ModuleType, pages: dict[str, str]) -> None:
    known = {name for name, _ in reference.every_command()}
    groups = {name.rpartition(" ")[0] for name in known}
    for name in (*(f"{role}.{language}.md" for role in ROLES for language in HEADINGS), "index.md"):
        for line in re.findall(r"cloudmap (?!as\b)[a-z]+(?: [a-z]+)?", pages[name]):
            two = " ".join(line.split()[:2])
            assert two in known or two in groups, f"{name}: {line}"
        for option in re.findall(r"(?<!-)--[a-z][a-z-]+", pages[name]):
            everywhere = {word for _, command in reference.every_command() for one in command.params for word in one.opts}
            assert option in everywhere | {"--no-index", "--find-links"}, f"{name}: {option}"


# Settings, errors, columns, statistics


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = [one for one in (field.annotation, *get_args(field.annotation)) if isinstance(one, type) and issubclass(one, BaseModel)]
        if inner:
            yield from _settings(inner[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_every_setting_is_told_in_both_languages_and_none_that_is_gone() -> None:
    told, known = _rows("settings"), set(_settings(City)) - {"folder"}
    assert set(told) == known
    assert all(meaning and _chinese(zh) for meaning, zh in told.values())


def test_every_error_class_says_what_went_wrong_and_has_a_code_of_its_own(pages: dict[str, str]) -> None:
    classes = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, CloudmapError)]
    page = pages["reference/errors.md"]
    for one in classes:
        assert one.__doc__
        assert f"| {one.exit_code} | `{one.__name__}` |" in page
    assert len({one.exit_code for one in classes}) == len(classes)
    own = inspect.getdoc(errors) or ""
    assert all(one.__name__ in own for one in classes)


def test_every_table_of_the_schema_is_in_the_glossary_with_both_languages() -> None:
    glossary = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
    for table in (one for one in vars(schema).values() if isinstance(one, schema.Table)):
        assert f"### `{table.name}`" in glossary, table.name
        for column in table.columns:
            assert column.meaning, column.name
            assert _chinese(column.meaning_zh), column.name


def test_every_statistic_and_measure_is_told_in_both_languages_and_none_that_is_gone() -> None:
    told = _rows("statistics")
    assert set(told) == set(STATISTICS) | set(MEASURES)
    assert all(_chinese(zh) and meaning for zh, meaning, *_ in told.values())


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    """The small city with two years of reports, which every verb can answer for; loaded, analysed, and its forecasts tried."""
    lines = []
    for part in range(5):
        for line in report_lines(900, seed=part, prefix=f"P{part}"):
            fields = line.split(",")
            for at in (2, 3):
                fields[at] = str(datetime.fromisoformat(fields[at]) - timedelta(days=150 * part)) if fields[at] else ""
            lines.append(",".join(fields))
    opened = cm.open_city(write_city(tmp_path_factory.mktemp("documented") / "three", lines))
    cm.load(opened)
    cm.analyse(opened)
    cm.back_test(opened)
    return opened


@pytest.fixture(scope="module")
def answered(city: City) -> dict[str, Any]:
    """What the small city can answer, by statistic."""
    made = {}
    for name in (*MEASURES, *STATISTICS):
        try:
            made[name] = cm.statistic(city, name)
        except CloudmapError:
            continue  # it has no staff and no event files; the lists of columns in the code are held below
    return made


def test_every_column_of_a_result_is_told_in_both_languages(answered: dict[str, Any]) -> None:
    told = _rows("results")
    assert len(answered) > 25
    missing = {(name, column) for name, result in answered.items() for column in result.table.columns if column not in told}
    assert not missing
    assert all(meaning and _chinese(zh) for _, meaning, zh in told.values())


def test_columns_that_the_reader_knows_as_keys_and_counts_are_told() -> None:
    from cloudmap.access.statistics import COUNTS, KEYS
    from cloudmap.analytics.situation import COLUMNS

    inside = {"level", "class_of"}  # of tables that no output hands on
    assert {*COUNTS, *KEYS, *COLUMNS} - set(_rows("results")) <= inside


def test_classes_of_results_are_told(answered: dict[str, Any]) -> None:
    told = _rows("statistics")
    for name, result in answered.items():
        for found in result.table["class"].drop_nulls().unique() if "class" in result.table.columns else []:
            words = re.findall(r"[a-z_0-9]+", told[name][2])
            assert found in words or found.replace("_cold", "_hot") in words, f"{name}: {found}"


# Public verbs and examples


def test_every_public_verb_has_a_docstring_with_parameters_and_raises(pages: dict[str, str]) -> None:
    for name in set(cm.__all__) - {"__version__"}:
        text = inspect.getdoc(getattr(cm, name)) or ""
        assert "Raises\n------" in text, name
        assert f"## cm.{name}" in pages["reference/verbs.md"], name
        for parameter in inspect.signature(getattr(cm, name)).parameters:
            assert re.search(rf"(^|, ){parameter}\b.*", text, re.MULTILINE), f"{name}: {parameter}"


def test_every_public_verb_is_used_in_a_notebook_or_in_the_readme(readme: str) -> None:
    used = readme + "".join(path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert {name for name in cm.__all__ if f"cm.{name}(" not in used} <= {"__version__"}


EXAMPLES = sorted(path for path in (ROOT / "cloudmap").rglob("*.py") if re.search(r">>> (?!.*SKIP)", path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_in_docstrings_give_what_they_say(path: Path, city: City) -> None:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    known = {"cm": cm, "city": city, "folder": city.folder, "facts": cm.load_facts(city, "2016", "2018"), "np": np, "date": date}
    result = doctest.testmod(importlib.import_module(name), extraglobs=known, verbose=False)
    assert result.attempted > 0
    assert result.failed == 0


def test_every_public_verb_has_an_example() -> None:
    assert [name for name in cm.__all__ if name != "__version__" and ">>> " not in (inspect.getdoc(getattr(cm, name)) or "")] == []


def test_every_module_says_what_it_is() -> None:
    for path in (ROOT / "cloudmap").rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


# Pages


@pytest.mark.parametrize("language", HEADINGS)
@pytest.mark.parametrize("role", ROLES)
def test_each_role_has_its_page_in_both_languages(role: str, language: str) -> None:
    text = (ROOT / "docs" / f"{role}.{language}.md").read_text(encoding="utf-8")
    assert all(f"## {heading}" in text for heading in HEADINGS[language])


def test_links_between_pages_lead_somewhere(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        if name in ("architecture.md", "changelog.md", "glossary.md") or name.startswith("api/"):
            continue
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            there = (Path(name).parent / link).as_posix()
            assert there in pages or (ROOT / "docs" / there).exists(), f"{name}: {link}"


def test_files_that_the_readme_names_are_there(readme: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", readme):
        assert (ROOT / link).exists(), link
    for name in re.findall(r"`((?:notebooks|docs|data|benchmarks)/[\w./-]+)`", readme):
        assert (ROOT / name).exists(), name


def test_the_first_cell_of_the_readme_runs(analysed_city: Path, readme: str) -> None:
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert code is not None
    cell = code[1].replace("demo/luqiao", analysed_city.as_posix()).replace("2018-W32--2018-W35", "2018-W10--2018-W13")
    exec(compile(cell, "README.md", "exec"), {})
