"""The process is killed, the disk fails, two write at once: the store is as before or as after, never between."""

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from cloudmap.errors import StoreError
from cloudmap.store import LoadRecord, catalog, files
from cloudmap.store.lake import Lake
from cloudmap.store.points import POINTS
from tests.store.facts import ids, key, load, reports

LOAD_POINTS = [name for name in POINTS if name != "result-written"]
ROOT = Path(__file__).parents[2]


def _start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.store.writer", *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, text=True, **pipes)


def _finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate("\n", timeout=60)
    assert process.returncode == 0, err
    return out


def _told(records: list[LoadRecord]) -> list[tuple[object, ...]]:
    return [(one.load_seq, one.key, one.file, one.ledger, one.tables, one.undone) for one in records]


def _same(one: Lake, other: Lake) -> None:
    """Both stores hold the same, down to the rows' order, and nothing that no load names."""
    assert one.state() == other.state()
    assert _told(one.loads()) == _told(other.loads())
    for table in ("reports", "quarantine"):
        assert_frame_equal(one.read(table), other.read(table))
    assert one.compact() == other.compact() == 0


@pytest.mark.parametrize("point", LOAD_POINTS)
def test_fault_72_killed_at_a_named_point_the_rerun_equals_a_clean_run(tmp_path: Path, point: str) -> None:
    killed, clean = (Lake.open(tmp_path / name, create=True) for name in ("killed", "clean"))
    for lake in (killed, clean):
        load(lake, "first", reports(range(20)))
    before = killed.state()
    load(clean, "second", reports(range(10, 40)))

    process = _start(killed.folder, "load", "second", 10, 40, CLOUDMAP_KILL_AT=point)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert killed.state() == (clean.state() if point == "after-commit" else before)

    again = Lake.open(killed.folder)
    if again.find(key("second")) is None:
        load(again, "second", reports(range(10, 40)))
    _same(again, clean)


def test_fault_72_killed_while_a_result_is_kept_the_older_one_stays(lake: Lake) -> None:
    lake.save_result("cube", "k1", reports(range(2)), {})
    process = _start(lake.folder, "result", "k2", CLOUDMAP_KILL_AT="result-written")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    kept = lake.result("cube")
    assert kept is not None
    assert kept.key == "k1"
    lake.save_result("cube", "k2", reports(range(5)), {})
    assert lake.compact() > 0
    assert lake.result("cube", "k2") is not None


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
def test_fault_73_whichever_write_fails_the_state_is_the_one_before_or_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    lake, clean = (Lake.open(tmp_path / name, create=True) for name in ("failing", "clean"))
    for one in (lake, clean):
        load(one, "first", reports(range(20)))
    before = lake.state()
    load(clean, "second", reports(range(10, 40)))
    failures: list[StoreError] = []
    for nth in itertools.count(1):
        monkeypatch.setenv("CLOUDMAP_FAIL_AT", f"*:{nth}:{code}")
        try:
            load(lake, "second", reports(range(10, 40)))
            break
        except StoreError as error:
            failures.append(error)
        assert lake.state() == before
        assert lake.read("reports").height == 20
    assert all(str(lake.folder) in str(error) for error in failures)
    monkeypatch.delenv("CLOUDMAP_FAIL_AT")
    # Opened; written and renamed for two parts, quarantine and the replaced ids; twice at the commit. After it nothing may fail.
    assert len(failures) == 1 + 2 * 4 + 2
    _same(lake, clean)


