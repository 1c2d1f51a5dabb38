"""How well places fit a city's outline under one reading of their coordinates, and whether one reading beats another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DEGREE_M: Final = 111_195.0
"""Metres in a degree of latitude on the mean sphere: good to 0.5%, plenty for comparing fits."""

_SAMPLE_DEGREES: Final = 40_000
_SAMPLE_PROJECTED: Final = 4_000
"""Map projections lie so far apart that few places tell them apart, and there are many to try."""
_NEAR_M: Final = 5_000.0
"""Readings closer than this differ only along the edge of a city."""
_PLACES: Final = 30
_SPREAD: Final = 6
_ODDS: Final = 4


def place_sample(x: ArrayLike, y: ArrayLike) -> NDArray[np.int64]:
    """Choose rows to compare: one per place of about 100 m, so that a pile-up or a cluster counts once.

    Parameters
    ----------
    x, y : array-like of float, shape (n,)
        Degrees, or metres or feet.

    Returns
    -------
    ndarray of int64
        Row numbers, ascending; at most 40,000 of degrees and 4,000 of projected coordinates, spread evenly.
    """
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    rows = np.flatnonzero(np.isfinite(xs) & np.isfinite(ys) & ((xs != 0) | (ys != 0)))
    if rows.size == 0:
        return rows.astype(np.int64)
    degrees = np.median(np.abs(xs[rows])) <= 180 and np.median(np.abs(ys[rows])) <= 90
    step = 0.001 if degrees else 100.0
    keys = np.column_stack([np.floor(xs[rows] / step), np.floor(ys[rows] / step)])
    _, first = np.unique(keys, axis=0, return_index=True)
    rows = np.sort(rows[first])
    most = _SAMPLE_DEGREES if degrees else _SAMPLE_PROJECTED
    if rows.size > most:
        rows = rows[np.linspace(0, rows.size - 1, most).astype(np.int64)]
    return rows.astype(np.int64)


@dataclass(frozen=True)
class Fit:
    """Places read in one system.

    Parameters
    ----------
    name : str
        The system.
    lon, lat : ndarray of float64, shape (n,)
        WGS84 degrees under that reading; NaN where it makes no sense.
    outline : shapely geometry
        Ground of the city, WGS84, prepared.
    """

    name: str
    lon: Floats
    lat: Floats
    outline: BaseGeometry

    @cached_property
    def inside(self) -> Bools:
        """Whether each place lies in the city."""
        return self.contains(0.0, 0.0)

    def contains(self, d_lon: Floats | float, d_lat: Floats | float) -> Bools:
        """Tell whether each place, moved by some degrees, lies in the city."""
        found: Bools = shapely.contains_xy(self.outline, self.lon + d_lon, self.lat + d_lat)
        return found

    def distance_m(self, other: Fit) -> float:
        """Return the median distance between two readings; infinite where one makes no sense."""
        if self.lon.size == 0:
            return np.inf
        east = (self.lon - other.lon) * np.cos(np.radians(self.outline.centroid.y))
        apart = np.nan_to_num(np.hypot(east, self.lat - other.lat), nan=np.inf)
        return float(np.median(apart)) * DEGREE_M

    def near(self, other: Fit) -> bool:
        """Tell whether the two readings differ only along the edge of the city."""
        return self.distance_m(other) < _NEAR_M

    def just_outside(self, width_m: float) -> int:
        """Count places outside the city but within so many metres of it."""
        out = np.flatnonzero(~self.inside & np.isfinite(self.lon) & np.isfinite(self.lat))
        squeeze = np.cos(np.radians(self.outline.centroid.y))
        flat = shapely.transform(self.outline, lambda xy: xy * [squeeze, 1.0])
        shapely.prepare(flat)
        points = shapely.points(self.lon[out] * squeeze, self.lat[out])
        return int(shapely.dwithin(flat, points, width_m / DEGREE_M).sum())


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether one reading beats another, and why."""

    won: bool
    text: str


