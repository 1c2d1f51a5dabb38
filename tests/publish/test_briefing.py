from __future__ import annotations

import importlib.abc
import io
import re
import sys
import zipfile

import h3
import openpyxl
import pytest

from cloudmap.city import BriefingSection
from cloudmap.errors import AnalysisError, ConfigError, SourceError
from cloudmap.publish import content, fonts, maps
from cloudmap.publish.briefing import brief
from cloudmap.schema import LEDGER_CLASSES
from tests.publish.fake_reader import CENTRE
from tests.publish.reading import Page


def _page(reader, tmp_path, **settings):
    return Page(brief(reader, path=tmp_path / "b.html", **settings).read_text(encoding="utf-8"))


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
    assert header == ["序号", "所在单元", "编号", "件数", "含邻格件数", "p 值", "q 值"]
    assert [(row[2], int(row[3])) for row in rows] == sorted(((p, reader.counts[p]) for p in reader.hot), key=lambda one: -one[1])
    assert {row[1] for row in rows} <= {"路南街道", "=路北街道"}


def test_the_ledger_closes_on_the_page(reader, tmp_path):
    header, row, total = _page(reader, tmp_path).tables[2]
    assert len(header) == 4 + len(LEDGER_CLASSES)
    counts = [int(cell.replace(",", "")) for cell in row[3:]]
    assert counts[0] == sum(counts[1:]) == 1000
    assert total[3:] == row[3:]
    assert total[1] == "合计"


def test_without_exposure_the_title_says_where_reports_are(fake, tmp_path):
    assert "报告在哪里" in _page(fake(), tmp_path).text
    assert "Where reports are: Luqiao District" in _page(fake(), tmp_path, language="en").text
    declared = _page(fake(exposure_kind="population"), tmp_path)
    assert "报告在哪里" not in declared.text
    assert declared.tables[0][0][5:8] == ["期望件数", "与期望之比", "区间（95%）"]
    assert declared.tables[1][0][3:6] == ["期望件数", "与期望之比", "区间（95%）"]
    assert declared.tables[1][1][3:6] == ["2.0", "1.50", "[0.75, 3.00]"]
    assert "Garwood 的精确泊松区间" in declared.text


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


@pytest.mark.parametrize(
    ("format", "language"),
    [*((one, spoken) for one in ("html", "docx", "xlsx") for spoken in ("zh-Hans", "zh-Hant", "en")), ("pdf", "zh-Hant")],
)
def test_a_rerun_gives_the_same_bytes(format, language, fake, tmp_path):
    first = brief(fake(), path=tmp_path / "one", format=format, language=language).read_bytes()
    assert first == brief(fake(), path=tmp_path / "two", format=format, language=language).read_bytes()


def test_the_workbook_holds_every_hot_place_and_the_map(reader, tmp_path):
    path = brief(reader, path=tmp_path / "b.xlsx", format="xlsx")
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["简报", "热点明细", "各单元件数", "数据台账", "七、编制信息", "方法与须知"]
    rows = [row for row in book["热点明细"].iter_rows(min_row=2, values_only=True) if row[2]]
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
    monkeypatch.setattr(content, "ROWS_MAX", 3)
    page = _page(fake(), tmp_path)
    assert len(page.tables[0]) == 4
    assert "列出前 3 行，其余 4 行" in page.text


def test_a_large_map_is_a_picture(fake, tmp_path, monkeypatch):
    monkeypatch.setattr(maps, "SVG_SHAPES_MAX", 10)
    page = _page(fake(), tmp_path)
    assert [one[:22] for one in page.addresses] == ["data:image/png;base64,"]


def test_masked_classes_are_never_told_as_zero(fake, tmp_path, monkeypatch):
    reader = fake(outside=True)
    monkeypatch.setattr(reader, "unplaced", lambda *_: {"located": 400, "area_only": None, "unmapped": 0, "outside": 7})
    said = _page(reader, tmp_path).text
    assert "共登记事项 407 件以上" in said
    assert "少于5 件只能归到单元" in said
    assert "0 件没有坐标" in said


def test_a_briefing_of_a_unit_tells_of_that_unit_only(reader, tmp_path):
    page = _page(reader, tmp_path, unit="331004002")
    inside = [place for place in reader.hot if h3.cell_to_latlng(place)[1] > CENTRE[1]]
    assert "=路北街道共登记事项 250 件" in page.text
    assert [row[2] for row in page.tables[0][1:]] == sorted(inside, key=lambda place: -reader.counts[place])
    assert [row[:3] for row in page.tables[1][1:]] == [["=路北街道", "331004002", "250"]]
    with pytest.raises(AnalysisError, match="did you mean '331004002'"):
        _page(reader, tmp_path, unit="33100402")


