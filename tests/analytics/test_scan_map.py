"""The scan of a panel: what it finds, what it compares with, how its rows and maps are made, and what it refuses."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from cloudmap.analytics.circles import circles_within
from cloudmap.analytics.panel import Panel
from cloudmap.analytics.periods import Period
from cloudmap.analytics.replicates import Search, replicate_maxima
from cloudmap.analytics.result import Result
from cloudmap.analytics.scan import scan
from cloudmap.analytics.scan_map import by_place, scan_clusters
from cloudmap.analytics.scan_null import ByPlace, ByWeek, dispersion, unbiased_size
from cloudmap.errors import AnalysisError

FIRST = date(2018, 1, 1)
XY = np.array([[column * 300.0, row * 300.0] for row in range(10) for column in range(10)])
PEOPLE = np.linspace(50, 500, 100)
MIDDLE = [44, 45, 54, 55]
FAST = {"replicates": 99, "seed": 3}


def panel(counts, exposure=None, **changes):
    n, weeks = np.shape(counts)
    kind = "none" if exposure is None else "population"
    names = tuple(f"p{place:02d}" for place in range(n))
    made = Panel(
        "cell_9", "AP01", names, FIRST, np.asarray(counts), XY[:n], np.ones(n), csr_matrix((n, n)), exposure, kind, 0, np.ones(weeks, bool)
    )
    return replace(made, **changes)


@pytest.fixture(scope="module")
def counts():
    """Forty weeks in proportion to people, and in the last three weeks a fourfold risk in the middle."""
    means = np.repeat(PEOPLE[:, None] / 250, 40, axis=1)
    means[MIDDLE, 37:] *= 4
    return np.random.default_rng(2).poisson(means)


@pytest.mark.parametrize("exposure", [PEOPLE, None], ids=["exposure", "history"])
def test_a_cluster_under_way_is_found_with_its_places_and_weeks(counts, exposure):
    found = scan_clusters(panel(counts, exposure), **FAST)
    first = found.table.row(0, named=True)
    assert first["class"] == "significant"
    assert first["p"] == 0.01
    assert first["p_gumbel"] < 0.01
    assert len({f"p{place}" for place in MIDDLE} & set(first["places"])) >= 3
    assert first["last_week_on"] == date(2018, 10, 1)
    assert first["first_week_on"] >= date(2018, 9, 10)
    assert first["ratio"] == pytest.approx(first["n"] / first["expected"])
    assert first["ratio"] > 2
    assert 0.6 < first["ratio_before"] < 1.4
    assert first["radius_m"] == max(np.hypot(*(XY[int(place[1:])] - [first["x_m"], first["y_m"]])) for place in first["places"])
    assert found.parameters["baseline"] == ("history" if exposure is None else "exposure")
    assert found.parameters["period"] == "2018-W15--2018-W40"


def test_clusters_share_no_place_and_are_ranked(counts):
    table = scan_clusters(panel(counts, PEOPLE), **FAST).table
    places = table["places"].explode()
    assert table.height > 1
    assert places.n_unique() == places.len()
    assert table["cluster_n"].to_list() == list(range(1, table.height + 1))
    assert table["llr"].is_sorted(descending=True)


def test_the_same_seed_gives_the_same_result(counts):
    again = [scan_clusters(panel(counts, PEOPLE), model="negative_binomial", **FAST) for _ in range(2)]
    assert again[0].table.equals(again[1].table)
    assert again[0].parameters == again[1].parameters


def test_llr_and_cylinder_equal_those_of_the_array_level_scan(counts):
    """With the city's own course as expectation the cube-level scan is the published one."""
    window = counts[:, 14:]
    expected = (PEOPLE / PEOPLE.sum())[:, None] * window.sum(axis=0)
    answer = scan(window, expected, XY, max_share=0.1, max_periods=8, prospective=True, clusters_n=3)
    table = scan_clusters(panel(counts, PEOPLE), model="poisson", **FAST).table
    for row, cluster in zip(table.head(3).iter_rows(named=True), answer, strict=True):
        assert row["llr"] == pytest.approx(cluster.llr, rel=1e-12)
        assert row["places"] == [f"p{place:02d}" for place in cluster.places]
        assert row["expected"] == pytest.approx(cluster.expected)


