"""What the small city of the tests is too small for: meetings, clusters, forecasts; on a twentieth of the sample city's reports."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
import subprocess
import unicodedata
from collections import Counter
from xml.etree import ElementTree

import polars as pl
import pytest
from docx import Document

import cloudmap as cm
from cloudmap.access.audience import Audience
from cloudmap.analytics.tiers import REASONS
from cloudmap.errors import AccessError
from cloudmap.pipeline import read
from cloudmap.publish import tables
from cloudmap.publish.briefing import TIERS, brief
from cloudmap.publish.content import ROWS_MAX
from cloudmap.publish.kinds import KINDS
from cloudmap.publish.layers import export
from cloudmap.publish.legend import bands
from cloudmap.samples import write_sample
from tests.publish.reading import layer, office_tables, sheet_rows


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    city = cm.open_city(write_sample("luqiao", tmp_path_factory.mktemp("sample") / "luqiao", scale=0.05))
    cm.load(city)
    cm.analyse(city)
    return read(city)


def test_the_table_of_a_meeting_is_the_advice_for_ten_units_and_periods(reader, tmp_path, small_maps):
    drawn, listed_n = random.Random(5), 0
    streets = [str(code) for code in reader.geometry("unit_street")["place"]]
    longest = [one.id for one in reader.periods() if one.weeks_n >= 13]
    for _ in range(10):
        tier, unit, period = drawn.choice(TIERS), drawn.choice(streets), drawn.choice(longest)
        told = reader.cases.table_of_meeting(tier, "ALL", period, limit=10**6).filter(pl.col("unit_street_code") == unit)
        listed_n += told.height
        asked = {"kind": "meeting", "tier": tier, "unit": unit, "period": period, "language": "en"}
        document = brief(reader, format="docx", path=tmp_path / "m.docx", **asked)
        sheet = brief(reader, format="xlsx", path=tmp_path / "m.xlsx", **asked)
        said = " ".join(one.text for one in Document(str(document)).paragraphs)
        assert re.search(rf"\b{told.height:,} matters of .* are advised to go to the ", said)
        assert "advice" in said
        if told.is_empty():
            assert "Matters that are advised to go" not in office_tables(document)
            continue
        rows = office_tables(document)["Matters that are advised to go"][1:]
        assert [row[8] for row in rows] == told["report_id"].to_list()[:ROWS_MAX]
        reasons = [", ".join(REASONS[one][1] for one in row) for row in told["reasons"].to_list()]
        assert [row[7].replace(" and ", ", ") for row in rows] == [one.replace(" and ", ", ") for one in reasons[:ROWS_MAX]]
        zone = reader.city.zone
        days = [one.astimezone(zone).date().isoformat() for one in told["occurred_at"]]
        kept = sheet_rows(sheet, "Matters that are advised to go", told.height)
        numbers = told.select("severity", "spread_n", "recurrence_n").rows()
        assert [(row[3], *row[4:7], row[8]) for row in kept] == [
            (day, *row, name) for day, row, name in zip(days, numbers, told["report_id"], strict=True)
        ]
    assert listed_n > 50


def test_a_meeting_lists_no_restricted_matter_and_nothing_goes_outside(reader, tmp_path, small_maps):
    period = reader.periods()[-1].id
    restricted = {one.code for one in reader.categories() if one.restricted}
    assert not restricted & set(reader.cases.table_of_meeting("hall", "ALL", period, limit=10**6)["category_code"])
    outside = read(reader.city, audience=Audience("outside"))
    with pytest.raises(AccessError):
        brief(outside, kind="meeting", path=tmp_path / "m.docx", format="docx")
    assert not list(tmp_path.iterdir())


# Layers of what the small city has too few places for


@pytest.mark.parametrize("what", ["cells", "units"])
@pytest.mark.parametrize("measure", ["emerging", "scan", "silent", "risk", "hotspot"])
def test_verdicts_of_the_sample_are_exported_as_the_reader_tells_them(what, measure, reader, tmp_path):
    chosen = {"cells": "cell_8", "units": "unit_community"}[what]
    told = reader.values(chosen, "ALL", reader.default_period.id, measure).table.sort("place")
    path = export(reader, what, tmp_path / "l.gpkg", measure=measure, layer=chosen, crs="EPSG:4490")
    frame = layer(path, what).sort_values("place", ignore_index=True)
    beside = {"masked", "last_report_on", *(("expected",) if measure == "hotspot" else ())}
    shared = [name for name in told.columns if name in frame.columns and name not in beside]
    assert {"place", "n", "class"} <= set(shared)
    assert frame["n"].sum() > 100
    for name in shared:
        back = [None if one != one else one for one in frame[name].tolist()]
        assert back == (pytest.approx(told[name].to_list()) if told.schema[name].is_numeric() else told[name].to_list()), name
    with sqlite3.connect(path) as base:
        style = base.execute("SELECT styleQML FROM layer_styles").fetchone()[0]
        rules = {rule.get("key"): rule.get("filter") for rule in ElementTree.fromstring(style).iter("rule")}
        drawn = {key: {row[0] for row in base.execute(f"SELECT place FROM {what} WHERE {sql}")} for key, sql in rules.items()}
    places = tables.place_table(reader, chosen, measure=measure)
    assert drawn == {band.key: set(places["place"][band.members(places)]) for band in bands(places, measure)}
    assert sum(map(len, drawn.values())) == len(places)


def test_clusters_of_the_sample_are_those_of_the_scan(reader, tmp_path):
    told = reader.statistic("scan", layer="cell_8").table.sort("cluster_n")
    assert told["class"].to_list().count("significant") >= 1
    shapes = reader.geometry("cell_8").set_index("place").geometry.to_crs("EPSG:4549")
    for suffix in (".gpkg", ".geojson", ".parquet"):
        frame = layer(export(reader, "clusters", tmp_path / f"c{suffix}", layer="cell_8"), "clusters")
        assert [one.split(",") for one in frame["places"]] == told["places"].to_list()
        for name in ("cluster_n", "n", "expected", "ratio", "llr", "p"):
            assert frame[name].tolist() == pytest.approx(told[name].to_list()), name
        for shape, places in zip(frame.geometry.to_crs("EPSG:4549"), told["places"], strict=True):
            assert shape.area == pytest.approx(shapes.loc[places.to_list()].area.sum(), rel=1e-5)  # GeoJSON keeps a centimetre


# Office documents in an office program


@pytest.fixture(scope="module")
def converted(reader, tmp_path_factory):
    """Every kind of briefing as an office document, and what LibreOffice prints of it."""
    if shutil.which("soffice") is None:
        pytest.skip("LibreOffice is not installed (apt install libreoffice-writer-nogui poppler-utils, or tools/system-packages test)")
    folder = tmp_path_factory.mktemp("office")
    written = [brief(reader, kind=kind, format="docx", path=folder / f"{kind}.docx") for kind in KINDS]
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(folder), *map(str, written)]
    subprocess.run(command, check=True, timeout=180, capture_output=True)
    return folder


def _plain(text):
    """A text without blanks, each character in its usual form: fonts have some Chinese ones as radicals too."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def _run(*command):
    return subprocess.run(command, check=True, capture_output=True).stdout.decode()


