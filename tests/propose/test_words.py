"""Names of columns, states, categories and places."""

import polars as pl
import pytest

from cloudmap.ingest.taxonomy import shipped_taxonomy
from cloudmap.propose.columns import Column
from cloudmap.propose.words import guess_category, guess_state, role_strength
from cloudmap.propose.writing import comment, setting
from cloudmap.propose.zones import nearest_zone


def column(name: str, *cells: str | None) -> Column:
    return Column(name, pl.Series(cells, dtype=pl.String))


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("id", "CASE_ENQUIRY_ID"), ("id", "工单号"), ("reported_at", "OPEN_DT"), ("closed_at", "ClosedDate"), ("due_at", "SLA_TARGET_DT"),
        ("occurred_at", "occ_date"), ("state", "CASE_STATUS"), ("category", "OFFENSE_DESCRIPTION"), ("lon", "x_coordina"), ("lat", "纬度"),
        ("unit_code", "neighborhood"), ("reporter_id", "上报人编号"), ("text", "问题描述"), ("address", "事发地点"),
    ],
)  # fmt: skip
def test_names_speak_for_roles(role: str, name: str) -> None:
    assert role_strength(role, column(name).words)


@pytest.mark.parametrize("name", ["LOCATION_TYPE", "Property_Type", "来源类型"])
def test_types_of_other_things_are_no_categories(name: str) -> None:
    assert not role_strength("category", column(name).words)


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        ("已办结", "closed"),
        ("未办结", "open"),
        ("处理中", "handling"),
        ("Closed", "closed"),
        ("OPEN", "open"),
        ("作废", "void"),
        ("OVERDUE", None),
        ("OR", None),
    ],
)
def test_states(raw: str, state: str | None) -> None:
    assert guess_state(raw) == state


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("路灯", "FC02"),
        ("Street Light Outages", "FC02"),
        ("AUTO THEFT", "PS01"),
        ("暴露垃圾", "AP01"),
        ("Zombie", "OT99"),
        ("大类 > 邻里纠纷", "DS02"),
    ],
)
def test_categories(raw: str, code: str) -> None:
    assert guess_category(raw, shipped_taxonomy())[0] == code


@pytest.mark.parametrize(
    ("lon", "lat", "zone"),
    [
        (121.4, 28.6, "Asia/Shanghai"), (119.3, 26.1, "Asia/Shanghai"), (87.6, 43.8, "Asia/Shanghai"), (121.5, 25.05, "Asia/Taipei"),
        (-71.06, 42.36, "America/New_York"), (-122.67, 45.5, "America/Los_Angeles"), (2.3, 48.9, "Europe/Paris"),
    ],
)  # fmt: skip
def test_zones(lon: float, lat: float, zone: str) -> None:
    assert nearest_zone(lon, lat) == zone


def test_numbers_are_times_only_where_the_name_says_so() -> None:
    assert column("Property_ID", "42009", "42010").time_share == 0
    assert column("open_date", "42009", "42010").time_share == 1
    assert column("x", "2016-03-05").time_share == 1


def test_lines_hold_whatever_a_file_holds() -> None:
    assert comment("a\nb = 1") == "# a b = 1"
    assert setting('we"ird', 'va"lue\\') == '"we\\"ird" = "va\\"lue\\\\"'
