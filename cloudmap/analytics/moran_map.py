"""Likeness of neighbours on a map: local Moran of each place, with Moran's I and the general G of the whole."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy import stats

from cloudmap.analytics.inference import fdr_of_tested
from cloudmap.analytics.moran import general_g, global_moran, local_moran
from cloudmap.analytics.panel import HasPanel, spread_out
from cloudmap.analytics.periods import Period
from cloudmap.analytics.rates import eb_deviates
from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError


def moran(cube: HasPanel, period: Period, *, threshold: float = 0.05) -> Result:
    """Describe where places are like, or unlike, their neighbours.

    Parameters
    ----------
    cube : HasPanel
        A panel, or a cube that makes one.
    period : Period
        Weeks to count.
    threshold : float, default 0.05
        On q.

    Returns
    -------
    Result
        One row a place: place, n, value (local Moran), expected, z, p (two-sided, normal), q, class (high_high, low_low, high_low,
        low_high, not_significant; not_enough_data for a place without neighbours or exposure). parameters: moran and general_g of the
        whole map with their z and p.

    Raises
    ------
    AnalysisError
        Fewer than four places can be compared, all values are equal, or a period outside the data.

    Notes
    -----
    Compared are counts; with an exposure, rates standardised by their own variance (Assuncao and Reis). The normal p is far off on sparse
    counts: decisions go by `hotspots_map.hotspots`, this describes.

    References
    ----------
    Anselin (1995), doi:10.1111/j.1538-4632.1995.tb00338.x; Assuncao and Reis (1999),
    doi:10.1002/(SICI)1097-0258(19990830)18:16<2147::AID-SIM179>3.0.CO;2-I.
    """
    panel = cube.panel()
    n = panel.total(period)
    usable = np.ones(n.size, dtype=np.bool_) if panel.exposure is None else panel.exposure > 0
    degree = np.asarray(panel.weights[:, usable].sum(axis=1)).ravel()
    usable &= degree > 0
    if usable.sum() < 4:
        raise AnalysisError(
            f"local Moran of {panel.layer}: {int(usable.sum())} places have neighbours; it takes at least four", code="few_places"
        )
    weights = panel.weights[usable][:, usable]
    y = n[usable].astype(np.float64)
    compared = y if panel.exposure is None else eb_deviates(y, panel.exposure[usable])
    local = local_moran(compared, weights)
    whole, gathered = global_moran(compared, weights), general_g(y, weights)
    p = np.full(n.size, np.nan)
    p[usable] = 2 * stats.norm.sf(np.abs(local.z))
    q = fdr_of_tested(p)
    high = compared > compared.mean()
    around = np.asarray(weights @ compared).ravel() / np.asarray(weights.sum(axis=1)).ravel() > compared.mean()
    pattern = np.where(high, np.where(around, "high_high", "high_low"), np.where(around, "low_high", "low_low"))
    verdict = np.full(n.size, "not_enough_data", dtype="<U16")
    verdict[usable] = np.where(q[usable] <= threshold, pattern, "not_significant")
    columns = {"value": local.i, "expected": local.expected, "z": local.z}
    table = pl.DataFrame({"place": list(panel.places), "n": n}).with_columns(
        *(pl.Series(name, spread_out(values, usable)).fill_nan(None) for name, values in columns.items()),
        pl.Series("p", p).fill_nan(None),
        pl.Series("q", q).fill_nan(None),
        pl.Series("class", verdict),
    )
    told = {
        f"{name}_{field}": getattr(one, field) for name, one in (("moran", whole), ("general_g", gathered)) for field in ("value", "z", "p")
    }
    given = {"layer": panel.layer, "category": panel.category, "period": period.id, "threshold": threshold, **told}
    family = f"{int(usable.sum())} places tested together"
    return Result("local Moran, two-sided, Benjamini-Hochberg", given, table, family, ("moran_describes", "where_reports_are"))
