"""Whatever is loaded and undone in whatever order, a store reads as a list of dictionaries would."""

import tempfile
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.store import LoadKey, Store
from cloudmap.store.lake import Lake

IDS = st.sampled_from(["app:1", "app:10", "app:2", "hall:1", "hall:一", "\U0001f4cd:1", "\uffee:1", "a" * 40])
VERSIONS = st.dictionaries(IDS, st.integers(0, 3), max_size=8)
ACTIONS = st.lists(st.one_of(VERSIONS, st.integers(0, 6)), min_size=1, max_size=8)
"""A dictionary is a load of report id to version; a number undoes that load, where there is one."""


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


@settings(max_examples=25, deadline=None)
@given(first=VERSIONS.filter(bool), actions=ACTIONS, parts=st.integers(1, 3))
def test_reading_gives_the_newest_visible_version_at_every_load(
    first: dict[str, int], actions: list[dict[str, int] | int], parts: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Lake.open(Path(folder) / "store", create=True)
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
