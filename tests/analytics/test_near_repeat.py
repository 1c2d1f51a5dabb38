"""The near-repeat table as a result: rows, the Knox line, samples of large inputs, and refusals."""

import numpy as np
import polars as pl
import pytest
from scipy.spatial.distance import pdist

from cloudmap.analytics import near_repeat as module
from cloudmap.analytics.close_pairs import close_pairs, count_close
from cloudmap.analytics.knox import knox
from cloudmap.analytics.near_repeat import near_repeat_result
from cloudmap.errors import AnalysisError
from tests.analytics.published import reference

ANSWERS = reference("knox_near_repeat.json")
POINTS = pl.DataFrame(
    {"x_m": ANSWERS["x"], "y_m": ANSWERS["y"], "t_days": ANSWERS["t"]}, schema=dict.fromkeys(["x_m", "y_m", "t_days"], float)
)
BANDS = {"distances_m": ANSWERS["near_repeat"]["s_upper_incl"], "days": ANSWERS["near_repeat"]["t_upper_incl"]}


def uniform(n, *, seed=1, side=5000.0, days=900.0):
    rng = np.random.default_rng(seed)
    return pl.DataFrame({"x_m": rng.uniform(0, side, n), "y_m": rng.uniform(0, side, n), "t_days": rng.uniform(0, days, n)})


def test_rows_equal_the_table_of_surveillance():
    table = near_repeat_result(POINTS, **BANDS, replicates=99, seed=2).table
    rows, width = len(BANDS["distances_m"]), len(BANDS["days"])
    observed, expected = (np.array(ANSWERS["near_repeat"][name])[:rows, :width] for name in ("observed", "expected"))
    assert table["observed_n"].to_list() == observed.ravel().tolist()
    np.testing.assert_allclose(table["expected_n"], expected.ravel(), atol=1e-9)
    assert table["distance_to_m"].to_list()[::width] == BANDS["distances_m"]
    assert table["days_to"].to_list()[:width] == BANDS["days"]
    assert table["days_from"].to_list()[:width] == [0, *BANDS["days"][:-1]]


def test_what_was_planted_repeats_and_the_knox_line_is_that_of_knox():
    result = near_repeat_result(POINTS, distances_m=[100, 200], days=[7, 14], replicates=199, seed=3)
    assert result.table.row(0, named=True)["class"] == "repeat"
    assert result.table["class"].to_list().count("repeat") == 1
    assert (result.table["q"] >= result.table["p"]).all()
    answer = knox(POINTS.select("x_m", "y_m").to_numpy(), POINTS["t_days"].to_numpy(), distance_m=100, days=7)
    given = result.parameters
    assert (given["knox_observed"], given["knox_expected"], given["knox_p_poisson"]) == pytest.approx(tuple(answer))
    assert result.caveats == ("near_repeat_growth",)


def test_the_same_seed_gives_the_same_p():
    first, second = (near_repeat_result(POINTS, **BANDS, replicates=49, seed=4).table for _ in range(2))
    assert first.equals(second)


def test_times_that_do_not_follow_places_do_not_repeat():
    """p of the closest band over 60 draws: about one in twenty below .05."""
    low = 0
    for run in range(60):
        points = uniform(150, seed=run, side=2000, days=100)
        low += near_repeat_result(points, distances_m=[200], days=[7], replicates=19, seed=run).table["p"][0] <= 0.05
    assert low <= 10


@pytest.mark.parametrize("side", [1.0, 900.0, 1e7])
def test_pairs_equal_those_of_all_distances(side):
    """Also where the reach is far larger, or far smaller, than the whole."""
    rng = np.random.default_rng(5)
    xy = rng.uniform(0, side, (200, 2)).round(0 if side > 1 else 2)
    far = np.array([side / 20, side / 7])
    apart = pdist(xy)
    close = close_pairs(xy, far)
    assert np.bincount(close.band, minlength=2).tolist() == [(apart <= far[0]).sum(), ((apart > far[0]) & (apart <= far[1])).sum()]
    assert count_close(xy, far[1]) == close.other.size
    if side == 1e7:
        assert count_close(xy, 1.0) == (apart <= 1).sum()


def test_too_many_pairs_are_sampled_and_it_is_said(monkeypatch):
    points = uniform(4000, days=900)
    pairs = count_close(points.select("x_m", "y_m").to_numpy(), 300)
    monkeypatch.setattr(module, "_MOST_VISITS", pairs * 20 // 3)
    year = near_repeat_result(points, distances_m=[300], days=[20], replicates=19)
    assert year.parameters["sampled_days"] == 365
    assert year.parameters["sampled_share"] == 1
    assert year.parameters["sampled_n"] == (points["t_days"] > points["t_days"].max() - 365).sum()
    monkeypatch.setattr(module, "_MOST_VISITS", pairs * 20 // 20)
    lot = near_repeat_result(points, distances_m=[300], days=[20], replicates=19)
    assert 0.3 < lot.parameters["sampled_share"] < 1
    assert lot.parameters["sampled_n"] == pytest.approx(year.parameters["sampled_n"] * lot.parameters["sampled_share"], rel=0.1)
    assert lot.parameters["matters_n"] == 4000
    assert lot.caveats == ("near_repeat_growth", "near_repeat_sample")
    assert lot.table["ratio"][0] == pytest.approx(year.table["ratio"][0], abs=0.35)


def test_more_pairs_than_memory_holds_are_refused(monkeypatch):
    monkeypatch.setattr("cloudmap.analytics.close_pairs.MOST_PAIRS", 10)
    with pytest.raises(AnalysisError, match="one category, one year or a smaller distance"):
        knox(np.zeros((100, 2)), np.arange(100), distance_m=10, days=1)


@pytest.mark.parametrize(
    ("points", "settings", "message"),
    [
        (POINTS.head(2), {}, "at least 3"),
        (POINTS.with_columns(x_m=pl.lit(None, float)), {}, "no coordinates"),
        (POINTS.with_columns(t_days=pl.lit(float("nan"))), {}, "missing"),
        (POINTS.drop("t_days"), {}, "no column t_days"),
        (POINTS, {"distances_m": [200, 100]}, "increasing"),
        (POINTS, {"distances_m": []}, "increasing"),
        (POINTS, {"days": [0]}, "increasing"),
        (POINTS, {"replicates": 9}, "at least 19"),
    ],
)
def test_unsuitable_input_is_refused_in_words(points, settings, message):
    with pytest.raises(AnalysisError, match=message):
        near_repeat_result(points, **{**BANDS, "replicates": 19, **settings})
