"""Steps, classes and trends of a map; what growth of the whole city does to them; what is refused."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from cloudmap.analytics.emerging import CLASSES, classify
from cloudmap.analytics.emerging_map import MINIMUM_PER_STEP, emerging_hotspots
from cloudmap.analytics.hotspots import gi_exact_p_slices, gi_nb_p
from cloudmap.analytics.inference import fdr
from cloudmap.analytics.periods import Period
from cloudmap.errors import AnalysisError
from tests.analytics.panels import MONDAY, disk, panel

W = disk(7)
N = W.shape[0]
COLUMNS = ["place", "n", "value", "class", "hot_steps_n", "cold_steps_n", "steps_n", "trend", "trend_z", "p", "q"]


def _counts(mean=0.5, weeks=52, factor=None, seed=2):
    """Weekly counts; `factor` (weeks,) multiplies the mean of the first seven places."""
    table = np.full((N, weeks), mean)
    if factor is not None:
        table[:7] *= factor
    return np.random.default_rng(seed).poisson(table)


def _week(number, weeks_n=1):
    return Period(MONDAY, 1).before() if number == 0 else Period(Period(MONDAY, number).last_week_on, weeks_n)


def test_a_year_of_four_week_steps_that_end_with_the_last_week():
    counts = _counts(weeks=60)
    made = emerging_hotspots(panel(counts, W))
    assert made.table.columns == COLUMNS
    assert made.table["steps_n"].to_list() == [13] * N
    assert made.table["n"].to_list() == counts[:, 8:].sum(axis=1).tolist()
    assert (made.parameters["first_week"], made.parameters["last_week"]) == ("2018-W09", "2019-W08")
    assert made.parameters["period"] == "2019-W05--2019-W08"
    assert f"{N} places tested together, in each of 13 steps of 4 week(s); {N} trends together" in made.denominator


def test_each_step_is_a_map_of_its_own_and_classes_follow_from_them():
    counts = _counts(factor=np.where(np.arange(52) < 12, 1.0, 8.0))
    made = emerging_hotspots(panel(counts, W)).table
    steps = counts.reshape(N, 13, 4).sum(axis=2)
    hot, cold = (np.column_stack([fdr(p) <= 0.05 for p in gi_exact_p_slices(steps, W, tail=tail).T]) for tail in ("upper", "lower"))
    assert made["hot_steps_n"].to_list() == hot.sum(axis=1).tolist()
    assert made["cold_steps_n"].to_list() == cold.sum(axis=1).tolist()
    assert made["class"].to_list() == classify(hot, cold, made["trend"].to_numpy()).tolist()
    assert made["class"][0] == "consecutive_hot"
    assert set(made["class"]) <= set(CLASSES)
    assert made.filter(made["class"].str.ends_with("_hot"))["value"].unique().to_list() == [1.0]


@pytest.mark.parametrize(
    ("factor", "kind"),
    [
        (np.linspace(4, 16, 52), "intensifying_hot"),
        (np.linspace(16, 4, 52), "diminishing_hot"),
        (np.full(52, 8.0), "persistent_hot"),
        (np.where(np.arange(52) < 48, 1.0, 8.0), "new_hot"),
        (np.where(np.arange(52) < 48, 12.0, 1.0), "historical_hot"),
        (np.zeros(52), "persistent_cold"),
        (np.ones(52), "no_pattern"),
    ],
)
def test_planted_histories_are_named(factor, kind):
    assert emerging_hotspots(panel(_counts(mean=1.5, factor=factor), W)).table["class"][0] == kind


def test_growth_of_the_whole_city_moves_no_place_also_where_places_differ():
    """The trend is of shares; the z of Gi* would make lasting hotspots rise and quiet places fall."""
    level = np.exp(np.random.default_rng(0).normal(0, 0.5, N))
    level[:7] = 10
    grown = np.random.default_rng(1).poisson(2 * level[:, None] * np.where(np.arange(52) < 26, 1, 3))
    made = emerging_hotspots(panel(grown, W)).table
    assert (made["trend"] == 0).all()
    assert made["class"][0] == "persistent_hot"


def test_no_trend_where_neighbourhoods_hold_hardly_any_report():
    counts = _counts(mean=2.0)
    counts[40:] = np.random.default_rng(3).poisson(0.02 * np.linspace(1, 4, 52), (N - 40, 52))
    made = emerging_hotspots(panel(counts, W))
    per_step = (W @ counts + counts).sum(axis=1) / 13
    tested = per_step >= MINIMUM_PER_STEP
    assert 0 < tested.sum() < N
    assert made.table["p"].is_not_null().to_list() == tested.tolist()
    assert (made.table["trend"].to_numpy()[~tested] == 0).all()
    assert "too_few_reports_for_trend" in made.caveats
    assert f"{tested.sum()} trends together" in made.denominator


def test_a_place_without_reports_is_never_cold_or_falling_on_a_sparse_map():
    made = emerging_hotspots(panel(_counts(mean=0.02 * np.linspace(1, 3, 52)), W)).table
    assert not made["class"].str.ends_with("_cold").any()
    assert (made["trend"] == 0).all()


def test_with_exposure_steps_are_tested_by_the_negative_binomial():
    exposure = np.full(N, 50.0)
    exposure[:7] = 400.0
    exposure[30] = 0.0
    counts = _counts(factor=np.full(52, 8.0))
    made = emerging_hotspots(panel(counts, W, exposure=exposure, exposure_kind="population"))
    assert made.parameters["method"] == "negative_binomial"
    assert "hot" not in made.table["class"][0]
    assert made.table["class"][30] == "not_enough_data"
    assert made.table[30].select("value", "hot_steps_n", "trend", "p").null_count().row(0) == (1, 1, 1, 1)
    assert "too_little_exposure" in made.caveats
    raised = _counts(factor=np.full(52, 40.0))
    assert "hot" in emerging_hotspots(panel(raised, W, exposure=exposure, exposure_kind="population")).table["class"][0]


def test_both_tails_of_the_negative_binomial_agree_with_the_map():
    exposure = np.random.default_rng(5).uniform(20, 80, N)
    counts = _counts(mean=2.0, factor=np.full(52, 4.0))
    counts[60] = 0
    made = emerging_hotspots(panel(counts, W, exposure=exposure, exposure_kind="population"), step_weeks=4).table
    hot = np.column_stack([fdr(gi_nb_p(step, exposure, W)) <= 0.05 for step in counts.reshape(N, 13, 4).sum(axis=2).T])
    assert abs(made["hot_steps_n"].to_numpy() - hot.sum(axis=1)).max() <= 1  # one dispersion for all steps, here one a step


def test_steps_stop_at_the_regime_and_at_masked_weeks():
    counts = _counts()
    made = emerging_hotspots(panel(counts, W, regime_from=10))
    assert made.table["steps_n"][0] == 10
    assert made.parameters["first_week"] == "2018-W13"
    assert "steps_cut_by_regime" in made.caveats
    complete = np.ones(52, dtype=bool)
    complete[50:] = False
    made = emerging_hotspots(panel(counts, W, complete=complete))
    assert made.parameters["last_week"] == "2018-W50"
    assert made.table["steps_n"][0] == 12
    assert "masked_weeks_left_out" not in made.caveats  # nobody asked for them
    asked = emerging_hotspots(panel(counts, W, complete=complete), end=_week(52))
    assert asked.table.equals(made.table)
    assert "masked_weeks_left_out" in asked.caveats
    with pytest.raises(AnalysisError, match="and 7 fit since the present reporting regime began; take shorter steps"):
        emerging_hotspots(panel(counts, W, regime_from=21))


def test_an_end_and_a_number_of_steps_may_be_asked_for():
    made = emerging_hotspots(panel(_counts(), W), end=_week(40), step_weeks=2, steps=10)
    assert (made.parameters["first_week"], made.parameters["last_week"]) == ("2018-W21", "2018-W40")
    with pytest.raises(AnalysisError, match=r"need 30 steps of 2 week.* and 20 fit since the data begin"):
        emerging_hotspots(panel(_counts(), W), end=_week(40), step_weeks=2, steps=30)


def test_too_few_steps_to_name_a_trend_is_told():
    large = disk(13)
    counts = np.random.default_rng(6).poisson(2.0, (large.shape[0], 52))
    assert "too_few_steps_for_trend" in emerging_hotspots(panel(counts[:, :32], large)).caveats
    assert "too_few_steps_for_trend" not in emerging_hotspots(panel(counts, large)).caveats


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda: {"cube": panel(-_counts(), W)}, "negative; counts"),
        (lambda: {"cube": panel(np.where(_counts() > 2, np.nan, 1.0), W)}, "missing or infinite"),
        (lambda: {"cube": panel(np.zeros((N, 52), dtype=int), W)}, "0 of 13 steps hold any report .* wider category"),
        (lambda: {"cube": panel(_counts(weeks=1), W)}, "0 fit since the data begin"),
        (lambda: {"cube": panel(_counts()[:1], csr_matrix((1, 1)))}, "at least three"),
        (lambda: {"cube": panel(_counts(), W), "step_weeks": 0}, "at least one"),
        (lambda: {"cube": panel(_counts(), W), "steps": 7}, "at least 8 steps"),
        (lambda: {"cube": panel(_counts(), W), "step_weeks": 13}, "take shorter steps"),
        (lambda: {"cube": panel(_counts(), W), "end": _week(0)}, "outside the data"),
        (lambda: {"cube": panel(_counts(), W), "threshold": 0}, "between 0 and 1"),
        (lambda: {"cube": panel(_counts(), W, complete=np.zeros(52, dtype=bool))}, "still coming in"),
        (lambda: {"cube": panel(_counts(), W, exposure=np.zeros(N), exposure_kind="population")}, "0 everywhere"),
    ],
)
def test_unsuitable_input_is_refused_with_what_to_do(wrong, why):
    given = wrong()
    with pytest.raises(AnalysisError, match=why):
        emerging_hotspots(given.pop("cube"), **given)


def test_islands_are_tested_alone():
    made = emerging_hotspots(panel(_counts(mean=3.0), csr_matrix((N, N))))
    assert (made.table["steps_n"] == 13).all()
