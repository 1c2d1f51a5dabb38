"""Dated units, overlays, water and landmarks through the reader: each with its own count, none twice in a total."""

import random
from datetime import date, datetime, timedelta

import geopandas as gpd
import polars as pl
import pytest
import shapely

import cloudmap as cm
from cloudmap.access.audience import Audience
from cloudmap.city import open_city
from cloudmap.errors import AccessError, AnalysisError
from cloudmap.pipeline import analyse, load, read
from cloudmap.store import open_store
from tests.conftest import SIDE, SOUTH, WEST
from tests.geo.squares import square

ON = "2018-03-05"
"""A Monday: weeks before it are of the old grids, weeks from it on of the new ones."""
BEFORE, AFTER, LONG = "2018-W06--2018-W09", "2018-W10--2018-W13", "2018-W01--2018-W13"

TOML = """
[city]
name_zh = "四方城"
name_en = "Four Squares"
code = "999002"
resolutions = [8, 9]
tolerance_m = 100

[exposure]
kind = "population"

[[units]]
level = "street"
path = "units.gpkg"
layer = "street"
fields = { code = "code", name = "name", population = "people" }

[[units]]
level = "community"
path = "units.gpkg"
layer = "community"
fields = { code = "code", name = "name", parent = "parent" }

[[units]]
level = "village"
path = "units.gpkg"
layer = "village"
fields = { code = "code", name = "name", parent = "parent" }

[[units]]
level = "grid"
path = "grids.gpkg"
fields = { code = "code", name = "name", parent = "parent", valid_from = "since", valid_to = "until" }

[[units]]
level = "microgrid"
kind = "overlay"
path = "units.gpkg"
layer = "overlay"
fields = { code = "code", name = "name", parent = "parent" }

[[water]]
kind = "canal"
path = "water.gpkg"
fields = { id = "id", name = "name", downstream = "into" }

[[landmarks]]
kind = "market"
path = "markets.gpkg"
fields = { id = "id", name = "name" }

[[sources]]
id = "app"
name_zh = "民情通"
name_en = "Civic app"
path = "app*.csv"
crs = "EPSG:4326"
fields = { id = "编号", category = "类别", occurred_at = "时间", lon = "经度", lat = "纬度", unit_code = "单元" }
"""

STREETS = [("S1", "东街", None, square(0, 0, 2, 1)), ("S2", "西街", None, square(2, 0, 2, 1))]
COMMUNITIES = [("C1", "东社区", "S1", square(0, 0, 2, 1)), ("C2", "西社区", "S2", square(2, 0, 1, 1))]
VILLAGES = [("V1", "东村", "S1", square(0, 0, 2, 1)), ("V2", "西村", "S2", square(3, 0, 1, 1))]
OVERLAYS = [
    ("N1", "新居民微格", "C1", square(0.5, 0.2, 2, 0.6)),
    ("N2", "市场微格", "C2", square(2, 0, 1, 1)),
    ("N3", "五老微格", "C1", None),
]
OLD_GRIDS = [("g1", square(0, 0, 2, 1)), ("g2", square(2, 0)), ("g3", square(3, 0))]
NEW_GRIDS = [("g4", square(0, 0)), ("g5", square(1, 0)), ("g6", square(2, 0)), ("g7", square(3, 0))]


def saved(path, layer, units, **more):
    columns = {"code": [one[0] for one in units], "name": [one[1] for one in units], "parent": [one[2] for one in units], **more}
    gpd.GeoDataFrame(columns, geometry=[one[3] for one in units], crs="EPSG:4326").to_file(path, layer=layer, driver="GPKG")


def write_grids(folder, old, new):
    rows = [(code, f"第{code}网格", None, shape, None, ON) for code, shape in old]
    rows += [(code, f"第{code}网格", None, shape, ON if old else None, None) for code, shape in new]
    (folder / "grids.gpkg").unlink(missing_ok=True)
    saved(folder / "grids.gpkg", "grids", rows, since=[row[4] for row in rows], until=[row[5] for row in rows])


