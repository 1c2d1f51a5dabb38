"""Levels are independent, boundaries are dated, and a cached raster is worth what it says or nothing."""

from datetime import date

import geopandas as gpd
import numpy as np
import pytest

from cloudmap.errors import BoundaryError
from cloudmap.geo import locator as module
from cloudmap.geo.locator import Locator
from cloudmap.geo.units import Units
from tests.geo.squares import SIDE, SOUTH, WEST, base_map, frame, square, squares


def at(column, row):
    return np.array([WEST + column * SIDE]), np.array([SOUTH + row * SIDE])


def code(locator, level, column, row, on=None):
    found = locator.codes(level, *at(column, row), on=None if on is None else [np.datetime64(on)])[0]
    return None if found < 0 else locator.unit_codes[level][found]


def test_levels_do_not_depend_on_each_other():
    locator = Locator(squares(), size=64)
    assert locator.levels == ("street", "community", "village", "microgrid")
    assert [code(locator, level, 0.25, 0.5) for level in locator.levels] == [
        "331004001",
        "331004001001",
        "331004001201",
        "331004001001001",
    ]
    assert [code(locator, level, 0.5, 1.5) for level in locator.levels] == ["331004001", None, "331004001202", None]
    assert not locator.covers_any(*at(5, 5))[0]
    assert locator.covers_any(*at(0.5, 1.5))[0]


def test_a_point_on_a_shared_border_goes_to_the_lowest_code():
    locator = Locator(squares(), size=64)
    assert code(locator, "street", 1, 1) == "331004001"
    assert code(locator, "street", 2, 2) == "331004002"


def test_a_report_joins_the_boundaries_in_force_on_its_day():
    redrawn = base_map(
        street=[
            ("A", "a", None, square(0, 0), None, "2016-01-01"),
            ("A", "a", None, square(0, 0, 2, 1), "2016-01-01", None),
            ("B", "b", None, square(1, 0), None, "2016-01-01"),
            ("C", "c", None, square(0, 1), "2017-01-01", None),
        ]
    )
    locator = Locator(redrawn, size=64)
    assert locator.dated
    days = ["2015-12-31", "2016-01-01", "2016-12-31", "2017-01-01"]
    assert [code(locator, "street", 1.5, 0.5, on=day) for day in days] == ["B", "A", "A", "A"]
    assert [code(locator, "street", 0.5, 1.5, on=day) for day in days] == [None, None, None, "C"]
    assert code(locator, "street", 1.5, 0.5) == "A"


def test_days_without_any_boundary_take_the_nearest():
    dated = base_map(street=[("A", "a", None, square(0, 0), "2016-01-01", "2017-01-01")])
    locator = Locator(dated, size=64)
    assert not locator.dated
    assert [code(locator, "street", 0.5, 0.5, on=day) for day in ("2010-01-01", "2016-05-01", "2020-01-01")] == ["A", "A", "A"]


def test_several_days_in_one_call():
    redrawn = base_map(
        street=[("A", "a", None, square(0, 0), None, "2016-01-01"), ("B", "b", None, square(0, 0), "2016-01-01", None)],
    )
    locator = Locator(redrawn, size=64)
    lon, lat = np.repeat(at(0.5, 0.5), 3, axis=1)
    days = [date(2015, 1, 1), date(2018, 1, 1), date(2015, 6, 1)]
    assert locator.unit_codes["street"][locator.codes("street", lon, lat, on=np.array(days, dtype="datetime64[D]"))].tolist() == [
        "A",
        "B",
        "A",
    ]


def test_near_the_outline_is_measured_in_metres():
    locator = Locator(squares(), size=64)
    north = SOUTH + 2 * SIDE
    degree_m = 110_850.0
    lat = north + np.array([190.0, 210.0, np.nan]) / degree_m
    assert locator.near_outline(np.full(3, WEST + SIDE), lat, 200.0, "EPSG:4549").tolist() == [True, False, False]


