"""Back-tests of place forecasts: how much of what came lay where it was forecast, origin after origin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cloudmap.analytics.accuracy import hit_rate, pai, pei_star, poisson_deviance, select_area
from cloudmap.analytics.suitable import suitable_counts, suitable_exposure, suitable_values
from cloudmap.errors import AnalysisError

__all__ = [
    "Difference",
    "Forecast",
    "Rolling",
    "baseline",
    "hit_rate",
    "pai",
    "paired_difference",
    "pei_star",
    "poisson_deviance",
    "rolling",
    "select_area",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Forecast = Callable[[Ints, int], npt.ArrayLike]
"""Takes counts of the past (n, t) and the number of periods ahead; gives expected counts (n,)."""


class Rolling(NamedTuple):
    """Scores of each forecast (arrays of shape (origins,)) by name, and the origins: first period that is forecast."""

    origins: Ints
    events: Ints
    hit_rate: dict[str, Floats]
    pai: dict[str, Floats]
    pei_star: dict[str, Floats]
    deviance: dict[str, Floats]


class Difference(NamedTuple):
    """Mean difference of two paired scores and its bootstrap interval."""

    mean: float
    lower: float
    upper: float


def rolling(
    counts: npt.ArrayLike,
    forecasts: Mapping[str, Forecast],
    *,
    horizon: int,
    area: npt.ArrayLike,
    share: float = 0.05,
    gap: int = 0,
    origins_n: int = 12,
    rng: np.random.Generator | None = None,
) -> Rolling:
    """Forecast from several origins, each time from the past alone, and score what came.

    Parameters
    ----------
    counts : array_like of shape (n, t)
        Events of n places in t periods, oldest first.
    forecasts : mapping of name to callable
        Each takes counts of the past (n, t') and `horizon`, and gives expected counts (n,).
    horizon : int
        Periods ahead that are summed.
    area : array_like of shape (n,)
        Area of the places; above 0.
    share : float, default 0.05
        Share of the area chosen for hit rate, PAI and PEI*.
    gap : int, default 0
        Periods before the origin that were not yet reported then: they are withheld.
    origins_n : int, default 12
        Number of origins, `horizon` periods apart, so that no event is scored twice; the last forecast ends with the data.
    rng : numpy Generator, optional
        Breaks ties at random.

    Returns
    -------
    Rolling
        origins, events (in what was forecast) and by name hit_rate, pai, pei_star, deviance. Origins with no event are NaN in the first
        three.

    Raises
    ------
    AnalysisError
        Counts that are negative, missing, not whole or all zero; too few periods for the origins; a forecast that is negative or missing.

    References
    ----------
    Tashman (2000), doi:10.1016/S0169-2070(00)00065-0 (rolling origins).

    Examples
    --------
    >>> counts = [[5, 4, 6, 5, 5, 4], [0, 1, 0, 0, 1, 0], [1, 0, 0, 2, 0, 1]]
    >>> scores = rolling(counts, {"long-run": baseline("long_run")}, horizon=1, area=[1, 1, 1], share=0.34, origins_n=3)
    >>> scores.origins.tolist(), scores.hit_rate["long-run"].round(2).tolist()
    ([3, 4, 5], [0.71, 0.83, 0.8])
    """
    table = suitable_counts(counts, least=2, dimensions=2)
    ground = suitable_exposure(area, table.shape[0], what="area")
    first = table.shape[1] - origins_n * horizon
    if horizon < 1 or gap < 0 or origins_n < 1 or first - gap < 1:
        raise AnalysisError(
            f"{table.shape[1]} periods do not hold {origins_n} origins of {horizon} period(s) with a gap of {gap} and a past; "
            "take fewer origins, a shorter horizon or more history"
        )
    origins = np.arange(first, table.shape[1], horizon)
    truths = [table[:, origin : origin + horizon].sum(axis=1) for origin in origins]
    scores: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in forecasts}
    for origin, truth in zip(origins, truths, strict=True):
        for name, forecast in forecasts.items():
            expected = suitable_values(forecast(table[:, : origin - gap].copy(), horizon), what="forecast", least=1)
            if expected.size != truth.size:
                raise AnalysisError(f"forecast {name!r} gave {expected.size} values for {truth.size} places")
            scores[name].append(_scores(truth, expected, ground, share, rng))
    columns = {name: np.array(rows).T for name, rows in scores.items()}
    parts: list[dict[str, Floats]] = [{name: values[number] for name, values in columns.items()} for number in range(4)]
    return Rolling(origins, np.array([truth.sum() for truth in truths]), *parts)


def baseline(kind: str, *, periods: int = 52) -> Forecast:
    """Return a forecast that any learner must beat.

    Parameters
    ----------
    kind : {"long_run", "last", "ewma"}
        Mean of the whole past; of the last `periods`; or exponentially weighted with a half-life of `periods`.
    periods : int, default 52
        Window or half-life.

    Returns
    -------
    callable
        For `rolling`. Places without any event get half an event over the whole past, so that deviance is defined.

    Raises
    ------
    AnalysisError
        Unknown kind, or periods below 1.
    """
    if kind not in ("long_run", "last", "ewma") or periods < 1:
        raise AnalysisError(
            f"baseline {kind!r} with periods = {periods} is unknown; use 'long_run', 'last' or 'ewma' and at least one period"
        )

    def forecast(past: Ints, horizon: int) -> Floats:
        ages = np.arange(past.shape[1])[::-1]
        weight = {"long_run": np.ones(ages.size), "last": (ages < periods).astype(np.float64), "ewma": 0.5 ** (ages / periods)}[kind]
        expected: Floats = np.maximum(past @ weight / weight.sum(), 0.5 / past.shape[1]) * horizon
        return expected

    return forecast


def paired_difference(
    first: npt.ArrayLike, second: npt.ArrayLike, *, rng: np.random.Generator, block: int = 3, replicates: int = 4000, level: float = 0.95
) -> Difference:
    """Compare two forecasts scored at the same origins.

    Parameters
    ----------
    first, second : array_like of shape (origins,)
        Scores; origins where either is NaN are left out.
    rng : numpy Generator
        Source of the bootstrap.
    block : int, default 3
        Neighbouring origins drawn together, since they resemble each other.
    replicates : int, default 4000
        Bootstrap samples.
    level : float, default 0.95
        Of the interval.

    Returns
    -------
    Difference
        mean of first - second, lower, upper.

    Raises
    ------
    AnalysisError
        Fewer than four common origins, lengths that differ, or settings out of range.

    References
    ----------
    Künsch (1989), doi:10.1214/aos/1176347265 (moving blocks; here they wrap around: Politis and Romano 1992).
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape or one.ndim != 1:
        raise AnalysisError(f"scores of shapes {one.shape} and {two.shape} are not paired; score both at the same origins")
    difference = (one - two)[np.isfinite(one) & np.isfinite(two)]
    if difference.size < 4 or not 1 <= block <= difference.size or replicates < 1 or not 0 < level < 1:
        raise AnalysisError(
            f"{difference.size} common origins with block = {block}: at least four origins are needed, and blocks no longer than they are"
        )
    starts = rng.integers(0, difference.size, (replicates, -(-difference.size // block)))
    drawn = (starts[:, :, None] + np.arange(block)).reshape(replicates, -1)[:, : difference.size] % difference.size
    low, high = np.quantile(difference[drawn].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(difference.mean()), float(low), float(high))


def _scores(
    truth: Ints, expected: Floats, ground: Floats, share: float, rng: np.random.Generator | None
) -> tuple[float, float, float, float]:
    """Hit rate, PAI, PEI* and deviance of one forecast at one origin."""
    deviance = poisson_deviance(truth, expected)
    if not truth.any():
        return np.nan, np.nan, np.nan, deviance
    chosen = select_area(expected / ground, ground, share=share, rng=rng)
    return hit_rate(truth, chosen), pai(truth, chosen, ground), pei_star(truth, chosen, ground), deviance
