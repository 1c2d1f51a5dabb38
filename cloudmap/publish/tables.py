"""Frames that leave the system, gathered from the Reader: places with their numbers, reports in their fixed shape."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

import polars as pl

from cloudmap.errors import AccessError, AnalysisError, SchemaError
from cloudmap.schema import Column, Table

if TYPE_CHECKING:
    import geopandas as gpd

    from cloudmap.access.reader import Reader
    from cloudmap.access.views import PlaceLayer
    from cloudmap.city import City
    from cloudmap.publish.legend import Measure

PLACES: Final = Table(
    "places",
    "exported layers of cells and units: one row per place, for one category and period",
    "导出的地点图层",
    (
        Column("place", pl.String(), "unit code, or the H3 cell as a hexadecimal string", "地点编号"),
        Column("name", pl.String(), "name of the unit; the H3 id for cells", "名称"),
        Column("parent", pl.String(), "code of the unit above, where the base map names it", "上级单元代码"),
        Column("category_code", pl.String(), "category or group that is counted, or ALL", "类别代码"),
        Column("first_on", pl.String(), "first day of the period, local", "时段首日"),
        Column("last_on", pl.String(), "last day of the period, local", "时段末日"),
        Column("n", pl.Int64(), "matters; beside p, q, ratio and expected those of scored categories, otherwise all", "件数"),
        Column("neighbourhood_n", pl.Int64(), "matters of the place and its neighbours: the sum that is tested", "含邻格件数"),
        Column("z", pl.Float64(), "standardised Gi*, for comparison only", "z 值（仅供对照）"),
        Column("p", pl.Float64(), "exact one-sided p of Gi*", "p 值"),
        Column("q", pl.Float64(), "p adjusted by Benjamini-Hochberg over the layer's places", "q 值"),
        Column("class", pl.String(), "hot or not_significant", "判定"),
        Column("expected", pl.Float64(), "exposure times the rate of the whole city", "期望件数"),
        Column("ratio", pl.Float64(), "n divided by expected", "与期望之比"),
        Column("masked", pl.Boolean(), "true where the numbers are too small for the audience; they are then missing", "是否屏蔽"),
        Column("area_m2", pl.Float64(), "area", "面积", "m2"),
    ),
)
"""Columns of a place table without its geometry; a layer has those that its measure brings."""

_WHOLE: Final = ("n", "neighbourhood_n")


def report_columns(city: City) -> list[str]:
    """List the columns of exported reports, in order; outside checks rely on them.

    Parameters
    ----------
    city : City
        Its levels and H3 resolutions name the unit and cell columns.
    """
    return [
        "report_id", "source_id", "source_report_id", "category_code", "category_raw", "occurred_at", "reported_at", "closed_at",
        "due_at", "state", "lon_deg", "lat_deg", "position",
        *(f"unit_{level}_code" for level in city.levels), *(f"cell_{resolution}" for resolution in city.city.resolutions),
        "matter_id",
    ]  # fmt: skip


def choose_layer(reader: Reader, kind: str, layer: str | None = None) -> PlaceLayer:
    """Find a layer of places.

    Parameters
    ----------
    reader : Reader
        Door to the numbers.
    kind : {"cell", "unit", "overlay", "water"}
        Kind that the caller needs.
    layer : str, optional
        Id, e.g. "unit_street"; by default the cells of the city's default resolution, or the coarsest units that are more than one.

    Raises
    ------
    AnalysisError
        No such layer of that kind; the nearest id is named.
    """
    known = {one.id: one for one in reader.layers() if one.kind == kind}
    if layer is None and known:
        preferred = f"cell_{reader.city.city.default_resolution}"
        several = [one for one in known.values() if one.places_n > 1]
        return known.get(preferred) or (several or list(known.values()))[0]
    if layer in known:
        return known[layer]
    close = difflib.get_close_matches(layer or "", list(known), n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known) or 'none'}"
    raise AnalysisError(f"no {kind} layer {layer!r} in {reader.city.city.name_en}; {hint}")


def default_measure(reader: Reader, category: str) -> Measure:
    """Choose what a map of cells shows: hotspots, or counts where a category is not scored or its verdict would tell masked counts."""
    chosen = next((one for one in reader.categories() if one.code == category), None)
    if chosen is not None and (not chosen.scored or (chosen.restricted and not reader.audience.restricted)):
        return "count"
    return "hotspot"


def place_table(
    reader: Reader, layer_id: str, category: str = "ALL", period_id: str | None = None, measure: Measure = "count"
) -> gpd.GeoDataFrame:
    """Put the numbers of places beside their shapes.

    Parameters
    ----------
    reader : Reader
        Everything it gives is already disclosed.
    layer_id : str
        Units or cells.
    category, period_id : str
        Category code and period; by default all categories in the last four complete weeks.
    measure : {"count", "ratio", "hotspot"}
        "count" gives n, all matters of the category; "ratio" and "hotspot" give the n of its scored categories, on which expected
        counts and tests stand.

    Returns
    -------
    geopandas.GeoDataFrame
        EPSG:4326, one row a place, sorted: place, name, parent, category_code, first_on, last_on, n, [neighbourhood_n, z, p, q,
        class], [expected, ratio where an exposure is declared], masked, area_m2, geometry. Where masked, all numbers are missing.

    Raises
    ------
    AnalysisError
        The measure needs an exposure that the city does not declare, or the period or category is unknown.
    """
    import geopandas as gpd

    period = reader.period(period_id) if period_id else reader.default_period
    if measure == "ratio" and reader.exposure_kind == "none":
        raise AnalysisError(
            f"{reader.city.folder / 'city.toml'}: no exposure is declared, so there is no ratio; declare [exposure] or ask for count"
        )
    numbers = _numbers(reader, layer_id, category, period.id, measure)
    shown = [name for name in numbers.columns if name not in ("place", "masked")]
    numbers = numbers.with_columns(
        pl.lit(category).alias("category_code"),
        pl.lit(period.first_on.isoformat()).alias("first_on"),
        pl.lit(period.last_on.isoformat()).alias("last_on"),
        *(pl.when(~pl.col("masked")).then(pl.col(name).cast(pl.Int64) if name in _WHOLE else pl.col(name)).alias(name) for name in shown),
    )
    shapes = reader.geometry(layer_id)[["place", "name", "parent", "area_m2", "geometry"]]
    joined = shapes.merge(numbers.to_pandas(use_pyarrow_extension_array=False), on="place", how="outer", validate="one_to_one")
    for name in _WHOLE:
        if name in joined.columns:
            joined[name] = joined[name].astype("Int64")
    joined["masked"] = joined["masked"].fillna(False).astype(bool)
    order = ["place", "name", "parent", "category_code", "first_on", "last_on", *shown, "masked", "area_m2", "geometry"]
    return gpd.GeoDataFrame(joined.sort_values("place", ignore_index=True)[order], geometry="geometry", crs=shapes.crs)


def _numbers(reader: Reader, layer_id: str, category: str, period_id: str, measure: Measure) -> pl.DataFrame:
    """Gather n and what belongs to it; one file holds one n, since the difference of two would tell what neither shows."""
    table = reader.values(layer_id, category, period_id, measure).table
    if measure == "count":
        return table.select("place", "masked", pl.col("value").alias("n"))
    if measure == "ratio":
        return table.select("place", "masked", "n", "expected", pl.col("value").alias("ratio"))
    numbers = table.select("place", "masked", "n", "neighbourhood_n", "z", "p", "q", "class")
    if reader.exposure_kind == "none":
        return numbers
    ratio = reader.values(layer_id, category, period_id, "ratio").table
    beside = ratio.select("place", "expected", pl.col("value").alias("ratio"), pl.col("masked").alias("ratio_masked"))
    joined = numbers.join(beside, on="place", how="left", validate="1:1")
    return joined.with_columns(masked=pl.col("masked") | pl.col("ratio_masked").fill_null(value=False)).drop("ratio_masked")


def report_table(reader: Reader) -> pl.DataFrame:
    """Gather all reports that are not quarantined, in the fixed shape of an export.

    Raises
    ------
    AccessError
        The audience is outside, or a restricted report came with its point though the audience has no grant.
    SchemaError
        The reports lack a column of the fixed shape.
    """
    frame = reader.all_reports()
    wanted = report_columns(reader.city)
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise SchemaError(f"exported reports: column(s) {', '.join(missing)} missing; have {', '.join(frame.columns)}")
    if not reader.audience.restricted:
        restricted = [one.code for one in reader.categories() if one.restricted]
        leaked = frame.filter(pl.col("category_code").is_in(restricted) & pl.col("lon_deg").is_not_null()).height
        if leaked:
            raise AccessError(
                f"exported reports: {leaked} of restricted categories carry a point without the restricted grant; nothing was written"
            )
    cells = [name for name in wanted if name.startswith("cell_")]
    return frame.select(wanted).with_columns(pl.col(cells).cast(pl.Int64)).sort("report_id")
