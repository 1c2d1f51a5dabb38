from pathlib import Path

import polars as pl

from cloudmap.city import open_city
from cloudmap.ingest.taxonomy import category_map, fold_label, read_taxonomy

FOLDER = Path(__file__).parents[2] / "data" / "samples" / "boston"
CITY = open_city(FOLDER)
TAXONOMY = read_taxonomy(CITY)


def labels(source_id: str) -> pl.Series:
    source = CITY.source(source_id)
    (path,) = CITY.source_files(source)
    return pl.read_csv(path, infer_schema=False, columns=[source.fields["category"]]).to_series()


def test_all_158_request_types_have_a_category():
    types = labels("requests").unique()
    known = category_map(CITY, CITY.source("requests"), TAXONOMY)
    assert types.len() == 158
    assert [one for one in types if fold_label(one) not in known] == []


def test_few_requests_fit_no_category():
    table = dict(pl.read_csv(FOLDER / "categories_requests.csv").iter_rows())
    codes = labels("requests").replace_strict(table)
    assert (codes == "OT99").mean() < 0.03
    assert table["Street Light Outages"] == "FC02"


def test_every_offence_has_a_restricted_category():
    known = category_map(CITY, CITY.source("crime"), TAXONOMY)
    codes = {known[fold_label(one)] for one in labels("crime").unique()}
    assert codes == {"PS01", "PS02", "PS04"}
    assert codes <= set(TAXONOMY.restricted)


def test_category_tables_name_no_label_that_the_files_do_not_have():
    for source_id in ("requests", "crime"):
        table = pl.read_csv(CITY.path(CITY.source(source_id).categories))
        assert set(table["raw"]) == set(labels(source_id))


def test_crime_hours_are_local_though_they_claim_utc():
    (path,) = CITY.source_files(CITY.source("crime"))
    frame = pl.read_csv(path, infer_schema=False)
    assert (frame["OCCURRED_ON_DATE"].str.slice(11, 2).cast(pl.Int8) == frame["HOUR"].cast(pl.Int8)).all()
