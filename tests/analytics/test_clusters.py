"""Space-time clusters, and densities against scikit-learn 1.9 with edge masses from the normal distribution (kde.json)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.analytics.clusters import kde, st_dbscan
from cloudmap.errors import AnalysisError
from tests.analytics.published import reference

ANSWERS = reference("kde.json")


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("density", {}),
        ("density_edge_at_evaluation", {"window": ANSWERS["window"]}),
        ("density_edge_at_data_diggle", {"window": ANSWERS["window"], "correct": "data"}),
    ],
)
def test_density_equals_scikit_learn(key, options):
    found = kde(ANSWERS["points"], ANSWERS["eval"], bandwidth_m=ANSWERS["bandwidth"], **options)
    np.testing.assert_allclose(found, ANSWERS[key], rtol=1e-9)
    if key == "density":
        np.testing.assert_allclose(found * len(ANSWERS["points"]), ANSWERS["expected_count_per_m2"], rtol=1e-9)


def test_diggles_density_integrates_to_one_over_the_window():
    step = 10.0
    middles = np.arange(step / 2, 1000, step)
    at = np.array([[x, y] for x in middles for y in middles])
    density = kde(ANSWERS["points"], at, bandwidth_m=120, window=ANSWERS["window"], correct="data")
    assert density.sum() * step**2 == pytest.approx(1, abs=1e-4)


def _dbscan(xy, t, eps_m, eps_days, min_n):
    """Textbook DBSCAN with the two limits, by loops; border points go to the first cluster that reaches them."""
    n = len(t)
    near = [[j for j in range(n) if np.hypot(*(xy[i] - xy[j])) <= eps_m and abs(t[i] - t[j]) <= eps_days] for i in range(n)]
    labels, number = [-1] * n, 0
    for i in range(n):
        if labels[i] >= 0 or len(near[i]) < min_n:
            continue
        queue = [i]
        while queue:
            point = queue.pop()
            if labels[point] == -1:
                labels[point] = number
                if len(near[point]) >= min_n:
                    queue.extend(near[point])
        number += 1
    return labels


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_clusters_equal_textbook_dbscan(seed, min_n):
    rng = np.random.default_rng(seed)
    xy, t = rng.integers(0, 400, (40, 2)).astype(float), rng.integers(0, 30, 40).astype(float)
    assert st_dbscan(xy, t, eps_m=80, eps_days=6, min_n=min_n).tolist() == _dbscan(xy, t, 80, 6, min_n)


def test_reports_of_one_place_in_other_seasons_are_other_clusters():
    xy = np.zeros((12, 2))
    t = np.r_[np.arange(6), 100 + np.arange(6)]
    assert st_dbscan(xy, t, eps_m=10, eps_days=2, min_n=3).tolist() == [0] * 6 + [1] * 6


def test_unsuitable_input_is_refused_in_words(monkeypatch):
    xy, t = [[0, 0], [1, 0], [2, 0]], [0, 1, 2]
    good = {"eps_m": 5, "eps_days": 5, "min_n": 2}
    for change, message in (({"eps_m": 0}, "eps_m"), ({"eps_days": -1}, "eps_days"), ({"min_n": 0}, "min_n")):
        with pytest.raises(AnalysisError, match=message):
            st_dbscan(xy, t, **{**good, **change})
    with pytest.raises(AnalysisError, match="no coordinates"):
        st_dbscan([[0, np.nan]] * 3, t, **good)
    with pytest.raises(AnalysisError, match="missing"):
        st_dbscan(xy, [0, np.nan, 1], **good)
    with pytest.raises(AnalysisError, match="one time a report"):
        st_dbscan(xy, [0, 1], **good)
    monkeypatch.setattr("cloudmap.analytics.clusters._MOST_PAIRS", 5)
    with pytest.raises(AnalysisError, match="lower them"):
        st_dbscan(xy, t, **good)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bandwidth_m": 0}, "bandwidth_m"),
        ({"bandwidth_m": 5, "window": (0, 0, 0, 9)}, "no area"),
        ({"bandwidth_m": 5, "window": (1, 1, 9, 9)}, "outside the window"),
        ({"bandwidth_m": 5, "correct": "edge"}, "'at'"),
    ],
)
def test_unsuitable_densities_are_refused_in_words(options, message):
    with pytest.raises(AnalysisError, match=message):
        kde([[0, 0], [3, 3]], [[1, 1]], **options)
