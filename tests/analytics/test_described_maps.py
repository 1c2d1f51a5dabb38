"""Rates, Moran, clusters and density of a panel: the array-level numbers place by place, and what cannot be had said in words."""

from dataclasses import replace
from datetime import date

import h3
import numpy as np
import polars as pl
import pytest

from cloudmap.analytics.inference import fdr
from cloudmap.analytics.moran import general_g, global_moran, local_moran
from cloudmap.analytics.moran_map import moran
from cloudmap.analytics.panel import Panel, spread_out
from cloudmap.analytics.periods import Period
from cloudmap.analytics.rates import eb_deviates, eb_local, eb_marshall, poisson_gamma
from cloudmap.analytics.rates_map import rates
from cloudmap.analytics.report_clusters import density, report_clusters
from cloudmap.errors import AnalysisError
from cloudmap.geo.weights import neighbours

WEEK = date(2018, 1, 1)
PERIOD = Period(WEEK, 4)


@pytest.fixture(scope="module")
def panel():
    cells = sorted(h3.grid_disk(h3.latlng_to_cell(28.58, 121.37, 9), 6))
    rng = np.random.default_rng(3)
    exposure = rng.uniform(50, 500, len(cells))
    counts = rng.poisson(exposure[:, None] / 200, (len(cells), 6))
    xy = np.array([h3.cell_to_latlng(cell)[::-1] for cell in cells]) * 1e5
    whole = np.ones(6, dtype=bool)
    return Panel(
        "cell_9", "ALL", tuple(cells), WEEK, counts, xy, np.full(len(cells), 1e5), neighbours(cells), exposure, "population", 0, whole
    )


def test_rates_are_those_of_the_arrays(panel):
    table = rates(panel, PERIOD).table
    n, e = panel.total(PERIOD), panel.exposure
    known = poisson_gamma(n, e * (n.sum() / e.sum()))
    assert table["n"].to_list() == n.tolist()
    np.testing.assert_allclose(table["eb"], eb_marshall(n, e))
    np.testing.assert_allclose(table["eb_local"], eb_local(n, e, panel.weights))
    np.testing.assert_allclose(table["ratio"], known.mean)
    assert ((table["class"] == "above_2") == (table["p_above_2"] >= 0.8)).all()


def test_a_threefold_place_of_weight_is_above_two_and_one_without_people_is_not_judged(panel):
    counts, exposure = panel.counts.copy(), panel.exposure.copy()
    counts[5], exposure[5], exposure[9] = 200, 450.0, 0.0
    result = rates(replace(panel, counts=counts, exposure=exposure), PERIOD)
    assert result.table["class"][5] == "above_2"
    assert result.table["class"][9] == "not_enough_data"
    assert result.table.row(9, named=True)["ratio"] is None
    assert f"{len(panel.places) - 1} of {len(panel.places)}" in result.denominator


@pytest.mark.parametrize("with_exposure", [True, False])
def test_moran_is_that_of_the_arrays(panel, with_exposure):
    asked = panel if with_exposure else replace(panel, exposure=None, exposure_kind="none")
    result = moran(asked, PERIOD)
    n = panel.total(PERIOD).astype(float)
    y = eb_deviates(n, panel.exposure) if with_exposure else n
    local = local_moran(y, panel.weights)
    np.testing.assert_allclose(result.table["value"], local.i)
    np.testing.assert_allclose(result.table["q"], fdr(result.table["p"].to_numpy()))
    assert result.parameters["moran_z"] == pytest.approx(global_moran(y, panel.weights).z)
    assert result.parameters["general_g_value"] == pytest.approx(general_g(n, panel.weights).value)


def test_a_high_patch_is_high_among_high(panel):
    counts = panel.counts.copy()
    patch = [0, *panel.weights[0].indices]
    counts[patch] += 60
    classes = moran(replace(panel, counts=counts, exposure=None, exposure_kind="none"), PERIOD).table["class"]
    assert {classes[int(at)] for at in patch} == {"high_high"}


def test_what_cannot_be_had_is_said(panel):
    with pytest.raises(AnalysisError, match="exposure"):
        rates(replace(panel, exposure=None), PERIOD)
    with pytest.raises(AnalysisError, match="no matter"):
        rates(replace(panel, counts=np.zeros_like(panel.counts)), PERIOD)
    with pytest.raises(AnalysisError, match="at least four"):
        moran(replace(panel, exposure=np.zeros(len(panel.places))), PERIOD)
    with pytest.raises(AnalysisError, match="point of its own"):
        report_clusters(pl.DataFrame({"x_m": [], "y_m": [], "t_days": []}, schema=dict.fromkeys(("x_m", "y_m", "t_days"), pl.Float64)))


def test_a_burst_is_one_cluster_and_scattered_matters_none():
    rng = np.random.default_rng(5)
    far = pl.DataFrame({"x_m": rng.uniform(0, 50_000, 200), "y_m": rng.uniform(0, 50_000, 200), "t_days": rng.uniform(17_000, 17_365, 200)})
    burst = pl.DataFrame({"x_m": 90_000 + rng.normal(0, 30, 12), "y_m": rng.normal(0, 30, 12), "t_days": 17_600 + rng.uniform(0, 2, 12)})
    table = report_clusters(pl.concat([far, burst])).table
    assert table["n"].to_list() == [12]
    assert table["x_m"][0] == pytest.approx(90_000, abs=50)
    assert table["radius_m"][0] < 150
    assert table["first_on"][0] == date(2018, 3, 10)
    assert report_clusters(far).table.is_empty()


def test_a_density_holds_all_matters(panel):
    points = pl.DataFrame({"x_m": np.repeat(panel.xy_m[:, 0], 3), "y_m": np.repeat(panel.xy_m[:, 1], 3), "t_days": 17_600.0})
    wide = density(panel, PERIOD, points, bandwidth_m=300).table
    middle = panel.xy_m.mean(axis=0)
    near = np.hypot(*(panel.xy_m - middle).T) < 1000
    spacing = (panel.xy_m.max(axis=0) - panel.xy_m.min(axis=0)).prod() / len(panel.places)
    expected = 3 / spacing * 1e6
    assert wide["value"].to_numpy()[near].mean() == pytest.approx(expected, rel=0.5)


def test_values_of_some_places_go_back_among_all():
    known = np.array([True, False, True])
    np.testing.assert_array_equal(spread_out(np.array([1.0, 2.0]), known), [1.0, np.nan, 2.0])
