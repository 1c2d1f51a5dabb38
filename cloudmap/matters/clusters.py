"""Reports that are linked become matters, none wider than the limits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cloudmap.matters.pairs import Floats, Ints


def join(n: int, first: Ints, second: Ints, log_odds: Floats, floor: float) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Join rows to matters, the surest first.

    Two groups join only where **every** pair between them is a candidate, so within the limits, and all these pairs together speak for
    it; so no chain grows beyond the limits, and two reports that speak against each other are not joined by a third.

    Parameters
    ----------
    n : int
        Rows.
    first, second : int arrays of shape (m,)
        Candidate pairs, each once, first < second.
    log_odds : float array of shape (m,)
        What speaks for each pair.
    floor : float
        Log odds above which pairs are linked and groups joined.

    Returns
    -------
    matter : int array of shape (n,)
        Lowest row of the matter that each row is in.
    linked : bool array of shape (m,)
        The pairs that joined two groups: one less than the matter has rows.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    matter, linked = np.arange(n), np.zeros(len(first), dtype=np.bool_)
    strong = log_odds > floor
    if not strong.any():
        return matter, linked
    graph = coo_matrix((np.ones(int(strong.sum()), np.int8), (first[strong], second[strong])), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    size = np.bincount(component)[component]
    inside = component[first] == component[second]
    alone = strong & inside & (size[first] == 2)
    matter[second[alone]] = first[alone]
    linked |= alone
    rest = np.flatnonzero(inside & (size[first] > 2))
    order = rest[np.argsort(component[first[rest]], kind="stable")]
    for pairs in np.split(order, np.flatnonzero(np.diff(component[first[order]])) + 1):
        if len(pairs):
            _join_component(pairs, first, second, log_odds, floor, matter, linked)
    return matter, linked


def _join_component(
    pairs: Ints, first: Ints, second: Ints, log_odds: Floats, floor: float, matter: Ints, linked: npt.NDArray[np.bool_]
) -> None:
    """Join the rows of one connected component, strongest link first; ties in order of rows."""
    ends = list(zip(first[pairs].tolist(), second[pairs].tolist(), strict=True))
    speaks = dict(zip(ends, log_odds[pairs].tolist(), strict=True))
    group = {row: [row] for end in ends for row in end}
    for at in np.lexsort((second[pairs], first[pairs], -log_odds[pairs])).tolist():
        one, other = ends[at]
        if speaks[one, other] <= floor:
            break
        left, right = group[one], group[other]
        if left is right:
            continue
        between = [speaks.get((min(row, beside), max(row, beside))) for row in left for beside in right]
        told = [each for each in between if each is not None]
        if len(told) < len(between) or sum(told) <= floor * len(told):
            continue
        left.extend(right)
        for row in right:
            group[row] = left
        linked[pairs[at]] = True
    for members in group.values():
        matter[members] = min(members)
