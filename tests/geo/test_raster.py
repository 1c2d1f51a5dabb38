"""The raster answers as the polygons themselves do, wherever a point lies."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.errors import BoundaryError
from cloudmap.geo.raster import EDGE, NONE, Grid, LabelRaster


def by_hand(shapes, x, y):
    """Lowest covering shape, by one plain shapely call per shape and no tree, no preparation, no raster."""
    points = shapely.points(x, y)
    found = np.full(len(x), NONE)
    for position in reversed(range(len(shapes))):
        found[shapely.covers(shapely.from_wkb(shapely.to_wkb(shapes[position])), points)] = position
    return found


def on_and_off_edges(shapes, rng, n):
    """Points on vertices, on edges, a rounding error beside them, and anywhere."""
    corners = shapely.get_coordinates(shapes)
    start, end = corners[:-1], corners[1:]
    edge = rng.integers(0, len(start), n)
    along = start[edge] + rng.random((n, 1)) * (end[edge] - start[edge])
    middle = (start[edge] + end[edge]) / 2
    beside = np.nextafter(along, rng.choice([-np.inf, np.inf], along.shape))
    west, south, east, north = shapely.total_bounds(shapes)
    anywhere = rng.uniform((west - 0.3, south - 0.3), (east + 0.3, north + 0.3), (n, 2))
    return np.concatenate([corners, along, middle, beside, anywhere]).T


@st.composite
def base_maps(draw):
    """Lattices with moved vertices, gaps, overlapping shapes, holes, multipolygons and shuffled order."""
    columns, rows = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    scale = draw(st.sampled_from([1.0, 0.1, 1 / 3]))
    shift = draw(st.lists(st.integers(-1, 1), min_size=(columns + 1) * (rows + 1) * 2, max_size=(columns + 1) * (rows + 1) * 2))
    moved = np.array(shift, dtype=float).reshape(rows + 1, columns + 1, 2) / 4
    lattice = np.stack(np.meshgrid(np.arange(columns + 1.0), np.arange(rows + 1.0)), axis=-1) + moved
    lattice = lattice * scale + (121.0, 28.0)
    shapes = [
        shapely.Polygon([lattice[r, c], lattice[r, c + 1], lattice[r + 1, c + 1], lattice[r + 1, c]])
        for r in range(rows)
        for c in range(columns)
        if draw(st.integers(0, 5)) > 0
    ]
    box = st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(1, 5), st.integers(1, 5))
    boxes = [
        shapely.box(121 + a / 2 * scale, 28 + b / 2 * scale, 121 + (a + w) / 2 * scale, 28 + (b + h) / 2 * scale)
        for a, b, w, h in draw(st.lists(box, min_size=2, max_size=5))
    ]
    holed = shapely.difference(boxes[0], shapely.affinity.scale(boxes[0], 0.5, 0.5))
    both = shapely.union_all(shapely.get_parts(boxes[:2]))
    shapes = [*shapes, *boxes, holed, both]
    return np.array(draw(st.permutations(shapes)), dtype=object)


@settings(max_examples=120, deadline=None)
@given(base_maps(), st.integers(8, 90), st.integers(0, 2**32 - 1))
def test_equals_the_exact_test_on_edges_vertices_gaps_overlaps_and_holes(shapes, size, seed):
    x, y = on_and_off_edges(shapes, np.random.default_rng(seed), 60)
    raster = LabelRaster(shapes, Grid.over(shapely.total_bounds(shapes), size))
    np.testing.assert_array_equal(raster.codes(x, y), by_hand(shapes, x, y))


@settings(max_examples=40, deadline=None)
@given(base_maps(), st.integers(8, 60))
def test_a_label_holds_for_the_whole_raster_cell(shapes, size):
    raster = LabelRaster(shapes, Grid.over(shapely.total_bounds(shapes), size))
    row, column = np.nonzero(raster.labels != EDGE)
    for dx, dy in ((0.001, 0.001), (0.999, 0.001), (0.001, 0.999), (0.999, 0.999)):
        x = raster.grid.west + (column + dx) * raster.grid.step_x
        y = raster.grid.south + (row + dy) * raster.grid.step_y
        np.testing.assert_array_equal(raster.labels[row, column], by_hand(shapes, x, y))


def test_most_of_a_large_map_is_answered_without_the_polygons():
    lattice = np.array([shapely.box(a, b, a + 1, b + 1) for a in range(20) for b in range(20)], dtype=object)
    raster = LabelRaster(lattice, Grid.over((0, 0, 20, 20), 1024))
    assert (raster.labels == EDGE).mean() < 0.15
    assert raster.labels.dtype == np.int16


def test_the_lower_position_wins_on_a_shared_edge_and_in_an_overlap():
    shapes = np.array([shapely.box(1, 0, 2, 1), shapely.box(0, 0, 1, 1), shapely.box(0, 0, 2, 1)], dtype=object)
    raster = LabelRaster(shapes, Grid.over((0, 0, 2, 1), 64))
    assert raster.codes(np.array([1.0, 0.5, 1.5]), np.array([0.5, 0.5, 0.5])).tolist() == [0, 1, 0]


def test_of_a_collection_only_the_polygons_count():
    line, pair = shapely.LineString([(0, 3), (4, 3)]), shapely.MultiPolygon([shapely.box(0, 0, 1, 2), shapely.box(2, 0, 3, 2)])
    shapes = np.array([shapely.GeometryCollection([line, shapely.GeometryCollection([pair])])], dtype=object)
    raster = LabelRaster(shapes, Grid.over(shapely.total_bounds(shapes), 128))
    x, y = on_and_off_edges(np.array([pair], dtype=object), np.random.default_rng(0), 200)
    np.testing.assert_array_equal(raster.codes(x, y), by_hand([pair], x, y))
    assert raster.codes(np.array([2.0]), np.array([3.0])).tolist() == [-1]


def test_nowhere_is_in_no_shape():
    raster = LabelRaster(np.array([shapely.box(0, 0, 1, 1)], dtype=object), Grid.over((0, 0, 1, 1), 16))
    x, y = np.array([np.nan, np.inf, -np.inf, 1e300, 0.5, 0.5]), np.array([0.5, 0.5, 0.5, 0.5, np.nan, 0.5])
    assert raster.codes(x, y).tolist() == [-1, -1, -1, -1, -1, 0]


def test_more_shapes_than_sixteen_bits_hold():
    n = 33_000
    left = np.arange(n) * 1e-3
    shapes = shapely.box(left, 0, left + 1e-3, 1)
    raster = LabelRaster(shapes, Grid.over(shapely.total_bounds(shapes), 64))
    assert raster.labels.dtype == np.int32
    assert raster.codes(left[[0, -1]] + 5e-4, np.array([0.5, 0.5])).tolist() == [0, n - 1]


@pytest.mark.parametrize("bounds", [(np.nan, 0, 1, 1), (0, 0, np.inf, 1)])
def test_an_extent_that_is_none_is_refused(bounds):
    with pytest.raises(BoundaryError, match="no unit has a usable shape"):
        Grid.over(bounds, 64)


def test_a_raster_too_small_is_refused():
    with pytest.raises(BoundaryError, match="at least 8"):
        Grid.over((0, 0, 1, 1), 4)