def write_city(folder):
    folder.mkdir()
    for layer, units in (("street", STREETS), ("community", COMMUNITIES), ("village", VILLAGES), ("overlay", OVERLAYS)):
        saved(folder / "units.gpkg", layer, units, **({"people": [4000, 8000]} if layer == "street" else {}))
    write_grids(folder, OLD_GRIDS, NEW_GRIDS)
    lines = [
        shapely.LineString([(WEST, SOUTH + 0.01), (WEST + 2 * SIDE, SOUTH + 0.01)]),
        shapely.LineString([(WEST + 2 * SIDE, SOUTH + 0.01), (WEST + 4 * SIDE, SOUTH)]),
    ]
    canals = gpd.GeoDataFrame({"id": ["w1", "w2"], "name": ["上河", "下河"], "into": ["w2", None]}, geometry=lines, crs="EPSG:4326")
    canals.to_file(folder / "water.gpkg", driver="GPKG")
    market = gpd.GeoDataFrame({"id": ["m1"], "name": ["东市场"]}, geometry=[shapely.Point(WEST + SIDE, SOUTH + 0.01)], crs="EPSG:4326")
    market.to_file(folder / "markets.gpkg", driver="GPKG")
    (folder / "city.toml").write_text(TOML, encoding="utf-8")
    (folder / "app.csv").write_text("\n".join(["编号,类别,时间,经度,纬度,单元", *report_lines()]) + "\n", encoding="utf-8")
    return folder


def report_lines():
    """Some 900 reports with a point; 60 without one, which name an old grid, a new one, an overlay or nothing."""
    rng = random.Random(3)
    lines = []
    for number in range(1040):
        at = datetime(2018, 1, 1) + timedelta(minutes=rng.randrange(98 * 24 * 60))
        category = rng.choice(["路灯", "暴露垃圾", "河道污染", "盗窃"])
        lon, lat = f"{WEST + rng.uniform(0, 4) * SIDE:.6f}", f"{SOUTH + rng.uniform(0, 1) * SIDE:.6f}"
        named = rng.choice(["", "", "", "N3", "N1"])
        if number % 16 == 0:
            lon, lat, named = "", "", rng.choice(["g1", "g2", "g4", "g6", "N1", "N3", "C1", ""])
        lines.append(f"R{number:04d},{category},{at:%Y-%m-%d %H:%M:%S},{lon},{lat},{named}")
    return lines


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_city(tmp_path_factory.mktemp("cities") / "four")
    load(open_city(folder))
    analyse(open_city(folder))
    return folder


@pytest.fixture(scope="module")
def reader(folder):
    return read(open_city(folder), audience=Audience(restricted=True))


def matters(reader, period_id=LONG):
    """Facts of a period that count: the first report of each matter."""
    period = reader.period(period_id)
    local = pl.col("occurred_at").dt.convert_time_zone("Asia/Shanghai").dt.date()
    rows = open_store(reader.city).read("reports").filter(local.is_between(period.first_on, period.last_on))
    told_again = reader.part("matters").filter(pl.col("report_id") != pl.col("matter_id"))["report_id"]
    return rows.filter(~pl.col("report_id").is_in(told_again.implode()))


def counts(reader, layer, period=LONG, **settings):
    return dict(reader.values(layer, "ALL", period, "count", **settings).table.select("place", "value").iter_rows())


def within(rows, shapes):
    """Count located rows by the first of the shapes that covers them, in order of code."""
    rows = rows.filter(pl.col("ledger_class") == "located")
    points = shapely.points(rows["lon_deg"], rows["lat_deg"])
    found = {code: 0 for code, _ in shapes}
    for point in points:
        for code, shape in sorted(shapes):
            if shape.covers(point):
                found[code] += 1
                break
    return found


def test_a_community_and_a_village_on_one_ground_have_each_their_count_and_no_total_has_both(reader):
    rows = matters(reader)
    streets, communities, villages = (counts(reader, f"unit_{level}") for level in ("street", "community", "village"))
    east = within(rows, [("S1", square(0, 0, 2, 1))])["S1"]
    assert communities["C1"] >= east
    assert villages["V1"] == east > 100
    unplaced = reader.unplaced("ALL", LONG)
    assert unplaced["located"] == sum(within(rows, [(code, shape) for code, _, _, shape in STREETS]).values())
    named = rows.filter((pl.col("ledger_class") != "located") & pl.col("unit_street_code").is_not_null()).height
    assert sum(streets.values()) == unplaced["located"] + named
    assert sum(unplaced.values()) == rows.height
    view = reader.place("unit_street", "S1", LONG)
    assert view.total_n == streets["S1"] < communities["C1"] + villages["V1"]


