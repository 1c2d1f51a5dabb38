"""Does a partition cover the ground once? Gaps, overlaps, slivers and ground that no unit holds for a time.

Measured in the city's metric CRS. What is narrower than `NOISE_M` comes from rounding and reprojection and is left out; what is narrower
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

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from shapely.geometry.base import BaseGeometry

Shapes = NDArray[Any]

NOISE_M: Final = 0.05
"""Mean width up to which an overlap or gap is rounding."""
SLIVER_M: Final = 1.0
"""Mean width up to which an overlap or gap is a sliver: edges that were meant to be one line."""

_RANKS: Final = (("district",), ("street",), ("community", "village"), ("grid",), ("microgrid",))
"""Levels that cover the ground together."""


@dataclass(frozen=True)
class _Ground:
    """Units of one rank in force at a time, on the plane."""

    levels: tuple[str, ...]
    codes: NDArray[Any]
    level: NDArray[Any]
    shapes: Shapes

    def touching(self, area: BaseGeometry) -> tuple[str, ...]:
        """Return the codes of the units at an area's edge."""
        return tuple(sorted(set(self.codes[shapely.dwithin(self.shapes, area, 0.01)])))


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
    flat = {level: _on_plane(units.frame(level), metric_crs) for level in units.levels}
    ranks = [present for rank in _RANKS if (present := tuple(level for level in rank if level in flat))]
    found: dict[tuple[str, str, tuple[str, ...], int], Problem] = {}
    for rank, coarser in zip(ranks, [None, *ranks[:-1]], strict=True):
        for problem in _rank_problems(units, flat, rank, coarser):
            found.setdefault((problem.kind, problem.level, problem.codes, round(problem.area_m2 or 0)), problem)
    return list(found.values())


def _on_plane(frame: GeoDataFrame, metric_crs: str) -> Shapes:
    shapes: Shapes = np.array(frame.geometry.to_crs(metric_crs).to_numpy(), dtype=object)
    broken = ~shapely.is_missing(shapes) & ~shapely.is_valid(shapes)
    shapes[broken] = shapely.make_valid(shapes[broken], method="structure", keep_collapsed=False)
    return shapes


def _rank_problems(units: Units, flat: dict[str, Shapes], rank: tuple[str, ...], coarser: tuple[str, ...] | None) -> Iterable[Problem]:
    days = _days(units, rank)
    grounds = [(day, until, _ground(units, flat, rank, day)) for day, until in days]
    grounds = [one for one in grounds if len(one[2].codes)]
    unions = []
    for day, _, ground in grounds:
        union = shapely.union_all(ground.shapes)
        unions.append(union)
        yield from _overlaps(ground)
        holes = _holes(union)
        yield from _gaps(ground, holes)
        if coarser is not None:
            yield from _uncovered(_ground(units, flat, coarser, day), shapely.union_all([union, *holes]), rank[-1])
    if len(unions) > 1:
        yield from _validity_gaps(grounds, unions)


def _days(units: Units, rank: tuple[str, ...]) -> list[tuple[date | None, date | None]]:
    """List the spans of days in which the units of a rank do not change."""
    changes = sorted({day for level in rank for span in units.periods(level) for day in span if day is not None})
    edges: list[date | None] = [None, *changes, None]
    return list(pairwise(edges))


def _ground(units: Units, flat: dict[str, Shapes], levels: tuple[str, ...], day: date | None) -> _Ground:
    codes, names, shapes = [], [], []
    for level in levels:
        frame = units.frame(level)
        keep = np.asarray(in_force(frame, day), dtype=bool) & ~shapely.is_missing(flat[level])
        codes.append(frame["code"].to_numpy(dtype=object)[keep])
        names.append(np.full(int(keep.sum()), level, dtype=object))
        shapes.append(flat[level][keep])
    return _Ground(levels, np.concatenate(codes), np.concatenate(names), np.concatenate(shapes))


