"""The schematic sample: Luqiao's codes and names, a drawn base map, synthetic reports, and every planted truth with its exact count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from cloudmap.samples import luqiao_plan as plan
from cloudmap.samples.luqiao_dirt import choose_dirt, expect_ledger
from cloudmap.samples.luqiao_files import write_records
from cloudmap.samples.luqiao_handling import FLOWS, draw_cases, write_events
from cloudmap.samples.luqiao_places import Places, read_places, spell
from cloudmap.samples.luqiao_records import close_spoilt, describe, handle, place
from cloudmap.samples.luqiao_reports import DAY_S, Drawn, draw_reports
from cloudmap.samples.luqiao_truth import report_truth, sum_up
from cloudmap.samples.origin import boundaries_folder, copy_city, samples_folder

SEED: Final = 331004

_SUFFIX: Final = {"party": "csv", "safety": "csv", "tenancy": "xlsx", "food": "parquet"}
_SHEET_N: Final = 40_000
"""Records in one workbook: well below the format's limit, and quick to open by hand."""

_SETTLED_S: Final = (plan.DAYS_N - 5) * DAY_S
_FACTS: Final = ("microgrid", "code", "raw", "occurred", "reported", "due", "state", "dirt", "planted", "cluster")


def inputs() -> list[Path]:
    """List the files that the sample is made of, and the code that makes it."""
    code = Path(__file__).parent.glob("*.py")
    return [*code, *samples_folder("luqiao").iterdir(), *(path for path in boundaries_folder("luqiao").iterdir() if path.is_file())]


def make_luqiao(folder: Path, *, scale: float = 1, seed: int = SEED) -> list[Path]:
    """Write the city file, its base map, the reports of four sources, and ``truth.json``.

    Parameters
    ----------
    folder : Path
        Where all of it goes; made if absent.
    scale : float, default 1
        1 is about 216,000 reports, 10 is 2.16 million.
    seed : int, default SEED
        The same seed and scale give the same bytes.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    SourceError
        The samples' data are not where a checkout has them.
    """
    written = copy_city("luqiao", folder)
    data, truth = folder / "data", folder / "truth"
    truth.mkdir(exist_ok=True)
    places = read_places()
    drawn = draw_reports(places, scale=scale, seed=seed)
    files: list[dict[str, Any]] = []
    facts: list[pl.DataFrame] = []
    clusters: list[pl.DataFrame] = []
    handled: list[dict[str, Any]] = []
    for number, source in enumerate(plan.SOURCES):
        _remove_old(data, source)
        rows = []
        cases = []
        for path, records in _records(drawn, number, places, seed):
            written.append(write_records(data / path, source, records, np.random.default_rng([seed, 4, number, len(files)])))
            files.append({"source": source, "file": path, **expect_ledger(source, records["dirt"])})
            facts.append(records.select(pl.lit(source).alias("source"), *_FACTS))
            rows.append(report_truth(records, places).with_columns(pl.lit(path).alias("file")))
            if source in FLOWS:
                cases.append(draw_cases(records, np.random.default_rng([seed, 6, number, len(files)])))
        whole = pl.concat(rows)
        whole.write_parquet(truth / f"{source}.parquet", compression="zstd")
        clusters.append(whole.drop_nulls("cluster").select("cluster", pl.lit(source).alias("source_id"), "source_report_id"))
        written.append(truth / f"{source}.parquet")
        if cases:
            events, told = write_events(data, source, pl.concat(cases), np.random.default_rng([seed, 7, number]))
            written.append(events)
            handled.append(told)
    pl.concat(clusters).sort("cluster", "source_id", "source_report_id").write_csv(truth / "duplicates.csv")
    _write_targets(data / "campaign_targets.csv", drawn, places)
    planted = sum_up(drawn, pl.concat(facts), files, places)
    content = json.dumps({"sample": "luqiao", "seed": seed, "scale": scale, **planted, "handling": handled}, ensure_ascii=False, indent=1)
    (folder / "truth.json").write_text(content + "\n", encoding="utf-8")
    return [*written, truth / "duplicates.csv", data / "campaign_targets.csv", folder / "truth.json"]


def _records(drawn: Drawn, number: int, places: Places, seed: int) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the name and the records of each file of a source."""
    source = plan.SOURCES[number]
    events = drawn.events.filter(pl.col("source") == number)
    if events.is_empty():
        return
    handled = handle(events, places, np.random.default_rng([seed, 2, number]))
    for part, (name, chunk) in enumerate(_split(handled, source)):
        rng = np.random.default_rng([seed, 3, number, part])
        usable = chunk["planted"].is_null() & (chunk["cluster"] < 0) & (chunk["reported"] < _SETTLED_S)
        records = close_spoilt(chunk.with_columns(choose_dirt(source, usable.to_numpy(), rng)))
        yield name, describe(place(records, source, places, rng), source, places, rng)


def _split(records: pl.DataFrame, source: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """Cut a source's records into files: one a year, workbooks also by size."""
    for year in range(plan.FIRST_ON.year, plan.LAST_ON.year + 1):
        first, last = (max(plan.day_of(plan.FIRST_ON.replace(year=one)), 0) * DAY_S for one in (year, year + 1))
        own = records.filter(pl.col("reported").is_between(first, last, closed="left"))
        if source != "tenancy":
            if own.height:
                yield f"{source}_{year}.{_SUFFIX[source]}", own
            continue
        for part, start in enumerate(range(0, own.height, _SHEET_N), 1):
            yield f"{source}_{year}_{part}.{_SUFFIX[source]}", own[start : start + _SHEET_N]


def _remove_old(data: Path, source: str) -> None:
    """Remove files of an earlier scale or seed, which the city file's pattern would pick up."""
    for path in data.glob(f"{source}_*.{_SUFFIX[source]}"):
        path.unlink()


def _write_targets(path: Path, drawn: Drawn, places: Places) -> None:
    """Write the campaign's list, as its milestone names it."""
    from pyproj import Transformer

    targets = drawn.targets
    lon, lat = Transformer.from_crs("EPSG:4549", "EPSG:4490", always_xy=True).transform(targets["x"].to_numpy(), targets["y"].to_numpy())
    targets.select(
        "target_id",
        pl.Series("lon", np.round(lon, 6)),
        pl.Series("lat", np.round(lat, 6)),
        spell(places.codes, targets["microgrid"]).alias("microgrid"),
        "done_on",
    ).write_csv(path)
