"""Time both kinds of store on the same synthetic reports: load, daily load, read of a cube's columns, reads beside a load, size.

python benchmarks/store.py [--rows 2160000] [--daily 10000] [--days 5] [--kinds lake postgis] [--postgis URL] [--folder DIR]

Rows come ready located, so that only the store is timed. PostGIS is a cluster of its own (tools/postgis-cluster, which does not wait for
the disk: fsync off) unless --postgis names a database; there schemas bench_store_* are made and dropped.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import psycopg

from cloudmap.schema import QUARANTINE, located_table
from cloudmap.store import LoadKey, Store
from cloudmap.store.backup import opened_backup, restore, write_backup
from cloudmap.store.lake import Lake
from cloudmap.store.postgis import Postgis

LEVELS = ("district", "street", "community", "grid", "microgrid")
TABLES = {"reports": located_table(LEVELS, (8, 9, 10)), "quarantine": QUARANTINE}
CUBE = ["matter_id", "category_code", "occurred_at", "reported_at", "reporter_hash", "ledger_class", "unit_street_code", "cell_9"]
TOOL = Path(__file__).parents[1] / "tools" / "postgis-cluster"
BLOCK = 200_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_160_000)
    parser.add_argument("--daily", type=int, default=10_000, help="rows of a daily load, half of them newer versions")
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", choices=("lake", "postgis"), default=["lake", "postgis"])
    parser.add_argument("--postgis", help="database to use in place of a cluster of its own")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "cloudmap-bench-store")
    asked = parser.parse_args()

    memory = psutil.virtual_memory().total / 1e9
    load = os.getloadavg()[0]
    print(f"{asked.rows:,} rows; {psutil.cpu_count()} cores, {memory:.0f} GB, {platform.system()}, load average {load:.1f}; s unless said")
    figures: dict[str, dict[str, float]] = {}
    for kind in asked.kinds:
        with opened(kind, asked.folder, asked.postgis) as (store, size), opened(kind, asked.folder, asked.postgis, "again") as (other, _):
            figures[kind] = measure(store, size, asked.rows, asked.daily, asked.days) | moved(store, other)
    for name in figures[asked.kinds[0]]:
        print(f"  {name:<44}" + "".join(f"{kind} {figures[kind][name]:>10.2f}   " for kind in asked.kinds))


def reports(first: int, last: int, *, version: int = 0) -> pl.DataFrame:
    """Reports number first to last, exclusive, with every column that a city of five levels has."""
    n = last - first
    random = np.random.default_rng(first + version)
    at = pl.Series(1_450_000_000_000_000 + random.integers(0, 8 * 10**13, n)).cast(pl.Datetime("us", "UTC"))
    ids = pl.int_range(first, last, eager=True).cast(pl.String).str.zfill(9)
    cells = {f"cell_{r}": random.integers(0, 20_000, n) + (0x0880000000000000 + (r << 52)) for r in (8, 9, 10)}
    units = {f"unit_{level}_code": random.integers(0, 4 ** (i + 1), n) for i, level in enumerate(LEVELS)}
    known = {
        "report_id": "app:" + ids, "source_id": ["app"] * n, "source_report_id": ids, "matter_id": "app:" + ids,
        "category_code": pl.Series(random.integers(0, 30, n)).cast(pl.String), "category_raw": ["暴露垃圾"] * n,
        "occurred_at": at, "reported_at": at, "closed_at": at, "state": [f"closed{version}"] * n,
        "reporter_hash": pl.Series(random.integers(0, 3000, n)).cast(pl.String), "reporter_kind": ["staff"] * n,
        "text": ["路边有垃圾，请尽快处理 " + str(i % 97) for i in range(n)], "flags": np.zeros(n),
        "lon_deg": 121.3 + random.random(n) / 5, "lat_deg": 28.4 + random.random(n) / 5, "position": ["point"] * n,
        "ledger_class": ["located"] * n, "line_no": np.arange(n), **cells,
        **{name: "331004" + pl.Series(codes).cast(pl.String) for name, codes in units.items()},
    }  # fmt: skip
    frame = pl.DataFrame(known)
    types = TABLES["reports"].dtypes
    return TABLES["reports"].conform(frame.with_columns(pl.lit(None).alias(name) for name in types if name not in known))


def put(store: Store, name: str, frames: Iterator[pl.DataFrame]) -> float:
    """Load frames as one file; return the seconds inside the store."""
    spent = 0.0
    with store.draft(LoadKey(name.ljust(64, "0"), "app", "m"), file=name) as draft:
        for frame in frames:
            begun = time.perf_counter()
            draft.write("reports", frame)
            spent += time.perf_counter() - begun
        begun = time.perf_counter()
        draft.commit({"lines": 0, "classes": {}, "repairs": {}})
        return spent + time.perf_counter() - begun


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def measure(store: Store, size: Callable[[], int], rows_n: int, daily_n: int, days: int) -> dict[str, float]:
    def look() -> object:
        return store.read("reports", CUBE)

    figures = {"load": put(store, "base", (reports(i, min(i + BLOCK, rows_n)) for i in range(0, rows_n, BLOCK)))}
    figures["size, MB"] = size() / 1e6
    figures["read of a cube's 8 columns (median of 3)"] = statistics.median(timed(look) for _ in range(3))
    daily = []
    for day in range(1, days + 1):
        first = rows_n + day * daily_n // 2 - daily_n
        frame = reports(first, first + daily_n, version=day)
        daily.append(put(store, f"day{day}", iter([frame])))
    figures[f"daily load of {daily_n:,} (median of {days})"] = statistics.median(daily)
    figures[f"daily load of {daily_n:,} (worst)"] = max(daily)
    figures["read after the daily loads (median of 3)"] = statistics.median(timed(look) for _ in range(3))
    where = [("report_id", "in", [f"app:{i:09d}" for i in range(0, rows_n, max(1, rows_n // 1000))])]
    figures["read of 1,000 reports by id"] = timed(lambda: store.read("reports", None, where))
    figures["read beside loads (median of 5)"] = beside_loads(store, look, rows_n, daily_n)
    figures["the same read after them (median of 3)"] = statistics.median(timed(look) for _ in range(3))
    figures["size after all loads, MB"] = size() / 1e6
    return figures


def beside_loads(store: Store, look: Callable[[], object], rows_n: int, daily_n: int) -> float:
    """Read five times while one load of new reports follows the other, and return the median time of a read."""
    done = threading.Event()

    def write() -> None:
        first = 2 * rows_n
        while not done.is_set():
            put(store, f"beside{first}", iter([reports(first, first + daily_n)]))
            first += daily_n

    writer = threading.Thread(target=write)
    writer.start()
    spent = [timed(look) for _ in range(5)]
    done.set()
    writer.join()
    return statistics.median(spent)


def moved(store: Store, other: Store) -> dict[str, float]:
    """Back a store up, and restore it into another one."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.backup"
        figures = {"backup": timed(lambda: write_backup(store, file)), "backup, MB": file.stat().st_size / 1e6}
        with opened_backup(file) as whole:
            return figures | {"restore, checked afterwards": timed(lambda: restore(whole, other))}


