import copy
import json
import re
from dataclasses import replace
from datetime import timedelta
from importlib.resources import files

import numpy as np
import polars as pl
import pytest

from cloudmap.analytics.regimes import reporting_regimes
from cloudmap.analytics.situation import Evidence
from cloudmap.errors import ConfigError
from cloudmap.publish.situation_text import LANGUAGES, SENTENCES_MOST, number_in_text, situation_text
from tests.analytics.standing import SPAN, evidence_of, last_weeks, now_of, situation_of, still_city

HAN = re.compile(r"[\u3400-\u9fff]")
LATIN = re.compile(r"[A-Za-z]")
DIGITS = re.compile(r"\d(?:[\d,]*\d)?(?:\.\d+)?")
ZH = dict(zip(range(10), "甲乙丙丁戊己庚辛壬癸", strict=True))


LATE = (0, 4, 7, 9)


def _names(city, language):
    how = (lambda at: f"Street {chr(65 + at)}") if language == "en" else (lambda at: f"{ZH[at]}街道")
    return {place: how(at) for at, place in enumerate(city.streets.places)}


def _planted():
    city = still_city(3)
    counts = city.streets.counts.copy()
    counts[2, -SPAN:] *= 3
    counts[5, -SPAN:] //= 3
    late = (pl.col("due_at") > now_of(city) - timedelta(weeks=SPAN)) & pl.col("unit_street_code").is_in(
        [city.streets.places[at] for at in LATE]
    )
    frame = city.frame.with_columns(pl.when(late).then(pl.col("due_at") + timedelta(days=1)).otherwise("closed_at").alias("closed_at"))
    return replace(city, streets=replace(city.streets, counts=counts), frame=frame)


def _launched(city):
    turn = city.streets.weeks_n - SPAN
    levels = [100] * turn + [5400] * SPAN
    weekly = pl.DataFrame(
        {"source_id": ["ALL"] * len(levels), "week_on": city.streets.weeks, "reports_n": levels, "active_reporters_n": levels}
    )
    regimes = reporting_regimes(weekly, milestones=[(city.streets.weeks[turn], "百曉小程序上線")])
    new = copy.copy(city)
    new.streets, new.water = (replace(one, regime_from=turn) for one in (city.streets, city.water))
    return situation_of(new, regimes=regimes, evidence=evidence_of(new, maps=False))


def _masked(city, weeks_n):
    late = copy.copy(city)
    complete = np.arange(city.streets.weeks_n) < city.streets.weeks_n - weeks_n
    late.streets, late.water = (replace(one, complete=complete) for one in (city.streets, city.water))
    return situation_of(late, evidence=evidence_of(late, maps=False))


@pytest.fixture(scope="module")
def city():
    return _planted()


@pytest.fixture(scope="module")
def results(city):
    return {
        "planted": situation_of(city),
        "still": situation_of(still_city(5)),
        "launched": _launched(city),
        "one week masked": _masked(city, 1),
        "all weeks masked": _masked(city, SPAN),
        "few staff": situation_of(city, evidence=evidence_of(city, maps=False, min_staff=10)),
        "volume alone": situation_of(city, evidence=Evidence()),
        "first weeks": situation_of(
            city, evidence=evidence_of(city, maps=False), period=replace(last_weeks(city), first_on=city.streets.weeks[2])
        ),
    }


CASES = (
    "planted", "still", "launched", "one week masked", "all weeks masked", "few staff", "volume alone", "first weeks"
)  # fmt: skip
everywhere = pytest.mark.parametrize("language", LANGUAGES)
whatever = pytest.mark.parametrize("case", CASES)


@everywhere
@whatever
def test_every_number_is_its_rows_number(results, city, case, language):
    result = results[case]
    rows = {(row["place"], row["component"]): row for row in result.table.iter_rows(named=True)}
    for sentence in situation_text(result, language=language, names=_names(city, language)):
        covered = set()
        for number in sentence.numbers:
            text = sentence.text[number.start : number.end]
            covered |= set(range(number.start, number.end))
            if number.place is not None:
                row = rows[number.place, number.component]
                assert text == number_in_text(row[number.column], number.column, row["unit"])
                assert (number.place, number.component) in sentence.rows
                scale = 100 if row["unit"] == "share" and number.column not in ("n", "denominator_n") else 1
                told = float(DIGITS.search(text)[0].replace(",", ""))
                assert told == pytest.approx(abs(row[number.column]) * scale, abs=0.51 if number.column in ("expected", "total") else 0.06)
        stray = [found[0] for found in DIGITS.finditer(sentence.text) if not set(range(*found.span())) <= covered]
        assert not stray, sentence.text


@everywhere
@whatever
def test_counts_of_rows_and_parameters_are_right_too(results, city, case, language):
    result = results[case]
    numbers = result.parameters["banner_numbers"]
    for sentence in situation_text(result, language=language, names=_names(city, language)):
        for number in sentence.numbers:
            text = sentence.text[number.start : number.end]
            name = number.column.removeprefix("parameters.")
            if number.column == "rows":
                assert 0 < int(text) <= len(sentence.rows)
            elif name in numbers and name != "regime_on":
                assert float(text.replace(",", "")) == pytest.approx(float(numbers[name]), abs=0.5)
            elif name in ("weeks_masked_n", "recurrence_days", "water_m", "min_staff"):
                assert text == str(result.parameters[name])


