"""Reaches of the water map: which flows into which, and which of them a report is nearest to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from cloudmap.errors import BoundaryError
from cloudmap.geo.raster import FloatArray, Grid, LabelRaster
from cloudmap.geo.water import downstream_ids

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from scipy.sparse import csr_matrix

MAX_M: Final = 2000.0
"""A report further than this from all water has no nearest reach."""

Rows = npt.NDArray[np.int64]

_CELLS_N: Final = 256
_PAIRS_AT_ONCE: Final = 2_000_000


@dataclass(frozen=True)
class ReachGraph:
    """Which reach flows into which.

    Attributes
    ----------
    ids : tuple of str
        Ids of the reaches, sorted; positions in them are rows and columns of the matrices.
    flows : scipy CSR of bool, shape (n, n)
        Row i, column j: i flows straight into j. A reach may part into several.
    """

    ids: tuple[str, ...]
    flows: csr_matrix

    @cached_property
    def closure(self) -> csr_matrix:
        """Row i, column j: water of i comes to j, over any number of reaches (CSR of bool; the diagonal tells of circles)."""
        reach, known_n = self.flows.astype(np.bool_), -1
        while reach.nnz > known_n:
            known_n = reach.nnz
            reach = (reach + reach @ reach).astype(np.bool_)
        return reach

    @cached_property
    def _circles(self) -> npt.NDArray[np.int32]:
        from scipy.sparse.csgraph import connected_components

        return np.asarray(connected_components(self.flows, connection="strong")[1])

    @cached_property
    def order(self) -> npt.NDArray[np.int32]:
        """Flow order of each reach: 1 where nothing flows in, else one more than the highest above; a circle counts as one reach."""
        group = self._circles
        into = self.flows.tocoo()
        links = np.unique(np.column_stack([group[into.row], group[into.col]]), axis=0)
        links = links[links[:, 0] != links[:, 1]]
        order = np.ones(int(group.max(initial=-1)) + 1, dtype=np.int32)
        # Without circles a path has at most as many links as there are groups, so this ends.
        while links.size:
            higher = order.copy()
            np.maximum.at(higher, links[:, 1], order[links[:, 0]] + 1)
            if (higher == order).all():
                break
            order = higher
        return np.asarray(order[group], dtype=np.int32)

    def circles(self) -> list[tuple[str, ...]]:
        """List the reaches that flow into each other in a circle, circle by circle."""
        _, first, count = np.unique(self._circles, return_index=True, return_counts=True)
        groups = self._circles[np.sort(first[count > 1])]
        return [tuple(self.ids[at] for at in np.flatnonzero(self._circles == one)) for one in groups]

    def downstream(self, reach_id: str) -> list[str]:
        """List the reaches that water of a reach comes to, nearest first, without itself.

        Raises
        ------
        BoundaryError
            No such reach.
        """
        return self._follow(reach_id, self.flows)

    def upstream(self, reach_id: str) -> list[str]:
        """List the reaches whose water comes to a reach, nearest first, without itself.

        Raises
        ------
        BoundaryError
            No such reach.
        """
        return self._follow(reach_id, self.flows.T.tocsr())

    def _follow(self, reach_id: str, links: csr_matrix) -> list[str]:
        from scipy.sparse.csgraph import breadth_first_order

        if reach_id not in self.ids:
            some = ", ".join(self.ids[:10]) + (" ..." if len(self.ids) > 10 else "")
            raise BoundaryError(f"water map: no reach {reach_id!r}; it has {some}. Give one of its ids")
        found = breadth_first_order(links, self.ids.index(reach_id), return_predecessors=False)
        return [self.ids[at] for at in found[1:]]


def reach_graph(water: GeoDataFrame) -> ReachGraph:
    """Read the flow of the water map.

    Parameters
    ----------
    water : GeoDataFrame
        As `cloudmap.geo.water.read_water` gives it; several downstream ids are parted by ``;`` or ``,``. Ids that no reach has, and
        reaches that flow into themselves, link nothing.

    Returns
    -------
    ReachGraph

    Raises
    ------
    BoundaryError
        Two reaches have the same id.
    """
    from scipy.sparse import csr_matrix

    ids = sorted(water["id"])
    position = {one: at for at, one in enumerate(ids)}
    if len(position) < len(ids):
        raise BoundaryError("water map: an id is used twice. Give each reach its own, or leave fields.id out")
    links = {
        (position[source], position[target])
        for source, text in zip(water["id"], water["downstream"], strict=True)
        for target in downstream_ids(text)
        if target in position and target != source
    }
    rows, columns = (np.array([link[side] for link in sorted(links)], dtype=np.int64) for side in (0, 1))
    return ReachGraph(tuple(ids), csr_matrix((np.ones(len(links), dtype=np.bool_), (rows, columns)), shape=(len(ids), len(ids))))


def flow_table(water: GeoDataFrame) -> pl.DataFrame:
    """List the reaches with their flow.

    Parameters
    ----------
    water : GeoDataFrame
        As `reach_graph` takes it.

    Returns
    -------
    polars.DataFrame
        place (id), kind, name, downstream (list of ids that are on the map), flow_order (Int32, `ReachGraph.order`); sorted by place.

    Raises
    ------
    BoundaryError
        Two reaches have the same id.
    """
    graph = reach_graph(water)
    rows = water.set_index("id").loc[list(graph.ids)]
    downstream = [[graph.ids[at] for at in graph.flows[row].indices] for row in range(len(graph.ids))]
    names = [one if isinstance(one, str) else None for one in rows["name"]]
    return pl.DataFrame(
        {
            "place": pl.Series(list(graph.ids), dtype=pl.String),
            "kind": pl.Series(list(rows["kind"]), dtype=pl.String),
            "name": pl.Series(names, dtype=pl.String),
            "downstream": pl.Series(downstream, dtype=pl.List(pl.String)),
            "flow_order": pl.Series(graph.order, dtype=pl.Int32),
        }
    )


class Reaches:
    """Finds the reach nearest to a point, exactly, for millions of points.

    Parameters
    ----------
    water : GeoDataFrame
        Reaches (lines or polygons, EPSG:4326) with ``id``.
    metric_crs : str
        Projected system in which distances are measured, in metres.

    Attributes
    ----------
    ids : object array of str
        Ids of the reaches, sorted; of reaches that are equally near the lowest is meant.

    Raises
    ------
    BoundaryError
        There is no water.
    """

    def __init__(self, water: GeoDataFrame, *, metric_crs: str) -> None:
        if water.empty:
            raise BoundaryError("water map: no reach in it. Add [[water]] to the city file")
        reaches = water.sort_values("id", kind="stable")
        self.ids = reaches["id"].to_numpy(dtype=object)
        self._crs = metric_crs
        shapes = shapely.force_2d(reaches.geometry.to_crs(metric_crs).to_numpy())
        self._start, self._end, self._reach = _segments(shapes)
        self._tree = shapely.STRtree(np.asarray(shapely.linestrings(np.stack([self._start, self._end], axis=1)), dtype=object))
        ground, self._ground_reach = _polygons(shapes)
        self._ground = LabelRaster(ground, Grid.over(tuple(shapely.total_bounds(ground)), 1024)) if ground.size else None
        self._bounds = shapely.total_bounds(shapes)

    def nearest(
        self, lon_deg: npt.ArrayLike, lat_deg: npt.ArrayLike, *, max_m: float = MAX_M
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
        """Find the nearest reach of each point.

        Parameters
        ----------
        lon_deg, lat_deg : array_like of float, shape (n,)
            WGS84, degrees; NaN is near nothing.
        max_m : float, default 2000
            Largest distance, metres.

        Returns
        -------
        reach : int32 array, shape (n,)
            Position in `ids`, -1 where no reach is within `max_m`.
        distance_m : float array, shape (n,)
            Distance; 0 on a lake, NaN where there is no reach.
        """
        from pyproj import Transformer

        lon, lat = (np.atleast_1d(np.asarray(one, dtype=np.float64)) for one in (lon_deg, lat_deg))
        x, y = (np.asarray(one) for one in Transformer.from_crs("EPSG:4326", self._crs, always_xy=True).transform(lon, lat))
        reach, distance = np.full(lon.size, -1, dtype=np.int32), np.full(lon.size, np.nan)
        # Cells about as many as points keep a small question cheap; beyond 256 a side they no longer pay.
        grid = _Candidates(self._tree, self._bounds, max_m, size=int(np.clip(np.sqrt(lon.size / 4), 8, _CELLS_N)))
        for rows, segment, pairs_n in grid.pairs(x, y):
            squared = _squared_distance(x[rows].repeat(pairs_n), y[rows].repeat(pairs_n), self._start[segment], self._end[segment])
            starts = np.cumsum(pairs_n) - pairs_n
            least = np.minimum.reduceat(squared, starts)
            # Segments are in order of reach, so the first of the least is the lowest reach.
            hits = np.flatnonzero(squared == least.repeat(pairs_n))
            first = hits[np.searchsorted(hits, starts)]
            near = least <= max_m**2
            reach[rows[near]], distance[rows[near]] = self._reach[segment[first[near]]], np.sqrt(least[near])
        if self._ground is not None:
            on = self._ground.codes(x, y)
            wet = on >= 0
            reach[wet], distance[wet] = self._ground_reach[on[wet]], 0.0
        return reach, distance


class _Candidates:
    """A coarse raster whose cells know every segment that may be the nearest of a point in them.

    The segment nearest to any point of a cell is no further from the cell's middle than the middle's own nearest one and twice the
    cell's half diagonal: the triangle inequality, used once each way.
    """

    def __init__(self, tree: Any, bounds: FloatArray, max_m: float, *, size: int) -> None:
        west, south, east, north = (float(one) for one in bounds)
        self._tree, self._max_m = tree, max_m
        self._grid = Grid.over((west - max_m, south - max_m, east + max_m, north + max_m), size)

    def pairs(self, x: FloatArray, y: FloatArray) -> Iterator[tuple[Rows, Rows, Rows]]:
        """Yield runs of points: their rows, the segments to measure (one after the other), and how many each point has."""
        at = self._grid.place(x, y)
        first, count, segments = self._segments(at)
        rows = np.flatnonzero(count[at] * (at >= 0))
        ends = np.cumsum(count[at[rows]])
        start = 0
        while start < rows.size:
            done = ends[start - 1] if start else 0
            stop = max(int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, side="right")), start + 1)
            run = rows[start:stop]
            pairs_n = count[at[run]]
            within = np.arange(pairs_n.sum()) - (np.cumsum(pairs_n) - pairs_n).repeat(pairs_n)
            yield run, segments[first[at[run]].repeat(pairs_n) + within], pairs_n
            start = stop

    def _segments(self, at: Rows) -> tuple[Rows, Rows, Rows]:
        """Of each cell: where its segments begin, and how many there are; and the segments, cell by cell, in order."""
        size = self._grid.size
        used = np.flatnonzero(np.bincount(at[at >= 0], minlength=size * size))
        row, column = np.divmod(used, size)
        middle_x = self._grid.west + (column + 0.5) * self._grid.step_x
        middle_y = self._grid.south + (row + 0.5) * self._grid.step_y
        middle = np.asarray(shapely.points(middle_x, middle_y), dtype=object)
        half = float(np.hypot(self._grid.step_x, self._grid.step_y)) / 2
        found, distance = self._tree.query_nearest(middle, max_distance=self._max_m + half, all_matches=False, return_distance=True)
        cell, segment = self._tree.query(middle[found[0]], predicate="dwithin", distance=distance + 2 * half + 1e-6)
        order = np.lexsort((segment, cell))
        count, first = np.zeros(size * size, dtype=np.int64), np.zeros(size * size, dtype=np.int64)
        count[used[found[0]]] = np.bincount(cell, minlength=found.shape[1])
        first[used[found[0]]] = np.cumsum(count[used[found[0]]]) - count[used[found[0]]]
        return first, count, segment[order]


def _segments(shapes: npt.NDArray[np.object_]) -> tuple[FloatArray, FloatArray, npt.NDArray[np.int32]]:
    """Take lines and the rims of polygons apart into straight segments: start, end, position of the shape."""
    parts, shape = _parts(shapes)
    area = shapely.get_dimensions(parts) == 2
    rings, ring_of = shapely.get_rings(parts[area], return_index=True)
    lines = np.concatenate([parts[shapely.get_dimensions(parts) == 1], rings])
    of = np.concatenate([shape[shapely.get_dimensions(parts) == 1], shape[area][ring_of]])
    xy, line = shapely.get_coordinates(lines, return_index=True)
    same = line[1:] == line[:-1]
    start, end, reach = xy[:-1][same], xy[1:][same], of[line[:-1][same]]
    order = np.argsort(reach, kind="stable")
    return start[order], end[order], reach[order].astype(np.int32)


def _polygons(shapes: npt.NDArray[np.object_]) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.int32]]:
    parts, shape = _parts(shapes)
    area = shapely.get_dimensions(parts) == 2
    return parts[area], shape[area].astype(np.int32)


def _parts(shapes: npt.NDArray[np.object_]) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.int64]]:
    """Take collections apart, also nested ones."""
    parts, shape = shapely.get_parts(shapes, return_index=True)
    while (shapely.get_num_geometries(parts) != 1).any() or (shapely.get_type_id(parts) > 3).any():
        parts, of = shapely.get_parts(parts, return_index=True)
        shape = shape[of]
    return parts, shape


def _squared_distance(x: FloatArray, y: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """Square the distance of each point to its segment; the ends are taken as they are, so that touching segments tie exactly."""
    along = end - start
    length = (along**2).sum(axis=1)
    share = ((x - start[:, 0]) * along[:, 0] + (y - start[:, 1]) * along[:, 1]) / np.where(length > 0, length, 1.0)
    share = np.clip(share, 0.0, 1.0)
    foot = np.where((share == 1.0)[:, None], end, start + share[:, None] * along)
    squared: FloatArray = (x - foot[:, 0]) ** 2 + (y - foot[:, 1]) ** 2
    return squared
