from __future__ import annotations

import io
import re
import zipfile
from html.parser import HTMLParser

import openpyxl
import pytest

from cloudmap.errors import AnalysisError, ConfigError
from cloudmap.publish import documents, maps
from cloudmap.publish.briefing import brief
from cloudmap.schema import LEDGER_CLASSES


class _Page(HTMLParser):
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
            self.tables[-1][-1][-1] += data.strip()

    @property
    def text(self) -> str:
        return "".join(self.words)


def _page(reader, tmp_path, **settings):
    return _Page(brief(reader, path=tmp_path / "b.html", **settings).read_text(encoding="utf-8"))


def test_the_page_tells_the_readers_numbers(reader, tmp_path):
    page = _page(reader, tmp_path)
    hot = [reader.counts[place] for place in reader.hot]
    for said in (
        "共登记事项 408 件",
        "400 件有可用坐标",
        "显著热点 7 处",
        f"涉及事项 {sum(hot)} 件",
        f"（{sum(reader.counts.values())} 件）",
    ):
        assert said in page.text
    header, *rows = page.tables[0]
    assert header == ["序号", "所在单元", "格网编号", "本格件数", "含邻格件数", "p 值", "q 值"]
    assert [(row[2], int(row[3])) for row in rows] == sorted(((p, reader.counts[p]) for p in reader.hot), key=lambda one: -one[1])
    assert {row[1] for row in rows} <= {"路南街道", "=路北街道"}


def test_the_ledger_closes_on_the_page(reader, tmp_path):
    header, row, total = _page(reader, tmp_path).tables[1]
    assert len(header) == 4 + len(LEDGER_CLASSES)
    counts = [int(cell.replace(",", "")) for cell in row[3:]]
    assert counts[0] == sum(counts[1:]) == 1000
    assert total[3:] == row[3:]


def test_without_exposure_the_title_says_where_reports_are(fake, tmp_path):
    assert "报告在哪里" in _page(fake(), tmp_path).text
    assert "Where reports are: Luqiao District" in _page(fake(), tmp_path, language="en").text
    declared = _page(fake(exposure_kind="population"), tmp_path)
    assert "报告在哪里" not in declared.text
    assert declared.tables[0][0][5:7] == ["期望件数", "与期望之比"]


def test_the_page_asks_nobody_for_anything(reader, tmp_path):
    page = _page(reader, tmp_path)
    assert [one for one in page.addresses if not one.startswith(("#", "data:"))] == []
    assert not page.tags & {"script", "link", "iframe", "object"}
    style = (tmp_path / "b.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in style
    assert not re.search(r"url\((?!['\"]?(#|data:))|@import", style)


def test_text_from_files_is_never_markup(reader, tmp_path):
    page = _page(reader, tmp_path)
    assert "<b>app</b>.csv" in page.text
    assert "b" not in page.tags


@pytest.mark.parametrize("format", documents.FORMATS)
@pytest.mark.parametrize("language", ["zh-Hans", "en"])
def test_a_rerun_gives_the_same_bytes(format, language, fake, tmp_path):
    first = brief(fake(), path=tmp_path / "one", format=format, language=language).read_bytes()
    assert first == brief(fake(), path=tmp_path / "two", format=format, language=language).read_bytes()


def test_the_workbook_holds_every_hot_place_and_the_map(reader, tmp_path):
    path = brief(reader, path=tmp_path / "b.xlsx", format="xlsx")
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["简报", "热点明细", "数据台账", "方法与须知", "编制信息"]
    rows = list(book["热点明细"].iter_rows(min_row=2, values_only=True))
    assert {row[2]: row[3] for row in rows} == {place: reader.counts[place] for place in reader.hot}
    assert {type(row[5]) for row in rows} == {float}
    named = [cell for cell in book["热点明细"]["B"] if str(cell.value).startswith("=")]
    assert {cell.data_type for cell in named} == {"s"}
    assert book["数据台账"]["D3"].value == 1000
    assert book.properties.created.isoformat() == "2018-09-03T01:30:00"
    picture = zipfile.ZipFile(io.BytesIO(path.read_bytes())).read("xl/media/image1.png")
    assert picture.startswith(b"\x89PNG")


def test_no_hotspot_is_said_and_not_taken_for_no_problem(fake, tmp_path):
    page = _page(fake(hot_n=0), tmp_path)
    assert "未检出显著热点" in page.text
    assert "并不表示没有问题" in page.text
    assert "本期没有热点" in page.text


def test_outside_says_so_and_gives_no_share(fake, tmp_path):
    page = _page(fake(outside=True), tmp_path)
    assert "可对外提供" in page.text
    assert "少于 5 件的数量不予显示" in page.text
    assert "%" not in page.text.split("基本情况")[1].split("热点分布图")[0]


def test_long_tables_are_cut_and_say_so(fake, tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "HTML_ROWS_MAX", 3)
    page = _page(fake(), tmp_path)
    assert len(page.tables[0]) == 4
    assert "列出前 3 处，其余 4 处" in page.text


def test_a_large_map_is_a_picture(fake, tmp_path, monkeypatch):
    monkeypatch.setattr(maps, "SVG_SHAPES_MAX", 10)
    page = _page(fake(), tmp_path)
    assert [one[:22] for one in page.addresses] == ["data:image/png;base64,"]


def test_a_city_replaces_words_and_layout(reader, tmp_path):
    own = reader.city.folder / "templates"
    own.mkdir()
    (own / "hotspots.html").write_text("<p>{{ title }}|{{ rows|length }}</p>", encoding="utf-8")
    assert brief(reader, path=tmp_path / "b.html").read_text(encoding="utf-8") == "<p>报告在哪里——路桥区全部类别报告分布情况|7</p>"
    (own / "hotspots.html").write_text("{{ nobody }}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"hotspots\.html.*nobody"):
        brief(reader, path=tmp_path / "b.html")
    (own / "zh-Hans.toml").write_text("[labels", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid TOML"):
        brief(reader, path=tmp_path / "b.html")


def test_both_languages_have_the_same_words():
    import tomllib

    from cloudmap.publish.wording import _SHIPPED

    one, two = (tomllib.loads((_SHIPPED / f"{name}.toml").read_text(encoding="utf-8")) for name in ("zh-Hans", "en"))
    assert {part: list(texts) for part, texts in one.items()} == {part: list(texts) for part, texts in two.items()}
    assert {name: len(texts) for name, texts in one["sentences"].items()} == {name: len(texts) for name, texts in two["sentences"].items()}


@pytest.mark.parametrize("wrong", [{"kind": "people"}, {"format": "pdf"}, {"language": "fr"}])
def test_unknown_kinds_formats_and_languages_are_refused(wrong, reader, tmp_path):
    with pytest.raises(AnalysisError, match="there are:"):
        brief(reader, path=tmp_path / "b.html", **wrong)


def test_each_briefing_is_in_the_audit_log(reader, tmp_path, audited):
    brief(reader, path=tmp_path / "b.html")
    assert [(one["action"], one["details"]["file"]) for one in audited()] == [("brief", "b.html")]
