"""GeoJSON feature by feature, in bounded memory and without the leniencies of ordinary readers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from cloudmap.errors import SourceError

NESTING_MAX: Final = 64
"""Ordinary GeoJSON nests 8 deep."""
ROOT_MAX_BYTES: Final = 64 * 1024**2
FEATURE_MAX_BYTES: Final = 256 * 1024**2
COLUMNS_SEEN_MAX: Final = 1000

_CHUNK: Final = 4 * 1024**2
_GEOMETRIES: Final = {"Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection"}


@dataclass
class Summary:
    """What a GeoJSON file holds, from one strict pass over all of it."""

    features_n: int = 0
    properties: dict[str, None] = field(default_factory=dict)
    geometries: Counter[str] = field(default_factory=Counter)
    crs_name: str | None = None


def check_geojson(path: Path, name: str) -> Summary:
    """Read a GeoJSON file to its end and refuse what a reader would quietly accept.

    Parameters
    ----------
    path : Path
    name : str
        How the user knows it.

    Raises
    ------
    SourceError
        Not UTF-8, cut, nested too deep, a key twice in one object, not GeoJSON, or without any feature.
    """
    summary = Summary()
    for feature in iterate_features(path, name, summary=summary):
        summary.features_n += 1
        if len(summary.properties) <= COLUMNS_SEEN_MAX:
            summary.properties.update(dict.fromkeys(feature.get("properties") or ()))
        geometry = feature.get("geometry")
        summary.geometries[str(geometry.get("type")) if isinstance(geometry, dict) else "none"] += 1
    if not summary.features_n:
        raise SourceError(f"{name} holds no feature. Export it again")
    return summary


def iterate_features(path: Path, name: str, *, summary: Summary | None = None) -> Iterator[dict[str, Any]]:
    """Yield each feature as a dictionary whose numbers are the text that the file has.

    Parameters
    ----------
    path : Path
        GeoJSON in UTF-8: a FeatureCollection, or one Feature or geometry.
    name : str
        How the user knows it.
    summary : Summary, optional
        Gets `crs_name`, once the end is reached.

    Raises
    ------
    SourceError
        As `check_geojson`.
    """
    stream = _Stream(path, name)
    number = 0
    for number, text in enumerate(stream.members(), start=1):
        yield _as_feature(_parse(text, f"{name} feature {number}"), f"{name} feature {number}")
    root = _parse(stream.root, name)
    if not isinstance(root, dict):
        raise SourceError(f"{name} is JSON but no GeoJSON object. Export it as a GeoJSON FeatureCollection")
    if summary is not None:
        crs = root.get("crs")
        summary.crs_name = str(crs.get("properties", {}).get("name")) if isinstance(crs, dict) else None
    kind = root.get("type")
    if kind == "FeatureCollection":
        stream.require_sound(number)
    elif kind == "Feature":
        yield _as_feature(root, name)
    elif kind in _GEOMETRIES:
        yield {"type": "Feature", "properties": {}, "geometry": root}
    else:
        raise SourceError(f"{name} is JSON of type {str(kind)[:40]!r}, not GeoJSON. Export it as a GeoJSON FeatureCollection")


class _Stream:
    """Cut the members of "features" out of a file; what surrounds them is `root`."""

    def __init__(self, path: Path, name: str) -> None:
        from cloudmap.ingest import bytescan

        self._path, self._name = path, name
        self._scan = bytescan
        self._state = np.zeros(bytescan.JSON_STATE_N, dtype=np.int64)
        self.root = bytearray()

    def members(self) -> Iterator[bytes]:
        scan, events = self._scan, np.empty((_CHUNK + 1, 2), dtype=np.int64)
        member: bytearray | None = None
        outside = True
        with self._path.open("rb") as file:
            if file.read(3) != b"\xef\xbb\xbf":
                file.seek(0)
            while chunk := file.read(_CHUNK):
                found = scan.scan_json(np.frombuffer(chunk, dtype=np.uint8), self._state, events)
                if self._state[scan.DEEPEST] > NESTING_MAX:
                    raise SourceError(f"{self._name}: objects nest deeper than {NESTING_MAX}. Export it as a flat FeatureCollection")
                position = 0
                for offset, kind in events[:found].tolist():
                    if kind == scan.FEATURE_START:
                        member, position = bytearray(), offset
                    elif kind == scan.FEATURE_END and member is not None:
                        member += chunk[position:offset]
                        yield bytes(member)
                        member = None
                    elif kind == scan.FEATURES_OPEN:
                        self.root += chunk[position:offset]
                        outside = False
                    elif kind == scan.FEATURES_CLOSE:
                        position, outside = offset, True
                if member is not None:
                    member += chunk[position:]
                elif outside:
                    self.root += chunk[position:]
                if len(self.root) > ROOT_MAX_BYTES or len(member or b"") > FEATURE_MAX_BYTES:
                    raise SourceError(f"{self._name}: one JSON object is larger than {FEATURE_MAX_BYTES:,} bytes. Split it")
        if self._state[scan.DEPTH] or self._state[scan.IN_STRING]:
            raise SourceError(f"{self._name} is cut: the JSON ends inside an object. Copy or export it again")

    def require_sound(self, members_n: int) -> None:
        """Refuse what lies between members but is none."""
        state, scan = self._state, self._scan
        if state[scan.ARRAYS] != 1:
            raise SourceError(
                f'{self._name}: a FeatureCollection needs "features" exactly once, here {state[scan.ARRAYS]} times. Export it again'
            )
        if state[scan.JUNK] or state[scan.COMMAS] != max(members_n - 1, 0):
            raise SourceError(f'{self._name}: "features" holds something else than features parted by commas. Export it again')


def _parse(text: bytes | bytearray, where: str) -> Any:
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_int=str, parse_float=str, parse_constant=str)
    except UnicodeDecodeError as error:
        raise SourceError(f"{where} is not UTF-8, which GeoJSON must be (RFC 7946). Save it as UTF-8") from error
    except _RepeatedKeyError as error:
        raise SourceError(
            f"{where}: key {str(error)[:80]!r} stands twice in one object, so which value counts is open. Export it again"
        ) from error
    except json.JSONDecodeError as error:
        raise SourceError(f"{where} is not valid JSON: {error.msg} at character {error.pos}. Export it again") from error


class _RepeatedKeyError(Exception):
    """A key stands twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return found


def _as_feature(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.get("type") != "Feature" or not isinstance(value.get("properties"), dict | None):
        raise SourceError(f"{where} is not a GeoJSON Feature with properties. Export it again")
    if not isinstance(value.get("geometry"), dict | None):
        raise SourceError(f"{where}: its geometry is neither an object nor null. Export it again")
    return value