def _overlaps(ground: _Ground) -> Iterable[Problem]:
    """Compare units of the same level that touch."""
    left, right = shapely.STRtree(ground.shapes).query(ground.shapes, predicate="intersects")
    once = (left < right) & (ground.level[left] == ground.level[right])
    left, right = left[once], right[once]
    parts, pair = shapely.get_parts(shapely.intersection(ground.shapes[left], ground.shapes[right]), return_index=True)
    wide = _width(parts) > NOISE_M
    parts, pair = parts[wide], pair[wide]
    for at in np.unique(pair):
        mine = parts[pair == at]
        area, width = float(shapely.area(mine).sum()), float(_width(mine).max())
        codes = tuple(sorted((ground.codes[left[at]], ground.codes[right[at]])))
        told = f"{' and '.join(codes)} both hold {area:,.0f} m2 (up to {width:.2f} m wide); points there go to {codes[0]}, the lower code"
        yield Problem("overlap" if width > SLIVER_M else "sliver", str(ground.level[left[at]]), codes, area, told)


def _holes(union: BaseGeometry) -> Shapes:
    """Return what a union encloses without covering it, but for rounding."""
    polygons = shapely.get_parts(union)
    rings = shapely.get_rings(polygons)
    filled = shapely.polygons(rings)
    holes: Shapes = np.asarray(shapely.get_parts(shapely.difference(shapely.union_all(filled), union)))
    return holes[_width(holes) > NOISE_M]


def _gaps(ground: _Ground, holes: Shapes) -> Iterable[Problem]:
    area, width = shapely.area(holes), _width(holes)
    for at, hole in enumerate(holes):
        codes = ground.touching(hole)
        kind = "gap" if width[at] > SLIVER_M else "sliver"
        told = f"no unit holds {area[at]:,.0f} m2 ({width[at]:.2f} m wide), next to {', '.join(codes[:6])}; points there lie in none"
        yield Problem(kind, ground.levels[-1], codes, float(area[at]), told)


def _uncovered(above: _Ground, covered: BaseGeometry, level: str) -> Iterable[Problem]:
    """Find ground of the coarser level, at its edge, that no finer unit holds."""
    if not len(above.shapes):
        return
    missing = shapely.difference(above.shapes, covered)
    parts, owner = shapely.get_parts(missing, return_index=True)
    wide = _width(parts) > SLIVER_M
    for at in np.unique(owner[wide]):
        area = float(shapely.area(parts[wide & (owner == at)]).sum())
        code = str(above.codes[at])
        yield Problem("uncovered", level, (code,), area, f"{area:,.0f} m2 of {code} belong to no {level}; reports there have none")


def _validity_gaps(grounds: list[tuple[date | None, date | None, _Ground]], unions: list[BaseGeometry]) -> Iterable[Problem]:
    """Find ground that a unit holds at one time and none at another."""
    ever = shapely.union_all(unions)
    for (day, until, ground), union in zip(grounds, unions, strict=True):
        parts = shapely.get_parts(shapely.difference(ever, union))
        parts = parts[_width(parts) > SLIVER_M]
        if not len(parts):
            continue
        missing, area = shapely.union_all(parts), float(shapely.area(parts).sum())
        codes: set[str] = set()
        for _, _, other in grounds:
            if other is not ground:
                codes.update(other.codes[_width(shapely.intersection(other.shapes, missing)) > SLIVER_M])
        told = (
            f"from {day or 'the beginning'} to {until or 'now'} no unit holds {area:,.0f} m2 that {', '.join(sorted(codes)[:6])} hold"
            " at another time; reports of that time lie in none. Give the version in force then"
        )
        yield Problem("validity_gap", ground.levels[-1], tuple(sorted(codes)), area, told)


def _width(shapes: Shapes) -> NDArray[np.float64]:
    """Return the mean width of each polygon, 0 of what has no area."""
    length = shapely.length(shapes)
    return np.divide(2 * shapely.area(shapes), length, out=np.zeros(length.shape), where=length > 0)
