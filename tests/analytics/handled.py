"""Small reports and events that tests of handling are made of."""

from datetime import UTC, datetime

import polars as pl

from cloudmap.schema import HANDLING_EVENTS

INSTANT = pl.Datetime("us", "UTC")


def at(text):
    """Read an instant, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def make_reports(opened, closed=None, **columns):
    """Reports app:0, app:1 ... of one source and category, with more columns or others."""
    n = len(opened)
    frame = {
        "report_id": [f"app:{i}" for i in range(n)],
        "source_id": ["app"] * n,
        "category_code": ["EV01"] * n,
        "occurred_at": opened,
        "reported_at": opened,
        "closed_at": closed or [None] * n,
        "due_at": [None] * n,
        "state": [None] * n,
        "tier": [None] * n,
        **columns,
    }
    times = dict.fromkeys(("occurred_at", "reported_at", "closed_at", "due_at"), INSTANT)
    return pl.DataFrame(frame, schema_overrides={**times, "state": pl.String, "tier": pl.String})


def make_events(rows):
    """Events from (report_id, stage, state, at) or (..., tier)."""
    full = [(*row, None)[:5] for row in rows]
    frame = pl.DataFrame(
        {
            "line_no": list(range(2, len(full) + 2)),
            "source_id": ["app"] * len(full),
            "file": ["events.csv"] * len(full),
            "report_id": [row[0] for row in full],
            "at": [row[3] for row in full],
            "stage": [row[1] for row in full],
            "state": [row[2] for row in full],
            "tier": [row[4] for row in full],
            "stage_raw": [row[1] for row in full],
            "state_raw": [row[2] for row in full],
            "flags": [0] * len(full),
        },
        schema_overrides=HANDLING_EVENTS.dtypes,
    )
    return HANDLING_EVENTS.conform(frame)
