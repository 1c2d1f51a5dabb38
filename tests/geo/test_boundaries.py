"""Base maps read and checked: three hand-drawn squares and what goes wrong with them."""

from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from cloudmap.city import City, CitySection, UnitFields, UnitLayer
from cloudmap.errors import BoundaryError, SchemaError
from cloudmap.geo.boundaries import check_units, read_units
from cloudmap.geo.crs import shift
from cloudmap.geo.units import UNIT_COLUMNS
from tests.geo.squares import square

SQUARES = [square(0, 0), square(1, 0), square(2, 0)]
FIELDS = UnitFields(code="code", name="name")


def drawn(shapes=SQUARES, **columns) -> gpd.GeoDataFrame:
    """Units c1, c2, ... named after their number."""
    base = {"code": [f"c{k + 1}" for k in range(len(shapes))], "name": [f"第{k + 1}" for k in range(len(shapes))]}
    return gpd.GeoDataFrame({**base, **columns}, geometry=list(shapes), crs="EPSG:4326")


def city_of(folder, **layers) -> City:
    """A city whose layers are frames (or text, for CSV): name -> (level, frame[, settings])."""
    tables = []
    for name, (level, frame, *more) in layers.items():
        settings = {"fields": FIELDS, **(more[0] if more else {})}
        path = folder / f"{name}.{'csv' if isinstance(frame, str) else 'gpkg'}"
        if isinstance(frame, str):
            path.write_text(frame, encoding="utf-8")
        else:
            path.unlink(missing_ok=True)
            frame.to_file(path, layer=name, driver="GPKG")
        tables.append(UnitLayer(level=level, path=path.name, **settings))
    return City(folder=folder, city=CitySection(name_zh="路桥", name_en="Luqiao", code="331004"), units=tuple(tables))


def problems_of(city, *kinds):
    return [one for one in check_units(city, read_units(city)) if one.kind in kinds]


def test_units_have_our_columns_in_wgs84_whatever_the_owner_calls_them(tmp_path):
    fields = UnitFields(code="代码", name="名", parent="上级", staff="专职", population="人口", valid_from="启用")
    frame = drawn(上级=["p"] * 3, 专职=[1, 2, None], 人口=["342676.0", "1,200", None], 启用=["2016年1月5日", "2016/01/05", None])
    frame = frame.rename(columns={"code": "代码", "name": "名"}).to_crs("EPSG:4549")
    units = read_units(city_of(tmp_path, a=("street", frame, {"fields": fields})))
    read = units.frame("street")
    assert read.columns.tolist() == list(UNIT_COLUMNS)
    assert read.crs.to_epsg() == 4326
    assert read["code"].tolist() == ["c1", "c2", "c3"]
    assert read["parent"].tolist() == ["p"] * 3
    assert read["staff_n"].tolist() == [1, 2, pd.NA]
    assert read["population_n"].tolist() == [342676, 1200, pd.NA]
    assert read["valid_from"].tolist() == [pd.Timestamp(2016, 1, 5), pd.Timestamp(2016, 1, 5), pd.NaT]
    assert shapely.hausdorff_distance(read.geometry.to_numpy(), SQUARES).max() < 1e-8
    assert units.problems == []


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        ([331004001, 331004002, 331004003], "331004001"),
        ([331004001.0, 331004002.0, 331004003.0], "331004001"),
        (["007", "008", "009"], "007"),
    ],
)
def test_codes_are_text_and_keep_their_zeros(tmp_path, codes, text):
    assert read_units(city_of(tmp_path, a=("street", drawn(code=codes)))).frame("street")["code"].iloc[0] == text


@pytest.mark.parametrize("codes", [[3.31004001001001e17] * 3, ["3.31E+17", "3.32E+17", "3.33E+17"]])
def test_codes_that_a_spreadsheet_rounded_are_refused(tmp_path, codes):
    with pytest.raises(BoundaryError, match="digits are lost"):
        read_units(city_of(tmp_path, a=("street", drawn(code=codes))))


def test_a_missing_field_names_the_nearest(tmp_path):
    with pytest.raises(SchemaError, match=r"no field 'cod' \(fields\.code\); did you mean 'code'"):
        read_units(city_of(tmp_path, a=("street", drawn(), {"fields": UnitFields(code="cod", name="name")})))