def beats(first: Fit, rival: Fit) -> Comparison:
    """Compare two readings place by place.

    Parameters
    ----------
    first, rival : Fit
        Readings of the same places.

    Notes
    -----
    Readings far apart: `first` must keep inside at least five places and half of all that `rival` puts outside. Readings near each other:
    it must keep at least 30 places, in at least six blocks of 500 m, that `rival` spills; at most a quarter as many the other way; not
    leave half as many just outside itself (then the ground reaches beyond the outline); and places must fill the opposite margin
    too (else they do not reach the edge, and any reading fits).
    """
    kept, lost = first.inside & ~rival.inside, rival.inside & ~first.inside
    gain, loss = int(kept.sum()), int(lost.sum())
    text = f"{first.name} keeps {gain:,} places inside that {rival.name} puts outside, {loss:,} the other way"
    if not first.near(rival):
        return Comparison(gain >= 5 and gain * 2 >= first.inside.size and loss * _ODDS <= gain, text)
    blocks = np.unique(np.floor(np.column_stack([first.lon[kept], first.lat[kept]]) * 200), axis=0)
    beyond = first.just_outside(first.distance_m(rival))
    opposite = int((first.inside & ~first.contains(first.lon - rival.lon, first.lat - rival.lat)).sum())
    text += f" (in {len(blocks)} blocks of 500 m; {opposite:,} fill the opposite margin, {beyond:,} lie just outside either way)"
    won = gain >= _PLACES and len(blocks) >= _SPREAD and loss * _ODDS <= gain and beyond * 2 <= gain and opposite * 10 >= gain
    return Comparison(won, text)


def best_translation(fit: Fit, outline: BaseGeometry, *, reach_m: float = 1_500.0) -> str | None:
    """Look for a plain translation that fits clearly better than a reading does: then the base map itself may be displaced.

    Parameters
    ----------
    fit : Fit
        The reading that beats the other candidates.
    outline : shapely geometry
        Ground of the city, WGS84.
    reach_m : float, default 1500
        Translations tried, in each direction, in steps of 100 m.

    Returns
    -------
    str or None
        A sentence of evidence, or None where the reading needs no translation of more than 200 m.
    """
    squeeze = float(np.cos(np.radians(outline.centroid.y)))
    west, south, east, north = outline.bounds
    cell = max((north - south), (east - west) * squeeze) / 500
    columns, rows = int((east - west) * squeeze / cell) + 2, int((north - south) / cell) + 2
    lon, lat = west + np.arange(columns) * cell / squeeze, south + np.arange(rows) * cell
    grid: Bools = np.asarray(shapely.contains_xy(outline, *np.meshgrid(lon, lat)))
    column = (fit.lon - west) * squeeze / cell
    row = (fit.lat - south) / cell

    def inside(east_m: float, north_m: float) -> Bools:
        at_x = np.rint(column + east_m / DEGREE_M / cell)
        at_y = np.rint(row + north_m / DEGREE_M / cell)
        on = (at_x >= 0) & (at_x < columns) & (at_y >= 0) & (at_y < rows)
        found = np.zeros(on.shape, dtype=bool)
        found[on] = grid[at_y[on].astype(int), at_x[on].astype(int)]
        return found

    steps = np.arange(-reach_m, reach_m + 1, 100.0)
    tried = [(int(inside(dx, dy).sum()), -float(np.hypot(dx, dy)), dx, dy) for dx in steps for dy in steps]
    _, away, dx, dy = max(tried)
    here, there = inside(0.0, 0.0), inside(dx, dy)
    gain, loss = int((there & ~here).sum()), int((here & ~there).sum())
    if -away <= 200 or gain < _PLACES or loss * _ODDS > gain:
        return None
    return (
        f"{fit.name} fits best of the candidates, yet moving everything {dx:+.0f} m east and {dy:+.0f} m north would bring"
        f" {gain:,} more places inside and take {loss:,} out: the base map may be"
        " displaced (GCJ-02 itself?) or too coarse; undecided by the outline"
    )
