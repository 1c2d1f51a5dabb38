"""Which unit a report names in words or by code, and the units above it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.geo.units import Units

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Place = tuple[str, str]
"""Level and code of a unit."""

ANSWERS_HELD: Final = 200_000
"""Distinct names remembered at once: a column of free text must not fill the memory."""

_ENDINGS: Final = re.compile(
    r"(社区居民委员会|社區居民委員會|居民委员会|居民委員會|村民委员会|村民委員會|街道办事处|街道辦事處|居委会|居委會|村委会|村委會"
    r"|街道|社区|社區|微网格|微網格|网格|網格|微格|村|镇|鎮|乡|鄉|区|區|市)$"
)
"""Kinds of unit that people write or leave out at will; longer ones first."""


class NamedUnits:
    """The units of a city by code and by name.

    Parameters
    ----------
    units : Units
        Base map; partition levels only, all dated versions.
    unit_codes : mapping of level to array of str
        The codes that answers point into, as `Locator.unit_codes`.
    """

    def __init__(self, units: Units, unit_codes: Mapping[str, npt.NDArray[np.object_]]) -> None:
        self._position = {level: {code: at for at, code in enumerate(codes)} for level, codes in unit_codes.items()}
        self._levels = tuple(unit_codes)
        self._parent: dict[Place, str] = {}
        self._prefixes: dict[str, dict[str, str]] = {level: {} for level in self._levels}
        self._by_code: dict[str, set[Place]] = {}
        self._by_name: dict[str, set[Place]] = {}
        self._by_short_name: dict[str, set[Place]] = {}
        self._answers: dict[str, tuple[int, ...] | None] = {}
        for level in self._levels:
            frame = units.frame(level)
            for code, name, parent in zip(frame["code"], frame["name"], frame["parent"], strict=True):
                self._enter((level, code), _text(name), _text(parent))

    def positions(self, names: pl.Series) -> tuple[dict[str, npt.NDArray[np.int32]], npt.NDArray[np.bool_]]:
        """Find the unit that each report names, and its ancestors.

        Parameters
        ----------
        names : polars.Series of String, shape (n,)
            A code of any level, or a name that only one unit of any level has; with or without its ending (街道, 村 ...).

        Returns
        -------
        positions : dict of level to int32 array, shape (n,)
            Position in `unit_codes[level]`; -1 at finer levels, and everywhere where nothing is named or the name is unknown.
        unknown : bool array, shape (n,)
            Something is named, and no unit or more than one answers to it.
        """
        distinct = names.unique().drop_nulls()
        # Row 0 stands for "names nothing", row 1 onwards for the distinct names.
        nothing = (-1,) * len(self._levels)
        found = np.array([nothing, *(self._answer(name) or nothing for name in distinct)], dtype=np.int32)
        lost = np.array([False, *(bool(name.strip()) and self._answer(name) is None for name in distinct)])
        rows = names.replace_strict(distinct, np.arange(1, len(distinct) + 1), default=0, return_dtype=pl.Int64)
        at = rows.fill_null(0).to_numpy()
        return {level: found[at, column] for column, level in enumerate(self._levels)}, lost[at]

    def chain(self, name: str) -> dict[str, str]:
        """Return level and code of the named unit and of its ancestors; empty where it is unknown or ambiguous."""
        place = self._only(name)
        if place is None:
            return {}
        chain = {place[0]: place[1]}
        for level, code in self._above(place):
            chain.setdefault(level, code)
        return chain

    def _answer(self, name: str) -> tuple[int, ...] | None:
        """Return the positions of a name's chain, level by level; the same few thousand names come with every batch."""
        if name not in self._answers:
            if len(self._answers) >= ANSWERS_HELD:
                self._answers.clear()
            chain = self.chain(name)
            self._answers[name] = tuple(self._position[level].get(chain.get(level, ""), -1) for level in self._levels) if chain else None
        return self._answers[name]

    def _enter(self, place: Place, name: str, parent: str) -> None:
        level, code = place
        self._by_code.setdefault(code, set()).add(place)
        if name:
            self._by_name.setdefault(plain_name(name), set()).add(place)
            self._by_short_name.setdefault(_short(name), set()).add(place)
        if parent:
            self._parent[place] = parent
        self._prefixes[level][_significant(code)] = code

    def _only(self, name: str) -> Place | None:
        for known, key in ((self._by_code, name.strip()), (self._by_name, plain_name(name)), (self._by_short_name, _short(name))):
            places = known.get(key)
            if places:
                return next(iter(places)) if len(places) == 1 else None
        return None

    def _above(self, place: Place) -> Iterator[Place]:
        """Walk up by parent codes, then fill the levels between by the digits that codes share."""
        start = place
        while (parent := self._parent.get(place)) is not None:
            level = next((one for one in self._coarser(place[0]) if parent in self._position[one]), None)
            if level is None:
                break
            place = (level, parent)
            yield place
        for level in self._coarser(start[0]):
            prefixes = self._prefixes[level]
            longest = next((start[1][:n] for n in range(len(start[1]) - 1, 5, -1) if start[1][:n] in prefixes), None)
            if longest is not None and start[1].isdigit():
                yield level, prefixes[longest]

    def _coarser(self, level: str) -> Iterable[str]:
        return reversed(self._levels[: self._levels.index(level)])


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def plain_name(name: str) -> str:
    """Take from a name what people write differently: blanks, widths, capitals."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", name)).casefold()


def _short(name: str) -> str:
    plain = plain_name(name)
    return _ENDINGS.sub("", plain) or plain


def _significant(code: str) -> str:
    """Take off the zeros that pad a division code to twelve digits (331004001000 is street 331004001)."""
    return re.sub(r"(000)+$", "", code) if code.isdigit() and len(code) == 12 else code
