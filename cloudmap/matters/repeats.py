"""Records that a source holds twice: same label, same coordinates, same second, whatever the coordinates are worth."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl

from cloudmap.matters.pairs import CONTROL_SHARE, LAGS_H
from cloudmap.schema import MATTER_LINKS, MATTERS

_RECORD: Final = ("source_id", "category_code", "category_raw", "lon_deg", "lat_deg")


def find_repeats(reports: pl.DataFrame, sure_share: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Join reports without a usable point that are the same record of a source.

    A source that writes days without hours has many such records by chance: what its records have in common with those of whole weeks
    before is taken off, and a source of which chance explains too many is left as it is.

    Parameters
    ----------
    reports : polars.DataFrame
        report_id, source_id, category_code, category_raw, occurred_at, lon_deg, lat_deg; rows with a blank coordinate or time are left
        aside.
    sure_share : float
        Share of a source's repeats that chance must not explain.

    Returns
    -------
    shared, links : polars.DataFrame
        `schema.MATTERS` and `schema.MATTER_LINKS`, as `join_reports` gives them.
    """
    usable = pl.col("lon_deg").is_finite() & pl.col("lat_deg").is_finite() & pl.col("occurred_at").is_not_null()
    names = [pl.col(name).cast(pl.String).fill_null("") for name in _RECORD[:3]]
    rows = reports.filter(usable).with_columns(*names, pl.col("occurred_at").dt.truncate("1s")).sort("occurred_at", "report_id")
    told = rows.group_by(*_RECORD, "occurred_at").agg(
        pl.len().cast(pl.Int64).alias("n"), pl.col("report_id").first().alias("matter_id"), pl.col("report_id")
    )
    sure = _sure(told)
    found = told.filter(pl.col("n") > 1).join(sure.filter(pl.col("sure_share") > sure_share), on="source_id")
    shared = MATTERS.conform(found.select("matter_id", "report_id").explode("report_id")).sort("report_id")
    followers = found.explode("report_id").filter(pl.col("report_id") != pl.col("matter_id"))
    links = followers.select(
        "matter_id", pl.col("matter_id").alias("report_id"), pl.col("report_id").alias("to_report_id"),
        *(pl.lit(value, dtype=pl.Float64).alias(name) for name, value in (("distance_m", 0.0), ("gap_h", 0.0), ("likeness_share", None))),
        "expected_n", "sure_share", pl.lit("same_record same_point").alias("reasons"),
    )  # fmt: skip
    return shared, MATTER_LINKS.conform(links).sort("matter_id", "report_id", "to_report_id")


def _sure(told: pl.DataFrame) -> pl.DataFrame:
    """Give each source the share of its repeats that chance does not explain, and the repeats that chance gives a record."""
    by_chance = pl.lit(0, dtype=pl.Int64)
    counted = told.select(*_RECORD, "occurred_at", "n")
    for number, lag in enumerate(LAGS_H):
        later = counted.with_columns(pl.col("occurred_at") - timedelta(hours=lag)).rename({"n": f"later_{number}"})
        told = told.join(later, on=[*_RECORD, "occurred_at"], how="left")
        by_chance = by_chance + pl.col("n") * pl.col(f"later_{number}").fill_null(0)
    pairs = (pl.col("n") * (pl.col("n") - 1) // 2).sum()
    chance = by_chance.sum() / CONTROL_SHARE
    return told.group_by("source_id").agg(
        (1 - chance / pl.max_horizontal(pairs, 1)).clip(0, 1).alias("sure_share"), (2 * chance / pl.col("n").sum()).alias("expected_n")
    )
