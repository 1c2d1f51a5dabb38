"""One compiled pass over a worksheet's XML: rows that are plainly written, as nearly all are.

Whatever else a row holds (rich text, formulas without a value, character references, odd spellings) is not judged here: the
pass stops before it, and the parser in `sheet` decides. So a row found here is well formed by construction.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

END: Final = 0
FULL: Final = 1
ODD: Final = 2
"""The row at the offset is for the parser."""
STRANGE: Final = 3
"""What stands at the offset is no row."""

NOTHING: Final = 0
TEXT: Final = 1
"""Shown as it is stored."""
ENTITIES: Final = 2
"""Text with `&amp;` and its like."""
SHARED: Final = 3
BOOLEAN: Final = 4
NUMBER: Final = 5
DATED: Final = 6
"""A number whose style shows a date; a time of day is one more, both are two more."""

PADDING: Final = b"<" * 32
"""Stands behind the data, so that no step needs to look whether the end is reached."""

_LT, _GT, _SLASH, _AMP, _MINUS, _POINT, _ZERO, _NINE = 60, 62, 47, 38, 45, 46, 48, 57
_COLUMNS_LIMIT: Final = 16_384
_INLINE: Final = 12
_DIGITS_EXACT: Final = 15
"""As many digits survive the way through a binary number, so its shortest text is the stored one."""
_T_SHARED, _T_NUMBER, _T_BOOLEAN, _T_TEXT, _T_INLINE = range(5)


def _bytes(text: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(text, dtype=np.uint8)


_ROW: Final = _bytes(b"<row")
_ROW_END: Final = _bytes(b"</row>")
_CELL_END: Final = _bytes(b"</c>")
_INLINE_START: Final = _bytes(b"<is>")
_INLINE_END: Final = _bytes(b"</is>")
_FORMULA_END: Final = _bytes(b"</f>")
_INLINE_TYPE: Final = _bytes(b"inlineStr")
_TEXT_TYPE: Final = _bytes(b"str")
_VALUE_END: Final = _bytes(b"</v>")
_TEXT_END: Final = _bytes(b"</t>")
_AMPERSAND: Final = _bytes(b"&amp;")
_LESS: Final = _bytes(b"&lt;")
_GREATER: Final = _bytes(b"&gt;")
_QUOTE: Final = _bytes(b"&quot;")
_APOSTROPHE: Final = _bytes(b"&apos;")
_WITH_ENTITIES, _WITH_ESCAPES = 1, 2
_SPECIAL: Final = np.array([(one < 32 and one not in {9, 10}) or one in {_LT, _AMP, ord("_"), ord("]"), 0xEF} for one in range(256)])
"""Bytes at which text is looked at more closely."""
_IN_NAMES: Final = np.array([(chr(one).isalnum() and one < 128) or one in b":_.-" for one in range(256)])
_IN_NUMBERS: Final = np.array([one in b"0123456789.eE+-" for one in range(256)])


@njit(cache=True)
def scan_rows(  # noqa: PLR0913, PLR0917  # a compiled pass takes arrays, not objects
    data: NDArray[np.uint8],
    at: int,
    last_row: int,
    limits: NDArray[np.int64],
    styles: NDArray[np.uint8],
    found: int,
    numbers: NDArray[np.int64],
    views: NDArray[np.uint32],
    kinds: NDArray[np.uint8],
) -> tuple[int, int, int, int]:
    """Find plain rows, and write an Arrow string view of what each of their cells stores.

    Parameters
    ----------
    data : uint8, shape (n,)
        Whole rows, valid UTF-8, then `PADDING`.
    at : int
        Offset to begin at, between rows.
    last_row : int
        Number of the row before.
    limits : int64, shape (4,)
        Columns, bytes of a cell, shared texts and rows that a plain row stays below.
    styles : uint8, shape (styles,)
        What each cell style shows: 0 a number, 1 a date, 2 a time, 3 both.
    found : int
        Rows that the arrays hold already.
    numbers : int64, shape (capacity,), filled
        Numbers of the rows with a cell that is not empty.
    views : uint32, shape (columns, capacity, 4), filled
        As `bytescan.split_cells` writes them; with no columns, nothing is written. Zeros before.
    kinds : uint8, shape (columns, capacity), filled
        What each stored text is. Zeros before.

    Returns
    -------
    found, at, last_row, stop
        Rows that the arrays hold, offset behind the last row taken, its number, and why the pass stopped.
    """
    size = data.shape[0] - 32
    while True:
        at = _skip_blanks(data, at)
        if at >= size:
            return found, size, last_row, END
        if found == numbers.shape[0]:
            return found, at, last_row, FULL
        if not _stands(data, at, _ROW):
            return found, at, last_row, STRANGE
        row, i = _row_tag(data, at + 4, last_row)
        if i < 0 or row <= last_row or row >= limits[3]:
            return found, at, last_row, ODD
        filled = 0
        if data[i] == _SLASH:
            i += 2
        else:
            i, filled = _scan_cells(data, i + 1, row, limits, styles, found, views, kinds)
            if i < 0:
                for column in range(views.shape[0]):
                    kinds[column, found] = NOTHING
                    views[column, found] = 0
                return found, at, last_row, ODD
        if filled:
            numbers[found] = row
            found += 1
        last_row = row
        at = i


@njit(cache=True)
def _row_tag(data: NDArray[np.uint8], i: int, last_row: int) -> tuple[int, int]:
    """Return the row's number, and where its tag ends (at ">" or "/>"), -1 where it is odd."""
    row = last_row + 1
    while True:
        name, first, last, i = _attribute(data, i)
        if name <= 0:
            return row, i if name == 0 else -1
        if name == 114:  # r
            row = _integer(data, first, last)


