import errno

import pytest

from cloudmap.store import points


def test_a_point_costs_nothing_where_nothing_is_asked() -> None:
    for name in points.POINTS:
        points.reach(name)


def test_an_unknown_point_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="no point 'part-writen'; known: draft-opened"):
        points.reach("part-writen")


def test_the_nth_time_fails_once_with_the_error_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDMAP_FAIL_AT", "part-written:2:EIO")
    points.reach("part-written")
    points.reach("part-renamed")
    with pytest.raises(OSError, match="part-written") as caught:
        points.reach("part-written")
    assert caught.value.errno == errno.EIO
    points.reach("part-written")


def test_a_star_counts_every_point_and_the_disk_is_full_where_nothing_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDMAP_FAIL_AT", "*:2")
    points.reach("draft-opened")
    with pytest.raises(OSError, match="in-commit") as caught:
        points.reach("in-commit")
    assert caught.value.errno == errno.ENOSPC
