"""Reporting regimes: spans within which counts mean the same, declared by the city or told from the counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise
from math import log, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from cloudmap.analytics.change_points import LEAST_FOLD, change_points
from cloudmap.analytics.effort import CITY
from cloudmap.errors import AnalysisError

SAME_WAY_SHARE = 0.9
"""A change in which at least this share of places takes part, as their folds are spread, is uniform over space."""

_DECLARED_Z = 3.0
_NEEDED = ("source_id", "week_on", "reports_n", "active_reporters_n")

_SCHEMA = {
    "source_id": pl.String,
    "first_week_on": pl.Date,
    "last_week_on": pl.Date,
    "reports_per_week": pl.Float64,
    "fold": pl.Float64,
    "reporters_fold": pl.Float64,
    "places_fold": pl.Float64,
    "same_way_share": pl.Float64,
    "looks_like_effort": pl.Boolean,
    "kind": pl.String,
    "name": pl.String,
}


class Spread(NamedTuple):
    """How a change is spread over places.

    Attributes
    ----------
    fold : float
        Total after / total before, per week.
    deviation : float
        Deviation of the places' own log folds about it, beyond what chance gives counts.
    same_way_share : float
        Share (0-1) of places that move the same way, their log folds taken as normal.
    """

    fold: float
    deviation: float
    same_way_share: float


def reporting_regimes(
    weekly: pl.DataFrame, *, milestones: Iterable[tuple[date, str]] = (), by_place: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Split each source's weeks, and the city's, into spans of one way of reporting.

    Parameters
    ----------
    weekly : polars.DataFrame
        From `effort.weekly_effort`; places_n is used where it is there.
    milestones : iterable of (date, str)
        Declared changes of the reporting regime and their names. A regime begins with the first whole week from that day on. Each holds for
        the city; for a source only where the source changes there (three standard errors).
    by_place : polars.DataFrame, optional
        From `effort.weekly_places`: tells whether a change is uniform over space.

    Returns
    -------
    polars.DataFrame
        One row a regime, by source ("ALL" for the city) and time: source_id, first_week_on, last_week_on, reports_per_week (mean), fold
        (to the regime before; null for the first), reporters_fold and places_fold (of the mean weekly number of active reporters and of
        places told of; null where unknown), same_way_share (0-1), looks_like_effort (null where nothing tells), kind ("first", "declared",
        "detected"), name (of the milestone; null otherwise).

    Raises
    ------
    AnalysisError
        A column is missing, the table is empty, or a source's weeks have gaps.

    Notes
    -----
    Detection is `change_points.change_points`; detected regimes have eight weeks or more. A change that is uniform over space looks like
    effort; so does one in which reporters changed at least half as much (in logarithms) as reports, unless it is known not to be
    uniform: then an app that came to some streets and an outbreak that many told of look alike, and the answer is null.
    """
    missing = [name for name in _NEEDED if name not in weekly.columns]
    if missing or weekly.is_empty():
        what = f"lacks column(s) {', '.join(missing)}" if missing else "has no rows"
        raise AnalysisError(f"reporting regimes: the weekly table {what}; make it with `effort.weekly_effort`")
    declared = sorted((day + timedelta(days=-day.weekday() % 7), name) for day, name in milestones)
    rows: list[dict[str, object]] = []
    for source in [*sorted(set(weekly["source_id"]) - {CITY}), CITY]:
        part = weekly.filter(pl.col("source_id") == source).sort("week_on")
        if part.is_empty():
            continue
        places = None if by_place is None else by_place.filter(pl.col("source_id") == source)
        rows += _regimes_of(source, part, declared, places)
    return pl.DataFrame(rows, schema=_SCHEMA)


def regime_from(regimes: pl.DataFrame, source_id: str = CITY) -> date:
    """Return the Monday from which on a source's counts, or the city's, mean the same.

    Parameters
    ----------
    regimes : polars.DataFrame
        From `reporting_regimes`.
    source_id : str, default "ALL"

    Returns
    -------
    date
        First week of the newest regime that is declared or may be one of effort. A detected change that does not look like effort
        is something that happened, and breaks no comparison.

    Raises
    ------
    AnalysisError
        The source is not in the table.
    """
    begun = regime_starts(regimes, source_id)
    return begun[-1]


def regime_starts(regimes: pl.DataFrame, source_id: str = CITY) -> list[date]:
    """Return the Mondays on which regimes of reporting begin, oldest first; arguments and errors as for `regime_from`."""
    part = regimes.filter(pl.col("source_id") == source_id)
    if part.is_empty():
        known = ", ".join(regimes["source_id"].unique().sort())
        raise AnalysisError(f"no reporting regimes of source {source_id!r}; there are {known or 'none'}")
    effort = (pl.col("kind") != "detected") | pl.col("looks_like_effort").fill_null(value=True)
    return part.filter(effort)["first_week_on"].sort().to_list()


