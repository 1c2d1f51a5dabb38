"""Reference values (sources: tests/published/README.md) and small weights that several tests need."""

import csv
import json
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

PUBLISHED = Path(__file__).parents[1] / "published"


def reference(name):
    """Read a JSON file of reference values."""
    return json.loads((PUBLISHED / name).read_text(encoding="utf-8"))


def columns(name):
    """Read a CSV file of numbers as arrays by column."""
    with (PUBLISHED / name).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}


def ring(n):
    """Each of n places in a circle has two neighbours."""
    rows = np.arange(n)
    return csr_array((np.ones(2 * n), (np.r_[rows, rows], np.r_[(rows + 1) % n, (rows - 1) % n])), shape=(n, n))


def band(xy, distance):
    """Binary neighbours within a distance."""
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    return csr_array(((apart <= distance) & (apart > 0)).astype(float))


def grid():
    """The 20 x 20 grid: values, binary neighbours (eight), and the reference values."""
    answers = reference("grid_gi_moran.json")
    index = np.arange(answers["nrow"] * answers["ncol"])
    xy = np.column_stack([index % answers["nrow"], index // answers["nrow"]])
    return np.array(answers["value"]), band(xy, 1.5), answers
