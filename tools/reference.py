"""Write the pages of the documentation site into a folder: those of docs/, and those made from the code.

``python tools/reference.py build/docs`` copies docs/ and the repository's own pages, and writes reference/commands.md (from the
command line), reference/errors.md (from `cloudmap.errors`), reference/verbs.md (public verbs) and api/<part>.md (functions and classes
of each part, read from the source without importing it).
"""

from __future__ import annotations

import ast
import inspect
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "cloudmap"
REPOSITORY_PAGES = {"GLOSSARY.md": "glossary.md", "ARCHITECTURE.md": "architecture.md", "CHANGELOG.md": "changelog.md"}
PARTS = ("ingest", "geo", "matters", "store", "analytics", "access", "verbs", "publish", "samples")

Definition = ast.FunctionDef | ast.ClassDef


def write_pages(target: Path) -> list[Path]:
    """Write every page below a folder, which is emptied first, and return their paths."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "docs", target)
    for name, page in REPOSITORY_PAGES.items():
        (target / page).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    pages = {"reference/commands.md": commands(), "reference/errors.md": errors(), "reference/verbs.md": verbs()}
    pages |= {f"api/{part}.md": part_page(part) for part in PARTS}
    listed = "".join(f"- [`cloudmap.{part}`]({part}.md)\n" for part in PARTS)
    pages["api/index.md"] = f"# Parts 各部分\n\nWhat each part of the package offers, in the order in which data flows.\n\n{listed}"
    for name, text in pages.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(text, encoding="utf-8", newline="\n")
    return sorted(target.rglob("*.md"))


def every_command() -> Iterator[tuple[str, object]]:
    """Yield the full name of each command, and the command."""
    from typer.main import get_command

    from cloudmap.cli import app

    def walk(prefix: str, group: object) -> Iterator[tuple[str, object]]:
        for name, command in sorted(group.commands.items()):  # type: ignore[attr-defined]
            if hasattr(command, "commands"):
                yield from walk(f"{prefix} {name}", command)
            else:
                yield f"{prefix} {name}", command

    yield from walk("cloudmap", get_command(app))


def options(command: object) -> list[list[str]]:
    """Return a row for each argument and option of a command: how it is written, its default and its help."""
    rows = []
    for one in command.params:  # type: ignore[attr-defined]
        written = ", ".join((*one.opts, *one.secondary_opts)) if one.opts[0].startswith("-") else one.name.upper()
        default = "" if one.default in (None, False, ()) or callable(one.default) else str(one.default)
        rows.append([f"`{written}`", f"`{default}`" if default else "", (one.help or "").strip()])
    return rows


def commands() -> str:
    """Return the page of commands."""
    parts = ["# Commands 命令\n\nCITY is the city's folder or its `city.toml`. Exit codes: [errors](errors.md).\n"]
    for name, command in every_command():
        parts.append(f"\n## `{name}`\n\n{(command.help or '').strip()}\n\n")  # type: ignore[attr-defined]
        parts.append(_table(["argument or option", "default", "meaning"], options(command)))
    return "".join(parts)


def errors() -> str:
    """Return the page of errors and exit codes."""
    from cloudmap import errors as module

    found = [one for _, one in inspect.getmembers(module, inspect.isclass) if issubclass(one, module.CloudmapError)]
    rows = [[str(one.exit_code), f"`{one.__name__}`", (inspect.getdoc(one) or "").splitlines()[0]] for one in found]
    lead = "# Errors and exit codes 错误与退出码\n\nA message tells where, which value, which rule, and the remedy.\n\n"
    return lead + _table(["exit code", "error", "what went wrong"], sorted(rows, key=lambda row: int(row[0])))


def verbs() -> str:
    """Return the page of public verbs, in the order in which data flows."""
    import cloudmap

    parts = [f"# Public verbs 公开函数\n\n{_markdown(inspect.getdoc(cloudmap) or '')}\n"]
    for name in cloudmap._VERBS:  # the order of the flow, which __all__ does not keep
        verb = getattr(cloudmap, name)
        signature = re.sub(r"<function .*? at 0x[0-9a-f]+>", "...", str(inspect.signature(verb)))
        signature = re.sub(r"'([^']*)'", r"\1", signature)
        parts.append(f"\n## cm.{name}\n\n```python\n{name}{signature}\n```\n\n{_markdown(inspect.getdoc(verb) or '')}\n")
    return "".join(parts)


def part_page(part: str) -> str:
    """Return the page of one part: each module with what is public in it."""
    folder = PACKAGE / part
    title = f"# `cloudmap.{part}`\n"
    parts = [title]
    for path in sorted(folder.rglob("*.py")):
        if (path.name.startswith("_") and path.name != "__init__.py") or "migrations" in path.parts:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        parts.append(f"\n## `{name}`\n\n{_markdown(ast.get_docstring(tree) or '')}\n")
        if path.name == "__init__.py":
            continue
        for one in tree.body:
            if isinstance(one, Definition) and not one.name.startswith("_") and ast.get_docstring(one):
                parts.append(f"\n### {one.name}\n\n```python\n{_signature(one)}\n```\n\n{_markdown(ast.get_docstring(one) or '')}\n")
    return "".join(parts)


def _signature(one: Definition) -> str:
    if isinstance(one, ast.ClassDef):
        return f"class {one.name}"
    returns = f" -> {ast.unparse(one.returns)}" if one.returns else ""
    return f"{one.name}({ast.unparse(one.args)}){returns}"


def _markdown(text: str) -> str:
    """Turn a numpydoc text into Markdown: titles bold, parameters as items, examples as code."""
    lines, out, i, code = inspect.cleandoc(text).splitlines(), [], 0, False
    section = False
    while i < len(lines):
        line = lines[i]
        if i + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[i + 1]) and line:
            out += ["", f"**{line}**", ""]
            section, i = line in ("Parameters", "Attributes", "Raises", "Returns", "Yields"), i + 2
            continue
        example = line.startswith((">>> ", "... ")) or (code and bool(line))
        if example != code:
            out.append("```pycon" if example else "```")
            code = example
        if code:
            out.append(line)
        elif section and line and not line.startswith(" "):
            name, _, kind = line.partition(" : ")
            out += [f"- `{name}`" + (f" ({kind})" if kind else "")]
        elif section and line:
            out.append(f"  {line.strip()}")
        else:
            out.append(line.replace("======", "------") if line.startswith("===") else line)
        i += 1
    return "\n".join([*out, *(["```"] if code else [])])


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    print(f"{len(write_pages(Path(sys.argv[1])))} pages below {sys.argv[1]}")
