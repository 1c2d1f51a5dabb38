"""How alike two texts are: shared pairs of neighbouring characters, counted in small sketches."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

BITS: Final = 1024
_LONGEST: Final = 400
"""Characters that are looked at: longer texts would fill a sketch, and all full sketches are alike."""
_SHORTEST: Final = 4
_BLOCK: Final = 16_384

Sketches = npt.NDArray[np.uint64]


def sketch(texts: pl.Series) -> tuple[Sketches, npt.NDArray[np.bool_]]:
    """Note for each text which pairs of neighbouring characters it has.

    Parameters
    ----------
    texts : polars.Series of String
        Scrubbed texts; null where there is none.

    Returns
    -------
    sketches : uint64 array of shape (n, 16)
        One bit per hashed pair; blanks and letter case are left aside.
    told : bool array of shape (n,)
        Whether a text has at least four characters, enough to compare.
    """
    cleaned = texts.fill_null("").str.slice(0, _LONGEST).str.replace_all(r"\s+", "").str.to_lowercase()
    lengths = cleaned.str.len_chars().to_numpy().astype(np.int64)
    blocks = [_block(cleaned[start : start + _BLOCK], lengths[start : start + _BLOCK]) for start in range(0, len(cleaned), _BLOCK)]
    return np.concatenate(blocks) if blocks else np.empty((0, BITS // 64), np.uint64), lengths >= _SHORTEST


def _block(texts: pl.Series, lengths: npt.NDArray[np.int64]) -> Sketches:
    codes = np.frombuffer("".join(texts.to_list()).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    inside = owner[1:] == owner[:-1]
    mixed = (codes[:-1] * np.uint64(0x9E3779B97F4A7C15) + codes[1:] * np.uint64(0xC2B2AE3D27D4EB4F)) >> np.uint64(54)
    bits = np.zeros((len(lengths), BITS), dtype=np.bool_)
    bits[owner[:-1][inside], mixed[inside]] = True
    return np.packbits(bits, axis=1).view(np.uint64)


def likeness(
    sketches: Sketches, told: npt.NDArray[np.bool_], first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Compare texts pairwise.

    Parameters
    ----------
    sketches, told
        From `sketch`.
    first, second : int arrays of shape (m,)
        Rows of the texts to compare.

    Returns
    -------
    float array of shape (m,)
        Twice the shared over the sum of both (Dice), 0 to 1; NaN where either has no text.
    """
    size = np.bitwise_count(sketches).sum(axis=1, dtype=np.int64)
    shared = np.empty(len(first), dtype=np.int64)
    for start in range(0, len(first), _BLOCK):
        part = slice(start, start + _BLOCK)
        shared[part] = np.bitwise_count(sketches[first[part]] & sketches[second[part]]).sum(axis=1, dtype=np.int64)
    both = size[first] + size[second]
    alike = np.divide(2.0 * shared, both, out=np.zeros(len(first)), where=both > 0)
    return np.where(told[first] & told[second], alike, np.nan)
