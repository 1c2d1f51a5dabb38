"""Which records of a file are dirty, in which way, and what the ledger must make of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from cloudmap.schema import LEDGER_CLASSES


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of dirt.

    Parameters
    ----------
    name : str
    share : float
        Share (0-1) of a file's records, but at least `LEAST_N`.
    sources : str
        Initials of the sources that have it: p(arty), s(afety), t(enancy), f(ood).
    ledger_class : str
        Where the record must end. ``repeated`` and ``superseded`` stand for one more line beside a good one.
    repair : str or None
        The repair that must be counted for it.
    """

    name: str
    share: float
    sources: str
    ledger_class: str
    repair: str | None = None


KINDS: Final = (
    Kind("missing_coords", 0.02, "pstf", "unmapped"),
    Kind("zero_coords", 0.004, "pstf", "unmapped"),
    Kind("unknown_unit", 0.002, "pstf", "unmapped", "unit_unknown"),
    Kind("swapped_axes", 0.004, "psf", "located", "axes_swapped"),
    Kind("outside_far", 0.006, "pstf", "outside"),
    Kind("outside_near", 0.003, "pstf", "outside", "near_boundary"),
    Kind("office", 0.03, "pst", "area_only"),
    Kind("unknown_category", 0.004, "pstf", "located", "category_unknown"),
    Kind("unknown_state", 0.002, "pstf", "located", "state_unknown"),
    Kind("closed_before_opened", 0.004, "pstf", "located", "closed_before_opened"),
    Kind("phone_in_text", 0.01, "pstf", "located", "text_scrubbed"),
    Kind("identity_in_text", 0.004, "pstf", "located", "text_scrubbed"),
    Kind("plate_in_text", 0.003, "pstf", "located", "text_scrubbed"),
    Kind("formula_text", 0.002, "pstf", "located"),
    Kind("multiline_text", 0.003, "psf", "located"),
    Kind("broken_time", 0.002, "pst", "quarantined"),
    Kind("future_time", 0.001, "pstf", "quarantined"),
    Kind("nan_coords", 0.0015, "pstf", "quarantined"),
    Kind("ragged_row", 0.002, "ps", "quarantined"),
    Kind("undecodable_bytes", 0.001, "ps", "quarantined"),
    Kind("nul_byte", 0.0005, "ps", "quarantined"),
    Kind("repeated", 0.006, "pstf", "repeated"),
    Kind("superseded", 0.008, "pstf", "superseded"),
)

LEAST_N: Final = 2
SMALL_FILE_N: Final = 200
"""Files with fewer records stay clean."""

OFFICE_LEAST_N: Final = 60
"""A pile-up needs more rows than any source's `pile_up_min` (50)."""

SHIFTED: Final = ("safety", "tenancy", "food")
"""Sources whose coordinates are in another system than WGS84 or CGCS2000 degrees."""

_KEPT: Final = ("located", "area_only", "unmapped", "outside")


def choose_dirt(source: str, usable: np.ndarray[tuple[int], np.dtype[np.bool_]], rng: np.random.Generator) -> pl.Series:
    """Choose which records of a file get which dirt; one kind at most.

    Parameters
    ----------
    source : str
        Source id.
    usable : array of bool, shape (n,)
        Records that may be spoilt; planted ones may not.
    rng : numpy.random.Generator

    Returns
    -------
    polars.Series of String, shape (n,)
        Name of the kind, null where the record is clean.
    """
    n = len(usable)
    marks = np.zeros(n, dtype=np.int64)
    if n >= SMALL_FILE_N:
        pool = rng.permutation(np.flatnonzero(usable))
        taken = 0
        for number, kind in enumerate(KINDS, 1):
            if source[0] in kind.sources:
                count = max(OFFICE_LEAST_N if kind.name == "office" else LEAST_N, round(kind.share * n))
                marks[pool[taken : taken + count]] = number
                taken += count
    names = pl.Series("dirt", [None, *(kind.name for kind in KINDS)], dtype=pl.String)
    return names.gather(pl.Series(marks))


def expect_ledger(source: str, dirt: pl.Series) -> dict[str, object]:
    """Work out the ledger entry that a file with this dirt must give.

    Parameters
    ----------
    source : str
        Source id.
    dirt : polars.Series of String, shape (n,)
        As `choose_dirt` returns it.

    Returns
    -------
    dict
        ``lines``, ``classes`` (all of `LEDGER_CLASSES`), ``repairs`` (those that occur) and ``dirt`` (records per kind).
    """
    counts = dict(dirt.drop_nulls().value_counts().sort("dirt").iter_rows())
    classes = dict.fromkeys(LEDGER_CLASSES, 0)
    classes["located"] = dirt.null_count()
    repairs: dict[str, int] = {}
    for kind in KINDS:
        count = counts.get(kind.name, 0)
        if kind.ledger_class in ("repeated", "superseded"):
            classes["located"] += count
        classes[kind.ledger_class] += count
        if kind.repair and count:
            repairs[kind.repair] = repairs.get(kind.repair, 0) + count
    if source in SHIFTED:
        repairs["datum_shifted"] = sum(classes[name] for name in _KEPT) - classes["unmapped"]
    return {"lines": sum(classes.values()), "classes": classes, "repairs": dict(sorted(repairs.items())), "dirt": counts}
