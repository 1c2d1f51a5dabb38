"""Shapes at rest: geopandas frames as plain polars frames with WKB, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from cloudmap.geo.units import Units


def to_frame(shapes: GeoDataFrame) -> pl.DataFrame:
    """Turn shapes into a polars frame whose last column `geometry` is WKB (Binary, null where there is no shape)."""
    plain: pl.DataFrame = pl.from_pandas(shapes.drop(columns="geometry"))
    wkb = [None if one is None else bytes(one) for one in shapes.geometry.to_wkb()]
    return plain.with_columns(pl.Series("geometry", wkb, dtype=pl.Binary))


def from_frame(frame: pl.DataFrame) -> GeoDataFrame:
    """Turn a polars frame with a WKB column `geometry` back into shapes in EPSG:4326."""
    import geopandas as gpd
    import shapely

    geometry = shapely.from_wkb(frame["geometry"].to_list())
    return gpd.GeoDataFrame(frame.drop("geometry").to_pandas(), geometry=geometry, crs="EPSG:4326")


def units_from_frame(frame: pl.DataFrame, version: str, renumbered: pl.DataFrame | None = None) -> Units:
    """Turn the stored units of all levels back into a base map.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns `UNIT_COLUMNS`, the geometry as WKB.
    version : str
        Version of the base map.
    renumbered : polars.DataFrame, optional
        The city's own table of redrawn units.
    """
    from cloudmap.geo.units import RENUMBERED, Units

    frames = {
        (str(level), str(kind)): from_frame(part)
        for (level, kind), part in frame.partition_by("level", "kind", as_dict=True, maintain_order=True).items()
    }
    return Units(frames, version, [], pl.DataFrame(schema=RENUMBERED) if renumbered is None else renumbered)
