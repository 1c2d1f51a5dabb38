"""Compiled loops of the Mann-Kendall test and the Sen slope, many series at once."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def kendall_sums(table: Floats, s: Floats, var: Floats) -> None:
    """Fill in Mann-Kendall S and its tie-corrected variance for each row.

    Parameters
    ----------
    table : ndarray of shape (n, t)
        Series, without missing values.
    s, var : ndarray of shape (n,)
        Filled in.
    """
    rows, steps = table.shape
    whole = steps * (steps - 1.0) * (2.0 * steps + 5.0)
    for row in range(rows):
        series = table[row]
        total = 0
        for late in range(1, steps):
            now = series[late]
            for early in range(late):
                total += int(now > series[early]) - int(now < series[early])
        ordered = np.sort(series)
        ties, run = 0.0, 1
        for at in range(1, steps + 1):
            if at < steps and ordered[at] == ordered[at - 1]:
                run += 1
            else:
                ties += run * (run - 1.0) * (2.0 * run + 5.0)
                run = 1
        s[row] = total
        var[row] = (whole - ties) / 18.0


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[misc, unused-ignore]
def sen_slopes(table: Floats, slope: Floats) -> None:
    """Fill in the median of all pairwise slopes of each row.

    Parameters
    ----------
    table : ndarray of shape (n, t)
        Series, without missing values.
    slope : ndarray of shape (n,)
        Filled in, per step.
    """
    rows, steps = table.shape
    pairs = steps * (steps - 1) // 2
    slopes, spare = np.empty(pairs), np.empty(pairs)
    for row in range(rows):
        series = table[row]
        at = 0
        for lag in range(1, steps):
            gap = float(lag)
            for early in range(steps - lag):
                slopes[at + early] = (series[early + lag] - series[early]) / gap
            at += steps - lag
        slope[row] = _median(slopes, spare)


_SAMPLE = 32
_MARGIN = 4
"""Of 32 sampled values the four to either side of the wanted rank enclose it six times in seven; after a miss the margin is doubled."""


@numba.njit(cache=True, nogil=True)  # type: ignore[misc, unused-ignore]
def _median(values: Floats, spare: Floats) -> float:
    """Median by narrowing to the values between two sampled bounds: a few times faster than np.median. Overwrites both arrays."""
    size = values.size
    low, high = (size - 1) // 2, size // 2
    sample = np.empty(_SAMPLE)
    margin = _MARGIN
    while size > 2 * _SAMPLE and margin < _SAMPLE:
        for number in range(_SAMPLE):
            sample[number] = values[(number * size + size // 2) // _SAMPLE]
        sample.sort()
        wanted = low * _SAMPLE // size
        floor, ceiling = sample[max(wanted - margin, 0)], sample[min(wanted + margin, _SAMPLE - 1)]
        below, kept = 0, 0
        for at in range(size):
            value = values[at]
            spare[kept] = value
            kept += int((value >= floor) & (value <= ceiling))
            below += int(value < floor)
        if low < below or high >= below + kept or kept == size:
            margin *= 2
            continue
        if floor == ceiling:
            return float(floor)
        low, high, size = low - below, high - below, kept
        values, spare, margin = spare, values, _MARGIN
    rest = np.sort(values[:size])
    return float((rest[low] + rest[high]) / 2.0)
