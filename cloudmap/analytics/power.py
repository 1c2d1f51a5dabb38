"""What a map of hotspots can see at all: the chance that a risk of a given size is found with the reports there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.analytics.hotspots import gi_exact_p_slices
from cloudmap.analytics.hotspots_map import Method, check_threshold, family_of
from cloudmap.analytics.result import Result
from cloudmap.analytics.suitable import suitable_counts, suitable_limit
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from cloudmap.analytics.panel import HasPanel, Panel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PRESENT_WEEKS = 52
"""The present mean is that of so many weeks at most, within the present reporting regime."""

SEEN_SHARE = 0.8
"""From this chance on a risk counts as one that the map sees."""

_HARDLY = 0.1

_FITTED_MAPS = 3
"""Simulated maps on which the dispersion is fitted as the test would fit it."""

_NEARLY_POISSON = 1e7


class MapSize(NamedTuple):
    """A map in three numbers, where there is none yet.

    ``mean`` is the weekly mean of a place, ``neighbourhood_n`` how many places one sum has (itself included), ``places_n`` how many are
    tested together, ``size`` the size of the negative binomial (infinity: Poisson).
    """

    mean: float
    neighbourhood_n: int
    places_n: int
    size: float = np.inf


class Statement(NamedTuple):
    """A sentence of the legend: its key in the text tables and the numbers in it."""

    key: str
    numbers: dict[str, float]


class _Row(NamedTuple):
    """How often one risk was found in maps of so many weeks."""

    weeks_n: int
    risk: float
    found_n: int


@dataclass(frozen=True)
class _Map:
    """What is simulated: mean of every place and week, its dispersion by number of weeks, neighbours, and which test judges."""

    mean: Floats
    sizes: dict[int, float]
    weights: csr_array
    exact: bool
    exposure: Floats


def power_table(
    of: HasPanel | MapSize | tuple[float, int, int],
    *,
    risks: Sequence[float] = (2, 3, 5, 10),
    weeks: Sequence[int] = (1, 2, 4, 13),
    threshold: float = 0.05,
    method: Method = "auto",
    runs: int = 120,
    seed: int = 331004,
) -> Result:
    """Measure by simulation how often a neighbourhood of raised risk is called hot.

    Parameters
    ----------
    of : Panel, what makes one, MapSize, or (mean, neighbourhood_n, places_n)
        The map. A panel lends the mean of its last 52 weeks within the present regime, its exposure and neighbours, and the dispersion of
        its own counts.
    risks : sequence of float
        Relative risks, above 1, of a place and its neighbours (seven cells, or a unit and those that touch it).
    weeks : sequence of int
        Weeks that are summed into one map.
    threshold : float, default 0.05
        As in `hotspots_map.hotspots`.
    method : {"auto", "exact", "negative_binomial"}, default "auto"
        As in `hotspots_map.hotspots`.
    runs : int, default 120
        Maps a row; 120 give the share to within .09.
    seed : int
        Of the random numbers; the same seed gives the same table.

    Returns
    -------
    Result
        Table: weeks_n, risk, found_share (the middle place is called hot), lower, upper (95%, Clopper-Pearson), found_n, runs_n.

    Raises
    ------
    AnalysisError
        No report in the weeks that count as present; risks, weeks or runs that are none; a map that `hotspots` refuses.

    Notes
    -----
    Each run draws a map of independent negative binomial counts with the present means and the dispersion fitted to them, raises the mean
    of one place, chosen at random, and of its neighbours, and tests the map: with exact p as a whole; with an exposure at the raised
    places and the next ring, against the adjusted threshold of the whole map, with the dispersion fitted to a map that holds the
    hotspot. Real maps resemble themselves from place to place, so that these are figures of the order, not to the percent.

    References
    ----------
    Clopper and Pearson (1934), doi:10.1093/biomet/26.4.404.
    """
    check_threshold(threshold)
    asked = sorted({float(suitable_limit(risk, "risk")) for risk in risks}), sorted({int(week) for week in weeks})
    if not asked[0] or not asked[1] or asked[0][0] <= 1 or asked[1][0] < 1 or runs < 1:
        raise AnalysisError(
            f"power of risks {tuple(risks)} in weeks {tuple(weeks)}, {runs} runs: risks above 1, whole weeks and runs from 1"
        )
    chosen, parameters = _map_of(of, asked[1], method)
    rng = np.random.default_rng(seed)
    rows = [row for weeks_n in asked[1] for row in _found(chosen, weeks_n, asked[0], threshold, runs, rng)]
    degree = float(np.mean(np.diff(chosen.weights.indptr))) + 1
    parameters |= {
        "threshold": threshold,
        "runs": runs,
        "seed": seed,
        "mean_per_week": float(chosen.mean.mean()),
        "neighbourhood_n": degree,
    }
    denominator = (
        f"{runs} simulated maps a row, {chosen.mean.size} places tested together, {chosen.mean.mean():.3g} reports a place and week"
    )
    return Result("power of the hotspot map, by simulation", parameters, _table(rows, runs), denominator, ("power_simulated",))


def statement(result: Result, *, risk: float = 2, weeks_n: int = 1) -> Statement:
    """Put one row of a power table into a sentence of the legend.

    Parameters
    ----------
    result : Result
        From `power_table`.
    risk : float, default 2
        The risk that the sentence is about; 2 is a doubling.
    weeks_n : int, default 1
        Weeks of the map.

    Returns
    -------
    Statement
        Its key is "power_seen" (nearly always, 95% or more), "power_sometimes" ("a doubling would be seen in `seen` of `of` weeks"),
        or below 10% "power_hardly": `needed_weeks_n` says how many weeks see it in four of five cases, or else `needed_risk` which risk
        such a map does see; a number is 0 where the table holds none.

    Raises
    ------
    AnalysisError
        The table has no such row.
    """
    table = result.table
    row = table.filter((pl.col("risk") == risk) & (pl.col("weeks_n") == weeks_n))
    if row.is_empty():
        raise AnalysisError(f"no power for a risk of {risk} in {weeks_n} week(s); ask power_table for it (risks, weeks)")
    share = float(row["found_share"][0])
    numbers: dict[str, float] = {"risk": risk, "weeks_n": weeks_n}
    if share >= 0.95:
        return Statement("power_seen", numbers)
    if share >= _HARDLY:
        said = Fraction(share).limit_denominator(5)
        said = min(max(said, Fraction(1, 10)) if said else Fraction(1, 10), Fraction(9, 10))
        return Statement("power_sometimes", numbers | {"seen": said.numerator, "of": said.denominator})
    seen = table.filter(pl.col("found_share") >= SEEN_SHARE)
    needed_weeks = seen.filter(pl.col("risk") == risk)["weeks_n"].to_list()
    needed_risk = seen.filter(pl.col("weeks_n") == weeks_n)["risk"].to_list()
    return Statement("power_hardly", numbers | {"needed_weeks_n": min(needed_weeks, default=0), "needed_risk": min(needed_risk, default=0)})


def _map_of(of: HasPanel | MapSize | tuple[float, int, int], weeks: list[int], method: Method) -> tuple[_Map, dict[str, object]]:
    if isinstance(of, tuple):
        return _synthetic(MapSize(*of), weeks), {"method": "exact", "exposure": "none"}
    from cloudmap.analytics.negative_binomial import fit_size

    panel = of.panel()
    family = family_of(panel, method)
    present = _present(panel)
    counts = suitable_counts(panel.counts[:, present], dimensions=2)[family.rows]
    if not counts.any():
        raise AnalysisError(
            f"{panel.layer}, {panel.category}: no report in {present.size} week(s) where it could be tested; take a wider category",
            code="sparse",
        )
    exposure = np.ones(family.rows.size) if family.exposure is None else family.exposure
    mean = exposure * (counts.mean(axis=1).sum() / exposure.sum())
    sizes = {}
    for weeks_n in weeks:
        held = counts[:, -weeks_n:]
        some = held if held.any() else counts
        summed = some.sum(axis=1)
        sizes[weeks_n] = fit_size(summed, exposure * (summed.sum() / exposure.sum()))
    chosen = _Map(mean, sizes, family.weights, family.exposure is None, exposure)
    kind = panel.exposure_kind if family.exposure is not None else "none"
    return chosen, {
        "layer": panel.layer,
        "category": panel.category,
        "method": family.method,
        "exposure": kind,
        "present_weeks": present.size,
    }


def _present(panel: Panel) -> Ints:
    weeks = np.flatnonzero(panel.complete)
    weeks = weeks[weeks >= panel.regime_from][-PRESENT_WEEKS:]
    if not weeks.size:
        raise AnalysisError(
            f"{panel.layer}: no week of the present reporting regime is complete; wait until its reports are in", code="incoming"
        )
    return weeks


def _synthetic(map_size: MapSize, weeks: list[int]) -> _Map:
    """A net of hexagons without an edge: row after row on one ring, so that every place has neighbours at the same steps."""
    from scipy.sparse import csr_array

    n, near = map_size.places_n, map_size.neighbourhood_n
    suitable_limit(map_size.mean, "mean")
    suitable_limit(map_size.size, "size", infinite=True)
    if n < 3 or not 1 <= near <= n:
        raise AnalysisError(
            f"a map of {n} places with {near} in a neighbourhood: take at least three places, and neighbourhoods within them",
            code="few_places",
        )
    width, reach = max(int(np.sqrt(n)), 1), int(np.sqrt(near)) + 1
    half = [(a, b) for a in range(reach + 1) for b in range(-reach, reach + 1) if a > 0 or b > 0]
    nearest = sorted(half, key=lambda at: (at[0] ** 2 + at[0] * at[1] + at[1] ** 2, at))[: (near - 1) // 2]
    steps = np.array([sign * (a * width + b) for a, b in nearest for sign in (1, -1)], dtype=np.int64)
    rows = np.repeat(np.arange(n), steps.size)
    links = (rows + np.tile(steps, n)) % n
    weights = csr_array((np.ones(rows.size), (rows, links)), shape=(n, n))
    weights.data[:] = 1.0
    return _Map(np.full(n, map_size.mean), dict.fromkeys(weeks, map_size.size), weights, exact=True, exposure=np.ones(n))


def _found(chosen: _Map, weeks_n: int, risks: list[float], threshold: float, runs: int, rng: np.random.Generator) -> list[_Row]:
    """Count for each risk the runs in which the middle of the raised neighbourhood is called hot."""
    mean, size, w = chosen.mean * weeks_n, chosen.sizes[weeks_n], chosen.weights
    centres = rng.integers(0, mean.size, runs)
    raised = [np.append(w.indices[w.indptr[at] : w.indptr[at + 1]], at) for at in centres]
    quiet = _draw(rng, np.broadcast_to(mean[:, None], (mean.size, runs)), size)
    rows = []
    for risk in risks:
        maps = quiet.copy()
        for run, places in enumerate(raised):
            maps[places, run] = _draw(rng, mean[places] * risk, size)
        judged = _exact_hits if chosen.exact else _nb_hits
        rows.append(_Row(weeks_n, risk, int(judged(chosen, maps, centres, threshold).sum())))
    return rows


def _draw(rng: np.random.Generator, mean: Floats, size: float) -> Ints:
    rates = mean if np.isinf(size) else mean * rng.gamma(size, 1 / size, mean.shape)
    return np.asarray(rng.poisson(rates), dtype=np.int64)


def _exact_hits(chosen: _Map, maps: Ints, centres: Ints, threshold: float) -> npt.NDArray[np.bool_]:
    if not maps.any():
        return np.zeros(centres.size, dtype=bool)
    p = gi_exact_p_slices(maps, chosen.weights)
    return np.array([_called_hot(p[:, run], p[at, run], threshold, len(p)) for run, at in enumerate(centres)])


def _nb_hits(chosen: _Map, maps: Ints, centres: Ints, threshold: float) -> npt.NDArray[np.bool_]:
    """Judge only the raised places and the ring about them: elsewhere nothing is raised, so that nothing lends them rank."""
    from cloudmap.analytics.negative_binomial import fit_size, sum_tail

    w, hits = chosen.weights, np.zeros(centres.size, dtype=bool)
    rates = maps.sum(axis=0) / chosen.exposure.sum()
    some = np.flatnonzero(rates > 0)[:_FITTED_MAPS]
    size = min(fit_size(maps[:, some].T.ravel(), np.outer(rates[some], chosen.exposure).ravel()), _NEARLY_POISSON) if some.size else np.inf
    for run, at in enumerate(centres):
        if rates[run] == 0:
            continue
        near = np.append(w.indices[w.indptr[at] : w.indptr[at + 1]], at)
        ring = np.unique(np.concatenate([near, *(w.indices[w.indptr[one] : w.indptr[one + 1]] for one in near)]))
        p = np.ones(ring.size)
        for position, one in enumerate(ring):
            members = np.append(w.indices[w.indptr[one] : w.indptr[one + 1]], one)
            p[position] = sum_tail(chosen.exposure[members] * rates[run], size, maps[members, run].sum())
        hits[run] = _called_hot(p, p[np.searchsorted(ring, at)], threshold, maps.shape[0])
    return hits


def _called_hot(p: Floats, of: float, threshold: float, tests_n: int) -> bool:
    """Benjamini-Hochberg for one place: whether a rank at or behind it passes; p of places that are not given count as large."""
    small = np.sort(p[p <= threshold])
    passing = small <= threshold * np.arange(1, small.size + 1) / tests_n
    return bool((passing & (small >= of)).any())


def _table(rows: list[_Row], runs: int) -> pl.DataFrame:
    from scipy import stats

    found = np.array([row.found_n for row in rows], dtype=np.int64)
    lower = np.where(found > 0, stats.beta.ppf(0.025, np.maximum(found, 1), runs - found + 1), 0.0)
    upper = np.where(found < runs, stats.beta.ppf(0.975, found + 1, np.maximum(runs - found, 1)), 1.0)
    return pl.DataFrame(
        {
            "weeks_n": pl.Series([row.weeks_n for row in rows], dtype=pl.Int64),
            "risk": pl.Series([row.risk for row in rows], dtype=pl.Float64),
            "found_share": found / runs,
            "lower": lower,
            "upper": upper,
            "found_n": found,
            "runs_n": np.full(found.size, runs, dtype=np.int64),
        }
    )
