"""Plain rows, read by the compiled pass, hold what the parser reads from them, and nothing is taken that it would refuse."""

from __future__ import annotations

import io
import zipfile
from unittest.mock import patch

import polars as pl
import pytest
import xlsxwriter
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudmap.errors import SourceError
from cloudmap.ingest import plainrows
from cloudmap.ingest.plainrows import read_stretches, show_moments
from cloudmap.ingest.sheet import Texts, number_text, read_rows

TEXTS = Texts(["路桥", "", "a&b", " "], ["", "date", "time", "datetime"])
COLUMNS_N = 4
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<worksheet><dimension ref="A1:D9"/><sheetData>'
TAIL = '</sheetData><mergeCells><mergeCell ref="A1:B2"/></mergeCells></worksheet>'

STYLES = ["", ' s="0"', ' s="1"', ' s="2"', ' s="3"', ' s="99"']
NUMBERS = [
    "0", "-0", "7", "-12", "007", "42.5", "42.50", "0.5", "-0.5", ".5", "5.", "0.0001", "0.00001", "121.37441000000001",
    "123456789.123456", "123456789012345678",
    "42370.0325", "42373.23741898148", "60", "61", "0.25", "1.75", "-1", "2958465.9999999", "2958466", "1E-3", "1.2E+17", "1e5",
    "999999999999999.5", "1e999", "nan", "x", " 5 ", "+5", "--5", "1_0", "５",
]  # fmt: skip
STORED = [
    "", "路桥区", "a", "a much longer text, of more than twelve bytes", " 空 ", "&amp;lt;", "a&lt;b&gt;&quot;&apos;", "&#10;", "&#x4e00;",
    "_x000D_", "_x", "a\nb\tc", "a\rb", "]]", "]]&gt;", "\ufffd", "\uffff", "𠮷", "=1", "1",
]  # fmt: skip

values = st.one_of(
    st.builds('<c{{r}}{}><v>{}</v></c>'.format, st.sampled_from(STYLES), st.sampled_from(NUMBERS)),
    st.builds('<c{{r}}{} t="n"><v>{!r}</v></c>'.format, st.sampled_from(STYLES), st.floats(-1e6, 1e6)),
    st.builds('<c{{r}}{}><v>{:.4f}</v></c>'.format, st.sampled_from(STYLES), st.floats(0, 1e5)),
    st.builds('<c{{r}} s="1" t="s"><v>{}</v></c>'.format, st.sampled_from(["0", "1", "2", "3", "4", "-1", "01", "x", ""])),
    st.builds('<c t="inlineStr"{{r}}><is><t xml:space="preserve">{}</t></is></c>'.format, st.sampled_from(STORED)),
    st.builds('<c{{r}} t="str"><f>A1&amp;"_xlfn"</f><v>{}</v></c>'.format, st.sampled_from(STORED)),
    st.builds('<c{{r}} t="{}"><v>{}</v></c>'.format, st.sampled_from("ebd"), st.sampled_from(["#N/A", "1", "0", "2", " 1", "2017-03T"])),
    st.sampled_from([
        "<c{r}/>", "<c{r} />", "<c{r} s=\"3\"></c>", "<c{r}><v/></c>", "<c{r}><f>A1+1</f></c>", '<c{r}><f t="shared" si="0"/><v>3</v></c>',
        "<c{r}><f>A1</f><v></v></c>", '<c{r} t="inlineStr"><is><r><t>富</t></r><r><t>文</t></r></is></c>', "<c{r}>\n <v>5</v>\r\n</c >",
        '<c{r} t="inlineStr"><is><t>a</t><rPh sb="0" eb="1"><t>b</t></rPh></is></c>', "<c{r} cm=\"1\" vm='2'><v>5</v></c>",
        "<c{r}><v><![CDATA[5]]></v></c>", "<c{r}><!-- </row> --><v>5</v></c>", '<c{r} t="inlineStr"><is/></c>',
        '<x:c{r} xmlns:x="u"><x:v>5</x:v></x:c>',
        '<c{r} t="inlineStr"><is>\n<t/>\n</is>\n</c>', "<c{r}><v>5</v><extLst><ext/></extLst></c>", "<c{r} s='1'><v>42370</v></c>",
    ]),
)  # fmt: skip


@st.composite
def rows(draw):
    """Return the XML of a row, in which cells may lack their reference, stand out of order or beyond the header."""
    number = draw(st.sampled_from(["", "+1", "+3"]))
    cells = draw(st.lists(st.tuples(values, st.sampled_from(["", "next", "next", "next", "skip", "E", "odd"])), max_size=5))
    return number, cells, draw(st.sampled_from(["", "", "\n  ", "<!-- <row></row> -->", "<?pi </row> ?>"]))


def sheet_of(drawn) -> str:
    parts, last = [], 0
    for number, cells, gap in drawn:
        last += int(number or 1)
        column, written = 0, []
        for text, where in cells:
            column += 2 if where == "skip" else 1
            letter = {"E": "E", "odd": "a"}.get(where, "ABCDEFGHIJKLMNOP"[column - 1])
            written.append(text.replace("{r}", f' r="{letter}{last}"' if where else ""))
        tag = f'<row r="{last}" spans="1:4">' if number else "<row>"
        parts.append(gap + tag + "".join(written) + "</row>")
    return HEAD + "".join(parts) + TAIL


