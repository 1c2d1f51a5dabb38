"""How long cases stay in each stage, in working hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from cloudmap.analytics.case_states import trace
from cloudmap.analytics.dwell import kaplan_meier, median
from cloudmap.analytics.result import Result
from cloudmap.analytics.staff import few_staff, staff_by
from cloudmap.analytics.workdays import Calendar, Pauses, instants
from cloudmap.schema import STAGES

LEAST_ENDED_N = 5
"""Fewest ended stays from which a median is told."""


def dwell(
    reports: pl.DataFrame,
    events: pl.DataFrame,
    calendar: Calendar,
    now: datetime,
    *,
    by: Sequence[str] = (),
    min_staff: int = 5,
    staff: pl.DataFrame | None = None,
) -> Result:
    """Estimate the median time in each stage, with the cases that are still in it.

    Parameters
    ----------
    reports, events, calendar, now
        As for `handling.cases`.
    by : sequence of str
        Columns of `reports` to tell apart, such as unit_street_code, category_code or source_id.
    min_staff : int, default 5
        Units with fewer distinct staff show counts only.
    staff : polars.DataFrame, optional
        As for `handling.indicators`.

    Returns
    -------
    Result
        Table: columns of `by`, stage, stays_n, going_on_n (censored at `now`), value (median, working hours without suspensions), lower,
        upper (95%; null where not reached), staff_n, class (shown, too_few_staff, not_enough_data).

    Raises
    ------
    AnalysisError
        A column is missing; the calendar does not know a year.
    """
    traced = trace(reports, events, now=now)
    stays = traced.stays.with_row_index("stay")
    rests = stays.select("stay", "case", "start", "end").join(traced.pauses, on="case", suffix="_rest")
    rests = rests.with_columns(pl.col("end_rest").fill_null(pl.col("end")))
    rests = rests.filter((pl.col("start_rest") < pl.col("end")) & (pl.col("end_rest") > pl.col("start"))).sort("stay", "start_rest")
    pauses = Pauses(rests["stay"].cast(pl.Int64).to_numpy(), instants(rests["start_rest"]), instants(rests["end_rest"]))
    hours = calendar.worked_h(instants(stays["start"]), instants(stays["end"]), pauses)
    kept = reports.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("case"), *by)
    stays = stays.with_columns(pl.Series("hours", hours)).join(kept, on="case")
    staffed = staff_by(reports, by, staff)
    rows = []
    for key, part in stays.group_by([*by, "stage"], maintain_order=True):
        told = dict(zip([*by, "stage"], key, strict=True))
        ended = part["ended"].to_numpy()
        found = median(kaplan_meier(part["hours"].to_numpy(), ended))
        enough = int(ended.sum()) >= LEAST_ENDED_N
        values = [float(one) if enough and np.isfinite(one) else None for one in found]
        rows.append({**told, "stays_n": part.height, "going_on_n": int((~ended).sum()),
                     "value": values[0], "lower": values[1], "upper": values[2], "enough": enough})  # fmt: skip
    schema: dict[str, Any] = {
        **{name: reports.schema[name] for name in by}, "stage": pl.String, "stays_n": pl.Int64, "going_on_n": pl.Int64, "value": pl.Float64,
        "lower": pl.Float64, "upper": pl.Float64, "enough": pl.Boolean,
    }  # fmt: skip
    table, caveats = few_staff(pl.DataFrame(rows, schema=schema), by, staffed, min_staff, ["value", "lower", "upper"])
    shown = pl.when(pl.col("class") == "shown").then(pl.when("enough").then(pl.lit("shown")).otherwise(pl.lit("not_enough_data")))
    order = pl.col("stage").replace_strict({name: told[0] for name, told in STAGES.items()}, return_dtype=pl.Int8)
    return Result(
        method="Kaplan-Meier median of working hours per stage",
        parameters={"by": list(by), "now": now.isoformat(), "min_staff": min_staff, "least_ended_n": LEAST_ENDED_N},
        table=table.with_columns(shown.otherwise("class").alias("class")).drop("enough").sort(*by, order, "stage"),
        denominator="stays in a stage, those that go on counted up to now",
        caveats=("dwell_censored", *caveats),
    )
