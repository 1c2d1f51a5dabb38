"""Hotspots of one map: which places have more reports about them than chance and exposure explain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.analytics.hotspots import gi_exact_p, gi_nb_p, gi_z
from cloudmap.analytics.inference import fdr
from cloudmap.analytics.periods import AnyPeriod, Period, parse_weeks
from cloudmap.analytics.result import Result
from cloudmap.analytics.suitable import suitable_values, suitable_weights
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from cloudmap.analytics.panel import HasPanel, Panel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Method = Literal["auto", "exact", "negative_binomial"]

MINIMUM_SHARE = 0.05
"""A place needs this share of the mean exposure: where nearly nobody is one report would be a hotspot, and those few are a spread guess."""

MINIMUM_REPORTS = 10.0
"""An exposure that was itself counted is off by 1 / sqrt(n), so by 30% at ten reports: as far off as the test was shown to bear."""

METHOD_NAMES = {
    "exact": "exact Gi*, one-sided, Benjamini-Hochberg",
    "negative_binomial": "negative binomial Gi*, one-sided, Benjamini-Hochberg",
}


@dataclass(frozen=True)
class Family:
    """The places that are tested together.

    Attributes
    ----------
    rows : int array of shape (m,)
        Their positions in `panel.places`.
    weights : scipy CSR of shape (m, m)
        Who of them is whose neighbour.
    exposure : float array of shape (m,) or None
        Above 0; None where places count as alike.
    least : float
        Exposure below which a place is left out; 0 without exposure.
    """

    rows: Ints
    weights: csr_array
    exposure: Floats | None
    least: float

    @property
    def method(self) -> Literal["exact", "negative_binomial"]:
        """Name of the test that suits: "negative_binomial" with exposure, else "exact"."""
        return "exact" if self.exposure is None else "negative_binomial"

    def spread(self, values: npt.NDArray[np.generic], places_n: int) -> pl.Series:
        """Put values of the family among all places, null elsewhere."""
        full = np.zeros(places_n, dtype=values.dtype)
        full[self.rows] = values
        return pl.select(pl.when(pl.Series(self.mask(places_n))).then(pl.Series(full))).to_series()

    def mask(self, places_n: int) -> Bools:
        """Tell of every place whether it is tested."""
        inside = np.zeros(places_n, dtype=bool)
        inside[self.rows] = True
        return inside


def hotspots(cube: HasPanel, period: Period | str, *, method: Method = "auto", threshold: float = 0.05) -> Result:
    """Test every place of one map for more matters in it and about it than chance gives.

    Parameters
    ----------
    cube : Panel or what makes one
    period : Period or str
        Whole weeks, "2018-W30--2018-W33"; its weeks that are masked for reporting lag are left out.
    method : {"auto", "exact", "negative_binomial"}, default "auto"
        "exact" takes all places as alike and works the permutation distribution out (`hotspots.gi_exact_p`); "negative_binomial" expects
        counts in proportion to exposure (`hotspots.gi_nb_p`). "auto" is the latter where the panel has an exposure.
    threshold : float, default 0.05
        A place is hot when its q is at most this.

    Returns
    -------
    Result
        Table, one row a place: place, n (matters of the tested weeks), value (1 hot, 0 not, null without a verdict), neighbourhood_n (the
        sum that is tested, the place included), expected (of that sum; null for "exact"), z (for parity with other software: of counts,
        or of ratios to the expected; never used), p (one-sided), q, class ("hot", "not_significant", "not_enough_data"). `parameters`
        holds the fitted dispersion as `size` (variance = mean + mean^2 / size); `denominator` says how many places were tested together.

    Raises
    ------
    AnalysisError
        A period outside the data or wholly masked; fewer than three places with enough exposure; counts or exposure that are negative or
        missing; "negative_binomial" without exposure; a threshold outside 0 to 1.

    Notes
    -----
    One family: the places of this map, adjusted by Benjamini-Hochberg. Places whose exposure is below `MINIMUM_SHARE` of the mean (an
    exposure of counted reports: below `MINIMUM_REPORTS`) are not in it, and their matters are not in their neighbours' sums. A map without
    any matter has no hotspot and no p.

    What people live there does not tell how much they report: unless effort is in the exposure (kind "reports") the caveat
    ``where_reports_are`` stands beside the map. Smooth effort that the exposure does not know makes three dense maps in four show a
    hotspot (``benchmarks/statistics.md``); such a place has more reports, which need not be more problems.

    References
    ----------
    Getis and Ord (1992), doi:10.1111/j.1538-4632.1992.tb00261.x; Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    panel = cube.panel()
    check_threshold(threshold)
    chosen = parse_weeks(period) if isinstance(period, str) else period
    weeks = weeks_of(panel, chosen)
    n = panel.counts[:, weeks].sum(axis=1)
    made = hotspots_of_counts(panel, n, chosen, method=method, threshold=threshold)
    parameters = {**made.parameters, "weeks_n": int(weeks.size)}
    return replace(made, parameters=parameters, caveats=(*made.caveats, *week_caveats(panel, chosen, weeks)))


