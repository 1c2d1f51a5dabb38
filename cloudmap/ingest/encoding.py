"""Which encoding delimited text is in, with evidence or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from cloudmap.errors import SourceError
from cloudmap.ingest.decoding import CODECS
from cloudmap.ingest.scrub import scrub_one

_ALIASES: Final = {
    "utf8": "utf-8",
    "utf-8-sig": "utf-8",
    "ascii": "utf-8",
    "us-ascii": "utf-8",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "cp936": "gb18030",
    "ansi": "gb18030",
    "cp950": "big5",
    "big5-hkscs": "big5hkscs",
    "windows-1252": "cp1252",
    "latin1": "latin-1",
    "iso-8859-1": "latin-1",
}
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\x84\x31\x95\x33", "gb18030"))

_PIECE: Final = 4 * 1024**2
_LOOKED_AT_BYTES: Final = 256 * 1024**2
_SAMPLE_LINES: Final = 2000
_MARGIN: Final = 0.2
_PLAUSIBLE: Final = 0.6
_FEW_SHARE: Final = 0.1
"""Up to this share of lines, those that fit no encoding are single spoilt rows and not the file's encoding."""
_SHOWN: Final = 10
_FREQUENT: Final = frozenset(
    "的一是在不了有和人这這中大为為上个個国國我以要他时時来來用们們生到作地于於出就分对對成会會可主发發年动動同工也能下过過子说說产產种種面而方后後多定行学學法所民得经經"
    "十三之进進着著等部度家电電力里裏如水化高自二理起小物现現实實加量都两兩体體制机機当當使点點从從业業本去把性好应應开開它合还還因由其些然前外天政四日那社义義事平形相全表间間"
    "样樣与與关關各重新线線内內数數正心反你明看原又么麼利比或但质質气氣第向道命此变變条條只没沒结結解问問意建月公无無系軍军很情者最立代想已通并並提直题題党程展五果料象员員"
    "编編号號类類别別址状狀态態纬緯名称稱街社区區村路桥橋东東西南北市县縣镇鎮报報案件理处處办辦受室楼樓幢元单單网網格微居委警灾災火安检檢查投诉訴纠糾纷紛矛盾垃圾路灯燈车車停"
    "噪音施扰擾污染井盖蓋积積违違章建筑築消防隐隱患食品房租流口商市场場店铺鋪描述内容容备備注註来源渠结果评評价價期止未毕畢登记記"
)
"""Characters that most lines of Chinese reports hold some of, in both scripts: text decoded wrongly holds almost none."""
_HAN: Final = re.compile(r"[㐀-鿿]")
_LOST: Final = re.compile("\ufffd|锟斤拷")


def normal_name(encoding: str) -> str:
    """Return our name of a declared encoding.

    Raises
    ------
    SourceError
        It is not one that is read.
    """
    name = encoding.strip().lower().replace("_", "-")
    name = _ALIASES.get(name, name)
    if name == "utf-16" or name in CODECS:
        return name
    raise SourceError(f"encoding {encoding!r} is not read. Known: {', '.join([*CODECS, 'utf-16'])}")


def detect_encoding(path: Path, name: str, declared: str | None = None) -> tuple[str, list[str]]:
    """Decide a text file's encoding.

    A byte order mark decides; then UTF-8, if at least half of the lines with other than ASCII are valid (the rest will be
    quarantined); then GB18030 against Big5 by how many lines decode and how common the characters are.

    Parameters
    ----------
    path : Path
    name : str
        How the user knows the file.
    declared : str, optional
        What the city file says; it is checked, not trusted.

    Returns
    -------
    encoding : str
        utf-8, utf-16-le, utf-16-be, gb18030 or big5 (or as declared).
    evidence : list of str

    Raises
    ------
    SourceError
        No encoding fits, several do, the declared one does not, or the text was spoilt earlier; candidates are shown.
    """
    with path.open("rb") as file:
        head = file.read(65536)
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    wanted = normal_name(declared) if declared else None
    if marked or wanted == "utf-16":
        return _marked(marked, wanted, name)
    if wanted is None and head.count(0) > len(head) // 5:
        wide = "utf-16-le" if head[1::2].count(0) > head[0::2].count(0) else "utf-16-be"
        return wide, [f"encoding {wide}: every other byte is zero, without a byte order mark"]
    if wanted and wanted.startswith("utf-16"):
        return wanted, [f"encoding {wanted}: declared"]
    lines, lines_n = _foreign_lines(path)
    if not lines:
        return wanted or "utf-8", [f"encoding {wanted or 'utf-8'}: only ASCII in the first {_LOOKED_AT_BYTES // 1024**2} MB"]
    few = len(lines) <= _FEW_SHARE * lines_n
    if wanted:
        return wanted, _confirm(wanted, lines, name, few=few)
    return _decide(lines, name, few=few)


def _marked(marked: str | None, wanted: str | None, name: str) -> tuple[str, list[str]]:
    if marked is None:
        raise SourceError(f"{name}: declared utf-16 but has no byte order mark. Declare utf-16-le or utf-16-be")
    if wanted not in {None, marked} and not (wanted == "utf-16" and marked.startswith("utf-16")):
        raise SourceError(f"{name}: declared {wanted} but begins with the byte order mark of {marked}. Drop the declared encoding")
    return marked, [f"encoding {marked}: byte order mark"]


