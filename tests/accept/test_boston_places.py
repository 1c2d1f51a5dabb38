"""Boston's 121,145 requests of 2015: each neighbourhood has the count that geopandas gives, and City Hall is the one pile-up."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import polars as pl
import pytest

from cloudmap.geo.locate import Locator, PileUps
from tests.geo.squares import base_map

pytestmark = pytest.mark.accept
BOSTON = Path(__file__).parents[2].parent / "shared" / "data" / "boston"


@pytest.fixture(scope="module")
def requests():
    return pl.read_csv(BOSTON / "boston_311_2015.csv.gz", infer_schema=False).select(
        lon=pl.col("LONGITUDE").cast(pl.Float64), lat=pl.col("LATITUDE").cast(pl.Float64)
    )


def test_counts_of_each_neighbourhood_equal_geopandas(requests):
    drawn = gpd.read_file(BOSTON / "boston_neighborhoods.geojson")
    drawn["geometry"] = drawn.geometry.make_valid()
    locator = Locator(base_map(community=[(name, name, None, shape) for name, shape in zip(drawn["name"], drawn.geometry, strict=True)]))
    found = locator.codes("community", requests["lon"], requests["lat"])
    assert ((found >= 0).sum(), (found < 0).sum()) == (121_120, 25)

    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(requests["lon"], requests["lat"]), crs="EPSG:4326")
    expected = points.sjoin(drawn[["name", "geometry"]], predicate="covered_by")["name"].value_counts()
    names, counts = np.unique(locator.unit_codes["community"][found[found >= 0]].astype(str), return_counts=True)
    assert dict(zip(names, counts, strict=True)) == expected.to_dict()


def test_city_hall_is_the_only_pile_up_at_the_default_share(requests):
    counter = PileUps()
    for start in range(0, requests.height, 50_000):
        batch = requests.slice(start, 50_000)
        counter.add(batch["lon"], batch["lat"])
    decided = counter.decide(min_n=50, share=0.01)
    assert decided.filter("pile_up").select("x", "y", "n").rows() == [(-71.0587, 42.3594, 17_070)]
    assert decided.filter(~pl.col("pile_up"))["n"].max() == 387
