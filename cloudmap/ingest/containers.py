"""Layer files looked at before GDAL reads them: nothing in them is run or followed, and what was cut is not taken for whole."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from cloudmap.errors import SourceError
from cloudmap.ingest.signatures import HEAD_BYTES, xml_parser

if TYPE_CHECKING:
    from pandas import DataFrame

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


def check_shapefile(path: Path, name: str) -> None:
    """Make sure that a shapefile's parts are as long as they say and tell of as many features.

    Parameters
    ----------
    path : Path
        The .shp, beside its .shx and .dbf.
    name : str
        The file, for messages.

    Raises
    ------
    SourceError
        A part was cut, or the parts belong to different shapefiles: GDAL would read missing shapes as empty ones.
    """
    for suffix in (".shp", ".shx"):
        part = path.with_suffix(suffix)
        with part.open("rb") as file:
            head = file.read(100)
        promised = 2 * int.from_bytes(head[24:28], "big")
        if len(head) < 100 or promised > part.stat().st_size:
            raise SourceError(f"{name}: its {suffix} has {part.stat().st_size:,} bytes of {promised:,}: it was cut. Copy it again")
    table = path.with_suffix(".dbf")
    with table.open("rb") as file:
        head = file.read(32)
    rows, start, width = (int.from_bytes(head[a:b], "little") for a, b in ((4, 8), (8, 10), (10, 12)))
    if len(head) < 32 or start + rows * width > table.stat().st_size + 1:
        raise SourceError(f"{name}: its .dbf was cut: {rows:,} rows do not fit into it. Copy it again")
    shapes = (path.with_suffix(".shx").stat().st_size - 100) // 8
    if shapes != rows:
        raise SourceError(
            f"{name}: {shapes:,} shapes but {rows:,} rows in its .dbf: the parts do not belong together. Copy all of them again"
        )


@dataclass
class KmlLook:
    """What GDAL loses or would have to be told about a KML.

    Attributes
    ----------
    evidence : list of str
        Links that are not followed.
    containers : list of str
        Name of the folder or document that each placemark lies in, in order of the file.
    data : list of dict
        Untyped <Data> of each placemark, name to value. GDAL makes every letter that is not ASCII an underscore, so that names of equal
        length become one field.
    """

    evidence: list[str] = field(default_factory=list)
    containers: list[str] = field(default_factory=list)
    data: list[dict[str, str]] = field(default_factory=list)

    def repair(self, table: DataFrame, layer: str, name: str) -> DataFrame:
        """Put the untyped data of a layer's placemarks in the place of GDAL's fields.

        Raises
        ------
        SourceError
            Names are not ASCII, and placemarks and features cannot be matched.
        """
        mine = [data for data, container in zip(self.data, self.containers, strict=True) if container == layer] or self.data
        names = dict.fromkeys(one for data in mine for one in data)
        if all(one.isascii() for one in names):
            return table
        if len(mine) != len(table):
            raise SourceError(f"{name}: fields such as {next(iter(names))!r} cannot be matched to its shapes. Export it as GeoPackage")
        table = table.drop(columns=[one for one in {_laundered(one) for one in names} if one in table.columns])
        for one in names:
            table[one] = [data.get(one) for data in mine]
        return table


def _laundered(name: str) -> str:
    return re.sub(rb"[^A-Za-z0-9_]", b"_", name.encode()).decode()


def look_at_kml(path: Path, name: str) -> KmlLook:
    """Read a KML to its end: what it points at is counted and not followed, its untyped data kept.

    Parameters
    ----------
    path : Path
    name : str
        The file, for messages.

    Raises
    ------
    SourceError
        The XML is cut or broken, or declares a DOCTYPE.
    """
    reader = _KmlReader()
    parser = xml_parser(name)
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = reader.start, reader.end, reader.text
    with path.open("rb") as file:
        try:
            while chunk := file.read(HEAD_BYTES):
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise SourceError(f"{name}: the KML is broken: {error}. It was cut; copy or export it again") from error
    if reader.links:
        reader.look.evidence.append(f"{reader.links} NetworkLink(s) to other files or addresses not followed")
    return reader.look


class _KmlReader:
    """Collect placemarks while expat walks through the file."""

    def __init__(self) -> None:
        self.look, self.links = KmlLook(), 0
        self._path: list[str] = []
        self._containers: list[str] = []
        self._field: str | None = None
        self._said: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(" ")[2]
        self._path.append(tag)
        self._said = []
        if tag == "NetworkLink":
            self.links += 1
        elif tag in ("Document", "Folder"):
            self._containers.append("")
        elif tag == "Placemark":
            self.look.containers.append(self._containers[-1] if self._containers else "")
            self.look.data.append({})
        elif tag == "Data":
            self._field = attributes.get("name")

    def text(self, said: str) -> None:
        self._said.append(said)

    def end(self, tag: str) -> None:
        tag = tag.rpartition(" ")[2]
        self._path.pop()
        above = self._path[-1] if self._path else ""
        if tag in ("Document", "Folder"):
            self._containers.pop()
        elif tag == "name" and above in ("Document", "Folder"):
            self._containers[-1] = "".join(self._said).strip()
        elif tag == "value" and above == "Data" and self._field and self.look.data:
            self.look.data[-1][self._field] = "".join(self._said).strip()
