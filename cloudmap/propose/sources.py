"""What a table is: reports with a role for each column, a list of units, or nothing that a city file uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import polars as pl

from cloudmap.errors import SourceError
from cloudmap.ingest.clean import TIME_FIELDS
from cloudmap.ingest.tables import open_table
from cloudmap.ingest.taxonomy import Taxonomy
from cloudmap.ingest.time_plans import plan_times
from cloudmap.ingest.time_shapes import KEYWORDS, fold
from cloudmap.ingest.times import main_readings
from cloudmap.propose.columns import Column, read_columns
from cloudmap.propose.roles import FIELD_ORDER, Roles, choose_roles
from cloudmap.propose.words import guess_category, guess_state
from cloudmap.propose.writing import comment, quoted, setting
from cloudmap.propose.zones import judge_offset

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

SAMPLE_ROWS: Final = 300_000
_OFFSET_END: Final = r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)$"


@dataclass
class Sample:
    """The beginning of a table, and what its opening told."""

    path: Path
    columns: list[Column]
    records_n: int
    rejected_n: int
    whole: bool
    format: str
    encoding: str | None
    delimiter: str | None
    evidence: list[str]
    more: list[Path] = field(default_factory=list)
    """Files of the same header that belong to the same source."""

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    def join(self, other: Sample) -> None:
        """Take another file of the same header in, as far as the sample has room."""
        self.more.append(other.path)
        self.whole = self.whole and other.whole
        if self.records_n < SAMPLE_ROWS:
            self.columns = [
                Column(one.name, pl.concat([one.cells, two.cells])) for one, two in zip(self.columns, other.columns, strict=True)
            ]
            self.records_n += other.records_n
            self.rejected_n += other.rejected_n

    def points(self, roles: Roles) -> tuple[pl.Series, pl.Series] | None:
        """Coordinates of the records that have both, as Float64."""
        lon, lat = roles.column("lon"), roles.column("lat")
        if lon is None or lat is None:
            return None
        both = pl.DataFrame({"x": lon.cells.cast(pl.Float64, strict=False), "y": lat.cells.cast(pl.Float64, strict=False)}).drop_nulls()
        both = both.filter((pl.col("x") != 0) | (pl.col("y") != 0))
        return both["x"], both["y"]


def read_sample(path: Path) -> Sample:
    """Read the beginning of a table.

    Parameters
    ----------
    path : Path

    Raises
    ------
    SourceError, SchemaError
        The table cannot be read.
    """
    with open_table(path) as reader:
        frames, rejected_n, whole = [], 0, True
        for block in reader.blocks():
            frames.append(block.frame)
            rejected_n += block.rejected.height
            if sum(frame.height for frame in frames) >= SAMPLE_ROWS:
                whole = False
                break
        empty = pl.DataFrame(schema=dict.fromkeys(reader.header, pl.String))
        frame = pl.concat(frames) if frames else empty
        evidence = list(reader.evidence)
        return Sample(
            path, read_columns(frame), frame.height, rejected_n, whole, reader.format, reader.encoding, reader.delimiter, evidence
        )


@dataclass
class SourceDraft:
    """A source's part of the city file."""

    lines: list[str]
    categories: pl.DataFrame | None = None


def draft_source(
    sample: Sample, roles: Roles, *, source_id: str, shown: str, zone: ZoneInfo, outline: BaseGeometry | None, taxonomy: Taxonomy
) -> SourceDraft:
    """Propose the part of the city file for a table of reports.

    Parameters
    ----------
    sample : Sample
    roles : Roles
        From `choose_roles`.
    source_id : str
    shown : str
        Path or glob as the city file has it.
    zone : ZoneInfo
        Zone of the city.
    outline : shapely geometry or None
        Ground of the city, WGS84, for diagnosing the datum.
    taxonomy : Taxonomy

    Raises
    ------
    Nothing.
    """
    rows = f"{sample.records_n:,} records{'' if sample.whole else ' from its beginning'} looked at, {sample.rejected_n:,} unusable"
    name = source_id if sample.more else sample.path.name.split(".")[0]
    lines = [
        comment(f"{', '.join(path.name for path in (sample.path, *sample.more))}: reports. {rows}"),
        *(comment(line) for line in sample.evidence),
        "[[sources]]",
        setting("id", source_id),
        setting("name_zh", name, "the file's name; give a better one"),
        setting("name_en", name),
        setting("path", shown),
        setting("format", sample.format),
    ]
    if sample.encoding:
        lines.append(setting("encoding", sample.encoding))
    if sample.delimiter and sample.format == "csv":
        lines.append(setting("delimiter", sample.delimiter))
    lines += _crs_lines(sample, roles, outline)
    lines += _time_lines(sample, roles, zone, source_id)
    category_lines, categories = _category_lines(sample, roles, source_id, taxonomy)
    lines += category_lines
    lines += [comment(f"UNDECIDED {what}: {why}") for what, why in roles.undecided.items()]
    lines += ["", "[sources.fields]"]
    lines += [setting(role, roles.chosen[role].column.name, roles.chosen[role].why) for role in FIELD_ORDER if role in roles.chosen]
    return SourceDraft([*lines, *_state_lines(roles)], categories)


