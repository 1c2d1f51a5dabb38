"""A layer file of any supported format becomes a GeoDataFrame with its evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


@dataclass(frozen=True)
class Layer:
    """What a layer file held, and how it was read."""

    frame: GeoDataFrame
    crs: str
    encoding: str
    driver: str
    layer: str
    evidence: list[str] = field(default_factory=list)
    repairs: dict[str, int] = field(default_factory=dict)


def read_layer(path: str | Path, *, layer: str | None = None, crs: str | None = None, encoding: str | None = None) -> Layer:
    """Read one layer."""
    import geopandas as gpd

    path = Path(path)
    frame = gpd.read_parquet(path) if path.suffix == ".parquet" else gpd.read_file(path, layer=layer, encoding=encoding)
    if not frame.geometry.is_valid.all():
        frame.geometry = frame.geometry.make_valid(method="structure")
    return Layer(frame, crs or str(frame.crs), encoding or "utf-8", path.suffix.lstrip("."), layer or "")
