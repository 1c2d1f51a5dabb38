"""Geometries as delivered become sound ones, and every repair is counted.

Closed here: rings left open. Mended: shapes that cross themselves (their change of area is told). Flattened: heights and measures.
Taken apart: collections. Set aside: rings of two points, coordinates that are no numbers, shapes that vanish when mended. Refused, because
mending would take hours: shapes with too many vertices or crossings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from cloudmap.errors import SourceError

Shapes = NDArray[Any]
Bools = NDArray[np.bool_]

MAX_VERTICES: Final = 500_000
"""Vertices of one shape; the finest official unit polygons have some ten thousand."""
MAX_CROSSINGS: Final = 1_000
"""Places where one shape crosses itself; an honest drawing has a handful, and mending time grows with their square."""

_CHUNK: Final = 64


@dataclass
class Sound:
    """Geometries that can be used, what was done to them, and what had to be set aside.

    Attributes
    ----------
    shapes : ndarray of shapely geometries, shape (n,)
        None where a feature has no shape or its shape was set aside.
    repairs : dict of str to int
        Kind of repair to number of features.
    evidence : list of str
        What was done, feature by feature for repairs that change areas (the first 20).
    mended : dict of int to (before, after)
        Feature position (0-based) to area in square metres as drawn and as mended.
    rejected : dict of int to (rule, detail)
        Feature position (0-based) to the rule that its shape broke.
    """

    shapes: Shapes
    repairs: dict[str, int] = field(default_factory=dict)
    evidence: list[str] = field(default_factory=list)
    mended: dict[int, tuple[float, float]] = field(default_factory=dict)
    rejected: dict[int, tuple[str, str]] = field(default_factory=dict)

    def count(self, kind: str, where: Bools) -> None:
        """Add the features marked in `where` to a kind of repair."""
        if where.any():
            self.repairs[kind] = self.repairs.get(kind, 0) + int(where.sum())

    def reject(self, where: Bools, rule: str, detail: str) -> None:
        """Set the shapes marked in `where` aside."""
        for position in np.flatnonzero(where):
            self.rejected[int(position)] = (rule, detail)
        self.shapes[where] = None
        self.count(rule, where)


def sound_shapes(wkb: Shapes, *, degrees: bool, name: str) -> Sound:
    """Make the geometries of a layer sound.

    Parameters
    ----------
    wkb : ndarray of bytes or None, shape (n,)
        Geometries as well-known binary.
    degrees : bool
        Whether coordinates are degrees; areas in the evidence are square metres either way (metres assumed otherwise).
    name : str
        The file, for messages.

    Raises
    ------
    SourceError
        A shape has more vertices or crossings than `MAX_VERTICES` or `MAX_CROSSINGS`.
    """
    given = np.array([item is not None for item in wkb], dtype=bool)
    strict = shapely.from_wkb(wkb, on_invalid="ignore")
    shapes = np.array(shapely.from_wkb(wkb, on_invalid="fix"), dtype=object)
    sound = Sound(shapes)
    _refuse_huge(shapes, name)
    sound.reject(given & shapely.is_missing(shapes), "unreadable_shape", "the shape's binary form is broken; export the layer again")
    sound.reject(_two_point_ring(shapes), "two_point_ring", "a ring has fewer than three different corners; draw the shape again")
    sound.reject(~_finite(shapes), "not_finite", "a coordinate is NaN or infinite; draw the shape again")
    sound.count("ring_closed", given & shapely.is_missing(strict) & ~shapely.is_missing(shapes))
    _flatten(sound)
    _mend(sound, degrees=degrees, name=name)
    _unwrap(sound)
    empty = ~shapely.is_missing(sound.shapes) & shapely.is_empty(sound.shapes)
    sound.shapes[empty] = None
    sound.count("empty_shape", empty)
    return sound


def _refuse_huge(shapes: Shapes, name: str) -> None:
    counts = shapely.get_num_coordinates(shapes)
    if counts.size and counts.max() > MAX_VERTICES:
        raise SourceError(
            f"{name}: feature {int(counts.argmax()) + 1} has {int(counts.max()):,} vertices, over the limit of {MAX_VERTICES:,}."
            " Simplify the layer before giving it"
        )


def _two_point_ring(shapes: Shapes) -> Bools:
    """Mark shapes with a ring of fewer than three different corners."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    parts, deeper = shapely.get_parts(parts, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    marked = np.zeros(shapes.shape, dtype=bool)
    if rings.size:
        points, ring = shapely.get_coordinates(rings, return_index=True)
        keep = np.ones(len(points), dtype=bool)
        keep[1:] = (ring[1:] != ring[:-1]) | (points[1:] != points[:-1]).any(axis=1)
        corners = np.bincount(ring[keep], minlength=rings.size)
        marked[owner[deeper[part[(corners > 0) & (corners < 4)]]]] = True
    return marked


