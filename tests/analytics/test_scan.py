"""The scan against SaTScan 9.6, smerc and SpatialEpi (scan_nyleukemia*.json), scanstatistics and brute force (scan_spacetime.json)."""

import numpy as np
import pytest
from scipy import stats

from cloudmap.analytics import circles, replicates
from cloudmap.analytics.cylinders import searched
from cloudmap.analytics.scan import scan
from cloudmap.errors import AnalysisError
from tests.analytics.published import columns, reference

NEW_YORK = columns("nyleukemia.csv")


@pytest.mark.parametrize(("key", "share"), [("max_pop_0.5", 0.5), ("max_pop_0.1", 0.1)])
def test_new_york_leukemia_clusters_equal_satscan(key, share):
    xy = np.column_stack([NEW_YORK["longitude"], NEW_YORK["latitude"]])  # the published run used degrees
    found = scan(NEW_YORK["cases_floor"], NEW_YORK["population"], xy, max_share=share, clusters_n=6)
    for cluster, answer in zip(found, reference("scan_nyleukemia.json")[key], strict=True):
        assert cluster.llr == pytest.approx(answer["llr"], abs=1e-6)
        assert sorted(cluster.places + 1) == answer["members"]
        assert cluster.cases == answer["cases"]
        assert cluster.expected == pytest.approx(answer["expected"], abs=1e-6)
        assert np.isnan(cluster.p)


def test_new_york_with_fractional_cases_has_the_members_of_spatialepi():
    table, answers = columns("nyleukemia_km_fractional.csv"), reference("scan_nyleukemia_km_fractional.json")["clusters"]
    xy = np.column_stack([table["grid_x"], table["grid_y"]])
    found = scan(table["cases"], table["population"], xy, max_share=0.5, clusters_n=2)
    for cluster, answer in zip(found, answers, strict=True):
        assert cluster.llr == pytest.approx(answer["llr"], abs=1e-6)
        assert sorted(cluster.places + 1) == answer["members"]


@pytest.mark.parametrize("kind", ["prospective", "retrospective"])
def test_cylinders_equal_brute_force_and_scanstatistics(kind):
    table = reference("scan_spacetime.json")
    expected = np.repeat(np.array(table["population"])[:, None], 12, axis=1)
    first = scan(table["counts"], expected, table["xy"], max_share=0.5, max_periods=6, prospective=kind == "prospective")[0]
    answer = table[kind]
    assert first.llr == pytest.approx(answer["llr"], abs=1e-9)
    assert sorted(first.places) == answer["members0"]
    assert (first.first_period, first.last_period) == (answer["t_first0"], answer["t_last0"])
    assert (first.cases, first.expected) == pytest.approx((answer["cases"], answer["expected"]), abs=1e-9)


def _brute_force(cases, expected, xy, share, longest, prospective):
    """Largest llr of all cylinders, by plain loops."""
    expected = expected * cases.sum() / expected.sum()
    total, best = cases.sum(), 0.0
    for centre in range(len(xy)):
        distance = np.hypot(*(xy - xy[centre]).T)
        for radius in np.unique(distance.round(6)):
            inside = distance <= radius + 1e-5
            if expected[inside].sum() > share * total * (1 + 1e-9):
                break
            for last in range(cases.shape[1]):
                if prospective and last < cases.shape[1] - 1:
                    continue
                for first in range(max(0, last - longest + 1), last + 1):
                    c, e = cases[inside, first : last + 1].sum(), expected[inside, first : last + 1].sum()
                    if c > e:
                        outside = (total - c) * np.log((total - c) / (total - e)) if total > c else 0.0
                        best = max(best, c * np.log(c / e) + outside)
    return best


@pytest.mark.parametrize("prospective", [True, False])
def test_equally_distant_places_enter_a_circle_together(prospective):
    """On a square grid four neighbours tie: the result must not depend on their order."""
    rng = np.random.default_rng(8)
    xy = np.array([[column, row] for row in range(6) for column in range(6)], dtype=float) * 100
    for _ in range(5):
        cases, expected = rng.poisson(1.0, (36, 5)).astype(float), rng.uniform(0.5, 2, (36, 5))
        order = rng.permutation(36)
        settings = {"max_share": 0.5, "max_periods": 3, "prospective": prospective}
        found, shuffled = scan(cases, expected, xy, **settings), scan(cases[order], expected[order], xy[order], **settings)
        assert found[0].llr == pytest.approx(_brute_force(cases, expected, xy, 0.5, 3, prospective), abs=1e-9)
        assert shuffled[0].llr == pytest.approx(found[0].llr, abs=1e-9)
        assert sorted(order[shuffled[0].places]) == sorted(found[0].places)


