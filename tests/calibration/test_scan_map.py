"""p of the scan of a panel is uniform under the null hypothesis of either model, and a planted cluster is found."""

import numpy as np
import pytest
from scipy import stats

from cloudmap.analytics.scan_map import scan_clusters
from tests.calibration.simulated import may_be
from tests.calibration.simulated_panel import simulate

SETTINGS = {"weeks": 16, "max_share": 0.3, "max_periods": 4, "replicates": 39}


def p_values(runs, seed, size, *, exposed, model, mean=0.5):
    p = []
    for run in range(runs):
        data = simulate(np.random.default_rng([seed, run]), 4, 30, mean, size, exposed=exposed)
        table = scan_clusters(data, model=model, seed=run, **SETTINGS).table
        p.append(table["p"][0] if table.height else 1.0)
    return np.array(p)


@pytest.mark.parametrize("exposed", [True, False], ids=["exposure", "history"])
@pytest.mark.parametrize(("model", "size"), [("poisson", None), ("negative_binomial", 0.5)])
def test_p_is_uniform_under_the_null_hypothesis(model, size, exposed):
    runs = 100
    p = p_values(runs, 31, size, exposed=exposed, model=model)
    counts = np.bincount(np.minimum((p * 40 - 1).round().astype(int) // 8, 4), minlength=5)
    assert stats.chisquare(counts).pvalue > 0.001
    assert may_be(0.05, int((p <= 0.05).sum()), runs)


@pytest.mark.parametrize("exposed", [True, False], ids=["exposure", "history"])
def test_noise_above_poisson_deceives_the_poisson_scan_and_the_default_holds(exposed):
    deceived = p_values(25, 32, 0.5, exposed=exposed, model="poisson")
    assert (deceived <= 0.05).mean() > 0.3
    held = p_values(40, 33, 0.5, exposed=exposed, model="auto")
    assert may_be(0.05, int((held <= 0.05).sum()), 40)


@pytest.mark.parametrize(("size", "exposed"), [(None, True), (None, False), (0.5, True), (0.5, False)])
def test_a_planted_cluster_is_found(size, exposed):
    """Seven cells with five times the risk in the last four weeks, 0.5 matters a cell and week."""
    found = 0
    for run in range(20):
        data = simulate(np.random.default_rng([34, run]), 6, 40, 0.5, size, exposed=exposed, planted=(5, 4))
        first = scan_clusters(data, seed=run, replicates=39, max_share=0.3).table.row(0, named=True)
        found += first["class"] == "significant" and "p0000" in first["places"]
    assert found >= (16 if size is None else 9)