def _crs_lines(sample: Sample, roles: Roles, outline: BaseGeometry | None) -> list[str]:
    points = sample.points(roles)
    if points is None or not points[0].len():
        return []
    x, y = points
    degrees = bool(((x.abs() <= 180) & (y.abs() <= 90)).mean() > 0.5)  # type: ignore[operator]
    if outline is not None:
        from cloudmap.geo.crs import diagnose_crs

        verdict = diagnose_crs(x.to_numpy(), y.to_numpy(), outline=outline)
        told = [comment(f"datum: {line}") for line in verdict.evidence]
        if verdict.crs is not None:
            return [*told, setting("crs", verdict.crs, "diagnosed against the units' outline, see above")]
        return [*told, comment('UNDECIDED crs = "EPSG:...": the points do not decide it, see above')]
    lon, lat = float(x.median() or 0), float(y.median() or 0)  # type: ignore[arg-type]
    if degrees and not (73 < lon < 136 and 17 < lat < 54):
        return [setting("crs", "EPSG:4326", f"degrees around {lon:.2f}, {lat:.2f}, where maps are not shifted")]
    why = "degrees in China may be WGS84, gcj02 or bd09" if degrees else f"projected numbers around {lon:,.0f}, {lat:,.0f}"
    return [comment(f'UNDECIDED crs = "EPSG:...": {why}, and no unit layer was given to compare with')]


def _time_lines(sample: Sample, roles: Roles, zone: ZoneInfo, source_id: str) -> list[str]:
    chosen = {role: column for role in TIME_FIELDS if (column := roles.column(role)) is not None}
    frame = pl.DataFrame({role: column.cells for role, column in chosen.items()})
    names = {role: column.name for role, column in chosen.items()}

    def frames() -> Iterator[pl.DataFrame]:
        yield frame

    try:
        plans = plan_times(frames, names=names, source_id=source_id, zone=zone)
    except SourceError as error:
        return [comment(f'UNDECIDED time_format = "day_first" or "month_first" or strptime text: {error}')]
    lines = [comment(f"times: {line}") for plan in plans.values() for line in plan.evidence]
    readings = {reading for role, plan in plans.items() for reading in main_readings(fold(frame[role]), plan)}
    if any(plan.minguo for plan in plans.values()):
        return [*lines, setting("time_format", "minguo", "years count from 1912, see above")]
    if len(readings) != 1:
        return [*lines, comment("time_format: left out; each value is read by its own form")]
    reading = readings.pop()
    if reading.kind in KEYWORDS:
        return [*lines, setting("time_format", reading.kind, "every column of times, see above")]
    if reading.kind == "strptime":
        return [*lines, setting("time_format", reading.pattern, "every column of times, see above")]
    return [*lines, *_offset_lines(sample, frame, reading.pattern, zone)]


def _offset_lines(sample: Sample, frame: pl.DataFrame, pattern: str, zone: ZoneInfo) -> list[str]:
    """Say whether a constant offset is meant."""
    text = pl.concat([frame[role].drop_nulls() for role in frame.columns])
    offsets = text.str.extract(_OFFSET_END).unique().to_list()
    if len(offsets) != 1 or offsets[0] is None:
        return [comment("time_format: left out; every value has its own offset")]
    first = frame.columns[0]
    hours = next((column.cells for column in sample.columns if re.search(r"\bhour\b|小时|小時", column.words)), None)
    meant, evidence = judge_offset(frame[first], zone, hours)
    literal = pattern.replace("%#z", offsets[0])
    if meant is False:
        return [setting("time_format", literal, f"the offset {offsets[0]} is written but not meant: {evidence}")]
    if meant:
        return [comment(f"time_format: left out; {evidence}")]
    return [comment(f"UNDECIDED whether the offset {offsets[0]} is meant ({evidence}); if it is not: time_format = {quoted(literal)}")]


def _category_lines(sample: Sample, roles: Roles, source_id: str, taxonomy: Taxonomy) -> tuple[list[str], pl.DataFrame | None]:
    column = roles.column("category")
    if column is None:
        code, why = guess_category(sample.path.name.split(".")[0].replace("_", " "), taxonomy)
        hint = f"the file's name suggests {code} ({why})" if why != "no guess" else "no guess from the file's name"
        return [comment(f"category_code = {quoted(code)}   <- UNDECIDED: {hint}; without it every report counts as OT99")], None
    counts = column.filled.value_counts(sort=True, name="n").rename({column.filled.name: "raw"})
    guesses = [guess_category(raw, taxonomy) for raw in counts["raw"]]
    frame = counts.with_columns(code=pl.Series([code for code, _ in guesses]), why=pl.Series([why for _, why in guesses]))
    guessed_n = int(frame.filter(pl.col("why") != "no guess")["n"].sum())
    path = f"categories_{source_id}.csv"
    why = f"{counts.height:,} labels; a guess for {guessed_n / max(1, counts['n'].sum()):.0%} of the records: correct the column code"
    return [setting("categories", path, why)], frame.select("raw", "code", "n", "why")


def _state_lines(roles: Roles) -> list[str]:
    column = roles.column("state")
    if column is None:
        return []
    lines = ["", "[sources.states]"]
    for raw, n in column.filled.value_counts(sort=True).iter_rows():
        state = guess_state(raw)
        lines.append(setting(raw, state, f"{n:,} records") if state else comment(f'{quoted(raw)} = "..."   UNDECIDED: {n:,} records'))
    return lines


def draft_roles(sample: Sample, unit_names: set[str]) -> Roles:
    """Choose the roles of a sample's columns; see `choose_roles`.

    Parameters
    ----------
    sample : Sample
    unit_names : set of str

    Raises
    ------
    Nothing.
    """
    return choose_roles(sample.columns, unit_names=unit_names)
