"""Text of any known encoding as UTF-8, with the lines that the encoding does not allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

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
_LOST: Final = "\ufffd".encode()


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
    return _decode_utf8(chunk) if codec == "utf-8" else _decode_narrow(chunk, codec)


def _decode_utf8(chunk: bytes) -> Decoded:
    """Replace the lines that are not valid; all others are handed on as they are."""
    from cloudmap.ingest.bytescan import first_invalid

    view = np.frombuffer(chunk, dtype=np.uint8)
    parts, bad, done = [], [], 0
    for line, start, end in _lines_with(chunk, lambda at: int(first_invalid(view, at))):
        parts += [chunk[done:start], chunk[start:end].decode("utf-8", "replace").encode("utf-8")]
        bad.append(line)
        done = end
    return Decoded(b"".join([*parts, chunk[done:]]), bad) if bad else Decoded(chunk, [])


def _decode_narrow(chunk: bytes, codec: str) -> Decoded:
    """Decode everything at once; lines with what stands for lost characters are then tried strictly."""
    from cloudmap.ingest.bytescan import first_utf8_han

    clean = str(chunk, codec, "replace").encode("utf-8")
    if clean.count(b"\n") != chunk.count(b"\n"):  # half a character before the last line end takes that with it
        clean = b"\n".join(str(line, codec, "replace").encode("utf-8") for line in chunk.split(b"\n"))
    bad = []
    doubtful = [line for line, _, _ in _lines_with(clean, lambda at: clean.find(_LOST, at))]
    if doubtful:
        ends = np.append(np.flatnonzero(np.frombuffer(chunk, dtype=np.uint8) == ord("\n")), len(chunk)).tolist()
        bad = [line for line in doubtful if not _is_valid(chunk[ends[line - 1] + 1 if line else 0 : ends[line]], codec)]
    view = np.frombuffer(chunk, dtype=np.uint8)
    lines = _lines_with(chunk, lambda at: int(first_utf8_han(view, at)))
    strangers = [line for line, start, end in lines if _is_valid(chunk[start:end], "utf-8")]
    return Decoded(clean, sorted({*bad, *strangers}))


def _lines_with(data: bytes, find: Callable[[int], int]) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end (without its line end) of each line in which `find`, asked from an offset on, finds something."""
    line, done = 0, 0
    while (at := find(done)) >= 0:
        start, end = _line_around(data, at)
        line += data.count(b"\n", done, start)
        yield line, start, end
        done = end


def _line_around(chunk: bytes, at: int) -> tuple[int, int]:
    """Return start and end (without its line end) of the line that an offset lies in."""
    end = chunk.find(b"\n", at)
    return chunk.rfind(b"\n", 0, at) + 1, len(chunk) if end < 0 else end


def _is_valid(line: bytes, codec: str) -> bool:
    try:
        line.decode(codec)
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
