from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudmap.errors import SchemaError, SourceError
from cloudmap.ingest import delimited
from cloudmap.ingest.tables import open_table
from tests.ingest.table_files import csv_bytes, read_all, reader_of

# Characters that GB18030, Big5 and UTF all have, with trail bytes 5C, 7C and 7E among them (許功蓋, 慄, 獵), and all that cuts records.
CELLS = st.text(st.sampled_from('a0 ,;|\t"\n\r許功蓋慄獵路桥車，\u3000'), max_size=8)
TABLES = st.integers(1, 4).flatmap(lambda columns: st.lists(st.lists(CELLS, min_size=columns, max_size=columns), min_size=1, max_size=6))
LAYOUTS = st.tuples(
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "cp950"]),
    st.sampled_from([",", ";", "|", "\t", "~"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([1, 2, 3, 7, 64, 1 << 20]),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TABLES, LAYOUTS)
def test_any_table_reads_back_equal_in_every_layout_and_block_size(tmp_path, rows, layout):
    encoding, delimiter, newline, block_bytes = layout
    rows = [["".join(one for one in cell if encoding != "cp950" or one not in "桥") for cell in row] for row in rows]
    header = [f"c{number}" for number in range(len(rows[0]))]
    path = tmp_path / "table.csv"
    path.write_bytes(csv_bytes([header, *rows], delimiter=delimiter, encoding=encoding, newline=newline))
    reader = reader_of(path, delimiter=delimiter, encoding={"utf-8-sig": "utf-8"}.get(encoding, encoding), block_bytes=block_bytes)
    frame, rejected, records_n = read_all(reader)
    assert (records_n, rejected.height) == (len(rows), 0)
    assert frame.columns == ["line_no", *header]
    assert frame.drop("line_no").rows() == [tuple(cell or None for cell in row) for row in rows]
    starts = [1]
    for row in [header, *rows]:
        starts.append(starts[-1] + 1 + sum(cell.count("\n") for cell in row))
    assert frame["line_no"].to_list() == starts[1:-1]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["good", "short", "long", "nul", "gbk", "two_lines", "stray", "blank"]), st.integers(0, 99)), max_size=9
    ),
    st.integers(1, 80),
)
def test_every_record_is_kept_or_rejected_whatever_the_cut(tmp_path, plan, block_bytes):
    lines = {
        "good": "{},路桥,x",
        "short": "{},路桥",
        "long": "{},路桥,x,y",
        "nul": "{},路\x00桥,x",
        "gbk": "{},\udc80路桥,x",
        "two_lines": '{},"路\n桥",x',
        "stray": '{},"路"桥,x',
        "blank": "",
    }
    plan = [("good", 1)] * 10 + plan  # fewer than half of the lines are spoilt, or the file is refused
    text = "id,name,note\n" + "".join(lines[kind].format(number) + "\n" for kind, number in plan)
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    frame, rejected, records_n = read_all(reader_of(path, encoding="utf-8", delimiter=",", block_bytes=block_bytes))
    kinds = [kind for kind, _ in plan]
    assert records_n == len(kinds) - kinds.count("blank")
    assert frame.height == kinds.count("good") + kinds.count("two_lines")
    assert sum(int(one) for one in frame["id"]) == sum(number for kind, number in plan if kind in {"good", "two_lines"})
    rules = {"short": "ragged", "long": "ragged", "nul": "nul_byte", "gbk": "undecodable", "stray": "stray_quote"}
    line, wanted = 2, []
    for kind, _ in plan:
        if kind in rules:
            wanted.append((line, rules[kind]))
        line += 1 + (kind == "two_lines")
    assert rejected.select("line_no", "rule").rows() == wanted


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "cp950"])
def test_encoding_and_delimiter_are_found_with_evidence(tmp_path, delimiter, encoding):
    rows = [
        ["編號", "時間", "類別", "地址"],
        *([str(number), "2018-01-01 08:30", "道路積水", f"路橋街道, 第{number}號"] for number in range(30)),
    ]
    path = tmp_path / "table.txt"
    path.write_bytes(csv_bytes(rows, delimiter=delimiter, encoding=encoding))
    with open_table(path) as reader:
        assert reader.delimiter == delimiter
        assert reader.format == ("tsv" if delimiter == "\t" else "csv")
        assert reader.encoding == {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "cp950": "big5"}.get(encoding, encoding)
        assert reader.evidence[0].startswith(f"encoding {reader.encoding}: ")
        assert reader.evidence[1] == f"delimiter {delimiter!r}: 4 cells in 31 of 31 sampled records"
        frame, rejected, _ = read_all(reader)
    assert frame.drop("line_no").rows() == [tuple(row) for row in rows[1:]]
    assert rejected.is_empty()


