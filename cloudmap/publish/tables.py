"""Frames that leave the system, gathered from the Reader: places with their numbers, reports in their fixed shape."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

import polars as pl

from cloudmap.errors import AccessError, AnalysisError, SchemaError
from cloudmap.schema import Column, Table

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from cloudmap.access.reader import Reader
    from cloudmap.access.views import Measure, PlaceLayer
    from cloudmap.analytics.periods import AnyPeriod
    from cloudmap.city import City

PLACES: Final = Table(
    "places",
    "exported layers of cells, units, clusters and reaches: one row per place, for one category and period",
    "导出的地点图层",
    (
        Column("place", pl.String(), "unit code, reach id, or the H3 cell as a hexadecimal string", "地点编号"),
        Column("name", pl.String(), "name of the unit or reach; the H3 id for cells", "名称"),
        Column("parent", pl.String(), "code of the unit above, where the base map names it", "上级单元代码"),
        Column("kind", pl.String(), "kind of water: river, canal, lake or wetland", "水体类型"),
        Column("cluster_n", pl.Int64(), "cluster, strongest first; of a place the strongest that holds it", "聚集团序号"),
        Column("centre", pl.String(), "place in the middle of the cluster", "聚集团中心"),
        Column("category_code", pl.String(), "category or group that is counted, or ALL", "类别代码"),
        Column("first_on", pl.String(), "first day of the period, local", "时段首日"),
        Column("last_on", pl.String(), "last day of the period, local", "时段末日"),
        Column("n", pl.Int64(), "matters, of the measure's own window; of scored categories wherever something was tested", "件数"),
        Column("neighbourhood_n", pl.Int64(), "matters of the place and its neighbours: the sum that is tested", "含邻格件数"),
        Column("length_m", pl.Float64(), "length of the reach", "河段长度", "m"),
        Column("per_km", pl.Float64(), "matters per kilometre of the reach", "每公里件数"),
        Column("overdue_n", pl.Int64(), "open cases past their due time", "超期件数"),
        Column("yellow_n", pl.Int64(), "open cases with over 80% of their time gone", "黄灯件数"),
        Column("green_n", pl.Int64(), "open cases within 80% of their time", "绿灯件数"),
        Column("open_n", pl.Int64(), "open cases", "在办件数"),
        Column("staff_n", pl.Int64(), "distinct staff reporters", "网格员数"),
        Column("volunteers_n", pl.Int64(), "volunteers", "志愿者数"),
        Column("hot_steps_n", pl.Int64(), "steps in which the place was a hotspot", "热点步数"),
        Column("cold_steps_n", pl.Int64(), "steps in which it was a coldspot", "冷点步数"),
        Column("steps_n", pl.Int64(), "steps that were looked at", "步数"),
        Column("trend", pl.Int64(), "1 rising, -1 falling, 0 neither, after correction", "趋势方向"),
        Column("trend_z", pl.Float64(), "Mann-Kendall z of the place's share", "趋势 z 值"),
        Column("z", pl.Float64(), "standardised Gi*, for comparison only", "z 值（仅供对照）"),
        Column("expected", pl.Float64(), "exposure times the rate of the whole city, or the measure's own expectation", "期望件数"),
        Column("tested_weeks_n", pl.Int64(), "weeks of the test of silence", "检验周数"),
        Column("tested_n", pl.Int64(), "matters in the weeks of the test", "检验期件数"),
        Column("tested_expected", pl.Float64(), "matters expected in the weeks of the test", "检验期期望件数"),
        Column("expected_n", pl.Float64(), "matters expected in the weeks ahead", "未来预期件数"),
        Column("lower_n", pl.Float64(), "lower end of the 80% interval of the weeks ahead", "预期下限"),
        Column("upper_n", pl.Float64(), "upper end of the 80% interval of the weeks ahead", "预期上限"),
        Column("ratio", pl.Float64(), "n divided by expected; of a forecast the ratio to the city rate", "与期望之比"),
        Column("lower", pl.Float64(), "lower end of the 95% interval of ratio, of reaches of per_km", "区间下限"),
        Column("upper", pl.Float64(), "upper end of the 95% interval of ratio, of reaches of per_km", "区间上限"),
        Column("p_above_2", pl.Float64(), "probability that the ratio is above 2", "超过两倍的概率"),
        Column("percentile", pl.Float64(), "rank of the forecast, 0 to 100", "百分位"),
        Column("burden", pl.Float64(), "expected matters weighted by severity; never tested", "加权负担"),
        Column("llr", pl.Float64(), "log likelihood ratio of the cluster", "对数似然比"),
        Column("p", pl.Float64(), "p of the measure's test", "p 值"),
        Column("p_gumbel", pl.Float64(), "p by a Gumbel tail", "p 值（Gumbel）"),
        Column("q", pl.Float64(), "p adjusted by Benjamini-Hochberg over the layer's places", "q 值"),
        Column("class", pl.String(), "verdict of the measure, e.g. hot or not_significant", "判定"),
        Column("last_report_on", pl.Date(), "week of the last report", "最近上报周"),
        Column("x_m", pl.Float64(), "easting of the cluster's centre in the city's metric system", "中心横坐标", "m"),
        Column("y_m", pl.Float64(), "northing of the cluster's centre", "中心纵坐标", "m"),
        Column("radius_m", pl.Float64(), "radius of the cluster", "半径", "m"),
        Column("places_n", pl.Int64(), "places in the cluster", "地点数"),
        Column("first_week_on", pl.Date(), "first week of the cluster", "首周"),
        Column("last_week_on", pl.Date(), "last week of the cluster", "末周"),
        Column("places", pl.String(), "places in the cluster, with commas between", "地点列表"),
        Column("masked", pl.Boolean(), "true where the numbers are too small for the audience; they are then missing", "是否屏蔽"),
        Column("area_m2", pl.Float64(), "area", "面积", "m2"),
    ),
)
"""Columns of a place table without its geometry; a layer has those that its measure brings."""

_WHOLE: Final = tuple(column.name for column in PLACES.columns if column.dtype == pl.Int64())
_VALUES: Final = {"count": "n", "ratio": "ratio", "scan": "cluster_n"}
"""What the value of a measure is called, where it is not among its other columns."""


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
        Units or cells; overlays and reaches have counts only.
    category, period_id : str
        Category code and period; by default all categories in the last four complete weeks.
    measure : str
        One of `access.views.MEASURES`. "count" gives n, all matters of the category; the others the n of their own window and of scored
        categories, on which expected counts and tests stand.

    Returns
    -------
    geopandas.GeoDataFrame
        EPSG:4326, one row a place, sorted: those columns of `PLACES` that the measure brings, then geometry. Where masked, all numbers
        are missing.

    Raises
    ------
    AnalysisError
        The measure needs an exposure that the city does not declare, is not for this layer, or the period or category is unknown.
    AccessError
        The audience may not see this measure of this category.
    """
    period = reader.period(period_id) if period_id else reader.default_period
    if measure == "ratio" and reader.exposure_kind == "none":
        raise AnalysisError(
            f"{reader.city.folder / 'city.toml'}: no exposure is declared, so there is no ratio; declare [exposure] or ask for count"
        )
    shapes = reader.geometry(layer_id)[["place", "name", "parent", "area_m2", "geometry"]]
    return _joined(shapes, _numbers(reader, layer_id, category, period.id, measure), category, period)