def test_overlays_count_by_shape_or_by_name_and_no_partition_counts_them(reader):
    rows = matters(reader)
    located = rows.filter(pl.col("ledger_class") == "located")
    points = shapely.points(located["lon_deg"], located["lat_deg"])
    named = rows.filter(pl.col("ledger_class") != "located")
    result = reader.values("overlay_microgrid", "ALL", LONG, "count")
    assert dict(result.table.select("place", "value").iter_rows()) == {
        "N1": shapely.covers(OVERLAYS[0][3], points).sum() + (named["overlay_code"] == "N1").sum(),
        "N2": shapely.covers(OVERLAYS[1][3], points).sum(),
        "N3": (rows["overlay_code"] == "N3").sum(),
    }
    assert "overlay_beside" in result.caveats
    assert not {"N1", "N2", "N3"} & {place for layer in reader.layers() if layer.kind == "unit" for place in counts(reader, layer.id)}
    for measure in ("ratio", "hotspot"):
        with pytest.raises(AnalysisError, match="counts only"):
            reader.values("overlay_microgrid", "ALL", LONG, measure)
    for ask in (reader.place, reader.reports):
        with pytest.raises(AnalysisError):
            ask("overlay_microgrid", "N1", LONG)


def test_each_report_counts_for_the_grid_of_its_day_and_on_one_day_for_that_day_s(reader):
    early, late = matters(reader, BEFORE), matters(reader, AFTER)
    old, new = ([(code, shape) for code, shape in grids] for grids in (OLD_GRIDS, NEW_GRIDS))
    assert reader.provenance["on"] == ON
    own, later = within(early, old), within(late, new)
    for rows, period, lying in ((early, BEFORE, own), (late, AFTER, later)):
        without = rows.filter(pl.col("ledger_class") != "located")["unit_grid_code"].to_list()
        assert counts(reader, "unit_grid", period) == {code: lying.get(code, 0) + without.count(code) for code, _ in sorted(old + new)}

    for day, shapes in (("2018-03-05", new), (date(2018, 3, 4), old)):
        for rows, period in ((early, BEFORE), (late, AFTER)):
            result = reader.values("unit_grid", "ALL", period, "count", on=day)
            assert result.table["place"].to_list() == sorted(code for code, _ in shapes)
            assert result.parameters["on"] == str(day)
            assert "fixed_day" in result.caveats
            by_point, got = within(rows, shapes), dict(result.table.select("place", "value").iter_rows())
            # Reports without a point move with their unit where it stayed whole: g1 was split, g2 and g6, g3 and g7 are one ground.
            without = rows.filter(pl.col("ledger_class") != "located")["unit_grid_code"].to_list()
            same = {"g2": {"g2", "g6"}, "g6": {"g2", "g6"}, "g1": {"g1", "g4", "g5"}, "g4": {"g4"}}
            assert got == {code: by_point[code] + sum(one in same.get(code, ()) for one in without) for code, _ in shapes}


def test_on_one_day_a_hotspot_and_a_ratio_have_that_day_s_units(reader):
    assert reader.geometry("unit_grid", on=ON)["place"].tolist() == ["g4", "g5", "g6", "g7"]
    assert len(reader.geometry("unit_grid")) == 7
    hot = reader.values("unit_grid", "ALL", LONG, "hotspot", on=ON).table
    assert sorted(hot["place"]) == ["g4", "g5", "g6", "g7"]
    ratio = reader.values("unit_grid", "ALL", LONG, "ratio", on=ON).table.sort("place")
    assert ratio["exposure"].to_list() == pytest.approx([2000, 2000, 4000, 4000], rel=1e-3)
    assert counts(reader, "unit_street", on=ON) == counts(reader, "unit_street")
    assert counts(reader, "cell_9", on=ON) == counts(reader, "cell_9")
    for layer, day in (("unit_grid", "yesterday"), ("water_canal", ON), ("overlay_microgrid", ON)):
        with pytest.raises(AnalysisError, match="on = "):
            reader.values(layer, "ALL", LONG, "count", on=day)


