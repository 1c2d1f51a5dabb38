"""How often the tests err, and what they find: the long form of tests/calibration, with Clopper-Pearson intervals.

python -m benchmarks.calibration [RUNS=400] [RINGS=18] [PART...]

Without PART all parts: false_hotspots, power, trends, scan_p, maps, pooled, emerging, growth, guard.

Prints Markdown tables (kept in benchmarks/statistics.md). Every run is seeded by its number, so that the figures can be had again.
"""

import sys

import numpy as np

from cloudmap.analytics.emerging import mann_kendall
from cloudmap.analytics.emerging_map import MINIMUM_PER_STEP, emerging_hotspots
from cloudmap.analytics.hotspots import gi_exact_p, gi_nb_p, gi_z
from cloudmap.analytics.hotspots_map import hotspots
from cloudmap.analytics.inference import fdr
from cloudmap.analytics.scan import scan
from tests.calibration.simulated import NOISES, draw, exposed, exposed_weeks, ground, interval, panel_of, smooth

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


def hot_places(place, counts, exposure=None, kind="none"):
    made = hotspots(panel_of(place, counts, exposure, kind), f"2018-W01--2018-W{counts.shape[1]:02d}")
    return (made.table["class"] == "hot").to_numpy()


def maps(place, runs):
    print(f"\n### `hotspots` end to end: maps of four weeks with any false hotspot, exposure given, {place.n} cells, {runs} runs\n")
    print("| exposure | " + " | ".join(NOISES) + " |\n|" + " --- |" * (len(NOISES) + 1))
    for kind in ("own", "zero inflation", "wrong exposure", "counted exposure"):
        cells = []
        for mean, size in NOISES.values():
            hits = 0
            for run in range(runs):
                counts, given = exposed_weeks(np.random.default_rng([25, run]), place, mean / 4, size, kind, 4)
                hits += hot_places(place, counts, given, "reports" if kind == "counted exposure" else "population").any()
            cells.append(share(int(hits), runs))
        print(f"| {kind} | " + " | ".join(cells) + " |", flush=True)


def pooled(place, runs):
    print(f"\n### `hotspots` end to end: fivefold risk in seven cells, weekly mean .2, {place.n} cells, {runs} runs\n")
    print("| test | one week: found | four weeks: found | false: any, none planted | hot places beyond the disk's neighbours |")
    print("| --- | --- | --- | --- | --- |")
    near = np.arange(place.n) < 7
    near |= np.asarray(place.w @ near.astype(float)) > 0
    for label, exposure, kind in (("exact", None, "none"), ("negative binomial, equal exposure", np.full(place.n, 100.0), "population")):
        found, errors, marked, beyond = np.zeros(2, dtype=int), 0, 0, 0
        for run in range(runs):
            rng = np.random.default_rng([26, run])
            expected = np.full(place.n, 0.2)
            quiet = rng.poisson(expected[:, None], (place.n, 4))
            expected[:7] *= 5
            weeks = rng.poisson(expected[:, None], (place.n, 4))
            hot = hot_places(place, weeks, exposure, kind)
            found += [hot_places(place, weeks[:, :1], exposure, kind)[0], hot[0]]
            errors += hot_places(place, quiet, exposure, kind).any()
            marked, beyond = marked + hot.sum(), beyond + hot[~near].sum()
        told = f"{beyond} of {marked} ({beyond / marked:.3f})"
        print(
            f"| {label} | {share(int(found[0]), runs)} | {share(int(found[1]), runs)} | {share(int(errors), runs)} | {told} |", flush=True
        )


def emerging(place, runs):
    print(f"\n### `emerging_hotspots` end to end: null maps with any place of a class, {place.n} cells, {runs} runs\n")
    columns = ("test, noise (mean a step)", "T", "any trend class", "any hot class", "any cold class", "any trend of a place")
    print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    for kind in (None, "own", "wrong exposure", "zero inflation"):
        for noise in ("Poisson .02", "Poisson .2", "Poisson 2", "NB 2 r .5") if kind is None else ("Poisson .2", "NB 2 r .5"):
            mean, size = NOISES[noise]
            for steps in (12, 24, 52) if kind is None else (24,):
                hits = np.zeros(4, dtype=int)
                for run in range(runs):
                    rng = np.random.default_rng([27, run])
                    given, exposed_by = None, "none"
                    if kind is None:
                        counts = draw(rng, np.full((place.n, steps), mean), size)
                    else:
                        exposed_by = "population"
                        counts, given = exposed_weeks(rng, place, mean, size, kind, steps)
                    table = emerging_hotspots(panel_of(place, counts, given, exposed_by), step_weeks=1, steps=steps).table
                    named = table["class"].str
                    hits += [
                        named.contains("intensifying|diminishing").any(),
                        named.ends_with("_hot").any(),
                        named.ends_with("_cold").any(),
                        (table["trend"].fill_null(0) != 0).any(),
                    ]
                label = "exact" if kind is None else f"negative binomial, {kind}"
                print(f"| {label}, {noise} | {steps} | " + " | ".join(share(int(hit), runs) for hit in hits) + " |", flush=True)


