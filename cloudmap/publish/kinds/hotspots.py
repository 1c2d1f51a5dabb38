"""The briefing of hotspots: where reports gather beyond chance, and how many each unit has."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from cloudmap.publish import tables
from cloudmap.publish.content import Section, plain

if TYPE_CHECKING:
    import geopandas as gpd

    from cloudmap.access.reader import Reader
    from cloudmap.access.views import PlaceLayer
    from cloudmap.analytics.result import Result
    from cloudmap.publish.kinds.asked import Asked

UNITS_NAMED_MAX: Final = 6
_UNIT_LEVELS: Final = ("street", "community", "village")
_CLASSES: Final = ("located", "area_only", "unmapped", "outside")


def sections(asked: Asked) -> list[Section]:
    """Gather summary, map, hot places, units and method."""
    reader = asked.reader
    cells = asked.layer if asked.layer and asked.layer.startswith("cell") else None
    layer = tables.choose_layer(reader, "cell", cells)
    result = asked.remember(reader.values(layer.id, asked.category, asked.period.id, "hotspot"))
    places = tables.place_table(reader, layer.id, asked.category, asked.period.id, "hotspot")
    if asked.unit:
        shape = tables.unit_shape(reader, asked.unit).geometry.iloc[0]
        places = places[places.geometry.representative_point().intersects(shape)].reset_index(drop=True)
    hot = places[places["class"] == "hot"].sort_values(["q", "n", "place"], ascending=[True, False, True], ignore_index=True)
    hot = hot.assign(where=_unit_names(reader, hot, asked), rank=range(1, len(hot) + 1))
    values = _values(asked, layer, result, places, hot)
    rows = [{name: plain(value) for name, value in row.items()} for row in hot.drop(columns="geometry").to_dict("records")]
    extra: list[Any] = [(name, kind) for name, kind in (("expected", "number"), ("ratio", "ratio")) if name in hot.columns]
    extra += [("lower", "ratio", "upper")] if "lower" in hot.columns else []
    columns = [
        ("rank", "count"),
        ("where", "text"),
        ("place", "code"),
        ("n", "count"),
        ("neighbourhood_n", "count"),
        *extra,
        ("p", "p"),
        ("q", "p"),
    ]
    table = asked.table("hot", columns, rows, asked.sentences("note_hot", values)[0])
    return [
        asked.section("summary", paragraphs=asked.sentences("summary", values)),
        asked.section("map", pictures=[asked.picture("hotspot", layer.id)]),
        asked.section("table", paragraphs=[] if rows else [asked.heading("none_hot")], tables=[*([table] if rows else []), _units(asked)]),
        asked.section("method", paragraphs=asked.sentences("method", values)),
    ]


def _units(asked: Asked) -> Any:
    """List the units with their matters, and those expected where an exposure is declared."""
    reader, layer = asked.reader, asked.unit_layer
    with_ratio = reader.exposure_kind != "none"
    result = asked.remember(reader.values(layer.id, asked.category, asked.period.id, "ratio" if with_ratio else "count"))
    rows = [row for row in asked.rows(result.table) if not asked.unit or row["place"] == asked.unit]
    rows = [{**row, "n": row["n"] if "n" in row else row["value"], "ratio": row["value"] if with_ratio else None} for row in rows]
    columns: list[Any] = [
        ("where", "text"),
        ("place", "code"),
        ("n", "count"),
        *([("expected", "number"), ("ratio", "ratio"), ("lower", "ratio", "upper")] if with_ratio else []),
    ]
    return asked.table("units", columns, rows, asked.sentences("note_units", {})[0])


def _unit_names(reader: Reader, places: gpd.GeoDataFrame, asked: Asked) -> list[str]:
    """Name the units that the middle of each place lies in, coarse to fine; where two cover it, the one of the lowest code."""
    units = [one for one in reader.layers() if one.kind == "unit"]
    named = [one for one in units if one.level in _UNIT_LEVELS] or units[:1]
    middles = places[["place", "geometry"]].set_geometry(places.geometry.representative_point())
    parts: dict[str, list[str]] = {place: [] for place in places["place"]}
    for layer in named:
        shapes = reader.geometry(layer.id)[["place", "geometry"]].rename(columns={"place": "code"})
        met = middles.sjoin(shapes, predicate="intersects").sort_values("code").drop_duplicates("place")
        for place, code in zip(met["place"], met["code"], strict=True):
            parts[place].append(asked.names.get(str(code), str(code)))
    return [" · ".join(parts[place]) for place in places["place"]]


def _values(asked: Asked, layer: PlaceLayer, result: Result, places: gpd.GeoDataFrame, hot: gpd.GeoDataFrame) -> dict[str, Any]:
    """Compute what sentences may name; a masked count is None, and its words say so."""
    reader = asked.reader
    shown = places[~places["masked"]]
    masked_n = len(places) - len(shown)
    tested, hot_matters = int(shown["n"].sum()), int(hot["n"].sum())
    units = Counter(where.split(" · ")[0] for where in hot["where"] if where)
    ranked = sorted(units.items(), key=lambda item: (-item[1], item[0]))[:UNITS_NAMED_MAX]
    counts = _counts(asked)
    return {
        **counts,
        "layer": layer.name_en if asked.language == "en" else layer.name_zh,
        "hot_n": len(hot),
        "hot_area_km2": float(hot["area_m2"].sum()) / 1e6,
        "hot_matters": hot_matters,
        "hot_share": hot_matters / tested if tested and not masked_n else None,
        "tested_matters": tested,
        "hot_units": ranked,
        "top": {name: plain(value) for name, value in hot.iloc[0].items() if name != "geometry"} if len(hot) else None,
        "masked_n": masked_n,
        "family": result.table.height,
        "denominator": result.denominator,
        "threshold": result.parameters.get("threshold", 0.05),
        "negative_binomial": "negative binomial" in result.method,
        "unscored": [
            one.name_en if asked.language == "en" else one.name_zh
            for one in reader.categories()
            if one.parent is not None and not one.scored
        ],
    }


def _counts(asked: Asked) -> dict[str, Any]:
    """Count the matters of the city by what is known of their place, or those of the unit."""
    reader = asked.reader
    if asked.unit:
        table = reader.values(asked.unit_layer.id, asked.category, asked.period.id, "count").table
        row = next(one for one in table.iter_rows(named=True) if one["place"] == asked.unit)
        return {"total": plain(row["value"]), "at_least": False, **dict.fromkeys(_CLASSES)}
    placed = reader.unplaced(asked.category, asked.period.id)
    hidden = any(placed.get(name, 0) is None for name in _CLASSES)
    return {
        "total": sum(placed.get(name) or 0 for name in _CLASSES),
        "at_least": hidden,
        **{name: placed.get(name, 0) for name in _CLASSES},
    }
