"""The one door for files from outside.

`open_input` is the only function that opens what a user gives: it looks at the content, refuses what is not trusted, and hands
on a plain file with a name of our own. Readers of layers and tables take that file and never the user's path, so that a later
release can move everything behind this door into a child process.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

from cloudmap.errors import SourceError
from cloudmap.ingest import archives
from cloudmap.ingest.archives import Entry
from cloudmap.ingest.features import Summary, check_geojson
from cloudmap.ingest.signatures import Signature, count_network_links, read_signature

Kind = Literal["csv", "xlsx", "geojson", "parquet", "geoparquet", "gpkg", "shapefile", "kml"]

TABLE_KINDS: Final[tuple[Kind, ...]] = ("csv", "xlsx", "geojson", "parquet", "geoparquet")
LAYER_KINDS: Final[tuple[Kind, ...]] = ("gpkg", "shapefile", "geojson", "kml", "geoparquet")

SKIPPED_DRIVERS: Final = "OGR_VRT,GDALG,WFS,OAPIF,HTTP,OGCAPI,CSW,ADBC"
"""GDAL drivers that follow a file to other files or addresses; GDAL reads the setting once, when pyogrio is first imported."""
os.environ["OGR_SKIP"] = ",".join(dict.fromkeys([*filter(None, os.environ.get("OGR_SKIP", "").split(",")), *SKIPPED_DRIVERS.split(",")]))

_EXTENSIONS: Final[dict[str, tuple[Kind, ...]]] = {
    ".csv": ("csv",),
    ".tsv": ("csv",),
    ".tab": ("csv",),
    ".txt": ("csv",),
    ".xlsx": ("xlsx",),
    ".xlsm": ("xlsx",),
    ".xls": ("xlsx",),
    ".geojson": ("geojson",),
    ".json": ("geojson",),
    ".parquet": ("parquet", "geoparquet"),
    ".geoparquet": ("geoparquet",),
    ".pq": ("parquet", "geoparquet"),
    ".gpkg": ("gpkg",),
    ".shp": ("shapefile",),
    ".kml": ("kml",),
    ".kmz": ("kml",),
}
"""What a name promises; any other name promises nothing. A zip may hold any of them."""

_OWN_SUFFIX: Final[dict[Kind, str]] = {
    "csv": ".csv",
    "xlsx": ".xlsx",
    "geojson": ".geojson",
    "parquet": ".parquet",
    "geoparquet": ".parquet",
    "gpkg": ".gpkg",
    "shapefile": ".shp",
    "kml": ".kml",
}
_SHAPEFILE_PARTS: Final = (".shp", ".dbf", ".shx", ".prj", ".cpg")
_PAYLOAD: Final = {suffix for suffix in _EXTENSIONS if suffix not in {".txt", ".xls"}}


@dataclass
class Opened:
    """A plain file that may be read, and what is known of it. Use as a context manager: scratch files go at its end.

    Attributes
    ----------
    kind : str
        One of csv (any delimited text), xlsx, geojson, parquet, geoparquet, gpkg, shapefile, kml.
    path : Path
        The plain file: the user's own, or a copy or link in a scratch folder with a generated name.
    original : Path
        What the user gave, absolute.
    name : str
        Name of the file for messages; inside an archive the decoded name of the entry without folders.
    evidence : list of str
        What was found out on the way, such as decoded names.
    features : Summary or None
        For GeoJSON: number, properties and geometries of its features, from a strict pass over the whole file.
    """

    kind: Kind
    path: Path
    original: Path
    name: str
    evidence: list[str] = field(default_factory=list)
    features: Summary | None = None
    _scratch: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)

    @property
    def stem(self) -> str:
        """Name without its extension, as a shapefile's layer is called."""
        return Path(self.name).stem

    def close(self) -> None:
        """Remove the scratch files; the user's own file is never touched."""
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def open_input(path: str | Path, *, expect: Literal["table", "layer"] | None = None, member: str | None = None) -> Opened:
    """Open a file from outside, once its content was looked at.

    Parameters
    ----------
    path : str or Path
        A regular file: plain, ``.gz``, or a zip that holds one table or layer.
    expect : {"table", "layer"}, optional
        Refuse kinds of the other sort. GeoJSON and GeoParquet are both.
    member : str, optional
        Which of several tables or layers in a zip to take (name with or without extension).

    Raises
    ------
    SourceError
        No such file, an address instead of a file, an empty file, content of an unknown or untrusted kind or other than the
        extension says, a broken or dangerous archive, parts of a shapefile missing, or several members and none chosen.

    Examples
    --------
    >>> with open_input("reports.csv.gz", expect="table") as opened:  # doctest: +SKIP
    ...     print(opened.kind, opened.evidence)
    """
    original = _regular_file(path)
    scratch = tempfile.TemporaryDirectory(prefix="cloudmap-")
    try:
        opened = _open(original, Path(scratch.name), member)
        if expect is not None and opened.kind not in (TABLE_KINDS if expect == "table" else LAYER_KINDS):
            _refuse_kind(opened, expect)
        _look_inside(opened)
    except BaseException:
        scratch.cleanup()
        raise
    if opened.path.is_relative_to(scratch.name):
        opened._scratch = scratch
    else:
        scratch.cleanup()
    return opened


