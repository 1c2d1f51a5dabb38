from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.utils.datetime import to_excel

from cloudmap.errors import SourceError
from cloudmap.ingest.opening import open_input
from cloudmap.ingest.sheet import date_kind, number_text, split_reference, unescape
from cloudmap.ingest.tables import open_table
from cloudmap.ingest.workbook import open_workbook
from tests.ingest.table_files import read_all

CELLS = st.text(st.sampled_from("a0 路桥&<>\"'\t_x000D_"), max_size=8)


def book_of(path: Path, sheets: dict[str, list[list[object]]], **options: object) -> Path:
    book = xlsxwriter.Workbook(str(path), {"strings_to_numbers": False, "strings_to_formulas": False, **options})
    for name, rows in sheets.items():
        page = book.add_worksheet(name)
        for number, row in enumerate(rows):
            page.write_row(number, 0, row)
    book.close()
    return path


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(CELLS, st.integers(-(10**14), 10**14), st.floats(-180, 180)), min_size=1, max_size=6),
    st.integers(1, 3),
    st.booleans(),
)
def test_any_rows_read_back_equal(tmp_path, rows, rows_per_block, in_memory):
    path = book_of(tmp_path / "a.xlsx", {"案件": [["文", "数", "度"], *rows]}, constant_memory=not in_memory)
    with open_workbook(open_input(path), rows_per_block=rows_per_block) as reader:
        frame, rejected, records_n = read_all(reader)
    assert (records_n, rejected.height) == (len(rows), 0)
    assert frame["line_no"].to_list() == list(range(2, len(rows) + 2))
    assert frame["文"].to_list() == [text or None for text, _, _ in rows]
    assert frame["数"].to_list() == [str(number) for _, number, _ in rows]
    assert [float(one) for one in frame["度"]] == pytest.approx([degrees for _, _, degrees in rows], rel=1e-15)


def test_dates_are_iso_text_and_numbers_have_no_tail(tmp_path):
    book = openpyxl.Workbook()
    page = book.active
    page.append(["上报时间", "日期", "钟点", "数", "真"])
    page.append([dt.datetime(2017, 3, 1, 8, 30), dt.date(2017, 3, 1), dt.time(8, 30), 42.0, True])
    page.append([dt.datetime(2017, 3, 1), None, None, 42.3594, False])
    page["B2"].number_format = 'yyyy"年"m"月"d"日"'
    book.save(tmp_path / "a.xlsx")
    with open_table(tmp_path / "a.xlsx") as reader:
        rows = read_all(reader)[0].drop("line_no").rows()
    assert rows == [
        ("2017-03-01 08:30:00", "2017-03-01", "08:30:00", "42", "TRUE"),
        ("2017-03-01 00:00:00", None, None, "42.3594", "FALSE"),
    ]


@given(st.datetimes(dt.datetime(1900, 3, 1), dt.datetime(2100, 1, 1)))
def test_serials_give_back_the_second(moment):
    moment = moment.replace(microsecond=0)
    assert number_text(repr(to_excel(moment)), "datetime") == f"{moment:%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("stored", "dates", "shown"),
    [
        ("42.359400000000001", "", "42.3594"),
        ("1E-3", "", "0.001"),
        ("1.2E+17", "", "1.2E+17"),
        ("007", "", "007"),
        ("43160.354166666664", "", "43160.354166666664"),
        ("60", "date", "60"),  # 29 February 1900, which spreadsheets believe in
        ("59", "date", "1900-02-28"),
        ("61", "date", "1900-03-01"),
        ("-1", "date", "-1"),
        ("0.5", "date", "0.5"),
        ("0.5", "time", "12:00:00"),
        ("nan", "date", "nan"),
        ("43160.5", "date", "2018-03-01 12:00:00"),
        ("x", "date", "x"),
    ],
)
def test_numbers_and_serials(stored, dates, shown):
    assert number_text(stored, dates) == shown


