"""Identical coordinates are counted over all batches and decided once for the file."""

import numpy as np
import polars as pl
import pytest

from cloudmap.geo.pileups import PileUps


def add(counter, point, n):
    counter.add(np.full(n, point[0]), np.full(n, point[1]))


def points(decided, pile_up=True):
    return decided.filter(pl.col("pile_up") == pile_up).select("x", "y", "n").rows()


def test_counts_over_batches_and_leaves_out_what_is_no_position():
    counter = PileUps()
    for _ in range(3):
        add(counter, (121.3, 28.5), 40)
        counter.add(pl.Series([None, 0.0, float("nan"), 121.4]), pl.Series([28.5, 0.0, 28.5, 28.6]))
    assert counter.positioned_n == 3 * 41
    assert points(counter.decide(min_n=50, share=0.01)) == [(121.3, 28.5, 120)]


def test_a_share_of_the_file_and_a_least_number():
    counter = PileUps()
    rng = np.random.default_rng(0)
    counter.add(rng.random(9_000) + 120, rng.random(9_000) + 28)
    add(counter, (121.3, 28.5), 60)
    add(counter, (121.4, 28.5), 940)
    assert counter.positioned_n == 10_000
    decided = counter.decide(min_n=50, share=0.01)
    assert points(decided) == [(121.4, 28.5, 940)]
    assert points(decided, pile_up=False) == [(121.3, 28.5, 60)]
    assert points(counter.decide(min_n=60, share=0.006)) == [(121.4, 28.5, 940), (121.3, 28.5, 60)]
    assert points(counter.decide(min_n=50, share=0.0061)) == [(121.4, 28.5, 940)]
    assert counter.decide(min_n=941, share=1e-9).is_empty()


def test_a_known_pile_up_stays_one_in_a_small_file():
    first = PileUps()
    add(first, (121.3, 28.5), 500)
    known = first.decide(min_n=50, share=0.01)
    daily = PileUps()
    add(daily, (121.3, 28.5), 3)
    add(daily, (121.4, 28.5), 7)
    assert points(daily.decide(min_n=50, share=0.01, known=known)) == [(121.3, 28.5, 500)]
    assert points(daily.decide(min_n=50, share=0.01, known=known.drop("pile_up"))) == [(121.3, 28.5, 500)]


def test_deciding_again_changes_nothing():
    counter = PileUps()
    add(counter, (121.3, 28.5), 500)
    once = counter.decide(min_n=50, share=0.01)
    assert once.equals(counter.decide(min_n=50, share=0.01, known=once))


@pytest.mark.parametrize("held", [200, 1_000])
def test_memory_is_bounded_and_crowded_points_survive(held):
    counter = PileUps(held=held)
    rng = np.random.default_rng(1)
    for _ in range(20):
        counter.add(rng.random(held) + 120, rng.random(held) + 28)
        add(counter, (121.3, 28.5), 20)
        assert len(counter._counted) <= held
    assert 0 < counter.slack <= 25
    ((x, y, n),) = points(counter.decide(min_n=300, share=1e-6))
    assert (x, y) == (121.3, 28.5)
    assert 400 - counter.slack <= n <= 400


def test_an_empty_file_has_none():
    assert PileUps().decide(min_n=50, share=0.01).is_empty()
