"""The generated reports: deterministic, counted right, and with every planted truth in them."""

import csv
import hashlib
import io
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import openpyxl
import polars as pl
import pytest

from cloudmap.city import open_city
from cloudmap.ingest.scrub import scrub
from cloudmap.pipeline import load
from cloudmap.samples import luqiao_plan as plan
from cloudmap.samples import write_sample
from cloudmap.samples.luqiao_dirt import KINDS, choose_dirt, expect_ledger
from cloudmap.samples.luqiao_places import read_places
from cloudmap.samples.luqiao_reports import DAY_S, draw_reports
from cloudmap.samples.luqiao_workbook import write_workbook
from cloudmap.schema import LEDGER_CLASSES, REPAIRS


@pytest.fixture(scope="session")
def reports(luqiao) -> pl.DataFrame:
    frames = [
        pl.read_parquet(luqiao / "truth" / f"{source}.parquet").with_columns(pl.lit(source).alias("source_id")) for source in plan.SOURCES
    ]
    return pl.concat(frames)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    one, other = (digests(write_sample("luqiao", tmp_path / name, scale=0.005)) for name in "ab")
    assert one == other
    assert {Path(name).suffix for name in one} >= {".csv", ".xlsx", ".parquet", ".json"}


def test_classes_of_every_file_add_up_to_its_lines(truth):
    assert len(truth["files"]) == 12
    for entry in truth["files"]:
        assert entry["lines"] == sum(entry["classes"].values())
        assert set(entry["classes"]) == set(LEDGER_CLASSES)
        assert set(entry["repairs"]) <= set(REPAIRS)
    assert truth["totals"]["lines"] == sum(entry["lines"] for entry in truth["files"])


def test_every_kind_of_dirt_occurs_in_every_source_that_has_it(truth):
    small = {entry["source"] for entry in truth["files"] if not entry["dirt"]}
    for source in plan.SOURCES:
        found = {name for entry in truth["files"] if entry["source"] == source for name in entry["dirt"]}
        expected = {kind.name for kind in KINDS if source[0] in kind.sources}
        assert found == expected or (source in small and found <= expected)
    assert set(truth["totals"]["dirt"]) == {kind.name for kind in KINDS}


def test_lines_are_counted_as_an_independent_reader_counts_them(luqiao, truth):
    for entry in truth["files"]:
        path = luqiao / "data" / entry["file"]
        if path.suffix == ".parquet":
            n = pl.read_parquet(path).height
        elif path.suffix == ".xlsx":
            n = openpyxl.load_workbook(path, read_only=True).active.max_row - 1
        else:
            encoding = "utf-8-sig" if entry["source"] == "party" else "gb18030"
            text = path.read_bytes().replace(b"\x00", b"").decode(encoding, errors="replace")
            n = sum(1 for _ in csv.reader(io.StringIO(text, newline=""))) - 1
        assert n == entry["lines"], entry["file"]


def test_loading_finds_every_planted_fault_with_its_exact_count(luqiao, truth, tmp_path):
    city = open_city(luqiao)
    expected = {(entry["source"], entry["file"]): entry for entry in truth["files"]}
    outcomes = load(city, dry=True)
    assert len(outcomes) == len(expected)
    for outcome in outcomes:
        entry = expected[outcome.source_id, outcome.file.name]
        for part in ("lines", "classes", "repairs"):
            assert outcome.ledger[part] == entry[part], (outcome.file.name, part)


def test_only_planted_texts_hold_what_must_be_scrubbed(luqiao, reports):
    frame = pl.read_parquet(sorted((luqiao / "data").glob("food_*.parquet")))
    planted = reports.filter(pl.col("dirt").is_in(["phone_in_text", "identity_in_text", "plate_in_text"]))["source_report_id"]
    changed = frame.filter(pl.col("note") != scrub(frame["note"]))["report_no"]
    assert set(changed) == set(planted) & set(frame["report_no"])
    assert changed.len() > 0


def test_hotspots_hold_the_reports_that_the_truth_counts(truth, reports):
    assert {entry["kind"] for entry in truth["hotspots"]} == {"hotspot", "emerging"}
    for entry in truth["hotspots"]:
        local = pl.col("occurred_at").dt.convert_time_zone("Asia/Shanghai").dt.date()
        inside = reports.filter(
            pl.col("ledger_class") == "located",
            pl.col("category_code") == entry["category"],
            pl.col("microgrid_code").is_in(entry["microgrids"]),
            local.is_between(date.fromisoformat(entry["first_on"]), date.fromisoformat(entry["last_on"])),
            pl.col("dirt").ne_missing("unknown_category"),
        )
        assert inside.height == entry["n"] >= entry["planted_n"] > 4 * entry["expected_n"]
        assert (inside["planted"] == entry["id"]).sum() == entry["planted_n"]


