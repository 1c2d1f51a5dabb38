"""Every report of a batch ends in one class, with the position it deserves."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from cloudmap.errors import CoordinateError, SchemaError
from cloudmap.geo.crs import shift
from cloudmap.geo.locate import Locator, PileUps, locate
from cloudmap.schema import REPAIR_BIT, flag_counts, located_table
from tests.geo.squares import SIDE, SOUTH, WEST, base_map, city, clean, square, squares

INSIDE = (WEST + 0.25 * SIDE, SOUTH + 0.4 * SIDE)
FAR = (WEST + 9 * SIDE, SOUTH)
NEAR = (WEST + 0.25 * SIDE, SOUTH - 100 / 110_850)
CELLS = ("cell_8", "cell_9", "cell_10")


@pytest.fixture
def place(tmp_path):
    """Locate rows on the squares."""
    units = squares()
    locator, settings = Locator(units, size=64), city(tmp_path)

    def call(rows, *, crs="EPSG:4326", pile_ups=None):
        return locate(rows, city=settings, units=units, locator=locator, crs=crs, pile_ups=pile_ups)

    return call


def crowd(*points, pile_up=True):
    return pl.DataFrame(
        {"x": [p[0] for p in points], "y": [p[1] for p in points], "n": [100] * len(points), "pile_up": [pile_up] * len(points)}
    )


def test_the_table_is_that_of_the_schema_and_other_columns_pass_through(place):
    rows = clean([INSIDE, None])
    out = place(rows)
    assert dict(out.schema) == located_table(("street", "community", "village", "microgrid"), (8, 9, 10)).dtypes
    assert out["report_id"].to_list() == rows["report_id"].to_list()
    assert out["line_no"].to_list() == [2, 3]
    assert out["state"].to_list() == ["closed", "closed"]
    assert out["matter_id"].to_list() == out["report_id"].to_list()


def test_located_has_units_of_all_levels_and_cells(place):
    (row,) = place(clean([INSIDE], unit_named="331004002")).to_dicts()
    assert (row["ledger_class"], row["position"]) == ("located", "point")
    assert [row[f"unit_{level}_code"] for level in ("street", "community", "village", "microgrid")] == [
        "331004001",
        "331004001001",
        "331004001201",
        "331004001001001",
    ]
    assert (row["lon_deg"], row["lat_deg"]) == INSIDE
    assert all(row[cell] for cell in CELLS)
    assert row["flags"] == 0


@pytest.mark.parametrize("point", [None, (0.0, 0.0), (float("nan"), 28.5), (121.3, float("inf"))])
def test_fault_49_no_or_zero_coordinates_are_unmapped(place, point):
    (row,) = place(clean([point], unit_named="河西村")).to_dicts()
    assert (row["ledger_class"], row["position"]) == ("unmapped", "none")
    assert (row["lon_deg"], row["lat_deg"]) == (None, None)
    assert [row[cell] for cell in CELLS] == [None] * 3
    assert (row["unit_village_code"], row["unit_street_code"], row["unit_community_code"]) == ("331004001202", "331004001", None)


def test_fault_54_outside_is_its_own_class_with_a_band(place):
    far, near = place(clean([FAR, NEAR])).to_dicts()
    assert (far["ledger_class"], far["position"], far["flags"]) == ("outside", "outside", 0)
    assert (near["ledger_class"], near["position"], near["flags"]) == ("outside", "outside", REPAIR_BIT["near_boundary"])
    assert [far[cell] for cell in CELLS] == [None] * 3
    assert all(near[cell] for cell in CELLS)
    assert (far["lon_deg"], near["lat_deg"]) == (FAR[0], NEAR[1])
    assert [far["unit_street_code"], near["unit_street_code"]] == [None, None]


def test_coordinates_that_no_globe_has_are_outside(place):
    (row,) = place(clean([(121.3, 95.0)])).to_dicts()
    assert (row["ledger_class"], row["lon_deg"], row["cell_9"]) == ("outside", None, None)


def test_a_pile_up_counts_for_the_unit_it_names_never_for_the_office(place):
    named, unnamed, unknown = place(clean([INSIDE] * 3, unit_named=["331004002001", None, "无此村"]), pile_ups=crowd(INSIDE)).to_dicts()
    for row in (named, unnamed, unknown):
        assert (row["ledger_class"], row["position"]) == ("area_only", "pile_up")
        assert [row[cell] for cell in CELLS] == [None] * 3
        assert row["lon_deg"] == INSIDE[0]
    assert (named["unit_community_code"], named["unit_street_code"]) == ("331004002001", "331004002")
    for row in (unnamed, unknown):
        assert [row[f"unit_{level}_code"] for level in ("street", "community", "village", "microgrid")] == [None] * 4
    assert [row["flags"] for row in (named, unnamed, unknown)] == [0, 0, REPAIR_BIT["unit_unknown"]]


def test_only_a_crowd_on_a_centroid_is_a_centroid(place):
    centroid = (WEST + 0.5 * SIDE, SOUTH + 1.5 * SIDE)
    elsewhere = (WEST + 0.6 * SIDE, SOUTH + 1.6 * SIDE)
    assert place(clean([centroid]))["position"].to_list() == ["point"]
    out = place(clean([centroid, elsewhere]), pile_ups=crowd(centroid, elsewhere, pile_up=False))
    assert out["position"].to_list() == ["centroid", "point"]
    assert out["ledger_class"].to_list() == ["area_only", "located"]
    assert out["cell_9"].is_null().to_list() == [True, False]


def test_a_pile_up_outside_is_outside_and_has_no_cell(place):
    far, near = place(clean([FAR, NEAR]), pile_ups=crowd(FAR, NEAR)).to_dicts()
    assert [far["ledger_class"], near["ledger_class"]] == ["outside", "outside"]
    assert [far["cell_9"], near["cell_9"]] == [None, None]


def test_pile_ups_are_found_in_raw_coordinates_of_any_datum(place):
    lon, lat = shift(np.array([INSIDE[0]]), np.array([INSIDE[1]]), source="wgs84", target="gcj02")
    raw = (float(lon[0]), float(lat[0]))
    counter = PileUps()
    counter.add(np.full(80, raw[0]), np.full(80, raw[1]))
    out = place(clean([raw]), crs="gcj02", pile_ups=counter.decide(min_n=50, share=0.01))
    assert out["position"].to_list() == ["pile_up"]


def test_datum_shifted_is_flagged_where_a_point_moved(place):
    lon, lat = shift(np.array([INSIDE[0]]), np.array([INSIDE[1]]), source="wgs84", target="gcj02")
    out = place(clean([(float(lon[0]), float(lat[0])), None]), crs="gcj02")
    assert out["flags"].to_list() == [REPAIR_BIT["datum_shifted"], 0]
    assert out["lon_deg"][0] == pytest.approx(INSIDE[0], abs=1e-6)
    for same in ("EPSG:4326", "EPSG:4490"):
        assert place(clean([INSIDE]), crs=same)["flags"].to_list() == [0]


def test_projected_metres_are_shifted(place):
    from pyproj import Transformer

    metres = Transformer.from_crs("EPSG:4326", "EPSG:4549", always_xy=True).transform(*INSIDE)
    (row,) = place(clean([metres]), crs="EPSG:4549").to_dicts()
    assert (row["ledger_class"], row["unit_microgrid_code"]) == ("located", "331004001001001")
    assert row["flags"] == REPAIR_BIT["datum_shifted"]


def test_flags_of_before_stay(place):
    out = place(clean([NEAR], flags=REPAIR_BIT["time_repaired"]))
    assert flag_counts(out["flags"]) == {"time_repaired": 1, "near_boundary": 1}


def test_the_day_is_local(tmp_path):
    redrawn = base_map(street=[("A", "a", None, square(0, 0), None, "2017-01-01"), ("B", "b", None, square(0, 0), "2017-01-01", None)])
    rows = clean(
        [INSIDE] * 3,
        occurred_at=[
            datetime(2016, 12, 31, 15, 59, tzinfo=UTC),
            datetime(2016, 12, 31, 16, 0, tzinfo=UTC),
            datetime(2018, 1, 1, tzinfo=UTC),
        ],
    )
    out = locate(rows, city=city(tmp_path, ("street",)), units=redrawn, locator=Locator(redrawn, size=64), crs="EPSG:4326")
    assert out["unit_street_code"].to_list() == ["A", "B", "B"]


def test_no_rows(place):
    assert place(clean([])).height == 0


def test_what_cannot_be_located_at_all_is_refused(place):
    with pytest.raises(SchemaError, match="unit_named"):
        place(clean([INSIDE]).drop("unit_named"))
    with pytest.raises(CoordinateError):
        place(clean([INSIDE]), crs="EPSG:999999")