def test_the_review_number_is_a_blank_until_the_city_has_one(reader, tmp_path, monkeypatch):
    blank = "\uff3f" * 10
    assert _page(reader, tmp_path).text.count(blank) == 2
    numbered = reader.city.model_copy(update={"briefing": BriefingSection(review_number="浙台S(2018)12号")})
    monkeypatch.setattr(reader, "city", numbered)
    page = _page(reader, tmp_path)
    assert blank not in page.text
    assert page.text.count("浙台S(2018)12号") == 2


def test_without_a_chinese_font_a_pdf_is_refused_with_the_remedy(reader, tmp_path, monkeypatch):
    monkeypatch.setattr(fonts, "chinese_font", lambda: None)
    with pytest.raises(SourceError, match="fonts-noto-cjk"):
        brief(reader, path=tmp_path / "b.pdf", format="pdf")
    assert list(tmp_path.iterdir()) == []


def test_without_pango_a_pdf_is_refused_with_the_remedy(reader, tmp_path, monkeypatch):
    class Missing(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    for name in [one for one in sys.modules if one.split(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(SourceError, match="apt install libpango"):
        brief(reader, path=tmp_path / "b.pdf", format="pdf", language="en")


def test_a_template_of_the_office_cannot_fetch_files(reader, tmp_path, caplog):
    own = tmp_path / "own"
    own.mkdir()
    secret = tmp_path / "secret.svg"
    secret.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    (own / "briefing.html").write_text(f'<p>x<img src="{secret.as_uri()}">', encoding="utf-8")
    brief(reader, path=tmp_path / "b.pdf", format="pdf", templates=own)
    assert "disallowed protocol" in caplog.text


def test_a_city_replaces_words_and_layout(reader, tmp_path):
    own = reader.city.folder / "templates"
    own.mkdir()
    (own / "briefing.html").write_text("<p>{{ document.title }}|{{ document.tables[0].rows|length }}</p>", encoding="utf-8")
    said = "<p>报告在哪里——路桥区全部类别报告分布情况|7</p>"
    assert brief(reader, path=tmp_path / "b.html").read_text(encoding="utf-8") == said
    elsewhere = tmp_path / "office"
    elsewhere.mkdir()
    (elsewhere / "hotspots.html").write_text("own", encoding="utf-8")
    assert brief(reader, path=tmp_path / "c.html", templates=elsewhere).read_text(encoding="utf-8") == "own"
    with pytest.raises(ConfigError, match="no such folder"):
        brief(reader, path=tmp_path / "c.html", templates=tmp_path / "nowhere")
    (own / "hotspots.html").write_text("{{ nobody }}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"hotspots\.html.*nobody"):
        brief(reader, path=tmp_path / "b.html")
    (own / "zh-Hans.toml").write_text("[labels", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid TOML"):
        brief(reader, path=tmp_path / "b.html")


@pytest.mark.parametrize("language", ["en", "zh-Hant"])
def test_all_languages_have_the_same_words(language):
    import json
    import tomllib

    from cloudmap.publish.wording import _SHIPPED

    def shape(part):
        return {key: shape(one) for key, one in part.items()} if isinstance(part, dict) else len(part) if isinstance(part, list) else None

    one, two = (tomllib.loads((_SHIPPED / f"{name}.toml").read_text(encoding="utf-8")) for name in ("zh-Hans", language))
    assert shape(one) == shape(two)
    words = _SHIPPED.parent / "words"
    one, two = (json.loads((words / f"layers.{name}.json").read_text(encoding="utf-8")) for name in ("zh-Hans", language))
    assert list(one) == list(two)


@pytest.mark.parametrize("wrong", [{"kind": "people"}, {"format": "doc"}, {"language": "fr"}, {"kind": "meeting", "tier": "city"}])
def test_unknown_kinds_formats_and_languages_are_refused(wrong, reader, tmp_path):
    with pytest.raises(AnalysisError, match="there are:"):
        brief(reader, path=tmp_path / "b.html", **wrong)


def test_each_briefing_is_in_the_audit_log(reader, tmp_path, audited):
    brief(reader, path=tmp_path / "b.html")
    assert [(one["action"], one["details"]["file"]) for one in audited()] == [("brief", "b.html")]
