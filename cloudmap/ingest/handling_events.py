"""Event files of all flows become one log: what happened to which report, and when, in standard stages and states.

Every record ends as an event, as one that was told already, or in quarantine with the rule that it broke; what is merely odd stays and is
flagged.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from cloudmap.city import City, HandlingSource
from cloudmap.errors import ConfigError, LedgerError, SchemaError
from cloudmap.ingest.clean import TIER_WORDS, VALUE_MAX_CHARS, Faults, by_label, field_text
from cloudmap.ingest.handling_words import STAGE_WORDS, STATE_WORDS
from cloudmap.ingest.numbers import is_scientific_id
from cloudmap.ingest.opening import file_sha256
from cloudmap.ingest.scrub import scrub
from cloudmap.ingest.tables import TableReader, open_table
from cloudmap.ingest.time_plans import plan_times
from cloudmap.ingest.times import RULES, TimePlan, parse_times
from cloudmap.schema import EVENT_DOUBT_BIT, HANDLING_EVENTS, QUARANTINE, REJECTED, STAGES, STATES

LAST_STAGE: Final = {"hall": "feed_back", "district": "inspect", "standard": "verify"}
"""Stage that closes a case of a flow whose files say no state."""

_SAME: Final = ["report_id", "at", "stage", "state", "tier", "stage_raw", "state_raw"]


@dataclass(frozen=True, slots=True)
class EventLog:
    """All event files of a city.

    Attributes
    ----------
    events : polars.DataFrame
        Columns of `schema.HANDLING_EVENTS`, in order of files and lines.
    quarantine : polars.DataFrame
        Columns of `schema.QUARANTINE`.
    ledger : list of dict
        One entry a file: source, file, lines, classes (events, repeated, quarantined; their sum is lines), doubts.
    evidence : list of str
        How encoding and times of each file were decided.
    """

    events: pl.DataFrame
    quarantine: pl.DataFrame
    ledger: list[dict[str, Any]]
    evidence: list[str]


def events_key(city: City) -> str:
    """Digest the event files and everything that decides how they are read: 16 hexadecimal digits.

    Raises
    ------
    ConfigError
        An entry of [[handling]] names no file or no source.
    """
    told = [
        [one.model_dump(mode="json", exclude={"path"}), [file_sha256(path) for path in _files(city, one)], city.city.timezone]
        for one in city.handling
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def read_events(city: City) -> EventLog:
    """Read every event file that the city file names.

    Parameters
    ----------
    city : City
        Its [[handling]] entries; none give an empty log.

    Raises
    ------
    ConfigError
        An entry names no file, no source or no time zone.
    SourceError, SchemaError
        A file cannot be opened or trusted, lacks a mapped column, or its times cannot be read.
    LedgerError
        Records of a file do not add up.

    Examples
    --------
    >>> log = read_events(city)  # doctest: +SKIP
    >>> log.ledger[0]["classes"]  # doctest: +SKIP
    {'events': 812, 'repeated': 3, 'quarantined': 5}
    """
    parts: list[pl.DataFrame] = []
    quarantine: list[pl.DataFrame] = []
    lines: list[tuple[str, str, int]] = []
    evidence: list[str] = []
    for number, one in enumerate(city.handling):
        for path in _files(city, one):
            events, rejected, records_n, told = _read_file(city, one, number, path)
            named = [pl.lit(one.source).alias("source_id"), pl.lit(path.name).alias("file")]
            parts.append(HANDLING_EVENTS.conform(events.with_columns(named)).with_columns(pl.lit(len(lines)).alias("at_file")))
            quarantine.append(QUARANTINE.conform(rejected.with_columns(named)))
            lines.append((one.source, path.name, records_n))
            evidence += [f"{path.name}: {line}" for line in told]
    if not parts:
        return EventLog(HANDLING_EVENTS.empty(), QUARANTINE.empty(), [], [])
    whole = pl.concat(parts)
    kept = whole.unique(_SAME, keep="first", maintain_order=True)
    ledger = [
        _entry(*line, kept.filter(pl.col("at_file") == at), whole.filter(pl.col("at_file") == at).height, quarantine[at].height)
        for at, line in enumerate(lines)
    ]
    return EventLog(kept.drop("at_file"), pl.concat(quarantine), ledger, evidence)


def doubt_counts(events: pl.DataFrame) -> dict[str, int]:
    """Count events per doubt of `schema.EVENT_DOUBTS`; doubts that never occurred are left out."""
    counts = {name: int(((events["flags"] & bit) != 0).sum()) for name, bit in EVENT_DOUBT_BIT.items()}
    return {name: count for name, count in counts.items() if count}


def _entry(source: str, file: str, lines: int, kept: pl.DataFrame, read_n: int, quarantined_n: int) -> dict[str, Any]:
    classes = {"events": kept.height, "repeated": read_n - kept.height, "quarantined": quarantined_n}
    if sum(classes.values()) != lines:
        raise LedgerError(f"{file}: {lines} records in, {classes} out; this is a fault of the program, please report it with the file")
    return {"source": source, "file": file, "lines": lines, "classes": classes, "doubts": doubt_counts(kept)}


def _files(city: City, one: HandlingSource) -> list[Path]:
    city.source(one.source)
    found = city.source_files(one)
    if not found:
        raise ConfigError(f"{city.folder / 'city.toml'}: handling path {one.path!r} matches no file below {city.folder}")
    return found


def _read_file(city: City, one: HandlingSource, number: int, path: Path) -> tuple[pl.DataFrame, pl.DataFrame, int, list[str]]:
    setting = f"handling[{number}]"
    with open_table(path, format=one.format, delimiter=one.delimiter, encoding=one.encoding, layer=one.layer) as table:
        _check_columns(table, one, path.name, setting)
        plan = _plan(city, one, table, setting)
        events, rejected, records_n = [], [], 0
        for block in table.blocks():
            good, bad = _clean(block.frame, one, plan, setting)
            events.append(good)
            rejected += [bad, block.rejected]
            records_n += block.records_n
        told = [*table.evidence, *plan.evidence]
    return pl.concat(events) if events else _empty(), pl.concat(rejected) if rejected else REJECTED.empty(), records_n, told


def _empty() -> pl.DataFrame:
    return HANDLING_EVENTS.empty().drop("source_id", "file")


def _check_columns(table: TableReader, one: HandlingSource, name: str, setting: str) -> None:
    wanted = [(key, column) for key, columns in one.fields.items() for column in ([columns] if isinstance(columns, str) else columns)]
    missing = [f"{column!r} ({key})" for key, column in wanted if column not in table.header]
    if missing:
        raise SchemaError(
            f"{name}: column(s) missing that {setting}.fields names: {', '.join(missing)}. The header has: {', '.join(table.header)}"
        )


def _plan(city: City, one: HandlingSource, table: TableReader, setting: str) -> TimePlan:
    try:
        zone = ZoneInfo(one.timezone) if one.timezone else city.zone
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"{setting}.timezone = {one.timezone!r}: no such time zone; use a name such as Asia/Shanghai") from error
    columns = one.fields["at"]
    plans = plan_times(
        lambda: (pl.DataFrame({"at": field_text(block.frame, columns)}) for block in table.blocks()),
        names={"at": columns if isinstance(columns, str) else " + ".join(columns)},
        source_id=one.source,
        zone=zone,
        time_format=one.time_format,
        setting=f"{setting}.time_format",
    )
    return plans["at"]


def _clean(frame: pl.DataFrame, one: HandlingSource, plan: TimePlan, setting: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Clean one block: events without source and file, and rejected records."""
    faults = Faults(frame["line_no"])
    n = frame.height

    def text(name: str) -> pl.Series:
        columns = one.fields.get(name)
        return pl.repeat(None, n, dtype=pl.String, eager=True) if columns is None else field_text(frame, columns)

    ids, stage_raw, state_raw, at_raw = (text(name) for name in ("report_id", "stage", "state", "at"))
    faults.add(ids.is_null(), one.fields["report_id"], "blank_id", "the event names no report; give it the report's id")
    cut = "a spreadsheet cut this id's digits; export the column as text"
    faults.add(is_scientific_id(ids), one.fields["report_id"], "id_in_scientific_notation", cut, ids)
    blank = stage_raw.is_null() & state_raw.is_null()
    faults.add(blank, [*map(str, (one.fields.get("stage", "stage"),))], "blank_event", "the event has neither stage nor state; give it one")
    parsed = parse_times(at_raw, plan)
    faults.add(at_raw.is_null(), one.fields["at"], "blank_time", "the event has no time; add one", at_raw)
    for rule in parsed.fault.drop_nulls().unique(maintain_order=True):
        detail = RULES[rule].format(source=one.source).replace(f"sources.{one.source}", setting)
        faults.add((parsed.fault == rule).fill_null(value=False), one.fields["at"], rule, detail, at_raw)
    events = _standardise(frame["line_no"], ids, stage_raw, state_raw, one).with_columns(
        pl.Series("at", parsed.at), by_label(text("tier"), TIER_WORDS).alias("tier"), pl.Series("repaired", parsed.repaired)
    )
    events = events.with_columns(
        pl.col("flags") | pl.col("repaired").cast(pl.UInt32) * EVENT_DOUBT_BIT["time_repaired"],
        *(scrub(events[name]).str.slice(0, VALUE_MAX_CHARS).alias(name) for name in ("stage_raw", "state_raw")),
    )
    return events.filter(~faults.seen).select(_empty().columns), faults.frame()


