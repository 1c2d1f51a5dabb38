import copy
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from cloudmap.analytics.changes import what_changed
from cloudmap.analytics.indicators import indicators
from cloudmap.analytics.periods import Period
from cloudmap.analytics.regimes import reporting_regimes
from cloudmap.analytics.situation import ALL, COLUMNS, COMPONENTS, DIRECTIONS, Burden, Evidence, Verdicts, situation
from cloudmap.errors import AnalysisError
from tests.analytics.standing import (
    SPAN,
    WEIGHTS,
    ZONE,
    cube_of,
    evidence_of,
    last_weeks,
    now_of,
    situation_of,
    still_city,
)


@pytest.fixture(scope="module")
def city():
    return still_city(3)


@pytest.fixture(scope="module")
def plain(city):
    return situation_of(city)


def _row(result, place, component):
    return result.table.row(by_predicate=(pl.col("place") == place) & (pl.col("component") == component), named=True)


def _part(result, component):
    return result.table.filter(pl.col("component") == component)


def _regimes(city, turn):
    """Regimes of which the second begins with this week of the city's panel."""
    levels = [100] * turn + [5400] * (city.streets.weeks_n - turn)
    weekly = pl.DataFrame(
        {"source_id": ["ALL"] * len(levels), "week_on": city.streets.weeks, "reports_n": levels, "active_reporters_n": levels}
    )
    return reporting_regimes(weekly, milestones=[(city.streets.weeks[turn], "app")])


def test_every_unit_and_the_city_have_every_component_once(city, plain):
    assert dict(plain.table.schema) == COLUMNS
    assert plain.table["place"].unique(maintain_order=True).to_list() == [*city.streets.places, ALL]
    assert plain.table.height == (len(city.streets.places) + 1) * len(COMPONENTS)
    assert plain.table.select("place", "component").is_duplicated().sum() == 0
    assert set(plain.table["direction"]) <= set(DIRECTIONS)
    assert not {"score", "rank", "index"} & set(plain.table.columns)


def test_volume_is_what_the_page_of_changes_shows(city, plain):
    cards = what_changed((city.streets,), period=last_weeks(city)).table
    volume = _part(plain, "volume")
    for name, other in (("n", "n"), ("expected", "expected"), ("value", "ratio"), ("lower", "lower"), ("upper", "upper"), ("q", "q")):
        assert volume[name].to_list() == pytest.approx(cards[other].to_list())


def test_timeliness_is_the_indicator_on_time(city, plain):
    for by in ((), ("unit_street_code",)):
        asked = indicators(city.frame, now=now_of(city), zone=ZONE, by=by, period=last_weeks(city)).table
        asked = asked.filter(pl.col("indicator") == "on_time")
        known = asked.select(
            pl.col("unit_street_code") if by else pl.lit(ALL).alias("unit_street_code"), "numerator_n", "denominator_n", "value"
        )
        for place, n, of, value in known.iter_rows():
            row = _row(plain, place, "timeliness")
            assert (row["n"], row["denominator_n"]) == (n, of)
            assert row["value"] == pytest.approx(value)


def test_severity_counts_the_matters_of_the_volume_and_sums_their_weights(city, plain):
    volume, severity = _part(plain, "volume"), _part(plain, "severity")
    assert severity["n"].to_list() == volume["n"].to_list()
    first = last_weeks(city).first_on
    burden = city.frame.filter(pl.col("week_on") >= first)["category_code"].replace_strict(WEIGHTS).sum()
    assert severity["total"][-1] == pytest.approx(burden)
    assert severity["value"][-1] == pytest.approx(burden / volume["n"][-1])


def test_recurrence_is_another_of_the_category_at_the_place_within_ninety_days(city, plain):
    rows = city.frame.sort("occurred_at").to_pandas()
    first = last_weeks(city).first_on
    recent = city.frame["week_on"] >= first
    counted, last = 0, {}
    for place, code, when, week in zip(rows["place"], rows["category_code"], rows["occurred_at"], rows["week_on"], strict=True):
        before = last.get((place, code))
        counted += before is not None and (when - before) <= timedelta(days=90) and week.date() >= first
        last[place, code] = when
    assert _row(plain, ALL, "recurrence")["n"] == counted
    assert _row(plain, ALL, "recurrence")["denominator_n"] == recent.sum()


def test_water_is_matters_per_kilometre(city, plain):
    row = _row(plain, city.streets.places[1], "water")
    assert row["n"] == city.water.counts[1, -SPAN:].sum()
    assert row["value"] == pytest.approx(row["n"] / 3.0)
    assert row["lower"] < row["value"] < row["upper"]
    dry = replace(evidence_of(city, maps=False).water, length_km={city.streets.places[0]: 2.0})
    told = situation_of(city, evidence=Evidence(water=dry))
    assert _row(told, city.streets.places[1], "water")["reason"] == "no_cases"


