"""Made-up reports for tests of matters: metres and hours around a corner of Luqiao."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from pyproj import Transformer

from cloudmap.matters import COLUMNS, Limits, Matters, Model, join_reports

CRS = "EPSG:4549"
EAST, NORTH = 630_000.0, 3_160_000.0
TO_DEGREES = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
START = datetime(2018, 1, 1, tzinfo=UTC)


def reports(rows):
    """Frame of reports from rows (id, source, category, x_m, y_m, hours, label)."""
    ids, source, category, x, y, hours, *label = zip(*rows, strict=True) if rows else ((),) * 6
    lon, lat = TO_DEGREES.transform(EAST + np.array(x, dtype=float), NORTH + np.array(y, dtype=float))
    frame = {
        "report_id": ids,
        "source_id": source,
        "category_code": category,
        "category_raw": label[0] if label else category,
        "occurred_at": [START + timedelta(hours=float(hour)) for hour in hours],
        "lon_deg": lon,
        "lat_deg": lat,
        "ledger_class": "located",
    }
    text = dict.fromkeys((*COLUMNS[:4], "ledger_class"), pl.String)
    return pl.DataFrame(frame, schema_overrides={**text, "occurred_at": pl.Datetime("us", "UTC")})


def joined(frame, *, texts=None, limits: Limits | None = None, model: Model | None = None) -> Matters:
    """Join reports, texts given as a mapping of report_id."""

    def read(ids):
        return pl.Series([texts.get(one) for one in ids], dtype=pl.String)

    return join_reports(frame, metric_crs=CRS, texts=None if texts is None else read, limits=limits, model=model)


def matters(found: Matters):
    """Sets of reports of one matter, by matter_id."""
    return {key: set(ids) for key, ids in found.shared.group_by("matter_id").agg("report_id").iter_rows()}


def town(seed=1, *, n=3000, copies=60, days=120, side_m=3000):
    """Reports of two sources spread over a town, some of them told again by the other source; the true pairs."""
    rng = np.random.default_rng(seed)
    category = rng.choice(["FC02", "AP01", "SH07"], n)
    x, y, hours = rng.uniform(0, side_m, n), rng.uniform(0, side_m, n), rng.uniform(0, days * 24, n)
    source = rng.choice(["app", "hotline"], n)
    rows = [(f"{source[i]}:{i:05d}", source[i], category[i], x[i], y[i], hours[i]) for i in range(n)]
    pairs = set()
    for i in rng.choice(n, copies, replace=False):
        other = "hotline" if source[i] == "app" else "app"
        at = x[i] + rng.uniform(-12, 12), y[i] + rng.uniform(-12, 12), hours[i] + rng.uniform(-10, 10)
        rows.append((f"{other}:{n + i:05d}", other, category[i], *at))
        pairs.add(frozenset((rows[i][0], rows[-1][0])))
    return rows, pairs