def _standardise(line_no: pl.Series, ids: pl.Series, stage_raw: pl.Series, state_raw: pl.Series, one: HandlingSource) -> pl.DataFrame:
    """Give events their standard stage and state; where the file says no state, the stage tells it."""
    stage = by_label(stage_raw, {**STAGE_WORDS, **{name: name for name in STAGES}, **one.stages})
    state = by_label(state_raw, {**STATE_WORDS, **{name: name for name in STATES}, **one.states})
    told = (
        pl.when(pl.col("stage").is_in([LAST_STAGE[one.flow], "evaluate"])).then(pl.lit("closed"))
        .when(pl.col("stage") == "collect").then(pl.lit("open"))
        .when(pl.col("stage").is_not_null()).then(pl.lit("handling"))
    )  # fmt: skip
    frame = pl.DataFrame(
        {"line_no": line_no, "id": ids, "stage": stage, "state": state, "stage_raw": stage_raw, "state_raw": state_raw},
        schema_overrides=dict.fromkeys(("id", "stage", "state", "stage_raw", "state_raw"), pl.String),
    )
    odd_stage = pl.col("stage_raw").is_not_null() & pl.col("stage").is_null()
    odd_state = pl.col("state_raw").is_not_null() & pl.col("state").is_null()
    return frame.with_columns(
        pl.concat_str(pl.lit(f"{one.source}:"), "id").alias("report_id"),
        pl.when(pl.col("state_raw").is_null()).then(told).otherwise("state").alias("state"),
        (odd_stage.cast(pl.UInt32) * EVENT_DOUBT_BIT["unknown_stage"] + odd_state.cast(pl.UInt32) * EVENT_DOUBT_BIT["unknown_state"]).alias(
            "flags"
        ),
    )
