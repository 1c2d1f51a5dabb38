"""What rates and expected counts stand on: population or all-category reports, per place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cloudmap.analytics.rates import poisson_interval
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    import geopandas as gpd

MINIMUM_EXPECTED = 1.0
"""Below this expected count a ratio says nothing: one report more or less would move it by a factor."""


def spread_population(source: gpd.GeoDataFrame, target: gpd.GeoDataFrame, *, metric_crs: str) -> pl.DataFrame:
    """Spread the population of units over other places in proportion to shared area.

    Parameters
    ----------
    source : GeoDataFrame
        Units with `population_n`; EPSG:4326.
    target : GeoDataFrame
        Places with `place`; EPSG:4326.
    metric_crs : str
        Projected system in which areas are measured.

    Returns
    -------
    polars.DataFrame
        place (String), exposure (Float64): persons; 0 where no populated unit is.

    Raises
    ------
    AnalysisError
        A population is negative.

    Notes
    -----
    Areal weighting, which takes a unit's people to live evenly on its ground (Goodchild and Lam 1980, Geo-Processing 1: 297-312).
    """
    import shapely

    people = source["population_n"].to_numpy(dtype=float)
    people = np.where(np.isnan(people), 0.0, people)
    if (people < 0).any():
        raise AnalysisError("population below zero in the base map; correct the population column")
    ground = source.geometry.to_crs(metric_crs).to_numpy()
    places = target.geometry.to_crs(metric_crs).to_numpy()
    tree = shapely.STRtree(ground)
    place_index, unit_index = tree.query(places, predicate="intersects")
    shared = shapely.area(shapely.intersection(places[place_index], ground[unit_index]))
    share = shared / shapely.area(ground)[unit_index]
    exposure = np.bincount(place_index, weights=people[unit_index] * share, minlength=len(places))
    return pl.DataFrame({"place": target["place"].astype(str).to_list(), "exposure": exposure}).sort("place")


def ratio_to_expected(counts: pl.DataFrame, exposure: pl.DataFrame) -> pl.DataFrame:
    """Compare counts with what the city's own rate would give.

    Parameters
    ----------
    counts : polars.DataFrame
        place, n.
    exposure : polars.DataFrame
        place, exposure; its places are the ones compared.

    Returns
    -------
    polars.DataFrame
        place, n, exposure, expected, value: n / expected, lower and upper (its exact 95% Poisson interval); the last three are null where
        the expected count is below `MINIMUM_EXPECTED`.

    Notes
    -----
    Indirect standardisation: expected_i = exposure_i * sum(n) / sum(exposure), which the interval takes as known.

    References
    ----------
    Garwood (1936), doi:10.2307/2333958.
    """
    joined = exposure.join(counts.select("place", "n"), on="place", how="left").with_columns(pl.col("n").fill_null(0))
    total = float(joined["exposure"].sum())
    rate = float(joined.filter(pl.col("exposure") > 0)["n"].sum()) / total if total > 0 else 0.0
    lower, upper = poisson_interval(joined["n"].to_numpy())
    joined = joined.with_columns(expected=pl.col("exposure") * rate, value=pl.col("n"), lower=pl.Series(lower), upper=pl.Series(upper))
    enough = pl.col("expected") >= MINIMUM_EXPECTED
    return joined.with_columns(pl.when(enough).then(pl.col(name) / pl.col("expected")).alias(name) for name in ("value", "lower", "upper"))
