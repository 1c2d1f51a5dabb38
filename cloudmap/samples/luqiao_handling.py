"""Event files of the two flows for a share of the reports, with histories and contradictions that are planted and counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from cloudmap.samples.luqiao_records import END_S
from cloudmap.samples.luqiao_reports import DAY_S, to_time

CASES_SHARE: Final = 0.03
"""Share of usable reports of a source whose handling is told."""

HISTORIES: Final = ("plain", "suspended", "returned", "extended", "expedited", "escalated")
HISTORY_SHARES: Final = (0.70, 0.06, 0.08, 0.06, 0.04, 0.06)
TIERS: Final = ("微格协调会", "议事会", "街道联席会")

_DIRT_SHARE: Final = 0.01
_DIRT_LEAST_N: Final = 1
_TWO_HOURS_S: Final = 7200


@dataclass(frozen=True, slots=True)
class Flow:
    """How one flow is written: file, its columns (report, stage, state, time, meeting), encoding, and its stages.

    ``steps`` are stage and share of the handling time at which it begins; the one at 1 closes the case. ``stays`` is the stage that a
    case is in while it is worked on.
    """

    name: str
    file: str
    columns: tuple[str, str, str, str, str]
    encoding: str
    time_format: str
    steps: tuple[tuple[str, float], ...]
    stays: str
    returns_to: str


FLOWS: Final = {
    "party": Flow(
        "hall", "handling_hall.csv", ("编号", "环节", "状态", "时间", "会议层级"), "utf-8", "%Y-%m-%d %H:%M:%S",
        (("信息收集", 0.0), ("分流交办", 0.1), ("完结督办", 1.0)), "分流交办", "分流交办",
    ),
    "safety": Flow(
        "district", "handling_district.csv", ("事件编号", "办理环节", "办理状态", "操作时间", "会议"), "gb18030", "%Y/%m/%d %H:%M:%S",
        (("采集", 0.0), ("整理", 0.05), ("分流", 0.12), ("处置", 0.2), ("反馈", 0.85), ("督查", 1.0)), "处置", "处置",
    ),
}  # fmt: skip

_WORDS: Final = {
    "open": "待办", "handling": "办理中", "suspended": "挂账", "returned": "退回", "extended": "延期", "expedited": "加急", "void": "作废",
    "closed": "已办结",
}  # fmt: skip
_MIDDLE: Final = {
    "suspended": (0.4, "suspended"),
    "returned": (0.5, "returned"),
    "extended": (0.5, "extended"),
    "expedited": (0.3, "expedited"),
}


def draw_cases(records: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Choose the reports whose handling is told, and what happens to them.

    Parameters
    ----------
    records : polars.DataFrame
        Of one file, as `luqiao_records` makes them.
    rng : numpy.random.Generator

    Returns
    -------
    polars.DataFrame
        report_id, first, reported, ended (seconds; null while it goes on), state, tier, history.
    """
    usable = pl.col("dirt").is_null() & pl.col("planted").is_null() & (pl.col("cluster") < 0) & (pl.col("reported") < END_S - 5 * DAY_S)
    told = records.with_columns(pl.Series("draw", rng.random(records.height))).filter(usable, pl.col("draw") < CASES_SHARE)
    history = np.array(HISTORIES)[np.searchsorted(np.cumsum(HISTORY_SHARES)[:-1], rng.random(told.height))]
    closed = pl.col("state") == "closed"
    return told.select(
        "report_id",
        pl.min_horizontal("occurred", "reported").alias("first"),
        "reported",
        pl.when(closed).then("closed").alias("ended"),
        "state",
        "tier",
        # What is planted happens to cases that came to an end; the others say by their state what they are.
        pl.when(closed).then(pl.Series(history.tolist(), dtype=pl.String)).otherwise(pl.lit("plain")).alias("history"),
    )


