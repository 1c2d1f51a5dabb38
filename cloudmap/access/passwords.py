"""Passwords: which are refused, how they are kept, and a check that takes as long for a name that nobody has."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cloudmap.errors import AccessError

SHORTEST: Final = 10
LONG: Final = 20
"""Characters from which a password needs no mixture of kinds."""
LONGEST: Final = 256

_HASHER: Final = PasswordHasher()
_AT_ONCE: Final = BoundedSemaphore(2)
"""A check takes 64 MB: many at once must wait, not fill the memory."""
_NOBODYS: Final = "$argon2id$v=19$m=65536,t=3,p=4$YWFhYWFhYWFhYWFhYWFhYQ$6W7JnBzRu1RRSU3bWhkU8vU0D+lzGmZ7mFVBvJBIeJA"
"""A well-formed hash that no password is known to have, checked for names that nobody has."""
_MORE: Final = 6
"""Characters that must stand beside a common password of six or more."""
_LEET: Final = str.maketrans({"@": "a", "4": "a", "0": "o", "1": "l", "!": "i", "3": "e", "$": "s", "5": "s", "7": "t", "8": "b"})
_KINDS: Final = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")


def hash_password(password: str) -> str:
    """Return the argon2id hash to keep for a password."""
    with _AT_ONCE:
        return _HASHER.hash(_plain(password))


def matches(kept: str | None, password: str) -> bool:
    """Check a password against the kept hash; without one the same work is done in vain.

    Parameters
    ----------
    kept : str or None
        From `hash_password`; None for a name that nobody has or an account that is disabled.
    password : str
        As typed.
    """
    try:
        with _AT_ONCE:
            _HASHER.verify(kept or _NOBODYS, _plain(password[:LONGEST]))
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None and len(password) <= LONGEST


def outdated(kept: str) -> bool:
    """Tell whether a hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(kept)


def check_strength(password: str, *, name: str, near: tuple[str, ...] = ()) -> None:
    """Refuse a password that is short, of one kind, or among the first that anybody tries.

    Parameters
    ----------
    password : str
        As chosen.
    name : str
        The account's name.
    near : tuple of str
        Words that lie near: the city's name and code.

    Raises
    ------
    AccessError
        It is refused; the message tells why, never the password.
    """
    plain = _plain(password)
    if len(plain) < SHORTEST:
        raise AccessError(f"password: {len(plain)} characters, at least {SHORTEST} are needed. Several words in a row are easy to keep")
    if len(plain) > LONGEST:
        raise AccessError(f"password: {len(plain)} characters, at most {LONGEST} are taken")
    if len(set(plain)) < 5:
        raise AccessError("password: fewer than five different characters. Choose one that is not a pattern")
    kinds = sum(bool(re.search(kind, plain)) for kind in _KINDS)
    if kinds < 3 and len(plain) < LONG:
        raise AccessError(
            f"password: want three of lower case, upper case, digits and others, or {LONG} characters of any kind; found {kinds} kind(s)"
        )
    for word in (name, *near):
        if len(word) > 2 and word.casefold() in plain.casefold():
            raise AccessError("password: holds the account's or the city's own name, which is tried first. Choose other words")
    if _common(plain):
        raise AccessError("password: among the commonest, or one of them with digits and signs around it. Choose other words")


def _common(plain: str) -> bool:
    """Tell whether a password is one of the commonest, with look-alikes put back, or holds one and little else."""
    low = plain.casefold()
    stems = {low, re.sub(r"[^a-z0-9]", "", low), re.sub(r"[^a-z]", "", low), re.sub(r"^[^a-z]+|[^a-z]+$", "", low)}
    forms = {one for one in stems | {stem.translate(_LEET) for stem in stems} if one}
    if forms & _commonest():
        return True
    return any(len(word) >= 6 and word in low and len(low) - len(word) < _MORE for word in _commonest())


@cache
def _commonest() -> frozenset[str]:
    text = files("cloudmap.access").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def _plain(password: str) -> str:
    """Give full-width and composed characters one form: the same keys typed in another input method are the same password."""
    return unicodedata.normalize("NFKC", password)