def reach_table(reader: Reader, category: str = "ALL", period_id: str | None = None) -> gpd.GeoDataFrame:
    """Put matters per kilometre beside the shapes of the reaches; parameters and errors as for `place_table`.

    Returns
    -------
    geopandas.GeoDataFrame
        EPSG:4326, one row a reach, sorted: place, name, kind, category_code, first_on, last_on, n, neighbourhood_n, length_m, per_km,
        expected, ratio, lower, upper, p, q, class, masked, geometry.
    """
    import pandas as pd

    period = reader.period(period_id) if period_id else reader.default_period
    numbers = reader.statistic("near_water", category=category, period=period.id).table.drop("value", "name", strict=False)
    water = [reader.geometry(one.id)[["place", "name", "geometry"]] for one in reader.layers() if one.kind == "water"]
    if not water:
        raise AnalysisError(f"{reader.city.folder / 'city.toml'}: there is no water in the base map; add [[water]] layers")
    return _joined(pd.concat(water, ignore_index=True).set_crs("EPSG:4326", allow_override=True), numbers, category, period)


def cluster_table(reader: Reader, layer_id: str, category: str = "ALL", period_id: str | None = None) -> gpd.GeoDataFrame:
    """Put the clusters of a scan beside their shapes: each is the union of its places; parameters and errors as for `place_table`.

    Returns
    -------
    geopandas.GeoDataFrame
        EPSG:4326, one row a cluster, strongest first.

    Raises
    ------
    AccessError
        A cluster holds fewer matters than the audience may see: where it lies would tell of them.
    """
    import geopandas as gpd
    from shapely import union_all

    period = reader.period(period_id) if period_id else reader.default_period
    table = reader.statistic("scan", layer=layer_id, category=category, period=period.id).table.sort("cluster_n")
    if table["masked"].any():
        raise AccessError("the clusters of a scan that hold counts below k stay inside; export counts instead")
    shapes = reader.geometry(layer_id).set_index("place").geometry
    unions = [union_all(shapes.loc[places].to_numpy()) for places in table["places"].to_list()]
    table = table.with_columns(
        pl.lit(category).alias("category_code"),
        pl.lit(period.first_on.isoformat()).alias("first_on"),
        pl.lit(period.last_on.isoformat()).alias("last_on"),
        pl.col("places").list.join(","),
    )
    plain = table.select([one for one in PLACES.dtypes if one in table.columns]).to_pandas(use_pyarrow_extension_array=False)
    return gpd.GeoDataFrame(_whole(plain), geometry=unions, crs="EPSG:4326")