def test_planted_changes_are_told_and_nothing_else(city):
    planted = copy.copy(city)
    counts = city.streets.counts.copy()
    counts[2, -SPAN:] *= 3
    counts[5, -SPAN:] //= 3
    planted.streets = replace(city.streets, counts=counts)
    since = now_of(city) - timedelta(weeks=SPAN)
    late = (pl.col("due_at") > since) & (pl.col("unit_street_code") == city.streets.places[4])
    planted.frame = city.frame.with_columns(
        pl.when(late).then(pl.col("due_at") + timedelta(days=1)).otherwise("closed_at").alias("closed_at")
    )
    told = situation_of(planted, evidence=evidence_of(planted, maps=False), threshold=0.01).table.filter(
        pl.col("direction").is_in(["worse", "better"])
    )
    places = city.streets.places
    assert set(told.select("place", "component", "direction").iter_rows()) == {
        (places[2], "volume", "worse"),
        (places[5], "volume", "better"),
        (places[4], "timeliness", "worse"),
    }


def test_worse_and_better_have_an_interval_without_no_change(city):
    planted = copy.copy(city)
    counts = city.streets.counts.copy()
    counts[2, -SPAN:] *= 3
    planted.streets = replace(city.streets, counts=counts)
    table = situation_of(planted, evidence=evidence_of(planted, maps=False)).table
    none = pl.when(pl.col("component").is_in(["volume", "water"])).then(1.0).otherwise(0.0)
    within = (pl.col("change_lower") <= none) & (pl.col("change_upper") >= none)
    assert table.filter(pl.col("direction").is_in(["worse", "better"])).height == 1
    assert table.filter(pl.col("direction").is_in(["worse", "better"]) & within).is_empty()


def test_across_a_change_of_reporting_nothing_is_compared(city):
    turn = city.streets.weeks_n - SPAN
    new = copy.copy(city)
    new.streets, new.water = (replace(one, regime_from=turn) for one in (city.streets, city.water))
    told = situation_of(new, regimes=_regimes(city, turn))
    assert set(told.table["direction"]) == {"not_comparable"}
    assert set(told.table["reason"]) == {"regime_between"}
    past = told.table.select("before", "before_n", "expected", "change", "change_lower", "change_upper", "p", "q")
    assert past.null_count().row(0) == (told.table.height,) * past.width
    assert _row(told, ALL, "volume")["n"] == city.streets.counts[:, -SPAN:].sum()
    assert _row(told, ALL, "timeliness")["value"] is not None
    assert told.parameters["banner"] == "banner_regime_between"
    assert told.parameters["banner_numbers"]["fold"] == pytest.approx(54.0)


def test_a_year_ago_across_the_launch_is_not_compared_though_the_month_before_is(city):
    turn = city.streets.weeks_n - 40
    new = copy.copy(city)
    new.streets, new.water = (replace(one, regime_from=turn) for one in (city.streets, city.water))
    evidence = evidence_of(city, maps=False)
    year = situation_of(new, regimes=_regimes(city, turn), evidence=evidence, against="year_before")
    month = situation_of(new, regimes=_regimes(city, turn), evidence=evidence)
    assert set(_part(year, "volume")["direction"]) == {"not_comparable"}
    assert "not_comparable" not in set(_part(month, "volume")["direction"])


def test_recurrence_needs_its_ninety_days_on_this_side_of_the_change(city):
    turn = city.streets.weeks_n - 15
    new = copy.copy(city)
    new.streets = replace(city.streets, regime_from=turn)
    evidence = replace(evidence_of(city, maps=False), water=None)
    told = situation_of(new, regimes=_regimes(city, turn), evidence=evidence)
    assert set(_part(told, "recurrence")["reason"]) == {"regime_between"}
    assert set(_part(told, "severity")["reason"]) == {None}


def test_weeks_masked_for_lag_are_left_out_and_when_all_are_nothing_is_said(city):
    complete = np.arange(city.streets.weeks_n) < city.streets.weeks_n - 1
    late = copy.copy(city)
    late.streets, late.water = (replace(one, complete=complete) for one in (city.streets, city.water))
    told = situation_of(late, evidence=evidence_of(city, maps=False))
    assert (told.parameters["weeks_n"], told.parameters["weeks_masked_n"]) == (SPAN - 1, 1)
    assert _row(told, ALL, "volume")["n"] == city.streets.counts[:, -SPAN:-1].sum()
    assert _row(told, ALL, "severity")["n"] == _row(told, ALL, "volume")["n"]
    last = situation_of(late, evidence=evidence_of(city, maps=False), period=last_weeks(city, 1))
    assert _row(last, ALL, "volume")["n"] is None
    assert set(_part(last, "volume")["reason"]) == {"lag_masked"}
    assert set(_part(last, "volume")["direction"]) == {"not_comparable"}


