"""Measure how well and how fast reports of one matter are found, beside the plain rule.

python benchmarks/matters.py drawn [--scale 10] [--seed 15]     Luqiao drawn in memory, with clean records: another seed, other reports
python benchmarks/matters.py city demo/luqiao                   a loaded city with truth/duplicates.csv, dirt and datums included
python benchmarks/matters.py city demo/boston                   without that file: exact repeats (type, coordinates and second alike)

The plain rule joins reports of one category within 50 m and 24 hours of each other, chains included. Pairs: two reports of one matter.
Surplus rows: reports beyond the first of their matter, found ones right where the truth has them in that matter too.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import psutil

from cloudmap.city import open_city
from cloudmap.matters import COLUMNS, Limits, join_reports
from cloudmap.matters.joining import _rows
from cloudmap.matters.pairs import find_pairs
from cloudmap.store import open_store


@dataclass(frozen=True)
class Data:
    reports: pl.DataFrame  # COLUMNS
    texts: pl.DataFrame  # report_id, text
    truth: pl.DataFrame  # report_id, cluster (null where alone)
    metric_crs: str


def drawn(scale: float, seed: int) -> Data:
    """Draw clean reports as the sample does, before files and dirt."""
    from cloudmap.samples import luqiao_plan as plan
    from cloudmap.samples.luqiao_places import read_places, spell
    from cloudmap.samples.luqiao_records import _degrees, _texts
    from cloudmap.samples.luqiao_reports import draw_reports, to_time

    places = read_places()
    events = draw_reports(places, scale=scale, seed=seed).events
    lon, lat = _degrees(events.select("x", "y").to_numpy())
    no_dirt = events.with_columns(dirt=pl.lit(None, dtype=pl.String))
    number = pl.int_range(pl.len()).over("source").cast(pl.String).str.zfill(9)
    at = to_time(pl.col("occurred")).dt.replace_time_zone("Asia/Shanghai").dt.convert_time_zone("UTC")
    source = spell(plan.SOURCES, events["source"])
    code = spell(plan.taxonomy_codes(), events["category"])
    frame = events.select(
        (source + ":" + events.select(number).to_series()).alias("report_id"), source.alias("source_id"), code.alias("category_code"),
        code.alias("category_raw"), at.alias("occurred_at"), pl.Series("lon_deg", lon.round(6)), pl.Series("lat_deg", lat.round(6)),
        pl.lit("located").alias("ledger_class"),
        pl.col("cluster").replace(-1, None), _texts(no_dirt, places, np.random.default_rng(seed)).alias("text"),
    )  # fmt: skip
    return Data(frame.select(COLUMNS), frame.select("report_id", "text"), frame.select("report_id", "cluster"), "EPSG:4549")


def loaded(folder: Path) -> Data:
    """Read a loaded city and what is known of its matters."""
    city = open_city(folder)
    rows = open_store(city).read("reports", [*COLUMNS, "source_report_id", "text"])
    planted = folder / "truth" / "duplicates.csv"
    if planted.exists():
        known = pl.read_csv(planted, schema_overrides={"source_report_id": pl.String})
        truth = rows.join(known, on=["source_id", "source_report_id"], how="left").select("report_id", "cluster")
    else:
        same = pl.struct("source_id", "category_raw", "lon_deg", "lat_deg", "occurred_at").rank("dense")
        truth = rows.select("report_id", cluster=pl.when(pl.col("lon_deg").is_not_null()).then(same))
    return Data(rows.select(COLUMNS), rows.select("report_id", "text"), truth, city.city.metric_crs)


def plain_rule(data: Data) -> pl.DataFrame:
    """Join by category, 50 m and 24 h, chains included: report_id, matter_id."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    located, rows, _ = _rows(data.reports, data.metric_crs, None)
    pairs, _ = find_pairs(rows, Limits(50, 24))
    graph = coo_matrix((np.ones(pairs.n), (pairs.first, pairs.second)), shape=(rows.n, rows.n))
    return located.select("report_id", pl.Series("matter_id", connected_components(graph, directed=False)[1]).cast(pl.String))


def judge(truth: pl.DataFrame, found: pl.DataFrame) -> str:
    """Compare groups: precision and recall of pairs and of surplus rows."""
    both = truth.join(found, on="report_id", how="left").select(
        pl.col("cluster").cast(pl.String).fill_null(pl.col("report_id")), pl.col("matter_id").fill_null(pl.col("report_id"))
    )
    true, told, common = (both.group_by(by).len()["len"].cast(pl.Int64) for by in ("cluster", "matter_id", ["cluster", "matter_id"]))
    pairs = [int((sizes * (sizes - 1) // 2).sum()) for sizes in (true, told, common)]
    surplus = [both.height - len(sizes) for sizes in (true, told, common)]
    lines = []
    for name, (truly, found_n, right) in (("pairs", pairs), ("surplus rows", surplus)):
        lines.append(
            f"  {name}: {truly:,} true, {found_n:,} found; precision {right / max(found_n, 1):.3f}, recall {right / max(truly, 1):.3f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    made = kinds.add_parser("drawn")
    made.add_argument("--scale", type=float, default=10)
    made.add_argument("--seed", type=int, default=15)
    kinds.add_parser("city").add_argument("folder", type=Path)
    asked = parser.parse_args()

    data = drawn(asked.scale, asked.seed) if asked.kind == "drawn" else loaded(asked.folder)
    process = psutil.Process()
    before = process.memory_info().rss
    begun, cpu = time.perf_counter(), sum(process.cpu_times()[:2])
    found = join_reports(
        data.reports,
        metric_crs=data.metric_crs,
        texts=lambda ids: ids.to_frame().join(data.texts, on="report_id", how="left", maintain_order="left")["text"],
    )
    wall, cpu = time.perf_counter() - begun, sum(process.cpu_times()[:2]) - cpu
    memory = f"{before / 1e6:,.0f} MB before, {_peak() / 1e6:,.0f} MB at most"
    print(f"{data.reports.height:,} reports: {wall:.1f} s wall, {cpu:.1f} s CPU; {memory}")
    print(f"mean probability of the links: {found.links['sure_share'].mean()}")
    print("matters\n" + judge(data.truth, found.shared))
    print("plain rule\n" + judge(data.truth, plain_rule(data)))


def _peak() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
