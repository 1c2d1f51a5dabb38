"""Matters beside water: per kilometre of each reach, and by distance to the nearest water."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from cloudmap.analytics.conditional import share_interval
from cloudmap.analytics.exposure import MINIMUM_EXPECTED
from cloudmap.analytics.hotspots import gi_nb_p
from cloudmap.analytics.inference import fdr_of_tested
from cloudmap.analytics.negative_binomial import fit_rate_and_size
from cloudmap.analytics.rates import poisson_interval
from cloudmap.analytics.result import Result
from cloudmap.analytics.suitable import suitable_exposure, suitable_values
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from cloudmap.analytics.suitable import Weights

Floats = npt.NDArray[np.float64]

LEAST_REACHES: Final = 8
"""With fewer reaches that have an expected count, how much reaches differ by nature cannot be told."""

ALL_KINDS: Final = "ALL"


def by_reach(counts: pl.DataFrame, *, weights: Weights | None = None, threshold: float = 0.05) -> Result:
    """Compare the matters within 100 m of each reach with the city's own rate per kilometre of water.

    Parameters
    ----------
    counts : polars.DataFrame
        One row a reach: place (id), name, kind, n (matters within 100 m, 0 where none), length_m (of the reach, or of the shore).
    weights : scipy CSR of shape (n, n), optional
        Reaches up- and downstream, in the order of the rows (`geo.weights.water_network`). With them the verdict is on a reach together
        with those, and neighbourhood_n tells their sum.
    threshold : float, default 0.05
        On q.

    Returns
    -------
    Result
        place, name, kind, length_m, n, per_km, lower, upper (95% interval of the rate per km, exact Poisson), expected, ratio (to the
        city's rate; null where fewer than one matter is expected), neighbourhood_n, p, q, value (= per_km), class (high | ordinary |
        not_enough_data).

    Raises
    ------
    AnalysisError
        A column is missing, a reach is given twice, lengths that are not above 0, counts that are not whole, no reach.

    Notes
    -----
    Reaches differ by nature: more people live along one than along another. Their counts are taken as negative binomial about the city's
    rate x length, with one dispersion fitted by maximum likelihood, and a reach is high where it stands out from that, one-sided,
    Benjamini-Hochberg over the reaches judged. The interval of a rate is about counts alone.

    References
    ----------
    Garwood (1936), doi:10.2307/2333958 (the interval); Lawless (1987), doi:10.2307/3314912 (the fit).
    """
    _require(counts, ("place", "name", "kind", "n", "length_m"))
    if counts.is_empty():
        raise AnalysisError("no reach to compare; add [[water]] to the city file", code="no_water")
    if counts["place"].n_unique() < counts.height:
        raise AnalysisError("a reach is given twice; sum its counts first")
    n = _whole(counts["n"].to_numpy())
    km = suitable_exposure(counts["length_m"].to_numpy(), n.size, what="length") / 1000
    rate = float(n.sum() / km.sum())
    expected = rate * km
    enough = expected >= MINIMUM_EXPECTED
    p = np.full(n.size, np.nan)
    caveats = ["near_water_no_exposure"]
    if int(enough.sum()) >= LEAST_REACHES:
        p[enough] = _tail(n[enough], km[enough]) if weights is None else gi_nb_p(n, km, weights)[enough]
    else:
        caveats.append("too_few_reaches")
    q = fdr_of_tested(p)
    lower, upper = poisson_interval(n)
    around = n if weights is None else n + np.asarray(weights.astype(np.bool_).astype(np.int64) @ n)
    table = counts.select("place", "name", "kind", "length_m", pl.col("n").cast(pl.Int64)).with_columns(
        pl.Series("per_km", n / km),
        pl.Series("lower", lower / km),
        pl.Series("upper", upper / km),
        pl.Series("expected", expected),
        pl.Series("ratio", np.where(enough, n / np.where(enough, expected, 1.0), np.nan)),
        pl.Series("neighbourhood_n", around),
        pl.Series("p", p),
        pl.Series("q", q),
        pl.Series("value", n / km),
    )
    verdict = pl.when(pl.col("q") <= threshold).then(pl.lit("high")).otherwise(pl.lit("ordinary"))
    judged = int(np.isfinite(p).sum())
    return Result(
        method="near water",
        parameters={"threshold": threshold, "per_km_city": rate, "tests_n": judged, "network": weights is not None},
        table=table.with_columns(pl.col("ratio", "p", "q").fill_nan(None)).with_columns(
            pl.when(pl.col("q").is_null()).then(pl.lit("not_enough_data")).otherwise(verdict).alias("class")
        ),
        denominator=f"matters within 100 m of {n.size} reaches, {km.sum():.1f} km, {rate:.2f} per km; {judged} reaches judged together",
        caveats=tuple(caveats),
    )


def by_band(distances: pl.DataFrame, areas: pl.DataFrame, *, located_n: int | None = None) -> Result:
    """Compare the density of matters at each distance from water with that of the rest of the city.

    Parameters
    ----------
    distances : polars.DataFrame
        One row a located matter: distance_m to the nearest water and its kind; null where that is further than the last band.
    areas : polars.DataFrame
        As `geo.bands.band_areas` gives it, bands of which each holds its upper end.
    located_n : int, optional
        Located matters of the whole city, where `distances` leaves out those far from water.

    Returns
    -------
    Result
        One row a kind of water ("ALL" first) and band: kind, band_from_m, band_to_m (null: beyond), area_m2, n, per_km2, ratio (density
        over that of all the city's ground outside this band), lower, upper (95%, of the ratio; null where there is no bound).

    Raises
    ------
    AnalysisError
        A column is missing, fewer located matters than rows, no located matter at all, or bands that do not add up to any ground.

    Notes
    -----
    Given the city's total, a band's count is binomial; its exact interval is turned into one of the ratio of densities. Matters come in
    clusters, which this does not know: the true interval is wider.

    References
    ----------
    Clopper and Pearson (1934), doi:10.1093/biomet/26.4.404.
    """
    _require(distances, ("distance_m", "kind"))
    _require(areas, ("kind", "band_from_m", "band_to_m", "area_m2"))
    total = distances.height if located_n is None else located_n
    city_m2 = float(areas.filter(pl.col("kind") == ALL_KINDS)["area_m2"].sum())
    if total < distances.height or total < 1 or not city_m2 > 0:
        raise AnalysisError(
            f"{total} located matters of which {distances.height} have a row, on {city_m2:.0f} m2 of ground: give every located matter, "
            "and areas from geo.bands.band_areas"
        )
    table = areas.with_columns(
        pl.Series(
            "n", [_within(distances, total, *row) for row in areas.select("kind", "band_from_m", "band_to_m").iter_rows()], dtype=pl.Int64
        )
    )
    n, area = table["n"].to_numpy(), table["area_m2"].to_numpy()
    share = area / city_m2
    usable = (area > 0) & (share < 1)
    odds = np.where(usable, share / np.where(usable, 1 - share, 1.0), np.nan)
    low, high = share_interval(n, np.full(n.size, total), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, lower, upper = (one / (1 - one) / odds for one in (n / total, low, high))
        per_km2 = np.where(area > 0, n / area * 1e6, np.nan)
    found = {"per_km2": per_km2, "ratio": ratio, "lower": lower, "upper": upper}
    columns = [pl.Series(name, np.where(np.isfinite(values), values, np.nan)) for name, values in found.items()]
    return Result(
        method="distance to water",
        parameters={"located_n": total, "city_m2": city_m2},
        table=table.with_columns(columns).with_columns(pl.col(list(found)).fill_nan(None)),
        denominator=f"{total} located matters on {city_m2 / 1e6:.1f} km2",
        caveats=("near_water_no_exposure", "bands_ignore_clusters"),
    )


def _within(distances: pl.DataFrame, total: int, kind: str, low: float, high: float | None) -> int:
    """Count the matters of one row of the bands."""
    if high is None:
        return total - distances.filter(pl.col("distance_m") <= low).height
    above = pl.col("distance_m") >= 0 if low == 0 else pl.col("distance_m") > low
    inside = distances.filter(above & (pl.col("distance_m") <= high))
    return inside.height if kind == ALL_KINDS else inside.filter(pl.col("kind") == kind).height


def _whole(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    values = suitable_values(counts, what="count", least=1)
    if not np.array_equal(values, np.rint(values)):
        raise AnalysisError("rates per km need whole counts; use counts of matters")
    return values.astype(np.int64)


def _tail(n: npt.NDArray[np.int64], km: Floats) -> Floats:
    """P that a reach of this length has at least n matters, reaches differing as much as they do."""
    if not n.any():
        return np.ones(n.size)
    fit = fit_rate_and_size(n, km)
    return np.asarray(stats.nbinom.sf(n - 1, fit.size, fit.size / (fit.size + fit.rate * km)), dtype=np.float64)


def _require(frame: pl.DataFrame, names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise AnalysisError(f"columns {', '.join(missing)} are missing; there are {', '.join(frame.columns)}")
