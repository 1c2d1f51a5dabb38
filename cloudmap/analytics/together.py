"""Panels of one layer, one for each category group: whether they belong together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cloudmap.analytics.panel import Panel
from cloudmap.errors import AnalysisError


def suitable_panels(panels: Sequence[Panel]) -> Panel:
    """Check that panels differ in their category only, and return the first.

    Parameters
    ----------
    panels : sequence of Panel
        One for each category group.

    Raises
    ------
    AnalysisError
        None, a category twice, or panels of other places or weeks; a panel without a place.
    """
    if not panels:
        raise AnalysisError("no category group to look at; give one panel for each group that is scored")
    first = panels[0]
    categories = [one.category for one in panels]
    if len(set(categories)) < len(categories):
        raise AnalysisError(f"categories {', '.join(sorted(categories))}: one is given twice; give one panel for each")
    if not first.places:
        raise AnalysisError(f"layer {first.layer} has no places; choose another layer")
    for one in panels[1:]:
        same = (
            one.layer == first.layer
            and one.places == first.places
            and one.first_week_on == first.first_week_on
            and one.weeks_n == first.weeks_n
            and one.regime_from == first.regime_from
            and np.array_equal(one.complete, first.complete)
        )
        if not same:
            raise AnalysisError(
                f"panels of {first.category} and {one.category} have other places or weeks; build them of one layer and one load"
            )
    return first
