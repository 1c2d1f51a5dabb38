"""The process is killed, a write fails, two write at once: the store is as before or as after, never between. Every kind of store."""

import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from polars.testing import assert_frame_equal

from cloudmap.errors import StoreError
from cloudmap.store import LoadRecord, Store, catalog, postgis_draft
from cloudmap.store.points import POINTS
from tests.store.facts import ids, key, load, reports
from tests.store.writer import Writer, open_at

LOAD_POINTS = {
    "lake": [name for name in POINTS if name != "result-written"],
    "postgis": ["draft-opened", "part-written", "before-commit", "rows-copied", "in-commit", "after-commit"],
}


def _told(records: list[LoadRecord]) -> list[tuple[object, ...]]:
    return [(one.load_seq, one.key, one.file, one.ledger, one.tables, one.undone) for one in records]


def _same(one: Store, other: Store) -> None:
    """Both stores hold the same, down to the rows' order."""
    assert one.state() == other.state()
    assert _told(one.loads()) == _told(other.loads())
    for table in ("reports", "quarantine"):
        assert_frame_equal(one.read(table), other.read(table))


@pytest.mark.parametrize(("kind", "point"), [(kind, point) for kind, points in LOAD_POINTS.items() for point in points], indirect=["kind"])
def test_fault_72_killed_at_a_named_point_the_rerun_equals_a_clean_run(new_address: Callable[[], str], point: str) -> None:
    address = new_address()
    killed, clean = open_at(address, create=True), open_at(new_address(), create=True)
    for store in (killed, clean):
        load(store, "first", reports(range(20)))
    before = killed.state()
    load(clean, "second", reports(range(10, 40)))

    Writer(address, "load", "second", 10, 40, CLOUDMAP_KILL_AT=point).must_be_killed()
    assert killed.state() == (clean.state() if point == "after-commit" else before)

    again = open_at(address)
    if again.find(key("second")) is None:
        load(again, "second", reports(range(10, 40)))
    _same(again, clean)
    again.compact()
    assert again.compact() == 0, "nothing is left that no load names"


def test_fault_72_killed_while_a_result_is_kept_the_older_one_stays(store: Store, address: str) -> None:
    store.save_result("cube", "k1", reports(range(2)), {})
    Writer(address, "result", "k2", CLOUDMAP_KILL_AT="result-written").must_be_killed()
    kept = store.result("cube")
    assert kept is not None
    assert kept.key == "k1"
    store.save_result("cube", "k2", reports(range(5)), {})
    store.compact()
    assert store.result("cube", "k2") is not None


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
def test_fault_73_whichever_write_fails_the_state_is_the_one_before_or_after(
    kind: str, new_address: Callable[[], str], monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    address = new_address()
    store, clean = open_at(address, create=True), open_at(new_address(), create=True)
    for one in (store, clean):
        load(one, "first", reports(range(20)))
    before = store.state()
    load(clean, "second", reports(range(10, 40)))
    failures: list[StoreError] = []
    for nth in itertools.count(1):
        monkeypatch.setenv("CLOUDMAP_FAIL_AT", f"*:{nth}:{code}")
        try:
            load(store, "second", reports(range(10, 40)))
            break
        except StoreError as error:
            failures.append(error)
        assert store.state() == before
        assert store.read("reports").height == 20
    assert all(address in str(error) for error in failures)
    monkeypatch.delenv("CLOUDMAP_FAIL_AT")
    # Opened; two parts and a quarantine, each written and taken; before and in the commit. The lake writes the replaced ids as a file too.
    assert len(failures) == 1 + 2 * (4 if kind == "lake" else 3) + 2
    _same(store, clean)
    assert store.compact() == 0


def test_fault_76_two_loads_of_one_file_one_wins(store: Store, address: str) -> None:
    writers = [Writer(address, "hold", "same", 0, 30) for _ in range(2)]
    for writer in writers:
        writer.wait_until_written()
    for writer in writers:
        writer.go_on()
    assert sorted(writer.finish() for writer in writers) == [(1, False), (1, True)]
    assert len(store.loads()) == 1
    assert sorted(ids(store.read("reports"))) == list(range(30))
    assert store.compact() == 0


def test_fault_77_different_loads_at_once_all_land(store: Store, address: str) -> None:
    spans = {"a": (0, 30), "b": (20, 50), "c": (100, 110)}
    writers = [Writer(address, "hold", name, *span) for name, span in spans.items()]
    for writer in writers:
        writer.wait_until_written()
    for writer in writers:
        writer.go_on()
    assert sorted(writer.finish() for writer in writers) == [(1, False), (2, False), (3, False)]
    assert sorted(one.file for one in store.loads()) == ["a.csv", "b.csv", "c.csv"]
    assert sorted(ids(store.read("reports"))) == [*range(50), *range(100, 110)]
    overlap = store.read("reports", where=[("report_id", ">=", "app:00020"), ("report_id", "<", "app:00030")])
    later = max(one.load_seq for one in store.loads() if one.file in ("a.csv", "b.csv"))
    assert set(overlap["load_seq"]) == {later}


def test_fault_78_a_read_during_loads_sees_one_snapshot(store: Store, reopen: Callable[[], Store]) -> None:
    """Every load replaces all reports; a read that mixed two loads would show two categories, or not ten rows."""
    load(store, "start", reports(range(10), category="SA00"))
    done = threading.Event()
    seen: list[tuple[int, int]] = []

    def look() -> None:
        reader = reopen()
        while not done.is_set():
            got = reader.read("reports")
            seen.append((got.height, got["category_code"].n_unique()))

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(1, 200):
        load(store, f"n{number}", reports(range(10), category=f"SA{number:02d}"))
        if number >= 15 and len(seen) >= 8:
            break
    done.set()
    reader.join()
    assert len(seen) > 3
    assert set(seen) == {(10, 1)}


def test_fault_79_clock_back_an_hour_the_order_is_by_sequence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    load(store, "first", reports(range(4)))

    class EarlierClock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime(2001, 1, 1, tzinfo=UTC)

    for module in (catalog, postgis_draft):
        monkeypatch.setattr(module, "datetime", EarlierClock)
    load(store, "second", reports([1, 2], category="SA02"))
    first, second = store.loads()
    assert (first.load_seq, second.load_seq) == (1, 2)
    assert second.loaded_at < first.loaded_at
    got = store.read("reports").sort("report_id")
    assert got["category_code"].to_list() == ["SA01", "SA02", "SA02", "SA01"]


def test_fault_80_a_host_in_another_zone_stores_and_reads_the_same(new_address: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    home, away = new_address(), new_address()
    load(open_at(home, create=True), "a", reports(range(400)))
    open_at(away, create=True)
    Writer(away, "load", "a", 0, 400, TZ="America/New_York", PGTZ="America/New_York").finish()
    monkeypatch.setenv("PGTZ", "Asia/Kathmandu")
    _same(open_at(home), open_at(away))


def test_two_processes_may_make_the_same_store(new_address: Callable[[], str]) -> None:
    address = new_address()
    for writer in [Writer(address, "init") for _ in range(2)]:
        writer.finish()
    assert open_at(address).loads() == []


def test_a_writer_that_lives_is_not_swept_by_another_that_begins(store: Store, address: str) -> None:
    slow = Writer(address, "hold", "slow", 0, 30)
    slow.wait_until_written()
    load(store, "quick", reports(range(50, 60)))
    assert store.compact() == 0
    slow.go_on()
    assert slow.finish() == (2, False)
    assert sorted(ids(store.read("reports"))) == [*range(30), *range(50, 60)]
