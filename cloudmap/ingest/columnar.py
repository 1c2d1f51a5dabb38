"""Tables that come with types, GeoJSON and Parquet, as the text cells that every other table has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from cloudmap.errors import SchemaError, SourceError
from cloudmap.ingest.blocks import LAT_COLUMN, LON_COLUMN, ROWS_PER_BLOCK, Block, Rejections, TableReader, as_block, check_header
from cloudmap.ingest.features import iterate_features
from cloudmap.ingest.opening import Opened

_NO_POINT: Final = "not a point; a report has one place. Give points, or leave the geometry empty"
_WHOLE_BELOW: Final = 1e15


def open_geojson(opened: Opened, *, rows_per_block: int = ROWS_PER_BLOCK) -> TableReader:
    """Recognise a GeoJSON file as a table: properties, and points as two columns.

    Parameters
    ----------
    opened : Opened
        Of kind geojson; the reader closes it.
    rows_per_block : int
        Features a block.

    Raises
    ------
    SchemaError
        Too many properties, or some named like our columns of coordinates.
    """
    summary = opened.features
    if summary is None:
        raise SourceError(f"{opened.name} was not looked into; open it with open_input")
    properties = list(summary.properties)
    header, evidence = check_header([*properties, LON_COLUMN, LAT_COLUMN], opened.name, [])
    kinds = ", ".join(f"{count} {kind}" for kind, count in summary.geometries.most_common())
    evidence.append(f"{summary.features_n} features ({kinds}); points are in {LON_COLUMN} and {LAT_COLUMN}")
    if summary.crs_name:
        evidence.append(f"its crs member says {summary.crs_name}")
    return TableReader(
        header,
        "geojson",
        "utf-8",
        None,
        [*opened.evidence, *evidence],
        opened,
        lambda: _feature_blocks(opened, properties, header, rows_per_block),
    )


def _feature_blocks(opened: Opened, properties: list[str], header: list[str], rows_per_block: int) -> Iterator[Block]:
    numbered = enumerate(iterate_features(opened.path, opened.name), start=1)
    while batch := list(islice(numbered, rows_per_block)):
        rejections = Rejections()
        kept: list[int] = []
        columns: list[list[str | None]] = [[] for _ in header]
        for number, feature in batch:
            cells = [_cell_text(value) for value in _values(feature, properties)]
            if any(cell is not None and not _is_sound(cell) for cell in cells):
                rejections.add(number, "undecodable", "holds half a character (a lone surrogate). Export it again", _printable(cells))
                continue
            point = _point(feature.get("geometry"))
            if point is None:
                rejections.add(number, "geometry_kind", f"geometry is {_NO_POINT}", _printable(cells), column="geometry")
                continue
            kept.append(number)
            for column, cell in zip(columns, (*cells, *point), strict=True):
                column.append(cell)
        frame = pl.DataFrame([pl.Series(name, column, dtype=pl.String) for name, column in zip(header, columns, strict=True)])
        yield as_block(header, kept, frame, rejections, len(batch))


def _values(feature: dict[str, Any], properties: list[str]) -> list[Any]:
    own = feature.get("properties") or {}
    return [own.get(name) for name in properties]


def _cell_text(value: Any) -> str | None:
    """Return a JSON value as text; numbers are text already."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def _is_sound(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text)


def _printable(cells: list[str | None]) -> str:
    return " | ".join(cell or "" for cell in cells).encode("utf-8", "replace").decode()


def _point(geometry: Any) -> tuple[str | None, str | None] | None:
    """Return longitude and latitude as text, two nulls for no geometry, or None for what is no point."""
    if geometry is None:
        return None, None
    coordinates = geometry.get("coordinates")
    if geometry.get("type") != "Point" or not isinstance(coordinates, list):
        return None
    if not coordinates:
        return None, None
    first = coordinates[:2]
    return (first[0], first[1]) if len(first) == 2 and all(isinstance(one, str) for one in first) else None


def open_parquet(opened: Opened, *, rows_per_block: int = ROWS_PER_BLOCK) -> TableReader:
    """Recognise a Parquet or GeoParquet file as a table of text; points become two columns.

    Parameters
    ----------
    opened : Opened
        Of kind parquet or geoparquet; the reader closes it.
    rows_per_block : int
        Rows a block.

    Raises
    ------
    SourceError
        The file is corrupt.
    SchemaError
        As for any header.
    """
    with pq.ParquetFile(opened.path) as file:
        schema, geo = file.schema_arrow, _geo(file)
    geometry = geo.get("primary_column") if geo else None
    names = [one for one in schema.names if one != geometry]
    header, evidence = check_header([*names, *((LON_COLUMN, LAT_COLUMN) if geometry else ())], opened.name, [])
    if geometry:
        if geometry not in schema.names:
            raise SchemaError(f"{opened.name}: geometry column {geometry!r} is declared but missing. Export it again")
        crs = (geo.get("columns", {}).get(geometry, {}).get("crs") or {}) if geo else {}
        evidence.append(
            f"points of {geometry!r} are in {LON_COLUMN} and {LAT_COLUMN}; crs {crs.get('id') or crs.get('name') or 'OGC:CRS84'}"
        )
    return TableReader(
        header,
        "parquet",
        None,
        None,
        [*opened.evidence, *evidence],
        opened,
        lambda: _row_blocks(opened, names, header, geometry, rows_per_block),
    )


