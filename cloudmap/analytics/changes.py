"""What changed: each place's and the city's counts of a period against their own past, beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.analytics.conditional import share_interval, tails
from cloudmap.analytics.inference import fdr_of_tested
from cloudmap.analytics.noise import fit_noise
from cloudmap.analytics.panel import Panel
from cloudmap.analytics.periods import Period
from cloudmap.analytics.result import Result
from cloudmap.analytics.season import Season, fit_season
from cloudmap.analytics.together import suitable_panels
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Against = Literal["before", "year_before", "expected"]

CITY: Final = "CITY"
"""Place of the cards that tell what the whole city did."""

YEAR: Final = 52
SPANS_LEAST: Final = 8
"""Spans of history from which noise is learnt; with fewer weeks no card is judged."""
SPAN_LONGEST: Final = 13
REFERENCE_LEAST: Final = 8
"""Weeks that "expected" needs before the period."""

_COURSE: Final = 0.5
"""Deviation of the log of a city's course about the season before its counts are seen: where the rest of the city has hardly a report, they
do not tell its course, and an empty week must not make a lone report look like a surprise."""

_APART: Final = 3.0
"""Places further than so many deviations from the city's course do not shape it."""


class Weeks(NamedTuple):
    """Columns of the panels: the period, what it is compared with, and the weeks before it from which noise is learnt."""

    now: npt.NDArray[np.int64]
    then: npt.NDArray[np.int64]
    past: npt.NDArray[np.int64]


class _Cards(NamedTuple):
    """Cards of one group: the places', then the city's; shape (n + 1,)."""

    n: Floats
    before: Floats
    odds: Floats
    firm: Floats


