"""Matters keep their limits, whatever the reports and in whatever order they come."""

from functools import cache

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.matters import Limits
from tests.matters.made import joined, reports, town

LIMITS = Limits()
here = st.tuples(
    st.sampled_from(["app", "hotline"]), st.sampled_from(["FC02", "AP01"]), st.integers(0, 120), st.integers(0, 120), st.integers(0, 150),
    st.sampled_from(["东街路灯不亮", "西街路灯不亮了", "垃圾没有清", None]),
)  # fmt: skip
crowds = st.lists(here, max_size=25)


@cache
def model():
    return joined(reports(town(5)[0])).model


def _rows(crowd, prefix=""):
    return [(f"{source}:{prefix}{i:03d}", source, *rest) for i, (source, *rest, _) in enumerate(crowd)]


def _texts(crowd):
    return {row[0]: one[-1] for row, one in zip(_rows(crowd), crowd, strict=True)}


@settings(max_examples=80, deadline=None)
@given(crowds, st.booleans())
def test_every_report_has_one_matter_named_after_its_first_and_no_wider_than_the_limits(crowd, learnt):
    rows = _rows(crowd)
    found = joined(reports(rows), texts=_texts(crowd), model=model() if learnt else None)
    assert found.shared["report_id"].is_unique().all()
    assert found.shared["report_id"].is_sorted()
    by_id = {row[0]: row for row in rows}
    for matter, ids in found.shared.group_by("matter_id").agg("report_id").iter_rows():
        told = sorted((by_id[one] for one in ids), key=lambda row: (row[5], row[0]))
        assert matter == told[0][0]
        assert len(told) > 1
        assert len({row[2] for row in told}) == 1
        x, y, hours = (np.array([row[at] for row in told], dtype=float) for at in (3, 4, 5))
        assert np.hypot(x[:, None] - x, y[:, None] - y).max() <= LIMITS.distance_m + 0.01
        assert np.ptp(hours) <= LIMITS.hours_h
    n = found.shared.height - found.shared["matter_id"].n_unique()
    assert found.links.height == n
    assert found.links.join(found.shared, on=["report_id", "matter_id"], how="anti").is_empty()
    assert found.links.join(found.shared, left_on=["to_report_id", "matter_id"], right_on=["report_id", "matter_id"], how="anti").is_empty()


@settings(max_examples=60, deadline=None)
@given(crowds, st.randoms(use_true_random=False))
def test_order_is_of_no_account_and_joining_again_says_the_same(crowd, random):
    rows = _rows(crowd)
    found = joined(reports(rows), texts=_texts(crowd))
    random.shuffle(rows)
    again = joined(reports(rows), texts=_texts(crowd))
    assert again.shared.equals(found.shared)
    assert again.links.equals(found.links)


@settings(max_examples=60, deadline=None)
@given(crowds, st.sampled_from([("FC02", 2000, 0), ("SH07", 0, 2000), ("FC02", 0, -900)]))
def test_an_unrelated_report_changes_nothing_else(crowd, other):
    rows = _rows(crowd)
    category, x, y = other
    before = joined(reports(rows), texts=_texts(crowd), model=model())
    after = joined(reports([*rows, ("app:zzz", "app", category, x, y, 70)]), texts=_texts(crowd), model=model())
    assert after.shared.equals(before.shared)
    assert after.links.equals(before.links)
    assert not after.shared.filter(pl.col("report_id") == "app:zzz").height