def test_serials_since_1904():
    assert number_text("0", "date", since_1904=True) == "1904-01-01"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("General", ""),
        ("0.00", ""),
        ("0.00E+00", ""),
        ('0 "days"', ""),
        ("[Red]0", ""),
        ("[h]:mm:ss", ""),
        ("yyyy/m/d", "date"),
        ("mmm-yy", "date"),
        ("[$-804]yyyy-mm-dd;@", "date"),
        ("h:mm", "time"),
        ("yyyy/m/d h:mm", "datetime"),
        ('yyyy"年"m"月"d"日" h"时"mm"分"', "datetime"),
    ],
)
def test_what_a_format_shows(code, kind):
    assert date_kind(code) == kind


def test_references_and_escapes():
    assert split_reference("XFD1048576", "a") == (1_048_576, 16_383)
    assert unescape("a_x000D_b_xD83D__x") == "a\rb_xD83D__x"


def test_cells_without_references_rich_text_and_phonetic_hints(tmp_path):
    path = book_of(tmp_path / "a.xlsx", {"s": [["id", "name"], ["ONE", "TWO"]]})
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    row = b'<x:row><x:c t="s"><x:v>%d</x:v></x:c><x:c t="s"><x:v>%d</x:v></x:c></x:row>'
    rows = row % (0, 1) + row % (2, 3)
    start, end = sheet.index(b"<sheetData>"), sheet.index(b"</sheetData>") + len(b"</sheetData>")
    parts["xl/worksheets/sheet1.xml"] = sheet[:start] + b'<x:sheetData xmlns:x="u">' + rows + b"</x:sheetData>" + sheet[end:]
    parts["xl/sharedStrings.xml"] = parts["xl/sharedStrings.xml"].replace(
        b"<t>TWO</t>", "<r><t>路</t></r><r><t>桥</t></r><rPh sb='0' eb='1'><t>luqiao</t></rPh>".encode()
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with open_table(path) as reader:
        assert read_all(reader)[0].to_dicts() == [{"line_no": 2, "id": "ONE", "name": "路桥"}]


def test_the_sheet_that_holds_something_is_taken_and_several_are_listed(tmp_path):
    table = [["id", "kind"], ["1", "x"]]
    one = book_of(tmp_path / "one.xlsx", {"说明": [], "案件": table, "Sheet3": []})
    with open_table(one) as reader:
        assert reader.evidence == ["sheet '案件'; 2 other(s) empty or hidden"]
    two = book_of(tmp_path / "two.xlsx", {"说明": [["read me"]], "案件": table})
    with pytest.raises(SourceError, match="2 sheets hold something, none is chosen: 说明, 案件"):
        open_table(two)
    with open_table(two, layer="案件") as reader:
        assert read_all(reader)[2] == 1
    with pytest.raises(SourceError, match="has no sheet '案'"):
        open_table(two, layer="案")
    with pytest.raises(SourceError, match="no visible sheet holds anything"):
        open_table(book_of(tmp_path / "none.xlsx", {"a": []}))


def test_empty_rows_are_no_records_and_the_header_may_lie_lower(tmp_path):
    path = book_of(tmp_path / "a.xlsx", {"a": [[], ["id", "kind"], [], ["1", "x"], ["", ""], ["2"]]})
    with open_table(path) as reader:
        assert read_all(reader)[0].rows() == [(4, "1", "x"), (6, "2", None)]


def test_merged_cells_among_the_records_are_told(tmp_path):
    book = openpyxl.Workbook()
    for row in (["id", "kind"], ["1", "x"], ["2", None]):
        book.active.append(row)
    book.active.merge_cells("B2:B3")
    book.save(tmp_path / "a.xlsx")
    with open_table(tmp_path / "a.xlsx") as reader:
        assert reader.evidence[-1].startswith("1 merged range(s) below the header")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"</sheetData>", b"</sheetDat", "XML is broken"),
        (b'<row r="2"', b'<row r="1"', "follows row 1"),
        (b'<c r="A2" t="s"><v>2', b'<c r="A2" t="s"><v>99', "is not in the workbook"),
        (b"<worksheet ", b"<!DOCTYPE x><worksheet ", "DOCTYPE"),
    ],
)
def test_broken_sheets_are_refused_when_opened(tmp_path, old, new, words):
    path = book_of(tmp_path / "a.xlsx", {"a": [["id", "kind"], ["1", "x"]]})
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert old in parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"].replace(old, new)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(SourceError, match=words):
        open_table(path)
