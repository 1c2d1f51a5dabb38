"""The same report more than once."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.ingest import versions as module
from cloudmap.ingest.versions import Versions, classify_versions

SCHEMA = {"report_id": pl.String, "state": pl.String}


def frame(pairs: list[tuple[str, str | None]]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema=SCHEMA, orient="row")


@pytest.mark.parametrize(
    ("new", "stored", "expected"),
    [
        ("1A 2A 3A", "", "keep keep keep"),
        ("1A 1A", "", "repeated keep"),
        ("1A 1B", "", "superseded keep"),
        ("1A 1A 1B", "", "repeated superseded keep"),
        ("1A 1B 1A", "", "repeated superseded keep"),
        ("1A 2A", "1A", "repeated keep"),
        ("1B", "1A", "keep"),
        ("1A 1B", "1A", "repeated keep"),
        ("1B 1A", "1A", "superseded repeated"),
        ("1A 1A", "1A", "repeated repeated"),
        ("1A", "2A 3A", "keep"),
    ],
)
def test_classes(new: str, stored: str, expected: str) -> None:
    rows, old = (frame([(one[0], one[1]) for one in text.split()]) for text in (new, stored))
    assert classify_versions(rows, old, content=["state"]).to_list() == expected.split()


def test_null_content_equals_null() -> None:
    assert classify_versions(frame([("1", None), ("1", None)]), content=["state"]).to_list() == ["repeated", "keep"]


PAIRS = st.lists(st.tuples(st.sampled_from("123456"), st.sampled_from("ABC")), max_size=25)


@settings(max_examples=60, deadline=None)
@given(PAIRS, st.dictionaries(st.sampled_from("123456"), st.sampled_from("ABC")), st.integers(0, 25), st.booleans())
def test_one_newest_version_per_id_whatever_the_batches(
    pairs: list[tuple[str, str]], stored: dict[str, str], cut: int, parted: bool
) -> None:
    kept_rows, module._ROWS_PER_PART = module._ROWS_PER_PART, 3 if parted else module._ROWS_PER_PART
    try:
        versions = Versions(["state"])
        for part in (pairs[:cut], pairs[cut:]):
            versions.add(frame(part))
        versions.add_stored(frame(list(stored.items())))
        classes = [one for part in versions.classes() for one in part]
    finally:
        module._ROWS_PER_PART = kept_rows
    assert len(classes) == len(pairs)
    state = dict(stored)
    for (report, content), found in zip(pairs, classes, strict=True):
        if found == "keep":
            assert state.get(report) != content
            state[report] = content
    # What the store shows after the load is the last line of each id, and each id is written at most once.
    assert state == {**stored, **dict(pairs)}
    written = [report for (report, _), found in zip(pairs, classes, strict=True) if found == "keep"]
    assert len(written) == len(set(written))