def outcomes(content: str | bytes) -> tuple[object, object]:
    """Read a sheet by the parser alone, and by the compiled pass with it."""
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("s", raw)
    with zipfile.ZipFile(buffer) as archive:
        try:
            slow: object = [(row.number, row.cells, row.uncached) for row in read_rows(archive, "s", "a", TEXTS)]
        except SourceError:
            slow = SourceError
        merged: list[tuple[int, int]] = []
        fast: list[tuple[int, dict[int, str], tuple[int, ...]]] = []
        try:
            for some in read_stretches(archive, "s", "a", TEXTS, columns_n=COLUMNS_N, rows_max=3, merged=merged):
                plain = zip(
                    some.numbers.tolist(),
                    pl.DataFrame([one.alias(f"c{at}") for at, one in enumerate(some.columns)]).iter_rows(),
                    strict=False,
                )
                shown = [(number, {at: text for at, text in enumerate(cells) if text}, ()) for number, cells in plain]
                fast += sorted([one for one in shown if one[1]] + [(row.number, row.cells, row.uncached) for row in some.odd])
        except SourceError:
            return slow, SourceError
        judged = [row for some in read_stretches(archive, "s", "a", TEXTS, columns_n=500, keep=False) for row in some.odd]
        assert all((row.number, row.cells, row.uncached) in fast for row in judged)
    return slow, fast


@settings(deadline=None)
@given(st.lists(rows(), max_size=6), st.sampled_from([1, 64, 2**20]))
def test_the_compiled_pass_reads_what_the_parser_reads(drawn, stretch_bytes):
    with patch.object(plainrows, "STRETCH_BYTES", stretch_bytes):
        slow, fast = outcomes(sheet_of(drawn))
    assert fast == slow


@settings(deadline=None)
@given(st.lists(rows(), min_size=1, max_size=4), st.data())
def test_a_spoilt_byte_changes_both_readings_alike(drawn, data):
    raw = sheet_of(drawn).encode("utf-8", "surrogatepass")
    at = data.draw(st.integers(len(HEAD), len(raw) - 1))
    cut = data.draw(st.integers(0, 2))
    new = data.draw(
        st.sampled_from([b"", b"<", b">", b"/", b"&", b'"', b"r", b" ", b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbf\xbf", b"0", b"A"])
    )
    slow, fast = outcomes(raw[:at] + new + raw[at + cut :])
    assert fast == slow


@pytest.mark.parametrize(
    "content",
    [
        HEAD.replace("UTF-8", "GBK") + '<row r="1"><c r="A1" t="str"><v>abc</v></c></row>' + TAIL,
        (HEAD.replace("UTF-8", "utf-16") + '<row r="1"><c r="A1" t="str"><v>路</v></c></row>' + TAIL).encode("utf-16"),
        "<!-- <sheetData> -->" + HEAD.split("?>")[1] + '<row r="1"><c r="A1"><v>1</v></c></row>' + TAIL,
        HEAD + TAIL,
        HEAD.replace("<sheetData>", "") + "<sheetData/></worksheet>",
        "\ufeff" + HEAD + '<row r="1"><c r="A1"><v>1</v></c></row>' + TAIL,
        HEAD + '<row r="1"><c r="A1"><v>1</v></c></row></sheetData><row r="2"><c r="A2"><v>2</v></c></row></worksheet>',
        "",
    ],
)
def test_heads_and_tails(content):
    slow, fast = outcomes(content)
    assert fast == slow


@given(st.lists(st.one_of(st.floats(-10, 3e6), st.integers(0, 10**5).map(float), st.sampled_from([60.0, 61.0, 60.999999999])), max_size=20),
       st.sampled_from(["date", "time", "datetime"]), st.booleans())  # fmt: skip
@example([42370.999999999, 42370.5, 42370.0], "date", False)
@example([2957004.0, 2957003.9999999995], "datetime", True)
@example([2958465.9999999995], "datetime", False)
def test_moments_are_shown_as_one_by_one(serials, dates, since_1904):
    stored = [repr(one) for one in serials]
    shown = show_moments(pl.Series(stored, dtype=pl.String), dates, since_1904=since_1904)
    assert shown.to_list() == [number_text(one, dates, since_1904=since_1904) for one in stored]


def test_what_spreadsheets_write_does_not_reach_the_parser(tmp_path):
    book = xlsxwriter.Workbook(str(tmp_path / "a.xlsx"))
    page = book.add_worksheet()
    dated = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    for row in range(3):
        page.write_row(row, 0, ["路 & 桥", 121.37441000000001, True])
        page.write_formula(row, 3, "=_xlfn.CONCAT(A1,B1)", dated, 42370.5)
    book.close()
    texts = Texts(["路 & 桥"], ["", "datetime"])
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        found = list(read_stretches(archive, "xl/worksheets/sheet1.xml", "a", texts, columns_n=4))
    assert [len(one.odd) for one in found] == [0, 0]
    assert (
        pl.DataFrame([one.alias(str(at)) for at, one in enumerate(found[0].columns)]).rows()
        == [("路 & 桥", "121.37441", "TRUE", "2016-01-01 12:00:00")] * 3
    )
