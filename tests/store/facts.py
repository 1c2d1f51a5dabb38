"""Small reports for the store's tests, and loading them."""

from datetime import UTC, datetime, timedelta

import polars as pl

from cloudmap.store import Draft, LoadKey, LoadRecord, Store

START = datetime(2024, 1, 1, tzinfo=UTC)


def key(name: str, source: str = "app", mapping: str = "m1") -> LoadKey:
    return LoadKey(name.ljust(64, "0"), source, mapping)


def reports(numbers: range | list[int], *, category: str = "SA01", source: str = "app") -> pl.DataFrame:
    """Reports number n: id "app:n", one hour apart, three units."""
    return pl.DataFrame(
        {
            "report_id": [f"{source}:{n:05d}" for n in numbers],
            "category_code": [category for _ in numbers],
            "occurred_at": [START + timedelta(hours=n) for n in numbers],
            "closed_at": [START + timedelta(hours=n + 5) if n % 2 else None for n in numbers],
            "unit_street_code": [f"3310040{n % 3:02d}" for n in numbers],
            "cell_9": [0x8900000000000000 - (1 << 64) + n for n in numbers],
        },
        schema={
            "report_id": pl.String,
            "category_code": pl.String,
            "occurred_at": pl.Datetime("us", "UTC"),
            "closed_at": pl.Datetime("us", "UTC"),
            "unit_street_code": pl.String,
            "cell_9": pl.Int64,
        },
    )


def rejected(*lines: int) -> pl.DataFrame:
    return pl.DataFrame({"line_no": list(lines), "rule": ["time_unknown"] * len(lines)}, schema={"line_no": pl.Int64, "rule": pl.String})


def fill(draft: Draft, frame: pl.DataFrame, *, parts: int = 2) -> None:
    """Write reports in parts, and one quarantined line."""
    size = -(-frame.height // parts) or 1
    for part in frame.iter_slices(size):
        draft.write("reports", part)
    draft.write("quarantine", rejected(frame.height + 1))


def entry(frame: pl.DataFrame, file: str) -> dict[str, object]:
    return {"source": "app", "file": file, "lines": frame.height + 1, "classes": {"located": frame.height, "quarantined": 1}, "repairs": {}}


def load(store: Store, name: str, frame: pl.DataFrame, *, source: str = "app") -> LoadRecord:
    """Load a frame as one file."""
    with store.draft(key(name, source), file=f"{name}.csv", base_map_version="b1") as draft:
        fill(draft, frame)
        return draft.commit(entry(frame, f"{name}.csv"))


def ids(frame: pl.DataFrame) -> list[int]:
    return [int(one.rpartition(":")[2]) for one in frame["report_id"]]
