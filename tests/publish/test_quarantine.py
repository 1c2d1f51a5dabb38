from __future__ import annotations

import polars as pl
import pytest

from cloudmap.city import Source
from cloudmap.errors import AccessError, AnalysisError, SourceError
from cloudmap.publish.layers import export
from cloudmap.publish.quarantine import quarantine_table

LINES = [
    "编号,时间,内容",
    "1,2018-01-01,好",
    '2,没有时间,"电话13812345678，',
    '第二行"',
    "3,2018-01-03,好,多一格",
    "4,2018-01-04,好",
]


@pytest.fixture
def with_file(reader, monkeypatch):
    (reader.city.folder / "app.csv").write_bytes("\r\n".join(LINES).encode("gb18030"))
    source = Source(id="app", name_zh="民情", name_en="app", path="*.csv", fields={"occurred_at": "时间"})
    monkeypatch.setattr(reader, "city", reader.city.model_copy(update={"sources": (source,)}))
    row = reader.quarantine()
    rows = pl.concat([row.with_columns(line_no=pl.lit(line, dtype=pl.Int64)) for line in (5, 3)])
    monkeypatch.setattr(reader, "quarantine", lambda: rows)
    return reader


def test_raw_reads_the_owners_records_again(with_file):
    table = quarantine_table(with_file, raw=True)
    assert table["line_no"].to_list() == [3, 5]
    assert table["value"].to_list() == ['2,没有时间,"电话13812345678，\r\n第二行"', "3,2018-01-03,好,多一格"]


def test_raw_leaves_a_line_in_the_audit_log_that_says_so(with_file, tmp_path, audited):
    export(with_file, "quarantine", tmp_path / "q.csv", raw=True)
    assert audited()[-1]["details"]["raw"] is True
    assert "13812345678" not in (with_file.city.folder / "audit.log").read_text(encoding="utf-8")


def test_without_raw_the_scrubbed_value_stands(with_file):
    assert quarantine_table(with_file)["value"].to_list() == ["=cmd|' /C calc'!A0"] * 2


def test_raw_says_where_a_file_is_missing_or_changed(with_file):
    path = with_file.city.folder / "app.csv"
    path.write_text("\n".join(LINES[:2]), encoding="utf-8")
    with pytest.raises(SourceError, match="no longer has a record at line 3"):
        quarantine_table(with_file, raw=True)
    path.unlink()
    with pytest.raises(SourceError, match=r"app\.csv of source app is not among '\*\.csv'"):
        quarantine_table(with_file, raw=True)


def test_raw_is_for_the_quarantine_inside_only(fake, reader, tmp_path):
    with pytest.raises(AccessError):
        quarantine_table(fake(outside=True), raw=True)
    with pytest.raises(AnalysisError, match="never exported"):
        export(reader, "reports", tmp_path / "r.csv", raw=True)
