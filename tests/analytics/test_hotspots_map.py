"""One map of hotspots: which test, which family, what is said beside it, and what is refused."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from cloudmap.analytics.hotspots import gi_exact_p, gi_nb_p, hotspot_table
from cloudmap.analytics.hotspots_map import MINIMUM_REPORTS, hotspots
from cloudmap.analytics.inference import fdr
from cloudmap.analytics.periods import Period
from cloudmap.errors import AnalysisError
from cloudmap.geo.weights import water_network
from tests.analytics.panels import MONDAY, disk, line, panel

W = disk(5)
N = W.shape[0]
COLUMNS = ["place", "n", "value", "neighbourhood_n", "expected", "z", "p", "q", "class"]
FOUR = Period(MONDAY, 4)


def _planted(risk=8.0, weeks=4, seed=1):
    rng = np.random.default_rng(seed)
    mean = np.full(N, 0.5)
    mean[:7] *= risk
    return rng.poisson(mean[:, None], (N, weeks))


def test_without_exposure_the_test_is_the_exact_one_of_the_period():
    counts = _planted(weeks=6)
    made = hotspots(panel(counts, W), Period(MONDAY, 4))
    assert made.table.columns == COLUMNS
    same = hotspot_table(made.table["place"].to_list(), counts[:, :4].sum(axis=1), W)
    assert made.table.select(same.columns).equals(same)
    assert made.table["expected"].null_count() == N
    assert made.table["value"].to_list() == (made.table["class"] == "hot").cast(pl.Float64).to_list()
    assert made.table["class"][0] == "hot"
    assert made.denominator == f"{N} places tested together (one map)"
    assert made.caveats == ("where_reports_are", "family_one_map")


def test_with_exposure_counts_are_expected_in_proportion():
    counts, exposure = _planted(), np.full(N, 100.0)
    exposure[:7] = 800.0
    made = hotspots(panel(counts, W, exposure=exposure, exposure_kind="population"), FOUR)
    n = counts.sum(axis=1)
    np.testing.assert_array_equal(made.table["p"].to_numpy(), gi_nb_p(n, exposure, W))
    assert made.table["q"].to_list() == fdr(gi_nb_p(n, exposure, W)).tolist()
    assert "hot" not in made.table["class"][:7].to_list()  # eight times the people explain eight times the reports
    mean = exposure * n.sum() / exposure.sum()
    np.testing.assert_allclose(made.table["expected"].to_numpy(), W @ mean + mean)
    assert made.parameters["method"] == "negative_binomial"
    assert made.denominator == f"{N} places tested together; expected in proportion to population (one map)"


def test_a_method_can_be_asked_for():
    counts, exposure = _planted(), np.full(N, 100.0)
    shown = panel(counts, W, exposure=exposure, exposure_kind="population")
    exact = hotspots(shown, FOUR, method="exact")
    np.testing.assert_array_equal(exact.table["p"].to_numpy(), gi_exact_p(counts.sum(axis=1), W))
    assert exact.parameters["exposure"] == "none"
    with pytest.raises(AnalysisError, match="declare \\[exposure\\]"):
        hotspots(panel(counts, W), FOUR, method="negative_binomial")
    with pytest.raises(AnalysisError, match="use 'auto'"):
        hotspots(shown, FOUR, method="star")


@pytest.mark.parametrize(
    ("kind", "caveat"), [("none", "where_reports_are"), ("population", "where_reports_are"), ("reports", "relative_to_all_reports")]
)
def test_the_map_is_of_reports_unless_effort_is_in_the_exposure(kind, caveat):
    exposure = None if kind == "none" else np.full(N, 100.0)
    made = hotspots(panel(_planted(), W, exposure=exposure, exposure_kind=kind), FOUR)
    assert made.caveats[0] == caveat
    assert len({"where_reports_are", "relative_to_all_reports"} & set(made.caveats)) == 1


def test_places_without_exposure_are_out_of_the_family_and_out_of_the_sums():
    counts, exposure = _planted(), np.full(N, 100.0)
    counts[20] = 50
    exposure[20], exposure[21] = 0.0, 1.0  # nobody; one per cent of the mean
    made = hotspots(panel(counts, W, exposure=exposure, exposure_kind="population"), FOUR)
    out = made.table[[20, 21]]
    assert out["class"].to_list() == ["not_enough_data"] * 2
    assert out["n"].to_list() == counts[20:22].sum(axis=1).tolist()
    assert all(out[name].null_count() == 2 for name in ("value", "neighbourhood_n", "expected", "z", "p", "q"))
    kept = np.setdiff1d(np.arange(N), [20, 21])
    alone = hotspots(panel(counts[kept], W[kept][:, kept], exposure=exposure[kept], exposure_kind="population"), FOUR)
    assert made.table[kept]["q"].to_list() == alone.table["q"].to_list()
    assert made.denominator.startswith(f"{N - 2} places tested together; 2 more, with {counts[20:22].sum()} matters")
    assert "too_little_exposure" in made.caveats


def test_exposure_of_counted_reports_needs_ten_of_them():
    exposure = np.full(N, 1000.0)
    exposure[3], exposure[4] = MINIMUM_REPORTS - 1, MINIMUM_REPORTS
    made = hotspots(panel(_planted(), W, exposure=exposure, exposure_kind="reports"), FOUR)
    assert made.table["class"][3] == "not_enough_data"
    assert made.table["class"][4] != "not_enough_data"


@pytest.mark.parametrize("exposure", [None, np.full(N, 10.0)])
def test_a_map_without_reports_has_no_hotspot_and_no_p(exposure):
    made = hotspots(
        panel(np.zeros((N, 4), dtype=int), W, exposure=exposure, exposure_kind="none" if exposure is None else "population"), FOUR
    )
    assert (made.table["class"] == "not_significant").all()
    assert made.table["value"].to_list() == [0.0] * N
    assert made.table["neighbourhood_n"].to_list() == [0] * N
    assert all(made.table[name].null_count() == N for name in ("z", "p", "q"))
    assert made.table.schema == hotspots(panel(_planted(), W, exposure=exposure, exposure_kind="population"), FOUR).table.schema


def test_weeks_masked_for_lag_are_not_tested():
    counts = _planted(weeks=4)
    complete = np.array([True, True, True, False])
    made = hotspots(panel(counts, W, complete=complete), FOUR)
    assert made.table["n"].to_list() == counts[:, :3].sum(axis=1).tolist()
    assert made.parameters["weeks_n"] == 3
    assert "masked_weeks_left_out" in made.caveats
    with pytest.raises(AnalysisError, match="newest complete week is 2018-W03"):
        hotspots(panel(counts, W, complete=complete), Period(FOUR.last_week_on, 1))
    with pytest.raises(AnalysisError, match="still coming in"):
        hotspots(panel(counts, W, complete=np.zeros(4, dtype=bool)), FOUR)


def test_a_change_of_regime_within_the_period_is_told():
    assert "crosses_regime" in hotspots(panel(_planted(), W, regime_from=2), FOUR).caveats
    assert "crosses_regime" not in hotspots(panel(_planted(), W, regime_from=0), FOUR).caveats
    assert "crosses_regime" not in hotspots(panel(_planted(), W, regime_from=2), Period(MONDAY, 2)).caveats


def test_a_period_may_be_named_and_a_cube_given():
    shown = panel(_planted(), W)

    class Cube:
        def panel(self):
            return shown

    assert hotspots(Cube(), "2018-W01--2018-W04").table.equals(hotspots(shown, FOUR).table)


def test_reaches_are_tested_along_the_flow_with_their_length_as_exposure():
    names = [f"r{at:02d}" for at in range(40)]
    reaches = pl.DataFrame({"place": [*names, "pond"], "downstream": [*([name] for name in names[1:]), [], []]})
    rng = np.random.default_rng(4)
    length_m = np.append(rng.uniform(200, 2000, 40), 300.0)
    mean = length_m / 200
    mean[10:13] *= 6
    shown = panel(rng.poisson(mean)[:, None], water_network(reaches), exposure=length_m, exposure_kind="population", layer="water_canal")
    hot = np.flatnonzero(hotspots(shown, Period(MONDAY, 1)).table["class"].to_numpy() == "hot")
    assert {10, 11, 12} <= set(hot) <= set(range(9, 14))


def _with(**other):
    return panel(_planted(), W, **other)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda: panel(-_planted(), W), "negative; counts"),
        (lambda: panel(np.where(_planted() > 6, np.nan, _planted()), W), "missing or infinite"),
        (lambda: _with(exposure=np.full(N, -1.0), exposure_kind="population"), "negative"),
        (lambda: _with(exposure=np.full(N, np.nan), exposure_kind="population"), "missing or infinite"),
        (lambda: _with(exposure=np.zeros(N), exposure_kind="population"), "0 everywhere; correct"),
        (lambda: _with(exposure=np.eye(N)[0] + np.eye(N)[1], exposure_kind="population"), "2 of 91 places .* choose coarser places"),
        (lambda: panel([[3, 1, 0, 2]], csr_matrix((1, 1))), "choose a layer with at least three"),
        (lambda: panel(_planted(), line(5)), "rebuild them from the same places"),
    ],
)
def test_unsuitable_input_is_refused_with_what_to_do(wrong, why):
    with pytest.raises(AnalysisError, match=why):
        hotspots(wrong(), FOUR)


def test_islands_are_tested_alone():
    made = hotspots(panel(_planted(), csr_matrix((N, N))), FOUR)
    assert made.table["neighbourhood_n"].to_list() == made.table["n"].to_list()


def test_periods_outside_the_data_and_thresholds_outside_0_to_1_are_refused():
    with pytest.raises(AnalysisError, match="outside the data"):
        hotspots(_with(), FOUR.before())
    with pytest.raises(AnalysisError, match="between 0 and 1"):
        hotspots(_with(), FOUR, threshold=5)


def test_one_week_is_a_map_too():
    one = replace(panel(_planted(weeks=1), W))
    assert hotspots(one, Period(MONDAY, 1)).parameters["weeks_n"] == 1
