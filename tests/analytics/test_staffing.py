"""The staffing rule and the cases of each unit."""

import polars as pl
import pytest

from cloudmap.analytics.staffing import staffing_check, workload
from cloudmap.errors import AnalysisError


def test_every_unit_needs_both_kinds():
    units = pl.DataFrame({"code": list("abcde"), "staff_n": [2, 0, 1, 0, None], "volunteers_n": [1.0, 1.0, 0.0, 0.0, 1.0]})
    table = staffing_check(units).table
    assert table["class"].to_list() == ["complete", "no_staff", "no_volunteer", "neither", "unknown"]
    assert table["value"].to_list() == [0, 1, 1, 2, None]
    assert table["n"].to_list() == [3, 1, 1, 0, 1]


def test_a_base_map_without_staff_is_refused():
    with pytest.raises(AnalysisError, match="fields staff"):
        staffing_check(pl.DataFrame({"code": ["a"], "staff_n": [None], "volunteers_n": [None]}))
    with pytest.raises(AnalysisError, match="volunteers_n"):
        staffing_check(pl.DataFrame({"code": ["a"], "staff_n": [1]}))


def test_workload_counts_cases_not_persons():
    cases = pl.DataFrame(
        {
            "unit_street_code": ["A"] * 4 + ["B"] * 2,
            "state": ["open", "closed", "void", "handling", "open", "open"],
            "overdue": [True, False, False, False, True, False],
            "reporter_hash": ["1", "2", "3", "4", "1", "1"],
            "reporter_kind": ["staff"] * 6,
        }
    )
    result = workload(cases, "unit_street_code", ["B", "A", "C"], min_staff=3)
    assert result.table.select("place", "n", "value", "class").rows() == [
        ("B", 2, None, "too_few_staff"),
        ("A", 3, 2.0, "shown"),
        ("C", 0, None, "too_few_staff"),
    ]
    assert result.table["open_n"].to_list() == [None, 2, None]


@pytest.mark.parametrize("column", ["unit_microgrid_code", "unit_grid_code", "reporter_hash"])
def test_nothing_finer_than_a_community_has_a_workload(column):
    with pytest.raises(AnalysisError, match="unit_community_code"):
        workload(pl.DataFrame({column: ["x"], "state": ["open"], "overdue": [False]}), column, ["x"])
