"""Load one CSV that is larger than memory is allowed to grow: peak memory, speed, and every planted fault found.

python benchmarks/large_file.py [--gigabytes 5] [--folder DIR]

The rows are those of the three-squares city of the tests, with 25 short, 25 undecodable and 25 two-line records planted at known places.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from tests.conftest import HEADER, SIDE, SOUTH, WEST, write_city  # noqa: E402  (found through the path set above)

BLOCK = 500_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--folder", type=Path, default=Path("demo") / "large")
    asked = parser.parse_args()
    folder = asked.folder
    if not (folder / "city.toml").exists():
        write_city(folder)
    records = write_rows(folder / "app.csv", asked.gigabytes * 1e9)
    size = (folder / "app.csv").stat().st_size
    print(f"{size / 1e9:.2f} GB, {records:,} records, {os.cpu_count()} cores")
    subprocess.run(["rm", "-rf", str(folder / "store")], check=True)
    begun = time.perf_counter()
    process = psutil.Popen([sys.executable, "-m", "cloudmap.cli", "load", str(folder), "--json"], stdout=subprocess.PIPE, text=True)
    peak = 0
    while process.poll() is None and not is_over(process):
        peak = max(peak, *(one.memory_info().rss for one in (process, *process.children(recursive=True)) if one.is_running()))
        time.sleep(0.2)
    out, _ = process.communicate()
    wall = time.perf_counter() - begun
    ledger = json.loads(out)["files"][0]["ledger"]
    print(f"wall {wall:.0f} s ({size / 1e6 / wall:.0f} MB/s), peak RSS {peak / 1e6:.0f} MB")
    print(ledger)
    assert ledger["lines"] == records == sum(ledger["classes"].values())
    assert ledger["classes"]["quarantined"] == 50


def is_over(process: psutil.Popen) -> bool:
    return process.status() == psutil.STATUS_ZOMBIE


def write_rows(path: Path, size: float) -> int:
    """Write at least `size` bytes of reports; return the number of records."""
    rng = np.random.default_rng(1)
    records = 0
    with path.open("wb") as file:
        file.write((HEADER + "\n").encode())
        while file.tell() < size:
            start = np.datetime64("2018-01-01T00:00:00") + rng.integers(0, 150 * 86_400, BLOCK).astype("timedelta64[s]")
            frame = pl.DataFrame(
                {
                    "id": [f"R{records + i:09d}" for i in range(BLOCK)],
                    "category": rng.choice(np.array(["路灯", "暴露垃圾", "邻里纠纷", "河道污染"]), BLOCK),
                    "at": np.char.replace(start.astype(str), "T", " "),
                    "closed": np.char.replace((start + np.timedelta64(36, "h")).astype(str), "T", " "),
                    "state": "已办结",
                    "lon": np.round(rng.uniform(WEST, WEST + 3 * SIDE, BLOCK), 6),
                    "lat": np.round(rng.uniform(SOUTH, SOUTH + SIDE, BLOCK), 6),
                    "unit": "",
                    "text": [f"巷口第{number}号门前有问题,请派人来看一看" for number in rng.integers(0, 10**6, BLOCK)],
                    "who": [f"U{number:04d}" for number in rng.integers(0, 5000, BLOCK)],
                }
            )
            file.write(frame.write_csv(include_header=False).encode())
            records += BLOCK
            if records == 2 * BLOCK:
                for i in range(25):
                    file.write(f"S{i},路灯\n".encode())
                    file.write(b"U%d,\xff\xfe,2018-02-01 08:00:00,,,121.31,28.51,,x,U1\n" % i)
                    file.write(f'T{i},路灯,2018-02-01 08:00:00,,处理中,121.31,28.51,,"两\n行",U1\n'.encode())
                records += 75
    return records


if __name__ == "__main__":
    main()
