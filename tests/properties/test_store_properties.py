"""Whatever is loaded and undone in whatever order, a store of either kind reads as a list of dictionaries would."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cloudmap.store import LoadKey, Store
from cloudmap.store.contents import take_stock
from cloudmap.store.lake import Lake
from cloudmap.store.postgis import Postgis
from tests.store.cluster import cluster, execute, new_url, postgis_server  # noqa: F401  (fixtures)

IDS = st.sampled_from(["app:1", "app:10", "app:2", "hall:1", "hall:一", "\U0001f4cd:1", "\uffee:1", "a" * 40])
VERSIONS = st.dictionaries(IDS, st.integers(0, 3), max_size=8)
ACTIONS = st.lists(st.one_of(VERSIONS, st.integers(0, 6)), min_size=1, max_size=8)
"""A dictionary is a load of report id to version; a number undoes that load, where there is one."""

Empty = Callable[[], "contextmanager[Store]"]


@pytest.fixture(params=["lake", "postgis"], scope="module")
def empty(request: pytest.FixtureRequest) -> Callable[[], object]:
    """Open a store that holds nothing, as often as wanted, one after the other."""
    if request.param == "lake":
        return _empty_lake
    url = new_url(request.getfixturevalue("postgis_server"))
    Postgis.open(url, create=True)

    @contextmanager
    def emptied() -> Iterator[Store]:
        # A quarter of a second less than a new schema.
        execute(url, "TRUNCATE loads, load_tables, replaced, remembered, results, fact_reports")
        yield Postgis.open(url)

    return emptied


@contextmanager
def _empty_lake() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        yield Lake.open(Path(folder) / "store", create=True)


def _load(store: Store, number: int, rows: dict[str, int], parts: int) -> None:
    frame = pl.DataFrame({"report_id": list(rows), "version": list(rows.values())}, schema={"report_id": pl.String, "version": pl.Int64})
    with store.draft(LoadKey(f"{number:064d}", "app", "m")) as draft:
        for part in frame.iter_slices(max(1, -(-frame.height // parts))):
            draft.write("reports", part)
        draft.commit({})


def _model(loads: list[dict[str, int]], undone: set[int], as_of: int) -> dict[str, tuple[int, int]]:
    newest: dict[str, tuple[int, int]] = {}
    for load_seq, rows in enumerate(loads[:as_of], start=1):
        if load_seq not in undone:
            newest.update({report_id: (version, load_seq) for report_id, version in rows.items()})
    return newest


def _read(store: Store, as_of: int | None = None) -> dict[str, tuple[int, int]]:
    rows = store.read("reports", as_of=as_of)
    found = {report_id: (version, load_seq) for report_id, version, load_seq in rows.select("report_id", "version", "load_seq").iter_rows()}
    assert len(found) == rows.height, "a report was read twice"
    assert rows["load_seq"].is_sorted()
    return found


@settings(max_examples=20, deadline=None)
@given(first=VERSIONS.filter(bool), actions=ACTIONS, parts=st.integers(1, 3))
def test_reading_gives_the_newest_visible_version_at_every_load(
    empty: Empty, first: dict[str, int], actions: list[dict[str, int] | int], parts: int
) -> None:
    with empty() as store:
        loads: list[dict[str, int]] = []
        undone: set[int] = set()
        states: dict[str, tuple[tuple[int, ...], int]] = {}
        for action in (first, *actions):
            if isinstance(action, dict):
                loads.append(action)
                _load(store, len(loads), action, parts)
            elif 1 <= action <= len(loads):
                undone.add(action)
                store.undo(action)
            visible = tuple(number for number in range(1, len(loads) + 1) if number not in undone)
            assert states.setdefault(store.state(), (visible, 0))[0] == visible, "one state for two sets of loads"
        for as_of in range(1, len(loads) + 1):
            assert _read(store, as_of) == _model(loads, undone, as_of)
        everything = _read(store)
        assert everything == _model(loads, undone, len(loads))
        for wanted in range(4):
            got = store.read("reports", ["report_id"], where=[("version", "==", wanted)])
            assert set(got["report_id"]) == {one for one, (version, _) in everything.items() if version == wanted}
        assert store.compact() == 0


@settings(max_examples=10, deadline=None)
@given(before=st.lists(VERSIONS.filter(bool), min_size=1, max_size=3), more=VERSIONS.filter(bool))
def test_undoing_a_load_restores_what_was_before_it_to_the_row(empty: Empty, before: list[dict[str, int]], more: dict[str, int]) -> None:
    with empty() as store:
        for number, rows in enumerate(before, start=1):
            _load(store, number, rows, 1)
        state, rows_before = store.state(), store.read("reports")
        _load(store, len(before) + 1, more, 2)
        assert_frame_equal(store.read("reports", as_of=len(before)), rows_before)
        store.undo(len(before) + 1)
        assert store.state() == state
        assert_frame_equal(store.read("reports"), rows_before)
        assert len(store.loads()) == len(before) + 1, "history stays"


@settings(max_examples=10, deadline=None)
@given(rows=VERSIONS.filter(bool), cuts=st.lists(st.integers(0, 8), max_size=3))
def test_loaded_in_pieces_or_as_a_whole_the_reports_are_the_same(empty: Empty, rows: dict[str, int], cuts: list[int]) -> None:
    listed = list(rows.items())
    edges = [0, *sorted(cuts), len(listed)]
    pieces = [dict(listed[first:last]) for first, last in pairwise(edges)]
    with empty() as store:
        _load(store, 1, rows, 1)
        whole = store.read("reports", ["report_id", "version"]).drop("load_seq")
    with empty() as store:
        for number, piece in enumerate(pieces, start=1):
            _load(store, number, piece, 1)
        assert_frame_equal(store.read("reports", ["report_id", "version"]).drop("load_seq"), whole)


@settings(max_examples=10, deadline=None)
@given(loads=st.lists(VERSIONS.filter(bool), min_size=1, max_size=4), undone=st.integers(0, 4))
def test_another_kind_of_store_takes_it_over_whole(empty: Empty, loads: list[dict[str, int]], undone: int) -> None:
    with empty() as store, _empty_lake() as other:
        for number, rows in enumerate(loads, start=1):
            _load(store, number, rows, 2)
        if 1 <= undone <= len(loads):
            store.undo(undone)
        with store.contents() as contents:
            other.take(contents)
        assert take_stock(other) == take_stock(store)
        for as_of in (None, *range(1, len(loads) + 1)):
            assert_frame_equal(other.read("reports", as_of=as_of), store.read("reports", as_of=as_of))
