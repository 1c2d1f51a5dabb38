import numpy as np

from cloudmap.matters.chance import Rates, _around
from cloudmap.matters.pairs import Rows


def test_points_around_are_those_of_nine_squares():
    rng = np.random.default_rng(5)
    x, y = rng.uniform(-500, 500, 400), rng.uniform(0, 300, 400)
    column, row = np.floor(x / 50), np.floor(y / 50)
    by_hand = ((np.abs(column[:, None] - column) <= 1) & (np.abs(row[:, None] - row) <= 1)).sum(axis=1)
    assert _around(x, y, 50).tolist() == by_hand.tolist()
    assert _around(np.empty(0), np.empty(0), 50).size == 0


def test_a_steady_category_is_expected_at_its_rate_and_a_burst_above_it():
    steady = np.arange(0, 24 * 200, 6.0)  # four a day
    burst = np.full(50, 24 * 100.0)
    time_h = np.sort(np.concatenate([steady, burst]))
    none = np.zeros(len(time_h), dtype=np.int64)
    rates = Rates.of(Rows(none.astype(float), none.astype(float), time_h, none, none, none), ("FC02",), ("app",))
    calm, wild = rates.expected(np.array([0, 0]), np.array([0, 0]), np.array([24 * 50.0, 24 * 100.0]), 36.0)
    assert 11 < calm < 14  # three days of four
    assert wild > calm + 10


def test_an_unknown_category_or_time_is_expected_rarely_but_never_not_at_all():
    none = np.zeros(3, dtype=np.int64)
    rows = Rows(np.zeros(3), np.zeros(3), np.array([0.0, 1.0, 2.0]), none, none, none)
    rates = Rates.of(rows, ("FC02",), ("app",))
    unknown = rates.expected(np.array([1, 0, 0]), np.zeros(3, dtype=np.int64), np.array([1.0, 1e6, -1e6]), 72.0)
    assert ((unknown > 0) & (unknown < 0.1)).all()