@pytest.mark.parametrize("inflated", [0, 1])
@pytest.mark.parametrize("most", [3, 400])
def test_the_fast_search_of_replicates_misses_nothing(most, inflated):
    """The bar that dismisses cylinders four members at a time against the plain search, on tables of small and of large counts."""
    rng = np.random.default_rng(9)
    xy, expected = rng.uniform(0, 1000, (120, 2)), rng.uniform(0.2, 3, (120, 4)).cumsum(axis=1)
    around = circles.circles_within(xy, expected[:, -1], 0.5)
    drawn = rng.integers(0, most, (120, 4, 16)).cumsum(axis=1)
    drawn[40:52] += rng.integers(0, 3 * most, (12, 1, 16))
    scale = drawn[:, -1].sum(axis=0).max() / expected[:, -1].sum()
    table = drawn.reshape(120, -1)
    total = float(drawn[:, -1].sum(axis=0).max())
    table = table.astype(np.uint8 if table.max() < 256 else np.float32)
    extra, factor = expected * scale * rng.uniform(0, 1, (120, 1)) * inflated, 1 + inflated * rng.uniform(-0.2, 0.2, (4, 16))
    fast = replicates.largest_ratios(table, expected * scale, extra, factor, total, around.order, around.start, around.whole)
    nothing, plain = np.zeros(120, dtype=bool), []
    for lane in range(16):
        means, more = (part * scale * factor[:, lane] for part in (expected, extra / scale))
        plain.append(circles.best_cylinder(drawn[:, :, lane].astype(float), means, total, around, nothing, more)[0])
    np.testing.assert_allclose(fast, plain, rtol=1e-9)
    assert min(plain) > 0


def test_replicates_give_a_monte_carlo_p_and_a_finer_gumbel_tail():
    rng = np.random.default_rng(10)
    xy = rng.uniform(0, 5000, (80, 2))
    cases = rng.poisson(1.0, (80, 6))
    near = np.hypot(*(xy - xy[0]).T).argsort()[:6]
    cases[near, 4:] += 4
    settings = {"max_share": 0.5, "max_periods": 4, "prospective": True, "replicates": 99}
    first, *others = scan(cases, np.ones((80, 6)), xy, rng=np.random.default_rng(1), **settings)
    again = scan(cases, np.ones((80, 6)), xy, rng=np.random.default_rng(1), **settings)[0]
    assert first.p == again.p == 0.01
    assert first.p_gumbel == again.p_gumbel < 0.001
    assert set(near) & set(first.places)
    assert (first.first_period, first.last_period) == (4, 5)
    assert all(other.p > 0.05 for other in others)
    places = np.concatenate([first.places, *(other.places for other in others)])
    assert len(set(places)) == len(places)


def test_replicates_spread_their_cases_as_expected():
    """Replicates are multinomial given the total, and a prospective scan draws only the periods that it looks at."""
    expected = np.array([[1.0, 2.0, 3.0], [4.0, 0.0, 2.0]])
    around = circles.circles_within(np.array([[0.0, 0.0], [1.0, 0.0]]), expected.sum(axis=1), 0.5)
    search = searched(expected[:, 2:], np.zeros((2, 1)), 12.0, around, np.array([[0, 0]]))
    maxima = replicates.replicate_maxima(replicates.Anywhere(expected, 2, 12), search, 4000, np.random.default_rng(3))
    counts = np.arange(13)
    with np.errstate(divide="ignore", invalid="ignore"):
        llr = np.where(counts > 3, counts * np.log(counts / 3) + np.where(counts < 12, (12 - counts) * np.log((12 - counts) / 9), 0), 0.0)
    for level in (0.5, 2.0):
        exact = stats.binom.pmf(counts, 12, 0.25)[llr > level].sum()
        alone = (maxima > level).mean()
        assert exact - 0.03 < alone < 2 * exact + 0.03


def test_nothing_above_expectation_gives_no_cluster():
    assert scan([2, 2, 2, 2], [1, 1, 1, 1], [[0, 0], [1, 0], [2, 0], [3, 0]], max_share=0.5) == []


GOOD = {"cases": [1, 2, 3], "expected": [1, 1, 1], "xy_m": [[0, 0], [1, 0], [2, 0]], "max_share": 0.5}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cases": [-1, 2, 3]}, "negative"),
        ({"cases": [np.nan, 2, 3]}, "missing"),
        ({"cases": [0, 0, 0]}, "every case is zero"),
        ({"cases": [1], "expected": [1], "xy_m": [[0, 0]]}, "at least two"),
        ({"expected": [0, 1, 1]}, "no expected case"),
        ({"expected": [1, 1]}, "do not fit"),
        ({"xy_m": [[0, 0], [1, 0], [np.nan, 0]]}, "no coordinates"),
        ({"max_share": 0}, "max_share"),
        ({"max_share": 0.1}, "raise max_share"),
        ({"max_periods": 2}, "max_periods"),
        ({"replicates": 9}, "rng"),
        ({"replicates": 9, "rng": np.random.default_rng(1), "cases": [1e7, 1e7, 1]}, "shorter span"),
        ({"replicates": 9, "rng": np.random.default_rng(1), "cases": [0.5, 2, 3]}, "whole"),
    ],
)
def test_unsuitable_input_is_refused_in_words(change, message):
    with pytest.raises(AnalysisError, match=message):
        scan(**{**GOOD, **change})


def test_circles_that_do_not_fit_in_memory_are_refused(monkeypatch):
    monkeypatch.setattr(circles, "_MOST_MEMBERS", 100)
    with pytest.raises(AnalysisError, match="lower max_share"):
        scan(np.ones(50), np.ones(50), np.random.default_rng(1).uniform(0, 1, (50, 2)), max_share=0.5)
