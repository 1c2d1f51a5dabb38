"""How wide the columns of a printed table are, so that numbers and words stay whole, and how small its letters must be for that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

TEXT_WIDTH: Final = 9400
"""Width of a page between its margins, in twentieths of a point."""
_HALF_WIDTHS: Final = {17: 92, 15: 82, 13: 70}
"""Half a Chinese character with some room, by the size of the letters (half points): a table that is too wide gets smaller ones."""
SIZES: Final = tuple(_HALF_WIDTHS)
_CELL_MARGINS: Final = 120
_WIDEST: Final = 36
"""Half widths of a Chinese character that no column needs more than: longer texts are broken into lines."""
_UNBROKEN: Final = 22
"""Half widths up to which a number, an interval, a date or a word stays on one line."""
_CHINESE_UNBROKEN: Final = 8


def column_widths(rows: Sequence[Sequence[str]]) -> tuple[int, list[int]]:
    """Share the width of a page out: each column gets what keeps its words whole, then what its texts need.

    Parameters
    ----------
    rows : sequence of sequences of str
        Texts of the cells, the headings first; all rows as long as the first.

    Returns
    -------
    tuple of int and list of int
        Size of the letters in half points, one of `SIZES`; width of each column in twentieths of a point.

    Examples
    --------
    >>> column_widths([["Unit", "n", "95% interval"], ["Long Meadow and Mill", "1,204", "[0.96, 1.12]"]])
    (17, [4878, 1309, 3213])
    """
    columns = [[row[at] for row in rows] for at in range(len(rows[0]))]
    least = [max(1, *(_unbroken(text) for text in column)) for column in columns]
    most = [max(one, *(min(_wide(text), _WIDEST) for text in column)) for one, column in zip(least, columns, strict=True)]
    room = TEXT_WIDTH - _CELL_MARGINS * len(columns)
    size = next((size for size, half in _HALF_WIDTHS.items() if half * sum(least) <= room), SIZES[-1])
    half = _HALF_WIDTHS[size]
    spare, more = room - half * sum(least), half * (sum(most) - sum(least))
    if spare < 0:
        return size, [round(TEXT_WIDTH * one / sum(least)) for one in least]
    if more <= spare:
        left = (spare - more) / sum(most)
        return size, [round((half + left) * one + _CELL_MARGINS) for one in most]
    return size, [round(half * one + _CELL_MARGINS + spare * half * (two - one) / more) for one, two in zip(least, most, strict=True)]


def _unbroken(text: str) -> int:
    """Return the width that keeps a number or an interval on one line, else the longest word, and a long text to a few lines."""
    if re.fullmatch(r"[\d\[\]<>≥–—−+.,%: -]+", text):
        return min(_wide(text), _UNBROKEN)
    words = re.findall(r"[\u2e80-\uffff]+|[^\s\u2e80-\uffff]+", text)
    longest = max((min(_wide(one) + 1, _CHINESE_UNBROKEN if ord(one[0]) > 0x2E80 else _UNBROKEN) for one in words), default=0)
    return max(longest, min(_wide(text) // 3, _UNBROKEN))


def _wide(text: str) -> int:
    """Return how wide a text is, in half widths of a Chinese character; a percent sign is nearly as wide as one."""
    return sum(2 if ord(letter) > 0x2E80 or letter == "%" else 1 for letter in text)
