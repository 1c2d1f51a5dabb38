"""What a file is, by its first bytes and never by its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal
from xml.parsers import expat

from cloudmap.errors import SourceError

HEAD_BYTES: Final = 65536
XML_NESTING_MAX: Final = 100

Signature = Literal["empty", "gzip", "zip", "gpkg", "parquet", "shapefile", "json", "kml", "text"]

_KNOWN_UNWANTED: Final = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old .xls workbook or one locked with a password. Save it as .xlsx without a password"),
    (b"%PDF-", "a PDF document. Ask for the table behind it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive. Unpack it first"),
    (b"Rar!", "a RAR archive. Unpack it first"),
    (b"BZh", "a bzip2 archive. Unpack it first"),
    (b"\xfd7zXZ\x00", "an xz archive. Unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive. Unpack it first"),
    (b"\x89PNG", "a picture. Give the table or layer behind it"),
    (b"\xff\xd8\xff", "a picture. Give the table or layer behind it"),
    (b"\x00\x01\x00\x00Standard Jet DB", "an Access database. Export its table as CSV"),
    (b"fgb\x03", "a FlatGeobuf layer. Save it as GeoPackage"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\x00", "a program"),
)
"""Formats that people do send by mistake, and what to do."""

_POINTERS: Final = (b"<OGRVRTDataSource", b"<VRTDataset", b"gdal_streamed_alg", b"<OGRWFSDataSource", b"<OGRWCSDataSource")
"""Marks of files that hold no data but tell GDAL to fetch it from elsewhere."""

_SERVICE_ROOTS: Final = {"OGRVRTDataSource", "VRTDataset", "OGRWFSDataSource", "WFS_Capabilities", "FeatureTypeList", "Capabilities"}
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_TAR_AT: Final = 257


def read_signature(path: Path, name: str) -> Signature:
    """Tell what kind of bytes a file holds.

    Parameters
    ----------
    path : Path
        The file itself.
    name : str
        How the user knows it; used in messages only.

    Raises
    ------
    SourceError
        The content is a format that is not read, or one that points GDAL at other files or addresses (VRT, GDALG, WFS).
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(max(0, size - 4))
        tail = file.read(4)
    if not head.strip():
        return "empty"
    _refuse_unwanted(head, name)
    if head[:4] == b"PAR1":
        if tail != b"PAR1":
            raise SourceError(f"{name}: the Parquet footer is missing: the file was cut. Copy it again")
        return "parquet"
    if head.startswith(b"SQLite format 3\x00"):
        if head[68:72] not in {b"GPKG", b"GP10", b"GP11"}:
            raise SourceError(f"{name} is an SQLite database but no GeoPackage. Export the layer as GeoPackage (.gpkg)")
        return "gpkg"
    for magic, signature in ((b"\x1f\x8b", "gzip"), (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"\x00\x00\x27\x0a", "shapefile")):
        if head.startswith(magic):
            return signature  # type: ignore[return-value]  # the tuple above holds members of the Literal only
    return _text_signature(path, head, name)


def _refuse_unwanted(head: bytes, name: str) -> None:
    for magic, what in _KNOWN_UNWANTED:
        if head.startswith(magic):
            raise SourceError(f"{name} is {what}")
    if head[_TAR_AT : _TAR_AT + 5] == b"ustar":
        raise SourceError(f"{name} is a tar archive. Unpack it first")
    plain = head.replace(b"\x00", b"")  # UTF-16 must not hide them
    for mark in _POINTERS:
        if mark in plain:
            raise SourceError(
                f"{name} holds {mark.decode().lstrip('<')!r}: it points at other files or addresses instead of holding data, "
                "and is never followed. Give the data itself"
            )


def _text_signature(path: Path, head: bytes, name: str) -> Signature:
    plain = head.removeprefix(b"\xef\xbb\xbf")
    if head.startswith(_UTF16):
        plain = head[2:].replace(b"\x00", b"")
    start = plain.lstrip()
    if re.match(rb"<[?!A-Za-z]", start):
        return _xml_signature(path, name)
    if re.match(rb'\{\s*("|\}|$)|\[\s*[\[{"\]\d]', start):
        return "json"
    controls = sum(head.count(bytes([code])) for code in (*range(1, 9), *range(14, 27), *range(28, 32)))
    if controls > len(head) // 50 or _is_binary(head):
        raise SourceError(
            f"{name} is binary data of a kind that is not read. Give CSV, XLSX, GeoJSON, Parquet, GeoPackage, Shapefile or KML"
        )
    return "text"


def _is_binary(head: bytes) -> bool:
    """Tell a binary file from text in which a few NUL bytes strayed, or from UTF-16."""
    nuls = head.count(0)
    if nuls <= len(head) // 10:
        return False
    return max(head[0::2].count(0), head[1::2].count(0)) < nuls * 9 // 10


def _xml_signature(path: Path, name: str) -> Signature:
    root = xml_root(path, name)
    if root == "kml":
        return "kml"
    if root in _SERVICE_ROOTS:
        raise SourceError(
            f"{name} is a description of a web service or of other files (<{root}>), which is never followed. Give the data itself"
        )
    raise SourceError(f"{name} is XML (<{root}>), of which only KML is read. Save the layer as GeoPackage")


def local_name(tag: str) -> str:
    """Return an element's name without its namespace prefix."""
    return tag.rpartition(":")[2] if ":" in tag else tag


def xml_parser(name: str) -> expat.XMLParserType:
    """Return a parser that refuses document types, hence entities, before any is expanded.

    Parameters
    ----------
    name : str
        How the user knows the file.

    Raises
    ------
    SourceError
        While parsing: the document declares a DOCTYPE.
    """

    def refuse(*_: object) -> None:
        raise SourceError(f"{name}: the XML declares a DOCTYPE; entities could read other files or fill the memory. Save it without")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.buffer_text = True
    return parser


def xml_root(path: Path, name: str) -> str:
    """Return the local name of an XML file's root element.

    Raises
    ------
    SourceError
        The file is no well-formed XML up to its root, or declares a DOCTYPE.
    """
    found: list[str] = []
    parser = xml_parser(name)
    parser.StartElementHandler = lambda tag, _: found.append(local_name(tag))
    with path.open("rb") as file:
        try:
            while not found and (chunk := file.read(HEAD_BYTES)):
                parser.Parse(chunk, False)
        except expat.ExpatError as error:
            if not found:
                raise SourceError(f"{name} begins like XML but is not: {error}. Check how it was exported") from error
    if not found:
        raise SourceError(f"{name} begins like XML but has no element. It was cut; copy it again")
    return found[0]


def count_network_links(path: Path, name: str) -> int:
    """Read a KML file to its end and count the elements that would fetch more from elsewhere.

    Raises
    ------
    SourceError
        Not well-formed, cut, nested too deep, or with a DOCTYPE.
    """
    links = depth = 0

    def opened(tag: str, _: dict[str, str]) -> None:
        nonlocal links, depth
        links += local_name(tag) == "NetworkLink"
        depth += 1
        if depth > XML_NESTING_MAX:
            raise SourceError(f"{name}: elements nest deeper than {XML_NESTING_MAX}. Export it again")

    def closed(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser = xml_parser(name)
    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise SourceError(f"{name} is not well-formed XML: {error}. It may be cut; copy or export it again") from error
    return links