def test_emerging_hotspots_rise():
    drawn = draw_reports(read_places(), scale=2, seed=3)
    for entry in drawn.hotspots:
        if entry["spot"].kind == "emerging":
            when = drawn.events.filter(pl.col("planted") == entry["spot"].id)["reported"]
            first, last = (plan.day_of(day) * DAY_S for day in (entry["spot"].first_on, entry["spot"].last_on + timedelta(days=1)))
            assert (when > (first + last) / 2).mean() > 0.6


def test_silent_microgrids_fall_silent(truth, reports):
    inside = reports.filter(pl.col("microgrid_code").is_in(truth["silent"]["microgrids"]), pl.col("dirt").ne_missing("office"))
    day = inside["reported_at"].dt.convert_time_zone("Asia/Shanghai").dt.date()
    assert (day >= plan.SILENT_FROM).sum() == truth["silent"]["after_n"] == 0
    assert len(truth["silent"]["microgrids"]) == plan.SILENT_N


def test_the_launch_multiplies_reports_by_54():
    weights = plan.day_weights("party")
    at = plan.day_of(plan.LAUNCH_ON)
    assert weights[at:].mean() / weights[:at].mean() == pytest.approx(54, rel=0.03)
    other = plan.day_weights("safety")
    assert other[at:].mean() / other[:at].mean() == pytest.approx(1, rel=0.03)


def test_duplicates_cross_feeds_and_lie_close_together(luqiao, truth, reports):
    listed = pl.read_csv(luqiao / "truth" / "duplicates.csv", schema_overrides={"source_report_id": pl.String})
    assert listed.height == truth["duplicates"]["reports_n"]
    joined = listed.join(reports.drop("cluster"), on=["source_id", "source_report_id"], how="left")
    clusters = joined.group_by("cluster").agg(
        pl.len().alias("n"),
        pl.col("source_id").n_unique().alias("sources"),
        pl.col("category_code").n_unique().alias("categories"),
        (pl.col("reported_at").max() - pl.col("reported_at").min()).alias("span"),
        (pl.col("lon_deg").max() - pl.col("lon_deg").min()).alias("width"),
        pl.col("ledger_class").eq("located").all().alias("located"),
    )
    assert clusters.height == truth["duplicates"]["clusters_n"] > 10
    assert (clusters["n"] == clusters["sources"]).all()
    assert clusters["located"].all()
    assert clusters["categories"].max() == 1
    assert clusters["span"].max() <= timedelta(hours=2 * plan.CLUSTER_HOURS)
    assert clusters["width"].max() < 60 / 97_000  # metres in a degree of longitude here


def test_the_campaign_ends_at_zero(truth, reports):
    weeks = truth["campaign"]["reports_by_week"]
    assert sum(weeks.values()) == truth["campaign"]["reports_n"] > 0
    assert max(weeks) < truth["campaign"]["zero_on"]
    assert reports.filter(pl.col("category_code") == "ST05")["reported_at"].max().date() < plan.CAMPAIGN_ZERO_ON


def test_one_street_is_overdue(truth):
    shares = {street: one["open_past_due_n"] / one["due_n"] for street, one in truth["overdue"]["by_street"].items()}
    assert max(shares, key=shares.get) == plan.OVERDUE_STREET
    assert shares[plan.OVERDUE_STREET] > 0.3


def test_a_label_changes_and_both_are_mapped(luqiao, truth):
    city = open_city(luqiao)
    table = dict(pl.read_csv(city.path(city.source("safety").categories)).iter_rows())
    renamed = truth["renamed"]
    assert table[renamed["before"]] == table[renamed["after"]] == renamed["category"]
    assert min(renamed["n"].values()) > 0


def test_small_files_stay_clean_and_big_ones_get_each_kind_once():
    rng = np.random.default_rng(1)
    assert choose_dirt("party", np.ones(50, dtype=bool), rng).null_count() == 50
    dirt = choose_dirt("safety", np.ones(1000, dtype=bool), rng)
    assert dirt.drop_nulls().n_unique() == sum("s" in kind.sources for kind in KINDS)
    entry = expect_ledger("safety", dirt)
    assert entry["lines"] == 1000 + entry["classes"]["repeated"] + entry["classes"]["superseded"]


def test_a_workbook_keeps_text_numbers_moments_and_gaps(tmp_path):
    from datetime import datetime

    frame = pl.DataFrame(
        {"id": ["007", "=1+1", "<&>"], "x": [1.25, None, float("nan")], "at": [datetime(2018, 1, 2, 3, 4, 5), None, datetime(2018, 1, 1)]}
    )
    write_workbook(tmp_path / "a.xlsx", frame, sheet="表", text_instead={"at": pl.Series([None, None, "2017-02-31"], dtype=pl.String)})
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["表"]
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert rows == [
        ["id", "x", "at"],
        ["007", 1.25, datetime(2018, 1, 2, 3, 4, 5)],
        ["=1+1", None, None],
        ["<&>", "NaN", "2017-02-31"],
    ]
    assert sheet["A3"].data_type != "f"