@njit(cache=True)
def _scan_cells(
    data: NDArray[np.uint8],
    i: int,
    row: int,
    limits: NDArray[np.int64],
    styles: NDArray[np.uint8],
    at: int,
    views: NDArray[np.uint32],
    kinds: NDArray[np.uint8],
) -> tuple[int, int]:
    """Take the cells of a row; return the offset behind the row (-1 where it is odd) and how many are not empty."""
    column = -1
    filled = 0
    while True:
        i = _skip_blanks(data, i)
        if data[i] != _LT or data[i + 1] != 99:  # <c
            return (i + 6 if _stands(data, i, _ROW_END) else -1), filled
        here, style, kind, i = _cell_tag(data, i + 2, column, row)
        if i < 0 or here <= column or here >= _COLUMNS_LIMIT:
            return -1, filled
        column = here
        if data[i] == _SLASH:
            i += 2
            continue
        dated = DATED - 1 + styles[style] if style < styles.shape[0] and styles[style] else NUMBER
        i, first, last, shown = _content(data, i + 1, kind, dated, limits[2])
        if i < 0 or last - first >= limits[1]:
            return -1, filled
        if shown == NOTHING:
            continue
        if column >= limits[0]:
            return -1, filled
        filled += 1
        if views.shape[0]:
            kinds[column, at] = shown
            _write_view(data, first, last - first, views[column, at])


@njit(cache=True)
def _cell_tag(data: NDArray[np.uint8], i: int, column: int, row: int) -> tuple[int, int, int, int]:
    """Return column, style, type and the end of a cell's tag; the last is -1 where it is odd."""
    column += 1
    style = 0
    kind = _T_NUMBER
    seen = 0
    while True:
        name, first, last, i = _attribute(data, i)
        if name <= 0:
            return column, style, kind, i if name == 0 else -1
        if name < 114 or name > 116:
            continue
        if seen & (1 << name - 114):
            return column, style, kind, -1
        seen |= 1 << name - 114
        if name == 114:
            column = _column(data, first, last, row)
        elif name == 115:
            style = _integer(data, first, last)
        else:
            kind = _type(data, first, last)
        if column < 0 or style < 0 or kind < 0:
            return column, style, kind, -1


@njit(cache=True)
def _type(data: NDArray[np.uint8], first: int, last: int) -> int:
    if last - first == 1:
        byte = data[first]
        return _T_SHARED if byte == 115 else _T_NUMBER if byte == 110 else _T_BOOLEAN if byte == 98 else _T_TEXT if byte == 101 else -1
    if last - first == 3 and _stands(data, first, _TEXT_TYPE):
        return _T_TEXT
    return _T_INLINE if last - first == 9 and _stands(data, first, _INLINE_TYPE) else -1


