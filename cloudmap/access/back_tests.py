"""Back-tests of forecasts, kept beside the analysis that they are of: they take too long to be made while somebody waits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudmap.analytics.result import Result

if TYPE_CHECKING:
    from cloudmap.store.contract import Store


def keep_back_test(store: Store, provenance: Mapping[str, Any], layer_id: str, category: str, card: Result, calibration: Result) -> None:
    """Store a risk card and its calibration under the analysis that they are of."""
    for kind, result in (("card", card), ("calibration", calibration)):
        told = {
            "method": result.method,
            "parameters": json.loads(json.dumps(dict(result.parameters), default=str)),
            "denominator": result.denominator,
            "caveats": list(result.caveats),
        }
        store.save_result(f"risk_{kind}_{layer_id}_{category}", _key(provenance), result.table, told)


def back_tested(store: Store, provenance: Mapping[str, Any], layer_id: str, category: str) -> tuple[Result, Result] | None:
    """Return the risk card and the calibration of a layer and category; None where these facts were not back-tested."""
    found = [store.result(f"risk_{kind}_{layer_id}_{category}", _key(provenance)) for kind in ("card", "calibration")]
    results = [
        Result(
            one.provenance["method"],
            one.provenance["parameters"],
            one.frame,
            one.provenance["denominator"],
            tuple(one.provenance["caveats"]),
        )
        for one in found
        if one is not None
    ]
    return (results[0], results[1]) if len(results) == len(found) else None


def _key(provenance: Mapping[str, Any]) -> str:
    """Name the facts that a back-test stands on: the analysis that saw them."""
    return str(provenance["key"])
