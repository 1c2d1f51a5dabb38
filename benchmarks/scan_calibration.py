"""How often the scan of a panel errs, and what it finds: the long form of tests/calibration/test_scan_map.py.

python -m benchmarks.scan_calibration [RUNS=400] [errors | foreign | power ...]

Prints Markdown tables (kept in benchmarks/statistics.md). Every run is seeded by its number, so that the figures can be had again.
"""

import sys

import numpy as np

from cloudmap.analytics.scan_map import scan_clusters
from tests.calibration.simulated import interval
from tests.calibration.simulated_panel import simulate

RINGS, WEEKS = 6, 40
SETTINGS = {"weeks": 26, "max_share": 0.2, "max_periods": 4, "replicates": 39}
FOREIGN = {
    "30% of counts lost": {"silent": 0.3},
    "places differ for good, log deviation .3": {"lasting": 0.3},
    "places wander, log deviation .5, correlation .9": {"slow": 0.5},
}


def share(hits, runs):
    low, high = interval(hits, runs)
    return f"{hits / runs:.3f} ({low:.3f}-{high:.3f})"


def p_values(runs, mean, size, model, *, exposed, **noise):
    p = []
    for run in range(runs):
        data = simulate(np.random.default_rng([41, run]), RINGS, WEEKS, mean, size, exposed=exposed, **noise)
        table = scan_clusters(data, model=model, seed=run, **SETTINGS).table
        p.append((table["p"][0], table["p_gumbel"][0]) if table.height else (1.0, 1.0))
    return np.array(p)


def errors(runs):
    print(f"\n#### Runs without a cluster in which p is at most .05 and .2, {runs} runs\n")
    print("| baseline | noise | weekly mean | model | p <= .05 | p <= .2 | Gumbel p <= .05 |\n|" + " --- |" * 7)
    for exposed in (True, False):
        for noise, size in (("Poisson", None), ("NB r .5", 0.5)):
            for mean in (0.2, 2.0):
                for model in ("poisson", "negative_binomial", "auto"):
                    p = p_values(runs, mean, size, model, exposed=exposed)
                    cells = [share(int((p[:, at] <= level).sum()), runs) for at, level in ((0, 0.05), (0, 0.2), (1, 0.05))]
                    print(f"| {'exposure' if exposed else 'history'} | {noise} | {mean} | {model} | {' | '.join(cells)} |", flush=True)


def foreign(runs):
    print(f"\n#### The same with noise that is not the model's own, model chosen by test, {runs} runs\n")
    print("| baseline | noise | weekly mean | p <= .05: Poisson counts | NB counts, r .5 |\n|" + " --- |" * 5)
    for exposed in (True, False):
        for name, noise in FOREIGN.items():
            for mean in (0.2, 2.0):
                cells = []
                for size in (None, 0.5):
                    p = p_values(runs, mean, size, "auto", exposed=exposed, **noise)
                    cells.append(share(int((p[:, 0] <= 0.05).sum()), runs))
                print(f"| {'exposure' if exposed else 'history'} | {name} | {mean} | {' | '.join(cells)} |", flush=True)


def power(runs):
    print(f"\n#### Runs in which a significant cluster holds the centre of a planted disk of seven cells, {runs} runs\n")
    print("| noise | weekly mean | risk | weeks | exposure | history | its cells found | cells too many |\n|" + " --- |" * 8)
    for noise, size in (("Poisson", None), ("NB r .5", 0.5)):
        for mean, risk, weeks in ((0.2, 3, 4), (0.2, 5, 1), (0.2, 5, 4), (0.2, 10, 1), (0.2, 10, 4), (2.0, 2, 1), (2.0, 2, 4), (2.0, 3, 4)):
            cells, right, wrong = [], [], []
            for exposed in (True, False):
                hits = 0
                for run in range(runs):
                    data = simulate(np.random.default_rng([42, run]), RINGS, WEEKS, mean, size, exposed=exposed, planted=(risk, weeks))
                    table = scan_clusters(data, seed=run, **SETTINGS).table
                    found = [set(row["places"]) for row in table.iter_rows(named=True) if row["class"] == "significant"]
                    hit = next((places for places in found if "p0000" in places), None)
                    hits += hit is not None
                    if hit is not None:
                        inside = len(hit & set(data.places[:7]))
                        right.append(inside / 7)
                        wrong.append(len(hit) - inside)
                cells.append(share(hits, runs))
            more = (f"{np.mean(right):.2f}", f"{np.mean(wrong):.1f}") if right else ("", "")
            print(f"| {noise} | {mean} | {risk} | {weeks} | {' | '.join((*cells, *more))} |", flush=True)


if __name__ == "__main__":
    RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print(f"{3 * RINGS * (RINGS + 1) + 1} cells x {WEEKS} weeks, prospective, {SETTINGS}")
    for part, share_of_runs in ((errors, 1), (foreign, 2), (power, 4)):
        if not sys.argv[2:] or part.__name__ in sys.argv[2:]:
            part(RUNS // share_of_runs)
