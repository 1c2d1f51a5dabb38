"""Backups, restoring and copies, between stores of every kind."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cloudmap.errors import StoreError
from cloudmap.store import Store
from cloudmap.store.backup import opened_backup, restore, write_backup
from cloudmap.store.contents import RowDigest, move, take_stock
from cloudmap.store.lake import Lake
from tests.store.facts import key, load, rejected, reports
from tests.store.writer import Writer, open_at


def _fill(store: Store) -> None:
    """Three loads with replaced rows and differing columns, one of them undone; results and remembered tables."""
    load(store, "a", reports(range(40)))
    load(store, "b", reports(range(30, 60), category="SA02").with_columns(cell_10=pl.lit(7, dtype=pl.Int64)))
    load(store, "c", reports([1, 2], category="SA03"))
    store.undo(3)
    with store.draft(key("d")) as draft:
        draft.remember("pile_ups", rejected(4))
        draft.commit({"evidence": {"区": "路桥", "share": 0.25}})
    store.save_result("cube", "k1", reports(range(3)), {"load": 1})
    store.save_result("cube", "k2", reports(range(4)), {"load": 2})


def _same(one: Store, other: Store) -> None:
    assert one.loads() == other.loads()
    assert one.state() == other.state()
    for as_of in (None, 1, 2):
        assert_frame_equal(one.read("reports", as_of=as_of), other.read("reports", as_of=as_of))
    assert_frame_equal(one.read("quarantine"), other.read("quarantine"))
    assert_frame_equal(one.recall("pile_ups"), other.recall("pile_ups"))
    for name in ("k1", "k2"):
        mine, theirs = one.result("cube", name), other.result("cube", name)
        assert mine is not None
        assert theirs is not None
        assert_frame_equal(mine.frame, theirs.frame)
        assert mine.provenance == theirs.provenance
    assert take_stock(one) == take_stock(other)


@pytest.fixture
def filled(store: Store) -> Store:
    _fill(store)
    return store


def test_fault_83_restored_elsewhere_everything_is_equal(filled: Store, new_address: Callable[[], str], tmp_path: Path) -> None:
    file = tmp_path / "city.backup"
    written = write_backup(filled, file, city="331004")
    elsewhere = new_address()
    with opened_backup(file, city="331004") as whole:
        restored = restore(whole, open_at(elsewhere, create=True))
    assert written == restored == take_stock(filled)
    assert (written.loads_n, written.rows, written.results_n, written.remembered_n) == (4, {"quarantine": 3, "reports": 72}, 2, 1)
    _same(filled, open_at(elsewhere))
    assert open_at(elsewhere).compact() == 0
    assert load(open_at(elsewhere), "e", reports([1])).load_seq == 5


def test_a_store_moves_into_the_other_kind_and_back(filled: Store, kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    other = (
        Lake.open(tmp_path / "other", create=True) if kind == "postgis" else open_at(request.getfixturevalue("postgis_url"), create=True)
    )
    back = Lake.open(tmp_path / "back", create=True)
    with filled.contents() as contents:
        sent = move(contents, other)
    with other.contents() as contents:
        assert move(contents, back) == sent
    _same(filled, other)
    _same(filled, back)


def test_a_backup_of_the_same_store_has_the_same_bytes_and_is_the_owners(filled: Store, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_backup(filled, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(tmp_path / "one") as archive:
        assert archive.testzip() is None
        assert "manifest.json" in archive.namelist()


def test_nothing_is_taken_over_what_is_there(filled: Store, tmp_path: Path) -> None:
    write_backup(filled, tmp_path / "backup")
    before = take_stock(filled)
    with opened_backup(tmp_path / "backup") as whole, pytest.raises(StoreError, match="holds something already"):
        restore(whole, filled)
    assert take_stock(filled) == before


@pytest.mark.parametrize("point", ["backup-part-written", "backup-written", "backup-renamed"])
def test_fault_82_killed_during_a_backup_the_old_one_is_intact(address: str, filled: Store, tmp_path: Path, point: str) -> None:
    file = tmp_path / "city.backup"
    write_backup(filled, file)
    old = file.read_bytes()
    load(filled, "later", reports([70]))
    Writer(address, "backup", file, CLOUDMAP_KILL_AT=point).must_be_killed()
    with opened_backup(file) as whole:
        assert len(whole.loads) == (5 if point == "backup-renamed" else 4)
    assert point == "backup-renamed" or file.read_bytes() == old
    write_backup(filled, file)
    with opened_backup(file) as whole:
        assert whole.inventory == take_stock(filled)
    assert [one.name for one in tmp_path.glob("*.backup*")] == ["city.backup"]


@pytest.mark.parametrize("nth", [1, 4, 7])
def test_fault_73_a_write_of_a_backup_that_fails_leaves_the_old_one(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    file = tmp_path / "city.backup"
    write_backup(filled, file)
    old = file.read_bytes()
    monkeypatch.setenv("CLOUDMAP_FAIL_AT", f"backup-part-written:{nth}")
    with pytest.raises(StoreError, match=r"writing the backup city\.backup failed: the disk is full"):
        write_backup(filled, file)
    assert file.read_bytes() == old
    assert not list(tmp_path.glob("*.part"))


def test_fault_82_killed_while_restoring_the_store_is_empty_and_a_rerun_fills_it(
    filled: Store, new_address: Callable[[], str], tmp_path: Path
) -> None:
    file, target = tmp_path / "city.backup", new_address()
    write_backup(filled, file)
    Writer(target, "restore", file, CLOUDMAP_KILL_AT="in-restore").must_be_killed()
    assert open_at(target).loads() == []
    open_at(target).compact()
    assert Writer(target, "restore", file).finish() == take_stock(filled)
    _same(filled, open_at(target))


def _damage(file: Path, how: str) -> None:
    content = bytearray(file.read_bytes())
    if how == "cut":
        del content[-1000:]
    elif how == "empty":
        content.clear()
    elif how == "text":
        content = bytearray("编号,类别\n".encode())
    else:
        content[{"first": 0, "middle": len(content) // 2, "directory": -400, "digest": -5}[how]] ^= 0x01
    file.write_bytes(content)


@pytest.mark.parametrize("how", ["first", "middle", "directory", "digest", "cut", "empty", "text"])
def test_fault_84_a_corrupt_backup_is_refused_before_any_store_is_touched(tmp_path: Path, how: str) -> None:
    lake = Lake.open(tmp_path / "store", create=True)
    _fill(lake)
    file = tmp_path / "city.backup"
    write_backup(lake, file)
    _damage(file, how)
    with pytest.raises(StoreError, match=r"city\.backup: .*no store was touched"), opened_backup(file):
        pytest.fail("it was opened")


def test_fault_84_every_single_flipped_bit_is_found(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "store", create=True)
    load(lake, "a", reports(range(2)))
    file = tmp_path / "city.backup"
    write_backup(lake, file)
    whole = file.read_bytes()
    for at in range(0, len(whole), 61):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        with pytest.raises(StoreError, match="no store was touched"), opened_backup(file):
            pytest.fail(f"byte {at} was changed")


def test_fault_86_a_backup_of_a_newer_format_or_another_city_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake.open(tmp_path / "store", create=True)
    _fill(lake)
    write_backup(lake, tmp_path / "here", city="331004")
    with pytest.raises(StoreError, match="a backup of city 331004, not of 025"), opened_backup(tmp_path / "here", city="025"):
        pytest.fail("it was opened")
    with monkeypatch.context() as patch:
        patch.setattr("cloudmap.store.backup.FORMAT", 99)
        write_backup(lake, tmp_path / "newer")
    with pytest.raises(StoreError, match="format 99, this cloudmap knows 1"), opened_backup(tmp_path / "newer"):
        pytest.fail("it was opened")
    with pytest.raises(StoreError, match="no such backup"), opened_backup(tmp_path / "none"):
        pytest.fail("it was opened")


def test_a_damaged_store_makes_no_backup(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "store", create=True)
    _fill(lake)
    part = next((tmp_path / "store" / "loads").rglob("reports-*.parquet"))
    os.truncate(part, part.stat().st_size - 1)
    with pytest.raises(StoreError, match="damaged or changed"):
        write_backup(lake, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
    assert not (tmp_path / "backup.part").exists()


def test_a_digest_does_not_depend_on_how_rows_are_cut_but_on_every_value() -> None:
    frame = reports(range(50)).with_columns(
        share=pl.Series([0.1, None, float("nan"), -0.0, 1e300] * 10),
        flag=pl.Series([True, None, False, True, False] * 10),
        shape=pl.Series([b"", None, b"\x00\x01", b"a", b"ab"] * 10),
        text=pl.Series(["", None, "a,b", "区", "ab"] * 10),
    )

    def digest(*parts: pl.DataFrame) -> str:
        made = RowDigest()
        for part in parts:
            made.add(part)
        return made.hexdigest()

    whole = digest(frame)
    assert digest(frame[:7], frame[7:8], frame[8:]) == whole
    assert digest(frame.select(reversed(frame.columns))) == whole
    changes = [
        frame[::-1],
        frame[:-1],
        frame.with_columns(pl.col("share").fill_null(0.0)),
        frame.with_columns(pl.col("text").fill_null("")),
        frame.with_columns(pl.col("shape").fill_null(b"")),
        frame.with_columns(pl.col("flag").fill_null(False)),
        frame.with_columns(pl.col("cell_9").cast(pl.Int64) + pl.int_range(pl.len()) // 49),
        frame.rename({"text": "text_"}),
        frame.with_columns(pl.Series("text", ["", None, "a,", "b区", "ab"] * 10)),
    ]
    assert len({whole, *(digest(change) for change in changes)}) == 1 + len(changes)
