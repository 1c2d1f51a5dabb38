"""What speaks for two reports telling of one matter, learnt from the reports themselves.

Pairs at the same time are a mixture: reports of one matter, and chance. Pairs whole weeks apart are chance alone. What the first have
more than the second tells how many pairs are of one matter, how near and how soon these are, and how alike their texts.

Within one source that excess misleads: whoever walks a street and records one pothole after another makes many near pairs of different
matters. There a pair must be the very same record, or have texts that by chance are hardly ever so alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cloudmap.matters.chance import POINT_M, Rates
from cloudmap.matters.pairs import Floats, Ints, Limits, Pairs, Rows

STRATA: Final = ("other source, same point", "other source, near", "same source, same record", "same source, near")
_ACROSS: Final = (0, 1)
_RECORD: Final = 2
_WITHIN: Final = 3

SAME_H: Final = 1.5 / 3600
"""Two times are the same instant: written to the second, rounded either way."""

EDGES: Final = {
    "distance": np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0]),
    "gap": np.array([0.0, 1 / 720, 1 / 72, 1 / 24, 1 / 12, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 1.0]),
    "text": np.array([0.0, 0.2, 0.4, 0.6, 0.8, 0.999, 1.001]),
}
"""Edges of bands: distance and gap in shares of the limit (of 72 hours: 6 minutes, 1, 3, 6, 12, 24, 36, 48 hours), likeness of texts."""

_PRIOR_ODDS: Final = np.array([20.0, 1.0, 20.0, 0.02])
"""Pairs of one matter per chance pair, per stratum, where nothing is known yet."""
_PRIOR_PAIRS: Final = 4.0
"""Pairs that this counts for: a first city with a few hundred reports is judged by it."""
_USUAL: Final = 0.01
"""Chance neighbours that go with the prior odds."""
_SURE: Final = 2.0
"""Standard errors that an excess must have before it counts: noise among many chance pairs is no evidence."""
_SMOOTH: Final = 5.0
"""Pairs that the expected shape of a table counts for."""
_RETOLD: Final = np.array([0.05, 0.05, 0.1, 0.15, 0.25, 0.4])
"""Shares of likeness assumed of texts by which one source tells a matter twice."""


@dataclass(frozen=True, slots=True)
class Model:
    """Odds and likelihood ratios by stratum (first axis, as `STRATA`).

    Attributes
    ----------
    odds : float array of shape (4, sources, sources)
        Pairs of one matter per chance pair.
    usual : float array of shape (4,)
        Chance neighbours (`chance.expect`) that these odds go with.
    ratios : dict of float arrays of shape (4, bands)
        How much more frequent a band of distance, gap or text is in pairs of one matter than by chance.
    rates : Rates
        What chance is worked out from.
    """

    odds: Floats
    usual: Floats
    ratios: dict[str, Floats]
    rates: Rates


@dataclass(frozen=True, slots=True)
class Judged:
    """Pairs and what is needed to judge them.

    ``stratum``: position in `STRATA`; ``expected_n``: chance neighbours; ``alike``: likeness of texts, NaN without.
    """

    pairs: Pairs
    stratum: Ints
    expected_n: Floats
    alike: Floats


@dataclass(frozen=True, slots=True)
class Weighed:
    """What speaks for each pair: natural log of the odds, and the ratios within it."""

    log_odds: Floats
    ratios: dict[str, Floats]


def stratify(rows: Rows, pairs: Pairs) -> Ints:
    """Name the stratum of each pair, as a position in `STRATA`."""
    within = rows.source[pairs.first] == rows.source[pairs.second]
    at_point = pairs.distance_m < POINT_M
    record = within & at_point & (pairs.gap_h <= SAME_H) & (rows.label[pairs.first] == rows.label[pairs.second])
    return np.select([record, within, at_point], [_RECORD, _WITHIN, _ACROSS[0]], _ACROSS[1]).astype(np.int64)


def learn(rows: Rows, candidates: Judged, controls: Judged, rates: Rates, limits: Limits, *, control_share: float) -> Model:
    """Learn odds and ratios from pairs that may be of one matter and pairs that cannot.

    Parameters
    ----------
    rows : Rows
    candidates, controls : Judged
        The two outcomes of `find_pairs`.
    rates : Rates
    limits : Limits
    control_share : float
        Controls per candidate where both are chance.
    """
    sources = len(rates.sources)
    odds = np.empty((len(STRATA), sources, sources))
    usual = np.empty(len(STRATA))
    ratios = {name: np.ones((len(STRATA), len(edges) - 1)) for name, edges in EDGES.items()}
    for number, prior in enumerate(_PRIOR_ODDS):
        seen, chance = (_only(judged, number) for judged in (candidates, controls))
        usual[number] = (chance.pairs.n + _PRIOR_PAIRS) / ((1 / chance.expected_n).sum() + _PRIOR_PAIRS / _USUAL)
        if number == _WITHIN:
            odds[number] = prior
            ratios["text"][number] = _retold(_bands(chance, "text", limits))
            continue
        seen_n, chance_n = (_by_sources(rows, judged.pairs, sources) for judged in (seen, chance))
        odds[number] = _odds(seen_n, chance_n / control_share, prior, control_share)
        for name in EDGES if number in _ACROSS else ():
            ratios[name][number] = _ratios(_bands(seen, name, limits), _bands(chance, name, limits) / control_share, name)
    ratios["distance"][_ACROSS[0]] = 1.0
    return Model(odds, usual, ratios, rates)


def weigh(rows: Rows, judged: Judged, model: Model, limits: Limits) -> Weighed:
    """Weigh pairs with a model.

    Raises
    ------
    IndexError
        The reports have sources that the model does not know.
    """
    at = judged.stratum
    odds = model.odds[at, rows.source[judged.pairs.first], rows.source[judged.pairs.second]]
    scarce = model.usual[at] / judged.expected_n
    # Whoever records one thing after another does so in lonely places too.
    log_odds = np.log(odds * np.where(at == _WITHIN, np.minimum(scarce, 1), scarce))
    ratios = {}
    for name, table in model.ratios.items():
        value = _feature(judged, name, limits)
        band = np.searchsorted(EDGES[name], np.nan_to_num(value), side="right") - 1
        ratios[name] = np.where(np.isnan(value), 1.0, table[at, np.clip(band, 0, table.shape[1] - 1)])
        log_odds += np.log(ratios[name])
    return Weighed(log_odds, ratios)


def _only(judged: Judged, number: int) -> Judged:
    chosen = judged.stratum == number
    return Judged(judged.pairs.take(chosen), judged.stratum[chosen], judged.expected_n[chosen], judged.alike[chosen])


def _feature(judged: Judged, name: str, limits: Limits) -> Floats:
    if name == "text":
        return judged.alike
    return judged.pairs.distance_m / limits.distance_m if name == "distance" else judged.pairs.gap_h / limits.hours_h


def _bands(judged: Judged, name: str, limits: Limits) -> Floats:
    """Count pairs by band; pairs without text are in none."""
    return np.histogram(_feature(judged, name, limits), EDGES[name])[0].astype(np.float64)


def _by_sources(rows: Rows, pairs: Pairs, sources: int) -> Floats:
    one, other = rows.source[pairs.first], rows.source[pairs.second]
    ordered = np.bincount(one * sources + other, minlength=sources * sources).reshape(sources, sources).astype(np.float64)
    return np.asarray(ordered + np.triu(ordered, 1).T + np.tril(ordered, -1).T)


def _sure(seen: npt.ArrayLike, by_chance: npt.ArrayLike, control_share: float) -> Floats:
    """Take the part of an excess over chance that noise does not explain."""
    seen, by_chance = np.asarray(seen, dtype=np.float64), np.asarray(by_chance, dtype=np.float64)
    return np.asarray(np.maximum(seen - by_chance - _SURE * np.sqrt(by_chance + by_chance / control_share), 0))


def _odds(seen: Floats, by_chance: Floats, prior: float, control_share: float) -> Floats:
    """Give the odds per two sources: the sure excess per chance pair, drawn to that of all sources, and that to the prior."""
    total, chance = np.tril(seen).sum(), np.tril(by_chance).sum()
    average = (_sure(total, chance, control_share) + _PRIOR_PAIRS * prior) / (chance + _PRIOR_PAIRS)
    return np.asarray((_sure(seen, by_chance, control_share) + _PRIOR_PAIRS * average) / (by_chance + _PRIOR_PAIRS))


def _ratios(seen: Floats, by_chance: Floats, name: str) -> Floats:
    """Give each band's share among pairs of one matter over its share by chance; nearer, sooner, more alike never speaks against."""
    edges = EDGES[name]
    middle = (edges[:-1] + edges[1:]) / 2
    usual = np.diff(edges**2 if name == "distance" else edges) if name != "text" else np.ones(len(middle))
    shape = usual * np.exp(-2 * middle if name != "text" else 1.5 * middle)
    chance = by_chance + _SMOOTH * usual / usual.sum()
    excess = np.maximum(seen - by_chance, 0) + _SMOOTH * shape / shape.sum()
    return _rising((excess / excess.sum()) / (chance / chance.sum()), chance, falling=name != "text")


def _retold(by_chance: Floats) -> Floats:
    """Give each band of likeness its assumed share in a matter told twice over its share by chance."""
    chance = by_chance + _SMOOTH * _RETOLD
    return _rising(_RETOLD / (chance / chance.sum()), chance, falling=False)


def _rising(values: Floats, weight: Floats, *, falling: bool) -> Floats:
    """Fit the nearest sequence that never falls (or never rises)."""
    from scipy.optimize import isotonic_regression

    return np.asarray(isotonic_regression(values, weights=weight, increasing=not falling).x)
