"""Categories: the two-level table of a city, and how a source's own labels map onto it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Final

import polars as pl

from cloudmap.city import City, Source, nearest
from cloudmap.errors import ConfigError

UNKNOWN_CODE: Final = "OT99"
"""The code of a label that no table knows; the raw label stays beside it."""

COLUMNS: Final = (
    "code", "l1_code", "l1_zh", "l1_en", "l2_zh", "l2_en", "severity", "restricted", "score", "tier", "national_code",
)  # fmt: skip
_TIERS: Final = ("microgrid", "hall", "street")


@dataclass(frozen=True)
class Taxonomy:
    """The categories of a city, in the order of their table.

    Parameters
    ----------
    frame : pl.DataFrame
        Columns as `COLUMNS`; severity Int64 1-4, restricted and score Boolean, the others String.
    weights : tuple of float, shape (4,)
        Weight of severity 1 to 4.
    """

    frame: pl.DataFrame
    weights: tuple[float, float, float, float] = (1, 3, 10, 30)
    _severity: dict[str, int] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._severity.update(zip(self.frame["code"], self.frame["severity"], strict=True))

    @property
    def codes(self) -> list[str]:
        """Second-level codes, in order."""
        return list(self._severity)

    @cached_property
    def restricted(self) -> frozenset[str]:
        """Codes that need the restricted grant and the higher threshold."""
        return frozenset(self.frame.filter("restricted")["code"])

    @cached_property
    def scored(self) -> frozenset[str]:
        """Codes that may be scored, forecast or alarmed."""
        return frozenset(self.frame.filter("score")["code"])

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """First-level code to its second-level codes, in order."""
        return {l1: list(part["code"]) for (l1,), part in self.frame.group_by(["l1_code"], maintain_order=True)}

    def severity_weight(self, code: str) -> float:
        """Return the weight of a code's severity: part of a burden, never of a test.

        Parameters
        ----------
        code : str
            Second-level code.

        Raises
        ------
        ConfigError
            The taxonomy has no such code.
        """
        return self.weights[self._severity[self._known(code)] - 1]

    def severity(self, code: str) -> int:
        """Return the severity of a category, 1 (slight) to 4 (grave).

        Raises
        ------
        ConfigError
            The code is not in the taxonomy.
        """
        return self._severity[self._known(code)]

    def tier(self, code: str) -> str:
        """Return the meeting that matters of a category usually go to: microgrid, hall or street.

        Raises
        ------
        ConfigError
            The code is not in the taxonomy.
        """
        return self._tiers[self._known(code)]

    def name(self, code: str, language: str = "zh") -> str:
        """Return the name of a code of either level.

        Parameters
        ----------
        code : str
            First- or second-level code.
        language : str, default "zh"
            Anything that begins with "en" is English, everything else simplified Chinese.

        Raises
        ------
        ConfigError
            The taxonomy has no such code.
        """
        suffix = "en" if language.startswith("en") else "zh"
        return self._names[suffix][self._known(code)]

    def parent(self, code: str) -> str:
        """Return the first-level code of a second-level code.

        Parameters
        ----------
        code : str
            Second-level code.

        Raises
        ------
        ConfigError
            The taxonomy has no such code.
        """
        return self._parents[self._known(code)]

    @cached_property
    def _parents(self) -> dict[str, str]:
        first = {l1: l1 for l1 in self.frame["l1_code"]}
        return {**first, **dict(zip(self.frame["code"], self.frame["l1_code"], strict=True))}

    @cached_property
    def _names(self) -> dict[str, dict[str, str]]:
        frame = self.frame
        return {
            suffix: {
                **dict(zip(frame["l1_code"], frame[f"l1_{suffix}"], strict=True)),
                **dict(zip(frame["code"], frame[f"l2_{suffix}"], strict=True)),
            }
            for suffix in ("zh", "en")
        }

    @cached_property
    def _tiers(self) -> dict[str, str]:
        return dict(zip(self.frame["code"], self.frame["tier"], strict=True))

    def _known(self, code: str) -> str:
        if code not in self._parents:
            raise ConfigError(f"no category {code!r} in the taxonomy{nearest(code, self._parents)}")
        return code


def read_taxonomy(city: City) -> Taxonomy:
    """Read the city's table of categories, or the national one that ships with cloudmap.

    Parameters
    ----------
    city : City
        ``taxonomy.path`` is a UTF-8 CSV with the columns of `COLUMNS`; ``taxonomy.severity_weights`` are taken along.

    Raises
    ------
    ConfigError
        The table is missing, lacks a column, repeats a code, has a severity outside 1-4 or an unknown tier; or
        ``taxonomy.limits`` names an unknown code.
    """
    if city.taxonomy.path is None:
        shipped = resources.files("cloudmap").joinpath("taxonomy.csv")
        frame, where = _parse_csv(shipped.read_bytes(), "the shipped taxonomy"), "the shipped taxonomy"
    else:
        path = city.path(city.taxonomy.path)
        frame, where = _parse_csv(_read_bytes(path, "taxonomy.path"), str(path)), str(path)
    taxonomy = Taxonomy(_check(frame, where), city.taxonomy.severity_weights)
    for code in city.taxonomy.limits:
        if code not in taxonomy.codes:
            raise ConfigError(f"taxonomy.limits names {code!r}, which {where} does not have{nearest(code, taxonomy.codes)}")
    return taxonomy


def shipped_taxonomy() -> Taxonomy:
    """Read the national table that ships with cloudmap, for places where no city is open yet.

    Raises
    ------
    ConfigError
        The installation is damaged.
    """
    shipped = resources.files("cloudmap").joinpath("taxonomy.csv")
    return Taxonomy(_check(_parse_csv(shipped.read_bytes(), "the shipped taxonomy"), "the shipped taxonomy"))


def category_map(city: City, source: Source, taxonomy: Taxonomy) -> dict[str, str]:
    """Map a source's raw labels, and the names that the taxonomy itself uses, to codes.

    Parameters
    ----------
    city : City
        Its folder resolves a relative path.
    source : Source
        ``categories`` is a table raw = code, or the path of a UTF-8 CSV with the columns raw and code (others are ignored).
    taxonomy : Taxonomy
        What the codes must belong to.

    Returns
    -------
    dict of str to str
        Keys are folded as `fold_label` does: compare folded labels only.

    Raises
    ------
    ConfigError
        The CSV is missing or lacks a column, one label has two codes, or a code is unknown (the nearest one is named).
    """
    frame = taxonomy.frame
    known = {
        fold_label(name): code for column in ("l2_en", "l2_zh", "code") for name, code in zip(frame[column], frame["code"], strict=True)
    }
    where = f"sources.{source.id}.categories"
    if isinstance(source.categories, Path):
        path = city.path(source.categories)
        pairs, where = _read_pairs(path, where), str(path)
    else:
        pairs = list(source.categories.items())
    declared: dict[str, str] = {}
    for raw, code in pairs:
        if code not in taxonomy.codes:
            raise ConfigError(f"{where}: {raw!r} maps to unknown category {code!r}{nearest(code, taxonomy.codes)}")
        if declared.setdefault(fold_label(raw), code) != code:
            raise ConfigError(f"{where}: {raw!r} maps to both {declared[fold_label(raw)]} and {code}; keep one line")
    if source.category_code is not None and source.category_code not in taxonomy.codes:
        code = source.category_code
        raise ConfigError(f"sources.{source.id}.category_code = {code!r} is no category{nearest(code, taxonomy.codes)}")
    return {**known, **declared}


def fold_label(label: str) -> str:
    """Fold a label for comparison: outer blanks, runs of blanks and letter case do not matter.

    Parameters
    ----------
    label : str
        A source's own label.

    Raises
    ------
    Nothing.
    """
    return " ".join(label.split()).casefold()


def _read_bytes(path: Path, key: str) -> bytes:
    if not path.is_file():
        raise ConfigError(f"{key}: no file {path}; give a path relative to the city file")
    return path.read_bytes()


def _parse_csv(content: bytes, where: str) -> pl.DataFrame:
    try:
        return pl.read_csv(content.removeprefix(b"\xef\xbb\xbf"), infer_schema=False).fill_null("")
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: not a UTF-8 CSV table ({error}); save it as CSV UTF-8") from error


def _read_pairs(path: Path, key: str) -> list[tuple[str, str]]:
    frame = _parse_csv(_read_bytes(path, key), str(path))
    missing = [name for name in ("raw", "code") if name not in frame.columns]
    if missing:
        raise ConfigError(f"{path}: column(s) {', '.join(missing)} missing; it has {', '.join(frame.columns)}. The header must be raw,code")
    return [(raw, code.strip()) for raw, code in zip(frame["raw"], frame["code"], strict=True)]


def _check(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise ConfigError(f"{where}: column(s) {', '.join(missing)} missing; the header must be {','.join(COLUMNS)}")
    repeated = frame.filter(pl.col("code").is_duplicated())["code"].unique(maintain_order=True)
    if repeated.len():
        raise ConfigError(f"{where}: code(s) {', '.join(repeated)} given twice; a code names one category")
    for column, allowed in (("severity", ("1", "2", "3", "4")), ("restricted", ("0", "1")), ("score", ("0", "1")), ("tier", _TIERS)):
        wrong = frame.filter(~pl.col(column).is_in(allowed))
        if wrong.height:
            code, value = wrong.row(0, named=True)["code"], wrong[column][0]
            raise ConfigError(f"{where}: {code} has {column} = {value!r}; allowed: {', '.join(allowed)}")
    if UNKNOWN_CODE not in frame["code"]:
        raise ConfigError(f"{where}: no category {UNKNOWN_CODE}; it holds reports whose label no table knows, so add it")
    return frame.select(COLUMNS).with_columns(
        pl.col("severity").cast(pl.Int64), pl.col("restricted", "score").replace_strict({"0": False, "1": True}, return_dtype=pl.Boolean)
    )
