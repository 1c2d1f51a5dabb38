"""A unit named by a report is found by code or by a name that only one unit has."""

import polars as pl
import pytest

from cloudmap.geo import named as module
from cloudmap.geo.locator import Locator
from tests.geo.squares import base_map, square, squares


@pytest.fixture(scope="module")
def named():
    return Locator(squares(), size=64).named


@pytest.mark.parametrize("text", ["331004001001", " 331004001001 ", "石浜社区", "石浜 社区"])
def test_by_code_or_full_name(named, text):
    assert named.chain(text) == {"community": "331004001001", "street": "331004001"}


@pytest.mark.parametrize(("text", "code"), [("松塘", "331004002001"), ("松塘村委会", "331004002001"), ("河西", "331004001202")])
def test_endings_may_be_left_out_or_be_another(named, text, code):
    assert code in named.chain(text).values()


def test_full_width_digits_and_letters_are_the_same_name(named):
    assert named.chain("石浜社区") == named.chain("石浜\u3000社区")


def test_a_name_of_two_units_is_no_answer(named):
    assert named.chain("石浜") == {}
    assert named.chain("无此村") == {}


def test_ancestors_by_parent_code_and_by_prefix(named):
    assert named.chain("第二微格") == {"microgrid": "331004001001002", "community": "331004001001", "street": "331004001"}
    assert named.chain("松塘社区") == {"community": "331004002001", "street": "331004002"}


def test_padded_division_codes_are_prefixes():
    units = base_map(
        street=[("331004001000", "路桥街道", None, square(0, 0))],
        village=[("331004001201", "河西村", None, square(0, 0))],
    )
    assert Locator(units, size=64).named.chain("河西村") == {"village": "331004001201", "street": "331004001000"}


def test_short_codes_are_no_prefixes():
    units = base_map(district=[("1", "One", None, square(0, 0))], street=[("12", "Twelve", None, square(0, 0))])
    assert Locator(units, size=64).named.chain("Twelve") == {"street": "12"}


def test_parents_in_a_circle_end():
    units = base_map(street=[("A", "a", "B", square(0, 0))], community=[("B", "b", "A", square(0, 0))])
    assert Locator(units, size=64).named.chain("B") == {"community": "B", "street": "A"}


def test_positions_of_a_column(named):
    positions, unknown = named.positions(pl.Series(["河西村", None, "", "无此村", "河西村"], dtype=pl.String))
    assert positions["village"].tolist() == [1, -1, -1, -1, 1]
    assert positions["street"].tolist() == [0, -1, -1, -1, 0]
    assert positions["microgrid"].tolist() == [-1] * 5
    assert unknown.tolist() == [False, False, False, True, False]


def test_a_column_of_free_text_does_not_fill_the_memory(named, monkeypatch):
    monkeypatch.setattr(module, "ANSWERS_HELD", 10)
    texts = pl.Series([f"text {n}" for n in range(100)] + ["河西村"])
    positions, unknown = named.positions(texts)
    assert len(named._answers) <= 10
    assert unknown.sum() == 100
    assert positions["village"][-1] == 1
