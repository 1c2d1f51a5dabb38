"""Water and landmarks of the schematic Luqiao, in metres (EPSG:4549): real names, invented courses."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

_METRIC: Final = "EPSG:4549"

# id, name, downstream (None: the sea), course from source to mouth.
_RIVERS: Final = (
    ("RV01", "金清大港", None,
     ((631600, 3158500), (634500, 3158200), (638400, 3158800), (642300, 3159500), (646600, 3159100), (650900, 3159600), (655200, 3159100))),
    ("RV02", "南官河", "RV01", ((636000, 3167400), (635300, 3165200), (634800, 3163400), (634000, 3161400), (634500, 3158200))),
    ("RV03", "三才泾", "RV02", ((623700, 3165500), (626500, 3164000), (630800, 3162800), (634800, 3163400))),
    ("RV04", "青龙浦", "RV01", ((640300, 3168000), (641700, 3165000), (644200, 3162100), (646600, 3159100))),
    ("RV05", "三条河", None, ((647100, 3169000), (648200, 3165000), (651100, 3162400), (655200, 3161800))),
)  # fmt: skip

# Canals run from a share (0-1) of one river's length to a share of another's, so that they form a net.
_CANALS: Final = (
    ("RV02", 0.10, "RV04", 0.15), ("RV02", 0.22, "RV04", 0.30), ("RV02", 0.38, "RV04", 0.42), ("RV02", 0.52, "RV04", 0.55),
    ("RV02", 0.66, "RV04", 0.70), ("RV02", 0.82, "RV01", 0.42), ("RV03", 0.25, "RV02", 0.70), ("RV03", 0.55, "RV02", 0.78),
    ("RV03", 0.75, "RV02", 0.86), ("RV03", 0.15, "RV02", 0.20), ("RV03", 0.40, "RV02", 0.30), ("RV03", 0.70, "RV02", 0.40),
    ("RV04", 0.10, "RV05", 0.15), ("RV04", 0.25, "RV05", 0.30), ("RV04", 0.40, "RV05", 0.50), ("RV04", 0.55, "RV05", 0.66),
    ("RV04", 0.70, "RV05", 0.80), ("RV04", 0.85, "RV01", 0.80), ("RV01", 0.05, "RV02", 0.90), ("RV04", 0.62, "RV01", 0.45),
    ("RV05", 0.60, "RV01", 0.85), ("RV05", 0.75, "RV01", 0.92),
)  # fmt: skip

_LAKE_CENTRE: Final = (629_600, 3_160_600)
MARKETS_N: Final = 24
SCHOOLS_N: Final = 36


def draw_water(outline: Any) -> dict[str, Any]:
    """Draw rivers, canals and a lake.

    Parameters
    ----------
    outline : Polygon
        Outline of the district in EPSG:4549; water ends there.

    Returns
    -------
    dict of str to GeoDataFrame
        ``rivers``, ``canals`` and ``lakes``: id, name, downstream (the id it flows into, None for the sea), geometry.
    """
    import geopandas as gpd
    import shapely

    rng = np.random.default_rng(1)
    courses = {code: _meander(course, rng) for code, _, _, course in _RIVERS}
    rivers = [(code, name, into, shapely.intersection(courses[code], outline)) for code, name, into, _ in _RIVERS]
    canals = []
    for number, (source, start, into, end) in enumerate(_CANALS, 1):
        ends = [courses[source].interpolate(start, normalized=True), courses[into].interpolate(end, normalized=True)]
        line = _meander(tuple((point.x, point.y) for point in ends), rng)
        canals.append((f"CN{number:02d}", f"{number}号河", into, shapely.intersection(line, outline)))
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = 330 + 50 * np.sin(3 * angle) + 35 * np.cos(5 * angle)
    shore = np.column_stack([_LAKE_CENTRE[0] + 1.6 * radius * np.cos(angle), _LAKE_CENTRE[1] + radius * np.sin(angle)])
    lakes = [("LK01", "飞龙湖", "RV03", shapely.Polygon(np.round(shore, 1)))]
    columns = ["id", "name", "downstream", "geometry"]
    drawn = {"rivers": rivers, "canals": canals, "lakes": lakes}
    return {key: gpd.GeoDataFrame(rows, columns=columns, geometry="geometry", crs=_METRIC) for key, rows in drawn.items()}


def draw_landmarks(microgrids: Any) -> dict[str, Any]:
    """Place markets and schools, one at most in a base area.

    Parameters
    ----------
    microgrids : GeoDataFrame
        Columns area_code, area_name and population; EPSG:4549.

    Returns
    -------
    dict of str to GeoDataFrame
        ``markets`` and ``schools``: id, name, geometry (points).
    """
    import geopandas as gpd

    busiest = microgrids.sort_values(["area_code", "population"], ascending=[True, False]).drop_duplicates("area_code")
    drawn = {}
    for key, title, prefix, count in (("markets", "农贸市场", "MK", MARKETS_N), ("schools", "小学", "SC", SCHOOLS_N)):
        chosen = busiest.sample(count, random_state=count).sort_values("area_code")
        codes = [f"{prefix}{number:02d}" for number in range(1, count + 1)]
        points = chosen.geometry.representative_point().to_numpy()
        drawn[key] = gpd.GeoDataFrame({"id": codes, "name": (chosen["area_name"] + title).to_numpy()}, geometry=points, crs=_METRIC)
    return drawn


def _meander(course: tuple[tuple[float, float], ...], rng: np.random.Generator) -> Any:
    """Bend a course slightly between its given points, which stay."""
    import shapely

    line = shapely.segmentize(shapely.LineString(course), 450)
    points = np.asarray(line.coords)
    given = {tuple(point) for point in course}
    moved = points + rng.normal(0, 55, size=points.shape)
    kept = np.array([tuple(point) in given for point in points])
    return shapely.LineString(np.round(np.where(kept[:, None], points, moved), 1))
