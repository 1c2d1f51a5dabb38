"""A table of any supported format becomes blocks of text cells."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cloudmap.errors import SourceError
from cloudmap.ingest.blocks import LAT_COLUMN, LON_COLUMN, Block, TableReader
from cloudmap.ingest.opening import Opened, open_input

__all__ = ["LAT_COLUMN", "LON_COLUMN", "Block", "TableReader", "open_table"]

Format = Literal["csv", "tsv", "xlsx", "geojson", "parquet"]


def open_table(
    path: str | Path,
    *,
    format: Format | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    layer: str | None = None,
) -> TableReader:
    """Recognise a table of reports from outside and prepare to read it.

    Parameters
    ----------
    path : str or Path
        CSV, TSV or other delimited text, XLSX, GeoJSON or Parquet; plain, gzipped, or alone in a zip.
    format : str, optional
        What the city file says; the content decides, and a contradiction is refused.
    delimiter, encoding : str, optional
        Of delimited text; found from the content, with evidence, where absent.
    layer : str, optional
        Sheet of a workbook, or member of a zip with several tables.

    Returns
    -------
    TableReader
        `line_no` counts physical lines from 1 (the header) in text, sheet rows in workbooks, features and rows from 1 in GeoJSON
        and Parquet. Points become the columns `geometry_lon` and `geometry_lat`.

    Raises
    ------
    SourceError
        The file is not trusted, not readable, or not what was declared.
    SchemaError
        Its header is not one line with one distinct name per column.

    Examples
    --------
    >>> with open_table("reports.csv.gz") as reader:  # doctest: +SKIP
    ...     for block in reader.blocks():
    ...         print(block.records_n, block.rejected.height)
    """
    opened = open_input(path, expect="table", member=layer)
    try:
        return _open(opened, format, delimiter, encoding, layer)
    except BaseException:
        opened.close()
        raise


def _open(opened: Opened, declared: Format | None, delimiter: str | None, encoding: str | None, layer: str | None) -> TableReader:
    content = "parquet" if opened.kind == "geoparquet" else opened.kind
    if declared is not None and declared != content and not (declared == "tsv" and content == "csv"):
        raise SourceError(f"{opened.name}: declared {declared} but the content is {content}. Drop `format` or give the right file")
    if content == "csv":
        from cloudmap.ingest.delimited import open_delimited

        return open_delimited(opened, delimiter="\t" if declared == "tsv" and delimiter is None else delimiter, encoding=encoding)
    if content == "xlsx":
        from cloudmap.ingest.workbook import open_workbook

        return open_workbook(opened, sheet=layer)
    from cloudmap.ingest.columnar import open_geojson, open_parquet

    return open_geojson(opened) if content == "geojson" else open_parquet(opened)
