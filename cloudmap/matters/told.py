"""Which matter each report tells of, once reports have been joined."""

from __future__ import annotations

import polars as pl


def with_matters(rows: pl.DataFrame, shared: pl.DataFrame) -> pl.DataFrame:
    """Give each report its matter, in place of what the store calls it.

    Parameters
    ----------
    rows : polars.DataFrame
        Reports with report_id.
    shared : polars.DataFrame
        Table `matters`: the reports that share a matter; every other report is a matter of its own.

    Returns
    -------
    polars.DataFrame
        The rows in their order, matter_id as the last column.
    """
    joined = rows.drop("matter_id", strict=False).join(shared, on="report_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("matter_id").fill_null(pl.col("report_id")))
