"""Shares and means of two spans of weeks: how sure each is, and whether it has moved more than it wanders anyway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse, stats
from scipy.sparse.csgraph import connected_components

from cloudmap.analytics.conditional import share_interval, tails
from cloudmap.analytics.panel import Panel
from cloudmap.analytics.proportions import Proportions, difference

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SPANS_LEAST: Final = 8
"""Spans of the past from which wandering is learnt; with fewer nothing is called better or worse."""
SPAN_LONGEST: Final = 13
LEAST_N: Final = 20
"""Cases or matters that either span needs, for a share or a mean to be compared."""
PATCHES_LEAST: Final = 6
"""With fewer changed patches not even all in one direction would show a change (two-sided, .05)."""

_Z: Final = float(stats.norm.ppf(0.975))
_PRIOR_FREEDOM: Final = 20.0


class Weeks(NamedTuple):
    """Columns of the series: the period, what it is compared with (none where it may not be), and the past from which noise is learnt."""

    now: Ints
    then: Ints
    past: Ints


class Series(NamedTuple):
    """Weekly sums of something that each matter or case has, by place, the city last: shape (n + 1, T) each."""

    n: Floats
    total: Floats
    square: Floats


class Shift(NamedTuple):
    """What two spans say, shape (n + 1,); NaN where nothing can be said."""

    n: Floats
    total: Floats
    value: Floats
    lower: Floats
    upper: Floats
    before_n: Floats
    before_total: Floats
    before: Floats
    change: Floats
    change_lower: Floats
    change_upper: Floats
    p: Floats


def weekly_sums(rows: pl.DataFrame) -> pl.DataFrame:
    """Sum rows of place (null where unknown), week_on and value (0 or 1) to place, week_on, n and total."""
    value = pl.col("value").cast(pl.Float64)
    return rows.group_by(pl.col("place").cast(pl.String), "week_on").agg(pl.len().cast(pl.Float64).alias("n"), value.sum().alias("total"))


def weekly_series(sums: pl.DataFrame, panel: Panel) -> Series:
    """Lay shares out by place and week.

    Parameters
    ----------
    sums : polars.DataFrame
        From `weekly_sums`.
    panel : Panel
        Whose places and weeks are meant; sums of other weeks are left out, those of other places count for the city only.

    Returns
    -------
    Series
    """
    at = {place: index for index, place in enumerate(panel.places)}
    week = ((sums["week_on"] - panel.first_week_on).dt.total_days() // 7).to_numpy()
    place = sums["place"].replace_strict(at, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()
    inside = (week >= 0) & (week < panel.weeks_n)
    known = inside & (place >= 0)

    def laid(values: Floats) -> Floats:
        one = np.zeros((len(panel.places) + 1, panel.weeks_n))
        np.add.at(one, (place[known], week[known]), values[known])
        np.add.at(one[-1], week[inside], values[inside])
        return one

    total = laid(sums["total"].to_numpy())
    return Series(laid(sums["n"].to_numpy()), total, total)


def shift(series: Series, weeks: Weeks, *, share: bool) -> Shift:
    """Estimate a share or a mean in both spans, and its change.

    Parameters
    ----------
    series : Series
    weeks : Weeks
    share : bool
        Whether it is a share of cases (Wilson, Newcombe); else a mean (normal).

    Returns
    -------
    Shift

    Notes
    -----
    Both spans are as uncertain as if they held 1 / phi as many matters: phi is how much more the place's share or mean has varied, from
    span to span of its past, than independent matters would (at least 1; a place's own is drawn towards that of all places, the city's is
    its own and raised for the few spans it stands on).
    """
    n, total = series.n[:, weeks.now].sum(axis=1), series.total[:, weeks.now].sum(axis=1)
    before_n, before_total = series.n[:, weeks.then].sum(axis=1), series.total[:, weeks.then].sum(axis=1)
    phi = _wandering(series, weeks)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, before = total / n, before_total / before_n
        used = np.union1d(weeks.past, weeks.now)
        spread = _variance(series, used)
        error = np.sqrt(phi * spread * (1 / n + 1 / before_n))
        now, then = (
            (_wilson(part, whole, phi) for part, whole in ((total, n), (before_total, before_n)))
            if share
            else (_normal(middle, spread * phi / whole) for middle, whole in ((value, n), (before, before_n)))
        )
        gap = difference(now, then) if share else Proportions(value - before, value - before - _Z * error, value - before + _Z * error)
        if share:
            pooled = (total + before_total) / (n + before_n)
            error = np.sqrt(phi * pooled * (1 - pooled) * (1 / n + 1 / before_n))
        z = np.where(error > 0, (value - before) / np.where(error > 0, error, 1.0), 0.0)
    told = (n >= LEAST_N) & (before_n >= LEAST_N) & np.isfinite(phi)
    p = np.where(told, 2 * stats.norm.sf(np.abs(z)), np.nan)
    change, low, high = (np.where(told, one, np.nan) for one in gap)
    return Shift(n, total, value, now.lower, now.upper, before_n, before_total, before, change, low, high, p)


def _variance(series: Series, weeks: Ints) -> Floats:
    """Return the variance of single matters about their place's mean."""
    n, total, square = (one[:, weeks].sum(axis=1) for one in series)
    spread: Floats = np.maximum(square / n - (total / n) ** 2, 0.0)
    return spread


