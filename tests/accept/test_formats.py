"""Every file of the shared formats folder reads right: real names and shapes of Taizhou's nine counties."""

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from cloudmap.city import City, CitySection, UnitFields, UnitLayer
from cloudmap.geo.boundaries import check_units, read_units
from cloudmap.ingest.layers import read_layer
from cloudmap.ingest.tables import open_table

DATA = Path(__file__).parents[2].parent / "shared" / "data"
FORMATS = DATA / "formats"
pytestmark = pytest.mark.accept

FILES = {  # file: (coordinate system, encoding, layer, field of the county's name, repairs)
    "taizhou.gpkg": ("EPSG:4326", "utf-8", "县区", "县区名", {}),
    "taizhou.kml": ("EPSG:4326", "utf-8", "taizhou", "Name", {"height_dropped": 9}),
    "taizhou_epsg4490.parquet": ("EPSG:4490", "utf-8", "taizhou_epsg4490", "县区名", {}),
    "taizhou_gbk_cpg.zip": ("EPSG:4326", "gb18030", "taizhou_gbk_cpg", "县区名", {}),
    "taizhou_gbk_nocpg.zip": ("EPSG:4326", "gb18030", "taizhou_gbk_nocpg", "县区名", {}),
    "taizhou_gbk_epsg4528.zip": ("EPSG:4528", "gb18030", "taizhou_gbk_epsg4528", "县区名", {}),
    "taizhou_gbk_member_names.zip": ("EPSG:4326", "gb18030", "台州县区", "县区名", {}),
    "taizhou_utf8_cpg_epsg4549.zip": ("EPSG:4549", "utf-8", "taizhou_utf8_cpg_epsg4549", "县区名", {}),
    "taizhou_utf8_truncated_fieldname_epsg4549.zip": ("EPSG:4549", "utf-8", "taizhou_utf8_epsg4549", "县区名", {"field_name_cut": 1}),
}


@pytest.fixture(scope="module")
def counties():
    return gpd.read_file(DATA / "luqiao" / "taizhou_counties_mapchina.geojson").set_index("Name_County")


def test_no_layer_of_the_folder_is_forgotten():
    assert {path.name for path in FORMATS.iterdir()} - {"luqiao_villages_gbk.csv"} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_layer_has_its_names_shapes_system_and_encoding(name, counties):
    crs, encoding, layer_name, field, repairs = FILES[name]
    layer = read_layer(FORMATS / name)
    assert (layer.crs, layer.encoding, layer.layer, layer.repairs) == (crs, encoding, layer_name, repairs)
    assert set(layer.frame[field]) == set(counties.index)
    there = layer.frame.to_crs("EPSG:4326").set_index(field).geometry
    apart = shapely.hausdorff_distance(there.to_numpy(), counties.geometry.loc[there.index].to_numpy())
    assert apart.max() < 2e-7
    assert layer.rejected.height == 0
    if name == "taizhou_utf8_truncated_fieldname_epsg4549.zip":
        assert layer.frame["区划代"].str.len().eq(6).all()


@pytest.mark.parametrize("name", FILES)
def test_layer_serves_as_a_base_map(name):
    field = FILES[name][3]
    fields = UnitFields(code=field, name=field)
    city = City(
        folder=FORMATS,
        city=CitySection(name_zh="台州", name_en="Taizhou", code="3310"),
        units=(UnitLayer(level="district", path=name, fields=fields),),
    )
    units = read_units(city)
    assert len(units.frame("district")) == 9
    assert "路桥区" in set(units.frame("district")["code"])
    assert not [one for one in check_units(city, units) if one.kind in ("overlap", "no_shape", "quarantined")]


def test_gbk_table_with_chinese_header():
    with open_table(FORMATS / "luqiao_villages_gbk.csv") as reader:
        rows = [row for block in reader.blocks() for row in block.frame.iter_rows(named=True)]
    assert reader.header == ["区划代码", "名称", "类型", "街道代码"]
    assert len(rows) == 228
    assert rows[0]["名称"] == "方林社区居委会"


def test_boston_keeps_its_counts_after_repair():
    layer = read_layer(DATA / "boston" / "boston_neighborhoods.geojson")
    assert layer.repairs == {"shape_mended": 4}
    assert {layer.frame["name"].iloc[row] for row in layer.mended} == {"Hyde Park", "East Boston", "Downtown", "Beacon Hill"}
    assert all(abs(after - before) < 1 for before, after in layer.mended.values())
    import pandas as pd

    table = pd.read_csv(DATA / "boston" / "boston_311_2015.csv.gz", usecols=["LONGITUDE", "LATITUDE"])
    points = gpd.GeoSeries.from_xy(table["LONGITUDE"], table["LATITUDE"]).to_numpy()
    hits = shapely.STRtree(layer.frame.geometry.to_numpy()).query(points, predicate="covered_by")[0]
    per_point = pd.Series(hits).value_counts().value_counts()
    assert per_point.to_dict() == {1: 121_120}
    assert len(points) - len(hits) == 25
