"""The taxonomy and a source's category table."""

from pathlib import Path

import pytest

from cloudmap.city import City, Source
from cloudmap.errors import ConfigError
from cloudmap.ingest.taxonomy import COLUMNS, UNKNOWN_CODE, category_map, fold_label, read_taxonomy, shipped_taxonomy

HEADER = ",".join(COLUMNS)
OTHER = "OT99,OT,其他,Other,未分类,unclassified,1,0,1,microgrid,"


def city_in(folder: Path, **taxonomy: object) -> City:
    return City(folder=folder, city={"name_zh": "甲", "name_en": "A", "code": "1"}, taxonomy=taxonomy)


def source_with(**more: object) -> Source:
    return Source(id="app", name_zh="甲", name_en="A", path="a.csv", fields={"reported_at": "t"}, **more)


def test_shipped_table_is_read(tmp_path: Path) -> None:
    taxonomy = read_taxonomy(city_in(tmp_path, severity_weights=(1, 2, 5, 9)))
    assert taxonomy.codes[0] == "DS01"
    assert UNKNOWN_CODE in taxonomy.codes
    assert taxonomy.groups["FC"] == ["FC01", "FC02", "FC03", "FC04", "FC05"]
    assert sum(len(codes) for codes in taxonomy.groups.values()) == len(taxonomy.codes)
    assert {"DS01", "PS01"} <= taxonomy.restricted
    assert "FC02" not in taxonomy.restricted
    assert "LV05" not in taxonomy.scored
    assert taxonomy.severity_weight("SH04") == 9
    assert taxonomy.name("FC02") == "路灯"
    assert taxonomy.name("FC", "en") == "Public facilities"
    assert taxonomy.parent("FC02") == taxonomy.parent("FC") == "FC"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([HEADER.replace(",tier", ""), OTHER.replace("microgrid,", "")], "tier missing"),
        ([HEADER, OTHER, OTHER], "OT99 given twice"),
        ([HEADER, OTHER.replace(",1,0,1,", ",5,0,1,")], "severity = '5'"),
        ([HEADER, OTHER.replace("microgrid", "palace")], "tier = 'palace'"),
        ([HEADER, OTHER.replace("OT99", "OT01")], "no category OT99"),
    ],
)
def test_broken_table_is_refused(tmp_path: Path, lines: list[str], expected: str) -> None:
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError, match=expected):
        read_taxonomy(city_in(tmp_path, path="t.csv"))


def test_missing_table_and_unknown_limit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"taxonomy\.path: no file"):
        read_taxonomy(city_in(tmp_path, path="none.csv"))
    with pytest.raises(ConfigError, match="did you mean 'FC02'"):
        read_taxonomy(city_in(tmp_path, limits={"FC002": 8.0}))


def test_labels_map_by_table_by_name_and_by_code(tmp_path: Path) -> None:
    mapping = category_map(city_in(tmp_path), source_with(categories={"Street  Lights": "FC02"}), shipped_taxonomy())
    for label, code in {"street lights": "FC02", "路灯": "FC02", "Street Light": "FC02", "FC02": "FC02", "盗窃": "PS01"}.items():
        assert mapping[fold_label(label)] == code


def test_table_beside_the_city_file(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("﻿raw,code,n\n路灯坏了,FC02,12\n路灯坏了 ,FC02,1\n", encoding="utf-8")
    assert category_map(city_in(tmp_path), source_with(categories=Path("c.csv")), shipped_taxonomy())["路灯坏了"] == "FC02"


def test_wrong_codes_name_the_nearest(tmp_path: Path) -> None:
    taxonomy = shipped_taxonomy()
    with pytest.raises(ConfigError, match="did you mean 'FC02'"):
        category_map(city_in(tmp_path), source_with(categories={"x": "FCO2"}), taxonomy)
    with pytest.raises(ConfigError, match="category_code"):
        category_map(city_in(tmp_path), source_with(category_code="PS001"), taxonomy)
    with pytest.raises(ConfigError, match="both FC02 and FC03"):
        category_map(city_in(tmp_path), source_with(categories={"x": "FC02", "X": "FC03"}), taxonomy)
