"""Every kind of briefing on an analysed city: the numbers in the file are the reader's, whatever the unit and the period."""

from __future__ import annotations

import random
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import polars as pl
import pytest
from docx import Document

from cloudmap.access.audience import Audience
from cloudmap.city import open_city
from cloudmap.errors import AccessError, AnalysisError, CloudmapError, ConfigError
from cloudmap.pipeline import read
from cloudmap.publish import maps, titles
from cloudmap.publish.briefing import brief
from cloudmap.publish.content import value_text
from cloudmap.publish.kinds import KINDS
from tests.publish.fake_reader import FakeReader

CITY_KINDS = [kind for kind in KINDS if kind != "meeting"]
"""The small city of the tests has no micro-grids, which meetings need."""


@pytest.fixture(scope="module")
def reader(analysed_city, tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    opened = open_city(analysed_city)
    own = opened.model_copy(update={"folder": folder, "store": opened.store.model_copy(update={"url": str(analysed_city / "store")})})
    return read(own)


@pytest.fixture
def small_maps(monkeypatch):
    """Draw every map coarsely: these tests look at words and numbers."""
    drawn = cache(lambda: maps.map_png(FakeReader(Path("/nowhere")), dpi=10))
    monkeypatch.setattr("cloudmap.publish.content.maps", SimpleNamespace(map_png=lambda *_, **__: drawn(), SVG_SHAPES_MAX=-1))


def _tables(path):
    """Tables of an office document by the heading before them: rows of texts."""
    document = Document(str(path))
    found, last = {}, ""
    for block in document.iter_inner_content():
        if hasattr(block, "rows"):
            found[last] = [[cell.text for cell in row.cells] for row in block.rows]
        elif block.style.name.startswith("Heading"):
            last = block.text
    return found


def _same(cells, rows):
    """Whether cells of a workbook, which keeps sixteen digits, hold the rows."""
    return len(cells) == len(rows) and all(
        mine == (None if other is None else pytest.approx(other, rel=1e-14))
        for row, told in zip(cells, rows, strict=True)
        for mine, other in zip(row, told, strict=True)
    )


def _ten(reader):
    """Ten random pairs of unit and period."""
    units = [str(code) for code in reader.geometry("unit_street")["place"]]
    drawn = random.Random(11)
    return [(drawn.choice(units), drawn.choice(reader.periods()).id) for _ in range(10)]


def test_numbers_in_documents_and_workbooks_are_the_readers(reader, tmp_path, small_maps):
    names = dict(zip(*(reader.geometry("unit_street")[name] for name in ("place", "name")), strict=True))
    for unit, period in _ten(reader):
        told = reader.statistic("handling", layer="unit_street", period=period).table.filter(pl.col("place") == unit)
        brief(reader, kind="handling", unit=unit, period=period, format="docx", language="en", path=tmp_path / "b.docx")
        rows = _tables(tmp_path / "b.docx")["Indicators by unit"][1:]
        expected = [
            [
                names[unit],
                *(value_text(row[key], kind) for key, kind in (("numerator_n", "count"), ("denominator_n", "count"), ("value", "share"))),
            ]
            for row in told.iter_rows(named=True)
        ]
        assert [[row[0], *row[2:5]] for row in rows] == expected
        brief(reader, kind="handling", unit=unit, period=period, format="xlsx", language="en", path=tmp_path / "b.xlsx")
        sheet = openpyxl.load_workbook(tmp_path / "b.xlsx")["Indicators by unit"]
        cells = [row[2:7] for row in sheet.iter_rows(min_row=2, max_row=told.height + 1, values_only=True)]
        assert _same(cells, told.select("numerator_n", "denominator_n", "value", "lower", "upper").rows())


def test_units_in_the_briefing_of_hotspots_are_the_readers(reader, tmp_path, small_maps):
    for unit, period in _ten(reader)[:4]:
        told = reader.values("unit_street", "ALL", period, "ratio").table.row(by_predicate=pl.col("place") == unit, named=True)
        brief(reader, unit=unit, period=period, format="docx", language="en", path=tmp_path / "b.docx")
        rows = _tables(tmp_path / "b.docx")["Matters by unit"][1:]
        wanted = [value_text(told["n"], "count"), value_text(told["expected"], "number"), value_text(told["value"], "ratio")]
        assert [row[1:] for row in rows] == [[unit, *wanted]]


def test_water_and_situation_tables_are_the_readers(reader, tmp_path, small_maps):
    reaches = reader.statistic("near_water").table
    brief(reader, kind="water", format="xlsx", language="en", path=tmp_path / "w.xlsx")
    book = openpyxl.load_workbook(tmp_path / "w.xlsx")
    assert [row[3] for row in book["Reaches"].iter_rows(min_row=2, max_row=reaches.height + 1, values_only=True)] == reaches["n"].to_list()
    bands = reader.statistic("water_bands").table
    cells = [row[3:8] for row in book["Bands of distance"].iter_rows(min_row=2, max_row=bands.height + 1, values_only=True)]
    assert _same(cells, bands.select("n", "per_km2", "ratio", "lower", "upper").rows())
    situation = reader.statistic("situation", layer="unit_street").table.filter(pl.col("place") == "ALL")
    brief(reader, kind="situation", format="docx", language="en", path=tmp_path / "s.docx")
    rows = _tables(tmp_path / "s.docx")["City"][1:]
    assert [row[1] for row in rows] == [value_text(one, "count") for one in situation["n"]]
    assert [row[7] for row in rows] == [value_text(one, "p") for one in situation["q"]]


@pytest.mark.parametrize(
    ("kind", "format"), [*((kind, one) for kind in CITY_KINDS for one in ("html", "docx", "xlsx")), ("handling", "pdf")]
)
def test_a_rerun_of_every_kind_gives_the_same_bytes(kind, format, reader, tmp_path):
    one = brief(reader, kind=kind, format=format, path=tmp_path / "one").read_bytes()
    assert one == brief(reader, kind=kind, format=format, path=tmp_path / "two").read_bytes()
    assert len(one) > 5_000


def test_the_office_document_can_be_edited_and_read_aloud(reader, tmp_path):
    path = brief(reader, kind="handling", format="docx", path=tmp_path / "b.docx")
    document = Document(str(path))
    headings = [one.text for one in document.paragraphs if one.style.name == "Heading 1"]
    assert headings[0] == "一、基本情况"
    assert headings[-1] == "九、编制信息"
    xml = zipfile.ZipFile(path).read("word/document.xml").decode()
    assert xml.count("<w:tblHeader") == len(document.tables) - 1  # all but the facts
    assert xml.count('descr="三方城') == len(document.inline_shapes) == 1
    assert "{{" not in xml
    assert "{%" not in xml
    assert 'w:eastAsia="仿宋"' in zipfile.ZipFile(path).read("word/styles.xml").decode()
    assert document.core_properties.created == reader.now.replace(microsecond=0)


HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1\r\n",
    "<b>&'\"",
    "路" * 40,
    "{{ 7 * 7 }}",
    "{%p for x in y %}",
    "\x00\x0b\ufffe",
    "]]>",
]


