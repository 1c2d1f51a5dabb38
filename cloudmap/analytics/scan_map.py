"""Scan of a panel: where, and since when, there are more matters than the places' share of the city's own course leads to expect."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from cloudmap.analytics.circles import circles_within
from cloudmap.analytics.cylinders import Cluster, clusters_found, searched, spans, suitable_share
from cloudmap.analytics.panel import HasPanel, Panel
from cloudmap.analytics.periods import Period
from cloudmap.analytics.replicates import Search, replicate_maxima
from cloudmap.analytics.result import Result
from cloudmap.analytics.scan_baseline import (
    THRESHOLD,
    Baseline,
    Grounds,
    Kind,
    Model,
    Span,
    check,
    exposed,
    find_ground,
    find_noise,
    find_null,
    find_span,
    searched_periods,
)
from cloudmap.analytics.scan_null import Dispersion
from cloudmap.errors import AnalysisError

CLUSTERS_N = 10
"""Most clusters listed."""

_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "cluster_n": pl.Int64, "centre": pl.String, "x_m": pl.Float64, "y_m": pl.Float64, "radius_m": pl.Float64,
    "places": pl.List(pl.String), "places_n": pl.Int64, "first_week_on": pl.Date, "last_week_on": pl.Date, "n": pl.Int64,
    "expected": pl.Float64, "ratio": pl.Float64, "ratio_before": pl.Float64, "variance_factor": pl.Float64, "llr": pl.Float64,
    "p": pl.Float64, "p_gumbel": pl.Float64, "class": pl.String,
}  # fmt: skip


def scan_clusters(  # noqa: PLR0913  (the settings of a published method)
    panel: HasPanel,
    *,
    kind: Kind = "prospective",
    end: Period | None = None,
    weeks: int = 26,
    model: Model = "auto",
    baseline: Baseline = "auto",
    max_share: float = 0.1,
    max_periods: int = 8,
    replicates: int = 999,
    seed: int = 331004,
) -> Result:
    """Find circles of places, and spans of weeks, with more matters than expected.

    Parameters
    ----------
    panel : Panel or cube
        Counts by place and week.
    kind : {"prospective", "retrospective", "spatial"}, default "prospective"
        Clusters that reach the newest week (what is going on now), any in the window, or of the window as one period.
    end : Period, optional
        The window ends with its last week, or the newest complete one before; the newest complete week of the panel by default.
    weeks : int, default 26
        Length of the window; less where the reporting regime is younger.
    model : {"auto", "poisson", "negative_binomial"}, default "auto"
        Noise of the counts. "auto" takes the negative binomial where a score test finds more than Poisson variance (p <= .05).
    baseline : {"auto", "exposure", "history"}, default "auto"
        What shows a place's share of the city: its exposure, or its own matters of the whole regime. "auto" takes the exposure where there
        is one that says something else than the counts themselves.
    max_share : float, default 0.1
        Largest share (0 to 1) of the city in a circle.
    max_periods : int, default 8
        Longest cluster, weeks; at most half of the weeks where a place's past is its baseline.
    replicates : int, default 999
        Monte Carlo replicates, at least 19.
    seed : int
        Of the replicates.

    Returns
    -------
    Result
        One row a cluster, strongest first, none sharing a place with a stronger one: cluster_n, centre (place), x_m, y_m, radius_m (of the
        circle), places (list), places_n, first_week_on, last_week_on (Mondays), n, expected, ratio (n / expected), ratio_before (of the
        same places, in the weeks of the regime before the cluster; null where nothing was expected), variance_factor (times the variance
        of Poisson counts), llr (divided by that factor), p, p_gumbel, class (significant | not_significant, by p at .05). Empty if nothing
        exceeds what was expected.

    Raises
    ------
    AnalysisError
        Counts, exposure or coordinates that are negative, missing or do not fit; fewer than two places or weeks; no matter in the window;
        no exposure at all; settings out of range.

    Notes
    -----
    Expected matters of place i in week t are s_i W_t, W_t being the city's own matters of that week, so that growth of the whole city makes
    no cluster. s_i is the place's share of the exposure, or of the matters of all complete weeks of the reporting regime up to the window's
    end, as in the space-time permutation scan; what is searched belongs to that sum, so that a long cluster is understated, but chance in
    the shares is known to the replicates and needs no smoothing. Replicates keep each week's total (exposure) or each place's total
    (history; expected matters then follow the replicate's own weeks) and are multinomial otherwise. For the negative binomial their
    intensities are multiplied by gamma noise of mean 1: of size r, independent by place and week, and, against an exposure, of size s that
    a place keeps over all weeks (differences between places that the exposure does not know; neighbours that are high together remain a
    cluster). Both sizes are fitted by maximum likelihood. The ratio is then llr / phi, phi being the cylinder's variance over that of
    Poisson counts, 1 + sum(mu^2 / r + (a place's mu)^2 / s) / sum(mu): to second order half the square of a score like that of Tango et
    al., which weighs places unequally, and with equal phi the quasi-Poisson scan of Zhang et al.
    p = (1 + replicates with a ratio at least as large) / (1 + replicates), conservative for clusters after the first. Places without
    exposure, or without any matter in the regime, are left out and counted. Distance is Euclidean between the places' points, metres.

    References
    ----------
    Kulldorff (2001), doi:10.1111/1467-985X.00186; permutation: Kulldorff et al. (2005), doi:10.1371/journal.pmed.0020059; overdispersion:
    Zhang, Zhang and Lin (2012), doi:10.1002/sim.4404; Tango, Takahashi and Kohriyama (2011), doi:10.1111/j.1541-0420.2010.01412.x.
    """
    data = panel.panel()
    check(data, kind, model, baseline, weeks, max_periods, replicates)
    by_exposure = exposed(data, baseline)
    span = find_span(data, kind, end, weeks, max_periods, by_exposure=by_exposure)
    ground = find_ground(data, span, by_exposure=by_exposure)
    counts, course = searched_periods(data.counts[ground.rows], span, kind), searched_periods(ground.course[None, :], span, kind)[0]
    noise = find_noise(data, span, ground, kind, seed=seed)
    negative = model == "negative_binomial" or (model == "auto" and noise.p <= THRESHOLD)
    fitted = noise if negative else noise._replace(size=np.inf, lasting=np.inf)
    means = ground.share[:, None] * course
    circles = circles_within(data.xy_m[ground.rows], ground.share, suitable_share(max_share))
    longest = 1 if kind == "spatial" else span.longest
    windows = spans(counts.shape[1], longest, prospective=kind == "prospective")
    search = searched(means, means**2 / fitted.size, float(ground.total), circles, windows)
    search = search._replace(extra=search.extra + search.expected**2 / fitted.lasting)
    null = find_null(span, ground, means, course, fitted)
    found: list[Cluster] = []
    if course.any():
        maxima = replicate_maxima(null, search, replicates, np.random.default_rng(seed))
        found = clusters_found(counts.astype(np.float64), search, maxima, CLUSTERS_N)
    parameters = _parameters(data, span, ground, kind, model) | {
        "model": "negative_binomial" if negative else "poisson",
        "model_by": f"dispersion test, z = {noise.z:.2f}" if model == "auto" else "asked for",
        "size": fitted.size if np.isfinite(fitted.size) else None,
        "lasting_size": fitted.lasting if np.isfinite(fitted.lasting) else None,
        "max_share": max_share,
        "max_periods": longest,
        "replicates": replicates,
        "seed": seed,
        "threshold": THRESHOLD,
    }
    cylinders_n = int(circles.whole.sum()) * len(windows)
    denominator = f"largest of {cylinders_n} cylinders in each of {replicates} replicates; expected = {_expectation(data, ground)}"
    return Result(
        f"{kind} scan, {'negative binomial' if negative else 'Poisson'}",
        parameters,
        _table(data, span, ground, kind, found, search),
        denominator,
        _caveats(data, span, ground, noise, negative=negative),
    )


def by_place(result: Result, panel: HasPanel) -> Result:
    """Lay the clusters of a scan out as a map.

    Parameters
    ----------
    result : Result
        As `scan_clusters` returns it.
    panel : Panel or cube
        The same counts.

    Returns
    -------
    Result
        One row a place, in the panel's order: place, n (matters in the scan's window), value (cluster_n of the strongest significant
        cluster that holds the place, else null), class (cluster | no_cluster), ratio, p (of that cluster).

    Raises
    ------
    AnalysisError
        The result is no scan, or of another layer or category.
    """
    data, given = panel.panel(), result.parameters
    if "cluster_n" not in result.table.columns or (given.get("layer"), given.get("category")) != (data.layer, data.category):
        raise AnalysisError(
            f"{result.method} of {given.get('layer')}, {given.get('category')} is no scan of {data.layer}, {data.category}; "
            "give what scan_clusters returned and the panel it was given"
        )
    first, last = (data.at(date.fromisoformat(str(given[name]))) for name in ("first_week_on", "last_week_on"))
    held = (
        result.table.filter(pl.col("class") == "significant")
        .sort("cluster_n")
        .select("places", "cluster_n", "ratio", "p")
        .explode("places")
        .unique("places", keep="first")
    )
    table = (
        pl.DataFrame({"place": data.places, "n": data.counts[:, first : last + 1].sum(axis=1)}, schema={"place": pl.String, "n": pl.Int64})
        .join(held, left_on="place", right_on="places", how="left", maintain_order="left")
        .select(
            "place",
            "n",
            pl.col("cluster_n").cast(pl.Float64).alias("value"),
            pl.when(pl.col("cluster_n").is_null()).then(pl.lit("no_cluster")).otherwise(pl.lit("cluster")).alias("class"),
            "ratio",
            "p",
        )
    )
    return Result(result.method, given, table, result.denominator, result.caveats, result.provenance)


def _table(data: Panel, span: Span, ground: Grounds, kind: Kind, found: list[Cluster], search: Search) -> pl.DataFrame:
    rows = []
    for number, cluster in enumerate(found, start=1):
        members = ground.rows[cluster.places]
        edges = (0, span.seen.size - 1) if kind == "spatial" else (cluster.first_period, cluster.last_period)
        first, last = (int(span.seen[edge]) for edge in edges)
        at = int(np.flatnonzero((search.windows == [cluster.first_period, cluster.last_period]).all(axis=1))[0])
        apart = data.xy_m[members] - data.xy_m[members[0]]
        earlier = span.usable[span.usable < first]
        before = ground.share[cluster.places].sum() * ground.course[earlier].sum()
        rows.append(
            {
                "cluster_n": number,
                "centre": data.places[members[0]],
                "x_m": float(data.xy_m[members[0], 0]),
                "y_m": float(data.xy_m[members[0], 1]),
                "radius_m": float(np.hypot(*apart.T).max()),
                "places": [data.places[place] for place in members],
                "places_n": members.size,
                "first_week_on": data.weeks[first],
                "last_week_on": data.weeks[last],
                "n": round(cluster.cases),
                "expected": cluster.expected,
                "ratio": cluster.cases / cluster.expected,
                "ratio_before": float(data.counts[np.ix_(members, earlier)].sum() / before) if before > 0 else None,
                "variance_factor": float(1 + search.extra[cluster.places, at].sum() / cluster.expected),
                "llr": cluster.llr,
                "p": cluster.p,
                "p_gumbel": cluster.p_gumbel,
                "class": "significant" if cluster.p <= THRESHOLD else "not_significant",
            }
        )
    return pl.DataFrame(rows, schema=_SCHEMA)


def _parameters(data: Panel, span: Span, ground: Grounds, kind: Kind, model: Model) -> dict[str, object]:
    first, last = data.weeks[span.window[0]], data.weeks[span.window[-1]]
    left_out = np.setdiff1d(np.arange(len(data.places)), ground.rows)
    return {
        "layer": data.layer,
        "category": data.category,
        "period": Period(first, (last - first).days // 7 + 1).id,
        "first_week_on": first.isoformat(),
        "last_week_on": last.isoformat(),
        "kind": kind,
        "weeks": int(span.window.size),
        "regime_weeks": int(span.usable.size),
        "baseline": "exposure" if ground.by_exposure else "history",
        "exposure_kind": data.exposure_kind,
        "distance": "Euclidean, metres, between points inside the places, in the city's metric CRS",
        "places_n": int(ground.rows.size),
        "left_out_n": int(left_out.size),
        "left_out_matters_n": int(data.counts[np.ix_(left_out, span.window)].sum()),
        "model_asked": model,
    }


def _expectation(data: Panel, ground: Grounds) -> str:
    if ground.by_exposure:
        return f"share of {data.exposure_kind} x the city's matters of each week"
    return "share of the regime's matters x the city's matters of each week"


def _caveats(data: Panel, span: Span, ground: Grounds, noise: Dispersion, *, negative: bool) -> tuple[str, ...]:
    told = {
        "scan_against_exposure": ground.by_exposure,
        "scan_own_past": not ground.by_exposure,
        "scan_overdispersed": not negative and noise.p <= THRESHOLD,
        "scan_places_left_out": ground.by_exposure and ground.rows.size < len(data.places),
        "scan_short_past": span.short,
        "recent_weeks_masked": span.moved,
    }
    return tuple(key for key, applies in told.items() if applies)
