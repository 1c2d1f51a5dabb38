"""Local Getis-Ord statistics against published and enumerated values (sources: tests/published/README.md)."""

import json
from fractions import Fraction
from itertools import combinations
from math import comb
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from cloudmap.analytics.hotspots import gi_exact_p, gi_exact_p_slices, gi_z, hotspot_table
from cloudmap.analytics.inference import fdr
from cloudmap.errors import AnalysisError
from cloudmap.geo.weights import neighbours
from tests.analytics.published import grid

PUBLISHED = Path(__file__).parents[1] / "published"


def _json(name):
    return json.loads((PUBLISHED / name).read_text())


def _ring(n):
    rows = np.arange(n)
    return csr_array((np.ones(2 * n), (np.r_[rows, rows], np.r_[(rows + 1) % n, (rows - 1) % n])), shape=(n, n))


@pytest.mark.parametrize("case", _json("exact_small.json")["cases"])
def test_exact_p_equals_the_enumerated_fraction(case):
    n = len(case["counts"])
    dense = _ring(n).toarray()
    dense[case["focal"]] = 0
    dense[case["focal"], case["neighbours"]] = 1
    w, focal = csr_array(dense), case["focal"]
    assert gi_exact_p(case["counts"], w, star=True)[focal] == pytest.approx(float(Fraction(*case["p_total"])), abs=1e-12)
    assert gi_exact_p(case["counts"], w, star=False)[focal] == pytest.approx(float(Fraction(*case["p_conditional"])), abs=1e-12)


@pytest.mark.parametrize(
    ("star", "z", "p", "q"),
    [(False, "gi_z", "p_exact_gi_conditional", "q_bh_gi"), (True, "gistar_z", "p_exact_gistar_total", "q_bh_gistar")],
)
def test_h3_disk_reproduces_z_exact_p_and_q(star, z, p, q):
    disk = pl.read_csv(PUBLISHED / "h3_res9_disk.csv")
    w, counts = neighbours(disk["cell"].to_list()), disk["count"].to_numpy()
    exact = gi_exact_p(counts, w, star=star)
    np.testing.assert_allclose(gi_z(counts, w, star=star), disk[z].to_numpy(), atol=1e-9)
    np.testing.assert_allclose(exact, disk[p].to_numpy(), rtol=1e-9)
    np.testing.assert_allclose(fdr(exact), disk[q].to_numpy(), atol=1e-12)


def test_six_points_reproduce_spdep():
    six = _json("gi_six_points.json")
    xy = np.column_stack([six["x"], six["y"]])
    distance = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    binary = csr_array(((distance <= six["band"]) & (distance > 0)).astype(float))
    np.testing.assert_allclose(gi_z(six["value"], binary, star=False), six["gi"], atol=1e-9)
    np.testing.assert_allclose(gi_z(six["value"], binary, star=True), six["gistar"], atol=1e-9)


def test_grid_reproduces_spdep():
    grid = _json("grid_gi_moran.json")
    index = np.arange(grid["nrow"] * grid["ncol"])
    row, column = index % grid["nrow"], index // grid["nrow"]
    distance = np.hypot(row[:, None] - row, column[:, None] - column)
    w = csr_array(((distance <= 1.5) & (distance > 0)).astype(float))
    np.testing.assert_allclose(gi_z(grid["value"], w, star=False), grid["gi"], atol=1e-9)
    np.testing.assert_allclose(gi_z(grid["value"], w, star=True), grid["gistar"], atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=5, max_size=9).filter(any), st.booleans())
def test_exact_p_equals_brute_force_over_all_subsets(counts, star):
    n = len(counts)
    w = _ring(n)
    exact = gi_exact_p(counts, w, star=star)
    for focal in range(n):
        near = [(focal + 1) % n, (focal - 1) % n] + ([focal] if star else [])
        pool = [counts[i] for i in range(n) if star or i != focal]
        observed = sum(counts[i] for i in near)
        hits = sum(sum(subset) >= observed for subset in combinations(pool, len(near)))
        assert exact[focal] == pytest.approx(hits / comb(len(pool), len(near)), abs=1e-12)


def test_large_neighbourhoods_stay_in_step_with_small_arithmetic():
    rng = np.random.default_rng(1)
    counts = rng.poisson(0.3, 400)
    dense = np.zeros((400, 400))
    dense[:, :80] = 1
    np.fill_diagonal(dense, 0)
    p = gi_exact_p(counts, csr_array(dense))
    draws = np.array([rng.permutation(counts)[:81].sum() for _ in range(4000)])
    observed = counts[:80].sum() + counts[200]
    assert p[200] == pytest.approx((draws >= observed).mean(), abs=0.03)


def test_false_hotspots_are_rare_and_a_planted_one_is_found():
    rng = np.random.default_rng(7)
    w = _ring(600)
    places = [str(i) for i in range(600)]
    false = sum((hotspot_table(places, rng.poisson(0.2, 600), w)["class"] == "hot").any() for _ in range(60))
    assert false <= 8  # expected at most 5% of 60 maps; 8 is beyond the 99.9% point of that binomial
    counts = rng.poisson(0.2, 600)
    counts[300:303] += 9
    hot = hotspot_table(places, counts, w).filter(pl.col("class") == "hot")["place"].to_list()
    assert "301" in hot


