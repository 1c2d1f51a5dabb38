"""Questions about the places of a cube: where it is hot, what rises, where reporters fall silent, what to expect."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cloudmap.analytics.periods import AnyPeriod, Period, parse_period
from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError
from cloudmap.verbs.cubes import Cube

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def local_g(cube: Cube, weights: csr_matrix, *, period: str | AnyPeriod, category: str = "ALL", threshold: float = 0.05) -> Result:
    """Test every place of one map for a hotspot: Gi*, one-sided, Benjamini-Hochberg over the places.

    With an exposure, counts are tested against it (negative binomial); without one all places are taken to be alike (exact
    conditional distribution).

    Parameters
    ----------
    cube : Cube
    weights : scipy CSR
        From `neighbours(cube)`.
    period : str, Period, Month or Days
        "2018-W30", "2018-W27--2018-W30", "2018-07", "2018-07-03" or "2018-07-03--2018-07-19".
    category : str, default "ALL"
        ALL, a group or a category; categories that are counted but never scored are left out.
    threshold : float, default 0.05
        False discovery rate.

    Returns
    -------
    Result
        place, n, neighbourhood_n, expected, z, p, q, class.

    Raises
    ------
    AnalysisError
        The period lies outside the cube, or an unknown period or category.

    Examples
    --------
    >>> cube = cm.build_cube(facts)
    >>> hot = cm.local_g(cube, cm.neighbours(cube), period="2018-W10--2018-W13")
    >>> hot.table["class"].value_counts(sort=True).rows()
    [('not_significant', 165), ('hot', 5)]
    """
    from cloudmap.analytics.hotspots_map import hotspots, hotspots_of_counts

    chosen = parse_period(period) if isinstance(period, str) else period
    if isinstance(chosen, Period):
        made = hotspots(cube.panel(category, until=chosen, weights=weights), chosen, threshold=threshold)
    else:
        tested, caveats = cube.known.days_in(chosen)
        counts = cube.counts(tested, category, scored=True)["n"].to_numpy()
        made = hotspots_of_counts(cube.panel(category, weights=weights), counts, chosen, threshold=threshold)
        made = replace(made, caveats=(*made.caveats, *caveats))
    return replace(
        made, parameters={"layer": cube.layer, "category": category, "period": chosen.id, "measure": "hotspot", **made.parameters}
    )


def emerging(cube: Cube, *, until: str | Period | None = None, category: str = "ALL") -> Result:
    """Class every place by its history of hot and cold steps: new, intensifying, persistent ... (seventeen classes).

    Parameters
    ----------
    cube : Cube
    until : str or Period, optional
        The history ends with this period; with the last complete week where not given.
    category : str, default "ALL"

    Raises
    ------
    AnalysisError
        Too short a history within the present reporting regime.

    Examples
    --------
    >>> classes = cm.emerging(cm.build_cube(facts)).table["class"]
    >>> classes.value_counts(sort=True).rows()
    [('no_pattern', 165), ('persistent_hot', 3), ('sporadic_hot', 2)]
    """
    from cloudmap.analytics.emerging_map import emerging_hotspots

    return emerging_hotspots(cube.panel(category, until=until))


def scan(
    cube: Cube, *, until: str | Period | None = None, category: str = "ALL", kind: str = "prospective", replicates: int = 199
) -> Result:
    """Search circles and spans of weeks for clusters (Kulldorff's space-time scan).

    Parameters
    ----------
    cube : Cube
    until : str or Period, optional
    category : str, default "ALL"
    kind : {"prospective", "retrospective", "spatial"}
        Clusters that still go on; clusters of any time; clusters of the whole span.
    replicates : int, default 199
        Tables drawn from the null hypothesis; take 999 before a decision rests on a p near 0.05.

    Raises
    ------
    AnalysisError
        No report in the span, or an unknown kind.

    Examples
    --------
    >>> clusters = cm.scan(cm.build_cube(facts), replicates=99).table
    >>> clusters.filter(clusters["class"] == "significant").select("places_n", "n", "p").rows()
    [(2, 84, 0.01)]
    """
    from cloudmap.analytics.scan_map import scan_clusters

    if kind not in ("prospective", "retrospective", "spatial"):
        raise AnalysisError(f"scan: kind {kind!r} is unknown; use prospective, retrospective or spatial")
    return scan_clusters(cube.panel(category, until=until), kind=kind, replicates=replicates)  # type: ignore[arg-type]


def silent(cube: Cube, *, until: str | Period | None = None) -> Result:
    """Find places whose reporters, not problems, are missing, by exposure, own history and neighbours; all categories.

    Parameters
    ----------
    cube : Cube
    until : str or Period, optional
        The thirteen weeks that are looked at end with this period; with the last complete week where not given.

    Raises
    ------
    AnalysisError
        Too short a history.

    Examples
    --------
    >>> cm.silent(cm.build_cube(facts)).table["class"].value_counts(sort=True).rows()
    [('reporting', 150), ('not_enough_data', 20)]
    """
    from cloudmap.analytics.silent import silent_cells

    return silent_cells(cube.panel("ALL", until=until, scored=False))


def forecast(cube: Cube, *, horizon_weeks: int = 4, until: str | Period | None = None, category: str = "ALL") -> Result:
    """Expect the reports of the next weeks, place by place, with an 80% interval and the ratio to the city.

    Parameters
    ----------
    cube : Cube
    horizon_weeks : int, default 4
        1 to 4 weeks.
    until : str or Period, optional
    category : str, default "ALL"

    Raises
    ------
    AnalysisError
        Too short a history, or a category that is never scored.

    Examples
    --------
    >>> ahead = cm.forecast(cm.build_cube(facts, place="unit")).table
    >>> (ahead["lower_n"] <= ahead["expected_n"]).all(), (ahead["expected_n"] <= ahead["upper_n"]).all()
    (True, True)
    """
    from cloudmap.analytics.risk import forecast as forecast_panel

    return forecast_panel(cube.panel(category, until=until), horizon_weeks=horizon_weeks, severity=cube.severity(category))


def alarms(cube: Cube, *, until: str | Period | None = None) -> Result:
    """Compare each unit's newest week with its own past, one series a group of categories.

    Parameters
    ----------
    cube : Cube
        Of units.
    until : str or Period, optional
        The newest week is the last of this period; the last complete week where not given.

    Raises
    ------
    AnalysisError
        Too short a history.

    Examples
    --------
    >>> cm.alarms(cm.build_cube(facts, place="unit")).table["class"].value_counts(sort=True).rows()
    [('not_enough_data', 24), ('none', 12)]
    """
    from cloudmap.analytics.alarms_table import alarms as alarms_of

    groups = [group for group, codes in cube.taxonomy.groups.items() if set(codes) & cube.taxonomy.scored]
    return alarms_of([cube.panel(group, until=until) for group in groups])
