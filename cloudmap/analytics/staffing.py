"""Whether every micro-grid has its staff, and how much work lies where. About units, never about persons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from cloudmap.analytics.result import Result
from cloudmap.analytics.staff import few_staff, staff_by
from cloudmap.errors import AnalysisError

WORKLOAD_LEVELS: Final = ("district", "street", "community", "village")


def staffing_check(units: pl.DataFrame) -> Result:
    """Check that each unit has at least one of each kind of staff.

    Parameters
    ----------
    units : polars.DataFrame
        code, staff_n, volunteers_n: micro-grids of the base map.

    Returns
    -------
    Result
        Table in the order of `units`: place, n (staff and volunteers), value (kinds that are missing: 0, 1, 2; null where unknown), class
        (complete, no_staff, no_volunteer, neither, unknown), staff_n, volunteers_n.

    Raises
    ------
    AnalysisError
        A column is missing, or the base map tells of no staff at all.
    """
    missing = [name for name in ("code", "staff_n", "volunteers_n") if name not in units.columns]
    if missing:
        raise AnalysisError(f"units have no column(s) {', '.join(missing)}")
    counts = units.select(pl.col("code").cast(pl.String).alias("place"), *(_whole(name) for name in ("staff_n", "volunteers_n")))
    if counts["staff_n"].null_count() == counts["volunteers_n"].null_count() == counts.height:
        raise AnalysisError("the base map tells of no staff; map [[units]] fields staff and volunteers", code="no_staff")
    staff, volunteers = pl.col("staff_n"), pl.col("volunteers_n")
    classed = (
        pl.when(staff.is_null() | volunteers.is_null()).then(pl.lit("unknown"))
        .when((staff == 0) & (volunteers == 0)).then(pl.lit("neither"))
        .when(staff == 0).then(pl.lit("no_staff")).when(volunteers == 0).then(pl.lit("no_volunteer")).otherwise(pl.lit("complete"))
    )  # fmt: skip
    lacking = (staff == 0).cast(pl.Int64) + (volunteers == 0).cast(pl.Int64)
    table = counts.select("place", (staff.fill_null(0) + volunteers.fill_null(0)).alias("n"), lacking.cast(pl.Float64).alias("value"),
                          classed.alias("class"), "staff_n", "volunteers_n")  # fmt: skip
    return Result(
        method="at least one of each kind of staff in every unit",
        parameters={"kinds": ["staff", "volunteers"]},
        table=table,
        denominator=f"{table.height} units, {table.filter(pl.col('class') == 'unknown').height} of them without figures",
        caveats=("counts_of_posts",),
    )


def workload(cases: pl.DataFrame, column: str, places: Sequence[str], *, min_staff: int = 5, staff: pl.DataFrame | None = None) -> Result:
    """Count the cases that lie in each unit, from community level up.

    Parameters
    ----------
    cases : polars.DataFrame
        From `handling.cases`, of the period wanted.
    column : str
        Unit column: unit_street_code, unit_community_code, unit_village_code or unit_district_code.
    places : sequence of str
        Codes, in the order wanted.
    min_staff, staff
        As for `handling.indicators`: a unit with fewer staff shows its cases, not what is open or overdue of them.

    Returns
    -------
    Result
        Table: place, n (cases that are not void), value (open ones; null where not shown), class (shown, too_few_staff), open_n, overdue_n,
        staff_n.

    Raises
    ------
    AnalysisError
        A finer level, where a unit can be one person.
    """
    level = column.removeprefix("unit_").removesuffix("_code")
    if level not in WORKLOAD_LEVELS or column not in cases.columns:
        raise AnalysisError(f"workload by {column!r}: choose one of {', '.join(f'unit_{one}_code' for one in WORKLOAD_LEVELS)}")
    is_open = ~pl.col("state").is_in(["closed", "void"])
    counted = cases.group_by(column).agg(
        (pl.col("state") != "void").sum().cast(pl.Int64).alias("n"),
        is_open.sum().cast(pl.Int64).alias("open_n"),
        pl.col("overdue").sum().cast(pl.Int64).alias("overdue_n"),
    )
    order = pl.DataFrame({column: list(places)}, schema={column: pl.String})
    table = order.join(counted, on=column, how="left", maintain_order="left").with_columns(pl.col("n", "open_n", "overdue_n").fill_null(0))
    table = table.with_columns(pl.col("open_n").cast(pl.Float64).alias("value"))
    table, caveats = few_staff(table, [column], staff_by(cases, [column], staff), min_staff, ["value", "open_n", "overdue_n"])
    return Result(
        method="cases per unit",
        parameters={"column": column, "min_staff": min_staff},
        table=table.rename({column: "place"}).select("place", "n", "value", "class", "open_n", "overdue_n", "staff_n"),
        denominator="cases that are not void",
        caveats=caveats,
    )


def _whole(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64).fill_nan(None).cast(pl.Int64)
