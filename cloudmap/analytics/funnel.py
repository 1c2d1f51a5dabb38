"""Units side by side as a funnel plot: who differs from the whole by more than chance and ordinary variation explain. Never a league table.

Units differ in size, so in a ranking the small ones stand at both ends whatever they do. A funnel shows each unit's share against its
number of cases, between limits that narrow as numbers grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]

LEVELS: Final = (0.95, 0.998)
LEAST_N: Final = 10
"""Fewest cases of a unit that is judged: below, the limits' approximation does not hold."""
_WINSOR: Final = 0.1
_LEAST_UNITS_N: Final = 5


class Spread(NamedTuple):
    """How much units differ: ``target`` is the share that they are held against, ``dispersion`` 1 where chance explains all."""

    target: float
    dispersion: float


def spread(numerator: npt.ArrayLike, denominator: npt.ArrayLike, *, target: float | None = None) -> Spread:
    """Measure by how much units differ beyond chance.

    Parameters
    ----------
    numerator, denominator : int array of shape (n,)
        Cases with the property, and all cases, at least `LEAST_N` each.
    target : float, optional
        Share (0-1) to hold units against; the share of all together where not given.

    Returns
    -------
    Spread

    Raises
    ------
    AnalysisError
        Fewer than five units, a unit too small, or a target outside 0 to 1.

    Notes
    -----
    z = 2 sqrt(n) (arcsin sqrt(k/n) - arcsin sqrt(target)); the dispersion is the mean of z squared after the outer tenths are drawn in, so
    that outliers do not hide themselves; it is never below 1.

    References
    ----------
    Spiegelhalter (2005), doi:10.1002/sim.1970
    """
    k, n = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    if len(n) < _LEAST_UNITS_N or (n < LEAST_N).any():
        raise AnalysisError(
            f"a funnel needs at least {_LEAST_UNITS_N} units of {LEAST_N} cases; take a longer period or a coarser level", code="sparse"
        )
    held = float(k.sum() / n.sum()) if target is None else float(target)
    if not 0 <= held <= 1:
        raise AnalysisError(f"target = {held}: give a share between 0 and 1")
    z = _z(k, n, held)
    drawn = np.clip(z, *np.quantile(z, [_WINSOR, 1 - _WINSOR]))
    return Spread(held, max(1.0, float(np.mean(drawn**2))))


def limits(size: npt.ArrayLike, found: Spread, level: float) -> tuple[Floats, Floats]:
    """Return the control limits for units of some sizes.

    Parameters
    ----------
    size : float array of shape (n,)
        Cases, above 0; any grid of them draws the funnel.
    found : Spread
        From `spread`.
    level : float
        0.95 or 0.998.

    Raises
    ------
    AnalysisError
        A size that is not above 0.
    """
    from scipy.stats import norm

    n = np.asarray(size, dtype=np.float64)
    if not (n > 0).all():
        raise AnalysisError("sizes must be above 0")
    middle = np.arcsin(np.sqrt(found.target))
    half = norm.ppf(0.5 + level / 2) * np.sqrt(found.dispersion) / (2 * np.sqrt(n))
    low, high = np.clip(middle - half, 0, np.pi / 2), np.clip(middle + half, 0, np.pi / 2)
    return np.sin(low) ** 2, np.sin(high) ** 2


def funnel(
    places: Sequence[str],
    numerator: npt.ArrayLike,
    denominator: npt.ArrayLike,
    *,
    target: float | None = None,
    withheld: npt.ArrayLike | None = None,
) -> Result:
    """Hold units against the whole.

    Parameters
    ----------
    places : sequence of str, length n
        Codes of the units.
    numerator, denominator : int array of shape (n,)
        Cases with the property, and all cases.
    target : float, optional
        As for `spread`.
    withheld : bool array of shape (n,), optional
        Units whose rates may not be shown (too few staff); they enter nothing.

    Returns
    -------
    Result
        Table in the order of `places`, which says nothing about their shares: place, n (cases; null where withheld), value (share),
        lower_95, upper_95, lower_998, upper_998, z (after the dispersion), class (above_998, above_95, within, below_95, below_998,
        not_enough_data, too_few_staff).

    Raises
    ------
    AnalysisError
        Lengths differ, or too few units can be judged.
    """
    k, n = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    hidden = np.zeros(len(n), dtype=bool) if withheld is None else np.asarray(withheld, dtype=bool)
    if not len(places) == len(k) == len(n) == len(hidden):
        raise AnalysisError(f"{len(places)} places, {len(k)} numerators, {len(n)} denominators: give one of each a unit")
    judged = (n >= LEAST_N) & ~hidden
    found = spread(k[judged], n[judged], target=target)
    z = np.full(len(n), np.nan)
    z[judged] = _z(k[judged], n[judged], found.target) / np.sqrt(found.dispersion)
    columns: dict[str, Floats] = {"value": np.where(judged, k / np.maximum(n, 1), np.nan)}
    for level, name in zip(LEVELS, ("95", "998"), strict=True):
        low, high = limits(np.maximum(n, 1), found, level)
        columns |= {f"lower_{name}": np.where(judged, low, np.nan), f"upper_{name}": np.where(judged, high, np.nan)}
    frame = pl.DataFrame(
        {"place": list(places), "n": np.where(hidden, 0, n).astype(np.int64), **columns, "z": z}, schema_overrides={"place": pl.String}
    )
    value = pl.col("value")
    classed = (
        pl.when(pl.Series(hidden)).then(pl.lit("too_few_staff")).when(~pl.Series(judged)).then(pl.lit("not_enough_data"))
        .when(value > pl.col("upper_998")).then(pl.lit("above_998")).when(value < pl.col("lower_998")).then(pl.lit("below_998"))
        .when(value > pl.col("upper_95")).then(pl.lit("above_95")).when(value < pl.col("lower_95")).then(pl.lit("below_95"))
        .otherwise(pl.lit("within"))
    )  # fmt: skip
    table = frame.with_columns(
        classed.alias("class"),
        pl.when(~pl.Series(hidden)).then("n").alias("n"),
        *(pl.col(name).fill_nan(None) for name in (*columns, "z")),
    )
    return Result(
        method="funnel plot, limits of 95% and 99.8% with multiplicative overdispersion",
        parameters={"target": found.target, "dispersion": round(found.dispersion, 3), "least_n": LEAST_N, "units_n": int(judged.sum())},
        table=table,
        denominator="cases of each unit",
        caveats=("not_a_ranking", *(("overdispersed",) if found.dispersion > 1 else ())),
    )


def of_places(mapped: Result, *, target: float | None = None) -> Result:
    """Hold the units of an indicator against the whole.

    Parameters
    ----------
    mapped : Result
        From `handling.by_place`; units without cases or with too few staff enter nothing.
    target : float, optional
        As for `spread`.

    Returns
    -------
    Result
        As `funnel`.

    Raises
    ------
    AnalysisError
        Too few units can be judged.
    """
    table = mapped.table
    counts = (table[name].fill_null(0).to_numpy() for name in ("numerator_n", "denominator_n"))
    found = funnel(table["place"].to_list(), *counts, target=target, withheld=(table["class"] == "too_few_staff").to_numpy())
    return replace(
        found,
        parameters={**mapped.parameters, **found.parameters},
        caveats=(*found.caveats, *mapped.caveats),
        provenance=mapped.provenance,
    )


def _z(k: Floats, n: Floats, target: float) -> Floats:
    return np.asarray(2 * np.sqrt(n) * (np.arcsin(np.sqrt(k / n)) - np.arcsin(np.sqrt(target))))