@everywhere
@whatever
def test_at_most_twelve_sentences_that_are_the_same_each_time(results, city, case, language):
    told = situation_text(results[case], language=language, names=_names(city, language))
    assert 1 < len(told) <= SENTENCES_MOST
    assert told == situation_text(results[case], language=language, names=_names(city, language))
    assert told[0].key == "opening"
    assert told[-1].key == "caveat"
    end = "." if language == "en" else "。"
    assert all(one.text.endswith(end) and one.text.count("。") <= 1 for one in told)


WORSE = {
    "zh-Hans": ("变差", "好转", "多于预期", "少于预期"),
    "zh-Hant": ("變差", "好轉", "多於預期", "少於預期"),
    "en": ("worse", "better", "more than", "fewer than expected"),
}


@everywhere
def test_across_a_change_of_reporting_no_sentence_says_worse_or_better(results, city, language):
    told = situation_text(results["launched"], language=language, names=_names(city, language))
    text = "".join(one.text for one in told)
    assert not [word for word in WORSE[language] if word in text]
    banner = next(one for one in told if one.key == "banner")
    assert "100" in banner.text
    assert "5,400" in banner.text
    assert "units" not in {one.key for one in told}


@everywhere
def test_worse_is_said_of_rows_that_are_worse_only(results, city, language):
    for case in CASES:
        table = results[case].table
        names = _names(city, language)
        for one in situation_text(results[case], language=language, names=names):
            named = {place for place, name in names.items() if name in one.text}
            if one.key == "units":
                one_part = table.filter(pl.col("component") == "volume")
            elif one.key in set(table["component"]):
                one_part = table.filter(pl.col("component") == one.key)
            else:
                continue
            moved = one_part.filter(pl.col("direction").is_in(["worse", "better"]) | (pl.col("apart") == "below").fill_null(value=False))
            assert named <= set(moved["place"])


@everywhere
@whatever
def test_languages_are_not_mixed(results, city, case, language):
    text = "".join(one.text for one in situation_text(results[case], language=language, names=_names(city, language)))
    assert not (HAN if language == "en" else LATIN).search(text)
    if language == "zh-Hant":
        assert not set("与较为无别显报领护关办结时间转变") & set(text)
    if language == "zh-Hans":
        assert not set("與較為無別顯報領護關辦結時間轉變") & set(text)


def test_words_of_all_languages_have_the_same_keys_and_values():
    tables = [
        json.loads(files("cloudmap.publish").joinpath("words", f"situation.{one}.json").read_text(encoding="utf-8")) for one in LANGUAGES
    ]
    fields = [{key: set(re.findall(r"\{(\w+)\}", text)) for key, text in table.items()} for table in tables]
    for key in fields[0]:
        if key not in ("period", "day"):
            assert fields[0][key] == fields[1][key] == fields[2][key], key
    assert fields[0].keys() == fields[1].keys() == fields[2].keys()


def test_what_is_worse_comes_before_what_is_not_and_more_than_three_are_counted(results, city):
    told = situation_text(results["planted"], language="zh-Hans", names=_names(city, "zh-Hans"))
    keys = [one.key for one in told]
    assert keys.index("timeliness") < keys.index("severity")
    late = next(one for one in told if one.key == "timeliness")
    assert "等4个单元" in late.text
    assert {(city.streets.places[at], "timeliness") for at in LATE} < set(late.rows)
    assert sum(ZH[at] in late.text for at in LATE) == 3
    units = next(one for one in told if one.key == "units").text
    assert units.index("多于预期的有丙街道") < units.index("少于预期的有己街道")


def test_what_is_missing_is_said(results, city):
    names = _names(city, "en")
    staff = situation_text(results["few staff"], language="en", names=names)
    assert "fewer than 10 staff" in next(one for one in staff if one.key == "cannot").text
    masked = situation_text(results["one week masked"], language="en", names=names)
    assert next(one for one in masked if one.key == "masked").text.endswith("not all in: 1.")
    early = situation_text(results["first weeks"], language="en", names=names)
    assert next(one for one in early if one.key == "banner").text.startswith("The weeks to compare with lie outside the data")
    assert "reported incidents, not people" in staff[-1].text


def test_a_city_may_bring_its_own_sentences_but_not_ask_for_what_there_is_not(results):
    own = situation_text(results["still"], language="en", words={"caveat": "Reported only ({confidence})"})
    assert own[-1].text == "Reported only (95%)."
    with pytest.raises(ConfigError, match="no value 'score'"):
        situation_text(results["still"], language="en", words={"caveat": "{score}"})
    with pytest.raises(ConfigError, match="zh-Hans, zh-Hant, en"):
        situation_text(results["still"], language="de")


def test_a_street_that_is_late_for_long_stands_out_though_nothing_changed():
    city = still_city(7)
    place = city.streets.places[6]
    late = (pl.col("unit_street_code") == place) & (pl.col("occurred_at").dt.minute() < 30)
    frame = city.frame.with_columns(pl.when(late).then(pl.col("due_at") + timedelta(days=1)).otherwise("closed_at").alias("closed_at"))
    result = situation_of(replace(city, frame=frame), evidence=evidence_of(replace(city, frame=frame), maps=False))
    row = result.table.row(by_predicate=(pl.col("place") == place) & (pl.col("component") == "timeliness"), named=True)
    assert (row["direction"], row["apart"]) == ("same", "below")
    told = situation_text(result, language="en", names={place: "Street G"})
    timeliness = next(one for one in told if one.key == "timeliness").text
    assert f"clearly below the other units: Street G ({row['value'] * 100:.1f}%)" in timeliness
    assert "worse" not in timeliness
