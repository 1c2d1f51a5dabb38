"""The risk card ships a learner only where it wins on weeks that nothing has seen; layers must earn their place."""

from dataclasses import replace

import numpy as np
import pytest

from cloudmap.analytics.risk import forecast
from cloudmap.analytics.risk_card import back_test_risk, risk_card
from cloudmap.analytics.risk_features import Features, suitable_layers
from cloudmap.analytics.risk_layers import judge_layers, placebo_layers
from cloudmap.analytics.risk_learner import learn, training_rows
from cloudmap.analytics.risk_ready import make_ready
from cloudmap.analytics.risk_score import covered, predict, tune
from cloudmap.errors import AnalysisError
from tests.calibration.risk_cities import panel_of
from tests.calibration.simulated import ground, smooth

SMALL, LARGE = ground(6), ground(12)
MODELS = ["long_run", "last_52_weeks", "ewma_26_weeks", "gamma_poisson", "poisson_regression", "boosted_trees"]


@pytest.fixture(scope="module")
def patchy():
    """Sparse reports on risk that differs by place without any order in space: the score's own world."""
    rng = np.random.default_rng(7)
    return panel_of(rng.poisson(0.2 * rng.gamma(1, 1, SMALL.n)[:, None] * np.ones(100)), SMALL)


@pytest.fixture(scope="module")
def spread():
    """Very sparse reports on risk that is alike among neighbours, which the score does not know of."""
    rng = np.random.default_rng(8)
    risk = smooth(rng, LARGE, 1.2, steps=6)
    return panel_of(rng.poisson(0.02 * risk[:, None] * np.ones(110)), LARGE)


@pytest.fixture(scope="module")
def cards(patchy, spread):
    return back_test_risk(patchy), back_test_risk(spread)


def test_a_learner_without_an_advantage_is_not_shipped(cards):
    table = cards[0].card.table
    assert table["model"].to_list() == MODELS
    assert table.filter("shipped")["model"].to_list() == ["gamma_poisson"]
    assert (table.filter(kind="learner")["upper"] >= 0).all()


def test_a_learner_with_one_is_shipped_and_forecasts(cards, spread):
    table = cards[1].card.table
    used = table.filter("shipped")
    assert used["kind"].to_list() == ["learner"]
    assert used["upper"][0] < 0
    made = forecast(spread, card=cards[1].card)
    assert made.parameters["model"] == used["model"][0]
    plain = forecast(spread)
    assert plain.parameters["model"] == "gamma_poisson"
    assert not np.allclose(made.table["expected_n"], plain.table["expected_n"])
    assert made.table["expected_n"].sum() == pytest.approx(plain.table["expected_n"].sum(), rel=0.3)


def test_the_card_says_how_right_forecasts_were(cards):
    for made in cards:
        table = made.card.table
        assert table.filter(kind="baseline")["coverage_share"].null_count() == 3
        assert table.filter(model="gamma_poisson")["pit_share"].is_between(0.75, 0.85).all()
        assert table["hit_share"].is_between(0.05, 1).all()
        calibration = made.calibration.table.filter(model="gamma_poisson")
        assert calibration["decile"].to_list() == list(range(1, 11))
        total = calibration.select("expected_n", "observed_n").sum().row(0)
        assert total[1] == pytest.approx(total[0], rel=0.15)


def test_nothing_from_the_gap_on_is_seen(patchy):
    """Change every count from origin - gap on: features, training rows, tuning and forecasts must not move."""
    origin, gap = 80, 2
    changed = patchy.counts.copy()
    changed[:, origin - gap :] = 99
    seen = []
    for counts in (patchy.counts, changed):
        ready = make_ready(replace(patchy, counts=counts), horizon_weeks=4, gap_weeks=gap)
        features = Features(ready)
        rows = training_rows(features, origin, np.random.default_rng(1))
        learned = learn(features, origin, "poisson_regression", seed=1)
        score = predict(ready.history, origin, tune(ready.history, origin))
        seen.append([features.at(origin), features.due(origin), rows.x, rows.y, learned.expected, score.expected, score.size])
    for one, other in zip(*seen, strict=True):
        np.testing.assert_array_equal(one, other)


