"""How a briefing's content becomes a file: a page that needs nothing else, or a workbook."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from cloudmap.publish import maps, writing

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from cloudmap.access.reader import Reader
    from cloudmap.publish.legend import Language
    from cloudmap.publish.wording import Wording

FORMATS: Final = ("html", "xlsx")

HTML_ROWS_MAX: Final = 40
"""Hot places that a page lists; the workbook lists all."""


@dataclass(frozen=True, slots=True)
class MapRequest:
    """The map of a briefing, drawn when the document is made."""

    reader: Reader
    layer: str
    category: str
    period: str
    language: Language

    def svg(self) -> bytes:
        """Draw it as SVG."""
        return maps.map_svg(self.reader, self.layer, self.category, self.period, "hotspot", language=self.language)

    def png(self, dpi: int = 200) -> bytes:
        """Draw it as PNG, `dpi` dots an inch."""
        return maps.map_png(self.reader, self.layer, self.category, self.period, "hotspot", language=self.language, dpi=dpi)

    def is_large(self) -> bool:
        """Tell whether the map has more shapes than an SVG opens quickly."""
        table = self.reader.values(self.layer, self.category, self.period, "hotspot").table
        return int((table["n"] > 0).sum() or 0) > maps.SVG_SHAPES_MAX


def write_html(content: dict[str, Any], wording: Wording, path: Path) -> None:
    """Write a page with its map inside; long tables are cut, and say so."""
    rows = content["rows"]
    left = len(rows) - HTML_ROWS_MAX
    more = wording.sentence(wording.texts["labels"]["more"], {"shown": HTML_ROWS_MAX, "rest": left}) if left > 0 else ""
    page = wording.page("hotspots.html", {**content, "rows": rows[:HTML_ROWS_MAX], "more": more, "picture": _picture(content["maps"])})
    path.write_text(page, encoding="utf-8", newline="\n")


def _picture(request: MapRequest) -> Markup:
    """Return the map as markup; our own drawing, its letters are outlines, so nothing from a city's files is markup in it."""
    if request.is_large():
        return Markup('<img alt="" src="data:image/png;base64,{}">').format(base64.b64encode(request.png()).decode())
    drawn = request.svg().decode()
    return Markup(drawn[drawn.index("<svg") :])  # noqa: S704  (see the docstring)


def write_workbook(content: dict[str, Any], path: Path, *, created: datetime) -> None:
    """Write a workbook: briefing with map, hot places, ledger, method, how it was made."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"title": content["title"], "created": created.replace(tzinfo=None)})
        styles = {
            "title": book.add_format({"bold": True, "font_size": 16}),
            "head": book.add_format({"bold": True, "bottom": 1, "bg_color": "#eef2f6", "text_wrap": True, "valign": "top"}),
            "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
        }
        labels, headings = content["labels"], content["headings"]
        _first_sheet(book.add_worksheet(labels["sheet_brief"]), content, styles)
        _table_sheet(book.add_worksheet(labels["sheet_table"]), content["columns"], headings, content["rows"], styles)
        ledger = book.add_worksheet(labels["sheet_ledger"])
        total = {**content["ledger_sum"], "source": labels["ledger_sum"]}
        _table_sheet(ledger, content["ledger_columns"], headings, [*content["ledger"], total], styles)
        writing.fill_rows(ledger, len(content["ledger"]) + 3, [[labels["repairs"]], *[list(one) for one in content["repairs"]]])
        notes = book.add_worksheet(labels["sheet_notes"])
        notes.set_column(0, 0, 110, styles["wrap"])
        writing.fill_rows(notes, 0, [[one] for one in (*content["method"], *content["caveats"])], styles["wrap"])
        made = book.add_worksheet(labels["sheet_manifest"])
        made.set_column(0, 0, 20)
        made.set_column(1, 1, 90)
        writing.fill_rows(made, 0, [[labels["item"], labels["value"]]], styles["head"])
        writing.fill_rows(made, 1, content["manifest"])


def _first_sheet(sheet: Any, content: dict[str, Any], styles: dict[str, Any]) -> None:
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 92)
    sheet.write_string(0, 0, content["title"], styles["title"])
    writing.fill_rows(sheet, 1, content["facts"])
    row = 2 + len(content["facts"])
    for sentence in content["summary"]:
        sheet.merge_range(row, 0, row, 1, "", styles["wrap"])
        sheet.write_string(row, 0, sentence, styles["wrap"])
        wide = sum(2 if ord(letter) > 0x2E80 else 1 for letter in sentence)
        sheet.set_row(row, 16 * (1 + wide // 105))
        row += 1
    png = content["maps"].png(120)
    sheet.insert_image(
        row + 1, 0, "map.png", {"image_data": io.BytesIO(png), "x_scale": 0.8, "y_scale": 0.8, "description": content["title"]}
    )
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)


def _table_sheet(sheet: Any, columns: list[str], headings: dict[str, str], rows: list[dict[str, Any]], styles: dict[str, Any]) -> None:
    sheet.freeze_panes(1, 0)
    writing.fill_rows(sheet, 0, [[headings[name] for name in columns]], styles["head"])
    writing.fill_rows(sheet, 1, [[row.get(name) for name in columns] for row in rows])
    widths = {"where": 34, "place": 20, "file": 34, "source": 14}
    for at, name in enumerate(columns):
        sheet.set_column(at, at, widths.get(name, 11))
