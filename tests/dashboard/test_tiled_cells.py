"""Many cells: tiles in place of all shapes, coarser cells when zoomed out, and the same numbers as everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from cloudmap.dashboard.app import running
from cloudmap.dashboard.shapes import version
from cloudmap.dashboard.site import make_app
from cloudmap.dashboard.view import read_view
from tests.dashboard.conftest import DESK, Visitor, visit_with
from tests.dashboard.fake_reader import FakeReader

PERIOD = "2018-W31--2018-W34"
FINE = "cell_10"
ASKED = {"layer": FINE, "measure": "count", "category": "ALL", "period": PERIOD, "lang": "en"}


@pytest.fixture(scope="module")
def many() -> FakeReader:
    return FakeReader(exposure="population", resolutions=(8, 9, 10), tiled=(FINE,))


@pytest.fixture(scope="module")
def answers(many: FakeReader) -> FlaskClient:
    return make_app(many).server.test_client()


def stand(reader: FakeReader) -> str:
    return version(reader, next(one for one in reader.layers() if one.id == FINE))  # type: ignore[arg-type]


def test_the_archive_is_handed_out_in_ranges(many: FakeReader, answers: FlaskClient) -> None:
    address = f"/map/tiles/{FINE}/{stand(many)}"
    whole = many.tiles(FINE)
    assert whole is not None
    assert answers.get(address).data == whole
    part = answers.get(address, headers={"Range": "bytes=7-99"})
    assert (part.status_code, part.data) == (206, whole[7:100])
    assert part.headers["Content-Range"] == f"bytes 7-99/{len(whole)}"
    assert answers.get(address, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
    assert answers.get(f"/map/tiles/{FINE}/000000000000").status_code == 404
    assert answers.get(f"/map/tiles/cell_9/{version(many, many.layers()[5])}").status_code == 404  # type: ignore[arg-type]


def test_a_tiled_layer_has_no_file_of_all_shapes_but_each_shape(many: FakeReader, answers: FlaskClient) -> None:
    assert answers.get(f"/map/geometry/{FINE}/{stand(many)}").status_code == 404
    place = many.geometry(FINE)["place"].iloc[77]
    one = answers.get(f"/map/shape/{FINE}/{stand(many)}/{place}").get_json()
    assert one["places"] == [place]
    assert len(one["shapes"][0][1][0][0]) == 14  # a ring of six corners, closed
    assert answers.get(f"/map/shape/{FINE}/{stand(many)}/nothing").status_code == 404


def test_the_numbers_of_one_place_are_those_of_all(many: FakeReader, answers: FlaskClient) -> None:
    every = answers.get("/map/numbers", query_string=ASKED).get_json()
    for at in (0, 5_000, 22_968):
        place = many.geometry(FINE)["place"].iloc[at]
        one = answers.get("/map/numbers", query_string=ASKED | {"only": place}).get_json()
        assert one["columns"]["n"] == [every["columns"]["n"][at]]
    assert answers.get("/map/numbers", query_string=ASKED | {"only": "nothing"}).status_code == 400


def test_the_zoom_leads_where_only_tiles_can_show_a_layer(many: FakeReader) -> None:
    assert read_view(f"?layer={FINE}", many).auto == "1"  # type: ignore[arg-type]
    assert read_view("?layer=cell_9", many).auto == ""  # type: ignore[arg-type]
    assert read_view("?layer=cell_9&auto=1", many).auto == "1"  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def many_port(many: FakeReader) -> Iterator[int]:
    with running(make_app(many)) as port:
        yield port


@pytest.fixture
def seen(browser: Any, many_port: int) -> Iterator[Visitor]:
    yield from visit_with(browser, many_port, DESK)


def wait_for_layer(visitor: Visitor, *layers: str) -> str:
    """Wait until one of some layers is drawn, and return it."""
    visitor.page.wait_for_function("layers => layers.includes(document.documentElement?.dataset.ready?.split('|')[0])", arg=list(layers))
    return visitor.state()["layer"]


def test_cells_follow_the_zoom_and_a_click_takes_the_one_under_it(many: FakeReader, seen: Visitor) -> None:
    page = seen.page
    seen.open(f"?layer={FINE}&lang=en")
    coarser = wait_for_layer(seen, "cell_8", "cell_9")  # the whole city: finer cells could not be told apart
    assert f"layer={coarser}" in page.url
    assert not [one for one in seen.requests if "/map/tiles/" in one]

    page.get_by_label("resolution 10").check()  # who chooses it is taken nearer
    wait_for_layer(seen, FINE)
    assert len(seen.state()["codes"]) == len(many.geometry(FINE))
    box = page.locator("#map").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(x, y)
    page.wait_for_selector("#place-total")
    picked = seen.state()["place"]
    at = page.evaluate("place => window.cloudmap.locate(place)", picked)
    assert abs(at["x"] - x) + abs(at["y"] - y) < 20
    truth = dict(many.counts(FINE, "ALL", PERIOD).iter_rows())
    assert page.locator("#place-total").inner_text() == f"{truth[picked]:,}"

    page.locator("#close-place").click()
    for _ in range(6):
        page.mouse.move(x, y)
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(300)
    wait_for_layer(seen, "cell_8", "cell_9")


def test_an_address_with_a_place_opens_where_its_cell_can_be_seen(many: FakeReader, seen: Visitor) -> None:
    place = many.geometry(FINE)["place"].iloc[4_321]
    seen.open(f"?layer={FINE}&place={place}&lang=zh-Hans")
    assert wait_for_layer(seen, FINE) == FINE
    at = seen.page.evaluate("place => window.cloudmap.locate(place)", place)
    box = seen.page.locator("#map").bounding_box()
    assert box["x"] < at["x"] < box["x"] + box["width"]
    assert box["y"] < at["y"] < box["y"] + box["height"]


def test_resolution_stays_where_nobody_asked_for_the_zoom_to_lead(seen: Visitor) -> None:
    seen.open("?layer=cell_9&lang=en")
    box = seen.page.locator("#map").bounding_box()
    seen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    seen.page.mouse.wheel(0, -1500)
    seen.page.wait_for_timeout(1500)
    assert wait_for_layer(seen, "cell_9") == "cell_9"
    seen.page.get_by_label("Resolution follows the zoom").check()
    wait_for_layer(seen, FINE)
