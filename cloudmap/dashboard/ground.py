"""The layers that a map may colour: the reader's own, and all water as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from cloudmap.access.views import PlaceLayer

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader

WATER: Final = "water"
"""Id of the layer that joins every kind of water."""
T = TypeVar("T")


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


def ladder(reader: Reader) -> list[PlaceLayer]:
    """List the layers that a map drills down through: units from the coarsest to the finest, then the usual cells."""
    usual = reader.city.city.default_resolution
    layers = reader.layers()
    return [one for one in layers if one.kind == "unit"] + [one for one in layers if one.kind == "cell" and one.resolution == usual]


def places_of(reader: Reader, layer_id: str) -> frozenset[str]:
    """Return the ids of a layer's places."""
    return _once(reader, ("places", layer_id), lambda: frozenset(geometry(reader, layer_id)["place"]))


def names_of(reader: Reader, layer_id: str) -> dict[str, str | None]:
    """Return the names of a layer's places by their ids."""

    def read() -> dict[str, str | None]:
        shapes = geometry(reader, layer_id)
        return {place: name if isinstance(name, str) else None for place, name in zip(shapes["place"], shapes["name"], strict=True)}

    return _once(reader, ("names", layer_id), read)


def name_of(reader: Reader, within: str) -> str:
    """Return the name of the unit that a map is drilled into."""
    layer, _, unit = within.partition("~")
    return names_of(reader, layer).get(unit) or unit


def inside(reader: Reader, layer_id: str, within: str) -> frozenset[str] | None:
    """Return the places of a layer that lie in a unit, by a point inside each; None where `within` names no unit.

    Parameters
    ----------
    reader : Reader
    layer_id : str
    within : str
        "unit_street~331004001", or "".
    """

    def find() -> frozenset[str]:
        import shapely

        layer, _, unit = within.partition("~")
        units = geometry(reader, layer).set_index("place")
        outline = units.loc[[unit]].geometry.union_all()
        shapes = geometry(reader, layer_id)
        shapes = shapes[~shapes.geometry.isna()]
        points = shapes.geometry.representative_point()
        shapely.prepare(outline)
        held = shapely.contains_xy(outline, points.x.to_numpy(), points.y.to_numpy())
        return frozenset(shapes.loc[held, "place"])

    return _once(reader, ("inside", layer_id, within), find) if within else None


def crumbs(reader: Reader, within: str) -> list[dict[str, str]]:
    """List the units that a unit lies in, the coarsest first and itself last, each with the address part that leads to it."""
    if not within:
        return []
    layer, _, unit = within.partition("~")
    steps = [one for one in reader.layers() if one.kind == "unit"]
    above = [one.id for one in steps[: next(at for at, one in enumerate(steps) if one.id == layer)] if one.places_n > 1]
    found = []
    for one in above:
        holder = next((place for place in sorted(places_of(reader, one)) if unit in (inside(reader, layer, f"{one}~{place}") or ())), None)
        if holder:
            found.append({"within": f"{one}~{holder}", "name": name_of(reader, f"{one}~{holder}")})
    return [*found, {"within": within, "name": name_of(reader, within)}]


def finer(reader: Reader, layer_id: str, within: str) -> str | None:
    """Return the next layer down the ladder that has several places in a unit; None where the map is at its end."""
    steps = ladder(reader)
    at = next((at for at, one in enumerate(steps) if one.id == layer_id), len(steps))
    return next((one.id for one in steps[at + 1 :] if len(inside(reader, one.id, within) or ()) > 1), None)


def tiled(reader: Reader, layer: PlaceLayer) -> bool:
    """Tell whether a layer has more places than a browser can take at once, so that it is drawn from tiles."""
    return layer.kind == "cell" and reader.tiles(layer.id) is not None


def drawn_from(reader: Reader, layer: PlaceLayer) -> float:
    """Tell from which zoom the places of a layer of cells can be told apart; 0 for other layers."""
    from cloudmap.geo.tiles import zoom_of_cells

    if layer.kind != "cell":
        return 0
    return _once(reader, ("zoom", layer.id), lambda: round(zoom_of_cells(geometry(reader, layer.id)), 2))


def _once(reader: Reader, key: tuple[str, ...], make: Callable[[], T]) -> T:
    if key not in reader.kept:
        reader.kept[key] = make()
    return cast(T, reader.kept[key])


def geometry(reader: Reader, layer_id: str) -> Any:
    """Return the shapes of a layer, as `Reader.geometry` does; they are read once.

    Returns
    -------
    GeoDataFrame
        place, name, area_m2, parent, geometry.
    """

    def read() -> Any:
        if layer_id != WATER:
            return reader.geometry(layer_id)
        import pandas as pd

        return pd.concat([reader.geometry(layer.id) for layer in reader.layers() if layer.kind == "water"], ignore_index=True)

    return _once(reader, ("shapes", layer_id), read)
