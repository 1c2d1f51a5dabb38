"""The same report more than once: in one file, or in a file and in the store.

Works on hashes of ids and contents, 20 bytes a record, so that files larger than memory can be classed: one pass adds the batches,
a second takes their classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.schema import CLEAN

VERSION_CLASSES: Final = ("keep", "repeated", "superseded")
CONTENT: Final = tuple(name for name in CLEAN.dtypes if name not in ("line_no", "report_id", "source_id", "source_report_id", "flags"))
"""Columns of CLEAN that make two versions of a report the same."""

_DTYPE: Final = pl.Enum(VERSION_CLASSES)
_ID_SEED, _CHECK_SEED, _CONTENT_SEED = 11, 23, 47
_ROWS_PER_PART: Final = 2_000_000
_NO_STORED: Final = pl.DataFrame(schema={"id": pl.UInt64, "check": pl.UInt32, "stored": pl.UInt64})


class Versions:
    """Class the records of one file as kept, repeated or superseded.

    Within one id, of records with equal content only the last counts and the earlier ones are *repeated*; of different contents
    the last is kept and the earlier ones are *superseded*; a content that the store's newest version already has is *repeated*.

    Parameters
    ----------
    content : sequence of str, default `CONTENT`
        Columns that decide whether two versions are the same.

    Examples
    --------
    >>> versions = Versions(content=["state"])
    >>> versions.add(pl.DataFrame({"report_id": ["a:1", "a:2", "a:1"], "state": ["open", "open", "closed"]}))
    >>> versions.classes()[0].to_list()
    ['superseded', 'keep', 'keep']
    """

    def __init__(self, content: Sequence[str] = CONTENT) -> None:
        self._content = list(content)
        self._new: list[pl.DataFrame] = []
        self._stored: list[pl.DataFrame] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Add the file's next batch.

        Parameters
        ----------
        rows : pl.DataFrame
            report_id and the content columns.

        Raises
        ------
        polars.exceptions.ColumnNotFoundError
            A column is missing.
        """
        self._new.append(self._digest(rows))

    def add_stored(self, rows: pl.DataFrame) -> None:
        """Add newest versions from the store, after the last `add`; those of ids that the file does not have are dropped at once.

        Parameters
        ----------
        rows : pl.DataFrame
            report_id and the content columns with the dtypes of the file's batches; each id at most once over all calls.

        Raises
        ------
        polars.exceptions.ColumnNotFoundError
            A column is missing.
        """
        if rows.height and self._new:
            digests = self._digest(rows)
            found = pl.concat([one["id"].filter(one["id"].is_in(digests["id"].implode())) for one in self._new])
            self._stored.append(digests.filter(pl.col("id").is_in(found.implode())))

    def classes(self) -> list[pl.Series]:
        """Return the class of each record.

        Returns
        -------
        list of pl.Series of Enum keep, repeated, superseded
            One per batch, in the order added.

        Raises
        ------
        Nothing.
        """
        ends = np.cumsum([one.height for one in self._new])
        parts = np.split(self._codes(int(ends[-1])), ends[:-1]) if len(ends) else []
        return [pl.Series("version", part).cat.to(_DTYPE) for part in parts]

    def _digest(self, rows: pl.DataFrame) -> pl.DataFrame:
        ids = rows["report_id"]
        return pl.DataFrame(
            {
                "id": ids.hash(_ID_SEED),
                "check": (ids.hash(_CHECK_SEED) & 0xFFFF_FFFF).cast(pl.UInt32),
                "content": rows.select(self._content).hash_rows(_CONTENT_SEED),
            }
        )

    def _codes(self, n: int) -> npt.NDArray[np.uint8]:
        codes = np.zeros(n, dtype=np.uint8)
        stored = pl.concat(self._stored).rename({"content": "stored"}) if self._stored else _NO_STORED
        again = self._recurring(stored["id"])
        parts_n = 1 + again.height // _ROWS_PER_PART
        for part in range(parts_n):
            mine = pl.col("id") % parts_n == part
            classed = _class(again.filter(mine).join(stored.filter(mine), on=["id", "check"], how="left"))
            codes[classed["row"].to_numpy()] = classed["code"].to_numpy()
        return codes

    def _recurring(self, stored: pl.Series) -> pl.DataFrame:
        """Return the records whose id comes twice in the file or is in the store; all others are kept without a further look."""
        ids = np.concatenate([one["id"].to_numpy() for one in self._new])
        ids.sort()
        twice = pl.Series(ids[1:][ids[1:] == ids[:-1]])
        del ids
        wanted = pl.concat([twice, stored]).unique()
        parts, start = [], 0
        for one in self._new:
            parts.append(one.with_row_index("row", offset=start).filter(pl.col("id").is_in(wanted.implode())))
            start += one.height
        return pl.concat(parts)


def _class(rows: pl.DataFrame) -> pl.DataFrame:
    key = ["id", "check"]
    last_of_content = pl.col("row") == pl.col("row").max().over([*key, "content"])
    in_store = (pl.col("content") == pl.col("stored")).fill_null(value=False)
    newest = pl.col("row") == pl.col("row").max().over(key)
    code = pl.when(~last_of_content | in_store).then(1).when(newest).then(0).otherwise(2)
    return rows.select("row", code.cast(pl.UInt8).alias("code"))


def classify_versions(new: pl.DataFrame, stored: pl.DataFrame | None = None, *, content: Sequence[str] = CONTENT) -> pl.Series:
    """Class the records of a file that is in memory; see `Versions`.

    Parameters
    ----------
    new : pl.DataFrame, n rows
        report_id and the content columns, in file order.
    stored : pl.DataFrame, optional
        The store's newest versions, same columns, one row per id.
    content : sequence of str, default `CONTENT`
        Columns that decide whether two versions are the same.

    Returns
    -------
    pl.Series of Enum keep, repeated, superseded, shape (n,)

    Raises
    ------
    polars.exceptions.ColumnNotFoundError
        A column is missing.
    """
    versions = Versions(content)
    versions.add(new)
    if stored is not None:
        versions.add_stored(stored)
    return versions.classes()[0]
