"""A city file proposed for files that nobody described."""

import random
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cloudmap.city import open_city
from cloudmap.errors import ConfigError, SourceError
from cloudmap.ingest.reports import read_reports
from cloudmap.ingest.taxonomy import read_taxonomy
from cloudmap.propose import propose_city

SQUARES = [
    {"type": "Feature", "properties": {"代码": f"33100400{n}", "名称": f"{name}街道", "人口": 1000 * n},
     "geometry": {"type": "Polygon", "coordinates": [[[x, 28.5], [x + 0.1, 28.5], [x + 0.1, 28.6], [x, 28.6], [x, 28.5]]]}}
    for n, name, x in ((1, "甲", 121.3), (2, "乙", 121.4), (3, "丙", 121.5))
]  # fmt: skip


def write_csv(path: Path, rows: list[dict[str, Any]], *, encoding: str = "utf-8") -> Path:
    lines = [",".join(rows[0])] + [",".join(str(value) for value in row.values()) for row in rows]
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


def write_squares(folder: Path, name: str = "街道.geojson") -> Path:
    import json

    path = folder / name
    path.write_text(json.dumps({"type": "FeatureCollection", "features": SQUARES}, ensure_ascii=False), encoding="utf-8")
    return path


def reports(n: int = 400, *, seed: int = 1) -> list[dict[str, Any]]:
    r = random.Random(seed)
    return [
        {
            "案件编号": f"A{10_000 + one}",
            "案件类型": r.choice(["路灯不亮", "垃圾堆放", "乱停车", "其他事情"]),
            "上报时间": f"2016年{r.randrange(1, 13)}月{r.randrange(1, 28)}日 {r.randrange(24)}时{r.randrange(60)}分",
            "办结时间": f"2016/{r.randrange(1, 13)}/{r.randrange(1, 28)} 12:00" if one % 3 else "",
            "案件状态": "已办结" if one % 3 else r.choice(["处理中", "飞了"]),
            "经度": f"{r.uniform(121.31, 121.59):.6f}",
            "纬度": f"{r.uniform(28.51, 28.59):.6f}",
            "街道": r.choice(["甲街道", "乙街道"]),
            "上报人": f"g{r.randrange(40)}",
            "问题描述": f"第{one}件事情在路口附近",
        }
        for one in range(n)
    ]


def proposal(folder: Path, *files: Path, **more: Any) -> tuple[dict[str, Any], str]:
    text = propose_city(folder, files, **more)
    return tomllib.loads(text), text


def test_chinese_reports_and_streets(tmp_path: Path) -> None:
    files = write_csv(tmp_path / "案件.csv", reports(), encoding="gb18030"), write_squares(tmp_path)
    found, text = proposal(tmp_path / "city", *files, name="路桥")
    assert found["city"]["name_zh"] == "路桥"
    assert found["city"] | {"timezone": "Asia/Shanghai", "metric_crs": "EPSG:4549", "code": "331004"} == found["city"]
    (unit,) = found["units"]
    assert (unit["level"], unit["path"]) == ("street", "../街道.geojson")
    assert unit["fields"] == {"code": "代码", "name": "名称", "population": "人口"}
    (source,) = found["sources"]
    assert source["fields"] == {
        "id": "案件编号", "category": "案件类型", "reported_at": "上报时间", "closed_at": "办结时间", "state": "案件状态",
        "lon": "经度", "lat": "纬度", "unit_code": "街道", "reporter_id": "上报人", "text": "问题描述",
    }  # fmt: skip
    assert source["encoding"] == "gb18030"
    assert source["states"] == {"已办结": "closed", "处理中": "handling"}
    assert '# "飞了" = "..."   UNDECIDED' in text


def test_every_setting_of_a_source_has_its_evidence(tmp_path: Path) -> None:
    _, text = proposal(tmp_path / "city", write_csv(tmp_path / "a.csv", reports()), write_squares(tmp_path))
    fields = text.split("[sources.fields]")[1].split("[sources.states]")[0].strip().splitlines()
    assert len(fields) == 10
    assert all("# " in line for line in fields)


def test_the_proposal_loads_without_a_hand(tmp_path: Path) -> None:
    folder = tmp_path / "city"
    text = propose_city(folder, [write_csv(tmp_path / "a.csv", reports()), write_squares(tmp_path)])
    (folder / "city.toml").write_text(text, encoding="utf-8")
    city = open_city(folder)
    source = city.sources[0]
    (path,) = city.source_files(source)
    with read_reports(city, source, path, read_taxonomy(city)) as reader:
        batches = list(reader.batches())
    rows = pl.concat([batch.rows for batch in batches])
    assert rows.height == 400
    assert rows["reported_at"].null_count() == rows["x"].null_count() == 0
    table = pl.read_csv(folder / "categories_a.csv", infer_schema=False)
    assert table.columns == ["raw", "code", "n", "why"]
    assert dict(zip(table["raw"], table["code"], strict=True)) == {
        "路灯不亮": "FC02",
        "垃圾堆放": "AP01",
        "乱停车": "ST03",
        "其他事情": "OT99",
    }


