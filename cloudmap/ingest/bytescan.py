"""Passes over raw bytes, compiled: where records, cells and features begin and end.

numba is imported here and in `rowscan`, and nowhere else in ingest, so that only reading a table pays for it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

NUL: Final = 1
LONG: Final = 2
STRAY: Final = 4
"""Text after a closing quote: where the record ends is open."""
SPANS: Final = 8
"""A quoted newline: the record spans lines."""

FEATURE_START: Final = 0
FEATURE_END: Final = 1
FEATURES_OPEN: Final = 2
FEATURES_CLOSE: Final = 3

DEPTH, IN_STRING, ESCAPED, IN_FEATURES, MATCHED, IS_KEY, DEEPEST, ARRAYS, COMMAS, JUNK = range(10)
"""Places in the state of `scan_json`."""
JSON_STATE_N: Final = 10

_NEWLINE: Final = 10
_RETURN: Final = 13
_QUOTE: Final = 34
_INLINE: Final = 12
_KEY: Final = np.frombuffer(b"features", dtype=np.uint8)


@njit(cache=True)
def find_records(  # noqa: PLR0912, PLR0915  # one state machine: parted, each byte would pay for the calls
    data: NDArray[np.uint8], separator: int, cell_max: int, records: NDArray[np.int64]
) -> tuple[int, int, int, int]:
    """Find each record of delimited text, quotes by RFC 4180; empty lines are no records.

    Parameters
    ----------
    data : uint8, shape (n,)
        Whole lines; only the last may lack its newline.
    separator : int
        Byte between cells.
    cell_max : int
        Cells of as many bytes (with their quotes) or more are flagged LONG.
    records : int64, shape (capacity, 6), filled
        start, end (without line end), first line, last line (both from 0), cells, flags. Once full, the scan stops.

    Returns
    -------
    records_n, consumed bytes, consumed lines, line of an open quote (-1 where none)
        What follows `consumed` was not looked at, or is a record whose quote is still open.
    """
    size = data.shape[0]
    found = 0
    line = 0
    i = 0
    while i < size:
        if found == records.shape[0]:
            return found, i, line, -1
        start = i
        first_line = line
        cells = 1
        flags = 0
        cell = i
        at_start = True
        while i < size:
            byte = data[i]
            if byte == separator:
                if i - cell >= cell_max:
                    flags |= LONG
                cells += 1
                i += 1
                cell = i
                at_start = True
            elif byte == _NEWLINE:
                break
            elif byte == _QUOTE and at_start:
                open_line = line
                closed = False
                i += 1
                while i < size:
                    inner = data[i]
                    if inner == _QUOTE:
                        if i + 1 < size and data[i + 1] == _QUOTE:
                            i += 2
                            continue
                        closed = True
                        i += 1
                        break
                    if inner == _NEWLINE:
                        line += 1
                        flags |= SPANS
                    elif inner == 0:
                        flags |= NUL
                    i += 1
                if not closed:
                    return found, start, first_line, open_line
                at_start = False
                ends_line = i >= size or data[i] == _NEWLINE or (data[i] == _RETURN and (i + 1 >= size or data[i + 1] == _NEWLINE))
                if not ends_line and data[i] != separator:
                    flags |= STRAY
            else:
                if byte == 0:
                    flags |= NUL
                at_start = False
                i += 1
        end = i
        if end > start and data[end - 1] == _RETURN:
            end -= 1
        if end - cell >= cell_max:
            flags |= LONG
        i += 1
        if end > start:
            records[found, 0] = start
            records[found, 1] = end
            records[found, 2] = first_line
            records[found, 3] = line
            records[found, 4] = cells
            records[found, 5] = flags
            found += 1
        line += 1
    return found, size, line, -1


@njit(cache=True)
def split_cells(
    data: NDArray[np.uint8], separator: int, spans: NDArray[np.int64], views: NDArray[np.uint32], filled: NDArray[np.uint8]
) -> None:
    """Write an Arrow string view of each cell of good records; doubled quotes are halved in place.

    Parameters
    ----------
    data : uint8, shape (n,), changed inside quoted cells
    separator : int
    spans : int64, shape (records, 2)
        Start and end of each record, which has exactly as many cells as `views` has columns.
    views : uint32, shape (columns, records, 4), filled
        Length; then 12 bytes of text, or its first 4 bytes, buffer 0 and offset.
    filled : uint8, shape (columns, records), filled
        1 where the cell is not empty.
    """
    for record in range(spans.shape[0]):
        i = spans[record, 0]
        end = spans[record, 1]
        for column in range(views.shape[0]):
            if i < end and data[i] == _QUOTE:
                i += 1
                start = i
                write = i
                while i < end:
                    if data[i] == _QUOTE:
                        if i + 1 < end and data[i + 1] == _QUOTE:
                            i += 1
                        else:
                            i += 1
                            break
                    data[write] = data[i]
                    write += 1
                    i += 1
                length = write - start
            else:
                start = i
                while i < end and data[i] != separator:
                    i += 1
                length = i - start
            i += 1
            filled[column, record] = length > 0
            views[column, record, 0] = length
            for word in range(3):
                views[column, record, word + 1] = 0
            head = length if length <= _INLINE else 4
            for offset in range(head):
                views[column, record, 1 + offset // 4] |= np.uint32(data[start + offset]) << np.uint32(8 * (offset % 4))
            if length > _INLINE:
                views[column, record, 3] = start


@njit(cache=True)
def first_invalid(data: NDArray[np.uint8], start: int) -> int:
    """Return the offset of the first sequence, from `start` on, that is not valid UTF-8; -1 where there is none.

    Parameters
    ----------
    data : uint8, shape (n,)
    start : int
        An offset at which a character begins.
    """
    size = data.shape[0]
    i = start
    while i < size:
        lead = data[i]
        if lead < 0x80:
            i += 1
            continue
        if lead < 0xC2 or lead > 0xF4:
            return i
        length = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        if i + length > size:
            return i
        second = data[i + 1]
        low = 0xA0 if lead == 0xE0 else 0x90 if lead == 0xF0 else 0x80  # else it would be longer than needed
        high = 0x9F if lead == 0xED else 0x8F if lead == 0xF4 else 0xBF  # else a surrogate, or beyond U+10FFFF
        if second < low or second > high:
            return i
        if length > 2 and (data[i + 2] & 0xC0) != 0x80:
            return i
        if length > 3 and (data[i + 3] & 0xC0) != 0x80:
            return i
        i += length
    return -1


@njit(cache=True)
def first_utf8_han(data: NDArray[np.uint8], start: int) -> int:
    """Return the offset of the first two Chinese characters, side by side, as UTF-8 writes them; -1 where there are none.

    Parameters
    ----------
    data : uint8, shape (n,)
    start : int
    """
    i = start
    while i + 5 < data.shape[0]:
        if (
            0xE4 <= data[i] <= 0xE9
            and 0xE4 <= data[i + 3] <= 0xE9
            and (data[i + 1] & 0xC0) == (data[i + 2] & 0xC0) == (data[i + 4] & 0xC0) == (data[i + 5] & 0xC0) == 0x80
        ):
            return i
        i += 1
    return -1


@njit(cache=True)
def scan_json(  # noqa: PLR0912, PLR0915  # one state machine, as above
    data: NDArray[np.uint8], state: NDArray[np.int64], events: NDArray[np.int64]
) -> int:
    """Follow JSON through one piece of a file and note where the members of the root's "features" begin and end.

    Parameters
    ----------
    data : uint8, shape (n,)
        The next piece, cut anywhere.
    state : int64, shape (JSON_STATE_N,), changed
        All zeros before the first piece.
    events : int64, shape (n + 1, 2), filled
        Offset in `data` and kind of event.

    Returns
    -------
    int
        How many events were written.
    """
    found = 0
    for i in range(data.shape[0]):
        byte = data[i]
        depth = state[DEPTH]
        if state[IN_STRING]:
            if state[ESCAPED]:
                state[ESCAPED] = 0
                state[MATCHED] = -1
            elif byte == 92:  # backslash
                state[ESCAPED] = 1
            elif byte == _QUOTE:
                state[IN_STRING] = 0
                state[IS_KEY] = depth == 1 and state[MATCHED] == _KEY.shape[0]
            elif depth == 1 and state[MATCHED] >= 0:
                matched = state[MATCHED]
                state[MATCHED] = matched + 1 if matched < _KEY.shape[0] and _KEY[matched] == byte else -1
        elif byte == _QUOTE:
            state[IN_STRING] = 1
            state[MATCHED] = 0
            if state[IN_FEATURES] and depth == 2:
                state[JUNK] = 1
        elif byte in (123, 91):  # { [
            if depth == 2 and state[IN_FEATURES]:
                if byte == 91:
                    state[JUNK] = 1
                events[found, 0] = i
                events[found, 1] = FEATURE_START
                found += 1
            elif depth == 1 and byte == 91 and state[IS_KEY]:
                state[IN_FEATURES] = 1
                state[ARRAYS] += 1
                events[found, 0] = i + 1
                events[found, 1] = FEATURES_OPEN
                found += 1
            state[DEPTH] = depth + 1
            state[DEEPEST] = max(state[DEEPEST], depth + 1)
        elif byte in (125, 93):  # } ]
            state[DEPTH] = depth - 1
            if depth == 3 and state[IN_FEATURES]:
                events[found, 0] = i + 1
                events[found, 1] = FEATURE_END
                found += 1
            elif depth == 2 and state[IN_FEATURES]:
                state[IN_FEATURES] = 0
                state[IS_KEY] = 0
                events[found, 0] = i
                events[found, 1] = FEATURES_CLOSE
                found += 1
        elif depth == 1 and byte == 44:  # comma between the root's members
            state[IS_KEY] = 0
        elif depth == 2 and state[IN_FEATURES]:
            if byte == 44:
                state[COMMAS] += 1
            elif byte > 32:
                state[JUNK] = 1
    return found
