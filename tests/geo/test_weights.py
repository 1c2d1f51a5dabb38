"""Neighbours are symmetric, never oneself, and in the order given."""

import doctest

import geopandas as gpd
import h3
import numpy as np
import polars as pl
import pytest
import shapely

from cloudmap.errors import AnalysisError
from cloudmap.geo import cells, weights

CENTRE = h3.latlng_to_cell(28.55, 121.37, 9)


@pytest.mark.parametrize(("k", "linked"), [(1, 6), (2, 18)])
def test_rings_around_a_cell(k, linked):
    disk = sorted(h3.grid_disk(CENTRE, 3))
    matrix = weights.neighbours(disk, k=k)
    at = disk.index(CENTRE)
    assert {disk[j] for j in matrix[[at]].indices} == set(h3.grid_disk(CENTRE, k)) - {CENTRE}
    assert matrix[[at]].sum() == linked
    assert (matrix != matrix.T).nnz == 0
    assert matrix.diagonal().sum() == 0
    assert set(matrix.data) == {1.0}


def test_order_is_kept_and_forms_are_equal():
    disk = list(h3.grid_disk(CENTRE, 2))
    order = np.random.default_rng(0).permutation(len(disk))
    shuffled = [disk[i] for i in order]
    expected = weights.neighbours(disk)[order][:, order]
    ids = cells.from_hex(shuffled)
    for form in (shuffled, ids, ids.to_numpy(), ids.to_list()):
        assert (weights.neighbours(form) != expected).nnz == 0


def test_a_pentagon_has_five_neighbours():
    pentagon = h3.get_pentagons(9)[0]
    disk = list(h3.grid_disk(pentagon, 1))
    assert weights.neighbours(disk)[[disk.index(pentagon)]].sum() == 5


def test_islands_have_no_neighbours():
    assert weights.neighbours([CENTRE, h3.latlng_to_cell(42.36, -71.06, 9)]).nnz == 0
    assert weights.neighbours([]).shape == (0, 0)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ([CENTRE, h3.cell_to_parent(CENTRE, 8)], "mix resolutions"),
        ([CENTRE, CENTRE], "is given 2 times"),
        (pl.Series([None], dtype=pl.Int64), "are null"),
        (["no cell"], "is no H3 cell"),
    ],
)
def test_unsuitable_cells_are_refused(wrong, why):
    with pytest.raises(AnalysisError, match=why):
        weights.neighbours(wrong)


def test_less_than_one_ring_is_refused():
    with pytest.raises(AnalysisError, match="at least one ring"):
        weights.neighbours([CENTRE], k=0)


def test_contiguity_is_by_edges_and_corners():
    frame = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(2, 1, 3, 2), None], crs="EPSG:4549")
    assert weights.contiguity(frame).toarray().tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_contiguity_over_slivers():
    frame = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 100, 100), shapely.box(100.5, 0, 200, 100)], crs="EPSG:4549")
    assert weights.contiguity(frame).nnz == 0
    assert weights.contiguity(frame, gap_m=1.0).nnz == 2
    with pytest.raises(AnalysisError, match="counts in degree"):
        weights.contiguity(frame.set_crs("EPSG:4326", allow_override=True), gap_m=1.0)


def test_distance_band_includes_its_end():
    matrix = weights.distance_band([(0, 0), (3, 4), (100, 0), (0, 0)], 5.0)
    assert matrix.toarray().tolist() == [[0, 1, 0, 1], [1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0]]


@pytest.mark.parametrize(
    ("xy", "distance", "why"), [([(0, np.nan)], 5, "finite pairs"), ([1, 2], 5, "finite pairs"), ([(0, 0)], 0, "above zero")]
)
def test_distance_band_refuses(xy, distance, why):
    with pytest.raises(AnalysisError, match=why):
        weights.distance_band(xy, distance)


CANALS = pl.DataFrame(
    {
        "place": ["mouth", "spring", "fork", "left", "right", "pond"],
        "downstream": [[], ["fork"], ["left", "right"], ["mouth"], ["mouth"], None],
    }
)


@pytest.mark.parametrize(
    ("k", "links"),
    [
        (1, {("mouth", "left"), ("mouth", "right"), ("fork", "spring"), ("fork", "left"), ("fork", "right")}),
        (2, {("spring", "left"), ("spring", "right"), ("fork", "mouth")}),
        (3, {("spring", "mouth")}),
    ],
)
def test_reaches_are_linked_up_and_down_the_flow(k, links):
    matrix = weights.water_network(CANALS, k=k)
    before = weights.water_network(CANALS, k=k - 1) if k > 1 else matrix * 0
    names = CANALS["place"].to_list()
    i, j = (matrix - before).nonzero()
    assert {(names[a], names[b]) for a, b in zip(i, j, strict=True)} == links | {(b, a) for a, b in links}
    assert (matrix != matrix.T).nnz == 0
    assert set(matrix.data) == {1.0}
    assert matrix.diagonal().sum() == 0
    assert matrix[[names.index("pond")]].nnz == 0
    assert matrix[[names.index("left")], names.index("right")].sum() == 0  # beside each other: no water comes from one to the other


def test_reaches_that_flow_in_a_circle_are_no_neighbours_of_themselves():
    circle = pl.DataFrame({"place": ["a", "b"], "downstream": [["b"], ["a"]]})
    assert weights.water_network(circle, k=4).toarray().tolist() == [[0, 1], [1, 0]]


def test_water_without_flow_has_no_neighbours():
    still = pl.DataFrame({"place": ["a", "b"], "downstream": [[], []]}, schema_overrides={"downstream": pl.List(pl.String)})
    assert weights.water_network(still).nnz == 0
    assert weights.water_network(still.clear()).shape == (0, 0)


@pytest.mark.parametrize(
    ("reaches", "k", "why"),
    [
        (CANALS, 0, "at least one reach"),
        (pl.concat([CANALS, CANALS.head(1)]), 1, "'mouth' is given twice"),
        (CANALS.head(3), 1, "'fork' flows into 'left', which is not given"),
    ],
)
def test_unsuitable_reaches_are_refused(reaches, k, why):
    with pytest.raises(AnalysisError, match=why):
        weights.water_network(reaches, k=k)


def test_docstring_examples_give_what_they_say():
    assert doctest.testmod(weights) == (0, 3)
