"""How often regimes and silent cells err, and what they find: the long form of their tests, with Clopper-Pearson intervals.

python -m benchmarks.reporting [RUNS=400] [--write]

Prints Markdown; --write also keeps it as benchmarks/reporting.md. Every run is seeded by its number.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from cloudmap.analytics.change_points import change_points
from cloudmap.analytics.silent import silent_cells
from tests.analytics.test_regimes import series
from tests.analytics.test_silent import simulated
from tests.calibration.simulated import ground, interval

NOISES = ((0.0, 0.1), (0.3, 0.15), (0.5, 0.15), (0.7, 0.15), (0.7, 0.3))
SILENT_N = 6


def share(hits, runs):
    low, high = interval(hits, runs)
    return f"{hits / runs:.3f} ({low:.3f}-{high:.3f})"


def false_changes(runs):
    lines = ["| weeks, weekly mean | " + " | ".join(f"r {clinging}, sd {spread}" for clinging, spread in NOISES) + " |"]
    lines.append("|" + " --- |" * (len(NOISES) + 1))
    for weeks in (60, 140, 260):
        for mean in (20, 300, 2000):
            cells = []
            for clinging, spread in NOISES:
                hits = sum(
                    bool(change_points(series(np.random.default_rng([30, run]), weeks, mean, clinging, spread))) for run in range(runs)
                )
                cells.append(share(hits, runs))
            lines.append(f"| {weeks}, {mean} | " + " | ".join(cells) + " |")
    return lines


def found_changes(runs):
    lines = ["| change, 140 weeks of mean 300, r .5, sd .15 | found within two weeks |", "| --- | --- |"]
    cases = {"1.5-fold, week 70": (1.5, 70, 70), "2-fold, week 70": (2, 70, 70), "0.5-fold, week 70": (0.5, 70, 70),
             "2-fold, the last 12 weeks": (2, 128, 12), "3-fold for 12 weeks": (3, 60, 12)}  # fmt: skip
    for label, (fold, first, length) in cases.items():
        level = np.ones(140)
        level[first : first + length] = fold
        hits = 0
        for run in range(runs):
            rng = np.random.default_rng([31, run])
            hits += any(abs(at - first) <= 2 for at in change_points(rng.poisson(series(rng, 140, 300, 0.5, 0.15) * level)))
        lines.append(f"| {label} | {share(hits, runs)} |")
    return lines


def is_silent(panel):
    return silent_cells(panel).table["class"].is_in(["silent", "never_reported"]).to_numpy()


def silence(runs):
    lines = ["| weekly mean, noise | false, population | false, none declared | silent 13 weeks | 26 weeks | 52 weeks |"]
    lines.append("|" + " --- |" * 6)
    for swing, label in ((None, "Poisson"), (12, "swinging by quarter")):
        for mean in (0.3, 1, 4):
            false = np.zeros(2, dtype=int)
            for run in range(runs):
                panel = simulated([32, run], mean, swing=swing, wrong=0.3)
                false += [is_silent(panel).any(), is_silent(replace(panel, exposure=None, exposure_kind="none")).any()]
            cells = [share(int(one), runs) for one in false]
            for weeks in (13, 26, 52):
                hits, some = 0, max(runs // 8, 1)
                for run in range(some):
                    planted = np.random.default_rng([33, run]).choice(ground(14).n, SILENT_N, replace=False)
                    hits += is_silent(simulated([34, run], mean, swing=swing, wrong=0.3, silent=planted, weeks=weeks))[planted].sum()
                cells.append(share(int(hits), some * SILENT_N))
            lines.append(f"| {mean}, {label} | " + " | ".join(cells) + " |")
    return lines


def markdown(runs):
    return "\n".join(
        [
            "# Regimes and silent cells: how often they err, what they find\n",
            f"`python -m benchmarks.reporting {runs} --write`; {runs} runs an entry, 95% Clopper-Pearson intervals.",
            "Tuned: the penalty of change-points on other seeds of the first simulator; the most that an exposure may weigh for",
            "silent cells on Luqiao's cells.\n",
            "## Series without a change in which one is found\n",
            "Overdispersed (gamma-Poisson), seasonal (amplitude .2), two weeks a year at 40%; r: autocorrelation of the log level, sd: its",
            "deviation.\n",
            *false_changes(runs),
            "\n## Changes found\n",
            *found_changes(runs),
            f"\n## Maps of {ground(14).n} cells without silence with any false silent cell; planted silent cells found\n",
            "Lognormal, smooth population, given with an error of 30%; 86 weeks, window 13 weeks. Cells differ widely: at a mean of 1 many",
            "have less than half of that. Swinging: each cell's risk is gamma with deviation .32 for good and .29 by quarter.\n",
            *silence(runs),
            "",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    given = [one for one in sys.argv[1:] if not one.startswith("--")]
    text = markdown(int(given[0]) if given else 400)
    print(text)
    if "--write" in sys.argv:
        (Path(__file__).parent / "reporting.md").write_text(text)
