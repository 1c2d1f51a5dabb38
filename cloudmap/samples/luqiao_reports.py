"""Draw the synthetic reports of Luqiao: ordinary ones by population, and what is planted among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cloudmap.samples import luqiao_plan as plan
from cloudmap.samples.luqiao_places import Floats, Ints, Places

DAY_S: Final = 86_400
_HOURS: Final = (1, 0.5, 0.4, 0.3, 0.4, 1, 2, 5, 9, 11, 11, 8, 5, 7, 10, 10, 9, 7, 5, 4, 4, 3, 2, 1.5)

EVENTS: Final = {
    "source": pl.Int8,
    "microgrid": pl.Int32,
    "category": pl.Int16,
    "occurred": pl.Int64,
    "reported": pl.Int64,
    "x": pl.Float64,
    "y": pl.Float64,
    "planted": pl.String,
    "cluster": pl.Int32,
}
"""Columns of drawn reports: positions in `plan.SOURCES`, `Places` and `plan.taxonomy_codes`; seconds since the first local midnight;
metres (EPSG:4549); the planted thing it belongs to; the duplicate cluster."""


@dataclass
class Drawn:
    """All reports as they should be, before any dirt, and what was planted.

    Attributes
    ----------
    events : polars.DataFrame
        Columns `EVENTS`, sorted by source and time.
    hotspots : list of dict
        Per planted hotspot: spot, rows (micro-grids), expected (ordinary reports), extra_n (reports added).
    silent : array of int
        Micro-grids without reports from `plan.SILENT_FROM` on.
    targets : polars.DataFrame
        The campaign's list: target_id, microgrid, x, y, done_on.
    """

    events: pl.DataFrame
    hotspots: list[dict[str, Any]] = field(default_factory=list)
    silent: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    targets: pl.DataFrame = field(default_factory=pl.DataFrame)


def draw_reports(places: Places, *, scale: float, seed: int) -> Drawn:
    """Draw all reports of all sources.

    Parameters
    ----------
    places : Places
    scale : float
        1 is `plan.REPORTS_N` reports.
    seed : int

    Raises
    ------
    SourceError
        The samples' data are not where a checkout has them.
    """
    rng = np.random.default_rng([seed, 1])
    total = round(plan.REPORTS_N * scale)
    hotspots, hot_frames = _draw_hotspots(places, total, rng)
    in_hotspot = np.unique(np.concatenate([np.asarray(one["rows"]) for one in hotspots]))
    quiet = np.setdiff1d(np.flatnonzero(places.population >= 150), in_hotspot)
    silent = np.sort(rng.choice(quiet, plan.SILENT_N, replace=False))
    targets, campaign = _draw_campaign(places, silent, scale, rng)
    planted = pl.concat([*hot_frames, campaign])
    sizes = rng.choice(plan.CLUSTER_SIZES, round(plan.CLUSTER_SHARE * total), p=plan.CLUSTER_SIZE_SHARES)
    ordinary_n = total - planted.height - int((sizes - 1).sum())
    counts = np.floor(np.array(plan.SHARES) * ordinary_n).astype(int)
    ordinary = pl.concat([_draw_ordinary(number, int(n), places, silent, rng) for number, n in enumerate(counts)])
    clustered = _draw_clusters(ordinary, sizes, places, silent, rng)
    # Only the first source tells when a thing happened; for the others that is when it was reported.
    told = pl.when(pl.col("source") == plan.SOURCES.index("party")).then("occurred").otherwise("reported").alias("occurred")
    events = pl.concat([clustered, planted]).with_columns(told).sort("source", "reported", "x", maintain_order=True)
    return Drawn(events, hotspots, silent, targets)


def seconds_of(days: NDArray[np.integer], rng: np.random.Generator) -> Ints:
    """Draw a time of day, in seconds since the first midnight, for each day."""
    share = np.array(_HOURS) / sum(_HOURS)
    hour = np.searchsorted(np.cumsum(share), rng.random(len(days)), side="right").clip(max=23)
    seconds: Ints = np.asarray(days, dtype=np.int64) * DAY_S + hour * 3600 + rng.integers(0, 3600, len(days))
    return seconds


def to_time(seconds: pl.Expr) -> pl.Expr:
    """Turn seconds since the first local midnight into a naive local time."""
    start = datetime.combine(plan.FIRST_ON, datetime.min.time())
    return pl.lit(start) + pl.duration(seconds=seconds)


def _frame(columns: dict[str, Any], n: int) -> pl.DataFrame:
    whole = {"planted": pl.Series([None] * n, dtype=pl.String), "cluster": np.full(n, -1), **columns}
    return pl.DataFrame({name: pl.Series(name, whole[name]).cast(dtype) for name, dtype in EVENTS.items()})


def _pick(weights: Floats, n: int, rng: np.random.Generator) -> Ints:
    cumulated = np.cumsum(weights)
    picked: Ints = np.searchsorted(cumulated, rng.random(n) * cumulated[-1], side="right").astype(np.int64)
    return picked


def _draw_ordinary(source: int, n: int, places: Places, silent: Ints, rng: np.random.Generator) -> pl.DataFrame:
    """Draw reports in proportion to population, at the source's own days; none in silent micro-grids once they fell silent."""
    name = plan.SOURCES[source]
    reported = np.sort(seconds_of(_pick(plan.day_weights(name), n, rng), rng))
    microgrid = _pick(places.population.astype(float), n, rng)
    late = np.isin(microgrid, silent) & (reported >= plan.day_of(plan.SILENT_FROM) * DAY_S)
    spoken = places.population.astype(float)
    spoken[silent] = 0
    microgrid[late] = _pick(spoken, int(late.sum()), rng)
    delay = rng.exponential(3600, n)
    if name == "party":  # a few are filled in late, in batches
        delay = np.where(rng.random(n) < 0.03, rng.uniform(5, 30, n) * DAY_S, delay)
    occurred = np.maximum(reported - delay.astype(np.int64), np.minimum(reported, 60))
    points = places.points_in(microgrid, rng)
    columns = {"source": np.full(n, source), "microgrid": microgrid, "category": _pick(plan.category_shares(name), n, rng)}
    return _frame({**columns, "occurred": occurred, "reported": reported, "x": points[:, 0], "y": points[:, 1]}, n)


