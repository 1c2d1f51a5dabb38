"""What a written time looks like: from the shape of a value (its digits as zeros) to the way of reading it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import polars as pl

Order = Literal["day_first", "month_first"]
Kind = Literal["strptime", "offset", "minguo", "excel", "epoch_s", "epoch_ms", "epoch_us"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way of reading a text as a time.

    `kind` "strptime" gives a naive time, "offset" one with its own offset; "minguo" is strptime after 1911 years are added.
    `ordered` tells that day and month could change places: `pattern` then has them day first, and the column decides.
    """

    kind: Kind
    pattern: str = ""
    ordered: bool = False


MINGUO_OFFSET: Final = 1911

_SEPARATORS: Final = "[-/.]"
_DATES: Final[tuple[tuple[str, str, str], ...]] = (
    # regular expression over shapes, strptime pattern ({s} the separator met), mark
    (rf"(?P<y>0{{4}})(?P<s>{_SEPARATORS})0{{1,2}}(?P=s)0{{1,2}}", "%Y{s}%m{s}%d", ""),
    (rf"0{{1,2}}(?P<s>{_SEPARATORS})0{{1,2}}(?P=s)0{{4}}", "%d{s}%m{s}%Y", "ordered"),
    (r"0{4}年0{1,2}月0{1,2}日", "%Y年%m月%d日", ""),
    (r"民0{2,3}年0{1,2}月0{1,2}日", "%Y年%m月%d日", "minguo"),
    (r"0{2,3}年0{1,2}月0{1,2}日", "%Y年%m月%d日", "minguo"),
    (rf"民0{{2,3}}(?P<s>{_SEPARATORS})0{{1,2}}(?P=s)0{{1,2}}", "%Y{s}%m{s}%d", "minguo"),
    (rf"0{{2,3}}(?P<s>{_SEPARATORS})0{{1,2}}(?P=s)0{{1,2}}", "%Y{s}%m{s}%d", "minguo_if_decided"),
    (r"0{1,2}(?P<s>[ -])(?P<m>[A-Za-z]{3,9})(?P=s)0{4}", "%d{s}{b}{s}%Y", ""),
    (r"(?P<m>[A-Za-z]{3,9}) 0{1,2}(?P<k>,?) 0{4}", "{b} %d{k} %Y", ""),
)
_TIMES: Final[tuple[tuple[str, str], ...]] = (
    (r"(?P<ap>AM|PM) ?0{1,2}:0{1,2}:0{1,2}", "%p%I:%M:%S"),
    (r"(?P<ap>AM|PM) ?0{1,2}:0{1,2}", "%p%I:%M"),
    (r"0{1,2}:0{1,2}:0{1,2} ?(?P<ap>[AaPp]\.?[Mm]\.?)", "%I:%M:%S%p"),
    (r"0{1,2}:0{1,2} ?(?P<ap>[AaPp]\.?[Mm]\.?)", "%I:%M%p"),
    (r"0{1,2}:0{1,2}:0{1,2}[.]0{1,9}", "%H:%M:%S%.f"),
    (r"0{1,2}:0{1,2}:0{1,2}", "%H:%M:%S"),
    (r"0{1,2}:0{1,2}", "%H:%M"),
    (r"(?P<ap>AM|PM) ?0{1,2}时0{1,2}分(?P<c>0{1,2}秒)?", "%p%I时%M分"),
    (r"0{1,2}时0{1,2}分(?P<c>0{1,2}秒)?", "%H时%M分"),
)
_ZONE: Final = r"(?P<z> ?(?:Z|z|[+-]0{2}(?::?0{2})?))?"
_NUMERIC: Final[tuple[tuple[str, Reading], ...]] = (
    (r"0{8}", Reading("strptime", "%Y%m%d")),
    (r"0{12}", Reading("strptime", "%Y%m%d%H%M")),
    (r"0{14}", Reading("strptime", "%Y%m%d%H%M%S")),
    (r"0{9,10}(?:\.0+)?", Reading("epoch_s")),
    (r"0{13}(?:\.0+)?", Reading("epoch_ms")),
    (r"0{16}", Reading("epoch_us")),
    (r"0{5}(?:\.0+)?", Reading("excel")),
)
KEYWORDS: Final[dict[str, Reading]] = {
    "excel": Reading("excel"),
    "epoch_s": Reading("epoch_s"),
    "epoch_ms": Reading("epoch_ms"),
    "epoch_us": Reading("epoch_us"),
}
"""Values of sources.<id>.time_format that are no strptime text; "minguo", "day_first" and "month_first" are understood beside them."""


