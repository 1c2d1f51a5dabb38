"""Indicators of handling, each with its numerator, its denominator and an interval; void cases are in none of them.

======================  ====================================================  ====================================================
indicator               of                                                    counted
======================  ====================================================  ====================================================
closing                 cases due in the period                               closed by the end of the period (or now)
on_time                 cases due in the period                               closed by their due time
by_target               cases opened in the period that have a due time       closed by it so far
rework                  cases opened, of which returns would be known         returned at least once
extension               cases opened, of which extensions would be known      extended at least once
resolved_within         cases opened at least N hours before the end          closed within N hours of opening, round the clock
hall_or_below           cases closed, whose meeting is known                  settled by micro-grid or hall meeting at the highest
======================  ====================================================  ====================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from cloudmap.analytics.case_states import CASE_DOUBT_BIT
from cloudmap.analytics.periods import AnyPeriod, parse_period
from cloudmap.analytics.proportions import Proportions, difference, wilson
from cloudmap.analytics.result import Result
from cloudmap.analytics.staff import few_staff, staff_by, unit_column_of
from cloudmap.errors import AnalysisError

Indicator = Literal["closing", "on_time", "by_target", "rework", "extension", "resolved_within", "hall_or_below"]
INDICATORS: Final = ("closing", "on_time", "by_target", "rework", "extension", "resolved_within", "hall_or_below")
_RATES: Final = ("numerator_n", "denominator_n", "value", "lower", "upper")
_INSTANT: Final = pl.Datetime("us", "UTC")


def indicators(
    cases: pl.DataFrame,
    *,
    now: datetime,
    zone: ZoneInfo,
    by: Sequence[str] = (),
    period: AnyPeriod | Sequence[AnyPeriod] | None = None,
    min_staff: int = 5,
    staff: pl.DataFrame | None = None,
    hours: float = 120,
) -> Result:
    """Count every indicator.

    Parameters
    ----------
    cases : polars.DataFrame
        From `handling.cases`.
    now : datetime
        The instant that the cases were judged at.
    zone : ZoneInfo
        Whose days periods are made of.
    by : sequence of str
        Columns to tell apart: at most one of units, category_code, source_id and others.
    period : Period, Month or Days, or a sequence of such, optional
        One or several, told apart in the column ``period``; all time where not given.
    min_staff : int, default 5
        Units with fewer distinct staff show how many cases they have, never a rate.
    staff : polars.DataFrame, optional
        Columns place, staff_n. Where not given, staff who report are counted (over all of `cases`).
    hours : float, default 120
        N of resolved_within.

    Returns
    -------
    Result
        Table: period (id, null for all time), columns of `by`, indicator, cases_n (opened in the period, void ones left out), numerator_n,
        denominator_n, value, lower, upper (95%, Wilson), staff_n, class (shown, too_few_staff, no_cases).

    Raises
    ------
    AnalysisError
        A column is missing, or `by` names two unit columns.
    """
    missing = [name for name in (*by, "opened_at", "case_flags") if name not in cases.columns]
    if missing:
        raise AnalysisError(f"cases have no column(s) {', '.join(missing)}; make them with handling.cases and read the units too")
    asked = list(period) if isinstance(period, Sequence) else [period]
    parts = [_count(cases, by, one, now.astimezone(UTC), zone, hours) for one in asked]
    table = _with_rates(pl.concat(parts))
    table, caveats = few_staff(table, by, staff_by(cases, by, staff), min_staff, _RATES)
    # States in a column are the present ones: a case that was returned and is closed now looks as if it never was.
    if cases.filter(pl.col("tells") & (pl.col("events_n") == 0)).height:
        caveats = (*caveats, "present_states_only")
    years = [name for name in ("calendar_unknown", "weekends_only") if cases.filter(_doubt(name)).height]
    none = (pl.col("class") == "shown") & (pl.col("denominator_n") == 0)
    return Result(
        method="indicators of handling, 95% intervals by Wilson",
        parameters={
            "by": list(by),
            "period": [one.id for one in asked if one],
            "now": now.isoformat(),
            "hours": hours,
            "min_staff": min_staff,
        },
        table=table.with_columns(pl.when(none).then(pl.lit("no_cases")).otherwise("class").alias("class")),
        denominator="cases that are not void, of each indicator its own",
        caveats=(*caveats, *years),
    )


def compared(result: Result, *, regime_from: date | None = None) -> Result:
    """Compare a period with an earlier one: the one just before it, or the same weeks a year ago (on one geography: the caller's columns).

    Parameters
    ----------
    result : Result
        Of `indicators`, for two periods.
    regime_from : date, optional
        Local day on which the present way of reporting began: nothing is compared across it.

    Returns
    -------
    Result
        Table of `indicators` for the later period, with value_before, denominator_before_n, and difference, difference_lower,
        difference_upper (95%, Newcombe); class is also regime_break.

    Raises
    ------
    AnalysisError
        The result is not for two periods that lie apart.

    Notes
    -----
    Both periods are judged by their own ends, so that the older one has had no more time to close its cases than the newer one.
    """
    ids = result.table["period"].drop_nulls().unique().to_list()
    if len(ids) != 2:
        raise AnalysisError(f"two periods can be compared, not {len(ids)}; give indicators period=[later, earlier]")
    before, period = sorted((parse_period(one) for one in ids), key=lambda one: one.first_on)
    if before.last_on >= period.first_on:
        raise AnalysisError(f"periods {before.id} and {period.id} overlap; compare periods that lie apart")
    keys = [name for name in result.table.columns[: result.table.columns.index("indicator") + 1] if name != "period"]
    old = result.table.filter(pl.col("period") == before.id)
    old = old.select(*keys, *(pl.col(name).alias(f"{name}_before") for name in ("value", "lower", "upper", "denominator_n")))
    table = result.table.filter(pl.col("period") == period.id).join(old, on=keys, how="left", nulls_equal=True, maintain_order="left")
    later, earlier = (
        Proportions(*(table[f"{name}{suffix}"].fill_null(np.nan).to_numpy() for name in ("value", "lower", "upper")))
        for suffix in ("", "_before")
    )
    broken = regime_from is not None and before.first_on < regime_from
    gap = difference(later, earlier) if not broken else Proportions(*np.full((3, table.height), np.nan))
    names = ("difference", "difference_lower", "difference_upper")
    table = table.rename({"denominator_n_before": "denominator_before_n"}).drop("lower_before", "upper_before")
    told = pl.when((pl.col("class") == "shown") & pl.lit(broken)).then(pl.lit("regime_break")).otherwise("class").alias("class")
    return replace(
        result,
        method="indicators of handling in two periods, differences by Newcombe",
        parameters={**result.parameters, "period": period.id, "before": before.id},
        table=table.with_columns(told, *(pl.Series(name, values).fill_nan(None) for name, values in zip(names, gap, strict=True))),
        caveats=(*result.caveats, *(("regime_break",) if broken else ())),
    )


def by_place(result: Result, indicator: Indicator, places: Sequence[str]) -> Result:
    """Turn indicators by unit into one row a place, for a map.

    Parameters
    ----------
    result : Result
        Of `indicators`, by one unit column and for one period at most.
    indicator : str
        One of `INDICATORS`.
    places : sequence of str
        Codes, in the order wanted.

    Returns
    -------
    Result
        Table: place, n (cases), value (rate; null where not shown), class (shown, too_few_staff, no_cases), numerator_n, denominator_n,
        lower, upper, staff_n.

    Raises
    ------
    AnalysisError
        The result is not by one unit column alone, or has several periods; no such indicator.
    """
    by = [str(name) for name in result.parameters["by"]]  # type: ignore[attr-defined]
    unit = unit_column_of(by)
    if indicator not in INDICATORS:
        raise AnalysisError(f"indicator {indicator!r} is not among {', '.join(INDICATORS)}")
    table = result.table.filter(pl.col("indicator") == indicator)
    if unit is None or len(by) > 1 or table["period"].n_unique() > 1:
        raise AnalysisError(
            f"a map shows one indicator by one unit column in one period; this result is by {by} and has several rows a place"
        )
    order = pl.DataFrame({"place": list(places)}, schema={"place": pl.String})
    wide = order.join(table.rename({unit: "place", "cases_n": "n"}), on="place", how="left", maintain_order="left")
    names = ("numerator_n", "denominator_n", "lower", "upper", "staff_n")
    shown = wide.select("place", pl.col("n").fill_null(0), "value", pl.col("class").fill_null("no_cases"), *names)
    return replace(result, parameters={**result.parameters, "indicator": indicator}, table=shown)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _count(cases: pl.DataFrame, by: Sequence[str], period: AnyPeriod | None, now: datetime, zone: ZoneInfo, hours: float) -> pl.DataFrame:
    """Count numerators and denominators of one period."""
    if period is None:
        first, last = None, now
    else:
        first, last = _midnight(period.first_on, zone), _midnight(period.last_on + timedelta(days=1), zone)
    end = pl.lit(min(last, now), dtype=_INSTANT)

    def within(name: str) -> pl.Expr:
        known = pl.col(name).is_not_null() if first is None else pl.col(name) >= pl.lit(first, dtype=_INSTANT)
        return known if period is None else known & (pl.col(name) < pl.lit(last, dtype=_INSTANT))

    alive = pl.col("state") != "void"
    closed, due = pl.col("closed_at") <= end, alive & within("due_at") & (pl.col("due_at") <= end) & ~_doubt("clock_unknown")
    opened = alive & within("opened_at") & (pl.col("opened_at") <= end)
    followed = opened & (pl.col("opened_at") <= end - pl.duration(hours=hours)) & ~_doubt("closed_before_opened", "closed_without_time")
    settled = alive & within("closed_at") & closed & pl.col("highest_tier").is_not_null()
    counted = {
        "closing": (due, closed | _doubt("closed_without_time")),
        "on_time": (due, pl.col("closed_at") <= pl.col("due_at")),
        "by_target": (opened & pl.col("due_at").is_not_null() & ~_doubt("clock_unknown"), pl.col("closed_at") <= pl.col("due_at")),
        "rework": (opened & pl.col("tells"), pl.col("returned_n") > 0),
        "extension": (opened & pl.col("tells"), pl.col("extended_n") > 0),
        "resolved_within": (followed, pl.col("closed_at") - pl.col("opened_at") <= pl.duration(hours=hours)),
        "hall_or_below": (settled, pl.col("highest_tier") != "street"),
    }
    sums = [
        expression.fill_null(value=False).sum().cast(pl.Int64).alias(f"{part}:{name}")
        for name, (of, that) in counted.items()
        for part, expression in (("n", of & that), ("of", of))
    ]
    keys = list(by)
    whole = [opened.fill_null(value=False).sum().cast(pl.Int64).alias("cases_n"), *sums]
    wide = cases.group_by(keys).agg(whole).sort(keys, nulls_last=True) if keys else cases.select(whole)
    named = pl.lit(None if period is None else period.id, dtype=pl.String).alias("period")
    rows = [
        wide.select(
            named,
            *keys,
            pl.lit(name).alias("indicator"),
            "cases_n",
            pl.col(f"n:{name}").alias("numerator_n"),
            pl.col(f"of:{name}").alias("denominator_n"),
        )
        for name in counted
    ]
    return pl.concat(rows)


def _doubt(*names: str) -> pl.Expr:
    return (pl.col("case_flags") & sum(CASE_DOUBT_BIT[name] for name in names)) != 0


def _with_rates(table: pl.DataFrame) -> pl.DataFrame:
    shares = wilson(table["numerator_n"].to_numpy(), table["denominator_n"].to_numpy())
    return table.with_columns(
        pl.Series(name, values).fill_nan(None) for name, values in zip(("value", "lower", "upper"), shares, strict=True)
    )
