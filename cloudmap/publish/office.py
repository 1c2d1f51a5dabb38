"""Office documents that an office can edit: real headings, real tables whose heads repeat, maps with a description."""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Any, Final

from cloudmap.errors import ConfigError
from cloudmap.publish.columns import SIZES, column_widths

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from cloudmap.publish.content import Column, Document, Picture, Section, Table
    from cloudmap.publish.wording import Wording

_MAP_WIDTH_MM: Final = 165
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
"""Characters that no XML file can hold."""


def write_docx(content: Document, wording: Wording, path: Path) -> None:
    """Fill the office's template in; what it may name stands in ``tools/briefing_template.py``, which makes the shipped one.

    Raises
    ------
    ConfigError
        The template asks for a value that there is not, or is not valid Jinja.
    """
    import jinja2
    from docx.shared import Mm
    from docxtpl import DocxTemplate, InlineImage
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    used = wording.find(f"{content.kind}.docx")
    template = DocxTemplate(str(used))
    environment = ImmutableSandboxedEnvironment(autoescape=True, undefined=jinja2.StrictUndefined)

    def drawn(picture: Picture) -> Any:
        return InlineImage(template, io.BytesIO(picture.png()), width=Mm(_MAP_WIDTH_MM))

    values = {
        "masthead": _clean(content.masthead),
        "title": _clean(content.title),
        "facts": [{"label": _clean(label), "value": _clean(value)} for label, value in content.facts],
        "sections": [_section(one, drawn) for one in content.sections],
        "footer": _clean(content.footer),
    }
    try:
        template.render(values, environment)
    except jinja2.TemplateError as error:
        raise ConfigError(f"{used}: {type(error).__name__}: {error}") from error
    _describe(template, content)
    _speak(template, content.language)
    _fit(template)
    properties = template.core_properties
    properties.title, properties.author, properties.last_modified_by = _clean(content.title), "cloudmap", "cloudmap"
    properties.created = properties.modified = content.made_at.replace(tzinfo=None)
    properties.revision, properties.language = 1, content.language
    out = io.BytesIO()
    template.save(out)
    _settle(out, path, content.made_at)


def _section(section: Section, drawn: Any) -> dict[str, Any]:
    return {
        "key": section.key,
        "heading": _clean(section.heading),
        "paragraphs": [_clean(one) for one in section.paragraphs],
        "points": [_clean(one) for one in section.points],
        "pictures": [{"image": drawn(one), "title": _clean(one.title), "caption": _clean(one.caption)} for one in section.pictures],
        "tables": [_table(one) for one in section.tables],
    }


def _table(table: Table) -> dict[str, Any]:
    rows = [*table.shown, *([table.cells(table.total)] if table.total else [])]
    return {
        "title": _clean(table.title),
        "columns": [{"heading": _clean(one.heading), "number": one.numeric} for one in table.columns],
        "rows": [{"cells": [_cell(text, column) for text, column in row]} for row in rows],
        "notes": [_clean(one) for one in (table.more, table.note) if one],
    }


def _cell(text: str, column: Column) -> dict[str, Any]:
    return {"text": _clean(text), "number": column.numeric}


def _clean(text: str) -> str:
    """Keep a text to one line of characters that the file can hold: tabs and line ends would be marks of the document."""
    return _FORBIDDEN.sub("\ufffd", " ".join(re.split(r"[\t\r\n]", text)) if any(one in text for one in "\t\r\n") else text)


def _describe(template: Any, content: Document) -> None:
    """Give each map its description for readers who do not see it."""
    from docx.oxml.ns import qn

    marks = template.docx.element.body.iter(qn("wp:docPr"))
    for number, (mark, picture) in enumerate(zip(marks, content.pictures, strict=False), start=1):
        mark.set("id", str(number))
        mark.set("name", f"map {number}")
        mark.set("descr", _clean(f"{picture.title}. {picture.caption}"))


def _speak(template: Any, language: str) -> None:
    """Tell the language of the Chinese characters: office programs choose the shapes of their fonts by it."""
    from docx.oxml.ns import qn

    for mark in template.docx.styles.element.iter(qn("w:lang")):
        mark.set(qn("w:eastAsia"), "zh-TW" if language == "zh-Hant" else "zh-CN")


def _fit(template: Any) -> None:
    """Give each column of a table the share of the width that its texts need."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for table in template.docx.element.body.iter(qn("w:tbl")):
        rows = [
            ["".join(text.text or "" for text in cell.iter(qn("w:t"))) for cell in row.iter(qn("w:tc"))] for row in table.iter(qn("w:tr"))
        ]
        columns = len(rows[0]) if rows else 0
        if not columns or any(len(row) != columns for row in rows):
            continue  # the office merged cells: its widths stand
        size, shared = column_widths(rows)
        widths = [str(one) for one in shared]
        if size < SIZES[0]:
            for mark in table.iter(qn("w:sz")):
                mark.set(qn("w:val"), str(size))
        grid = table.find(qn("w:tblGrid"))
        for mark, width in zip(grid.findall(qn("w:gridCol")), widths, strict=False):
            mark.set(qn("w:w"), width)
        for row in table.iter(qn("w:tr")):
            for cell, width in zip(row.iter(qn("w:tc")), widths, strict=True):
                properties = cell.get_or_add_tcPr()
                preferred = properties.find(qn("w:tcW"))
                if preferred is None:
                    preferred = OxmlElement("w:tcW")
                    properties.insert(0, preferred)
                preferred.set(qn("w:w"), width)
                preferred.set(qn("w:type"), "dxa")


def _settle(document: io.BytesIO, path: Path, made_at: datetime) -> None:
    """Write the parts in order with the data's time, so that the same numbers give the same bytes."""
    when = max(made_at.timetuple()[:6], (1980, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(document) as parts, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as settled:
        for name in parts.namelist():
            entry = zipfile.ZipInfo(name, when)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            settled.writestr(entry, parts.read(name))
