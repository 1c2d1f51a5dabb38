"""How the tests read documents and layers back."""

from __future__ import annotations

import zipfile
from html.parser import HTMLParser

import geopandas as gpd
import openpyxl
import polars as pl
import pytest
from docx import Document


class Page(HTMLParser):
    """Collects the text, the tables and every address that a page would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.in_cell = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href", "data", "action") and value]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag):
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data):
        self.words.append(data)
        if self.in_cell:
            self.tables[-1][-1][-1] += data

    @property
    def text(self) -> str:
        return "".join(self.words)


def office_tables(path):
    """Tables of an office document by the heading before them: rows of texts."""
    document = Document(str(path))
    found, last = {}, ""
    for block in document.iter_inner_content():
        if hasattr(block, "rows"):
            found[last] = [[cell.text for cell in row.cells] for row in block.rows]
        elif block.style.name.startswith("Heading"):
            last = block.text
    return found


def sheet_rows(path, title, height):
    """Rows of a sheet of a workbook, without its head and its notes."""
    sheet = openpyxl.load_workbook(path, read_only=True)[title[:28]]  # a sheet's name is short
    return list(sheet.iter_rows(min_row=2, max_row=height + 1, values_only=True))


def same(cells, rows):
    """Whether cells of a workbook, which keeps sixteen digits, hold the rows."""
    return len(cells) == len(rows) and all(
        mine == (None if other is None else pytest.approx(other, rel=1e-14))
        for row, told in zip(cells, rows, strict=True)
        for mine, other in zip(row, told, strict=True)
    )


def layer(path, name=0):
    """A layer or a table in any format, under the names that it was written with; a geopandas frame where it has shapes."""
    if path.suffix == ".csv":
        return pl.read_csv(path, infer_schema_length=None).to_pandas(use_pyarrow_extension_array=False)
    if path.suffix == ".xlsx":
        header, *rows = openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)
        return pl.DataFrame(rows, schema=list(header), orient="row", infer_schema_length=None).to_pandas(use_pyarrow_extension_array=False)
    if path.suffix == ".parquet":
        return gpd.read_parquet(path)
    if path.name.endswith(".shp.zip"):
        with zipfile.ZipFile(path) as archive:
            names = dict(pl.read_csv(archive.read("fields.csv")).select("field", "name").drop_nulls().iter_rows())
        return gpd.read_file(path).rename(columns=names)
    frame = gpd.read_file(path, layer=name)
    days = frame.select_dtypes("datetime").columns  # GDAL takes texts of GeoJSON that look like days for such
    return frame.assign(**{one: frame[one].dt.strftime("%Y-%m-%d") for one in days})
