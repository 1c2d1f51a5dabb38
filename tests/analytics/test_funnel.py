"""Funnel plots: limits, overdispersion, and how often chance alone is called different."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from cloudmap.analytics.funnel import LEAST_N, Spread, funnel, limits, of_places, spread
from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError


def test_chance_alone_is_called_different_as_often_as_promised():
    rng = np.random.default_rng(11)
    n = rng.integers(200, 3000, (200, 60))
    k = rng.binomial(n, 0.9)
    outside = {"95": 0, "998": 0}
    for one, of in zip(k, n, strict=True):
        table = funnel([str(i) for i in range(60)], one, of).table
        for level in outside:
            outside[level] += int(((table["value"] > table[f"upper_{level}"]) | (table["value"] < table[f"lower_{level}"])).sum())
    assert 0.03 < outside["95"] / k.size < 0.06
    assert outside["998"] / k.size < 0.004


def test_limits_agree_with_the_exact_binomial():
    low, high = limits([500.0], Spread(0.9, 1.0), 0.95)
    assert low[0] == pytest.approx(binom.ppf(0.025, 500, 0.9) / 500, abs=0.003)
    assert high[0] == pytest.approx(binom.ppf(0.975, 500, 0.9) / 500, abs=0.003)


def test_one_outlier_is_found_and_does_not_hide_itself():
    rng = np.random.default_rng(2)
    n = np.full(40, 400)
    k = rng.binomial(n, 0.9)
    k[7] = 280
    result = funnel([f"u{i}" for i in range(40)], k, n)
    assert result.table.row(7, named=True)["class"] == "below_998"
    assert result.table["class"].value_counts(sort=True)["class"][0] == "within"


def test_units_that_differ_anyway_widen_the_funnel():
    rng = np.random.default_rng(3)
    n = np.full(60, 1000)
    k = rng.binomial(n, rng.beta(90, 10, 60))
    found = spread(k, n)
    assert found.dispersion > 3
    wide, narrow = (limits([1000.0], Spread(found.target, phi), 0.95) for phi in (found.dispersion, 1.0))
    assert wide[0][0] < narrow[0][0] < narrow[1][0] < wide[1][0]
    assert "overdispersed" in funnel([str(i) for i in range(60)], k, n).caveats


def test_small_and_withheld_units_get_no_verdict_and_enter_nothing():
    n = np.array([400] * 6 + [LEAST_N - 1, 400])
    k = np.array([360] * 6 + [0, 0])
    result = funnel(list("abcdefgh"), k, n, withheld=[False] * 7 + [True])
    assert result.table["class"].to_list() == ["within"] * 6 + ["not_enough_data", "too_few_staff"]
    assert result.parameters["target"] == 0.9
    assert result.table["value"].to_list()[6:] == [None, None]
    assert result.table["n"].to_list()[7] is None


def test_indicators_by_place_become_a_funnel():
    mapped = Result(
        method="m",
        parameters={"by": ["unit_street_code"], "indicator": "closing"},
        table=pl.DataFrame(
            {
                "place": list("abcdefg"),
                "class": ["shown"] * 5 + ["too_few_staff", "no_cases"],
                "numerator_n": [90, 91, 89, 92, 50, None, 0],
                "denominator_n": [100] * 5 + [None, 0],
            }
        ),
        denominator="d",
        caveats=("too_few_staff",),
    )
    found = of_places(mapped)
    assert found.table["class"].to_list()[4:] == ["below_95", "too_few_staff", "not_enough_data"]
    assert found.parameters["indicator"] == "closing"
    assert set(found.caveats) >= {"too_few_staff", "not_a_ranking"}


def test_no_column_ranks_and_the_order_is_the_callers():
    result = funnel(list("edcba"), [90, 80, 95, 85, 99], [100] * 5)
    assert result.table["place"].to_list() == list("edcba")
    assert not {"rank", "position", "score"} & set(result.table.columns)
    assert "not_a_ranking" in result.caveats


def test_too_few_units_are_refused():
    with pytest.raises(AnalysisError, match="at least 5 units"):
        funnel(list("abc"), [9, 9, 9], [100] * 3)
    with pytest.raises(AnalysisError, match="one of each"):
        funnel(list("abc"), [9, 9], [100] * 3)
    with pytest.raises(AnalysisError, match="target"):
        funnel(list("abcde"), [90] * 5, [100] * 5, target=90)
    with pytest.raises(AnalysisError, match="above 0"):
        limits([0.0], Spread(0.9, 1.0), 0.95)
