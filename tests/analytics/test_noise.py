"""Shares of sums, and noise beyond Poisson's: against plain sums, scipy and what was simulated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cloudmap.analytics.conditional import share_interval, tails
from cloudmap.analytics.noise import Noise, fit_noise
from cloudmap.errors import AnalysisError


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 60), st.floats(0.02, 0.98), st.sampled_from([0.3, 2.0, 30.0, 1e4, np.inf]))
def test_tails_are_the_sums_of_the_mass(total, share, firm):
    model = stats.binom(total, share) if np.isinf(firm) else stats.betabinom(total, share * firm, (1 - share) * firm)
    mass = model.pmf(np.arange(total + 1))
    up, down = tails(np.arange(total + 1), total, share, firm)
    assert up == pytest.approx(np.cumsum(mass[::-1])[::-1], rel=1e-6, abs=1e-300)
    assert down == pytest.approx(np.cumsum(mass), rel=1e-6, abs=1e-300)


def test_small_tails_keep_their_precision():
    up, down = tails([400, 0], [400, 400], [0.5, 0.5], [np.inf, np.inf])
    assert up[0] == pytest.approx(0.5**400, rel=1e-6)
    assert down[1] == pytest.approx(0.5**400, rel=1e-6)


def test_without_noise_the_interval_is_clopper_and_pearsons_and_noise_widens_it():
    n, total = np.array([0, 3, 10, 400]), np.array([10, 10, 10, 1000])
    low, high = share_interval(n, total, np.inf)
    assert low[1:] == pytest.approx(stats.beta.ppf(0.025, n[1:], (total - n + 1)[1:]), rel=1e-6)
    assert high[[0, 1, 3]] == pytest.approx(stats.beta.isf(0.025, n + 1, total - n)[[0, 1, 3]], rel=1e-6)
    assert (low[0], high[2]) == (0.0, 1.0)
    wider = share_interval(n, total, 20.0)
    assert (wider[0][1:] < low[1:]).all()
    assert (wider[1][[0, 1, 3]] > high[[0, 1, 3]]).all()


@pytest.mark.parametrize(("mean", "phi", "growth"), [(64, 1.0, 0.0), (64, 3.0, 0.0), (20, 1.0, 0.2), (2, 1.0, 0.5)])
def test_simulated_noise_is_found_again_whatever_all_places_do_together(mean, phi, growth):
    rng = np.random.default_rng([41, mean])
    expected = mean * np.exp(rng.normal(0, 1, 250))[:, None] * (1 + 0.4 * np.sin(np.arange(20) / 3))
    variance = phi + growth * expected
    counts = rng.poisson(expected) if (variance == 1).all() else rng.negative_binomial(expected / (variance - 1), 1 / variance)
    found = fit_noise(counts)
    assert np.median(found.phi / variance.mean(axis=1)) == pytest.approx(1.0, abs=0.15)
    assert (found.phi >= 1).all()


def test_a_place_noisier_than_its_like_is_judged_by_its_own_noise():
    rng = np.random.default_rng(42)
    counts = rng.poisson(30, (100, 20))
    counts[0] = rng.negative_binomial(3, 3 / 33, 20)
    found = fit_noise(counts)
    assert found.phi[0] > 4
    assert np.median(found.phi) < 1.4


def test_one_place_alone_and_no_report_at_all():
    rng = np.random.default_rng(43)
    assert fit_noise(rng.poisson(100, (1, 60))).phi[0] == pytest.approx(1.0, abs=0.5)
    assert fit_noise(np.zeros((3, 9))).phi.tolist() == [1, 1, 1]
    with pytest.raises(AnalysisError, match="at least four spans"):
        fit_noise(np.ones((3, 3)))


def test_a_total_made_by_one_clump_stays_loose():
    """Of a negative binomial the share's concentration depends on the spans, not on how many reports there happen to be."""
    noise = Noise(np.array([1.2, 1.2]), 1.0, 2.0)
    assert noise.looseness([4, 400], 10).tolist() == pytest.approx([0.2, 0.2])
    assert noise._replace(phi=np.array([9.0, 1.2])).looseness([4, 400], 10).tolist() == pytest.approx([2.0, 0.2])
    assert Noise(np.ones(1), 1.0, 0.0).looseness([0], 10).tolist() == [0.0]
