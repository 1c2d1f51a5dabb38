"""Accuracy of choices against values worked out by hand (pai.json), and rolling origins that never see the future."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.analytics.backtest import baseline, hit_rate, pai, paired_difference, pei_star, poisson_deviance, rolling, select_area
from cloudmap.errors import AnalysisError
from tests.analytics.published import reference

ANSWERS = reference("pai.json")


def test_hit_rate_pai_and_pei_star_equal_the_values_by_hand():
    counts, selected, area = ANSWERS["counts"], ANSWERS["selected"], ANSWERS["area"]
    assert hit_rate(counts, selected) == pytest.approx(ANSWERS["hit_rate"], abs=1e-12)
    assert pai(counts, selected, area) == pytest.approx(ANSWERS["PAI"], abs=1e-12)
    assert pei_star(counts, selected, area) == pytest.approx(ANSWERS["PEI_star"], abs=1e-12)
    assert np.flatnonzero(select_area(ANSWERS["score"], area, share=0.3)).tolist() == selected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=4, max_size=9).filter(any), st.data())
def test_pei_star_equals_the_best_of_all_choices_where_areas_are_equal(counts, data):
    size = data.draw(st.integers(1, len(counts)))
    selected = data.draw(st.permutations(range(len(counts))))[:size]
    most = max(sum(counts[i] for i in choice) for choice in combinations(range(len(counts)), size))
    found = pei_star(counts, selected, np.full(len(counts), 0.1))
    assert found == pytest.approx(sum(counts[i] for i in selected) / most, abs=1e-12)


def test_pei_star_never_exceeds_one_where_areas_differ():
    rng = np.random.default_rng(1)
    for _ in range(50):
        counts, area = rng.poisson(2, 12) + np.eye(12, dtype=int)[0], rng.uniform(0.5, 2, 12)
        assert pei_star(counts, select_area(counts / area, area, share=0.3), area) <= 1 + 1e-12


def test_ties_are_broken_at_random_only_where_asked():
    score, area = np.zeros(100), np.ones(100)
    assert np.flatnonzero(select_area(score, area, share=0.05)).tolist() == [0, 1, 2, 3, 4]
    drawn = select_area(score, area, share=0.05, rng=np.random.default_rng(2))
    assert drawn.sum() == 5
    assert drawn[:5].sum() < 5


def test_forecasts_see_only_the_past_before_the_gap():
    counts = np.tile(np.arange(1, 31), (3, 1))
    seen = []

    def spy(past, horizon):
        seen.append((past.shape[1], int(past.max()), horizon))
        return np.ones(3)

    scores = rolling(counts, {"spy": spy}, horizon=2, area=np.ones(3), share=0.4, gap=3, origins_n=5)
    assert scores.origins.tolist() == [20, 22, 24, 26, 28]
    assert seen == [(17, 17, 2), (19, 19, 2), (21, 21, 2), (23, 23, 2), (25, 25, 2)]
    assert scores.events.tolist() == [3 * (2 * first + 3) for first in scores.origins]


def test_a_forecast_that_knows_the_places_beats_one_that_guesses():
    rng = np.random.default_rng(3)
    rate = rng.gamma(0.3, 2, 400)
    counts = rng.poisson(rate[:, None], (400, 80))
    forecasts = {
        "long run": baseline("long_run"),
        "last 4": baseline("last", periods=4),
        "flat": lambda past, horizon: np.full(400, past.mean() * horizon),
    }
    scores = rolling(counts, forecasts, horizon=2, area=np.ones(400), rng=np.random.default_rng(4), origins_n=12)
    better = paired_difference(scores.hit_rate["long run"], scores.hit_rate["last 4"], rng=np.random.default_rng(5))
    assert better.lower <= better.mean <= better.upper
    assert paired_difference(scores.hit_rate["long run"], scores.hit_rate["flat"], rng=np.random.default_rng(5)).lower > 0
    assert scores.deviance["long run"].mean() < scores.deviance["last 4"].mean() < scores.deviance["flat"].mean()
    assert scores.pai["flat"].mean() == pytest.approx(1, abs=0.5)
    assert (scores.pei_star["long run"] <= 1).all()
    nothing = paired_difference(scores.pai["flat"], scores.pai["flat"], rng=np.random.default_rng(5))
    assert nothing == (0.0, 0.0, 0.0)


def test_baselines_weigh_the_past_as_their_names_say():
    past = np.array([[4, 0, 0, 8], [0, 0, 0, 0]])
    assert baseline("long_run")(past, 2).tolist() == [6.0, 0.25]
    assert baseline("last", periods=1)(past, 1).tolist() == [8.0, 0.125]
    weights = np.array([1 / 8, 1 / 4, 1 / 2, 1])
    assert baseline("ewma", periods=1)(past, 1)[0] == pytest.approx(past[0] @ weights / weights.sum())


def test_an_origin_without_events_is_left_open():
    counts = np.array([[3, 2, 0, 1], [1, 0, 0, 2]])
    scores = rolling(counts, {"a": baseline("long_run")}, horizon=1, area=[1, 1], share=0.5, origins_n=2)
    assert np.isnan(scores.hit_rate["a"]).tolist() == [True, False]
    assert np.isfinite(scores.deviance["a"]).all()


def test_deviance_is_zero_for_perfect_forecasts():
    assert poisson_deviance([3, 1], [3, 1]) == 0.0
    assert poisson_deviance([0], [2]) == 4.0


COUNTS = [[1, 2, 3, 4], [0, 1, 0, 1]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hit_rate([0, 0], [0]), "zero"),
        (lambda: hit_rate([-1, 2], [0]), "negative"),
        (lambda: hit_rate([1, 2], [2]), "outside 0 to 1"),
        (lambda: hit_rate([1, 2], [True]), "does not fit"),
        (lambda: hit_rate([1, 2], [0.5]), "mask"),
        (lambda: pai([1, 2], [], [1, 1]), "no place"),
        (lambda: pai([1, 2], [0], [0, 1]), "area is 0"),
        (lambda: pei_star([1, 2], [False, False], [1, 1]), "no place"),
        (lambda: select_area([1, np.nan], [1, 1], share=0.5), "missing"),
        (lambda: select_area([1, 2], [1, 1], share=0), "share"),
        (lambda: poisson_deviance([1], [0]), "expected count is 0"),
        (lambda: rolling(COUNTS, {}, horizon=1, area=[1, 1], origins_n=4), "do not hold"),
        (lambda: rolling(COUNTS, {"a": lambda past, horizon: [1]}, horizon=1, area=[1, 1], origins_n=1), "gave 1 values"),
        (lambda: rolling(COUNTS, {"a": lambda past, horizon: [1, -1]}, horizon=1, area=[1, 1], origins_n=1), "negative"),
        (lambda: baseline("last week"), "unknown"),
        (lambda: paired_difference([1, 2], [1, 2], rng=np.random.default_rng(1)), "at least four"),
        (lambda: paired_difference([1, 2], [1, 2, 3], rng=np.random.default_rng(1)), "not paired"),
    ],
)
def test_unsuitable_input_is_refused_in_words(call, message):
    with pytest.raises(AnalysisError, match=message):
        call()
