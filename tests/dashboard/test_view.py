from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudmap.dashboard.view import View, default_view, offered, read_view
from tests.dashboard.fake_reader import FakeReader

READER = FakeReader()


def test_a_bare_address_shows_cells_and_the_last_four_weeks() -> None:
    view = read_view("", READER)
    assert (view.layer, view.measure, view.category, view.period) == ("cell_9", "count", "ALL", "2018-W31--2018-W34")
    assert view.lang == "zh-Hans"
    assert {"names", "water_river", "unit_street"} == set(view.shown)


def test_an_address_holds_the_whole_view() -> None:
    view = View(
        "hotspots",
        "alarms",
        "unit_grid",
        "emerging",
        "AP01",
        "2018-W30",
        "gr004",
        "unit_street~st000",
        ("water_river~60", "unit_grid"),
        "55",
        "m~5~10",
        "year",
        "1",
        "1",
        "cloud~count~cell_9.water~reach~water",
        "en",
        "dark",
    )
    assert read_view(view.query(), READER) == view


def test_nothing_on_top_is_a_view_too() -> None:
    assert read_view("?shown=", READER).shown == ()


def test_ratio_is_not_offered_without_an_exposure() -> None:
    assert read_view("?measure=ratio", READER).measure == "count"
    assert read_view("?measure=ratio", FakeReader(exposure="population")).measure == "ratio"


@pytest.mark.parametrize(
    "query",
    [
        "?layer=water_river",
        "?layer=../../etc",
        "?period=2018-W99",
        "?category='; drop",
        "?place=st004",
        "?lang=fr",
        "?scheme=red",
        "?within=unit_street~nowhere",
        "?within=cell_9~x",
        "?breaks=m~x",
        "?opacity=7",
        "?rotate=<a>",
        "?wall=yes",
    ],
)
def test_what_is_not_offered_falls_back(query: str) -> None:
    assert read_view(query, READER) == default_view(READER)


@given(st.text(max_size=300))
def test_any_query_gives_an_offered_view(query: str) -> None:
    view, choices = read_view(query, READER), offered(READER)
    for field in ("page", "layer", "measure", "category", "period", "lang", "scheme"):
        assert getattr(view, field) in choices[field]
