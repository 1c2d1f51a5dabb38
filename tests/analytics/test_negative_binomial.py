"""Sums of negative binomial counts against plain convolution, and the test of local sums that stands on them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_array

from cloudmap.analytics.hotspots import gi_nb_p
from cloudmap.analytics.inference import fdr
from cloudmap.analytics.negative_binomial import fit_rate_and_size, fit_size, log_likelihood, sum_tail
from cloudmap.errors import AnalysisError
from tests.analytics.published import ring


def _convolved(means, size, observed, reach=4000):
    """P(sum >= observed), by convolving scipy's masses; added from the far end."""
    mass = np.ones(1)
    for mean in means:
        mass = np.convolve(mass, stats.nbinom.pmf(np.arange(reach), size, size / (size + mean)))[:reach]
    return mass[observed:][::-1].sum()


@pytest.mark.parametrize("size", [0.05, 0.7, 3.0, 40.0])
def test_tail_of_a_sum_equals_convolution_down_to_tiny_p(size):
    means = np.array([0.02, 0.5, 3.0, 9.0])
    for observed in (1, 2, 12, 13, 14, 60, 150):
        assert sum_tail(means, size, observed) == pytest.approx(_convolved(means, size, observed), rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-3, 30), min_size=1, max_size=7), st.floats(0.02, 50), st.integers(0, 120))
def test_tails_fall_and_stay_within_zero_and_one(means, size, observed):
    here, next_one = sum_tail(np.array(means), size, observed), sum_tail(np.array(means), size, observed + 1)
    assert 0.0 <= next_one <= here + 1e-12 <= 1.0 + 1e-12


def test_equal_means_give_one_negative_binomial_also_with_large_counts():
    """The sum of m counts of one mean is negative binomial of size m r: means of thousands must not overflow."""
    for mean, size, observed in ((50.0, 2.0, 300), (5000.0, 1000.0, 16500), (5000.0, 1000.0, 14000), (2e5, 3.0, 10**6)):
        exact = stats.nbinom.sf(observed - 1, 3 * size, size / (size + mean))
        assert sum_tail(np.full(3, mean), size, observed) == pytest.approx(exact, rel=1e-8)


def test_the_size_of_simulated_counts_is_recovered():
    rng = np.random.default_rng(2)
    mean = np.exp(rng.normal(0, 1, 20_000))
    for size in (0.1, 0.5, 4.0):
        assert fit_size(rng.negative_binomial(size, size / (size + mean)), mean) == pytest.approx(size, rel=0.1)
    assert fit_size(np.tile([1, 1, 1, 1, 2], 50), np.full(250, 1.2)) == np.inf


def test_the_fit_is_where_the_likelihood_is_highest():
    rng = np.random.default_rng(4)
    exposure = rng.uniform(0.5, 20, 400)
    counts = rng.negative_binomial(0.8, 0.8 / (0.8 + exposure * 0.3))
    fit = fit_rate_and_size(counts, exposure)
    for rate in (0.99, 1.01):
        for size in (0.99, 1.01):
            assert log_likelihood(counts, exposure * fit.rate * rate, fit.size * size) < fit.loglik


def test_a_place_is_hot_for_its_exposure_not_for_its_count():
    rng = np.random.default_rng(5)
    exposure = np.repeat([10.0, 400.0], 150)
    counts = rng.poisson(exposure * 0.05)
    counts[40:43] += 6
    q = fdr(gi_nb_p(counts, exposure, ring(300)))
    assert set(np.flatnonzero(q < 0.05)) <= {39, 40, 41, 42, 43}
    assert q[41] < 0.01


def test_poisson_is_the_limit_of_a_large_size():
    counts, exposure = [3, 0, 2, 8, 1], [1.0, 2.0, 1.0, 2.0, 3.0]
    limit = gi_nb_p(counts, exposure, ring(5), size=np.inf)
    np.testing.assert_allclose(gi_nb_p(counts, exposure, ring(5), size=1e6), limit, rtol=1e-4)
    mean = np.array(exposure) * 14 / 9
    assert limit[3] == pytest.approx(stats.poisson.sf(10, mean[[2, 3, 4]].sum()), rel=1e-12)


def test_without_star_the_place_itself_does_not_count():
    counts, exposure = np.array([0, 0, 30, 0, 0, 0]), np.ones(6)
    assert gi_nb_p(counts, exposure, ring(6), star=False)[2] == 1.0
    assert gi_nb_p(counts, exposure, ring(6), star=False)[1] < 1.0


@pytest.mark.parametrize(
    ("counts", "exposure", "message"),
    [
        ([-1, 2, 3, 4], [1] * 4, "negative"),
        ([np.nan, 1, 2, 3], [1] * 4, "missing"),
        ([0, 0, 0, 0], [1] * 4, "zero"),
        ([0.5, 1, 2, 3], [1] * 4, "whole"),
        ([0, 1, 2, 3], [0, 1, 1, 1], "exposure is 0"),
        ([0, 1, 2, 3], [np.inf, 1, 1, 1], "infinite"),
        ([0, 1, 2, 3], [1] * 3, "for 4 places"),
    ],
)
def test_unsuitable_input_is_refused_in_words(counts, exposure, message):
    with pytest.raises(AnalysisError, match=message):
        gi_nb_p(counts, exposure, ring(4))


def test_islands_and_sizes_are_checked():
    island = csr_array(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]))
    with pytest.raises(AnalysisError, match="without neighbours"):
        gi_nb_p([1, 2, 3], [1, 1, 1], island, star=False)
    assert 0 < gi_nb_p([1, 2, 3], [1, 1, 1], island)[2] < 1
    with pytest.raises(AnalysisError, match="size"):
        gi_nb_p([1, 2, 3], [1, 1, 1], island, size=0)
    with pytest.raises(AnalysisError, match="binary"):
        gi_nb_p([1, 2, 3], [1, 1, 1], island * 0.5)
