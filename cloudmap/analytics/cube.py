"""Weekly cubes: how many reports and matters each place had, of each category, in each ISO week."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.analytics.periods import Period
from cloudmap.schema import CUBE


def day_of(instant: pl.Expr, zone: ZoneInfo) -> pl.Expr:
    """Return the local date on which an instant lies."""
    return instant.dt.convert_time_zone(str(zone)).dt.date()


def week_of(instant: pl.Expr, zone: ZoneInfo) -> pl.Expr:
    """Return the Monday (local date) of the ISO week in which an instant lies."""
    return day_of(instant, zone).dt.truncate("1w")


def build_weekly(facts: pl.DataFrame, place: str, *, zone: ZoneInfo, weights: Mapping[str, float]) -> pl.DataFrame:
    """Count facts by place, ISO week and category.

    Parameters
    ----------
    facts : polars.DataFrame
        `place`, category_code, and either week_on or occurred_at, either first or report_id and matter_id. ``first`` marks the one
        report of each matter that counts for it. Rows with a null place are left out.
    place : str
        Column that holds a row's place, as text or integer.
    zone : ZoneInfo
        The city's zone: weeks begin on Monday, local midnight, of `occurred_at`.
    weights : mapping of category code to float
        Severity weights. The burden is their sum over matters; it is never a test statistic.

    Returns
    -------
    polars.DataFrame
        Columns of `schema.CUBE` (place keeps its type), sorted by place, week and category.
    """
    week = pl.col("week_on") if "week_on" in facts.columns else week_of(pl.col("occurred_at"), zone).alias("week_on")
    first = pl.col("first") if "first" in facts.columns else (pl.col("report_id") == pl.col("matter_id")).alias("first")
    rows = facts.filter(pl.col(place).is_not_null()).select(pl.col(place).alias("place"), week, "category_code", first)
    if rows.is_empty():
        return CUBE.empty()
    codes, labels = zip(*(_ranked(rows[name]) for name in ("place", "week_on", "category_code")), strict=True)
    weeks_n, categories_n = labels[1].len(), labels[2].len()
    key = (codes[0] * weeks_n + codes[1]) * categories_n + codes[2]
    counted = (
        pl.DataFrame({"key": key, "first": rows["first"]})
        .group_by("key")
        .agg(pl.len().cast(pl.Int64).alias("reports_n"), pl.col("first").sum().cast(pl.Int64).alias("matters_n"))
        .sort("key")
    )
    at = counted["key"].to_numpy()
    category = labels[2].gather(at % categories_n)
    return pl.DataFrame(
        {
            "place": labels[0].gather(at // categories_n // weeks_n),
            "week_on": labels[1].gather(at // categories_n % weeks_n),
            "category_code": category,
            "reports_n": counted["reports_n"],
            "matters_n": counted["matters_n"],
            "burden": counted["matters_n"] * category.replace_strict(dict(weights), default=1.0, return_dtype=pl.Float64),
        }
    )


def _ranked(values: pl.Series) -> tuple[npt.NDArray[np.int64], pl.Series]:
    """Number values by their sorted order: the numbers, and the distinct values in that order.

    Three such numbers make one integer key, which groups and sorts several times faster than three columns.
    """
    text = values.dtype in (pl.String, pl.Categorical)
    distinct = (values.cast(pl.Categorical) if text else values).unique()
    labels = distinct.cast(pl.String).sort() if text else distinct.sort()
    if values.dtype == pl.Int64:
        table = pl.DataFrame({"value": labels, "number": np.arange(len(labels))})
        joined = pl.DataFrame({"value": values}).join(table, on="value", how="left", maintain_order="left")
        return joined["number"].to_numpy(), labels
    whole = (values.cast(pl.Categorical) if text else values).to_physical().to_numpy().astype(np.int64)
    known = (labels.cast(pl.Categorical) if text else labels).to_physical().to_numpy().astype(np.int64)
    low = known.min()
    number = np.zeros(known.max() - low + 1, dtype=np.int64)
    number[known - low] = np.arange(len(labels))
    return number[whole - low], labels


def total_by_place(cube: pl.DataFrame, *, period: Period | None, categories: Iterable[str] | None) -> pl.DataFrame:
    """Sum a weekly cube over a period and categories.

    Parameters
    ----------
    cube : polars.DataFrame
        As `build_weekly` returns it.
    period : Period or None
        Weeks to sum; None for all.
    categories : iterable of str or None
        Second-level codes to sum; None for all.

    Returns
    -------
    polars.DataFrame
        place, reports_n, matters_n (Int64), burden (Float64); places without any report in the selection are absent.
    """
    return (
        _selected(cube, period, categories)
        .group_by("place")
        .agg(pl.col("reports_n", "matters_n", "burden").sum())
        .sort("place")
    )  # fmt: skip


def total_by_week(cube: pl.DataFrame, *, categories: Iterable[str] | None) -> pl.DataFrame:
    """Sum a weekly cube by week: week_on, reports_n, matters_n, sorted by week; weeks without reports are absent."""
    return _selected(cube, None, categories).group_by("week_on").agg(pl.col("reports_n", "matters_n").sum()).sort("week_on")


def total_by_category(cube: pl.DataFrame, *, period: Period | None) -> pl.DataFrame:
    """Sum a weekly cube by category: category_code, reports_n, matters_n, largest first."""
    return (
        _selected(cube, period, None)
        .group_by("category_code")
        .agg(pl.col("reports_n", "matters_n").sum())
        .sort(["matters_n", "category_code"], descending=[True, False])
    )


def mean_severity(cube: pl.DataFrame, places: Sequence[str], codes: Iterable[str]) -> npt.NDArray[np.float64]:
    """Average the severity weights of each place's matters, of all weeks.

    Parameters
    ----------
    cube : polars.DataFrame
        As `build_weekly` returns it.
    places : sequence of str, length n
    codes : iterable of str
        Second-level codes that enter.

    Returns
    -------
    float array of shape (n,)
        The mean of the whole cube where a place has no matter; 1 where there is none at all.
    """
    totals = total_by_place(cube, period=None, categories=codes)
    matters_n = int(totals["matters_n"].sum())
    whole = float(totals["burden"].sum()) / matters_n if matters_n else 1.0
    mean = totals.filter(pl.col("matters_n") > 0).select("place", mean=pl.col("burden") / pl.col("matters_n"))
    joined = pl.DataFrame({"place": list(places)}, schema={"place": pl.String}).join(mean, on="place", how="left", maintain_order="left")
    return joined["mean"].fill_null(whole).to_numpy()


def _selected(cube: pl.DataFrame, period: Period | None, categories: Iterable[str] | None) -> pl.DataFrame:
    if period is not None:
        cube = cube.filter(pl.col("week_on").is_between(period.first_on, period.last_week_on))
    if categories is not None:
        cube = cube.filter(pl.col("category_code").is_in(list(categories)))
    return cube
