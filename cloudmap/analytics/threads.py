"""Share the rows of a table among threads.

Compiled loops run without the interpreter's lock, so threads suffice. Numba's own parallel loops are not used: depending on the platform
they end the process when two requests meet, or when it forks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise


def threads_n() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def over_rows(work: Callable[[slice], None], rows_n: int, *, least: int = 256) -> None:
    """Call `work` on slices that together cover all rows, on several threads where that pays.

    Parameters
    ----------
    work : callable of slice
        Writes its results in place.
    rows_n : int
        Number of rows.
    least : int, default 256
        Rows below which a thread costs more than it gains.
    """
    parts = max(1, min(threads_n(), rows_n // least))
    edges = [rows_n * number // parts for number in range(parts + 1)]
    slices = [slice(first, last) for first, last in pairwise(edges)]
    if parts == 1:
        work(slices[0])
        return
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(work, slices))
