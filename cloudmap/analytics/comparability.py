"""Whether two spans of time may be compared: the one question that stands before every "more", "worse" and "since last year"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np
import polars as pl
from scipy import stats

from cloudmap.analytics.effort import CITY
from cloudmap.analytics.indicators import compared
from cloudmap.analytics.inference import fdr_of_tested
from cloudmap.analytics.periods import Period
from cloudmap.analytics.regimes import regime_starts
from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError

Reason = Literal["no_data", "regime_between", "boundary_redrawn", "lag_masked"]
REASONS: Final = ("no_data", "regime_between", "boundary_redrawn", "lag_masked")
"""Why two spans may not be compared, the most telling first."""

YEAR_WEEKS: Final = 52
"""A year of whole weeks: the same ISO week a year before, or the one next to it."""

_LOWER_IS_BETTER: Final = ("rework", "extension")


@dataclass(frozen=True, slots=True)
class Comparability:
    """Whether a period may be compared with another one, and if not, why.

    Attributes
    ----------
    period, against : Period
    reasons : tuple of str
        Keys of `REASONS`, the most telling first; empty where nothing stands against it.
    numbers : mapping of str to object
        What the banner tells. regime_between: regime_on (Monday, the newest change), regime_name, fold, before_per_week, after_per_week
        (reports), regimes_n. lag_masked: masked_from (Monday), masked_n (weeks). boundary_redrawn: redrawn_on. no_data: data_from, data_to.
    """

    period: Period
    against: Period
    reasons: tuple[str, ...] = ()
    numbers: Mapping[str, object] = field(default_factory=dict)

    @property
    def comparable(self) -> bool:
        """Tell whether nothing stands against the comparison."""
        return not self.reasons

    @property
    def reason(self) -> str | None:
        """The most telling reason, None where there is none."""
        return self.reasons[0] if self.reasons else None

    @property
    def banner(self) -> str | None:
        """Key of the sentence that says why; its values are in `numbers`."""
        return f"banner_{self.reason}" if self.reason else None


def year_before(period: Period) -> Period:
    """Return the same weeks a year (52 weeks) earlier."""
    return period.year_before()


def comparable(
    regimes: pl.DataFrame | None,
    masked_weeks: Iterable[date],
    period: Period,
    against: Period,
    *,
    redrawn_on: Iterable[date] = (),
    data: tuple[date, date] | None = None,
    source_id: str = CITY,
) -> Comparability:
    """Tell whether counts of two periods mean the same.

    Parameters
    ----------
    regimes : polars.DataFrame or None
        From `regimes.reporting_regimes`; None where none is known of.
    masked_weeks : iterable of date
        Mondays of the weeks whose reports are not all in (`completeness(...).masked`, rows of the source).
    period, against : Period
        In any order. Give one span twice to ask whether a trend may be told within it.
    redrawn_on : iterable of date
        Local days on which the units compared were redrawn; leave empty where both periods are counted on the units of one day.
    data : pair of date, optional
        Mondays of the first and last whole week of the data. By default those of `regimes`, less its first week, which reports may have
        begun in the middle of.
    source_id : str, default "ALL"
        Whose counts are compared.

    Returns
    -------
    Comparability

    Raises
    ------
    AnalysisError
        `regimes` does not know the source, or lacks a column.

    Notes
    -----
    A regime breaks a comparison where it begins after the first week of the earlier period and not after the last of the later one: also
    within one of them.

    Examples
    --------
    >>> one = Period(date(2018, 7, 2), 4)
    >>> comparable(None, [date(2018, 7, 23)], one, one.before()).reasons
    ('lag_masked',)
    """
    first_on, last_on = min(period.first_on, against.first_on), max(period.last_week_on, against.last_week_on)
    found: dict[str, dict[str, object]] = {}
    known = _checked(regimes, source_id)
    span = data or _data_of(known)
    if span is not None and (first_on < span[0] or last_on > span[1]):
        found["no_data"] = {"data_from": span[0], "data_to": span[1]}
    if known is not None:
        begun = [day for day in regime_starts(known, source_id)[1:] if first_on < day <= last_on]
        if begun:
            found["regime_between"] = _regime_numbers(known, begun)
    redrawn = [day for day in redrawn_on if first_on < day <= last_on + timedelta(days=6)]
    if redrawn:
        found["boundary_redrawn"] = {"redrawn_on": max(redrawn)}
    asked = (period, against)
    masked = sorted({day for day in masked_weeks if any(one.first_on <= day <= one.last_week_on for one in asked)})
    if masked:
        found["lag_masked"] = {"masked_from": masked[0], "masked_n": len(masked)}
    reasons = tuple(name for name in REASONS if name in found)
    return Comparability(period, against, reasons, {key: value for name in reasons for key, value in found[name].items()})


def compared_over(result: Result, answer: Comparability, *, threshold: float = 0.05) -> Result:
    """Compare indicators of handling of two periods, year on year or period on period, as far as they may be.

    Parameters
    ----------
    result : Result
        Of `indicators.indicators`, for the two periods of `answer`, by columns of one geography.
    answer : Comparability
    threshold : float, default 0.05
        On q.

    Returns
    -------
    Result
        Table of `indicators.compared` with p, q, direction (better, worse, same, not_comparable, not_enough_data) and reason (a key of
        `REASONS`, too_few_staff, no_cases; null where there is a verdict). Where the periods may not be compared, what was before and all
        differences are null. parameters: banner and the numbers that it tells.

    Raises
    ------
    AnalysisError
        The periods of the result are not those of the answer, or the answer's are in the wrong order.

    Notes
    -----
    p: z-test of two proportions, two-sided; q: Benjamini-Hochberg over all rows of the table. A direction needs both q and an interval of
    the difference (Newcombe) without 0.
    """
    ids = {answer.period.id, answer.against.id}
    if set(result.table["period"].drop_nulls().unique()) != ids:
        raise AnalysisError(f"indicators are not for {' and '.join(sorted(ids))}; count both periods, or ask `comparable` about these ones")
    if answer.period.first_on < answer.against.first_on:
        raise AnalysisError("give the later period as `period` of the answer and the earlier one as `against`")
    told = compared(result)
    table = _with_p(told.table)
    own = pl.when(pl.col("class") != "shown").then("class").when(pl.col("p").is_null()).then(pl.lit("no_cases"))
    table = table.with_columns(pl.lit(answer.reason, dtype=pl.String).fill_null(own).alias("reason"))
    if not answer.comparable:
        blank = ("value_before", "denominator_before_n", "difference", "difference_lower", "difference_upper", "p", "q")
        table = table.with_columns(pl.lit(None, dtype=table.schema[name]).alias(name) for name in blank)
    rise = pl.when(pl.col("indicator").is_in(_LOWER_IS_BETTER)).then(pl.lit(-1)).otherwise(pl.lit(1))
    sure = (pl.col("q") <= threshold) & (pl.col("difference_lower") * pl.col("difference_upper") > 0)
    table = table.with_columns(
        pl.when(pl.lit(not answer.comparable)).then(pl.lit("not_comparable"))
        .when(pl.col("reason").is_not_null()).then(pl.lit("not_enough_data"))
        .when(sure & (pl.col("difference") * rise > 0)).then(pl.lit("better"))
        .when(sure).then(pl.lit("worse"))
        .otherwise(pl.lit("same")).alias("direction")
    )  # fmt: skip
    numbers = {key: value.isoformat() if isinstance(value, date) else value for key, value in answer.numbers.items()}
    return replace(
        told,
        parameters={**told.parameters, "threshold": threshold, "banner": answer.banner, "banner_numbers": numbers},
        table=table,
        caveats=(*told.caveats, *answer.reasons),
    )


def _checked(regimes: pl.DataFrame | None, source_id: str) -> pl.DataFrame | None:
    if regimes is None:
        return None
    missing = {"source_id", "first_week_on", "last_week_on", "reports_per_week", "fold", "kind", "name"} - set(regimes.columns)
    if missing:
        raise AnalysisError(f"regimes lack column(s) {', '.join(sorted(missing))}; make them with `regimes.reporting_regimes`")
    part = regimes.filter(pl.col("source_id") == source_id).sort("first_week_on")
    if part.is_empty():
        raise AnalysisError(f"no reporting regimes of source {source_id!r}; there are {', '.join(regimes['source_id'].unique().sort())}")
    return part


def _data_of(known: pl.DataFrame | None) -> tuple[date, date] | None:
    if known is None:
        return None
    return known["first_week_on"][0] + timedelta(weeks=1), known["last_week_on"][-1]


def _regime_numbers(known: pl.DataFrame, begun: list[date]) -> dict[str, object]:
    """Tell of the newest of the changes that lie between, and how many there are."""
    row = known.filter(pl.col("first_week_on") == begun[-1]).row(0, named=True)
    earlier = known.filter(pl.col("first_week_on") < begun[-1])["reports_per_week"][-1]
    return {
        "regime_on": begun[-1],
        "regime_name": row["name"],
        "fold": row["fold"],
        "before_per_week": earlier,
        "after_per_week": row["reports_per_week"],
        "regimes_n": len(begun),
    }


def _with_p(table: pl.DataFrame) -> pl.DataFrame:
    """Add the p of the z-test of two proportions, and q over all rows."""
    n, before_n = (table[name].cast(pl.Float64).fill_null(0.0).to_numpy() for name in ("denominator_n", "denominator_before_n"))
    now, before = (table[name].fill_null(0.0).to_numpy() for name in ("value", "value_before"))
    usable = (n > 0) & (before_n > 0) & table["value"].is_not_null().to_numpy() & table["value_before"].is_not_null().to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (n * now + before_n * before) / (n + before_n)
        z = (now - before) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / before_n))
    p = np.where(usable, 2 * stats.norm.sf(np.abs(np.nan_to_num(z))), np.nan)
    q = fdr_of_tested(p, usable)
    return table.with_columns(pl.Series("p", p).fill_nan(None), pl.Series("q", q).fill_nan(None))