def hotspots_of_counts(panel: Panel, counts: Ints, period: AnyPeriod, *, method: Method = "auto", threshold: float = 0.05) -> Result:
    """Test counts of any period as `hotspots` tests those of whole weeks.

    Parameters
    ----------
    panel : Panel
        Places, neighbours and exposure; its own counts are not looked at.
    counts : int array of shape (n,)
        Matters per place of the panel.
    period : Period, Month or Days
        That they are of.
    method, threshold
        As for `hotspots`.

    Returns
    -------
    Result
        As `hotspots`, without `weeks_n` and without the caveats that follow from weeks.

    Raises
    ------
    AnalysisError
        As `hotspots`, except for the period.
    """
    check_threshold(threshold)
    family = family_of(panel, method)
    n = suitable_values(counts, what="count").astype(np.int64)
    tested = n[family.rows]
    columns, size = _tests(tested, family) if tested.any() else (_quiet(tested), None)
    parameters: dict[str, object] = {
        "layer": panel.layer,
        "category": panel.category,
        "period": period.id,
        "method": family.method,
        "exposure": panel.exposure_kind if family.exposure is not None else "none",
        "threshold": threshold,
    }
    if size is not None:
        parameters["size"] = size if np.isfinite(size) else "infinite (Poisson)"
    return Result(
        METHOD_NAMES[family.method],
        parameters,
        _table(panel, n, family, columns, threshold),
        f"{described(panel, family, n)} (one map)",
        (*map_caveats(panel, family), "family_one_map"),
    )


def family_of(panel: Panel, method: Method = "auto") -> Family:
    """Choose the places that can be tested together, by exposure alone, never by their counts.

    Parameters
    ----------
    panel : Panel
    method : {"auto", "exact", "negative_binomial"}

    Returns
    -------
    Family

    Raises
    ------
    AnalysisError
        Fewer than three places; an unknown method; an exposure that is asked for and not there, negative, missing or 0 everywhere.
    """
    if method not in ("auto", "exact", "negative_binomial"):
        raise AnalysisError(f"method {method!r} is unknown; use 'auto', 'exact' or 'negative_binomial'")
    places_n = len(panel.places)
    weights = suitable_weights(panel.weights, places_n)
    if panel.exposure is None or method == "exact":
        if method == "negative_binomial":
            raise AnalysisError(
                f"{panel.layer}: the negative binomial test needs an exposure and the city declares none; "
                "declare [exposure] in the city file, or use method='exact'",
                code="no_exposure",
            )
        rows: Ints = np.arange(places_n, dtype=np.int64)
        if places_n < 3:
            raise AnalysisError(
                f"{panel.layer}: {places_n} place(s) cannot be compared; choose a layer with at least three", code="few_places"
            )
        return Family(rows, weights, None, 0.0)
    exposure = suitable_values(panel.exposure, what="exposure", least=1)
    if not exposure.any():
        raise AnalysisError(
            f"{panel.layer}: {panel.exposure_kind} is 0 everywhere; correct [exposure], or use method='exact'", code="no_exposure"
        )
    least = MINIMUM_REPORTS if panel.exposure_kind == "reports" else MINIMUM_SHARE * float(exposure[exposure > 0].mean())
    rows = np.flatnonzero(exposure >= least)
    if rows.size < 3:
        raise AnalysisError(
            f"{panel.layer}: {rows.size} of {places_n} places have an exposure of at least {least:.3g} ({panel.exposure_kind}), and "
            "three are needed; choose coarser places, or use method='exact'",
            code="few_places",
        )
    return Family(rows, weights[rows][:, rows], exposure[rows], least)


