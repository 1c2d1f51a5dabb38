"""How often alarms and "what changed" err where nothing changes, what they find, and how fast they are.

python -m benchmarks.alarms [RUNS=60]

Prints Markdown tables (kept in benchmarks/alarms.md). Every run is seeded by its number. The short form is tests/calibration.
"""

import sys
import time
from datetime import timedelta

import numpy as np
from scipy import stats

from cloudmap.analytics.alarms import ears
from cloudmap.analytics.alarms_table import alarms
from cloudmap.analytics.changes import what_changed
from cloudmap.analytics.past_many import predict_flexible_many
from cloudmap.analytics.periods import Period
from tests.calibration.series import MONDAY, panel_of, quiet
from tests.calibration.simulated import interval

NOISES = {
    "Poisson .1": (0.1, 1.0, None),
    "phi 3, .1": (0.1, 3.0, None),
    "NB r .1, .2": (0.2, 1.0, 0.1),
    "Poisson .75": (0.75, 1.0, None),
    "phi 2, .75": (0.75, 2.0, None),
    "NB r .5, .75": (0.75, 1.0, 0.5),
    "phi 2, 16": (16, 2.0, None),
    "NB r 5, 16": (16, 1.0, 5.0),
    "phi 4, 200": (200, 4.0, None),
}
"""Name: mean count of a place and group in a week, variance over mean, size of the negative binomial."""

COMPARISONS = (("before", 4), ("year_before", 4), ("expected", 4), ("expected", 1))


def share(hits, of):
    low, high = interval(hits, of)
    return f"{hits / of:.4f} ({low:.4f}-{high:.4f})"


def drawn(rng, noise, places, weeks, amplitude=0.15, city_noise=0.1):
    mean, phi, size = NOISES[noise]
    means = mean * np.exp(rng.normal(0, 0.7, places) - 0.25)
    return quiet(rng, means, weeks, phi=phi, size=size, amplitude=amplitude, peak=rng.integers(52), city_noise=city_noise)


def false_alarms(runs):
    print(f"\n### Quiet series that raise an alarm at 1%, {runs} x 250 series\n")
    print("| noise | weeks | judged | cloudmap, of all | of judged | any q <= .05 | the method's own bound, of all |")
    print("| --- | ---: | ---: | --- | --- | --- | --- |")
    for noise in NOISES:
        for weeks in (30, 86, 161):
            judged = found = boards = plain = 0
            for run in range(runs):
                counts = drawn(np.random.default_rng([80, run, weeks]), noise, 250, weeks)
                result = alarms([panel_of(counts)])
                judged += result.parameters["judged_n"]
                found += int((result.table["class"] == "alarm").sum())
                boards += bool((result.table["q"] <= 0.05).any())
                plain += _published(counts)
            total = 250 * runs
            line = [noise, weeks, f"{judged / total:.2f}", share(found, total), share(found, max(judged, 1)), share(boards, runs)]
            print("| " + " | ".join(str(one) for one in [*line, share(plain, total)]) + " |", flush=True)


def _published(counts):
    """Alarms that the published bounds raise: farrington_flexible's where there are three years, else EARS C2's."""
    if counts.shape[1] < 160:
        return sum(bool(ears(row, method="C2", alpha=0.01).alarm[-1]) for row in counts)
    at = counts.shape[1] - 1
    predicted = predict_flexible_many(counts.astype(float), at)
    mean, phi = np.maximum(predicted.mean, 1e-12), np.maximum(predicted.dispersion, 1 + 1e-9)
    return int((counts[:, at] > np.where(mean > 1e-9, stats.nbinom.ppf(0.99, mean / (phi - 1), 1 / phi), 0)).sum())


def power_of_alarms(runs):
    print(f"\n### Share of raised weeks that give an alarm at 1% (phi 2, {runs} x 20 of 250 series)\n")
    print("| usual week | weeks | doubled | trebled | fivefold |\n| ---: | ---: | --- | --- | --- |")
    for mean in (0.75, 3.0, 16.0):
        for weeks in (86, 161):
            found = np.zeros(3, dtype=int)
            for run in range(runs):
                rng = np.random.default_rng([81, run])
                counts = quiet(rng, np.full(250, mean), weeks, phi=2.0)
                for number, fold in enumerate((2, 3, 5)):
                    raised = counts.copy()
                    raised[:20, -1] = quiet(rng, np.full(20, mean * fold), weeks, phi=2.0)[:, -1]
                    found[number] += int((alarms([panel_of(raised)]).table["class"][:20] == "alarm").sum())
            print(f"| {mean} | {weeks} | " + " | ".join(share(int(one), 20 * runs) for one in found) + " |", flush=True)