def _finite(shapes: Shapes) -> Bools:
    points, owner = shapely.get_coordinates(shapes, return_index=True)
    fine = np.ones(shapes.shape, dtype=bool)
    fine[owner[~np.isfinite(points).all(axis=1)]] = False
    return fine


def _flatten(sound: Sound) -> None:
    tall = shapely.has_z(sound.shapes) | shapely.has_m(sound.shapes)
    sound.count("height_dropped", tall)
    sound.shapes[tall] = shapely.force_2d(sound.shapes[tall])


def _mend(sound: Sound, *, degrees: bool, name: str) -> None:
    broken = ~shapely.is_missing(sound.shapes) & ~shapely.is_valid(sound.shapes)
    for position in np.flatnonzero(broken):
        before = sound.shapes[position]
        if crosses_too_often(before):
            raise SourceError(
                f"{name}: the shape of feature {position + 1} crosses itself more than {MAX_CROSSINGS:,} times"
                f" ({shapely.get_num_coordinates(before):,} vertices): it is no boundary. Draw it again"
            )
        after = shapely.make_valid(before, method="structure", keep_collapsed=False)
        if after.is_empty:
            sound.reject(
                np.arange(len(sound.shapes)) == position, "collapsed_shape", "nothing is left when the shape is mended; draw it again"
            )
            continue
        sound.shapes[position] = after
        sound.count("shape_mended", np.array([True]))
        was, now = area_m2(before, degrees=degrees), area_m2(after, degrees=degrees)
        sound.mended[int(position)] = (was, now)
        if len(sound.mended) <= 20:
            reason = shapely.is_valid_reason(before).split("[")[0].strip()
            sound.evidence.append(f"feature {position + 1}: {reason}: mended, area {was:,.0f} -> {now:,.0f} m2 ({now - was:+,.0f})")


def crosses_too_often(shape: Any) -> bool:
    """Tell whether a shape's edges cross each other more than `MAX_CROSSINGS` times, without counting on when they do.

    Parameters
    ----------
    shape : shapely geometry
    """
    lines = shapely.get_parts(shapely.boundary(shapely.get_parts(shape)))
    points, ring = shapely.get_coordinates(lines, return_index=True)
    along = ring[1:] == ring[:-1]
    edges: Shapes = np.atleast_1d(np.asarray(shapely.linestrings(np.stack([points[:-1][along], points[1:][along]], axis=1))))
    tree = shapely.STRtree(edges)
    found = 0
    for start in range(0, len(edges), _CHUNK):
        left, _ = tree.query(edges[start : start + _CHUNK], predicate="crosses")
        found += len(left)
        if found > 2 * MAX_CROSSINGS:
            return True
    return False


def area_m2(shape: Any, *, degrees: bool) -> float:
    """Return a shape's area in square metres, on a local plane where coordinates are degrees (good to 1%)."""
    if not degrees:
        return float(shapely.area(shape))
    _, south, _, north = shapely.bounds(shape)
    scale = 111_195.0
    squeeze = float(np.cos(np.radians((south + north) / 2)))
    return float(shapely.area(shape)) * scale * scale * squeeze


def _unwrap(sound: Sound) -> None:
    """Keep of a collection its parts of the highest dimension, as one multi-part shape."""
    mixed = ~shapely.is_missing(sound.shapes) & (shapely.get_type_id(sound.shapes) == shapely.GeometryType.GEOMETRYCOLLECTION)
    sound.count("collection_unwrapped", mixed)
    for position in np.flatnonzero(mixed):
        parts = shapely.get_parts(sound.shapes[position])
        while (shapely.get_type_id(parts) >= shapely.GeometryType.MULTIPOINT).any():
            parts = shapely.get_parts(parts)
        if not len(parts):
            sound.shapes[position] = shapely.GeometryCollection()
            continue
        dimensions = shapely.get_dimensions(parts)
        kept = parts[dimensions == dimensions.max()]
        if dimensions.max() == 2:
            whole = shapely.union_all(kept)
        else:
            whole = shapely.multilinestrings(kept) if dimensions.max() == 1 else shapely.multipoints(kept)
        sound.shapes[position] = whole
        if len(kept) < len(parts):
            sound.evidence.append(f"feature {position + 1}: a collection; {len(parts) - len(kept)} part(s) of lower dimension left out")
