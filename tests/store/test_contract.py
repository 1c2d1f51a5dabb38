"""What every store promises, whatever it is made of."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cloudmap.errors import SchemaError, StoreError
from cloudmap.store import Store
from tests.store.facts import START, entry, fill, ids, key, load, rejected, reports


def test_is_a_store(store: Store) -> None:
    assert isinstance(store, Store)


def test_what_was_written_is_read_back_exactly_with_its_load(store: Store) -> None:
    frame = reports(range(10))
    load(store, "a", frame)
    got = store.read("reports")
    assert_frame_equal(got, frame.with_columns(load_seq=pl.lit(1, dtype=pl.Int64)))


def test_a_load_record_tells_file_ledger_and_rows_per_table(store: Store) -> None:
    before = datetime.now(UTC)
    record = load(store, "a", reports(range(10)))
    assert (record.load_seq, record.file, record.base_map_version, record.source_id, record.undone) == (1, "a.csv", "b1", "app", False)
    assert record.tables == {"reports": 10, "quarantine": 1}
    assert record.ledger == {**entry(reports(range(10)), "a.csv"), "load_seq": 1}
    assert before - timedelta(seconds=1) <= record.loaded_at <= datetime.now(UTC)
    assert store.loads() == [record]


def test_the_ledger_entry_names_the_file_where_the_draft_does_not(store: Store) -> None:
    with store.draft(key("a")) as draft:
        record = draft.commit({"file": "民情.csv"})
    assert record.file == "民情.csv"
    assert record.tables == {}


def test_a_load_is_seen_only_after_its_commit_and_over_all_tables_at_once(store: Store, reopen: Callable[[], Store]) -> None:
    load(store, "a", reports(range(3)))
    other = reopen()
    with store.draft(key("b")) as draft:
        fill(draft, reports(range(10, 14)))
        assert (other.read("reports").height, other.read("quarantine").height, len(other.loads())) == (3, 1, 1)
        draft.commit({})
        assert (other.read("reports").height, other.read("quarantine").height, len(other.loads())) == (7, 2, 2)


def test_a_draft_left_without_commit_leaves_nothing(store: Store) -> None:
    load(store, "a", reports(range(3)))
    state = store.state()
    with store.draft(key("b")) as draft:
        fill(draft, reports(range(10)))
        draft.remember("pile_ups", rejected(9))
    with pytest.raises(SchemaError), store.draft(key("c")) as draft:  # noqa: PT012  (the draft must hold rows when it fails)
        fill(draft, reports(range(10)))
        draft.write("reports", rejected(1))
    assert store.state() == state
    assert store.read("reports").height == 3
    assert store.recall("pile_ups") is None
    assert store.compact() == 0


def test_a_finished_draft_takes_nothing_more(store: Store) -> None:
    with store.draft(key("a")) as draft:
        draft.commit({})
        with pytest.raises(StoreError, match="not open"):
            draft.write("reports", reports(range(1)))
        with pytest.raises(StoreError, match="not open"):
            draft.commit({})


def test_the_same_key_is_found_and_a_second_commit_of_it_is_the_first_one(store: Store) -> None:
    first = load(store, "a", reports(range(3)))
    assert store.find(key("a")) == first
    assert store.find(key("a", mapping="m2")) is None
    assert store.find(key("a", source="other")) is None
    state = store.state()
    with store.draft(key("a")) as draft:
        fill(draft, reports(range(3)))
        assert draft.commit({}) == first
        assert draft.already
    assert store.state() == state
    assert store.read("reports").height == 3
    assert store.compact() == 0


def test_the_newest_version_of_a_report_wins_across_loads(store: Store) -> None:
    load(store, "a", reports(range(6)))
    load(store, "b", reports([2, 3], category="SA02"))
    load(store, "c", reports([3, 9], category="SA03"))
    got = store.read("reports", ["report_id", "category_code"]).sort("report_id")
    assert dict(zip(ids(got), got["category_code"], strict=True)) == {
        0: "SA01", 1: "SA01", 2: "SA02", 3: "SA03", 4: "SA01", 5: "SA01", 9: "SA03",
    }  # fmt: skip
    assert got["load_seq"].to_list() == [1, 1, 2, 3, 1, 1, 3]


def test_conditions_apply_to_the_newest_version_only(store: Store) -> None:
    load(store, "a", reports(range(6)))
    load(store, "b", reports([2], category="SA02"))
    assert 2 not in ids(store.read("reports", where=[("category_code", "==", "SA01")]))


def test_as_of_gives_the_store_as_a_load_left_it(store: Store) -> None:
    load(store, "a", reports(range(4)))
    at_one = store.read("reports")
    load(store, "b", reports([1, 2], category="SA02"))
    at_two = store.read("reports")
    load(store, "c", reports([2, 7], category="SA03"))
    assert_frame_equal(store.read("reports", as_of=1), at_one)
    assert_frame_equal(store.read("reports", as_of=2), at_two)
    with pytest.raises(StoreError, match=r"as of load 9: no such load; have 1 to 3"):
        store.read("reports", as_of=9)


def test_an_undone_load_is_hidden_at_any_time_and_its_file_can_be_loaded_again(store: Store) -> None:
    load(store, "a", reports(range(4)))
    before = store.read("reports")
    state = store.state()
    load(store, "b", reports([1, 2], category="SA02"))
    assert store.undo(2).undone
    assert_frame_equal(store.read("reports"), before)
    assert_frame_equal(store.read("reports", as_of=2), before)
    assert store.state() == state
    assert [one.undone for one in store.loads()] == [False, True]
    assert store.find(key("b")) is None
    assert load(store, "b", reports([1, 2], category="SA02")).load_seq == 3
    assert store.read("reports").filter(pl.col("category_code") == "SA02").height == 2
    with pytest.raises(StoreError, match=r"no load 7; have 1 to 3"):
        store.undo(7)


def test_a_version_replaced_by_an_undone_load_in_the_middle_comes_back(store: Store) -> None:
    load(store, "a", reports([1], category="SA01"))
    load(store, "b", reports([1], category="SA02"))
    load(store, "c", reports([1], category="SA03"))
    store.undo(3)
    assert store.read("reports")["category_code"].to_list() == ["SA02"]
    load(store, "d", reports([1], category="SA04"))
    assert store.read("reports")["category_code"].to_list() == ["SA04"]
    store.undo(4)
    store.undo(2)
    assert store.read("reports")["category_code"].to_list() == ["SA01"]


def test_tables_other_than_reports_keep_all_their_rows(store: Store) -> None:
    for name in ("a", "b"):
        load(store, name, reports(range(4)))
    assert store.read("quarantine")["load_seq"].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (("report_id", "==", "app:00002"), [2]),
        (("report_id", "!=", "app:00002"), [0, 1, 3, 4, 5]),
        (("occurred_at", ">=", START + timedelta(hours=3)), [3, 4, 5]),
        (("occurred_at", ">", START + timedelta(hours=3)), [4, 5]),
        (("occurred_at", "<", START + timedelta(hours=1)), [0]),
        (("occurred_at", "<=", START + timedelta(hours=1)), [0, 1]),
        (("unit_street_code", "in", ["331004001", "331004002"]), [1, 2, 4, 5]),
        (("unit_street_code", "in", []), []),
        (("closed_at", "==", None), [0, 2, 4]),
        (("closed_at", "!=", None), [1, 3, 5]),
        (("closed_at", "<", START + timedelta(hours=7)), [1]),
        (("cell_9", "==", 0x8900000000000000 - (1 << 64) + 4), [4]),
        (("load_seq", "==", 1), [0, 1, 2, 3, 4, 5]),
    ],
)
def test_conditions(store: Store, condition: tuple, expected: list[int]) -> None:
    load(store, "a", reports(range(6)))
    assert ids(store.read("reports", where=[condition])) == expected


def test_conditions_are_and_combined_and_need_not_be_among_the_columns(store: Store) -> None:
    load(store, "a", reports(range(6)))
    got = store.read("reports", ["cell_9", "report_id"], [("closed_at", "==", None), ("unit_street_code", "==", "331004001")])
    assert got.columns == ["cell_9", "report_id", "load_seq"]
    assert ids(got) == [4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "no table 'nothing'; have quarantine, reports"),
        (("reports", ["nothing"]), r"no column\(s\) nothing; have report_id"),
        (("reports", None, [("nothing", "==", 1)]), r"no column\(s\) nothing"),
        (("reports", None, [("report_id", "~", "a")]), "unknown operator '~'"),
        (("reports", None, [("report_id", "in", "abc")]), "give a list"),
        (("reports", None, [("occurred_at", ">", "yesterday")]), "occurred_at"),
    ],
)
def test_what_cannot_be_read_says_why(store: Store, arguments: tuple, message: str) -> None:
    load(store, "a", reports(range(2)))
    with pytest.raises(StoreError, match=message):
        store.read(*arguments)


def test_loads_may_differ_in_columns(store: Store) -> None:
    load(store, "a", reports(range(2)))
    load(store, "b", reports([5]).with_columns(cell_10=pl.lit(7, dtype=pl.Int64)))
    got = store.read("reports", ["report_id", "cell_10"])
    assert got["cell_10"].to_list() == [None, None, 7]
    assert store.read("reports", where=[("cell_10", "==", 7)]).height == 1


def test_a_table_whose_loads_are_all_undone_is_empty_and_keeps_its_columns(store: Store) -> None:
    load(store, "a", reports(range(2)))
    store.undo(1)
    got = store.read("reports")
    assert got.height == 0
    assert got.schema == pl.Schema({**reports([]).schema, "load_seq": pl.Int64()})


def test_reports_need_an_id_and_table_names_are_plain(store: Store) -> None:
    with store.draft(key("a")) as draft:
        with pytest.raises(SchemaError, match="report_id missing"):
            draft.write("reports", rejected(1))
        with pytest.raises(StoreError, match=r"1 row\(s\) without report_id"):
            draft.write("reports", reports(range(2)).with_columns(report_id=pl.Series(["app:1", None])))
        with pytest.raises(SchemaError, match="load_seq"):
            draft.write("quarantine", rejected(1).with_columns(load_seq=1))
        for name in ("../reports", "_replaced", ""):
            with pytest.raises(StoreError, match="table name"):
                draft.write(name, rejected(1))


def test_state_tells_loads_and_not_when_they_came(store: Store) -> None:
    empty = store.state()
    load(store, "a", reports(range(2)))
    one = store.state()
    load(store, "b", reports(range(2)))
    assert len({empty, one, store.state()}) == 3
    store.undo(2)
    assert store.state() == one


def test_a_result_is_read_back_by_name_and_key_with_its_provenance(store: Store, reopen: Callable[[], Store]) -> None:
    assert store.result("cube") is None
    store.save_result("cube", "k1", reports(range(2)), {"load": 1, "区": "路桥"})
    store.save_result("cube", "k2", reports(range(3)), {"load": 2})
    store.save_result("other", "k1", reports(range(4)), {})
    newest, first = reopen().result("cube"), reopen().result("cube", "k1")
    assert newest is not None
    assert first is not None
    assert (newest.frame.height, newest.key, newest.provenance) == (3, "k2", {"load": 2})
    assert_frame_equal(first.frame, reports(range(2)))
    assert first.provenance == {"load": 1, "区": "路桥"}
    assert store.result("cube", "k9") is None


def test_the_same_key_is_replaced_and_only_the_last_keys_stay(store: Store) -> None:
    for number in range(1, 6):
        store.save_result("cube", f"k{number}", reports(range(number)), {})
    store.save_result("cube", "k4", reports(range(40)), {})
    kept = [f"k{number}" for number in range(1, 6) if store.result("cube", f"k{number}")]
    assert kept == ["k3", "k4", "k5"]
    newest = store.result("cube")
    assert newest is not None
    assert newest.frame.height == 40
    assert store.compact() == 0


def test_remembered_tables_follow_their_load(store: Store) -> None:
    assert store.recall("pile_ups") is None
    store.remember("pile_ups", rejected(1))
    with store.draft(key("a")) as draft:
        draft.remember("pile_ups", rejected(1, 2))
        draft.commit({})
    store.remember("other", rejected(5))
    assert_frame_equal(store.recall("pile_ups"), rejected(1, 2))
    store.undo(1)
    assert_frame_equal(store.recall("pile_ups"), rejected(1))
    assert store.recall("other") is None