@pytest.mark.parametrize("kind", KINDS)
def test_libreoffice_prints_every_word_and_every_number(kind, converted):
    document, printed = Document(str(converted / f"{kind}.docx")), converted / f"{kind}.pdf"
    text = _run("pdftotext", "-raw", str(printed), "-")
    paragraphs = [one.text for one in document.paragraphs]
    cells = [[cell.text for cell in row.cells] for table in document.tables for row in table.rows]
    written = Counter(_plain("".join([*paragraphs, *(text for row in cells for text in row)])))
    assert not written - Counter(_plain(text)), "characters that are not on paper"
    squeezed = _plain(text)
    assert all(_plain(one)[:15] in squeezed for one in paragraphs)
    numbers = Counter(word for row in cells for cell in row for word in cell.split() if re.fullmatch(r"[\[\d.,%–\]-]*\d[\d.,%\]]*", word))
    assert sum(numbers.values()) > 100
    assert not numbers - Counter(text.split()), "numbers that are broken or lost"
    pages = int(re.search(r"Pages:\s+(\d+)", _run("pdfinfo", str(printed)))[1])
    told = text.split("\f")[:-1]
    assert len(told) == pages
    assert [page.strip().splitlines()[-1] for page in told] == [str(at + 1) for at in range(pages)]
    assert 3 <= pages <= 8, "a table with a column too narrow runs over many pages"
    assert all(len(_plain(page)) > 50 for page in told), "an empty page"


def test_maps_stand_in_the_printed_document_at_200_dots_an_inch(converted):
    for kind in KINDS:
        picture = _run("pdfimages", "-list", str(converted / f"{kind}.pdf")).splitlines()[2].split()
        assert int(picture[3]) > 1500
        assert int(picture[12]) >= 195
