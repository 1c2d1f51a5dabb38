"""Make cloudmap/publish/templates/briefing.docx, the office template of briefings; run it after a change here.

An office edits a copy in Word: fonts, order, letterhead. The Jinja marks may name masthead, title, facts (label, value), footer and
sections (key, heading, paragraphs, points, pictures: image, title, caption; tables: title, columns: heading, number; rows: cells: text,
number; notes). ``{%p`` stands in a paragraph, ``{%tr`` in a table row, ``{%tc`` in a cell of its own.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

TARGET = Path(__file__).resolve().parent.parent / "cloudmap" / "publish" / "templates" / "briefing.docx"
BODY, HEAD, TITLE = "仿宋", "黑体", "方正小标宋简体"
"""Fonts of official documents (GB/T 9704); where one is missing, the office program takes another with the characters."""


def make(target: Path = TARGET) -> None:
    """Write the template."""
    document = Document()
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(22)
    section.top_margin, section.bottom_margin = Mm(25), Mm(22)
    for name, font, size, colour in (
        ("Normal", BODY, 12, None),
        ("Title", TITLE, 20, "000000"),
        ("Subtitle", HEAD, 15, "B2182B"),
        ("Heading 1", HEAD, 14, "000000"),
        ("Heading 2", HEAD, 12, "000000"),
        ("Caption", BODY, 9, "5B6573"),
        ("List Bullet", BODY, 12, None),
    ):
        _style(document, name, font, size, colour)
    _paragraph(document, "{{ masthead }}", "Subtitle", centred=True)
    _paragraph(document, "{{ title }}", "Title", centred=True)
    _facts(document)
    for text, style in (
        ("{%p for section in sections %}", None),
        ("{{ section.heading }}", "Heading 1"),
        ("{%p for text in section.paragraphs %}", None),
        ("{{ text }}", "Normal"),
        ("{%p endfor %}", None),
        ("{%p for text in section.points %}", None),
        ("{{ text }}", "List Bullet"),
        ("{%p endfor %}", None),
        ("{%p for picture in section.pictures %}", None),
        ("{{ picture.image }}", "Normal"),
        ("{{ picture.title }}　{{ picture.caption }}", "Caption"),
        ("{%p endfor %}", None),
        ("{%p for table in section.tables %}", None),
        ("{%p if table.title != section.heading and section.key != 'ledger' %}", None),
        ("{{ table.title }}", "Heading 2"),
        ("{%p endif %}", None),
    ):
        _paragraph(document, text, style, indent=text == "{{ text }}" and style == "Normal", centred=text == "{{ picture.image }}")
    _table(document)
    for text, style in (
        ("{%p for text in table.notes %}", None),
        ("{{ text }}", "Caption"),
        ("{%p endfor %}", None),
        ("{%p endfor %}", None),
        ("{%p endfor %}", None),
        ("{{ footer }}", "Caption"),
    ):
        _paragraph(document, text, style)
    _page_number(section.footer.paragraphs[0])
    at = datetime(2018, 1, 1)
    properties = document.core_properties
    properties.created = properties.modified = at
    properties.author, properties.title = "cloudmap", "briefing"
    document.save(str(target))


def _style(document: Any, name: str, font: str, size: float, colour: str | None) -> None:
    style = document.styles[name]
    style.font.name, style.font.size = "Times New Roman", Pt(size)
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for key in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{key}"), None)
    fonts.set(qn("w:eastAsia"), font)
    if colour:
        style.font.color.rgb = RGBColor.from_string(colour)
    if name == "Title":
        for border in style.element.findall(f".//{qn('w:pBdr')}"):
            border.getparent().remove(border)
    style.font.italic = False
    style.paragraph_format.space_after = Pt(4)


def _paragraph(document: Any, text: str, style: str | None, *, centred: bool = False, indent: bool = False) -> None:
    paragraph = document.add_paragraph(text, style)
    if centred:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    if indent:
        paragraph.paragraph_format.first_line_indent = Pt(24)


def _facts(document: Any) -> None:
    table = document.add_table(rows=3, cols=2)
    table.style = "Table Grid"
    _margins(table)
    for row, texts in enumerate((("{%tr for fact in facts %}", ""), ("{{ fact.label }}", "{{ fact.value }}"), ("{%tr endfor %}", ""))):
        for column, text in enumerate(texts):
            cell = table.cell(row, column)
            cell.width = Mm(36 if column == 0 else 130)
            cell.paragraphs[0].text = text
            cell.paragraphs[0].paragraph_format.space_after = Pt(0)
            for run in cell.paragraphs[0].runs:
                run.font.size = Pt(10)


def _table(document: Any) -> None:
    """Lay out the table of tables: its columns and rows are loops, its head repeats on each page, no row is broken."""
    head = [
        "{%tc for column in table.columns %}",
        "{%tc if column.number %}",
        ("{{ column.heading }}", True),
        "{%tc else %}",
        ("{{ column.heading }}", False),
        "{%tc endif %}",
        "{%tc endfor %}",
    ]
    body = [
        "{%tc for cell in row.cells %}",
        "{%tc if cell.number %}",
        ("{{ cell.text }}", True),
        "{%tc else %}",
        ("{{ cell.text }}", False),
        "{%tc endif %}",
        "{%tc endfor %}",
    ]
    table = document.add_table(rows=4, cols=len(head))
    table.style = "Table Grid"
    _margins(table)
    table.cell(1, 0).text, table.cell(3, 0).text = "{%tr for row in table.rows %}", "{%tr endfor %}"
    for row_no, row in ((0, head), (2, body)):
        for at, one in enumerate(row):
            text, number = one if isinstance(one, tuple) else (one, False)
            paragraph = table.cell(row_no, at).paragraphs[0]
            run = paragraph.add_run(text)
            run.font.size, run.font.bold = Pt(8.5), row_no == 0
            paragraph.paragraph_format.space_after = Pt(0)
            paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT if number else WD_ALIGN_PARAGRAPH.LEFT
    for row_no in (0, 2):
        properties = table.rows[row_no]._tr.get_or_add_trPr()  # python-docx has no word for either mark
        properties.append(OxmlElement("w:cantSplit"))
        if row_no == 0:
            properties.append(OxmlElement("w:tblHeader"))


def _margins(table: Any) -> None:
    margins = OxmlElement("w:tblCellMar")
    for side, width in (("top", "25"), ("left", "60"), ("bottom", "25"), ("right", "60")):
        mark = OxmlElement(f"w:{side}")
        mark.set(qn("w:w"), width)
        mark.set(qn("w:type"), "dxa")
        margins.append(mark)
    layout = table._tbl.tblPr.find(qn("w:tblLook"))
    layout.addprevious(margins)


def _page_number(paragraph: Any) -> None:
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), "PAGE")
    paragraph._p.append(field)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