@pytest.mark.parametrize("format", ["html", "docx", "pdf", "xlsx"])
def test_hostile_and_long_names_survive_every_format(format, reader, tmp_path, monkeypatch, small_maps):
    drawn = reader.geometry
    for at in range(0, len(HOSTILE) if format != "pdf" else 3, 3):  # a PDF takes seconds
        names = (HOSTILE + HOSTILE)[at : at + 3]
        monkeypatch.setattr(
            reader,
            "geometry",
            lambda layer, names=names, **more: drawn(layer, **more).assign(name=names) if layer == "unit_street" else drawn(layer, **more),
        )
        path = brief(reader, kind="handling", format=format, path=tmp_path / f"b.{format}")
        if format == "docx":
            told = {row[0] for row in _tables(path)["各单元指标"][1:]}
            clean = {" ".join(one.replace("\r\n", "  ").replace("\t", " ").split(" ")) for one in names}
            assert {one.replace("\ufffd", "").strip() for one in told} == {one.strip("\x00\x0b\ufffe ").strip() for one in clean}
        elif format == "xlsx":
            cells = [row[0] for row in openpyxl.load_workbook(path)["各单元指标"].iter_rows(min_row=2)]
            assert {cell.data_type for cell in cells if cell.value} == {"s"}
        elif format == "html":
            page = path.read_text(encoding="utf-8")
            assert "<b>" not in page
            assert "49" not in page.split("各单元指标")[1][:400] or "7 * 7" in page


