import numpy as np
import polars as pl
import pytest

from cloudmap.errors import SchemaError
from cloudmap.matters import SURE_SHARE, Limits
from cloudmap.schema import MATTER_LINKS, MATTER_REASONS, MATTERS
from tests.matters.made import joined, matters, reports, town


def test_two_sources_telling_of_one_thing_are_one_matter_with_its_reasons():
    found = joined(reports([("b:1", "b", "FC02", 8, 0, 2), ("a:1", "a", "FC02", 0, 0, 0), ("a:2", "a", "FC02", 900, 0, 1)]))
    assert found.shared.rows() == [("a:1", "a:1"), ("b:1", "a:1")]
    link = found.links.row(0, named=True)
    assert (link["matter_id"], link["report_id"], link["to_report_id"]) == ("a:1", "a:1", "b:1")
    assert link["distance_m"] == pytest.approx(8, abs=0.01)
    assert link["gap_h"] == pytest.approx(2)
    assert link["sure_share"] > SURE_SHARE
    assert link["likeness_share"] is None
    assert set(link["reasons"].split()) <= set(MATTER_REASONS)
    assert {"other_source", "near", "soon"} <= set(link["reasons"].split())
    assert dict(found.shared.schema) == MATTERS.dtypes
    assert dict(found.links.schema) == MATTER_LINKS.dtypes


def test_other_categories_places_and_times_stay_apart():
    rows = [("a:1", "a", "FC02", 0, 0, 0), ("b:1", "b", "AP01", 0, 0, 0), ("b:2", "b", "FC02", 51, 0, 0), ("b:3", "b", "FC02", 0, 0, 73)]
    assert matters(joined(reports(rows))) == {}


def test_one_source_must_repeat_itself_to_the_second_and_the_metre():
    first = ("a:1", "a", "FC02", 0, 0, 0, "lamp")
    rows = [first, ("a:2", "a", "FC02", 0, 0, 0, "lamp"), ("a:3", "a", "FC02", 0, 0, 0.1, "lamp"), ("a:4", "a", "FC02", 9, 0, 0, "lamp")]
    found = joined(reports([*rows, ("a:5", "a", "FC02", 0, 0, 0, "lamp post")]))
    assert matters(found) == {"a:1": {"a:1", "a:2"}}
    assert found.links["reasons"].to_list() == ["same_record same_point rare_here"]


def test_planted_pairs_are_found_and_hardly_any_other():
    rows, true = town(7)
    found = {frozenset(ids) for ids in matters(joined(reports(rows))).values()}
    assert len(found & true) >= 0.95 * len(true)
    assert len(found - true) <= 0.2 * len(found)  # about 30 other pairs are within the limits by chance


def test_nobody_is_joined_where_nothing_is_planted():
    rows, _ = town(8, copies=0)
    assert len(matters(joined(reports(rows)))) <= 5


def test_a_crowded_corner_asks_for_more_than_a_quiet_one():
    rows, _ = town(9)
    rng = np.random.default_rng(9)
    market = [
        (f"{source}:m{i:04d}", source, "AP01", 5000 + x, y, hour)
        for i, (source, x, y, hour) in enumerate(
            zip(
                rng.choice(["app", "hotline"], 800),
                rng.uniform(0, 90, 800),
                rng.uniform(0, 90, 800),
                rng.uniform(0, 2880, 800),
                strict=True,
            )
        )
    ]
    quiet = [("app:quiet", "app", "AP01", 9000, 0, 1000), ("hotline:quiet", "hotline", "AP01", 9020, 0, 1006)]
    groups = matters(joined(reports([*rows, *market, *quiet])))
    assert groups["app:quiet"] == {"app:quiet", "hotline:quiet"}
    crowd = [ids for ids in groups.values() if any(":m" in one for one in ids)]
    assert sum(len(ids) - 1 for ids in crowd) < 8


def test_texts_that_chance_never_makes_alike_join_reports_of_one_source():
    rng = np.random.default_rng(4)
    rows = [(f"app:{i:05d}", "app", "FC02", *rng.uniform(0, 400, 2), rng.uniform(0, 2880)) for i in range(1500)]
    rows += [("app:x", "app", "FC02", 2000, 0, 500), ("app:y", "app", "FC02", 2010, 0, 520)]
    texts = {row[0]: "".join(rng.choice(list("东南西北路灯不亮损坏倾斜门口转角对面学校市场"), 14)) for row in rows}
    assert "app:x" not in matters(joined(reports(rows), texts=texts))
    texts["app:y"] = texts["app:x"]
    found = joined(reports(rows), texts=texts)
    assert matters(found)["app:x"] == {"app:x", "app:y"}
    assert "alike_text" in found.links.filter(pl.col("matter_id") == "app:x")["reasons"][0]


def test_reports_without_point_or_time_are_matters_of_their_own():
    frame = reports([("a:1", "a", "FC02", 0, 0, 0), ("b:1", "b", "FC02", 0, 0, 0), ("b:2", "b", "FC02", 0, 0, 0)])
    frame = frame.with_columns(lat_deg=pl.when(pl.col("report_id") == "b:1").then(float("nan")).otherwise("lat_deg"))
    frame = frame.with_columns(occurred_at=pl.when(pl.col("report_id") != "b:2").then("occurred_at"))
    assert matters(joined(frame)) == {}
    assert joined(frame.clear()).links.is_empty()


def test_a_model_joins_reports_that_it_was_not_learnt_from():
    model = joined(reports(town(7)[0])).model
    rows, true = town(17, n=300, copies=30)
    found = {frozenset(ids) for ids in matters(joined(reports(rows), model=model)).values()}
    assert len(found & true) >= 0.9 * len(true)
    with pytest.raises(SchemaError, match="knows sources app, hotline only"):
        joined(reports([("c:1", "c", "FC02", 0, 0, 0)]), model=model)


def test_a_missing_column_is_named():
    with pytest.raises(SchemaError, match="category_raw"):
        joined(reports([("a:1", "a", "FC02", 0, 0, 0)]).drop("category_raw"))


def test_tighter_limits_join_less():
    rows = reports([("a:1", "a", "FC02", 0, 0, 0), ("b:1", "b", "FC02", 8, 0, 2)])
    assert matters(joined(rows, limits=Limits(5, 24))) == {}


def test_reports_without_a_usable_point_are_joined_only_as_the_very_same_record():
    rows = [(f"a:{i}", "a", "FC02", 0, 0, 10 * i, "lamp") for i in range(40)]
    twice = [("a:x", "a", "FC02", 0, 0, 50, "lamp"), ("a:y", "a", "FC02", 0, 0, 50.1, "lamp"), ("b:x", "b", "FC02", 0, 0, 50, "lamp")]
    found = joined(reports([*rows, *twice]).with_columns(ledger_class=pl.lit("area_only")))
    assert matters(found) == {"a:5": {"a:5", "a:x"}}
    assert found.links["reasons"].to_list() == ["same_record same_point"]
    assert found.links["sure_share"][0] > SURE_SHARE


def test_a_source_that_writes_days_only_is_not_taken_to_repeat_itself():
    rng = np.random.default_rng(2)
    rows = [(f"a:{i:04d}", "a", "FC02", 0, 0, 24 * rng.integers(0, 120), "lamp") for i in range(400)]
    assert matters(joined(reports(rows).with_columns(ledger_class=pl.lit("area_only")))) == {}
    assert len(matters(joined(reports(rows)))) <= 2
