"""Rows in = rows classed, and one partition unit per point, whatever the points and however the base map overlaps."""

import numpy as np
import polars as pl
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.geo.locate import Locator, PileUps, locate
from tests.geo.squares import SIDE, SOUTH, WEST, base_map, city, clean, square

half = st.integers(-2, 8).map(lambda n: n / 2)
boxes = st.lists(st.tuples(half, half, st.sampled_from([0.5, 1, 2]), st.sampled_from([0.5, 1, 2])), min_size=1, max_size=8)
on_lattice = st.tuples(half, half).map(lambda at: (WEST + at[0] * SIDE, SOUTH + at[1] * SIDE))
anywhere = st.tuples(st.floats(121.2, 121.5), st.floats(28.4, 28.7))
no_place = st.sampled_from([None, (0.0, 0.0), (float("nan"), 28.5), (121.3, 95.0), (float("inf"), 1.0)])
points = st.lists(st.one_of(on_lattice, anywhere, no_place), max_size=30)


@settings(max_examples=60, deadline=None)
@given(boxes, boxes, points, st.sampled_from([None, "s0", "village 1", "nowhere"]))
def test_rows_in_are_rows_classed_and_each_point_has_one_unit_a_level(tmp_path_factory, street, village, where, named):
    units = base_map(
        street=[(f"s{n}", f"street {n}", None, square(*box)) for n, box in enumerate(street)],
        village=[(f"v{n}", f"village {n}", None, square(*box)) for n, box in enumerate(village)],
    )
    rows = clean(where, unit_named=named)
    counter = PileUps()
    counter.add(rows["x"], rows["y"])
    out = locate(
        rows,
        city=city(tmp_path_factory.getbasetemp(), ("street", "village")),
        units=units,
        locator=Locator(units, size=48),
        crs="EPSG:4326",
        pile_ups=counter.decide(min_n=3, share=0.2),
    )
    assert out["report_id"].to_list() == rows["report_id"].to_list()
    assert set(out["ledger_class"]) <= {"located", "area_only", "unmapped", "outside"}

    placed = out.filter(pl.col("ledger_class") == "located")
    for level in ("street", "village"):
        frame = units.frame(level)
        covers = shapely.covers(frame.geometry.to_numpy()[:, None], shapely.points(placed["lon_deg"], placed["lat_deg"])[None, :])
        lowest = [frame["code"][int(np.argmax(one))] if one.any() else None for one in covers.T]
        assert placed[f"unit_{level}_code"].to_list() == lowest
    assert (placed["unit_street_code"].is_not_null() | placed["unit_village_code"].is_not_null()).all()
    assert placed["cell_9"].null_count() == 0
    assert (
        out.filter(pl.col("ledger_class").is_in(["area_only", "unmapped"]))["cell_9"].null_count()
        == out.height - out.filter(pl.col("ledger_class").is_in(["located", "outside"])).height
    )
