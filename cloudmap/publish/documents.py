"""How a document becomes a file: a page that needs nothing else, a PDF, a workbook; office documents are in `publish.office`."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from cloudmap.errors import SourceError
from cloudmap.publish import fonts, writing
from cloudmap.publish.content import NUMERIC
from cloudmap.publish.office import write_docx

if TYPE_CHECKING:
    from pathlib import Path

    from cloudmap.publish.content import Column, Document, Picture, Table
    from cloudmap.publish.wording import Wording

_LIBRARIES: Final = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
_FORMATS_OF_CELLS: Final = {"share": "0.0%", "number": "#,##0.0", "ratio": "#,##0.00", "count": "#,##0", "p": "0.0000"}
_WIDTHS: Final = {
    "where": 30,
    "place": 20,
    "file": 34,
    "source": 14,
    "value": 16,
    "reasons": 44,
    "category": 20,
    "indicator": 24,
    "component": 16,
    "report_id": 22,
    "reason": 24,
}


def write_html(content: Document, wording: Wording, path: Path) -> None:
    """Write a page with its maps inside, drawn as vectors where they are not too large; long tables are cut, and say so."""
    page = wording.page(f"{content.kind}.html", {"document": content, "draw": _vector, "made_at": ""})
    path.write_text(page, encoding="utf-8", newline="\n")


def write_pdf(content: Document, wording: Wording, path: Path) -> None:
    """Print the page with its maps at 200 dots an inch.

    Raises
    ------
    SourceError
        WeasyPrint's system libraries, or a font for the language, are not installed.
    """
    fonts.check(content.language, path)
    page = wording.page(
        f"{content.kind}.html", {"document": content, "draw": _raster, "made_at": content.made_at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    )
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError as error:  # WeasyPrint loads Pango when it is imported
        raise SourceError(
            f"{path}: PDF needs Pango, which is not installed ({error}). Install it (Debian: apt install {_LIBRARIES}), or write docx"
        ) from error
    # What a template asks of a file or another machine is not fetched: a briefing holds what it shows.
    path.write_bytes(HTML(string=page, url_fetcher=URLFetcher(allowed_protocols=("data",))).write_pdf())


def _vector(picture: Picture) -> Markup:
    """Return the map as markup; our own drawing, its letters are outlines, so nothing from a city's files is markup in it."""
    if picture.is_large():
        return _raster(picture)
    drawn = picture.svg().decode()
    return Markup(drawn[drawn.index("<svg") :])  # noqa: S704  (see the docstring)


def _raster(picture: Picture) -> Markup:
    return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(picture.title, base64.b64encode(picture.png()).decode())


def write_workbook(content: Document, wording: Wording, path: Path) -> None:
    """Write a workbook: the briefing with its maps, a sheet for each table with all its rows, method and caveats."""
    import xlsxwriter

    labels = wording.texts["labels"]
    with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}) as book:
        book.set_properties({"title": content.title, "created": content.made_at.replace(tzinfo=None)})
        styles = {
            "title": book.add_format({"bold": True, "font_size": 16}),
            "head": book.add_format({"bold": True, "bottom": 1, "bg_color": "#eef2f6", "text_wrap": True, "valign": "top"}),
            "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
            **{kind: book.add_format({"num_format": text}) for kind, text in _FORMATS_OF_CELLS.items()},
        }
        _first_sheet(book.add_worksheet(_sheet_name(book, labels["sheet_brief"])), content, styles)
        for table in content.tables:
            _table_sheet(book.add_worksheet(_sheet_name(book, table.title)), table, styles)
        notes = book.add_worksheet(_sheet_name(book, labels["method_and_caveats"]))
        notes.set_column(0, 0, 110, styles["wrap"])
        told = [text for one in content.sections if one.key in ("method", "ledger", "caveats") for text in (*one.paragraphs, *one.points)]
        writing.fill_rows(notes, 0, [[text] for text in told], styles["wrap"])


def _sheet_name(book: Any, title: str) -> str:
    """Name a sheet: at most 31 characters, none that Excel forbids, each its own."""
    plain = "".join(letter for letter in title if letter not in "[]:*?/\\'")[:28] or "-"
    taken = {sheet.get_name().lower() for sheet in book.worksheets()}
    numbered = [plain, *(f"{plain} {number}" for number in range(2, 100))]
    return next(one for one in numbered if one.lower() not in taken)


def _first_sheet(sheet: Any, content: Document, styles: dict[str, Any]) -> None:
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 92)
    sheet.write_string(0, 0, content.title, styles["title"])
    writing.fill_rows(sheet, 1, list(content.facts))
    row = 2 + len(content.facts)
    for sentence in content.sections[0].paragraphs:
        sheet.merge_range(row, 0, row, 1, "", styles["wrap"])
        sheet.write_string(row, 0, sentence, styles["wrap"])
        wide = sum(2 if ord(letter) > 0x2E80 else 1 for letter in sentence)
        sheet.set_row(row, 16 * (1 + wide // 105))
        row += 1
    for picture in content.pictures:
        image = {"image_data": io.BytesIO(picture.png(120)), "x_scale": 0.8, "y_scale": 0.8, "description": picture.title}
        sheet.insert_image(row + 1, 0, "map.png", image)
        row += 42
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)


def _table_sheet(sheet: Any, table: Table, styles: dict[str, Any]) -> None:
    """Write a table with all its rows, numbers as numbers; an interval takes two columns."""
    columns = [part for column in table.columns for part in _parts(column)]
    sheet.freeze_panes(1, 0)
    writing.fill_rows(sheet, 0, [[heading for _, heading, _ in columns]], styles["head"])
    rows = [*table.rows, *([table.total] if table.total else [])]
    for at, (key, _, kind) in enumerate(columns):
        sheet.set_column(at, at, _WIDTHS.get(key, 12), styles.get(kind))
        for row_no, row in enumerate(rows, start=1):
            value = row.get(key)
            if value is None and kind == "count" and row.get("masked_text"):
                value = row["masked_text"]
            style = styles.get(kind) if kind in NUMERIC and isinstance(value, int | float) else None
            writing.fill_rows(sheet, row_no, [[None] * at + [value]], style)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    writing.fill_rows(sheet, len(rows) + 2, [[table.note]] if table.note else [])


def _parts(column: Column) -> list[tuple[str, str, str]]:
    if column.upper is None:
        return [(column.key, column.heading, column.kind)]
    return [(column.key, f"{column.heading} ↓", column.kind), (column.upper, f"{column.heading} ↑", column.kind)]


WRITERS: Final[Mapping[str, Callable[[Document, Wording, Path], None]]] = {
    "html": write_html,
    "docx": write_docx,
    "pdf": write_pdf,
    "xlsx": write_workbook,
}
FORMATS: Final = tuple(WRITERS)
