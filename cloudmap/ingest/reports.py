"""A file of reports becomes batches of clean rows, with every record accounted for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from cloudmap.city import City, FieldName, Source
from cloudmap.errors import ConfigError, LedgerError, SchemaError
from cloudmap.ingest.clean import TIME_FIELDS, CleanPlan, clean_block, field_text
from cloudmap.ingest.coordinates import Extent, PointPlan, plan_points
from cloudmap.ingest.tables import LAT_COLUMN, LON_COLUMN, Block, TableReader, open_table
from cloudmap.ingest.taxonomy import Taxonomy, category_map
from cloudmap.ingest.time_plans import plan_times
from cloudmap.ingest.times import TimePlan


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records of a file, cleaned.

    Attributes
    ----------
    rows : pl.DataFrame
        Columns of `schema.CLEAN`.
    rejected : pl.DataFrame
        Columns of `schema.REJECTED`.
    records_n : int
        ``rows.height + rejected.height``.
    """

    rows: pl.DataFrame
    rejected: pl.DataFrame
    records_n: int

    def __post_init__(self) -> None:
        if self.records_n != self.rows.height + self.rejected.height:
            raise LedgerError(f"{self.records_n} records in, {self.rows.height} clean and {self.rejected.height} rejected")


@dataclass
class ReportReader:
    """A file of reports, ready to be read. Use as a context manager.

    Attributes
    ----------
    header : list of str
        The file's columns.
    evidence : list of str
        What was decided about the file, and why: encoding, delimiter, times per column, coordinates, id.
    """

    header: list[str]
    evidence: list[str]
    _table: TableReader = field(repr=False)
    _peeked: _Peeked = field(repr=False)
    _plan: CleanPlan = field(repr=False)

    def batches(self) -> Iterator[Batch]:
        """Yield the file's records in order, cleaned, in bounded memory; may be called again.

        Raises
        ------
        SourceError
            The file turns out cut, or a column of times mixed, further in.
        """
        for block in self._peeked.resume():
            rows, rejected = clean_block(block.frame, self._plan)
            if block.rejected.height:
                rejected = pl.concat([block.rejected, rejected]).sort("line_no", maintain_order=True)
            yield Batch(rows, rejected, block.records_n)

    def close(self) -> None:
        """Remove scratch files."""
        self._peeked.forget()
        self._table.close()

    def __enter__(self) -> ReportReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def read_reports(city: City, source: Source, path: str | Path, taxonomy: Taxonomy, *, extent: Extent | None = None) -> ReportReader:
    """Open a file of reports and decide how it is read.

    Parameters
    ----------
    city : City
        Zone and salt.
    source : Source
        What the file's columns mean.
    path : str or Path
        The file.
    taxonomy : Taxonomy
        Categories of the city.
    extent : tuple of float, optional
        min_lon, min_lat, max_lon, max_lat of the city, degrees: it tells swapped axes where latitude alone cannot.

    Raises
    ------
    SourceError
        The file cannot be opened or trusted, or a column of times cannot be decided.
    SchemaError
        A mapped column is not in the header; the nearest names are given.
    ConfigError
        Categories, time format or time zone of the source are unusable.
    CoordinateError
        Degrees are declared and the numbers are none.

    Examples
    --------
    >>> with read_reports(city, city.source("app"), "app.csv", taxonomy) as reader:  # doctest: +SKIP
    ...     rows = [batch.rows.height for batch in reader.batches()]
    """
    table = open_table(path, format=source.format, delimiter=source.delimiter, encoding=source.encoding, layer=source.layer)
    try:
        return prepare(table, city, source, taxonomy, name=Path(path).name, extent=extent)
    except BaseException:
        table.close()
        raise


def prepare(table: TableReader, city: City, source: Source, taxonomy: Taxonomy, *, name: str, extent: Extent | None) -> ReportReader:
    """Decide how an opened table is read as reports; see `read_reports`.

    Parameters
    ----------
    table : TableReader
    city, source, taxonomy, extent
        As for `read_reports`.
    name : str
        The file's name, for messages.

    Raises
    ------
    SourceError, SchemaError, ConfigError, CoordinateError
        As for `read_reports`.
    """
    fields = _fields(table.header, source)
    _check_header(table.header, fields, name=name, source_id=source.id)
    blocks = _Peeked(table)
    times = _plan_times(blocks, fields, source, _zone(city, source))
    points = _plan_points(blocks.first, fields, source, extent)
    plan = CleanPlan(
        source_id=source.id,
        fields=fields,
        times=times,
        points=points,
        categories=category_map(city, source, taxonomy),
        category_code=source.category_code,
        states=source.states,
        reporter=source.reporter,
        salt=city.salt() if "reporter_id" in fields else b"",
    )
    evidence = [
        *table.evidence,
        f"id: {_shown(fields['id'])}"
        if "id" in fields
        else "id: none; a digest of the record stands for it, so equal records are one report",
        *(line for one in times.values() for line in one.evidence),
        *([points.evidence] if points else ["coordinates: none; every report counts as unmapped"]),
    ]
    return ReportReader(list(table.header), evidence, table, blocks, plan)


