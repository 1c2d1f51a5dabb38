"""Sheets that are written by column hold what XlsxWriter would write cell by cell."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

import openpyxl
import polars as pl
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from cloudmap.errors import SourceError
from cloudmap.publish import sheets
from cloudmap.publish.sheets import write_sheets
from cloudmap.publish.writing import fill_rows

AT = datetime(2018, 9, 3, 1, 30, tzinfo=UTC)
ANY = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.sampled_from(["_x000D_", "\r\n", "\t=1", "<&>", "\x00\ufffe"])
FRAMES = st.lists(
    st.tuples(
        st.none() | ANY,
        st.none() | st.integers(-(2**40), 2**40),
        st.none() | st.floats(-1e12, 1e12),
        st.none() | st.booleans(),
        st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    ),
    max_size=8,
)
SCHEMA = {"text": pl.String, "n": pl.Int64, "value": pl.Float64, "masked": pl.Boolean, "day": pl.Date}


def _cells(path, name="s"):
    return [[(cell.value, cell.data_type) for cell in row] for row in openpyxl.load_workbook(path)[name].iter_rows()]


@given(FRAMES)
def test_every_cell_is_as_if_written_one_by_one(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("sheets")
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    write_sheets(folder / "fast.xlsx", {"s": frame}, created=AT)
    with xlsxwriter.Workbook(str(folder / "slow.xlsx"), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        sheet = book.add_worksheet("s")
        fill_rows(sheet, 0, [frame.columns])
        shown = frame.with_columns(pl.col("text").str.replace_all("[\ufffe\uffff]", "\ufffd"))
        fill_rows(sheet, 1, shown.rows())
    fast, slow = (_cells(folder / f"{name}.xlsx") for name in ("fast", "slow"))
    # openpyxl takes the escape of an escape back in one way of storing text only, and there takes an empty text for a missing one
    fast = [[(value.replace("x005F_", "") if isinstance(value, str) else value, kind) for value, kind in row] for row in fast]
    plain = [[("", "n") if value in ("", None) else (value, kind) for value, kind in row] for row in fast]
    wanted = [[("", "n") if value in ("", None) else (value, kind) for value, kind in row] for row in slow]
    assert [[kind for _, kind in row] for row in plain[: len(wanted)]] == [[kind for _, kind in row] for row in wanted]
    for mine, told in zip(plain, wanted, strict=False):
        for (one, _), (other, _) in zip(mine, told, strict=True):
            assert one == (pytest.approx(other, rel=1e-14) if isinstance(other, float) else other)


def test_times_keep_their_zone_and_what_is_not_a_number_is_left_out(tmp_path):
    frame = pl.DataFrame({"at": [AT, None], "value": [math.nan, math.inf]})
    write_sheets(tmp_path / "t.xlsx", {"s": frame}, created=AT)
    assert [[value for value, _ in row] for row in _cells(tmp_path / "t.xlsx")][1] == ["2018-09-03T01:30:00+00:00", None]


def test_all_rows_of_several_blocks_and_sheets_are_there_for_every_reader(tmp_path, monkeypatch):
    monkeypatch.setattr(sheets, "_ROWS_AT_ONCE", 7)
    frame = pl.DataFrame({"id": [f"r{at}" for at in range(50)], "n": range(50)})
    write_sheets(tmp_path / "s.xlsx", {"one": frame, "two": frame.head(3), "none": frame.head(0)}, created=AT)
    for name, height in (("one", 50), ("two", 3)):
        told = CalamineWorkbook.from_path(tmp_path / "s.xlsx").get_sheet_by_name(name).to_python()
        assert [tuple(row) for row in told] == [("id", "n"), *frame.head(height).rows()]
        book = openpyxl.load_workbook(tmp_path / "s.xlsx", read_only=True)
        assert list(book[name].iter_rows(min_row=2, values_only=True)) == frame.head(height).rows()
    assert openpyxl.load_workbook(tmp_path / "s.xlsx")["none"].max_row == 1


def test_more_rows_than_a_sheet_holds_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sheets, "ROWS_MAX", 3)
    with pytest.raises(SourceError, match="export CSV or Parquet"):
        write_sheets(tmp_path / "s.xlsx", {"s": pl.DataFrame({"n": [1, 2, 3]})}, created=AT)
    assert not (tmp_path / "s.xlsx").exists()