def _draw_hotspots(places: Places, total: int, rng: np.random.Generator) -> tuple[list[dict[str, Any]], list[pl.DataFrame]]:
    entries: list[dict[str, Any]] = []
    frames = []
    taken = np.empty(0, dtype=np.int64)
    for spot in plan.HOTSPOTS:
        rows = _choose_ground(spot, places, taken, rng)
        taken = np.concatenate([taken, rows])
        category = plan.taxonomy_codes().index(spot.category)
        first, last = plan.day_of(spot.first_on), plan.day_of(spot.last_on)
        share = places.population[rows].sum() / places.population.sum()
        by_source = np.array(
            [
                total * part * plan.category_shares(name)[category] * plan.day_weights(name)[first : last + 1].sum() * share
                for name, part in zip(plan.SOURCES, plan.SHARES, strict=True)
            ]
        )
        expected = float(by_source.sum())
        rise = (spot.relative_risk - 1) / (2 if spot.kind == "emerging" else 1)
        n = max(6, round(expected * rise))
        when = rng.random(n) if spot.kind == "hotspot" else np.sqrt(rng.random(n))
        reported = seconds_of(first + np.floor(when * (last - first + 1)).astype(np.int64), rng)
        microgrid = rows[_pick(places.population[rows].astype(float), n, rng)]
        points = places.points_in(microgrid, rng)
        columns = {"source": _pick(by_source, n, rng), "microgrid": microgrid, "category": np.full(n, category)}
        moments = {"occurred": reported - np.minimum(reported % DAY_S, 600), "reported": reported}
        planted = pl.Series([spot.id] * n, dtype=pl.String)
        frames.append(_frame({**columns, **moments, "x": points[:, 0], "y": points[:, 1], "planted": planted}, n))
        entries.append({"spot": spot, "rows": rows, "expected": expected, "extra_n": n})
    return entries, frames


def _choose_ground(spot: plan.Hotspot, places: Places, taken: Ints, rng: np.random.Generator) -> Ints:
    """Choose neighbouring micro-grids of one street that no other planted thing uses."""
    candidates = rng.permutation(np.flatnonzero(places.streets == spot.street))
    for candidate in candidates:
        rows = places.around(int(candidate), spot.microgrids_n)
        apart = taken.size == 0 or np.hypot(*(places.centres[candidate] - places.centres[taken]).T).min() > 2500
        if apart and (places.streets[rows] == spot.street).all():
            return rows
    raise AssertionError(f"no room for {spot.id} in {spot.street}: the drawn base map has changed")


