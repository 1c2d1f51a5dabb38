"""Which of the three meetings a matter may belong to, and why: advice from what is reported, never a decision.

Ordinary matters inside a micro-grid go to the micro-grid meeting, regional or common problems to the hall's council, major or sudden
incidents to the street's joint meeting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from cloudmap.analytics.case_states import TIERS
from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError

REASONS: Final[Mapping[str, tuple[str, str, str]]] = {
    "major": ("street", "severity 4 of 4", "严重程度为四级"),
    "sudden": ("street", "many of its kind in one area within a day, far more than usual", "同类事项一日内在片区突发"),
    "category_street": ("street", "the category belongs to the street's joint meeting", "该类别由街道联席会处理"),
    "serious": ("hall", "severity 3 of 4", "严重程度为三级"),
    "spread": ("hall", "its kind is reported from several micro-grids of the area", "片区内多个微格均有反映"),
    "recurring": ("hall", "its kind comes back in this micro-grid", "本微格反复出现"),
    "category_hall": ("hall", "the category belongs to the hall's council", "该类别由议事会处理"),
    "ordinary": ("microgrid", "nothing of the others", "一般事项"),
}
"""Reason to the meeting that it speaks for, English, Chinese; strongest first."""

SPREAD_DAYS: Final = 28
SPREAD_N: Final = 3
RECURRENCE_DAYS: Final = 90
RECURRENCE_N: Final = 3
SUDDEN_N: Final = 5
SUDDEN_FOLD: Final = 10


def circumstances(matters: pl.DataFrame, *, area: str, microgrid: str = "unit_microgrid_code") -> pl.DataFrame:
    """Count what stands around each matter when it is reported.

    Parameters
    ----------
    matters : polars.DataFrame
        report_id, category_code, occurred_at (UTC), and the columns named below: the matters to be advised on with those of the 90 days
        before.
    area : str
        Column of the units that a hall serves (unit_community_code or unit_street_code).
    microgrid : str, default "unit_microgrid_code"
        Column of the finest units.

    Returns
    -------
    polars.DataFrame
        report_id, spread_n (micro-grids of the area with the category in 28 days), recurrence_n (earlier ones of the category in its
        micro-grid in 90 days), day_n (of the category in the area in 24 hours, this one included), usual_day_n (a day's mean over the 90
        days before, that day left out). Null where the matter lies in no such unit.

    Raises
    ------
    AnalysisError
        A column is missing.
    """
    _need(matters, ("report_id", "category_code", "occurred_at", area, microgrid))
    rows = matters.select("report_id", "category_code", "occurred_at", pl.col(area).alias("area"), pl.col(microgrid).alias("own"))
    rows = rows.drop_nulls("occurred_at").sort("occurred_at")
    around = _rolling(rows.drop_nulls("area"), "area", f"{SPREAD_DAYS}d", pl.col("own").drop_nulls().n_unique().alias("spread_n"))
    day = _rolling(rows.drop_nulls("area"), "area", "24h", pl.len().alias("day_n"))
    long = _rolling(rows.drop_nulls("area"), "area", f"{RECURRENCE_DAYS}d", pl.len().alias("long_n"))
    own = _rolling(rows.drop_nulls("own"), "own", f"{RECURRENCE_DAYS}d", (pl.len().cast(pl.Int64) - 1).alias("recurrence_n"))
    told = matters.select("report_id")
    for part in (around, day, long, own):
        told = told.join(part, on="report_id", how="left", maintain_order="left")
    return told.with_columns(((pl.col("long_n").cast(pl.Int64) - pl.col("day_n")) / (RECURRENCE_DAYS - 1)).alias("usual_day_n")).select(
        "report_id", pl.col("spread_n").cast(pl.Int64), "recurrence_n", pl.col("day_n").cast(pl.Int64), "usual_day_n"
    )


def advice(matters: pl.DataFrame) -> Result:
    """Advise a meeting for each matter.

    Parameters
    ----------
    matters : polars.DataFrame
        report_id, severity (1-4), category_tier (the category's own meeting), and the columns of `circumstances`; unknown ones null.

    Returns
    -------
    Result
        Table: report_id, class (microgrid, hall, street), reasons (list of keys of `REASONS`, strongest first), and what they rest on.

    Raises
    ------
    AnalysisError
        A column is missing, a severity is not 1 to 4, or a category names an unknown meeting.
    """
    measured = ("severity", "category_tier", "spread_n", "recurrence_n", "day_n", "usual_day_n")
    _need(matters, ("report_id", *measured))
    if not matters["severity"].is_between(1, 4).all() or not matters["category_tier"].is_in(TIERS).all():
        raise AnalysisError("severities are 1 to 4 and meetings microgrid, hall, street; correct the taxonomy's table")
    sudden = (pl.col("day_n") >= SUDDEN_N) & (pl.col("day_n") >= SUDDEN_FOLD * pl.col("usual_day_n"))
    speaks = {
        "major": pl.col("severity") == 4,
        "sudden": sudden,
        "category_street": pl.col("category_tier") == "street",
        "serious": pl.col("severity") == 3,
        "spread": pl.col("spread_n") >= SPREAD_N,
        "recurring": pl.col("recurrence_n") >= RECURRENCE_N,
        "category_hall": pl.col("category_tier") == "hall",
    }
    named = [pl.when(where.fill_null(value=False)).then(pl.lit(name)) for name, where in speaks.items()]
    found = matters.select("report_id", pl.concat_list(named).list.drop_nulls().alias("reasons"), *measured)
    found = found.with_columns(pl.when(pl.col("reasons").list.len() == 0).then(pl.lit(["ordinary"])).otherwise("reasons").alias("reasons"))
    tier = {name: told[0] for name, told in REASONS.items()}
    # Reasons stand strongest first, so the first one decides.
    decides = pl.col("reasons").list.first().replace_strict(tier, return_dtype=pl.String)
    return Result(
        method="meeting advised from severity, spread, recurrence and suddenness",
        parameters={
            "spread": f"{SPREAD_N} micro-grids in {SPREAD_DAYS} days",
            "recurrence": f"{RECURRENCE_N} earlier in {RECURRENCE_DAYS} days",
            "sudden": f"{SUDDEN_N} in 24 h and {SUDDEN_FOLD} times a usual day",
        },
        table=found.with_columns(decides.alias("class")).select("report_id", "class", "reasons", *measured),
        denominator="matters",
        caveats=("advice_not_decision",),
    )


def _need(matters: pl.DataFrame, names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in matters.columns]
    if missing:
        raise AnalysisError(f"tier advice needs column(s) {', '.join(missing)}; have {', '.join(matters.columns)}")


def _rolling(rows: pl.DataFrame, group: str, period: str, what: pl.Expr) -> pl.DataFrame:
    """Aggregate over the rows of the same category and group within a period up to each row, its own instant included."""
    rolled = rows.rolling("occurred_at", period=period, group_by=["category_code", group]).agg(what)
    # Rows of one instant have the same window.
    rolled = rolled.unique(["category_code", group, "occurred_at"], keep="last")
    return rows.join(rolled, on=["category_code", group, "occurred_at"], how="left").select("report_id", rolled.columns[-1])
