"""Near repeats: how much more often reports follow one another close by and soon after than chance has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from cloudmap.analytics.close_pairs import MOST_PAIRS, count_close
from cloudmap.analytics.inference import fdr
from cloudmap.analytics.knox import NearRepeat, near_repeat
from cloudmap.analytics.result import Result
from cloudmap.analytics.suitable import suitable_points, suitable_values
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]

THRESHOLD = 0.05
"""Largest q of a band in which reports repeat."""

YEAR_DAYS = 365.0
"""What is kept first where there are too many pairs: the newest year."""

_MOST_VISITS = 2_000_000_000
"""Pairs times replicates that are counted, some ten seconds' work."""

_COUNTED = 20_000
"""Matters from which the number of close pairs is estimated."""

_COLUMNS = ("x_m", "y_m", "t_days")


class _Sample(NamedTuple):
    """The reports that are looked at, and how they were chosen: the span in days (None for all), the share of them (1 for all)."""

    xy: Floats
    times: Floats
    days: float | None
    share: float


def near_repeat_result(
    points: pl.DataFrame, *, distances_m: Sequence[float], days: Sequence[float], replicates: int = 99, seed: int = 331004
) -> Result:
    """Tabulate pairs of matters by how far they are apart in space and in time, beside what chance makes of the same places and times.

    Parameters
    ----------
    points : polars.DataFrame
        x_m, y_m (projected, metres), t_days (days since any day): one row a matter, of one reporting regime.
    distances_m, days : sequence of float
        Upper ends of the bands, included; increasing.
    replicates : int, default 99
        Permutations of the times among the places, at least 19.
    seed : int
        Of the permutations, and of the sample where one is taken.

    Returns
    -------
    Result
        One row a band of distance and of time: distance_from_m, distance_to_m, days_from, days_to,
        observed_n, expected_n, ratio (null where nothing is expected), p, q (Benjamini-Hochberg over the table), class (repeat: more than
        expected and q at most .05 | ordinary). The Knox test of the first bands (knox_observed, knox_expected, knox_p_poisson) is among
        the parameters.

    Raises
    ------
    AnalysisError
        Columns or values missing, fewer than three matters, bands that do not increase, too few replicates.

    Notes
    -----
    Expected pairs are (pairs in the band of distance) x (pairs in the band of time) / (all pairs). p = (1 + permutations with at least as
    many pairs) / (1 + permutations). Time and memory are bounded: where more than 2e9 pairs would have to be counted over all permutations
    (or more than 6e7 kept) the newest year is taken, and of this, if need be, a random sample; both are stated. Thinning leaves the ratio
    as it is in expectation. Permuting takes every place to have the same course of time: places whose reporting grows faster than the
    rest's give pairs close in both without any repeat.

    References
    ----------
    Knox (1964), doi:10.2307/2985220; Johnson et al. (2007), doi:10.1007/s10940-007-9025-3; faster growing places: Kulldorff and Hjalmars
    (1999), doi:10.1111/j.0006-341X.1999.00544.x.

    Examples
    --------
    >>> import polars as pl
    >>> points = pl.DataFrame({"x_m": [0.0, 50, 60, 900], "y_m": [0.0, 0, 0, 0], "t_days": [0.0, 2, 30, 31]})
    >>> near_repeat_result(points, distances_m=[100], days=[7], replicates=19).table["observed_n"].to_list()
    [1]
    """
    if replicates < 19:
        raise AnalysisError(f"replicates = {replicates!r} must be at least 19, so that p can reach 0.05")
    xy, times = _values(points)
    far = float(np.max(distances_m)) if len(distances_m) else 0.0
    sample = _sample(xy, times, far, min(MOST_PAIRS, _MOST_VISITS // (replicates + 1)), seed) if far > 0 else _Sample(xy, times, None, 1.0)
    table = near_repeat(sample.xy, sample.times, distances_m=distances_m, days=days, replicates=replicates, rng=np.random.default_rng(seed))
    observed, expected = int(table.observed[0, 0]), float(table.expected[0, 0])
    parameters = {
        "distances_m": list(distances_m),
        "days": list(days),
        "replicates": replicates,
        "seed": seed,
        "threshold": THRESHOLD,
        "matters_n": points.height,
        "sampled_n": sample.times.size,
        "sampled_days": sample.days,
        "sampled_share": sample.share,
        "knox_distance_m": distances_m[0],
        "knox_days": days[0],
        "knox_observed": observed,
        "knox_expected": expected,
        "knox_p_poisson": float(stats.poisson.sf(observed, expected)),
    }
    sampled = sample.times.size < points.height
    caveats = ("near_repeat_growth", *(["near_repeat_sample"] if sampled else []))
    denominator = f"pairs of {sample.times.size} matters; expected: pairs by distance x pairs by time / all pairs"
    return Result("near-repeat table", parameters, _rows(table, distances_m, days), denominator, caveats)


def _values(points: pl.DataFrame) -> tuple[Floats, Floats]:
    missing = [name for name in _COLUMNS if name not in points.columns]
    if missing:
        raise AnalysisError(f"points have no column {', '.join(missing)}; give {', '.join(_COLUMNS)} in projected metres and in days")
    x, y, t = (points[name].cast(pl.Float64).to_numpy() for name in _COLUMNS)
    xy = suitable_points(np.column_stack([x, y]), least=3, what="matter")
    return xy, suitable_values(t, what="time", negative=True)


def _sample(xy: Floats, times: Floats, far: float, most: int, seed: int) -> _Sample:
    """Take so many matters that the close pairs among them are few enough: the newest year first, then some of these by lot."""
    rng = np.random.default_rng([seed, 1])
    pairs = _about(xy, far, rng)
    days, share = None, 1.0
    if pairs > most and np.ptp(times) > YEAR_DAYS:
        newest = times > times.max() - YEAR_DAYS
        xy, times, days = xy[newest], times[newest], YEAR_DAYS
        pairs = _about(xy, far, rng)
    if pairs > most:
        share = 0.9 * float(np.sqrt(most / pairs))
        chosen = rng.random(times.size) < share
        xy, times = xy[chosen], times[chosen]
    return _Sample(xy, times, days, share)


def _about(xy: Floats, far: float, rng: np.random.Generator) -> float:
    """Estimate the number of close pairs, from some of the matters where there are many."""
    if xy.shape[0] <= _COUNTED:
        return float(count_close(xy, far))
    some = rng.choice(xy.shape[0], _COUNTED, replace=False)
    return float(count_close(xy[some], far) * (xy.shape[0] / _COUNTED) ** 2)


def _rows(table: NearRepeat, distances_m: Sequence[float], days: Sequence[float]) -> pl.DataFrame:
    """One row a pair of bands; the open last ones, which hold nearly all pairs, are left out."""
    rows = [
        {
            "distance_from_m": float(distances_m[row - 1]) if row else 0.0,
            "distance_to_m": float(distances_m[row]),
            "days_from": float(days[column - 1]) if column else 0.0,
            "days_to": float(days[column]),
            "observed_n": int(table.observed[row, column]),
            "expected_n": float(table.expected[row, column]),
            "ratio": float(table.ratio[row, column]) if table.expected[row, column] > 0 else None,
            "p": float(table.p[row, column]),
        }
        for row in range(len(distances_m))
        for column in range(len(days))
    ]
    made = pl.DataFrame(rows, schema_overrides={"ratio": pl.Float64})
    repeats = (pl.col("q") <= THRESHOLD) & (pl.col("ratio") > 1)
    return made.with_columns(q=pl.Series(fdr(made["p"].to_numpy()))).with_columns(
        pl.when(repeats).then(pl.lit("repeat")).otherwise(pl.lit("ordinary")).alias("class")
    )
