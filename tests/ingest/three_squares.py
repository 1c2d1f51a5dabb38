"""Three hand-drawn squares in every awkward format that districts hand over."""

import json
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from pyogrio.raw import write

CODES = ["331004001", "331004002", "331004003"]
NAMES = ["路桥街道", "路南街道", "路北街道"]
SQUARES = [shapely.box(121.35 + 0.01 * k, 28.55, 121.36 + 0.01 * k, 28.56) for k in range(3)]


def squares(crs="EPSG:4326") -> gpd.GeoDataFrame:
    """Code, Chinese name and shape of each square."""
    return gpd.GeoDataFrame({"区划代码": CODES, "名称": NAMES}, geometry=SQUARES, crs="EPSG:4326").to_crs(crs)


def shapefile(
    folder: Path, stem="layer", *, encoding="gbk", cpg=None, crs="EPSG:4326", prj=True, names=("区划代码", "名称"), values=None
) -> Path:
    """Write a plain shapefile whose table holds exactly the bytes that `encoding` gives; field names are cut at ten of them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.shp"
    frame = squares(crs)
    columns = values or [CODES, NAMES]
    raw = [[str(value).encode(encoding).decode("latin-1") for value in column] for column in columns]
    write(
        path,
        frame.geometry.to_wkb().to_numpy(),
        [np.array(column, dtype=object) for column in raw],
        [f"field{at}" for at in range(len(names))],
        driver="ESRI Shapefile",
        geometry_type="Polygon",
        crs=crs,
        encoding="ISO-8859-1",
    )
    table = path.with_suffix(".dbf").read_bytes()
    for at, name in enumerate(names):
        table = table.replace(f"field{at}".encode().ljust(11, b"\0"), name.encode(encoding)[:10].ljust(11, b"\0"), 1)
    path.with_suffix(".dbf").write_bytes(table)
    path.with_suffix(".cpg").unlink(missing_ok=True)
    if cpg is not None:
        path.with_suffix(".cpg").write_text(cpg)
    if not prj:
        path.with_suffix(".prj").unlink()
    return path


def zipped(path: Path, target: Path, *, members_as=None) -> Path:
    """Zip a shapefile's parts; `members_as` encodes their names without the flag that would say so."""
    with zipfile.ZipFile(target, "w") as archive:
        for part in sorted(path.parent.glob(f"{path.stem}.*")):
            archive.write(part, part.name)
    if members_as:
        data = target.read_bytes()
        stem = path.stem.encode()
        fresh = members_as.encode("gbk")
        assert len(stem) == len(fresh), "the names must be as long, so that offsets stay"
        target.write_bytes(data.replace(stem, fresh))
    return target


def geojson(path: Path, geometries, codes=None, **more) -> Path:
    """Write GeoJSON geometries as they are, sound or not."""
    features = [
        {"type": "Feature", "properties": {"code": code, **{name: values[at] for name, values in more.items()}}, "geometry": geometry}
        for at, (code, geometry) in enumerate(zip(codes or [f"u{k}" for k in range(len(geometries))], geometries, strict=True))
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def ring(*points) -> dict:
    """A GeoJSON polygon of one ring, taken as given."""
    return {"type": "Polygon", "coordinates": [[list(point) for point in points]]}


SQUARE = ring((121.35, 28.55), (121.36, 28.55), (121.36, 28.56), (121.35, 28.56), (121.35, 28.55))
