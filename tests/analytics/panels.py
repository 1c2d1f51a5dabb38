"""Panels to test on: cells about one, or a row of places."""

from datetime import date

import h3
import numpy as np
from scipy.sparse import csr_matrix

from cloudmap.analytics.panel import Panel
from cloudmap.geo.weights import neighbours

MONDAY = date(2018, 1, 1)


def panel(counts, weights, **other):
    """A panel of these counts (places by weeks) that starts in week 2018-W01; `other` replaces its attributes."""
    counts = np.asarray(counts)
    n, weeks = counts.shape
    known = {
        "layer": "cell_9",
        "category": "ALL",
        "places": tuple(f"p{at:03d}" for at in range(n)),
        "first_week_on": MONDAY,
        "counts": counts,
        "xy_m": np.zeros((n, 2)),
        "area_m2": np.full(n, 85_630.0),
        "weights": weights,
        "exposure": None,
        "exposure_kind": "none",
        "regime_from": 0,
        "complete": np.ones(weeks, dtype=bool),
    }
    return Panel(**{**known, **other})


def disk(k):
    """Weights of the cells within k rings; the first seven are the middle one and its neighbours."""
    middle = h3.latlng_to_cell(28.58, 121.37, 9)
    cells = sorted(h3.grid_disk(middle, k), key=lambda cell: (h3.grid_distance(middle, cell), cell))
    return neighbours(cells)


def line(n):
    """Weights of places in a row."""
    rows = np.arange(n - 1)
    return csr_matrix((np.ones(2 * (n - 1)), (np.r_[rows, rows + 1], np.r_[rows + 1, rows])), shape=(n, n))
