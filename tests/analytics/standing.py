"""Made-up cities whose situation is known: streets with cells, matters, cases and water."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from cloudmap.analytics.emerging_map import emerging_hotspots
from cloudmap.analytics.panel import Panel
from cloudmap.analytics.periods import Period
from cloudmap.analytics.silent import silent_cells
from cloudmap.analytics.situation import Burden, Evidence, Handled, Verdicts, Water, situation
from tests.analytics.panels import disk, line, panel

ZONE = ZoneInfo("Asia/Shanghai")
WEIGHTS = {"EV01": 1.0, "EV02": 3.0, "SA01": 10.0, "SA02": 30.0}
MIX = np.array([0.55, 0.3, 0.12, 0.03])
STREETS, WEEKS, SPAN = 10, 104, 4


@dataclass
class Standing:
    """A city's panels and cases; `frame` holds one row a matter."""

    streets: Panel
    cells: Panel
    unit_of: pl.DataFrame
    frame: pl.DataFrame
    water: Panel
    length_km: dict


def still_city(seed, *, size=3.0, weekly=24.0):
    """A city in which nothing changes but the season, week by week more than Poisson: negative binomial of this size."""
    rng = np.random.default_rng(seed)
    weights = disk(7)
    n = weights.shape[0]
    street = np.arange(n) * STREETS // n
    level = rng.gamma(2.0, 1.0, n)
    level *= STREETS * weekly / level.sum()
    season = 1 + 0.2 * np.sin(2 * np.pi * np.arange(WEEKS) / 52.18)
    busy = rng.gamma(size * 8, 1 / (size * 8), (STREETS, WEEKS))[street]
    counts = rng.poisson(np.outer(level, season) * busy * rng.gamma(size, 1 / size, (n, WEEKS)))
    cells = panel(counts, weights)
    by_street = np.array([counts[street == one].sum(axis=0) for one in range(STREETS)])
    streets = panel(by_street, line(STREETS), layer="unit_street", places=tuple(f"33100400{one}" for one in range(STREETS)))
    unit_of = pl.DataFrame({"place": list(cells.places), "unit": [streets.places[one] for one in street]})
    wet = rng.binomial(by_street, 0.2)
    return Standing(
        streets,
        cells,
        unit_of,
        _matters(rng, cells, counts, street, streets),
        replace(streets, counts=wet, category="ALL"),
        {place: 2.0 + at for at, place in enumerate(streets.places)},
    )


def _matters(rng, cells, counts, street, streets):
    """One row a matter: where, when, of what category, due when, closed when; a street's on-time share wanders from week to week."""
    cell, week = (np.repeat(one.ravel(), counts.ravel()) for one in np.indices(counts.shape))
    m = cell.size
    opened = np.datetime64(cells.first_week_on) + week * np.timedelta64(7, "D") + rng.uniform(0, 7 * 86400, m).astype("timedelta64[s]")
    opened = opened - np.timedelta64(8, "h")
    due = opened + np.timedelta64(3, "D")
    good = np.clip(0.8 + rng.normal(0, 0.05, (STREETS, WEEKS)), 0.05, 0.99)[street[cell], week]
    closed = due + np.where(rng.random(m) < good, -1, 1) * rng.uniform(3600, 2 * 86400, m).astype("timedelta64[s]")
    heavy = rng.random((STREETS, WEEKS)) * 0.1
    code = np.array(list(WEIGHTS))[rng.choice(4, size=m, p=MIX)]
    code = np.where(rng.random(m) < heavy[street[cell], week], "SA01", code)
    instant = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        {
            "place": np.array(cells.places)[cell],
            "unit_street_code": np.array(streets.places)[street[cell]],
            "category_code": code,
            "week_on": (np.datetime64(cells.first_week_on) + week * np.timedelta64(7, "D")).astype("datetime64[D]"),
            "occurred_at": pl.Series(opened.astype("datetime64[us]")).dt.replace_time_zone("UTC"),
            "opened_at": pl.Series(opened.astype("datetime64[us]")).dt.replace_time_zone("UTC"),
            "due_at": pl.Series(due.astype("datetime64[us]")).dt.replace_time_zone("UTC"),
            "closed_at": pl.Series(closed.astype("datetime64[us]")).dt.replace_time_zone("UTC"),
            "state": ["closed"] * m,
            "returned_n": np.zeros(m, dtype=np.int64),
            "events_n": np.zeros(m, dtype=np.int64),
            "extended_n": np.zeros(m, dtype=np.int64),
            "highest_tier": pl.Series([None] * m, dtype=pl.String),
            "tells": [False] * m,
            "case_flags": np.zeros(m, dtype=np.int64),
            "reporter_hash": np.array([f"{a}-{b}" for a, b in zip(street[cell], rng.integers(0, 9, m), strict=True)]),
            "reporter_kind": ["staff"] * m,
        },
        schema_overrides=dict.fromkeys(("occurred_at", "opened_at", "due_at", "closed_at"), instant),
    )


def cube_of(city):
    """The weekly cube of the streets."""
    counted = city.frame.group_by(pl.col("unit_street_code").alias("place"), "week_on", "category_code").agg(
        reports_n=pl.len().cast(pl.Int64), matters_n=pl.len().cast(pl.Int64)
    )
    return counted.with_columns(burden=pl.col("matters_n") * pl.col("category_code").replace_strict(WEIGHTS))


def now_of(city):
    """The midnight that ends the last week."""
    return datetime.combine(city.streets.weeks[-1] + timedelta(weeks=1), time(), ZONE).astimezone(UTC)


def last_weeks(city, n=SPAN):
    """The last weeks of the city's data, as a period."""
    return Period(city.streets.weeks[-n], n)


def cut(cells, weeks):
    """The same panel without its last weeks."""
    return replace(cells, counts=cells.counts[:, : cells.weeks_n - weeks], complete=cells.complete[: cells.weeks_n - weeks])


def evidence_of(city, *, min_staff=5, maps=True):
    """Everything that a situation may be told from."""
    handled = Handled(city.frame, "unit_street_code", ZONE, now_of(city), near_column="place", min_staff=min_staff)
    verdicts = [None, None]
    if maps:
        earlier = cut(city.cells, SPAN)
        verdicts = [
            Verdicts(city.cells, city.unit_of, told(city.cells).table, told(earlier).table) for told in (emerging_hotspots, silent_cells)
        ]
    return Evidence(Burden(cube_of(city), WEIGHTS), handled, *verdicts, Water(city.water, city.length_km))


def situation_of(city, *, regimes=None, evidence=None, period=None, **other):
    """The situation of the city's last four weeks."""
    return situation(city.streets, period=period or last_weeks(city), regimes=regimes, evidence=evidence or evidence_of(city), **other)
