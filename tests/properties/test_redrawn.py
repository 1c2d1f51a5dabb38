"""Redrawing moves counts between units and never makes or loses one."""

from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.geo.crosswalk import crosswalk
from cloudmap.geo.locator import Locator
from cloudmap.geo.on_day import locate_on
from tests.geo.squares import SIDE, SOUTH, WEST, base_map, square

ON = ("2016-01-01", "2017-01-01")
DAYS = (date(2015, 6, 1), date(2016, 6, 1), date(2017, 6, 1))
WIDTH = 4

cuts = st.sets(st.sampled_from([0.5, 1, 1.5, 2, 2.5, 3, 3.5]), max_size=4).map(lambda some: [0, *sorted(some), WIDTH])
lattice = st.integers(0, 2 * WIDTH).map(lambda n: n / 2)
points = st.lists(
    st.tuples(st.one_of(lattice, st.floats(0, WIDTH)), st.one_of(st.sampled_from([0, 0.5, 1]), st.floats(0, 1)), st.integers(0, 2)),
    min_size=1,
    max_size=30,
)


def strips(redraws, codes):
    """Grids of one strip of ground, cut anew at each change; the street is all of it."""
    spans = [(None, ON[0]), (ON[0], ON[1]), (ON[1], None)]
    rows = []
    for number, (edges, (start, end)) in enumerate(zip(redraws, spans, strict=True)):
        for at, (low, high) in enumerate(pairwise(edges)):
            rows.append((f"{codes[number]}{at}", "g", "S", square(low, 0, high - low, 1), start, end))
    return base_map(street=[("S", "s", None, square(0, 0, WIDTH, 1))], grid=rows)


def placed(where, locator):
    """Facts as a load would place them, on the day of each."""
    lon, lat = np.array([WEST + x * SIDE for x, _, _ in where]), np.array([SOUTH + y * SIDE for _, y, _ in where])
    days = np.array([DAYS[when] for _, _, when in where], dtype="datetime64[D]")
    frame = pl.DataFrame(
        {
            "occurred_at": [datetime(DAYS[when].year, 6, 1, 12, tzinfo=UTC) for _, _, when in where],
            "ledger_class": ["located"] * len(where),
            "lon_deg": lon,
            "lat_deg": lat,
        }
    )
    codes = {level: locator.unit_codes[level][found] for level, found in locator.places(lon, lat, on=days).items()}
    return frame.with_columns(pl.Series(f"unit_{level}_code", list(found)) for level, found in codes.items())


@settings(max_examples=15, deadline=None)
@given(st.tuples(cuts, cuts, cuts), st.sampled_from(["aaa", "abc", "aba"]), points)
def test_every_point_has_one_unit_on_any_day_and_totals_stay(redraws, codes, where):
    units = strips(redraws, codes)
    locator = Locator(units, size=48)
    facts = placed(where, locator)
    assert facts["unit_grid_code"].null_count() == 0
    for day in DAYS:
        found = locate_on(facts, units, day, timezone="UTC", locator=locator)
        standing = set(units.on("grid", day)["code"])
        assert set(found.frame["unit_grid_code"]) <= standing
        assert found.frame["unit_grid_code"].null_count() == 0
        assert found.counts["grid"]["by_point"] == len(where)
        assert found.frame["unit_street_code"].to_list() == ["S"] * len(where)
        again = locate_on(found.frame, units, day, timezone="UTC", locator=locator)
        assert again.frame.equals(found.frame)


@settings(max_examples=15, deadline=None)
@given(cuts, cuts, points)
def test_the_union_of_splits_is_the_whole(coarse, finer, where):
    """Every old unit is cut further: what it had is what its parts have, whichever day's units are counted."""
    redraws = (coarse, sorted({*coarse, *finer}), coarse)
    units = strips(redraws, "abc")
    locator = Locator(units, size=48)
    facts = placed(where, locator)
    before, after = (locate_on(facts, units, day, timezone="UTC", locator=locator).frame["unit_grid_code"] for day in DAYS[:2])
    parts = crosswalk(units, "grid", DAYS[0], DAYS[1])
    for old in sorted(set(parts["old"])):
        new = set(parts.filter(pl.col("old") == old)["new"])
        inside = after.is_in(list(new))
        # On an edge the lowest code wins, which two geographies may give to two neighbours.
        off_edge = pl.Series([x not in redraws[1] for x, _, _ in where])
        assert (before == old).filter(off_edge).to_list() == inside.filter(off_edge).to_list()


@settings(max_examples=25, deadline=None)
@given(st.tuples(cuts, cuts, cuts), st.sampled_from(["aaa", "abc", "aba"]), st.sampled_from([(0, 1), (1, 2), (0, 2), (2, 0), (1, 0)]))
def test_shares_of_a_unit_add_up_and_none_is_lost_or_made(redraws, codes, way):
    units = strips(redraws, codes)
    source, target = (DAYS[one] for one in way)
    found = crosswalk(units, "grid", source, target)
    assert set(found["old"]) == set(units.on("grid", source)["code"])
    assert set(found["new"]) == set(units.on("grid", target)["code"])
    sums = found.group_by("old").agg(pl.col("share").sum())["share"]
    assert np.allclose(sums.to_numpy(), 1)
    assert found["share"].is_between(0, 1 + 1e-12).all()


@settings(max_examples=10, deadline=None)
@given(st.tuples(cuts, cuts, cuts), points)
def test_named_units_move_whole_or_count_for_the_coarser_unit_only(redraws, where):
    units = strips(redraws, "abc")
    locator = Locator(units, size=48)
    facts = placed(where, locator).with_columns(ledger_class=pl.lit("area_only"))
    for day in DAYS[:2]:
        became = {}
        for when, source in enumerate(DAYS):
            for (old,), news in crosswalk(units, "grid", source, day).group_by("old"):
                became[when, old] = news["new"][0] if news.height == 1 else None
        found = locate_on(facts, units, day, timezone="UTC", locator=locator)
        assert found.frame["unit_street_code"].to_list() == ["S"] * len(where)
        counts = found.counts["grid"]
        assert counts["by_crosswalk"] + counts["unclear"] == len(where)
        for (_, _, when), old, new in zip(where, facts["unit_grid_code"], found.frame["unit_grid_code"], strict=True):
            assert new == became[when, old]
