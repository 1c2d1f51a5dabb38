"""Time working hours, cases and indicators of handling on made reports: ``python benchmarks/handling.py [--reports 2160000]``.

One row per step: wall and CPU seconds of the fastest of `--rounds`, and the process's peak memory at the end.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from cloudmap.analytics import handling
from cloudmap.analytics.workdays import Calendar
from cloudmap.schema import HANDLING_EVENTS

FIRST = np.datetime64("2016-01-01T00:00:00", "us")
NOW = datetime(2018, 8, 31, 12, tzinfo=UTC)
STEPS = (("collect", "open", 0.0), ("sort", "handling", 0.05), ("dispatch", "handling", 0.1), ("handle", "suspended", 0.3),
         ("handle", "handling", 0.4), ("inspect", "closed", 1.0))  # fmt: skip


def made_reports(n: int, rng: np.random.Generator) -> pl.DataFrame:
    opened = FIRST + rng.integers(0, 970 * 86400, n).astype("timedelta64[s]")
    closed = opened + (rng.lognormal(11.5, 1, n)).astype("timedelta64[s]")
    still = rng.random(n) < 0.05
    times = {name: pl.Series(values).dt.replace_time_zone("UTC") for name, values in (("opened", opened), ("closed", closed))}
    return pl.DataFrame(
        {
            "report_id": pl.Series(np.arange(n)).cast(pl.String),
            "source_id": rng.choice(["a", "b", "c", "d"], n),
            "category_code": rng.choice([f"C{i:02d}" for i in range(60)], n),
            "unit_street_code": rng.choice([f"S{i:02d}" for i in range(12)], n),
            "reporter_hash": pl.Series(rng.integers(0, 8000, n)).cast(pl.String),
            "reporter_kind": rng.choice(["staff", "resident"], n),
            "occurred_at": times["opened"],
            "reported_at": times["opened"],
            "closed_at": times["closed"].set(pl.Series(still), None),
            "due_at": pl.Series([None] * n, dtype=pl.Datetime("us", "UTC")),
            "state": pl.Series(np.where(still, "handling", "closed")),
            "tier": rng.choice(["microgrid", "hall", "street"], n, p=[0.83, 0.13, 0.04]),
        }
    )


def made_events(reports: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    told = reports.filter(pl.Series(rng.random(reports.height) < share), pl.col("closed_at").is_not_null())
    span = pl.col("closed_at") - pl.col("reported_at")
    parts = [
        told.select(
            "report_id",
            "source_id",
            (pl.col("reported_at") + span * part).alias("at"),
            pl.lit(stage).alias("stage"),
            pl.lit(state).alias("state"),
        )
        for stage, state, part in STEPS
    ]
    blank = [pl.lit(None, dtype=pl.String).alias(name) for name in ("tier", "stage_raw", "state_raw")]
    return HANDLING_EVENTS.conform(
        pl.concat(parts).with_row_index("line_no").with_columns(pl.lit("e").alias("file"), pl.lit(0).alias("flags"), *blank)
    )


def timed(name: str, rounds: int, work: Callable[[], object]) -> object:
    best = (np.inf, np.inf)
    result: object = None
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        best = min(best, (time.perf_counter() - wall, time.process_time() - cpu))
    print(f"| {name} | {best[0]:.2f} | {best[1]:.2f} |", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=2_160_000)
    parser.add_argument("--share", type=float, default=0.2, help="share of reports with events")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    rng = np.random.default_rng(1)
    reports = made_reports(given.reports, rng)
    events = made_events(reports, given.share, rng)
    calendar = Calendar()
    limits = handling.Limits({f"C{i:02d}": float(rng.choice([8, 24, 40, 80])) for i in range(60)})
    start, end = (reports[name].dt.replace_time_zone(None).to_numpy() for name in ("reported_at", "closed_at"))
    hours = rng.choice([8.0, 24, 40, 80], given.reports)
    print(f"{reports.height:,} reports, {events.height:,} events\n\n| step | wall, s | CPU, s |\n| --- | ---: | ---: |")
    timed("working hours between two instants", given.rounds, lambda: calendar.worked_h(start, end))
    timed("due times", given.rounds, lambda: calendar.due(start, hours))
    timed("cases from columns alone", given.rounds, lambda: handling.cases(reports, None, calendar, limits, NOW))
    cases = timed("cases with events", given.rounds, lambda: handling.cases(reports, events, calendar, limits, NOW))
    assert isinstance(cases, pl.DataFrame)
    zone = ZoneInfo("Asia/Shanghai")
    timed("indicators by street", given.rounds, lambda: handling.indicators(cases, now=NOW, zone=zone, by=["unit_street_code"]))
    timed("dwell by stage and street", given.rounds, lambda: handling.dwell(reports, events, calendar, NOW, by=["unit_street_code"]))
    print(f"\npeak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
