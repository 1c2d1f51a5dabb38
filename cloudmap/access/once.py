"""Answers that are worked out once, also where several threads ask for the same one at the same time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from threading import Lock, RLock
from typing import Any, TypeVar

Answer = TypeVar("Answer")


def once(function: Callable[..., Answer], maxsize: int) -> Callable[..., Answer]:
    """Keep the newest answers of a function, as `functools.lru_cache` does; who asks for what is being worked out waits for it.

    Parameters
    ----------
    function : callable
        Of hashable arguments by position. It may ask for other answers, of this function too, but not for its own.
    maxsize : int
        How many answers are kept.

    Returns
    -------
    callable
        An error is raised to whoever asked, and not kept.
    """
    kept = lru_cache(maxsize=maxsize)(function)
    guard, under_way = Lock(), dict[Hashable, Any]()

    def ask(*key: Hashable) -> Answer:
        with guard:
            mine = under_way.setdefault(key, RLock())
        with mine:
            try:
                return kept(*key)
            finally:
                with guard:
                    under_way.pop(key, None)

    return ask
