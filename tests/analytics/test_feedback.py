"""Feedback: attention that follows raw counts locks in on chance; counts per effort do not."""

import doctest

import polars as pl
import pytest

from cloudmap.analytics import feedback
from cloudmap.analytics.feedback import simulate
from cloudmap.errors import AnalysisError


@pytest.fixture(scope="module")
def table():
    return simulate(rounds=30, runs=8).table


def _at(table, policy, round_n, column):
    return table.filter(policy=policy, round_n=round_n)[column][0]


def test_raw_counts_lock_in_on_the_places_of_the_first_rounds(table):
    assert _at(table, "naive", 30, "overstated") > 3
    assert _at(table, "naive", 30, "turnover") < 0.02
    assert _at(table, "naive", 30, "true_top_share") < 0.4


def test_counts_per_effort_find_the_riskiest_and_do_not_overstate_them(table):
    assert _at(table, "corrected", 30, "overstated") == pytest.approx(1, abs=0.15)
    assert _at(table, "corrected", 30, "true_top_share") > 0.5


def test_a_random_share_damps_the_naive_score_without_curing_it(table):
    naive, damped = (_at(table, policy, 30, "overstated") for policy in ("naive", "random_share"))
    assert 2 < damped < naive
    assert _at(table, "corrected_random_share", 30, "correlation") > _at(table, "corrected", 30, "correlation")


def test_without_reports_by_attention_there_is_no_feedback():
    table = simulate(found=0.0, rounds=30, runs=4).table
    overstated = table.filter(pl.col("round_n") == 30)["overstated"]
    assert overstated.max() < 1.2


def test_the_same_seed_gives_the_same_cities(table):
    assert table.equals(simulate(rounds=30, runs=8).table)
    assert not table.equals(simulate(rounds=30, runs=8, seed=2).table)


def test_the_example_gives_what_it_says():
    result = doctest.testmod(feedback)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"policies": ("guess",)}, "policies guess are unknown"),
        ({"places_n": 3}, "at least 10 places"),
        ({"found": 1.5}, "are shares"),
        ({"top_share": 0.0}, "top_share above 0"),
        ({"mean": 0.0}, "must be above 0"),
    ],
)
def test_unsuitable_settings_are_refused(settings, says):
    with pytest.raises(AnalysisError, match=says):
        simulate(**settings)
