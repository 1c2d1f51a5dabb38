"""What each role may do, and whose rows it sees."""

from __future__ import annotations

import polars as pl
import pytest

from cloudmap.access.audience import Audience
from cloudmap.access.roles import LOCAL_VIEWER, RIGHTS, ROLES, Viewer, check_role
from cloudmap.access.scope import refuse_records, refuse_rows, scope_columns, within
from cloudmap.errors import AccessError

LEVELS = ("street", "grid")
ROWS = pl.DataFrame(
    {
        "report_id": ["a1", "a2", "b1", "none"],
        "unit_street_code": ["A", "A", "B", None],
        "unit_grid_code": ["A01", "A02", "B01", None],
    }
)

# role: counts, single reports, quarantined records, take out, audit log
TABLE = {
    "official": (True, True, False, True, False),
    "planner": (True, False, False, True, False),
    "analyst": (True, True, True, True, False),
    "auditor": (True, False, False, False, True),
    "administrator": (True, False, True, False, False),
    "wall": (True, False, False, False, False),
    "local": (True, True, True, True, True),
}


def test_the_table_of_rights() -> None:
    found = {
        role: tuple(Viewer("x", role).may(right) for right in ("see", "rows", "records", "take", "audit"))  # type: ignore[arg-type]
        for role in RIGHTS
    }
    assert found == TABLE
    assert set(ROLES) < set(TABLE)
    assert not any(Viewer("x", "made-up").may(right) for right in ("see", "rows", "records", "take", "audit"))  # type: ignore[arg-type]


def test_no_role_both_watches_and_is_watched() -> None:
    assert not RIGHTS["auditor"] & {"rows", "records", "take"}
    assert "audit" not in RIGHTS["administrator"]


@pytest.mark.parametrize(
    ("viewer", "audience"),
    [
        (LOCAL_VIEWER, Audience()),
        (Viewer("o", "official", ("B", "A"), restricted=True), Audience(restricted=True, units=("A", "B"), records=False)),
        (Viewer("p", "planner"), Audience(units=(), records=False)),
        (Viewer("n", "analyst"), Audience()),
        (Viewer("n", "analyst", ("A",)), Audience(units=("A",))),
        (Viewer("u", "auditor"), Audience(units=(), records=False)),
        (Viewer("d", "administrator"), Audience(units=())),
        (Viewer("w", "wall"), Audience(units=(), records=False)),
        (Viewer("?", "made-up", ("A",)), Audience(units=(), records=False)),
    ],
)
def test_who_looks_becomes_what_numbers_are_read_for(viewer: Viewer, audience: Audience) -> None:
    assert viewer.audience == audience


@pytest.mark.parametrize(
    ("role", "units", "restricted", "why"),
    [
        ("offical", (), False, "official"),
        ("official", (), False, "--units"),
        ("planner", ("A",), False, "no single reports"),
        ("auditor", (), True, "restricted grant"),
        ("administrator", (), True, "restricted grant"),
        ("wall", (), False, "unknown"),
    ],
)
def test_combinations_that_make_no_sense(role: str, units: tuple[str, ...], restricted: bool, why: str) -> None:
    with pytest.raises(AccessError, match=why):
        check_role(role, units=units, restricted=restricted)


@pytest.mark.parametrize(
    ("units", "kept"),
    [(None, ["a1", "a2", "b1", "none"]), (("A",), ["a1", "a2"]), (("A02", "B"), ["a2", "b1"]), (("C",), [])],
)
def test_rows_outside_the_own_units_are_left_out(units: tuple[str, ...] | None, kept: list[str]) -> None:
    audience = Audience(units=units)
    assert within(ROWS, audience, LEVELS)["report_id"].to_list() == kept
    assert scope_columns(audience, LEVELS) == ([] if units is None else ["unit_street_code", "unit_grid_code"])


def test_rows_that_cannot_be_judged_are_refused_not_shown() -> None:
    with pytest.raises(AccessError, match="unit_grid_code"):
        within(ROWS.drop("unit_grid_code"), Audience(units=("A",)), LEVELS)
    with pytest.raises(AccessError, match="any unit"):
        within(ROWS, Audience(units=("A",)), ())


@pytest.mark.parametrize("audience", [Audience(units=()), Audience(kind="outside"), Audience(kind="outside", units=("A",))])
def test_who_sees_no_rows_gets_none(audience: Audience) -> None:
    for ask in (lambda: refuse_rows(audience), lambda: within(ROWS, audience, LEVELS)):
        with pytest.raises(AccessError):
            ask()


def test_quarantined_records_are_for_those_who_mend_them() -> None:
    refuse_records(Audience())
    refuse_records(Audience(units=()))
    for audience in (Audience(records=False), Audience(kind="outside")):
        with pytest.raises(AccessError):
            refuse_records(audience)
