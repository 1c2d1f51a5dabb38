"""Faults C: what is wrong inside tables. Header and encoding faults refuse the file; rows are quarantined with their line."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from cloudmap.errors import SchemaError, SourceError
from cloudmap.ingest import sheet
from cloudmap.ingest.tables import open_table
from tests.ingest.table_files import csv_bytes, read_all

HEADER = ["编号", "时间", "类别"]
GOOD = [["001", "2018-01-01", "路灯"], ["002", "2018-01-02", "垃圾"]]


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rewrite(path: Path, part: str, old: bytes, new: bytes) -> Path:
    """Change the bytes of one part of a workbook."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert old in parts[part]
    parts[part] = parts[part].replace(old, new)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def workbook(path: Path, rows: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_fault_31_cell_of_600_mb(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [HEADER, *GOOD])
    rewrite(path, "xl/worksheets/sheet1.xml", b"<sheetData>", b"<sheetData>" + b" " * 40_000_000)
    with pytest.raises(SourceError, match="inflates"):
        open_table(path)


def test_fault_31_cell_that_hardly_packs(tmp_path, monkeypatch):
    monkeypatch.setattr(sheet, "TEXT_MAX_CHARS", 10_000)
    long = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(20_000))
    path = workbook(tmp_path / "a.xlsx", [HEADER, *GOOD])
    rewrite(path, "xl/worksheets/sheet1.xml", b"</row></sheetData>", f'<c r="D3" t="str"><v>{long}</v></c></row></sheetData>'.encode())
    with pytest.raises(SourceError, match="a cell holds more than"):
        open_table(path)


def test_fault_32_far_corner(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [HEADER, *GOOD])
    rewrite(path, "xl/worksheets/sheet1.xml", b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>')
    with pytest.raises(SourceError, match="column 16384"):
        open_table(path)


@pytest.mark.parametrize("reference", ["XFE4", "A1048577", "4A", "ZZZ4"])
def test_fault_32_references_that_no_sheet_has(tmp_path, reference):
    path = workbook(tmp_path / "a.xlsx", [HEADER, *GOOD])
    rewrite(path, "xl/worksheets/sheet1.xml", b"</sheetData>", f'<row r="4"><c r="{reference}"><v>1</v></c></row></sheetData>'.encode())
    with pytest.raises(SourceError, match=r"beyond the corner|names no cell|stands in row"):
        open_table(path)


@pytest.mark.parametrize("row", ["1048576", "1048577", "99999999999"])
def test_fault_33_beyond_the_row_limit(tmp_path, row):
    path = workbook(tmp_path / "a.xlsx", [HEADER, *GOOD])
    rewrite(path, "xl/worksheets/sheet1.xml", b"</sheetData>", f'<row r="{row}"><c r="A{row}"><v>1</v></c></row></sheetData>'.encode())
    with pytest.raises(SourceError, match=r"last row|beyond the corner|names no cell"):
        open_table(path)


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_fault_34_more_than_500_columns(tmp_path, name):
    names = [f"c{number}" for number in range(501)]
    path = write(tmp_path / name, csv_bytes([names])) if name == "a.csv" else workbook(tmp_path / name, [names])
    with pytest.raises((SchemaError, SourceError), match=r"at most 500"):
        open_table(path)


def test_fault_35_macro_file(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [HEADER, *GOOD])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"macro")
    with pytest.raises(SourceError, match="holds macros"):
        open_table(path)


def test_fault_36_formula_cells(tmp_path):
    book = xlsxwriter.Workbook(str(tmp_path / "a.xlsx"))
    page = book.add_worksheet()
    page.write_row(0, 0, HEADER)
    page.write_row(1, 0, ["001", "2018-01-01"])
    page.write_formula(1, 2, '=CONCATENATE("路","灯")', None, "路灯")
    book.close()
    more = (
        b'<row r="3"><c r="A3"><v>2</v></c><c r="C3" t="str"><f>""</f><v></v></c></row>'
        b'<row r="4"><c r="A4"><v>3</v></c><c r="C4"><f>A4+1</f></c></row></sheetData>'
    )
    rewrite(tmp_path / "a.xlsx", "xl/worksheets/sheet1.xml", b"</sheetData>", more)
    with open_table(tmp_path / "a.xlsx") as reader:
        frame, rejected, records_n = read_all(reader)
    assert records_n == 3
    assert frame["类别"].to_list() == ["路灯", None]
    assert rejected.select("line_no", "field", "rule").rows() == [(4, "类别", "formula_without_value")]