def write_events(folder: Path, source: str, cases: pl.DataFrame, rng: np.random.Generator) -> tuple[Path, dict[str, Any]]:
    """Write the event file of a source.

    Parameters
    ----------
    folder : Path
        The city's ``data`` folder.
    source : str
        A key of `FLOWS`.
    cases : polars.DataFrame
        From `draw_cases`, of all files of the source.
    rng : numpy.random.Generator

    Returns
    -------
    path : Path
    truth : dict
        Lines, classes, doubts and histories that reading must find again.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    flow = FLOWS[source]
    events = _events(cases, flow)
    events, dirt = _spoil(events, cases, flow, rng)
    text = events.select(
        pl.col("report_id").fill_null("").alias(flow.columns[0]),
        pl.col("stage").alias(flow.columns[1]),
        pl.col("state").alias(flow.columns[2]),
        pl.when(pl.col("broken")).then(pl.lit("2017-02-31 10:00:00")).otherwise(to_time(pl.col("at")).dt.strftime(flow.time_format))
        .alias(flow.columns[3]),
        pl.col("tier").fill_null("").alias(flow.columns[4]),
    )  # fmt: skip
    path = folder / flow.file
    path.write_bytes(text.write_csv(line_terminator="\n").encode(flow.encoding))
    return path, _truth(source, flow, cases, events, dirt)


def _events(cases: pl.DataFrame, flow: Flow) -> pl.DataFrame:
    """Tell each case's history, in order of time."""
    span = pl.coalesce(pl.col("ended"), pl.min_horizontal(pl.col("reported") + 2 * DAY_S, pl.lit(END_S))) - pl.col("reported")
    timed = cases.with_columns(span.alias("span"))
    closed = pl.col("ended").is_not_null()
    parts = []
    for stage, share in flow.steps:
        state = "open" if share == 0 else "closed" if share == 1 else "handling"
        tier = "tier" if share == 1 else None
        parts.append(_step(timed.filter(closed) if share > 0.2 else timed, share, stage, state, tier))
    parts.append(_step(timed.filter(~closed, ~pl.col("state").is_in(["open", "handling"])), 0.6, flow.stays, None, None))
    for history, (share, state) in _MIDDLE.items():
        parts.append(_step(timed.filter(pl.col("history") == history), share, flow.stays, state, None))
    parts.append(_step(timed.filter(pl.col("history") == "suspended"), 0.6, flow.stays, "resumed", None))
    parts.append(_step(timed.filter(pl.col("history") == "returned"), 0.55, flow.returns_to, "handling", None))
    parts.append(_step(timed.filter(pl.col("history") == "escalated"), 0.7, flow.stays, "handling", TIERS[2]))
    if flow.name == "hall":
        after = _step(timed.filter(closed), 1.0, "信息反馈", "closed", None)
        parts.append(after.with_columns(pl.col("at") + _TWO_HOURS_S))
    return pl.concat(parts).with_columns(pl.lit(value=False).alias("broken")).sort("at", "report_id", maintain_order=True)


def _step(cases: pl.DataFrame, share: float, stage: str, state: str | None, tier: str | None) -> pl.DataFrame:
    """Write one event of each case; without a state, the case's own."""
    words = {**_WORDS, "resumed": "恢复办理"}
    said = pl.col("state").replace_strict(_WORDS, return_dtype=pl.String) if state is None else pl.lit(words[state])
    return cases.select(
        "report_id",
        (pl.col("reported") + (pl.col("span") * share).cast(pl.Int64)).alias("at"),
        pl.lit(stage).alias("stage"),
        said.alias("said"),
        (pl.col("tier") if tier == "tier" else pl.lit(tier, dtype=pl.String)).alias("tier"),
        "history",
    ).rename({"said": "state"})


