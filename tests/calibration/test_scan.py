"""Monte Carlo p of the scan is uniform under the null hypothesis, and its Gumbel tail agrees."""

import numpy as np
import pytest
from scipy import stats

from cloudmap.analytics.scan import scan


@pytest.mark.parametrize(("periods", "prospective"), [(1, False), (6, True), (6, False)])
def test_p_is_uniform_under_the_null_hypothesis(periods, prospective):
    place = np.random.default_rng(8)
    xy, expected = place.uniform(0, 1000, (40, 2)), place.uniform(1, 5, (40, periods))
    exact, gumbel = [], []
    for run in range(150):
        rng = np.random.default_rng([9, run])
        settings = {"max_share": 0.5, "max_periods": (periods + 1) // 2, "prospective": prospective, "replicates": 39, "clusters_n": 1}
        found = scan(rng.poisson(expected), expected, xy, rng=rng, **settings)
        exact.append(found[0].p if found else 1.0)
        gumbel.append(found[0].p_gumbel if found else 1.0)
    counts = np.bincount(np.minimum((np.array(exact) * 40 - 1).round().astype(int) // 8, 4), minlength=5)
    assert stats.chisquare(counts).pvalue > 0.001
    assert np.mean(np.array(exact) <= 0.05) <= 0.12  # 99.9% of 150 runs at a true rate of .05
    assert abs(np.array(exact) - np.array(gumbel)).mean() < 0.05
