"""Which meeting is advised, and the counts that it rests on."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from cloudmap.analytics.tiers import REASONS, advice, circumstances
from cloudmap.errors import AnalysisError
from tests.analytics.handled import at


def matter(**changes):
    plain = {
        "report_id": "app:0",
        "severity": 1,
        "category_tier": "microgrid",
        "spread_n": 1,
        "recurrence_n": 0,
        "day_n": 1,
        "usual_day_n": 0.5,
    }
    types = {"spread_n": pl.Int64, "recurrence_n": pl.Int64, "day_n": pl.Int64, "usual_day_n": pl.Float64}
    return pl.DataFrame({name: [value] for name, value in {**plain, **changes}.items()}, schema_overrides=types)


@pytest.mark.parametrize(
    ("changes", "tier", "reasons"),
    [
        ({}, "microgrid", ["ordinary"]),
        ({"severity": 4}, "street", ["major"]),
        ({"severity": 3}, "hall", ["serious"]),
        ({"spread_n": 3}, "hall", ["spread"]),
        ({"recurrence_n": 3, "spread_n": 4}, "hall", ["spread", "recurring"]),
        ({"category_tier": "hall"}, "hall", ["category_hall"]),
        ({"category_tier": "street", "recurrence_n": 9}, "street", ["category_street", "recurring"]),
        ({"day_n": 6, "usual_day_n": 0.5}, "street", ["sudden"]),
        ({"day_n": 6, "usual_day_n": 2.0}, "microgrid", ["ordinary"]),
        ({"spread_n": None, "recurrence_n": None, "day_n": None, "usual_day_n": None}, "microgrid", ["ordinary"]),
    ],
)
def test_the_strongest_reason_decides(changes, tier, reasons):
    result = advice(matter(**changes))
    assert result.table.select("class", "reasons").row(0) == (tier, reasons)
    assert set(reasons) <= set(REASONS)
    assert "advice_not_decision" in result.caveats


def test_circumstances_are_what_counting_by_hand_gives():
    rng = np.random.default_rng(4)
    n = 300
    when = [at("2018-01-01T00:00") + timedelta(minutes=int(m)) for m in rng.integers(0, 120 * 24 * 60, n)]
    frame = pl.DataFrame(
        {
            "report_id": [f"app:{i}" for i in range(n)],
            "category_code": rng.choice(["A", "B"], n).tolist(),
            "occurred_at": when,
            "area": rng.choice(["X", "Y", None], n).tolist(),
            "own": rng.choice(["1", "2", "3", "4", None], n).tolist(),
        }
    )
    found = circumstances(frame, area="area", microgrid="own")
    assert found["report_id"].to_list() == frame["report_id"].to_list()
    rows = frame.rows(named=True)
    for told, row in zip(found.iter_rows(named=True), rows, strict=True):

        def before(days, key, row=row):
            start = row["occurred_at"] - timedelta(days=days)
            return [o for o in rows if o["category_code"] == row["category_code"] and o[key] == row[key]
                    and start < o["occurred_at"] <= row["occurred_at"]]  # fmt: skip

        if row["area"] is None:
            assert told["spread_n"] is None
            assert told["day_n"] is None
        else:
            assert told["spread_n"] == len({o["own"] for o in before(28, "area")} - {None})
            assert told["day_n"] == len(before(1, "area"))
            assert told["usual_day_n"] == pytest.approx((len(before(90, "area")) - len(before(1, "area"))) / 89)
        assert told["recurrence_n"] == (None if row["own"] is None else len(before(90, "own")) - 1)


def test_unusable_matters_are_refused():
    with pytest.raises(AnalysisError, match="severity"):
        advice(matter().drop("severity"))
    with pytest.raises(AnalysisError, match="1 to 4"):
        advice(matter(severity=5))
    with pytest.raises(AnalysisError, match="meetings"):
        advice(matter(category_tier="district"))
