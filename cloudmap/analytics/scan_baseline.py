"""What the scan of a panel compares with: which weeks, which places, whose shares, and what noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from cloudmap.analytics.panel import Panel
from cloudmap.analytics.periods import Period
from cloudmap.analytics.scan_null import ByPlace, ByWeek, Dispersion, dispersion, unbiased_size
from cloudmap.analytics.suitable import suitable_counts, suitable_points, suitable_values
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Kind = Literal["prospective", "retrospective", "spatial"]
Model = Literal["auto", "poisson", "negative_binomial"]
Baseline = Literal["auto", "exposure", "history"]

THRESHOLD = 0.05
"""Largest p of a significant cluster, and of the dispersion test that calls for the negative binomial."""

_FEWEST_REPLICATES = 19
"""With fewer no p can reach 0.05."""

_FITTED_WEEKS = 52
"""Most weeks from which the dispersion is fitted."""

_CALM_WEEKS = 8
"""Fewest weeks before a prospective scan's reach from which alone the dispersion is fitted, so that a cluster does not hide itself."""


@dataclass(frozen=True, slots=True)
class Span:
    """Columns of the panel: all that may be used, the window, and what is searched of it; and how long a cylinder may be, in weeks."""

    usable: Ints
    window: Ints
    seen: Ints
    longest: int
    moved: bool
    short: bool


@dataclass(frozen=True, slots=True)
class Grounds:
    """Places that take part, their shares of the city, their matters and all matters of the weeks compared, the city's weekly course.

    `course` has all weeks of the panel; `by_exposure` says what tells the shares.
    """

    rows: Ints
    share: Floats
    cases_n: Ints
    total: int
    course: Ints
    by_exposure: bool


def check(data: Panel, kind: str, model: str, baseline: str, weeks: int, max_periods: int, replicates: int) -> None:
    """Refuse settings out of range, and panels that cannot be scanned."""
    for name, value, allowed in (("kind", kind, Kind), ("model", model, Model), ("baseline", baseline, Baseline)):
        if value not in get_args(allowed):
            raise AnalysisError(f"{name} = {value!r} is none of {', '.join(get_args(allowed))}")
    for name, number, least in (("weeks", weeks, 1), ("max_periods", max_periods, 1), ("replicates", replicates, _FEWEST_REPLICATES)):
        if number < least:
            raise AnalysisError(f"{name} = {number!r} must be at least {least}")
    counts = suitable_counts(data.counts, what="count", dimensions=2, least=2)
    points = suitable_points(data.xy_m, least=2, what="place")
    if not counts.shape[0] == points.shape[0] == len(data.places):
        raise AnalysisError(f"{counts.shape[0]} rows of counts, {points.shape[0]} points, {len(data.places)} places; rebuild the panel")


def exposed(data: Panel, baseline: Baseline) -> bool:
    """Whether the exposure tells the shares; the city's own reports cannot tell those of all its reports."""
    if baseline == "exposure" and data.exposure is None:
        raise AnalysisError(f"{data.layer} has no exposure to compare with; declare [exposure] in city.toml or take baseline = 'history'")
    if baseline == "auto":
        return data.exposure is not None and not (data.exposure_kind == "reports" and data.category == "ALL")
    return baseline == "exposure"


