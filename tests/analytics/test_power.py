"""What a map can see: the table against direct simulation, its sentence, and what is refused."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from cloudmap.analytics.hotspots_map import hotspots
from cloudmap.analytics.periods import Period
from cloudmap.analytics.power import MapSize, Statement, power_table, statement
from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError
from tests.analytics.panels import MONDAY, disk, panel

W = disk(9)
N = W.shape[0]


def _panel(mean=0.5, **other):
    return panel(np.random.default_rng(1).poisson(mean, (N, 60)), W, **other)


def _share(table, risk, weeks_n):
    return table.filter((pl.col("risk") == risk) & (pl.col("weeks_n") == weeks_n))["found_share"][0]


def test_more_weeks_and_more_risk_are_seen_more_often():
    made = power_table(_panel())
    table = made.table
    assert table.columns == ["weeks_n", "risk", "found_share", "lower", "upper", "found_n", "runs_n"]
    assert table.height == 16
    assert ((table["lower"] <= table["found_share"]) & (table["found_share"] <= table["upper"])).all()
    assert _share(table, 2, 1) < 0.2 < 0.9 < _share(table, 10, 4)
    for risk in (2, 3, 5):
        shares = table.filter(pl.col("risk") == risk).sort("weeks_n")["found_share"].to_numpy()
        assert (np.diff(shares) > -0.1).all()
    assert made.parameters["seed"] == 331004
    assert power_table(_panel()).table.equals(table)
    assert not power_table(_panel(), seed=1).table.equals(table)


@pytest.mark.parametrize("exposure", [None, np.full(N, 30.0)])
def test_the_table_agrees_with_maps_tested_one_by_one(exposure):
    kind = "none" if exposure is None else "population"
    said = power_table(_panel(exposure=exposure, exposure_kind=kind), risks=(4,), weeks=(2,), runs=300).table
    found, runs = 0, 150
    middles = np.flatnonzero(np.diff(W.indptr) == 6)
    for run in range(runs):
        rng = np.random.default_rng([2, run])
        mean = np.full(N, 0.5)
        at = rng.choice(middles)
        mean[[at, *W[[at]].indices]] *= 4
        shown = panel(rng.poisson(mean[:, None], (N, 2)), W, exposure=exposure, exposure_kind=kind)
        found += hotspots(shown, Period(MONDAY, 2)).table["class"][int(at)] == "hot"
    assert abs(found / runs - said["found_share"][0]) < 0.15
    assert found / runs > 0.2


def test_three_numbers_do_for_a_map_that_is_not_there_yet():
    planned = power_table((0.5, 7, N), runs=200)
    there = power_table(_panel(), runs=200)
    assert abs(planned.table["found_share"] - there.table["found_share"]).max() < 0.2
    assert planned.parameters["neighbourhood_n"] == 7
    clumped = power_table(MapSize(0.5, 7, N, size=0.2), runs=200).table
    assert (clumped["found_share"] <= planned.table["found_share"] + 0.05).all()


def test_the_interval_is_that_of_clopper_and_pearson():
    row = power_table((0.5, 7, 200), risks=(5,), weeks=(1,), runs=40).table.row(0, named=True)
    exact = stats.binomtest(row["found_n"], 40).proportion_ci(method="exact")
    assert (row["lower"], row["upper"]) == pytest.approx((exact.low, exact.high))


def test_the_present_is_the_last_year_of_the_regime_without_masked_weeks():
    counts = np.random.default_rng(1).poisson(0.5, (N, 80))
    counts[:, :20] = 50
    counts[:, 79] = 90
    complete = np.arange(80) < 79
    made = power_table(panel(counts, W, regime_from=40, complete=complete), risks=(2,), weeks=(1,), runs=5)
    assert made.parameters["present_weeks"] == 39
    assert made.parameters["mean_per_week"] == pytest.approx(counts[:, 40:79].mean())


def _made(*rows):
    table = pl.DataFrame(rows, schema={"weeks_n": pl.Int64, "risk": pl.Float64, "found_share": pl.Float64}, orient="row")
    return Result("power", {}, table, "")


def test_the_sentence_of_the_legend():
    made = _made((1, 2.0, 0.26), (1, 3.0, 0.96), (4, 2.0, 0.99))
    assert statement(made) == Statement("power_sometimes", {"risk": 2, "weeks_n": 1, "seen": 1, "of": 4})
    assert statement(made, risk=3).key == "power_seen"
    made = _made((1, 2.0, 0.01), (1, 5.0, 0.5), (1, 10.0, 0.9), (4, 2.0, 0.3), (13, 2.0, 0.85))
    assert statement(made) == Statement("power_hardly", {"risk": 2, "weeks_n": 1, "needed_weeks_n": 13, "needed_risk": 10.0})
    assert statement(_made((1, 2.0, 0.0))).numbers == {"risk": 2, "weeks_n": 1, "needed_weeks_n": 0, "needed_risk": 0}
    assert statement(_made((1, 2.0, 0.94))).numbers["seen"] < statement(_made((1, 2.0, 0.94))).numbers["of"]
    with pytest.raises(AnalysisError, match="ask power_table for it"):
        statement(made, weeks_n=2)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (lambda: power_table(panel(np.zeros((N, 9), dtype=int), W)), "every count is zero"),
        (lambda: power_table(panel(-np.ones((N, 9), dtype=int), W)), "negative"),
        (lambda: power_table(_panel(complete=np.zeros(60, dtype=bool))), "wait until its reports are in"),
        (lambda: power_table(_panel(), risks=(1,)), "risks above 1"),
        (lambda: power_table(_panel(), weeks=()), "whole weeks"),
        (lambda: power_table(_panel(), runs=0), "runs from 1"),
        (lambda: power_table((0.0, 7, 100)), "mean = 0.0 must be a positive"),
        (lambda: power_table((0.5, 7, 2)), "at least three places"),
        (lambda: power_table((0.5, 700, 100)), "neighbourhoods within them"),
        (lambda: power_table(_panel(exposure=np.zeros(N), exposure_kind="population")), "0 everywhere"),
    ],
)
def test_unsuitable_input_is_refused_with_what_to_do(asked, why):
    with pytest.raises(AnalysisError, match=why):
        asked()


def test_small_maps_and_maps_of_islands_have_power_too():
    assert power_table((5.0, 3, 6), weeks=(1, 13), runs=20).table["found_share"].is_between(0, 1).all()


def test_exact_p_cannot_see_a_place_without_neighbours():
    """The largest of n values lies on a given place with a chance of 1 / n, however large it is."""
    assert power_table((0.3, 1, 500), risks=(30,), weeks=(4,), runs=40).table["found_n"][0] == 0