def _wilson(part: Floats, whole: Floats, phi: Floats) -> Proportions:
    """Wilson's interval of a share of whole / phi independent cases."""
    p, n = part / whole, whole / phi
    middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return Proportions(p, np.minimum(np.maximum(middle - half, 0), p), np.maximum(np.minimum(middle + half, 1), p))


def _normal(middle: Floats, variance: Floats) -> Proportions:
    half = _Z * np.sqrt(variance)
    return Proportions(middle, np.maximum(middle - half, 0.0), middle + half)


def _wandering(series: Series, weeks: Weeks) -> Floats:
    """Tell how much more each mean has varied between spans than independent matters would; NaN where the past is too short."""
    blank = np.full(len(series.n), np.nan)
    if weeks.past.size < SPANS_LEAST:
        return blank
    length = max(1, min(weeks.now.size, SPAN_LONGEST, weeks.past.size // SPANS_LEAST))
    kept = weeks.past[weeks.past.size % length :]
    n, total = (one[:, kept].reshape(len(one), -1, length).sum(axis=2) for one in (series.n, series.total))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total.sum(axis=1) / n.sum(axis=1)
        expected = n * _variance(series, kept)[:, None] * (1 - n / n.sum(axis=1, keepdims=True))
        squared = np.where(expected > 0, (total - n * mean[:, None]) ** 2 / np.where(expected > 0, expected, 1.0), 0.0)
    counted = (expected > 0).sum(axis=1).astype(np.float64)
    own, whole = squared.sum(axis=1), counted[:-1].sum()
    pool = max(float(own[:-1].sum() / whole), 1.0) if whole else 1.0
    phi = (own + _PRIOR_FREEDOM * pool) / (counted + _PRIOR_FREEDOM)
    if counted[-1] >= SPANS_LEAST:
        # The city has no like to lean on: a normal quantile is to do the work of Student's.
        phi[-1] = max(own[-1] / counted[-1], 1.0) * (float(stats.t.ppf(0.975, counted[-1] - 1)) / _Z) ** 2
    wandering: Floats = np.maximum(phi, 1.0)
    return wandering


class Verdicts(NamedTuple):
    """Verdicts of a map at two times.

    Attributes
    ----------
    panel : Panel
        Of the places that have verdicts (cells, micro-grids): their areas, and who is whose neighbour.
    unit_of : polars.DataFrame
        place, unit: the unit that each of them lies in; places without one count for the city only.
    now, before : polars.DataFrame
        place, class. None for `before` where there was no verdict then.
    """

    panel: Panel
    unit_of: pl.DataFrame
    now: pl.DataFrame
    before: pl.DataFrame | None = None


def verdict_shift(verdicts: Verdicts, units: Sequence[str], flagged: Sequence[str], *, by_area: bool) -> Shift:
    """Tell the share of judged places that are flagged, by unit, the city last, and whether more became flagged than ceased to be.

    Parameters
    ----------
    verdicts : Verdicts
    units : sequence of str, length n
    flagged : sequence of str
        Classes that count.
    by_area : bool
        Weigh places by their area.

    Returns
    -------
    Shift
        n: places judged; total: places flagged; value, before: shares; p: NaN where fewer than `PATCHES_LEAST` patches changed. lower and
        upper are NaN: every place is judged, none is a sample of others. The change is among places judged both times.

    Notes
    -----
    Verdicts of neighbours hang together: a patch of touching places that changed in the same way counts once. Under no change a patch
    is as likely to begin as to end (sign test); the interval of that share, times the share of ground that changed, is the change's.
    """
    place_unit = _unit_index(verdicts, units)
    weight = verdicts.panel.area_m2 if by_area else np.ones(len(verdicts.panel.places))
    judged, on = _flags(verdicts.panel, verdicts.now, flagged)
    if verdicts.before is None:
        was_judged = was_on = np.zeros_like(on)
    else:
        was_judged, was_on = _flags(verdicts.panel, verdicts.before, flagged)
    both = judged & was_judged

    def by_unit(values: Floats) -> Floats:
        inside = place_unit >= 0
        return np.append(np.bincount(place_unit[inside], values[inside], minlength=len(units)), values.sum())

    begun, ended = both & on & ~was_on, both & ~on & was_on
    gained, lost = (_patches(verdicts.panel, one, place_unit, len(units)) for one in (begun, ended))
    changed = gained + lost
    with np.errstate(divide="ignore", invalid="ignore"):
        value, before = by_unit(weight * on) / by_unit(weight * judged), by_unit(weight * was_on) / by_unit(weight * was_judged)
        ground = by_unit(weight * both)
        moved = by_unit(weight * (begun | ended)) / ground
        change = (by_unit(weight * begun) - by_unit(weight * ended)) / ground
    low, high = share_interval(gained, changed, np.inf)
    enough = changed >= PATCHES_LEAST
    up, down = tails(gained, changed, np.full(changed.size, 0.5), np.inf)
    p = np.where(enough, np.minimum(2 * np.minimum(up, down), 1.0), np.nan)
    lower, upper = np.minimum((2 * low - 1) * moved, change), np.maximum((2 * high - 1) * moved, change)
    blank = np.full(change.size, np.nan)
    still = np.where(ground > 0, changed == 0, False)
    known = enough | still
    return Shift(
        by_unit(judged.astype(np.float64)), by_unit(on.astype(np.float64)), value, blank, blank,
        by_unit(was_judged.astype(np.float64)), by_unit(was_on.astype(np.float64)), before,
        np.where(ground > 0, change, np.nan), np.where(known, lower, np.nan), np.where(known, upper, np.nan), p,
    )  # fmt: skip


def _unit_index(verdicts: Verdicts, units: Sequence[str]) -> Ints:
    at = pl.DataFrame({"unit": list(units), "at": np.arange(len(units))}, schema={"unit": pl.String, "at": pl.Int64})
    known = verdicts.unit_of.select(pl.col("place").cast(pl.String), pl.col("unit").cast(pl.String)).unique("place", keep="first")
    order = pl.DataFrame({"place": list(verdicts.panel.places)}, schema={"place": pl.String})
    joined = order.join(known, on="place", how="left", maintain_order="left").join(at, on="unit", how="left", maintain_order="left")
    return joined["at"].fill_null(-1).to_numpy()


def _flags(panel: Panel, table: pl.DataFrame, flagged: Sequence[str]) -> tuple[Bools, Bools]:
    """Return which places were judged, and which are flagged, in the panel's order."""
    order = pl.DataFrame({"place": list(panel.places)}, schema={"place": pl.String})
    named = order.join(table.select("place", "class"), on="place", how="left", maintain_order="left")["class"].fill_null("not_enough_data")
    return (named != "not_enough_data").to_numpy(), named.is_in(list(flagged)).to_numpy()


def _patches(panel: Panel, chosen: Bools, place_unit: Ints, units_n: int) -> Floats:
    """Count the patches of touching chosen places in each unit, and in the city."""
    at = np.flatnonzero(chosen)
    if not at.size:
        return np.zeros(units_n + 1)
    within = sparse.csr_matrix(panel.weights)[at][:, at]
    city_n, patch = connected_components(within, directed=False)
    pairs = np.unique(np.column_stack([place_unit[at], patch]), axis=0)
    return np.append(np.bincount(pairs[pairs[:, 0] >= 0, 0], minlength=units_n), city_n).astype(np.float64)