def test_fault_36_formula_as_openpyxl_leaves_it(tmp_path):
    with open_table(workbook(tmp_path / "a.xlsx", [["a", "b"], [1, "=A2*2"], [2, 4]])) as reader:
        _, rejected, records_n = read_all(reader)
    assert (records_n, rejected["line_no"].to_list()) == (2, [2])


def test_fault_37_merged_header(tmp_path):
    book = openpyxl.Workbook()
    for row in (["基本信息", None, "时间"], ["编号", "类别", None], ["1", "路灯", "2018-01-01"]):
        book.active.append(row)
    book.active.merge_cells("A1:B1")
    book.active.merge_cells("C1:C2")
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(SchemaError, match="merged cells reach into the header") as caught:
        open_table(tmp_path / "a.xlsx")
    assert "编号 | 类别" in str(caught.value)


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_fault_37_two_line_header(tmp_path, name):
    rows: list[list[object]] = [["基本信息", "", "时间"], ["编号", "类别", ""], ["1", "路灯", "2018-01-01"]]
    path = write(tmp_path / name, csv_bytes(rows)) if name == "a.csv" else workbook(tmp_path / name, rows)  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="column 2 of the first line has no name") as caught:
        open_table(path)
    assert "编号 | 类别" in str(caught.value)


def test_fault_37_title_row_in_a_workbook(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["2018年案件统计"], HEADER, *GOOD, ["3", "x", "y"]])
    with pytest.raises(SchemaError, match="Is it a title"):
        open_table(path)


TEXT = "编号,时间,类别,处理结果\n" + "".join(f"{number},2018-01-01,路灯不亮,已处理完毕\n" for number in range(20))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (TEXT.encode().decode("latin-1").encode(), "should be '.*utf-8"),
        (TEXT.encode().decode("gb18030", "replace").encode(), "should be|lost"),
        (TEXT.encode("gbk").decode("latin-1").encode(), r"should be '.*gb18030"),
        (TEXT.encode("gbk").decode("utf-8", "replace").encode(), "lost characters"),
        ("id,text\n1,é\n2,ü\n".encode("latin-1"), "cannot be told for certain"),
    ],
)
def test_fault_38_mojibake(tmp_path, content, words):
    with pytest.raises(SourceError, match=words):
        open_table(write(tmp_path / "a.csv", content))


def test_fault_38_wrong_declaration_shows_candidates(tmp_path):
    with pytest.raises(SourceError, match="Set encoding to one of") as caught:
        open_table(write(tmp_path / "a.csv", TEXT.encode("gbk")), encoding="utf-8")
    assert "gb18030: 21 of 21 lines decode, such as '编号" in str(caught.value)


@pytest.mark.parametrize(("main", "other"), [("utf-8", "gbk"), ("gbk", "utf-8")])
def test_fault_39_mixed_encodings(tmp_path, main, other):
    row = "21,2018-01-01,路灯不亮,电话13812345678\n"
    with open_table(write(tmp_path / "a.csv", TEXT.encode(main) + row.encode(other) + b"22,x,y,z\n")) as reader:
        frame, rejected, records_n = read_all(reader)
    assert (records_n, frame.height) == (22, 21)
    assert rejected.select("line_no", "rule").rows() == [(22, "undecodable")]
    assert "13812345678" not in rejected["value"][0]


def test_fault_39_a_few_spoilt_rows_in_a_plain_file(tmp_path):
    rows = [b"%d,2018-01-01,light\n" % number for number in range(300)]
    rows[100] = rows[200] = b"7,\xff\xfe,light\n"
    for declared in (None, "utf-8"):
        with open_table(write(tmp_path / "a.csv", b"id,time,kind\n" + b"".join(rows)), encoding=declared) as reader:
            _, rejected, records_n = read_all(reader)
        assert records_n == 300
        assert rejected.select("line_no", "rule").rows() == [(102, "undecodable"), (202, "undecodable")]


def test_fault_40_nul_bytes(tmp_path):
    with open_table(write(tmp_path / "a.csv", csv_bytes([HEADER, ["001", "2018\x00", "x"], GOOD[1]]))) as reader:
        frame, rejected, _ = read_all(reader)
    assert frame["编号"].to_list() == ["002"]
    assert rejected.select("line_no", "rule", "value").rows() == [(2, "nul_byte", "001,2018␀,x")]


