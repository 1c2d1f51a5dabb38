"""Who is whose neighbour: sparse 0/1 matrices over cells, units or points, for the statistics of a neighbourhood.

Every matrix is symmetric, has a zero diagonal and keeps the order of what was given. Whether a place counts as its own neighbour is the
statistic's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.errors import AnalysisError
from cloudmap.geo.cells import Cells, as_int64, resolution_of

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from scipy.sparse import csr_matrix


TOUCH_M = 1.0
"""Units of a base map that lie so close are taken to touch: their shared edge was drawn or rounded twice."""


def neighbours(cells: Cells, *, k: int = 1) -> csr_matrix:
    """Link each H3 cell to the cells within k rings.

    Parameters
    ----------
    cells : series, list or array, shape (n,)
        H3 cells of one resolution, each once, as int64 or hexadecimal strings.
    k : int, default 1
        Rings; one is about 314 m between centres at resolution 9.

    Returns
    -------
    scipy.sparse.csr_matrix of float, shape (n, n)
        1 where two cells are linked, in the order of `cells`.

    Raises
    ------
    AnalysisError
        Cells mix resolutions, are given twice or are no cells; or k is below 1.
    """
    import polars_h3

    if k < 1:
        raise AnalysisError(f"neighbours: k = {k}; it takes at least one ring")
    ids = as_int64(cells)
    if ids.null_count():
        raise AnalysisError(f"neighbours: {ids.null_count()} of {ids.len()} cells are null; leave out reports without a place first")
    resolution_of(ids)
    repeated = ids.filter(ids.is_duplicated())
    if repeated.len():
        raise AnalysisError(f"neighbours: cell {repeated[0]} is given {int((ids == repeated[0]).sum())} times; each cell counts once")
    known = ids.to_frame("cell").with_row_index("i")
    links = (
        known.lazy()
        .select("i", polars_h3.grid_disk("cell", k).alias("cell"))
        .explode("cell")
        .with_columns(pl.col("cell").cast(pl.Int64))
        .join(known.lazy().rename({"i": "j"}), on="cell")
        .filter(pl.col("i") != pl.col("j"))
        .select("i", "j")
        .collect()
    )
    return _binary(links["i"].to_numpy(), links["j"].to_numpy(), ids.len())


def contiguity(frame: GeoDataFrame, *, gap_m: float = 0.0) -> csr_matrix:
    """Link units that share an edge or a corner (queen contiguity).

    Parameters
    ----------
    frame : GeoDataFrame, n rows
        Polygons. Overlapping ones count as neighbours; a row without a shape has none.
    gap_m : float, default 0
        Metres that neighbours may lie apart, for base maps with slivers. Needs a projected CRS.

    Returns
    -------
    scipy.sparse.csr_matrix of float, shape (n, n)
        1 where two units are linked, in the order of the rows.

    Raises
    ------
    AnalysisError
        A gap is asked for and the frame's CRS is not in metres.
    """
    import shapely

    shapes = np.asarray(frame.geometry.array, dtype=object)
    if gap_m > 0:
        axis = None if frame.crs is None else frame.crs.axis_info[0].unit_name
        if axis != "metre":
            raise AnalysisError(
                f"contiguity: gap_m = {gap_m:g} but the units' CRS counts in {axis}; use frame.to_crs(city.city.metric_crs)"
            )
    tree = shapely.STRtree(shapes)
    pairs = tree.query(shapes, predicate="dwithin", distance=gap_m) if gap_m > 0 else tree.query(shapes, predicate="intersects")
    i, j = pairs[:, pairs[0] != pairs[1]]
    return _binary(i, j, len(shapes))


def distance_band(xy_m: npt.ArrayLike, distance_m: float) -> csr_matrix:
    """Link points at most a distance apart.

    Parameters
    ----------
    xy_m : array_like of float, shape (n, 2)
        Projected coordinates, metres.
    distance_m : float
        Largest distance of neighbours, metres; a point exactly that far is linked.

    Returns
    -------
    scipy.sparse.csr_matrix of float, shape (n, n)
        1 where two points are linked, in the order given.

    Raises
    ------
    AnalysisError
        The distance is not positive, or the coordinates are not finite pairs.
    """
    from scipy.spatial import cKDTree

    xy = np.asarray(xy_m, dtype=np.float64)
    if xy.ndim != 2 or xy.shape[1] != 2 or not np.isfinite(xy).all():
        raise AnalysisError(f"distance_band: coordinates of shape {xy.shape}; it takes finite pairs, shape (n, 2), in metres")
    if not distance_m > 0:
        raise AnalysisError(f"distance_band: distance_m = {distance_m}; it has to be above zero")
    pairs = cKDTree(xy).query_pairs(distance_m, output_type="ndarray")
    return _binary(np.concatenate([pairs[:, 0], pairs[:, 1]]), np.concatenate([pairs[:, 1], pairs[:, 0]]), len(xy))


def water_network(reaches: pl.DataFrame, *, k: int = 1) -> csr_matrix:
    """Link each reach of the water map to those that its water comes from or goes to.

    Parameters
    ----------
    reaches : polars.DataFrame, n rows
        place (id of the reach) and downstream (list of ids), as `Reader.reaches` and `geo.reaches.flow_table` give them.
    k : int, default 1
        Reaches up and down the flow that count as neighbours. Two tributaries of one reach are no neighbours: no water comes from one to
        the other.

    Returns
    -------
    scipy.sparse.csr_matrix of float, shape (n, n)
        1 where two reaches are linked, in the order of the rows. Standing water, and canals whose flow nobody drew, have no neighbours.

    Raises
    ------
    AnalysisError
        k is below 1; a reach is given twice; or one flows into a reach that is not given.

    Examples
    --------
    >>> import polars as pl
    >>> canals = pl.DataFrame({"place": ["a", "b", "c"], "downstream": [["b"], ["c"], []]})
    >>> water_network(canals).toarray().tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    if k < 1:
        raise AnalysisError(f"water_network: k = {k}; it takes at least one reach")
    repeated = reaches.filter(pl.col("place").is_duplicated())
    if repeated.height:
        raise AnalysisError(f"water_network: reach {repeated['place'][0]!r} is given twice; give each reach once")
    known = reaches.select("place").with_row_index("i")
    flows = known.with_columns(reaches["downstream"].alias("into")).explode("into").filter(pl.col("into").is_not_null())
    found = flows.join(known.select(into="place", j="i"), on="into", how="left")
    lost = found.filter(pl.col("j").is_null())
    if lost.height:
        raise AnalysisError(
            f"water_network: {lost['place'][0]!r} flows into {lost['into'][0]!r}, which is not given; give all reaches of the map, or none "
            "that flow out of it"
        )
    step = _binary(found["i"].to_numpy(), found["j"].to_numpy(), reaches.height)
    reached = farther = step
    for _ in range(k - 1):
        farther = farther @ step
        reached = reached + farther
    into = reached.tocoo()
    apart = into.row != into.col
    i, j = into.row[apart], into.col[apart]
    return _binary(np.concatenate([i, j]), np.concatenate([j, i]), reaches.height)


def _binary(i: npt.NDArray[np.integer], j: npt.NDArray[np.integer], n: int) -> csr_matrix:
    from scipy.sparse import csr_matrix

    matrix = csr_matrix((np.ones(len(i)), (i, j)), shape=(n, n))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    matrix.sort_indices()
    return matrix