def quiet_boards(runs, places, weeks):
    print(f"\n### Boards on which nothing changes: {places} places and the city x 12 groups, {weeks} weeks, {runs} runs\n")
    print("| noise | against | weeks of the period | cards judged | cards that claim | boards with any claim | boards whose city claims |")
    print("| --- | --- | ---: | ---: | --- | --- | --- |")
    for noise in NOISES:
        for against, span in COMPARISONS:
            cards = claims = boards = city = 0
            for run in range(runs):
                rng = np.random.default_rng([82, run, weeks])
                panels = [panel_of(drawn(rng, noise, places, weeks), category=f"G{group}") for group in range(12)]
                table = what_changed(panels, period=Period(MONDAY + timedelta(weeks=weeks - span), span), against=against).table
                changed = table["class"].is_in(["more", "less"])
                cards, claims, boards = cards + table["p"].count(), claims + int(changed.sum()), boards + bool(changed.any())
                city += bool((changed & (table["scope"] == "city")).any())
            told = [share(claims, max(cards, 1)), share(boards, runs), share(city, runs)]
            print(f"| {noise} | {against} | {span} | {cards / runs:.0f} | " + " | ".join(told) + " |", flush=True)


def power_of_changes(runs):
    print(f"\n### Share of places found whose four weeks are raised: 3 of 12 places x 12 groups, phi 2, 86 weeks, {runs} runs\n")
    print("| usual four weeks | against | by half | doubled | trebled | intervals that hold it |\n| ---: | --- | --- | --- | --- | --- |")
    for mean in (0.75, 4.0, 16.0):
        for against in ("before", "expected"):
            found, held = np.zeros(3, dtype=int), 0
            for run in range(runs):
                for number, fold in enumerate((1.5, 2, 3)):
                    rng = np.random.default_rng([83, run, number])
                    panels = [panel_of(quiet(rng, np.full(12, mean), 86, phi=2.0), category=f"G{group}") for group in range(12)]
                    panels[0].counts[:3, -4:] = quiet(rng, np.full(3, mean * fold), 86, phi=2.0)[:, -4:]
                    table = what_changed(panels, period=Period(MONDAY + timedelta(weeks=82), 4), against=against).table[:3]
                    found[number] += int((table["class"] == "more").sum())
                    held += int(((table["lower"] <= fold) & ((table["upper"] >= fold) | table["upper"].is_null())).sum())
            cells = [share(int(one), 3 * runs) for one in found]
            print(f"| {4 * mean:g} | {against} | " + " | ".join(cells) + f" | {share(held, 9 * runs)} |", flush=True)


def speed():
    print("\n### Seconds for one board (wall and processor; the machine has other jobs)\n")
    print("| board | weeks | alarms | what changed |\n| --- | ---: | --- | --- |")
    for places, noise in ((12, "phi 2, 16"), (250, "phi 2, .75")):
        for weeks in (86, 165):
            rng = np.random.default_rng(84)
            panels = [panel_of(drawn(rng, noise, places, weeks), category=f"G{group}") for group in range(12)]
            period = Period(MONDAY + timedelta(weeks=weeks - 4), 4)
            cells = []
            for job in (lambda p=panels: alarms(p), lambda p=panels, span=period: what_changed(p, period=span)):
                job()
                wall, processor = time.perf_counter(), time.process_time()
                job()
                cells.append(f"{time.perf_counter() - wall:.2f} s ({time.process_time() - processor:.2f} s)")
            print(f"| {places} places x 12 groups | {weeks} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    speed()
    false_alarms(max(RUNS // 5, 4))
    power_of_alarms(max(RUNS // 10, 2))
    quiet_boards(RUNS, 12, 86)
    quiet_boards(max(RUNS // 10, 4), 250, 86)
    power_of_changes(max(RUNS // 4, 5))