def _look_inside(opened: Opened) -> None:
    """Read the kinds whose readers forgive too much once, strictly."""
    if opened.kind == "geojson":
        opened.features = check_geojson(opened.path, opened.name)
    elif opened.kind == "kml":
        links = count_network_links(opened.path, opened.name)
        if links:
            opened.evidence.append(f"{links} NetworkLink(s) to other files or addresses are not followed; what they show is not read")


def _refuse_kind(opened: Opened, expect: Literal["table", "layer"]) -> None:
    if expect == "table":
        raise SourceError(f"{opened.name} is a layer ({opened.kind}), not a table of reports. Name it under [[units]] or [[water]]")
    raise SourceError(f"{opened.name} is a table ({opened.kind}), not a layer with shapes. Name it under [[sources]]")


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal, reading it in pieces.

    Raises
    ------
    SourceError
        There is no such regular file.
    """
    with _regular_file(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _regular_file(path: str | Path) -> Path:
    """Return an absolute path of a file on this machine; GDAL's and web addresses are none."""
    text = os.fspath(path)
    if text.lower().replace("\\", "/").startswith("/vsi") or "://" in text or text.lstrip()[:1] in {"<", "{"} or "\x00" in text:
        raise SourceError(f"{text[:200]!r} is an address, not a file on this machine. Download it and give the file")
    found = Path(text).expanduser()
    if found.is_dir():
        raise SourceError(f"{found} is a folder. Give the file in it")
    if not found.exists():
        raise SourceError(f"{found}: no such file. Paths in a city file start at the city file's folder")
    if not found.is_file():
        raise SourceError(f"{found} is a device or pipe, not a file")
    if not os.access(found, os.R_OK):
        raise SourceError(f"{found} may not be read by this user. Change its permissions")
    return found.resolve()


def _open(original: Path, scratch: Path, member: str | None) -> Opened:
    name, signature = original.name, read_signature(original, original.name)
    plain = original
    if signature == "gzip":
        name = original.stem if original.suffix.lower() == ".gz" else original.name
        plain = scratch / "unpacked"
        archives.gunzip(original, plain, original.name)
        signature = read_signature(plain, original.name)
        if signature in {"gzip", "zip"}:
            raise SourceError(f"{original.name} is packed twice. Unpack it once")
    if signature == "zip":
        return _open_zip(original, scratch, member)
    kind = _kind(plain, signature, name)
    _refuse_other_extension(name, kind)
    if kind == "shapefile":
        return _open_shapefile(original, scratch)
    opened = Opened(kind, plain, original, name)
    if plain.suffix.lower() != _OWN_SUFFIX[kind] and not (plain == original and kind == "csv"):
        opened.path = scratch / f"input{_OWN_SUFFIX[kind]}"
        if plain == original:
            opened.path.symlink_to(original)
        else:
            plain.rename(opened.path)
    return opened


def _kind(path: Path, signature: Signature, name: str) -> Kind:
    if signature == "empty":
        raise SourceError(f"{name} is empty. Export it again")
    if signature == "parquet":
        return _parquet_kind(path, name)
    if signature == "json":
        return "geojson"
    return "csv" if signature == "text" else signature  # type: ignore[return-value]  # gzip and zip were unpacked before


def _parquet_kind(path: Path, name: str) -> Kind:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{name}: the Parquet footer is corrupt ({str(error)[:120]}). Copy it again") from error
    return "geoparquet" if b"geo" in metadata else "parquet"


def _refuse_other_extension(name: str, kind: Kind) -> None:
    promised = _EXTENSIONS.get(Path(name).suffix.lower())
    if promised and kind not in promised:
        raise SourceError(f"{name}: the extension says {promised[0]} but the content is {kind}. Rename it, or look at where it comes from")


