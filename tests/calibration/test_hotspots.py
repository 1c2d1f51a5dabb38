"""False hotspots on maps without any, and power where one is planted.

Each map tests all its cells and adjusts them (Benjamini-Hochberg, 5%): a map "errs" when any cell is marked.
"""

import numpy as np
import pytest

from cloudmap.analytics.hotspots import gi_exact_p, gi_nb_p
from cloudmap.analytics.hotspots_map import hotspots
from cloudmap.analytics.inference import fdr
from tests.calibration.simulated import NOISES, draw, exposed, exposed_weeks, ground, interval, may_be, panel_of

PLACE = ground(18)


def _errs(p):
    return bool((fdr(p) <= 0.05).any())


@pytest.mark.parametrize("noise", NOISES)
def test_exact_p_marks_at_most_one_map_in_twenty(noise):
    mean, size = NOISES[noise]
    runs = 300
    rngs = [np.random.default_rng([1, run]) for run in range(runs)]
    maps = [draw(rng, np.full(PLACE.n, mean), size) for rng in rngs]
    errors = sum(_errs(gi_exact_p(counts, PLACE.w)) for counts in maps if counts.any())
    assert may_be(0.05, errors, runs)
    assert errors / runs <= 0.06


@pytest.mark.parametrize("kind", ["own", "zero inflation", "wrong exposure"])
@pytest.mark.parametrize("noise", NOISES)
def test_negative_binomial_p_holds_with_exposure_also_where_its_model_is_wrong(noise, kind):
    errors, runs = _nb_errors(noise, kind, 80)
    assert may_be(0.05, errors, runs)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("kind", ["correlated effort", "smoothly wrong exposure"])
def test_effort_that_the_exposure_does_not_know_is_not_told_from_risk(noise, kind):
    """Published limits, not a success: where counts are dense, unknown smooth effort is marked. Such a map reads "where reports are"."""
    errors, runs = _nb_errors(noise, kind, 40)
    low, high = interval(errors, runs)
    if noise == "Poisson 2":
        assert low > 0.05  # if this ever fails the test has become better, and the caveat of gi_nb_p is out of date
    elif noise in ("Poisson .02", "NB .02 r .1"):
        assert may_be(0.05, errors, runs)
    else:
        assert high < 0.6


def _nb_errors(noise, kind, runs):
    mean, size = NOISES[noise]
    maps = [exposed(np.random.default_rng([2, run]), PLACE, mean, size, kind) for run in range(runs)]
    return sum(_errs(gi_nb_p(counts, given, PLACE.w)) for counts, given in maps if counts.any()), runs


DISK = np.arange(7)


@pytest.mark.parametrize(
    ("mean", "risk", "at_least"),
    [(0.02, 60, 0.9), (0.2, 10, 0.8), (2.0, 3, 0.8)],
)
def test_gross_hotspots_are_found(mean, risk, at_least):
    """Power at the centre of a disk of seven cells; 3,367 cells give .98, .96 and .92 (statistics of the method)."""
    found = 0
    for run in range(40):
        rng = np.random.default_rng([3, run])
        expected = np.full(PLACE.n, mean)
        expected[DISK] *= risk
        found += fdr(gi_exact_p(rng.poisson(expected), PLACE.w))[0] <= 0.05
    assert found / 40 >= at_least


def test_pooling_four_weeks_finds_a_fivefold_risk_and_keeps_the_false_rate():
    """Weekly mean .2, risk 5: one week finds it in a third of runs, four weeks together in nearly all."""
    one_week = pooled = errors = 0
    runs = 60
    for run in range(runs):
        rng = np.random.default_rng([4, run])
        expected = np.full(PLACE.n, 0.2)
        quiet = rng.poisson(expected[:, None], (PLACE.n, 4))
        expected[DISK] *= 5
        weeks = rng.poisson(expected[:, None], (PLACE.n, 4))
        one_week += fdr(gi_exact_p(weeks[:, 0], PLACE.w))[0] <= 0.05
        pooled += fdr(gi_exact_p(weeks.sum(axis=1), PLACE.w))[0] <= 0.05
        errors += _errs(gi_exact_p(quiet.sum(axis=1), PLACE.w))
    assert pooled / runs >= 0.8
    assert one_week / runs < 0.6
    assert may_be(0.05, errors, runs)


def _hot(counts, exposure=None, kind="none"):
    made = hotspots(panel_of(PLACE, counts, exposure, kind), f"2018-W01--2018-W{counts.shape[1]:02d}")
    return made.table["class"] == "hot"


@pytest.mark.parametrize("kind", ["own", "zero inflation", "wrong exposure", "counted exposure"])
@pytest.mark.parametrize("noise", ["Poisson .2", "Poisson 2", "NB .2 r .1", "NB 2 r .5"])
def test_a_map_with_exposure_marks_at_most_one_in_twenty(noise, kind):
    """End to end, with the places of too little exposure left out; exposure counted from forty reports a place is noisy itself."""
    mean, size = NOISES[noise]
    runs, errors = 40, 0
    for run in range(runs):
        counts, given = exposed_weeks(np.random.default_rng([14, run]), PLACE, mean / 4, size, kind, 4)
        errors += _hot(counts, given, "reports" if kind == "counted exposure" else "population").any()
    assert may_be(0.05, errors, runs)


@pytest.mark.parametrize("known", [False, True])
def test_a_fivefold_risk_is_found_by_pooling_four_weeks_and_the_false_rate_is_kept(known):
    """Weekly mean .2, by the map that users see; with and without an (equal) exposure."""
    exposure = np.full(PLACE.n, 100.0) if known else None
    near = np.zeros(PLACE.n, dtype=bool)
    near[DISK] = True
    near |= np.asarray(PLACE.w @ near.astype(float)) > 0
    found = elsewhere = errors = 0
    runs = 60
    for run in range(runs):
        rng = np.random.default_rng([15, run])
        expected = np.full(PLACE.n, 0.2)
        quiet = rng.poisson(expected[:, None], (PLACE.n, 4))
        expected[DISK] *= 5
        hot = _hot(rng.poisson(expected[:, None], (PLACE.n, 4)), exposure, "population" if known else "none").to_numpy()
        found += hot[0]
        elsewhere += hot[~near].any()
        errors += _hot(quiet, exposure, "population" if known else "none").any()
    assert found / runs >= 0.8
    assert may_be(0.05, errors, runs)
    assert elsewhere / runs <= 0.15  # one in twenty of what is marked may be false, so that it is not zero
