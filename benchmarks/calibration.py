"""How often the tests err, and what they find: the long form of tests/calibration, with Clopper-Pearson intervals.

python -m benchmarks.calibration [RUNS=400] [RINGS=18]

Prints Markdown tables (kept in benchmarks/statistics.md). Every run is seeded by its number, so that the figures can be had again.
"""

import sys

import numpy as np

from cloudmap.analytics.emerging import mann_kendall
from cloudmap.analytics.hotspots import gi_exact_p, gi_nb_p, gi_z
from cloudmap.analytics.inference import fdr
from cloudmap.analytics.scan import scan
from tests.calibration.simulated import NOISES, draw, exposed, ground, interval

KINDS = ("own", "zero inflation", "wrong exposure", "smoothly wrong exposure", "correlated effort")


def share(hits, runs):
    low, high = interval(hits, runs)
    return f"{hits / runs:.3f} ({low:.3f}-{high:.3f})"


def errs(p):
    return bool((fdr(p) <= 0.05).any())


def false_hotspots(place, runs):
    print(f"\n### Maps with any false hotspot, {place.n} cells, {runs} runs\n")
    print("| method, noise | " + " | ".join(NOISES) + " |\n|" + " --- |" * (len(NOISES) + 1))
    rows = {"exact Gi*, equal exposure": None, **{f"NB Gi*, {kind}": kind for kind in KINDS}}
    for label, kind in rows.items():
        cells = []
        for mean, size in NOISES.values():
            hits = 0
            for run in range(runs):
                rng = np.random.default_rng([20, run])
                if kind is None:
                    counts = draw(rng, np.full(place.n, mean), size)
                    hits += counts.any() and errs(gi_exact_p(counts, place.w))
                else:
                    counts, given = exposed(rng, place, mean, size, kind)
                    hits += counts.any() and errs(gi_nb_p(counts, given, place.w))
            cells.append(share(int(hits), runs))
        print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


def power(place, runs):
    print(f"\n### Runs in which the centre of a planted disk of seven cells is found, {place.n} cells, {runs} runs\n")
    print("| weekly mean | risk | one week | two weeks | four weeks |\n| --- | --- | --- | --- | --- |")
    for mean, risk in ((0.02, 10), (0.02, 30), (0.02, 60), (0.2, 3), (0.2, 5), (0.2, 10), (2.0, 2), (2.0, 3)):
        found = np.zeros(3, dtype=int)
        for run in range(runs):
            rng = np.random.default_rng([21, run])
            expected = np.full(place.n, mean)
            expected[:7] *= risk
            weeks = rng.poisson(expected[:, None], (place.n, 4))
            found += [fdr(gi_exact_p(weeks[:, :pooled].sum(axis=1), place.w))[0] <= 0.05 for pooled in (1, 2, 4)]
        print(f"| {mean} | {risk} | " + " | ".join(share(int(hits), runs) for hits in found) + " |", flush=True)


def trends(place, runs):
    print(f"\n### Maps with any trend after adjustment, and share of cells that rise before it, {place.n} cells, {runs} runs\n")
    print(
        "| weekly mean | T | any trend | any, effort doubles by a ramp | of them upward | cells rising (p <= .05): steady | ramp | step |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for mean in (0.02, 0.2, 2.0):
        for periods in (12, 24, 52):
            growths = (np.ones(periods), np.linspace(1, 2, periods), np.where(np.arange(periods) < periods // 2, 1.0, 2.0))
            any_trend, any_up, rising = [0, 0, 0], [0, 0, 0], np.zeros(3)
            for number, growth in enumerate(growths):
                for run in range(runs):
                    table = np.random.default_rng([22, run]).poisson(mean * growth, (place.n, periods))
                    z = [gi_z(table[:, t], place.w) if table[:, t].any() else np.zeros(place.n) for t in range(periods)]
                    trend = mann_kendall(np.column_stack(z))
                    hits = fdr(trend.p) <= 0.05
                    any_trend[number] += hits.any()
                    any_up[number] += (hits & (trend.s > 0)).any()
                    rising[number] += ((trend.p <= 0.05) & (trend.s > 0)).mean() / runs
            cells = [share(any_trend[0], runs), share(any_trend[1], runs), share(any_up[1], runs), *(f"{value:.3f}" for value in rising)]
            print(f"| {mean} | {periods} | " + " | ".join(cells) + " |", flush=True)


def scan_p(runs):
    print(f"\n### Scan: share of null runs with p at most .05 and .2, 60 places x 8 periods, prospective, 99 replicates, {runs} runs\n")
    rng = np.random.default_rng(23)
    xy, expected = rng.uniform(0, 1000, (60, 2)), rng.uniform(0.5, 3, (60, 8))
    p = []
    for run in range(runs):
        rng = np.random.default_rng([24, run])
        settings = {"max_share": 0.5, "max_periods": 4, "prospective": True, "replicates": 99, "clusters_n": 1}
        found = scan(rng.poisson(expected), expected, xy, rng=rng, **settings)
        p.append((found[0].p, found[0].p_gumbel) if found else (1.0, 1.0))
    for number, name in enumerate(("Monte Carlo", "Gumbel")):
        values = np.array(p)[:, number]
        print(f"- {name}: {share(int((values <= 0.05).sum()), runs)}; {share(int((values <= 0.2).sum()), runs)}")


if __name__ == "__main__":
    RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    PLACE = ground(int(sys.argv[2]) if len(sys.argv) > 2 else 18)
    false_hotspots(PLACE, RUNS)
    power(PLACE, RUNS // 2)
    trends(PLACE, max(RUNS // 5, 20))
    scan_p(RUNS)
