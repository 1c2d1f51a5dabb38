"""Weekly cubes: how many reports and matters each place had, of each category, in each ISO week."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

import polars as pl

from cloudmap.analytics.periods import Period
from cloudmap.schema import CUBE

FACT_COLUMNS = ("report_id", "matter_id", "category_code", "occurred_at", "reporter_hash", "ledger_class")
"""Columns of facts that a cube needs beside the place column."""


def build_weekly(facts: pl.DataFrame, place: pl.Expr, *, zone: ZoneInfo, weights: Mapping[str, float]) -> pl.DataFrame:
    """Count facts by place, ISO week and category.

    Parameters
    ----------
    facts : polars.DataFrame
        Facts with at least `FACT_COLUMNS` and what `place` refers to. Rows with a null place are left out.
    place : polars.Expr
        The place of a row, as text or integer.
    zone : ZoneInfo
        The city's zone: weeks begin on Monday, local midnight, of `occurred_at`.
    weights : mapping of category code to float
        Severity weights. The burden is their sum over matters; it is never a test statistic.

    Returns
    -------
    polars.DataFrame
        Columns of `schema.CUBE` (place keeps the type of the expression), sorted by place, week and category.
    """
    if facts.is_empty():
        return CUBE.empty()
    monday = pl.col("occurred_at").dt.convert_time_zone(str(zone)).dt.date().dt.truncate("1w")
    table = pl.DataFrame(
        {"category_code": list(weights), "weight": [float(weights[code]) for code in weights]},
        schema={"category_code": pl.String, "weight": pl.Float64},
    )
    counted = (
        facts.lazy()
        .select(place.alias("place"), monday.alias("week_on"), "category_code", "matter_id", "reporter_hash")
        .filter(pl.col("place").is_not_null())
        .group_by("place", "week_on", "category_code")
        .agg(
            pl.len().cast(pl.Int64).alias("reports_n"),
            pl.col("matter_id").n_unique().cast(pl.Int64).alias("matters_n"),
            pl.col("reporter_hash").drop_nulls().n_unique().cast(pl.Int64).alias("reporters_n"),
        )
        .join(table.lazy(), on="category_code", how="left")
        .with_columns((pl.col("matters_n") * pl.col("weight").fill_null(1.0)).alias("burden"))
        .drop("weight")
        .sort("place", "week_on", "category_code")
    )
    return counted.collect()


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


def _selected(cube: pl.DataFrame, period: Period | None, categories: Iterable[str] | None) -> pl.DataFrame:
    if period is not None:
        cube = cube.filter(pl.col("week_on").is_between(period.first_on, period.last_week_on))
    if categories is not None:
        cube = cube.filter(pl.col("category_code").is_in(list(categories)))
    return cube