def test_centroids_to_a_millionth_of_a_degree():
    locator = Locator(base_map(street=[("A", "a", None, square(0, 0))]), size=64)
    lon, lat = at(0.5, 0.5)
    assert locator.on_centroid(lon + 9.9e-7, lat)[0]
    assert not locator.on_centroid(lon + 1.1e-6, lat)[0]
    assert not locator.on_centroid(np.array([np.nan]), lat)[0]


def test_the_cache_is_read_and_belongs_to_one_version(tmp_path, monkeypatch):
    Locator(squares(), cache=tmp_path, size=64).places(*at(0.5, 0.5))
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {f"labels-1-0123456789ab-{level}-0-64.npz" for level in ("street", "community", "village", "microgrid")}

    def never(self):
        raise AssertionError("drawn again")

    monkeypatch.setattr(module.LabelRaster, "_draw", never)
    assert code(Locator(squares(), cache=tmp_path, size=64), "village", 0.5, 1.5) == "331004001202"
    other = base_map(village=[("X", "x", None, square(0, 0, 2, 2))])
    with pytest.raises(AssertionError, match="drawn again"):
        code(Locator(other, cache=tmp_path, size=64), "village", 0.5, 1.5)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "labels"])
def test_fault_89_corrupt_cache_is_rebuilt(tmp_path, damage):
    units = squares()
    Locator(units, cache=tmp_path, size=64).places(*at(0.5, 0.5))
    (path,) = tmp_path.glob("*-street-*.npz")
    good = path.read_bytes()
    middle = len(good) // 3
    if damage == "labels":
        with np.load(path) as held:
            digest = held["digest"]
        np.savez_compressed(path, labels=np.full((64, 64), 99, dtype=np.int16), digest=digest)
    else:
        bad = {
            "cut": good[:middle],
            "flipped": good[:middle] + bytes([good[middle] ^ 255]) + good[middle + 1 :],
            "empty": b"",
            "text": b"no archive",
        }
        path.write_bytes(bad[damage])
    assert code(Locator(units, cache=tmp_path, size=64), "street", 1.5, 0.5) == "331004002"
    with np.load(path) as held:
        assert held["labels"].max() == 1


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert code(Locator(squares(), cache=blocked / "cache", size=64), "street", 0.5, 0.5) == "331004001"


def test_units_without_a_shape_are_left_out():
    table = frame("street", [("A", "a", None, square(0, 0)), ("B", "b", None, None)])
    locator = Locator(Units({("street", "partition"): table}, "0123456789ab"), size=64)
    assert locator.unit_codes["street"].tolist() == ["A", "B"]
    assert code(locator, "street", 0.5, 0.5) == "A"


def test_a_base_map_that_cannot_place_anything_is_refused():
    with pytest.raises(BoundaryError, match=r"Add \[\[units\]\]"):
        Locator(Units({}, "0123456789ab"))
    with pytest.raises(BoundaryError, match="no unit has a shape"):
        Locator(base_map(street=[("A", "a", None, None)]))
    with pytest.raises(BoundaryError, match="ever in force"):
        Locator(base_map(street=[("A", "a", None, square(0, 0), "2017-01-01", "2016-01-01")]))
    with pytest.raises(BoundaryError, match="no partition of level 'grid'"):
        Locator(squares(), size=64).codes("grid", [0.0], [0.0])


def test_equals_geopandas_on_a_border_heavy_sample():
    units = squares()
    locator = Locator(units, size=64)
    rng = np.random.default_rng(1)
    lon = WEST + rng.choice(np.arange(-1, 6) / 2, 400) * SIDE
    lat = SOUTH + rng.choice(np.arange(-1, 6) / 2, 400) * SIDE
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat), crs="EPSG:4326")
    for level in locator.levels:
        joined = points.sjoin(units.frame(level)[["code", "geometry"]], predicate="covered_by", how="left")
        expected = joined.groupby(level=0)["code"].min()
        found = [None if one < 0 else locator.unit_codes[level][one] for one in locator.codes(level, lon, lat)]
        assert found == expected.astype(object).where(expected.notna(), None).tolist()