@pytest.mark.parametrize(
    ("counts", "message"),
    [([-1, 2, 3, 4], "negative"), ([np.nan, 1, 2, 3], "missing"), ([0, 0, 0, 0], "every count is zero"), ([0.5, 1, 2, 3], "whole counts")],
)
def test_unsuitable_counts_are_refused_in_words(counts, message):
    with pytest.raises(AnalysisError, match=message):
        gi_exact_p(counts, _ring(4))


def test_unsuitable_weights_are_refused_in_words():
    with pytest.raises(AnalysisError, match="do not fit"):
        gi_exact_p([1, 2, 3], _ring(4))
    with pytest.raises(AnalysisError, match="binary"):
        gi_exact_p([1, 2, 3, 4], _ring(4) * 0.5)
    with pytest.raises(AnalysisError, match="at least three places"):
        gi_z([1], csr_array((1, 1)))
    island = csr_array(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]))
    with pytest.raises(AnalysisError, match="without neighbours"):
        gi_exact_p([1, 2, 3], island, star=False)
    assert gi_exact_p([1, 2, 3], island)[2] == pytest.approx(1 / 3)


def test_slices_equal_each_period_alone_and_empty_ones_test_nothing():
    rng = np.random.default_rng(11)
    table = rng.poisson([0.05, 0.5, 3, 0], (60, 4))
    for star in (True, False):
        for tail in ("upper", "lower"):
            slices = gi_exact_p_slices(table, _ring(60), star=star, tail=tail)
            for period in range(3):
                np.testing.assert_array_equal(slices[:, period], gi_exact_p(table[:, period], _ring(60), star=star, tail=tail))
            assert (slices[:, 3] == 1).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=5, max_size=9).filter(any), st.booleans())
def test_lower_tail_equals_brute_force_over_all_subsets(counts, star):
    n = len(counts)
    low = gi_exact_p(counts, _ring(n), star=star, tail="lower")
    for focal in range(n):
        near = [(focal + 1) % n, (focal - 1) % n] + ([focal] if star else [])
        pool = [counts[i] for i in range(n) if star or i != focal]
        observed = sum(counts[i] for i in near)
        hits = sum(sum(subset) <= observed for subset in combinations(pool, len(near)))
        assert low[focal] == pytest.approx(hits / comb(len(pool), len(near)), abs=1e-12)


def test_growth_that_is_the_same_everywhere_changes_no_p_of_a_shape():
    """Per-slice moments: doubling every count leaves every p as it was."""
    table = np.random.default_rng(12).poisson(1.0, (80, 1))
    p = gi_exact_p_slices(np.hstack([table, 2 * table]), _ring(80))
    np.testing.assert_allclose(p[:, 0], p[:, 1], rtol=1e-12)


def test_unknown_tails_and_flat_tables_are_refused():
    with pytest.raises(AnalysisError, match="'upper'"):
        gi_exact_p([1, 2, 3, 4], _ring(4), tail="both")
    with pytest.raises(AnalysisError, match="table of places by periods"):
        gi_exact_p_slices([1, 2, 3, 4], _ring(4))


def test_decayed_weights_reproduce_spdep_on_the_grid_and_the_disk():
    """Inverse distance (six points, grid; R spdep) and decay by ring (disk; own formulas checked on the grid)."""
    six = _json("gi_six_points.json")
    xy = np.column_stack([six["x"], six["y"]])
    distance = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    near = (distance <= six["band"]) & (distance > 0)
    for power, key in ((1, "gi_invdist"), (2, "gi_invdist2")):
        weights = np.where(near, 1 / np.where(near, distance, 1) ** power, 0)
        np.testing.assert_allclose(gi_z(six["value"], csr_array(weights), star=False), six[key], atol=1e-9)
    binary = near.astype(float)
    np.testing.assert_allclose(
        gi_z(six["value"], csr_array(binary / binary.sum(axis=1, keepdims=True)), star=False), six["gi_rowstd"], atol=1e-9
    )
    np.testing.assert_allclose(gi_z(six["value"], csr_array(binary), star=True), six["gistar_rowstd"], atol=1e-9)  # z has no scale
    values, w, answers = grid()
    inverse = w.copy()
    rows, columns = inverse.nonzero()
    inverse.data = 1 / np.hypot(rows % 20 - columns % 20, rows // 20 - columns // 20)
    np.testing.assert_allclose(gi_z(values, inverse, star=False), answers["gi_invdist"], atol=1e-9)
    disk = pl.read_csv(PUBLISHED / "h3_res9_disk.csv")
    cells, counts = disk["cell"].to_list(), disk["count"].to_numpy()
    one, two = neighbours(cells, k=1).toarray(), neighbours(cells, k=2).toarray()
    decayed = csr_array(0.25 * one + 0.25 * two)
    np.testing.assert_allclose(gi_z(counts, decayed, star=False), disk["gi_z_decay"].to_numpy(), atol=1e-9)
    np.testing.assert_allclose(gi_z(counts, decayed, star=True), disk["gistar_z_decay"].to_numpy(), atol=1e-9)
    exact = fdr(gi_exact_p(counts, neighbours(cells), star=False), method="by")
    np.testing.assert_allclose(exact, disk["q_by_gi"].to_numpy(), atol=1e-9)
