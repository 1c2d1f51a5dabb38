"""Moran, Geary and general G against R spdep 1.2-7 (tests/published/grid_gi_moran.json, gi_six_points.json, eb_sids74.json)."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from cloudmap.analytics import hotspots
from cloudmap.analytics.moran import geary_c, general_g, global_moran, local_moran
from cloudmap.analytics.rates import eb_deviates
from cloudmap.errors import AnalysisError
from tests.analytics.published import band, grid, reference, ring
from tests.analytics.test_rates import sids

VALUES, NEIGHBOURS, ANSWERS = grid()


def test_local_moran_equals_spdep_with_both_kinds_of_moments():
    for moments, suffix in (("total", ""), ("conditional", "_cond")):
        found = local_moran(VALUES, NEIGHBOURS, moments=moments)
        np.testing.assert_allclose(found.i, ANSWERS["localmoran_I"], atol=1e-9)
        np.testing.assert_allclose(found.expected, ANSWERS[f"localmoran_E{suffix}"], atol=1e-9)
        np.testing.assert_allclose(found.variance, ANSWERS[f"localmoran_Var{suffix}"], atol=1e-9)
        np.testing.assert_allclose(found.z, ANSWERS[f"localmoran_Z{suffix}"], atol=1e-9)


def test_global_moran_equals_spdep_under_both_null_hypotheses():
    answers = ANSWERS["moran"]
    shuffled, normal = global_moran(VALUES, NEIGHBOURS), global_moran(VALUES, NEIGHBOURS, moments="normal")
    np.testing.assert_allclose(shuffled[:4], [answers["I"], answers["E"], answers["Var_rand"], answers["z_rand"]], atol=1e-9)
    np.testing.assert_allclose(normal[2:4], [answers["Var_norm"], answers["z_norm"]], atol=1e-9)
    assert shuffled.p == pytest.approx(0.2677941289, abs=1e-9)  # two-sided normal tail of that z


def test_geary_and_general_g_equal_spdep():
    c, g = geary_c(VALUES, NEIGHBOURS), general_g(VALUES, NEIGHBOURS)
    np.testing.assert_allclose([c.value, c.variance, c.z], [ANSWERS["geary"][key] for key in ("C", "Var", "z")], atol=1e-9)
    np.testing.assert_allclose(g[:3], [ANSWERS["globalG"][key] for key in ("G", "E", "Var")], atol=1e-9)
    assert g.z == pytest.approx(ANSWERS["globalG"]["z"][0][0], abs=1e-9)


def test_moments_equal_those_of_all_permutations():
    """An enumeration of all 720 orders of six values: the closed forms of Cliff and Ord hold exactly."""
    from itertools import permutations

    values, w = [0, 1, 1, 4, 2, 7], ring(6)
    for statistic in (global_moran, general_g, geary_c):
        all_values = np.array([statistic(order, w).value for order in permutations(values)])
        found = statistic(values, w)
        assert found.expected == pytest.approx(all_values.mean(), abs=1e-12)
        assert found.variance == pytest.approx(all_values.var(), abs=1e-12)


def test_standardised_weights_and_binary_ones_give_one_moran():
    degree = np.asarray(NEIGHBOURS.sum(axis=1)).ravel()
    standardised = csr_array(NEIGHBOURS.toarray() / degree[:, None])
    assert global_moran(VALUES, standardised).z == pytest.approx(global_moran(VALUES, NEIGHBOURS).z, abs=1e-12)
    assert local_moran(VALUES, NEIGHBOURS).i.mean() == pytest.approx(global_moran(VALUES, NEIGHBOURS).value, abs=1e-12)


def test_binary_weights_give_the_published_moran_of_six_points():
    six = reference("gi_six_points.json")
    w = band(np.column_stack([six["x"], six["y"]]), six["band"])
    assert global_moran(six["value"], w, standardise=False).value == pytest.approx(six["moran_B"], abs=1e-9)
    assert w.data.tolist() == [1.0] * w.nnz  # the caller's weights are left alone
    total = local_moran(six["value"], w, standardise=False).i.sum()
    assert total / w.nnz == pytest.approx(six["moran_B"], abs=1e-9)


def test_the_names_of_the_issue_exist_beside_the_hotspots():
    assert hotspots.local_moran is local_moran
    assert hotspots.global_moran is global_moran
    assert hotspots.general_g is general_g


@pytest.mark.parametrize("statistic", [local_moran, global_moran, geary_c, general_g])
def test_unsuitable_input_is_refused_in_words(statistic):
    island = csr_array(np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]))
    with pytest.raises(AnalysisError, match="missing"):
        statistic([1, np.nan, 2, 3], ring(4))
    with pytest.raises(AnalysisError, match="values are equal"):
        statistic([2, 2, 2, 2], ring(4))
    with pytest.raises(AnalysisError, match="at least"):
        statistic([2], csr_array((1, 1)))
    with pytest.raises(AnalysisError, match="do not fit"):
        statistic([1, 2, 3, 4], ring(5))
    with pytest.raises(AnalysisError, match="neighbour"):
        statistic([1, 2, 3, 4], csr_array((4, 4)))
    if statistic is not general_g:
        with pytest.raises(AnalysisError, match="without neighbours"):
            statistic([1, 2, 3, 4], island)


def test_unknown_moments_are_refused():
    with pytest.raises(AnalysisError, match="'total'"):
        local_moran(VALUES, NEIGHBOURS, moments="other")
    with pytest.raises(AnalysisError, match="'normal'"):
        global_moran(VALUES, NEIGHBOURS, moments="other")


def test_general_g_of_one_lone_value_is_refused():
    with pytest.raises(AnalysisError, match="only one place"):
        general_g([0, 0, 5, 0], ring(4))


def test_moran_of_standardised_rates_equals_spdep_ebimoran():
    cases, births, w, answers = sids()
    assert global_moran(eb_deviates(cases, births), w).value == pytest.approx(answers["eb_moran_rowstd"], abs=1e-7)
