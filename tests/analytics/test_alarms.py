"""EARS and Farrington against R surveillance 1.20.3 (alarm_*.json, farrington_threshold.json)."""

import numpy as np
import pytest

from cloudmap.analytics import past
from cloudmap.analytics.alarms import ears, farrington, farrington_bounds, farrington_flexible
from cloudmap.errors import AnalysisError
from tests.analytics.published import reference

SERIES = ("newport", "simA", "simB_sparse")


def _numbers(values):
    """R's NA and NaN as NaN."""
    return np.array([np.nan if value in ("NA", "NaN", None) else value for value in values], dtype=float)


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("method", ["C1", "C2", "C3"])
def test_ears_equals_surveillance(name, method):
    answers = reference(f"alarm_{name}.json")
    found, first = ears(answers["y"], method=method, alpha=0.001), answers["range_first"] - 1
    np.testing.assert_allclose(found.upper[first:], _numbers(answers[method]["ub"]), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(found.alarm[first:], _numbers(answers[method]["alarm"]) == 1)


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize(("method", "key"), [(farrington_flexible, "farringtonFlexible"), (farrington, "farrington")])
def test_farrington_equals_surveillance(name, method, key):
    answers = reference(f"alarm_{name}.json")
    found = method(answers["y"], start=answers["range_first"] - 1)
    np.testing.assert_allclose(found.upper, answers[key]["ub"], rtol=1e-4)
    np.testing.assert_array_equal(found.alarm, np.array(answers[key]["alarm"]) == 1)


@pytest.mark.parametrize("power", ["none", "two_thirds"])
def test_bounds_of_one_prediction_equal_surveillance_with_two_sided_alpha(power):
    answers = reference("farrington_threshold.json")
    for key, alpha in (("alpha_0_10", 0.10), ("alpha_0_05", 0.05)):
        found = farrington_bounds(answers["fit"], answers["se_fit"], answers["phi"], alpha=alpha, power=power)
        np.testing.assert_allclose(found, answers[key][power], atol=1e-6)


def test_a_planted_outbreak_raises_an_alarm_and_plain_weeks_seldom_do():
    rng = np.random.default_rng(6)
    season = 6 + 3 * np.sin(2 * np.pi * np.arange(260) / 52)
    counts = rng.poisson(season)
    counts[240] += 25
    found = farrington_flexible(counts, start=200)
    assert found.alarm[40]
    assert found.alarm.sum() <= 5  # 1% of 60 weeks, and the outbreak
    assert ears(counts, method="C1").alarm[240]


def test_an_old_outbreak_is_weighted_down(monkeypatch):
    rng = np.random.default_rng(7)
    counts = rng.poisson(5, 210)
    counts[150:154] += 60
    weighted = farrington_flexible(counts, start=205).upper
    monkeypatch.setattr(past, "_reweighted", lambda design, y, threshold: past.fit_quasi_poisson(design, y))
    assert weighted.sum() < farrington_flexible(counts, start=205).upper.sum() / 2


def test_silent_pasts_and_lone_reports():
    assert not ears([0] * 12, method="C2").alarm.any()
    assert ears([0] * 11 + [1]).alarm[-1]
    assert not ears([0] * 11 + [1], least_sigma=0.5).alarm[-1]
    quiet = farrington_flexible([0] * 200 + [1], start=200)
    assert quiet.upper.tolist() == [0.0]
    assert quiet.alarm.tolist() == [True]
    assert np.isnan(farrington_flexible([0] * 200 + [1], start=200, least_n=5).upper).all()
    assert farrington([0] * 200 + [1], start=200).alarm.tolist() == [True]


@pytest.mark.parametrize("method", [ears, lambda y: farrington_flexible(y, start=160)])
@pytest.mark.parametrize(
    ("y", "message"), [([-1] * 170, "negative"), ([np.nan] * 170, "missing"), ([1], "period"), (np.ones((3, 60)), "series")]
)
def test_unsuitable_series_are_refused_in_words(method, y, message):
    with pytest.raises(AnalysisError, match=message):
        method(y)


def test_unsuitable_settings_are_refused_in_words():
    with pytest.raises(AnalysisError, match="'C1'"):
        ears([1] * 20, method="C4")
    with pytest.raises(AnalysisError, match="alpha"):
        ears([1] * 20, alpha=0.9)
    with pytest.raises(AnalysisError, match="least_sigma"):
        ears([1] * 20, least_sigma=-1)
    with pytest.raises(AnalysisError, match="use ears"):
        farrington_flexible([1] * 100, start=90)
    with pytest.raises(AnalysisError, match="lower w"):
        farrington_flexible([1] * 200, start=190, period=12)
    with pytest.raises(AnalysisError, match="whole counts"):
        farrington_flexible([1.5] * 200, start=190)
    with pytest.raises(AnalysisError, match="window is negative"):
        farrington([1] * 200, start=190, w=-1)