def fold(values: pl.Series) -> pl.Series:
    """Trim, and fold full-width characters, Chinese clock words, AM/PM spellings and zone names to one form.

    Parameters
    ----------
    values : pl.Series of String, shape (n,)

    Returns
    -------
    pl.Series of String, shape (n,)
        Blank cells are null.

    Raises
    ------
    polars.exceptions.InvalidOperationError
        The column is not text.
    """
    text = trim(values)
    odd = text.str.contains(r"[^\x00-\x7f]|[.]?[mM][.]|UTC|GMT|[ ]{2}").fill_null(value=False).arg_true()
    return text.scatter(odd, _fold_odd(text.gather(odd))) if odd.len() else text


def fold_foreign(values: pl.Series) -> pl.Series:
    """Trim, and fold only what is not written with plain digits: enough to tell calendars and orders apart, and cheaper.

    Parameters
    ----------
    values : pl.Series of String, shape (n,)

    Returns
    -------
    pl.Series of String, shape (n,)
        Blank cells are null.

    Raises
    ------
    polars.exceptions.InvalidOperationError
        The column is not text.
    """
    text = trim(values)
    odd = text.str.contains(r"[^\x00-\x7f年月日时分秒]|\s[年月日]").fill_null(value=False).arg_true()
    return text.scatter(odd, _fold_odd(text.gather(odd))) if odd.len() else text


def trim(values: pl.Series) -> pl.Series:
    """Take blanks off both ends.

    Parameters
    ----------
    values : pl.Series of String, shape (n,)

    Returns
    -------
    pl.Series of String, shape (n,)
        Blank cells are null.

    Raises
    ------
    polars.exceptions.InvalidOperationError
        The column is not text.
    """
    text = values.str.strip_chars()
    blank = (text == "").fill_null(value=False).arg_true()
    return text.scatter(blank, pl.repeat(None, blank.len(), dtype=pl.String, eager=True)) if blank.len() else text


def _fold_odd(values: pl.Series) -> pl.Series:
    wide = {chr(code): chr(code - 0xFEE0) for code in (*range(0xFF10, 0xFF1B), 0xFF0F, 0xFF0D, 0xFF0E, 0xFF0B, 0xFF33)}
    words = {
        "\u3000": " ", "上午": "AM", "凌晨": "AM", "下午": "PM", "中華民國": "民", "中华民国": "民", "民國": "民", "民国": "民", "公元": "",
        "號": "日", "号": "日", "時": "时", "点": "时", "點": "时", "UTC": "Z", "GMT": "Z",
    }  # fmt: skip
    folded = (
        pl.col("v")
        .str.replace_many({**wide, **words})
        .str.replace_all(r"\s*([民年月日时分秒])\s*", "${1}")
        .str.replace(r"时$", "时00分")
        .str.replace(r"([AaPp])\.?([Mm])\.", "${1}${2}")
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
    )
    return values.alias("v").to_frame().select(folded).to_series()


@lru_cache(maxsize=4096)
def read_shape(shape: str, *, minguo: bool) -> Reading | None:
    """Find the way of reading a shape.

    Parameters
    ----------
    shape : str
        A value folded by `fold`, with each digit as "0".
    minguo : bool
        Whether the column's bare years of two or three digits count from 1912.

    Returns
    -------
    Reading or None
        None where nothing is known to look like this.

    Raises
    ------
    Nothing.
    """
    for pattern, reading in _NUMERIC:
        if re.fullmatch(pattern, shape):
            return reading
    if minguo and shape == "0" * 7:
        return Reading("minguo", "%Y%m%d")
    for date_pattern, date_format, mark in _DATES:
        found = re.match(date_pattern, shape)
        if found and not (mark == "minguo_if_decided" and not minguo):
            timed = _with_time(shape[found.end() :], _fill(date_format, found), mark)
            if timed is not None:
                return timed
    return None


def _fill(date_format: str, found: re.Match[str]) -> str:
    groups = found.groupdict()
    month = groups.get("m")
    return date_format.format(s=groups.get("s"), k=groups.get("k"), b="%b" if month and len(month) == 3 else "%B")


def _with_time(rest: str, date_format: str, mark: str) -> Reading | None:
    kind: Kind = "minguo" if mark.startswith("minguo") else "strptime"
    if not rest:
        return Reading(kind, date_format, mark == "ordered")
    joint = re.match(r"T|,? *", rest)
    joined = joint[0] if joint else ""
    for time_pattern, time_format in _TIMES:
        found = re.fullmatch(time_pattern + _ZONE, rest[len(joined) :])
        if not found:
            continue
        groups = found.groupdict()
        clock = time_format + ("%S秒" if groups.get("c") else "")
        if " " in (groups.get("ap") or "") or re.search(r"0 [AaPp]", rest):
            clock = clock.replace("%p", " %p")
        pattern = date_format + joined + clock
        if groups["z"] is None:
            return Reading(kind, pattern, mark == "ordered")
        gap = " " if groups["z"].startswith(" ") else ""
        return None if kind == "minguo" else Reading("offset", f"{pattern}{gap}%#z", mark == "ordered")
    return None