def what_changed(
    panels: Sequence[Panel], *, period: Period, against: Against = "before", threshold: float = 0.05, ranked_n: int = 10
) -> Result:
    """Compare the matters of a period with what each place's own past and the city's course lead one to expect.

    Parameters
    ----------
    panels : sequence of Panel
        One for each category group of one layer; categories that are counted but not scored left out by the caller.
    period : Period
        Weeks to look at; those masked for reporting lag are left out, and as many of the weeks compared with.
    against : {"before", "year_before", "expected"}, default "before"
        The weeks just before, as many; the same weeks a year earlier; or all weeks before the period, up to a year.
    threshold : float, default 0.05
        On q.
    ranked_n : int, default 10
        Length of the short list.

    Returns
    -------
    Result
        One card a place and group, and one a group for the city as a whole (scope "city", place `CITY`): scope, place, category_code, n,
        before_n, expected, ratio (n over expected), lower, upper (95%), p, q, class, reason, rank.

        class is more, less, no_change, not_enough_data or not_comparable; reason tells why there is no verdict: regime (the weeks compared
        with lie before a change of reporting), no_history (they lie before the data), masked (their reports are not all in), few (no
        outcome could show a change); null otherwise. ratio is null where nothing was there before: the interval has a lower end only, and
        "n new against none" is all there is to say. rank numbers the cards of the short list (null elsewhere): strength of evidence (q up
        to .001, .01, threshold), then distance from the expected count.

    Raises
    ------
    AnalysisError
        No panel, panels that do not belong together, a period outside the data or none of whose weeks is complete, an unknown `against`.

    Notes
    -----
    A place's expected count is its own earlier count x what the rest of the city did in the same group meanwhile, so that a change of
    reporting all over the city, and the season, are told once, on the city's card. Places far off that course do not shape it. Given the
    sum of both counts, the later one is binomial under no change; it is taken as beta-binomial instead, as much wider as (1) counts of
    this place and its like have varied beyond Poisson in spans of the period's length before it (`noise.fit_noise`), and (2) the course
    itself is uncertain. p is two-sided (twice the smaller tail), q adjusts all cards together (Benjamini-Hochberg).

    The city's card compares its total with its own earlier total x the season's factor, which needs a year of history in the regime
    (caveat no_season without); its noise is that of spans of its own past about the season.

    A group's past begins with its first matter in the city: before that the category was not in use, which is no calm.

    References
    ----------
    Przyborowski and Wilenski (1940), doi:10.2307/2332612; Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    first = suitable_panels(panels)
    if against not in ("before", "year_before", "expected"):
        raise AnalysisError(f"against = {against!r} is unknown; use 'before', 'year_before' or 'expected'")
    weeks, reason = _weeks(first, period, against)
    season_known = weeks.past.size >= YEAR
    groups = [_group(one, weeks, against, reason) for one in panels]
    table = _table(first, panels, groups, reason)
    table = _judged(table, np.concatenate([one.firm for one in groups]), np.concatenate([one.odds for one in groups]), threshold)
    table = _with_rank(table, threshold, ranked_n)
    tested = table["p"].count()
    caveats = []
    if weeks.now.size < period.weeks_n:
        caveats.append("lag_weeks_left_out")
    if reason is not None:
        caveats.append(f"changes_{reason}")
    elif not season_known and against != "year_before":
        caveats.append("no_season")
    return Result(
        method="what changed",
        parameters={
            "layer": first.layer,
            "categories": [one.category for one in panels],
            "period": period.id,
            "against": against,
            "weeks_n": int(weeks.now.size),
            "weeks_before_n": int(weeks.then.size),
            "threshold": threshold,
            "tests_n": tested,
            "cards_n": table.height,
        },
        table=table,
        denominator=f"{tested} of {table.height} cards tested together: {len(first.places)} places and the city x {len(panels)} groups",
        caveats=tuple(caveats),
    )


def ranked(result: Result) -> pl.DataFrame:
    """Return the short list of a `what_changed` result: its ranked cards, first the best founded, then the largest."""
    return result.table.filter(pl.col("rank").is_not_null()).sort("rank")


def _weeks(panel: Panel, period: Period, against: Against) -> tuple[Weeks, str | None]:
    """Choose the weeks compared, and say why they cannot be, if so."""
    span = panel.span(period)
    whole = np.arange(span.start, span.stop)
    now = whole[panel.complete[whole]]
    if not now.size:
        raise AnalysisError(f"period {period.id}: none of its weeks is complete yet; choose an earlier one", code="incoming")
    since = np.arange(panel.regime_from, span.start)
    past = since[panel.complete[since]]
    if against == "expected":
        then = past[-YEAR:]
        return Weeks(now, then, past), _too_short(panel) if then.size < REFERENCE_LEAST else None
    then = now - (period.weeks_n if against == "before" else YEAR)
    reason = None
    if then[0] < 0:
        reason, then = "no_history", then[:0]
    elif then[0] < panel.regime_from:
        reason = "regime"
    elif not panel.complete[then].all():
        reason = "masked"
    elif past.size < SPANS_LEAST:
        reason = _too_short(panel)
    return Weeks(now, then, past), reason


def _too_short(panel: Panel) -> str:
    """Say whether it is the regime or the data that begins too late."""
    return "regime" if panel.regime_from > 0 else "no_history"


def _group(panel: Panel, weeks: Weeks, against: Against, reason: str | None) -> _Cards:
    """Count one group's cards and work out what each is held against."""
    counts = panel.counts.astype(np.float64)
    weeks = _since_first(counts.sum(axis=0), weeks, against)
    n, before = counts[:, weeks.now].sum(axis=1), counts[:, weeks.then].sum(axis=1)
    unjudged = _Cards(np.append(n, n.sum()), np.append(before, before.sum()), np.ones(len(n) + 1), np.full(len(n) + 1, np.inf))
    if reason is not None:
        return unjudged
    past, total = counts[:, weeks.past], n + before
    # Spans of the period's length, the newest last; shorter ones where there would be too few.
    length = max(1, min(weeks.now.size, SPAN_LONGEST, weeks.past.size // SPANS_LEAST))
    noise = fit_noise(past[:, past.shape[1] % length :].reshape(len(past), -1, length).sum(axis=2))
    loose = noise.looseness(total, (weeks.now.size + weeks.then.size) / length)
    city_odds, city_firm = _city(fit_season(past.sum(axis=0), weeks.past, yearly=weeks.past.size >= YEAR), weeks, total.sum(), length)
    odds, firm = _places(n, total, loose, float(np.average(noise.phi, weights=total + 1e-9)), city_odds)
    return unjudged._replace(odds=np.append(odds, city_odds), firm=np.append(firm, city_firm))


def _since_first(city: Floats, weeks: Weeks, against: Against) -> Weeks:
    """Let the past begin with the group's first matter in the city: before that the category was not in use, which is no calm."""
    some = np.flatnonzero(city[weeks.past])
    if not some.size or weeks.past.size - some[0] < SPANS_LEAST:
        return weeks
    past = weeks.past[some[0] :]
    return Weeks(weeks.now, weeks.then[weeks.then >= past[0]] if against == "expected" else weeks.then, past)


def _city(season: Season, weeks: Weeks, total: float, length: int) -> tuple[float, float]:
    """Odds of the city's matters falling in the period by the season, and how firm they are."""
    now, then = season.at(weeks.now).sum(), season.at(weeks.then).sum()
    odds, error = season.ratio(weeks.now, weeks.then)
    share = float(now / (now + then))
    loose = (season.noise(length) - 1) / max(total, 1.0) + error**2 * share * (1 - share)
    return odds, 1 / loose if loose > 0 else np.inf


def _places(n: Floats, total: Floats, loose: Floats, noise: float, usual_odds: float) -> tuple[Floats, Floats]:
    """Odds of a place's matters falling in the period by the rest of the city, and how firm they are."""
    plain = usual_odds / (1 + usual_odds)
    known = 1 / (_COURSE**2 * plain * (1 - plain))
    shaping = np.ones(len(n), dtype=bool)
    for _ in range(len(n) // 3 + 1):
        rest_now, rest = (one[shaping].sum() - np.where(shaping, one, 0.0) for one in (n, total))
        share = (rest_now / noise + known * plain) / (rest / noise + known)
        whole = loose + 1 / (rest / noise + known)
        spread = np.sqrt(total * share * (1 - share) * (1 + np.maximum(total - 1, 0) * whole / (1 + whole)))
        off = np.where(shaping, np.abs(n - total * share) / np.maximum(spread, 0.5), 0.0)
        if off.max() <= _APART:
            break
        shaping[off.argmax()] = False  # one at a time: a place that explodes makes all others look as if they fell
    return share / (1 - share), 1 / whole


def _table(first: Panel, panels: Sequence[Panel], groups: Sequence[_Cards], reason: str | None) -> pl.DataFrame:
    places = [*first.places, CITY]
    n, before, odds = (np.concatenate([getattr(one, name) for one in groups]) for name in ("n", "before", "odds"))
    return pl.DataFrame(
        {
            "scope": (["unit"] * len(first.places) + ["city"]) * len(panels),
            "place": places * len(panels),
            "category_code": np.repeat([one.category for one in panels], len(places)).tolist(),
            "n": n.astype(np.int64),
            "before_n": before.astype(np.int64),
            "expected": before * odds,
            "reason": [reason] * n.size,
        },
        schema_overrides={"reason": pl.String},
    )


def _judged(table: pl.DataFrame, firm: Floats, odds: Floats, threshold: float) -> pl.DataFrame:
    """Add ratio, interval, p, q and class."""
    n, before = table["n"].to_numpy().astype(np.float64), table["before_n"].to_numpy().astype(np.float64)
    total, share = n + before, odds / (1 + odds)
    comparable = table["reason"].is_null().to_numpy()
    possible = comparable & (_least_p(total, share, firm) <= threshold)
    p, ratio, lower, upper = (np.full(n.size, np.nan) for _ in range(4))
    up, down = tails(n, total, share, firm)
    p[possible] = np.minimum(2 * np.minimum(up, down), 1.0)[possible]
    low, high = share_interval(n, total, firm)
    some = comparable & (total > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio[some], lower[some], upper[some] = ((one / np.where(one < 1, 1 - one, np.nan) / odds)[some] for one in (n / total, low, high))
    q = fdr_of_tested(p, possible)
    found = {"ratio": ratio, "lower": lower, "upper": upper, "p": p, "q": q}
    table = table.with_columns(pl.Series(name, np.where(np.isfinite(one), one, np.nan)).fill_nan(None) for name, one in found.items())
    more = pl.when(pl.col("n") > pl.col("expected")).then(pl.lit("more")).otherwise(pl.lit("less"))
    verdict = pl.when(pl.col("q") <= threshold).then(more).otherwise(pl.lit("no_change"))
    return table.with_columns(
        pl.when(pl.col("reason") == "no_history")
        .then(pl.lit("not_enough_data"))
        .when(pl.col("reason").is_not_null())
        .then(pl.lit("not_comparable"))
        .when(pl.col("p").is_null())
        .then(pl.lit("not_enough_data"))
        .otherwise(verdict)
        .alias("class"),
        pl.when(pl.col("reason").is_null() & pl.col("p").is_null()).then(pl.lit("few")).otherwise(pl.col("reason")).alias("reason"),
        pl.when(pl.col("reason").is_null()).then(pl.col("expected")).alias("expected"),
    )


def _least_p(total: Floats, share: Floats, firm: Floats) -> Floats:
    """Give the smallest two-sided p that any split of the total could have."""
    up, _ = tails(total, total, share, firm)
    _, down = tails(np.zeros_like(total), total, share, firm)
    return np.where(total > 0, 2 * np.minimum(up, down), 1.0)


def _with_rank(table: pl.DataFrame, threshold: float, ranked_n: int) -> pl.DataFrame:
    """Number the best founded and largest changes."""
    strength = pl.when(pl.col("q") <= 0.001).then(0).when(pl.col("q") <= 0.01).then(1).otherwise(2)
    order = (
        table.with_row_index("at")
        .filter(pl.col("q") <= threshold)
        .with_columns(strength.alias("strength"), (pl.col("n") - pl.col("expected")).abs().alias("size"))
        .sort(["strength", "size", "at"], descending=[False, True, False])
        .head(ranked_n)
        .select("at", (pl.int_range(pl.len()) + 1).alias("rank"))
    )
    return table.with_row_index("at").join(order, on="at", how="left", maintain_order="left").drop("at")
