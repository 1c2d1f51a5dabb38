"""Does a partition cover the ground once? Gaps, overlaps, slivers and ground that no unit holds for a time.

Compared in degrees, as points are located (an edge that is straight there bends by decimetres on a plane, which would open cracks where
three units meet on it), and measured in the city's metric CRS. What is narrower than `NOISE_M` is rounding and left out; what is narrower
than `SLIVER_M` is called a sliver. A community and a village may share ground (they are two levels), and either fills the other's holes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from cloudmap.geo.units import Problem, Units, in_force
from cloudmap.ingest.crs_names import normalise_crs

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Shapes = NDArray[Any]

NOISE_M: Final = 0.05
"""Mean width up to which an overlap or gap is rounding."""
SLIVER_M: Final = 1.0
"""Mean width up to which an overlap or gap is a sliver: edges that were meant to be one line."""

_RANKS: Final = (("district",), ("street",), ("community", "village"), ("grid",), ("microgrid",))
"""Levels that cover the ground together."""
_CRACK_DEG: Final = 0.5 * SLIVER_M / 111_195
"""Half the width of a crack that does not count as a way out of a hole."""


class _Plane:
    """Measure polygons given in degrees."""

    def __init__(self, metric_crs: str) -> None:
        from pyproj import Transformer

        self._transform = Transformer.from_crs("EPSG:4326", normalise_crs(metric_crs), always_xy=True).transform

    def measure(self, shapes: Shapes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return area (square metres) and mean width (metres; 0 of what has no area) of each shape."""
        flat = shapely.transform(shapes, lambda xy: np.column_stack(self._transform(xy[:, 0], xy[:, 1])))
        area, length = shapely.area(flat), shapely.length(flat)
        return area, np.divide(2 * area, length, out=np.zeros(length.shape), where=length > 0)

    def wider(self, shapes: Shapes, width_m: float) -> Shapes:
        """Keep the shapes of more than this mean width."""
        kept: Shapes = shapes[self.measure(shapes)[1] > width_m]
        return kept


@dataclass(frozen=True)
class _Ground:
    """Units of one rank in force at a time."""

    levels: tuple[str, ...]
    codes: NDArray[Any]
    level: NDArray[Any]
    shapes: Shapes

    def touching(self, area: BaseGeometry) -> tuple[str, ...]:
        """Return the codes of the units at an area's edge."""
        return tuple(sorted(set(self.codes[shapely.dwithin(self.shapes, area, 1e-7)])))


def ground_problems(units: Units, *, metric_crs: str) -> list[Problem]:
    """Find gaps, overlaps, slivers and ground without a unit for a time.

    Parameters
    ----------
    units : Units
    metric_crs : str
        CRS in metres, good at the city.

    Returns
    -------
    list of Problem
        Kinds gap, overlap, sliver, uncovered (part of a coarser level's ground) and validity_gap; each once, with codes and area.
    """
    plane = _Plane(metric_crs)
    ranks = [present for rank in _RANKS if (present := tuple(level for level in rank if level in units.levels))]
    found: dict[tuple[str, str, tuple[str, ...], int], Problem] = {}
    for rank, coarser in zip(ranks, [None, *ranks[:-1]], strict=True):
        for problem in _rank_problems(units, plane, rank, coarser):
            found.setdefault((problem.kind, problem.level, problem.codes, round(problem.area_m2 or 0)), problem)
    return list(found.values())


def _rank_problems(units: Units, plane: _Plane, rank: tuple[str, ...], coarser: tuple[str, ...] | None) -> Iterable[Problem]:
    grounds = [(day, until, _ground(units, rank, day)) for day, until in _days(units, rank)]
    grounds = [one for one in grounds if len(one[2].codes)]
    unions = []
    for day, _, ground in grounds:
        union = shapely.union_all(ground.shapes)
        unions.append(union)
        yield from _overlaps(ground, plane)
        holes = plane.wider(_holes(union), NOISE_M)
        yield from _gaps(ground, holes, plane)
        if coarser is not None:
            yield from _uncovered(_ground(units, coarser, day), shapely.union_all([union, *holes]), rank[-1], plane)
    if len(unions) > 1:
        yield from _validity_gaps(grounds, unions, plane)


def _days(units: Units, rank: tuple[str, ...]) -> list[tuple[date | None, date | None]]:
    """List the spans of days in which the units of a rank do not change."""
    changes = sorted({day for level in rank for span in units.periods(level) for day in span if day is not None})
    edges: list[date | None] = [None, *changes, None]
    return list(pairwise(edges))


def _ground(units: Units, levels: tuple[str, ...], day: date | None) -> _Ground:
    codes, names, shapes = [], [], []
    for level in levels:
        frame = units.frame(level)
        frame = frame[in_force(frame, day) & frame.geometry.notna()]
        codes.append(frame["code"].to_numpy(dtype=object))
        names.append(np.full(len(frame), level, dtype=object))
        shapes.append(np.array(frame.geometry.to_numpy(), dtype=object))
    return _Ground(levels, np.concatenate(codes), np.concatenate(names), np.concatenate(shapes))


