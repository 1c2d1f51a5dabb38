"""What a reader hands out on the small city, for each audience."""

import polars as pl
import pytest

from cloudmap.access.audience import Audience
from cloudmap.city import open_city
from cloudmap.errors import AccessError, AnalysisError
from cloudmap.pipeline import analyse, load, read
from cloudmap.store import open_store
from tests.conftest import report_lines, write_city

PERIOD = "2018-W10--2018-W13"


@pytest.fixture(scope="module")
def reader(analysed_city):
    return read(open_city(analysed_city))


@pytest.fixture(scope="module")
def granted(analysed_city):
    return read(open_city(analysed_city), audience=Audience(restricted=True))


@pytest.fixture(scope="module")
def outside(analysed_city):
    return read(open_city(analysed_city), audience=Audience(kind="outside"))


def _facts(reader, period_id):
    period = reader.period(period_id)
    local = pl.col("occurred_at").dt.convert_time_zone("Asia/Shanghai").dt.date()
    return open_store(reader.city).read("reports").filter(local.is_between(period.first_on, period.last_on))


def test_counts_of_ordinary_categories_are_exact(reader):
    expected = _facts(reader, PERIOD).filter(pl.col("category_code") == "FC02").drop_nulls("cell_9").height
    table = reader.values("cell_9", "FC02", PERIOD, "count").table
    assert table["value"].sum() == expected > 0
    assert not table["masked"].any()


def test_totals_leave_restricted_categories_out_so_that_no_subtraction_gives_them(reader, granted):
    without, whole = (one.values("unit_street", "ALL", PERIOD, "count").table["value"].sum() for one in (reader, granted))
    theft = _facts(reader, PERIOD).filter(pl.col("category_code") == "PS01").height
    assert whole - without == theft > 0
    assert "ordinary_only" in reader.values("unit_street", "ALL", PERIOD, "count").caveats


def test_small_counts_of_restricted_categories_are_masked_and_large_ones_shown(reader, granted):
    shown = reader.values("unit_street", "PS01", "2018-W12", "count").table
    true = dict(granted.values("unit_street", "PS01", "2018-W12", "count").table.select("place", "n").iter_rows())
    for place, value, masked in shown.select("place", "value", "masked").iter_rows():
        assert masked == (0 < true[place] < 10)
        assert value == (None if masked else true[place])
    assert shown["masked"].any()


def test_a_hotspot_verdict_of_a_restricted_category_is_refused_without_the_grant(reader, granted):
    with pytest.raises(AccessError, match="restricted"):
        reader.values("cell_9", "PS01", PERIOD, "hotspot")
    assert granted.values("cell_9", "PS01", PERIOD, "hotspot").table.height


def test_what_goes_outside_masks_every_small_count_and_no_rows(outside, reader):
    table = outside.values("cell_9", "ALL", PERIOD, "hotspot").table
    true = reader.values("cell_9", "ALL", PERIOD, "hotspot").table
    small = true.filter(pl.col("n").is_between(1, 4))["place"].to_list()
    masked = table.filter(pl.col("masked"))
    assert sorted(masked["place"]) == sorted(small)
    assert masked.select("n", "value", "z", "p", "q", "class", "neighbourhood_n").null_count().row(0) == (masked.height,) * 7
    for refused in (outside.all_reports, outside.quarantine):
        with pytest.raises(AccessError, match="outside"):
            refused()
    with pytest.raises(AccessError):
        outside.values("unit_street", "PS01", PERIOD, "count")


def test_the_planted_crowd_is_hot_and_only_there(reader):
    table = reader.values("cell_9", "ALL", PERIOD, "hotspot").table
    hot = table.filter(pl.col("class") == "hot")
    shapes = reader.geometry("cell_9").set_index("place").loc[hot["place"].to_list()]
    assert hot.height >= 2
    centre = shapes.geometry.representative_point()
    assert ((centre.x - 121.33).abs() < 0.012).all()
    assert ((centre.y - 28.51).abs() < 0.012).all()


def test_ratio_stands_on_the_declared_population(reader):
    table = reader.values("unit_street", "ALL", PERIOD, "ratio").table.sort("place")
    total, people = table["n"].sum(), [4000, 8000, 2000]
    assert table["expected"].to_list() == pytest.approx([total * one / 14000 for one in people])
    assert table["value"].to_list() == pytest.approx((table["n"] / table["expected"]).to_list())


def test_population_is_spread_to_cells_without_loss(reader):
    table = reader.values("cell_9", "ALL", PERIOD, "ratio").table
    assert table["exposure"].sum() == pytest.approx(14000, rel=0.02)


