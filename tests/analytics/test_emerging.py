"""Mann-Kendall against pymannkendall 1.4.3 (mann_kendall.json); the seventeen classes against their rules, written out one by one."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cloudmap.analytics.emerging import CLASSES, NO_PATTERN, classify, mann_kendall
from cloudmap.errors import AnalysisError
from tests.analytics.published import reference


@pytest.mark.parametrize("case", reference("mann_kendall.json"), ids=lambda case: case["name"])
def test_trend_equals_pymannkendall(case):
    trend = mann_kendall(case["x"])
    np.testing.assert_allclose(trend, [case[key] for key in ("S", "var", "z", "p", "sen")], atol=1e-9)


def test_many_series_at_once_equal_each_alone():
    rng = np.random.default_rng(3)
    table = np.vstack([rng.poisson(0.3, (300, 26)), rng.normal(size=(300, 26)), np.zeros((2, 26)), rng.integers(0, 40, (300, 26))])
    together = mann_kendall(table)
    for row in (0, 17, 299, 300, 601, 700, 901):
        np.testing.assert_array_equal([column[row] for column in together], mann_kendall(table[row]))
    early, late = np.triu_indices(26, 1)
    np.testing.assert_allclose(together.slope, np.median((table[:, late] - table[:, early]) / (late - early), axis=1), atol=1e-14)
    assert together.p[600] == 1.0
    assert together.z[600] == together.slope[600] == 0.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=40))
def test_s_is_the_unscaled_kendall_tau_of_time(series):
    rises = sum(np.sign(series[j] - series[i]) for i in range(len(series)) for j in range(i + 1, len(series)))
    assert mann_kendall(series).s == rises
    assert mann_kendall(series[::-1]).s == -rises


def test_the_median_of_slopes_is_exact_on_awkward_series():
    """Ties, steps and outliers: where the narrowing by sampled bounds could miss."""
    for series in (
        np.r_[np.zeros(30), np.ones(30)],
        np.arange(80.0) ** 5,
        np.r_[np.zeros(79), 1e9],
        np.tile([0.0, 1.0], 40),
        np.exp(np.arange(60.0) / 3),
    ):
        slope = mann_kendall(series).slope
        assert slope == pytest.approx(stats.theilslopes(series).slope, abs=0, rel=1e-13)


@pytest.mark.parametrize(
    ("x", "message"), [([1.0], "three periods"), ([1, 2], "three periods"), ([1, np.nan, 2], "missing"), (np.zeros((2, 2, 2)), "table")]
)
def test_unsuitable_series_are_refused_in_words(x, message):
    with pytest.raises(AnalysisError, match=message):
        mann_kendall(x)


def _holds(kind, steps, others, trend):
    """The published rule of one class, on Python lists, written apart from the code under test."""
    number, last = len(steps), steps[-1]
    mostly = sum(steps) / number >= 0.9 - 1e-12
    run = 0
    while run < number and steps[-1 - run]:
        run += 1
    match kind:
        case "new":
            return last and not any(steps[:-1])
        case "intensifying":
            return last and mostly and trend > 0
        case "diminishing":
            return last and mostly and trend < 0
        case "persistent":
            return last and mostly and trend == 0
        case "consecutive":
            return last and not mostly and not any(steps[: number - run])
        case "oscillating":
            return last and not mostly and any(others[:-1])
        case "sporadic":
            return last and not mostly and not any(others)
        case "historical":
            return mostly and not last


def _expected(hot, cold, trend):
    order = ("new", "intensifying", "diminishing", "persistent", "consecutive", "oscillating", "sporadic", "historical")
    for kind in order:
        for side, steps, others, direction in (("hot", hot, cold, trend), ("cold", cold, hot, -trend)):
            if _holds(kind, steps, others, direction):
                return f"{kind}_{side}"
    return NO_PATTERN


def test_every_short_sequence_gets_the_first_class_whose_rule_holds():
    """All sequences of up to seven steps with each trend: exactly one class, the one of the precedence."""
    seen = set()
    for length in range(2, 8):
        sequences = list(product((0, 1, -1), repeat=length))
        table = np.array(sequences)
        for trend in (-1, 0, 1):
            named = classify(table == 1, table == -1, np.full(len(table), trend))
            assert named.tolist() == [_expected([s == 1 for s in steps], [s == -1 for s in steps], trend) for steps in sequences]
            seen |= set(named.tolist())
    assert seen <= set(CLASSES)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 1, 1, -1]), min_size=2, max_size=60), st.sampled_from([-1, 0, 1]))
def test_exactly_one_class_results_for_every_sequence(steps, trend):
    hot, cold = [step == 1 for step in steps], [step == -1 for step in steps]
    assert classify(hot, cold, trend) == _expected(hot, cold, trend)
    assert CLASSES.count(classify(hot, cold, trend)) == 1
    mirrored = classify(cold, hot, -trend)
    swap = {"hot": "cold", "cold": "hot"}
    kind, _, side = classify(hot, cold, trend).rpartition("_")
    assert mirrored == (NO_PATTERN if kind == "no" else f"{kind}_{swap[side]}")


EXAMPLES = {
    "new_hot": ("0000000001", 0),
    "consecutive_hot": ("0000000111", 0),
    "intensifying_hot": ("1111111111", 1),
    "persistent_hot": ("1101111111", 0),
    "diminishing_hot": ("1111111111", -1),
    "sporadic_hot": ("0100100101", 0),
    "oscillating_hot": ("c000100101", 0),
    "historical_hot": ("1111111110", 0),
    NO_PATTERN: ("0111000000", 1),
}


@pytest.mark.parametrize("name", CLASSES)
def test_each_of_the_seventeen_classes_has_a_plain_example(name):
    steps, trend = EXAMPLES[name.replace("cold", "hot")]
    here, there = [step == "1" for step in steps], [step == "c" for step in steps]
    assert len(CLASSES) == 17
    assert classify(*((there, here, -trend) if name.endswith("cold") else (here, there, trend))) == name


@pytest.mark.parametrize(
    ("hot", "cold", "trend", "message"),
    [
        ([True], [False], 0, "two periods"),
        ([True, False], [True, False], 0, "both hot and cold"),
        ([True, False], [False], 0, "one shape"),
        ([True, False], [False, False], 2, "-1, 0 or 1"),
    ],
)
def test_unsuitable_steps_are_refused_in_words(hot, cold, trend, message):
    with pytest.raises(AnalysisError, match=message):
        classify(hot, cold, trend)
