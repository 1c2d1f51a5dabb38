"""Opening hours of a day, as a city file writes them."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise

from cloudmap.errors import AnalysisError

Spans = tuple[tuple[timedelta, timedelta], ...]

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|24:00")


def parse_hours(times: tuple[str, ...]) -> Spans:
    """Read opening and closing times.

    Parameters
    ----------
    times : tuple of str
        Local times HH:MM, opening and closing in turn, ascending; 24:00 is the end of the day.

    Returns
    -------
    tuple of (timedelta, timedelta)
        Spans from midnight on.

    Raises
    ------
    AnalysisError
        Not times, an odd number of them, or not ascending.

    Examples
    --------
    >>> [int((closes - opens).total_seconds()) for opens, closes in parse_hours(("08:30", "12:00", "13:30", "17:30"))]
    [12600, 14400]
    """
    shown = f"calendar.working_hours = {list(times)}"
    if not times or len(times) % 2:
        raise AnalysisError(f'{shown}: give opening and closing times in turn, such as ["08:30", "12:00", "13:30", "17:30"]')
    wrong = [one for one in times if not _CLOCK.fullmatch(one)]
    if wrong:
        raise AnalysisError(f"{shown}: {wrong[0]!r} is no time of day; write 08:30, at most 24:00")
    moments = [timedelta(hours=int(one.split(":")[0]), minutes=int(one.split(":")[1])) for one in times]
    if any(later <= earlier for earlier, later in pairwise(moments)):
        raise AnalysisError(f"{shown}: times must ascend within a day; cut a shift that passes midnight in two, at 24:00 and 00:00")
    return tuple(zip(moments[::2], moments[1::2], strict=True))
