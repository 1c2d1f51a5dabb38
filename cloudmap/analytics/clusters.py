"""Clusters of single reports in space and time, and a smooth picture of their density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numba
import numpy as np
import numpy.typing as npt
from scipy import special

from cloudmap.analytics.suitable import suitable_limit, suitable_points, suitable_values
from cloudmap.analytics.threads import over_rows
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MOST_PAIRS = 200_000_000
"""Pairs of neighbours held at once: sixteen bytes each while they are found."""


def st_dbscan(xy_m: npt.ArrayLike, t_days: npt.ArrayLike, *, eps_m: float, eps_days: float, min_n: int) -> Ints:
    """Group reports that are dense in space and in time.

    Parameters
    ----------
    xy_m : array_like of shape (n, 2)
        Projected coordinates, metres.
    t_days : array_like of shape (n,)
        Times, days.
    eps_m, eps_days : float
        Two reports are neighbours when they are at most this far apart in both.
    min_n : int
        Neighbours, itself included, that make a report the core of a cluster.

    Returns
    -------
    ndarray of shape (n,), int64
        Number of the cluster, from 0 in the order of the reports; -1 for reports in none.

    Raises
    ------
    AnalysisError
        Missing coordinates or times, limits that are not positive, or so wide that nearly all pairs are neighbours.

    References
    ----------
    Birant and Kut (2007), doi:10.1016/j.datak.2006.01.013; Ester et al. (1996), the DBSCAN of scikit-learn.

    Examples
    --------
    >>> xy_m = [[0, 0], [10, 0], [20, 0], [0, 10], [900, 900]]
    >>> st_dbscan(xy_m, [0, 1, 2, 90, 1], eps_m=50, eps_days=7, min_n=3).tolist()
    [0, 0, 0, -1, -1]
    """
    from scipy.sparse import coo_array
    from scipy.spatial import cKDTree
    from sklearn.cluster import DBSCAN

    points = suitable_points(xy_m, what="report")
    times = suitable_values(t_days, what="time", least=1, negative=True)
    if times.size != points.shape[0]:
        raise AnalysisError(f"{times.size} times for {points.shape[0]} reports; give one time a report")
    if min_n < 1:
        raise AnalysisError(f"min_n = {min_n} must be at least 1")
    # Both limits become 1, so that one search in three dimensions finds neither too many pairs in space nor too many in time.
    scaled = np.column_stack([points / suitable_limit(eps_m, "eps_m"), times / suitable_limit(eps_days, "eps_days")])
    tree = cKDTree(scaled)
    if tree.count_neighbors(tree, 1.0, p=np.inf) > _MOST_PAIRS:
        raise AnalysisError(f"eps_m = {eps_m} and eps_days = {eps_days} make nearly all reports neighbours; lower them")
    pairs = tree.query_pairs(1.0 + 1e-9, p=np.inf, output_type="ndarray")
    first, second = pairs.T
    near = (np.hypot(*(points[first] - points[second]).T) <= eps_m) & (np.abs(times[first] - times[second]) <= eps_days)
    first, second = first[near], second[near]
    n = points.shape[0]
    ends = (np.concatenate([first, second, np.arange(n)]), np.concatenate([second, first, np.arange(n)]))
    graph = coo_array((np.full(ends[0].size, 0.5), ends), shape=(n, n)).tocsr()
    labels: Ints = DBSCAN(eps=1.0, min_samples=min_n, metric="precomputed").fit(graph).labels_.astype(np.int64)
    return labels


def kde(
    xy_m: npt.ArrayLike,
    at_m: npt.ArrayLike,
    *,
    bandwidth_m: float,
    window: Sequence[float] | None = None,
    correct: Literal["at", "data"] = "at",
) -> Floats:
    """Estimate the density of reports: a picture, not a test.

    Parameters
    ----------
    xy_m : array_like of shape (n, 2)
        Reports, metres.
    at_m : array_like of shape (m, 2)
        Where the density is wanted, metres.
    bandwidth_m : float
        Standard deviation of the Gaussian kernel, metres.
    window : (west, south, east, north), optional
        Rectangle that holds all reports; the kernel's mass outside is then made up for.
    correct : {"at", "data"}, default "at"
        Divide by the kernel's mass in the window about the place asked for, or about each report (Diggle; integrates to 1).

    Returns
    -------
    ndarray of shape (m,), float64
        Density per square metre, of one report; times n gives reports per square metre.

    Raises
    ------
    AnalysisError
        Missing coordinates, a bandwidth that is not positive, a window without area, or reports outside it.

    References
    ----------
    Silverman (1986), Density Estimation, Chapman and Hall; Diggle (1985), doi:10.2307/2347366.

    Examples
    --------
    >>> kde([[0, 0], [100, 0]], [[0, 0], [50, 0]], bandwidth_m=50).round(8).tolist()
    [3.614e-05, 3.861e-05]
    """
    points, targets = suitable_points(xy_m, what="report"), suitable_points(at_m)
    bandwidth = suitable_limit(bandwidth_m, "bandwidth_m")
    weight, mass = np.ones(points.shape[0]), np.ones(targets.shape[0])
    if correct not in ("at", "data"):
        raise AnalysisError(f"correct = {correct!r} is unknown; use 'at' or 'data'")
    if window is not None:
        west, south, east, north = window
        if not (west < east and south < north):
            raise AnalysisError(f"window {tuple(window)} has no area; give west, south, east, north in metres")
        outside = (points < (west, south)).any(axis=1) | (points > (east, north)).any(axis=1)
        if outside.any():
            raise AnalysisError(f"{int(outside.sum())} report(s) lie outside the window {tuple(window)}; widen it or leave them out")
        if correct == "data":
            weight = 1 / _mass_inside(points, (west, south, east, north), bandwidth)
        else:
            mass = _mass_inside(targets, (west, south, east, north), bandwidth)
    density = np.empty(targets.shape[0])
    over_rows(lambda rows: _kernel_sums(points, weight, targets[rows], bandwidth, density[rows]), targets.shape[0])
    scaled: Floats = density / (points.shape[0] * 2 * np.pi * bandwidth**2 * mass)
    return scaled


def _mass_inside(points: Floats, window: tuple[float, float, float, float], bandwidth: float) -> Floats:
    west, south, east, north = window
    across = special.ndtr((east - points[:, 0]) / bandwidth) - special.ndtr((west - points[:, 0]) / bandwidth)
    along = special.ndtr((north - points[:, 1]) / bandwidth) - special.ndtr((south - points[:, 1]) / bandwidth)
    mass: Floats = across * along
    return mass


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _kernel_sums(points: Floats, weight: Floats, targets: Floats, bandwidth: float, result: Floats) -> None:
    factor = -0.5 / bandwidth**2
    for target in range(targets.shape[0]):
        total = 0.0
        for point in range(points.shape[0]):
            across, along = points[point, 0] - targets[target, 0], points[point, 1] - targets[target, 1]
            total += weight[point] * np.exp(factor * (across * across + along * along))
        result[target] = total
