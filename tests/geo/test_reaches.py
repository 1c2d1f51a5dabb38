"""Which water flows where, and which of it is nearest: against plain definitions."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from cloudmap.errors import BoundaryError
from cloudmap.geo.reaches import Reaches, reach_graph
from cloudmap.geo.water import check_water
from tests.geo.test_water import city_of, drawn

METRIC = "EPSG:4549"
X, Y = 620_000, 3_158_000


def water(reaches) -> gpd.GeoDataFrame:
    """Reaches as (id, downstream, shape in metres from a corner)."""
    shapes = [shapely.transform(shape, lambda xy: xy + np.array([X, Y])) for _, _, shape in reaches]
    frame = {"id": [one[0] for one in reaches], "kind": "canal", "name": None, "downstream": [one[1] for one in reaches]}
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=METRIC).to_crs("EPSG:4326")


def flowing(links) -> gpd.GeoDataFrame:
    line = shapely.LineString([(0, 0), (1, 1)])
    return water([(source, target, line) for source, target in links])


def degrees(x, y):
    return Transformer.from_crs(METRIC, "EPSG:4326", always_xy=True).transform(np.asarray(x) + X, np.asarray(y) + Y)


def test_flow_goes_down_and_parts_and_its_order_counts_from_the_sources():
    graph = reach_graph(flowing([("sea", None), ("a", "b"), ("b", "c; d"), ("c", "sea"), ("d", "sea"), ("x", "c"), ("lost", "nowhere")]))
    assert graph.downstream("a") == ["b", "c", "d", "sea"]
    assert graph.upstream("c") == ["b", "x", "a"]
    assert dict(zip(graph.ids, graph.order.tolist(), strict=True)) == {"a": 1, "b": 2, "c": 3, "d": 3, "lost": 1, "sea": 4, "x": 1}
    assert graph.circles() == []
    with pytest.raises(BoundaryError, match="no reach 'q'"):
        graph.downstream("q")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=20))
def test_the_closure_is_what_following_the_links_gives_and_circles_are_found(links):
    targets = {source: ";".join(str(target) for one, target in links if one == source) for source in range(9)}
    graph = reach_graph(flowing([(str(source), text or None) for source, text in targets.items()]))
    closure = graph.closure.toarray()
    for source in range(9):
        assert {str(at) for at in np.flatnonzero(closure[source])} - {str(source)} == set(graph.downstream(str(source)))
        assert {str(at) for at in np.flatnonzero(closure[:, source])} - {str(source)} == set(graph.upstream(str(source)))
    in_circle = {str(at) for at in np.flatnonzero(closure.diagonal())}
    assert {one for circle in graph.circles() for one in circle} == in_circle
    for source, target in zip(*graph.flows.nonzero(), strict=True):
        same = any(str(source) in circle and str(target) in circle for circle in graph.circles())
        assert same or graph.order[target] > graph.order[source]


def test_circles_are_told_by_the_check(tmp_path):
    lines = [shapely.LineString([(121.3, 28.5), (121.31, 28.5 + step)]) for step in (0.0, 0.01, 0.02)]
    rivers = drawn(lines, id=["a", "b", "c"], down=["b", "a", "b,q"])
    problems = check_water(city_of(tmp_path, water=[(rivers, {"kind": "river", "fields": {"id": "id", "downstream": "down"}})]))
    assert [(one.kind, one.codes) for one in problems] == [("unknown_downstream", ("c",)), ("flow_circle", ("a", "b"))]


def test_the_nearest_reach_equals_the_plain_search():
    rng = np.random.default_rng(7)
    courses = [shapely.LineString(rng.uniform(0, 9000, size=2) + rng.normal(0, 700, size=(6, 2)).cumsum(axis=0)) for _ in range(40)]
    courses += [shapely.MultiLineString([[(0, 0), (50, 900)], [(8000, 8000), (8000, 8000)]]), shapely.Point(4000, 4000).buffer(600)]
    lake_with_island = shapely.Point(1500, 7000).buffer(500).difference(shapely.Point(1500, 7000).buffer(200))
    frame = water([(f"r{at:02d}", None, shape) for at, shape in enumerate([*courses, lake_with_island])])
    x, y = rng.uniform(-4000, 13_000, size=(2, 1500))
    reaches = Reaches(frame, metric_crs=METRIC)
    reach, distance = reaches.nearest(*degrees(x, y), max_m=1500)
    shapes = frame.sort_values("id").geometry.to_crs(METRIC).to_numpy()
    plain = shapely.distance(shapes[None, :], shapely.points(x + X, y + Y)[:, None])
    near = plain.min(axis=1) <= 1500
    assert near.any()
    assert not near.all()
    assert (reach[~near] == -1).all()
    assert np.isnan(distance[~near]).all()
    assert distance[near] == pytest.approx(plain.min(axis=1)[near], abs=1e-5)
    assert (reach[near] == plain.argmin(axis=1)[near]).mean() > 0.998
    assert (distance[near] == 0).any()
    one_by_one = [reaches.nearest([lon], [lat], max_m=1500)[0][0] for lon, lat in zip(*degrees(x[:8], y[:8]), strict=True)]
    assert one_by_one == reach[:8].tolist()


def test_of_equally_near_reaches_the_lowest_id_is_meant_and_nothing_is_near_to_nowhere():
    fork = [("b", None, shapely.LineString([(0, 0), (1000, 0)])), ("a", None, shapely.LineString([(1000, 0), (2000, 700)]))]
    reaches = Reaches(water(fork), metric_crs=METRIC)
    lon, lat = degrees([1000, 500, 1000, 90_000], [-30, 5, 0, 0])
    reach, distance = reaches.nearest([*lon, np.nan, 200.0], [*lat, 28.5, 95.0])
    assert [None if at < 0 else reaches.ids[at] for at in reach] == ["a", "b", "a", None, None, None]
    assert distance[:3] == pytest.approx([30, 5, 0], abs=1e-3)


def test_water_without_reaches_is_refused():
    with pytest.raises(BoundaryError, match=r"\[\[water\]\]"):
        Reaches(water([]).iloc[:0], metric_crs=METRIC)
