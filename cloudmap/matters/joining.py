"""Reports become matters: pairs, their evidence, and who belongs together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.errors import SchemaError
from cloudmap.matters.chance import POINT_M, Rates, expect, survey
from cloudmap.matters.clusters import join
from cloudmap.matters.evidence import STRATA, Judged, Model, Weighed, learn, stratify, weigh
from cloudmap.matters.pairs import CONTROL_SHARE, NO_PAIRS, Floats, Ints, Limits, Pairs, Rows, find_pairs
from cloudmap.matters.repeats import find_repeats
from cloudmap.matters.texts import likeness, sketch
from cloudmap.schema import MATTER_LINKS, MATTER_REASONS, MATTERS

if TYPE_CHECKING:
    from pyproj import Transformer

COLUMNS: Final = ("report_id", "source_id", "category_code", "category_raw", "occurred_at", "lon_deg", "lat_deg", "ledger_class")
"""What is needed of each report. Only located ones are joined by evidence; others only if they are the very same record."""

_TELLING: Final = 1.2
"""Likelihood ratio from which a band of distance, gap or likeness is named as a reason."""

SURE_SHARE: Final = 2 / 3
"""Probability above which two reports are joined: one matter must be twice as likely as chance."""

CONTROLS_N: Final = 200_000
"""Control pairs that evidence is learnt from, at most."""

Texts = Callable[[pl.Series], pl.Series]
"""Given report ids, gives their scrubbed texts in the same order; null where there is none."""


@dataclass(frozen=True, slots=True)
class Matters:
    """Which reports tell of one matter, and why.

    Attributes
    ----------
    shared : polars.DataFrame
        `schema.MATTERS`: the reports that share a matter, sorted by report_id. Every other report is a matter of its own.
    links : polars.DataFrame
        `schema.MATTER_LINKS`, sorted by matter_id, report_id, to_report_id.
    model : Model
        The evidence, to join other reports by.
    """

    shared: pl.DataFrame
    links: pl.DataFrame
    model: Model


def join_reports(
    reports: pl.DataFrame,
    *,
    metric_crs: str,
    texts: Texts | None = None,
    limits: Limits | None = None,
    model: Model | None = None,
) -> Matters:
    """Find the reports that tell of one matter.

    Parameters
    ----------
    reports : polars.DataFrame
        Reports, one row per report_id, columns `COLUMNS` (more are left aside).
    metric_crs : str
        Coordinate system in metres in which distances are measured, such as "EPSG:4549".
    texts : callable, optional
        Gives the texts of the few reports that need comparing; without it texts say nothing.
    limits : Limits, optional
        Diameter of a matter; 50 m and 72 h by default.
    model : Model, optional
        Evidence of an earlier run; learnt from these reports where not given.

    Returns
    -------
    Matters
        The same whatever the order of `reports`.

    Raises
    ------
    SchemaError
        A column is missing, or the model does not know a source of these reports.

    Notes
    -----
    Two reports of a category within the limits are joined where the odds of one matter against chance are at least two to one. The odds
    are the learnt number of pairs of one matter per chance pair, corrected for how crowded the place and the time are with that category
    and source, times likelihood ratios for distance, gap and likeness of text (Fellegi and Sunter's weights, with chance worked out for
    each place). Groups join only where all their pairs are within the limits and together speak for it (complete linkage).

    References
    ----------
    Fellegi and Sunter (1969), doi:10.1080/01621459.1969.10501049.
    """
    limits = limits or Limits()
    located, rows, rates = _rows(reports, metric_crs, model)
    candidates, controls = find_pairs(rows, limits)
    grounds = survey(rows, controls, limits)
    compared = controls.take(np.arange(0, controls.n, 1 + controls.n // CONTROLS_N)) if model is None else NO_PAIRS
    alike = _likeness(located["report_id"], (candidates, compared), texts)
    judged, chance = (
        Judged(pairs, stratify(rows, pairs), expect(rows, pairs, grounds, rates, limits), told)
        for pairs, told in zip((candidates, compared), alike, strict=True)
    )
    if model is None:
        share = CONTROL_SHARE * compared.n / controls.n if controls.n else CONTROL_SHARE
        model = learn(rows, judged, chance, rates, limits, control_share=share)
    weighed = weigh(rows, judged, model, limits)
    matter, linked = join(rows.n, candidates.first, candidates.second, weighed.log_odds, float(np.log(SURE_SHARE / (1 - SURE_SHARE))))
    ids = located["report_id"]
    shared, links = find_repeats(reports.select(COLUMNS).filter(pl.col("ledger_class") != "located"), SURE_SHARE)
    return Matters(
        pl.concat([_shared(ids, matter), shared]).sort("report_id"),
        pl.concat([_links(ids, judged, weighed, model, matter, linked), links]).sort("matter_id", "report_id", "to_report_id"),
        model,
    )


@lru_cache(maxsize=8)
def _to_metres(metric_crs: str) -> Transformer:
    from pyproj import Transformer

    return Transformer.from_crs("EPSG:4326", metric_crs, always_xy=True)


def _rows(reports: pl.DataFrame, metric_crs: str, model: Model | None) -> tuple[pl.DataFrame, Rows, Rates]:
    """Take what is needed of located reports, in canonical order."""
    missing = [name for name in COLUMNS if name not in reports.columns]
    if missing:
        raise SchemaError(f"reports to join to matters: column(s) {', '.join(missing)} missing; have {', '.join(reports.columns)}")
    usable = (
        (pl.col("ledger_class") == "located")
        & pl.col("lon_deg").is_finite()
        & pl.col("lat_deg").is_finite()
        & pl.col("occurred_at").is_not_null()
    )
    located = reports.select(COLUMNS).filter(usable).sort("occurred_at", "report_id")
    lon_deg, lat_deg = located["lon_deg"].to_numpy(), located["lat_deg"].to_numpy()
    x_m, y_m = (np.asarray(one) for one in _to_metres(metric_crs).transform(lon_deg, lat_deg))
    category, categories = _numbered(located["category_code"], model.rates.categories if model else ())
    source, sources = _numbered(located["source_id"], model.rates.sources if model else ())
    if model and sources != model.rates.sources:
        raise SchemaError(f"the model of matters knows sources {', '.join(model.rates.sources)} only; learn another with these reports")
    label, _ = _numbered(located["category_raw"], ())
    time_h = located["occurred_at"].dt.epoch("us").to_numpy() / 3.6e9
    rows = Rows(x_m, y_m, time_h, category, source, label)
    return located.select("report_id"), rows, model.rates if model else Rates.of(rows, categories, sources)


def _numbered(names: pl.Series, known: tuple[str, ...]) -> tuple[Ints, tuple[str, ...]]:
    """Number names by the known ones, then by sorted new ones."""
    text = names.cast(pl.String).fill_null("")
    every = (*known, *sorted(set(text.unique().to_list()) - set(known)))
    return text.cast(pl.Enum(every)).to_physical().to_numpy().astype(np.int64), every


def _likeness(ids: pl.Series, parts: tuple[Pairs, Pairs], texts: Texts | None) -> list[Floats]:
    """Compare the texts of all pairs, of which the texts are read once; NaN where there are none."""
    if texts is None:
        return [np.full(pairs.n, np.nan) for pairs in parts]
    involved = np.unique(np.concatenate([side for pairs in parts for side in (pairs.first, pairs.second)]))
    sketches, told = sketch(texts(ids.gather(involved)))
    at = np.zeros(len(ids), dtype=np.int64)
    at[involved] = np.arange(len(involved))
    return [likeness(sketches, told, at[pairs.first], at[pairs.second]) for pairs in parts]


def _shared(ids: pl.Series, matter: Ints) -> pl.DataFrame:
    followers = np.flatnonzero(matter != np.arange(len(matter)))
    rows = np.union1d(followers, matter[followers])
    return MATTERS.conform(pl.DataFrame({"report_id": ids.gather(rows), "matter_id": ids.gather(matter[rows])})).sort("report_id")


def _links(ids: pl.Series, judged: Judged, weighed: Weighed, model: Model, matter: Ints, linked: npt.NDArray[np.bool_]) -> pl.DataFrame:
    pairs, at = judged.pairs.take(linked), judged.stratum[linked]
    expected_n, alike = judged.expected_n[linked], judged.alike[linked]
    ratios = {name: values[linked] for name, values in weighed.ratios.items()}
    speaks = {
        "same_record": at == STRATA.index("same source, same record"),
        "other_source": at < STRATA.index("same source, same record"),
        "same_point": pairs.distance_m < POINT_M,
        "near": (pairs.distance_m >= POINT_M) & (ratios["distance"] >= _TELLING),
        "soon": ratios["gap"] >= _TELLING,
        "alike_text": ratios["text"] >= _TELLING,
        "rare_here": expected_n < model.usual[at],
    }
    frame = pl.DataFrame(
        {
            "matter_id": ids.gather(matter[pairs.first]),
            "report_id": ids.gather(pairs.first),
            "to_report_id": ids.gather(pairs.second),
            "distance_m": pairs.distance_m,
            "gap_h": pairs.gap_h,
            "likeness_share": pl.Series(alike, nan_to_null=True),
            "expected_n": expected_n,
            "sure_share": 1 / (1 + np.exp(-weighed.log_odds[linked])),
            **{name: speaks[name] for name in MATTER_REASONS},
        }
    )
    told = [pl.when(name).then(pl.lit(name)) for name in MATTER_REASONS]
    reasons = pl.concat_str(told, separator=" ", ignore_nulls=True).alias("reasons")
    return MATTER_LINKS.conform(frame.with_columns(reasons)).sort("matter_id", "report_id", "to_report_id")