@njit(cache=True)
def _content(  # noqa: PLR0911  # one way out for each thing that can be odd
    data: NDArray[np.uint8], i: int, kind: int, number: int, shared_n: int
) -> tuple[int, int, int, int]:
    """Return the offset behind the cell (-1 where it is odd), start and end of what it stores, and what that is."""
    odd = -1, 0, 0, NOTHING
    i = _skip_blanks(data, i)
    formula = data[i] == _LT and data[i + 1] == 102  # <f
    if formula:
        i = _element(data, i + 2, _FORMULA_END)[0]
        if i < 0:
            return odd
        i = _skip_blanks(data, i)
    inline = kind == _T_INLINE
    if inline:
        if formula or not _stands(data, i, _INLINE_START):
            return odd
        i = _skip_blanks(data, i + 4)
    first = last = flags = 0
    if data[i] == _LT and data[i + 1] == (116 if inline else 118):  # <t, <v
        i, first, last, flags = _element(data, i + 2, _TEXT_END if inline else _VALUE_END)
        if i < 0 or flags & _WITH_ESCAPES:
            return odd
        i = _skip_blanks(data, i)
    elif formula:
        return odd
    if inline:
        if not _stands(data, i, _INLINE_END):
            return odd
        i = _skip_blanks(data, i + 5)
    if not _stands(data, i, _CELL_END):
        return odd
    if first == last:
        return odd if formula and kind == _T_NUMBER else (i + 4, 0, 0, NOTHING)
    shown = _shown(data, first, last, kind, number, shared_n)
    if shown == NOTHING or (flags and shown != TEXT):
        return odd
    return i + 4, first, last, ENTITIES if flags else shown


@njit(cache=True)
def _shown(data: NDArray[np.uint8], first: int, last: int, kind: int, number: int, shared_n: int) -> int:
    """Tell what a stored text is; NOTHING where it is odd."""
    if kind in (_T_TEXT, _T_INLINE):
        return TEXT
    if kind == _T_SHARED:
        index = _integer(data, first, last)
        return SHARED if 0 <= index < shared_n else NOTHING
    if kind == _T_BOOLEAN:
        return BOOLEAN if last - first == 1 and (data[first] == 48 or data[first] == 49) else NOTHING
    for at in range(first, last):
        if not _IN_NUMBERS[data[at]]:
            return NOTHING
    return TEXT if number == NUMBER and _is_shortest(data, first, last) else number


@njit(cache=True)
def _is_shortest(data: NDArray[np.uint8], first: int, last: int) -> bool:
    """Tell whether a number is stored as it is shown: whole, or a decimal fraction that its binary value shows with the same digits."""
    if data[first] == _MINUS:
        first += 1
    i = first
    while i < last and _ZERO <= data[i] <= _NINE:
        i += 1
    whole_n = i - first
    if whole_n == 0 or i == last:
        return whole_n > 0
    if data[i] != _POINT or data[last - 1] == _ZERO or data[last - 1] == _POINT or (whole_n > 1 and data[first] == _ZERO):
        return False
    decimals_n = last - i - 1
    zeros_n = 0
    for at in range(i + 1, last):
        if not _ZERO <= data[at] <= _NINE:
            return False
        if zeros_n == at - i - 1 and data[at] == _ZERO:
            zeros_n += 1
    if data[first] == _ZERO:
        return zeros_n <= 3 and decimals_n - zeros_n <= _DIGITS_EXACT
    return whole_n + decimals_n <= _DIGITS_EXACT


