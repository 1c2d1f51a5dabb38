"""How fast the statistics are, each beside the peer that does the same work, in one run.

python -m benchmarks.array_statistics [--quick]

Prints one Markdown row a job: wall and processor seconds, best of three after a first call that compiles. Peers (esda, pymannkendall) are
measured where they are installed, and on fewer rows where a full run would take hours (their figure is then scaled and marked ~).
"""

import sys
import time
from dataclasses import replace
from datetime import date
from importlib.util import find_spec

import h3
import numpy as np

from cloudmap.analytics.clusters import kde
from cloudmap.analytics.emerging import classify, mann_kendall
from cloudmap.analytics.emerging_map import emerging_hotspots
from cloudmap.analytics.hotspots import gi_exact_p_slices, gi_nb_p, local_moran
from cloudmap.analytics.hotspots_map import hotspots as hotspots_map
from cloudmap.analytics.panel import Panel
from cloudmap.analytics.power import power_table
from cloudmap.analytics.scan import scan
from cloudmap.geo.weights import neighbours

QUICK = "--quick" in sys.argv


def timed(work, repeats=3):
    best = (np.inf, np.inf)
    for _ in range(repeats):
        wall, busy = time.perf_counter(), time.process_time()
        work()
        best = min(best, (time.perf_counter() - wall, time.process_time() - busy))
    return best


def row(job, ours, peer="", theirs=None, scale=1.0):
    other = "" if theirs is None else f"{'~' if scale > 1 else ''}{theirs[0] * scale:.3g} s"
    print(f"| {job} | {ours[0]:.3g} s | {ours[1]:.3g} s | {peer} | {other} |", flush=True)


def cells(k):
    ids = list(h3.grid_disk(h3.latlng_to_cell(28.58, 121.37, 9), k))
    places = np.array([h3.cell_to_latlng(cell) for cell in ids])
    xy = np.column_stack([(places[:, 1] - 121.37) * 111_320 * np.cos(np.radians(28.58)), (places[:, 0] - 28.58) * 110_900])
    return neighbours(ids), xy


def hotspots(w, rng):
    n = w.shape[0]
    for mean in (0.02, 0.2, 2.0):
        table = rng.poisson(mean, (n, 52))
        gi_exact_p_slices(table[:, :2], w)
        row(f"exact Gi*, {n} cells x 52 weeks, mean {mean}", timed(lambda table=table: gi_exact_p_slices(table, w)))
    exposure = rng.lognormal(0, 1, n)
    counts = rng.negative_binomial(0.5, 0.5 / (0.5 + 2 * exposure))
    gi_nb_p(counts, exposure, w)
    row(f"NB Gi*, {n} cells, one map, mean 2", timed(lambda: gi_nb_p(counts, exposure, w)))
    ours = timed(lambda: local_moran(counts, w))
    if find_spec("esda") and find_spec("libpysal"):
        import esda
        from libpysal import weights

        peers = weights.WSP2W(weights.WSP(w), silence_warnings=True)
        theirs = timed(lambda: esda.G_Local(counts.astype(float), peers, star=True, transform="B", permutations=999, n_jobs=1), repeats=2)
        row(
            f"one map of {n} cells, exact p", timed(lambda: gi_exact_p_slices(counts[:, None], w)), "esda G_Local, 999 permutations", theirs
        )
        theirs = timed(lambda: esda.Moran_Local(counts.astype(float), peers, permutations=0), repeats=2)
        row(f"local Moran, {n} cells", ours, "esda Moran_Local, no permutations", theirs)
    else:
        row(f"local Moran, {n} cells", ours)


def trends(n, rng):
    for name, table in (("z", rng.normal(size=(n, 52))), ("counts, mean .2", rng.poisson(0.2, (n, 52)).astype(float))):
        mann_kendall(table)
        ours = timed(lambda table=table: mann_kendall(table))
        theirs, some = None, table[:200]
        if find_spec("pymannkendall"):
            from pymannkendall import original_test

            theirs = timed(lambda some=some: [original_test(series) for series in some], repeats=1)
        row(f"Mann-Kendall and Sen slope, {n} series x 52, {name}", ours, "pymannkendall original_test", theirs, n / len(some))
    hot = rng.random((n, 52)) < 0.3
    row(f"seventeen classes, {n} x 52", timed(lambda: classify(hot, ~hot & (rng.random(hot.shape) < 0.2), np.zeros(n, dtype=int))))