class _Peeked:
    """The blocks of a table, of which the first is looked at before it is read."""

    def __init__(self, table: TableReader) -> None:
        self._table = table
        self._rest = table.blocks()
        self.first: Block | None = next(self._rest, None)
        self._untouched = True

    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks from the start, once."""
        if self.first is not None:
            yield self.first
        self._untouched = False
        yield from self._rest

    def resume(self) -> Iterator[Block]:
        """Yield the blocks from the start; the first one is not read again if nothing behind it was."""
        first, rest = self.first, self._rest
        whole = self._untouched and first is not None
        self.forget()
        if not whole or first is None:
            yield from self._table.blocks()
            return
        held = [first]
        del first
        yield held.pop()  # popped, so that it is not held while the others are worked on
        yield from rest

    def forget(self) -> None:
        """Hold no block any longer."""
        self.first, self._rest, self._untouched = None, iter(()), False


def _fields(header: list[str], source: Source) -> dict[str, FieldName]:
    fields = dict(source.fields)
    if ("lon" in fields) != ("lat" in fields):
        present, absent = ("lon", "lat") if "lon" in fields else ("lat", "lon")
        raise ConfigError(f"sources.{source.id}.fields has {present} without {absent}; map both or neither")
    if "lon" not in fields and {LON_COLUMN, LAT_COLUMN} <= set(header):
        fields |= {"lon": LON_COLUMN, "lat": LAT_COLUMN}
    return fields


def _check_header(header: list[str], fields: dict[str, FieldName], *, name: str, source_id: str) -> None:
    wanted = {column: key for key, columns in fields.items() for column in ([columns] if isinstance(columns, str) else columns)}
    missing = [column for column in wanted if column not in header]
    if not missing:
        return
    folded = {one.strip().casefold(): one for one in header}
    hints = []
    for column in missing:
        close = difflib.get_close_matches(column.strip().casefold(), list(folded), n=1, cutoff=0.5)
        hints.append(f"{column!r} ({wanted[column]}{f'; did you mean {folded[close[0]]!r}?' if close else ''})")
    raise SchemaError(
        f"{name}: column(s) missing that sources.{source_id}.fields names: {', '.join(hints)}. The header has: {', '.join(header)}"
    )


def _zone(city: City, source: Source) -> ZoneInfo:
    if source.timezone is None:
        return city.zone
    try:
        return ZoneInfo(source.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            f"sources.{source.id}.timezone = {source.timezone!r}: no such time zone; use a name such as Asia/Shanghai"
        ) from error


def _plan_times(blocks: Iterable[Block], fields: dict[str, FieldName], source: Source, zone: ZoneInfo) -> dict[str, TimePlan]:
    present: list[str] = [name for name in TIME_FIELDS if name in fields]

    def frames() -> Iterator[pl.DataFrame]:
        for block in blocks:
            yield pl.DataFrame({name: field_text(block.frame, fields[name]) for name in present})

    names = {name: _shown(fields[name]) for name in present}
    return plan_times(frames, names=names, source_id=source.id, zone=zone, time_format=source.time_format)


def _plan_points(first: Block | None, fields: dict[str, FieldName], source: Source, extent: Extent | None) -> PointPlan | None:
    if "lon" not in fields:
        return None
    frame: Any = first.frame if first else pl.DataFrame()
    if first is None:
        return PointPlan(geographic=True, extent=extent, evidence="coordinates: the file is empty")
    lon, lat = field_text(frame, fields["lon"]), field_text(frame, fields["lat"])
    return plan_points(lon, lat, crs=source.crs, extent=extent, source_id=source.id)


def _shown(columns: FieldName) -> str:
    return columns if isinstance(columns, str) else " + ".join(columns)
