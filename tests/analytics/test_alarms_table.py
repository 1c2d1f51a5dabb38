"""Alarms of many series: the bounds are those of the array-level functions or above, the family is stated, nothing unfit is judged."""

import numpy as np
import pytest
from scipy import stats

from cloudmap.analytics.alarms import ears, farrington_flexible
from cloudmap.analytics.alarms_table import LEAST_N, alarms
from cloudmap.analytics.inference import fdr
from cloudmap.analytics.past import predict_flexible
from cloudmap.analytics.past_many import predict_flexible_many
from cloudmap.errors import AnalysisError
from tests.calibration.series import panel_of, quiet


def _rng(seed):
    return np.random.default_rng([40, seed])


def test_many_pasts_predict_what_one_by_one_they_predict():
    rng = _rng(1)
    dense = rng.negative_binomial(2, 0.2, (30, 170))
    sparse = np.zeros((30, 170), dtype=int)
    for row in sparse:
        row[rng.integers(0, 170, 4)] += rng.integers(1, 9, 4)
    table = np.vstack([dense, sparse, np.zeros((1, 170), dtype=int)]).astype(float)
    many = predict_flexible_many(table, 169)
    for row, *found in zip(table, many.mean, many.mean_error, many.dispersion, strict=True):
        assert found == pytest.approx(list(predict_flexible(row, 169, period=52, b=3, w=3)), rel=1e-5, abs=1e-8)


def test_three_years_of_the_regime_give_farrington_and_a_bound_never_below_its_own():
    counts = quiet(_rng(2), np.full(12, 8.0), 170, phi=2.0)
    counts[3, -1] = 90
    table = alarms([panel_of(counts)]).table
    assert set(table["method"]) == {"farrington_flexible"}
    for row, upper in zip(counts, table["upper"], strict=True):
        assert upper >= farrington_flexible(row, start=169).upper[0]
    assert table.filter(table["class"] == "alarm")["place"].to_list() == ["P0003"]
    assert table["expected"].to_numpy() == pytest.approx(predict_flexible_many(counts.astype(float), 169).mean)


def test_a_shorter_regime_gives_ears_and_a_bound_never_below_c2_for_seven_values():
    """C2's own z is replaced by Student's quantile for a mean and a deviation of seven values."""
    counts = quiet(_rng(3), np.full(12, 8.0), 170)
    counts[5, -1] = 60
    panel = panel_of(counts, regime_from=100)
    table = alarms([panel], alpha=0.01).table
    assert set(table["method"]) == {"ears_c2"}
    student = stats.norm.sf(stats.t.isf(0.01, 6) * np.sqrt(8 / 7))
    for row, upper in zip(counts, table["upper"], strict=True):
        assert upper >= ears(row, method="C2", alpha=student, least_sigma=0.5).upper[-1] - 1e-9
    assert table.filter(table["class"] == "alarm")["place"].to_list() == ["P0005"]
    assert "alarms_short_history" in alarms([panel]).caveats


def test_alarm_count_above_upper_and_p_at_most_alpha_are_one():
    for weeks in (40, 170):
        counts = quiet(_rng(4), np.exp(_rng(5).normal(0, 1.5, 300)), weeks, phi=1.5)
        counts[::3, -1] = np.maximum(counts[::3, -1], _rng(6).integers(0, 40, 100))
        table = alarms([panel_of(counts)], alpha=0.01).table.drop_nulls("p")
        by_p, by_bound = (table["p"] <= 0.01).to_list(), (table["n"] > table["upper"]).to_list()
        assert by_p == by_bound == (table["class"] == "alarm").to_list()
        assert any(by_p)
        assert not all(by_p)


def test_family_is_all_series_judged_and_stated():
    panels = [panel_of(quiet(_rng(7 + at), np.full(12, 6.0), 60), category=code) for at, code in enumerate(("DS", "SH", "EV"))]
    result = alarms(panels, alpha=0.02)
    judged = result.table.drop_nulls("p")
    assert result.table.height == 36
    assert result.table["category_code"].to_list()[:3] == ["DS", "SH", "EV"]
    assert result.parameters["judged_n"] == judged.height
    assert result.parameters["false_alarms_expected"] == pytest.approx(0.02 * judged.height)
    assert f"{judged.height} of 36 series" in result.denominator
    assert judged["q"].to_numpy() == pytest.approx(fdr(judged["p"].to_numpy()))


def test_masked_weeks_are_neither_judged_nor_trained_on():
    counts = quiet(_rng(8), np.full(10, 6.0), 60)
    masked = counts.copy()
    masked[:, -2:] = 500
    complete = np.arange(60) < 58
    table, plain = alarms([panel_of(masked, complete=complete)]).table, alarms([panel_of(counts[:, :58])]).table
    assert table.equals(plain)
    hole = np.ones(60, dtype=bool)
    hole[54] = False
    assert set(alarms([panel_of(counts, complete=hole)]).table["class"]) == {"not_enough_data"}


def test_nothing_reaches_back_over_the_regime():
    counts = quiet(_rng(9), np.full(10, 6.0), 60)
    other = counts.copy()
    other[:, :30] *= 54
    assert alarms([panel_of(counts, regime_from=30)]).table.equals(alarms([panel_of(other, regime_from=30)]).table)
    few = alarms([panel_of(other, regime_from=52)])
    assert set(few.table["class"]) == {"not_enough_data"}
    assert "alarms_too_little" in few.caveats


def test_lone_reports_after_silence_raise_no_alarm_and_a_burst_does():
    counts = np.zeros((40, 60), dtype=int)
    counts[:, ::9] = 1
    counts[0, -1], counts[1, -1] = LEAST_N - 2, 3 * LEAST_N
    table = alarms([panel_of(counts)]).table
    assert table["class"].to_list() == ["not_enough_data", "alarm"] + ["not_enough_data"] * 38


@pytest.mark.parametrize(
    ("panels", "alpha", "match"),
    [
        ([], 0.01, "no category group"),
        ([panel_of(np.ones((2, 30))), panel_of(np.ones((2, 30)))], 0.01, "given twice"),
        ([panel_of(np.ones((2, 30))), panel_of(np.ones((3, 30)), category="SH")], 0.01, "other places or weeks"),
        ([panel_of(np.ones((2, 30)))], 0.7, "alpha"),
        ([panel_of(np.ones((2, 30)), complete=np.zeros(30))], 0.01, "no complete week"),
        ([panel_of(np.ones((0, 30)))], 0.01, "no places"),
    ],
)
def test_unusable_input_is_refused_with_a_remedy(panels, alpha, match):
    with pytest.raises(AnalysisError, match=match):
        alarms(panels, alpha=alpha)