@pytest.mark.parametrize(("column", "values", "rule"), [("staff", ["two"] * 3, "no count"), ("valid_from", ["spring"] * 3, "no date")])
def test_values_that_cannot_be_read_are_refused(tmp_path, column, values, rule):
    fields = UnitFields(code="code", name="name", **{column: column})
    with pytest.raises(BoundaryError, match=rule):
        read_units(city_of(tmp_path, a=("street", drawn(**{column: values}), {"fields": fields})))


def test_shifted_base_map_comes_home(tmp_path):
    moved = [
        shapely.transform(one, lambda xy: np.column_stack(shift(xy[:, 0], xy[:, 1], source="wgs84", target="gcj02"))) for one in SQUARES
    ]
    units = read_units(city_of(tmp_path, a=("street", drawn(moved), {"crs": "gcj02"})))
    assert shapely.hausdorff_distance(units.frame("street").geometry.to_numpy(), SQUARES).max() < 1e-8


def test_several_files_make_one_level_in_order_of_codes(tmp_path):
    units = read_units(
        city_of(tmp_path, a=("community", drawn(code=["z", "b", "a"])), b=("community", drawn([square(5, 0)], code=["c"], name=["n"])))
    )
    assert units.frame("community")["code"].tolist() == ["a", "b", "c", "z"]
    assert units.levels == ("community",)
    assert units.outline.area == pytest.approx(4 * SQUARES[0].area)


def test_outline_is_the_coarsest_partition_and_levels_run_from_coarse_to_fine(tmp_path):
    city = city_of(
        tmp_path, fine=("microgrid", drawn()), coarse=("street", drawn([square(0, 0, 3, 1)])), over=("grid", drawn(), {"kind": "overlay"})
    )
    units = read_units(city)
    assert units.levels == ("street", "microgrid")
    assert units.outline.equals(square(0, 0, 3, 1))
    assert units.overlays["level"].unique().tolist() == ["grid"]
    with pytest.raises(BoundaryError, match=r"no partition of level 'grid'.*street \(partition\).*grid \(overlay\)"):
        units.frame("grid")


def test_overlays_may_come_without_shapes(tmp_path):
    fields = UnitFields(code="code", name="name", staff="staff")
    city = city_of(
        tmp_path,
        a=("microgrid", drawn()),
        b=("microgrid", "code,name,staff\n0071,新居民一格,2\n0072,新居民二格,0\n", {"kind": "overlay", "fields": fields}),
        c=("microgrid", drawn([None, SQUARES[0]], code=["o1", "o2"]), {"kind": "overlay"}),
    )
    units = read_units(city)
    over = units.frame("microgrid", kind="overlay")
    assert over["code"].tolist() == ["0071", "0072", "o1", "o2"]
    assert over.geometry.isna().tolist() == [True, True, True, False]
    assert over["staff_n"].tolist() == [2, 0, pd.NA, pd.NA]
    assert units.problems == []


def test_a_partition_without_shapes_is_refused_and_with_some_missing_told(tmp_path):
    with pytest.raises(BoundaryError, match="needs shapes"):
        read_units(city_of(tmp_path, a=("street", "code,name\n1,x\n")))
    found = problems_of(city_of(tmp_path, a=("street", drawn([SQUARES[0], None, shapely.Point(121.3, 28.5)]))), "no_shape")
    assert sorted(code for one in found for code in one.codes) == ["c2", "c3"]


def test_units_without_a_code_are_set_aside_and_told(tmp_path):
    units = read_units(city_of(tmp_path, a=("street", drawn(code=["a", None, " "]))))
    assert units.frame("street")["code"].tolist() == ["a"]
    assert [one.kind for one in units.problems] == ["no_code"]
    assert "feature 2, 3" in units.problems[0].message


def test_version_changes_with_file_and_mapping_and_with_nothing_else(tmp_path):
    (tmp_path / "x").mkdir()
    city = city_of(tmp_path / "x", a=("street", drawn()))
    version = read_units(city).version
    assert len(version) == 12
    assert set(version) <= set("0123456789abcdef")
    assert read_units(city).version == version
    (tmp_path / "x").rename(tmp_path / "y")
    moved = city.model_copy(update={"folder": tmp_path / "y"})
    assert read_units(moved).version == version
    other = moved.units[0].model_copy(update={"fields": UnitFields(code="code", name="code")})
    assert read_units(moved.model_copy(update={"units": (other,)})).version != version
    drawn(name=["x", "y", "z"]).to_file(tmp_path / "y" / "a.gpkg", layer="a", driver="GPKG")
    assert read_units(moved).version != version


