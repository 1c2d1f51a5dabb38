"""A file of reports becomes clean rows."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from cloudmap.city import City, Source
from cloudmap.errors import ConfigError, CoordinateError, SchemaError, SourceError
from cloudmap.ingest import delimited
from cloudmap.ingest.ledger import Ledger
from cloudmap.ingest.reports import ReportReader, read_reports
from cloudmap.ingest.taxonomy import read_taxonomy
from cloudmap.schema import CLEAN, REJECTED, flag_counts

FIELDS = {
    "id": "编号", "category": "类别", "reported_at": "上报时间", "closed_at": "办结时间", "state": "状态", "lon": "经度", "lat": "纬度",
    "unit_code": "微格", "reporter_id": "上报人", "reporter_kind": "身份", "text": "内容", "address": "地址", "tier": "层级",
}  # fmt: skip
HEADER = list(FIELDS.values())
ROW = [
    "0012",
    "路灯",
    "2016年3月5日 14时20分",
    "2016-03-06 09:00",
    "已办结",
    "121.37",
    "28.58",
    "331004001002003",
    "g-17",
    "网格员",
    "路灯不亮",
    "路桥大道",
    "议事会",
]
STATES = {"已办结": "closed", "处理中": "handling"}
LUQIAO = (121.2, 28.4, 121.65, 28.7)


class Desk:
    """Writes files and reads them as reports."""

    def __init__(self, folder: Path) -> None:
        self.city = City(folder=folder, city={"name_zh": "甲", "name_en": "A", "code": "331004"})
        self.taxonomy = read_taxonomy(self.city)

    def write(self, rows: list[list[str]], header: list[str] | None = None, name: str = "reports.csv") -> Path:
        path = self.city.folder / name
        path.write_text("\n".join(",".join(row) for row in [header or HEADER, *rows]) + "\n", encoding="utf-8")
        return path

    def reader(self, path: Path, *, extent: tuple[float, float, float, float] | None = None, **more: object) -> ReportReader:
        settings = {"fields": FIELDS, "states": STATES, "format": "csv", "encoding": "utf-8", "delimiter": ",", **more}
        source = Source(id="app", name_zh="甲", name_en="A", path=path.name, **settings)  # type: ignore[arg-type]
        return read_reports(self.city, source, path, self.taxonomy, extent=extent)

    def read(self, rows: list[list[str]], header: list[str] | None = None, **more: object) -> tuple[pl.DataFrame, pl.DataFrame]:
        with self.reader(self.write(rows, header), **more) as reader:  # type: ignore[arg-type]
            batches = list(reader.batches())
        assert sum(batch.records_n for batch in batches) == len(rows)
        return pl.concat([batch.rows for batch in batches]), pl.concat([batch.rejected for batch in batches])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def row(**changes: str) -> list[str]:
    return [changes.get(name, value) for name, value in zip(FIELDS, ROW, strict=True)]


def test_every_field_is_read(desk: Desk) -> None:
    rows, rejected = desk.read([ROW])
    assert rows.schema == pl.Schema(CLEAN.dtypes)
    assert rejected.schema == pl.Schema(REJECTED.dtypes)
    found = rows.row(0, named=True)
    digest = found.pop("reporter_hash")
    assert found == {
        "line_no": 2,
        "report_id": "app:0012",
        "source_id": "app",
        "source_report_id": "0012",
        "category_code": "FC02",
        "category_raw": "路灯",
        "occurred_at": datetime(2016, 3, 5, 6, 20, tzinfo=UTC),
        "reported_at": datetime(2016, 3, 5, 6, 20, tzinfo=UTC),
        "closed_at": datetime(2016, 3, 6, 1, tzinfo=UTC),
        "due_at": None,
        "state": "closed",
        "x": 121.37,
        "y": 28.58,
        "unit_named": "331004001002003",
        "reporter_kind": "staff",
        "text": "路灯不亮",
        "address": "路桥大道",
        "tier": "hall",
        "flags": 0,
    }
    assert len(digest) == 16
    assert int(digest, 16) >= 0


def test_reporters_are_hashed_with_the_citys_salt(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = desk.read([row(), row(id="2"), row(id="3", reporter_id="g-18"), row(id="4", reporter_id="")])
    hashes = one["reporter_hash"].to_list()
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[3] is None
    monkeypatch.setenv("CLOUDMAP_SALT", "another")
    other, _ = desk.read([row()])
    assert other["reporter_hash"][0] != hashes[0]


def test_two_times_fall_back_on_each_other(desk: Desk) -> None:
    header = ["n", "occurred", "reported"]
    fields = {"id": "n", "occurred_at": "occurred", "reported_at": "reported"}
    rows, rejected = desk.read([["1", "2016-03-05", ""], ["2", "", "2016-03-06"], ["3", "", ""]], header, fields=fields)
    assert rows["occurred_at"].to_list() == rows["reported_at"].to_list()
    assert rejected.select("line_no", "field", "rule").row(0) == (4, "occurred + reported", "blank_time")


def test_columns_are_joined(desk: Desk) -> None:
    fields = {"category": ["大类", "小类"], "occurred_at": ["日期", "时间"]}
    rows, _ = desk.read(
        [["公共设施", "路灯", "2016/3/5", "14:20"]], ["大类", "小类", "日期", "时间"], fields=fields, categories={"公共设施 > 路灯": "FC02"}
    )
    assert rows.select("category_raw", "category_code").row(0) == ("公共设施 > 路灯", "FC02")
    assert rows["occurred_at"][0] == datetime(2016, 3, 5, 6, 20, tzinfo=UTC)


def test_without_an_id_equal_records_are_one_report(desk: Desk) -> None:
    fields = {name: column for name, column in FIELDS.items() if name != "id"}
    rows, _ = desk.read([row(), row(), row(text="另一件")], fields=fields)
    assert rows["report_id"].n_unique() == 2
    assert rows["source_report_id"].str.len_chars().unique().to_list() == [16]


def test_state_comes_from_closing_where_no_state_is_mapped(desk: Desk) -> None:
    rows, _ = desk.read([row(), row(id="2", closed_at="")], fields={name: column for name, column in FIELDS.items() if name != "state"})
    assert rows["state"].to_list() == ["closed", "open"]


def test_unknown_states_are_flagged(desk: Desk) -> None:
    rows, _ = desk.read([row(), row(id="2", state="不明"), row(id="3", state=""), row(id="4", state="suspended")])
    assert rows["state"].to_list() == ["closed", None, None, "suspended"]
    assert flag_counts(rows["flags"]) == {"state_unknown": 1}


def test_text_and_address_are_scrubbed(desk: Desk) -> None:
    rows, _ = desk.read([row(text="联系人张三13812345678"), row(id="2", address="12幢3单元402室"), row(id="3")])
    assert rows["text"][0] == "联系人〔姓名〕〔电话〕"
    assert rows["address"][1] == "12幢〔房号〕"
    assert flag_counts(rows["flags"]) == {"text_scrubbed": 2}


def test_the_quarantine_is_scrubbed(desk: Desk) -> None:
    _, rejected = desk.read([row(), row(id="2", reported_at="张三13812345678")])
    assert rejected["value"].to_list() == ["张三〔电话〕"]
    assert "sources.app.time_format" in rejected["detail"][0]


def test_one_source_one_category(desk: Desk) -> None:
    rows, _ = desk.read([row(category="anything")], category_code="PS01")
    assert rows.select("category_code", "category_raw", "flags").row(0) == ("PS01", "anything", 0)


def test_evidence_tells_what_was_decided(desk: Desk) -> None:
    with desk.reader(desk.write([ROW])) as reader:
        told = "\n".join(reader.evidence)
    assert reader.header == HEADER
    for part in ("id: 编号", "上报时间: %Y年%m月%d日%H时%M分", "naive times are Asia/Shanghai", "coordinates: degrees; 1 of 1"):
        assert part in told


def test_batches_can_be_read_again(desk: Desk) -> None:
    with desk.reader(desk.write([ROW, row(id="2")])) as reader:
        first, second = (pl.concat([batch.rows for batch in reader.batches()]) for _ in range(2))
    assert first.equals(second)


@pytest.mark.parametrize("date", ["13/05/2016", "05/13/2016"])
def test_no_record_is_missed_where_deciding_took_several_blocks(desk: Desk, monkeypatch: pytest.MonkeyPatch, date: str) -> None:
    monkeypatch.setattr(delimited, "CELLS_PER_BLOCK", 2 * len(HEADER))
    rows = [row(id=str(number), reported_at="05/06/2016 10:00", closed_at="") for number in range(7)]
    rows.append(row(id="7", reported_at=f"{date} 10:00", closed_at=""))
    with desk.reader(desk.write(rows)) as reader:
        for _ in range(2):
            batches = list(reader.batches())
            assert [one.records_n for one in batches] == [1, 2, 2, 2, 1]
            assert pl.concat([one.rows for one in batches])["source_report_id"].to_list() == [str(number) for number in range(8)]
            assert batches[0].rows["reported_at"][0].month == (6 if date.startswith("13") else 5)


def test_the_first_block_is_read_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "CELLS_PER_BLOCK", 2 * len(HEADER))
    made: list[int] = []
    as_block = delimited._as_block
    monkeypatch.setattr(delimited, "_as_block", lambda *parts: made.append(1) or as_block(*parts))
    with desk.reader(desk.write([row(id=str(number)) for number in range(5)])) as reader:
        assert sum(batch.records_n for batch in reader.batches()) == 5
    assert len(made) == 3


def test_empty_file_has_no_batch_with_rows(desk: Desk) -> None:
    with desk.reader(desk.write([])) as reader:
        assert sum(batch.records_n for batch in reader.batches()) == 0


def test_unusable_settings_are_refused(desk: Desk) -> None:
    path = desk.write([ROW])
    with pytest.raises(ConfigError, match="lon without lat"):
        desk.reader(path, fields={"id": "编号", "reported_at": "上报时间", "lon": "经度"})
    with pytest.raises(ConfigError, match=r"sources\.app\.timezone = 'Mars'"):
        desk.reader(path, timezone="Mars")


def test_fault_44_missing_required_field(desk: Desk) -> None:
    header = ["ID" if name == "编号" else "上报时问" if name == "上报时间" else name for name in HEADER]
    with pytest.raises(SchemaError, match=r"reports\.csv: .*'编号' \(id\), '上报时间' \(reported_at; did you mean '上报时问'\?\)"):
        desk.reader(desk.write([ROW], header))


def test_fault_47_scientific_ids_are_quarantined(desk: Desk) -> None:
    rows, rejected = desk.read([row(), row(id="1.2E+17"), row(id="1.01001E+11"), row(id=""), row(id="12E3")])
    assert rows["source_report_id"].to_list() == ["0012", "12E3"]
    assert rejected["rule"].to_list() == ["id_in_scientific_notation", "id_in_scientific_notation", "blank_id"]


def test_fault_48_leading_zeros_are_kept(desk: Desk) -> None:
    rows, _ = desk.read([row(id="0012"), row(id="12")])
    assert rows["source_report_id"].to_list() == ["0012", "12"]


def test_ambiguous_dates_are_refused(desk: Desk) -> None:
    with pytest.raises(SourceError, match="day_first or month_first"):
        desk.reader(desk.write([row(reported_at="05/01/2016", closed_at="")]))


def test_projected_numbers_under_declared_degrees_are_refused(desk: Desk) -> None:
    with pytest.raises(CoordinateError, match=r"sources\.app\.crs = 'EPSG:4490', but 1 of 1 points, such as 634034, 3157000"):
        desk.reader(desk.write([row(lon="634034", lat="3157000")]), crs="EPSG:4490")


def test_ledger_of_a_file_adds_up(desk: Desk) -> None:
    ledger = Ledger("app", "reports.csv")
    with desk.reader(desk.write([ROW, row(id=""), row(id="3", lon="x"), row(id="4", lon="28.58", lat="121.37")])) as reader:
        for batch in reader.batches():
            ledger.add_records(batch.records_n)
            ledger.add_class("quarantined", batch.rejected.height)
            ledger.add_class("located", batch.rows.height)
            ledger.add_repairs(flag_counts(batch.rows["flags"]))
    ledger.check()
    assert ledger.as_dict()["repairs"] == {"axes_swapped": 1}