def test_a_header_may_span_lines_and_lines_count_on(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'id,"time\n(local)"\n1,x\n\n2,y')
    with open_table(tmp_path / "a.csv") as reader:
        assert reader.header == ["id", "time\n(local)"]
        assert read_all(reader)[0]["line_no"].to_list() == [3, 5]


def test_blocks_can_be_read_again_and_a_column_called_line_no_is_kept(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"line_no,rule\n7,x\n")
    with open_table(tmp_path / "a.csv") as reader:
        assert reader.header == ["file_line_no", "rule"]
        assert "file_line_no" in reader.evidence[-1]
        once, again = read_all(reader)[0], read_all(reader)[0]
    assert once.equals(again)
    assert once.to_dicts() == [{"line_no": 2, "file_line_no": "7", "rule": "x"}]


def test_quotes_inside_unquoted_cells_are_text(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'id,size\n1,5" pipe\n2,"6"" pipe"\n')
    with open_table(tmp_path / "a.csv") as reader:
        assert read_all(reader)[0]["size"].to_list() == ['5" pipe', '6" pipe']


def test_carriage_returns_alone_end_lines(tmp_path):
    (tmp_path / "a.csv").write_bytes("编号,类别\r1,路灯\r2,垃圾\r".encode("gbk"))
    with open_table(tmp_path / "a.csv", encoding="gbk") as reader:
        frame, _, records_n = read_all(reader)
    assert (records_n, frame["类别"].to_list()) == (2, ["路灯", "垃圾"])


def test_text_without_delimiter_is_one_column(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"id\n1\n2\n")
    with open_table(tmp_path / "a.csv") as reader:
        assert reader.header == ["id"]
        assert reader.evidence[-1] == "no delimiter found: one column"
        assert read_all(reader)[0]["id"].to_list() == ["1", "2"]


def test_narrow_tables_are_cut_into_more_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "CELLS_PER_BLOCK", 10)
    (tmp_path / "a.csv").write_bytes(b"a,b\n" + b"".join(b"%d,x\n" % number for number in range(23)))
    with open_table(tmp_path / "a.csv") as reader:
        assert [block.records_n for block in reader.blocks()] == [4, 5, 5, 5, 4]
        assert read_all(reader)[0]["a"].cast(pl.Int64).to_list() == list(range(23))


def test_a_line_that_never_ends_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "RECORD_MAX_BYTES", 1000)
    (tmp_path / "a.csv").write_bytes(b"a,b\n" + b"x" * 5000)
    reader = reader_of(tmp_path / "a.csv", delimiter=",", block_bytes=100)
    with pytest.raises(SourceError, match="no line end within"):
        read_all(reader)


def test_declared_delimiters_are_checked(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a\tb\n1\t2\n")
    with open_table(tmp_path / "a.csv", delimiter="tab") as reader:
        assert reader.header == ["a", "b"]
    with pytest.raises(SourceError, match="one ASCII character"):
        open_table(tmp_path / "a.csv", delimiter="，")


def test_a_declared_format_must_be_the_content(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a\tb\n1\t2\n")
    with open_table(tmp_path / "a.csv", format="tsv") as reader:
        assert reader.format == "tsv"
    with pytest.raises(SourceError, match="declared xlsx but the content is csv"):
        open_table(tmp_path / "a.csv", format="xlsx")


def test_a_title_above_the_header_is_refused_with_a_preview(tmp_path):
    (tmp_path / "a.csv").write_text("2018年案件统计\n编号,电话\n1,13812345678\n2,x\n3,y\n4,z\n", encoding="utf-8")
    with pytest.raises(SchemaError, match="Is it a title") as caught:
        open_table(tmp_path / "a.csv")
    assert "编号 | 电话" in str(caught.value)
    assert "13812345678" not in str(caught.value)
