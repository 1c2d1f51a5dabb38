"""Points on which suspiciously many reports lie: a town hall's door, a geocoder's last resort, a default of the app.

Boston's City Hall holds 17,070 of 121,145 requests. Such a point says nothing about where a thing happened, so its reports are counted
for an area and kept out of hotspots.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

POINTS_HELD: Final = 1_000_000
"""Distinct points that are counted exactly; a file with more loses the rarest of them (`PileUps.slack`)."""

CROWDED: Final[dict[str, type[pl.DataType]]] = {"x": pl.Float64, "y": pl.Float64, "n": pl.Int64, "pile_up": pl.Boolean}
"""Columns of `PileUps.decide`."""


class PileUps:
    """Count identical raw coordinates over all batches of a file, in bounded memory.

    Attributes
    ----------
    positioned_n : int
        Rows with coordinates so far.
    slack : int
        How many rows of a point the counts may miss. 0 up to `held` distinct points; beyond, points seen once in a while are
        forgotten, a few rows for each `held` further distinct points, which no crowded point is ever short of.
    """

    def __init__(self, *, held: int = POINTS_HELD) -> None:
        self.positioned_n = 0
        self.slack = 0
        self._held = held
        self._counted = pl.DataFrame(schema={"x": pl.Float64, "y": pl.Float64, "n": pl.Int64})
        self._waiting: list[pl.DataFrame] = []
        self._waiting_n = 0

    def add(self, x: pl.Series | npt.NDArray[np.float64], y: pl.Series | npt.NDArray[np.float64]) -> None:
        """Count a batch.

        Parameters
        ----------
        x, y : series or array of float, shape (n,)
            Coordinates as delivered. Missing ones and (0, 0) are no position and are left out.
        """
        points = pl.DataFrame({"x": pl.Series(x, dtype=pl.Float64), "y": pl.Series(y, dtype=pl.Float64)})
        points = points.filter(pl.col("x").is_finite() & pl.col("y").is_finite() & ((pl.col("x") != 0) | (pl.col("y") != 0)))
        self.positioned_n += points.height
        counts = points.group_by("x", "y").agg(pl.len().cast(pl.Int64).alias("n"))
        self._waiting.append(counts)
        self._waiting_n += counts.height
        if self._waiting_n >= self._held // 4:
            self._merge()

    def decide(self, *, min_n: int, share: float, known: pl.DataFrame | None = None) -> pl.DataFrame:
        """Name the crowded points of the file, and which of them are pile-ups.

        Parameters
        ----------
        min_n : int
            Fewer rows never make a crowd (`pile_up_min` of the source).
        share : float
            Share (0-1) of the file's positioned rows that makes a pile-up (`pile_up_share` of the source).
        known : polars.DataFrame, optional
            What an earlier load decided (x, y, n and, if it has the column, pile_up): a pile-up stays one however small the file.

        Returns
        -------
        polars.DataFrame
            ``x``, ``y`` (as delivered), ``n`` (rows, the most seen in one load), ``pile_up`` (False: crowded only, which matters
            when the point turns out to be the centroid of a unit); most rows first.
        """
        self._merge()
        threshold = max(min_n, math.ceil(share * self.positioned_n))
        crowded = self._counted.filter(pl.col("n") >= min_n).with_columns((pl.col("n") >= threshold).alias("pile_up"))
        if known is not None and known.height:
            before = known if "pile_up" in known.columns else known.with_columns(pl.lit(value=True).alias("pile_up"))
            crowded = pl.concat([crowded, before.select(pl.col(name).cast(dtype) for name, dtype in CROWDED.items())])
            crowded = crowded.group_by("x", "y").agg(pl.col("n").max(), pl.col("pile_up").any())
        return crowded.select(CROWDED.keys()).sort(["n", "x", "y"], descending=[True, False, False])

    def _merge(self) -> None:
        if not self._waiting:
            return
        counted = pl.concat([self._counted, *self._waiting]).group_by("x", "y").agg(pl.col("n").sum())
        self._waiting, self._waiting_n = [], 0
        rarest = 0
        while counted.height > self._held:
            rarest += 1
            counted = counted.filter(pl.col("n") > rarest)
        self.slack += rarest
        self._counted = counted
