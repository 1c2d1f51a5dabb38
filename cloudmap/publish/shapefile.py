"""Shapefiles for programs that read nothing newer: one zip with the layer, its encoding, and a table of the shortened names."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from cloudmap.errors import SourceError
from cloudmap.publish import writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import geopandas as gpd
    import pandas as pd

SUFFIX: Final = ".shp.zip"
NAME_LENGTH: Final = 10
_TEXT_BYTES: Final = 254
_LEFT_OUT: Final = ("places",)
"""Lists that a field of 254 bytes cannot hold."""


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Shorten field names to ten characters, each its own.

    Parameters
    ----------
    names : iterable of str
        Names in ASCII.

    Returns
    -------
    dict of str to str
        The same names for those that are short enough; else without vowels from the end, then cut, then numbered.
    """
    chosen: dict[str, str] = {}
    for name in names:
        short = name
        for letter in reversed("aeiou"):
            while len(short) > NAME_LENGTH and letter in short[1:]:
                at = short.rindex(letter)
                short = short[:at] + short[at + 1 :]
        short = short[:NAME_LENGTH]
        number = 2
        while short in chosen.values():
            short = f"{short[: NAME_LENGTH - len(str(number))]}{number}"
            number += 1
        chosen[name] = short
    return chosen


def write_shapefile(frame: gpd.GeoDataFrame, path: Path, table: str, fields: Mapping[str, tuple[str, str]], made_at: datetime) -> None:
    """Write a layer as a zipped Shapefile in UTF-8, with a .cpg, and fields.csv: short name, name, Chinese name, meaning.

    Parameters
    ----------
    frame : geopandas.GeoDataFrame
    path : Path
        Zip file to make.
    table : str
        Name of the layer.
    fields : mapping of str to (str, str)
        Chinese name and meaning of each field.
    made_at : datetime
        Written as the time of making, so that a rerun gives the same bytes.

    Raises
    ------
    SourceError
        GDAL cannot write it, or a text is longer than the format holds.
    """
    import pyogrio

    kept = [name for name in frame.columns if name != "geometry" and name not in _LEFT_OUT]
    short = short_names(kept)
    plain = _plain(frame[[*kept, "geometry"]], path).rename(columns=short)
    options = {"ENCODING": "UTF-8", "DBF_DATE_LAST_UPDATE": f"{made_at:%Y-%m-%d}"}
    kind = None if len(plain) else "Polygon"  # an empty frame does not say what it would hold
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder)
        try:
            pyogrio.write_dataframe(plain, inside / f"{table}.shp", driver="ESRI Shapefile", geometry_type=kind, layer_options=options)
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError) as error:
            raise SourceError(f"{path}: Shapefile cannot be written: {error}") from error
        told = [(short.get(name, ""), name, *fields.get(name, ("", ""))) for name in frame.columns if name != "geometry"]
        writing.write_csv(pl.DataFrame(told, schema=["field", "name", "name_zh", "meaning"], orient="row"), inside / "fields.csv")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for one in sorted(inside.iterdir()):
                entry = zipfile.ZipInfo(one.name, max(made_at.timetuple()[:6], (1980, 1, 1, 0, 0, 0)))
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(entry, one.read_bytes())


def _plain(frame: gpd.GeoDataFrame, path: Path) -> gpd.GeoDataFrame:
    """Turn what the format does not know into what it knows: truth into 0 and 1, times into text; refuse what it would cut."""
    import pandas as pd

    changed = {name: frame[name].astype("int32") for name in frame.columns if pd.api.types.is_bool_dtype(frame[name])}
    changed |= {name: _text(frame[name]) for name in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[name])}
    frame = frame.assign(**changed)
    for name in frame.columns.drop("geometry"):
        texts = [one for one in frame[name] if isinstance(one, str)]
        longest = max(texts, key=lambda one: len(one.encode()), default="")
        if len(longest.encode()) > _TEXT_BYTES:
            raise SourceError(
                f"{path}: {name} {longest[:20]!r}... has {len(longest.encode())} bytes; a Shapefile holds {_TEXT_BYTES}. Export .gpkg"
            )
    return frame


def _text(times: pd.Series) -> pd.Series:
    return times.map(lambda at: at.isoformat() if at == at else None)  # noqa: PLR0124  (a missing time is not itself)
