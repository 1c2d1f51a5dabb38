"""Knox and near-repeat against R surveillance 1.20.3 (knox_near_repeat.json)."""

import numpy as np
import pytest

from cloudmap.analytics.scan import knox, near_repeat
from cloudmap.errors import AnalysisError
from tests.analytics.published import reference

ANSWERS = reference("knox_near_repeat.json")
XY, TIMES = np.column_stack([ANSWERS["x"], ANSWERS["y"]]), ANSWERS["t"]


def test_pairs_and_p_equal_surveillance_knox():
    found = knox(XY, TIMES, distance_m=ANSWERS["eps_s"], days=ANSWERS["eps_t"])
    assert found.observed == ANSWERS["knox"]
    assert found.expected == pytest.approx(ANSWERS["null_mean"], abs=1e-9)
    assert found.p_poisson == pytest.approx(ANSWERS["p_poisson"], abs=1e-9)


def test_near_repeat_table_equals_surveillance():
    answers = ANSWERS["near_repeat"]
    table = near_repeat(XY, TIMES, distances_m=answers["s_upper_incl"], days=answers["t_upper_incl"])
    assert table.observed.tolist() == answers["observed"]
    np.testing.assert_allclose(table.expected, answers["expected"], atol=1e-9)
    assert table.observed.sum() == 150 * 149 // 2
    assert np.isnan(table.p).all()


def test_permutations_find_what_was_planted_and_little_else():
    table = near_repeat(XY, TIMES, distances_m=[100, 200], days=[7, 14], replicates=199, rng=np.random.default_rng(3))
    assert table.p[0, 0] <= 0.01
    assert table.p[1, 1] > 0.05
    assert np.isnan(table.p[-1]).all()


def test_pairs_exactly_at_a_limit_count_whatever_the_rounding():
    times = np.array([0.1, 0.1 + 0.2, 0.5, 0.7])  # 0.1 + 0.2 is above 0.3 by a rounding error
    table = near_repeat([[0, 0]] * 3 + [[500, 0]], times, distances_m=[500], days=[0.2, 0.4])
    assert table.observed.tolist() == [[3, 2, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("xy", "times", "limits", "message"),
    [
        ([[0, 0]], [1], {"distance_m": 1, "days": 1}, "at least 3"),
        ([[0, 0], [1, 1], [np.nan, 1]], [1, 2, 3], {"distance_m": 1, "days": 1}, "no coordinates"),
        ([[0, 0], [1, 1], [2, 1]], [1, 2, np.nan], {"distance_m": 1, "days": 1}, "missing"),
        ([[0, 0], [1, 1], [2, 1]], [1, 2], {"distance_m": 1, "days": 1}, "one time a report|at least three"),
        ([[0, 0], [1, 1], [2, 1]], [1, 2, 3], {"distance_m": 0, "days": 1}, "distance_m"),
        ([[0, 0], [1, 1], [2, 1]], [1, 2, 3], {"distance_m": 1, "days": np.inf}, "days"),
    ],
)
def test_unsuitable_input_is_refused_in_words(xy, times, limits, message):
    with pytest.raises(AnalysisError, match=message):
        knox(xy, times, **limits)


def test_unsuitable_bands_are_refused_in_words():
    with pytest.raises(AnalysisError, match="increasing"):
        near_repeat(XY, TIMES, distances_m=[200, 100], days=[7])
    with pytest.raises(AnalysisError, match="rng"):
        near_repeat(XY, TIMES, distances_m=[100], days=[7], replicates=9)
