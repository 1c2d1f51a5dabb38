"""Where synthetic reports of Luqiao lie: points well inside a micro-grid, and points that are wrong on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from cloudmap.samples.luqiao_map import METRIC
from cloudmap.samples.origin import boundaries_folder

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Texts = NDArray[np.object_]

EDGE_M: Final = 4.0
"""Points stay this far from the edges of their micro-grid, so that no rounding or datum moves one into the next."""

OUTLINE_M: Final = 120.0
"""Points stay this far from the outline: the tolerance band (100 m) holds only what was put there."""

NEAR_M: Final = 50.0
"""How far outside the outline a point lies that is just outside."""


@dataclass(frozen=True)
class Places:
    """The micro-grids that reports lie in.

    Attributes
    ----------
    codes, names, streets, areas, area_names : array of str, shape (n,)
        Micro-grid code and name, code of its street, code and name of its community (or village where it has none).
    street_names : array of str, shape (n,)
    population, staff, volunteers : array of int, shape (n,)
    centres : array of float, shape (n, 2)
        A point inside each, metres (EPSG:4549).
    """

    codes: Texts
    names: Texts
    streets: Texts
    street_names: Texts
    areas: Texts
    area_names: Texts
    population: Ints
    staff: Ints
    volunteers: Ints
    centres: Floats
    inner: Texts
    outline: Any
    _corners: Floats
    _cumulated: Floats
    _first: Ints

    def points_in(self, microgrid: Ints, rng: np.random.Generator) -> Floats:
        """Draw a point in each of the given micro-grids, uniform over its inside; shape (n, 2), metres."""
        below = np.where(self._first[microgrid] > 0, self._cumulated[self._first[microgrid] - 1], 0.0)
        above = self._cumulated[self._first[microgrid + 1] - 1]
        triangle = np.searchsorted(self._cumulated, below + rng.random(len(microgrid)) * (above - below), side="right")
        corners = self._corners[np.minimum(triangle, self._first[microgrid + 1] - 1)]
        one, two = rng.random((2, len(microgrid), 1))
        root = np.sqrt(one)
        return np.asarray((1 - root) * corners[:, 0] + root * (1 - two) * corners[:, 1] + root * two * corners[:, 2])

    def points_near(self, points: Floats, microgrid: Ints, radius_m: float, rng: np.random.Generator) -> Floats:
        """Move points by up to `radius_m`; those that would leave the inside of their micro-grid stay where they are."""
        import shapely

        angle, away = rng.uniform(0, 2 * np.pi, len(points)), radius_m * np.sqrt(rng.random(len(points)))
        moved = points + np.column_stack([away * np.cos(angle), away * np.sin(angle)])
        kept = shapely.contains_xy(self.inner[microgrid], moved[:, 0], moved[:, 1])
        return np.where(kept[:, None], moved, points)

    def points_outside(self, n: int, rng: np.random.Generator, *, near: bool) -> Floats:
        """Draw points outside the district: `NEAR_M` metres off its outline, or 30 to 60 km from its middle."""
        import shapely

        if near:
            ring = self.outline.buffer(NEAR_M).exterior
            return np.asarray(shapely.get_coordinates(shapely.line_interpolate_point(ring, rng.random(n), normalized=True)))
        angle, away = rng.uniform(0, 2 * np.pi, n), rng.uniform(30_000, 60_000, n)
        centre = self.outline.centroid
        return np.column_stack([centre.x + away * np.cos(angle), centre.y + away * np.sin(angle)])

    def around(self, microgrid: int, n: int) -> Ints:
        """List the `n` micro-grids nearest to one, itself first."""
        away = np.hypot(*(self.centres - self.centres[microgrid]).T)
        return np.argsort(away, kind="stable")[:n]


def spell(texts: Iterable[str], at: ArrayLike) -> pl.Series:
    """Return the texts at the given positions, as a column."""
    return pl.Series(list(texts), dtype=pl.String).gather(pl.Series(np.asarray(at)).cast(pl.UInt32))


@lru_cache(maxsize=1)
def read_places() -> Places:
    """Read the committed base map.

    Raises
    ------
    SourceError
        The base map is not where a checkout has it.
    """
    import geopandas as gpd
    import shapely

    folder = boundaries_folder("luqiao")
    micro = gpd.read_file(folder / "microgrids.gpkg", layer="微格").to_crs(METRIC)
    names: dict[str, str] = {}
    for frame in (gpd.read_file(folder / "streets.zip", encoding="GBK"), gpd.read_file(folder / "communities.gpkg")):
        names.update(zip(frame["代码"], frame["名称"], strict=True))
    villages = gpd.read_parquet(folder / "villages.parquet")
    names.update(zip(villages["代码"], villages["名称"], strict=True))
    shapes = micro.geometry.to_numpy()
    outline = shapely.coverage_union_all(shapes)
    inner = shapely.intersection(shapely.buffer(shapes, -EDGE_M), outline.buffer(-OUTLINE_M))
    triangles, owner = shapely.get_parts(shapely.constrained_delaunay_triangles(inner), return_index=True)
    streets, areas = micro["街道代码"].to_numpy(object), micro["社区代码"].fillna(micro["村代码"]).to_numpy(object)
    return Places(
        codes=micro["代码"].to_numpy(object),
        names=micro["名称"].to_numpy(object),
        streets=streets,
        street_names=np.array([names[one] for one in streets], dtype=object),
        areas=areas,
        area_names=np.array([names[one] for one in areas], dtype=object),
        population=micro["人口"].to_numpy(np.int64),
        staff=micro["网格员数"].to_numpy(np.int64),
        volunteers=micro["志愿者数"].to_numpy(np.int64),
        centres=shapely.get_coordinates(shapely.point_on_surface(inner)),
        inner=inner,
        outline=outline,
        _corners=shapely.get_coordinates(triangles).reshape(-1, 4, 2)[:, :3],
        _cumulated=np.cumsum(shapely.area(triangles)),
        _first=np.searchsorted(owner, np.arange(len(micro) + 1)),
    )
