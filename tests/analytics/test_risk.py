"""Risk on places: what a forecast tells, what it may not look at, and what it refuses."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cloudmap.analytics.result import Result
from cloudmap.analytics.risk import forecast
from cloudmap.analytics.risk_score import History, predict, tune, weights_by_age
from cloudmap.errors import AnalysisError
from tests.calibration.risk_cities import drawn_city, panel_of
from tests.calibration.simulated import ground

PLACE = ground(6)


@pytest.fixture(scope="module")
def city():
    return drawn_city(np.random.default_rng(4), PLACE, "own", 0.3, weeks=80)


@pytest.fixture(scope="module")
def told(city):
    return forecast(city.panel, severity=3.0)


def test_one_row_a_place_in_the_order_of_the_panel(city, told):
    table = told.table
    assert table.columns[:4] == ["place", "n", "value", "class"]
    assert tuple(table["place"]) == city.panel.places
    assert table["n"].to_list() == city.panel.counts[:, -52:].sum(axis=1).tolist()
    assert (table["lower_n"] <= table["upper_n"]).all()
    assert table["p_above_2"].is_between(0, 1).all()
    assert table["burden"].to_list() == pytest.approx((3 * table["expected_n"]).to_list())
    assert set(table["class"]) <= {"above_2", "ordinary", "not_enough_data"}
    sure = table.filter(pl.col("class") != "not_enough_data")
    assert ((sure["p_above_2"] >= 0.8) == (sure["class"] == "above_2")).all()
    assert (table.filter(pl.col("class") == "not_enough_data")["value"].is_null()).all()


def test_expected_counts_add_up_to_what_the_city_has(city, told):
    assert told.table["expected_n"].sum() == pytest.approx(4 * city.panel.counts.sum() / 80, rel=0.2)


def test_percentiles_rank_by_ratio_alone(told):
    ranked = told.table.drop_nulls("percentile").sort("ratio")
    assert ranked["percentile"].is_sorted()
    assert ranked["percentile"].is_between(0, 100).all()


def test_the_posterior_is_that_of_a_gamma_prior_where_nothing_decays():
    counts = np.random.default_rng(1).poisson(np.array([0.2, 1.0, 3.0] * 20)[:, None] * np.ones(30)).astype(float)
    history = History(counts, np.full(60, 1 / 60), 4, 0)
    past = history.discounted(30, np.inf)
    ahead = predict(history, 30, tune(history, 12, half_life_days=np.inf))  # too short a past to tune: scale and precision are 1
    assert ahead.ratio == pytest.approx((past.alpha + counts.sum(axis=1)) / (past.alpha + counts.sum() / 60))
    assert ahead.expected == pytest.approx(ahead.ratio * counts.sum() / 60 / 30 * 4)


def test_a_count_weighs_half_after_a_half_life():
    assert weights_by_age(53, 364.0)[[0, -1]].tolist() == [0.5, 1.0]
    assert weights_by_age(5, float("inf")).tolist() == [1.0] * 5


def test_masked_weeks_and_earlier_regimes_are_not_looked_at(city):
    complete = np.arange(80) < 77
    panel = replace(city.panel, complete=complete, regime_from=10)
    other = panel.counts.copy()
    other[:, 77:] = 50
    other[:, :10] = 70
    known, changed = forecast(panel), forecast(replace(panel, counts=other))
    assert known.table.equals(changed.table)
    assert known.parameters["gap_weeks"] == 3
    assert {"lag_masked", "present_regime_only"} <= set(known.caveats)


def test_growth_that_is_the_same_everywhere_moves_the_level_and_not_the_ratios():
    risk = np.random.default_rng(2).gamma(1, 1, PLACE.n)
    steady = np.rint(20 * risk[:, None] * np.ones(60)).astype(np.int64)
    grown = steady * np.where(np.arange(60) < 45, 1, 10)
    plain = forecast(panel_of(steady, PLACE), half_life_days=180.0).table
    more = forecast(panel_of(grown, PLACE), half_life_days=180.0).table
    assert more["ratio"].to_list() == pytest.approx(plain["ratio"].to_list(), abs=0.05)
    assert more["expected_n"].sum() > 5 * plain["expected_n"].sum()


def test_a_place_of_ten_times_the_rate_is_above_2_and_one_without_reports_is_ordinary():
    mean = np.full(PLACE.n, 0.5)
    mean[0], mean[1] = 5.0, 0.0
    table = forecast(panel_of(np.random.default_rng(3).poisson(mean[:, None] * np.ones(60)), PLACE)).table
    assert table["class"].to_list()[:2] == ["above_2", "ordinary"]
    assert (table["class"] == "above_2").sum() == 1


def test_little_exposure_is_not_enough_data(city):
    exposure = city.panel.exposure.copy()
    exposure[:3] = [0.0, 1e-6, exposure.max()]
    counts = city.panel.counts.copy()
    counts[1, -5:] = 2  # ten reports where next to nobody lives: still no verdict
    made = forecast(replace(city.panel, exposure=exposure, counts=counts))
    assert made.table["class"].to_list()[:2] == ["not_enough_data"] * 2
    assert made.table["expected_n"][0] is None
    assert made.table["class"][2] != "not_enough_data"
    assert "places_without_exposure" in made.caveats
    assert set(forecast(city.panel, min_exposure=1e9).table["class"]) == {"not_enough_data"}


def test_without_exposure_the_map_says_where_reports_are(city):
    assert "where_reports_are" in forecast(replace(city.panel, exposure=None, exposure_kind="none")).caveats
    assert "where_reports_are" not in forecast(city.panel).caveats


def test_a_short_past_keeps_the_start_values_and_says_so(city):
    short = panel_of(city.panel.counts[:, :12], PLACE)
    made = forecast(short)
    assert made.parameters["half_life_days"] == 180.0
    assert "not_back_tested" in made.caveats


def test_the_half_life_follows_how_fast_risk_moves():
    rng = np.random.default_rng(5)
    steady = rng.poisson(2 * rng.gamma(1, 1, PLACE.n)[:, None] * np.ones(150))
    moved = rng.poisson(np.concatenate([np.repeat(2 * rng.gamma(1, 1, (PLACE.n, 1)), 12, axis=1) for _ in range(12)], axis=1))
    days = [forecast(panel_of(counts, PLACE)).parameters["half_life_days"] for counts in (steady, moved)]
    assert days[0] in (None, 365.0)
    assert days[1] == 60.0


def test_a_cube_is_asked_for_the_category(city):
    asked = []

    class Cube:
        def panel(self, category="ALL"):
            asked.append(category)
            return replace(city.panel, category=category)

    assert forecast(Cube(), category="SH").parameters["category"] == "SH"
    assert asked == ["SH"]
    with pytest.raises(AnalysisError, match="counts category DS, not SH"):
        forecast(city.panel, category="SH")


def test_severity_is_a_number_a_mapping_or_one_a_place(city, told):
    weights = np.linspace(1, 30, PLACE.n)
    by_place = forecast(city.panel, severity=weights).table
    assert by_place["burden"].to_list() == pytest.approx((by_place["expected_n"].to_numpy() * weights).tolist())
    assert by_place.drop("burden").equals(told.table.drop("burden"))
    assert forecast(city.panel, severity={"DS": 3.0}).table.equals(told.table)
    assert forecast(city.panel).table["burden"].null_count() == PLACE.n


@pytest.mark.parametrize(
    ("changed", "settings", "says"),
    [
        ({}, {"scored": False}, "never scored"),
        ({"layer": "overlay_microgrid"}, {}, "overlays are never scored"),
        ({}, {"horizon_weeks": 0}, "between 1 and 13"),
        ({}, {"half_life_days": -1.0}, "leave it out"),
        ({}, {"min_exposure": float("nan")}, "at least 0"),
        ({}, {"severity": {"SH": 3.0}}, "no severity weight for category DS"),
        ({}, {"severity": [1.0, 2.0]}, "give one number, or one a place"),
        ({"regime_from": 75}, {}, "load more weeks, or wait"),
        ({"counts": np.zeros((PLACE.n, 80), dtype=np.int64)}, {}, "choose a longer period or a wider category"),
        ({"counts": np.full((PLACE.n, 80), -1)}, {}, "negative"),
        ({"exposure": np.full(PLACE.n, np.nan)}, {}, "missing"),
        ({"exposure": np.zeros(PLACE.n)}, {}, "fewer than two places have an exposure"),
        ({"exposure": np.ones(3)}, {}, "rebuild both from the same places"),
        ({"complete": np.zeros(80, dtype=bool)}, {}, "0 complete week"),
    ],
)
def test_unsuitable_input_is_refused_with_a_remedy(city, changed, settings, says):
    with pytest.raises(AnalysisError, match=says):
        forecast(replace(city.panel, **changed), **settings)


def test_a_card_of_another_horizon_is_refused(city):
    card = Result("x", {"layer": "cell_9", "category": "DS", "horizon_weeks": 2}, pl.DataFrame(), "")
    with pytest.raises(AnalysisError, match="make a card of the same panel and horizon"):
        forecast(city.panel, card=card)