@njit(cache=True)
def _element(data: NDArray[np.uint8], i: int, closing: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Take an element that holds text only, from behind its name: the offset behind it (-1 where odd), its text, and what that is with."""
    name = 1
    while name > 0:
        name, _, _, i = _attribute(data, i)
    if name < 0:
        return -1, 0, 0, 0
    if data[i] == _SLASH:
        return i + 2, 0, 0, 0
    first = i + 1
    last, flags = _text(data, first)
    if last < 0 or not _stands(data, last, closing):
        return -1, 0, 0, 0
    return last + closing.shape[0], first, last, flags


@njit(cache=True)
def _text(data: NDArray[np.uint8], i: int) -> tuple[int, int]:
    """Return where text ends (-1 where it holds what is not plain), and whether it holds entities or spreadsheet's escapes."""
    flags = 0
    while True:
        while not _SPECIAL[data[i]]:
            i += 1
        byte = data[i]
        step = 1
        if byte == _LT:
            return i, flags
        if byte == _AMP:
            flags |= _WITH_ENTITIES
            step = _entity(data, i)
        elif byte == 95:  # _x000D_
            if data[i + 1] == 120:
                flags |= _WITH_ESCAPES
        elif byte == 93:  # ]]> is not well formed
            step = 0 if data[i + 1] == 93 and data[i + 2] == _GT else 1
        elif byte == 0xEF:  # nor are U+FFFE and U+FFFF
            step = 0 if data[i + 1] == 0xBF and data[i + 2] >= 0xBE else 1
        else:  # nor control characters; a carriage return reads as a line feed
            step = 0
        if not step:
            return -1, flags
        i += step


@njit(cache=True)
def _entity(data: NDArray[np.uint8], i: int) -> int:
    """Return the length of one of the five named entities, 0 for any other reference."""
    if _stands(data, i, _AMPERSAND):
        return 5
    if _stands(data, i, _LESS) or _stands(data, i, _GREATER):
        return 4
    return 6 if _stands(data, i, _QUOTE) or _stands(data, i, _APOSTROPHE) else 0


@njit(cache=True)
def _attribute(data: NDArray[np.uint8], i: int) -> tuple[int, int, int, int]:
    """Take the next attribute of a tag.

    Returns its name (the byte, where that is one letter, else 1; 0 where there is none, -1 where it is odd), start and end of its
    value, and the offset behind it, or that of ">" or "/>" where there is none.
    """
    start = i
    i = _skip_blanks(data, i)
    if data[i] == _GT or (data[i] == _SLASH and data[i + 1] == _GT):
        return 0, 0, 0, i
    name = i
    while _IN_NAMES[data[i]]:
        i += 1
    letter = data[name] | 32
    if name in (start, i) or not 97 <= letter <= 122 or data[i] != 61 or data[i + 1] != 34:  # ="
        return -1, 0, 0, i
    first = i + 2
    i = first
    while data[i] != 34:
        if data[i] < 32 or data[i] > 126 or data[i] == _LT or data[i] == _AMP:
            return -1, 0, 0, i
        i += 1
    return (int(data[name]) if first - name == 3 else 1), first, i, i + 1


@njit(cache=True)
def _column(data: NDArray[np.uint8], first: int, last: int, row: int) -> int:
    """Return the column (from 0) of a reference, -1 where it is not one of `row`."""
    column = 0
    i = first
    while i < last and 65 <= data[i] <= 90:
        column = column * 26 + data[i] - 64
        i += 1
    return column - 1 if 0 < i - first <= 3 and _integer(data, i, last) == row else -1


@njit(cache=True)
def _integer(data: NDArray[np.uint8], first: int, last: int) -> int:
    """Return a whole number without leading zeros, -1 where it is none."""
    if first == last or last - first > 15 or (data[first] == _ZERO and last - first > 1):
        return -1
    value = 0
    for i in range(first, last):
        if not _ZERO <= data[i] <= _NINE:
            return -1
        value = value * 10 + data[i] - _ZERO
    return value


@njit(cache=True)
def _skip_blanks(data: NDArray[np.uint8], i: int) -> int:
    while data[i] == 32 or data[i] == 10 or data[i] == 13 or data[i] == 9:
        i += 1
    return i


@njit(cache=True)
def _stands(data: NDArray[np.uint8], i: int, word: NDArray[np.uint8]) -> bool:
    for offset in range(word.shape[0]):  # noqa: SIM110  # compiled: a generator would be slower
        if data[i + offset] != word[offset]:
            return False
    return True


@njit(cache=True)
def _write_view(data: NDArray[np.uint8], start: int, length: int, view: NDArray[np.uint32]) -> None:
    view[0] = length
    head = length if length <= _INLINE else 4
    for offset in range(head):
        view[1 + offset // 4] |= np.uint32(data[start + offset]) << np.uint32(8 * (offset % 4))
    if length > _INLINE:
        view[3] = start
