"""How long the scan of a panel, and the near-repeat table, take.

python -m benchmarks.scan_speed [--quick]

Prints one Markdown row a job: wall and processor seconds of one run after a first one that compiles.
"""

import sys
import time
from datetime import date

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

from benchmarks.array_statistics import cells
from cloudmap.analytics.near_repeat import near_repeat_result
from cloudmap.analytics.panel import Panel
from cloudmap.analytics.scan_map import scan_clusters

QUICK = "--quick" in sys.argv


def row(job, work):
    wall, busy = time.perf_counter(), time.process_time()
    work()
    print(f"| {job} | {time.perf_counter() - wall:.3g} s | {time.process_time() - busy:.3g} s |", flush=True)


def panel(counts, xy, exposure):
    n, weeks = counts.shape
    kind = "none" if exposure is None else "population"
    names = tuple(f"{place:05d}" for place in range(n))
    return Panel(
        "cell_9", "AP01", names, date(2016, 1, 4), counts, xy, np.ones(n), csr_matrix((n, n)), exposure, kind, 0, np.ones(weeks, bool)
    )


def scans():
    replicates = 99 if QUICK else 999
    _, xy = cells(33)
    xy, rng = xy[:3300], np.random.default_rng(5)
    exposure = rng.lognormal(0, 1, 3300)
    exposure /= exposure.mean()
    for mean in (0.2, 2.0):
        intensity = mean * exposure[:, None] * rng.standard_gamma(0.5, (3300, 78)) / 0.5
        for model, counts in (
            ("poisson", rng.poisson(mean * exposure[:, None], (3300, 78))),
            ("negative_binomial", rng.poisson(intensity)),
        ):
            for baseline, people in (("exposure", exposure), ("history", None)):
                some = panel(counts, xy, people)
                scan_clusters(panel(counts[:200], xy[:200], None if people is None else people[:200]), model=model, replicates=19)
                job = f"prospective scan, 3300 cells x 26 weeks, {replicates} replicates, {model}, {baseline}, mean {mean}"
                row(job, lambda m=model, p=some: scan_clusters(p, model=m, replicates=replicates))
    some = panel(rng.poisson(0.2 * exposure[:, None], (3300, 78)), xy, exposure)
    row(
        "retrospective scan, the same, 99 replicates, poisson, exposure, mean 0.2",
        lambda: scan_clusters(some, kind="retrospective", replicates=99),
    )


def near_repeats():
    rng = np.random.default_rng(6)
    bands = {"distances_m": (100, 250, 500), "days": (3, 7, 14, 28), "replicates": 99}
    for n in (1000, 50_000, 200_000, 2_000_000):
        middle = rng.normal(0, 4000, (300, 2))[rng.integers(0, 300, n)] + rng.normal(0, 250, (n, 2))
        xy = np.where(rng.random((n, 1)) < 0.5, middle, rng.uniform(-9000, 9000, (n, 2)))
        points = pl.DataFrame({"x_m": xy[:, 0], "y_m": xy[:, 1], "t_days": rng.uniform(0, 970, n)})
        row(f"near-repeat table, {n} matters in 18 x 18 km, 99 replicates", lambda some=points: near_repeat_result(some, **bands))


if __name__ == "__main__":
    print("| job | wall | processor |\n| --- | --- | --- |")
    scans()
    near_repeats()