def _foreign_lines(path: Path) -> tuple[list[bytes], int]:
    """Return the first lines that hold more than ASCII, and how many lines were looked at for them."""
    found: list[bytes] = []
    lines_n = 0
    with path.open("rb") as file:
        while len(found) < _SAMPLE_LINES and file.tell() < _LOOKED_AT_BYTES and (piece := file.read(_PIECE)):
            whole = piece + file.readline(_PIECE)
            lines_n += max(whole.count(b"\n"), whole.count(b"\r"))
            if not whole.isascii():
                found.extend(islice((one for one in whole.splitlines() if not one.isascii()), _SAMPLE_LINES - len(found)))
    return found, lines_n


def _valid(lines: Iterable[bytes], codec: str) -> list[str]:
    texts = []
    for line in lines:
        try:
            texts.append(line.decode(codec))
        except UnicodeDecodeError:
            continue
    return texts


def _confirm(wanted: str, lines: list[bytes], name: str, *, few: bool) -> list[str]:
    texts = _valid(lines, CODECS[wanted])
    if len(texts) * 2 < len(lines) and not few:
        raise SourceError(
            f"{name}: declared {wanted}, but {len(lines) - len(texts)} of {len(lines)} sampled lines are not. Set encoding to one of:\n"
            f"{_candidates(lines)}"
        )
    _refuse_mojibake(texts, name)
    return [f"encoding {wanted}: declared; {len(texts)} of {len(lines)} sampled lines decode"]


def _decide(lines: list[bytes], name: str, *, few: bool) -> tuple[str, list[str]]:
    texts = _valid(lines, "utf-8")
    if len(texts) * 2 >= len(lines):
        _refuse_mojibake(texts, name)
        return "utf-8", [
            f"encoding utf-8: {len(texts)} of {len(lines)} sampled lines with other than ASCII are valid, such as {_show(texts[0])}"
        ]
    scored = sorted(((_score(lines, one), one) for one in ("gb18030", "big5")), reverse=True)
    (best, encoding), (second, other) = scored
    if best < _PLAUSIBLE and few:
        return "utf-8", [
            f"encoding utf-8: ASCII but for {len(lines)} lines, {len(lines) - len(texts)} of which no encoding fits; they are quarantined"
        ]
    if best < _PLAUSIBLE or best - second < _MARGIN:
        raise SourceError(
            f"{name}: the encoding cannot be told for certain. Set encoding to the one that reads right:\n{_candidates(lines)}"
        )
    texts = _valid(lines, CODECS[encoding])
    _refuse_mojibake(texts, name)
    return encoding, [
        f"encoding {encoding}: {len(texts)} of {len(lines)} sampled lines decode, score {best:.2f} against {second:.2f} for {other}, "
        f"not valid as utf-8; reads {_show(texts[0])}"
    ]


def _score(lines: list[bytes], encoding: str) -> float:
    """Between 0 and about 1.7: share of lines that decode x (share of common + share of frequent characters)."""
    codec = CODECS[encoding]
    texts = _valid(lines, codec)
    characters = [one for one in "".join(texts) if ord(one) > 127]
    if not characters:
        return 0.0
    leads = range(0xB0, 0xD8) if encoding == "gb18030" else range(0xA4, 0xC7)
    lead_of = {one: one.encode(codec)[0] if len(one.encode(codec)) == 2 else 0 for one in set(characters)}
    common = sum(lead_of[one] in leads or 0xA1 <= lead_of[one] <= 0xA3 for one in characters)
    return len(texts) / len(lines) * (common + _frequent(characters)) / len(characters)


def _frequent(characters: Sequence[str]) -> int:
    return sum(one in _FREQUENT for one in characters)


def _candidates(lines: list[bytes]) -> str:
    shown = []
    for encoding in ("utf-8", "gb18030", "big5", "cp1252"):
        texts = _valid(lines, CODECS[encoding])
        if texts:
            shown.append(f"    {encoding}: {len(texts)} of {len(lines)} lines decode, such as {_show(texts[0])}")
    return "\n".join(shown)


def _show(text: str) -> str:
    """Quote what surrounds the first foreign character, scrubbed."""
    scrubbed = scrub_one(text)
    at = next((position for position, one in enumerate(scrubbed) if ord(one) > 127), 0)
    return repr(scrubbed[max(0, at - 2) : at + _SHOWN])


def _refuse_mojibake(texts: list[str], name: str) -> None:
    """Refuse text that is valid but was decoded wrongly, or lost, before it came here."""
    sample = texts[:200]
    lost = sum(_LOST.search(one) is not None for one in sample)
    if lost * 2 > len(sample):
        raise SourceError(
            f"{name}: {lost} of {len(sample)} sampled lines hold signs of lost characters, such as {_show(sample[0])}. Export it again"
        )
    for wrong, right in (
        ("cp1252", "utf-8"),
        ("latin-1", "utf-8"),
        ("gb18030", "utf-8"),
        ("latin-1", "gb18030"),
        ("cp1252", "gb18030"),
        ("latin-1", "big5"),
    ):
        mended = [(one, again) for one in sample if (again := _again(one, wrong, CODECS[right]))]
        if len(mended) * 5 > len(sample) * 3:
            before, after = mended[0]
            raise SourceError(
                f"{name}: the text was read as {wrong} before it was saved: {_show(before)} should be {_show(after)} ({right}); "
                f"so in {len(mended)} of {len(sample)} sampled lines. Export it again as UTF-8"
            )


def _again(text: str, wrong: str, right: str) -> str | None:
    """Return the text with the supposed wrong decoding undone, if that gives plausible Chinese."""
    try:
        mended = text.encode(wrong).decode(right)
    except UnicodeError:
        return None
    foreign = [one for one in mended if ord(one) > 127]
    before = [one for one in text if ord(one) > 127]
    if not _HAN.search(mended) or _frequent(foreign) * 4 < len(foreign) or _frequent(before) * 4 >= len(before):
        return None
    return mended
