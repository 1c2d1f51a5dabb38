"""Write the drawn base map of Luqiao as the files a district would hand over: mixed formats, systems, encodings and field names.

``python -m cloudmap.samples.luqiao_layers`` draws the map and writes it to ``data/boundaries/luqiao`` again.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

from cloudmap.samples.luqiao_map import BaseMap, draw_base_map
from cloudmap.samples.luqiao_water import draw_landmarks, draw_water
from cloudmap.samples.origin import boundaries_folder

_FROM: Final = "2015-01-01"
_DATE: Final = (1980, 1, 1, 0, 0, 0)


def write_base_map(folder: Path, base: BaseMap) -> list[Path]:
    """Write all layers.

    Parameters
    ----------
    folder : Path
        Where the files go; existing ones are replaced.
    base : BaseMap
        As `draw_base_map` returns it.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    # GeoPackage stores when it was changed; a fixed date keeps a redrawn map equal to the byte.
    os.environ["OGR_CURRENT_DATE"] = "2024-01-01T00:00:00.000Z"
    folder.mkdir(parents=True, exist_ok=True)
    written = [_write_streets(folder / "streets.zip", base.streets)]
    for name, layer, frame in (("communities.gpkg", "社区", base.communities), ("microgrids.gpkg", "微格", _microgrids(base))):
        path = folder / name
        path.unlink(missing_ok=True)
        _chinese(frame).to_crs("EPSG:4549" if layer == "社区" else "EPSG:4490").to_file(path, layer=layer, driver="GPKG", engine="pyogrio")
        written.append(path)
    _chinese(base.overlays).to_crs("EPSG:4490").to_file(folder / "microgrids.gpkg", layer="新居民微格", driver="GPKG", mode="a")
    _chinese(base.villages).to_crs("EPSG:4490").to_parquet(folder / "villages.parquet", index=False)
    written += [folder / "villages.parquet", _write_geojson(folder / "grids.geojson", _chinese(base.grids))]
    for name, frame in {**draw_water(base.outline), **draw_landmarks(base.microgrids)}.items():
        written.append(_write_geojson(folder / f"{name}.geojson", frame))
    return written


def _microgrids(base: BaseMap) -> Any:
    columns = ["code", "name", "parent", "area_street", "area_community", "area_village"]
    return base.microgrids[[*columns, "population", "staff", "volunteers", "elders", "geometry"]]


def _chinese(frame: Any) -> Any:
    names = {
        "code": "代码", "name": "名称", "parent": "上级代码", "population": "人口", "staff": "网格员数", "volunteers": "志愿者数",
        "elders": "五老数", "area_street": "街道代码", "area_community": "社区代码", "area_village": "村代码",
    }  # fmt: skip
    renamed = frame.rename(columns=names)
    renamed.insert(3, "启用日期", _FROM)
    return renamed


def _write_geojson(path: Path, frame: Any) -> Path:
    path.unlink(missing_ok=True)
    frame.to_crs("EPSG:4326").to_file(path, driver="GeoJSON", engine="pyogrio", COORDINATE_PRECISION=7)
    return path


def _write_streets(path: Path, streets: Any) -> Path:
    """Zip a Shapefile in GBK without .cpg, with the zone prefix in its eastings: as such files commonly arrive."""
    frame = _chinese(streets).rename(columns={"上级代码": "上级", "启用日期": "启用"}).to_crs("EPSG:4528")
    with tempfile.TemporaryDirectory() as scratch:
        frame.to_file(Path(scratch) / "streets.shp", driver="ESRI Shapefile", engine="pyogrio", encoding="GBK")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for suffix in ("dbf", "prj", "shp", "shx"):
                content = bytearray((Path(scratch) / f"streets.{suffix}").read_bytes())
                if suffix == "dbf":
                    content[1:4] = bytes((124, 1, 1))  # the day of the last change, years since 1900
                archive.writestr(zipfile.ZipInfo(f"streets.{suffix}", _DATE), bytes(content), zipfile.ZIP_DEFLATED)
    return path


if __name__ == "__main__":
    write_base_map(boundaries_folder("luqiao"), draw_base_map())
