"""A feed's declared coordinate system against what its points say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cloudmap.errors import CoordinateError
from cloudmap.geo.datum import DatumVerdict, NamedUnits, are_degrees, default_candidates, diagnose_crs, same_datum
from cloudmap.geo.fit import place_sample
from cloudmap.ingest.crs_names import WGS84, is_geographic, normalise_crs

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Floats = NDArray[np.float64]


def check_declared(
    x: ArrayLike,
    y: ArrayLike,
    *,
    declared: str | None,
    outline: BaseGeometry,
    confirmed: bool = False,
    where: str = "source",
    anchors: ArrayLike | None = None,
    named: NamedUnits | None = None,
) -> DatumVerdict:
    """Settle the coordinate system of a feed: what it declares, unless its points say otherwise.

    Parameters
    ----------
    x, y : array-like of float, shape (n,)
        Coordinates as delivered.
    declared : str or None
        What the city file says; None where it says nothing.
    outline : shapely geometry
        Ground of the city, WGS84.
    confirmed : bool, default False
        The owner has seen the evidence and insists (``crs_confirmed = true``): contradictions become evidence.
    where : str
        How messages name the feed, such as ``sources.app``.
    anchors, named
        As for `diagnose_crs`.

    Returns
    -------
    DatumVerdict
        `crs` is always set: the system to use.

    Raises
    ------
    CoordinateError
        The points contradict the declaration; or nothing is declared and the points are not clearly WGS84; or the numbers cannot be
        what was declared (metres declared as degrees), which no confirmation makes right.
    """
    crs = normalise_crs(declared) if declared is not None else None
    sample = place_sample(x, y)
    xs, ys = np.asarray(x, dtype=np.float64)[sample], np.asarray(y, dtype=np.float64)[sample]
    verdict = diagnose_crs(x, y, outline=outline, anchors=anchors, named=named, candidates=_with_declared(xs, ys, crs, outline))
    told = "\n  ".join(verdict.evidence)
    likely = f' Likely {where}.crs = "{verdict.crs}".' if verdict.crs else ""
    if crs is not None and sample.size and is_geographic(crs) and np.mean(are_degrees(xs, ys)) < 0.5:
        raise CoordinateError(
            f"{where}: crs = {crs} means degrees, but x reaches {np.abs(xs).max():,.0f} and y {np.abs(ys).max():,.0f}: projected"
            f" coordinates.{likely} Declare their system.\n  {told}"
        )
    if crs is None:
        if sample.size == 0 or verdict.crs == WGS84:
            return DatumVerdict(WGS84, verdict.evidence, verdict.scores)
        found = f"the points are {verdict.crs}" if verdict.crs else "the points do not decide it"
        raise CoordinateError(f"{where}: no crs is declared and {found}.{likely} Declare it in the city file.\n  {told}")
    if verdict.crs is None or same_datum(verdict.crs, crs) or crs in verdict.same_here:
        return DatumVerdict(crs, [f"declared {crs}", *verdict.evidence], verdict.scores)
    if confirmed:
        note = f"declared {crs} and confirmed, although the points look like {verdict.crs}"
        return DatumVerdict(crs, [note, *verdict.evidence], verdict.scores)
    raise CoordinateError(
        f"{where}: crs = {crs} is declared, but the points are {verdict.crs}.{likely} If the declaration is right all the same, set"
        f" {where}.crs_confirmed = true.\n  {told}"
    )


def _with_declared(x: Floats, y: Floats, crs: str | None, outline: BaseGeometry) -> list[str]:
    projected = x.size > 0 and bool(np.mean(are_degrees(x, y)) < 0.5)
    names = default_candidates(outline, projected=projected)
    return names if crs is None or (is_geographic(crs) and projected) else list(dict.fromkeys([crs, *names]))
