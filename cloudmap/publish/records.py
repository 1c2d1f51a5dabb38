"""A result as plain JSON types, for scripts."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudmap.analytics.result import Result


def result_record(result: Result) -> dict[str, Any]:
    """Write a result as JSON types.

    Parameters
    ----------
    result : Result
        Already disclosed for its audience.

    Returns
    -------
    dict
        method, parameters, denominator, caveats, provenance, and table: a list of one object a row. A number that is none (NaN or
        infinite, which JSON does not know) is null.
    """
    return {
        "method": result.method,
        "parameters": {name: plain(value) for name, value in result.parameters.items()},
        "denominator": result.denominator,
        "caveats": list(result.caveats),
        "provenance": {name: plain(value) for name, value in result.provenance.items() if name != "parts"},
        "table": [{name: plain(value) for name, value in row.items()} for row in result.table.iter_rows(named=True)],
    }


def plain(value: object) -> Any:
    """Return a value as JSON knows it; dates and instants in ISO 8601."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    return value if isinstance(value, str | int | bool | type(None)) else str(value)