def find_span(data: Panel, kind: Kind, end: Period | None, weeks: int, max_periods: int, *, by_exposure: bool) -> Span:
    """Choose weeks: complete ones of the present regime only.

    Raises
    ------
    AnalysisError
        Fewer than two such weeks, or none to compare with.
    """
    last = data.weeks_n - 1 if end is None else data.at(end.last_week_on)
    at = np.arange(data.regime_from, last + 1)
    usable = at[data.complete[data.regime_from : last + 1]]
    if usable.size < 2:
        raise AnalysisError(
            f"{usable.size} complete week(s) since the present way of reporting began; a scan needs at least 2: wait, or choose a later end"
        )
    window = usable[-weeks:]
    if kind == "spatial" and not by_exposure and window.size == usable.size:
        raise AnalysisError(
            f"no week lies before the {window.size} scanned, and without exposure there is nothing to compare with; scan fewer weeks"
        )
    longest = min(max_periods, window.size, window.size if by_exposure else usable.size // 2)
    seen = window[-longest:] if kind == "prospective" else window
    short = window.size < weeks or (kind != "spatial" and longest < max_periods)
    return Span(usable, window, seen, longest, bool(usable[-1] < last), short)


def find_ground(data: Panel, span: Span, *, by_exposure: bool) -> Grounds:
    """Choose the places that can be compared, and their shares of the city.

    Raises
    ------
    AnalysisError
        Fewer than two such places, exposure that is missing, negative or of other places, or no matter at all.
    """
    basis = span.window if by_exposure else span.usable
    counts = data.counts[:, basis]
    if by_exposure:
        weight = suitable_values(np.asarray(data.exposure), what="exposure", least=2)
        if weight.size != counts.shape[0]:
            raise AnalysisError(f"{weight.size} exposures for {counts.shape[0]} places; rebuild the panel from the same places")
    else:
        weight = counts.sum(axis=1).astype(np.float64)
    rows = np.flatnonzero(weight > 0)
    total = int(counts[rows].sum())
    if rows.size < 2:
        raise AnalysisError(
            f"{rows.size} place(s) have {'exposure' if by_exposure else 'a matter'}; a scan needs at least 2: take a larger area"
        )
    if total == 0:
        raise AnalysisError(f"no matter in the {basis.size} weeks, so nothing can be found; choose a longer period or a wider category")
    share = weight[rows] / weight[rows].sum()
    return Grounds(rows, share, counts[rows].sum(axis=1), total, data.counts[rows].sum(axis=0), by_exposure)


def searched_periods(counts: Ints, span: Span, kind: Kind) -> Ints:
    """Counts of the periods searched: weeks, or the window as one."""
    seen = counts[:, span.seen]
    return seen.sum(axis=1, keepdims=True) if kind == "spatial" else seen


def find_noise(data: Panel, span: Span, ground: Grounds, kind: Kind, *, seed: int) -> Dispersion:
    """Fit the dispersion, of a prospective scan to the weeks before its reach where these suffice.

    An exposure does not know all that places differ by, for good; such noise does not average out over weeks. It is what the totals of the
    places vary more than their weeks explain, the weeks being fitted to each place's own total.
    """
    calm = np.setdiff1d(span.usable if kind == "prospective" else span.window, span.seen)
    weeks = calm if kind == "prospective" and calm.size >= _CALM_WEEKS else span.window
    weeks = weeks[-_FITTED_WEEKS:]
    counts, course = data.counts[np.ix_(ground.rows, weeks)], ground.course[weeks]
    rng = np.random.default_rng(seed)
    if not ground.by_exposure:
        before = ground.course[np.setdiff1d(span.usable, weeks)]
        if kind == "spatial":
            counts, course = counts.sum(axis=1, keepdims=True), course.sum(keepdims=True)
        return _own_noise(counts, course, ground.share, ground.cases_n, before, rng)
    total = counts.sum(axis=1, keepdims=True)
    together = dispersion(total, ground.share[:, None] * course.sum(), leverage=ground.share[:, None])
    if kind == "spatial" or not course.any():
        return together
    weekly = dispersion(counts, ground.share[:, None] * course, leverage=np.repeat(ground.share[:, None], course.size, axis=1))
    known = total[:, 0] > 0
    own = _own_noise(counts[known], course, total[known, 0] / total.sum(), total[known, 0], course[:0], rng)
    explained = float((course.astype(np.float64) ** 2).sum() / course.sum() ** 2) / own.size
    lasting = 1 / together.size - explained
    z, p = max(weekly.z, together.z), min(1.0, 2 * min(weekly.p, together.p))
    return Dispersion(z, p, own.size, 1 / lasting if lasting > 0 else np.inf)


def _own_noise(counts: Ints, course: Ints, share: Floats, cases_n: Ints, before: Ints, rng: np.random.Generator) -> Dispersion:
    """Fit the dispersion of weeks around each place's own share of the city.

    Shares that are fitted to the same counts follow the noise, so that the size comes out too large (0.65 for 0.5 at 0.2 matters a week
    over 36 weeks). What the same fit makes of tables drawn with the fitted size tells by how much.
    """
    means = share[:, None] * course
    noise = dispersion(counts, means, leverage=share[:, None] + course / cases_n.sum())
    if not np.isfinite(noise.size):
        return noise
    null = _by_place(cases_n, course, before, noise.size)
    return noise._replace(size=unbiased_size(noise.size, null, share, rng))


def find_null(span: Span, ground: Grounds, means: Floats, course: Ints, noise: Dispersion) -> ByWeek | ByPlace:
    """Say what replicates are drawn from: each week's total given where shares are known, else each place's."""
    if ground.by_exposure:
        return ByWeek(means, course, noise.size, noise.lasting)
    return _by_place(ground.cases_n, course, ground.course[np.setdiff1d(span.usable, span.seen)], noise.size)


def _by_place(cases_n: Ints, course: Ints, before: Ints, size: float) -> ByPlace:
    """Pool the weeks that are not drawn one by one: their noise is that of as many weeks as their matters are spread over."""
    pooled = before.astype(np.float64)
    weeks = float(pooled.sum() ** 2 / (pooled**2).sum()) if pooled.any() else 1.0
    return ByPlace(cases_n, course.astype(np.float64), float(pooled.sum()), weeks, size)
