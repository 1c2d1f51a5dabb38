"""GeoPackage and KML looked at before GDAL reads them: nothing in a file is run or followed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final
from xml.parsers import expat

from cloudmap.errors import SourceError
from cloudmap.ingest.signatures import HEAD_BYTES, xml_parser

_ENVELOPE_BYTES: Final = (0, 32, 48, 48, 64)
_CURVES: Final = range(8, 13)
"""Well-known binary codes of circular strings, compound curves, curve polygons, multi-curves and multi-surfaces."""


def check_geopackage(path: Path, layer: str, name: str) -> int:
    """Make sure that a layer is a plain table of a sound database, and count its curved shapes.

    Parameters
    ----------
    path : Path
        The GeoPackage; opened read-only, its triggers and views are never run.
    layer : str
        Table of the layer.
    name : str
        The file, for messages.

    Returns
    -------
    int
        Features whose shape holds curves.

    Raises
    ------
    SourceError
        A page is corrupt, or the layer is a view or a virtual table.
    """
    base = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        base.execute("PRAGMA trusted_schema = OFF")
        row = base.execute("SELECT type, sql FROM sqlite_master WHERE name = ?", (layer,)).fetchone()
        if row is None or row[0] != "table" or "virtual" in (row[1] or "").lower().split()[:2]:
            what = "missing" if row is None else "a view" if row[0] == "view" else "a virtual table"
            raise SourceError(f"{name}: layer {layer!r} is {what}, which is never run. Export it as a plain table")
        answer = base.execute("PRAGMA quick_check(1)").fetchone()[0]
        if answer != "ok":
            raise SourceError(f"{name}: the GeoPackage is corrupt ({str(answer)[:120]}). Copy or export it again")
        column = base.execute("SELECT column_name FROM gpkg_geometry_columns WHERE table_name = ?", (layer,)).fetchone()
        if column is None:
            return 0
        quoted = ['"' + one.replace('"', '""') + '"' for one in (column[0], layer)]
        heads = base.execute(f"SELECT substr({quoted[0]}, 1, 77) FROM {quoted[1]}")  # noqa: S608  identifiers are quoted above
        return sum(_is_curved(head) for (head,) in heads if isinstance(head, bytes))
    except sqlite3.DatabaseError as error:
        raise SourceError(f"{name}: the GeoPackage is corrupt ({str(error)[:120]}). Copy or export it again") from error
    finally:
        base.close()


def _is_curved(head: bytes) -> bool:
    if len(head) < 8:
        return False
    envelope = (head[3] >> 1) & 7
    start = 8 + (_ENVELOPE_BYTES[envelope] if envelope < len(_ENVELOPE_BYTES) else 0)
    code = int.from_bytes(head[start + 1 : start + 5], "little" if head[start : start + 1] == b"\x01" else "big")
    return code % 1000 in _CURVES


def check_kml(path: Path) -> list[str]:
    """Look for what a KML points at, which is not followed.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of str
        Evidence: links that were left alone.

    Raises
    ------
    SourceError
        The XML is cut or broken, or declares a DOCTYPE.
    """
    links = 0

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal links
        links += tag.rpartition(" ")[2] == "NetworkLink"

    parser = xml_parser(path.name)
    parser.StartElementHandler = start
    with path.open("rb") as file:
        try:
            while chunk := file.read(HEAD_BYTES):
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise SourceError(f"the KML is broken: {error}. It was cut; copy or export it again") from error
    return [f"{links} NetworkLink(s) to other files or addresses not followed"] if links else []
