"""Which polygon covers a point, fast: a raster of labels, and the exact test where an edge passes.

A raster cell that no polygon edge touches lies wholly inside or wholly outside each polygon, so one label (the lowest covering polygon)
holds for all of it, also where polygons overlap. Points in the other cells are tested exactly. Answers equal the exact test everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry, BaseMultipartGeometry

from cloudmap.errors import BoundaryError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer[Any]]

NONE: Final = -1
"""No polygon covers the point."""

EDGE: Final = -2
"""An edge passes the raster cell: ask the polygons themselves."""

_SAMPLES_AT_ONCE: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Grid:
    """A square raster over a bounding box, with a rim of two cells so that edges on the box stay inside.

    Parameters
    ----------
    west, south : float
        Lower left corner of the raster, in the unit of the coordinates.
    step_x, step_y : float
        Size of a raster cell, likewise.
    size : int
        Raster cells along each side.
    """

    west: float
    south: float
    step_x: float
    step_y: float
    size: int

    @classmethod
    def over(cls, bounds: tuple[float, float, float, float], size: int) -> Grid:
        """Lay a raster over (west, south, east, north).

        Raises
        ------
        BoundaryError
            The box is empty or not finite, or the size is below 8.
        """
        west, south, east, north = (float(one) for one in bounds)
        if not np.all(np.isfinite([west, south, east, north])):
            raise BoundaryError(f"base map: its extent is {bounds}: no unit has a usable shape. Look at `cloudmap check`")
        if size < 8:
            raise BoundaryError(f"label raster: size = {size}; it needs at least 8 cells a side")
        step_x, step_y = (max((high - low) / (size - 4), 1e-9) for low, high in ((west, east), (south, north)))
        return cls(west - 2 * step_x, south - 2 * step_y, step_x, step_y, size)

    def place(self, x: FloatArray, y: FloatArray) -> npt.NDArray[np.int64]:
        """Number the raster cell of each point, row by row from the south-west; -1 off the raster or where not finite."""
        with np.errstate(invalid="ignore"):
            column = np.floor((x - self.west) / self.step_x)
            row = np.floor((y - self.south) / self.step_y)
            inside = (column >= 0) & (column < self.size) & (row >= 0) & (row < self.size)
        return np.where(inside, row * self.size + column, -1).astype(np.int64)


class LabelRaster:
    """Polygons of one level, ready to be asked which of them covers a point.

    Parameters
    ----------
    shapes : array of shapely polygons or multipolygons, shape (n,)
        The lower position wins where several cover a point. Of a collection only the polygons count.
    grid : Grid
        The raster; it has to reach over all shapes.
    labels : int array, shape (size, size), optional
        A raster drawn before, from a cache.

    Attributes
    ----------
    labels : int16 or int32 array, shape (size, size)
        Position of the covering shape, `NONE` or `EDGE`; row 0 is the southernmost.
    """

    def __init__(self, shapes: npt.NDArray[np.object_], grid: Grid, labels: IntArray | None = None) -> None:
        self.grid = grid
        self.shapes = np.array([_ground(shape) for shape in shapes], dtype=object)
        self._tree = shapely.STRtree(self.shapes)
        shapely.prepare(self.shapes)
        self.labels: IntArray = self._draw() if labels is None else labels

    def codes(self, x: FloatArray, y: FloatArray, at: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.int32]:
        """Find the lowest shape that covers each point.

        Parameters
        ----------
        x, y : float arrays, shape (n,)
            Points, in the coordinates of the shapes.
        at : int array, shape (n,), optional
            `grid.place(x, y)`, where the caller has it already (several levels share one grid).

        Returns
        -------
        int32 array, shape (n,)
            Position in `shapes`, `NONE` where none covers the point.
        """
        at = self.grid.place(x, y) if at is None else at
        # np.take with "clip" lets -1 read some label without a branch; it is overwritten below.
        found = np.take(self.labels.reshape(-1), at, mode="clip").astype(np.int32)
        found[at < 0] = NONE
        doubtful = np.flatnonzero(found == EDGE)
        if doubtful.size:
            found[doubtful] = self.exact(x[doubtful], y[doubtful])
        return found

    def exact(self, x: FloatArray, y: FloatArray) -> npt.NDArray[np.int32]:
        """Find the lowest covering shape by the polygons alone, without the raster.

        A polygon covers a point exactly when it intersects it, and the point-wise predicate on a prepared polygon is the fastest
        exact one that GEOS has.
        """
        point, shape = self._tree.query(shapely.points(x, y))
        covered = shapely.intersects_xy(self.shapes[shape], x[point], y[point])
        lowest = np.full(len(x), len(self.shapes), dtype=np.int32)
        np.minimum.at(lowest, point[covered], shape[covered].astype(np.int32))
        lowest[lowest == len(self.shapes)] = NONE
        return lowest

    def _draw(self) -> IntArray:
        from scipy import ndimage

        touched = _touched(self.shapes, self.grid)
        # Cells that share a side and are both untouched lie on the same side of every edge: one test a component is enough.
        component, components_n = ndimage.label(~touched)
        narrow = np.int16 if len(self.shapes) <= np.iinfo(np.int16).max else np.int32
        label_of: IntArray = np.full(components_n + 1, EDGE, dtype=narrow)
        # Written backwards, so that the first cell of each component is the one that stays.
        flat = component.reshape(-1)
        first = np.zeros(components_n + 1, dtype=np.int64)
        first[flat[::-1]] = np.arange(flat.size - 1, -1, -1)
        row, column = np.divmod(first[1:], self.grid.size)
        x = self.grid.west + (column + 0.5) * self.grid.step_x
        y = self.grid.south + (row + 0.5) * self.grid.step_y
        label_of[1:] = self.exact(x, y)
        return np.take(label_of, component)


def _ground(shape: BaseGeometry) -> BaseGeometry:
    """Take the polygons out of a collection: the lines and points that mending leaves in it hold no ground."""
    if not isinstance(shape, shapely.GeometryCollection):
        return shape
    polygons: list[BaseGeometry] = []
    waiting: list[BaseGeometry] = [shape]
    while waiting:
        part = waiting.pop()
        if isinstance(part, BaseMultipartGeometry):
            waiting.extend(part.geoms)
        elif isinstance(part, shapely.Polygon):
            polygons.append(part)
    return shapely.union_all(polygons)


def _touched(shapes: npt.NDArray[np.object_], grid: Grid) -> npt.NDArray[np.bool_]:
    """Mark every raster cell that an edge may touch, and some of their neighbours.

    Edges are sampled at least once per raster cell of their longer direction: whatever an edge touches is at most half a cell from a
    sample, so marking the eight neighbours of the sampled cells too leaves half a cell of room for rounding.
    """
    size = grid.size
    marked = np.zeros((size, size), dtype=np.bool_)
    flat = marked.reshape(-1)
    start_x, start_y, delta_x, delta_y = _edges(shapes, grid)
    steps = np.ceil(np.maximum(np.abs(delta_x), np.abs(delta_y))).astype(np.int64) + 1
    for chunk in _chunks(steps):
        repeats = steps[chunk]
        edge = np.repeat(np.arange(chunk.start, chunk.stop), repeats)
        within = np.arange(edge.size) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        share = within / np.maximum(steps[edge] - 1, 1)
        column = np.floor(start_x[edge] + share * delta_x[edge]).astype(np.int64)
        row = np.floor(start_y[edge] + share * delta_y[edge]).astype(np.int64)
        flat[row * size + column] = True
    wide = marked.copy()
    wide[1:] |= marked[:-1]
    wide[:-1] |= marked[1:]
    across = wide.copy()
    across[:, 1:] |= wide[:, :-1]
    across[:, :-1] |= wide[:, 1:]
    return across


def _edges(shapes: npt.NDArray[np.object_], grid: Grid) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Take all polygon edges apart, in raster cells: start column, start row, columns and rows to go."""
    rings = shapely.get_rings(shapely.get_parts(shapes))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    column = (xy[:, 0] - grid.west) / grid.step_x
    row = (xy[:, 1] - grid.south) / grid.step_y
    same = ring[1:] == ring[:-1]
    return column[:-1][same], row[:-1][same], np.diff(column)[same], np.diff(row)[same]


def _chunks(steps: npt.NDArray[np.int64]) -> list[slice]:
    """Cut the edges into runs of about four million samples, so that memory stays small at any raster size."""
    run = (np.cumsum(steps) - 1) // _SAMPLES_AT_ONCE
    starts = np.concatenate([[0], np.flatnonzero(np.diff(run)) + 1, [steps.size]]).astype(int).tolist()
    return [slice(low, high) for low, high in pairwise(starts) if high > low]
