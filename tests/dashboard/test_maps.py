from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from cloudmap.dashboard.legend import FIRST, MASKED
from cloudmap.dashboard.shapes import version
from cloudmap.dashboard.site import make_app
from tests.dashboard.fake_reader import FakeReader

ASKED = {"layer": "cell_8", "measure": "count", "category": "ALL", "period": "2018-W31--2018-W34", "lang": "en"}


def get(client: FlaskClient, path: str = "/map/values", **changed: str) -> Any:
    answer = client.get(path, query_string=ASKED | changed)
    assert answer.status_code == 200
    return answer.get_json()


def codes(values: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(values["codes"]), dtype=np.uint8)


def test_one_byte_a_place_in_the_order_of_the_geometry(client: FlaskClient, fake: FakeReader) -> None:
    layer = next(one for one in fake.layers() if one.id == "cell_8")
    answer = client.get(f"/map/geometry/cell_8/{version(fake, layer)}", headers={"Accept-Encoding": "gzip"})
    places = json.loads(gzip.decompress(answer.data))["places"]
    truth = dict(fake.counts("cell_8", "ALL", ASKED["period"]).iter_rows())
    drawn = codes(get(client))
    assert len(drawn) == len(places)
    assert all((truth[place] == 0) == (code == FIRST) for place, code in zip(places, drawn, strict=True))
    assert get(client, "/map/numbers")["columns"]["n"] == [truth[place] for place in places]


def test_legend_counts_every_place_once(client: FlaskClient) -> None:
    for measure in ("count", "ratio", "hotspot"):
        values = get(client, measure=measure)
        met = np.bincount(codes(values), minlength=20)
        assert {row["code"]: int(row["places"].replace(",", "")) for row in values["legend"]["rows"] if row["places"] != "0"} == {
            code: n for code, n in enumerate(met.tolist()) if n
        }


def test_masked_counts_stay_masked_everywhere(client: FlaskClient, fake: FakeReader) -> None:
    truth = fake.counts("cell_8", "DS01", "2017-W35--2018-W34")
    low = [0 < n < 10 for n in truth["n"]]
    values = get(client, category="DS01", period="2017-W35--2018-W34")
    assert [code == MASKED for code in codes(values)] == low
    numbers = get(client, "/map/numbers", category="DS01", period="2017-W35--2018-W34")
    assert all((n is None) == hidden for n, hidden in zip(numbers["columns"]["n"], low, strict=True))
    assert numbers["masked"] == "masked (fewer than 10)"


def test_without_an_exposure_the_title_says_where_reports_are() -> None:
    bare = make_app(FakeReader()).server.test_client()
    values = get(bare, lang="zh-Hans")
    assert values["title"] == "全部类别：报告在哪里"
    assert "未声明人口" in values["legend"]["denominator"]
    assert bare.get("/map/values", query_string=ASKED | {"measure": "ratio"}).status_code == 400


def test_every_map_says_reported_incidents_not_people(client: FlaskClient) -> None:
    for measure in ("count", "ratio", "hotspot"):
        assert "Reported incidents, not people." in get(client, measure=measure)["tags"]
    assert "Schematic: drawn shapes, not real boundaries." in get(client)["tags"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"measure": "hotspot", "category": "PS01"}, "This category is restricted; this measure is not shown."),
        ({"measure": "hotspot", "category": "LV05"}, "This category is counted, never scored: choose the count."),
        ({"category": "EM06"}, "No matters of this category in this period."),
    ],
)
def test_what_cannot_be_shown_is_said(client: FlaskClient, changed: dict[str, str], words: str) -> None:
    values = get(client, **changed)
    assert values["message"] == words
    assert codes(values).max() <= FIRST


@pytest.mark.parametrize("field", list(ASKED))
@pytest.mark.parametrize("value", ["", "x", "../..", "water_river", "<script>", "\x00", "9" * 5000])
def test_a_parameter_that_is_not_offered_is_refused(client: FlaskClient, field: str, value: str) -> None:
    for path in ("/map/values", "/map/numbers"):
        answer = client.get(path, query_string=ASKED | {field: value})
        assert answer.status_code == 400
        assert b"Traceback" not in answer.data


def test_geometry_is_kept_for_ever_and_values_never(client: FlaskClient, fake: FakeReader) -> None:
    layer = fake.layers()[1]
    answer = client.get(f"/map/geometry/{layer.id}/{version(fake, layer)}")
    assert "immutable" in answer.headers["Cache-Control"]
    assert json.loads(answer.data)["places"][0] == "st000"
    assert client.get("/map/values", query_string=ASKED).headers["Cache-Control"] == "no-store"
    assert client.get(f"/map/geometry/{layer.id}/000000000000").status_code == 404
    assert client.get("/map/geometry/nothing/000000000000").status_code == 400


def test_values_of_another_geometry_tell_the_page_to_start_anew(client: FlaskClient) -> None:
    assert get(client, version="000000000000") == {"stale": True}
