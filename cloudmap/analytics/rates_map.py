"""Rates of a map that small places can bear: raw, shrunk, and with the posterior of each place's ratio to the city."""

from __future__ import annotations

import numpy as np
import polars as pl

from cloudmap.analytics.panel import HasPanel, spread_out
from cloudmap.analytics.periods import Period
from cloudmap.analytics.rates import eb_local, eb_marshall, poisson_gamma
from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError

SURE = 0.8
"""Probability of a ratio above 2 from which a place is said to be above it."""


def rates(cube: HasPanel, period: Period) -> Result:
    """Estimate the rate of each place of a map.

    Parameters
    ----------
    cube : HasPanel
        A panel, or a cube that makes one; with an exposure.
    period : Period
        Weeks to count.

    Returns
    -------
    Result
        One row a place: place, n, exposure, rate (n per unit of exposure), eb (shrunk to the map's rate), eb_local (shrunk to the rate of
        the place's neighbourhood; null for a place without neighbours), value and ratio (posterior mean of the ratio to the city's rate),
        lower, upper (95%), p_above_2, class (above_2 from a probability of 0.8 on | ordinary | not_enough_data: no exposure).

    Raises
    ------
    AnalysisError
        No exposure is declared, a period outside the data, or no matter in it.

    References
    ----------
    Marshall (1991), doi:10.2307/2347593; Clayton and Kaldor (1987), doi:10.2307/2532003.
    """
    panel = cube.panel()
    if panel.exposure is None:
        raise AnalysisError(
            "rates need an exposure, and the city declares none; set [exposure] in city.toml, or ask for counts", code="no_exposure"
        )
    n, exposure = panel.total(period), panel.exposure
    known = exposure > 0
    if not n[known].any():
        raise AnalysisError(f"no matter lies where there is exposure in {period.id}; choose another period or category", code="empty")
    y, e = n[known], exposure[known]
    posterior = poisson_gamma(y, e * (y.sum() / e.sum()))
    weights = panel.weights[known][:, known]
    linked = np.asarray(weights.sum(axis=1)).ravel() > 0
    nearby = np.full(y.size, np.nan)
    if linked.any():
        nearby[linked] = eb_local(y[linked], e[linked], weights[linked][:, linked])
    found = {
        "rate": y / e,
        "eb": eb_marshall(y, e),
        "eb_local": nearby,
        "value": posterior.mean,
        "ratio": posterior.mean,
        "lower": posterior.lower,
        "upper": posterior.upper,
        "p_above_2": posterior.p_above_2,
    }
    table = pl.DataFrame({"place": list(panel.places), "n": n, "exposure": exposure}).with_columns(
        pl.Series(name, spread_out(values, known)).fill_nan(None) for name, values in found.items()
    )
    verdict = (
        pl.when(pl.col("p_above_2").is_null())
        .then(pl.lit("not_enough_data"))
        .when(pl.col("p_above_2") >= SURE)
        .then(pl.lit("above_2"))
        .otherwise(pl.lit("ordinary"))
    )
    return Result(
        "empirical Bayes and Poisson-gamma rates",
        {"layer": panel.layer, "category": panel.category, "period": period.id, "alpha": posterior.alpha, "beta": posterior.beta},
        table.with_columns(verdict.alias("class")),
        f"{panel.exposure_kind}; {int(known.sum())} of {known.size} places have any",
        ("where_reports_are",),
    )