def _geo(file: pq.ParquetFile) -> dict[str, Any] | None:
    raw = (file.metadata.metadata or {}).get(b"geo")
    if raw is None:
        return None
    try:
        found = json.loads(raw)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _row_blocks(opened: Opened, names: list[str], header: list[str], geometry: str | None, rows_per_block: int) -> Iterator[Block]:
    at = 1
    try:
        with pq.ParquetFile(opened.path, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=rows_per_block):
                yield _as_block(batch, at, names, header, geometry)
                at += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{opened.name}: corrupt from row {at} on ({str(error)[:120]}). Copy it again") from error


def _as_block(batch: pa.RecordBatch, first: int, names: list[str], header: list[str], geometry: str | None) -> Block:
    columns = [as_text(batch.column(name)) for name in names]
    numbers = pl.Series("number", range(first, first + batch.num_rows), dtype=pl.Int64)
    rejections = Rejections()
    if geometry:
        lon, lat, is_point = _points(batch.column(geometry))
        columns += [lon, lat]
    frame = pl.DataFrame([column.alias(name) for column, name in zip(columns, header, strict=True)])
    if geometry and not is_point.all():
        for number, row in zip(numbers.filter(~is_point), frame.filter(~is_point).iter_rows(), strict=True):
            rejections.add(number, "geometry_kind", f"geometry is {_NO_POINT}", " | ".join(cell or "" for cell in row), column=geometry)
        frame, numbers = frame.filter(is_point), numbers.filter(is_point)
    return as_block(header, numbers.to_list(), frame, rejections, batch.num_rows)


def _points(column: pa.Array) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Return longitude and latitude as text, and which rows hold a point or nothing."""
    import shapely

    if pa.types.is_struct(column.type):
        x, y = (np.asarray(column.field(name).to_numpy(zero_copy_only=False), dtype=np.float64) for name in ("x", "y"))
        sound = np.ones(len(column), dtype=np.bool_)
        empty = np.isnan(x) | np.isnan(y) | column.is_null().to_numpy(zero_copy_only=False)
    else:
        shapes = shapely.from_wkb(column.to_numpy(zero_copy_only=False), on_invalid="ignore")
        nothing = column.is_null().to_numpy(zero_copy_only=False)
        sound = nothing | (shapely.get_type_id(shapes) == shapely.GeometryType.POINT)
        empty = nothing | ~sound | shapely.is_empty(shapes)
        shapes[empty] = None  # the library refuses to tell where an empty point lies
        x, y = shapely.get_x(shapes), shapely.get_y(shapes)
    text = [as_text(pa.array(np.where(empty, np.nan, values), from_pandas=True)) for values in (x, y)]
    return text[0], text[1], pl.Series(sound)


def as_text(column: pa.Array) -> pl.Series:
    """Return a typed column as text: whole numbers without a tail, times in ISO form (with +00:00 where a zone was known).

    Parameters
    ----------
    column : pa.Array, shape (n,)

    Returns
    -------
    pl.Series of String, shape (n,)

    Raises
    ------
    Nothing: nested values become JSON, bytes become hexadecimal digits.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_nested(kind):
        return pl.Series(
            [None if one is None else json.dumps(one, ensure_ascii=False, default=str) for one in column.to_pylist()], dtype=pl.String
        )
    series = pl.Series(pl.from_arrow(column))
    if pa.types.is_floating(kind):
        return _float_text(series)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return series.bin.encode("hex")
    if pa.types.is_timestamp(kind):
        return _time_text(series)
    return series.cast(pl.String)


def _float_text(series: pl.Series) -> pl.Series:
    value = pl.col("v")
    whole = (value == value.round()) & (value.abs() < _WHOLE_BELOW)
    text = pl.when(whole).then(pl.when(whole).then(value).cast(pl.Int64).cast(pl.String)).otherwise(value.cast(pl.String))
    return series.alias("v").to_frame().select(text).to_series()


def _time_text(series: pl.Series) -> pl.Series:
    zoned = getattr(series.dtype, "time_zone", None) is not None
    moments = (series.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zoned else series).cast(pl.Datetime("us"))
    text = moments.dt.strftime("%Y-%m-%d %H:%M:%S%.f")
    return text + "+00:00" if zoned else text
