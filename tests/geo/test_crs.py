"""Coordinates and datums. Reference pairs: gcoord 1.0.7 (npm, MIT) and prcoords 1.0.5 (npm, CC0), which agree to 0.0001 m."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from cloudmap.errors import CoordinateError
from cloudmap.geo.crs import NamedUnits, check_declared, diagnose_crs, in_china_box, normalise_crs, shift, to_wgs84

PAIRS = np.array(
    [  # WGS84 lon, lat, GCJ-02 lon, lat, BD-09 lon, lat
        (121.28, 28.44, 121.284223234, 28.436794893, 121.290745394, 28.442685747),
        (121.28, 28.65, 121.284239412, 28.646883508, 121.290745737, 28.652770881),
        (121.394286, 28.5, 121.398709472, 28.496982752, 121.405260182, 28.502780493),
        (121.451429, 28.53, 121.455794254, 28.526942534, 121.462217086, 28.533184732),
        (121.508571, 28.56, 121.512755892, 28.556798588, 121.519319905, 28.562511616),
        (121.565714, 28.59, 121.569739178, 28.586677062, 121.576183503, 28.592999879),
        (121.622857, 28.62, 121.626861813, 28.616682568, 121.633445546, 28.622341777),
        (121.68, 28.65, 121.68409912, 28.646792991, 121.690495957, 28.653145149),
        (121.593459, 28.567581, 121.597451784, 28.564225107, 121.60398865, 28.570087362),
        (121.433461, 28.519994, 121.437862027, 28.516963985, 121.444261903, 28.523322471),
        (121.610782, 28.557912, 121.614774108, 28.554555068, 121.621351108, 28.560202511),
        (121.480099, 28.576982, 121.484384025, 28.573872881, 121.490955583, 28.579626659),
    ]
)
AT = {"wgs84": 0, "gcj02": 2, "bd09": 4}

DISTRICT = shapely.from_wkt(
    "POLYGON ((121.30 28.52, 121.34 28.47, 121.41 28.49, 121.48 28.46, 121.55 28.50, 121.58 28.56, 121.52 28.60, 121.49 28.65,"
    " 121.42 28.62, 121.36 28.64, 121.33 28.59, 121.30 28.52))"
)


def metres(lon, lat, true_lon, true_lat):
    return np.hypot((lon - true_lon) * np.cos(np.radians(true_lat)), lat - true_lat) * 111_195


def filling(ground, n=3_000, seed=1):
    """Points spread evenly over some ground, up to its edge."""
    rng = np.random.default_rng(seed)
    west, south, east, north = ground.bounds
    lon, lat = rng.uniform(west, east, 4 * n), rng.uniform(south, north, 4 * n)
    inside = shapely.contains_xy(ground, lon, lat)
    return lon[inside][:n], lat[inside][:n]


def delivered(lon, lat, crs):
    """Coordinates as a feed in some system delivers them."""
    if crs == "EPSG:4326":
        return lon, lat
    if crs in ("gcj02", "bd09"):
        return shift(lon, lat, source="wgs84", target=crs)
    return Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)


@pytest.mark.parametrize("target", ["gcj02", "bd09"])
def test_shifts_forward_as_other_implementations_do(target):
    lon, lat = shift(PAIRS[:, 0], PAIRS[:, 1], source="wgs84", target=target)
    assert metres(lon, lat, PAIRS[:, AT[target]], PAIRS[:, AT[target] + 1]).max() < 0.02


@pytest.mark.parametrize(("source", "target"), [("gcj02", "wgs84"), ("bd09", "wgs84"), ("bd09", "gcj02"), ("gcj02", "bd09")])
def test_shifts_back_to_where_it_came_from(source, target):
    lon, lat = shift(PAIRS[:, AT[source]], PAIRS[:, AT[source] + 1], source=source, target=target)
    assert metres(lon, lat, PAIRS[:, AT[target]], PAIRS[:, AT[target] + 1]).max() < 0.2


@settings(max_examples=50, deadline=None)
@given(st.floats(75, 135), st.floats(5, 53), st.sampled_from(["gcj02", "bd09"]))
def test_round_trip_holds_all_over_china(lon, lat, datum):
    there = shift([lon], [lat], source="wgs84", target=datum)
    back = shift(*there, source=datum, target="wgs84")
    assert metres(back[0], back[1], lon, lat).max() < 0.001
    assert metres(*there, lon, lat).max() > 50


def test_shift_leaves_nan_and_other_countries_alone():
    lon, lat = shift([np.nan, -71.06, 121.37], [28.5, 42.36, np.nan], source="wgs84", target="gcj02")
    np.testing.assert_array_equal(lon, [np.nan, -71.06, 121.37])
    np.testing.assert_array_equal(lat, [28.5, 42.36, np.nan])


def test_shift_does_not_write_into_its_input():
    lon = np.array([121.37])
    shift(lon, [28.57], source="wgs84", target="bd09")
    assert lon[0] == 121.37


def test_shift_refuses_other_names():
    with pytest.raises(CoordinateError, match="to_wgs84"):
        shift([121.0], [28.0], source="wgs84", target="EPSG:4549")


@pytest.mark.parametrize("crs", ["EPSG:4549", "EPSG:4528", "EPSG:4550", "EPSG:4529", "gcj02", "bd09", "EPSG:4490"])
def test_every_system_of_the_region_comes_back_to_wgs84(crs):
    lon, lat = np.array([121.37, 121.55]), np.array([28.57, 28.6])
    back = to_wgs84(*delivered(lon, lat, "EPSG:4326" if crs == "EPSG:4490" else crs), crs)
    assert metres(*back, lon, lat).max() < 0.01


def test_zone_4549_puts_easting_first():
    lon, lat = to_wgs84([634_034.0], [3_162_500.0], "4549")
    assert (round(float(lon[0]), 3), round(float(lat[0]), 3)) == (121.370, 28.571)


def test_coordinates_that_make_no_sense_become_nan():
    lon, lat = to_wgs84([634_034.0, np.nan, np.inf], [3_162_500.0, 1.0, 1.0], "EPSG:4549")
    assert np.isfinite(lon).tolist() == [True, False, False]
    assert np.isnan(lat[1:]).all()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("GCJ-02", "gcj02"),
        ("火星坐标系", "gcj02"),
        ("BD09", "bd09"),
        ("WGS 84", "EPSG:4326"),
        ("cgcs2000", "EPSG:4490"),
        ("4549", "EPSG:4549"),
        ("epsg:2913", "EPSG:2913"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326"),
    ],
)
def test_names_of_one_system_are_one(text, name):
    assert normalise_crs(text) == name


def test_unknown_system_is_refused_with_known_ones():
    with pytest.raises(CoordinateError, match="EPSG:4549"):
        normalise_crs("luqiao local grid")


@pytest.mark.parametrize("crs", ["EPSG:4326", "gcj02", "bd09", "EPSG:4549", "EPSG:4550", "EPSG:4528", "EPSG:4529"])
def test_diagnosis_finds_the_system_of_points_that_fill_the_district(crs):
    verdict = diagnose_crs(*delivered(*filling(DISTRICT), crs), outline=DISTRICT)
    assert verdict.crs == crs, verdict.evidence
    assert verdict.scores[crs]["inside_share"] > 0.99
    assert any(crs in line for line in verdict.evidence)


@pytest.mark.parametrize("crs", ["EPSG:4326", "gcj02"])
def test_diagnosis_survives_two_percent_of_points_elsewhere(crs):
    lon, lat = filling(DISTRICT)
    stray_lon, stray_lat = filling(DISTRICT.buffer(0.05).difference(DISTRICT), 60)
    verdict = diagnose_crs(*delivered(np.append(lon, stray_lon), np.append(lat, stray_lat), crs), outline=DISTRICT)
    assert verdict.crs == crs, verdict.evidence


@pytest.mark.parametrize(
    ("points", "outline"),
    [
        pytest.param(filling(DISTRICT, 40), DISTRICT, id="few points"),
        pytest.param(filling(DISTRICT.centroid.buffer(0.03)), DISTRICT, id="points far from the edge"),
        pytest.param(filling(DISTRICT), shapely.box(*DISTRICT.bounds), id="outline is a box"),
        pytest.param(filling(DISTRICT), DISTRICT.buffer(0.012), id="generous outline"),
        pytest.param(filling(DISTRICT), DISTRICT.simplify(0.05), id="coarse outline"),
        pytest.param(filling(DISTRICT.union(shapely.affinity.translate(DISTRICT, 0.02, -0.015))), DISTRICT, id="ground beyond the outline"),
        pytest.param(tuple(np.repeat(one, 5_000) for one in (121.4, 28.55)), DISTRICT, id="pile-up"),
    ],
)
@pytest.mark.parametrize("crs", ["EPSG:4326", "gcj02"])
def test_diagnosis_says_undecided_rather_than_guess(points, outline, crs):
    verdict = diagnose_crs(*delivered(*points, crs), outline=outline)
    assert verdict.crs is None, verdict.evidence
    assert any("undecided" in line for line in verdict.evidence)


def test_a_base_map_that_is_itself_shifted_is_no_ground_for_a_verdict():
    mars = shapely.transform(DISTRICT, lambda xy: np.column_stack(shift(xy[:, 0], xy[:, 1], source="wgs84", target="gcj02")))
    assert diagnose_crs(*filling(DISTRICT), outline=mars).crs is None


def test_diagnosis_of_nothing_is_undecided():
    assert diagnose_crs([0.0, np.nan], [0.0, 28.5], outline=DISTRICT).crs is None


@pytest.mark.parametrize("crs", ["EPSG:4326", "gcj02", "bd09"])
def test_units_that_reports_name_decide_far_from_the_edge(crs):
    lon, lat = filling(DISTRICT.centroid.buffer(0.02), 400)

    def locate(x, y):
        return np.array([f"{int(a * 200)}-{int(b * 200)}" for a, b in zip(x, y, strict=True)], dtype=object)

    codes = locate(lon, lat)
    codes[::7] = ""
    verdict = diagnose_crs(*delivered(lon, lat, crs), outline=DISTRICT, named=NamedUnits(codes, locate))
    assert verdict.crs == crs, verdict.evidence
    assert verdict.scores[crs]["named_share"] > 0.95


def test_units_named_at_random_decide_nothing():
    lon, lat = filling(DISTRICT.centroid.buffer(0.02), 400)
    names = np.random.default_rng(0).permutation(np.array([f"u{k % 50}" for k in range(lon.size)], dtype=object))
    verdict = diagnose_crs(lon, lat, outline=DISTRICT, named=NamedUnits(names, lambda x, y: np.full(x.size, "u1", dtype=object)))
    assert verdict.crs is None


@pytest.mark.parametrize("crs", ["EPSG:4326", "gcj02", "bd09"])
def test_anchors_decide_without_any_spread(crs):
    lon, lat = PAIRS[:5, 0], PAIRS[:5, 1]
    anchors = np.column_stack([*delivered(lon, lat, crs), lon, lat])
    assert diagnose_crs([], [], outline=DISTRICT, anchors=anchors).crs == crs


def test_conflicting_evidence_is_undecided():
    lon, lat = PAIRS[:5, 0], PAIRS[:5, 1]
    anchors = np.column_stack([*delivered(lon, lat, "bd09"), lon, lat])
    verdict = diagnose_crs(*delivered(*filling(DISTRICT), "gcj02"), outline=DISTRICT, anchors=anchors)
    assert verdict.crs is None
    assert any("conflicts" in line for line in verdict.evidence)


@pytest.mark.parametrize(
    ("centre", "crs", "named"), [((-122.65, 45.52), "EPSG:2913", "EPSG:2269"), ((-71.07, 42.33), "EPSG:2249", "EPSG:2249")]
)
def test_projected_feet_are_found_in_the_registry_of_projections(centre, crs, named):
    ground = shapely.Point(centre).buffer(0.08)
    verdict = diagnose_crs(*delivered(*filling(ground, 200), crs), outline=ground)
    assert verdict.crs == named
    assert crs in (verdict.crs, *verdict.same_here)


def test_candidates_may_be_given():
    ground = shapely.Point(-122.65, 45.52).buffer(0.08)
    points = delivered(*filling(ground, 200), "EPSG:2913")
    assert diagnose_crs(*points, outline=ground, candidates=["EPSG:2249", "EPSG:2913", "EPSG:4326"]).crs == "EPSG:2913"


def test_fault_52_gcj02_declared_as_wgs84_stops_with_the_evidence():
    points = delivered(*filling(DISTRICT), "gcj02")
    with pytest.raises(
        CoordinateError, match=r"(?s)sources\.app.*EPSG:4326 is declared.*gcj02.*crs_confirmed.*inside: gcj02 100"
    ) as stopped:
        check_declared(*points, declared="EPSG:4326", outline=DISTRICT, where="sources.app")
    assert "opposite margin" in str(stopped.value)


def test_fault_52_confirmed_by_the_owner_goes_on_and_keeps_the_evidence():
    verdict = check_declared(*delivered(*filling(DISTRICT), "gcj02"), declared="wgs84", outline=DISTRICT, confirmed=True)
    assert verdict.crs == "EPSG:4326"
    assert "although the points look like gcj02" in verdict.evidence[0]


@pytest.mark.parametrize("crs", ["gcj02", "bd09", "EPSG:4549", "EPSG:4528"])
def test_true_declarations_pass(crs):
    assert check_declared(*delivered(*filling(DISTRICT), crs), declared=crs, outline=DISTRICT).crs == crs


def test_cgcs2000_declared_passes_where_wgs84_is_found():
    assert check_declared(*filling(DISTRICT), declared="EPSG:4490", outline=DISTRICT).crs == "EPSG:4490"


def test_undecided_points_keep_what_is_declared():
    verdict = check_declared(*delivered(*filling(DISTRICT, 30), "gcj02"), declared="gcj02", outline=DISTRICT)
    assert verdict.crs == "gcj02"
    assert verdict.evidence[0] == "declared gcj02"


def test_undeclared_wgs84_passes_and_anything_else_stops():
    points = filling(DISTRICT)
    assert check_declared(*points, declared=None, outline=DISTRICT).crs == "EPSG:4326"
    with pytest.raises(CoordinateError, match=r'no crs is declared and the points are bd09\. Likely source\.crs = "bd09"'):
        check_declared(*delivered(*points, "bd09"), declared=None, outline=DISTRICT)
    with pytest.raises(CoordinateError, match="do not decide it"):
        check_declared(*filling(DISTRICT, 20), declared=None, outline=DISTRICT)


@pytest.mark.parametrize("confirmed", [False, True])
def test_fault_53_projected_metres_declared_as_degrees(confirmed):
    points = delivered(*filling(DISTRICT, 500), "EPSG:4528")
    with pytest.raises(CoordinateError, match=r'means degrees, but x reaches 40,.*Likely source\.crs = "EPSG:4528"'):
        check_declared(*points, declared="EPSG:4326", outline=DISTRICT, confirmed=confirmed)


def test_a_zone_taken_for_its_neighbour_stops():
    with pytest.raises(CoordinateError, match="the points are EPSG:4550"):
        check_declared(*delivered(*filling(DISTRICT, 500), "EPSG:4550"), declared="EPSG:4549", outline=DISTRICT)


def test_degrees_declared_as_metres_stop():
    with pytest.raises(CoordinateError, match="EPSG:4326"):
        check_declared(*filling(DISTRICT), declared="EPSG:4549", outline=DISTRICT)


def test_china_box_keeps_out_what_it_should():
    assert in_china_box([121.4, -71.0, np.nan], [28.6, 42.3, 28.0]).tolist() == [True, False, False]