def unit_layer(reader: Reader, code: str) -> PlaceLayer:
    """Find the layer of units that a code belongs to.

    Raises
    ------
    AnalysisError
        No unit has this code.
    """
    units = [one for one in reader.layers() if one.kind == "unit"]
    found = next((one for one in units if code in set(reader.geometry(one.id)["place"])), None)
    if found is None:
        named = [str(code) for one in units[:3] for code in reader.geometry(one.id)["place"]]
        close = difflib.get_close_matches(code, named, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"codes look like {named[0]!r}" if named else "the base map has no units"
        raise AnalysisError(f"no unit {code!r} in {reader.city.city.name_en}; {hint}")
    return found


def unit_shape(reader: Reader, code: str) -> gpd.GeoDataFrame:
    """Return the one row of a unit: place, name, geometry; errors as for `unit_layer`."""
    shapes = reader.geometry(unit_layer(reader, code).id)
    return shapes[shapes["place"] == code].reset_index(drop=True)


def _joined(shapes: gpd.GeoDataFrame, numbers: pl.DataFrame, category: str, period: AnyPeriod) -> gpd.GeoDataFrame:
    import geopandas as gpd

    shown = [name for name in numbers.columns if name not in ("place", "masked")]
    numbers = numbers.with_columns(
        pl.lit(category).alias("category_code"),
        pl.lit(period.first_on.isoformat()).alias("first_on"),
        pl.lit(period.last_on.isoformat()).alias("last_on"),
        *(pl.when(~pl.col("masked")).then(pl.col(name).cast(pl.Int64) if name in _WHOLE else pl.col(name)).alias(name) for name in shown),
    )
    joined = shapes.merge(numbers.to_pandas(use_pyarrow_extension_array=False), on="place", how="outer", validate="one_to_one")
    joined["masked"] = joined["masked"].fillna(False).astype(bool)
    order = [*(name for name in PLACES.dtypes if name in joined.columns), "geometry"]
    return gpd.GeoDataFrame(_whole(joined.sort_values("place", ignore_index=True)[order]), geometry="geometry", crs=shapes.crs)


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    """Keep whole numbers whole where some are missing."""
    return table.astype({name: "Int64" for name in _WHOLE if name in table.columns})


def _numbers(reader: Reader, layer_id: str, category: str, period_id: str, measure: Measure) -> pl.DataFrame:
    """Gather n and what belongs to it; one file holds one n, since the difference of two would tell what neither shows."""
    table = reader.values(layer_id, category, period_id, measure).table
    if measure == "count":
        return table.select("place", "masked", pl.col("value").alias("n"))
    if measure in _VALUES:
        table = table.drop(_VALUES[measure], strict=False).rename({"value": _VALUES[measure]})
    if measure != "hotspot":
        return table.select(name for name in table.columns if name in PLACES.dtypes)
    numbers = table.select("place", "masked", "n", "neighbourhood_n", "z", "p", "q", "class")
    if reader.exposure_kind == "none":
        return numbers
    ratio = reader.values(layer_id, category, period_id, "ratio").table
    beside = ratio.select("place", "expected", "lower", "upper", pl.col("value").alias("ratio"), pl.col("masked").alias("ratio_masked"))
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
