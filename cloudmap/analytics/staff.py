"""How many people stand behind a unit's numbers: with too few of them, a rate would be about a person."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from cloudmap.errors import AnalysisError

_COARSE = ("district", "street")
"""Levels whose rates are shown where nobody says who reports: hundreds of people work there."""


def unit_column_of(by: Sequence[str]) -> str | None:
    """Return the one column of `by` that names units.

    Raises
    ------
    AnalysisError
        There are several.
    """
    units = [name for name in by if name == "place" or name.startswith(("unit_", "overlay_", "cell_"))]
    if len(units) > 1:
        raise AnalysisError(f"by = {list(by)}: name one unit column; {' and '.join(units)} are two")
    return units[0] if units else None


def staff_by(reports: pl.DataFrame, by: Sequence[str], staff: pl.DataFrame | None) -> pl.DataFrame | None:
    """Count the distinct staff of each unit.

    Parameters
    ----------
    reports : polars.DataFrame
        With reporter_hash and reporter_kind, where known.
    by : sequence of str
        Columns that results are told by.
    staff : polars.DataFrame or None
        Columns place, staff_n: what the base map says, which counts where given.

    Returns
    -------
    polars.DataFrame or None
        The unit column and staff_n (null where nobody says who reports); None where `by` names no unit.

    Raises
    ------
    AnalysisError
        `by` names several unit columns, or `staff` lacks a column.
    """
    unit = unit_column_of(by)
    if unit is None:
        return None
    if staff is not None:
        if not {"place", "staff_n"} <= set(staff.columns):
            raise AnalysisError(f"staff has columns {', '.join(staff.columns)}; it needs place and staff_n")
        return staff.group_by(pl.col("place").alias(unit)).agg(pl.col("staff_n").sum().cast(pl.Int64))
    if not {"reporter_hash", "reporter_kind"} <= set(reports.columns) or reports["reporter_hash"].null_count() == reports.height:
        return reports.select(pl.col(unit)).unique().with_columns(pl.lit(None, dtype=pl.Int64).alias("staff_n"))
    is_staff = (pl.col("reporter_kind") == "staff").fill_null(value=False)
    return reports.group_by(unit).agg(pl.col("reporter_hash").filter(is_staff).drop_nulls().n_unique().cast(pl.Int64).alias("staff_n"))


def few_staff(
    table: pl.DataFrame, by: Sequence[str], staffed: pl.DataFrame | None, min_staff: int, blank: Sequence[str]
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Blank what a unit with too few staff may not show.

    Parameters
    ----------
    table : polars.DataFrame
        With the columns of `by`.
    by : sequence of str
    staffed : polars.DataFrame or None
        From `staff_by`.
    min_staff : int
        Fewest distinct staff.
    blank : sequence of str
        Columns from which a rate could be had.

    Returns
    -------
    table : polars.DataFrame
        With staff_n and class: shown or too_few_staff.
    caveats : tuple of str
        "too_few_staff", "staff_unknown" where they apply.
    """
    if staffed is None:
        return table.with_columns(pl.lit(None, dtype=pl.Int64).alias("staff_n"), pl.lit("shown").alias("class")), ()
    unit = str(unit_column_of(by))
    coarse = any(f"_{level}_" in unit for level in _COARSE)
    joined = table.join(staffed, on=unit, how="left", maintain_order="left")
    unknown = staffed["staff_n"].null_count() == staffed.height
    few = pl.lit(not coarse) if unknown else pl.col("staff_n").fill_null(0) < min_staff
    joined = joined.with_columns(pl.when(few).then(pl.lit("too_few_staff")).otherwise(pl.lit("shown")).alias("class"))
    joined = joined.with_columns(pl.when(pl.col("class") == "shown").then(pl.col(name)).alias(name) for name in blank)
    caveats = [name for name, where in (("staff_unknown", unknown), ("too_few_staff", (joined["class"] == "too_few_staff").any())) if where]
    return joined, tuple(caveats)
