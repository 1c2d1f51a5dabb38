"""What changed: planted changes are found, what the whole city does is told once, nothing unfit is compared."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from cloudmap.analytics.changes import CITY, ranked, what_changed
from cloudmap.analytics.periods import Period
from cloudmap.analytics.season import fit_season
from cloudmap.errors import AnalysisError
from tests.calibration.series import MONDAY, panel_of, quiet


def _period(first, weeks):
    return Period(MONDAY + timedelta(weeks=first), weeks)


def _rng(seed):
    return np.random.default_rng([70, seed])


def _card(result, place, category="DS"):
    return result.table.filter((pl.col("place") == place) & (pl.col("category_code") == category)).row(0, named=True)


def _quiet(seed, weeks=86, mean=16.0, **noise):
    return quiet(_rng(seed), np.full(12, mean), weeks, phi=1.5, **noise)


@pytest.mark.parametrize("against", ["before", "year_before", "expected"])
def test_a_place_that_doubles_and_one_that_halves_are_found_with_intervals_that_hold_the_truth(against):
    counts = _quiet(1, mean=40.0)
    counts[3, -4:] = _rng(2).poisson(100, 4)
    counts[8, -4:] = _rng(3).poisson(10, 4)
    result = what_changed([panel_of(counts)], period=_period(82, 4), against=against)
    changed = result.table.filter(pl.col("class").is_in(["more", "less"]) & (pl.col("scope") == "unit"))
    assert dict(zip(changed["place"], changed["class"], strict=True)) == {"P0003": "more", "P0008": "less"}
    for place, truth in (("P0003", 2.5), ("P0008", 0.25)):
        card = _card(result, place)
        assert card["lower"] <= truth <= card["upper"]
        assert card["ratio"] == pytest.approx(card["n"] / card["expected"])


def test_what_the_whole_city_does_is_told_once():
    counts = _quiet(4)
    counts[:, -4:] = _rng(5).poisson(32, (12, 4))
    result = what_changed([panel_of(counts)], period=_period(82, 4))
    assert _card(result, CITY)["class"] == "more"
    assert set(result.table.filter(pl.col("scope") == "unit")["class"]) == {"no_change"}


def test_one_place_that_explodes_makes_no_other_place_fall():
    counts = _quiet(6, mean=100.0)
    counts[0, -4:] = 1000
    result = what_changed([panel_of(counts)], period=_period(82, 4))
    classes = result.table.filter(pl.col("scope") == "unit")["class"].to_list()
    assert classes == ["more", *["no_change"] * 11]


def test_nothing_before_gives_a_lower_end_only_and_nothing_now_a_ratio_of_zero():
    counts = _quiet(7)
    counts[2, :-4], counts[2, -4:] = 0, 8
    counts[5, -4:] = 0
    result = what_changed([panel_of(counts)], period=_period(82, 4))
    new, gone = _card(result, "P0002"), _card(result, "P0005")
    assert (new["class"], new["before_n"], new["expected"], new["ratio"], new["upper"]) == ("more", 0, 0.0, None, None)
    assert new["lower"] > 1
    assert (gone["class"], gone["n"], gone["ratio"], gone["lower"]) == ("less", 0, 0.0, 0.0)
    assert gone["upper"] < 1
    numbers = result.table.select(pl.col(pl.Float64))
    assert all(numbers[name].drop_nulls().is_finite().all() for name in numbers.columns)


def test_a_place_without_reports_gets_no_verdict():
    counts = _quiet(8)
    counts[2] = 0
    card = _card(what_changed([panel_of(counts)], period=_period(82, 4)), "P0002")
    assert (card["class"], card["reason"], card["p"], card["ratio"]) == ("not_enough_data", "few", None, None)


@pytest.mark.parametrize(("against", "regime"), [("before", 80), ("before", 76), ("year_before", 40), ("expected", 78)])
def test_nothing_is_compared_across_a_change_of_reporting(against, regime):
    result = what_changed([panel_of(_quiet(9), regime_from=regime)], period=_period(82, 4), against=against)
    assert set(result.table["class"]) == {"not_comparable"}
    assert set(result.table["reason"]) == {"regime"}
    assert result.table["expected"].is_null().all()
    assert result.table["p"].is_null().all()
    assert "changes_regime" in result.caveats


def test_numbers_before_the_regime_change_nothing():
    counts = _quiet(10)
    other = counts.copy()
    other[:, :30] = 54
    both = [what_changed([panel_of(one, regime_from=30)], period=_period(82, 4), against="expected").table for one in (counts, other)]
    assert both[0].equals(both[1])


@pytest.mark.parametrize(("against", "weeks", "first"), [("before", 86, 2), ("year_before", 60, 40), ("expected", 12, 6)])
def test_a_period_without_a_past_has_not_enough_data(against, weeks, first):
    result = what_changed([panel_of(_quiet(11, weeks=weeks))], period=_period(first, 4), against=against)
    assert set(result.table["class"]) == {"not_enough_data"}
    assert set(result.table["reason"]) == {"no_history"}


def test_masked_weeks_are_left_out_on_both_sides():
    counts = _quiet(12)
    masked = counts.copy()
    masked[:, -2:] = 900
    complete = np.arange(86) < 84
    result = what_changed([panel_of(masked, complete=complete)], period=_period(82, 4))
    assert result.parameters["weeks_n"] == result.parameters["weeks_before_n"] == 2
    assert "lag_weeks_left_out" in result.caveats
    assert _card(result, "P0000")["n"] == counts[0, 82:84].sum()
    assert _card(result, "P0000")["before_n"] == counts[0, 78:80].sum()
    with pytest.raises(AnalysisError, match="none of its weeks is complete"):
        what_changed([panel_of(masked, complete=complete)], period=_period(84, 2))


def test_weeks_compared_with_that_are_masked_give_no_verdict():
    complete = np.arange(86) != 80
    result = what_changed([panel_of(_quiet(13), complete=complete)], period=_period(82, 4))
    assert set(result.table["reason"]) == {"masked"}


def test_season_is_no_change_of_the_city_where_a_year_is_known():
    """A summer half again as lively as the year: told without a year of history, and not with one."""
    counts = quiet(_rng(14), np.full(12, 100.0), 112, amplitude=0.5, peak=4)
    long = what_changed([panel_of(counts)], period=_period(104, 4), against="expected")
    assert _card(long, CITY)["class"] == "no_change"
    assert _card(long, CITY)["expected"] == pytest.approx(_card(long, CITY)["n"], rel=0.1)
    short = what_changed([panel_of(counts, regime_from=70)], period=_period(104, 4), against="expected")
    assert "no_season" in short.caveats
    assert "no_season" not in long.caveats


def test_the_wave_of_a_year_is_fitted_and_left_out_where_there_is_no_year():
    weeks = np.arange(104)
    counts = np.round(1000 * np.exp(0.3 * np.cos(2 * np.pi * (weeks - 10) / (365.25 / 7))))
    season = fit_season(counts, weeks, yearly=True)
    assert season.at(np.array([110])) == pytest.approx([1000 * np.exp(0.3 * np.cos(2 * np.pi * 100 / (365.25 / 7)))], rel=0.01)
    level = fit_season(counts[:20], weeks[:20], yearly=False)
    assert level.ratio(np.arange(4), np.arange(4, 12)) == (0.5, 0.0)


def test_the_end_of_a_category_that_came_into_use_in_mid_history_is_seen():
    """As the campaign against small vehicles: none for forty weeks, thirty a week, and none again."""
    counts = _quiet(17, mean=3.0)
    counts[:, :40], counts[:, -4:] = 0, 0
    result = what_changed([panel_of(counts)], period=_period(82, 4), against="expected")
    card = _card(result, CITY)
    assert card["class"] == "less"
    assert card["expected"] == pytest.approx(4 * counts[:, 40:82].sum() / 42)


def test_short_list_goes_by_evidence_then_size_and_is_numbered():
    counts = _quiet(15)
    counts[1, -4:], counts[4, -4:], counts[6, -4:] = 60, 90, 45
    result = what_changed([panel_of(counts)], period=_period(82, 4), ranked_n=3)
    short = ranked(result)
    assert short["rank"].to_list() == [1, 2, 3] == result.table["rank"].drop_nulls().sort().to_list()
    places = [place for place in short["place"] if place != CITY]
    assert places == ["P0004", "P0001", "P0006"][: len(places)]
    grades = (short["q"] > 0.001).cast(int) + (short["q"] > 0.01).cast(int)
    assert grades.is_sorted()


def test_family_is_all_cards_of_all_groups():
    panels = [panel_of(_quiet(16 + at), category=code) for at, code in enumerate(("DS", "SH"))]
    result = what_changed(panels, period=_period(82, 4))
    assert result.table.height == result.parameters["cards_n"] == 26
    assert result.parameters["tests_n"] == result.table["p"].count()
    assert f"{result.parameters['tests_n']} of 26 cards" in result.denominator


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: what_changed([], period=_period(82, 4)), "no category group"),
        (lambda: what_changed([panel_of(_quiet(1))], period=_period(82, 4), against="ever"), "is unknown"),
        (lambda: what_changed([panel_of(_quiet(1))], period=_period(84, 4)), "outside the data"),
    ],
)
def test_unusable_input_is_refused_with_a_remedy(call, match):
    with pytest.raises(AnalysisError, match=match):
        call()
