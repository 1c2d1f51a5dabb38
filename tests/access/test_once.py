from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudmap.access.once import once


def test_what_several_ask_for_at_the_same_time_is_worked_out_once() -> None:
    asked: list[int] = []

    def square(n: int) -> int:
        asked.append(n)
        time.sleep(0.05)
        return n * n

    answer = once(square, 4)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(answer, [3] * 8 + [4] * 8)) == [9] * 8 + [16] * 8
    assert sorted(asked) == [3, 4]


def test_errors_reach_who_asked_and_are_not_kept() -> None:
    asked: list[int] = []

    def fail(n: int) -> int:
        asked.append(n)
        raise ValueError(n)

    answer = once(fail, 4)
    for _ in range(2):
        with pytest.raises(ValueError, match="1"):
            answer(1)
    assert asked == [1, 1]


def test_an_answer_may_ask_for_others_and_the_oldest_are_let_go() -> None:
    asked: list[int] = []

    def sum_to(n: int) -> int:
        asked.append(n)
        return n + (answer(n - 1) if n else 0)

    answer = once(sum_to, 2)
    assert answer(4) == 10
    assert asked == [4, 3, 2, 1, 0]
    answer(4)
    assert asked == [4, 3, 2, 1, 0]
    answer(0)
    assert asked == [4, 3, 2, 1, 0, 0]
