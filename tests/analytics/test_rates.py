"""Empirical Bayes against R spdep 1.2-7 (eb_sids74.json); Poisson-gamma against an independent fit (poisson_gamma.json)."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from cloudmap.analytics.rates import eb_local, eb_marshall, poisson_gamma
from cloudmap.errors import AnalysisError
from tests.analytics.published import reference, ring


def sids():
    answers = reference("eb_sids74.json")
    dense = np.zeros((100, 100))
    for place, near in enumerate(answers["neighbours_1based"]):
        dense[place, [other - 1 for other in near if other > 0]] = 1
    return np.array(answers["cases"]), np.array(answers["births"]), csr_array(dense), answers


def test_marshall_equals_spdep_ebest():
    cases, births, _, answers = sids()
    np.testing.assert_allclose(eb_marshall(cases, births), answers["eb"], atol=1e-12)


def test_local_rates_equal_spdep_eblocal():
    cases, births, w, answers = sids()
    np.testing.assert_allclose(eb_local(cases, births, w), answers["eb_local"], atol=1e-12)


@pytest.mark.parametrize("case", reference("poisson_gamma.json"), ids=lambda case: case["name"])
def test_poisson_gamma_equals_an_independent_fit(case):
    fitted = poisson_gamma(case["y"], case["E"])
    assert fitted.loglik == pytest.approx(case["loglik"], abs=1e-6)
    for found, key in zip(fitted[:6], ("post_mean", "lo95", "hi95", "p_rate_gt_2", "alpha", "beta"), strict=True):
        np.testing.assert_allclose(found, case[key], rtol=1e-3)


def test_counts_no_more_varied_than_poisson_share_one_rate():
    fitted = poisson_gamma([5, 5, 6, 5, 5], [5.0] * 5)
    np.testing.assert_allclose(fitted.mean, 26 / 25, rtol=1e-5)
    assert fitted.alpha == pytest.approx(1e7)
    assert (fitted.lower < fitted.mean).all()
    np.testing.assert_allclose(eb_marshall([5, 5, 6, 5, 5], [5.0] * 5), 26 / 25)


def test_small_places_move_further_towards_the_whole():
    raw = np.array([0.0, 0.005, 0.03, 0.0])
    rates = eb_marshall([0, 5, 30, 0], [100, 1000, 1000, 1000])
    whole = 35 / 3100
    assert abs(rates[0] - whole) < abs(rates[3] - whole)
    assert (np.abs(rates - whole) <= np.abs(raw - whole)).all()


def test_an_empty_neighbourhood_has_rate_zero():
    counts = np.zeros(9)
    counts[0] = 4
    rates = eb_local(counts, np.full(9, 100.0), ring(9))
    assert rates[4] == 0.0
    assert rates[0] > 0.0


@pytest.mark.parametrize(
    ("counts", "exposure", "message"),
    [
        ([-1, 2], [1, 1], "negative"),
        ([np.nan, 2], [1, 1], "missing"),
        ([0.5, 2], [1, 1], "whole"),
        ([0, 0], [1, 1], "zero"),
        ([1, 2], [0, 1], "0 at 1 place"),
        ([1, 2], [1, -1], "negative"),
        ([1, 2], [1, 1, 1], "3 .* for 2 places"),
        ([1], [1], "at least"),
    ],
)
@pytest.mark.parametrize("method", [eb_marshall, poisson_gamma, lambda y, n: eb_local(y, n, csr_array(np.array([[0, 1], [1, 0]])))])
def test_unsuitable_input_is_refused_in_words(method, counts, exposure, message):
    with pytest.raises(AnalysisError, match=message):
        method(counts, exposure)


def test_islands_are_refused_by_the_local_rate():
    with pytest.raises(AnalysisError, match="without neighbours"):
        eb_local([1, 2], [1, 1], csr_array((2, 2)))