def _overlaps(ground: _Ground, plane: _Plane) -> Iterable[Problem]:
    """Compare units of the same level that touch."""
    left, right = shapely.STRtree(ground.shapes).query(ground.shapes, predicate="intersects")
    once = (left < right) & (ground.level[left] == ground.level[right])
    left, right = left[once], right[once]
    parts, pair = shapely.get_parts(shapely.intersection(ground.shapes[left], ground.shapes[right]), return_index=True)
    solid = shapely.area(parts) > 0
    parts, pair = parts[solid], pair[solid]
    areas, widths = plane.measure(parts)
    for at in np.unique(pair[widths > NOISE_M]):
        mine = (pair == at) & (widths > NOISE_M)
        area, width = float(areas[mine].sum()), float(widths[mine].max())
        codes = tuple(sorted((ground.codes[left[at]], ground.codes[right[at]])))
        told = f"{' and '.join(codes)} both hold {area:,.0f} m2 (up to {width:.2f} m wide); points there go to {codes[0]}, the lower code"
        yield Problem("overlap" if width > SLIVER_M else "sliver", str(ground.level[left[at]]), codes, area, told)


def _holes(union: BaseGeometry) -> Shapes:
    """Return what a union encloses without covering it; a crack narrower than a sliver does not open a hole."""
    enclosed = _filled_rings(union)
    mended = _filled_rings(shapely.buffer(union, _CRACK_DEG, join_style="mitre"))
    missing: list[Shapes] = [shapely.get_parts(shapely.difference(shapely.union_all(enclosed), union))]
    behind_cracks = mended[~shapely.intersects(mended, shapely.union_all(enclosed))]
    grown = shapely.buffer(behind_cracks, 2 * _CRACK_DEG, join_style="mitre")
    missing.append(shapely.get_parts(shapely.difference(grown, union)))
    return np.concatenate(missing)


def _filled_rings(shape: BaseGeometry) -> Shapes:
    """Return the inner rings of a shape as polygons."""
    polygons = shapely.get_parts(shape)
    rings, owner = shapely.get_rings(polygons, return_index=True)
    inner = np.ones(len(rings), dtype=bool)
    inner[np.unique(owner, return_index=True)[1]] = False
    return np.atleast_1d(np.asarray(shapely.polygons(rings[inner]), dtype=object))


def _gaps(ground: _Ground, holes: Shapes, plane: _Plane) -> Iterable[Problem]:
    for hole, area, width in zip(holes, *plane.measure(holes), strict=True):
        codes = ground.touching(hole)
        kind = "gap" if width > SLIVER_M else "sliver"
        told = f"no unit holds {area:,.0f} m2 ({width:.2f} m wide), next to {', '.join(codes[:6])}; points there lie in none"
        yield Problem(kind, ground.levels[-1], codes, float(area), told)


def _uncovered(above: _Ground, covered: BaseGeometry, level: str, plane: _Plane) -> Iterable[Problem]:
    """Find ground of the coarser level, at its edge, that no finer unit holds."""
    parts, owner = shapely.get_parts(shapely.difference(above.shapes, covered), return_index=True)
    areas, widths = plane.measure(parts)
    for at in np.unique(owner[widths > SLIVER_M]):
        area = float(areas[(owner == at) & (widths > SLIVER_M)].sum())
        code = str(above.codes[at])
        yield Problem("uncovered", level, (code,), area, f"{area:,.0f} m2 of {code} belong to no {level}; reports there have none")


def _validity_gaps(grounds: list[tuple[date | None, date | None, _Ground]], unions: list[BaseGeometry], plane: _Plane) -> Iterable[Problem]:
    """Find ground that a unit holds at one time and none at another."""
    ever = shapely.union_all(unions)
    for (day, until, ground), union in zip(grounds, unions, strict=True):
        parts = plane.wider(shapely.get_parts(shapely.difference(ever, union)), SLIVER_M)
        if not len(parts):
            continue
        missing, area = shapely.union_all(parts), float(plane.measure(parts)[0].sum())
        codes: set[str] = set()
        for _, _, other in grounds:
            if other is not ground:
                shared = shapely.intersection(other.shapes, missing)
                codes.update(other.codes[(shapely.area(shared) > 0) & (plane.measure(shared)[1] > SLIVER_M)])
        told = (
            f"from {day or 'the beginning'} to {until or 'now'} no unit holds {area:,.0f} m2 that {', '.join(sorted(codes)[:6])} hold"
            " at another time; reports of that time lie in none. Give the version in force then"
        )
        yield Problem("validity_gap", ground.levels[-1], tuple(sorted(codes)), area, told)