def _open_shapefile(original: Path, scratch: Path) -> Opened:
    """Link the parts that we know under one stem: GDAL would also read what else lies beside them."""
    stem = original.stem.casefold()
    beside = {one.suffix.lower(): one for one in original.parent.iterdir() if one.stem.casefold() == stem}
    beside[".shp"] = original
    _require_parts(set(beside), original.name)
    for suffix in _SHAPEFILE_PARTS:
        if suffix in beside:
            (scratch / f"layer{suffix}").symlink_to(_regular_file(beside[suffix]))
    return Opened("shapefile", scratch / "layer.shp", original, original.name)


def _require_parts(suffixes: set[str], name: str) -> None:
    missing = [one for one in (".shp", ".dbf", ".shx") if one not in suffixes]
    if missing:
        raise SourceError(f"{name}: a shapefile without its {' and '.join(missing)}. Give all parts: .shp, .dbf, .shx, .prj (and .cpg)")


def _open_zip(original: Path, scratch: Path, member: str | None) -> Opened:
    name = original.name
    with archives.open_zip(original, name) as archive:
        bare = {info.filename for info in archive.infolist()}
        workbook = "xl/workbook.xml" in bare or "[Content_Types].xml" in bare
        entries, evidence = archives.list_entries(archive, name, nested=workbook)
        if workbook:
            return _open_workbook(original, bare, evidence)
        if original.suffix.lower() in _EXTENSIONS and original.suffix.lower() != ".kmz":
            raise SourceError(
                f"{name}: the extension says {original.suffix[1:].lower()} but the content is a zip archive. Rename it, or unpack it"
            )
        main = _choose(_payload(entries), name, member)
        if main.suffix == ".shp":
            parts = {one.suffix: one for one in entries if one.stem.casefold() == main.stem.casefold() and one.suffix in _SHAPEFILE_PARTS}
            _require_parts(set(parts), f"{name}: {main.name}")
        else:
            parts = {main.suffix: main}
        for suffix, entry in parts.items():
            archives.unpack(archive, entry, scratch / f"layer{suffix}", name)
    plain = scratch / f"layer{main.suffix}"
    shown = f"{name}: {main.name}"
    signature = read_signature(plain, shown)
    kind: Kind = _kind(plain, signature, shown)
    _refuse_other_extension(main.name, kind)
    path = plain.rename(scratch / f"layer{_OWN_SUFFIX[kind]}")
    return Opened(kind, path, original, Path(main.name).name, [*evidence, f"{main.name} taken from {name}"])


def _open_workbook(original: Path, parts: set[str], evidence: list[str]) -> Opened:
    if any(part.lower().endswith("vbaproject.bin") for part in parts) or original.suffix.lower() == ".xlsm":
        raise SourceError(f"{original.name} holds macros, which are programs. Save it as a workbook without macros (.xlsx)")
    if "xl/workbook.xml" not in parts:
        raise SourceError(f"{original.name} is an Office document but no .xlsx workbook. Save its table as .xlsx or CSV")
    if original.suffix.lower() == ".xls":
        raise SourceError(f"{original.name}: the extension says xls but the content is xlsx. Rename it to .xlsx")
    _refuse_other_extension(original.name, "xlsx")
    return Opened("xlsx", original, original, original.name, evidence)


def _payload(entries: list[Entry]) -> list[Entry]:
    """Leave out what systems and editors add beside the data."""
    own = [one for one in entries if not one.name.startswith("__MACOSX/") and not Path(one.name).name.startswith(".")]
    found = [one for one in own if one.suffix in _PAYLOAD]
    return found or [one for one in own if one.suffix == ".txt"]


def _choose(payload: list[Entry], name: str, member: str | None) -> Entry:
    if member is not None:
        wanted = [one for one in payload if member in {one.name, Path(one.name).name, Path(one.name).stem}]
        if len(wanted) == 1:
            return wanted[0]
    elif len(payload) == 1:
        return payload[0]
    if not payload:
        raise SourceError(
            f"{name}: no table or layer in the archive. Pack CSV, GeoJSON, Parquet, GeoPackage, KML, or a shapefile with all its parts"
        )
    listed = ", ".join(one.name for one in payload[:10])
    missing = f"{member!r} is not one of them" if member is not None else "none is chosen"
    raise SourceError(f"{name}: {len(payload)} tables or layers in the archive, {missing}: {listed}. Name one with `layer`")
