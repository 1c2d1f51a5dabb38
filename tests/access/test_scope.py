"""The reader itself keeps to the audience's own units: whatever a page asks for, no other unit's report comes out."""

from __future__ import annotations

import itertools
from pathlib import Path

import polars as pl
import pytest

from cloudmap.access.audience import Audience
from cloudmap.access.reader import Reader
from cloudmap.access.scope import narrowed
from cloudmap.city import open_city
from cloudmap.errors import AccessError
from cloudmap.pipeline import read

OWN, OTHER = "999001001", "999001002"


@pytest.fixture(scope="module")
def every(analysed_city: Path) -> Reader:
    return read(open_city(analysed_city))


@pytest.fixture(scope="module")
def own(every: Reader) -> Reader:
    return narrowed(every, Audience(units=(OWN,), records=False))


@pytest.fixture(scope="module")
def units_of(every: Reader) -> dict[str, str]:
    rows = every.store.read("reports", ["report_id", "unit_street_code"])
    return dict(rows.select("report_id", "unit_street_code").iter_rows())


def test_reports_of_any_place_are_those_of_the_own_units(every: Reader, own: Reader, units_of: dict[str, str]) -> None:
    period = next(one.id for one in every.periods() if one.weeks_n == 13)
    seen = {OWN: 0, OTHER: 0}
    for layer in (one for one in every.layers() if one.kind in ("unit", "cell")):
        counted = every.values(layer.id, "ALL", period, "count").table.sort("n", "place", descending=True)
        for place in counted["place"].head(6):
            full = every.reports(layer.id, place, period, limit=None)["report_id"].to_list()
            mine = own.reports(layer.id, place, period, limit=None)["report_id"].to_list()
            assert mine == [one for one in full if units_of[one] == OWN]
            seen[OWN] += len(mine)
            seen[OTHER] += len(full) - len(mine)
    assert seen[OWN] > 50
    assert seen[OTHER] > 50


def test_a_limit_counts_the_own_reports(every: Reader, own: Reader) -> None:
    period = next(one.id for one in every.periods() if one.weeks_n == 13)
    assert own.reports("unit_street", OWN, period, limit=5).height == 5
    assert own.reports("unit_street", OTHER, period).height == 0


def test_matters_distances_and_the_whole_table_keep_to_them_too(every: Reader, own: Reader, units_of: dict[str, str]) -> None:
    period = next(one.id for one in every.periods() if one.weeks_n == 13)
    for place, category in itertools.product((OWN, OTHER), ("ALL", "FC02")):
        for matter in own.matters("unit_street", place, period, category):
            assert {units_of[one] for one in matter.reports["report_id"]} == {OWN}
            told = set(matter.reports["report_id"])
            assert set(matter.links["report_id"]) | set(matter.links["to_report_id"]) <= told
    whole = own.all_reports()
    assert set(whole["unit_street_code"]) == {OWN}
    assert whole.columns == every.all_reports().columns
    assert whole.height == sum(unit == OWN for unit in units_of.values())
    near = own.near_water()
    assert {units_of[one] for one in near["report_id"]} == {OWN}
    assert near.columns == every.near_water().columns


def test_counts_are_the_whole_city_s_for_everybody(every: Reader, own: Reader) -> None:
    period = every.default_period.id
    nobody = narrowed(every, Audience(units=(), records=False))
    for reader in (own, nobody):
        for measure in ("count", "hotspot"):
            ours, theirs = (one.values("unit_street", "ALL", period, measure).table for one in (reader, every))
            assert ours.equals(theirs, null_equal=True)
        assert reader.place("unit_street", OTHER, period).total_n == every.place("unit_street", OTHER, period).total_n


def test_who_sees_no_rows_is_refused_each_of_them(every: Reader) -> None:
    nobody = narrowed(every, Audience(units=(), records=False))
    period = every.default_period.id
    asked = (
        lambda: nobody.reports("unit_street", OWN, period),
        lambda: nobody.matters("unit_street", OWN, period),
        nobody.all_reports,
        nobody.near_water,
        nobody.quarantine,
    )
    for one in asked:
        with pytest.raises(AccessError):
            one()


def test_quarantine_follows_its_own_right(every: Reader, own: Reader) -> None:
    assert isinstance(narrowed(every, Audience(units=())).quarantine(), pl.DataFrame)
    with pytest.raises(AccessError, match="belong to no unit"):
        own.quarantine()


def test_a_reader_cannot_be_narrowed_to_more(every: Reader) -> None:
    for audience in (Audience(restricted=True), Audience(kind="outside")):
        with pytest.raises(AccessError, match="narrowed"):
            narrowed(every, audience)
