"""Clusters of single matters in space and time, and the smooth density of matters over a map: pictures, not tests."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from cloudmap.analytics.clusters import kde, st_dbscan
from cloudmap.analytics.panel import HasPanel
from cloudmap.analytics.periods import Period
from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError

MOST = 50_000
"""Matters that are clustered at most, the newest; MOST_DENSE for a density, whose cost is matters times places."""
MOST_DENSE = 20_000
_EPOCH = date(1970, 1, 1)


def report_clusters(points: pl.DataFrame, *, eps_m: float = 150, eps_days: float = 3, min_n: int = 5) -> Result:
    """Group matters that are dense in space and in time (ST-DBSCAN).

    Parameters
    ----------
    points : polars.DataFrame
        x_m, y_m (projected, metres), t_days (days since 1970-01-01): one row a matter.
    eps_m, eps_days : float
        How near two matters must be.
    min_n : int, default 5
        Matters so near to one another that make a cluster; also the smallest count told.

    Returns
    -------
    Result
        One row a cluster, the largest first: cluster_n, n, x_m, y_m (its middle), radius_m (of the matter furthest from there), first_on,
        last_on (UTC days).

    Raises
    ------
    AnalysisError
        No matter has a point of its own, or limits that are not above zero.

    References
    ----------
    Birant and Kut (2007), doi:10.1016/j.datak.2006.01.013.
    """
    rows = _newest(points, MOST)
    label = st_dbscan(rows.select("x_m", "y_m").to_numpy(), rows["t_days"].to_numpy(), eps_m=eps_m, eps_days=eps_days, min_n=min_n)
    named = rows.with_columns(pl.Series("label", label)).filter(pl.col("label") >= 0)
    middle = named.with_columns(mx=pl.col("x_m").mean().over("label"), my=pl.col("y_m").mean().over("label"))
    away = ((pl.col("x_m") - pl.col("mx")) ** 2 + (pl.col("y_m") - pl.col("my")) ** 2).sqrt()
    table = (
        middle.group_by("label")
        .agg(
            pl.len().cast(pl.Int64).alias("n"),
            pl.col("mx").first().alias("x_m"),
            pl.col("my").first().alias("y_m"),
            away.max().alias("radius_m"),
            pl.col("t_days").min().alias("first"),
            pl.col("t_days").max().alias("last"),
        )
        .filter(pl.col("n") >= min_n)
        .sort(["n", "label"], descending=[True, False])
    )
    days = {name: [_EPOCH + timedelta(days=int(day)) for day in table[name]] for name in ("first", "last")}
    table = table.select(
        pl.Series("cluster_n", np.arange(1, table.height + 1)), "n", "x_m", "y_m", "radius_m",
        pl.Series("first_on", days["first"], dtype=pl.Date), pl.Series("last_on", days["last"], dtype=pl.Date),
    )  # fmt: skip
    given = {"eps_m": eps_m, "eps_days": eps_days, "min_n": min_n, "matters_n": points.height, "sampled_n": rows.height}
    return Result("ST-DBSCAN", given, table, f"{rows.height} matters", ("clusters_are_no_test",))


def density(cube: HasPanel, period: Period, points: pl.DataFrame, *, bandwidth_m: float = 500) -> Result:
    """Smooth matters over the places of a map.

    Parameters
    ----------
    cube : HasPanel
        A panel, or a cube that makes one: whose places are coloured.
    period : Period
        That the matters are of.
    points : polars.DataFrame
        As for `report_clusters`.
    bandwidth_m : float, default 500
        Of the Gaussian kernel.

    Returns
    -------
    Result
        One row a place: place, n, value (matters per square kilometre at the place's middle).

    Raises
    ------
    AnalysisError
        No matter has a point of its own.
    """
    panel, rows = cube.panel(), _newest(points, MOST_DENSE)
    at = kde(rows.select("x_m", "y_m").to_numpy(), panel.xy_m, bandwidth_m=bandwidth_m)
    # A density integrates to one; times the matters it is matters per square metre.
    table = pl.DataFrame({"place": list(panel.places), "n": panel.total(period), "value": at * points.height * 1e6})
    given = {"layer": panel.layer, "category": panel.category, "period": period.id, "bandwidth_m": bandwidth_m, "sampled_n": rows.height}
    return Result("kernel density", given, table, f"{points.height} matters", ("density_is_a_picture",))


def _newest(points: pl.DataFrame, most: int) -> pl.DataFrame:
    if points.is_empty():
        raise AnalysisError("no matter of this choice has a point of its own; choose another period or category", code="empty")
    return points.sort("t_days").tail(most)
