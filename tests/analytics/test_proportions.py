"""Intervals of proportions against published values."""

import numpy as np
import pytest

from cloudmap.analytics.proportions import difference, wilson
from cloudmap.errors import AnalysisError


@pytest.mark.parametrize(
    ("k", "n", "lower", "upper"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(k, n, lower, upper):
    """Newcombe (1998), doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I, method 3."""
    found = wilson([k], [n])
    assert found.lower[0] == pytest.approx(lower, abs=5e-5)
    assert found.upper[0] == pytest.approx(upper, abs=5e-5)


def test_nothing_counted_is_not_a_number_and_all_of_all_stays_in_bounds():
    found = wilson([0, 7], [0, 7])
    assert np.isnan(found.value[0])
    assert np.isnan(found.lower[0])
    assert found.value[1] == found.upper[1] == 1


def test_difference_as_published():
    """9/10 - 3/10 in Newcombe (1998), table II, method 10."""
    found = difference(wilson([9], [10]), wilson([3], [10]))
    assert (found.lower[0], found.upper[0]) == pytest.approx((0.1705, 0.8090), abs=5e-5)


def test_more_than_all_is_refused():
    with pytest.raises(AnalysisError, match="above its denominator"):
        wilson([5], [4])
    with pytest.raises(AnalysisError, match="level"):
        wilson([1], [4], level=95)