def test_units_in_force_on_a_day(tmp_path):
    fields = UnitFields(code="code", name="name", valid_from="since", valid_to="until")
    frame = drawn(
        [*SQUARES, SQUARES[1]],
        code=["a", "b", "c", "b"],
        since=[None, None, None, "2017-07-01"],
        until=[None, "2017-07-01", "9999-12-31", None],
    )
    units = read_units(city_of(tmp_path, a=("street", frame, {"fields": fields})))
    assert units.on("street", date(2017, 6, 30))["name"].tolist() == ["第1", "第2", "第3"]
    assert units.on("street", date(2017, 7, 1))["name"].tolist() == ["第1", "第4", "第3"]
    assert units.periods("street") == [(None, date(2017, 7, 1)), (date(2017, 7, 1), None)]


def test_a_sound_base_map_has_no_problem(tmp_path):
    children = [square(column / 2, row / 2, 0.5, 0.5) for column in range(6) for row in range(2)]
    city = city_of(
        tmp_path,
        streets=("street", drawn()),
        grids=(
            "microgrid",
            drawn(children, code=[f"g{k}" for k in range(12)], up=[f"c{k // 4 + 1}" for k in range(12)], s=1, v=1),
            {"fields": UnitFields(code="code", name="name", parent="up", staff="s", volunteers="v")},
        ),
    )
    assert check_units(city, read_units(city)) == []


def test_orphans_and_misplaced_children_are_told(tmp_path):
    fields = UnitFields(code="code", name="name", parent="up")
    city = city_of(tmp_path, s=("street", drawn()), g=("grid", drawn(code=["g1", "g2", "g3"], up=["c1", "c9", "c1"]), {"fields": fields}))
    found = problems_of(city, "orphan_parent", "misplaced")
    assert [(one.kind, one.codes) for one in found] == [("orphan_parent", ("g2",)), ("misplaced", ("g3",))]
    assert "c9" in found[0].message


def test_staffing_counts_both_kinds_and_overlays(tmp_path):
    fields = UnitFields(code="code", name="name", staff="s", volunteers="v")
    city = city_of(
        tmp_path,
        a=("microgrid", drawn(s=[1, 0, 1], v=[1, 1, None]), {"fields": fields}),
        b=("microgrid", "code,name,s,v\no1,x,1,0\n", {"kind": "overlay", "fields": fields}),
    )
    found = problems_of(city, "unstaffed")
    assert [(one.codes, one.message.split(" have ")[1].split(":")[0]) for one in found] == [
        (("c2",), "no staff reporter"),
        (("c3",), "an unknown number of volunteers"),
        (("o1",), "no volunteer"),
    ]
    assert problems_of(city_of(tmp_path, a=("microgrid", drawn())), "unstaffed") == []


def test_community_and_village_may_share_ground_and_fill_each_others_holes(tmp_path):
    ring = square(0, 0, 3, 3).difference(square(1, 1))
    city = city_of(tmp_path, v=("village", drawn([ring])), c=("community", drawn([square(1, 1), square(0, 0)], code=["k1", "k2"])))
    assert problems_of(city, "gap", "overlap", "sliver", "uncovered") == []


def test_ground_of_a_street_that_no_grid_holds_is_told(tmp_path):
    city = city_of(tmp_path, s=("street", drawn()), g=("grid", drawn(SQUARES[:2], code=["g1", "g2"])))
    (found,) = problems_of(city, "uncovered", "gap")
    assert (found.kind, found.codes) == ("uncovered", ("c3",))
    assert found.area_m2 == pytest.approx(shapely.area(gpd.GeoSeries([SQUARES[2]], crs=4326).to_crs(4549).iloc[0]), rel=0.01)


def test_three_thousand_micro_grids_are_checked_in_seconds(tmp_path):
    import time

    side = 54
    cells = [square(column / 10, row / 10, 0.1, 0.1) for column in range(side) for row in range(side)]
    city = city_of(tmp_path, a=("microgrid", drawn(cells)))
    start = time.process_time()
    assert check_units(city, read_units(city)) == []
    assert time.process_time() - start < 10
