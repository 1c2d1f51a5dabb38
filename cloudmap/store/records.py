"""What can be told from the list of loads alone, the same for every store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from cloudmap.errors import StoreError
from cloudmap.store.contract import LoadRecord


def visible_loads(loads: Iterable[tuple[int, bool]], as_of: int | None) -> list[int]:
    """List the numbers of the loads that a reader sees.

    Parameters
    ----------
    loads : iterable of (int, bool)
        ``load_seq`` of every committed load, and whether it is undone.
    as_of : int, optional
        Only loads up to this one.

    Raises
    ------
    StoreError
        `as_of` names no load.
    """
    known = dict(loads)
    if as_of is not None and as_of not in known:
        raise StoreError(f"as of load {as_of}: no such load; have {spans(known)}")
    return sorted(load_seq for load_seq, undone in known.items() if not undone and (as_of is None or load_seq <= as_of))


def spans(numbers: Iterable[int]) -> str:
    """Say from where to where numbers go."""
    ordered = sorted(numbers)
    return f"{ordered[0]} to {ordered[-1]}" if ordered else "none"


def state_of(loads: Iterable[LoadRecord]) -> str:
    """Digest the visible loads (16 hexadecimal digits), whatever store holds them."""
    visible = [one for one in loads if not one.undone]
    told = [[one.load_seq, one.key.sha256, one.source_id, one.key.mapping_version, sorted(one.tables.items())] for one in visible]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
