"""On a replay in which nothing changes: how many cards and boards claim a change. The long form is ``benchmarks/alarms.py``.

A card is one place (or the city) and one category group; a board is all cards that are looked at together.
"""

from datetime import timedelta

import numpy as np
import pytest

from cloudmap.analytics.changes import what_changed
from cloudmap.analytics.periods import Period
from tests.calibration.series import MONDAY, panel_of, quiet
from tests.calibration.simulated import may_be

NOISES = {"Poisson 16": (16, 1.0, None), "phi 2, 16": (16, 2.0, None), "NB r 5, 16": (16, None, 5.0), "phi 2, 0.75": (0.75, 2.0, None),
          "Poisson .1": (0.1, 1.0, None)}  # fmt: skip
WEEKS = 86
"""As many as Luqiao has in its present reporting regime."""


def board(seed, noise, *, places=12, groups=6, weeks=WEEKS, span=4, against="before"):
    """Judge a quiet board: unequal places and groups, a season of 15%, weekly noise of the whole city of 10%."""
    rng = np.random.default_rng([71, seed])
    mean, phi, size = NOISES[noise]
    place = np.exp(rng.normal(0, 0.7, places) - 0.25)
    settings = {"phi": phi or 1.0, "size": size, "amplitude": 0.15, "peak": rng.integers(52), "city_noise": 0.1}
    panels = [
        panel_of(quiet(rng, mean * place * np.exp(rng.normal(0, 0.5)), weeks, **settings), category=f"G{group}") for group in range(groups)
    ]
    return what_changed(panels, period=Period(MONDAY + timedelta(weeks=weeks - span), span), against=against).table


def permuted(seed, counts):
    """Replay counts in another order of the weeks, the same for all places and groups: what they did together stays together."""
    order = np.random.default_rng([72, seed]).permutation(counts[0].shape[1])
    return [one[:, order] for one in counts]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("against", "span"), [("before", 4), ("year_before", 4), ("expected", 1)])
def test_at_most_one_card_and_one_board_in_twenty_claim_a_change(noise, against, span):
    runs, cards, claims, boards = 8, 0, 0, 0
    for run in range(runs):
        table = board(run, noise, span=span, against=against)
        changed = int(table["class"].is_in(["more", "less"]).sum())
        cards, claims, boards = cards + table.height, claims + changed, boards + (changed > 0)
    assert claims <= 0.005 * cards
    assert may_be(0.05, boards, runs)


def test_at_most_one_board_in_twenty_claims_a_change_when_weeks_are_dealt_out_anew():
    """Luqiao's shape: streets that differ 20-fold, groups that differ 10-fold, some noise of their own, no season left by the dealing."""
    rng = np.random.default_rng(73)
    place, group = np.exp(rng.normal(0, 0.9, 12)), np.exp(rng.normal(2.2, 0.8, 6))
    city = np.exp(0.1 * rng.normal(size=WEEKS))
    counts = [rng.negative_binomial(8, 8 / (8 + place[:, None] * one * city)) for one in group]
    runs, boards = 20, 0
    for run in range(runs):
        panels = [panel_of(one, category=f"G{at}") for at, one in enumerate(permuted(run, counts))]
        table = what_changed(panels, period=Period(MONDAY + timedelta(weeks=WEEKS - 4), 4)).table
        boards += bool(table["class"].is_in(["more", "less"]).any())
    assert may_be(0.05, boards, runs)


def test_a_doubled_street_is_found_in_nine_boards_of_ten():
    found = 0
    for run in range(20):
        rng = np.random.default_rng([74, run])
        counts = quiet(rng, np.full(12, 20.0), WEEKS, phi=1.5, amplitude=0.15, city_noise=0.1)
        counts[4, -4:] += quiet(rng, np.full(12, 20.0), 4, phi=1.5)[4]
        table = what_changed([panel_of(counts)], period=Period(MONDAY + timedelta(weeks=WEEKS - 4), 4), against="expected").table
        found += table["class"][4] == "more"
    assert found >= 18
