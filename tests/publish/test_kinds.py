"""Every kind of briefing on an analysed city: the numbers in the file are the reader's, whatever the unit and the period."""

from __future__ import annotations

import random
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from docx import Document

from cloudmap.access.audience import Audience
from cloudmap.city import open_city
from cloudmap.errors import AccessError, AnalysisError, CloudmapError, ConfigError
from cloudmap.pipeline import read
from cloudmap.publish import titles
from cloudmap.publish.briefing import brief
from cloudmap.publish.content import ROWS_MAX, value_text
from cloudmap.publish.kinds import KINDS
from tests.publish.reading import office_tables, same, sheet_rows

CITY_KINDS = [kind for kind in KINDS if kind != "meeting"]
"""The small city of the tests has no micro-grids, which meetings need."""


@pytest.fixture(scope="module")
def reader(analysed_city, tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    opened = open_city(analysed_city)
    own = opened.model_copy(update={"folder": folder, "store": opened.store.model_copy(update={"url": str(analysed_city / "store")})})
    return read(own)


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
        rows = office_tables(tmp_path / "b.docx")["Indicators by unit"][1:]
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
        assert same(cells, told.select("numerator_n", "denominator_n", "value", "lower", "upper").rows())


def test_hot_places_and_units_in_the_briefing_are_the_readers(reader, tmp_path, small_maps):
    shapes = reader.geometry("unit_street").set_index("place").geometry
    cells = reader.geometry("cell_9").set_index("place").geometry.representative_point()
    hot_n = 0
    for unit, period in _ten(reader):
        asked = {"unit": unit, "period": period, "language": "en"}
        written = {form: brief(reader, format=form, path=tmp_path / f"b.{form}", **asked) for form in ("docx", "xlsx")}
        told = reader.values("unit_street", "ALL", period, "ratio").table.filter(pl.col("place") == unit)
        columns = ("n", "expected", "value", "lower", "upper")
        n, expected, ratio, lower, upper = (value_text(told[name][0], kind) for name, kind in zip(columns, _RATIO_KINDS, strict=True))
        span = "—" if told["lower"][0] is None else f"[{lower}, {upper}]"
        tables = office_tables(written["docx"])
        assert [row[1:] for row in tables["Matters by unit"][1:]] == [[unit, n, expected, ratio, span]]
        assert same([row[2:7] for row in sheet_rows(written["xlsx"], "Matters by unit", 1)], told.select(columns).rows())
        inside = [place for place, point in cells.items() if point.intersects(shapes[unit])]
        tested = reader.values("cell_9", "ALL", period, "hotspot").table
        hot = tested.filter((pl.col("class") == "hot") & pl.col("place").is_in(inside))
        hot_n += hot.height
        if hot.is_empty():
            assert "Hot places" not in tables
            continue
        beside = reader.values("cell_9", "ALL", period, "ratio").table.select("place", "value", "lower", "upper", own="expected")
        hot = hot.join(beside, on="place").sort("q", pl.col("n").neg(), "place")
        rows = hot.select("place", "n", "neighbourhood_n", "own", pl.col("value_right").alias("ratio"), "lower", "upper", "p", "q").rows()
        assert [row[2:5] for row in tables["Hot places"][1:]] == [[row[0], f"{row[1]:,}", f"{row[2]:,}"] for row in rows[:ROWS_MAX]]
        assert [row[-1] for row in tables["Hot places"][1:]] == [value_text(row[-1], "p") for row in rows[:ROWS_MAX]]
        told_rows = sheet_rows(written["xlsx"], "Hot places", hot.height)
        assert [row[2] for row in told_rows] == [row[0] for row in rows]
        assert same([row[3:] for row in told_rows], [row[1:] for row in rows])
    assert hot_n > 5


_RATIO_KINDS = ("count", "number", "ratio", "ratio", "ratio")


def test_reaches_and_bands_in_the_briefing_of_water_are_the_readers(reader, tmp_path, small_maps):
    lines = reader.geometry("water_canal").set_index("place").geometry
    shapes = reader.geometry("unit_street").set_index("place").geometry
    for unit, period in _ten(reader):
        asked = {"kind": "water", "unit": unit, "period": period, "language": "en"}
        written = {form: brief(reader, format=form, path=tmp_path / f"w.{form}", **asked) for form in ("docx", "xlsx")}
        crossing = [place for place, line in lines.items() if line.intersects(shapes[unit])]
        reaches = reader.statistic("near_water", period=period).table.filter(pl.col("place").is_in(crossing))
        assert reaches.height == 1
        numbers = reaches.select(pl.col("length_m") / 1000, "n", "per_km", "lower", "upper", "expected", "ratio", "q").rows()
        assert same([row[2:10] for row in sheet_rows(written["xlsx"], "Reaches", 1)], numbers)
        tables = office_tables(written["docx"])
        assert [row[3] for row in tables["Reaches"][1:]] == [value_text(one, "count") for one in reaches["n"]]
        lower, upper = (value_text(reaches[name][0], "ratio") for name in ("lower", "upper"))
        assert [row[5] for row in tables["Reaches"][1:]] == [f"[{lower}, {upper}]"]
        bands = reader.statistic("water_bands", period=period).table
        cells = [row[3:8] for row in sheet_rows(written["xlsx"], "Bands of distance", bands.height)]
        assert same(cells, bands.select("n", "per_km2", "ratio", "lower", "upper").rows())
        assert [row[3] for row in tables["Bands of distance"][1:]] == [value_text(one, "count") for one in bands["n"]]


def test_components_in_the_briefing_of_the_situation_are_the_readers(reader, tmp_path, small_maps):
    def told_in_its_unit(value, unit):
        return "—" if value is None else f"{value * 100:.1f}%" if unit == "share" else f"{value:,.2f}"

    for unit, period in _ten(reader):
        asked = {"kind": "situation", "unit": unit, "period": period, "language": "en"}
        written = {form: brief(reader, format=form, path=tmp_path / f"s.{form}", **asked) for form in ("docx", "xlsx")}
        situation = reader.statistic("situation", layer="unit_street", period=period).table
        tables = office_tables(written["docx"])
        for title, place, first in (("City", "ALL", 0), ("Units", unit, 1)):
            rows = situation.filter(pl.col("place") == place)
            assert rows.height == 7
            cells = [row[first:] for row in tables[title][1:]]
            assert [row[1:3] for row in cells] == [
                [value_text(one, "count") for one in row] for row in rows.select("n", "denominator_n").rows()
            ]
            for at, name in ((3, "value"), (5, "before"), (6, "change")):
                assert [row[at] for row in cells] == [told_in_its_unit(*one) for one in rows.select(name, "unit").rows()], name
            assert [row[7] for row in cells] == [value_text(one, "p") for one in rows["q"]]
            sheet = [row[first:] for row in sheet_rows(written["xlsx"], title, 7)]
            assert same([(*row[1:3], row[8]) for row in sheet], rows.select("n", "denominator_n", "q").rows())


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
            told = {row[0] for row in office_tables(path)["各单元指标"][1:]}
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
    told = dict(office_tables(tmp_path / "b.docx")["8. How it was made"][1:])
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
    for row in office_tables(path)["各单元指标"][1:]:
        assert row[2] in text


def test_days_and_fields_are_written_in_all_three_languages(reader):
    at = datetime(2018, 9, 3, 1, 30, tzinfo=UTC)
    assert titles.instant_text(at, reader.city, "zh-Hant") == "2018年9月3日 09:30"
    assert titles.spelled("路桥区", "zh-Hant") == "路橋區"
    assert titles.review_note(reader, "en").startswith("Map review no.: ")