def spread_over_places(before: npt.ArrayLike, after: npt.ArrayLike, *, weeks_before: int, weeks_after: int) -> Spread:
    """Tell whether a change of the total is one that all places share.

    Parameters
    ----------
    before, after : array_like of shape (n,)
        Counts of each place before and after the change.
    weeks_before, weeks_after : int
        Weeks that they cover.

    Returns
    -------
    Spread

    Raises
    ------
    AnalysisError
        Shapes differ, there is no count on one side, or a span has no week.

    Notes
    -----
    Log folds of places, each with its Poisson variance; their spread beyond chance by DerSimonian and Laird (1986,
    doi:10.1016/0197-2456(86)90046-2), about the fold of the totals. same_way_share = Phi(abs(log fold) / deviation).

    Examples
    --------
    >>> spread_over_places([10, 20, 30, 40], [30, 60, 90, 120], weeks_before=10, weeks_after=10)
    Spread(fold=3.0, deviation=0.0, same_way_share=1.0)
    """
    old, new = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if old.ndim != 1 or old.shape != new.shape or old.sum() <= 0 or new.sum() <= 0 or min(weeks_before, weeks_after) < 1:
        raise AnalysisError("spread over places: give one count a place before and after, some reports on each side, and whole weeks")
    fold = float(new.sum() / weeks_after / (old.sum() / weeks_before))
    told = old + new >= 5
    if told.sum() < 2:
        return Spread(fold, 0.0, 1.0)
    own = np.log((new[told] + 0.5) / weeks_after) - np.log((old[told] + 0.5) / weeks_before)
    variance = 1 / (new[told] + 0.5) + 1 / (old[told] + 0.5)
    weight = 1 / variance
    centre = np.average(own, weights=weight)
    excess = float((weight * (own - centre) ** 2).sum()) - (told.sum() - 1)
    deviation = sqrt(max(0.0, excess / float(weight.sum() - (weight**2).sum() / weight.sum())))
    share = float(stats.norm.cdf(abs(log(fold)) / deviation)) if deviation > 0 else 1.0
    return Spread(fold, deviation, share)


def _regimes_of(
    source: str, part: pl.DataFrame, declared: Sequence[tuple[date, str]], places: pl.DataFrame | None
) -> list[dict[str, object]]:
    weeks = part["week_on"].to_list()
    if (weeks[-1] - weeks[0]).days != 7 * (len(weeks) - 1):
        raise AnalysisError(
            f"reporting regimes: the weeks of {source} have gaps; fill weeks without reports with 0 (`effort.weekly_effort` does)"
        )
    counts = part["reports_n"].to_numpy().astype(np.float64)
    names = {
        (day - weeks[0]).days // 7: name
        for day, name in declared
        if weeks[0] < day <= weeks[-1] and (source == CITY or _changes_at(counts, (day - weeks[0]).days // 7))
    }
    edges = [0, *change_points(counts, fixed=tuple(names)), len(weeks)]
    rows = []
    for turn, (first, last) in enumerate(pairwise(edges)):
        row: dict[str, object] = {
            "source_id": source,
            "first_week_on": weeks[first],
            "last_week_on": weeks[last - 1],
            "reports_per_week": float(counts[first:last].mean()),
            "kind": "first" if turn == 0 else "declared" if first in names else "detected",
            "name": names.get(first),
        }
        if turn:
            row |= _change(part[edges[turn - 1] : first], part[first:last], places)
        rows.append(row)
    return rows


def _changes_at(counts: npt.NDArray[np.float64], at: int) -> bool:
    """Tell whether a source changes at a week that was declared: its own level before and after, up to a year, three errors apart."""
    before, after = counts[max(at - 52, 0) : at], counts[at : at + 52]
    if min(before.size, after.size) < 2:
        return False
    old, new = np.log(before + 0.5), np.log(after + 0.5)
    # Clinging noise and season make weeks worth less than their number: a quarter of it is counted.
    error = sqrt(4 * (old.var(ddof=1) / old.size + new.var(ddof=1) / new.size) + 1e-12)
    size = abs(float(np.median(new) - np.median(old)))
    return size >= log(LEAST_FOLD) and size / error >= _DECLARED_Z


def _change(before: pl.DataFrame, after: pl.DataFrame, places: pl.DataFrame | None) -> dict[str, object]:
    """Describe a change: folds of reports, reporters and places, how it is spread, and whether it looks like effort."""
    fold = _fold(before, after, "reports_n")
    reporters = _fold(before, after, "active_reporters_n")
    told = _fold(before, after, "places_n") if "places_n" in before.columns else None
    spread = None if places is None or not fold else _spread(before["week_on"], after["week_on"], places)
    return {
        "fold": fold,
        "reporters_fold": reporters,
        "places_fold": told,
        "same_way_share": spread,
        "looks_like_effort": _looks_like_effort(fold, reporters, spread),
    }


def _fold(before: pl.DataFrame, after: pl.DataFrame, column: str) -> float | None:
    old, new = before[column].drop_nulls().mean(), after[column].drop_nulls().mean()
    if not isinstance(old, float) or not isinstance(new, float) or old <= 0:
        return None
    return new / old


def _spread(before: pl.Series, after: pl.Series, places: pl.DataFrame) -> float | None:
    """Return the share of places that move the same way, from up to a year on each side."""
    old, new = before.tail(52), after.head(52)
    late = pl.col("week_on") >= new[0]
    kept = places.filter(pl.col("week_on").is_between(old[0], new[-1]))
    counts = kept.group_by("place").agg(
        before=pl.col("reports_n").filter(~late).sum(), after=pl.col("reports_n").filter(late).sum()
    )  # fmt: skip
    if counts.is_empty() or counts["before"].sum() == 0 or counts["after"].sum() == 0:
        return None
    return spread_over_places(
        counts["before"].to_numpy(), counts["after"].to_numpy(), weeks_before=len(old), weeks_after=len(new)
    ).same_way_share  # fmt: skip


def _looks_like_effort(fold: float | None, reporters: float | None, same_way: float | None) -> bool | None:
    if not fold or fold == 1.0 or (not reporters and same_way is None):
        return None
    by_reporters = None if not reporters else log(reporters) / log(fold) >= 0.5
    if same_way is None:
        return by_reporters
    if same_way >= SAME_WAY_SHARE:
        return True
    return None if by_reporters else False