def _spoil(events: pl.DataFrame, cases: pl.DataFrame, flow: Flow, rng: np.random.Generator) -> tuple[pl.DataFrame, dict[str, int]]:
    """Spoil some events, and add some that must be refused or are odd."""
    plain = cases.filter(pl.col("ended").is_not_null(), pl.col("history") == "plain", pl.col("ended") - pl.col("reported") > DAY_S)
    count = max(_DIRT_LEAST_N, round(_DIRT_SHARE * plain.height))
    if plain.height < 8 * count:
        return events, {}
    ids = plain["report_id"].gather(rng.permutation(plain.height)[: 8 * count])
    groups = [ids[start : start + count].to_list() for start in range(0, 8 * count, count)]
    begun, worked = flow.steps[0][0], flow.steps[-2][0]

    def of(group: int, stage: str) -> pl.Expr:
        return pl.col("report_id").is_in(groups[group]) & (pl.col("stage") == stage)

    first = cases.select("report_id", "first")
    changed = events.join(first, on="report_id", how="left", maintain_order="left").with_columns(
        pl.when(of(0, worked)).then(pl.lit("转外单位")).otherwise("stage").alias("stage"),
        pl.when(of(1, worked)).then(pl.lit("情况不明")).otherwise("state").alias("state"),
        pl.when(of(2, begun)).then(pl.col("first") - 2 * DAY_S).otherwise("at").alias("at"),
    ).drop("first")  # fmt: skip
    dirt = {"unknown_stage": count, "unknown_state": count, "before_opened": count}
    if flow.name == "district":
        middle = cases.select("report_id", (pl.col("reported") + (pl.col("ended") - pl.col("reported")) // 2).alias("middle"))
        changed = changed.join(middle, on="report_id", how="left", maintain_order="left")
        changed = changed.with_columns(pl.when(of(3, flow.steps[1][0])).then("middle").otherwise("at").alias("at")).drop("middle")
        dirt["out_of_order"] = count
        extra = []
    else:
        extra = [events.filter(of(3, flow.steps[-1][0])).with_columns(pl.col("at") + 3600, pl.lit(_WORDS["handling"]).alias("state"))]
        dirt["after_closing"] = count
    strange = pl.concat_str(pl.lit("ZZ"), "report_id").alias("report_id")
    extra += [
        events.filter(of(4, worked)).with_columns(strange),
        events.filter(of(5, worked)),
        events.filter(of(6, worked)).with_columns(pl.lit(value=True).alias("broken")),
        events.filter(of(7, worked)).with_columns(pl.lit(None, dtype=pl.String).alias("report_id")),
    ]
    dirt |= {"unknown_report": count, "repeated": count, "broken_time": count, "blank_id": count}
    return pl.concat([changed, *extra]).sort("at", "report_id", maintain_order=True, nulls_last=True), dirt


def _truth(source: str, flow: Flow, cases: pl.DataFrame, events: pl.DataFrame, dirt: dict[str, int]) -> dict[str, Any]:
    quarantined = dirt.get("broken_time", 0) + dirt.get("blank_id", 0)
    classes = {
        "events": events.height - dirt.get("repeated", 0) - quarantined,
        "repeated": dirt.get("repeated", 0),
        "quarantined": quarantined,
    }
    ended = cases.filter(pl.col("ended").is_not_null())
    own = pl.col("tier").replace_strict({name: at for at, name in enumerate(TIERS)}, return_dtype=pl.Int64)
    highest = ended.select(pl.when(pl.col("history") == "escalated").then(2).otherwise(own).alias("highest")).to_series()
    states = dict(cases["state"].value_counts().sort("state").iter_rows())
    return {
        "source": source,
        "flow": flow.name,
        "file": flow.file,
        "lines": events.height,
        "classes": classes,
        "doubts": {name: count for name, count in dirt.items() if name not in ("repeated", "broken_time", "blank_id")},
        "cases_n": cases.height,
        "states": states,
        "histories": {name: int((cases["history"] == name).sum()) for name in HISTORIES},
        "closed_by_highest_tier": {name: int((highest == at).sum()) for at, name in enumerate(("microgrid", "hall", "street"))},
    }
