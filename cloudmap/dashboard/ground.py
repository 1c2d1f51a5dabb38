"""The layers that a map may colour: the reader's own, and all water as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cloudmap.access.views import PlaceLayer

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader

WATER: Final = "water"
"""Id of the layer that joins every kind of water."""


def grounds(reader: Reader) -> list[PlaceLayer]:
    """List the reader's layers, and before its kinds of water all of them as one.

    Parameters
    ----------
    reader : Reader
    """
    layers = reader.layers()
    kinds = [layer for layer in layers if layer.kind == "water"]
    if not kinds:
        return layers
    joined = PlaceLayer(WATER, "water", None, None, "全部水体", "All water", sum(layer.places_n for layer in kinds))
    at = layers.index(kinds[0])
    return [*layers[:at], joined, *layers[at:]]


def ground(reader: Reader, layer_id: str) -> PlaceLayer:
    """Return one layer by its id; StopIteration where there is none, which the callers have checked."""
    return next(layer for layer in grounds(reader) if layer.id == layer_id)


def geometry(reader: Reader, layer_id: str) -> Any:
    """Return the shapes of a layer, as `Reader.geometry` does.

    Returns
    -------
    GeoDataFrame
        place, name, area_m2, parent, geometry.
    """
    if layer_id != WATER:
        return reader.geometry(layer_id)
    import pandas as pd

    return pd.concat([reader.geometry(layer.id) for layer in reader.layers() if layer.kind == "water"], ignore_index=True)
