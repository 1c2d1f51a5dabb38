"""The whole flow on one screen: files become facts, facts become what outputs show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from cloudmap.access.audience import Audience
from cloudmap.access.reader import Reader
from cloudmap.analysing import Analysis, analyse_facts
from cloudmap.analytics.result import Result
from cloudmap.city import City, Source
from cloudmap.errors import ConfigError, SourceError, StoreError
from cloudmap.geo.boundaries import read_units
from cloudmap.ingest.taxonomy import read_taxonomy
from cloudmap.loading import Outcome, load_files, open_base_map
from cloudmap.store import Store, open_store

Progress = Callable[[str, int], None]


def load(
    city: City,
    files: Sequence[str | Path] = (),
    *,
    source: str | None = None,
    dry: bool = False,
    progress: Progress = lambda _step, _done: None,
) -> list[Outcome]:
    """Load report files into the city's store, each as one load that lands whole or not at all.

    Parameters
    ----------
    city : City
        From `open_city`.
    files : sequence of paths, optional
        Files to load as `source`; every file that the city's sources name, where not given.
    source : str, optional
        Only this source; needed with `files` unless the city has just one.
    dry : bool, default False
        Read and judge everything, write nothing.
    progress : callable
        Told the step and the records done so far.

    Returns
    -------
    list of Outcome
        One a file: its ledger entry, the evidence for encoding, times and datum, and whether it was loaded or already known.

    Raises
    ------
    ConfigError
        No source of that name, or a source whose path matches no file.
    CloudmapError
        As the failing step says; loads that were already committed stay.

    Examples
    --------
    >>> [(outcome.file.name, outcome.status) for outcome in cm.load(city)]  # it was loaded before: nothing changes
    [('app.csv', 'already loaded')]
    """
    work = _files(city, files, source)
    store = open_store(city, create=True) if not dry else _store_if_any(city)
    taxonomy, base_map = read_taxonomy(city), open_base_map(city)
    return load_files(city, store, work, base_map, taxonomy, dry=dry, progress=progress)


def analyse(
    city: City, *, as_of: int | None = None, now: datetime | None = None, progress: Callable[[str], None] = lambda _name: None
) -> Analysis:
    """Turn the store's facts into cubes, covers and exposures, redoing only what changed.

    Parameters
    ----------
    city : City
    as_of : int, optional
        As the facts stood after this load.
    now : datetime, optional
        What counts as now; the newest report by default.
    progress : callable
        Told the name of each piece as it begins.

    Raises
    ------
    AnalysisError
        Nothing is loaded yet.

    Examples
    --------
    >>> cm.analyse(city).redone  # nothing had changed
    ()
    """
    return analyse_facts(city, open_store(city), read_units(city), read_taxonomy(city), as_of=as_of, now=now, progress=progress)


def back_test(
    city: City, categories: Sequence[str] = ("ALL",), *, progress: Callable[[str], None] = lambda _name: None
) -> dict[str, Result]:
    """Try the forecasts of a city on weeks that they have not seen, and keep what came out beside the newest analysis.

    Parameters
    ----------
    city : City
    categories : sequence of str, default ("ALL",)
        ALL, groups or categories; those that were tested on these facts before are not tested again.
    progress : callable
        Told the category as its test begins.

    Returns
    -------
    dict of str to Result
        The risk card of each category, on the default layer: one row a model; `shipped` marks the one that is used.

    Raises
    ------
    AnalysisError
        Nothing is analysed yet, a category is never scored, or the past is too short for twelve origins.

    Examples
    --------
    >>> card = cm.back_test(city, ["ALL"])["ALL"]
    >>> int(card.table["shipped"].sum())  # one of the models is used
    1
    """
    from cloudmap.access.back_tests import back_tested, keep_back_test
    from cloudmap.access.statistics import HORIZON_WEEKS
    from cloudmap.analytics.risk_card import back_test_risk

    reader = read(city)
    layer, period = reader.default_layer, reader.default_period.id
    cards = {}
    for category in categories:
        known = back_tested(reader.store, reader.provenance, layer, category)
        if known is None:
            progress(f"back-test of {category}")
            tested = back_test_risk(reader.panel(layer, category, period), horizon_weeks=HORIZON_WEEKS)
            keep_back_test(reader.store, reader.provenance, layer, category, tested.card, tested.calibration)
        cards[category] = reader.statistic("risk_card", category=category)
    return cards


def read(city: City, *, audience: Audience | None = None) -> Reader:
    """Open the newest analysis for an audience: what dashboard, briefings and exports read.

    Parameters
    ----------
    city : City
    audience : Audience, optional
        Internal without the restricted grant where not given.

    Raises
    ------
    AnalysisError
        Nothing is analysed yet.

    Examples
    --------
    >>> reader = cm.read(city)
    >>> reader.default_layer, reader.default_period.id
    ('cell_9', '2018-W18--2018-W21')
    """
    return Reader(city, open_store(city), read_taxonomy(city), audience)


def statistic(city: City, name: str, *, layer: str | None = None, category: str = "ALL", period: str | None = None) -> Result:
    """Compute a measure or a statistic of the newest analysis by its name: the numbers of the page and of `cloudmap show`.

    Parameters
    ----------
    city : City
    name : str
        A measure (count, ratio, hotspot, emerging, scan, silent, risk, overdue ...) or a statistic (changes, situation, handling, effort,
        regimes, near_water ...); an unknown name is answered with those there are.
    layer, period : str, optional
        Ids such as "unit_street" and "2018-W27--2018-W30"; the default ones where not given.
    category : str, default "ALL"
        ALL, a group or a category.

    Raises
    ------
    AnalysisError
        Unknown name or id, or input that the method cannot use, with the remedy.
    AccessError
        A restricted category.

    Examples
    --------
    >>> streets = cm.statistic(city, "count", layer="unit_street", period="2018-W10--2018-W13")
    >>> streets.table.select("place", "n").rows()
    [('999001001', 27), ('999001002', 82), ('999001003', 20)]
    """
    return read(city).result(name, layer=layer, category=category, period=period)


def _store_if_any(city: City) -> Store | None:
    """Open the store where there is one: a check before the first load has nothing to compare with."""
    try:
        return open_store(city)
    except StoreError:
        return None


def _files(city: City, files: Sequence[str | Path], source_id: str | None) -> list[tuple[Source, Path]]:
    """Pair each file with its source."""
    if files:
        if source_id is None and len(city.sources) != 1:
            raise ConfigError(f"say whose files these are: --source {' | '.join(one.id for one in city.sources)}")
        source = city.source(source_id) if source_id else city.sources[0]
        missing = [str(file) for file in files if not Path(file).is_file()]
        if missing:
            raise SourceError(f"{', '.join(missing)}: no such file")
        return [(source, Path(file)) for file in files]
    chosen = [city.source(source_id)] if source_id else list(city.sources)
    if not chosen:
        raise ConfigError(f"{city.folder / 'city.toml'}: no [[sources]]; add one, or run `cloudmap init {city.folder} --from FILES`")
    pairs = []
    for source in chosen:
        found = city.source_files(source)
        if not found:
            raise ConfigError(f"source {source.id}: path {source.path!r} matches no file below {city.folder}")
        pairs += [(source, path) for path in found]
    return pairs