def gi_trend(place, table):
    z = [gi_z(table[:, t], place.w) if table[:, t].any() else np.zeros(place.n) for t in range(table.shape[1])]
    return mann_kendall(np.column_stack(z))


def share_trend(place, table):
    sums, members = place.w @ table.astype(float) + table, place.degree + 1
    mean = table.mean(axis=0)
    return mann_kendall(sums[:, mean > 0] / (members[:, None] * mean[mean > 0])), sums.mean(axis=1)


def doubled(rng, place, mean, steps, growth, uneven):
    factor = {"steady": np.ones(steps), "ramp": np.linspace(1, 2, steps), "step": np.where(np.arange(steps) < steps // 2, 1.0, 2.0)}[growth]
    level = smooth(rng, place, 1.0) if uneven else np.ones(place.n)
    return rng.poisson(mean * level[:, None] * factor)


def growth(place, runs):
    print(f"\n### A doubling of all reporting: cells rising / falling (p = .05); maps with any trend; {place.n} cells, {runs} runs\n")
    print(
        "| city | mean a step | T | growth | Gi* z: rise / fall | any | share, as `emerging_hotspots`: rise / fall | any |\n|"
        + " --- |" * 8
    )
    for uneven in (False, True):
        for mean in (0.02, 0.2, 0.8, 2.0):
            for steps in (13, 52):
                for kind in ("steady", "ramp", "step"):
                    moved, hits = np.zeros((2, 2)), np.zeros(2, dtype=int)
                    for run in range(runs):
                        table = doubled(np.random.default_rng([28, run]), place, mean, steps, kind, uneven)
                        trend = gi_trend(place, table)
                        small = trend.p <= 0.05
                        moved[0] += (small & (trend.s > 0)).mean() / runs, (small & (trend.s < 0)).mean() / runs
                        hits[0] += (fdr(trend.p) <= 0.05).any()
                        made = emerging_hotspots(panel_of(place, table), step_weeks=1, steps=steps).table
                        z = made.filter(made["p"] <= 0.05)["trend_z"].to_numpy()
                        moved[1] += (z > 0).sum() / place.n / runs, (z < 0).sum() / place.n / runs
                        hits[1] += (made["trend"] != 0).any()
                    cells = [f"{rise:.3f} / {fall:.3f} | {share(int(hit), runs)}" for (rise, fall), hit in zip(moved, hits, strict=True)]
                    print(f"| {'uneven' if uneven else 'even'} | {mean} | {steps} | {kind} | " + " | ".join(cells) + " |", flush=True)


def guard(place, runs):
    print(f"\n### Least reports a step: of cells that have them, share rising / falling (p = .05), step; {place.n} cells, {runs} runs\n")
    floors = (0.0, 0.5, 1.0, MINIMUM_PER_STEP, 5.0)
    print("| city | mean a step | T | " + " | ".join(f"at least {floor:g}" for floor in floors) + " |\n|" + " --- |" * (3 + len(floors)))
    for uneven in (False, True):
        for mean in (0.02, 0.08, 0.2, 0.8):
            for steps in (13, 52):
                rise, fall, number = np.zeros(len(floors)), np.zeros(len(floors)), np.zeros(len(floors))
                for run in range(runs):
                    trend, held = share_trend(place, doubled(np.random.default_rng([29, run]), place, mean, steps, "step", uneven))
                    for at, floor in enumerate(floors):
                        kept = held >= floor
                        number[at] += kept.sum()
                        rise[at] += (kept & (trend.p <= 0.05) & (trend.s > 0)).sum()
                        fall[at] += (kept & (trend.p <= 0.05) & (trend.s < 0)).sum()
                cells = [
                    f"{a / n:.3f} / {b / n:.3f}" if n >= 0.01 * runs * place.n else "-" for a, b, n in zip(rise, fall, number, strict=True)
                ]
                print(f"| {'uneven' if uneven else 'even'} | {mean} | {steps} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    PLACE = ground(int(sys.argv[2]) if len(sys.argv) > 2 else 18)
    PARTS = {
        "false_hotspots": lambda: false_hotspots(PLACE, RUNS),
        "power": lambda: power(PLACE, RUNS // 2),
        "trends": lambda: trends(PLACE, max(RUNS // 5, 20)),
        "scan_p": lambda: scan_p(RUNS),
        "maps": lambda: maps(PLACE, RUNS),
        "pooled": lambda: pooled(PLACE, RUNS),
        "emerging": lambda: emerging(PLACE, RUNS),
        "growth": lambda: growth(PLACE, max(RUNS // 10, 20)),
        "guard": lambda: guard(PLACE, max(RUNS // 10, 20)),
    }
    for PART in sys.argv[3:] or PARTS:
        PARTS[PART]()
