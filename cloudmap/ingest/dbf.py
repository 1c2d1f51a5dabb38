"""The text of a shapefile: which encoding its table is in, and characters that were cut in the middle.

A .dbf holds bytes. Field names have ten of them and values a fixed width, so that writers cut multi-byte characters in two; and only
some writers say the encoding (.cpg). Everything is therefore read as raw bytes first and decoded here.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cloudmap.errors import SourceError

RAW: Final = "ISO-8859-1"
"""A codec that keeps every byte: text read with it can be turned back into bytes without loss."""

_NAME_BYTES: Final = 10
_CODE_PAGES: Final = {"65001": "utf-8", "936": "gb18030", "54936": "gb18030", "950": "big5", "932": "cp932", "88591": "latin-1"}
_WIDER: Final = {"gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030"}
"""GB18030 holds all of them, and files that say GB2312 hold characters of it."""


@dataclass
class DbfText:
    """A shapefile's decoded field names and text columns.

    Attributes
    ----------
    names : list of str
        Field names, made distinct.
    columns : dict of int to list
        Field position to decoded values, for text fields.
    encoding : str
        What they were decoded with.
    evidence : list of str
        How that was chosen, and what was cut.
    repairs : dict of str to int
        ``field_name_cut``, ``field_renamed`` and ``value_cut``, where they occurred.
    """

    names: list[str]
    columns: dict[int, list[str | None]]
    encoding: str
    evidence: list[str] = field(default_factory=list)
    repairs: dict[str, int] = field(default_factory=dict)


def known_codec(text: str) -> str | None:
    """Return Python's name of an encoding as people and .cpg files write it (``936``, ``GBK``, ``UTF-8``), or None."""
    plain = text.strip().lower().removeprefix("ansi").removeprefix("oem").removeprefix("cp").strip(" _-")
    for candidate in (_CODE_PAGES.get(plain), text.strip(), f"cp{plain}"):
        try:
            found = codecs.lookup(candidate or "?").name
        except LookupError:
            continue
        return _WIDER.get(found, found)
    return None


def decode_dbf(path: Path, names: Sequence[str], columns: dict[int, Iterable[Any]], *, encoding: str | None, shown: str) -> DbfText:
    """Decode the names and text values of a shapefile that was read as raw bytes.

    Parameters
    ----------
    path : Path
        The .shp; its .cpg is looked for beside it, field widths come from its .dbf.
    names : sequence of str
        Field names, decoded with `RAW`.
    columns : dict of int to iterable of str or None
        Field position to values, decoded with `RAW`.
    encoding : str or None
        Declared by the user: overrides everything.
    shown : str
        The file, for messages.

    Raises
    ------
    SourceError
        The declared encoding is unknown or does not fit, or none fits.
    """
    raw_names = [name.encode(RAW) for name in names]
    raw_columns = {at: [None if value is None else str(value).encode(RAW) for value in values] for at, values in columns.items()}
    widths = _widths(path.with_suffix(".dbf"))
    evidence: list[str] = []
    for codec, why in _candidates(path, encoding, evidence, shown):
        decoder = _Decoder(codec)
        try:
            decoded = [decoder.decode(name, _NAME_BYTES, "field_name_cut") for name in raw_names]
            texts = {
                at: [
                    None if value is None else decoder.decode(value, widths[at] if at < len(widths) else 254, "value_cut")
                    for value in values
                ]
                for at, values in raw_columns.items()
            }
        except UnicodeDecodeError as error:
            evidence.append(
                f"{why} {codec} does not fit: byte {error.object[error.start : error.start + 1].hex()} of {_peek(error.object)}"
            )
            if encoding is not None:
                raise SourceError(f"{shown}: {evidence[-1]}. Leave encoding out of the city file, or name another") from error
            continue
        evidence.append(f"text decoded as {codec} ({why})")
        evidence += [f"{count} {kind.replace('_', ' ')} in the middle of a character" for kind, count in decoder.cut.items()]
        distinct = _distinct(decoded, evidence)
        repairs = {
            **decoder.cut,
            **({"field_renamed": sum(a != b for a, b in zip(decoded, distinct, strict=True))} if decoded != distinct else {}),
        }
        return DbfText(distinct, texts, codec, evidence, repairs)
    raise SourceError(f"{shown}: no encoding fits its table ({'; '.join(evidence)}). Name it as encoding in the city file")


def _candidates(path: Path, encoding: str | None, evidence: list[str], shown: str) -> list[tuple[str, str]]:
    if encoding is not None:
        codec = known_codec(encoding)
        if codec is None:
            raise SourceError(f"{shown}: encoding = {encoding!r} is unknown. Write UTF-8, GB18030, Big5 or another of Python's names")
        return [(codec, "declared")]
    found: list[tuple[str, str]] = []
    cpg = path.with_suffix(".cpg")
    if cpg.exists():
        text = cpg.read_bytes()[:40].decode("ascii", "replace").strip()
        codec = known_codec(text)
        if codec is None:
            evidence.append(f".cpg says {text!r}, which is no known encoding")
        else:
            found.append((codec, ".cpg"))
    said = "no .cpg" if not cpg.exists() else ".cpg does not help"
    guesses = [("utf-8", f"{said}; strict UTF-8"), ("gb18030", f"{said}, not UTF-8; GB18030")]
    return found + [guess for guess in guesses if guess[0] not in {codec for codec, _ in found}]


@dataclass
class _Decoder:
    codec: str
    cut: dict[str, int] = field(default_factory=dict)

    def decode(self, raw: bytes, width: int, kind: str) -> str:
        """Decode strictly; a character that the field's width cut in two is dropped and counted.

        Raises
        ------
        UnicodeDecodeError
            The bytes are not in this encoding.
        """
        try:
            return raw.decode(self.codec)
        except UnicodeDecodeError as error:
            if len(raw) < width or len(raw) - error.start > 3:
                raise
            text = raw[: error.start].decode(self.codec)
            if codecs.getincrementaldecoder(self.codec)("strict").decode(raw) != text:
                raise
        self.cut[kind] = self.cut.get(kind, 0) + 1
        return text


def _widths(path: Path) -> list[int]:
    """Return the byte widths of a .dbf's fields, in order."""
    with path.open("rb") as file:
        head = file.read(32)
        size = int.from_bytes(head[8:10], "little") if len(head) == 32 else 0
        descriptors = file.read(max(0, size - 33))
    return [descriptors[at + 16] for at in range(0, len(descriptors) - 31, 32)]


def _distinct(names: list[str], evidence: list[str]) -> list[str]:
    """Number names that cutting made equal."""
    taken: set[str] = set()
    result = []
    for name in names:
        fresh, count = name or "field", 1
        while fresh in taken:
            count += 1
            fresh = f"{name}_{count}"
        if fresh != name:
            evidence.append(
                f"field {name!r} renamed {fresh!r}: the name occurs twice once cut" if name else "a field without a name is called 'field'"
            )
        taken.add(fresh)
        result.append(fresh)
    return result


def _peek(raw: bytes) -> str:
    return repr(raw[:12].decode("ascii", "backslashreplace"))
