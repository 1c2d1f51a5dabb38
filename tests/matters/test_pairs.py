import numpy as np
import pytest

from cloudmap.errors import AnalysisError
from cloudmap.matters.pairs import LAGS_H, Limits, Rows, find_pairs


def _rows(n, seed, *, days=250):
    rng = np.random.default_rng(seed)
    none = np.zeros(n, dtype=np.int64)
    time_h = np.sort(rng.uniform(0, days * 24, n))
    return Rows(rng.uniform(0, 300, n), rng.uniform(0, 300, n), time_h, rng.integers(0, 2, n), none, none)


def _by_hand(rows, limits, lag):
    away = np.hypot(rows.x_m[:, None] - rows.x_m, rows.y_m[:, None] - rows.y_m)
    gap = np.abs(rows.time_h[None, :] - rows.time_h[:, None] - lag)
    kept = (away <= limits.distance_m) & (gap <= limits.hours_h) & (rows.category[:, None] == rows.category)
    return {(i, j) for i, j in np.argwhere(np.triu(kept, 1)).tolist()}


@pytest.mark.parametrize("seed", range(3))
def test_pairs_are_those_of_the_full_table_whatever_span_they_fall_in(seed):
    rows, limits = _rows(600, seed), Limits(60, 48)
    candidates, controls = find_pairs(rows, limits)
    assert set(zip(candidates.first.tolist(), candidates.second.tolist(), strict=True)) == _by_hand(rows, limits, 0.0)
    assert candidates.n == len(_by_hand(rows, limits, 0.0)) > 50
    assert controls.n == sum(len(_by_hand(rows, limits, lag)) for lag in LAGS_H)
    assert controls.gap_h.max() <= 48
    assert candidates.distance_m.max() <= 60


def test_no_reports_make_no_pairs():
    assert [pairs.n for pairs in find_pairs(_rows(0, 0), Limits())] == [0, 0]
    assert [pairs.n for pairs in find_pairs(_rows(1, 0), Limits())] == [0, 0]


@pytest.mark.parametrize("wrong", [(0, 24), (50, 0), (50, 84), (-1, 24)])
def test_limits_out_of_range_are_refused(wrong):
    with pytest.raises(AnalysisError, match="limits of a matter"):
        Limits(*wrong)
