"""Matters beside water: rates with their exact intervals, who stands out, and bands that add up."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_matrix, diags

from cloudmap.analytics.near_water import LEAST_REACHES, by_band, by_reach
from cloudmap.errors import AnalysisError


def _reaches(n, length_m=1000.0):
    n = np.asarray(n)
    lengths = np.broadcast_to(np.asarray(length_m, dtype=float), n.shape)
    return pl.DataFrame({"place": [f"r{at:03d}" for at in range(n.size)], "name": None, "kind": "canal", "n": n, "length_m": lengths})


def _areas(rows):
    schema = {"kind": pl.String, "band_from_m": pl.Float64, "band_to_m": pl.Float64, "area_m2": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


AREAS = _areas(
    [("ALL", 0, 50, 1e6), ("ALL", 50, 100, 1e6), ("ALL", 100, None, 8e6), ("canal", 0, 50, 0.6e6), ("canal", 50, 100, 1e6),
     ("lake", 0, 50, 0.4e6), ("lake", 50, 100, 0.0)]
)  # fmt: skip


def _distances(*rows):
    return pl.DataFrame(rows, schema={"distance_m": pl.Float64, "kind": pl.String}, orient="row")


def test_rate_per_kilometre_and_its_interval_are_garwoods():
    table = by_reach(_reaches([0, 3, 12], [500, 1500, 2000])).table
    assert table["per_km"].to_list() == [0.0, 2.0, 6.0]
    assert table["lower"].to_list() == pytest.approx([0.0, stats.chi2.ppf(0.025, 6) / 2 / 1.5, stats.chi2.ppf(0.025, 24) / 2 / 2])
    assert table["upper"].to_list() == pytest.approx(
        [stats.chi2.ppf(0.975, 2 * (n + 1)) / 2 / km for n, km in ((0, 0.5), (3, 1.5), (12, 2))]
    )
    assert table["ratio"].to_list() == pytest.approx([0.0, 2 / 3.75, 6 / 3.75])


def test_a_reach_that_stands_out_is_high_and_quiet_reaches_are_not():
    rng = np.random.default_rng(50)
    n = rng.negative_binomial(4, 4 / 12, 60)
    n[7] = 90
    result = by_reach(_reaches(n))
    assert result.table.filter(pl.col("class") == "high")["place"].to_list() == ["r007"]
    assert result.parameters["tests_n"] == 60
    assert "60 reaches judged together" in result.denominator


def test_at_most_one_quiet_water_map_in_twenty_has_a_high_reach():
    """Reaches whose people differ (gamma), lengths from 0.2 to 3 km."""
    errs = 0
    for run in range(40):
        rng = np.random.default_rng([51, run])
        length = rng.uniform(200, 3000, 80)
        n = rng.poisson(rng.gamma(2, 5, 80) * length / 1000)
        errs += (by_reach(_reaches(n, length)).table["class"] == "high").any()
    assert errs <= 4


def test_neighbours_along_the_flow_enter_the_verdict():
    chain = csr_matrix(diags([np.ones(59), np.ones(59)], [-1, 1]))
    n = np.random.default_rng(52).poisson(8, 60)
    n[20:23] = 22
    table = by_reach(_reaches(n), weights=chain).table
    assert table["neighbourhood_n"][21] == 66
    assert table["neighbourhood_n"][0] == n[0] + n[1]
    assert table["class"][21] == "high"
    assert table["q"][21] < by_reach(_reaches(n)).table["q"][21]


def test_too_short_or_too_few_reaches_get_no_verdict():
    table = by_reach(_reaches([30] * 20 + [2], [1000] * 20 + [10])).table
    assert table["class"].to_list() == ["ordinary"] * 20 + ["not_enough_data"]
    assert table["ratio"][-1] is None
    few = by_reach(_reaches([9, 90, *[9] * (LEAST_REACHES - 3)]))
    assert set(few.table["class"]) == {"not_enough_data"}
    assert "too_few_reaches" in few.caveats


def test_water_without_a_single_matter_is_ordinary_or_unknown_not_an_error():
    assert set(by_reach(_reaches([0] * 20)).table["class"]) == {"not_enough_data"}


def test_bands_hold_their_upper_end_and_compare_with_all_other_ground():
    rows = [(0.0, "lake"), (50.0, "canal"), (50.1, "canal"), (100.0, "canal"), (None, None), (None, None)]
    table = by_band(_distances(*rows), AREAS).table
    assert table["n"].to_list() == [2, 2, 2, 1, 2, 1, 0]
    assert table["per_km2"].to_list()[:3] == [2.0, 2.0, 0.25]
    assert table["ratio"][0] == pytest.approx((2 / 1) / (4 / 9))
    low, high = stats.beta.ppf(0.025, 2, 5), stats.beta.ppf(0.975, 3, 4)
    assert table["lower"][0] == pytest.approx(low / (1 - low) * 9)
    assert table["upper"][0] == pytest.approx(high / (1 - high) * 9)
    assert table.row(6, named=True)["ratio"] is None


def test_matters_far_from_water_may_be_given_as_a_number():
    near = _distances((10.0, "canal"), (70.0, "canal"))
    assert by_band(near, AREAS, located_n=9).table["n"].to_list()[:3] == [1, 1, 7]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.one_of(st.none(), st.floats(0, 99)), st.sampled_from(["canal", "lake"])), min_size=1, max_size=40))
def test_every_matter_lies_in_one_band(rows):
    given_rows = _distances(*[(at, None if at is None else kind) for at, kind in rows])
    table = by_band(given_rows, AREAS).table
    everything = pl.col("kind") == "ALL"
    assert table.filter(everything)["n"].sum() == len(rows)
    assert table.filter(~everything)["n"].sum() == sum(at is not None for at, _ in rows)


def test_the_interval_holds_the_truth_and_no_ratio_is_infinite():
    misses = 0
    for run in range(200):
        n = int(np.random.default_rng([53, run]).binomial(40, 0.1 * 2 / (0.1 * 2 + 0.9)))  # twice as dense in a tenth of the ground
        table = by_band(_distances(*[(10.0, "canal")] * n, *[(None, None)] * (40 - n)), AREAS).table
        row = table.row(0, named=True)
        misses += not (row["lower"] <= 2 <= row["upper"])
    assert misses <= 18
    full = by_band(_distances(*[(10.0, "canal")] * 9), AREAS).table.row(0, named=True)
    assert (full["ratio"], full["upper"]) == (None, None)
    assert full["lower"] > 1


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: by_reach(_reaches([1, 2]).drop("kind")), "columns kind are missing"),
        (lambda: by_reach(_reaches([1, 2], [0, 10])), "length is 0"),
        (lambda: by_reach(_reaches([1, -2])), "count"),
        (lambda: by_reach(_reaches([1, 2]).with_columns(pl.lit("a").alias("place"))), "given twice"),
        (lambda: by_reach(_reaches([])), "no reach"),
        (lambda: by_band(_distances(), AREAS), "every located matter"),
        (lambda: by_band(_distances((1.0, "lake")), AREAS, located_n=0), "every located matter"),
        (lambda: by_band(_distances((1.0, "lake")), AREAS.filter(pl.col("kind") == "lake")), "every located matter"),
    ],
)
def test_unusable_input_is_refused_with_a_remedy(call, match):
    with pytest.raises(AnalysisError, match=match):
        call()