def test_a_briefing_for_outside_shows_no_small_count(reader, tmp_path, small_maps):
    outside = read(reader.city, audience=Audience("outside"))
    week = reader.periods()[0].id
    for kind in CITY_KINDS:
        try:
            path = brief(outside, kind=kind, period=week, format="xlsx", language="en", path=tmp_path / f"{kind}.xlsx")
        except (AccessError, AnalysisError):
            continue
        for sheet in openpyxl.load_workbook(path).worksheets[1:]:
            header, *rows = sheet.iter_rows(values_only=True)
            counts = [
                at
                for at, name in enumerate(header)
                if name in ("n", "n with neighbours", "Of", "Green", "Yellow", "Red (overdue)", "Stays")
            ]
            told = [row[at] for row in rows for at in counts if isinstance(row[at], int | float)]
            assert not [one for one in told if 0 < one < 5], (kind, sheet.title)
    with pytest.raises(CloudmapError):
        brief(outside, kind="hotspots", category="PS01", path=tmp_path / "p.html")


def test_the_manifest_says_how_to_make_it_again(reader, tmp_path, small_maps):
    brief(reader, kind="water", format="docx", language="en", path=tmp_path / "b.docx")
    told = dict(_tables(tmp_path / "b.docx")["8. How it was made"][1:])
    assert told["load"] == str(reader.analysed_load)
    assert told["base map version"] == reader.base_map_version
    assert len([value for name, value in told.items() if name.startswith("SHA-256") and len(value) == 64]) == 5
    assert told["analysis"] == reader.provenance["key"]


def test_an_office_replaces_the_document_template(reader, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    template = Document()
    template.add_paragraph("{{ title }}|{{ sections|length }}")
    template.save(str(own / "briefing.docx"))
    path = brief(reader, kind="water", format="docx", templates=own, path=tmp_path / "b.docx")
    assert [one.text for one in Document(str(path)).paragraphs] == ["三方城沿河事项情况|8"]
    template.add_paragraph("{{ nobody }}")
    template.save(str(own / "water.docx"))
    with pytest.raises(ConfigError, match=r"water\.docx.*nobody"):
        brief(reader, kind="water", format="docx", templates=own, path=tmp_path / "c.docx")


def test_a_meeting_without_micro_grids_is_refused_with_the_remedy(reader, tmp_path):
    with pytest.raises(AnalysisError, match=r"add a .*microgrid"):
        brief(reader, kind="meeting", path=tmp_path / "m.html")


def test_the_shipped_template_is_what_its_tool_makes(tmp_path):
    import importlib.util

    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("briefing_template", root / "tools" / "briefing_template.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.make(tmp_path / "t.docx")
    made, shipped = (zipfile.ZipFile(path) for path in (tmp_path / "t.docx", root / "cloudmap" / "publish" / "templates" / "briefing.docx"))
    assert {name: made.read(name) for name in made.namelist()} == {name: shipped.read(name) for name in shipped.namelist()}


@pytest.mark.skipif(
    shutil.which("soffice") is None, reason="LibreOffice is not installed (apt install libreoffice-writer-nogui poppler-utils)"
)
def test_libreoffice_opens_the_document_and_loses_nothing(reader, tmp_path):
    path = brief(reader, kind="handling", format="docx", path=tmp_path / "b.docx")
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    subprocess.run(
        ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(tmp_path), str(path)],
        check=True,
        timeout=120,
        capture_output=True,
    )
    text = subprocess.run(["pdftotext", "-layout", str(tmp_path / "b.pdf"), "-"], check=True, capture_output=True).stdout.decode()
    squeezed = "".join(text.split())
    told = Document(str(path))
    for paragraph in told.paragraphs:
        assert "".join(paragraph.text.split())[:20] in squeezed
    for row in _tables(path)["各单元指标"][1:]:
        assert row[2] in text


def test_days_and_fields_are_written_in_all_three_languages(reader):
    at = datetime(2018, 9, 3, 1, 30, tzinfo=UTC)
    assert titles.instant_text(at, reader.city, "zh-Hant") == "2018年9月3日 09:30"
    assert titles.spelled("路桥区", "zh-Hant") == "路橋區"
    assert titles.review_note(reader, "en").startswith("Map review no.: ")
