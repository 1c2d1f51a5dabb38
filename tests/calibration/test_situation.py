"""In a city where nothing changes, hardly anything is called worse or better; a change of a fair size is found."""

import numpy as np
import pytest

from tests.analytics.standing import SPAN, evidence_of, situation_of, still_city

RUNS = 12


@pytest.fixture(scope="module")
def directions():
    return [situation_of(still_city(1000 + seed)).table for seed in range(RUNS)]


def test_where_nothing_changes_at_most_one_direction_in_twenty_says_so(directions):
    told = [table["direction"].is_in(["worse", "better"]).mean() for table in directions]
    assert np.mean(told) <= 0.05
    # Adjusted within each component, most whole cities are quiet too.
    assert np.count_nonzero(told) <= 4


def test_p_of_single_rows_is_not_too_small(directions):
    p = np.concatenate([table["p"].drop_nulls().to_numpy() for table in directions])
    assert p.size > 500
    assert (p <= 0.05).mean() <= 0.06


def test_a_street_with_three_times_its_matters_is_found():
    found = []
    for seed in range(6):
        city = still_city(2000 + seed)
        counts = city.streets.counts.copy()
        at = int(np.argsort(counts.sum(axis=1))[len(counts) // 2])
        counts[at, -SPAN:] *= 3
        object.__setattr__(city.streets, "counts", counts)
        table = situation_of(city, evidence=evidence_of(city, maps=False)).table
        row = table.filter((table["place"] == city.streets.places[at]) & (table["component"] == "volume"))
        found.append(row["direction"][0] == "worse")
    assert np.mean(found) >= 0.8