def test_corrections_are_never_overwritten(tmp_path: Path) -> None:
    files = [write_csv(tmp_path / "a.csv", reports())]
    propose_city(tmp_path / "city", files)
    with pytest.raises(SourceError, match="may hold your corrections"):
        propose_city(tmp_path / "city", files)


def test_files_of_one_feed_are_one_source(tmp_path: Path) -> None:
    files = [write_csv(tmp_path / f"app_{year}.csv", reports(seed=year)) for year in (2016, 2017)]
    found, _ = proposal(tmp_path / "city", *files)
    (source,) = found["sources"]
    assert (source["id"], source["path"]) == ("app", "../app_*.csv")


def test_undecided_days_and_months_stay_a_comment(tmp_path: Path) -> None:
    rows = [
        {"id": n, "type": "noise" if n % 2 else "theft", "date": f"0{n % 9 + 1}/0{n % 7 + 1}/2016", "lon": 0.1 + n / 1e4, "lat": 51.5}
        for n in range(200)
    ]
    found, text = proposal(tmp_path / "city", write_csv(tmp_path / "log.csv", rows))
    assert "time_format" not in found["sources"][0]
    assert '# UNDECIDED time_format = "day_first" or "month_first"' in text


def test_offset_that_another_column_contradicts(tmp_path: Path) -> None:
    r = random.Random(3)
    rows = []
    for n in range(300):
        hour = r.randrange(24)
        rows.append(
            {
                "incident_number": n,
                "type": "theft" if n % 2 else "fraud",
                "occurred": f"2016-05-{n % 28 + 1:02d} {hour:02d}:10:00+00",
                "HOUR": hour,
                "lat": 42.36 + n / 1e5,
                "long": -71.06 + n / 1e5,
            }
        )
    found, text = proposal(tmp_path / "city", write_csv(tmp_path / "crime.csv", rows))
    assert found["city"]["timezone"] == "America/New_York"
    assert found["sources"][0]["time_format"] == "%Y-%m-%d %H:%M:%S+00"
    assert "written but not meant" in text


def test_ids_that_repeat_with_other_times_are_no_ids(tmp_path: Path) -> None:
    rows = reports()
    for one in range(0, 60, 2):
        rows[one]["案件编号"] = rows[one + 1]["案件编号"]
    found, text = proposal(tmp_path / "city", write_csv(tmp_path / "a.csv", rows))
    assert "id" not in found["sources"][0]["fields"]
    assert "案件编号 is not unique" in text
    for one in range(0, 60, 2):
        rows[one]["上报时间"] = rows[one + 1]["上报时间"]
    found, _ = proposal(tmp_path / "other", write_csv(tmp_path / "a.csv", rows))
    assert found["sources"][0]["fields"]["id"] == "案件编号"


def test_surveyors_axes_are_exchanged(tmp_path: Path) -> None:
    rows = [
        {"编号": n, "类别": "路灯" if n % 2 else "井盖", "时间": f"2016-03-{n % 28 + 1:02d}", "X坐标": 3_157_000 + n, "Y坐标": 634_000 + n}
        for n in range(200)
    ]
    found, text = proposal(tmp_path / "city", write_csv(tmp_path / "a.csv", rows))
    fields = found["sources"][0]["fields"]
    assert (fields["lon"], fields["lat"]) == ("Y坐标", "X坐标")
    assert "surveyors" in text
    assert "# UNDECIDED crs" in text


def test_personal_data_do_not_reach_the_proposal(tmp_path: Path) -> None:
    rows = [row | {"案件类型": "联系人张三13812345678"} if n % 2 else row for n, row in enumerate(reports())]
    _, text = proposal(tmp_path / "city", write_csv(tmp_path / "a.csv", rows))
    assert "13812345678" not in text
    assert "张三" not in text


def test_what_is_no_report_is_said_to_be_none(tmp_path: Path) -> None:
    units = write_csv(tmp_path / "villages.csv", [{"code": 331004001000 + n, "name": f"村{n}"} for n in range(30)])
    broken = tmp_path / "broken.csv"
    broken.write_bytes(b"")
    found, text = proposal(tmp_path / "city", units, broken, write_squares(tmp_path, "rivers.geojson"))
    assert "sources" not in found
    assert "# NOT USED villages.csv: 30 records, no reports (no column of times): a list of units without shapes" in text
    assert "# NOT USED broken.csv" in text
    assert [water["kind"] for water in found["water"]] == ["river"]


def test_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no files"):
        propose_city(tmp_path, [])