def test_units_with_too_few_staff_show_cases_due_and_no_rate(city):
    told = situation_of(city, evidence=evidence_of(city, min_staff=10, maps=False))
    units = _part(told, "timeliness").filter(pl.col("place") != ALL)
    assert set(units["reason"]) == {"too_few_staff"}
    assert units.select("n", "value", "lower", "upper", "before", "before_n", "change", "p").null_count().row(0) == (units.height,) * 8
    assert (units["denominator_n"] > 0).all()
    assert _row(told, ALL, "timeliness")["value"] is not None


def test_redrawn_units_are_not_compared_while_the_others_are(city):
    moved = city.streets.places[3]
    told = situation_of(city, evidence=Evidence(Burden(cube_of(city), WEIGHTS)), redrawn=[moved])
    assert _row(told, moved, "volume")["reason"] == "boundary_redrawn"
    assert _row(told, moved, "severity")["before"] is None
    assert _row(told, city.streets.places[4], "volume")["direction"] == "same"


def test_what_was_not_given_says_so(city):
    told = situation_of(city, evidence=Evidence())
    missing = told.table.filter(pl.col("component") != "volume")
    assert set(missing["reason"]) == {"not_given"}
    assert set(missing["direction"]) == {"not_enough_data"}
    assert missing["n"].null_count() == missing.height


def _verdicts(city, now, before):
    classes = [pl.DataFrame({"place": list(city.cells.places), "class": one}) for one in (now, before)]
    return Verdicts(city.cells, city.unit_of, *classes)


def test_many_new_patches_of_silence_are_worse_and_one_large_patch_is_not(city):
    n = len(city.cells.places)
    calm = np.full(n, "reporting", dtype=object)
    rng = np.random.default_rng(0)
    scattered, patch = calm.copy(), calm.copy()
    free, chosen = set(range(n)), []
    for at in rng.permutation(n):
        if at in free and len(chosen) < 9:
            chosen.append(at)
            free -= {at, *city.cells.weights[at].indices}
    scattered[chosen] = "silent"
    patch[:7] = "silent"
    many = situation_of(city, evidence=Evidence(silence=_verdicts(city, scattered, calm)))
    one = situation_of(city, evidence=Evidence(silence=_verdicts(city, patch, calm)))
    row = _row(many, ALL, "silence")
    assert (row["n"], row["denominator_n"], row["direction"]) == (9, n, "worse")
    assert row["value"] == pytest.approx(9 / n)
    assert _row(one, ALL, "silence")["direction"] == "not_enough_data"
    assert _row(one, ALL, "silence")["reason"] == "few"
    assert _row(situation_of(city, evidence=Evidence(silence=_verdicts(city, calm, calm))), ALL, "silence")["direction"] == "same"


def test_emerging_is_a_share_of_the_area_that_could_be_judged(city):
    area = np.linspace(1.0, 3.0, len(city.cells.places))
    named = np.full(area.size, "no_pattern", dtype=object)
    named[:10], named[10:20], named[20:30], named[-15:] = "new_hot", "intensifying_hot", "persistent_hot", "not_enough_data"
    verdicts = _verdicts(city, named, named)._replace(panel=replace(city.cells, area_m2=area))
    row = _row(situation_of(city, evidence=Evidence(emerging=verdicts)), ALL, "emerging_area")
    assert (row["n"], row["denominator_n"]) == (20, area.size - 15)
    assert row["value"] == pytest.approx(area[:20].sum() / area[:-15].sum())


def test_a_reopened_matter_recurs_where_then_and_now_are_judged_alike(city):
    evidence = evidence_of(city, maps=False)
    first = last_weeks(city).first_on
    returned = pl.when((pl.col("week_on") >= first) & (pl.col("unit_street_code") == city.streets.places[0])).then(1).otherwise(0)
    frame = city.frame.with_columns(returned.cast(pl.Int64).alias("returned_n"))
    without = situation_of(city, evidence=Evidence(handled=replace(evidence.handled, cases=frame)))
    with_them = situation_of(city, evidence=Evidence(handled=replace(evidence.handled, cases=frame, cases_before=city.frame)))
    assert "recurrence_without_reopened" in without.caveats
    assert _row(without, city.streets.places[0], "recurrence")["value"] < 1
    assert _row(with_them, city.streets.places[0], "recurrence")["value"] == 1


def test_other_weeks_beside_water_and_periods_outside_the_data_are_refused(city):
    short = replace(city.water, counts=city.water.counts[:, 1:], complete=city.water.complete[1:])
    with pytest.raises(AnalysisError, match="beside water has other places or weeks"):
        situation_of(city, evidence=Evidence(water=replace(evidence_of(city, maps=False).water, panel=short)))
    with pytest.raises(AnalysisError, match="outside the data"):
        situation(city.streets, period=Period(city.streets.weeks[-1] + timedelta(weeks=1), 1), regimes=None)


def test_caveats_stand_for_what_was_given(city, plain):
    assert {"silent_is_reporters", "burden_is_weights", "recurrence_follows_volume"} < set(plain.caveats)
    assert situation_of(city, evidence=Evidence()).caveats == ("reported_not_people",)