def test_the_history_scan_is_the_space_time_permutation_scan(counts):
    """Expected: place's matters x week's matters / all, over the whole regime (Kulldorff et al. 2005)."""
    row = scan_clusters(panel(counts), model="poisson", **FAST).table.row(0, named=True)
    places = [int(place[1:]) for place in row["places"]]
    weeks = slice((row["first_week_on"] - FIRST).days // 7, 40)
    expected = counts[places].sum() * counts[:, weeks].sum() / counts.sum()
    c, total = counts[places, weeks].sum(), counts.sum()
    assert row["expected"] == pytest.approx(expected)
    assert row["llr"] == pytest.approx(c * np.log(c / expected) + (total - c) * np.log((total - c) / (total - expected)))


def test_negative_binomial_divides_by_the_variance_of_the_cylinder(counts):
    found = scan_clusters(panel(counts, PEOPLE), model="negative_binomial", **FAST)
    row, size, lasting = found.table.row(0, named=True), found.parameters["size"], found.parameters["lasting_size"]
    places, weeks = [int(place[1:]) for place in row["places"]], slice((row["first_week_on"] - FIRST).days // 7, 40)
    means = (PEOPLE / PEOPLE.sum())[places, None] * counts[:, weeks].sum(axis=0)
    extra = 0 if lasting is None else (means.sum(axis=1) ** 2).sum() / lasting
    factor = 1 + ((means**2).sum() / (size or np.inf) + extra) / means.sum()
    e, c, total = means.sum(), counts[places, weeks].sum(), counts[:, 14:].sum()
    assert row["variance_factor"] == pytest.approx(factor)
    assert row["llr"] == pytest.approx((c * np.log(c / e) + (total - c) * np.log((total - c) / (total - e))) / factor)


def test_growth_of_the_whole_city_makes_no_cluster():
    growing = np.random.default_rng(4).poisson(PEOPLE[:, None] / 250 * np.linspace(1, 8, 40))
    for exposure in (PEOPLE, None):
        found = scan_clusters(panel(growing, exposure), **FAST)
        assert (found.table["class"] == "not_significant").all()
        assert found.parameters["model"] == "poisson"


def test_a_place_that_was_always_high_is_a_cluster_by_exposure_but_not_by_its_past():
    means = np.repeat(PEOPLE[:, None] / 250, 40, axis=1)
    means[MIDDLE] *= 4
    table = np.random.default_rng(5).poisson(means)
    by_people = scan_clusters(panel(table, PEOPLE), **FAST)
    row = by_people.table.row(0, named=True)
    assert row["class"] == "significant"
    assert row["ratio_before"] > 2
    assert by_people.caveats == ("scan_against_exposure",)
    by_past = scan_clusters(panel(table, PEOPLE), baseline="history", **FAST)
    assert (by_past.table["class"] == "not_significant").all()
    assert by_past.caveats == ("scan_own_past",)


def test_dispersion_decides_the_model_and_says_so():
    noise = np.random.default_rng(6).negative_binomial(0.5, 0.5 / (0.5 + PEOPLE[:, None] / 250), (100, 40))
    found = scan_clusters(panel(noise, PEOPLE), **FAST)
    assert found.parameters["model"] == "negative_binomial"
    assert found.parameters["model_by"].startswith("dispersion test")
    assert found.parameters["size"] == pytest.approx(0.5, rel=0.2)
    forced = scan_clusters(panel(noise, PEOPLE), model="poisson", **FAST)
    assert forced.parameters["model_by"] == "asked for"
    assert "scan_overdispersed" in forced.caveats
    assert forced.table["p"][0] < found.table["p"][0]


def test_differences_that_last_are_told_from_noise_of_the_week():
    rng = np.random.default_rng(12)
    lasting, weekly = rng.standard_gamma(4, (100, 1)) / 4, rng.standard_gamma(1, (100, 60))
    table = rng.poisson(PEOPLE[:, None] / 50 * lasting * weekly)
    found = scan_clusters(panel(table, PEOPLE), model="negative_binomial", **FAST).parameters
    assert found["size"] == pytest.approx(1, rel=0.1)
    assert found["lasting_size"] == pytest.approx(4, rel=0.4)
    by_past = scan_clusters(panel(table), model="negative_binomial", **FAST).parameters
    assert by_past["size"] == pytest.approx(1, rel=0.1)
    assert by_past["lasting_size"] is None


def test_kinds_retrospective_and_spatial(counts):
    earlier = counts[:, :39].copy()
    earlier[:, 25:28] = counts[:, 37:]
    retrospective = scan_clusters(panel(earlier, PEOPLE), kind="retrospective", **FAST).table.row(0, named=True)
    assert retrospective["class"] == "significant"
    assert date(2018, 6, 18) <= retrospective["first_week_on"] <= retrospective["last_week_on"] < date(2018, 7, 30)
    spatial = scan_clusters(panel(counts, PEOPLE), kind="spatial", weeks=3, **FAST)
    row = spatial.table.row(0, named=True)
    assert row["class"] == "significant"
    assert (row["first_week_on"], row["last_week_on"]) == (date(2018, 9, 17), date(2018, 10, 1))
    assert spatial.parameters["max_periods"] == 1
    assert scan_clusters(panel(counts), kind="spatial", weeks=3, **FAST).table["class"][0] == "significant"


def test_masked_weeks_and_earlier_regimes_are_never_used(counts):
    """Weeks before the regime and weeks masked for lag may hold anything."""
    complete = np.arange(40) < 38
    spoilt = counts.copy()
    spoilt[:, :10] = 50
    spoilt[:7, 38:] = 90
    clean = scan_clusters(panel(counts, PEOPLE, regime_from=10, complete=complete), **FAST)
    dirty = scan_clusters(panel(spoilt, PEOPLE, regime_from=10, complete=complete), **FAST)
    assert dirty.table.equals(clean.table)
    assert clean.table["last_week_on"].unique().to_list() == [date(2018, 9, 17)]
    assert "recent_weeks_masked" in clean.caveats
    assert clean.parameters["regime_weeks"] == 28
    young = scan_clusters(panel(counts, regime_from=30), **FAST)
    assert young.parameters["max_periods"] == 5
    assert "scan_short_past" in young.caveats


def test_an_earlier_end_sees_nothing_later(counts):
    end = Period(date(2018, 8, 20), 4)
    cut = scan_clusters(panel(counts[:, :37], PEOPLE), **FAST)
    assert scan_clusters(panel(counts, PEOPLE), end=end, **FAST).table.equals(cut.table)


def test_places_without_exposure_are_left_out_and_counted(counts):
    people = PEOPLE.copy()
    people[[0, 99]] = 0
    found = scan_clusters(panel(counts, people), **FAST)
    assert found.parameters["left_out_n"] == 2
    assert found.parameters["left_out_matters_n"] == counts[[0, 99], 14:].sum()
    assert not {"p00", "p99"} & set(found.table["places"].explode())
    assert "scan_places_left_out" in found.caveats
    assert by_place(found, panel(counts, people)).table.height == 100


def test_all_reports_are_not_compared_with_themselves(counts):
    reports = {"exposure_kind": "reports", "exposure": counts.sum(axis=1).astype(float)}
    assert scan_clusters(panel(counts, **reports, category="ALL"), **FAST).parameters["baseline"] == "history"
    assert scan_clusters(panel(counts, **reports), **FAST).parameters["baseline"] == "exposure"


def test_the_map_has_a_row_for_every_place_and_the_strongest_cluster(counts):
    data = panel(counts, PEOPLE)
    found = scan_clusters(data, **FAST)
    table = by_place(found, data).table
    assert table["place"].to_list() == list(data.places)
    assert table["n"].to_list() == counts[:, 14:].sum(axis=1).tolist()
    held = set(found.table.filter(pl.col("class") == "significant")["places"].explode())
    assert set(table.filter(pl.col("class") == "cluster")["place"]) == held
    assert (table["value"].is_null() == (table["class"] == "no_cluster")).all()
    inside = table.filter(pl.col("place") == found.table["centre"][0]).row(0, named=True)
    assert (inside["value"], inside["p"]) == (1.0, 0.01)
    assert table.schema == {
        "place": pl.String, "n": pl.Int64, "value": pl.Float64, "class": pl.String, "ratio": pl.Float64, "p": pl.Float64
    }  # fmt: skip


def test_a_map_of_another_layer_is_refused(counts):
    found = scan_clusters(panel(counts, PEOPLE), **FAST)
    with pytest.raises(AnalysisError, match="is no scan of"):
        by_place(found, panel(counts, PEOPLE, category="DS"))
    with pytest.raises(AnalysisError, match="is no scan of"):
        by_place(Result("x", {}, pl.DataFrame({"place": []}), ""), panel(counts))


def test_quiet_weeks_give_an_empty_table(counts):
    quiet = counts.copy()
    quiet[:, 32:] = 0
    found = scan_clusters(panel(quiet, PEOPLE), **FAST)
    assert found.table.is_empty()
    assert by_place(found, panel(quiet, PEOPLE)).table["value"].is_null().all()


def test_replicates_keep_the_totals_that_are_given():
    rng = np.random.default_rng(7)
    means, weeks = rng.uniform(0.1, 3, (30, 5)), np.array([4, 0, 9, 30, 1])
    assert (ByWeek(means, weeks, 0.3).draw(rng).sum(axis=0) == weeks).all()
    places = rng.poisson(4, 30)
    drawn = ByPlace(places, weeks.astype(float), 40.0, 6.0, 0.3).draw(rng)
    assert drawn.shape == (30, 5)
    assert (drawn.sum(axis=1) <= places).all()
    assert drawn[:, 1].sum() == 0
    everything = ByPlace(places, weeks.astype(float), 0.0, 1.0, np.inf).draw(rng)
    assert (everything.sum(axis=1) == places).all()


def test_drawn_noise_has_the_variance_of_the_negative_binomial():
    """Given the total, equal means: Dirichlet-multinomial, variance c q (1 - q) (c + r n) / (1 + r n) of each count."""
    rng, n, total, size = np.random.default_rng(8), 20, 60, 0.5
    null = ByWeek(np.full((n, 1), 3.0), np.array([total]), size)
    drawn = np.array([null.draw(rng)[:, 0] for _ in range(4000)])
    q = 1 / n
    assert drawn.var() == pytest.approx(total * q * (1 - q) * (total + size * n) / (1 + size * n), rel=0.05)
    assert drawn.mean() == 3


def test_noise_that_vanishes_falls_back_on_the_means():
    rng = np.random.default_rng(9)
    drawn = ByWeek(np.full((3, 2), 1.0), np.array([3, 3]), 1e-9).draw(rng)
    assert (drawn.sum(axis=0) == 3).all()


def test_expected_follows_the_replicates_own_weeks():
    """Where weeks are not fixed, a replicate with a busy week expects more of that week: no place stands out by it."""
    null = ByPlace(np.array([500, 500]), np.array([100.0]), 900.0, 9.0, np.inf)
    expected = np.array([[50.0], [50.0]])
    search = Search(expected, np.zeros((2, 1)), 1000.0, circles_within(XY[:2], np.ones(2), 0.5), np.array([[0, 0]]))
    maxima = replicate_maxima(null, search, 2000, np.random.default_rng(1))
    drawn = np.array([null.draw(np.random.default_rng([2, run]))[:, 0] for run in range(2000)])
    c, e = drawn.max(axis=1), drawn.sum(axis=1) / 2
    exact = c * np.log(c / e) + (1000 - c) * np.log((1000 - c) / (1000 - e))
    assert np.median(maxima) == pytest.approx(np.median(exact), rel=0.15)


def test_the_size_is_freed_of_what_fitting_the_shares_hides():
    rng = np.random.default_rng(10)
    counts = rng.negative_binomial(0.5, 0.5 / 0.7, (1500, 12))
    places, weeks = counts.sum(axis=1), counts.sum(axis=0)
    rows = places > 0
    share = places[rows] / places.sum()
    raw = dispersion(counts[rows], share[:, None] * weeks, leverage=np.full((rows.sum(), 12), 1 / 12)).size
    null = ByPlace(places[rows], weeks.astype(float), 0.0, 1.0, raw)
    assert raw > 0.7
    assert unbiased_size(raw, null, share, rng) == pytest.approx(0.5, rel=0.15)


def test_the_dispersion_test_keeps_its_level_and_sees_noise():
    rng, means = np.random.default_rng(11), np.full((100, 10), 0.5)
    none = np.zeros_like(means)
    p = [dispersion(rng.poisson(means), means, leverage=none).p for _ in range(200)]
    assert 0.005 < np.mean(np.array(p) <= 0.05) < 0.12
    assert dispersion(rng.negative_binomial(1, 1 / 1.5, (100, 10)), means, leverage=none).p < 1e-6
    assert dispersion(np.zeros((3, 2), dtype=np.int64), np.zeros((3, 2)), leverage=np.zeros((3, 2)))[:3] == (0.0, 1.0, np.inf)


def _with(table, place, value):
    table = table.astype(float)
    table[place] = value
    return table


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({"counts": np.zeros((100, 40), dtype=int)}, {}, "every count is zero"),
        ({"counts": _with(np.ones((100, 40)), (0, 0), -1)}, {}, "negative"),
        ({"counts": _with(np.ones((100, 40)), (0, 0), np.nan)}, {}, "missing"),
        ({"counts": np.ones((99, 40), dtype=int)}, {}, "rebuild the panel"),
        ({"exposure": np.zeros(100)}, {}, "at least 2: take a larger area"),
        ({"exposure": _with(PEOPLE, 3, -1)}, {}, "negative"),
        ({"exposure": _with(PEOPLE, 3, np.nan)}, {}, "missing"),
        ({"exposure": np.ones(3)}, {}, "rebuild the panel"),
        ({"exposure": None}, {"baseline": "exposure"}, "declare .exposure."),
        ({"exposure": None}, {"kind": "spatial", "weeks": 52}, "scan fewer weeks"),
        ({}, {"max_share": 1e-5}, "raise max_share"),
        ({"regime_from": 39}, {}, "at least 2: wait"),
        ({"complete": np.zeros(40, bool)}, {}, "at least 2: wait"),
        ({"xy_m": np.full((100, 2), np.nan)}, {}, "no coordinates"),
        ({}, {"kind": "sideways"}, "kind = 'sideways' is none of"),
        ({}, {"model": "normal"}, "model"),
        ({}, {"replicates": 9}, "replicates = 9 must be at least 19"),
        ({}, {"weeks": 0}, "weeks"),
        ({}, {"max_periods": 0}, "max_periods"),
        ({}, {"max_share": 1.5}, "max_share"),
        ({}, {"end": Period(date(2020, 1, 6), 1)}, "outside the data"),
    ],
)
def test_unsuitable_input_is_refused_in_words(counts, change, settings, message):
    with pytest.raises(AnalysisError, match=message):
        scan_clusters(replace(panel(counts, PEOPLE), **change), **{**FAST, **settings})


def test_one_place_is_refused():
    with pytest.raises(AnalysisError, match="at least two places"):
        scan_clusters(panel(np.ones((1, 40), dtype=int)))


def test_no_matter_in_the_window_is_refused(counts):
    old = counts.copy()
    old[:, 14:] = 0
    with pytest.raises(AnalysisError, match="choose a longer period"):
        scan_clusters(panel(old, PEOPLE), **FAST)
