"""Documents and layers that the page hands out: the commands' own, for who may take them, written down."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cloudmap.access.accounts import Accounts
from cloudmap.access.audit import newest
from cloudmap.access.reader import Reader
from cloudmap.city import open_city
from cloudmap.dashboard.app import newest_reader
from cloudmap.dashboard.rights import UPDATE
from cloudmap.dashboard.taking import LAYER_FORMATS, LAYERS
from cloudmap.pipeline import read
from cloudmap.publish.briefing import brief
from cloudmap.publish.documents import FORMATS
from cloudmap.publish.kinds import KINDS
from cloudmap.publish.layers import export
from tests.dashboard.people import PASSWORD, app_for, signed_in

OWN, OTHER = "999001001", "999001002"


@pytest.fixture(scope="module")
def people(analysed_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    city = open_city(shutil.copytree(analysed_city, tmp_path_factory.mktemp("taking") / "three"))
    accounts = Accounts(city)
    accounts.add("the.official", role="official", password=PASSWORD, units=[OWN])
    accounts.add("the.planner", role="planner", password=PASSWORD)
    accounts.add_token("the.wall")
    app = app_for(newest_reader(city), accounts)
    return {who: signed_in(app, accounts, who) for who in ("official", "planner", "wall")}, read(city)


def query(reader: Reader, **more: str) -> str:
    asked = {"period": reader.default_period.id, "category": "ALL", "lang": "en", **more}
    return "&".join(f"{name}={value}" for name, value in asked.items())


def offered(client: Any, reader: Reader) -> list[str]:
    """Ask for the page of exports as the browser does, and return the addresses of files on it."""
    view = {"page": "exports", "period": reader.default_period.id, "category": "ALL", "lang": "en"}
    body = {
        "output": "..sheet.children...sheet-done.data..",
        "outputs": [{"id": "sheet", "property": "children"}, {"id": "sheet-done", "property": "data"}],
        "inputs": [{"id": "sheet-view", "property": "data", "value": view}],
        "changedPropIds": ["sheet-view.data"],
    }
    answer = client.post(UPDATE, json=body)
    return re.findall(r"/take/[^\"\\]+", json.dumps(answer.get_json(), ensure_ascii=False))


def test_the_page_offers_every_kind_in_every_format_to_who_may_take_them(people: Any) -> None:
    clients, reader = people
    found = offered(clients["planner"], reader)
    assert len(found) == len(set(found)) == len(KINDS) * len(FORMATS) + len(LAYERS) * len(LAYER_FORMATS)
    assert offered(clients["wall"], reader) == []
    assert clients["wall"].get(found[0]).status_code == 403


@pytest.mark.parametrize("form", FORMATS)
def test_a_briefing_is_the_command_s_own_and_written_down(people: Any, tmp_path: Path, form: str) -> None:
    clients, reader = people
    answer = clients["planner"].get(f"/take/brief/hotspots.{form}?{query(reader, within=f'unit_street~{OWN}')}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Disposition"] == f"attachment; filename=hotspots_{OWN}_{reader.default_period.id}.{form}"
    assert answer.headers["Cache-Control"] == "no-store"
    own = brief(reader, kind="hotspots", period=reader.default_period.id, unit=OWN, format=form, language="en", path=tmp_path / f"b.{form}")
    if form == "docx":
        parts = [zipfile.ZipFile(one) for one in (io.BytesIO(answer.data), own)]
        assert [parts[0].read(name) for name in parts[0].namelist()] == [parts[1].read(name) for name in parts[1].namelist()]
    else:
        assert answer.data == own.read_bytes()
    line = newest(reader.city, 2)[1]
    assert (line["user"], line["action"], line["details"]["unit"]) == ("the.planner", "brief", OWN)


@pytest.mark.parametrize("what", LAYERS)
def test_a_layer_is_the_command_s_own(people: Any, tmp_path: Path, what: str) -> None:
    clients, reader = people
    answer = clients["planner"].get(f"/take/layer/{what}.csv?{query(reader, layer='unit_street')}")
    assert answer.status_code == 200, answer.text
    layer = "unit_street" if what == "units" else None
    own = export(reader, what, tmp_path / "own.csv", period=reader.default_period.id, layer=layer)
    assert answer.data == own.read_bytes()
    assert newest(reader.city, 2)[1]["user"] == "the.planner"


def test_where_there_is_nothing_to_tell_words_say_so_and_lead_back(people: Any) -> None:
    clients, reader = people
    answer = clients["planner"].get(f"/take/layer/hotspots.csv?{query(reader, category='LV05')}")
    assert answer.status_code in (403, 409)
    assert 'href="/?page=exports&amp;lang=en"' in answer.text


def test_an_official_s_documents_name_no_report_of_another_street(people: Any) -> None:
    clients, reader = people
    foreign = reader.reports("unit_street", OTHER, reader.default_period.id)["report_id"].to_list()
    assert len(foreign) > 5
    for kind in KINDS:
        told = clients["official"].get(f"/take/brief/{kind}.html?{query(reader)}").text
        assert not any(one in told for one in foreign)


@pytest.mark.parametrize("address", ["brief/none.html", "brief/hotspots.exe", "layer/reports.csv", "layer/cells.parquet"])
def test_what_is_not_offered_is_not_made(people: Any, address: str) -> None:
    clients, reader = people
    assert clients["planner"].get(f"/take/{address}?{query(reader)}").status_code in (400, 404)
    assert clients["planner"].get(f"/take/brief/hotspots.html?{query(reader, category='NONE')}").status_code == 400


def test_nothing_leaves_while_it_cannot_be_written_down(people: Any) -> None:
    clients, reader = people
    log = reader.city.folder / "audit.log"
    kept = log.rename(log.with_name("kept"))
    log.mkdir()
    try:
        for address in ("brief/hotspots.html", "layer/units.csv"):
            assert clients["planner"].get(f"/take/{address}?{query(reader)}").status_code == 403
    finally:
        log.rmdir()
        kept.rename(log)