def weeks_of(panel: Panel, period: Period) -> Ints:
    """Return the columns of a period whose reports are in.

    Raises
    ------
    AnalysisError
        The period lies outside the panel, or all its weeks are masked for reporting lag.
    """
    span = panel.span(period)
    weeks = np.arange(span.start, span.stop)[panel.complete[span]]
    if not weeks.size:
        known = np.flatnonzero(panel.complete)
        newest = f"; the newest complete week is {Period(panel.weeks[known[-1]], 1).id}" if known.size else ""
        raise AnalysisError(
            f"{panel.layer}: reports of {period.id} are still coming in, so that it cannot be tested{newest}", code="incoming"
        )
    return weeks


def check_threshold(threshold: float) -> None:
    """Refuse a false discovery rate that is none.

    Raises
    ------
    AnalysisError
        Not between 0 and 1.
    """
    if not 0 < threshold < 1:
        raise AnalysisError(f"threshold = {threshold!r} must lie between 0 and 1; 0.05 is usual")


def described(panel: Panel, family: Family, n: Ints) -> str:
    """Say how many places are tested together, and what is left out."""
    text = f"{family.rows.size} places tested together"
    left = ~family.mask(len(panel.places))
    if left.any():
        text += f"; {int(left.sum())} more, with {int(n[left].sum())} matters, have an exposure below {family.least:.3g} and are not tested"
    if family.exposure is not None:
        text += f"; expected in proportion to {panel.exposure_kind}"
    return text


def map_caveats(panel: Panel, family: Family) -> tuple[str, ...]:
    """List the caveats that follow from what the test stands on."""
    effort_known = family.exposure is not None and panel.exposure_kind == "reports"
    caveats = ["relative_to_all_reports" if effort_known else "where_reports_are"]
    if family.rows.size < len(panel.places):
        caveats.append("too_little_exposure")
    return tuple(caveats)


def week_caveats(panel: Panel, period: Period, weeks: Ints) -> tuple[str, ...]:
    """List the caveats that follow from the weeks that were tested."""
    caveats = ["masked_weeks_left_out"] if weeks.size < period.weeks_n else []
    if weeks[0] < panel.regime_from <= weeks[-1]:
        caveats.append("crosses_regime")
    return tuple(caveats)


def _tests(n: Ints, family: Family) -> tuple[dict[str, npt.NDArray[np.generic]], float | None]:
    """Test the family; the second answer is the fitted size of the negative binomial."""
    w = family.weights
    columns: dict[str, npt.NDArray[np.generic]] = {"neighbourhood_n": np.rint(w @ n).astype(np.int64) + n}
    if family.exposure is None:
        size, p = None, gi_exact_p(n, w)
        columns |= {"expected": np.full(n.size, np.nan), "z": gi_z(n, w)}
    else:
        from cloudmap.analytics.negative_binomial import fit_size

        mean = family.exposure * (n.sum() / family.exposure.sum())
        size = fit_size(n, mean)
        p = gi_nb_p(n, family.exposure, w, size=size)
        columns |= {"expected": w @ mean + mean, "z": gi_z(n / mean, w)}
    return columns | {"p": p, "q": fdr(p)}, size


def _quiet(n: Ints) -> dict[str, npt.NDArray[np.generic]]:
    blank = np.full(n.size, np.nan)
    return {"neighbourhood_n": np.zeros(n.size, dtype=np.int64), "expected": blank, "z": blank, "p": blank, "q": blank}


def _table(panel: Panel, n: Ints, family: Family, columns: dict[str, npt.NDArray[np.generic]], threshold: float) -> pl.DataFrame:
    places_n = len(panel.places)
    spread = {name: family.spread(values, places_n).fill_nan(None).alias(name) if values.dtype.kind == "f" else
              family.spread(values, places_n).alias(name) for name, values in columns.items()}  # fmt: skip
    tested = pl.Series(family.mask(places_n))
    hot = (pl.col("q") <= threshold).fill_null(value=False)
    return pl.DataFrame({"place": pl.Series(list(panel.places), dtype=pl.String), "n": n, **spread}).with_columns(
        pl.when(tested).then(hot.cast(pl.Float64)).alias("value"),
        pl.when(~tested).then(pl.lit("not_enough_data")).when(hot).then(pl.lit("hot")).otherwise(pl.lit("not_significant")).alias("class"),
    ).select("place", "n", "value", "neighbourhood_n", "expected", "z", "p", "q", "class")  # fmt: skip