@pytest.mark.parametrize("tail", ["4,b,c\n" * 50, '4,"b",c\n5,"d, e",f\n', ""])
def test_fault_41_unclosed_quote(tmp_path, tail):
    path = write(tmp_path / "a.csv", f'id,time,kind\n1,a,b\n2,"x\ny",b\n3,"never closed,b\n{tail}')
    with (
        open_table(path, delimiter=",") as reader,
        pytest.raises(SourceError, match=r"a\.csv line 5: a quote opened in line 5 is not closed"),
    ):
        read_all(reader)


def test_fault_42_ragged_rows(tmp_path):
    with open_table(write(tmp_path / "a.csv", "id,time,kind\n1,a\n2,b,c\n3,d,e,f\n\n4,g,h\n")) as reader:
        frame, rejected, records_n = read_all(reader)
    assert records_n == 4
    assert frame["id"].to_list() == ["2", "4"]
    assert rejected.select("line_no", "rule", "value").rows() == [(2, "ragged", "1,a"), (4, "ragged", "3,d,e,f")]
    assert rejected["detail"][1].startswith("4 cells, the header has 3")


def test_fault_42_cell_beyond_the_header_of_a_sheet(tmp_path):
    with open_table(workbook(tmp_path / "a.xlsx", [HEADER, [*GOOD[0], "beyond"], GOOD[1]])) as reader:
        frame, rejected, _ = read_all(reader)
    assert frame["line_no"].to_list() == [3]
    assert rejected.select("line_no", "rule").rows() == [(2, "ragged")]


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_fault_43_duplicate_header(tmp_path, name):
    rows: list[list[object]] = [["编号", "时间", "编号 "], ["1", "2", "3"]]
    path = write(tmp_path / name, csv_bytes(rows)) if name == "a.csv" else workbook(tmp_path / name, rows)  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="'编号' stands 2 times"):
        open_table(path)


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_fault_45_byte_order_marks_and_utf16(tmp_path, codec):
    with open_table(write(tmp_path / "a.csv", csv_bytes([HEADER, *GOOD * 20], encoding=codec))) as reader:
        assert reader.header == HEADER
        assert any("byte order mark" in line for line in reader.evidence)
        assert read_all(reader)[0].height == 40


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_fault_46_cell_of_1_mb(tmp_path, name):
    long = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(350_000))
    rows: list[list[object]] = [HEADER, ["001", "x", long], [*GOOD[1]]]
    path = write(tmp_path / name, csv_bytes(rows)) if name == "a.csv" else write_long(tmp_path / name, rows)  # type: ignore[arg-type]
    with open_table(path) as reader:
        frame, rejected, _ = read_all(reader)
    assert frame["编号"].to_list() == ["002"]
    assert rejected.select("line_no", "rule").rows() == [(2, "cell_too_long")]
    assert rejected["value"].str.len_chars().to_list() == [500]


def write_long(path: Path, rows: list[list[object]]) -> Path:
    """Write a cell longer than any library allows."""
    long = str(rows[1][2])
    workbook(path, [rows[0], [*rows[1][:2], "LONG"], rows[2]])
    return rewrite(path, "xl/worksheets/sheet1.xml", b"LONG", long.encode())


def test_fault_47_ids_in_scientific_notation_stay_recognisable(tmp_path):
    with open_table(workbook(tmp_path / "a.xlsx", [["id"], [1.2e17], [42], [42.50]])) as reader:
        assert read_all(reader)[0]["id"].to_list() == ["1.2E+17", "42", "42.5"]


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_fault_48_leading_zeros_are_kept(tmp_path, name):
    rows: list[list[object]] = [HEADER, *GOOD]
    path = write(tmp_path / name, csv_bytes(rows)) if name == "a.csv" else workbook(tmp_path / name, rows)  # type: ignore[arg-type]
    with open_table(path) as reader:
        assert read_all(reader)[0]["编号"].to_list() == ["001", "002"]


def test_the_quarantine_is_scrubbed_before_it_is_cut(tmp_path):
    row = "x" * 495 + " 13812345678 " + "," * 5 + "\n"
    with open_table(write(tmp_path / "a.csv", "id,time,kind\n1,a,b\n" + row)) as reader:
        _, rejected, _ = read_all(reader)
    assert "138" not in rejected["value"][0]