def _draw_campaign(places: Places, silent: Ints, scale: float, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw the list of targets and their reports: steady before the campaign, then falling to zero as targets are done."""
    free = np.setdiff1d(np.arange(len(places.codes)), silent)
    microgrid = np.sort(rng.choice(free, plan.CAMPAIGN_TARGETS_N, replace=False))
    points = places.points_in(microgrid, rng)
    start, zero = plan.day_of(plan.CAMPAIGN_ON), plan.day_of(plan.CAMPAIGN_ZERO_ON)
    done = rng.permutation(start + 1 + np.floor(np.arange(len(microgrid)) / len(microgrid) * (zero - start - 1)).astype(np.int64))
    n = round(plan.CAMPAIGN_WEEKLY_N * scale * (zero - plan.day_of(plan.CAMPAIGN_FROM)) / 7)
    day = rng.integers(plan.day_of(plan.CAMPAIGN_FROM), zero, n)
    target = rng.integers(0, len(microgrid), n)
    kept = day < done[target]
    day, target = day[kept], target[kept]
    reported = seconds_of(day, rng)
    where = places.points_near(points[target], microgrid[target], 15, rng)
    columns = {
        "source": np.where(rng.random(len(day)) < 0.7, 0, 1),
        "microgrid": microgrid[target],
        "category": np.full(len(day), plan.taxonomy_codes().index(plan.CAMPAIGN_CODE)),
        "occurred": reported - np.minimum(reported % DAY_S, 600),
        "reported": reported,
        "x": where[:, 0],
        "y": where[:, 1],
        "planted": pl.Series(["campaign"] * len(day), dtype=pl.String),
    }
    targets = pl.DataFrame(
        {
            "target_id": [f"SXC{number:04d}" for number in range(1, len(microgrid) + 1)],
            "microgrid": microgrid,
            "x": points[:, 0],
            "y": points[:, 1],
            "done_on": [date.fromordinal(plan.FIRST_ON.toordinal() + int(one)) for one in done],
        }
    )
    return targets, _frame(columns, len(day))


def _draw_clusters(ordinary: pl.DataFrame, sizes: Ints, places: Places, silent: Ints, rng: np.random.Generator) -> pl.DataFrame:
    """Let some ordinary reports come in again through other sources: a little later or earlier, a little beside.

    Only after the app's launch, whose jump they would blur, and not where silence is planted.
    """
    knows = np.array([plan.category_shares(name) > 0 for name in plan.SOURCES])
    category, source = ordinary["category"].to_numpy(), ordinary["source"].to_numpy()
    others = knows[:, category].sum(axis=0) - 1
    reported, margin = ordinary["reported"].to_numpy(), plan.CLUSTER_HOURS * 3600
    usable = (reported > plan.day_of(plan.LAUNCH_ON) * DAY_S + margin) & (reported < plan.DAYS_N * DAY_S - margin)
    usable &= ~np.isin(ordinary["microgrid"].to_numpy(), silent)
    chosen, spare = [], np.ones(ordinary.height, dtype=bool)
    for size in plan.CLUSTER_SIZES:
        pool = np.flatnonzero((others >= size - 1) & usable & spare)
        some = rng.choice(pool, min(int((sizes == size).sum()), len(pool)), replace=False)
        spare[some] = False
        chosen.append((size, np.sort(some)))
    marks = np.full(ordinary.height, -1)
    copies, number = [], 0
    for size, rows in chosen:
        marks[rows] = np.arange(number, number + len(rows))
        number += len(rows)
        # Other sources that know the category, in random order for each cluster.
        order = np.where(knows[:, category[rows]].T, rng.random((len(rows), len(plan.SOURCES))), 2.0)
        order[np.arange(len(rows)), source[rows]] = 2.0
        ranked = np.argsort(order, axis=1)
        copies += [_copy(ordinary[rows], marks[rows], ranked[:, turn], places, rng) for turn in range(size - 1)]
    return pl.concat([ordinary.with_columns(pl.Series("cluster", marks, dtype=pl.Int32)), *copies])


def _copy(rows: pl.DataFrame, cluster: Ints, source: Ints, places: Places, rng: np.random.Generator) -> pl.DataFrame:
    points = places.points_near(rows.select("x", "y").to_numpy(), rows["microgrid"].to_numpy(), plan.CLUSTER_RADIUS_M, rng)
    shift = rng.integers(-plan.CLUSTER_HOURS * 3600, plan.CLUSTER_HOURS * 3600, rows.height)
    return rows.with_columns(
        pl.Series("source", source, dtype=pl.Int8),
        pl.Series("x", points[:, 0]),
        pl.Series("y", points[:, 1]),
        (pl.col("reported") + shift).alias("reported"),
        (pl.col("reported") + shift - rng.integers(0, 1800, rows.height)).alias("occurred"),
        pl.Series("cluster", cluster, dtype=pl.Int32),
    )
