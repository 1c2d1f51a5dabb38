"""How a level was redrawn, change by change: splits, merges, new numbers."""

from __future__ import annotations

import numpy as np
import polars as pl

from cloudmap.geo.crosswalk import Step
from cloudmap.geo.units import Units


def unit_changes(units: Units, level: str) -> pl.DataFrame:
    """List how a level was redrawn, change by change.

    Parameters
    ----------
    units : Units
    level : str
        A partition level.

    Returns
    -------
    polars.DataFrame
        on (local day), kind (split, merged, renumbered, reshaped, redrawn, begun, ended), old and new (lists of codes, sorted).
        A unit that lost or won ground to a neighbour is of one change with it.

    Raises
    ------
    BoundaryError
        The base map has no such level.
    """
    rows = []
    spans = [start for start, _ in units.periods(level)]
    for number in range(1, len(spans)):
        day = spans[number]
        before, after = (set(units.standing(level, at)["code"]) for at in (number - 1, number))
        if day is None or not before or not after:
            continue
        walk = Step(units, level, number - 1, number)
        links = [(old, new) for old in sorted(before) for new, _, how in walk.of(old) if how != "same"]
        touched = {old for old, _ in links} | {new for _, new in links if new is not None}
        back = Step(units, level, number, number - 1)
        links += [(old, new) for new in sorted(after) for old, _, how in back.of(new) if how != "same" or new in touched]
        for olds, news in _groups(links):
            kind = _kind(olds, news)
            if kind:
                rows.append((day, kind, olds, news))
    schema = {"on": pl.Date(), "kind": pl.String(), "old": pl.List(pl.String()), "new": pl.List(pl.String())}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("on", "kind", "old", "new")


def _groups(links: list[tuple[str | None, str | None]]) -> list[tuple[list[str], list[str]]]:
    """Gather what became of what into changes that have no unit in common: old codes, new codes."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    # A unit without a counterpart is linked to itself, so that it makes a group of its own.
    nodes = sorted({(side, code) for link in links for side, code in enumerate(link) if code is not None})
    number = {node: at for at, node in enumerate(nodes)}
    ends = [
        (number[0, old] if old is not None else number[1, str(new)], number[1, new] if new is not None else number[0, str(old)])
        for old, new in links
    ]
    rows, columns = (np.array([end[side] for end in ends], dtype=np.int64) for side in (0, 1))
    graph = coo_matrix((np.ones(len(ends)), (rows, columns)), shape=(len(nodes), len(nodes)))
    count, group = connected_components(graph, directed=False)
    gathered: list[tuple[list[str], list[str]]] = [([], []) for _ in range(count)]
    for (side, code), of in zip(nodes, group, strict=True):
        gathered[of][side].append(code)
    return gathered


def _kind(olds: list[str], news: list[str]) -> str:
    if not olds or not news:
        return "ended" if olds else "begun"
    if len(olds) == 1 and len(news) == 1:
        return "reshaped" if olds == news else "renumbered"
    if len(olds) == 1:
        return "split"
    return "merged" if len(news) == 1 else "redrawn"