def test_a_category_that_is_counted_but_never_scored_has_no_verdict(granted):
    with pytest.raises(AnalysisError, match="never scored"):
        granted.values("cell_9", "LV05", PERIOD, "hotspot")


def test_a_place_tells_its_categories_weeks_and_verdict(reader):
    view = reader.place("unit_street", "999001002", PERIOD)
    rows = _facts(reader, PERIOD).filter((pl.col("unit_street_code") == "999001002") & (pl.col("category_code") != "PS01"))
    assert (view.name, view.total_n) == ("中街", rows.height)
    assert view.by_week["week_on"].diff().drop_nulls().dt.total_days().unique().to_list() == [7]
    weeks = view.by_week.filter(pl.col("week_on").is_between(reader.period(PERIOD).first_on, reader.period(PERIOD).last_on))
    assert weeks["n"].sum() == rows.height
    assert view.hotspot["n"] == rows.height


def test_the_list_of_a_place_has_no_text_and_no_restricted_report(reader, granted):
    rows = reader.reports("unit_street", "999001002", PERIOD)
    assert not {"text", "address", "reporter_hash"} & set(rows.columns)
    assert "PS01" not in rows["category_code"].to_list()
    assert "PS01" in granted.reports("unit_street", "999001002", PERIOD)["category_code"].to_list()
    assert rows["occurred_at"].is_sorted(descending=True)


def test_all_reports_have_the_fixed_shape_and_restricted_ones_no_point(reader):
    rows = reader.all_reports()
    assert rows.columns == [
        "report_id", "source_id", "source_report_id", "category_code", "category_raw", "occurred_at", "reported_at", "closed_at", "due_at",
        "state", "lon_deg", "lat_deg", "position", "unit_street_code", "cell_8", "cell_9", "cell_10", "matter_id",
    ]  # fmt: skip
    theft = rows.filter(pl.col("category_code") == "PS01")
    assert theft["lon_deg"].is_null().all()
    assert theft["cell_9"].is_null().all()
    assert theft["position"].unique().to_list() == ["coarsened"]
    assert rows.filter(pl.col("category_code") == "FC02")["cell_9"].dtype == pl.Int64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cell_7", "ALL", PERIOD, "count"), "cell_7"),
        (("cell_9", "XX", PERIOD, "count"), "XX"),
        (("cell_9", "ALL", "2031-W10--2031-W12", "count"), "within the data"),
        (("water_canal", "ALL", PERIOD, "hotspot"), "counts only"),
    ],
)
def test_what_is_not_offered_is_refused_by_name(reader, arguments, message):
    with pytest.raises(AnalysisError, match=message):
        reader.values(*arguments)


def test_geometry_of_each_layer_has_its_places(reader):
    for layer in reader.layers():
        shapes = reader.geometry(layer.id)
        assert len(shapes) == layer.places_n
        assert shapes.crs.to_epsg() == 4326
    assert set(reader.geometry("cell_9")["name"]) >= {"东街", "中街", "西街"}


def test_a_matter_told_twice_shows_its_reports_and_the_reasons(tmp_path):
    lines = report_lines(400)
    told = [line.split(",") for line in lines if ",路灯," in line][:5]
    again = [",".join([f"Z{i}", *fields[1:5], *fields[5:]]) for i, fields in enumerate(told)]
    city = open_city(write_city(tmp_path / "three", [*lines, *again]))
    load(city)
    analyse(city)
    reader = read(city)
    year = next(one for one in reader.periods() if one.weeks_n == 13)
    matters = [one for street in ("001", "002", "003") for one in reader.matters("unit_street", f"999001{street}", year.id, "FC02")]
    for matter in matters:
        assert matter.reports.height == matter.links.height + 1 == 2
        assert matter.reports["matter_id"].unique().to_list() == [matter.matter_id]
        assert "same_record" in matter.links["reasons"][0]
        assert not {"text", "address"} & set(matter.reports.columns)
    within = [fields for fields in told if str(year.first_on) <= fields[2][:10] <= str(year.last_on)]
    assert len(matters) == len(within) > 0


def test_matters_are_refused_outside(outside):
    with pytest.raises(AccessError):
        outside.matters("unit_street", "999001002", PERIOD)


def test_both_counts_are_kept_reports_beside_matters(reader):
    table = reader.values("unit_street", "ALL", PERIOD, "count").table
    rows = _facts(reader, PERIOD).filter(pl.col("category_code") != "PS01").drop_nulls("unit_street_code")
    assert table["reports_n"].sum() == rows.height
    assert (table["reports_n"] >= table["n"]).all()
