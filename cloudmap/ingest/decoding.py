"""Text of any known encoding as UTF-8, with the lines that the encoding does not allow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

CODECS: Final = {
    "utf-8": "utf-8",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "gb18030": "gb18030",
    "big5": "cp950",  # what Windows writes as Big5; the plain codec lacks 裏, 銹, 恒
    "big5hkscs": "big5hkscs",
    "cp1252": "cp1252",
    "latin-1": "latin-1",
}
_UTF8_HAN: Final = re.compile(rb"(?:[\xe4-\xe9][\x80-\xbf]{2}){2}")


@dataclass(frozen=True, slots=True)
class Decoded:
    """One piece of a file as clean UTF-8.

    Attributes
    ----------
    data : bytes
        UTF-8 with the piece's own lines.
    bad_lines : list of int
        Lines (from 0) that the encoding does not allow; their bytes are replaced in `data`.
    """

    data: bytes
    bad_lines: list[int]


def decode(chunk: bytes, encoding: str) -> Decoded:
    """Decode whole lines strictly and give them back as UTF-8.

    Parameters
    ----------
    chunk : bytes
        Whole lines of a file.
    encoding : str
        As `detect_encoding` returns.

    Raises
    ------
    Nothing: lines that the encoding does not allow are listed. In GB18030 and Big5 that includes lines that are valid UTF-8
    and Chinese as such: other rows of another encoding would enter as nonsense.
    """
    codec = CODECS[encoding]
    if encoding.startswith("utf-16"):
        return _decode_wide(chunk, codec)
    try:
        text = chunk.decode(codec)
    except UnicodeDecodeError:
        decoded = _decode_between_bad(chunk, codec)
    else:
        decoded = Decoded(chunk if codec == "utf-8" else text.encode("utf-8"), [])
    strangers = [] if codec == "utf-8" else _utf8_lines(chunk)
    return Decoded(decoded.data, sorted({*decoded.bad_lines, *strangers})) if strangers else decoded


def _decode_between_bad(chunk: bytes, codec: str) -> Decoded:
    """Decode up to each line that fails, and go on behind it."""
    view, clean, bad = memoryview(chunk), bytearray(), []
    at = line = 0
    while at < len(chunk):
        try:
            clean += str(view[at:], codec).encode("utf-8")
            break
        except UnicodeDecodeError as error:
            start, end = _line_around(chunk, at + error.start)
            clean += str(view[at:start], codec).encode("utf-8")
            clean += str(view[start:end], codec, "replace").encode("utf-8")
            clean += chunk[end : end + 1]
            line += chunk.count(b"\n", at, start)
            bad.append(line)
            line += 1
            at = end + 1
    return Decoded(bytes(clean), bad)


def _line_around(chunk: bytes, at: int) -> tuple[int, int]:
    """Return start and end (without its line end) of the line that an offset lies in."""
    end = chunk.find(b"\n", at)
    return chunk.rfind(b"\n", 0, at) + 1, len(chunk) if end < 0 else end


def _utf8_lines(chunk: bytes) -> list[int]:
    """List the lines that are Chinese in UTF-8."""
    found = []
    at = line = 0
    while match := _UTF8_HAN.search(chunk, at):
        start, end = _line_around(chunk, match.start())
        line += chunk.count(b"\n", at, start)
        if _is_utf8(chunk[start:end]):
            found.append(line)
        at, line = end + 1, line + 1
    return found


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _decode_wide(chunk: bytes, codec: str) -> Decoded:
    whole = len(chunk) // 2 * 2
    text = chunk[:whole].decode(codec, "surrogatepass")
    if whole < len(chunk):
        text += "\udcff"  # half a character at the file's end makes its line a bad one
    try:
        return Decoded(text.encode("utf-8"), [])
    except UnicodeEncodeError:
        lines = text.split("\n")
        bad = [number for number, line in enumerate(lines) if any("\ud800" <= one <= "\udfff" for one in line)]
        return Decoded(text.encode("utf-8", "replace"), bad)