def test_fault_74_disk_full_says_how_much_room_there_is(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    load(lake, "first", reports(range(20)))
    monkeypatch.setenv("CLOUDMAP_FAIL_AT", "part-written:2")
    with pytest.raises(StoreError, match=r"writing reports failed: the disk is full, [\d,.]+ MB free\. The store is as it was before"):
        load(lake, "second", reports(range(30)))
    monkeypatch.delenv("CLOUDMAP_FAIL_AT")
    assert lake.read("reports").height == 20
    assert lake.compact() == 0


def test_fault_74_a_catalog_that_cannot_grow_is_a_full_disk_too(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    load(lake, "first", reports(range(20)))
    connect = catalog.Catalog._connect

    def cramped(book: catalog.Catalog) -> object:
        connection = connect(book)
        pages_n = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages_n}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(catalog.Catalog, "_connect", cramped)
        full = Lake.open(lake.folder)
        with full.draft(key("second")) as draft:
            draft.write("reports", reports(range(30)))
            with pytest.raises(StoreError, match="committing a load failed: the disk is full"):
                draft.commit({"evidence": "x" * 100_000})
    assert sorted(ids(lake.read("reports"))) == list(range(20))


def test_fault_74_a_disk_without_room_for_the_log_can_still_be_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    load(lake, "first", reports(range(20)))
    open_as = catalog.Catalog._open

    def no_room(book: catalog.Catalog, mode: str) -> sqlite3.Connection:
        if mode == "rw":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
            raise error
        return open_as(book, mode)

    monkeypatch.setattr(catalog.Catalog, "_open", no_room)
    monkeypatch.setattr(files, "_has_no_room", lambda folder: True)
    assert lake.read("reports").height == 20
    with pytest.raises(StoreError, match="undoing a load failed: the disk is full"):
        lake.undo(1)


def test_fault_76_two_loads_of_one_file_one_wins(lake: Lake) -> None:
    writers = [_start(lake.folder, "hold", "same", 0, 30) for _ in range(2)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
    assert sorted(_finish(writer) for writer in writers) == ["1 False\n", "1 True\n"]
    assert len(lake.loads()) == 1
    assert sorted(ids(lake.read("reports"))) == list(range(30))
    assert lake.compact() == 0


def test_fault_77_different_loads_at_once_all_land(lake: Lake) -> None:
    spans = {"a": (0, 30), "b": (20, 50), "c": (100, 110)}
    writers = [_start(lake.folder, "hold", name, *span) for name, span in spans.items()]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    assert sorted(_finish(writer) for writer in writers) == ["1 False\n", "2 False\n", "3 False\n"]
    assert sorted(one.file for one in lake.loads()) == ["a.csv", "b.csv", "c.csv"]
    assert sorted(ids(lake.read("reports"))) == [*range(50), *range(100, 110)]
    overlap = lake.read("reports", where=[("report_id", ">=", "app:00020"), ("report_id", "<", "app:00030")])
    later = max(one.load_seq for one in lake.loads() if one.file in ("a.csv", "b.csv"))
    assert set(overlap["load_seq"]) == {later}


def test_two_processes_may_make_the_same_store(tmp_path: Path) -> None:
    for writer in [_start(tmp_path / "store", "init") for _ in range(2)]:
        _finish(writer)
    assert Lake.open(tmp_path / "store").loads() == []


def test_fault_79_clock_back_an_hour_the_order_is_by_sequence(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    load(lake, "first", reports(range(4)))

    class EarlierClock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime(2001, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(catalog, "datetime", EarlierClock)
    load(lake, "second", reports([1, 2], category="SA02"))
    first, second = lake.loads()
    assert (first.load_seq, second.load_seq) == (1, 2)
    assert second.loaded_at < first.loaded_at
    got = lake.read("reports").sort("report_id")
    assert got["category_code"].to_list() == ["SA01", "SA02", "SA02", "SA01"]


def test_a_writer_that_lives_is_not_swept_by_another_that_begins(lake: Lake) -> None:
    slow = _start(lake.folder, "hold", "slow", 0, 30)
    assert slow.stdout is not None
    slow.stdout.readline()
    load(lake, "quick", reports(range(50, 60)))
    assert lake.compact() == 0
    assert _finish(slow) == "2 False\n"
    assert sorted(ids(lake.read("reports"))) == [*range(30), *range(50, 60)]