def test_many_rows_are_thinned_without_bias(spread):
    ready = make_ready(spread, horizon_weeks=4)
    features = Features(ready)
    every = training_rows(features, 110, np.random.default_rng(1))
    some = training_rows(features, 110, np.random.default_rng(1), rows_n=2000)
    assert len(some.y) == 2000
    assert some.weight @ some.y == pytest.approx(every.y.sum(), rel=0.1)
    assert some.weight.sum() == pytest.approx(len(every.y))


def test_an_exposure_made_of_reports_is_left_out_of_the_back_test(patchy, cards):
    given = replace(patchy, exposure=patchy.counts.sum(axis=1) + 1.0, exposure_kind="reports")
    made = risk_card(given)
    assert "exposure_left_out" in made.caveats
    assert made.table["deviance"].to_list() == cards[0].card.table["deviance"].to_list()


def test_a_right_forecast_covers_what_it_says():
    rng = np.random.default_rng(3)
    for mean in (0.05, 0.5, 20.0):
        truth = rng.negative_binomial(2, 2 / (2 + mean), 20_000)
        share, middle = covered(truth, np.full(20_000, mean), np.full(20_000, 2.0))
        assert share >= 0.79
        assert middle == pytest.approx(0.8, abs=0.01)
    assert covered(truth, np.full(20_000, mean), np.full(20_000, 1e9))[1] < 0.5


@pytest.mark.parametrize(
    "name",
    ["migrant_share", "elders_n", "party_n", "population_n", "overlay_new_residents", "source_app", "distance_m", "mosque_distance_m"],
)
def test_what_is_not_a_thing_of_the_base_map_is_no_feature(patchy, name):
    with pytest.raises(AnalysisError, match="attributes of groups, overlays and feeds never are"):
        risk_card(patchy, layers={name: np.ones(SMALL.n)})


def test_layers_are_for_every_place(patchy):
    ready = make_ready(patchy, horizon_weeks=4)
    with pytest.raises(AnalysisError, match="has 3 values for"):
        suitable_layers({"river_distance_m": [1.0, 2.0, 3.0]}, ready)
    with pytest.raises(AnalysisError, match="missing"):
        suitable_layers({"river_distance_m": np.full(SMALL.n, np.nan)}, ready)


def test_too_few_origins_refuse_every_layer(patchy):
    ready = make_ready(patchy, horizon_weeks=4)
    verdict = judge_layers(ready, {"river_distance_m": np.arange(SMALL.n, dtype=float)}, [90, 94], seed=1)[0]
    assert not verdict.kept


def test_placebos_have_the_values_and_the_smoothness_of_the_layer():
    rng = np.random.default_rng(5)
    layer = smooth(rng, LARGE, 1.0, steps=5)

    def likeness(values):
        return np.corrcoef(values, LARGE.w @ values / LARGE.degree)[0, 1]

    made = placebo_layers(layer, LARGE.w, 10, rng)
    assert all(np.array_equal(np.sort(one), np.sort(layer)) for one in made)
    assert np.mean([likeness(one) for one in made]) == pytest.approx(likeness(layer), abs=0.08)
    assert np.mean([abs(np.corrcoef(one, layer)[0, 1]) for one in made]) < 0.3


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"scored": False}, "never scored"),
        ({"origins_n": 5}, "at least 12 origins"),
        ({"horizon_weeks": 8}, "shorten horizon_weeks, or load at least"),
        ({"gap_weeks": -1}, "0 or more"),
    ],
)
def test_a_card_that_cannot_be_made_is_refused_with_a_remedy(patchy, settings, says):
    with pytest.raises(AnalysisError, match=says):
        back_test_risk(patchy, **settings)
