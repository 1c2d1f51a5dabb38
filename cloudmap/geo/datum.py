"""Which coordinate system are these points in? An answer with evidence, or "undecided".

Each candidate system is applied to the points, and the results are compared in pairs. Systems that lie far apart (zones, feet) differ in
nearly every point. GCJ-02 and BD-09 differ from WGS84 only along the edge of the city: read with the wrong one, points spill over the
outline on one side and leave a margin empty on the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from cloudmap.geo.coordinates import convertible, in_china_box, to_wgs84
from cloudmap.geo.fit import Fit, beats, best_translation, place_sample
from cloudmap.ingest.crs_names import CGCS2000, OBFUSCATED, WGS84, normalise_crs

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_FITS_SHARE: Final = 0.5
"""A system that puts fewer places than this inside the city is no answer, however bad the others are."""
_NAMED_SHARE: Final = 0.5
_ANCHORS: Final = 3
_ANCHOR_M: Final = 100.0


@dataclass(frozen=True, slots=True)
class NamedUnits:
    """The units that reports name themselves, and a way to find the unit at a point.

    Parameters
    ----------
    codes : array-like of str, shape (n,)
        Unit code per point, "" or None where the report names none.
    locate : callable (lon_deg, lat_deg) -> array of str
        Code of the unit at each WGS84 point, "" or None where there is none.
    """

    codes: ArrayLike
    locate: Callable[[Floats, Floats], ArrayLike]


@dataclass(frozen=True, slots=True)
class DatumVerdict:
    """What the points say about their coordinate system.

    Parameters
    ----------
    crs : str or None
        ``EPSG:4326`` (WGS84 and CGCS2000 alike), ``gcj02``, ``bd09``, another EPSG code; None: undecided.
    evidence : list of str
        Sentences with the numbers behind it.
    scores : dict of candidate to dict
        ``inside_share``, ``named_share`` (0-1) and ``anchor_m`` (metres), as far as they could be computed.
    same_here : tuple of str
        Other candidates that put these points in the same place within 5 m.
    """

    crs: str | None
    evidence: list[str] = field(default_factory=list)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    same_here: tuple[str, ...] = ()


def same_datum(one: str, other: str) -> bool:
    """Tell whether two systems are the same for us: equal, or WGS84 and CGCS2000 degrees."""
    names = {normalise_crs(one), normalise_crs(other)}
    return len(names) == 1 or names == {WGS84, CGCS2000}


def default_candidates(outline: BaseGeometry, *, projected: bool) -> list[str]:
    """List the systems that points of this city may be in.

    Parameters
    ----------
    outline : shapely geometry
        Ground of the city, WGS84.
    projected : bool
        Whether the numbers are too large for degrees: then map projections are listed, else degrees.

    Returns
    -------
    list of str
        In China: WGS84, GCJ-02, BD-09, or the CGCS2000 3-degree zones at the city and beside it, with and without zone prefix.
        Elsewhere: WGS84, or every projection whose registered area of use holds the city.
    """
    lon, lat = outline.centroid.x, outline.centroid.y
    china = bool(in_china_box(lon, lat))
    if not projected:
        return [WGS84, *OBFUSCATED] if china else [WGS84]
    if china:
        zone = round(lon / 3)
        return [f"EPSG:{base + one - 25}" for base in (4534, 4513) for one in (zone, zone + 1, zone - 1) if 25 <= one <= 45]
    from pyproj.aoi import AreaOfInterest
    from pyproj.database import query_crs_info
    from pyproj.enums import PJType

    area = AreaOfInterest(*outline.bounds)
    found = query_crs_info(auth_name="EPSG", pj_types=PJType.PROJECTED_CRS, area_of_interest=area, contains=True)
    names = [f"EPSG:{one.code}" for one in sorted(found, key=lambda one: (_extent(one.area_of_use), int(one.code)))]
    return [name for name in names if convertible(name)]


def _extent(area: Any) -> float:
    return float((area.east - area.west) * (area.north - area.south))


def diagnose_crs(
    x: ArrayLike,
    y: ArrayLike,
    *,
    outline: BaseGeometry,
    anchors: ArrayLike | None = None,
    named: NamedUnits | None = None,
    candidates: Sequence[str] | None = None,
) -> DatumVerdict:
    """Tell which coordinate system points are in, with evidence.

    Parameters
    ----------
    x, y : array-like of float, shape (n,)
        Coordinates as delivered, easting or longitude first. Blank, 0,0 and infinite ones are left out.
    outline : shapely geometry
        Ground of the city, WGS84.
    anchors : array-like of float, shape (m, 4), optional
        Known places, three or more: x and y as this feed has them, true longitude and latitude (WGS84).
    named : NamedUnits, optional
        Units that the reports themselves name: strong evidence, independent of the outline.
    candidates : sequence of str, optional
        Systems to compare; `default_candidates` without.

    Returns
    -------
    DatumVerdict
        Undecided (crs None) where places are few, do not reach the outline, the outline is too coarse, or evidence conflicts.

    Raises
    ------
    CoordinateError
        A candidate is unknown.
    """
    sample = place_sample(x, y)
    anchor = np.zeros((0, 4)) if anchors is None else np.atleast_2d(np.asarray(anchors, dtype=np.float64))
    if sample.size == 0 and len(anchor) == 0:
        return DatumVerdict(None, ["no point has coordinates: undecided"])
    xs, ys = np.asarray(x, dtype=np.float64)[sample], np.asarray(y, dtype=np.float64)[sample]
    if candidates is None:
        probe = np.concatenate([np.column_stack([xs, ys]), anchor[:, :2]])
        candidates = default_candidates(outline, projected=bool(np.mean(are_degrees(probe[:, 0], probe[:, 1])) < 0.5))
    fits, same = _fits(xs, ys, [normalise_crs(one) for one in candidates], outline)
    evidence = [
        f"{fit.name} stands for {', '.join(same[fit.name])} too: within 5 m of each other here"
        for fit in fits
        if same[fit.name] and fit.inside.any()
    ]
    scores: dict[str, dict[str, float]] = {fit.name: {"inside_share": float(fit.inside.mean())} for fit in fits if sample.size}
    winners = [
        _by_outline(fits, outline, evidence),
        _by_names(fits, sample, named, evidence, scores),
        _by_anchors(list(same), anchor, evidence, scores),
    ]
    decided = {one for one in winners if one is not None}
    if len(decided) > 1:
        evidence.append(f"the evidence conflicts ({', '.join(sorted(decided))}): undecided")
    crs = decided.pop() if len(decided) == 1 else None
    return DatumVerdict(crs, evidence, scores, tuple(same[crs]) if crs else ())


def are_degrees(x: Floats, y: Floats) -> Bools:
    """Mark the points whose numbers could be degrees."""
    return (np.abs(x) <= 180) & (np.abs(y) <= 90)


def _fits(x: Floats, y: Floats, names: list[str], outline: BaseGeometry) -> tuple[list[Fit], dict[str, list[str]]]:
    """Apply each candidate; those within 5 m of an earlier one are listed under it."""
    shapely.prepare(outline)
    fits: list[Fit] = []
    same: dict[str, list[str]] = {}
    for name in dict.fromkeys(WGS84 if one == CGCS2000 else one for one in names):
        fit = Fit(name, *to_wgs84(x, y, name), outline)
        twin = next((one for one in fits if one.distance_m(fit) < 5), None)
        if twin:
            same[twin.name].append(name)
        else:
            fits.append(fit)
            same[name] = []
    return fits, same


def _by_outline(fits: list[Fit], outline: BaseGeometry, evidence: list[str]) -> str | None:
    """Name the candidate that beats each other one by what lies inside the outline."""
    if not fits or fits[0].inside.size == 0:
        return None
    ranked = sorted(fits, key=lambda fit: -int(fit.inside.sum()))
    first = ranked[0]
    shown = [fit for fit in ranked if fit.inside.any()][:6] or ranked[:3]
    evidence.append(
        f"{first.inside.size:,} distinct places against the outline; inside: "
        + ", ".join(f"{fit.name} {fit.inside.mean():.1%}" for fit in shown)
    )
    if first.inside.mean() < _FITS_SHARE:
        evidence.append(f"no candidate puts even {_FITS_SHARE:.0%} of the places inside the city: undecided by the outline")
        return None
    for rival in ranked[1:]:
        verdict = beats(first, rival)
        if rival.inside.any():
            evidence.append(verdict.text)
        if not verdict.won:
            evidence.append(f"{first.name} and {rival.name}: undecided by the outline")
            return None
    if any(first.near(fit) for fit in ranked[1:]):
        moved = best_translation(first, outline)
        if moved is not None:
            evidence.append(moved)
            return None
    evidence.append(f"by the outline: {first.name}")
    return first.name


def _by_names(
    fits: list[Fit], sample: NDArray[np.int64], named: NamedUnits | None, evidence: list[str], scores: dict[str, dict[str, float]]
) -> str | None:
    """Name the candidate under which reports lie in the units that they name."""
    if named is None or not fits:
        return None
    codes = np.asarray(named.codes, dtype=object)[sample]
    told = np.array([bool(code) for code in codes], dtype=bool)
    if not told.any():
        return None
    agreed: dict[str, Bools] = {}
    for fit in fits:
        found = np.asarray(named.locate(fit.lon[told], fit.lat[told]), dtype=object)
        agreed[fit.name] = found == codes[told]
        scores[fit.name]["named_share"] = float(agreed[fit.name].mean())
    first, *rivals = sorted(agreed, key=lambda name: -int(agreed[name].sum()))
    shown = ", ".join(f"{name} {agreed[name].mean():.1%}" for name in (first, *rivals[:3]))
    evidence.append(f"{int(told.sum()):,} places lie in the unit that their report names: {shown}")
    if agreed[first].mean() < _NAMED_SHARE:
        evidence.append("fewer than half agree under any candidate: named units decide nothing")
        return None
    for rival in rivals:
        gain, loss = int((agreed[first] & ~agreed[rival]).sum()), int((agreed[rival] & ~agreed[first]).sum())
        if gain < 20 or loss * 4 > gain:
            evidence.append(f"{first} against {rival} by named units: {gain} to {loss} places, undecided")
            return None
    evidence.append(f"by named units: {first}")
    return first


def _by_anchors(names: list[str], anchors: Floats, evidence: list[str], scores: dict[str, dict[str, float]]) -> str | None:
    """Name the candidate that puts known places where they are."""
    if len(anchors) < _ANCHORS:
        if len(anchors):
            evidence.append(f"{len(anchors)} anchor(s): at least {_ANCHORS} are needed to decide anything")
        return None
    medians: dict[str, float] = {}
    for name in names:
        lon, lat = to_wgs84(anchors[:, 0], anchors[:, 1], name)
        east = (lon - anchors[:, 2]) * np.cos(np.radians(anchors[:, 3]))
        medians[name] = float(np.median(np.nan_to_num(np.hypot(east, lat - anchors[:, 3]), nan=np.inf)) * 111_195)
        scores.setdefault(name, {})["anchor_m"] = medians[name]
    first, *rivals = sorted(medians, key=lambda name: medians[name])
    evidence.append(
        f"{len(anchors)} anchors, median distance from their true place: "
        + ", ".join(f"{name} {medians[name]:,.0f} m" for name in (first, *rivals[:3]))
    )
    clear = medians[first] <= _ANCHOR_M and all(medians[rival] >= max(3 * medians[first], 2 * _ANCHOR_M) for rival in rivals)
    evidence.append(f"by anchors: {first}" if clear else "undecided by anchors")
    return first if clear else None