@contextmanager
def opened(kind: str, folder: Path, url: str | None, name: str = "once") -> Iterator[tuple[Store, Callable[[], int]]]:
    """Make an empty store, and remove it in the end; with it, a function that tells its size in bytes."""
    folder, schema = folder / name, f"bench_store_{name}"
    if kind == "lake":
        shutil.rmtree(folder, ignore_errors=True)
        yield Lake.open(folder, tables=TABLES, create=True), lambda: sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
        shutil.rmtree(folder)
        return
    own = tempfile.mkdtemp(prefix="cloudmap-bench-postgis-")
    server = url or subprocess.run(["bash", str(TOOL), "start", own], check=True, capture_output=True, text=True).stdout.strip()

    def ask(statement: str) -> int:
        with psycopg.connect(server, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return int(cursor.fetchone()[0]) if cursor.description else 0  # type: ignore[index]

    size = f"SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = '{schema}'::regnamespace"
    try:
        ask(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        yield Postgis.open(f"{server}?schema={schema}", tables=TABLES, create=True), lambda: ask(size)
        ask(f"DROP SCHEMA {schema} CASCADE")
    finally:
        if not url:
            subprocess.run(["bash", str(TOOL), "remove", own], check=True)


if __name__ == "__main__":
    print(f"begun {datetime.now(UTC):%Y-%m-%d %H:%M}")
    main()