def maps(w, rng):
    """The same by cube-level functions, tables and words included; the peers do the parts that they have."""
    n = w.shape[0]
    counts, exposure = rng.poisson(0.5, (n, 52)), rng.lognormal(0, 0.7, n)
    shown = {
        kind: Panel("cell_9", "ALL", tuple(f"{at:06d}" for at in range(n)), date(2018, 1, 1), counts, np.zeros((n, 2)), np.ones(n), w,
                    None if kind == "none" else exposure, kind, 0, np.ones(52, dtype=bool))
        for kind in ("none", "population")
    }  # fmt: skip
    for kind, test in (("none", "exact"), ("population", "negative binomial")):
        panel = shown[kind]
        jobs = {
            f"hotspots, {n} cells, four weeks, {test}": lambda panel=panel: hotspots_map(panel, "2018-W49--2018-W52"),
            f"emerging_hotspots, {n} cells x 13 steps of four weeks, {test}": lambda panel=panel: emerging_hotspots(panel),
        }
        for job, work in jobs.items():
            work()
            row(job, timed(work))
        emerging_hotspots(panel, step_weeks=1)
        ours = timed(lambda panel=panel: emerging_hotspots(panel, step_weeks=1))
        row(f"emerging_hotspots, {n} cells x 52 steps, {test}", ours, *emerging_peers(counts, w))
    for kind, test in (("none", "exact"), ("population", "negative binomial")):
        some = ring(shown[kind], 3997)
        power_table(some, runs=5)
        row(f"power_table, 3997 cells, 4 risks x 4 spans, 120 maps each, {test}", timed(lambda some=some: power_table(some)))


def emerging_peers(counts, w):
    """esda's G* with 999 permutations on one step, times 52, and pymannkendall on 200 series, scaled to all."""
    if not (find_spec("esda") and find_spec("libpysal") and find_spec("pymannkendall")):
        return ()
    import esda
    from libpysal import weights
    from pymannkendall import original_test

    peers = weights.WSP2W(weights.WSP(w), silence_warnings=True)
    one = timed(
        lambda: esda.G_Local(counts[:, 0].astype(float), peers, star=True, transform="B", permutations=999, n_jobs=1, seed=1), repeats=2
    )
    some = counts[:200].astype(float)
    trend = timed(lambda: [original_test(series) for series in some], repeats=1)
    together = tuple(52 * step + len(counts) / len(some) * series for step, series in zip(one, trend, strict=True))
    return "52 x esda G_Local, pymannkendall", together, 1.0001


def ring(panel, n):
    """The first n places of a panel."""
    return replace(
        panel, places=panel.places[:n], counts=panel.counts[:n], xy_m=panel.xy_m[:n], area_m2=panel.area_m2[:n],
        weights=panel.weights[:n][:, :n], exposure=None if panel.exposure is None else panel.exposure[:n],
    )  # fmt: skip


def scans(rng):
    _, xy = cells(33)
    xy = xy[:3300]
    cases, expected = rng.poisson(0.2, (3300, 26)), np.ones((3300, 26))
    for share, longest in ((0.1, 8), (0.5, 13), (0.5, 26)):
        settings = {"max_share": share, "max_periods": longest, "prospective": True}
        scan(cases[:60], expected[:60], xy[:60], replicates=9, rng=np.random.default_rng(1), **settings)
        replicates = 99 if QUICK else 999
        ours = timed(lambda s=settings, r=replicates: scan(cases, expected, xy, replicates=r, rng=np.random.default_rng(1), **s), repeats=1)
        row(f"prospective scan, 3300 x 26, share {share}, up to {longest} weeks, {replicates} replicates", ours)


def densities(rng):
    from sklearn.neighbors import KernelDensity

    points, at = rng.uniform(0, 20_000, (5000, 2)), rng.uniform(0, 20_000, (5000, 2))
    kde(points, at[:300], bandwidth_m=400)
    theirs = timed(lambda: KernelDensity(bandwidth=400, rtol=0).fit(points).score_samples(at), repeats=1)
    row("density of 5,000 reports at 5,000 places", timed(lambda: kde(points, at, bandwidth_m=400)), "scikit-learn KernelDensity", theirs)


if __name__ == "__main__":
    print("| job | wall | processor | peer | its wall |\n| --- | --- | --- | --- | --- |")
    RNG = np.random.default_rng(0)
    W, _ = cells(33 if QUICK else 85)
    hotspots(W, RNG)
    trends(W.shape[0], RNG)
    maps(W, RNG)
    scans(RNG)
    densities(RNG)
