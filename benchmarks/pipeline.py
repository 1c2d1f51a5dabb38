"""Time a whole load and analysis beside a naive script on the same rows: whole processes, alternating, wall, CPU and peak memory.

python benchmarks/pipeline.py [--scale 10] [--rounds 3] [--folder DIR] [--profile]

`--scale 10` is 2.16 million reports of the schematic Luqiao. Each round runs `cloudmap load` and `cloudmap analyse` in an empty store, then
`naive.py`; the order changes with every round. `--profile` also tells where cloudmap's time goes, step by step, in one more run.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Cost:
    wall_s: float
    cpu_s: float
    peak_mb: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s, max(self.peak_mb, other.peak_mb))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=10, help="1 is 216,000 reports")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("demo") / "benchmark")
    parser.add_argument("--profile", action="store_true", help="also time each step of one more run")
    asked = parser.parse_args()

    city = asked.folder / f"luqiao-{asked.scale:g}"
    cloudmap = [sys.executable, "-m", "cloudmap.cli"]
    run([*cloudmap, "init", str(city), "--sample", "luqiao", "--scale", f"{asked.scale:g}"])
    data = [path for path in (city / "data").iterdir() if path.is_file()]
    print(f"{city}: {len(data)} files, {sum(path.stat().st_size for path in data) / 1e6:,.0f} MB")

    def whole() -> dict[str, Cost]:
        empty(city)
        load = run([*cloudmap, "load", str(city), "--json"])
        analyse = run([*cloudmap, "analyse", str(city), "--json"])
        return {"cloudmap load": load, "cloudmap analyse": analyse, "cloudmap, both": load + analyse}

    def naive() -> dict[str, Cost]:
        return {"naive script": run([sys.executable, str(HERE / "naive.py"), str(city), str(asked.folder / "naive")])}

    costs: dict[str, list[Cost]] = {}
    for number in range(asked.rounds):
        for job in (whole, naive) if number % 2 == 0 else (naive, whole):
            for name, cost in job().items():
                costs.setdefault(name, []).append(cost)
                print(f"  round {number + 1}: {name}: {cost.wall_s:.1f} s", flush=True)
    report(costs)
    if asked.profile:
        profile(city)


def run(command: list[str]) -> Cost:
    """Run a process to its end; what it cost, its own children included.

    Raises
    ------
    SystemExit
        It failed.
    """
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}\n{said}")
    return Cost(time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def empty(city: Path) -> None:
    """Take away everything that an earlier run left: facts, results and cached rasters."""
    for name in ("store", ".cache"):
        shutil.rmtree(city / name, ignore_errors=True)


def report(costs: dict[str, list[Cost]]) -> None:
    memory = psutil.virtual_memory().total / 2**30
    print(f"\n{len(os.sched_getaffinity(0))} cores of {processor()}, {memory:.0f} GB, Python {platform.python_version()}")
    print("medians (lowest to highest)\n")
    print(f"| {'process':18} | {'wall, s':>22} | {'CPU, s':>22} | {'peak, MB':>22} |")
    print(f"| {'-' * 18} | {'-' * 21}: | {'-' * 21}: | {'-' * 21}: |")
    for name, runs in costs.items():
        columns = (spread([getattr(one, field) for one in runs]) for field in ("wall_s", "cpu_s", "peak_mb"))
        print(f"| {name:18} | " + " | ".join(f"{column:>22}" for column in columns) + " |")
    for field, word in (("wall_s", "wall time"), ("cpu_s", "CPU time")):
        ours, theirs = (statistics.median(getattr(one, field) for one in costs[name]) for name in ("cloudmap, both", "naive script"))
        print(f"\ncloudmap takes {ours / theirs:.2f} of the naive script's {word}", end="")
    print()


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):,.1f} ({min(values):,.1f}-{max(values):,.1f})"


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor() or "unknown")


def profile(city: Path) -> None:
    """Load and analyse once more in this process, and print wall and CPU seconds of each step."""
    from cloudmap.city import open_city
    from cloudmap.pipeline import analyse, load

    empty(city)
    opened = open_city(city)
    spent: dict[str, tuple[float, float]] = {}
    with timed(spent, "load, all files"):
        outcomes = load(opened)
    steps: dict[str, float] = {}
    print("\n| source and step | wall, s |\n| --- | ---: |")
    for outcome in outcomes:
        for step, seconds in outcome.seconds.items():
            steps[step] = steps.get(step, 0.0) + seconds
        told = ", ".join(f"{step} {seconds:.1f}" for step, seconds in outcome.seconds.items())
        print(f"| {outcome.file.name}: {told} | {sum(outcome.seconds.values()):.1f} |")
    for step, seconds in steps.items():
        print(f"| all files: {step} | {seconds:.1f} |")

    pieces: list[tuple[str, float]] = []
    with timed(spent, "analyse"):
        analyse(opened, progress=lambda piece: pieces.append((piece, time.perf_counter())))
        pieces.append(("", time.perf_counter()))
    for (piece, begun), (_, ended) in pairwise(pieces):
        print(f"| analyse: {piece} | {ended - begun:.1f} |")
    for name, (wall, cpu) in spent.items():
        print(f"| {name} (CPU {cpu:.1f}) | {wall:.1f} |")


@contextmanager
def timed(spent: dict[str, tuple[float, float]], name: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    spent[name] = (time.perf_counter() - wall, time.process_time() - cpu)


if __name__ == "__main__":
    main()