def test_notebook_cubes_on_one_day_equal_the_page(folder, reader):
    facts = cm.load_facts(open_city(folder), "2018-01", "2018-04", restricted=True)
    for day in (ON, "2018-01-01"):
        cube = cm.build_cube(facts, place="unit", level="grid", on=day)
        assert dict(cube.counts(LONG).iter_rows()) == counts(reader, "unit_grid", on=day)


def test_water_counts_the_reports_beside_it(reader):
    rows = matters(reader).filter(pl.col("ledger_class") == "located")
    points = gpd.GeoSeries(gpd.points_from_xy(rows["lon_deg"], rows["lat_deg"]), crs="EPSG:4326").to_crs("EPSG:4549").to_numpy()
    shapes = reader.geometry("water_canal").to_crs("EPSG:4549").set_index("place").geometry
    distance = pl.DataFrame({one: shapely.distance(shapes[one], points) for one in ("w1", "w2")})
    nearest = distance.select(pl.when(pl.col("w1") <= pl.col("w2")).then(pl.lit("w1")).otherwise(pl.lit("w2")))["literal"]
    least = distance.min_horizontal()
    result = reader.values("water_canal", "ALL", LONG, "count")
    assert dict(result.table.select("place", "value").iter_rows()) == {
        one: ((nearest == one) & (least <= 100)).sum() for one in ("w1", "w2")
    }
    assert "water_beside" in result.caveats
    near = rows.select("report_id").join(reader.near_water(), on="report_id", how="left", maintain_order="left")
    assert near["distance_m"].to_list() == pytest.approx(least.cast(pl.Float32).to_list(), abs=1e-2)
    assert near["reach"].to_list() == nearest.to_list()
    assert reader.reaches().rows() == [("w1", "canal", "上河", ["w2"], 1), ("w2", "canal", "下河", [], 2)]


def test_the_distance_to_water_of_restricted_reports_needs_the_grant(folder, reader):
    without = read(open_city(folder)).near_water()
    theft = open_store(reader.city).read("reports").filter(pl.col("category_code") == "PS01")["report_id"]
    assert theft.is_in(reader.near_water()["report_id"].implode()).any()
    assert not theft.is_in(without["report_id"].implode()).any()
    with pytest.raises(AccessError):
        read(open_city(folder), audience=Audience(kind="outside")).near_water()


def test_what_did_not_change_is_not_counted_again(folder):
    assert analyse(open_city(folder)).redone == ()


def test_landmarks_are_layers_with_shapes_only(reader):
    layer = reader.layer("landmark_market")
    assert (layer.kind, layer.name_en, layer.places_n) == ("landmark", "Markets", 1)
    assert reader.geometry("landmark_market")["name"].tolist() == ["东市场"]
    with pytest.raises(AnalysisError, match="shapes only"):
        reader.values("landmark_market", "ALL", LONG, "count")


def test_after_the_base_map_changed_facts_keep_their_units_and_the_fixed_day_is_right(tmp_path):
    folder = write_city(tmp_path / "four")
    city = open_city(folder)
    load(city)
    analyse(city)
    stored = open_store(city).read("reports")
    assert "base_map_changed" not in read(city).values("unit_grid", "ALL", LONG, "count").caveats
    again = [("h1", square(0, 0, 1.5, 1)), ("h2", square(1.5, 0, 2.5, 1))]
    write_grids(folder, [], again)
    (folder / "grids.crosswalk.csv").write_text("old,new,on\ng2,h2,2018-03-26\ng6,h2,2018-03-26\ng4,h1,2018-03-26\n", encoding="utf-8")
    analysis = analyse(open_city(folder))
    assert analysis.base_map_changed == (1,)
    changed = read(open_city(folder), audience=Audience(restricted=True))
    assert open_store(city).read("reports").equals(stored)
    assert "base_map_changed" in changed.values("unit_grid", "ALL", LONG, "count").caveats
    result = changed.values("unit_grid", "ALL", LONG, "count", on="2018-06-01")
    assert "base_map_changed" not in result.caveats
    rows = matters(changed)
    without = rows.filter(pl.col("ledger_class") != "located")["unit_grid_code"].to_list()
    by_point = within(rows, again)
    assert dict(result.table.select("place", "value").iter_rows()) == {
        "h1": by_point["h1"] + without.count("g4"),
        "h2": by_point["h2"] + without.count("g2") + without.count("g6"),
    }
    assert sum(by_point.values()) == changed.unplaced("ALL", LONG)["located"]
