"""A base map made of the layers that an office has: shapefiles, GeoPackages or GeoJSON become one PMTiles file, without the Internet."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cloudmap.errors import SourceError
from cloudmap.geo.coordinates import frame_to_wgs84
from cloudmap.geo.fields import as_text
from cloudmap.ingest.layers import layer_names, read_layer

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

LAYER: Final = "base"
"""Name of the one layer of the tiles; its field ``kind`` says what a feature is."""
KINDS: Final = ("land", "green", "water", "buildings", "roads", "places")
"""What a base map can show, from the ground up."""

_WORDS: Final = {
    "buildings": r"build|house|建筑|房屋|楼",
    "roads": r"road|street|highway|rail|transport|道路|公路|街道中心线|铁路|交通",
    "water": r"water|river|lake|canal|hydro|stream|水|河|湖|渠",
    "green": r"green|park|forest|wood|grass|landcover|绿|公园|林",
    "places": r"place|poi|name|label|地名|注记|兴趣点",
    "land": r"land|district|area|ground|地类|用地|陆地",
}
_NAME: Final = ("name", "名称", "mc", "nm", "标准名称")
_NAME_EN: Final = ("name_en", "name:en", "英文名")
_CLASS: Final = ("class", "fclass", "highway", "railway", "landuse", "kind", "type", "道路等级", "等级", "类型")
_MIN_ZOOM, _MAX_ZOOM = 8, 14
_MOST_BYTES: Final = 2_000_000
_MOST_FEATURES: Final = 400_000


class Part(NamedTuple):
    """One layer that entered a base map.

    Attributes
    ----------
    file : str
        Name of the file.
    layer : str
    kind : str or None
        One of `KINDS`; None where neither its name nor its owner says: drawn plainly, by the kind of shape.
    features_n : int
    evidence : list of str
        How coordinate system and encoding were decided.
    """

    file: str
    layer: str
    kind: str | None
    features_n: int
    evidence: list[str]


def write_basemap(files: Iterable[str], target: Path, *, crs: str | None = None) -> list[Part]:
    """Cut layers into the tiles of one PMTiles file.

    Parameters
    ----------
    files : iterable of str
        Paths of layers, each alone or as ``KIND=PATH`` with one of `KINDS`; without it the names of file and layer say.
    target : Path
        File to make; an older one is replaced only when all went well.
    crs : str, optional
        Coordinate system of all files; overrides what they say ("gcj02" and "bd09" too).

    Returns
    -------
    list of Part

    Raises
    ------
    SourceError
        No layer, an unknown kind, a file that cannot be read, or a target that cannot be written.
    CoordinateError
        A file has no known coordinate system.
    """
    import geopandas as gpd
    import pandas as pd
    import pyogrio

    read = [one for given in files for one in _read(given, crs)]
    if not read:
        raise SourceError("no layer given. Name files with roads, water, buildings ... as `cloudmap basemap CITY FILE…`")
    if not target.parent.is_dir():
        raise SourceError(f"{target}: folder {target.parent} does not exist; make it first")
    frame = gpd.GeoDataFrame(pd.concat([one for _, one in read], ignore_index=True), geometry="geometry", crs="EPSG:4326")
    with tempfile.TemporaryDirectory(prefix="cloudmap-") as folder:
        # GDAL keeps work of many times the size beside its target.
        made = Path(folder) / "base.pmtiles"
        pyogrio.write_dataframe(
            frame, made, driver="PMTiles", layer=LAYER, geometry_type="Unknown", MINZOOM=_MIN_ZOOM, MAXZOOM=_MAX_ZOOM,
            MAX_SIZE=_MOST_BYTES, MAX_FEATURES=_MOST_FEATURES,
        )  # fmt: skip
        draft = target.with_name(f".{target.name}.part")
        try:
            shutil.copyfile(made, draft)
            draft.replace(target)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise SourceError(
                f"{target}: cannot be written ({error.strerror or error}); an older file of that name is unchanged"
            ) from error
    return [part for part, _ in read]


def kind_of(*names: str) -> str | None:
    """Guess from names of file and layer what a layer shows; None where they do not say."""
    return next((kind for name in names for kind, words in _WORDS.items() if re.search(words, name.lower())), None)


def _read(given: str, crs: str | None) -> list[tuple[Part, GeoDataFrame]]:
    import geopandas as gpd

    kind, parted, text = given.partition("=")
    if parted and kind not in KINDS and not Path(given).exists():
        raise SourceError(f"{given!r}: unknown kind {kind!r}; known: {', '.join(KINDS)}")
    declared, path = (kind, Path(text)) if parted and kind in KINDS else (None, Path(given))
    found = []
    names = layer_names(path)
    for name in names:
        layer = read_layer(path, layer=name if len(names) > 1 else None, crs=crs)
        shapes = frame_to_wgs84(layer.frame, layer.crs)
        shapes = shapes[~shapes.geometry.isna() & ~shapes.geometry.is_empty].reset_index(drop=True)
        role = declared or kind_of(path.stem, name)
        columns = {"kind": role, "name": _text(shapes, _NAME), "name_en": _text(shapes, _NAME_EN), "class": _text(shapes, _CLASS)}
        kept = gpd.GeoDataFrame(columns, geometry=shapes.geometry, crs="EPSG:4326")
        found.append((Part(path.name, name, role, len(kept), layer.evidence), kept))
    return found


def _text(frame: GeoDataFrame, names: Sequence[str]) -> Any:
    """Return the first column that has one of the names, as text."""
    there = {str(column).lower(): column for column in frame.columns}
    name = next((there[one] for one in names if one in there), None)
    return as_text(None if name is None else frame[name], len(frame))
